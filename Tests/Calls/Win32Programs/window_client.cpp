// A window program that sends its command line.
#include <windows.h>
#include <iostream.h>

int WINAPI WinMain(HINSTANCE hInstance, HINSTANCE hPrevInstance, LPSTR lpCmdLine, int nCmdShow)
{
    HANDLE hSlot;
    DWORD dwWritten;

    hSlot = CreateFile("\\\\.\\mailslot\\window", GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (hSlot == INVALID_HANDLE_VALUE)
    {
        cerr << "no mailslot: " << GetLastError() << endl;
        return 1;
    }
    BOOL bDone = WriteFile(hSlot, lpCmdLine, strlen(lpCmdLine) + 1, &dwWritten, NULL);
    CloseHandle(hSlot);
    return bDone && dwWritten == strlen(lpCmdLine) + 1 ? 0 : 1;
}

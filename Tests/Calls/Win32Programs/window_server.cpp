// A window program that shows one message.
#include <windows.h>

int WINAPI WinMain(HINSTANCE hInstance, HINSTANCE hPrevInstance, LPSTR lpCmdLine, int nCmdShow)
{
    HANDLE hSlot;
    char szText[100];
    DWORD dwRead = 0;

    hSlot = CreateMailslot("\\\\.\\mailslot\\window", 0, MAILSLOT_WAIT_FOREVER, NULL);
    if (hSlot == INVALID_HANDLE_VALUE)
        return 1;
    if (ReadFile(hSlot, szText, 100, &dwRead, NULL))
        MessageBox(NULL, szText, "Received", MB_OK | MB_ICONINFORMATION);
    CloseHandle(hSlot);
    return 0;
}

// Its client: sends each word of standard input, 256 bytes each.
#include <iostream>
#include <windows.h>
using namespace std;

int main()
{
    HANDLE slot = CreateFile("\\\\.\\mailslot\\MyMailslot", GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS,
                             FILE_ATTRIBUTE_NORMAL, NULL);
    if (slot == INVALID_HANDLE_VALUE)
    {
        cout << "CreateFile failed: " << GetLastError() << endl;
        return 1;
    }
    char buffer[256] = "";
    DWORD bytesWritten;
    while (cin >> buffer)
    {
        if (!WriteFile(slot, buffer, 256, &bytesWritten, NULL))
        {
            cout << "WriteFile failed: " << GetLastError() << endl;
            break;
        }
        if (strcmp(buffer, "quit") == 0)
            break;
    }
    CloseHandle(slot);
    return 0;
}

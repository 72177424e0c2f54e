// A console server: prints each message, ends on "quit".
#include <iostream>
#include <windows.h>
using namespace std;

int main()
{
    HANDLE slot = CreateMailslot("\\\\.\\mailslot\\MyMailslot", 0, MAILSLOT_WAIT_FOREVER, NULL);
    if (slot == INVALID_HANDLE_VALUE)
    {
        cout << "CreateMailslot failed: " << GetLastError() << endl;
        return 1;
    }
    cout << "Waiting" << endl;

    char buffer[256];
    DWORD bytesRead;
    while (true)
    {
        if (!ReadFile(slot, buffer, 256, &bytesRead, NULL))
        {
            cout << "ReadFile failed: " << GetLastError() << endl;
            break;
        }
        if (strcmp(buffer, "quit") == 0)
            break;
        cout << "Client: " << buffer << endl;
    }
    CloseHandle(slot);
    return 0;
}

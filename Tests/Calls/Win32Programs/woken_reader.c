// A reader thread that blocks for ever, and is woken by a write to its own slot.
#include <windows.h>
#include <stdio.h>

#define NAME TEXT("\\\\.\\mailslot\\woken")

static DWORD WINAPI Reader(LPVOID parameter)
{
    HANDLE slot = (HANDLE)parameter;
    char buffer[64];
    DWORD bytes;
    while (ReadFile(slot, buffer, sizeof(buffer), &bytes, NULL))
    {
        if (bytes == 1 && buffer[0] == 0)
            return 42;
        printf("got %lu bytes\n", bytes);
    }
    return GetLastError();
}

int main(void)
{
    DWORD id, written, code = 0;
    HANDLE slot = CreateMailslot(NAME, 64, MAILSLOT_WAIT_FOREVER, NULL);
    HANDLE thread = CreateThread(NULL, 0, Reader, slot, 0, &id);
    HANDLE own = CreateFile(NAME, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    WriteFile(own, "hello", 5, &written, NULL);
    WriteFile(own, "", 1, &written, NULL);
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &code);
    printf("the reader ended with %lu\n", code);
    CloseHandle(thread);
    CloseHandle(own);
    CloseHandle(slot);
    return 0;
}

// A prompt that does not end its line, and a read that blocks behind it.
#include <windows.h>
#include <stdio.h>

int main(void)
{
    char buffer[64];
    DWORD bytes;
    HANDLE slot = CreateMailslot(TEXT("\\\\.\\mailslot\\window"), 0, MAILSLOT_WAIT_FOREVER, NULL);
    printf("waiting for a message: ");
    ReadFile(slot, buffer, sizeof(buffer), &bytes, NULL);
    CloseHandle(slot);
    return 0;
}

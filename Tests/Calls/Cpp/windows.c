// A program for Windows: it makes a mailslot, writes to it and reads.
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv)
{
    char name[300], text[16] = "";
    DWORD count = 0;
    if (argc != 2) return 64;
    snprintf(name, sizeof name, "\\\\.\\mailslot\\%s", argv[1]);
    HANDLE slot = CreateMailslot(name, 0, MAILSLOT_WAIT_FOREVER, NULL);
    HANDLE file = CreateFile(name, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (!WriteFile(file, "hello", 5, &count, NULL) || !ReadFile(slot, text, sizeof text, &count, NULL)) return 1;
    printf("%.*s\n", (int)count, text);
    return CloseHandle(file) && CloseHandle(slot) ? 0 : 1;
}

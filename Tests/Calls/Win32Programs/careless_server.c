// A server that ends without closing anything, in the way that its first argument names; with a read pending, and another one that blocks.
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <unistd.h>

static HANDLE first;

static DWORD WINAPI Reader(LPVOID slot)
{
    char buffer[8];
    DWORD bytes;
    ReadFile((HANDLE)slot, buffer, sizeof(buffer), &bytes, NULL);
    if (first != NULL)
        WaitForSingleObject(first, INFINITE);
    printf("the read has ended\n");
    fflush(stdout);
    return 4;
}

static void Interrupted(int number)
{
    exit(3);
}

int main(int argc, char **argv)
{
    char name[80], buffer[8];
    DWORD bytes;
    OVERLAPPED overlapped = {0};
    HANDLE slot, thread;
    sprintf(name, "\\\\.\\mailslot\\careless_%d", (int)GetCurrentProcessId());
    slot = CreateMailslot(name, 0, MAILSLOT_WAIT_FOREVER, NULL);
    if (slot == INVALID_HANDLE_VALUE)
        return 1;
    if (strcmp(argv[1], "handler") == 0)
    {
        signal(SIGALRM, Interrupted);
        alarm(1);
        ReadFile(slot, buffer, sizeof(buffer), &bytes, NULL);
        return 2;
    }
    ReadFile(slot, buffer, sizeof(buffer), &bytes, &overlapped);
    if (strcmp(argv[1], "thread") == 0)
        ExitThread(3);
    if (strcmp(argv[1], "last") == 0)
        DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &first, 0, FALSE, DUPLICATE_SAME_ACCESS);
    thread = CreateThread(NULL, 0, Reader, slot, 0, NULL);
    if (strcmp(argv[1], "last") == 0)
    {
        HANDLE client = CreateFile(name, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        WriteFile(client, "1", 1, &bytes, NULL);
        WriteFile(client, "2", 1, &bytes, NULL);
        ExitThread(3);
    }
    WaitForSingleObject(thread, 100);
    return 3;
}

// A receiver with a time-out of 50 ms and a stop flag: a thread reads until it is told to stop, every failure counts as a time-out.
// Messages come by open, write, close, each on its own handle.
#include <windows.h>
#include <process.h>
#include <stdio.h>

#define NAME "\\\\.\\mailslot\\polling"

static volatile LONG stop;
static HANDLE slot;
static int received;

static unsigned __stdcall Receive(void *unused)
{
    char buffer[1024];
    DWORD bytes;
    (void)unused;
    while (!stop)
    {
        if (!ReadFile(slot, buffer, sizeof(buffer), &bytes, NULL))
            continue;
        printf("%.*s (%lu bytes)\n", (int)bytes, buffer, bytes);
        received++;
        if (bytes == 4 && memcmp(buffer, "stop", 4) == 0)
            InterlockedExchange(&stop, 1);
    }
    return 0;
}

static BOOL Send(const char *text)
{
    DWORD written;
    BOOL sent;
    HANDLE file = CreateFileA(NAME, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    sent = WriteFile(file, text, (DWORD)strlen(text), &written, NULL);
    CloseHandle(file);
    return sent;
}

int main(void)
{
    HANDLE thread;
    int i;
    char text[32];
    if (Send("nobody there"))
        return 1;
    printf("open without a server: %lu\n", GetLastError());
    slot = CreateMailslotA(NAME, 0, 50, NULL);
    thread = (HANDLE)_beginthreadex(NULL, 0, Receive, NULL, 0, NULL);
    for (i = 0; i < 5; i++)
    {
        sprintf(text, "message %d", i);
        if (!Send(text))
            return 1;
    }
    Send("stop");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    CloseHandle(slot);
    printf("received %d\n", received);
    return 0;
}

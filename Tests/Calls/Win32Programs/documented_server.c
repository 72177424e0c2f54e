// Creates a slot, and polls it by GetMailslotInfo: allocate what the next message needs, read it with an OVERLAPPED.
#include <windows.h>
#include <tchar.h>
#include <stdio.h>
#include <strsafe.h>

static HANDLE slot;
static BOOL done;

static BOOL MakeSlot(LPCTSTR name)
{
    slot = CreateMailslot(name, 0, MAILSLOT_WAIT_FOREVER, (LPSECURITY_ATTRIBUTES)NULL);
    if (slot == INVALID_HANDLE_VALUE)
    {
        _tprintf(TEXT("CreateMailslot failed with %d\n"), GetLastError());
        return FALSE;
    }
    return TRUE;
}

static BOOL ReadSlot(void)
{
    DWORD nextSize, count, all, read;
    TCHAR id[80];
    OVERLAPPED overlapped;
    HANDLE event = CreateEvent(NULL, FALSE, FALSE, TEXT("DocumentedSlot"));
    if (event == NULL)
        return FALSE;
    overlapped.Offset = 0;
    overlapped.OffsetHigh = 0;
    overlapped.hEvent = event;

    if (!GetMailslotInfo(slot, (LPDWORD)NULL, &nextSize, &count, (LPDWORD)NULL))
    {
        _tprintf(TEXT("GetMailslotInfo failed with %d.\n"), GetLastError());
        return FALSE;
    }
    all = count;
    while (count != 0)
    {
        StringCchPrintf(id, 80, TEXT("message %d of %d: "), all - count + 1, all);
        LPTSTR text = (LPTSTR)GlobalAlloc(GPTR, lstrlen(id) * sizeof(TCHAR) + nextSize);
        if (text == NULL)
            return FALSE;
        if (!ReadFile(slot, text, nextSize, &read, &overlapped))
        {
            _tprintf(TEXT("ReadFile failed with %d.\n"), GetLastError());
            GlobalFree((HGLOBAL)text);
            return FALSE;
        }
        _tprintf(TEXT("read: %s\n"), text);
        if (lstrcmp(text, TEXT("end")) == 0)
            done = TRUE;
        GlobalFree((HGLOBAL)text);
        if (!GetMailslotInfo(slot, (LPDWORD)NULL, &nextSize, &count, (LPDWORD)NULL))
            return FALSE;
        all = all > count ? all : count;
    }
    CloseHandle(event);
    return TRUE;
}

int _tmain(void)
{
    if (!MakeSlot(TEXT("\\\\.\\mailslot\\documented\\sample")))
        return 1;
    _tprintf(TEXT("ready\n"));
    fflush(stdout);
    while (!done)
    {
        if (!ReadSlot())
            return 1;
        Sleep(5);
    }
    CloseHandle(slot);
    return 0;
}

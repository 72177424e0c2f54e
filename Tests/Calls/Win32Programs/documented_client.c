// Opens a slot and writes messages.
#include <windows.h>
#include <tchar.h>
#include <stdio.h>

static BOOL WriteSlot(HANDLE slot, LPCTSTR text)
{
    DWORD written;
    if (!WriteFile(slot, text, (DWORD)(lstrlen(text) + 1) * sizeof(TCHAR), &written, (LPOVERLAPPED)NULL))
    {
        _tprintf(TEXT("WriteFile failed with %d.\n"), GetLastError());
        return FALSE;
    }
    _tprintf(TEXT("written\n"));
    return TRUE;
}

int _tmain(int argc, TCHAR *argv[])
{
    HANDLE slot = CreateFile(TEXT("\\\\.\\mailslot\\documented\\sample"), GENERIC_WRITE, FILE_SHARE_READ, (LPSECURITY_ATTRIBUTES)NULL,
                             OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, (HANDLE)NULL);
    if (slot == INVALID_HANDLE_VALUE)
    {
        _tprintf(TEXT("CreateFile failed with %d.\n"), GetLastError());
        return 1;
    }
    WriteSlot(slot, TEXT("one"));
    WriteSlot(slot, TEXT("two words"));
    for (int i = 1; i < argc; i++)
        WriteSlot(slot, argv[i]);
    WriteSlot(slot, TEXT("end"));
    CloseHandle(slot);
    return 0;
}

// The handle calls: close, duplicate, flags.

#include "win.h"

BOOL WINAPI CloseHandle(HANDLE hObject)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hObject);
    DWORD error = 0;
    if (entry == NULL || (entry->flags & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0) error = ERROR_INVALID_HANDLE;
    else mslot__win_entry_close(entry);
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle, HANDLE hTargetProcessHandle, LPHANDLE lpTargetHandle,
    DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwOptions)
{
    // A handle of another process would be a value that means nothing there.
    if (hSourceProcessHandle != GetCurrentProcess() || hTargetProcessHandle != GetCurrentProcess()) {
        return mslot__win_fail(ERROR_INVALID_HANDLE);
    }
    mslot__win_lock();
    HANDLE copy = INVALID_HANDLE_VALUE;
    if (hSourceHandle == GetCurrentThread()) {
        copy = mslot__win_handle_new(&mslot__win_this_thread()->object, SYNCHRONIZE, bInheritHandle != FALSE);
    } else {
        mslot_win_entry *entry = mslot__win_entry_of(hSourceHandle);
        if (entry == NULL) {
            SetLastError(ERROR_INVALID_HANDLE);
        } else {
            DWORD access = (dwOptions & DUPLICATE_SAME_ACCESS) != 0 ? entry->access : dwDesiredAccess;
            copy = mslot__win_handle_new(entry->object, access, bInheritHandle != FALSE);
            // The table may have moved. Closed even if there is no copy, as the documentation says.
            if ((dwOptions & DUPLICATE_CLOSE_SOURCE) != 0) mslot__win_handle_close(hSourceHandle);
        }
    }
    if (lpTargetHandle != NULL && copy != INVALID_HANDLE_VALUE) *lpTargetHandle = copy;
    mslot__win_unlock();
    return copy != INVALID_HANDLE_VALUE;
}

BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hObject);
    if (entry != NULL && lpdwFlags != NULL) *lpdwFlags = entry->flags;
    mslot__win_unlock();
    return entry != NULL ? TRUE : mslot__win_fail(ERROR_INVALID_HANDLE);
}

BOOL WINAPI SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags)
{
    const DWORD known = HANDLE_FLAG_INHERIT | HANDLE_FLAG_PROTECT_FROM_CLOSE;
    if ((dwMask & ~known) != 0) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hObject);
    if (entry != NULL) entry->flags = (entry->flags & ~dwMask) | (dwFlags & dwMask);
    mslot__win_unlock();
    return entry != NULL ? TRUE : mslot__win_fail(ERROR_INVALID_HANDLE);
}

// Requests that are done later: waiting for them, cancelling them.

#include "win.h"

/// Waits for this request, which has no event, and for no other on the handle. WAIT_...
static DWORD wait_for_request(HANDLE file, const OVERLAPPED *overlapped, DWORD milliseconds, bool alertable)
{
    int64_t deadline_ns = mslot__win_deadline(milliseconds);
    DWORD result = WAIT_FAILED;
    mslot__win_lock();
    mslot_win_object *object = mslot__win_object_of(file, NULL);
    if (object != NULL) {
        mslot_win_awaited awaited;
        mslot__win_awaited_add(&awaited, overlapped);
        mslot_win_object *const objects[] = {&awaited.object};
        result = mslot__win_wait(objects, 1, false, deadline_ns, alertable);
        mslot__win_awaited_remove(&awaited);
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return result;
}

BOOL WINAPI GetOverlappedResultEx(
    HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred, DWORD dwMilliseconds, BOOL bAlertable)
{
    if (lpOverlapped == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    ULONG_PTR status = __atomic_load_n(&lpOverlapped->Internal, __ATOMIC_ACQUIRE);
    if (status == STATUS_PENDING) {
        if (dwMilliseconds == 0) return mslot__win_fail(ERROR_IO_INCOMPLETE);
        HANDLE event = (HANDLE)((uintptr_t)lpOverlapped->hEvent & ~(uintptr_t)1);
        DWORD wait = event != NULL ? WaitForSingleObjectEx(event, dwMilliseconds, bAlertable)
                                   : wait_for_request(hFile, lpOverlapped, dwMilliseconds, bAlertable != FALSE);
        if (wait == WAIT_FAILED) return FALSE;
        status = __atomic_load_n(&lpOverlapped->Internal, __ATOMIC_ACQUIRE);
        if (status == STATUS_PENDING) return mslot__win_fail(wait == WAIT_OBJECT_0 ? ERROR_IO_INCOMPLETE : wait);
    }
    if (lpNumberOfBytesTransferred != NULL) *lpNumberOfBytesTransferred = (DWORD)lpOverlapped->InternalHigh;
    DWORD error = mslot__win_error_of_status((NTSTATUS)status);
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI GetOverlappedResult(HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred, BOOL bWait)
{
    return GetOverlappedResultEx(hFile, lpOverlapped, lpNumberOfBytesTransferred, bWait ? INFINITE : 0, FALSE);
}

// MARK: cancelling

/// Cancels the requests on one handle. An error, or 0 and how many they were in `*cancelled`.
static DWORD cancel_on(HANDLE file, bool only_this_thread, const OVERLAPPED *overlapped, uint32_t *cancelled)
{
    *cancelled = 0;
    mslot__win_lock();
    mslot_win_object *object = mslot__win_object_of(file, NULL);
    DWORD error = object == NULL ? ERROR_INVALID_HANDLE : 0;
    if (object != NULL) {
        mslot_win_thread *thread = only_this_thread ? mslot__win_this_thread() : NULL;
        if (object->kind == &mslot__win_server_kind) {
            bool synchronous = !only_this_thread && overlapped == NULL;
            *cancelled = mslot__win_server_cancel(object, thread, overlapped, synchronous, true);
        } else if (object->kind == &mslot__win_client_kind) {
            *cancelled = overlapped == NULL && mslot__win_client_cancel(object, thread) ? 1 : 0;
        } else if (!object->kind->is_file) {
            error = ERROR_INVALID_HANDLE;
        }
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return error;
}

BOOL WINAPI CancelIo(HANDLE hFile)
{
    uint32_t cancelled;
    DWORD error = cancel_on(hFile, true, NULL, &cancelled);
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI CancelIoEx(HANDLE hFile, LPOVERLAPPED lpOverlapped)
{
    uint32_t cancelled;
    DWORD error = cancel_on(hFile, false, lpOverlapped, &cancelled);
    if (error == 0 && cancelled == 0) error = ERROR_NOT_FOUND;
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI CancelSynchronousIo(HANDLE hThread)
{
    mslot__win_lock();
    mslot_win_thread *thread = mslot__win_thread_of(hThread);
    DWORD error = thread == NULL ? ERROR_INVALID_HANDLE : 0;
    if (thread != NULL) {
        bool any = mslot__win_servers_cancel(thread, true, false) != 0;
        any = mslot__win_clients_cancel(thread) || any;
        if (!any) error = ERROR_NOT_FOUND;
        mslot__win_release(&thread->object);
    }
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

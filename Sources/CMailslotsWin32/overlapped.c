// Requests that are done later: how they begin, who is told, waiting for them, cancelling them.

#include "win.h"

DWORD mslot__win_notice_begin(mslot_win_notice *notice, OVERLAPPED *overlapped, LPOVERLAPPED_COMPLETION_ROUTINE routine, bool with_routine)
{
    *notice = (mslot_win_notice){.overlapped = overlapped};
    if (with_routine && (overlapped == NULL || routine == NULL)) return ERROR_INVALID_PARAMETER;
    if (overlapped == NULL) return 0;
    if ((uintptr_t)overlapped % _Alignof(OVERLAPPED) != 0) return ERROR_NOACCESS;
    if (with_routine) {
        notice->routine = routine;
    } else if (overlapped->hEvent != NULL) {
        // Bit 0 says "tell no completion port": it is not part of the handle.
        notice->event = mslot__win_object_of((HANDLE)((uintptr_t)overlapped->hEvent & ~(uintptr_t)1), &mslot__win_event_kind);
        if (notice->event == NULL) return ERROR_INVALID_HANDLE;
        mslot__win_event_set(notice->event, false);
    }
    notice->thread = mslot__win_this_thread();
    mslot__win_retain(&notice->thread->object);
    // Relaxed: who polls it knows that the request has begun. It stays so when the request fails at once.
    __atomic_store_n(&overlapped->Internal, STATUS_PENDING, __ATOMIC_RELAXED);
    return 0;
}

void mslot__win_notice_drop(mslot_win_notice *notice)
{
    if (notice->event != NULL) mslot__win_release(notice->event);
    if (notice->thread != NULL) mslot__win_release(&notice->thread->object);
    *notice = (mslot_win_notice){.overlapped = NULL};
}

void mslot__win_notice_finish(mslot_win_notice *notice, DWORD error, DWORD count)
{
    OVERLAPPED *overlapped = notice->overlapped;
    if (overlapped == NULL) return;
    overlapped->InternalHigh = count;
    // Pairs with the acquire load in GetOverlappedResultEx: the buffer and the count are there. From here on it is the program's again.
    __atomic_store_n(&overlapped->Internal, (uint32_t)mslot__win_status_of(error), __ATOMIC_RELEASE);
    if (notice->routine != NULL) {
        mslot__win_apc_queue(
            notice->thread, (mslot_win_apc){.routine = notice->routine, .error = error, .count = count, .overlapped = overlapped});
    } else if (notice->event != NULL) {
        mslot__win_event_set(notice->event, true);
    }
    mslot__win_notice_drop(notice);
}

BOOL WINAPI GetOverlappedResultEx(
    HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred, DWORD dwMilliseconds, BOOL bAlertable)
{
    if (lpOverlapped == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    ULONG_PTR status = __atomic_load_n(&lpOverlapped->Internal, __ATOMIC_ACQUIRE);
    if (status == STATUS_PENDING) {
        if (dwMilliseconds == 0) return mslot__win_fail(ERROR_IO_INCOMPLETE);
        HANDLE event = (HANDLE)((uintptr_t)lpOverlapped->hEvent & ~(uintptr_t)1);
        DWORD wait = WaitForSingleObjectEx(event != NULL ? event : hFile, dwMilliseconds, bAlertable);
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
        } else if (object->kind != &mslot__win_stream_kind) {
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

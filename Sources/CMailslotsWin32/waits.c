// The calls that wait: for one object or several, or for nothing but time.

#include "win.h"

#include <errno.h>
#include <time.h>

DWORD mslot__win_wait(mslot_win_object *const *objects, DWORD count, bool all, int64_t deadline_ns, bool alertable)
{
    mslot_win_waiter w = {.thread = mslot__win_this_thread(), .objects = objects, .count = count, .all = all};
    if (mslot__win_waiter_try_end(&w)) return w.result;
    mslot__win_waiter_add(&w);
    w.thread->alertable = alertable;
    bool ran = false;
    while (!w.done) {
        if (alertable && w.thread->first_apc != NULL) {
            ran = true;
            break;
        }
        if (mslot__win_now_ns() >= deadline_ns) break;
        mslot__win_condition_wait(&w.thread->wake, deadline_ns);
    }
    w.thread->alertable = false;
    mslot__win_waiter_remove(&w);
    // Outside the list: a routine may wait itself.
    if (ran) mslot__win_apcs_run(w.thread);
    return w.done ? w.result : ran ? WAIT_IO_COMPLETION : WAIT_TIMEOUT;
}

// MARK: the calls

static DWORD wait_failed(DWORD error)
{
    SetLastError(error);
    return WAIT_FAILED;
}

/// The object of a handle that can be waited for, retained; NULL with the last error.
static mslot_win_object *waitable(HANDLE handle)
{
    if (handle == GetCurrentThread()) return &mslot__win_thread_of(handle)->object;
    mslot_win_object *object = mslot__win_object_of(handle, NULL);
    if (object == NULL || object->kind->is_signalled != NULL) return object;
    mslot__win_release(object);
    SetLastError(ERROR_INVALID_HANDLE);
    return NULL;
}

DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds, BOOL bAlertable)
{
    if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS || lpHandles == NULL) return wait_failed(ERROR_INVALID_PARAMETER);
    mslot_win_object *objects[MAXIMUM_WAIT_OBJECTS];
    DWORD found = 0;
    DWORD result = WAIT_FAILED;
    int64_t deadline = mslot__win_deadline(dwMilliseconds);
    mslot__win_lock();
    while (found < nCount && (objects[found] = waitable(lpHandles[found])) != NULL) found++;
    bool twice = false;
    for (DWORD i = 0; i < found && bWaitAll; i++)
        for (DWORD j = 0; j < i; j++) twice = twice || objects[i] == objects[j];
    if (twice) SetLastError(ERROR_INVALID_PARAMETER);
    else if (found == nCount) result = mslot__win_wait(objects, nCount, bWaitAll != FALSE, deadline, bAlertable != FALSE);
    for (DWORD i = 0; i < found; i++) mslot__win_release(objects[i]);
    mslot__win_unlock();
    return result;
}

DWORD WINAPI WaitForMultipleObjects(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(nCount, lpHandles, bWaitAll, dwMilliseconds, FALSE);
}

DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL bAlertable)
{
    return WaitForMultipleObjectsEx(1, &hHandle, FALSE, dwMilliseconds, bAlertable);
}

DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(1, &hHandle, FALSE, dwMilliseconds, FALSE);
}

DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable)
{
    int64_t deadline = mslot__win_deadline(dwMilliseconds);
    mslot__win_lock();
    DWORD result = mslot__win_wait(NULL, 0, false, deadline, bAlertable != FALSE);
    mslot__win_unlock();
    return result == WAIT_IO_COMPLETION ? WAIT_IO_COMPLETION : 0;
}

void WINAPI Sleep(DWORD dwMilliseconds)
{
    int64_t deadline_ns = mslot__win_deadline(dwMilliseconds);
    if (dwMilliseconds == 0) SwitchToThread();
    struct timespec deadline = mslot__win_timespec(deadline_ns);
    while (dwMilliseconds != 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) {}
}

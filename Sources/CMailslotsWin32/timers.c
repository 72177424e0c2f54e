// Waitable timers: events that set themselves.
//
// One thread of our own sleeps until the first of them is due. It starts with the first that is set, and stays.

#include "win.h"

#include <stdlib.h>

enum { NANOSECONDS_A_TICK = 100, NANOSECONDS_A_MILLISECOND = 1000000 };

typedef struct timer {
    mslot_win_object object;
    struct timer *next;
    bool is_manual;
    bool is_set;
    /// When it sets itself, in nanoseconds of the monotonic clock; MSLOT_FOREVER: it does not.
    int64_t due_ns;
    /// After which it does so again; 0: once.
    int64_t period_ns;
} timer;

/// Guarded by the lock of all, as all timers.
static timer *timers;
static bool has_service;
static pthread_cond_t service_wake;

static void forget(void)
{
    timers = NULL;
    has_service = false;
}
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

/// Locked. Sets what is due; when to look again.
static int64_t set_due(void)
{
    int64_t now = mslot__win_now_ns(), next_due = MSLOT_FOREVER;
    for (timer *one = timers; one != NULL; one = one->next) {
        if (one->due_ns <= now) {
            // Periods that were missed are not made up for.
            one->due_ns = one->period_ns == 0 ? MSLOT_FOREVER : now - (now - one->due_ns) % one->period_ns + one->period_ns;
            one->is_set = true;
            mslot__win_signalled(&one->object);
        }
        if (one->due_ns < next_due) next_due = one->due_ns;
    }
    return next_due;
}

static void *serve(void *argument)
{
    (void)argument;
    mslot__win_lock();
    for (;;) mslot__win_condition_wait(&service_wake, set_due());
    return NULL;
}

/// Locked.
static bool start_service(void)
{
    if (has_service) return true;
    mslot__win_condition_init(&service_wake);
    return has_service = mslot__win_start_service(serve, NULL);
}

static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    return ((timer *)object)->is_set;
}

static bool take(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    timer *one = (timer *)object;
    if (!one->is_manual) one->is_set = false;
    return false;
}

static void destroy(mslot_win_object *object)
{
    timer **link = &timers;
    while (*link != (timer *)object) link = &(*link)->next;
    *link = (*link)->next;
    free(object);
}

static const mslot_win_kind timer_kind = {.is_signalled = is_signalled, .take = take, .destroy = destroy};

HANDLE WINAPI CreateWaitableTimerA(LPSECURITY_ATTRIBUTES lpTimerAttributes, BOOL bManualReset, LPCSTR lpTimerName)
{
    bool has_name = lpTimerName != NULL && lpTimerName[0] != 0;
    timer *made = has_name ? NULL : calloc(1, sizeof *made);
    if (made == NULL) {
        SetLastError(has_name ? ERROR_NOT_SUPPORTED : ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    made->object.kind = &timer_kind;
    made->is_manual = bManualReset != FALSE;
    made->due_ns = MSLOT_FOREVER;
    mslot__win_lock();
    made->next = timers;
    timers = made;
    mslot__win_retain(&made->object);
    bool inherit = lpTimerAttributes != NULL && lpTimerAttributes->bInheritHandle;
    HANDLE handle = mslot__win_handle_new(&made->object, TIMER_ALL_ACCESS, inherit);
    mslot__win_release(&made->object);
    mslot__win_unlock();
    return handle != INVALID_HANDLE_VALUE ? handle : NULL;
}

HANDLE WINAPI CreateWaitableTimerW(LPSECURITY_ATTRIBUTES lpTimerAttributes, BOOL bManualReset, LPCWSTR lpTimerName)
{
    // No name is offered, so what it is does not matter.
    return CreateWaitableTimerA(lpTimerAttributes, bManualReset, lpTimerName != NULL && lpTimerName[0] != 0 ? "named" : NULL);
}

/// When a time of Windows is, on the monotonic clock: below zero so many ticks from now, else ticks since 1601.
static int64_t due_at(LONGLONG ticks)
{
    int64_t now_ns = mslot__win_now_ns();
    if (ticks >= 0) {
        FILETIME now;
        GetSystemTimeAsFileTime(&now);
        ticks = (LONGLONG)((ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime) - ticks;
        if (ticks >= 0) return now_ns; // it is over
    }
    // From zero on, so that the least number has an opposite.
    LONGLONG most = (MSLOT_FOREVER - now_ns) / NANOSECONDS_A_TICK;
    return ticks < -most ? MSLOT_FOREVER : now_ns - ticks * NANOSECONDS_A_TICK;
}

BOOL WINAPI SetWaitableTimer(HANDLE hTimer, const LARGE_INTEGER *lpDueTime, LONG lPeriod, PTIMERAPCROUTINE pfnCompletionRoutine,
    LPVOID lpArgToCompletionRoutine, BOOL fResume)
{
    (void)lpArgToCompletionRoutine;
    (void)fResume; // no machine is woken for it
    if (lpDueTime == NULL || lPeriod < 0) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    if (pfnCompletionRoutine != NULL) return mslot__win_fail(ERROR_NOT_SUPPORTED);
    mslot__win_lock();
    timer *one = (timer *)mslot__win_object_of(hTimer, &timer_kind);
    DWORD error = one == NULL ? ERROR_INVALID_HANDLE : start_service() ? 0 : ERROR_NO_SYSTEM_RESOURCES;
    if (error == 0) {
        one->is_set = false;
        one->due_ns = due_at(lpDueTime->QuadPart);
        one->period_ns = (int64_t)lPeriod * NANOSECONDS_A_MILLISECOND;
        pthread_cond_signal(&service_wake);
    }
    if (one != NULL) mslot__win_release(&one->object);
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI CancelWaitableTimer(HANDLE hTimer)
{
    mslot__win_lock();
    timer *one = (timer *)mslot__win_object_of(hTimer, &timer_kind);
    if (one != NULL) {
        one->due_ns = MSLOT_FOREVER;
        mslot__win_release(&one->object);
    }
    mslot__win_unlock();
    return one != NULL;
}

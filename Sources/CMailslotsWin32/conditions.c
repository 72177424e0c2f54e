// Time-outs, and waiting under the lock.

#include "win.h"

#include <time.h>

enum { NANOSECONDS_A_SECOND = 1000000000, NANOSECONDS_A_MILLISECOND = 1000000 };

int64_t mslot__win_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS_A_SECOND + now.tv_nsec;
}

struct timespec mslot__win_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NANOSECONDS_A_SECOND, .tv_nsec = ns % NANOSECONDS_A_SECOND};
}

int64_t mslot__win_deadline(DWORD milliseconds)
{
    return milliseconds == INFINITE ? MSLOT_FOREVER : mslot__win_now_ns() + (int64_t)milliseconds * NANOSECONDS_A_MILLISECOND;
}

void mslot__win_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mslot__win_condition_wait(pthread_cond_t *condition, int64_t deadline_ns)
{
    if (deadline_ns == MSLOT_FOREVER) {
        pthread_cond_wait(condition, mslot__win_lock_itself());
        return;
    }
    struct timespec deadline = mslot__win_timespec(deadline_ns);
    pthread_cond_timedwait(condition, mslot__win_lock_itself(), &deadline);
}

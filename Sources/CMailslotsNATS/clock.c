#include "endpoint.h"

#include <time.h>

static const int64_t SECOND_NS = 1000000000;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

int64_t mslot_nats_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int64_t mslot_nats_deadline(int64_t timeout_ns)
{
    int64_t deadline;
    return __builtin_add_overflow(mslot_nats_now_ns(), timeout_ns > 0 ? timeout_ns : 0, &deadline) ? MSLOT_NATS_FOREVER : deadline;
}

static int64_t left_ns(int64_t deadline_ns)
{
    int64_t left = deadline_ns - mslot_nats_now_ns();
    return left > 0 ? left : 0;
}

struct timespec mslot_nats_moment(int64_t deadline_ns, clockid_t clock)
{
    int64_t moment;
    if (__builtin_add_overflow(clock_ns(clock), left_ns(deadline_ns), &moment)) moment = MSLOT_NATS_FOREVER;
    return (struct timespec){.tv_sec = moment / SECOND_NS, .tv_nsec = moment % SECOND_NS};
}

int mslot_nats_milliseconds_until(int64_t deadline_ns)
{
    int64_t left = left_ns(deadline_ns) / 1000000 + (left_ns(deadline_ns) % 1000000 > 0);
    return left > 1000000 ? 1000000 : (int)left;
}

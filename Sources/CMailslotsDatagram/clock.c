// Time-outs.

#include "endpoint.h"

int64_t mslot_datagram_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t mslot_datagram_deadline(int64_t timeout_ns)
{
    if (timeout_ns <= 0) return 0;
    int64_t deadline;
    return __builtin_add_overflow(mslot_datagram_now_ns(), timeout_ns, &deadline) ? MSLOT_DATAGRAM_FOREVER : deadline;
}

struct timespec mslot_datagram_left(int64_t deadline_ns)
{
    int64_t left = deadline_ns > 0 ? deadline_ns - mslot_datagram_now_ns() : 0;
    if (left < 0) left = 0;
    return (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
}

#include "mailslots_transport.h"

int64_t mslot_transport_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t mslot_transport_deadline(int64_t timeout_ns)
{
    if (timeout_ns <= 0) return 0;
    int64_t deadline;
    return __builtin_add_overflow(mslot_transport_now_ns(), timeout_ns, &deadline) ? MSLOT_TRANSPORT_FOREVER : deadline;
}

int64_t mslot_transport_left_ns(int64_t deadline_ns)
{
    int64_t left = deadline_ns > 0 ? deadline_ns - mslot_transport_now_ns() : 0;
    return left > 0 ? left : 0;
}

int mslot_transport_milliseconds_until(int64_t deadline_ns)
{
    int64_t left_ns = mslot_transport_left_ns(deadline_ns);
    int64_t left = left_ns / 1000000 + (left_ns % 1000000 > 0);
    return left > 1000000 ? 1000000 : (int)left;
}

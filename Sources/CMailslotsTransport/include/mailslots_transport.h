/*
 * What the C below every transport shares: time-outs, which thread is on which side, and counters.
 */
#ifndef MAILSLOTS_TRANSPORT_H
#define MAILSLOTS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#if defined(__clang__)
#define MSLOT_TRANSPORT_CLOSED_ENUM __attribute__((enum_extensibility(closed)))
#else
#define MSLOT_TRANSPORT_CLOSED_ENUM
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The longest datagram: what an Ethernet frame of 1500 bytes holds over IPv4.
enum { MSLOT_TRANSPORT_BYTES_MAX = 1472 };

// MARK: time

/// Time-outs are in nanoseconds, relative; 0 or less does not wait.
static const int64_t MSLOT_TRANSPORT_FOREVER = 0x7fffffffffffffffLL;

/// Of the monotonic clock.
int64_t mslot_transport_now_ns(void);
/// When the time is up, of the same clock; 0: it is. Saturates.
int64_t mslot_transport_deadline(int64_t timeout_ns);
/// What is left of it, not less than 0.
int64_t mslot_transport_left_ns(int64_t deadline_ns);
/// For poll: rounded up, and not much more than a quarter of an hour.
int mslot_transport_milliseconds_until(int64_t deadline_ns);

static inline struct timespec mslot_transport_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

// MARK: sides

/// 1 while a thread is on that side. Taken with acquire, left with release: the next thread sees what the last one did. False: another
/// thread is there.
static inline bool mslot_transport_enter(uint32_t *side) { return __atomic_exchange_n(side, 1, __ATOMIC_ACQUIRE) == 0; }
static inline void mslot_transport_leave(uint32_t *side) { __atomic_store_n(side, 0, __ATOMIC_RELEASE); }

// MARK: counters

/// A counter has one writer at a time, and is read by anyone. Relaxed: it orders nothing.
static inline void mslot_transport_add(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

/// Of a struct that has counters only.
static inline void mslot_transport_count(void *counters, const void *from, size_t byte_count)
{
    for (size_t i = 0; i < byte_count / sizeof(uint64_t); i++)
        ((uint64_t *)counters)[i] = __atomic_load_n((const uint64_t *)from + i, __ATOMIC_RELAXED);
}

#ifdef __cplusplus
}
#endif

#endif

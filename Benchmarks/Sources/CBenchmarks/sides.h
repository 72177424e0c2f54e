// What the sides share.
#ifndef BENCHMARKS_SIDES_H
#define BENCHMARKS_SIDES_H

#include "benchmarks.h"

#include <mailslots.h>
#include <string.h>
#include <sys/types.h>

#define BENCH_REQUIRE(run, condition)                                      \
    do {                                                                   \
        if (!(condition)) bench_fail(run, (uint32_t)__LINE__, #condition); \
    } while (0)

static inline void bench_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/// Asks for a line to write to it, as ours does.
static inline void bench_prefetch_write(const void *address)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/// Keeps what `bytes` points to from being optimised away.
static inline void bench_use(const void *bytes) { __asm__ volatile("" : : "r"(bytes) : "memory"); }

/// Polls until the time is over, so that the CPU does not fall asleep.
static inline void bench_wait_ticks(uint64_t ticks)
{
    for (uint64_t start = bench_ticks(); bench_ticks() - start < ticks;) bench_pause();
}

/// What a message begins with where it says its number or its time.
static inline void bench_put(unsigned char *bytes, uint64_t word) { memcpy(bytes, &word, sizeof word); }
static inline uint64_t bench_get(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// run.c
/// Starts `side`, a second one or the first one of some number, in a process of its own, pinned. If `traced`, it stops by SIGSTOP before it
/// begins. Less than 0: it cannot.
pid_t bench_start_side(bench_run *run, bench_side side, uint32_t number, bool is_second, bool traced);

// mailslot.c
mslot_reader *bench_mailslot_create(bench_run *run, const char *name);
mslot_writer *bench_mailslot_open_writer(bench_run *run, const char *name);
/// Removes what killed sides left behind.
void bench_mailslot_remove(bench_run *run);

// bare.c
size_t bench_bare_bytes(void);
void bench_bare_initialise(void *memory);

#endif

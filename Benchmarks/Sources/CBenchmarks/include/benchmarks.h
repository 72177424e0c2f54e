/*
 * The hot loops of the benchmarks, in C so that nothing but what is measured is in them.
 *
 * A measurement is a `bench_run` in memory that is shared with the processes that it forks, and one or two SIDES: functions
 * that each run in a process of their own, pinned to a CPU of its own. Sides meet at barriers, then one of them times.
 * A side is a plain function of a run, so one written in Swift serves as well.
 *
 * Every process that is forked here ends by itself after a bounded time, and dies with its parent.
 */
#ifndef BENCHMARKS_H
#define BENCHMARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peers.h"

enum {
    /// Samples a run can keep.
    BENCH_SAMPLES_MAX = 1 << 20,
    /// After this many seconds a side is killed by its own alarm, and the run has failed.
    BENCH_SIDE_SECONDS_MAX = 30,
    /// How many messages a reader takes before it gives their slots back; the same for every ring.
    BENCH_BATCH = 64,
    /// Processes that write to one channel.
    BENCH_WRITERS_MAX = 32,
    BENCH_CPUS_MAX = 64,
    /// Messages that are timed together one way.
    BENCH_CHUNK = 8192,
    /// Messages that fit, for every ring.
    BENCH_CAPACITY = 4096,
    BENCH_LANES = 256,
    /// The counterparts in the reference of what a message has in ours.
    BENCH_SLOT_BYTES = 448,
    BENCH_PAYLOAD_BYTES = 424
};

/// One measurement. Made by bench_run_make, in memory that all its processes share.
typedef struct bench_run {
    // What to do.
    uint32_t message_bytes;
    /// The first side's, the second side's; more are for further writers.
    uint32_t cpus[BENCH_CPUS_MAX];
    uint32_t cpu_count;
    /// How many processes the first side is; 1 unless said otherwise. More share the CPUs that the second side does not have.
    uint32_t writers;
    /// After so long a side is killed by its own alarm.
    uint32_t seconds_max;
    uint64_t warm_up;
    uint64_t messages;
    /// Nanoseconds that the parked reader is left asleep.
    uint64_t asleep_ns;
    /// Lanes that others hold, for opening.
    uint32_t lanes_taken;
    /// For peers: how long to measure, after a fifth of that to warm up; longer if that gives too few samples.
    uint64_t duration_ns;
    /// Messages that are sent at once, before the writer pauses for asleep_ns.
    uint32_t burst;
    /// What the reader does for each message.
    uint64_t work_ns;
    /// Messages a second that are due, whatever has become of those before.
    double rate;
    /// The reader stops once for so long. To see that the wait is in the figures.
    uint64_t stall_ns;
    const bench_peer *peer;

    // What came out.
    uint64_t sample_count;
    /// Ticks each; see bench_ns.
    uint32_t *samples;
    /// Times that the waker's reader really slept.
    uint64_t sleeps;
    uint64_t system_calls;
    uint64_t allocations;
    uint64_t instructions;
    /// For peers: messages received, those of the warm-up too; lost; and not sent, though they were due.
    uint64_t messages_moved;
    uint64_t lost;
    uint64_t unsent;
    /// CPU time of all first sides, of the second, of the first channel's server, and of the second's if that is another: user's and
    /// system's.
    uint64_t cpu_ns[4];
    /// 0, or the line of the source on which a side gave up, and the condition that did not hold.
    uint32_t failed_line;
    const char *failed_condition;
    /// 0, or the signal that ended the first side that was killed.
    int32_t killed_by;

    // Between the sides.
    uint32_t marks;
    uint32_t arrived;
    uint32_t acknowledged;
    /// From when on messages count, in ticks, where the writer has the clock.
    uint64_t warm_ticks;
    /// Writers that have announced their last message, and how many messages all those have sent.
    uint32_t announcers;
    uint64_t announced;
    void *bare[2];
    bench_channel channels[2];
    char names[2][64];
} bench_run;

typedef void (*bench_side)(bench_run *run);

/// NULL if there is no memory.
bench_run *bench_run_make(void);
/// Ready for the next measurement: results, barriers and rings as at first. False if there is no memory.
bool bench_run_reset(bench_run *run);
void bench_run_free(bench_run *run);

/// Runs each side in a process of its own, pinned to its CPU; `second` may be NULL. True if all ended well.
bool bench_run_sides(bench_run *run, bench_side first, bench_side second);
/// As above, with the system calls of the sides and all their threads counted, from the first side's first call of bench_mark to the
/// last one's second.
bool bench_run_counting(bench_run *run, bench_side first, bench_side second);

/// Runs one side and steps through it: `run->instructions` are those between its two calls of bench_mark.
bool bench_run_stepping(bench_run *run, bench_side side);

/// Makes the channels of `peer` for the sides below. False if it cannot.
bool bench_peer_make(bench_run *run, const bench_peer *peer, bool polls);
void bench_peer_remove(bench_run *run);

/// The name of the first or second mailslot of this measurement.
const char *bench_name(const bench_run *run, uint32_t number);

/// From now on SIGINT and SIGTERM end the measurement that is going on, as failed, and not this process.
void bench_catch_signals(void);
/// The signal that came; 0: none.
int bench_caught_signal(void);

/// For sides. Waits for all others.
void bench_meet(bench_run *run);
/// Which of several first sides this is, from 0.
uint32_t bench_writer_number(void);
/// Ends this side, and with it the run, as failed. `condition` is a constant.
_Noreturn void bench_fail(bench_run *run, uint32_t line, const char *condition);
/// The first call starts counting system calls and allocations, the second ends it.
void bench_mark(bench_run *run);

/// A clock that costs little: the processor's own counter, in ticks.
static inline uint64_t bench_ticks(void);
/// Ticks in a second, measured once.
double bench_ticks_per_second(void);

/// Whether this process may run on `cpu`.
bool bench_may_use_cpu(uint32_t cpu);

/// Has all threads that this process has, and those that they start, run on `cpu` alone.
void bench_pin_process(uint32_t cpu);

/// What this was compiled with.
const char *bench_compiler(void);
const char *bench_c_library(void);

// MARK: the floor

/// One cache line goes there and back.
void bench_line_first(bench_run *run);
void bench_line_second(bench_run *run);

// MARK: round trip, both sides polling: `first` times

void bench_mailslot_round_trip_first(bench_run *run);
void bench_mailslot_round_trip_second(bench_run *run);
void bench_bare_round_trip_first(bench_run *run);
void bench_bare_round_trip_second(bench_run *run);

// MARK: one way: `first` writes, `second` reads and times

void bench_mailslot_one_way_first(bench_run *run);
void bench_mailslot_one_way_second(bench_run *run);
void bench_bare_one_way_first(bench_run *run);
void bench_bare_one_way_second(bench_run *run);

// MARK: waking: `first` writes, `second` sleeps, and times from just before the write until it has the message

void bench_mailslot_wake_first(bench_run *run);
void bench_mailslot_wake_second(bench_run *run);
void bench_bare_wake_first(bench_run *run);
void bench_bare_wake_second(bench_run *run);

// MARK: opening: one side, each sample one open, write and close

void bench_mailslot_open(bench_run *run);
void bench_bare_open(bench_run *run);

// MARK: counting: one side that writes and reads in turn

void bench_mailslot_count(bench_run *run);
/// The system calls of one open, write and close.
void bench_mailslot_open_count(bench_run *run);

// MARK: stepping: one side that does one thing for each message, all of which fit

void bench_step_write(bench_run *run);
void bench_step_loan(bench_run *run);
void bench_step_read(bench_run *run);
/// Lent and released one by one, and all lent before they are released together.
void bench_step_peek(bench_run *run);
void bench_step_peek_batch(bench_run *run);
void bench_step_bare_write(bench_run *run);
void bench_step_bare_read(bench_run *run);

// MARK: a peer, between bench_peer_make and bench_peer_remove; each pattern has a file in patterns/

void bench_peer_round_trip_first(bench_run *run);
void bench_peer_round_trip_second(bench_run *run);
void bench_peer_one_way_first(bench_run *run);
void bench_peer_one_way_second(bench_run *run);
void bench_peer_burst_first(bench_run *run);
void bench_peer_burst_second(bench_run *run);
void bench_peer_slow_reader_first(bench_run *run);
void bench_peer_slow_reader_second(bench_run *run);
/// The second side is the slow reader's.
void bench_peer_writes_first(bench_run *run);
void bench_peer_paced_first(bench_run *run);
void bench_peer_paced_second(bench_run *run);
void bench_peer_open_first(bench_run *run);
void bench_peer_open_second(bench_run *run);
/// One side that sends and receives in turn, for counting.
void bench_peer_in_turn(bench_run *run);
/// No peer: copies messages in and out as a ring would, one way. The second side only.
void bench_memcpy_one_way(bench_run *run);

/// Fails unless all messages arrive once, whole and in order; no bytes that are not theirs are written.
void bench_peer_check_first(bench_run *run);
void bench_peer_check_second(bench_run *run);

// MARK: memory

typedef struct bench_memory {
    bool known;
    uint64_t file_bytes;
    /// What the file system has set aside for it.
    uint64_t allocated_bytes;
} bench_memory;
/// A mailslot made with the default options.
bench_memory bench_mailslot_memory(void);

// MARK: clock

#if defined(__x86_64__)
static inline uint64_t bench_ticks(void) { return __builtin_ia32_rdtsc(); }
#elif defined(__aarch64__)
static inline uint64_t bench_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#else
#include <time.h>
static inline uint64_t bench_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif

// MARK: samples

/// Keeps a sample: the time since `before`, once the warm-up is over. Returns now.
static inline uint64_t bench_sample(bench_run *run, uint64_t number, uint64_t before)
{
    uint64_t now = bench_ticks();
    if (number >= run->warm_up && number - run->warm_up < BENCH_SAMPLES_MAX) {
        uint64_t ticks = now - before;
        run->samples[number - run->warm_up] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
    }
    return now;
}

static inline void bench_samples_done(bench_run *run)
{
    run->sample_count = run->messages < BENCH_SAMPLES_MAX ? run->messages : BENCH_SAMPLES_MAX;
}

/// One way, the reader: keeps the time of each BENCH_CHUNK messages. `count` more than before have come, which makes `total`.
/// A chunk in which a side lost its CPU to something else is one sample among many.
static inline void bench_sample_chunk(bench_run *run, uint64_t total, size_t count, uint64_t *before)
{
    if (total / BENCH_CHUNK == (total - count) / BENCH_CHUNK) return;
    uint64_t now = bench_ticks();
    if (total > run->warm_up && *before != 0 && run->sample_count < BENCH_SAMPLES_MAX) {
        uint64_t ticks = now - *before;
        run->samples[run->sample_count++] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
    }
    *before = now;
}

#endif

/*
 * What the patterns share, and those that are handlers of an event loop, in Swift.
 *
 * A peer is a thousand times slower than another, so a measurement takes a time, not a number of messages; longer only where something
 * else had the CPU for so long that there are too few samples. The first sixth is warm-up.
 *
 * A reader that waits for a message has to know that none will come. Who writes announces, before it sends its last message, how many
 * it will have sent: so the reader of the last one knows that it is the last, whatever its length.
 */
#ifndef BENCHMARKS_PATTERN_H
#define BENCHMARKS_PATTERN_H

#include "../sides.h"

#include <sched.h>

/// When sampling begins and may end, in ticks.
typedef struct bench_span {
    uint64_t warm;
    uint64_t end;
} bench_span;

enum { BENCH_SAMPLES_MIN = 16 };

static inline uint64_t bench_ticks_of(uint64_t ns) { return (uint64_t)((double)ns * bench_ticks_per_second() / 1e9); }

static inline bench_span bench_begin(const bench_run *run)
{
    uint64_t now = bench_ticks();
    uint64_t ticks = bench_ticks_of(run->duration_ns);
    return (bench_span){.warm = now + ticks / 5, .end = now + ticks + ticks / 5};
}

static inline bool bench_is_over(bench_span span, uint64_t now, uint64_t samples)
{
    return now >= span.end && samples >= BENCH_SAMPLES_MIN;
}

/// Gives the CPU to the library's own threads, where they do the transfer, instead of keeping it from them.
static inline void bench_relax(const bench_run *run)
{
    if (run->peer->polls) bench_pause();
    else sched_yield();
}

/// Lets the time pass without sleeping, so that the CPU does not either.
static inline void bench_wait_until(const bench_run *run, uint64_t ticks)
{
    while ((int64_t)(bench_ticks() - ticks) < 0) bench_relax(run);
}

// MARK: ends

/// A side's ends: channel 0 is there, 1 is back.
bench_channel bench_open_end(bench_run *run, int number, bench_end end);
void bench_close_end(bench_run *run, bench_channel *channel, bench_end end);

/// What is counted and charged to the messages lies between these two, on every side.
void bench_work_begins(bench_run *run, bench_end end);
void bench_work_ends(bench_run *run, bench_end end);

// MARK: messages

static inline void bench_send(bench_run *run, bench_channel *channel, const unsigned char *bytes)
{
    bench_moved moved;
    while ((moved = run->peer->send(channel, bytes)) == BENCH_NOTHING) bench_pause();
    BENCH_REQUIRE(run, moved == BENCH_MOVED);
}

static inline void bench_receive(bench_run *run, bench_channel *channel, unsigned char *bytes)
{
    bench_moved moved;
    while ((moved = run->peer->receive(channel, bytes)) == BENCH_NOTHING) bench_pause();
    BENCH_REQUIRE(run, moved == BENCH_MOVED);
}

static inline void bench_keep_sample(bench_run *run, uint64_t ticks)
{
    if (run->sample_count == BENCH_SAMPLES_MAX) return;
    run->samples[run->sample_count++] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/// One way: the reader has enough samples, and a writer need send no more than its last. Relaxed: nothing else follows from it.
static inline void bench_acknowledge_enough(bench_run *run) { __atomic_store_n(&run->acknowledged, 1, __ATOMIC_RELAXED); }
static inline bool bench_has_acknowledged(const bench_run *run) { return __atomic_load_n(&run->acknowledged, __ATOMIC_RELAXED) != 0; }

// MARK: checking

enum {
    /// More than fit into any channel, so that its end is reached.
    BENCH_CHECK_MESSAGES = 20000,
    /// What the receiver's memory has where no message belongs.
    BENCH_CHECK_UNTOUCHED = 0x5A
};

/// For a writer: makes a message.
void bench_check_fill(bench_run *run, uint32_t number, unsigned char *bytes);
/// For the reader: fails unless it is what was sent, and nothing behind it in BENCH_PEER_BYTES_MAX bytes was touched.
void bench_check_message(bench_run *run, uint32_t number, const unsigned char *bytes);

// MARK: the last message

/// For a writer, before it sends its last: it will have sent `count`.
static inline void bench_announce_last(bench_run *run, uint64_t count)
{
    __atomic_add_fetch(&run->announced, count, __ATOMIC_RELAXED);
    __atomic_add_fetch(&run->announcers, 1, __ATOMIC_RELEASE); // with the acquire in bench_all_announced
}

static inline bool bench_all_announced(const bench_run *run) { return __atomic_load_n(&run->announcers, __ATOMIC_ACQUIRE) == run->writers; }

/// For the reader, with each message: whether it was the last of all. `waited` is how long it was waited for, in ticks: where messages
/// may be lost, the last ones too, a long wait says that only what the writer sends again is still coming.
bool bench_was_last(const bench_run *run, uint64_t received, uint64_t waited);
/// For the reader, after the last: the writers may close.
void bench_reader_done(bench_run *run, uint64_t received);
/// For a writer, after its last: sends again until the reader is done, if messages may be lost.
void bench_writer_done(bench_run *run, bench_channel *channel, const unsigned char *bytes);

#endif

/*
 * What is measured with a peer, the same for all: sides that send and receive one message a call.
 *
 * A peer is a thousand times slower than another, so a measurement takes a time, not a number of messages; more only where something
 * else had the CPU for so long that there are too few samples. Who times ends it, who writes says so with a message, LAST. The first
 * sixth is warm-up.
 */

#include "../sides.h"

static const uint64_t LAST = UINT64_MAX;

enum { SAMPLES_MIN = 16 };

/// When sampling begins and may end, in ticks.
typedef struct span {
    uint64_t warm;
    uint64_t end;
} span;

static span begin(const bench_run *run)
{
    uint64_t now = bench_ticks();
    uint64_t ticks = (uint64_t)((double)run->duration_ns * bench_ticks_per_second() / 1e9);
    return (span){.warm = now + ticks / 5, .end = now + ticks + ticks / 5};
}

static inline bool is_over(const bench_run *run, span span, uint64_t now)
{
    return now >= span.end && run->sample_count >= SAMPLES_MIN;
}

/// A side's ends: channel 0 is there, 1 is back.
static bench_channel open_end(bench_run *run, int number, bench_end end)
{
    bench_channel channel = run->channels[number];
    BENCH_REQUIRE(run, run->peer->open == NULL || run->peer->open(&channel, end));
    return channel;
}

static void close_end(bench_run *run, bench_channel *channel, bench_end end)
{
    if (run->peer->close != NULL) run->peer->close(channel, end);
}

static inline void send_message(bench_run *run, bench_channel *channel, const unsigned char *bytes)
{
    bench_moved moved;
    while ((moved = run->peer->send(channel, bytes)) == BENCH_NOTHING) bench_pause();
    BENCH_REQUIRE(run, moved == BENCH_MOVED);
}

/// What the message begins with.
static inline uint64_t receive_message(bench_run *run, bench_channel *channel, unsigned char *bytes)
{
    bench_moved moved;
    while ((moved = run->peer->receive(channel, bytes)) == BENCH_NOTHING) bench_pause();
    BENCH_REQUIRE(run, moved == BENCH_MOVED);
    return bench_get(bytes);
}

static inline void keep_sample(bench_run *run, uint64_t ticks)
{
    if (run->sample_count == BENCH_SAMPLES_MAX) return;
    run->samples[run->sample_count++] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

// MARK: round trip

void bench_peer_round_trip_first(bench_run *run)
{
    bench_channel back = open_end(run, 1, BENCH_READER);
    bench_meet(run);
    bench_channel there = open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    span span = begin(run);
    uint64_t number = 0;
    for (uint64_t before = bench_ticks(); !is_over(run, span, before); number++) {
        bench_put(bytes, number);
        send_message(run, &there, bytes);
        BENCH_REQUIRE(run, receive_message(run, &back, bytes) == number);
        uint64_t now = bench_ticks();
        if (before >= span.warm) keep_sample(run, now - before);
        before = now;
    }
    bench_put(bytes, LAST);
    send_message(run, &there, bytes);
    bench_mark(run);
    run->messages_moved = 2 * number;
    bench_meet(run);
    close_end(run, &there, BENCH_WRITER);
    close_end(run, &back, BENCH_READER);
}

void bench_peer_round_trip_second(bench_run *run)
{
    bench_channel there = open_end(run, 0, BENCH_READER);
    bench_meet(run);
    bench_channel back = open_end(run, 1, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    while (receive_message(run, &there, bytes) != LAST) send_message(run, &back, bytes);
    bench_mark(run);
    bench_meet(run);
    close_end(run, &back, BENCH_WRITER);
    close_end(run, &there, BENCH_READER);
}

// MARK: one way

/// What the reader has acknowledged.
enum { ENOUGH = 1, SEEN_LAST = 2 };

void bench_peer_one_way_first(bench_run *run)
{
    bench_meet(run);
    bench_channel channel = open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    for (uint64_t number = 0; number % 64 != 0 || __atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != ENOUGH; number++) {
        bench_put(bytes, number);
        send_message(run, &channel, bytes);
    }
    bench_put(bytes, LAST);
    send_message(run, &channel, bytes);
    while (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != SEEN_LAST) {
        if (run->peer->loses) send_message(run, &channel, bytes);
        bench_pause();
    }
    bench_mark(run);
    bench_meet(run);
    close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_one_way_second(bench_run *run)
{
    bench_channel channel = open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    span span = begin(run);
    uint64_t expected = 0, moved = 0, before = 0, number;
    while ((number = receive_message(run, &channel, bytes)) != LAST) {
        BENCH_REQUIRE(run, number == expected || (run->peer->loses && number > expected));
        run->lost += number - expected;
        expected = number + 1;
        if (++moved % BENCH_PEER_CHUNK != 0) continue;
        uint64_t now = bench_ticks();
        if (before >= span.warm && !is_over(run, span, before)) keep_sample(run, now - before);
        if (is_over(run, span, now)) __atomic_store_n(&run->acknowledged, ENOUGH, __ATOMIC_RELEASE);
        before = now;
    }
    run->messages_moved = moved;
    bench_mark(run);
    __atomic_store_n(&run->acknowledged, SEEN_LAST, __ATOMIC_RELEASE);
    bench_meet(run);
    close_end(run, &channel, BENCH_READER);
}

// MARK: waking

void bench_peer_wake_first(bench_run *run)
{
    uint64_t asleep = (uint64_t)((double)run->asleep_ns * bench_ticks_per_second() / 1e9);
    bench_meet(run);
    bench_channel channel = open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    span span = begin(run);
    // What the reader has acknowledged, it has counted among its samples.
    for (uint32_t number = 0; !is_over(run, span, bench_ticks()); number++) {
        bench_wait_ticks(asleep);
        bench_put(bytes, bench_ticks());
        send_message(run, &channel, bytes);
        while (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != number + 1) bench_pause();
    }
    bench_put(bytes, LAST);
    send_message(run, &channel, bytes);
    bench_mark(run);
    bench_meet(run);
    close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_wake_second(bench_run *run)
{
    bench_channel channel = open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_mark(run);
    uint64_t warm = begin(run).warm;
    uint32_t number = 0;
    for (uint64_t sent; (sent = receive_message(run, &channel, bytes)) != LAST; number++) {
        uint64_t now = bench_ticks();
        if (sent >= warm) keep_sample(run, now - sent);
        __atomic_store_n(&run->acknowledged, number + 1, __ATOMIC_RELEASE);
    }
    run->messages_moved = number;
    bench_mark(run);
    bench_meet(run);
    close_end(run, &channel, BENCH_READER);
}

// MARK: counting

/// One side that sends and receives in turn: each message is there when it is asked for, if the peer itself is done with it.
void bench_peer_in_turn(bench_run *run)
{
    bench_channel reader = open_end(run, 0, BENCH_READER);
    bench_channel writer = open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    for (uint64_t number = 0; number < run->warm_up + run->messages; number++) {
        if (number == run->warm_up) bench_mark(run);
        bench_put(bytes, number);
        send_message(run, &writer, bytes);
        BENCH_REQUIRE(run, receive_message(run, &reader, bytes) == number);
    }
    bench_mark(run);
    run->messages_moved = run->messages;
    close_end(run, &writer, BENCH_WRITER);
    close_end(run, &reader, BENCH_READER);
}

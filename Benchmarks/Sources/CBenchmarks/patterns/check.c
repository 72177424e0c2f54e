// Whether a peer is to be trusted at all: messages arrive once, whole and in order, and nothing else is written.

#include "pattern.h"

enum {
    /// More than fit into any channel, so that its end is reached.
    MESSAGES = 20000,
    /// How many may be on the way where what does not fit is lost.
    AHEAD_MAX = 64
};

/// What the receiver's memory has where no message belongs.
static const unsigned char UNTOUCHED = 0x5A;

static unsigned char byte_of(uint64_t number, uint32_t index) { return (unsigned char)(number * 131 + index * 7 + (number >> 8)); }

void bench_peer_check_first(bench_run *run)
{
    run->messages = 0;
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX];
    for (uint32_t number = 0; number < MESSAGES; number++) {
        while (run->peer->loses && number - __atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) >= AHEAD_MAX) bench_relax(run);
        for (uint32_t i = 0; i < channel.message_bytes; i++) bytes[i] = byte_of(number, i);
        // Who receives an empty message sees by that whether it was sent.
        __atomic_store_n(&run->messages, number + 1, __ATOMIC_RELEASE);
        bench_send(run, &channel, bytes);
    }
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_check_second(bench_run *run)
{
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX];
    for (uint32_t number = 0; number < MESSAGES; number++) {
        memset(bytes, UNTOUCHED, sizeof bytes);
        bench_receive(run, &channel, bytes);
        BENCH_REQUIRE(run, number < __atomic_load_n(&run->messages, __ATOMIC_ACQUIRE));
        for (uint32_t i = 0; i < channel.message_bytes; i++) BENCH_REQUIRE(run, bytes[i] == byte_of(number, i));
        for (uint32_t i = channel.message_bytes; i < sizeof bytes; i++) BENCH_REQUIRE(run, bytes[i] == UNTOUCHED);
        run->messages_moved = number + 1;
        __atomic_store_n(&run->acknowledged, number + 1, __ATOMIC_RELEASE);
    }
    BENCH_REQUIRE(run, !channel.polls || run->peer->receive(&channel, bytes) == BENCH_NOTHING);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

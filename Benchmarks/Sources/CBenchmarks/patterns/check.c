// Whether a peer is to be trusted at all: messages arrive once, whole and in order, and nothing else is written.

#include "pattern.h"

/// How many may be on the way where what does not fit is lost.
enum { AHEAD_MAX = 64 };

static unsigned char byte_of(uint64_t number, uint32_t index) { return (unsigned char)(number * 131 + index * 7 + (number >> 8)); }

void bench_check_fill(bench_run *run, uint32_t number, unsigned char *bytes)
{
    for (uint32_t i = 0; i < run->message_bytes; i++) bytes[i] = byte_of(number, i);
    // Who receives an empty message sees by that whether it was sent.
    __atomic_store_n(&run->messages, number + 1, __ATOMIC_RELEASE); // with the acquire in bench_check_message
}

void bench_check_message(bench_run *run, uint32_t number, const unsigned char *bytes)
{
    BENCH_REQUIRE(run, number < __atomic_load_n(&run->messages, __ATOMIC_ACQUIRE));
    for (uint32_t i = 0; i < run->message_bytes; i++) BENCH_REQUIRE(run, bytes[i] == byte_of(number, i));
    for (uint32_t i = run->message_bytes; i < BENCH_PEER_BYTES_MAX; i++) BENCH_REQUIRE(run, bytes[i] == BENCH_CHECK_UNTOUCHED);
}

void bench_peer_check_first(bench_run *run)
{
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX];
    for (uint32_t number = 0; number < BENCH_CHECK_MESSAGES; number++) {
        while (run->peer->loses && number - __atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) >= AHEAD_MAX) bench_relax(run);
        bench_check_fill(run, number, bytes);
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
    for (uint32_t number = 0; number < BENCH_CHECK_MESSAGES; number++) {
        memset(bytes, BENCH_CHECK_UNTOUCHED, sizeof bytes);
        bench_receive(run, &channel, bytes);
        bench_check_message(run, number, bytes);
        run->messages_moved = number + 1;
        __atomic_store_n(&run->acknowledged, number + 1, __ATOMIC_RELEASE);
    }
    BENCH_REQUIRE(run, !channel.polls || run->peer->receive(&channel, bytes) == BENCH_NOTHING);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

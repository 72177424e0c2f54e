// Peers that fail on purpose: whoever measures has to name them and go on. For the tests of that; measured only if asked for.

#include "peer.h"

#include <stdlib.h>

static bool refuse(bench_channel *channel)
{
    (void)channel;
    return false;
}

static bench_moved fail(bench_channel *channel, const void *bytes)
{
    (void)channel, (void)bytes;
    return BENCH_FAILED;
}

static bench_moved die(bench_channel *channel, const void *bytes)
{
    (void)channel, (void)bytes;
    abort();
}

static bench_moved hang(bench_channel *channel, const void *bytes)
{
    (void)channel, (void)bytes;
    for (;;) pause();
    return BENCH_FAILED;
}

static bench_moved receive_nothing(bench_channel *channel, void *bytes)
{
    (void)channel, (void)bytes;
    return BENCH_NOTHING;
}

#define BROKEN(NAME, MAKE, SEND)                                                                                            \
    {                                                                                                                       \
        .name = NAME, .settings = "fails on purpose", .polls = true, .make = MAKE, .send = SEND, .receive = receive_nothing \
    }

static const bench_peer broken[] = {
    BROKEN("broken-refuses", refuse, fail),
    BROKEN("broken-fails", NULL, fail),
    BROKEN("broken-dies", NULL, die),
    BROKEN("broken-hangs", NULL, hang),
};

uint32_t bench_broken_count(void) { return sizeof broken / sizeof broken[0]; }

const bench_peer *bench_broken_at(uint32_t number) { return &broken[number]; }

// What the peers share. Not seen by Swift.
#ifndef BENCHMARKS_PEER_H
#define BENCHMARKS_PEER_H

#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/// What a system call that moves one message says.
static inline bench_moved bench_moved_bytes(ssize_t moved, uint32_t message_bytes)
{
    if (moved == (ssize_t)message_bytes) return BENCH_MOVED;
    return moved < 0 && (errno == EAGAIN || errno == EINTR) ? BENCH_NOTHING : BENCH_FAILED;
}

/// Makes calls on the descriptor poll, if the channel polls.
static inline bool bench_set_polling(const bench_channel *channel, int descriptor)
{
    return !channel->polls || fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0;
}

static inline void bench_close_descriptors(bench_channel *channel)
{
    for (int i = 0; i < 2; i++)
        if (channel->descriptors[i] >= 0) close(channel->descriptors[i]);
}

#endif

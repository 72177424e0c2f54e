// What the peers share. Not seen by Swift.
#ifndef BENCHMARKS_PEER_H
#define BENCHMARKS_PEER_H

#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/// For a peer that was built without its library: its header is looked for when the file is compiled, and nobody notices if it comes later.
#define BENCH_BUILT_WITHOUT(package) "apt-get install " package ", then build again after: touch " __FILE__

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

/// Threads that a library starts from here until bench_pin may run on every CPU. Pinned to that of their side, they and a side that polls
/// would have to take turns. Returns what bench_pin wants.
static inline cpu_set_t bench_unpin(void)
{
    cpu_set_t before, every;
    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof before, &before);
    memset(&every, 0xFF, sizeof every);
    sched_setaffinity(0, sizeof every, &every);
    return before;
}
static inline void bench_pin(cpu_set_t cpus) { sched_setaffinity(0, sizeof cpus, &cpus); }

static inline void bench_close_descriptors(bench_channel *channel)
{
    for (int i = 0; i < 2; i++)
        if (channel->descriptors[i] >= 0) close(channel->descriptors[i]);
}

#endif

// Memory that both sides have, for peers that make their own queue in it.
#ifndef BENCHMARKS_SHARED_MEMORY_H
#define BENCHMARKS_SHARED_MEMORY_H

#include "peer.h"

#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

/// A place for one message, as large as a mailslot's.
typedef struct bench_slot {
    alignas(64) unsigned char bytes[448];
} bench_slot;

static inline bool bench_map_shared(bench_channel *channel, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    channel->memory = memory == MAP_FAILED ? NULL : memory;
    return channel->memory != NULL;
}

static inline void bench_unmap_shared(bench_channel *channel, size_t bytes)
{
    if (channel->memory != NULL) munmap(channel->memory, bytes);
}

#endif

// One cache line with a message on it: a round trip cannot be shorter.

#include "../sides.h"
#include "shared_memory.h"

typedef struct line {
    alignas(64) uint64_t sent;
    unsigned char bytes[56];
} line;

static bool make(bench_channel *channel) { return bench_map_shared(channel, sizeof(line)); }

static void remove_channel(bench_channel *channel) { bench_unmap_shared(channel, sizeof(line)); }

// What was sent and received is counted in each side's own copy of the channel: to look first would fetch the line twice.

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    line *line = channel->memory;
    uintptr_t sent = (uintptr_t)channel->end + 1;
    channel->end = (void *)sent;
    memcpy(line->bytes, bytes, channel->message_bytes);
    __atomic_store_n(&line->sent, sent, __ATOMIC_RELEASE);
    return BENCH_MOVED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    line *line = channel->memory;
    uintptr_t received = (uintptr_t)channel->end;
    // Who polls pauses between two looks, or takes the line away from who is still writing the message.
    if (__atomic_load_n(&line->sent, __ATOMIC_ACQUIRE) == received) return BENCH_NOTHING;
    channel->end = (void *)(received + 1);
    memcpy(bytes, line->bytes, channel->message_bytes);
    return BENCH_MOVED;
}

const bench_peer bench_cache_line = {
    .name = "cache-line",
    .settings = "one line of memory, one message; always polls",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = remove_channel,
    .limits = {.no_sleeping = "it cannot sleep", .no_queueing = "it holds one message", .bytes_max = 56},
};

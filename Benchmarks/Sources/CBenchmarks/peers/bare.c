// The bare ring as a peer, with as many slots as the others: what a ring costs that wakes nobody and that a killed writer stops.

#define BARE_CAPACITY BENCH_PEER_CAPACITY
#include "../bare_ring.h"
#include "shared_memory.h"

#include <stdlib.h>

static bool make(bench_channel *channel)
{
    if (!bench_map_shared(channel, sizeof(bare_ring))) return false;
    bare_initialise(channel->memory);
    return true;
}

static bool open_end(bench_channel *channel, bench_end end)
{
    if (end == BENCH_WRITER) return true;
    bare_reader *reader = calloc(1, sizeof *reader);
    channel->end = reader;
    if (reader == NULL) return false;
    reader->ring = channel->memory;
    return true;
}

static void close_end(bench_channel *channel, bench_end end)
{
    if (end == BENCH_READER) free(channel->end);
}

static void remove_channel(bench_channel *channel) { bench_unmap_shared(channel, sizeof(bare_ring)); }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bare_try_write(channel->memory, bytes, channel->message_bytes) ? BENCH_MOVED : BENCH_NOTHING;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    bare_reader *reader = channel->end;
    const bare_slot *slot = bare_peek(reader);
    if (slot == NULL) return BENCH_NOTHING;
    memcpy(bytes, slot->payload, slot->length);
    bare_release(reader);
    return BENCH_MOVED;
}

const bench_peer bench_bare = {
    .name = "bare-ring",
    .settings = "1024 slots, no wake, no care for killed writers; always polls",
    .polls = true,
    .make = make,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
    .limits = {.no_sleeping = "it cannot sleep", .no_reopening = "nothing is opened: both sides inherit it"},
};

// Ourselves: one call a message, as for the others. Reading in batches is in the comparison with the bare ring.

#include "peer.h"

#include <mailslots.h>

static bool open_end(bench_channel *channel, bench_end end)
{
    if (end == BENCH_READER) {
        mslot_create_options options = mslot_create_options_default();
        options.capacity = BENCH_PEER_CAPACITY;
        channel->end = mslot_create(channel->name, &options).reader;
    } else {
        channel->end = mslot_open(channel->name, NULL).writer;
    }
    return channel->end != NULL;
}

static bench_moved moved(mslot_outcome outcome, mslot_outcome nothing)
{
    return outcome == MSLOT_DONE ? BENCH_MOVED : outcome == nothing ? BENCH_NOTHING : BENCH_FAILED;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return moved(mslot_writer_write(channel->end, bytes, channel->message_bytes, channel->polls ? 0 : MSLOT_FOREVER), MSLOT_FULL);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    mslot_received received = mslot_reader_read(channel->end, bytes, BENCH_PEER_BYTES_MAX, channel->polls ? 0 : MSLOT_FOREVER);
    if (received.outcome == MSLOT_DONE && received.byte_count != channel->message_bytes) return BENCH_FAILED;
    return moved(received.outcome, MSLOT_EMPTY);
}

static void close_end(bench_channel *channel, bench_end end)
{
    if (end == BENCH_READER) mslot_reader_close(channel->end);
    else mslot_writer_close(channel->end);
}

/// What a killed side left behind.
static void remove_channel(bench_channel *channel) { mslot_remove(channel->name); }

const bench_peer bench_mailslot = {
    .name = "CMailslots",
    .settings = "1024 slots; blocking: polls for up to 20 us, then sleeps",
    .polls = true,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
};

// Ourselves: one call a message, as for the others. Reading in batches is in the comparison with the bare ring.

#include "peer.h"

#include <mailslots.h>

static bool open_polling(bench_channel *channel, bench_end end, int64_t polling_ns)
{
    if (end == BENCH_READER) {
        mslot_create_options options = mslot_create_options_default();
        options.capacity = BENCH_PEER_CAPACITY;
        options.polling_ns = polling_ns;
        channel->end = mslot_create(channel->name, &options).reader;
    } else {
        mslot_open_options options = mslot_open_options_default();
        options.polling_ns = polling_ns;
        channel->end = mslot_open(channel->name, &options).writer;
    }
    return channel->end != NULL;
}

static bool open_end(bench_channel *channel, bench_end end) { return open_polling(channel, end, MSLOT_POLLING_ADAPTIVE); }
static bool open_never(bench_channel *channel, bench_end end) { return open_polling(channel, end, MSLOT_POLLING_NEVER); }
static bool open_5us(bench_channel *channel, bench_end end) { return open_polling(channel, end, 5000); }
static bool open_20us(bench_channel *channel, bench_end end) { return open_polling(channel, end, 20000); }
static bool open_always(bench_channel *channel, bench_end end) { return open_polling(channel, end, MSLOT_FOREVER); }

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
    .settings = "1024 slots; blocking: polls as long as it pays, then sleeps",
    .polls = true,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
};

// MARK: as users may choose

#define POLLING(NAME, SETTINGS, OPEN)                                                                                      \
    {                                                                                                                      \
        .name = NAME, .settings = SETTINGS, .polls = true, .open = OPEN, .send = send_message, .receive = receive_message, \
        .close = close_end, .remove = remove_channel,                                                                      \
    }

static const bench_peer pollings[] = {
    POLLING("CMailslots-never", "1024 slots; never polls", open_never),
    POLLING("CMailslots-5us", "1024 slots; polls for up to 5 us, then sleeps", open_5us),
    POLLING("CMailslots-20us", "1024 slots; polls for up to 20 us, then sleeps", open_20us),
    POLLING("CMailslots-always", "1024 slots; never sleeps", open_always),
};

uint32_t bench_polling_count(void) { return sizeof pollings / sizeof pollings[0]; }
const bench_peer *bench_polling_at(uint32_t number) { return &pollings[number]; }

// A pipe. All messages are of one length and shorter than PIPE_BUF, so each is written and read whole.

#include "peer.h"

static bool make(bench_channel *channel)
{
    if (pipe2(channel->descriptors, O_CLOEXEC) != 0) return false;
    // The most that a user may have; where that is less, as much as there is.
    fcntl(channel->descriptors[1], F_SETPIPE_SZ, 1 << 20);
    return bench_set_polling(channel, channel->descriptors[0]) && bench_set_polling(channel, channel->descriptors[1]);
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bench_moved_bytes(write(channel->descriptors[1], bytes, channel->message_bytes), channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(read(channel->descriptors[0], bytes, channel->message_bytes), channel->message_bytes);
}

const bench_peer bench_pipe = {
    .name = "pipe",
    .settings = "F_SETPIPE_SZ 1 MiB; polling: O_NONBLOCK",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
};

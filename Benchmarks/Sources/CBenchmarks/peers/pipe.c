// A pipe. All messages are of one length and shorter than PIPE_BUF, so each is written and read whole.

#include "peer.h"

static bool make(bench_channel *channel)
{
    if (pipe2(channel->descriptors, O_CLOEXEC) != 0) return false;
    // fs.pipe-max-size, 1 MiB, is the most that a user may have. Where it is less, what the kernel gave remains.
    uint32_t bytes = BENCH_PEER_CAPACITY * channel->message_bytes;
    fcntl(channel->descriptors[1], F_SETPIPE_SZ, bytes < 1 << 20 ? bytes : 1 << 20);
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
    .settings = "F_SETPIPE_SZ for 1024 messages, at most 1 MiB; polling: O_NONBLOCK",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
    .limits = {.no_empty_messages = "a pipe does not keep empty messages"},
};

// A POSIX message queue.

#include "peer.h"

#include <mqueue.h>
#include <stdio.h>
#include <sys/resource.h>

static bool make(bench_channel *channel)
{
    char path[80];
    snprintf(path, sizeof path, "/%s", channel->name);
    // Both may be refused, and then the queue is shorter.
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MSGQUEUE, &limit);
    long bytes = channel->message_bytes > 0 ? (long)channel->message_bytes : 1;
    struct mq_attr attributes = {.mq_maxmsg = BENCH_PEER_CAPACITY, .mq_msgsize = bytes};
    int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (channel->polls ? O_NONBLOCK : 0);
    do {
        channel->descriptors[0] = mq_open(path, flags, 0600, &attributes);
        attributes.mq_maxmsg /= 2;
    } while (channel->descriptors[0] < 0 && attributes.mq_maxmsg > 0);
    mq_unlink(path);
    return channel->descriptors[0] >= 0;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    int sent = mq_send(channel->descriptors[0], bytes, channel->message_bytes, 0);
    return bench_moved_bytes(sent == 0 ? (ssize_t)channel->message_bytes : -1, channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(mq_receive(channel->descriptors[0], bytes, BENCH_PEER_BYTES_MAX, NULL), channel->message_bytes);
}

const bench_peer bench_posix_queue = {
    .name = "posix-queue",
    .settings = "mq_maxmsg 1024, or half as often until the kernel allows it (10 for users); polling: O_NONBLOCK",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
};

// Unix sockets that keep messages apart, as socketpair makes them.

#include "peer.h"

#include <sys/socket.h>

static bool make(bench_channel *channel, int type)
{
    int flags = SOCK_CLOEXEC | (channel->polls ? SOCK_NONBLOCK : 0);
    if (socketpair(AF_UNIX, type | flags, 0, channel->descriptors) != 0) return false;
    // What counts is what the sender may have on the way. The kernel takes no more than net.core.wmem_max.
    int bytes = 1 << 20;
    return setsockopt(channel->descriptors[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0;
}

static bool make_datagram(bench_channel *channel) { return make(channel, SOCK_DGRAM); }
static bool make_seqpacket(bench_channel *channel) { return make(channel, SOCK_SEQPACKET); }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bench_moved_bytes(send(channel->descriptors[1], bytes, channel->message_bytes, 0), channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(recv(channel->descriptors[0], bytes, BENCH_PEER_BYTES_MAX, 0), channel->message_bytes);
}

const bench_peer bench_unix_datagram = {
    .name = "unix-datagram",
    .settings = "socketpair, SO_SNDBUF 1 MiB; polling: SOCK_NONBLOCK",
    .polls = true,
    .make = make_datagram,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
};

const bench_peer bench_unix_seqpacket = {
    .name = "unix-seqpacket",
    .settings = "socketpair, SO_SNDBUF 1 MiB; polling: SOCK_NONBLOCK",
    .polls = true,
    .make = make_seqpacket,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
};

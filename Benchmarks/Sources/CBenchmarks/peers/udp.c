// UDP to this machine, over the loopback device. What the receiver has no room for is dropped.

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { RECEIVER, SENDER };

static bool make(bench_channel *channel)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof address;
    int flags = SOCK_CLOEXEC | (channel->polls ? SOCK_NONBLOCK : 0);
    // The kernel takes no more than net.core.rmem_max.
    int bytes = 1 << 20;
    for (int i = 0; i < 2; i++) {
        channel->descriptors[i] = socket(AF_INET, SOCK_DGRAM | flags, 0);
        if (channel->descriptors[i] < 0) return false;
    }
    int receiver = channel->descriptors[RECEIVER];
    return setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0
        && bind(receiver, (struct sockaddr *)&address, sizeof address) == 0
        && getsockname(receiver, (struct sockaddr *)&address, &address_bytes) == 0
        && connect(channel->descriptors[SENDER], (struct sockaddr *)&address, address_bytes) == 0;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bench_moved_bytes(send(channel->descriptors[SENDER], bytes, channel->message_bytes, 0), channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(recv(channel->descriptors[RECEIVER], bytes, BENCH_PEER_BYTES_MAX, 0), channel->message_bytes);
}

const bench_peer bench_udp = {
    .name = "udp-loopback",
    .settings = "connected, SO_RCVBUF 1 MiB; polling: SOCK_NONBLOCK",
    .polls = true,
    .loses = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = bench_close_descriptors,
};

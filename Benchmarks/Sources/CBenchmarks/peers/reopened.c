/*
 * Peers that elsewhere are made before their sides are forked, and inherited: here by name, for a writer that opens, sends one message
 * and closes. Each has the name of its peer, and stands in for it in that pattern.
 */

#include "peer.h"

#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void close_end(bench_channel *channel, bench_end end) { close(channel->descriptors[end]); }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bench_moved_bytes(write(channel->descriptors[BENCH_WRITER], bytes, channel->message_bytes), channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(read(channel->descriptors[BENCH_READER], bytes, channel->message_bytes), channel->message_bytes);
}

// MARK: a pipe with a name

static const char *fifo_path(const bench_channel *channel, char *text, size_t capacity)
{
    snprintf(text, capacity, "/dev/shm/%s", channel->name);
    return text;
}

static bool make_fifo(bench_channel *channel)
{
    char path[96];
    return mkfifo(fifo_path(channel, path, sizeof path), 0600) == 0;
}

static bool open_fifo(bench_channel *channel, bench_end end)
{
    char path[96];
    // A reader that is a writer as well sees no end when the others are gone.
    int flags = end == BENCH_READER ? O_RDWR : O_WRONLY;
    channel->descriptors[end] = open(fifo_path(channel, path, sizeof path), flags | O_CLOEXEC);
    return channel->descriptors[end] >= 0;
}

static void remove_fifo(bench_channel *channel)
{
    char path[96];
    unlink(fifo_path(channel, path, sizeof path));
}

// MARK: sockets

/// The reader binds the address, the writer connects to it.
static bool open_socket(bench_channel *channel, bench_end end, int family, const void *address, socklen_t bytes)
{
    int made = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    channel->descriptors[end] = made;
    return made >= 0 && (end == BENCH_READER ? bind(made, address, bytes) : connect(made, address, bytes)) == 0;
}

static bool open_unix(bench_channel *channel, bench_end end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    // Abstract: nothing is left in a file system.
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", channel->name);
    return open_socket(channel, end, AF_UNIX, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length));
}

/// Finds a free port, which the reader then takes.
static bool make_udp(bench_channel *channel)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool found =
        probe >= 0 && bind(probe, (struct sockaddr *)&address, bytes) == 0 && getsockname(probe, (struct sockaddr *)&address, &bytes) == 0;
    if (probe >= 0) close(probe);
    channel->end = (void *)(uintptr_t)address.sin_port;
    return found;
}

static bool open_udp(bench_channel *channel, bench_end end)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = (in_port_t)(uintptr_t)channel->end};
    return open_socket(channel, end, AF_INET, &address, sizeof address);
}

// MARK: a POSIX queue

static const char *queue_name(const bench_channel *channel, char *text, size_t capacity)
{
    snprintf(text, capacity, "/%s", channel->name);
    return text;
}

static bool open_queue(bench_channel *channel, bench_end end)
{
    char name[96];
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = BENCH_PEER_BYTES_MAX};
    channel->descriptors[end] = end == BENCH_READER
        ? mq_open(queue_name(channel, name, sizeof name), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes)
        : mq_open(queue_name(channel, name, sizeof name), O_WRONLY | O_CLOEXEC);
    return channel->descriptors[end] >= 0;
}

static bench_moved send_to_queue(bench_channel *channel, const void *bytes)
{
    return mq_send(channel->descriptors[BENCH_WRITER], bytes, channel->message_bytes, 0) == 0 ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_from_queue(bench_channel *channel, void *bytes)
{
    ssize_t received = mq_receive(channel->descriptors[BENCH_READER], bytes, BENCH_PEER_BYTES_MAX, NULL);
    return bench_moved_bytes(received, channel->message_bytes);
}

static void remove_queue(bench_channel *channel)
{
    char name[96];
    mq_unlink(queue_name(channel, name, sizeof name));
}

static const bench_peer reopened[] = {
    {.name = "pipe",
        .settings = "mkfifo; open, write, close",
        .make = make_fifo,
        .open = open_fifo,
        .send = send_message,
        .receive = receive_message,
        .close = close_end,
        .remove = remove_fifo,
        .polls = true},
    {.name = "unix-datagram",
        .settings = "socket, connect, write, close",
        .open = open_unix,
        .send = send_message,
        .receive = receive_message,
        .close = close_end,
        .polls = true},
    {.name = "udp-loopback",
        .settings = "socket, connect, write, close",
        .make = make_udp,
        .open = open_udp,
        .send = send_message,
        .receive = receive_message,
        .close = close_end,
        .polls = true},
    {.name = "posix-queue",
        .settings = "mq_open, mq_send, mq_close",
        .open = open_queue,
        .send = send_to_queue,
        .receive = receive_from_queue,
        .close = close_end,
        .remove = remove_queue,
        .polls = true},
};

const bench_peer *bench_peer_reopened(const char *name)
{
    for (size_t i = 0; i < sizeof reopened / sizeof reopened[0]; i++)
        if (strcmp(reopened[i].name, name) == 0) return &reopened[i];
    return NULL;
}

// ZeroMQ: a PUSH and a PULL socket over ipc://, a Unix stream socket in the abstract namespace.

#include "peer.h"

#if __has_include(<zmq.h>)
#define HAS_ZEROMQ 1
#pragma comment(lib, "zmq")

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

typedef struct zeromq_end {
    void *context;
    void *socket;
} zeromq_end;

static void *socket_of(bench_channel *channel) { return ((zeromq_end *)channel->end)->socket; }

static bool open_end(bench_channel *channel, bench_end which)
{
    zeromq_end *end = calloc(1, sizeof *end);
    if (end == NULL) return false;
    channel->end = end;
    end->context = zmq_ctx_new();
    end->socket = end->context == NULL ? NULL : zmq_socket(end->context, which == BENCH_READER ? ZMQ_PULL : ZMQ_PUSH);
    if (end->socket == NULL) return false;
    char address[96];
    snprintf(address, sizeof address, "ipc://@%s", channel->name);
    int messages = BENCH_PEER_CAPACITY;
    // Long enough for what is still on its way when a writer closes right after it has sent.
    int linger_ms = 1000;
    zmq_setsockopt(end->socket, ZMQ_SNDHWM, &messages, sizeof messages);
    zmq_setsockopt(end->socket, ZMQ_RCVHWM, &messages, sizeof messages);
    zmq_setsockopt(end->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    return (which == BENCH_READER ? zmq_bind(end->socket, address) : zmq_connect(end->socket, address)) == 0;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return bench_moved_bytes(zmq_send(socket_of(channel), bytes, channel->message_bytes, 0), channel->message_bytes);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    return bench_moved_bytes(zmq_recv(socket_of(channel), bytes, BENCH_PEER_BYTES_MAX, 0), channel->message_bytes);
}

static void close_end(bench_channel *channel, bench_end which)
{
    (void)which;
    zeromq_end *end = channel->end;
    zmq_close(end->socket);
    zmq_ctx_term(end->context);
    free(end);
}

static const char *version(void)
{
    static char text[32];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

#endif

const bench_peer bench_zeromq = {
    .name = "zeromq-ipc",
    .settings = "PUSH and PULL, high-water marks of 1024; a thread of its own in each process does the transfer",
    // Who polls would keep the library's own thread off the CPU that both are pinned to.
    .polls = false,
#if defined(HAS_ZEROMQ)
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .version = version,
#else
    .missing = BENCH_BUILT_WITHOUT("libzmq3-dev"),
#endif
};

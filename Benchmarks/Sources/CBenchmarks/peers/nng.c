// nng: two pair1 sockets over ipc://, a Unix stream socket in the abstract namespace, as its own perf tool has them. A pull0 socket has
// no buffer for what was received, and every message waited for its reader: one way, that was four times slower.

#include "peer.h"

#if __has_include(<nng/nng.h>)
#define HAS_NNG 1
#pragma comment(lib, "nng")

#include <nng/nng.h>
#include <nng/protocol/pair1/pair.h>
#include <stdio.h>
#include <stdlib.h>

static nng_socket socket_of(bench_channel *channel) { return *(nng_socket *)channel->end; }

static bool open_end(bench_channel *channel, bench_end which)
{
    nng_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL) return false;
    channel->end = socket;
    char address[96];
    snprintf(address, sizeof address, "abstract://%s", channel->name);
    bool open = nng_pair1_open(socket) == 0 && nng_socket_set_int(*socket, NNG_OPT_RECVBUF, BENCH_PEER_CAPACITY) == 0
        && nng_socket_set_int(*socket, NNG_OPT_SENDBUF, BENCH_PEER_CAPACITY) == 0;
    return open && (which == BENCH_READER ? nng_listen(*socket, address, NULL, 0) : nng_dial(*socket, address, NULL, 0)) == 0;
}

static bench_moved moved(int error)
{
    return error == 0 ? BENCH_MOVED : error == NNG_EAGAIN || error == NNG_EINTR ? BENCH_NOTHING : BENCH_FAILED;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    // nng_send only reads what it is given without NNG_FLAG_ALLOC.
    return moved(nng_send(socket_of(channel), (void *)(uintptr_t)bytes, channel->message_bytes, 0));
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    size_t received = BENCH_PEER_BYTES_MAX;
    int error = nng_recv(socket_of(channel), bytes, &received, 0);
    return error == 0 && received != channel->message_bytes ? BENCH_FAILED : moved(error);
}

static void close_end(bench_channel *channel, bench_end which)
{
    (void)which;
    nng_close(socket_of(channel));
    free(channel->end);
}

#endif

const bench_peer bench_nng = {
    .name = "nng-ipc",
    .settings = "two pair1 sockets, buffers of 1024; threads of its own do the transfer",
    // Who polls would keep the library's own threads off the CPU that all are pinned to.
    .polls = false,
#if defined(HAS_NNG)
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .limits = {.one_writer = "a pair socket has one other end"},
    .version = nng_version,
#else
    .missing = BENCH_BUILT_WITHOUT("libnng-dev"),
#endif
};

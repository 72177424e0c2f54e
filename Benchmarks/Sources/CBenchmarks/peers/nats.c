/*
 * NATS: publish and subscribe through a server of our own on a loopback port, by its C client.
 *
 * natsOptions_SetSendAsap: a message is written at once, and not when a thread next flushes the buffer, a millisecond later.
 * "Reducing latency, but also throughput": here not, one way 1.4 to 1.8 million a second came through, and buffered 0.6 to 1.4. A slow
 * subscriber's messages are kept, by the client without a limit and by the server up to its 64 MiB.
 */

#include "peer.h"
#include "server.h"

#if __has_include(<nats/nats.h>)
#define HAS_NATS 1
#pragma comment(lib, "nats")

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct nats_end {
    natsConnection *connection;
    natsSubscription *subscription;
} nats_end;

static bench_server server;
static char url[64];

static bool connect_to_server(natsConnection **connection)
{
    natsOptions *options = NULL;
    bool good = natsOptions_Create(&options) == NATS_OK && natsOptions_SetURL(options, url) == NATS_OK
        && natsOptions_SetSendAsap(options, true) == NATS_OK && natsOptions_SetAllowReconnect(options, false) == NATS_OK
        && natsConnection_Connect(connection, options) == NATS_OK;
    natsOptions_Destroy(options);
    return good;
}

/// A connection would start the library, and its threads, in the process that is to fork.
static bool answers(void) { return bench_port_answers(server.port); }

static bool make(bench_channel *channel)
{
    char port[8];
    if (server.users == 0) {
        server.port = bench_free_port();
        snprintf(url, sizeof url, "nats://127.0.0.1:%u", server.port);
    }
    snprintf(port, sizeof port, "%u", server.port);
    const char *const arguments[] = {"nats-server", "--addr", "127.0.0.1", "--port", port, NULL};
    if (server.port == 0 || !bench_server_start(&server, arguments, answers)) return false;
    channel->server = server.process;
    return true;
}

static void remove_channel(bench_channel *channel)
{
    (void)channel;
    bench_server_stop(&server);
}

static bool open_end(bench_channel *channel, bench_end which)
{
    nats_end *end = calloc(1, sizeof *end);
    if (end == NULL) return false;
    channel->end = end;
    cpu_set_t cpus = bench_unpin();
    bool good = connect_to_server(&end->connection);
    bench_pin(cpus);
    if (!good || which == BENCH_WRITER) return good;
    return natsConnection_SubscribeSync(&end->subscription, end->connection, channel->name) == NATS_OK
        && natsSubscription_SetPendingLimits(end->subscription, -1, -1) == NATS_OK
        // The server has it.
        && natsConnection_Flush(end->connection) == NATS_OK;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    nats_end *end = channel->end;
    natsStatus status = natsConnection_Publish(end->connection, channel->name, bytes, (int)channel->message_bytes);
    return status == NATS_OK ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    nats_end *end = channel->end;
    natsMsg *message = NULL;
    natsStatus status = natsSubscription_NextMsg(&message, end->subscription, 1000);
    if (status == NATS_TIMEOUT) return BENCH_NOTHING;
    if (status != NATS_OK) return BENCH_FAILED;
    bool whole = natsMsg_GetDataLength(message) == (int)channel->message_bytes;
    if (whole) memcpy(bytes, natsMsg_GetData(message), channel->message_bytes);
    natsMsg_Destroy(message);
    return whole ? BENCH_MOVED : BENCH_FAILED;
}

static void close_end(bench_channel *channel, bench_end which)
{
    (void)which;
    nats_end *end = channel->end;
    natsSubscription_Destroy(end->subscription);
    natsConnection_Destroy(end->connection);
    free(end);
}

static const char *look(void) { return bench_server_is_installed("nats-server") ? NULL : "apt-get install nats-server"; }

static const char *version(void)
{
    static char text[80];
    snprintf(text, sizeof text, "%s, its C client %s", bench_server_version("nats-server --version", ": v"), nats_GetVersion());
    return text;
}

#endif

const bench_peer bench_nats = {
    .name = "nats",
    .settings = "own server on the loopback address, natsOptions_SetSendAsap; threads of its own do the transfer",
    // Who polls would keep the library's own threads, and the server, off a CPU.
    .polls = false,
#if defined(HAS_NATS)
    .make = make,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
    .version = version,
    .look = look,
#else
    .missing = BENCH_BUILT_WITHOUT("libnats-dev nats-server"),
#endif
};

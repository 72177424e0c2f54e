/*
 * Redis: PUBLISH and SUBSCRIBE through a server of our own, by its C client, hiredis.
 *
 * A Unix socket, as Redis' own page on benchmarks recommends on one machine; nothing persists; a slow subscriber is not thrown out. The
 * publisher has turned replies off (CLIENT REPLY OFF, "for fire and forget commands"), else every message would wait for one or need
 * a second buffer of them.
 */

#include "peer.h"
#include "server.h"

#if __has_include(<hiredis/hiredis.h>)
#define HAS_HIREDIS 1
#pragma comment(lib, "hiredis")

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static bench_server server;
static char socket_path[64];

static bool answers(void)
{
    redisContext *connection = redisConnectUnix(socket_path);
    bool answered = connection != NULL && connection->err == 0;
    if (connection != NULL) redisFree(connection);
    return answered;
}

static bool make(bench_channel *channel)
{
    if (server.users == 0) snprintf(socket_path, sizeof socket_path, "/dev/shm/bench.%ld.redis", (long)getpid());
    const char *const arguments[] = {"redis-server", "--port", "0", "--unixsocket", socket_path, "--unixsocketperm", "700", "--save", "",
        "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 0 0", "--dir", "/dev/shm", NULL};
    if (!bench_server_start(&server, arguments, answers)) return false;
    channel->server = server.process;
    return true;
}

static void remove_channel(bench_channel *channel)
{
    (void)channel;
    bench_server_stop(&server);
    if (server.users == 0) unlink(socket_path);
}

/// Sends all that is in the connection's buffer.
static bool flush(redisContext *connection)
{
    int done = 0;
    while (!done)
        if (redisBufferWrite(connection, &done) != REDIS_OK) return false;
    return true;
}

static bool open_end(bench_channel *channel, bench_end end)
{
    redisContext *connection = redisConnectUnix(socket_path);
    channel->end = connection;
    if (connection == NULL || connection->err != 0) return false;
    if (end == BENCH_WRITER) {
        if (redisAppendCommand(connection, "CLIENT REPLY OFF") != REDIS_OK || !flush(connection)) return false;
    } else {
        redisReply *subscribed = redisCommand(connection, "SUBSCRIBE %s", channel->name);
        if (subscribed == NULL) return false;
        freeReplyObject(subscribed);
    }
    if (channel->polls) connection->flags &= ~REDIS_BLOCK;
    return bench_set_polling(channel, connection->fd);
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    redisContext *connection = channel->end;
    const char *words[] = {"PUBLISH", channel->name, bytes};
    size_t lengths[] = {7, strlen(channel->name), channel->message_bytes};
    if (redisAppendCommandArgv(connection, 3, words, lengths) != REDIS_OK) return BENCH_FAILED;
    // Polling, too, the command is in the buffer now, and can only be sent whole.
    return flush(connection) ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    redisContext *connection = channel->end;
    redisReply *reply = NULL;
    if (redisGetReplyFromReader(connection, (void **)&reply) != REDIS_OK) return BENCH_FAILED;
    if (reply == NULL) {
        if (redisBufferRead(connection) != REDIS_OK) return BENCH_FAILED;
        if (redisGetReplyFromReader(connection, (void **)&reply) != REDIS_OK) return BENCH_FAILED;
        if (reply == NULL) return BENCH_NOTHING;
    }
    bool whole = reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->type == REDIS_REPLY_STRING
        && (size_t)reply->element[2]->len == channel->message_bytes;
    if (whole) memcpy(bytes, reply->element[2]->str, channel->message_bytes);
    freeReplyObject(reply);
    return whole ? BENCH_MOVED : BENCH_FAILED;
}

static void close_end(bench_channel *channel, bench_end end)
{
    (void)end;
    redisFree(channel->end);
}

static const char *look(void) { return bench_server_is_installed("redis-server") ? NULL : "apt-get install redis-server"; }

static const char *version(void)
{
    static char text[80];
    snprintf(text, sizeof text, "%s, hiredis %d.%d.%d", bench_server_version("redis-server --version", "v="), HIREDIS_MAJOR, HIREDIS_MINOR,
        HIREDIS_PATCH);
    return text;
}

#endif

const bench_peer bench_redis = {
    .name = "redis",
    .settings = "PUBLISH and SUBSCRIBE, own server on a Unix socket, nothing saved, CLIENT REPLY OFF; polling: O_NONBLOCK",
    .polls = true,
#if defined(HAS_HIREDIS)
    .make = make,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
    .version = version,
    .look = look,
#else
    .missing = BENCH_BUILT_WITHOUT("libhiredis-dev redis-server"),
#endif
};

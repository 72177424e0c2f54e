/*
 * Aeron's C client: a publication and a subscription over aeron:ipc, with a media driver of our own.
 *
 * Its users choose between two kinds of publication. An exclusive one is for one writer, which claims its place in the log with plain
 * stores; several writers have a log each, and the subscription polls these in turn. A concurrent one is a single log that all writers
 * share, and claim from by fetch-and-add: what a mailslot is. Each kind is a peer of its own.
 *
 * No distribution has a package of it: Package.swift looks in the prefix that MAILSLOTS_AERON_PREFIX names, where Aeron's `cmake --install`
 * puts include/aeron, lib and bin/aeronmd. Messages do not pass through the driver, but it moves the limit up to which a publication
 * may write; so terms are long enough that it need not be quick. Nothing in Aeron blocks: its users poll with an idle strategy, and
 * blocking here is its backoff strategy with the defaults of its agents.
 */

#include "peer.h"
#include "server.h"

#if defined(BENCH_AERON_PREFIX) && __has_include(<aeronc.h>)
#define HAS_AERON 1
#pragma comment(lib, "aeron")

#include <aeronc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { SPINS_MAX = 10, YIELDS_MAX = 20, PARK_NS_MIN = 1000, PARK_NS_MAX = 1000000 };

static const char *const CHANNEL = "aeron:ipc?term-length=16m";

typedef struct aeron_end {
    aeron_context_t *context;
    aeron_t *client;
    /// One of the two, as the peer is.
    aeron_exclusive_publication_t *exclusive;
    aeron_publication_t *concurrent;
    aeron_subscription_t *subscription;
    unsigned idle_count;
    long park_ns;
} aeron_end;

static bench_server server;
static char folder[64];

static bool answers(void)
{
    // The driver writes it when it is ready; who comes too early tries again on his own.
    char file[80];
    struct stat state;
    snprintf(file, sizeof file, "%s/cnc.dat", folder);
    return stat(file, &state) == 0 && state.st_size > 0;
}

static bool make(bench_channel *channel)
{
    static int streams;
    channel->descriptors[0] = ++streams;
    if (server.users == 0) snprintf(folder, sizeof folder, "/dev/shm/bench.%ld.aeron", (long)getpid());
    char option[96];
    snprintf(option, sizeof option, "-Daeron.dir=%s", folder);
    const char *const arguments[] = {BENCH_AERON_PREFIX "/bin/aeronmd", option, "-Daeron.threading.mode=SHARED",
        "-Daeron.dir.delete.on.start=true", "-Daeron.dir.delete.on.shutdown=true", NULL};
    if (!bench_server_start(&server, arguments, answers)) return false;
    channel->server = server.process;
    return true;
}

static void remove_channel(bench_channel *channel)
{
    (void)channel;
    bench_server_stop(&server);
}

static void sleep_ns(long ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

static bool open_exclusive_publication(bench_channel *channel, aeron_end *end)
{
    aeron_async_add_exclusive_publication_t *adding = NULL;
    if (aeron_async_add_exclusive_publication(&adding, end->client, CHANNEL, channel->descriptors[0]) < 0) return false;
    for (int i = 0; i < 10000; i++) {
        if (end->exclusive == NULL && aeron_async_add_exclusive_publication_poll(&end->exclusive, adding) < 0) return false;
        if (end->exclusive != NULL && aeron_exclusive_publication_is_connected(end->exclusive)) return true;
        sleep_ns(1000000);
    }
    return false;
}

static bool open_concurrent_publication(bench_channel *channel, aeron_end *end)
{
    aeron_async_add_publication_t *adding = NULL;
    if (aeron_async_add_publication(&adding, end->client, CHANNEL, channel->descriptors[0]) < 0) return false;
    for (int i = 0; i < 10000; i++) {
        if (end->concurrent == NULL && aeron_async_add_publication_poll(&end->concurrent, adding) < 0) return false;
        if (end->concurrent != NULL && aeron_publication_is_connected(end->concurrent)) return true;
        sleep_ns(1000000);
    }
    return false;
}

static bool open_subscription(bench_channel *channel, aeron_end *end)
{
    aeron_async_add_subscription_t *adding = NULL;
    if (aeron_async_add_subscription(&adding, end->client, CHANNEL, channel->descriptors[0], NULL, NULL, NULL, NULL) < 0) return false;
    for (int i = 0; i < 10000; i++) {
        if (aeron_async_add_subscription_poll(&end->subscription, adding) < 0) return false;
        if (end->subscription != NULL) return true;
        sleep_ns(1000000);
    }
    return false;
}

/// NULL: Aeron refuses.
static aeron_end *start_client(bench_channel *channel)
{
    aeron_end *end = calloc(1, sizeof *end);
    if (end == NULL) return NULL;
    channel->end = end;
    cpu_set_t cpus = bench_unpin();
    bool started = aeron_context_init(&end->context) == 0 && aeron_context_set_dir(end->context, folder) == 0
        && aeron_init(&end->client, end->context) == 0 && aeron_start(end->client) == 0;
    bench_pin(cpus);
    return started ? end : NULL;
}

static bool open_exclusive(bench_channel *channel, bench_end which)
{
    aeron_end *end = start_client(channel);
    return end != NULL && (which == BENCH_READER ? open_subscription(channel, end) : open_exclusive_publication(channel, end));
}

static bool open_concurrent(bench_channel *channel, bench_end which)
{
    aeron_end *end = start_client(channel);
    return end != NULL && (which == BENCH_READER ? open_subscription(channel, end) : open_concurrent_publication(channel, end));
}

/// Blocking: waits longer each time in vain.
static bench_moved idle(bench_channel *channel, aeron_end *end)
{
    if (channel->polls) return BENCH_NOTHING;
    end->idle_count++;
    if (end->idle_count <= SPINS_MAX) return BENCH_NOTHING;
    if (end->idle_count <= SPINS_MAX + YIELDS_MAX) {
        sched_yield();
        return BENCH_NOTHING;
    }
    end->park_ns = end->park_ns == 0 ? PARK_NS_MIN : end->park_ns * 2 < PARK_NS_MAX ? end->park_ns * 2 : PARK_NS_MAX;
    sleep_ns(end->park_ns);
    return BENCH_NOTHING;
}

static bench_moved moved(aeron_end *end)
{
    end->idle_count = 0;
    end->park_ns = 0;
    return BENCH_MOVED;
}

/// `position` is what Aeron's offer says.
static bench_moved offered(bench_channel *channel, aeron_end *end, int64_t position)
{
    if (position >= 0) return moved(end);
    return position == AERON_PUBLICATION_BACK_PRESSURED || position == AERON_PUBLICATION_ADMIN_ACTION ? idle(channel, end) : BENCH_FAILED;
}

static bench_moved send_exclusive(bench_channel *channel, const void *bytes)
{
    aeron_end *end = channel->end;
    return offered(channel, end, aeron_exclusive_publication_offer(end->exclusive, bytes, channel->message_bytes, NULL, NULL));
}

static bench_moved send_concurrent(bench_channel *channel, const void *bytes)
{
    aeron_end *end = channel->end;
    return offered(channel, end, aeron_publication_offer(end->concurrent, bytes, channel->message_bytes, NULL, NULL));
}

typedef struct fragment {
    void *bytes;
    size_t count;
} fragment;

static void take(void *taken, const uint8_t *bytes, size_t count, aeron_header_t *header)
{
    (void)header;
    fragment *fragment = taken;
    fragment->count = count;
    memcpy(fragment->bytes, bytes, count <= BENCH_PEER_BYTES_MAX ? count : 0);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    aeron_end *end = channel->end;
    fragment taken = {.bytes = bytes};
    int fragments = aeron_subscription_poll(end->subscription, take, &taken, 1);
    if (fragments == 0) return idle(channel, end);
    return fragments == 1 && taken.count == channel->message_bytes ? moved(end) : BENCH_FAILED;
}

static void close_end(bench_channel *channel, bench_end which)
{
    (void)which;
    aeron_end *end = channel->end;
    aeron_close(end->client);
    aeron_context_close(end->context);
    free(end);
}

static const char *look(void)
{
    return bench_server_is_installed(BENCH_AERON_PREFIX "/bin/aeronmd") ? NULL : "Aeron's prefix has no bin/aeronmd";
}

static const char *version(void)
{
    static char text[48];
    snprintf(text, sizeof text, "%d.%d.%d", aeron_version_major(), aeron_version_minor(), aeron_version_patch());
    return text;
}

#endif

#if defined(HAS_AERON)
#define CALLS(open_it, send_it)                                                                                               \
    .make = make, .open = open_it, .send = send_it, .receive = receive_message, .close = close_end, .remove = remove_channel, \
    .version = version, .look = look
#else
#define CALLS(open_it, send_it) .missing = "build Aeron's C client, and build again with MAILSLOTS_AERON_PREFIX=its prefix"
#endif

#define SETTINGS ", terms of 16 MiB, driver SHARED; blocking: the backoff idle strategy"

const bench_peer bench_aeron = {
    .name = "aeron-ipc",
    .settings = "exclusive publication" SETTINGS,
    .polls = true,
    CALLS(open_exclusive, send_exclusive),
};

const bench_peer bench_aeron_concurrent = {
    .name = "aeron-concurrent",
    .settings = "concurrent publication" SETTINGS,
    .polls = true,
    CALLS(open_concurrent, send_concurrent),
};

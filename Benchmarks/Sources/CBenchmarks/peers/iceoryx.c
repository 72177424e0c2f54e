/*
 * iceoryx (classic) by its C binding: a publisher and a subscriber in shared memory that its daemon, RouDi, hands out.
 *
 * The publisher waits when the subscriber's queue, at most 256 messages, is full: the default is to discard. Blocking, the subscriber
 * waits in a wait set; a publisher that waits always polls. Without RouDi's watch over processes (-m off),
 * by which a process that is stopped for 1.5 s is taken for dead.
 */

#include "peer.h"
#include "server.h"

#if __has_include(<iceoryx_binding_c/runtime.h>)
#define HAS_ICEORYX 1
#pragma comment(lib, "iceoryx_binding_c")

#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { QUEUE_MAX = 256 };

typedef struct iceoryx_end {
    iox_pub_storage_t publisher_storage;
    iox_sub_storage_t subscriber_storage;
    iox_ws_storage_t wait_set_storage;
    iox_pub_t publisher;
    iox_sub_t subscriber;
    iox_ws_t wait_set;
} iceoryx_end;

static bench_server server;

/// Ends that this process has open.
static unsigned ends;

/// What exit() runs, and _exit(), by which sides end, does not: there the library tells RouDi that it leaves. RouDi would, at its own end,
/// look for a process with that number, and end it.
extern void __cxa_finalize(void *library);

/// RouDi listens there for who registers.
static bool answers(void)
{
    int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/roudi"};
    bool answered = connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return answered;
}

static bool make(bench_channel *channel)
{
    // Else sides would print at their end what this process has not printed yet.
    fflush(NULL);
    const char *const arguments[] = {"iox-roudi", "-m", "off", "-l", "off", "-k", "1", NULL};
    if (!bench_server_start(&server, arguments, answers)) return false;
    channel->server = server.process;
    return true;
}

static void remove_channel(bench_channel *channel)
{
    (void)channel;
    bench_server_stop(&server);
}

static bool waits_until(bool (*is_so)(iceoryx_end *end), iceoryx_end *end)
{
    for (int i = 0; i < 10000; i++) {
        if (is_so(end)) return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static bool has_subscriber(iceoryx_end *end) { return iox_pub_has_subscribers(end->publisher); }

static bool open_publisher(bench_channel *channel, iceoryx_end *end)
{
    iox_pub_options_t options;
    iox_pub_options_init(&options);
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    end->publisher = iox_pub_init(&end->publisher_storage, "bench", channel->name, "message", &options);
    return end->publisher != NULL && waits_until(has_subscriber, end);
}

static bool open_subscriber(bench_channel *channel, iceoryx_end *end)
{
    iox_sub_options_t options;
    iox_sub_options_init(&options);
    options.queueCapacity = QUEUE_MAX;
    options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    end->subscriber = iox_sub_init(&end->subscriber_storage, "bench", channel->name, "message", &options);
    if (end->subscriber == NULL || channel->polls) return end->subscriber != NULL;
    end->wait_set = iox_ws_init(&end->wait_set_storage);
    return end->wait_set != NULL
        && iox_ws_attach_subscriber_state(end->wait_set, end->subscriber, SubscriberState_HAS_DATA, 0, NULL) == WaitSetResult_SUCCESS;
}

static bool open_end(bench_channel *channel, bench_end which)
{
    iceoryx_end *end = calloc(1, sizeof *end);
    if (end == NULL) return false;
    channel->end = end;
    iox_set_loglevel(Iceoryx_LogLevel_Off);
    char name[48];
    snprintf(name, sizeof name, "bench-%ld", (long)getpid());
    cpu_set_t cpus = bench_unpin();
    iox_runtime_init(name);
    bench_pin(cpus);
    ends++;
    return which == BENCH_READER ? open_subscriber(channel, end) : open_publisher(channel, end);
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    iceoryx_end *end = channel->end;
    void *chunk;
    if (iox_pub_loan_chunk(end->publisher, &chunk, channel->message_bytes) != AllocationResult_SUCCESS) return BENCH_FAILED;
    memcpy(chunk, bytes, channel->message_bytes);
    iox_pub_publish_chunk(end->publisher, chunk);
    return BENCH_MOVED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    iceoryx_end *end = channel->end;
    const void *chunk;
    enum iox_ChunkReceiveResult result = iox_sub_take_chunk(end->subscriber, &chunk);
    if (result == ChunkReceiveResult_NO_CHUNK_AVAILABLE) {
        if (channel->polls) return BENCH_NOTHING;
        iox_notification_info_t ready;
        uint64_t missed;
        iox_ws_wait(end->wait_set, &ready, 1, &missed);
        return BENCH_NOTHING;
    }
    if (result != ChunkReceiveResult_SUCCESS) return BENCH_FAILED;
    memcpy(bytes, chunk, channel->message_bytes);
    iox_sub_release_chunk(end->subscriber, chunk);
    return BENCH_MOVED;
}

static void close_end(bench_channel *channel, bench_end which)
{
    iceoryx_end *end = channel->end;
    if (end->wait_set != NULL) {
        iox_ws_detach_subscriber_state(end->wait_set, end->subscriber, SubscriberState_HAS_DATA);
        iox_ws_deinit(end->wait_set);
    }
    if (which == BENCH_READER) iox_sub_deinit(end->subscriber);
    else iox_pub_deinit(end->publisher);
    free(end);
    if (--ends == 0) __cxa_finalize(NULL);
}

static const char *look(void) { return bench_server_is_installed("iox-roudi") ? NULL : "apt-get install iceoryx"; }

static const char *version(void) { return bench_server_version("iox-roudi --version", "version: "); }

#endif

const bench_peer bench_iceoryx = {
    .name = "iceoryx",
    .settings = "queue of 256, its most, no message is discarded, RouDi beside it; polling: take_chunk; blocking: a wait set",
    .polls = true,
#if defined(HAS_ICEORYX)
    .make = make,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
    .limits = {.no_reopening = "RouDi has 512 places for publishers, and clears what they left every 100 ms"},
    .version = version,
    .look = look,
#else
    .missing = BENCH_BUILT_WITHOUT("iceoryx libiceoryx-binding-c-dev"),
#endif
};

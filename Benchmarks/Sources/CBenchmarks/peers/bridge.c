/*
 * The bridge: what is written to \\bench-b\mailslot\name in one directory of mailslots is read in another, and between them are two bridges
 * that send sealed datagrams over the loopback device. Each directory is what one machine would have, each bridge a process of its own.
 *
 * A writer waits when its outbox is full; from there on nothing waits for anybody. What the receiving socket or the mailslot has no room
 * for is lost, and counted as lost.
 */

#include "peer.h"
#include "server.h"

#include <dirent.h>
#include <mailslots.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PATH_BYTES = 96 };
/// Room in the mailslot that is read: the default of who creates one.
enum { READER_CAPACITY = 4096 };
static const int64_t TEST_TIMEOUT_NS = 10000000000;

/// One machine: its directory of mailslots, and its bridge.
typedef struct site {
    const char *host;
    bench_server server;
    char directory[PATH_BYTES];
    uint16_t port;
} site;

static site sites[2] = {{.host = "bench-a"}, {.host = "bench-b"}};

/// From where to where a channel goes: the first from A to B, the second back.
typedef struct way {
    site *from, *to;
    /// What the writer names: the host, or the domain that it is in.
    const char *destination;
} way;

static way ways[2] = {{.from = &sites[0], .to = &sites[1]}, {.from = &sites[1], .to = &sites[0]}};
static unsigned ways_made;

/// From here on this process's mailslots are those of `of`.
static bool enter(const site *of) { return setenv("MAILSLOT_DIRECTORY", of->directory, 1) == 0; }

static bool serves(const site *of)
{
    if (!enter(of)) return false;
    mslot_inspected requests = mslot_inspect("bridge/requests");
    unsetenv("MAILSLOT_DIRECTORY");
    return requests.failure.outcome == MSLOT_DONE && requests.info.reader_present;
}
static bool first_serves(void) { return serves(&sites[0]); }
static bool second_serves(void) { return serves(&sites[1]); }

static uint16_t free_udp_port(void)
{
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    bool found = bind(probe, (struct sockaddr *)&address, bytes) == 0 && getsockname(probe, (struct sockaddr *)&address, &bytes) == 0;
    close(probe);
    return found ? ntohs(address.sin_port) : 0;
}

static void show_log(const site *of)
{
    char path[PATH_BYTES + 8], line[512];
    snprintf(path, sizeof path, "%s/log", of->directory);
    FILE *log = fopen(path, "re");
    if (log == NULL) return;
    while (fgets(line, sizeof line, log) != NULL) fprintf(stderr, "%s: %s", of->host, line);
    fclose(log);
}

static bool start(site *own, const site *other, const char *engine, bool (*answers)(void))
{
    char program[512], port[8], other_port[8];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) return false;
    program[length] = 0;
    snprintf(port, sizeof port, "%u", own->port);
    snprintf(other_port, sizeof other_port, "%u", other->port);
    const char *const arguments[] = {program, "bridge-side", own->directory, own->host, port, other->host, other_port, engine, NULL};
    if (bench_server_start(&own->server, arguments, answers)) return true;
    show_log(own);
    return false;
}

static bool make_directories(void)
{
    for (int i = 0; i < 2; i++) {
        snprintf(sites[i].directory, PATH_BYTES, "/dev/shm/bench.%ld.%s", (long)getpid(), sites[i].host);
        sites[i].port = free_udp_port();
        if (sites[i].port == 0 || (mkdir(sites[i].directory, 0700) != 0 && errno != EEXIST)) return false;
    }
    return true;
}

static void empty(const site *of)
{
    DIR *directory = opendir(of->directory);
    if (directory == NULL) return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(of->directory);
}

static void stop(void)
{
    for (int i = 0; i < 2; i++) {
        bench_server_stop(&sites[i].server);
        if (sites[i].server.users == 0) empty(&sites[i]);
    }
    ways_made = 0;
}

/// Called for each channel of a measurement in turn.
static bool make(bench_channel *channel, const char *engine, const char *destination)
{
    if (ways_made == 0 && !make_directories()) return false;
    bool good = start(&sites[0], &sites[1], engine, first_serves);
    if (good && !start(&sites[1], &sites[0], engine, second_serves)) {
        bench_server_stop(&sites[0].server);
        good = false;
    }
    if (!good) return false;
    way *own = &ways[ways_made++ % 2];
    own->destination = destination != NULL ? destination : own->to->host;
    channel->memory = own;
    channel->server = own->from->server.process;
    return true;
}

static bool make_automatic(bench_channel *channel) { return make(channel, "automatic", NULL); }
static bool make_mmsg(bench_channel *channel) { return make(channel, "mmsg", NULL); }
static bool make_io_uring(bench_channel *channel) { return make(channel, "io_uring", NULL); }
static bool make_broadcast(bench_channel *channel) { return make(channel, "automatic", "*"); }

/// Once for each channel that was made, and for those that could not be.
static void remove_channel(bench_channel *channel)
{
    if (channel->memory != NULL) stop();
}

static bool open_end(bench_channel *channel, bench_end end)
{
    const way *own = channel->memory;
    char name[128];
    if (!enter(end == BENCH_READER ? own->to : own->from)) return false;
    if (end == BENCH_READER) {
        mslot_create_options options = mslot_create_options_default();
        options.capacity = READER_CAPACITY;
        options.allow_remote = true;
        channel->end = mslot_create(channel->name, &options).reader;
        return channel->end != NULL;
    }
    snprintf(name, sizeof name, "\\\\%s\\mailslot\\%s", own->destination, channel->name);
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = TEST_TIMEOUT_NS;
    mslot_opened opened = mslot_open(name, &options);
    channel->end = opened.writer;
    if (opened.writer != NULL) return true;
    char text[512];
    mslot_failure_describe(&opened.failure, name, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    show_log(own->from);
    return false;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    return mslot_writer_write(channel->end, bytes, channel->message_bytes, MSLOT_FOREVER) == MSLOT_DONE ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    mslot_received received = mslot_reader_read(channel->end, bytes, BENCH_PEER_BYTES_MAX, MSLOT_FOREVER);
    return received.outcome == MSLOT_DONE && received.byte_count == channel->message_bytes ? BENCH_MOVED : BENCH_FAILED;
}

static void close_end(bench_channel *channel, bench_end end)
{
    if (end == BENCH_READER) mslot_reader_close(channel->end);
    else mslot_writer_close(channel->end);
}

static const char *look_for_io_uring(void)
{
#if __has_include(<liburing.h>)
    // Without a ring to set up; what counts is whether the call is there and allowed.
    syscall(SYS_io_uring_setup, 0, NULL);
    return errno == ENOSYS || errno == EPERM ? "the kernel forbids io_uring, see sysctl kernel.io_uring_disabled" : NULL;
#else
    return BENCH_BUILT_WITHOUT("liburing-dev");
#endif
}

#define SEALED "two bridges over loopback, sealed, datagrams of at most 1472 bytes"
#define BRIDGE(identifier, title, how, make_channel, look_for_it) \
    const bench_peer identifier = {                               \
        .name = title,                                            \
        .settings = SEALED how,                                   \
        .loses = true,                                            \
        .make = make_channel,                                     \
        .open = open_end,                                         \
        .send = send_message,                                     \
        .receive = receive_message,                               \
        .close = close_end,                                       \
        .remove = remove_channel,                                 \
        .look = look_for_it,                                      \
    }

BRIDGE(bench_bridge, "bridge", "; the engine that it chooses itself", make_automatic, NULL);
BRIDGE(bench_bridge_mmsg, "bridge-mmsg", "; sendmmsg, recvmmsg", make_mmsg, NULL);
BRIDGE(bench_bridge_io_uring, "bridge-io_uring", "; io_uring", make_io_uring, look_for_io_uring);
BRIDGE(bench_bridge_broadcast, "bridge-broadcast", "; to every host, which is one, configured as a peer", make_broadcast, NULL);

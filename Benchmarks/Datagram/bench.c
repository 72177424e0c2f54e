// How many messages a second two processes exchange by UDP over loopback, by the ways there are. Counted where they are received.
//
//     bench [SECONDS]

#include <mailslots_datagram.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512, MESSAGE_BYTES = 424, PACKED = 3 };

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double cpu_seconds(int of)
{
    struct rusage usage;
    getrusage(of, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/// What the two processes share.
typedef struct shared {
    uint64_t received; // datagrams
    uint16_t port;
    uint32_t is_over;
} shared;

static uint64_t get(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

typedef struct way {
    const char *name;
    mslot_datagram_engine engine;
    bool is_plain;     // send and recv, one call a datagram
    bool has_runs;     // GSO and GRO
    uint32_t messages; // a datagram
} way;

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(1);
}

static mslot_datagram_endpoint *open_socket(const way *how, mslot_address *bound)
{
    mslot_datagram_opened opened = mslot_datagram_open(how->engine);
    if (opened.endpoint == NULL) return NULL;
    mslot_datagram_bind_options options = mslot_datagram_bind_options_default();
    options.address = mslot_address_parse("127.0.0.1", 0).address;
    mslot_datagram_bound socket = mslot_datagram_bind(opened.endpoint, &options);
    if (socket.outcome != MSLOT_DATAGRAM_DONE) die("bind");
    if (!how->has_runs) {
        // Without checksums the kernel refuses runs: the first batch finds that out.
        mslot_datagram_socket_info info;
        mslot_datagram_info(opened.endpoint, 0, &info);
        int one = 1;
        setsockopt(info.descriptor, SOL_SOCKET, SO_NO_CHECK, &one, sizeof one);
    }
    *bound = socket.address;
    return opened.endpoint;
}

/// Reads what it gets, as the bridge would: a byte of each message.
static void receive(const way *how, shared *with)
{
    mslot_address address;
    mslot_datagram_endpoint *endpoint = open_socket(how, &address);
    __atomic_store_n(&with->port, address.port, __ATOMIC_RELEASE);
    static mslot_datagram_view views[BATCH];
    volatile unsigned sum = 0;
    mslot_datagram_socket_info info;
    mslot_datagram_info(endpoint, 0, &info);
    while (!__atomic_load_n(&with->is_over, __ATOMIC_ACQUIRE)) {
        if (how->is_plain) {
            unsigned char bytes[MSLOT_DATAGRAM_BYTES_MAX];
            struct timeval limit = {.tv_usec = 100000};
            setsockopt(info.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
            while (recv(info.descriptor, bytes, sizeof bytes, 0) > 0) {
                sum += bytes[0];
                __atomic_store_n(&with->received, with->received + 1, __ATOMIC_RELAXED);
            }
            continue;
        }
        size_t count = mslot_datagram_receive(endpoint, views, BATCH).count;
        for (size_t i = 0; i < count; i++)
            for (uint32_t at = 0; at < views[i].byte_count; at += MESSAGE_BYTES) sum += views[i].bytes[at];
        if (count > 0) {
            __atomic_store_n(&with->received, with->received + count, __ATOMIC_RELAXED);
        } else {
            mslot_datagram_wait(endpoint, 100000000);
        }
    }
    mslot_datagram_close(endpoint);
    _exit(0);
}

static void measure(const way *how, double seconds)
{
    shared *with = mmap(NULL, sizeof *with, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (with == MAP_FAILED) die("mmap");
    double receiver_before = cpu_seconds(RUSAGE_CHILDREN);
    pid_t receiver = fork();
    if (receiver == 0) receive(how, with);
    mslot_address own;
    mslot_datagram_endpoint *endpoint = open_socket(how, &own);
    while (__atomic_load_n(&with->port, __ATOMIC_ACQUIRE) == 0) usleep(1000);
    mslot_address to = mslot_address_parse("127.0.0.1", with->port).address;

    uint32_t byte_count = how->messages * MESSAGE_BYTES;
    static unsigned char bytes[MSLOT_DATAGRAM_BYTES_MAX] = {1};
    static mslot_datagram batch[BATCH];
    for (size_t i = 0; i < BATCH; i++) batch[i] = (mslot_datagram){.bytes = bytes, .byte_count = byte_count, .destination = to};
    mslot_datagram_socket_info info;
    mslot_datagram_info(endpoint, 0, &info);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(to.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    double cpu_before = cpu_seconds(RUSAGE_SELF);
    int64_t begun = now_ns(), end = begun + (int64_t)(seconds * 1e9);
    uint64_t sent = 0;
    while (now_ns() < end) {
        if (how->is_plain) {
            for (int i = 0; i < 64; i++)
                sent += sendto(info.descriptor, bytes, byte_count, 0, (struct sockaddr *)&address, sizeof address) > 0;
        } else {
            sent += mslot_datagram_send(endpoint, 0, batch, BATCH, MSLOT_TRANSPORT_FOREVER).count;
        }
    }
    uint64_t received = get(&with->received);
    double took = (double)(now_ns() - begun) / 1e9;
    double sender_cpu = cpu_seconds(RUSAGE_SELF) - cpu_before;
    __atomic_store_n(&with->is_over, 1, __ATOMIC_RELEASE);
    waitpid(receiver, NULL, 0);
    double receiver_cpu = cpu_seconds(RUSAGE_CHILDREN) - receiver_before;
    double messages = (double)received * how->messages;
    // What was lost, the receive buffer had no room for: a sender that nothing holds up is faster than a receiver.
    printf("%-44s %10.0f msg/s  %5.1f %% arrived  CPU per message %6.0f + %6.0f ns\n", how->name, messages / took,
        100 * (double)received / (double)sent, sender_cpu / ((double)sent * how->messages) * 1e9, receiver_cpu / messages * 1e9);
    mslot_datagram_close(endpoint);
    munmap(with, sizeof *with);
}

// MARK: round trips

enum { ROUND_TRIPS_MAX = 200000 };

/// The next datagram, waiting for it; false when there is none for a second.
static bool next_datagram(mslot_datagram_endpoint *endpoint, mslot_datagram_view *view)
{
    while (mslot_datagram_receive(endpoint, view, 1).count == 0) {
        mslot_datagram_waited waited = mslot_datagram_wait(endpoint, 1000000000);
        if (!waited.is_readable) return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/// One message there and back, both ends asleep until it comes.
static void measure_round_trips(const way *how, double seconds)
{
    shared *with = mmap(NULL, sizeof *with, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (with == MAP_FAILED) die("mmap");
    pid_t other = fork();
    mslot_address own;
    mslot_datagram_endpoint *endpoint = open_socket(how, &own);
    mslot_datagram_view view;
    if (other == 0) {
        __atomic_store_n(&with->port, own.port, __ATOMIC_RELEASE);
        while (next_datagram(endpoint, &view)) {
            mslot_datagram answer = {.bytes = view.bytes, .byte_count = view.byte_count, .destination = view.source};
            mslot_datagram_send(endpoint, 0, &answer, 1, 0);
        }
        _exit(0);
    }
    while (__atomic_load_n(&with->port, __ATOMIC_ACQUIRE) == 0) usleep(1000);
    static unsigned char bytes[MESSAGE_BYTES];
    mslot_datagram question = {
        .bytes = bytes, .byte_count = sizeof bytes, .destination = mslot_address_parse("127.0.0.1", with->port).address};
    static uint32_t took_ns[ROUND_TRIPS_MAX];
    size_t count = 0;
    for (int64_t end = now_ns() + (int64_t)(seconds * 1e9), begun; (begun = now_ns()) < end && count < ROUND_TRIPS_MAX; count++) {
        mslot_datagram_send(endpoint, 0, &question, 1, 0);
        if (!next_datagram(endpoint, &view)) die("no answer");
        took_ns[count] = (uint32_t)(now_ns() - begun);
    }
    qsort(took_ns, count, sizeof took_ns[0], compare);
    printf("%-44s %10.1f us round trip p50, %.1f us p99 of %zu\n", how->name, took_ns[count / 2] / 1e3, took_ns[count * 99 / 100] / 1e3,
        count);
    mslot_datagram_close(endpoint);
    waitpid(other, NULL, 0);
    munmap(with, sizeof *with);
}

int main(int argument_count, char **arguments)
{
    double seconds = argument_count > 1 ? atof(arguments[1]) : 1;
    static const way ways[] = {
        {"sendto, recv: one call a datagram", MSLOT_DATAGRAM_MMSG, true, false, 1},
        {"mmsg, no runs", MSLOT_DATAGRAM_MMSG, false, false, 1},
        {"io_uring, no runs", MSLOT_DATAGRAM_IO_URING, false, false, 1},
        {"mmsg, GSO + GRO", MSLOT_DATAGRAM_MMSG, false, true, 1},
        {"io_uring, GSO + GRO", MSLOT_DATAGRAM_IO_URING, false, true, 1},
        {"mmsg, GSO + GRO, 3 messages a datagram", MSLOT_DATAGRAM_MMSG, false, true, PACKED},
        {"io_uring, GSO + GRO, 3 messages a datagram", MSLOT_DATAGRAM_IO_URING, false, true, PACKED},
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    mslot_datagram_probed ring = mslot_datagram_probe(MSLOT_DATAGRAM_IO_URING);
    puts(ring.text);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (ways[i].engine != MSLOT_DATAGRAM_IO_URING || ring.is_usable) measure(&ways[i], seconds);
    for (size_t i = 3; i <= 4; i++)
        if (ways[i].engine != MSLOT_DATAGRAM_IO_URING || ring.is_usable) measure_round_trips(&ways[i], seconds);
    return 0;
}

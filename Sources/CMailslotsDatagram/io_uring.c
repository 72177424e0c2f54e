// The engine that needs liburing and a kernel that allows io_uring. What it saves is system calls: datagrams lie in our memory
// before we ask, and one call waits for all sockets, the wake-up and the time.
//
// Each side has a ring of its own, so that both can be used at once.

#include "endpoint.h"

#include <stdio.h>

#if __has_include(<liburing.h>) && !defined(MSLOT_DATAGRAM_WITHOUT_LIBURING)

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    /// A packet in its buffer: liburing's header, the source, the control messages, the bytes.
    SOURCE_BYTES = 32, // a socket address, padded so that what follows is aligned
    BUFFER_BYTES = 65536 + 128,
    MEMORY_BYTES = INCOMING_PACKETS_MAX * BUFFER_BYTES,
    BUFFER_GROUP = 0,
    /// Requests at one time: a receive for each socket, the wake-up, and as many cancellations.
    RECEIVE_ENTRIES = 64,
    /// Every buffer may be a completion, and every request.
    RECEIVE_COMPLETIONS = 256,
    /// What completions name themselves by: sockets count from 0.
    OF_WAKE = MSLOT_DATAGRAM_SOCKETS_MAX,
    OF_CANCEL = MSLOT_DATAGRAM_SOCKETS_MAX + 1
};
_Static_assert(sizeof(struct io_uring_recvmsg_out) + SOURCE_BYTES + INCOMING_CONTROL_BYTES + INCOMING_BYTES_MAX <= BUFFER_BYTES,
    "the longest packet fits");
_Static_assert(sizeof(mslot_socket_address) <= SOURCE_BYTES && SOURCE_BYTES % _Alignof(struct cmsghdr) == 0, "a source fits");
_Static_assert(sizeof(struct io_uring_buf) * INCOMING_PACKETS_MAX <= 4096, "the ring of buffers is one page");

/// A packet in a buffer that is not yet taken over.
typedef struct arrival {
    uint16_t socket;
    uint16_t buffer;
    uint32_t byte_count;
} arrival;

typedef struct uring_engine {
    struct io_uring receive_ring;
    struct io_uring_buf_ring *buffers;
    unsigned char *bytes;
    /// What a receive asks for, for all: it must stay while one is under way.
    struct msghdr wanted;
    /// Bit by socket: a receive is under way, and goes on until it ends by itself (no buffers, an error, its thread's end).
    uint32_t armed;
    bool wake_is_armed;
    bool is_woken;
    /// A receive ended in an error, which was counted.
    bool has_failed;
    /// Requests are done by the thread that made them, and end when it does.
    void *thread;
    uint32_t arrival_count;
    arrival arrivals[INCOMING_PACKETS_MAX];

    struct io_uring send_ring;
} uring_engine;

// MARK: buffers

static unsigned char *buffer_at(const uring_engine *engine, uint16_t buffer) { return engine->bytes + (size_t)buffer * BUFFER_BYTES; }

static void give_buffer(uring_engine *engine, uint16_t buffer)
{
    int mask = io_uring_buf_ring_mask(INCOMING_PACKETS_MAX);
    io_uring_buf_ring_add(engine->buffers, buffer_at(engine, buffer), BUFFER_BYTES, buffer, mask, 0);
    io_uring_buf_ring_advance(engine->buffers, 1);
}

/// 0 or an errno. liburing 2.3 has no helper that also maps the ring.
static int open_buffers(uring_engine *engine)
{
    void *memory = mmap(NULL, 4096 + MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return ENOMEM;
    engine->buffers = memory;
    engine->bytes = (unsigned char *)memory + 4096;
    struct io_uring_buf_reg request = {
        .ring_addr = (uint64_t)(uintptr_t)memory, .ring_entries = INCOMING_PACKETS_MAX, .bgid = BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&engine->receive_ring, &request, 0);
    if (result < 0) {
        munmap(memory, 4096 + MEMORY_BYTES);
        return -result;
    }
    io_uring_buf_ring_init(engine->buffers);
    for (uint16_t i = 0; i < INCOMING_PACKETS_MAX; i++) give_buffer(engine, i);
    return 0;
}

// MARK: opening and closing

#if defined(__SANITIZE_THREAD__)
#define SANITIZES_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZES_THREADS 1
#endif
#endif

#ifdef SANITIZES_THREADS
void __tsan_acquire(void *);
void __tsan_release(void *);
// liburing (2.3) maps and unmaps rings by system calls of its own, which the sanitizer does not see: a ring that comes to lie
// where another thread's was would look shared. What was done to one that is closed comes before one that is opened then.
static char closed_rings;
static void follow_closed_rings(void) { __tsan_acquire(&closed_rings); }
static void precede_opened_rings(void) { __tsan_release(&closed_rings); }
#else
static void follow_closed_rings(void) {}
static void precede_opened_rings(void) {}
#endif

/// 0 or an errno.
static int open_ring(unsigned entries, struct io_uring *ring, struct io_uring_params parameters)
{
    int result = io_uring_queue_init_params(entries, ring, &parameters);
    follow_closed_rings();
    return -result;
}

static void close_ring(struct io_uring *ring)
{
    precede_opened_rings();
    io_uring_queue_exit(ring);
}

/// 0 or an errno.
static int open_receive_ring(uring_engine *engine)
{
    // Packets are taken over when we ask for them, not by an interrupt of what we do with those before. Linux 5.19; the engine needs 6.0.
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        .cq_entries = RECEIVE_COMPLETIONS};
    int error = open_ring(RECEIVE_ENTRIES, &engine->receive_ring, parameters);
    if (error != 0) return error;
    engine->wanted = (struct msghdr){.msg_namelen = SOURCE_BYTES, .msg_controllen = INCOMING_CONTROL_BYTES};
    io_uring_ring_dontfork(&engine->receive_ring);
    error = open_buffers(engine);
    if (error != 0) close_ring(&engine->receive_ring);
    return error;
}

static void close_receive_ring(uring_engine *engine)
{
    // The kernel would end the receives some time after the ring: until then they write into our memory, and hold the port.
    struct io_uring_sync_cancel_reg all = {
        .fd = -1, .flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, .timeout = {.tv_sec = -1, .tv_nsec = -1}};
    while (io_uring_register_sync_cancel(&engine->receive_ring, &all) == -EINTR) {}
    close_ring(&engine->receive_ring);
    munmap(engine->buffers, 4096 + MEMORY_BYTES);
}

static int uring_open(mslot_datagram_endpoint *endpoint, void **state)
{
    (void)endpoint;
    uring_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return ENOMEM;
    int error = open_receive_ring(engine);
    if (error == 0) {
        error = open_ring(OUTGOING_PACKETS_MAX, &engine->send_ring, (struct io_uring_params){0});
        if (error != 0) close_receive_ring(engine);
    }
    if (error != 0) {
        free(engine);
        return error;
    }
    io_uring_ring_dontfork(&engine->send_ring);
    *state = engine;
    return 0;
}

static void uring_close(void *state)
{
    uring_engine *engine = state;
    close_receive_ring(engine);
    close_ring(&engine->send_ring);
    free(engine);
}

// MARK: sending

static void submit_all(struct io_uring *ring)
{
    // EAGAIN, EBUSY - the kernel has no memory at this moment; EINTR. Requests that were made cannot be taken back.
    while (io_uring_sq_ready(ring) > 0)
        if (io_uring_submit(ring) < 0) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static mslot_transmitted uring_transmit(
    mslot_datagram_endpoint *endpoint, const mslot_datagram_socket *socket, struct mmsghdr *messages, uint32_t count)
{
    uring_engine *engine = endpoint->engine;
    struct io_uring *ring = &engine->send_ring;
    for (uint32_t i = 0; i < count; i++) {
        struct io_uring_sqe *request = io_uring_get_sqe(ring);
        io_uring_prep_sendmsg(request, socket->descriptor, &messages[i].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
        request->user_data = i;
        // A chain: each waits for the one before, and ends with it if that is refused. So they stay in order.
        if (i + 1 < count) request->flags |= IOSQE_IO_LINK;
    }
    int results[OUTGOING_PACKETS_MAX];
    // All must have ended before we return: until then the kernel reads what belongs to our caller.
    for (uint32_t ended = 0; ended < count;) {
        if (io_uring_submit_and_wait(ring, count - ended) < 0) submit_all(ring);
        unsigned head, seen = 0;
        struct io_uring_cqe *completion;
        io_uring_for_each_cqe(ring, head, completion)
        {
            results[completion->user_data] = completion->res;
            seen++;
        }
        io_uring_cq_advance(ring, seen);
        ended += seen;
    }
    mslot_transmitted transmitted = {.count = 0, .error = 0};
    while (transmitted.count < count && results[transmitted.count] >= 0) transmitted.count++;
    if (transmitted.count < count) transmitted.error = -results[transmitted.count];
    if (transmitted.error == EINTR || transmitted.error == ECANCELED) transmitted.error = EAGAIN;
    return transmitted;
}

// MARK: receiving

/// Takes every completion out of the ring.
static void absorb(mslot_datagram_endpoint *endpoint)
{
    uring_engine *engine = endpoint->engine;
    struct io_uring *ring = &engine->receive_ring;
    struct io_uring_cqe *completion;
    while (io_uring_peek_cqe(ring, &completion) == 0) {
        uint64_t of = completion->user_data;
        int result = completion->res;
        unsigned flags = completion->flags;
        io_uring_cqe_seen(ring, completion);
        if (of == OF_WAKE) {
            engine->wake_is_armed = false;
            if (mslot_datagram_take_wake(endpoint)) engine->is_woken = true;
        } else if (of < MSLOT_DATAGRAM_SOCKETS_MAX) {
            if (!(flags & IORING_CQE_F_MORE)) engine->armed &= ~(1u << of);
            uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
            if (flags & IORING_CQE_F_BUFFER && result >= 0) {
                engine->arrivals[engine->arrival_count++] = (arrival){(uint16_t)of, buffer, (uint32_t)result};
            } else if (flags & IORING_CQE_F_BUFFER) {
                give_buffer(engine, buffer);
            }
            // ENOBUFS - all buffers are used; ECANCELED - another thread goes on; EINTR, EAGAIN. It is armed anew.
            if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
                mslot_incoming_error(endpoint, (uint32_t)of);
                engine->has_failed = true;
            }
        }
    }
}

/// A request, for which there is always room: there are few.
static struct io_uring_sqe *new_request(struct io_uring *ring)
{
    struct io_uring_sqe *request;
    while ((request = io_uring_get_sqe(ring)) == NULL) submit_all(ring);
    return request;
}

/// Makes the requests that are missing; the caller hands them to the kernel.
static void arm(mslot_datagram_endpoint *endpoint)
{
    uring_engine *engine = endpoint->engine;
    struct io_uring *ring = &engine->receive_ring;
    if (engine->thread != __builtin_thread_pointer()) {
        // What another thread asked for would end with it, and disturb it until then. Each is armed anew once it says that it has ended.
        for (uint64_t of = 0; of <= OF_WAKE; of++)
            if (of == OF_WAKE ? engine->wake_is_armed : engine->armed >> of & 1) {
                struct io_uring_sqe *request = new_request(ring);
                io_uring_prep_cancel64(request, of, 0);
                request->user_data = OF_CANCEL;
            }
        engine->thread = __builtin_thread_pointer();
    }
    for (uint32_t i = 0; i < endpoint->socket_count; i++) {
        if (engine->armed >> i & 1) continue;
        struct io_uring_sqe *request = new_request(ring);
        io_uring_prep_recvmsg_multishot(request, endpoint->sockets[i].descriptor, &engine->wanted, 0);
        request->user_data = i;
        request->flags |= IOSQE_BUFFER_SELECT;
        request->buf_group = BUFFER_GROUP;
        engine->armed |= 1u << i;
    }
    if (!engine->wake_is_armed) {
        struct io_uring_sqe *request = new_request(ring);
        io_uring_prep_poll_add(request, endpoint->wake_descriptor, POLLIN);
        request->user_data = OF_WAKE;
        engine->wake_is_armed = true;
    }
}

static void uring_collect(mslot_datagram_endpoint *endpoint)
{
    uring_engine *engine = endpoint->engine;
    absorb(endpoint);
    arm(endpoint);
    if (io_uring_sq_ready(&engine->receive_ring) > 0) {
        submit_all(&engine->receive_ring);
        absorb(endpoint);
    }
    engine->has_failed = false;
    for (uint32_t i = 0; i < engine->arrival_count; i++) {
        arrival it = engine->arrivals[i];
        struct io_uring_recvmsg_out *packet = io_uring_recvmsg_validate(buffer_at(engine, it.buffer), (int)it.byte_count, &engine->wanted);
        if (packet == NULL) {
            give_buffer(engine, it.buffer);
            mslot_incoming_error(endpoint, it.socket);
            continue;
        }
        unsigned char *source = io_uring_recvmsg_name(packet);
        struct msghdr header = {
            .msg_name = source,
            .msg_namelen = packet->namelen,
            .msg_control = source + SOURCE_BYTES,
            .msg_controllen = packet->controllen < INCOMING_CONTROL_BYTES ? packet->controllen : INCOMING_CONTROL_BYTES,
        };
        size_t byte_count = io_uring_recvmsg_payload_length(packet, (int)it.byte_count, &engine->wanted);
        mslot_incoming_add(endpoint, it.socket, &header, io_uring_recvmsg_payload(packet, &engine->wanted), byte_count, it.buffer);
    }
    engine->arrival_count = 0;
}

static void uring_recycle(mslot_datagram_endpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoint->incoming.count; i++) give_buffer(endpoint->engine, endpoint->incoming.packets[i].buffer);
}

static mslot_datagram_waited uring_wait(mslot_datagram_endpoint *endpoint, int64_t deadline_ns)
{
    uring_engine *engine = endpoint->engine;
    absorb(endpoint);
    for (bool is_time_up = false; engine->arrival_count == 0 && !engine->is_woken && !engine->has_failed && !is_time_up;) {
        arm(endpoint);
        struct timespec left = mslot_transport_timespec(mslot_transport_left_ns(deadline_ns));
        struct __kernel_timespec timeout = {.tv_sec = left.tv_sec, .tv_nsec = left.tv_nsec};
        struct io_uring_cqe *completion;
        int result = io_uring_submit_and_wait_timeout(&engine->receive_ring, &completion, 1, &timeout, NULL);
        // By the clock, whatever ended the wait.
        is_time_up = deadline_ns <= mslot_transport_now_ns();
        // EAGAIN, EBUSY - the kernel has no memory at this moment.
        if (result < 0 && result != -ETIME && result != -EINTR) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        absorb(endpoint);
    }
    mslot_datagram_waited waited = {
        .outcome = MSLOT_DATAGRAM_DONE, .is_readable = engine->arrival_count > 0 || engine->has_failed, .is_woken = engine->is_woken};
    engine->is_woken = false;
    return waited;
}

// MARK: probing

/// Why the kernel has no ring for us.
static void explain_refusal(int error, char text[MSLOT_DATAGRAM_TEXT_MAX])
{
    char setting = '0';
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file != NULL) {
        if (fread(&setting, 1, 1, file) != 1) setting = '0';
        fclose(file);
    }
    if (setting != '0' && (error == EPERM || error == EACCES))
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: forbidden by sysctl kernel.io_uring_disabled=%c; 0 allows it", setting);
    else if (error == EPERM || error == EACCES)
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX,
            "io_uring: forbidden (%s), as by a container's seccomp filter: allow io_uring_setup, _enter and _register", strerror(error));
    else if (error == ENOSYS)
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: not in this kernel, or hidden by a sandbox or an emulator (ENOSYS)");
    else if (error == ENOMEM)
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: too little memory may be locked: raise RLIMIT_MEMLOCK (ulimit -l)");
    else snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: the kernel gives no ring: %s", strerror(error));
}

/// Receives one datagram, from a pair of local sockets, the way the engine does. 0 or an errno.
static int try_receive(uring_engine *engine)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
    struct io_uring_sqe *request = io_uring_get_sqe(&engine->receive_ring);
    io_uring_prep_recvmsg_multishot(request, pair[0], &engine->wanted, 0);
    request->flags |= IOSQE_BUFFER_SELECT;
    request->buf_group = BUFFER_GROUP;
    struct io_uring_cqe *completion = NULL;
    int error = 0;
    if (send(pair[1], "x", 1, MSG_NOSIGNAL) != 1) {
        error = errno;
    } else {
        struct __kernel_timespec timeout = {.tv_sec = 1};
        int result = io_uring_submit_and_wait_timeout(&engine->receive_ring, &completion, 1, &timeout, NULL);
        error = completion == NULL ? (result < 0 ? -result : EIO) : completion->res < 0 ? -completion->res : 0;
    }
    close(pair[0]);
    close(pair[1]);
    return error;
}

static bool uring_probe(char text[MSLOT_DATAGRAM_TEXT_MAX])
{
    uring_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: no memory");
        return false;
    }
    struct io_uring ring;
    int error = open_ring(1, &ring, (struct io_uring_params){0});
    if (error != 0) {
        explain_refusal(error, text);
        free(engine);
        return false;
    }
    close_ring(&ring);
    error = open_receive_ring(engine);
    if (error == 0) {
        error = try_receive(engine);
        close_receive_ring(engine);
    }
    free(engine);
    struct utsname name;
    uname(&name);
    if (error == 0) snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: kernel %.64s", name.release);
    else
        snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: kernel %.64s cannot receive many datagrams by one request (%s); 6.0 can",
            name.release, strerror(error));
    return error == 0;
}

#else

#include <errno.h>

static bool uring_probe(char text[MSLOT_DATAGRAM_TEXT_MAX])
{
    snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "io_uring: not built in, liburing was missing; install liburing-dev and build again");
    return false;
}

static int uring_open(mslot_datagram_endpoint *endpoint, void **state)
{
    (void)endpoint;
    (void)state;
    return ENOSYS;
}

// None is called: there is no such endpoint.
#define uring_close NULL
#define uring_transmit NULL
#define uring_collect NULL
#define uring_recycle NULL
#define uring_wait NULL

#endif

const mslot_datagram_engine_calls mslot_datagram_io_uring = {
    .open = uring_open,
    .close = uring_close,
    .transmit = uring_transmit,
    .collect = uring_collect,
    .recycle = uring_recycle,
    .wait = uring_wait,
    .probe = uring_probe,
};

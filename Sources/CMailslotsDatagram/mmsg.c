// The engine that is always there: sendmmsg, recvmmsg, poll.

#include "endpoint.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct mmsg_engine {
    struct mmsghdr messages[INCOMING_PACKETS_MAX];
    struct iovec pieces[INCOMING_PACKETS_MAX];
    mslot_socket_address sources[INCOMING_PACKETS_MAX];
    _Alignas(struct cmsghdr) unsigned char controls[INCOMING_PACKETS_MAX][INCOMING_CONTROL_BYTES];
    /// INCOMING_PACKETS_MAX times INCOMING_BYTES_MAX.
    unsigned char *bytes;
    /// The socket that is asked first: none starves.
    uint32_t first;
} mmsg_engine;

enum { MEMORY_BYTES = INCOMING_PACKETS_MAX * INCOMING_BYTES_MAX };

static int mmsg_open(mslot_datagram_endpoint *endpoint, void **state)
{
    (void)endpoint;
    mmsg_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return ENOMEM;
    engine->bytes = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (engine->bytes == MAP_FAILED) {
        free(engine);
        return ENOMEM;
    }
    *state = engine;
    return 0;
}

static void mmsg_close(void *state)
{
    mmsg_engine *engine = state;
    munmap(engine->bytes, MEMORY_BYTES);
    free(engine);
}

static mslot_transmitted mmsg_transmit(
    mslot_datagram_endpoint *endpoint, const mslot_datagram_socket *socket, struct mmsghdr *messages, uint32_t count)
{
    (void)endpoint;
    mslot_transmitted transmitted = {.count = 0, .error = 0};
    while (transmitted.count < count) {
        int result = sendmmsg(socket->descriptor, messages + transmitted.count, count - transmitted.count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0) {
            transmitted.count += (uint32_t)result;
        } else if (result == 0 || errno != EINTR) {
            transmitted.error = result == 0 ? EAGAIN : errno;
            break;
        }
    }
    return transmitted;
}

/// Receives what one socket has, into the buffers that are left.
static void collect_from(mslot_datagram_endpoint *endpoint, mmsg_engine *engine, uint32_t socket)
{
    uint32_t first = endpoint->incoming.count;
    for (uint32_t i = first; i < INCOMING_PACKETS_MAX; i++) {
        engine->pieces[i] = (struct iovec){.iov_base = engine->bytes + (size_t)i * INCOMING_BYTES_MAX, .iov_len = INCOMING_BYTES_MAX};
        engine->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &engine->sources[i],
            .msg_namelen = sizeof engine->sources[i],
            .msg_iov = &engine->pieces[i],
            .msg_iovlen = 1,
            .msg_control = engine->controls[i],
            .msg_controllen = sizeof engine->controls[i],
        };
    }
    int result;
    do {
        result = recvmmsg(endpoint->sockets[socket].descriptor, engine->messages + first, INCOMING_PACKETS_MAX - first, MSG_DONTWAIT, NULL);
    } while (result < 0 && errno == EINTR);
    if (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK) mslot_incoming_error(endpoint, socket);
    for (int i = 0; i < result; i++) {
        struct mmsghdr *message = &engine->messages[first + (uint32_t)i];
        mslot_incoming_add(
            endpoint, socket, &message->msg_hdr, message->msg_hdr.msg_iov->iov_base, message->msg_len, (uint16_t)(first + (uint32_t)i));
    }
}

static void mmsg_collect(mslot_datagram_endpoint *endpoint)
{
    mmsg_engine *engine = endpoint->engine;
    uint32_t sockets = endpoint->socket_count;
    for (uint32_t i = 0; i < sockets && endpoint->incoming.count < INCOMING_PACKETS_MAX; i++)
        collect_from(endpoint, engine, (engine->first + i) % sockets);
    engine->first++;
}

static void mmsg_recycle(mslot_datagram_endpoint *endpoint) { (void)endpoint; }

static mslot_datagram_waited mmsg_wait(mslot_datagram_endpoint *endpoint, int64_t deadline_ns)
{
    struct pollfd on[MSLOT_DATAGRAM_SOCKETS_MAX + 1];
    uint32_t sockets = endpoint->socket_count;
    for (uint32_t i = 0; i < sockets; i++) on[i] = (struct pollfd){.fd = endpoint->sockets[i].descriptor, .events = POLLIN};
    on[sockets] = (struct pollfd){.fd = endpoint->wake_descriptor, .events = POLLIN};
    int ready;
    do {
        struct timespec left = mslot_transport_timespec(mslot_transport_left_ns(deadline_ns));
        ready = ppoll(on, sockets + 1, &left, NULL);
    } while (ready < 0 && errno == EINTR);

    mslot_datagram_waited waited = {.outcome = MSLOT_DATAGRAM_DONE, .is_readable = false, .is_woken = false};
    if (ready <= 0) return waited;
    // An error is readable too: receiving takes and counts it.
    for (uint32_t i = 0; i < sockets; i++) waited.is_readable |= on[i].revents != 0;
    if (on[sockets].revents != 0) waited.is_woken = mslot_datagram_take_wake(endpoint);
    return waited;
}

static bool mmsg_probe(char text[MSLOT_DATAGRAM_TEXT_MAX])
{
    snprintf(text, MSLOT_DATAGRAM_TEXT_MAX, "mmsg: sendmmsg, recvmmsg");
    return true;
}

const mslot_datagram_engine_calls mslot_datagram_mmsg = {
    .open = mmsg_open,
    .close = mmsg_close,
    .transmit = mmsg_transmit,
    .collect = mmsg_collect,
    .recycle = mmsg_recycle,
    .wait = mmsg_wait,
    .probe = mmsg_probe,
};

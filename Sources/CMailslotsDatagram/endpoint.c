// An endpoint: opening, closing, waiting, and what it says of itself.

#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

// MARK: opening and closing

static const mslot_datagram_engine_calls *calls_of(mslot_datagram_engine engine)
{
    return engine == MSLOT_DATAGRAM_IO_URING ? &mslot_datagram_io_uring : &mslot_datagram_mmsg;
}

mslot_datagram_probed mslot_datagram_probe(mslot_datagram_engine engine)
{
    int saved_errno = errno;
    mslot_datagram_probed probed;
    memset(&probed, 0, sizeof probed);
    probed.is_usable = calls_of(engine)->probe(probed.text);
    errno = saved_errno;
    return probed;
}

static mslot_datagram_outcome outcome_of(int error)
{
    switch (error) {
    case 0: return MSLOT_DATAGRAM_DONE;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOBUFS: return MSLOT_DATAGRAM_NO_RESOURCES;
    default: return MSLOT_DATAGRAM_SYSTEM_ERROR;
    }
}

static int open_engine(mslot_datagram_endpoint *endpoint)
{
    endpoint->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (endpoint->wake_descriptor < 0) return errno;
    int error = endpoint->calls->open(endpoint, &endpoint->engine);
    if (error != 0) close(endpoint->wake_descriptor);
    return error;
}

mslot_datagram_opened mslot_datagram_open(mslot_datagram_engine engine)
{
    int saved_errno = errno;
    mslot_datagram_opened opened = {.endpoint = NULL, .outcome = MSLOT_DATAGRAM_DONE, .system_error = 0};
    mslot_datagram_probed ring = mslot_datagram_probe(MSLOT_DATAGRAM_IO_URING);
    if (engine == MSLOT_DATAGRAM_AUTO) engine = ring.is_usable ? MSLOT_DATAGRAM_IO_URING : MSLOT_DATAGRAM_MMSG;
    if (engine == MSLOT_DATAGRAM_IO_URING && !ring.is_usable) {
        opened.outcome = MSLOT_DATAGRAM_NO_ENGINE;
        return opened;
    }
    mslot_datagram_endpoint *endpoint = calloc(1, sizeof *endpoint);
    int error = ENOMEM;
    if (endpoint != NULL) {
        endpoint->kind = engine;
        endpoint->calls = calls_of(engine);
        error = open_engine(endpoint);
    }
    if (error == 0) {
        mslot_datagram_probed mmsg = mslot_datagram_probe(MSLOT_DATAGRAM_MMSG);
        if (engine == MSLOT_DATAGRAM_IO_URING) snprintf(endpoint->description, sizeof endpoint->description, "%s", ring.text);
        else
            snprintf(endpoint->description, sizeof endpoint->description, "%.40s; %.200s", mmsg.text,
                ring.is_usable ? "io_uring: was not asked for" : ring.text);
        opened.endpoint = endpoint;
    } else {
        free(endpoint);
        opened.outcome = outcome_of(error);
        opened.system_error = error;
    }
    errno = saved_errno;
    return opened;
}

mslot_datagram_outcome mslot_datagram_close(mslot_datagram_endpoint *endpoint)
{
    if (!mslot_transport_enter(&endpoint->sending)) return MSLOT_DATAGRAM_BUSY;
    if (!mslot_transport_enter(&endpoint->receiving)) {
        mslot_transport_leave(&endpoint->sending);
        return MSLOT_DATAGRAM_BUSY;
    }
    int saved_errno = errno;
    endpoint->calls->close(endpoint->engine);
    for (uint32_t i = 0; i < endpoint->socket_count; i++) close(endpoint->sockets[i].descriptor);
    close(endpoint->wake_descriptor);
    free(endpoint);
    errno = saved_errno;
    return MSLOT_DATAGRAM_DONE;
}

// MARK: waiting

mslot_datagram_waited mslot_datagram_wait(mslot_datagram_endpoint *endpoint, int64_t timeout_ns)
{
    mslot_datagram_waited waited = {.outcome = MSLOT_DATAGRAM_BUSY, .is_readable = false, .is_woken = false};
    if (!mslot_transport_enter(&endpoint->receiving)) return waited;
    int saved_errno = errno;
    if (endpoint->incoming.next < endpoint->incoming.count) {
        waited.is_readable = true;
    } else {
        mslot_incoming_recycle(endpoint);
        waited = endpoint->calls->wait(endpoint, mslot_transport_deadline(timeout_ns));
    }
    waited.outcome = MSLOT_DATAGRAM_DONE;
    errno = saved_errno;
    mslot_transport_leave(&endpoint->receiving);
    return waited;
}

// MARK: information

mslot_datagram_engine mslot_datagram_endpoint_engine(const mslot_datagram_endpoint *endpoint) { return endpoint->kind; }

void mslot_datagram_describe(const mslot_datagram_endpoint *endpoint, char text[MSLOT_DATAGRAM_TEXT_MAX])
{
    memcpy(text, endpoint->description, MSLOT_DATAGRAM_TEXT_MAX);
}

mslot_datagram_outcome mslot_datagram_info(const mslot_datagram_endpoint *endpoint, uint32_t socket, mslot_datagram_socket_info *info)
{
    if (socket >= mslot_socket_count(endpoint)) return MSLOT_DATAGRAM_BAD_ARGUMENT;
    const mslot_datagram_socket *it = &endpoint->sockets[socket];
    *info = (mslot_datagram_socket_info){
        .descriptor = it->descriptor,
        .address = it->address,
        .receive_buffer_bytes = it->receive_buffer_bytes,
        .send_buffer_bytes = it->send_buffer_bytes,
        .segmentation_refusal = __atomic_load_n(&it->segmentation_refusal, __ATOMIC_RELAXED), // the sending side may find it out
        .coalescing_refusal = it->coalescing_refusal,
    };
    return MSLOT_DATAGRAM_DONE;
}

mslot_datagram_outcome mslot_datagram_count(const mslot_datagram_endpoint *endpoint, uint32_t socket, mslot_datagram_counters *counters)
{
    if (socket >= mslot_socket_count(endpoint)) return MSLOT_DATAGRAM_BAD_ARGUMENT;
    _Static_assert(sizeof *counters % sizeof(uint64_t) == 0, "it is counters only, so that it can be copied as such");
    mslot_transport_count(counters, &endpoint->sockets[socket].counters, sizeof *counters);
    return MSLOT_DATAGRAM_DONE;
}

const char *mslot_datagram_outcome_text(mslot_datagram_outcome outcome)
{
    switch (outcome) {
    case MSLOT_DATAGRAM_DONE: return "done";
    case MSLOT_DATAGRAM_BLOCKED: return "the send buffer is full";
    case MSLOT_DATAGRAM_BUSY: return "another thread is using the endpoint";
    case MSLOT_DATAGRAM_BAD_ARGUMENT: return "an argument is out of its range";
    case MSLOT_DATAGRAM_TOO_MANY_SOCKETS: return "the endpoint has 16 sockets";
    case MSLOT_DATAGRAM_PORT_IN_USE: return "another socket has this port";
    case MSLOT_DATAGRAM_NO_PERMISSION: return "this user may not: a port below 1024, a firewall, a sandbox";
    case MSLOT_DATAGRAM_NOT_OUR_ADDRESS: return "no interface of this machine has the address";
    case MSLOT_DATAGRAM_NO_INTERFACE: return "there is no such interface, or none by which multicast goes";
    case MSLOT_DATAGRAM_NO_SUCH_FAMILY: return "the kernel does not speak this version of IP";
    case MSLOT_DATAGRAM_ALREADY_SO: return "the socket is in the group already, or is not in it";
    case MSLOT_DATAGRAM_NO_ENGINE: return "the io_uring engine cannot be used";
    case MSLOT_DATAGRAM_NO_RESOURCES: return "no memory or no descriptors are left";
    case MSLOT_DATAGRAM_SYSTEM_ERROR: return "a system call failed";
    }
    return "not an outcome";
}

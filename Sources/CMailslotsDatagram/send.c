// Sending: datagrams are made into packets, the engine hands them to the kernel, and what it refuses is dealt with here.

#include "endpoint.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>

/// So long no runs are sent after the kernel refused one. It was about the way there: another destination's, and soon perhaps this one's,
/// may take them. Chosen: a refusal costs a system call.
enum { SEGMENTATION_PAUSE_NS = 1000000000 };

/// A batch on its way.
typedef struct sending {
    mslot_datagram_socket *socket;
    const mslot_datagram *datagrams;
    size_t count;
    /// Sent, or dropped and counted.
    size_t done;
    /// Before this one there are no runs: the kernel has refused them as one.
    size_t single_until;
    /// The errno of that refusal.
    int suspicion;
} sending;

static bool is_too_long(const mslot_datagram *datagram)
{
    return datagram->byte_count > (datagram->destination.family == 6 ? MSLOT_DATAGRAM_BYTES_MAX_IPV6 : MSLOT_DATAGRAM_BYTES_MAX);
}

static void drop(sending *batch, mslot_datagram_drop cause)
{
    mslot_transport_add(&batch->socket->counters.dropped[cause], 1);
    batch->done++;
}

static mslot_datagram_drop cause_of(int error)
{
    switch (error) {
    case EMSGSIZE: return MSLOT_DATAGRAM_DROP_MTU;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENODEV:
    case ENXIO:
    case EADDRNOTAVAIL:
    case ENOPROTOOPT:
    case EPROTO:
    case ECONNREFUSED: return MSLOT_DATAGRAM_DROP_UNREACHABLE;
    case EPERM:
    case EACCES: return MSLOT_DATAGRAM_DROP_FORBIDDEN;
    case ENOBUFS:
    case ENOMEM: return MSLOT_DATAGRAM_DROP_NO_BUFFERS;
    case EINVAL:
    case EAFNOSUPPORT:
    case EDESTADDRREQ: return MSLOT_DATAGRAM_DROP_BAD_ADDRESS;
    default: return MSLOT_DATAGRAM_DROP_OTHER;
    }
}

/// How many datagrams, from the one at `first`, go out as one packet: at least 1.
static uint32_t run_length(const sending *batch, size_t first, uint32_t pieces_left)
{
    const mslot_datagram *head = &batch->datagrams[first];
    // The kernel divides by the first one's length, so the last may be shorter, and none may be empty.
    if (batch->socket->segmentation_refusal != 0 || first < batch->single_until || head->byte_count == 0) return 1;
    uint32_t most = pieces_left < RUN_DATAGRAMS_MAX ? pieces_left : RUN_DATAGRAMS_MAX;
    size_t bytes = head->byte_count;
    uint32_t length = 1;
    while (length < most && first + length < batch->count) {
        const mslot_datagram *next = head + length;
        bytes += next->byte_count;
        if (next->byte_count == 0 || next->byte_count > head->byte_count || bytes > RUN_BYTES_MAX) break;
        if (!mslot_address_equal(&next->destination, &head->destination)) break;
        length++;
        if (next->byte_count < head->byte_count) break;
    }
    return length;
}

/// Appends a control message to those of a packet, for which there is room.
static void add_control(struct msghdr *header, int level, int type, const void *value, size_t byte_count)
{
    struct cmsghdr *control = (void *)((unsigned char *)header->msg_control + header->msg_controllen);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(byte_count);
    memcpy(CMSG_DATA(control), value, byte_count);
    header->msg_controllen += CMSG_SPACE(byte_count);
}

/// A group's packets go by its interface, and come from where the socket is bound.
static void add_interface(struct msghdr *header, const mslot_datagram_socket *socket, const mslot_address *group)
{
    if (group->family == 4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)group->interface_index};
        memcpy(&info.ipi_spec_dst, socket->address.bytes, sizeof info.ipi_spec_dst);
        add_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = group->interface_index};
        add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static void make_packet(
    mslot_outgoing *outgoing, uint32_t index, const sending *batch, const mslot_datagram *run, uint32_t length, struct iovec *pieces)
{
    for (uint32_t i = 0; i < length; i++)
        pieces[i] = (struct iovec){.iov_base = (void *)(uintptr_t)run[i].bytes, .iov_len = run[i].byte_count};
    struct msghdr *header = &outgoing->messages[index].msg_hdr;
    *header = (struct msghdr){
        .msg_name = &outgoing->destinations[index],
        .msg_namelen = mslot_address_to_socket(&run->destination, &outgoing->destinations[index]),
        .msg_iov = pieces,
        .msg_iovlen = length,
        .msg_control = outgoing->controls[index],
    };
    outgoing->datagram_counts[index] = length;
    if (length > 1) {
        uint16_t segment_bytes = (uint16_t)run->byte_count;
        add_control(header, SOL_UDP, UDP_SEGMENT, &segment_bytes, sizeof segment_bytes);
    }
    if (run->destination.interface_index != 0 && mslot_address_is_multicast(&run->destination))
        add_interface(header, batch->socket, &run->destination);
}

/// Makes packets of what comes next in the batch, up to a datagram that cannot be sent; how many packets.
static uint32_t make_packets(mslot_outgoing *outgoing, const sending *batch)
{
    uint32_t packets = 0, pieces = 0;
    for (size_t next = batch->done; next < batch->count && packets < OUTGOING_PACKETS_MAX && pieces < OUTGOING_PIECES_MAX; packets++) {
        const mslot_datagram *run = &batch->datagrams[next];
        // Without an address sendmsg would say EDESTADDRREQ, and to another family's EINVAL or worse: AF_INET works on IPv6 sockets.
        if (is_too_long(run) || run->destination.family != batch->socket->address.family) break;
        uint32_t length = run_length(batch, next, OUTGOING_PIECES_MAX - pieces);
        make_packet(outgoing, packets, batch, run, length, outgoing->pieces + pieces);
        next += length;
        pieces += length;
    }
    return packets;
}

static void count_sent(sending *batch, uint32_t datagrams)
{
    // As one they were refused, one by one not: so it was about being a run, and for a while none is sent. EIO, EINVAL - the card cannot
    // make checksums, or, before Linux 6.14, a path is narrower than the first of them; EOPNOTSUPP. Other errors come and go, ENOBUFS for
    // one.
    int suspicion = batch->done < batch->single_until ? batch->suspicion : 0;
    if (suspicion == EIO || suspicion == EINVAL || suspicion == EOPNOTSUPP) {
        batch->socket->segmentation_retry_ns = mslot_transport_now_ns() + SEGMENTATION_PAUSE_NS;
        __atomic_store_n(&batch->socket->segmentation_refusal, suspicion, __ATOMIC_RELAXED);
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < datagrams; i++) bytes += batch->datagrams[batch->done + i].byte_count;
    mslot_datagram_counters *counters = &batch->socket->counters;
    mslot_transport_add(&counters->sent, datagrams);
    mslot_transport_add(&counters->sent_bytes, bytes);
    mslot_transport_add(&counters->sent_packets, 1);
    batch->done += datagrams;
}

/// The kernel did not take this packet.
static void refused(sending *batch, uint32_t datagrams, int error)
{
    if (datagrams == 1) {
        drop(batch, cause_of(error));
        return;
    }
    // Perhaps it is one of them, perhaps that they are a run: one by one they show.
    batch->single_until = batch->done + datagrams;
    batch->suspicion = error;
}

/// False when the time is up.
static bool wait_for_room(const mslot_datagram_socket *socket, int64_t deadline_ns)
{
    if (deadline_ns == 0) return false;
    struct pollfd on = {.fd = socket->descriptor, .events = POLLOUT};
    int ready;
    do {
        struct timespec left = mslot_transport_timespec(mslot_transport_left_ns(deadline_ns));
        ready = ppoll(&on, 1, &left, NULL);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

static void allow_runs_again_if_due(mslot_datagram_socket *socket)
{
    if (socket->segmentation_refusal == 0 || socket->segmentation_retry_ns == 0) return;
    if (mslot_transport_now_ns() < socket->segmentation_retry_ns) return;
    __atomic_store_n(&socket->segmentation_refusal, 0, __ATOMIC_RELAXED);
}

static mslot_datagram_outcome send_batch(mslot_datagram_endpoint *endpoint, sending *batch, int64_t deadline_ns)
{
    mslot_outgoing *outgoing = &endpoint->outgoing;
    allow_runs_again_if_due(batch->socket);
    while (batch->done < batch->count) {
        uint32_t packets = make_packets(outgoing, batch);
        if (packets == 0) {
            drop(batch, is_too_long(&batch->datagrams[batch->done]) ? MSLOT_DATAGRAM_DROP_TOO_LONG : MSLOT_DATAGRAM_DROP_BAD_ADDRESS);
            continue;
        }
        mslot_transmitted transmitted = endpoint->calls->transmit(endpoint, batch->socket, outgoing->messages, packets);
        for (uint32_t i = 0; i < transmitted.count; i++) count_sent(batch, outgoing->datagram_counts[i]);
        if (transmitted.count == packets) continue;
        if (transmitted.error == EAGAIN || transmitted.error == EWOULDBLOCK) {
            mslot_transport_add(&batch->socket->counters.blocked, 1);
            if (!wait_for_room(batch->socket, deadline_ns)) return MSLOT_DATAGRAM_BLOCKED;
        } else {
            refused(batch, outgoing->datagram_counts[transmitted.count], transmitted.error);
        }
    }
    return MSLOT_DATAGRAM_DONE;
}

mslot_datagram_sent mslot_datagram_send(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_datagram *datagrams, size_t count, int64_t timeout_ns)
{
    mslot_datagram_sent sent = {.outcome = MSLOT_DATAGRAM_BAD_ARGUMENT, .count = 0};
    if (socket >= mslot_socket_count(endpoint)) return sent;
    sent.outcome = MSLOT_DATAGRAM_BUSY;
    if (!mslot_transport_enter(&endpoint->sending)) return sent;
    int saved_errno = errno;
    sending batch = {.socket = &endpoint->sockets[socket], .datagrams = datagrams, .count = count};
    sent.outcome = send_batch(endpoint, &batch, mslot_transport_deadline(timeout_ns));
    sent.count = batch.done;
    errno = saved_errno;
    mslot_transport_leave(&endpoint->sending);
    return sent;
}

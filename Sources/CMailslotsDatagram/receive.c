// Receiving: the engine brings packets, which are taken apart here.

#include "endpoint.h"

#include <errno.h>
#include <netinet/udp.h>

/// The control messages of a packet.
static void read_controls(mslot_datagram_socket *socket, struct msghdr *header, mslot_incoming_packet *packet)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            int segment_bytes;
            memcpy(&segment_bytes, CMSG_DATA(control), sizeof segment_bytes);
            if (segment_bytes > 0) packet->segment_bytes = (uint32_t)segment_bytes;
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
            uint32_t overflows;
            memcpy(&overflows, CMSG_DATA(control), sizeof overflows);
            mslot_transport_add(&socket->counters.overflows, (uint32_t)(overflows - socket->overflows_seen));
            socket->overflows_seen = overflows;
        }
    }
}

void mslot_incoming_add(
    mslot_datagram_endpoint *endpoint, uint32_t socket, struct msghdr *header, const void *bytes, size_t byte_count, uint16_t buffer)
{
    mslot_incoming_packet *packet = &endpoint->incoming.packets[endpoint->incoming.count++];
    *packet = (mslot_incoming_packet){
        .bytes = bytes,
        .byte_count = (uint32_t)byte_count,
        .segment_bytes = (uint32_t)byte_count,
        .buffer = buffer,
        .socket = (uint16_t)socket,
    };
    if (header->msg_name != NULL) packet->source = mslot_address_from_socket(header->msg_name);
    mslot_datagram_socket *from = &endpoint->sockets[socket];
    read_controls(from, header, packet);
    mslot_transport_add(&from->counters.received_packets, 1);
}

void mslot_incoming_recycle(mslot_datagram_endpoint *endpoint)
{
    endpoint->calls->recycle(endpoint);
    endpoint->incoming.count = 0;
    endpoint->incoming.next = 0;
}

void mslot_incoming_error(mslot_datagram_endpoint *endpoint, uint32_t socket)
{
    mslot_transport_add(&endpoint->sockets[socket].counters.receive_errors, 1);
}

/// The next datagram of a packet.
static mslot_datagram_view take_datagram(mslot_datagram_endpoint *endpoint)
{
    mslot_incoming *incoming = &endpoint->incoming;
    const mslot_incoming_packet *packet = &incoming->packets[incoming->next];
    uint32_t left = packet->byte_count - incoming->offset;
    uint32_t byte_count = left < packet->segment_bytes ? left : packet->segment_bytes;
    mslot_datagram_view view = {
        .bytes = packet->bytes + incoming->offset,
        .byte_count = byte_count < MSLOT_DATAGRAM_BYTES_MAX ? byte_count : MSLOT_DATAGRAM_BYTES_MAX,
        .socket = packet->socket,
        .is_truncated = byte_count > MSLOT_DATAGRAM_BYTES_MAX,
        .source = packet->source,
    };
    incoming->offset += byte_count;
    if (incoming->offset == packet->byte_count) {
        incoming->next++;
        incoming->offset = 0;
    }
    mslot_datagram_counters *counters = &endpoint->sockets[packet->socket].counters;
    mslot_transport_add(&counters->received, 1);
    mslot_transport_add(&counters->received_bytes, byte_count);
    if (view.is_truncated) mslot_transport_add(&counters->truncated, 1);
    return view;
}

mslot_datagram_received mslot_datagram_receive(mslot_datagram_endpoint *endpoint, mslot_datagram_view *views, size_t count)
{
    mslot_datagram_received received = {.outcome = MSLOT_DATAGRAM_BUSY, .count = 0};
    if (!mslot_transport_enter(&endpoint->receiving)) return received;
    int saved_errno = errno;
    mslot_incoming *incoming = &endpoint->incoming;
    if (incoming->next == incoming->count && count > 0) {
        mslot_incoming_recycle(endpoint);
        endpoint->calls->collect(endpoint);
    }
    while (received.count < count && incoming->next < incoming->count) views[received.count++] = take_datagram(endpoint);
    received.outcome = MSLOT_DATAGRAM_DONE;
    errno = saved_errno;
    mslot_transport_leave(&endpoint->receiving);
    return received;
}

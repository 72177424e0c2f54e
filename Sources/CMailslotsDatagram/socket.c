// Sockets: made, bound and told what they shall do.

#include "endpoint.h"

#include <errno.h>
#include <linux/in6.h>
#include <netinet/udp.h>
#include <unistd.h>

// linux/in6.h has it, older ones do not (Linux 4.20).
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static mslot_datagram_outcome outcome_of(int error)
{
    switch (error) {
    case 0: return MSLOT_DATAGRAM_DONE;
    case EADDRINUSE: return MSLOT_DATAGRAM_PORT_IN_USE;
    case EACCES:
    case EPERM: return MSLOT_DATAGRAM_NO_PERMISSION;
    case EADDRNOTAVAIL: return MSLOT_DATAGRAM_NOT_OUR_ADDRESS;
    case ENODEV:
    case ENXIO: return MSLOT_DATAGRAM_NO_INTERFACE;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT: return MSLOT_DATAGRAM_NO_SUCH_FAMILY;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE: return MSLOT_DATAGRAM_NO_RESOURCES;
    default: return MSLOT_DATAGRAM_SYSTEM_ERROR;
    }
}

/// 0 or an errno.
static int set(int descriptor, int level, int option, const void *value, socklen_t byte_count)
{
    return setsockopt(descriptor, level, option, value, byte_count) == 0 ? 0 : errno;
}

static int set_int(int descriptor, int level, int option, int value) { return set(descriptor, level, option, &value, sizeof value); }

/// Asks for a buffer, with a privileged call first, which is not limited; what it got. The kernel doubles what it is asked for, and says
/// so.
static uint32_t set_buffer(int descriptor, int privileged_option, int option, uint32_t wanted)
{
    int value = wanted > INT32_MAX / 2 ? INT32_MAX / 2 : (int)wanted;
    if (set_int(descriptor, SOL_SOCKET, privileged_option, value) != 0) set_int(descriptor, SOL_SOCKET, option, value);
    int got = 0;
    socklen_t byte_count = sizeof got;
    return getsockopt(descriptor, SOL_SOCKET, option, &got, &byte_count) == 0 ? (uint32_t)got / 2 : 0;
}

static int set_loop(int descriptor, uint16_t family, bool loops)
{
    return family == 4 ? set_int(descriptor, IPPROTO_IP, IP_MULTICAST_LOOP, loops)
                       : set_int(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loops);
}

static int set_up_ipv4(int descriptor, const mslot_datagram_bind_options *options)
{
    // Without it a socket also gets what is sent to groups that others of this machine have joined.
    int error = set_int(descriptor, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (error == 0) error = set_int(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO); // never a fragment
    if (error == 0) error = set_int(descriptor, IPPROTO_IP, IP_MULTICAST_TTL, options->multicast_hops);
    if (error == 0 && options->multicast_interface != 0) {
        struct ip_mreqn interface = {.imr_ifindex = (int)options->multicast_interface};
        error = set(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface);
        if (error == EADDRNOTAVAIL) error = ENODEV;
    }
    return error;
}

static int set_up_ipv6(int descriptor, const mslot_datagram_bind_options *options)
{
    int error = set_int(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_int(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    if (error == 0) error = set_int(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
    if (error == 0) error = set_int(descriptor, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
    if (error == 0) error = set_int(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, options->multicast_hops);
    if (error == 0 && options->multicast_interface != 0)
        error = set_int(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)options->multicast_interface);
    return error;
}

/// 0 or an errno.
static int set_up(mslot_datagram_socket *socket, const mslot_datagram_bind_options *options)
{
    int descriptor = socket->descriptor;
    int error = options->address.family == 4 ? set_up_ipv4(descriptor, options) : set_up_ipv6(descriptor, options);
    if (error == 0) error = set_loop(descriptor, options->address.family, options->multicast_loops);
    if (error == 0 && options->shares_port) error = set_int(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0) error = set_int(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (error != 0) return error;
    socket->receive_buffer_bytes = set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, options->receive_buffer_bytes);
    socket->send_buffer_bytes = set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, options->send_buffer_bytes);
    // ENOPROTOOPT - older than Linux 4.18 and 5.0. Each packet says anew how long its segments are; here we only ask.
    socket->segmentation_refusal = set_int(descriptor, SOL_UDP, UDP_SEGMENT, 0);
    socket->coalescing_refusal = set_int(descriptor, SOL_UDP, UDP_GRO, 1);

    mslot_socket_address address;
    socklen_t byte_count = mslot_address_to_socket(&options->address, &address);
    if (bind(descriptor, &address.any, byte_count) != 0) return errno;
    byte_count = sizeof address;
    if (getsockname(descriptor, &address.any, &byte_count) != 0) return errno;
    socket->address = mslot_address_from_socket(&address);
    return 0;
}

static int add_socket(mslot_datagram_endpoint *endpoint, const mslot_datagram_bind_options *options)
{
    mslot_datagram_socket *made = &endpoint->sockets[endpoint->socket_count];
    memset(made, 0, sizeof *made);
    // Not SOCK_NONBLOCK: io_uring would then end a receive that finds nothing instead of waiting for it. Calls say MSG_DONTWAIT.
    made->descriptor = socket(options->address.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (made->descriptor < 0) return errno;
    int error = set_up(made, options);
    if (error != 0) {
        close(made->descriptor);
        return error;
    }
    __atomic_store_n(&endpoint->socket_count, endpoint->socket_count + 1, __ATOMIC_RELEASE); // pairs with mslot_socket_count
    return 0;
}

mslot_datagram_bound mslot_datagram_bind(mslot_datagram_endpoint *endpoint, const mslot_datagram_bind_options *options)
{
    mslot_datagram_bound bound;
    memset(&bound, 0, sizeof bound);
    if (!mslot_transport_enter(&endpoint->receiving)) {
        bound.outcome = MSLOT_DATAGRAM_BUSY;
        return bound;
    }
    int saved_errno = errno;
    if (options->address.family != 4 && options->address.family != 6) {
        bound.outcome = MSLOT_DATAGRAM_BAD_ARGUMENT;
    } else if (endpoint->socket_count == MSLOT_DATAGRAM_SOCKETS_MAX) {
        bound.outcome = MSLOT_DATAGRAM_TOO_MANY_SOCKETS;
    } else {
        bound.system_error = add_socket(endpoint, options);
        bound.outcome = outcome_of(bound.system_error);
        if (bound.outcome == MSLOT_DATAGRAM_DONE) {
            bound.socket = endpoint->socket_count - 1;
            bound.address = endpoint->sockets[bound.socket].address;
        }
    }
    errno = saved_errno;
    mslot_transport_leave(&endpoint->receiving);
    return bound;
}

// MARK: groups

static int change_membership(const mslot_datagram_socket *socket, const mslot_address *group, uint32_t interface_index, bool joins)
{
    if (group->family == 4) {
        struct ip_mreqn request = {.imr_ifindex = (int)interface_index};
        memcpy(&request.imr_multiaddr, group->bytes, sizeof request.imr_multiaddr);
        return set(socket->descriptor, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request, sizeof request);
    }
    struct ipv6_mreq request = {.ipv6mr_interface = interface_index};
    memcpy(&request.ipv6mr_multiaddr, group->bytes, sizeof request.ipv6mr_multiaddr);
    return set(socket->descriptor, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request, sizeof request);
}

static mslot_datagram_outcome change_group(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_address *group, uint32_t interface_index, bool joins)
{
    if (!mslot_transport_enter(&endpoint->receiving)) return MSLOT_DATAGRAM_BUSY;
    int saved_errno = errno;
    mslot_datagram_outcome outcome = MSLOT_DATAGRAM_BAD_ARGUMENT;
    if (socket < endpoint->socket_count && mslot_address_is_multicast(group) && group->family == endpoint->sockets[socket].address.family) {
        int error = change_membership(&endpoint->sockets[socket], group, interface_index, joins);
        // EADDRINUSE - it is in this group; EADDRNOTAVAIL - it is not.
        outcome = error == EADDRINUSE || error == EADDRNOTAVAIL ? MSLOT_DATAGRAM_ALREADY_SO : outcome_of(error);
    }
    errno = saved_errno;
    mslot_transport_leave(&endpoint->receiving);
    return outcome;
}

mslot_datagram_outcome mslot_datagram_join(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_address *group, uint32_t interface_index)
{
    return change_group(endpoint, socket, group, interface_index, true);
}

mslot_datagram_outcome mslot_datagram_leave(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_address *group, uint32_t interface_index)
{
    return change_group(endpoint, socket, group, interface_index, false);
}

mslot_datagram_outcome mslot_datagram_loop_multicast(mslot_datagram_endpoint *endpoint, uint32_t socket, bool loops)
{
    if (!mslot_transport_enter(&endpoint->receiving)) return MSLOT_DATAGRAM_BUSY;
    int saved_errno = errno;
    mslot_datagram_outcome outcome = MSLOT_DATAGRAM_BAD_ARGUMENT;
    if (socket < endpoint->socket_count)
        outcome = outcome_of(set_loop(endpoint->sockets[socket].descriptor, endpoint->sockets[socket].address.family, loops));
    errno = saved_errno;
    mslot_transport_leave(&endpoint->receiving);
    return outcome;
}

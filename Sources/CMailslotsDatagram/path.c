// Paths: what the kernel's routes say of a destination, before anything is sent there.

#include "endpoint.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

/// Bytes of the headers before a datagram, IPv4's or IPv6's, and UDP's.
enum { IPV4_HEADERS = 20 + 8, IPV6_HEADERS = 40 + 8 };

/// 0 or an errno. A group's packets go by its interface.
static int set_multicast_interface(int descriptor, const mslot_address *group)
{
    int result;
    if (group->family == 4) {
        struct ip_mreqn interface = {.imr_ifindex = (int)group->interface_index};
        result = setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface);
    } else {
        int interface = (int)group->interface_index;
        result = setsockopt(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    }
    return result == 0 ? 0 : errno;
}

/// 0 or an errno.
static int ask(int descriptor, const mslot_address *destination, mslot_datagram_path *path)
{
    if (mslot_address_is_multicast(destination) && destination->interface_index != 0) {
        int error = set_multicast_interface(descriptor, destination);
        if (error != 0) return error == EADDRNOTAVAIL ? ENODEV : error;
    }
    mslot_socket_address address;
    socklen_t byte_count = mslot_address_to_socket(destination, &address);
    // Nothing is sent: the kernel only looks up its routes.
    if (connect(descriptor, &address.any, byte_count) != 0) return errno;
    byte_count = sizeof address;
    if (getsockname(descriptor, &address.any, &byte_count) != 0) return errno;
    path->source = mslot_address_from_socket(&address);
    path->source.port = 0;

    bool is_ipv4 = destination->family == 4;
    int mtu = 0, headers = is_ipv4 ? IPV4_HEADERS : IPV6_HEADERS, most = is_ipv4 ? MSLOT_DATAGRAM_BYTES_MAX : MSLOT_DATAGRAM_BYTES_MAX_IPV6;
    byte_count = sizeof mtu;
    if (getsockopt(descriptor, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_MTU : IPV6_MTU, &mtu, &byte_count) != 0) return errno;
    path->byte_count_max = mtu <= headers ? 0 : (uint32_t)(mtu - headers < most ? mtu - headers : most);
    return 0;
}

mslot_datagram_path mslot_datagram_path_to(const mslot_address *destination)
{
    mslot_datagram_path path;
    memset(&path, 0, sizeof path);
    int saved_errno = errno;
    int descriptor = socket(destination->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    path.system_error = descriptor < 0 ? errno : ask(descriptor, destination, &path);
    if (descriptor >= 0) close(descriptor);
    errno = saved_errno;
    return path;
}

/// Whether an interface's address is this one. Of a loopback interface every address of its network is the machine's own.
static bool is_of(const struct ifaddrs *entry, const mslot_address *address)
{
    if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != (address->family == 4 ? AF_INET : AF_INET6)) return false;
    mslot_address of = mslot_address_from_socket((const mslot_socket_address *)(const void *)entry->ifa_addr);
    if (memcmp(of.bytes, address->bytes, sizeof of.bytes) == 0) return true;
    if (address->family != 4 || !(entry->ifa_flags & IFF_LOOPBACK) || entry->ifa_netmask == NULL) return false;
    mslot_address mask = mslot_address_from_socket((const mslot_socket_address *)(const void *)entry->ifa_netmask);
    for (int i = 0; i < 4; i++)
        if ((of.bytes[i] ^ address->bytes[i]) & mask.bytes[i]) return false;
    return true;
}

uint32_t mslot_address_interface(const mslot_address *address)
{
    if (address->interface_index != 0) return address->interface_index;
    int saved_errno = errno;
    struct ifaddrs *entries = NULL;
    uint32_t interface_index = 0;
    if (getifaddrs(&entries) == 0) {
        for (struct ifaddrs *entry = entries; entry != NULL && interface_index == 0; entry = entry->ifa_next)
            if (is_of(entry, address)) interface_index = if_nametoindex(entry->ifa_name);
        freeifaddrs(entries);
    }
    errno = saved_errno;
    return interface_index;
}

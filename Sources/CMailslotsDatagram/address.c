// Addresses: as text, as the kernel takes them, and as we keep them.

#include "endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOST_TEXT_MAX = INET6_ADDRSTRLEN + IF_NAMESIZE };

static bool parse_ipv6(const char *text, mslot_address *address)
{
    char host[HOST_TEXT_MAX];
    if ((size_t)snprintf(host, sizeof host, "%s", text) >= sizeof host) return false;
    char *zone = strchr(host, '%');
    if (zone != NULL) {
        *zone++ = 0;
        address->interface_index = if_nametoindex(zone);
        if (address->interface_index == 0) return false;
    }
    return inet_pton(AF_INET6, host, address->bytes) == 1;
}

mslot_address_parsed mslot_address_parse(const char *text, uint16_t port)
{
    mslot_address_parsed parsed;
    memset(&parsed, 0, sizeof parsed);
    mslot_address *address = &parsed.address;
    address->port = port;
    if (text == NULL) return parsed;
    if (inet_pton(AF_INET, text, address->bytes) == 1) {
        address->family = 4;
        parsed.is_valid = true;
    } else if (parse_ipv6(text, address)) {
        address->family = 6;
        parsed.is_valid = true;
    }
    return parsed;
}

void mslot_address_describe(const mslot_address *address, char text[MSLOT_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    char zone[IF_NAMESIZE + 1] = "";
    if (address->family == 4) {
        inet_ntop(AF_INET, address->bytes, host, sizeof host);
        snprintf(text, MSLOT_ADDRESS_TEXT_MAX, "%s:%u", host, (unsigned)address->port);
        return;
    }
    if (address->family == 6) inet_ntop(AF_INET6, address->bytes, host, sizeof host);
    if (address->interface_index != 0 && if_indextoname(address->interface_index, zone + 1) != NULL) zone[0] = '%';
    snprintf(text, MSLOT_ADDRESS_TEXT_MAX, "[%s%s]:%u", host, zone, (unsigned)address->port);
}

socklen_t mslot_address_to_socket(const mslot_address *address, mslot_socket_address *to)
{
    memset(to, 0, sizeof *to);
    switch (address->family) {
    case 4:
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(address->port);
        memcpy(&to->v4.sin_addr, address->bytes, sizeof to->v4.sin_addr);
        return sizeof to->v4;
    case 6:
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(address->port);
        memcpy(&to->v6.sin6_addr, address->bytes, sizeof to->v6.sin6_addr);
        to->v6.sin6_scope_id = address->interface_index;
        return sizeof to->v6;
    default: return 0;
    }
}

mslot_address mslot_address_from_socket(const mslot_socket_address *from)
{
    mslot_address address;
    memset(&address, 0, sizeof address);
    if (from->any.sa_family == AF_INET) {
        address.family = 4;
        address.port = ntohs(from->v4.sin_port);
        memcpy(address.bytes, &from->v4.sin_addr, sizeof from->v4.sin_addr);
    } else if (from->any.sa_family == AF_INET6) {
        address.family = 6;
        address.port = ntohs(from->v6.sin6_port);
        memcpy(address.bytes, &from->v6.sin6_addr, sizeof from->v6.sin6_addr);
        address.interface_index = from->v6.sin6_scope_id;
    }
    return address;
}

bool mslot_address_is_multicast(const mslot_address *address)
{
    return address->family == 4 ? address->bytes[0] >> 4 == 14 : address->family == 6 && address->bytes[0] == 0xff;
}

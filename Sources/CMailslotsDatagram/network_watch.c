// What happens to the machine's own network: the kernel's messages about links, addresses and routes.

#include "endpoint.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

/// Room for what the kernel puts into one message of a multicast group. Of a longer one we see the first part, which says enough.
enum { MESSAGES_BYTES = 8192 };

mslot_network_watch mslot_network_watch_begin(void)
{
    int saved_errno = errno;
    mslot_network_watch watch = {
        .descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), .system_error = 0};
    const struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
    };
    if (watch.descriptor < 0 || bind(watch.descriptor, (const struct sockaddr *)&groups, sizeof groups) != 0) {
        watch.system_error = errno;
        mslot_network_watch_end(&watch);
    }
    errno = saved_errno;
    return watch;
}

void mslot_network_watch_end(mslot_network_watch *watch)
{
    int saved_errno = errno;
    if (watch->descriptor >= 0) close(watch->descriptor);
    watch->descriptor = -1;
    errno = saved_errno;
}

static void add_removed(mslot_network_changes *changes, uint32_t interface_index)
{
    if (changes->removed_count == MSLOT_NETWORK_REMOVED_MAX) changes->is_incomplete = true;
    else changes->removed[changes->removed_count++] = interface_index;
}

static void take_messages(mslot_network_changes *changes, const unsigned char *bytes, size_t byte_count)
{
    struct nlmsghdr message;
    for (size_t at = 0; at + sizeof message <= byte_count; at += NLMSG_ALIGN(message.nlmsg_len)) {
        memcpy(&message, bytes + at, sizeof message);
        if (message.nlmsg_len < sizeof message || message.nlmsg_len > byte_count - at) break;
        changes->is_changed = true;
        struct ifinfomsg link;
        if (message.nlmsg_type != RTM_DELLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof link)) continue;
        memcpy(&link, bytes + at + NLMSG_HDRLEN, sizeof link);
        // A link that leaves a bridge device says the same, of another family, and stays.
        if (link.ifi_family == AF_UNSPEC) add_removed(changes, (uint32_t)link.ifi_index);
    }
}

mslot_network_changes mslot_network_watch_take(mslot_network_watch *watch)
{
    mslot_network_changes changes;
    memset(&changes, 0, sizeof changes);
    if (watch->descriptor < 0) return changes;
    int saved_errno = errno;
    for (;;) {
        unsigned char messages[MESSAGES_BYTES];
        struct sockaddr_nl sender;
        socklen_t sender_bytes = sizeof sender;
        ssize_t bytes = recvfrom(watch->descriptor, messages, sizeof messages, MSG_DONTWAIT, (struct sockaddr *)&sender, &sender_bytes);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0) {
            // ENOBUFS - some were lost.
            bool is_lossy = errno == ENOBUFS;
            if (!is_lossy) break;
            changes.is_changed = changes.is_incomplete = true;
            continue;
        }
        // 0: the kernel. Other processes may send here, too.
        if (sender.nl_pid == 0) take_messages(&changes, messages, (size_t)bytes);
    }
    errno = saved_errno;
    return changes;
}

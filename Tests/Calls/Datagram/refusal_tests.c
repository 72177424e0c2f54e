// What the kernel, the network and other programs do to us: refusals, losses, hostile datagrams.

#include "endpoints.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static mslot_datagram_endpoint *endpoint_with_socket(mslot_datagram_engine engine, mslot_datagram_bound *bound)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    *bound = must_bind(endpoint, &options);
    return endpoint;
}

// MARK: binding

CONFORMANCE(a_port_that_is_in_use_is_refused)
{
    mslot_datagram_bound first;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &first);
    mslot_datagram_bind_options options = on_loopback(4);
    options.address = first.address;
    mslot_datagram_bound second = mslot_datagram_bind(endpoint, &options);
    expect_equal(second.outcome, MSLOT_DATAGRAM_PORT_IN_USE);
    expect_equal(second.system_error, EADDRINUSE);
    options.shares_port = true; // the first one does not
    expect_equal(mslot_datagram_bind(endpoint, &options).outcome, MSLOT_DATAGRAM_PORT_IN_USE);
    close_endpoint(endpoint);
}

CONFORMANCE(a_wrong_address_or_socket_is_refused)
{
    mslot_datagram_bound bound;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &bound);
    mslot_datagram_bind_options options = on_loopback(4);
    options.address = address_of("192.0.2.1", 0);
    expect_equal(mslot_datagram_bind(endpoint, &options).outcome, MSLOT_DATAGRAM_NOT_OUR_ADDRESS);
    options = on_loopback(4);
    options.address.family = 5;
    expect_equal(mslot_datagram_bind(endpoint, &options).outcome, MSLOT_DATAGRAM_BAD_ARGUMENT);
    options = on_loopback(4);
    options.multicast_interface = 99999;
    expect_equal(mslot_datagram_bind(endpoint, &options).outcome, MSLOT_DATAGRAM_NO_INTERFACE);

    mslot_address group = address_of("239.255.77.1", 0), no_group = address_of("127.0.0.1", 0), other_family = address_of("ff12::77", 0);
    expect_equal(mslot_datagram_join(endpoint, 0, &no_group, 0), MSLOT_DATAGRAM_BAD_ARGUMENT);
    expect_equal(mslot_datagram_join(endpoint, 0, &other_family, 0), MSLOT_DATAGRAM_BAD_ARGUMENT);
    expect_equal(mslot_datagram_join(endpoint, 1, &group, 0), MSLOT_DATAGRAM_BAD_ARGUMENT);
    expect_equal(mslot_datagram_join(endpoint, 0, &group, 99999), MSLOT_DATAGRAM_NO_INTERFACE);
    expect_equal(mslot_datagram_leave(endpoint, 0, &group, if_nametoindex("lo")), MSLOT_DATAGRAM_ALREADY_SO);
    mslot_datagram_counters counters;
    mslot_datagram_socket_info info;
    expect_equal(mslot_datagram_count(endpoint, 1, &counters), MSLOT_DATAGRAM_BAD_ARGUMENT);
    expect_equal(mslot_datagram_info(endpoint, 1, &info), MSLOT_DATAGRAM_BAD_ARGUMENT);
    expect_equal(mslot_datagram_send(endpoint, 1, NULL, 0, 0).outcome, MSLOT_DATAGRAM_BAD_ARGUMENT);
    for (int i = 1; i < MSLOT_DATAGRAM_SOCKETS_MAX; i++) {
        options = on_loopback(4);
        expect_equal(must_bind(endpoint, &options).socket, i);
    }
    expect_equal(mslot_datagram_bind(endpoint, &options).outcome, MSLOT_DATAGRAM_TOO_MANY_SOCKETS);
    close_endpoint(endpoint);
}

// MARK: groups

static void try_group(mslot_datagram_engine engine, uint16_t family, const char *any, const char *group_text, const char *interface_name)
{
    unsigned interface_index = if_nametoindex(interface_name);
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(family);
    options.address = address_of(any, 0);
    options.shares_port = true;
    options.multicast_interface = interface_index;
    mslot_datagram_bound sender = must_bind(endpoint, &options);
    mslot_datagram_bound member[3]; // the third never joins
    for (int i = 0; i < 3; i++) {
        member[i] = must_bind(endpoint, &options);
        options.address.port = member[i].address.port;
    }
    mslot_address group = address_of(group_text, member[0].address.port);
    for (int i = 0; i < 2; i++) {
        mslot_datagram_outcome outcome = mslot_datagram_join(endpoint, member[i].socket, &group, interface_index);
        if (outcome == MSLOT_DATAGRAM_NO_INTERFACE) skip("no IPv%u multicast on %s", (unsigned)family, interface_name);
        expect_equal(outcome, MSLOT_DATAGRAM_DONE);
        expect_equal(mslot_datagram_join(endpoint, member[i].socket, &group, interface_index), MSLOT_DATAGRAM_ALREADY_SO);
    }
    for (int members = 2; members >= 0; members--) {
        trying("%d members", members);
        if (members < 2) expect_equal(mslot_datagram_leave(endpoint, member[members].socket, &group, interface_index), MSLOT_DATAGRAM_DONE);
        batch *it = new_batch();
        for (uint64_t i = 0; i < 20; i++) add_datagram(it, i, 600, group);
        send_all(endpoint, sender.socket, it);
        if (counters_of(endpoint, sender.socket).dropped[MSLOT_DATAGRAM_DROP_UNREACHABLE] > 0)
            skip("no IPv%u multicast route on %s", (unsigned)family, interface_name);
        uint64_t next[4] = {0};
        for (int i = 0; i < 20 * members; i++) {
            mslot_datagram_view view = next_datagram(endpoint);
            expect(is_datagram(&view, next[view.socket]++, 600));
        }
        expect_nothing(endpoint);
        for (int i = 0; i < 3; i++) expect_equal(next[member[i].socket], i < members ? 20 : 0);
    }
    close_endpoint(endpoint);
}

CONFORMANCE(what_is_sent_to_a_group_reaches_those_who_joined_it) { try_group(engine, 4, "0.0.0.0", "239.255.77.1", "lo"); }

CONFORMANCE(what_is_sent_to_an_ipv6_group_reaches_those_who_joined_it)
{
    enter_own_network(65536);
    static const char commands[] = "(ip link add mslot0 type veth peer name mslot1 && ip link set mslot1 up && ip link set mslot0 up"
                                   " && ip -6 address add fd00::1/64 dev mslot0 nodad) 2> /dev/null";
    if (system(commands) != 0) skip("no interface of one's own: needs ip, of iproute2, and veth");
    try_group(engine, 6, "::", "ff12::77", "mslot0");
}

/// One socket sends to a group by one interface, then by the other; each time those get it who joined it there.
static void try_interfaces(mslot_datagram_engine engine, uint16_t family, const char *any, const char *group_text)
{
    enter_own_network(65536);
    static const char commands[] = "(ip link add mslot0 type veth peer name mslot1 && ip link add mslot2 type veth peer name mslot3"
                                   " && for i in 0 1 2 3; do ip link set mslot$i up; done && ip address add 192.0.2.1/24 dev mslot0"
                                   " && ip address add 198.51.100.1/24 dev mslot2 && ip -6 address add fd00::1/64 dev mslot0 nodad"
                                   " && ip -6 address add fd01::1/64 dev mslot2 nodad) 2> /dev/null";
    if (system(commands) != 0) skip("no interfaces of one's own: needs ip, of iproute2, and veth");
    const uint32_t interfaces[2] = {if_nametoindex("mslot0"), if_nametoindex("mslot2")};
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(family);
    options.address = address_of(any, 0);
    mslot_datagram_bound sender = must_bind(endpoint, &options), member[2];
    // An IPv6 socket gets what is sent to a group that it has joined, by whatever interface (Linux 6.18). One that is bound to a
    // link-local group is of one interface.
    options.address = address_of(group_text, 0);
    options.shares_port = true;
    mslot_address group = options.address;
    for (int i = 0; i < 2; i++) {
        if (family == 6) options.address.interface_index = interfaces[i];
        member[i] = must_bind(endpoint, &options);
        options.address.port = group.port = member[i].address.port;
        expect_equal(mslot_datagram_join(endpoint, member[i].socket, &group, interfaces[i]), MSLOT_DATAGRAM_DONE);
    }

    batch *it = new_batch();
    for (uint64_t i = 0; i < 40; i++) {
        group.interface_index = interfaces[i / 10 % 2];
        add_datagram(it, i, i % 10 == 9 ? 600 : 700, group);
    }
    send_all(endpoint, sender.socket, it);
    uint64_t next[2] = {0, 10};
    for (int i = 0; i < 40; i++) {
        mslot_datagram_view view = next_datagram(endpoint);
        int by = view.socket == member[0].socket ? 0 : 1;
        expect(is_datagram(&view, next[by], next[by] % 10 == 9 ? 600 : 700));
        next[by] += next[by] % 10 == 9 ? 11 : 1;
        expect_equal(view.source.port, sender.address.port);
        if (family == 4) expect_equal(view.source.bytes[0], by == 0 ? 192 : 198);
    }
    expect_nothing(endpoint);
    mslot_datagram_socket_info info = info_of(endpoint, sender.socket);
    if (info.segmentation_refusal == 0) expect_equal(counters_of(endpoint, sender.socket).sent_packets, 4);

    group.interface_index = 99999;
    mslot_datagram nowhere = it->datagrams[0];
    nowhere.destination = group;
    expect_equal(mslot_datagram_send(endpoint, sender.socket, &nowhere, 1, 0).count, 1);
    expect_equal(counters_of(endpoint, sender.socket).dropped[MSLOT_DATAGRAM_DROP_UNREACHABLE], 1);

    expect_equal(mslot_datagram_loop_multicast(endpoint, sender.socket, false), MSLOT_DATAGRAM_DONE);
    expect_equal(mslot_datagram_loop_multicast(endpoint, 9, false), MSLOT_DATAGRAM_BAD_ARGUMENT);
    send_all(endpoint, sender.socket, it);
    expect_nothing(endpoint);
    close_endpoint(endpoint);
}

CONFORMANCE(datagrams_go_by_the_interface_of_their_group) { try_interfaces(engine, 4, "0.0.0.0", "239.255.77.2"); }

CONFORMANCE(datagrams_go_by_the_interface_of_their_ipv6_group) { try_interfaces(engine, 6, "::", "ff02::4d53:77"); }

CONFORMANCE(a_group_is_sent_to_from_the_address_that_is_bound)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    options.address = address_of("127.0.0.5", 0);
    mslot_datagram_bound sender = must_bind(endpoint, &options);
    options.address = address_of("239.255.77.3", 0);
    options.shares_port = true;
    mslot_datagram_bound member = must_bind(endpoint, &options);
    mslot_address group = member.address;
    group.interface_index = if_nametoindex("lo");
    if (mslot_datagram_path_to(&group).system_error != 0) skip("no IPv4 multicast on lo");
    expect_equal(mslot_datagram_join(endpoint, member.socket, &group, group.interface_index), MSLOT_DATAGRAM_DONE);
    batch *it = new_batch();
    add_datagram(it, 0, 100, group);
    send_all(endpoint, sender.socket, it);
    mslot_datagram_view view = next_datagram(endpoint);
    expect(mslot_address_equal(&view.source, &sender.address));
    close_endpoint(endpoint);
}

TEST(a_path_tells_how_long_datagrams_may_be_and_whence_they_come)
{
    enter_own_network(1000);
    mslot_address here = address_of("127.0.0.1", 4240), away = address_of("192.0.2.1", 4240);
    mslot_datagram_path path = mslot_datagram_path_to(&here);
    expect_equal(path.system_error, 0);
    expect_equal(path.byte_count_max, 972);
    expect_equal(path.source.family, 4);
    expect_equal(path.source.bytes[0], 127);
    expect_equal(path.source.port, 0);
    expect_equal(mslot_datagram_path_to(&away).system_error, ENETUNREACH);
    away = address_of("239.255.77.1", 4240);
    expect_equal(mslot_datagram_path_to(&away).system_error, ENETUNREACH);
    away.interface_index = if_nametoindex("lo");
    expect_equal(mslot_datagram_path_to(&away).byte_count_max, 972);
    away.interface_index = 99999;
    expect_equal(mslot_datagram_path_to(&away).system_error, ENODEV);
    if (system("ip link set lo mtu 65536 2> /dev/null") != 0) skip("ip, of iproute2, is not there");
    expect_equal(mslot_datagram_path_to(&here).byte_count_max, 1472);
    mslot_address here6 = address_of("::1", 4240);
    if (mslot_datagram_path_to(&here6).system_error == 0) expect_equal(mslot_datagram_path_to(&here6).byte_count_max, 1452);
    errno = 7;
    mslot_datagram_path_to(&away);
    expect_equal(errno, 7);
}

TEST(an_address_has_an_interface)
{
    mslot_address address = address_of("127.0.0.1", 4240);
    expect_equal(mslot_address_interface(&address), if_nametoindex("lo"));
    address = address_of("127.99.0.3", 0);
    expect_equal(mslot_address_interface(&address), if_nametoindex("lo"));
    address = address_of("203.0.113.99", 0);
    expect_equal(mslot_address_interface(&address), 0);
    address = address_of("::1", 0);
    mslot_address zone = address_of("fe80::1%lo", 0);
    if (access("/proc/net/if_inet6", F_OK) == 0) expect_equal(mslot_address_interface(&address), if_nametoindex("lo"));
    expect_equal(mslot_address_interface(&zone), if_nametoindex("lo"));
    expect(mslot_address_is_multicast(&(mslot_address){.bytes = {239}, .family = 4}));
    expect(!mslot_address_is_multicast(&(mslot_address){.bytes = {240}, .family = 4}));
    expect(mslot_address_is_multicast(&(mslot_address){.bytes = {255}, .family = 6}));
}

// MARK: sending

/// In a batch of ten the middle one goes to `bad`; it is dropped for `cause`, and the others arrive.
static void expect_drop(mslot_datagram_endpoint *endpoint, mslot_datagram_bound to, mslot_address bad, mslot_datagram_drop cause)
{
    mslot_datagram_counters before = counters_of(endpoint, to.socket);
    batch *it = new_batch();
    for (uint64_t i = 0; i < 10; i++) add_datagram(it, i, 500, i >= 4 && i < 7 ? bad : to.address);
    send_all(endpoint, to.socket, it);
    for (uint64_t i = 0; i < 10; i++) {
        if (i >= 4 && i < 7) continue;
        mslot_datagram_view view = next_datagram(endpoint);
        expect(is_datagram(&view, i, 500));
    }
    expect_nothing(endpoint);
    mslot_datagram_counters after = counters_of(endpoint, to.socket);
    for (int i = 0; i < MSLOT_DATAGRAM_DROPS; i++) expect_equal(after.dropped[i] - before.dropped[i], i == (int)cause ? 3 : 0);
    expect_equal(after.sent - before.sent, 7);
}

CONFORMANCE(a_destination_that_is_refused_does_not_stop_the_others)
{
    enter_own_network(65536); // where nothing but loopback has a route
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    mslot_address no_port = to.address;
    no_port.port = 0;
    mslot_address no_family = to.address;
    no_family.family = 0;
    expect_drop(endpoint, to, address_of("192.0.2.1", 4240), MSLOT_DATAGRAM_DROP_UNREACHABLE);
    expect_drop(endpoint, to, address_of("127.255.255.255", 4240), MSLOT_DATAGRAM_DROP_FORBIDDEN); // a broadcast address
    expect_drop(endpoint, to, address_of("::1", 4240), MSLOT_DATAGRAM_DROP_BAD_ADDRESS);
    expect_drop(endpoint, to, no_port, MSLOT_DATAGRAM_DROP_BAD_ADDRESS);
    expect_drop(endpoint, to, no_family, MSLOT_DATAGRAM_DROP_BAD_ADDRESS);
    expect_equal(info_of(endpoint, to.socket).segmentation_refusal, 0); // it was not about being a run
    close_endpoint(endpoint);
}

CONFORMANCE(an_ipv4_destination_is_none_of_an_ipv6_socket)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(6);
    mslot_datagram_bound to = must_bind(endpoint, &options);
    expect_drop(endpoint, to, address_of("127.0.0.1", 4240), MSLOT_DATAGRAM_DROP_BAD_ADDRESS);
    close_endpoint(endpoint);
}

CONFORMANCE(a_port_where_nobody_listens_stops_nobody)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    mslot_datagram_bound gone;
    mslot_datagram_endpoint *other = endpoint_with_socket(engine, &gone);
    close_endpoint(other);
    for (int round = 0; round < 20; round++) {
        batch *it = new_batch();
        for (uint64_t i = 0; i < 30; i++) add_datagram(it, i, 100, i % 2 == 0 ? to.address : gone.address);
        send_all(endpoint, to.socket, it);
        for (uint64_t i = 0; i < 30; i += 2) {
            mslot_datagram_view view = next_datagram(endpoint);
            expect(is_datagram(&view, i, 100));
        }
        expect_nothing(endpoint);
    }
    close_endpoint(endpoint);
}

CONFORMANCE(what_is_longer_than_the_mtu_is_dropped_and_never_sent_in_fragments)
{
    enter_own_network(1280);
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    enum { FITS = 1280 - 28 };
    batch *it = new_batch();
    for (uint64_t i = 0; i < 40; i++) add_datagram(it, i, i >= 10 && i < 20 ? FITS + 1 : FITS, to.address);
    send_all(endpoint, to.socket, it);
    for (uint64_t i = 0; i < 40; i++) {
        if (i >= 10 && i < 20) continue;
        mslot_datagram_view view = next_datagram(endpoint);
        expect(is_datagram(&view, i, FITS));
    }
    expect_nothing(endpoint);
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect_equal(counters.sent, 30);
    expect_equal(counters.dropped[MSLOT_DATAGRAM_DROP_MTU], 10);
    expect_equal(info_of(endpoint, to.socket).segmentation_refusal, 0);
    close_endpoint(endpoint);
}

CONFORMANCE(a_card_that_cannot_divide_runs_gets_single_datagrams)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    mslot_datagram_socket_info info = info_of(endpoint, to.socket);
    if (info.segmentation_refusal != 0) skip("this kernel has no UDP segmentation");
    // Without checksums the kernel refuses runs, as it does where the card cannot make them.
    int one = 1;
    expect_equal(setsockopt(info.descriptor, SOL_SOCKET, SO_NO_CHECK, &one, sizeof one), 0);
    for (int round = 0; round < 2; round++) {
        batch *it = new_batch();
        for (uint64_t i = 0; i < 200; i++) add_datagram(it, i, 900, to.address);
        send_all(endpoint, to.socket, it);
        receive_all(endpoint, it);
    }
    int refusal = info_of(endpoint, to.socket).segmentation_refusal;
    expect(refusal == EIO || refusal == EINVAL); // one kernel says this, another that
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect_equal(counters.sent, 400);
    expect_equal(counters.sent_packets, 400);
    close_endpoint(endpoint);
}

CONFORMANCE(runs_are_tried_again_a_second_after_they_were_refused)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    mslot_datagram_socket_info info = info_of(endpoint, to.socket);
    if (info.segmentation_refusal != 0) skip("this kernel has no UDP segmentation");
    int one = 1, zero = 0;
    expect_equal(setsockopt(info.descriptor, SOL_SOCKET, SO_NO_CHECK, &one, sizeof one), 0);
    // Later the way is another, to another card or another host.
    int64_t begun = now_ns(), deadline = begun + TEST_TIMEOUT_NS;
    for (bool are_runs = false; !are_runs; are_runs = info_of(endpoint, to.socket).segmentation_refusal == 0) {
        expect(now_ns() < deadline);
        batch *it = new_batch();
        for (uint64_t i = 0; i < 20; i++) add_datagram(it, i, 900, to.address);
        send_all(endpoint, to.socket, it);
        receive_all(endpoint, it);
        expect_equal(setsockopt(info.descriptor, SOL_SOCKET, SO_NO_CHECK, &zero, sizeof zero), 0);
    }
    expect(now_ns() - begun >= SECOND);
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect_equal(counters.sent - counters.sent_packets, 19); // the last batch is one packet
    close_endpoint(endpoint);
}

CONFORMANCE(an_older_kernel_gets_and_gives_single_datagrams)
{
    refuse_system_call_with_value(SYS_setsockopt, ENOPROTOOPT, 1, SOL_UDP);
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    mslot_datagram_socket_info info = info_of(endpoint, to.socket);
    expect_equal(info.segmentation_refusal, ENOPROTOOPT);
    expect_equal(info.coalescing_refusal, ENOPROTOOPT);
    batch *it = new_batch();
    for (uint64_t i = 0; i < 150; i++) add_datagram(it, i, 700, to.address);
    send_all(endpoint, to.socket, it);
    receive_all(endpoint, it);
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect_equal(counters.sent_packets, 150);
    expect_equal(counters.received_packets, 150);
    close_endpoint(endpoint);
}

CONFORMANCE(a_full_send_buffer_blocks_and_the_rest_can_be_sent_later)
{
    enter_own_network(1500);
    if (system("tc qdisc add dev lo root tbf rate 20mbit burst 3000 latency 100s 2> /dev/null") != 0) skip("tc of iproute2 is not there");
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    options.send_buffer_bytes = 20000;
    mslot_datagram_bound to = must_bind(endpoint, &options);
    // Different lengths: single packets, several in one hand-over, of which some are taken.
    enum { COUNT = 300 };
    batch *it = new_batch();
    for (uint64_t i = 0; i < COUNT; i++) add_datagram(it, i, (uint32_t)(800 + i % 2), to.address);
    mslot_datagram_sent sent = mslot_datagram_send(endpoint, to.socket, it->datagrams, it->count, 0);
    expect_equal(sent.outcome, MSLOT_DATAGRAM_BLOCKED);
    expect(sent.count > 0 && sent.count < COUNT);
    mslot_datagram_sent rest =
        mslot_datagram_send(endpoint, to.socket, it->datagrams + sent.count, it->count - sent.count, MSLOT_TRANSPORT_FOREVER);
    expect_equal(rest.outcome, MSLOT_DATAGRAM_DONE);
    expect_equal(rest.count, COUNT - sent.count);
    receive_all(endpoint, it);
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect(counters.blocked > 0);
    expect_equal(counters.sent, COUNT);
    close_endpoint(endpoint);
}

// MARK: receiving

CONFORMANCE(what_the_receive_buffer_has_no_room_for_is_counted)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    options.receive_buffer_bytes = 8192;
    to = must_bind(endpoint, &options);
    mslot_datagram_view view;
    uint64_t sent = 0, received = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) {
            batch *it = new_batch();
            add_datagram(it, sent++, 900, to.address); // no runs: the kernel counts packets
            send_all(endpoint, to.socket, it);
        }
        while (try_next_datagram(endpoint, &view)) received++;
        // The count comes with the next one.
        batch *it = new_batch();
        add_datagram(it, sent++, 10, to.address);
        send_all(endpoint, to.socket, it);
        view = next_datagram(endpoint);
        received++;
        expect(is_datagram(&view, sent - 1, 10));
        mslot_datagram_counters counters = counters_of(endpoint, to.socket);
        expect(counters.overflows > 0);
        expect_equal(counters.overflows + received, sent);
    }
    close_endpoint(endpoint);
}

/// A socket that obeys no rules of ours.
static int hostile_socket(mslot_address to)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(to.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    expect_equal(connect(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    return descriptor;
}

CONFORMANCE(a_datagram_that_is_too_long_arrives_cut_and_marked)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    int hostile = hostile_socket(to.address);
    static unsigned char noise[65507];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)(i * 7 + i / 256);
    static const uint32_t lengths[] = {0, 1, 1472, 1473, 2000, 9000, 65506, 65507, 0, 5};
    uint64_t truncated = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        trying("%u bytes", lengths[i]);
        expect_equal(send(hostile, noise, lengths[i], 0), lengths[i]);
        mslot_datagram_view view = next_datagram(endpoint);
        expect_equal(view.is_truncated, lengths[i] > MSLOT_DATAGRAM_BYTES_MAX);
        expect_equal(view.byte_count, lengths[i] < MSLOT_DATAGRAM_BYTES_MAX ? lengths[i] : MSLOT_DATAGRAM_BYTES_MAX);
        expect(memcmp(view.bytes, noise, view.byte_count) == 0);
        truncated += view.is_truncated;
        expect_nothing(endpoint);
    }
    expect_equal(counters_of(endpoint, to.socket).truncated, truncated);
    close(hostile);
    close_endpoint(endpoint);
}

CONFORMANCE(runs_of_any_segment_length_are_taken_apart_rightly)
{
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    if (info_of(endpoint, to.socket).segmentation_refusal != 0) skip("this kernel has no UDP segmentation");
    int hostile = hostile_socket(to.address);
    static unsigned char noise[65507];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)(i * 7 + i / 256);
    for (int round = 0; round < 300; round++) {
        int segment = round < 20 ? round + 1 : (int)random_below(5000) + 1;
        uint32_t total = (uint32_t)segment * (uint32_t)random_below(64) + (uint32_t)random_below((uint64_t)segment) + 1;
        if (total > sizeof noise) total = sizeof noise;
        trying("%u bytes in segments of %d", total, segment);
        expect_equal(setsockopt(hostile, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
        expect_equal(send(hostile, noise, total, 0), total);
        for (uint32_t offset = 0; offset < total;) {
            mslot_datagram_view view = next_datagram(endpoint);
            uint32_t length = total - offset < (uint32_t)segment ? total - offset : (uint32_t)segment;
            uint32_t shown = length < MSLOT_DATAGRAM_BYTES_MAX ? length : MSLOT_DATAGRAM_BYTES_MAX;
            expect_equal(view.byte_count, shown);
            expect_equal(view.is_truncated, length > MSLOT_DATAGRAM_BYTES_MAX);
            expect(memcmp(view.bytes, noise + offset, shown) == 0);
            offset += length;
        }
        expect_nothing(endpoint);
    }
    close(hostile);
    close_endpoint(endpoint);
}

// MARK: engines

/// io_uring is said to be unusable, the text says why, and the other engine is chosen.
static void expect_no_io_uring(const char *reason)
{
    mslot_datagram_probed probed = mslot_datagram_probe(MSLOT_DATAGRAM_IO_URING);
    expect(!probed.is_usable);
    if (strstr(probed.text, reason) == NULL) fail_at(__FILE__, __LINE__, "expected \"%s\" in \"%s\"", reason, probed.text);
    expect(strchr(probed.text, '\n') == NULL);
    expect_equal(mslot_datagram_open(MSLOT_DATAGRAM_IO_URING).outcome, MSLOT_DATAGRAM_NO_ENGINE);
    mslot_datagram_opened opened = mslot_datagram_open(MSLOT_DATAGRAM_AUTO);
    expect_equal(opened.outcome, MSLOT_DATAGRAM_DONE);
    expect_equal(mslot_datagram_endpoint_engine(opened.endpoint), MSLOT_DATAGRAM_MMSG);
    char text[MSLOT_DATAGRAM_TEXT_MAX];
    mslot_datagram_describe(opened.endpoint, text);
    expect(strncmp(text, "mmsg", 4) == 0);
    expect(strstr(text, reason) != NULL);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound to = must_bind(opened.endpoint, &options);
    batch *it = new_batch();
    for (uint64_t i = 0; i < 10; i++) add_datagram(it, i, 100, to.address);
    send_all(opened.endpoint, to.socket, it);
    receive_all(opened.endpoint, it);
    close_endpoint(opened.endpoint);
}

TEST(where_io_uring_is_forbidden_it_is_said_and_the_other_engine_runs)
{
    need_io_uring();
    refuse_system_call(SYS_io_uring_setup, EPERM);
    expect_no_io_uring("seccomp");
}

TEST(where_io_uring_is_unknown_it_is_said_and_the_other_engine_runs)
{
    need_io_uring();
    refuse_system_call(SYS_io_uring_setup, ENOSYS);
    expect_no_io_uring("not in this kernel");
}

TEST(where_io_uring_is_too_old_it_is_said_and_the_other_engine_runs)
{
    need_io_uring();
    refuse_system_call(SYS_io_uring_register, EINVAL); // no rings of buffers
    expect_no_io_uring("6.0");
}

TEST(where_memory_may_not_be_locked_it_is_said_and_the_other_engine_runs)
{
    need_io_uring();
    refuse_system_call(SYS_io_uring_setup, ENOMEM);
    expect_no_io_uring("RLIMIT_MEMLOCK");
}

TEST(an_engine_says_what_it_is)
{
    mslot_datagram_probed mmsg = mslot_datagram_probe(MSLOT_DATAGRAM_MMSG), ring = mslot_datagram_probe(MSLOT_DATAGRAM_IO_URING);
    printf("%s\n%s\n", mmsg.text, ring.text);
    expect(mmsg.is_usable);
    expect(strncmp(mmsg.text, "mmsg: ", 6) == 0);
    expect(strncmp(ring.text, "io_uring: ", 10) == 0);
    mslot_datagram_opened opened = mslot_datagram_open(MSLOT_DATAGRAM_AUTO);
    expect_equal(opened.outcome, MSLOT_DATAGRAM_DONE);
    char text[MSLOT_DATAGRAM_TEXT_MAX];
    mslot_datagram_describe(opened.endpoint, text);
    printf("%s\n", text);
    close_endpoint(opened.endpoint);
    for (int outcome = MSLOT_DATAGRAM_DONE; outcome <= MSLOT_DATAGRAM_SYSTEM_ERROR; outcome++)
        expect(strlen(mslot_datagram_outcome_text((mslot_datagram_outcome)outcome)) > 3);
}

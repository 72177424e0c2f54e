// What is sent arrives: whole, once, in order, wherever it should go.

#include "endpoints.h"

#include <stdio.h>
#include <string.h>

static const uint16_t families[] = {4, 6};

static uint32_t bytes_max(uint16_t family) { return family == 4 ? MSLOT_DATAGRAM_BYTES_MAX : MSLOT_DATAGRAM_BYTES_MAX_IPV6; }

CONFORMANCE(datagrams_of_random_lengths_arrive_whole_and_in_order)
{
    for (size_t f = 0; f < 2; f++) {
        mslot_datagram_endpoint *endpoint = open_endpoint(engine);
        mslot_datagram_bind_options options = on_loopback(families[f]);
        mslot_datagram_bound to = must_bind(endpoint, &options);
        uint64_t number = 0;
        for (int round = 0; round < 200; round++) {
            batch *it = new_batch();
            size_t count = random_below(100);
            uint32_t usual = (uint32_t)random_below(bytes_max(families[f]) + 1);
            for (size_t i = 0; i < count; i++) {
                uint32_t length = random_below(4) == 0 ? (uint32_t)random_below(bytes_max(families[f]) + 1) : usual;
                add_datagram(it, number++, length, to.address);
            }
            send_all(endpoint, to.socket, it);
            receive_all(endpoint, it);
        }
        mslot_datagram_counters counters = counters_of(endpoint, to.socket);
        expect_equal(counters.sent, number);
        expect_equal(counters.received, number);
        expect_equal(counters.sent_bytes, counters.received_bytes);
        close_endpoint(endpoint);
    }
}

CONFORMANCE(every_length_arrives)
{
    for (size_t f = 0; f < 2; f++) {
        mslot_datagram_endpoint *endpoint = open_endpoint(engine);
        mslot_datagram_bind_options options = on_loopback(families[f]);
        mslot_datagram_bound to = must_bind(endpoint, &options);
        for (uint32_t first = 0; first <= bytes_max(families[f]); first += 50) {
            batch *it = new_batch();
            for (uint32_t length = first; length < first + 50 && length <= bytes_max(families[f]); length++)
                add_datagram(it, length, length, to.address);
            send_all(endpoint, to.socket, it);
            receive_all(endpoint, it);
        }
        close_endpoint(endpoint);
    }
}

CONFORMANCE(a_datagram_that_is_too_long_is_dropped_and_counted_and_the_others_arrive)
{
    for (size_t f = 0; f < 2; f++) {
        mslot_datagram_endpoint *endpoint = open_endpoint(engine);
        mslot_datagram_bind_options options = on_loopback(families[f]);
        mslot_datagram_bound to = must_bind(endpoint, &options);
        static const int at[] = {0, 1, 5, 9}; // also the first and the last
        for (size_t which = 0; which < 4; which++) {
            batch *it = new_batch();
            for (int i = 0; i < 10; i++) add_datagram(it, (uint64_t)i, i == at[which] ? bytes_max(families[f]) + 1 : 700, to.address);
            send_all(endpoint, to.socket, it);
            for (int i = 0; i < 10; i++) {
                if (i == at[which]) continue;
                mslot_datagram_view view = next_datagram(endpoint);
                expect(is_datagram(&view, (uint64_t)i, 700));
            }
            expect_nothing(endpoint);
            expect_equal(counters_of(endpoint, to.socket).dropped[MSLOT_DATAGRAM_DROP_TOO_LONG], which + 1);
        }
        expect_equal(counters_of(endpoint, to.socket).sent, 36);
        close_endpoint(endpoint);
    }
}

CONFORMANCE(a_batch_may_be_longer_than_the_kernels_limits)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound to = must_bind(endpoint, &options);
    mslot_datagram_socket_info info = info_of(endpoint, to.socket);
    if (info.receive_buffer_bytes < options.receive_buffer_bytes || info.segmentation_refusal != 0)
        skip("the receive buffer has only %u bytes", info.receive_buffer_bytes);
    static const struct {
        uint32_t bytes, count;
    } cases[] = {{1, 65}, {1, 4000}, {0, 1025}, {32, 5000}, {1472, 45}, {1472, 128}, {1000, 1500}};
    for (size_t which = 0; which < sizeof cases / sizeof cases[0]; which++) {
        batch *it = new_batch();
        for (uint32_t i = 0; i < cases[which].count; i++) add_datagram(it, i, cases[which].bytes, to.address);
        send_all(endpoint, to.socket, it);
        receive_all(endpoint, it);
    }
    expect_equal(counters_of(endpoint, to.socket).overflows, 0);
    close_endpoint(endpoint);
}

CONFORMANCE(equal_datagrams_to_one_destination_share_packets)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound to = must_bind(endpoint, &options);
    mslot_datagram_socket_info info = info_of(endpoint, to.socket);
    if (info.segmentation_refusal != 0 || info.coalescing_refusal != 0) skip("this kernel has no UDP segmentation");
    batch *it = new_batch();
    for (uint64_t i = 0; i < 32; i++) add_datagram(it, i, 1472, to.address);
    add_datagram(it, 32, 100, to.address); // ends the run, and is in it
    add_datagram(it, 33, 1472, to.address);
    send_all(endpoint, to.socket, it);
    receive_all(endpoint, it);
    mslot_datagram_counters counters = counters_of(endpoint, to.socket);
    expect_equal(counters.sent_packets, 2);
    expect(counters.received_packets <= 4); // the kernel may hand a run over in parts
    close_endpoint(endpoint);
}

CONFORMANCE(each_destination_gets_its_own_in_order)
{
    enum { SOCKETS = 3, EACH = 90 };
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound to[SOCKETS];
    for (int i = 0; i < SOCKETS; i++) to[i] = must_bind(endpoint, &options);
    for (int sorted = 0; sorted < 2; sorted++) {
        batch *it = new_batch();
        for (int i = 0; i < SOCKETS * EACH; i++) {
            int which = sorted ? i / EACH : i % SOCKETS;
            int number = sorted ? i % EACH : i / SOCKETS;
            add_datagram(it, (uint64_t)(which * 1000 + number), 300, to[which].address);
        }
        send_all(endpoint, to[1].socket, it);
        uint64_t next[SOCKETS] = {0};
        for (int i = 0; i < SOCKETS * EACH; i++) {
            mslot_datagram_view view = next_datagram(endpoint);
            expect(view.socket < SOCKETS);
            expect(mslot_address_equal(&view.source, &to[1].address));
            expect(is_datagram(&view, view.socket * 1000 + next[view.socket]++, 300));
        }
        for (int i = 0; i < SOCKETS; i++) expect_equal(next[i], EACH);
        expect_nothing(endpoint);
    }
    close_endpoint(endpoint);
}

CONFORMANCE(views_stay_until_the_next_receive)
{
    enum { COUNT = 40 };
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound to = must_bind(endpoint, &options);
    batch *it = new_batch();
    for (uint64_t i = 0; i < COUNT; i++) add_datagram(it, i, 1000, to.address);
    send_all(endpoint, to.socket, it);
    mslot_datagram_wait(endpoint, TEST_TIMEOUT_NS);
    mslot_datagram_view views[COUNT];
    size_t first = mslot_datagram_receive(endpoint, views, COUNT / 2).count;
    expect(first > 0);
    it = new_batch();
    for (uint64_t i = 100; i < 1100; i++) add_datagram(it, i, 1000, to.address);
    send_all(endpoint, to.socket, it);
    for (size_t i = 0; i < first; i++) expect(is_datagram(&views[i], i, 1000));
    for (uint64_t i = first; i < COUNT; i++) {
        mslot_datagram_view view = next_datagram(endpoint);
        expect(is_datagram(&view, i, 1000));
    }
    receive_all(endpoint, it);
    close_endpoint(endpoint);
}

CONFORMANCE(two_processes_exchange_datagrams)
{
    // Requests and answers: never more than 32 on the way, so that no buffer overflows.
    enum { ROUNDS = 300, AT_ONCE = 32 };
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    mslot_datagram_bound here = must_bind(endpoint, &options);
    pid_t child = child_start();
    if (child == 0) {
        mslot_datagram_endpoint *other = open_endpoint(engine);
        mslot_datagram_bound there = must_bind(other, &options);
        batch *it = new_batch();
        add_datagram(it, 0, 1, here.address);
        send_all(other, there.socket, it);
        for (uint64_t round = 0; round < ROUNDS; round++) {
            it = new_batch();
            for (uint64_t i = 0; i < AT_ONCE; i++) {
                mslot_datagram_view view = next_datagram(other);
                expect(is_datagram(&view, round * AT_ONCE + i, (uint32_t)(i * 40)));
                add_datagram(it, round + i, 64, view.source);
            }
            send_all(other, there.socket, it);
        }
        close_endpoint(other);
        child_end();
    }
    mslot_address there = next_datagram(endpoint).source;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        batch *it = new_batch();
        for (uint64_t i = 0; i < AT_ONCE; i++) add_datagram(it, round * AT_ONCE + i, (uint32_t)(i * 40), there);
        send_all(endpoint, here.socket, it);
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            mslot_datagram_view view = next_datagram(endpoint);
            expect(is_datagram(&view, round + i, 64));
        }
    }
    child_join(child);
    close_endpoint(endpoint);
}

TEST(an_address_is_what_its_text_says)
{
    static const struct {
        const char *text, *described;
    } right[] = {
        {"192.0.2.1", "192.0.2.1:4240"},
        {"::", "[::]:4240"},
        {"2001:db8::1", "[2001:db8::1]:4240"},
        {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:4240"},
        {"fe80::1%lo", "[fe80::1%lo]:4240"},
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        trying("%s", right[i].text);
        mslot_address address = address_of(right[i].text, 4240);
        char text[MSLOT_ADDRESS_TEXT_MAX];
        mslot_address_describe(&address, text);
        if (strcmp(text, right[i].described) != 0) fail_at(__FILE__, __LINE__, "described as %s", text);
    }
    static const char *wrong[] = {"", "1.2.3", "1.2.3.4.5", "1.2.3.4:5", "[::1]", "::1%", "::1%nosuchinterface", "localhost", "1.2.3.4 ",
        "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        trying("%s", wrong[i]);
        expect(!mslot_address_parse(wrong[i], 1).is_valid);
    }
    expect(!mslot_address_parse(NULL, 1).is_valid);
}

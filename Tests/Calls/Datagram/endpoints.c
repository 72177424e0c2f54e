#include "endpoints.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// `MAILSLOTS_TESTS_FORBID_IO_URING=1`: the whole suite as in a container that forbids it.
__attribute__((constructor)) static void forbid_io_uring(void)
{
    if (getenv("MAILSLOTS_TESTS_FORBID_IO_URING") != NULL) refuse_system_call(SYS_io_uring_setup, EPERM);
}

void need_io_uring(void)
{
    mslot_datagram_probed probed = mslot_datagram_probe(MSLOT_DATAGRAM_IO_URING);
    if (!probed.is_usable) skip("%s", probed.text);
}

mslot_datagram_endpoint *open_endpoint(mslot_datagram_engine engine)
{
    mslot_datagram_opened opened = mslot_datagram_open(engine);
    expect_equal(opened.outcome, MSLOT_DATAGRAM_DONE);
    expect_equal(mslot_datagram_endpoint_engine(opened.endpoint), engine);
    return opened.endpoint;
}

void close_endpoint(mslot_datagram_endpoint *endpoint) { expect_equal(mslot_datagram_close(endpoint), MSLOT_DATAGRAM_DONE); }

mslot_address address_of(const char *text, uint16_t port)
{
    mslot_address_parsed parsed = mslot_address_parse(text, port);
    if (!parsed.is_valid) fail_at(__FILE__, __LINE__, "not an address: %s", text);
    return parsed.address;
}

mslot_datagram_bind_options on_loopback(uint16_t family)
{
    if (family == 6 && access("/proc/net/if_inet6", F_OK) != 0) skip("this kernel has no IPv6");
    mslot_datagram_bind_options options = mslot_datagram_bind_options_default();
    options.address = address_of(family == 4 ? "127.0.0.1" : "::1", 0);
    return options;
}

mslot_datagram_bound must_bind(mslot_datagram_endpoint *endpoint, const mslot_datagram_bind_options *options)
{
    mslot_datagram_bound bound = mslot_datagram_bind(endpoint, options);
    if (bound.outcome == MSLOT_DATAGRAM_NO_SUCH_FAMILY || (bound.outcome == MSLOT_DATAGRAM_NOT_OUR_ADDRESS && options->address.family == 6))
        skip("no IPv%u here", (unsigned)options->address.family);
    if (bound.outcome != MSLOT_DATAGRAM_DONE)
        fail_at(__FILE__, __LINE__, "cannot bind: %s, %s", mslot_datagram_outcome_text(bound.outcome), strerror(bound.system_error));
    return bound;
}

mslot_datagram_counters counters_of(const mslot_datagram_endpoint *endpoint, uint32_t socket)
{
    mslot_datagram_counters counters;
    expect_equal(mslot_datagram_count(endpoint, socket, &counters), MSLOT_DATAGRAM_DONE);
    return counters;
}

mslot_datagram_socket_info info_of(const mslot_datagram_endpoint *endpoint, uint32_t socket)
{
    mslot_datagram_socket_info info;
    expect_equal(mslot_datagram_info(endpoint, socket, &info), MSLOT_DATAGRAM_DONE);
    return info;
}

// MARK: batches

batch *new_batch(void)
{
    static batch *it;
    if (it == NULL) {
        static batch memory;
        it = &memory;
    }
    it->count = 0;
    return it;
}

static unsigned char byte_of(uint64_t number, uint32_t index)
{
    return (unsigned char)(number * 131 + (number >> 8) * 17 + index * 7 + (index >> 8));
}

void add_datagram(batch *to, uint64_t number, uint32_t byte_count, mslot_address destination)
{
    expect(to->count < BATCH_MAX);
    unsigned char *bytes = to->bytes[to->count];
    for (uint32_t i = 0; i < byte_count; i++) bytes[i] = byte_of(number, i);
    to->datagrams[to->count++] = (mslot_datagram){.bytes = bytes, .byte_count = byte_count, .destination = destination};
}

void send_all(mslot_datagram_endpoint *endpoint, uint32_t socket, const batch *from)
{
    mslot_datagram_sent sent = mslot_datagram_send(endpoint, socket, from->datagrams, from->count, TEST_TIMEOUT_NS);
    expect_equal(sent.outcome, MSLOT_DATAGRAM_DONE);
    expect_equal(sent.count, from->count);
}

bool is_datagram(const mslot_datagram_view *view, uint64_t number, uint32_t byte_count)
{
    bool is_it = view->byte_count == byte_count && !view->is_truncated;
    for (uint32_t i = 0; is_it && i < byte_count; i++) is_it = view->bytes[i] == byte_of(number, i);
    return is_it;
}

void expect_datagram(const mslot_datagram_view *view, const mslot_datagram *expected)
{
    expect_equal(view->byte_count, expected->byte_count);
    expect(!view->is_truncated);
    expect(expected->byte_count == 0 || memcmp(view->bytes, expected->bytes, expected->byte_count) == 0);
}

// MARK: receiving

bool try_next_datagram(mslot_datagram_endpoint *endpoint, mslot_datagram_view *view)
{
    mslot_datagram_received received = mslot_datagram_receive(endpoint, view, 1);
    expect_equal(received.outcome, MSLOT_DATAGRAM_DONE);
    return received.count == 1;
}

mslot_datagram_view next_datagram(mslot_datagram_endpoint *endpoint)
{
    mslot_datagram_view view;
    int64_t begun = now_ns();
    while (!try_next_datagram(endpoint, &view)) {
        if (now_ns() - begun > TEST_TIMEOUT_NS) fail_at(__FILE__, __LINE__, "waited in vain for a datagram");
        expect_equal(mslot_datagram_wait(endpoint, TEST_TIMEOUT_NS).outcome, MSLOT_DATAGRAM_DONE);
    }
    return view;
}

void receive_all(mslot_datagram_endpoint *endpoint, const batch *expected)
{
    enum { AT_ONCE = 100 };
    mslot_datagram_view views[AT_ONCE];
    int64_t begun = now_ns();
    for (size_t next = 0; next < expected->count;) {
        mslot_datagram_received received = mslot_datagram_receive(endpoint, views, AT_ONCE);
        expect_equal(received.outcome, MSLOT_DATAGRAM_DONE);
        for (size_t i = 0; i < received.count; i++, next++) {
            trying("datagram %zu of %zu", next, expected->count);
            expect(next < expected->count);
            expect_datagram(&views[i], &expected->datagrams[next]);
        }
        if (received.count == 0) {
            if (now_ns() - begun > TEST_TIMEOUT_NS) fail_at(__FILE__, __LINE__, "%zu of %zu datagrams came", next, expected->count);
            mslot_datagram_wait(endpoint, SECOND);
        }
    }
    trying("%s", "");
    expect_nothing(endpoint);
}

void expect_nothing(mslot_datagram_endpoint *endpoint)
{
    mslot_datagram_view view;
    expect(!try_next_datagram(endpoint, &view));
}

// MARK: networks

void enter_own_network(int mtu)
{
    if (unshare(CLONE_NEWNET) != 0) skip("no network of one's own: %s", strerror(errno));
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_mtu = mtu};
    memcpy(request.ifr_name, "lo", 3);
    bool is_up = ioctl(descriptor, SIOCSIFMTU, &request) == 0;
    request.ifr_flags = IFF_UP;
    is_up = is_up && ioctl(descriptor, SIOCSIFFLAGS, &request) == 0;
    int error = errno;
    close(descriptor);
    if (!is_up) skip("no loopback interface of one's own: %s", strerror(error));
}

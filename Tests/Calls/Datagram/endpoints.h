// The steps that tests share: endpoints on loopback, and datagrams that show which they are.
#ifndef DATAGRAM_TESTS_ENDPOINTS_H
#define DATAGRAM_TESTS_ENDPOINTS_H

#include "../Core/common.h"

#include <mailslots_datagram.h>

/// A test that every engine has to pass. What runs is two tests, `mmsg_name` and `io_uring_name`.
#define CONFORMANCE(name)                            \
    static void name(mslot_datagram_engine engine);  \
    TEST(mmsg_##name) { name(MSLOT_DATAGRAM_MMSG); } \
    TEST(io_uring_##name)                            \
    {                                                \
        need_io_uring();                             \
        name(MSLOT_DATAGRAM_IO_URING);               \
    }                                                \
    static void name(mslot_datagram_engine engine)

/// Skips the test where the engine is not there, with its reason.
void need_io_uring(void);

mslot_datagram_endpoint *open_endpoint(mslot_datagram_engine engine);
void close_endpoint(mslot_datagram_endpoint *endpoint);

/// 127.0.0.1 or ::1, with a port that the kernel chooses. Skips the test where there is no such family.
mslot_datagram_bind_options on_loopback(uint16_t family);
/// Binds, or fails the test.
mslot_datagram_bound must_bind(mslot_datagram_endpoint *endpoint, const mslot_datagram_bind_options *options);
mslot_address address_of(const char *text, uint16_t port);
mslot_datagram_counters counters_of(const mslot_datagram_endpoint *endpoint, uint32_t socket);
mslot_datagram_socket_info info_of(const mslot_datagram_endpoint *endpoint, uint32_t socket);

/// What a batch is made of. Datagram `number` has bytes of its own; `bytes` has room for all of the batch.
enum { BATCH_MAX = 8192 };
typedef struct batch {
    mslot_datagram datagrams[BATCH_MAX];
    unsigned char bytes[BATCH_MAX][MSLOT_DATAGRAM_BYTES_MAX + 1];
    size_t count;
} batch;

/// An empty batch, of static memory: one at a time.
batch *new_batch(void);
/// Its length may be one too many.
void add_datagram(batch *to, uint64_t number, uint32_t byte_count, mslot_address destination);
/// Sends all of it, or fails the test.
void send_all(mslot_datagram_endpoint *endpoint, uint32_t socket, const batch *from);

/// Whether these are the bytes of datagram `number`.
bool is_datagram(const mslot_datagram_view *view, uint64_t number, uint32_t byte_count);
/// The datagram of this batch comes next, whole.
void expect_datagram(const mslot_datagram_view *view, const mslot_datagram *expected);

/// The next datagram, waiting for it. Views of an earlier call may be invalid after it.
mslot_datagram_view next_datagram(mslot_datagram_endpoint *endpoint);
/// The next of those that are there; false if there is none.
bool try_next_datagram(mslot_datagram_endpoint *endpoint, mslot_datagram_view *view);
/// All of the batch comes, in order, and then nothing.
void receive_all(mslot_datagram_endpoint *endpoint, const batch *expected);
void expect_nothing(mslot_datagram_endpoint *endpoint);

/// From here on this process has a network of its own, with a loopback interface of this MTU. Skips the test without root.
void enter_own_network(int mtu);

#endif

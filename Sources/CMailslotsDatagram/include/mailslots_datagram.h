/*
 * Batched UDP: many small datagrams a system call. This header is the manual.
 *
 *     mslot_datagram_opened opened = mslot_datagram_open(MSLOT_DATAGRAM_AUTO);
 *     mslot_datagram_bind_options options = mslot_datagram_bind_options_default();
 *     options.address = mslot_address_parse("0.0.0.0", 4240).address;
 *     mslot_datagram_bound bound = mslot_datagram_bind(opened.endpoint, &options);
 *
 *     mslot_datagram_send(opened.endpoint, bound.socket, datagrams, count, 0);      any number, to any destinations
 *
 *     for (;;) {
 *         mslot_datagram_received received = mslot_datagram_receive(opened.endpoint, views, view_count);
 *         ... the views are valid until the next receive or wait ...
 *         if (received.count == 0) mslot_datagram_wait(opened.endpoint, MSLOT_TRANSPORT_FOREVER);
 *     }
 *
 * A ENDPOINT is one engine and up to 16 sockets, which it waits for together.
 *
 * ENGINES. `mmsg` uses sendmmsg and recvmmsg and is always there. `io_uring` is there if liburing was installed when this was built
 *   and the kernel (6.0 or newer) lets this process use it; many containers forbid it. mslot_datagram_probe says why it is not.
 *   Both send runs of datagrams to one destination as one packet that the kernel or the card divides (UDP GSO), and receive
 *   such packets undivided (UDP GRO); that, and not the engine, is what makes them fast. Where the kernel or the card refuses,
 *   datagrams go one by one, and mslot_datagram_socket_info says so.
 *
 * RUNS. Consecutive datagrams of a batch with the same destination and the same length go out as one run; a shorter one may end
 *   it. So sort a batch by destination, and fill datagrams evenly. Order is kept within a batch and between batches of a socket.
 *
 * LENGTH. 0 to 1472 bytes (1452 over IPv6), what one Ethernet frame holds. Nothing is ever sent in fragments: a datagram longer than
 *   the path to its destination takes is dropped and counted (TOO_LONG, MTU). A received one that is longer than 1472 is cut
 *   and marked.
 *
 * LOSS. Nothing is acknowledged. What the kernel refuses for one datagram (no route, a firewall) drops that datagram, and is counted by
 *   cause; the rest of the batch goes on. What the receiving kernel had no room for is counted by it and shown in `overflows`.
 *
 * THREADS. An endpoint has two sides. One thread at a time may send while one thread at a time receives or waits; a second one on
 *   the same side gets BUSY. Either side may move between threads. mslot_datagram_wake may be called from any thread and from a
 *   signal handler, and counters and info may be read from any thread. Bind, join and leave are of the receiving side.
 *   A thread that ends while the io_uring engine receives for it loses no datagram: the next call receives anew.
 *
 * FORK. A child must not use its parent's endpoint. The sockets close when it calls exec.
 *
 * Functions that return an outcome leave errno as it was, and no call ends because of a signal.
 */
#ifndef MAILSLOTS_DATAGRAM_H
#define MAILSLOTS_DATAGRAM_H

#include <mailslots_transport.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /// What an Ethernet frame of 1500 bytes holds over IPv4, and over IPv6.
    MSLOT_DATAGRAM_BYTES_MAX = MSLOT_TRANSPORT_BYTES_MAX,
    MSLOT_DATAGRAM_BYTES_MAX_IPV6 = 1452,
    MSLOT_DATAGRAM_SOCKETS_MAX = 16,
    /// Room for an address as text: "[", 45 characters, "%", an interface, "]:65535".
    MSLOT_ADDRESS_TEXT_MAX = 80,
    /// Room for what mslot_datagram_probe and mslot_datagram_describe say.
    MSLOT_DATAGRAM_TEXT_MAX = 256
};

typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_datagram_outcome {
    /// The call did what its name says.
    MSLOT_DATAGRAM_DONE = 0,
    /// The socket's send buffer is full, and stayed so for as long as the call was to wait. The rest of the batch was not touched.
    MSLOT_DATAGRAM_BLOCKED = 1,
    /// Another thread is on this side of the endpoint. Of mslot_datagram_close: on either.
    MSLOT_DATAGRAM_BUSY = 2,
    /// An argument is out of its range.
    MSLOT_DATAGRAM_BAD_ARGUMENT = 3,
    /// The endpoint has 16 sockets.
    MSLOT_DATAGRAM_TOO_MANY_SOCKETS = 4,
    /// Another socket has this port.
    MSLOT_DATAGRAM_PORT_IN_USE = 5,
    /// The kernel does not let this user: a port below 1024, a firewall, a sandbox.
    MSLOT_DATAGRAM_NO_PERMISSION = 6,
    /// No interface of this machine has the address.
    MSLOT_DATAGRAM_NOT_OUR_ADDRESS = 7,
    /// This machine has no such interface, or none by which multicast goes: `ip route add 224.0.0.0/4 dev ...`.
    MSLOT_DATAGRAM_NO_INTERFACE = 8,
    /// The kernel has no IPv6 (or no IPv4).
    MSLOT_DATAGRAM_NO_SUCH_FAMILY = 9,
    /// The socket is in this group, or is not.
    MSLOT_DATAGRAM_ALREADY_SO = 10,
    /// The io_uring engine was asked for and is not there; mslot_datagram_probe says why.
    MSLOT_DATAGRAM_NO_ENGINE = 11,
    /// Memory, descriptors, or memory that may be locked.
    MSLOT_DATAGRAM_NO_RESOURCES = 12,
    /// Another system call failed: `system_error`.
    MSLOT_DATAGRAM_SYSTEM_ERROR = 13
} mslot_datagram_outcome;

/// One sentence, in English, without a full stop. Static.
const char *mslot_datagram_outcome_text(mslot_datagram_outcome outcome);

// MARK: addresses

/// An IPv4 or IPv6 address with a port. Two are equal if their bytes are: make them by mslot_address_parse, or fill zeroed ones.
typedef struct mslot_address {
    /// In network order; of IPv4 the first four.
    uint8_t bytes[16];
    /// Of a link-local IPv6 address: the interface's index. Of a multicast group that is sent to: the interface's, or 0, then the
    /// kernel chooses. Else 0.
    uint32_t interface_index;
    uint16_t port;
    /// 4 or 6.
    uint16_t family;
} mslot_address;

typedef struct mslot_address_parsed {
    bool is_valid;
    mslot_address address;
} mslot_address_parsed;

/// A numeric address: "192.0.2.1", "2001:db8::1", "fe80::1%eth0". No names are looked up.
mslot_address_parsed mslot_address_parse(const char *text, uint16_t port);

/// "192.0.2.1:4240", "[2001:db8::1]:4240".
void mslot_address_describe(const mslot_address *address, char text[MSLOT_ADDRESS_TEXT_MAX]);

/// Whether it is a multicast group's.
bool mslot_address_is_multicast(const mslot_address *address);

/// The index of the interface that has the address; 0 if none of this machine has.
uint32_t mslot_address_interface(const mslot_address *address);

/// What the kernel's routes say of a destination. Nothing is sent.
typedef struct mslot_datagram_path {
    /// 0, or why nothing can be sent there: ENETUNREACH, EHOSTUNREACH - no route; ENODEV - no such interface; EAFNOSUPPORT, EADDRNOTAVAIL -
    /// the machine does not speak this version of IP.
    int system_error;
    /// How long a datagram may be, of 1472 bytes (1452 over IPv6) at most.
    uint32_t byte_count_max;
    /// The address that it would come from, if the socket is bound to none. Its port is 0.
    mslot_address source;
} mslot_datagram_path;

/// Looks up the path to a host, or to a group (by its interface). Some 10 µs.
mslot_datagram_path mslot_datagram_path_to(const mslot_address *destination);

// MARK: changes of the network

enum { MSLOT_NETWORK_REMOVED_MAX = 16 };

/// What the kernel says of links, addresses and routes. For one thread at a time.
typedef struct mslot_network_watch {
    /// -1: there is none, and nothing is ever seen.
    int descriptor;
    /// Why there is none, an errno; else 0.
    int system_error;
} mslot_network_watch;

typedef struct mslot_network_changes {
    /// Something came, went, or is another now: paths and interfaces that were looked up may be.
    bool is_changed;
    /// More interfaces may have gone than `removed` has.
    bool is_incomplete;
    uint32_t removed_count;
    /// Indices of interfaces that are gone, though others may have got the same since. Sockets are in no group by them any more, but must
    /// leave it before they can join it anew.
    uint32_t removed[MSLOT_NETWORK_REMOVED_MAX];
} mslot_network_changes;

mslot_network_watch mslot_network_watch_begin(void);
void mslot_network_watch_end(mslot_network_watch *watch);
/// What has happened since it was asked last, or since it began. Never waits.
mslot_network_changes mslot_network_watch_take(mslot_network_watch *watch);

static inline bool mslot_address_equal(const mslot_address *a, const mslot_address *b) { return memcmp(a, b, sizeof *a) == 0; }

// MARK: engines and endpoints

typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_datagram_engine {
    /// io_uring where it is usable, else mmsg. Beside what runs save the difference is small: see Benchmarks/Datagram.
    MSLOT_DATAGRAM_AUTO = 0,
    MSLOT_DATAGRAM_MMSG = 1,
    MSLOT_DATAGRAM_IO_URING = 2
} mslot_datagram_engine;

typedef struct mslot_datagram_probed {
    bool is_usable;
    /// If it is: its version. If not: the cause and the cure. One line.
    char text[MSLOT_DATAGRAM_TEXT_MAX];
} mslot_datagram_probed;

/// Finds out, by using it, whether an engine works in this process. Some 100 µs.
mslot_datagram_probed mslot_datagram_probe(mslot_datagram_engine engine);

typedef struct mslot_datagram_endpoint mslot_datagram_endpoint;

typedef struct mslot_datagram_opened {
    /// NULL unless the outcome is DONE.
    mslot_datagram_endpoint *endpoint;
    mslot_datagram_outcome outcome;
    int system_error;
} mslot_datagram_opened;

/// Opens an endpoint without sockets. About 4 MB of memory, most of it touched only when needed.
/// NO_ENGINE, NO_RESOURCES, SYSTEM_ERROR.
mslot_datagram_opened mslot_datagram_open(mslot_datagram_engine engine);

/// Closes all sockets and frees the endpoint, which must not be used any more. BUSY: another thread sends, receives or waits, and nothing
/// was closed; wake it, let it end, and close then.
mslot_datagram_outcome mslot_datagram_close(mslot_datagram_endpoint *endpoint);

/// MMSG or IO_URING.
mslot_datagram_engine mslot_datagram_endpoint_engine(const mslot_datagram_endpoint *endpoint);

/// Which engine runs, and why the other does not: for logs. One line.
void mslot_datagram_describe(const mslot_datagram_endpoint *endpoint, char text[MSLOT_DATAGRAM_TEXT_MAX]);

// MARK: sockets

/// Start from mslot_datagram_bind_options_default().
typedef struct mslot_datagram_bind_options {
    /// The address and port to bind. All zero bytes: every address of the family. Port 0: the kernel chooses.
    mslot_address address;
    /// Several sockets, of any process of this user, may bind the port; each gets what is sent to a group. For multicast only:
    /// of what is sent to one host's address only one of them gets anything.
    bool shares_port;
    /// Multicast that is sent here also reaches this machine.
    bool multicast_loops;
    /// How many routers multicast may pass, plus one.
    uint8_t multicast_hops;
    /// The interface by which multicast is sent; 0: the kernel chooses by its routes.
    uint32_t multicast_interface;
    /// What the kernel is asked for; it may give less (net.core.rmem_max, wmem_max), see mslot_datagram_socket_info.
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
} mslot_datagram_bind_options;

static inline mslot_datagram_bind_options mslot_datagram_bind_options_default(void)
{
    mslot_datagram_bind_options options;
    memset(&options, 0, sizeof options);
    options.address.family = 4;
    options.multicast_loops = true;
    options.multicast_hops = 1;
    options.receive_buffer_bytes = 4 << 20;
    options.send_buffer_bytes = 1 << 20;
    return options;
}

typedef struct mslot_datagram_bound {
    mslot_datagram_outcome outcome;
    int system_error;
    /// Counts from 0.
    uint32_t socket;
    /// As bound: with the port that the kernel chose.
    mslot_address address;
} mslot_datagram_bound;

/// Adds a socket to the endpoint; it stays until the endpoint is closed.
/// BAD_ARGUMENT, TOO_MANY_SOCKETS, PORT_IN_USE, NO_PERMISSION, NOT_OUR_ADDRESS, NO_INTERFACE, NO_SUCH_FAMILY, NO_RESOURCES, SYSTEM_ERROR;
/// BUSY.
mslot_datagram_bound mslot_datagram_bind(mslot_datagram_endpoint *endpoint, const mslot_datagram_bind_options *options);

/// Lets a socket receive what is sent to a multicast group and arrives by the interface (0: the kernel chooses by its routes).
/// BAD_ARGUMENT (no multicast address, another family), NO_INTERFACE, ALREADY_SO, NO_RESOURCES (net.ipv4.igmp_max_memberships),
/// SYSTEM_ERROR; BUSY.
mslot_datagram_outcome mslot_datagram_join(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_address *group, uint32_t interface_index);
mslot_datagram_outcome mslot_datagram_leave(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_address *group, uint32_t interface_index);

/// Whether multicast that is sent here also reaches this machine: what the socket's bind option said, anew.
/// BAD_ARGUMENT, SYSTEM_ERROR; BUSY.
mslot_datagram_outcome mslot_datagram_loop_multicast(mslot_datagram_endpoint *endpoint, uint32_t socket, bool loops);

typedef struct mslot_datagram_socket_info {
    /// For options that this header lacks. Do not read, write or close it.
    int descriptor;
    mslot_address address;
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
    /// 0: runs are sent as one packet. Else the errno that refused it, of late: a second later they are tried again, unless the kernel has
    /// none (ENOPROTOOPT).
    int segmentation_refusal;
    /// 0: such packets are received as one. Else the errno that refused it.
    int coalescing_refusal;
} mslot_datagram_socket_info;

/// BAD_ARGUMENT: there is no such socket, and nothing was written.
mslot_datagram_outcome mslot_datagram_info(const mslot_datagram_endpoint *endpoint, uint32_t socket, mslot_datagram_socket_info *info);

// MARK: sending

typedef struct mslot_datagram {
    const unsigned char *bytes;
    uint32_t byte_count;
    mslot_address destination;
} mslot_datagram;

typedef struct mslot_datagram_sent {
    /// DONE: all. BLOCKED: the rest may be sent later. BUSY, BAD_ARGUMENT: none.
    mslot_datagram_outcome outcome;
    /// How many of the batch, from its front, were sent, or dropped and counted.
    size_t count;
} mslot_datagram_sent;

/// Sends a batch of any size. Waits up to `timeout_ns` in all for room in the socket's send buffer.
mslot_datagram_sent mslot_datagram_send(
    mslot_datagram_endpoint *endpoint, uint32_t socket, const mslot_datagram *datagrams, size_t count, int64_t timeout_ns);

// MARK: receiving

/// A datagram in the endpoint's memory.
typedef struct mslot_datagram_view {
    const unsigned char *bytes;
    uint32_t byte_count;
    uint16_t socket;
    /// It was longer than 1472 bytes; these are the first of them.
    bool is_truncated;
    mslot_address source;
} mslot_datagram_view;

typedef struct mslot_datagram_received {
    /// DONE (also when `count` is 0: there is none at this moment), BUSY, BAD_ARGUMENT.
    mslot_datagram_outcome outcome;
    size_t count;
} mslot_datagram_received;

/// Receives up to `count` datagrams; never waits. The views are valid until the next receive, wait or close.
mslot_datagram_received mslot_datagram_receive(mslot_datagram_endpoint *endpoint, mslot_datagram_view *views, size_t count);

typedef struct mslot_datagram_waited {
    /// DONE (if neither of the two below: the time is up) or BUSY.
    mslot_datagram_outcome outcome;
    /// mslot_datagram_receive may have something to give.
    bool is_readable;
    /// mslot_datagram_wake was called since the last wait that said so.
    bool is_woken;
} mslot_datagram_waited;

/// Waits until there is something to receive, the endpoint is woken, or the time is up.
mslot_datagram_waited mslot_datagram_wait(mslot_datagram_endpoint *endpoint, int64_t timeout_ns);

/// Ends the wait that is on, or else the next one. From any thread, and from a signal handler.
void mslot_datagram_wake(mslot_datagram_endpoint *endpoint);

// MARK: counters

/// Why a datagram was not sent.
typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_datagram_drop {
    /// Longer than MSLOT_DATAGRAM_BYTES_MAX, or MSLOT_DATAGRAM_BYTES_MAX_IPV6.
    MSLOT_DATAGRAM_DROP_TOO_LONG = 0,
    /// Longer than the path to its destination takes (EMSGSIZE).
    MSLOT_DATAGRAM_DROP_MTU = 1,
    /// No host, network, interface or port there (ENETUNREACH, EHOSTUNREACH, ENETDOWN, ECONNREFUSED and their like).
    MSLOT_DATAGRAM_DROP_UNREACHABLE = 2,
    /// A firewall or the kernel forbids it (EPERM, EACCES).
    MSLOT_DATAGRAM_DROP_FORBIDDEN = 3,
    /// The kernel has no memory or the card's queue is full (ENOBUFS, ENOMEM).
    MSLOT_DATAGRAM_DROP_NO_BUFFERS = 4,
    /// Not an address that this socket sends to: another family, port 0 (EINVAL, EAFNOSUPPORT).
    MSLOT_DATAGRAM_DROP_BAD_ADDRESS = 5,
    MSLOT_DATAGRAM_DROP_OTHER = 6
} mslot_datagram_drop;
enum { MSLOT_DATAGRAM_DROPS = 7 };

/// Since the socket was bound.
typedef struct mslot_datagram_counters {
    uint64_t sent;
    uint64_t sent_bytes;
    /// Packets that the kernel took, each a datagram or a run.
    uint64_t sent_packets;
    /// By mslot_datagram_drop.
    uint64_t dropped[MSLOT_DATAGRAM_DROPS];
    /// How often the send buffer was full.
    uint64_t blocked;
    uint64_t received;
    uint64_t received_bytes;
    /// Packets that the kernel gave, each a datagram or several.
    uint64_t received_packets;
    /// Received ones that were longer than 1472 bytes.
    uint64_t truncated;
    /// Packets, each a datagram or a run, that the kernel lost because the receive buffer was full, as of the last one received.
    uint64_t overflows;
    /// Errors of the network that came back while receiving (ICMP), and other errors of receiving.
    uint64_t receive_errors;
} mslot_datagram_counters;

/// BAD_ARGUMENT: there is no such socket, and nothing was written. From any thread; each number is right, all together may be of different
/// moments.
mslot_datagram_outcome mslot_datagram_count(const mslot_datagram_endpoint *endpoint, uint32_t socket, mslot_datagram_counters *counters);

#ifdef __cplusplus
}
#endif

#endif

// What the files of this target share. An endpoint has an engine, which moves packets; everything else is the same for all engines:
// send.c makes packets of datagrams, receive.c takes them apart again, socket.c sets the sockets up.
#ifndef MAILSLOTS_ENDPOINT_H
#define MAILSLOTS_ENDPOINT_H

#include <mailslots_datagram.h>
#include <mailslots_transport.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

enum {
    /// A run: of the kernel's two limits (UDP_MAX_SEGMENTS, 64 before Linux 6.9; the longest UDP packet) whichever comes first.
    RUN_DATAGRAMS_MAX = 64,
    RUN_BYTES_MAX = 65507,
    /// What is handed to the engine at once. Chosen: more than this gains nothing, see the benchmark.
    OUTGOING_PACKETS_MAX = 64,
    OUTGOING_PIECES_MAX = 1024,
    /// What the engine hands back at once.
    INCOMING_PACKETS_MAX = 64,
    INCOMING_BYTES_MAX = 65536
};

typedef union mslot_socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} mslot_socket_address;

/// All zero if the family is neither: then the length is 0.
socklen_t mslot_address_to_socket(const mslot_address *address, mslot_socket_address *to);
mslot_address mslot_address_from_socket(const mslot_socket_address *from);

typedef struct mslot_datagram_socket {
    int descriptor;
    mslot_address address;
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
    int segmentation_refusal;
    /// When runs are tried again. 0: never, for the kernel has none.
    int64_t segmentation_retry_ns;
    int coalescing_refusal;
    /// The kernel's own count of overflows when it was last seen: 32 bits, and it goes round.
    uint32_t overflows_seen;
    mslot_datagram_counters counters;
} mslot_datagram_socket;

/// A packet as it came: one datagram, or several of `segment_bytes` each, of which the last may be shorter.
typedef struct mslot_incoming_packet {
    const unsigned char *bytes;
    uint32_t byte_count;
    uint32_t segment_bytes;
    /// For the engine, to use the memory again.
    uint16_t buffer;
    uint16_t socket;
    mslot_address source;
} mslot_incoming_packet;

typedef struct mslot_incoming {
    mslot_incoming_packet packets[INCOMING_PACKETS_MAX];
    uint32_t count;
    /// The first that is not handed out whole, and how much of it is.
    uint32_t next;
    uint32_t offset;
} mslot_incoming;

/// Room for the two control messages that a packet may go with: how long its segments are, by which interface.
enum { OUTGOING_CONTROL_BYTES = CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) };
_Static_assert(sizeof(struct in_pktinfo) <= sizeof(struct in6_pktinfo), "IPv4's has room too");

/// Packets to send, as the kernel takes them.
typedef struct mslot_outgoing {
    struct mmsghdr messages[OUTGOING_PACKETS_MAX];
    mslot_socket_address destinations[OUTGOING_PACKETS_MAX];
    _Alignas(struct cmsghdr) unsigned char controls[OUTGOING_PACKETS_MAX][OUTGOING_CONTROL_BYTES];
    uint32_t datagram_counts[OUTGOING_PACKETS_MAX];
    struct iovec pieces[OUTGOING_PIECES_MAX];
} mslot_outgoing;

typedef struct mslot_transmitted {
    /// Packets that the kernel took, from the front.
    uint32_t count;
    /// If not all: the errno that refused the next one. Never EINTR.
    int error;
} mslot_transmitted;

/// What differs between engines.
typedef struct mslot_datagram_engine_calls {
    /// 0, or an errno. `*state` is the engine's own.
    int (*open)(mslot_datagram_endpoint *endpoint, void **state);
    void (*close)(void *state);
    /// In order; never waits.
    mslot_transmitted (*transmit)(
        mslot_datagram_endpoint *endpoint, const mslot_datagram_socket *socket, struct mmsghdr *messages, uint32_t count);
    /// Fills `endpoint->incoming` with what is there, through mslot_incoming_add; never waits.
    void (*collect)(mslot_datagram_endpoint *endpoint);
    /// Takes the memory of all packets of `endpoint->incoming` back.
    void (*recycle)(mslot_datagram_endpoint *endpoint);
    mslot_datagram_waited (*wait)(mslot_datagram_endpoint *endpoint, int64_t deadline_ns);
    /// Writes what it is, or why it cannot be used.
    bool (*probe)(char text[MSLOT_DATAGRAM_TEXT_MAX]);
} mslot_datagram_engine_calls;

extern const mslot_datagram_engine_calls mslot_datagram_mmsg;
extern const mslot_datagram_engine_calls mslot_datagram_io_uring;

struct mslot_datagram_endpoint {
    const mslot_datagram_engine_calls *calls;
    void *engine;
    mslot_datagram_engine kind;
    char description[MSLOT_DATAGRAM_TEXT_MAX];
    /// An eventfd: written by mslot_datagram_wake, read by the engine's wait.
    int wake_descriptor;
    /// By mslot_transport_enter.
    uint32_t sending;
    uint32_t receiving;
    /// Stored with release once the socket is complete; the sending side loads it with acquire.
    uint32_t socket_count;
    mslot_datagram_socket sockets[MSLOT_DATAGRAM_SOCKETS_MAX];
    mslot_outgoing outgoing;
    mslot_incoming incoming;
};

static inline uint32_t mslot_socket_count(const mslot_datagram_endpoint *endpoint)
{
    return __atomic_load_n(&endpoint->socket_count, __ATOMIC_ACQUIRE);
}

/// Room for the two control messages that a packet may come with: how long its segments are, how many the kernel lost.
enum { INCOMING_CONTROL_BYTES = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t)) };

/// Takes over a packet that the kernel gave. `header` is as recvmsg leaves it.
void mslot_incoming_add(
    mslot_datagram_endpoint *endpoint, uint32_t socket, struct msghdr *header, const void *bytes, size_t byte_count, uint16_t buffer);

/// Gives the memory of the packets back, all of which were handed out: what was handed out is in it, so not before the next call.
void mslot_incoming_recycle(mslot_datagram_endpoint *endpoint);

/// For an error of receiving that is not "nothing there".
void mslot_incoming_error(mslot_datagram_endpoint *endpoint, uint32_t socket);

// wake.c

/// True if the eventfd was written; it is no more.
bool mslot_datagram_take_wake(const mslot_datagram_endpoint *endpoint);

#endif

/*
 * Small datagrams through NATS servers, at most once, by the official C client. This header is the manual.
 *
 *     mslot_nats_options options = mslot_nats_options_default();
 *     const char *servers[] = {"nats://10.0.0.5:4222", "nats://10.0.0.6:4222"};
 *     options.servers = servers;
 *     options.server_count = 2;
 *     mslot_nats_opened opened = mslot_nats_open(&options);
 *     mslot_nats_subscribe(opened.endpoint, "mailslot.studio.render7");
 *
 *     mslot_nats_send(opened.endpoint, datagrams, count, 10000000);       any number, to any subjects
 *
 *     for (;;) {
 *         mslot_nats_received received = mslot_nats_receive(opened.endpoint, views, view_count);
 *         ... the views are valid until the next receive ...
 *         if (received.count == 0) mslot_nats_wait(opened.endpoint, MSLOT_TRANSPORT_FOREVER);
 *     }
 *
 * A ENDPOINT is one connection to one of several servers, made anew whenever it is lost, and what it is subscribed to.
 *
 * CLIENT. Everything needs libnats when this is built (Debian: libnats-dev). Without it mslot_nats_open says NO_CLIENT, and
 *   mslot_nats_probe why. The client's own threads do no I/O here: a thread of the endpoint's reads the socket, and whoever sends
 *   writes it, a batch by one system call. So nothing waits for the client's flusher, which sleeps a millisecond to collect more.
 *
 * LOSS. Nothing is acknowledged, and nothing is sent twice. A datagram may be lost where a connection or a server ends, and where
 *   there is no room: what is known to be lost is counted by cause.
 *
 * ORDER. What is sent to one subject over one connection arrives in the order in which it was sent.
 *
 * CONNECTION. A lost one is made again, to any of the servers, those that they told us of included. Between attempts is a time that
 *   doubles from `retry_min_ns` to `retry_max_ns`, of which a random part is left out. Meanwhile what is sent goes into the backlog,
 *   up to `backlog_bytes`, and is sent first afterwards; what does not fit is dropped. A server that takes or says nothing for
 *   10 s counts as lost, and so does one that does not answer two pings, one each 10 s.
 *
 * RECEIVING. What arrives is kept, up to `incoming_bytes`, until it is received; what does not fit is dropped. It is not left to the
 *   server, which would end the connection of who is too slow.
 *
 * THREADS. An endpoint has two sides. One thread at a time may send or flush while one thread at a time receives or waits; a second one
 *   on the same side gets BUSY. Either side may move between threads. Subscribe, unsubscribe, wake, describe, count and next_event are
 *   for any thread. With TLS a server that stops in the middle of a record makes a call longer than its time-out, by 10 s at most.
 *
 * PROCESS. The client ignores SIGPIPE for the whole process. A child must not use its parent's endpoint.
 *
 * Functions that return an outcome leave errno as it was, and no call ends because of a signal.
 */
#ifndef MAILSLOTS_NATS_H
#define MAILSLOTS_NATS_H

#include <mailslots_transport.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MSLOT_NATS_BYTES_MAX = MSLOT_TRANSPORT_BYTES_MAX,
    MSLOT_NATS_SUBJECT_MAX = 511,
    MSLOT_NATS_SUBSCRIPTIONS_MAX = 256,
    MSLOT_NATS_SERVERS_MAX = 64,
    /// Room for what this says in words.
    MSLOT_NATS_TEXT_MAX = 512
};

typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_nats_outcome {
    /// The call did what its name says.
    MSLOT_NATS_DONE = 0,
    /// Another thread is on this side of the endpoint.
    MSLOT_NATS_BUSY = 1,
    /// An argument is out of its range.
    MSLOT_NATS_BAD_ARGUMENT = 2,
    /// This was built without libnats.
    MSLOT_NATS_NO_CLIENT = 3,
    /// A file cannot be read, or is not what it should be; a server's address is malformed.
    MSLOT_NATS_BAD_OPTIONS = 4,
    /// The server does not accept our credentials.
    MSLOT_NATS_REFUSED = 5,
    /// TLS was not agreed on: a certificate is not trusted or for another host, or one side wants TLS and the other does not.
    MSLOT_NATS_NO_TLS = 6,
    /// Memory, descriptors, threads.
    MSLOT_NATS_NO_RESOURCES = 7,
    /// The time was up.
    MSLOT_NATS_TIMED_OUT = 8,
    /// There is no connection at this moment.
    MSLOT_NATS_DISCONNECTED = 9,
    /// There are as many subscriptions as can be.
    MSLOT_NATS_TOO_MANY = 10
} mslot_nats_outcome;

/// One sentence, in English, without a full stop. Static.
const char *mslot_nats_outcome_text(mslot_nats_outcome outcome);

typedef struct mslot_nats_probed {
    bool is_usable;
    /// If it is: the client's version. If not: the cause and the cure. One line.
    char text[MSLOT_NATS_TEXT_MAX];
} mslot_nats_probed;

/// Whether this was built with the client.
mslot_nats_probed mslot_nats_probe(void);

// MARK: opening and closing

/// Start from mslot_nats_options_default(). NULL: not given. All texts are copied.
typedef struct mslot_nats_options {
    /// "nats://host:4222", "tls://host:4222", "nats://user:password@host:4222". At least one; tried in random order.
    const char *const *servers;
    size_t server_count;
    /// What the server shows of us.
    const char *name;
    const char *user;
    const char *password;
    const char *token;
    /// A file with a user's JWT and seed, as `nsc` makes it.
    const char *credentials_file;
    /// A user's public key, "U...", and the file with its seed.
    const char *nkey;
    const char *nkey_seed_file;
    /// TLS is used where this says so, or where a file below is given. The server's certificate is always checked.
    bool uses_tls;
    /// Certificates that are trusted, PEM. NULL: the system's.
    const char *authorities_file;
    /// Our certificate and key, PEM, for servers that ask for one.
    const char *certificate_file;
    const char *key_file;
    /// What the server's certificate must be for, if that is not the host's name.
    const char *server_name;
    uint32_t backlog_bytes;
    uint32_t incoming_bytes;
    int64_t connect_timeout_ns;
    int64_t retry_min_ns;
    int64_t retry_max_ns;
} mslot_nats_options;

static inline mslot_nats_options mslot_nats_options_default(void)
{
    mslot_nats_options options;
    memset(&options, 0, sizeof options);
    options.backlog_bytes = 1 << 20;
    options.incoming_bytes = 4 << 20;
    options.connect_timeout_ns = 2000000000;
    options.retry_min_ns = 50000000;
    options.retry_max_ns = 5000000000;
    return options;
}

typedef struct mslot_nats_endpoint mslot_nats_endpoint;

typedef struct mslot_nats_opened {
    /// NULL unless the outcome is DONE.
    mslot_nats_endpoint *endpoint;
    mslot_nats_outcome outcome;
    /// A server was reached. If the outcome is DONE and it is false: none was, and it is tried again until one is.
    bool is_connected;
    /// Which server, or why none.
    char text[MSLOT_NATS_TEXT_MAX];
} mslot_nats_opened;

/// Opens an endpoint, and tries each server once, for `connect_timeout_ns` each. No server that can be reached is no error, for it may come
/// later; one that refuses us is. BAD_ARGUMENT, NO_CLIENT, BAD_OPTIONS, REFUSED, NO_TLS, NO_RESOURCES.
mslot_nats_opened mslot_nats_open(const mslot_nats_options *options);

/// Sends what was given to send, for at most half a second, and ends the connection and the endpoint's thread. Afterwards it can still be
/// woken and asked what it counted. BUSY: another thread sends, receives or waits, and nothing was closed; wake it, let it end, and
/// close then.
mslot_nats_outcome mslot_nats_close(mslot_nats_endpoint *endpoint);

/// Frees an endpoint that was closed, which must not be used any more.
void mslot_nats_free(mslot_nats_endpoint *endpoint);

typedef struct mslot_nats_info {
    bool is_connected;
    /// "nats://10.0.0.5:4222", or why there is none.
    char text[MSLOT_NATS_TEXT_MAX];
} mslot_nats_info;

mslot_nats_info mslot_nats_describe(mslot_nats_endpoint *endpoint);

// MARK: subscriptions

typedef struct mslot_nats_subscribed {
    mslot_nats_outcome outcome;
    /// By which views name it.
    uint32_t subscription;
} mslot_nats_subscribed;

/// Receives what others send to this subject, as long as the endpoint lives; what we send to it does not come back.
/// BAD_ARGUMENT (empty, too long, with spaces), TOO_MANY, NO_RESOURCES.
mslot_nats_subscribed mslot_nats_subscribe(mslot_nats_endpoint *endpoint, const char *subject);
mslot_nats_outcome mslot_nats_unsubscribe(mslot_nats_endpoint *endpoint, uint32_t subscription);

// MARK: sending

typedef struct mslot_nats_datagram {
    /// Without wildcards. Must stay until the call returns.
    const char *subject;
    /// The subject by which the sender can be reached, for the receiver to see. NULL: it is not said.
    const char *reply;
    const unsigned char *bytes;
    uint32_t byte_count;
} mslot_nats_datagram;

/// Sends a batch of any size: hands it to the kernel, or to the backlog. Waits up to `timeout_ns` for room, in all; what is left then
/// is dropped and counted. BUSY, BAD_ARGUMENT: none was sent.
mslot_nats_outcome mslot_nats_send(mslot_nats_endpoint *endpoint, const mslot_nats_datagram *datagrams, size_t count, int64_t timeout_ns);

/// Waits until the server has taken everything so far: what was sent, and every subscription. TIMED_OUT, DISCONNECTED, BUSY.
mslot_nats_outcome mslot_nats_flush(mslot_nats_endpoint *endpoint, int64_t timeout_ns);

// MARK: receiving

/// A datagram in the endpoint's memory.
typedef struct mslot_nats_view {
    const unsigned char *bytes;
    uint32_t byte_count;
    uint32_t subscription;
    /// Whatever the sender said: any text, "" if nothing.
    const char *reply;
} mslot_nats_view;

typedef struct mslot_nats_received {
    /// DONE (also when `count` is 0: there is none at this moment), BUSY, BAD_ARGUMENT.
    mslot_nats_outcome outcome;
    size_t count;
} mslot_nats_received;

/// Receives up to `count` datagrams; never waits. The views are valid until the next receive or close.
mslot_nats_received mslot_nats_receive(mslot_nats_endpoint *endpoint, mslot_nats_view *views, size_t count);

/// Waits until there is something to receive or an event, the endpoint is woken, or the time is up. DONE, BUSY.
mslot_nats_outcome mslot_nats_wait(mslot_nats_endpoint *endpoint, int64_t timeout_ns);

/// Ends the wait that is on, or else the next one. From any thread, not from a signal handler.
void mslot_nats_wake(mslot_nats_endpoint *endpoint);

// MARK: what happened

typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_nats_event_kind {
    MSLOT_NATS_NO_EVENT = 0,
    /// The text says to which server.
    MSLOT_NATS_CONNECTED = 1,
    /// Why, as far as it is known. It is tried again.
    MSLOT_NATS_LOST = 2,
    /// No server was reached, and why. Told again only when the reason changes, and once a minute.
    MSLOT_NATS_UNREACHABLE = 3,
    /// Something else that the server or the client says: that we may not subscribe, for example.
    MSLOT_NATS_ERROR = 4
} mslot_nats_event_kind;

typedef struct mslot_nats_event {
    mslot_nats_event_kind kind;
    char text[MSLOT_NATS_TEXT_MAX];
} mslot_nats_event;

/// The oldest event that was not taken. NO_EVENT: there is none. 16 are kept.
mslot_nats_event mslot_nats_next_event(mslot_nats_endpoint *endpoint);

/// Why a datagram was dropped.
typedef enum MSLOT_TRANSPORT_CLOSED_ENUM mslot_nats_drop {
    /// Sending: longer than MSLOT_NATS_BYTES_MAX, or than the server takes.
    MSLOT_NATS_DROP_TOO_LONG = 0,
    /// Sending: the server took nothing for as long as the call was to wait.
    MSLOT_NATS_DROP_NO_ROOM = 1,
    /// Sending: there was no connection, and the backlog was full.
    MSLOT_NATS_DROP_BACKLOG_FULL = 2,
    /// Sending: the connection ended before the kernel had it. What the kernel or the server still had is not known, and not in this.
    MSLOT_NATS_DROP_CONNECTION_LOST = 3,
    /// Sending: the client does not take it: a malformed subject, no memory.
    MSLOT_NATS_DROP_CLIENT = 4,
    /// Receiving: longer than MSLOT_NATS_BYTES_MAX.
    MSLOT_NATS_DROP_INCOMING_TOO_LONG = 5,
    /// Receiving: it was not received in time, and there was no room for more.
    MSLOT_NATS_DROP_INCOMING_FULL = 6
} mslot_nats_drop;
enum { MSLOT_NATS_DROPS = 7 };

/// Since the endpoint was opened.
typedef struct mslot_nats_counters {
    /// Handed to the kernel, or to be handed to it as soon as it takes more.
    uint64_t sent;
    uint64_t sent_bytes;
    /// Put into the backlog; they are in `sent`, too, once they were sent.
    uint64_t backlogged;
    uint64_t received;
    uint64_t received_bytes;
    /// By mslot_nats_drop.
    uint64_t dropped[MSLOT_NATS_DROPS];
    uint64_t connects;
    uint64_t disconnects;
    /// Attempts to connect that failed, each of all servers.
    uint64_t failed_connects;
    /// Errors that the server or the client told of.
    uint64_t errors;
    /// How often receiving was too slow, each time until there was room again.
    uint64_t slow;
    /// How often the server took no more at once.
    uint64_t blocked;
} mslot_nats_counters;

/// From any thread; each number is right, all together may be of different moments.
mslot_nats_counters mslot_nats_count(const mslot_nats_endpoint *endpoint);

#ifdef __cplusplus
}
#endif

#endif

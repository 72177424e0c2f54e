// What the files of this target share. An endpoint keeps a client connected (connection.c), sends through it (send.c), and keeps what it
// received until it is asked for (receive.c).
//
// Locks, taken in this order:
//   client_mutex    the client's socket and subscriptions: whoever sends, and the connection's thread when it reads.
//   mutex           everything else that threads share. Never held while the client is called.
#ifndef MAILSLOTS_NATS_ENDPOINT_H
#define MAILSLOTS_NATS_ENDPOINT_H

#include "client.h"
#include "records.h"

#include <mailslots_transport.h>

#include <pthread.h>

enum {
    EVENTS_MAX = 16,
    /// Sent by one system call.
    BATCH_MAX = 64
};

struct mslot_nats_endpoint {
    mslot_nats_client *client;
    int64_t retry_min_ns;
    int64_t retry_max_ns;

    /// Makes connections, and reads.
    pthread_t thread;
    /// An eventfd: the thread is to look at what follows.
    int look_descriptor;
    bool is_ending;
    /// The reason that was told last why there is no connection; empty: there was one since. Of the thread, once it runs.
    char told[MSLOT_NATS_TEXT_MAX];
    int64_t told_at_ns;

    pthread_mutex_t client_mutex;
    // Under the client's mutex:
    bool is_connected;
    char *subjects[MSLOT_NATS_SUBSCRIPTIONS_MAX];
    /// Sent while there was no connection: the number is how long the subject is, the text the subject and the one for replies.
    mslot_nats_records backlog;
    /// Given to the client since it last had written all.
    uint64_t unwritten;
    /// Somebody waits in mslot_nats_flush, for whom the connection stays.
    uint32_t flushing;
    pthread_cond_t flushed;

    /// By mslot_transport_enter.
    uint32_t sending;
    uint32_t receiving;
    /// Who sends is going to write, so nobody else has to. See write_out.
    bool is_writing;

    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    // Under the mutex:
    /// What arrives goes into one of them, what is received comes out of the other.
    mslot_nats_records incoming[2];
    uint32_t filled;
    bool is_full;
    bool is_waiting;
    bool is_woken;
    bool has_news;
    mslot_nats_event events[EVENTS_MAX];
    uint32_t event_first;
    uint32_t event_count;
    mslot_nats_info info;

    /// Each has one writer at a time: of what is sent the sending side, the connection's thread of the rest, both under the client's mutex.
    mslot_nats_counters counters;
};

// look.c

/// Makes the thread look.
void mslot_nats_look(mslot_nats_endpoint *endpoint);
/// By the thread, before it looks.
void mslot_nats_stop_looking(mslot_nats_endpoint *endpoint);

// connection.c

extern const mslot_nats_client_calls mslot_nats_calls;
/// One attempt.
mslot_nats_outcome mslot_nats_connect(mslot_nats_endpoint *endpoint, char text[MSLOT_NATS_TEXT_MAX]);
/// Unless it was told just now.
void mslot_nats_tell_unreachable(mslot_nats_endpoint *endpoint, const char *why);
/// The thread.
void *mslot_nats_run(void *endpoint);

// send.c; under the client's mutex

void mslot_nats_send_backlog(mslot_nats_endpoint *endpoint);
/// Writes what the client has to write, as far as the kernel takes it.
void mslot_nats_write_out(mslot_nats_endpoint *endpoint);

// receive.c

void mslot_nats_arrive(void *endpoint, const mslot_nats_view *view);
/// After one or more of these.
void mslot_nats_announce(mslot_nats_endpoint *endpoint);
void mslot_nats_tell(mslot_nats_endpoint *endpoint, mslot_nats_event_kind kind, const char *text);

#endif

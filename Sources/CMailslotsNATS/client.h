// What the endpoint needs of the client library: one connection, whose socket is read and written only when it is told to.
#ifndef MAILSLOTS_NATS_CLIENT_H
#define MAILSLOTS_NATS_CLIENT_H

#include <mailslots_nats.h>

typedef struct mslot_nats_client mslot_nats_client;

/// What the client tells of by itself, from threads of its own.
typedef struct mslot_nats_client_calls {
    /// There is something to write.
    void (*wants_to_write)(void *endpoint);
    /// The connection has ended.
    void (*lost)(void *endpoint);
    void (*error)(void *endpoint, const char *text);
} mslot_nats_client_calls;

typedef enum mslot_nats_published {
    MSLOT_NATS_PUBLISHED,
    MSLOT_NATS_PUBLISHED_TOO_LONG,
    MSLOT_NATS_PUBLISHED_LOST,
    MSLOT_NATS_PUBLISHED_NOT
} mslot_nats_published;

bool mslot_nats_client_probe(char text[MSLOT_NATS_TEXT_MAX]);

/// Checks and copies the options. Else it says what is wrong with them.
mslot_nats_outcome mslot_nats_client_open(mslot_nats_client **client, const mslot_nats_options *options,
    const mslot_nats_client_calls *calls, void *endpoint, char text[MSLOT_NATS_TEXT_MAX]);
/// After disconnect, if it was connected.
void mslot_nats_client_close(mslot_nats_client *client);

/// Tries every server once. Writes which it is, or why there is none: DISCONNECTED, REFUSED, NO_TLS, NO_RESOURCES.
mslot_nats_outcome mslot_nats_client_connect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX]);
/// Afterwards the client calls no more. Writes why the connection had ended by itself, if it had.
void mslot_nats_client_disconnect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX]);
/// The connection has ended, or there is none.
bool mslot_nats_client_is_lost(const mslot_nats_client *client);
/// To be polled for reading always, and for writing when this wants to write; -1: it is gone.
int mslot_nats_client_descriptor(const mslot_nats_client *client);
bool mslot_nats_client_wants_to_write(const mslot_nats_client *client);
/// Writing waits where the socket is not ready for it.
bool mslot_nats_client_blocks(const mslot_nats_client *client);

// One thread at a time calls what follows, of all of it.

void mslot_nats_client_read(mslot_nats_client *client);
void mslot_nats_client_write(mslot_nats_client *client);
/// `index` is below MSLOT_NATS_SUBSCRIPTIONS_MAX.
bool mslot_nats_client_subscribe(mslot_nats_client *client, uint32_t index, const char *subject);
void mslot_nats_client_unsubscribe(mslot_nats_client *client, uint32_t index);
mslot_nats_published mslot_nats_client_publish(mslot_nats_client *client, const mslot_nats_datagram *datagram);

/// Calls `body` with each message that was read for this subscription.
void mslot_nats_client_take(mslot_nats_client *client, uint32_t index, void (*body)(void *endpoint, const mslot_nats_view *view));

/// Waits until the server has answered, while other threads go on reading and writing. For one thread; not while it is disconnected.
bool mslot_nats_client_flush(mslot_nats_client *client, int64_t milliseconds);

#endif

// The client library, libnats, driven as its adapters for event loops drive it: it calls `attach` with a socket, `want_write` when it has
// something to write, and touches the socket only in natsConnection_ProcessReadEvent and ...ProcessWriteEvent. So a batch is one system
// call, and what arrives is not handed from thread to thread inside the library.
//
// There and back through a server on loopback, 100 bytes, p50, in one run: by the library's flusher, which waits a millisecond for more,
// 2.0 ms; with natsConnection_FlushTimeout after each message 79 us; with natsOptions_SetSendAsap, which writes each by itself, 64 us;
// so, 26 us.
//
// Reconnecting by the library is off: a connection that ended is replaced as a whole, so nothing of it is left over.

#include "client.h"

#if __has_include(<nats/nats.h>) && !defined(MSLOT_NATS_WITHOUT_LIBNATS)

#include <errno.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /// A server that acknowledges nothing, or has no room for as long, is taken for dead. Chosen.
    SILENCE_MS_MAX = 10000,
    PING_MS = 10000,
    PINGS_UNANSWERED_MAX = 2,
    /// What natsConnection_ProcessReadEvent reads at once.
    READ_BYTES = 65536
};

struct mslot_nats_client {
    natsOptions *options;
    natsConnection *connection;
    natsSubscription *subscriptions[MSLOT_NATS_SUBSCRIPTIONS_MAX];
    const mslot_nats_client_calls *calls;
    void *endpoint;
    bool uses_tls;
    /// Written by whichever thread the library attaches and detaches from; see mslot_nats_client_descriptor.
    int descriptor;
    bool wants_to_write;
    /// As configured, and then those that a server told us of.
    char *servers[MSLOT_NATS_SERVERS_MAX];
    size_t server_count;
    size_t configured_count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /// Below: under the mutex. The library has called on_closed, after which it calls nothing more of this connection.
    bool is_closed;
    char last_error[MSLOT_NATS_TEXT_MAX];
};

bool mslot_nats_client_probe(char text[MSLOT_NATS_TEXT_MAX])
{
    snprintf(text, MSLOT_NATS_TEXT_MAX, "libnats %s", nats_GetVersion());
    return true;
}

/// A status, and what the library says beside, without the place in its source: "(conn.c:2088): ".
static void explain(natsStatus status, const char *more, char text[MSLOT_NATS_TEXT_MAX])
{
    const char *name = natsStatus_GetText(status);
    if (more != NULL && more[0] == '(' && strstr(more, "): ") != NULL) more = strstr(more, "): ") + 3;
    if (more == NULL || more[0] == 0 || strcmp(more, name) == 0) snprintf(text, MSLOT_NATS_TEXT_MAX, "%s", name);
    else snprintf(text, MSLOT_NATS_TEXT_MAX, "%s: %.400s", name, more);
}

// MARK: what the library calls

// Of these three the library holds its connection's lock: they only note.

static natsStatus attach(void **data, void *loop, natsConnection *connection, natsSock descriptor)
{
    (void)connection;
    mslot_nats_client *client = loop;
    *data = client;
    unsigned int silence = SILENCE_MS_MAX;
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
    // The library answers "would block" from TLS by trying again at once, for as long as it takes.
    if (client->uses_tls) fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
    __atomic_store_n(&client->descriptor, descriptor, __ATOMIC_RELEASE);
    return NATS_OK;
}

static natsStatus want_read(void *data, bool wanted)
{
    mslot_nats_client *client = data;
    // It is always wanted until the socket is about to be closed.
    if (!wanted) __atomic_store_n(&client->descriptor, -1, __ATOMIC_RELEASE);
    return NATS_OK;
}

static natsStatus want_write(void *data, bool wanted)
{
    mslot_nats_client *client = data;
    // Total order, with who looks at it after sending: see write_out in send.c.
    __atomic_store_n(&client->wants_to_write, wanted, __ATOMIC_SEQ_CST);
    if (wanted) client->calls->wants_to_write(client->endpoint);
    return NATS_OK;
}

static natsStatus detach(void *data)
{
    (void)data;
    return NATS_OK;
}

// These the library calls from a thread of its own, one after the other.

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    (void)subscription;
    mslot_nats_client *client = closure;
    const char *more = NULL;
    char text[MSLOT_NATS_TEXT_MAX];
    natsConnection_GetLastError(connection, &more);
    explain(status, more, text);
    client->calls->error(client->endpoint, text);
}

static void on_closed(natsConnection *connection, void *closure)
{
    mslot_nats_client *client = closure;
    const char *why = NULL;
    natsStatus status = natsConnection_GetLastError(connection, &why);
    pthread_mutex_lock(&client->mutex);
    client->is_closed = true;
    explain(status, why, client->last_error);
    // Under the mutex: who waits for us may free everything as soon as it has it.
    client->calls->lost(client->endpoint);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

// MARK: options

static bool is_readable(const char *file) { return file == NULL || access(file, R_OK) == 0; }

static const char *const SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

static natsStatus set_tls(natsOptions *to, const mslot_nats_options *from)
{
    natsStatus status = natsOptions_SetSecure(to, true);
    if (status == NATS_OK)
        status = natsOptions_LoadCATrustedCertificates(to, from->authorities_file == NULL ? SYSTEM_AUTHORITIES : from->authorities_file);
    if (status == NATS_OK && from->certificate_file != NULL)
        status = natsOptions_LoadCertificatesChain(to, from->certificate_file, from->key_file);
    if (status == NATS_OK && from->server_name != NULL) status = natsOptions_SetExpectedHostname(to, from->server_name);
    return status;
}

static natsStatus set_credentials(natsOptions *to, const mslot_nats_options *from)
{
    natsStatus status = NATS_OK;
    if (from->user != NULL) status = natsOptions_SetUserInfo(to, from->user, from->password == NULL ? "" : from->password);
    if (status == NATS_OK && from->token != NULL) status = natsOptions_SetToken(to, from->token);
    if (status == NATS_OK && from->credentials_file != NULL)
        status = natsOptions_SetUserCredentialsFromFiles(to, from->credentials_file, NULL);
    if (status == NATS_OK && from->nkey != NULL) status = natsOptions_SetNKeyFromSeed(to, from->nkey, from->nkey_seed_file);
    return status;
}

static natsStatus set_behaviour(natsOptions *to, const mslot_nats_options *from, mslot_nats_client *client)
{
    natsStatus status = natsOptions_SetAllowReconnect(to, false);
    if (status == NATS_OK) status = natsOptions_SetNoEcho(to, true);
    // Where nobody listens to a subject, the server would tell who is named for replies.
    if (status == NATS_OK) status = natsOptions_DisableNoResponders(to, true);
    // No flusher: what is to be written is told at once, by want_write.
    if (status == NATS_OK) status = natsOptions_SetSendAsap(to, true);
    if (status == NATS_OK) status = natsOptions_SetIOBufSize(to, READ_BYTES);
    if (status == NATS_OK) status = natsOptions_SetPingInterval(to, PING_MS);
    if (status == NATS_OK) status = natsOptions_SetMaxPingsOut(to, PINGS_UNANSWERED_MAX);
    if (status == NATS_OK) status = natsOptions_SetTimeout(to, from->connect_timeout_ns / 1000000);
    if (status == NATS_OK && from->name != NULL) status = natsOptions_SetName(to, from->name);
    if (status == NATS_OK) status = natsOptions_SetErrorHandler(to, on_error, client);
    if (status == NATS_OK) status = natsOptions_SetClosedCB(to, on_closed, client);
    if (status == NATS_OK) status = natsOptions_SetEventLoop(to, client, attach, want_read, want_write, detach);
    return status;
}

static const char *missing_file(const mslot_nats_options *options)
{
    const char *const files[] = {
        options->credentials_file, options->nkey_seed_file, options->authorities_file, options->certificate_file, options->key_file};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!is_readable(files[i])) return files[i];
    return NULL;
}

static bool asks_for_tls(const mslot_nats_options *options)
{
    bool asks = options->uses_tls || options->authorities_file != NULL || options->certificate_file != NULL || options->server_name != NULL;
    for (size_t i = 0; i < options->server_count; i++) asks |= strncmp(options->servers[i], "tls://", 6) == 0;
    return asks;
}

static mslot_nats_outcome set_all(mslot_nats_client *client, const mslot_nats_options *options, char text[MSLOT_NATS_TEXT_MAX])
{
    const char *file = missing_file(options);
    if (file != NULL) {
        snprintf(text, MSLOT_NATS_TEXT_MAX, "%.300s cannot be read: %s", file, strerror(errno));
        return MSLOT_NATS_BAD_OPTIONS;
    }
    client->uses_tls = asks_for_tls(options);
    natsStatus status = set_behaviour(client->options, options, client);
    if (status == NATS_OK) status = set_credentials(client->options, options);
    if (status == NATS_OK && client->uses_tls) status = set_tls(client->options, options);
    if (status == NATS_OK) status = natsOptions_SetServers(client->options, (const char **)client->servers, (int)client->server_count);
    if (status == NATS_OK) return MSLOT_NATS_DONE;
    explain(status, nats_GetLastError(NULL), text);
    return status == NATS_NO_MEMORY ? MSLOT_NATS_NO_RESOURCES : MSLOT_NATS_BAD_OPTIONS;
}

static bool add_server(mslot_nats_client *client, const char *url)
{
    if (client->server_count == MSLOT_NATS_SERVERS_MAX) return true;
    client->servers[client->server_count] = strdup(url);
    return client->servers[client->server_count] != NULL && ++client->server_count > 0;
}

static void forget_servers(mslot_nats_client *client, size_t except)
{
    while (client->server_count > except) free(client->servers[--client->server_count]);
}

mslot_nats_outcome mslot_nats_client_open(mslot_nats_client **opened, const mslot_nats_options *options,
    const mslot_nats_client_calls *calls, void *endpoint, char text[MSLOT_NATS_TEXT_MAX])
{
    mslot_nats_client *client = calloc(1, sizeof *client);
    if (client == NULL) return MSLOT_NATS_NO_RESOURCES;
    *client = (mslot_nats_client){.calls = calls, .endpoint = endpoint, .descriptor = -1, .is_closed = true};
    pthread_mutex_init(&client->mutex, NULL);
    pthread_cond_init(&client->changed, NULL);
    mslot_nats_outcome outcome = MSLOT_NATS_DONE;
    for (size_t i = 0; i < options->server_count; i++)
        if (!add_server(client, options->servers[i])) outcome = MSLOT_NATS_NO_RESOURCES;
    client->configured_count = client->server_count;
    if (outcome == MSLOT_NATS_DONE && natsOptions_Create(&client->options) != NATS_OK) outcome = MSLOT_NATS_NO_RESOURCES;
    if (outcome == MSLOT_NATS_DONE) outcome = set_all(client, options, text);
    if (outcome == MSLOT_NATS_DONE) *opened = client;
    else mslot_nats_client_close(client);
    return outcome;
}

void mslot_nats_client_close(mslot_nats_client *client)
{
    natsOptions_Destroy(client->options);
    forget_servers(client, 0);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

// MARK: the connection

/// Those of a cluster that a server told us of are tried next time, too.
static void learn_servers(mslot_nats_client *client)
{
    char **found = NULL;
    int count = 0;
    if (natsConnection_GetDiscoveredServers(client->connection, &found, &count) != NATS_OK) return;
    if (count > 0) forget_servers(client, client->configured_count);
    for (int i = 0; i < count; i++) {
        add_server(client, found[i]);
        free(found[i]);
    }
    free(found);
    natsOptions_SetServers(client->options, (const char **)client->servers, (int)client->server_count);
}

static mslot_nats_outcome outcome_of(natsStatus status)
{
    switch (status) {
    case NATS_OK: return MSLOT_NATS_DONE;
    case NATS_CONNECTION_AUTH_FAILED: return MSLOT_NATS_REFUSED;
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SECURE_CONNECTION_REQUIRED: return MSLOT_NATS_NO_TLS;
    case NATS_NO_MEMORY: return MSLOT_NATS_NO_RESOURCES;
    default: return MSLOT_NATS_DISCONNECTED;
    }
}

mslot_nats_outcome mslot_nats_client_connect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX])
{
    client->is_closed = false;
    __atomic_store_n(&client->wants_to_write, false, __ATOMIC_RELAXED);
    natsStatus status = natsConnection_Connect(&client->connection, client->options);
    if (status == NATS_OK) {
        if (natsConnection_GetConnectedUrl(client->connection, text, MSLOT_NATS_TEXT_MAX) != NATS_OK) text[0] = 0;
    } else {
        // With TLS 1.3 a server that is not content with our certificate says so after the client thinks that all is well.
        bool ended_early = client->uses_tls && status == NATS_PROTOCOL_ERROR;
        explain(status, ended_early ? "the server ended the connection; it may want a certificate of ours" : nats_GetLastError(NULL), text);
        client->connection = NULL;
        client->is_closed = true;
    }
    return outcome_of(status);
}

void mslot_nats_client_disconnect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX])
{
    learn_servers(client);
    natsConnection_Close(client->connection);
    pthread_mutex_lock(&client->mutex);
    while (!client->is_closed) pthread_cond_wait(&client->changed, &client->mutex);
    memcpy(text, client->last_error, MSLOT_NATS_TEXT_MAX);
    pthread_mutex_unlock(&client->mutex);
    // Not before: what that has to tell the server, closing would wait for, half a second.
    for (uint32_t i = 0; i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++) mslot_nats_client_unsubscribe(client, i);
    natsConnection_Destroy(client->connection);
    client->connection = NULL;
    __atomic_store_n(&client->descriptor, -1, __ATOMIC_RELEASE);
    __atomic_store_n(&client->wants_to_write, false, __ATOMIC_RELEASE);
}

bool mslot_nats_client_is_lost(const mslot_nats_client *client)
{
    return client->connection == NULL || natsConnection_IsClosed(client->connection);
}

int mslot_nats_client_descriptor(const mslot_nats_client *client) { return __atomic_load_n(&client->descriptor, __ATOMIC_ACQUIRE); }

bool mslot_nats_client_wants_to_write(const mslot_nats_client *client)
{
    return __atomic_load_n(&client->wants_to_write, __ATOMIC_SEQ_CST);
}

bool mslot_nats_client_blocks(const mslot_nats_client *client) { return client->uses_tls; }

void mslot_nats_client_read(mslot_nats_client *client) { natsConnection_ProcessReadEvent(client->connection); }

void mslot_nats_client_write(mslot_nats_client *client) { natsConnection_ProcessWriteEvent(client->connection); }

bool mslot_nats_client_flush(mslot_nats_client *client, int64_t milliseconds)
{
    return natsConnection_FlushTimeout(client->connection, milliseconds) == NATS_OK;
}

// MARK: messages

bool mslot_nats_client_subscribe(mslot_nats_client *client, uint32_t index, const char *subject)
{
    // What was read is taken at once: the library's own limit, 65,536 messages, is never reached.
    return natsConnection_SubscribeSync(&client->subscriptions[index], client->connection, subject) == NATS_OK;
}

void mslot_nats_client_unsubscribe(mslot_nats_client *client, uint32_t index)
{
    if (client->subscriptions[index] == NULL) return;
    natsSubscription_Unsubscribe(client->subscriptions[index]);
    natsSubscription_Destroy(client->subscriptions[index]);
    client->subscriptions[index] = NULL;
}

mslot_nats_published mslot_nats_client_publish(mslot_nats_client *client, const mslot_nats_datagram *datagram)
{
    const char *reply = datagram->reply;
    int byte_count = (int)datagram->byte_count;
    natsStatus status = reply == NULL
        ? natsConnection_Publish(client->connection, datagram->subject, datagram->bytes, byte_count)
        : natsConnection_PublishRequest(client->connection, datagram->subject, reply, datagram->bytes, byte_count);
    switch (status) {
    case NATS_OK: return MSLOT_NATS_PUBLISHED;
    case NATS_MAX_PAYLOAD: return MSLOT_NATS_PUBLISHED_TOO_LONG;
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED: return MSLOT_NATS_PUBLISHED_LOST;
    default: return MSLOT_NATS_PUBLISHED_NOT;
    }
}

void mslot_nats_client_take(mslot_nats_client *client, uint32_t index, void (*body)(void *endpoint, const mslot_nats_view *view))
{
    natsMsg *message;
    while (client->subscriptions[index] != NULL && natsSubscription_NextMsg(&message, client->subscriptions[index], 0) == NATS_OK) {
        const char *reply = natsMsg_GetReply(message);
        mslot_nats_view view = {
            .bytes = (const unsigned char *)natsMsg_GetData(message),
            .byte_count = (uint32_t)natsMsg_GetDataLength(message),
            .subscription = index,
            .reply = reply == NULL ? "" : reply,
        };
        body(client->endpoint, &view);
        natsMsg_Destroy(message);
    }
}

#endif

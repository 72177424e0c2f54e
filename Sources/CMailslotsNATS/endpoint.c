// An endpoint: opening, closing, its subscriptions, and what it says of itself.

#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

mslot_nats_probed mslot_nats_probe(void)
{
    mslot_nats_probed probed;
    memset(&probed, 0, sizeof probed);
    probed.is_usable = mslot_nats_client_probe(probed.text);
    return probed;
}

// MARK: opening

static bool are_good(const mslot_nats_options *options)
{
    if (options->server_count < 1 || options->server_count > MSLOT_NATS_SERVERS_MAX) return false;
    for (size_t i = 0; i < options->server_count; i++)
        if (options->servers[i] == NULL) return false;
    if ((options->certificate_file == NULL) != (options->key_file == NULL)) return false;
    if ((options->nkey == NULL) != (options->nkey_seed_file == NULL)) return false;
    return options->connect_timeout_ns >= 1000000 && options->retry_min_ns > 0 && options->retry_max_ns >= options->retry_min_ns;
}

static bool open_memory(mslot_nats_endpoint *endpoint, const mslot_nats_options *options)
{
    return mslot_nats_records_open(&endpoint->backlog, options->backlog_bytes)
        && mslot_nats_records_open(&endpoint->incoming[0], options->incoming_bytes)
        && mslot_nats_records_open(&endpoint->incoming[1], options->incoming_bytes);
}

static void open_locks(mslot_nats_endpoint *endpoint)
{
    pthread_mutex_init(&endpoint->client_mutex, NULL);
    pthread_mutex_init(&endpoint->mutex, NULL);
    pthread_cond_init(&endpoint->flushed, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&endpoint->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mslot_nats_free(mslot_nats_endpoint *endpoint)
{
    if (endpoint->client != NULL) mslot_nats_client_close(endpoint->client);
    for (uint32_t i = 0; i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++) free(endpoint->subjects[i]);
    mslot_nats_records_close(&endpoint->backlog);
    for (int i = 0; i < 2; i++) mslot_nats_records_close(&endpoint->incoming[i]);
    if (endpoint->look_descriptor >= 0) close(endpoint->look_descriptor);
    pthread_cond_destroy(&endpoint->arrived);
    pthread_cond_destroy(&endpoint->flushed);
    pthread_mutex_destroy(&endpoint->mutex);
    pthread_mutex_destroy(&endpoint->client_mutex);
    free(endpoint);
}

/// The first attempt is made here, so that what no later one can mend is said at once.
static mslot_nats_outcome start(mslot_nats_endpoint *endpoint, const mslot_nats_options *options, char text[MSLOT_NATS_TEXT_MAX])
{
    endpoint->look_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!open_memory(endpoint, options) || endpoint->look_descriptor < 0) return MSLOT_NATS_NO_RESOURCES;
    mslot_nats_outcome outcome = mslot_nats_client_open(&endpoint->client, options, &mslot_nats_calls, endpoint, text);
    if (outcome != MSLOT_NATS_DONE) return outcome;
    outcome = mslot_nats_connect(endpoint, text);
    if (outcome == MSLOT_NATS_DISCONNECTED) {
        mslot_nats_tell_unreachable(endpoint, text);
        outcome = MSLOT_NATS_DONE;
    }
    if (outcome == MSLOT_NATS_DONE && pthread_create(&endpoint->thread, NULL, mslot_nats_run, endpoint) != 0) {
        char ignored[MSLOT_NATS_TEXT_MAX];
        if (endpoint->is_connected) mslot_nats_client_disconnect(endpoint->client, ignored);
        outcome = MSLOT_NATS_NO_RESOURCES;
    }
    return outcome;
}

mslot_nats_opened mslot_nats_open(const mslot_nats_options *options)
{
    int saved_errno = errno;
    mslot_nats_opened opened;
    memset(&opened, 0, sizeof opened);
    opened.outcome = are_good(options) ? MSLOT_NATS_NO_RESOURCES : MSLOT_NATS_BAD_ARGUMENT;
    mslot_nats_endpoint *endpoint = opened.outcome == MSLOT_NATS_BAD_ARGUMENT ? NULL : calloc(1, sizeof *endpoint);
    if (endpoint != NULL) {
        endpoint->look_descriptor = -1;
        endpoint->retry_min_ns = options->retry_min_ns;
        endpoint->retry_max_ns = options->retry_max_ns;
        open_locks(endpoint);
        opened.outcome = start(endpoint, options, opened.text);
        opened.is_connected = opened.outcome == MSLOT_NATS_DONE && mslot_nats_describe(endpoint).is_connected;
        if (opened.outcome == MSLOT_NATS_DONE) opened.endpoint = endpoint;
        else mslot_nats_free(endpoint);
    }
    if (opened.text[0] == 0) snprintf(opened.text, sizeof opened.text, "%s", mslot_nats_outcome_text(opened.outcome));
    errno = saved_errno;
    return opened;
}

// MARK: closing

static const int64_t LAST_FLUSH_NS = 500000000;

mslot_nats_outcome mslot_nats_close(mslot_nats_endpoint *endpoint)
{
    if (!mslot_transport_enter(&endpoint->receiving)) return MSLOT_NATS_BUSY;
    // The client's sockets forget what the kernel has not sent yet, when they are closed.
    if (mslot_nats_flush(endpoint, LAST_FLUSH_NS) == MSLOT_NATS_BUSY || !mslot_transport_enter(&endpoint->sending)) {
        mslot_transport_leave(&endpoint->receiving);
        return MSLOT_NATS_BUSY;
    }
    int saved_errno = errno;
    __atomic_store_n(&endpoint->is_ending, true, __ATOMIC_RELEASE);
    mslot_nats_look(endpoint);
    pthread_join(endpoint->thread, NULL);
    errno = saved_errno;
    // Both sides stay taken.
    return MSLOT_NATS_DONE;
}

// MARK: subscriptions

static bool is_subject(const char *subject)
{
    size_t length = strnlen(subject, MSLOT_NATS_SUBJECT_MAX + 1);
    return length > 0 && length <= MSLOT_NATS_SUBJECT_MAX && strpbrk(subject, " \t\r\n") == NULL;
}

mslot_nats_subscribed mslot_nats_subscribe(mslot_nats_endpoint *endpoint, const char *subject)
{
    mslot_nats_subscribed subscribed = {.outcome = MSLOT_NATS_BAD_ARGUMENT, .subscription = 0};
    if (!is_subject(subject)) return subscribed;
    subscribed.outcome = MSLOT_NATS_TOO_MANY;
    pthread_mutex_lock(&endpoint->client_mutex);
    uint32_t index = 0;
    while (index < MSLOT_NATS_SUBSCRIPTIONS_MAX && endpoint->subjects[index] != NULL) index++;
    if (index < MSLOT_NATS_SUBSCRIPTIONS_MAX) {
        endpoint->subjects[index] = strdup(subject);
        subscribed.outcome = endpoint->subjects[index] == NULL ? MSLOT_NATS_NO_RESOURCES : MSLOT_NATS_DONE;
        subscribed.subscription = index;
        if (endpoint->is_connected && subscribed.outcome == MSLOT_NATS_DONE) {
            mslot_nats_client_subscribe(endpoint->client, index, subject);
            mslot_nats_write_out(endpoint);
        }
    }
    pthread_mutex_unlock(&endpoint->client_mutex);
    return subscribed;
}

mslot_nats_outcome mslot_nats_unsubscribe(mslot_nats_endpoint *endpoint, uint32_t subscription)
{
    mslot_nats_outcome outcome = MSLOT_NATS_BAD_ARGUMENT;
    pthread_mutex_lock(&endpoint->client_mutex);
    if (subscription < MSLOT_NATS_SUBSCRIPTIONS_MAX && endpoint->subjects[subscription] != NULL) {
        outcome = MSLOT_NATS_DONE;
        if (endpoint->is_connected) {
            mslot_nats_client_unsubscribe(endpoint->client, subscription);
            mslot_nats_write_out(endpoint);
        }
        free(endpoint->subjects[subscription]);
        endpoint->subjects[subscription] = NULL;
    }
    pthread_mutex_unlock(&endpoint->client_mutex);
    return outcome;
}

// MARK: information

mslot_nats_info mslot_nats_describe(mslot_nats_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->mutex);
    mslot_nats_info info = endpoint->info;
    pthread_mutex_unlock(&endpoint->mutex);
    return info;
}

mslot_nats_counters mslot_nats_count(const mslot_nats_endpoint *endpoint)
{
    _Static_assert(sizeof(mslot_nats_counters) % sizeof(uint64_t) == 0, "it is counters only, so that it can be copied as such");
    mslot_nats_counters counters;
    mslot_transport_count(&counters, &endpoint->counters, sizeof counters);
    return counters;
}

const char *mslot_nats_outcome_text(mslot_nats_outcome outcome)
{
    switch (outcome) {
    case MSLOT_NATS_DONE: return "done";
    case MSLOT_NATS_BUSY: return "another thread is using the endpoint";
    case MSLOT_NATS_BAD_ARGUMENT: return "an argument is out of its range";
    case MSLOT_NATS_NO_CLIENT: return "this was built without the NATS client";
    case MSLOT_NATS_BAD_OPTIONS: return "a file or an address is not what it should be";
    case MSLOT_NATS_REFUSED: return "the server does not accept these credentials";
    case MSLOT_NATS_NO_TLS: return "TLS was not agreed on";
    case MSLOT_NATS_NO_RESOURCES: return "there is not enough memory, or there are too many descriptors or threads";
    case MSLOT_NATS_TIMED_OUT: return "the time was up";
    case MSLOT_NATS_DISCONNECTED: return "there is no connection";
    case MSLOT_NATS_TOO_MANY: return "there are as many subscriptions as can be";
    }
    return "unknown";
}

// The connection's thread: it connects, reads until the connection ends, and begins again.

#include "endpoint.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/// How often the same reason why there is no connection is told. Chosen.
static const int64_t TELL_AGAIN_NS = 60000000000;

static bool is_ending(mslot_nats_endpoint *endpoint) { return __atomic_load_n(&endpoint->is_ending, __ATOMIC_ACQUIRE); }

// MARK: what the client tells

static void wants_to_write(void *of)
{
    mslot_nats_endpoint *endpoint = of;
    // Total order: see mslot_nats_write_out.
    if (!__atomic_load_n(&endpoint->is_writing, __ATOMIC_SEQ_CST)) mslot_nats_look(endpoint);
}

static void lost(void *of) { mslot_nats_look(of); }

static void error(void *of, const char *text)
{
    mslot_nats_endpoint *endpoint = of;
    __atomic_fetch_add(&endpoint->counters.errors, 1, __ATOMIC_RELAXED);
    mslot_nats_tell(endpoint, MSLOT_NATS_ERROR, text);
}

const mslot_nats_client_calls mslot_nats_calls = {.wants_to_write = wants_to_write, .lost = lost, .error = error};

// MARK: connecting

mslot_nats_outcome mslot_nats_connect(mslot_nats_endpoint *endpoint, char text[MSLOT_NATS_TEXT_MAX])
{
    mslot_nats_outcome outcome = mslot_nats_client_connect(endpoint->client, text);
    if (outcome != MSLOT_NATS_DONE) {
        mslot_transport_add(&endpoint->counters.failed_connects, 1);
        return outcome;
    }
    pthread_mutex_lock(&endpoint->client_mutex);
    for (uint32_t i = 0; i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++)
        if (endpoint->subjects[i] != NULL) mslot_nats_client_subscribe(endpoint->client, i, endpoint->subjects[i]);
    mslot_nats_send_backlog(endpoint);
    mslot_nats_write_out(endpoint);
    endpoint->is_connected = true;
    mslot_transport_add(&endpoint->counters.connects, 1);
    pthread_mutex_unlock(&endpoint->client_mutex);
    endpoint->told[0] = 0;
    mslot_nats_tell(endpoint, MSLOT_NATS_CONNECTED, text);
    return MSLOT_NATS_DONE;
}

void mslot_nats_tell_unreachable(mslot_nats_endpoint *endpoint, const char *why)
{
    int64_t now = mslot_transport_now_ns();
    if (strcmp(why, endpoint->told) == 0 && now - endpoint->told_at_ns < TELL_AGAIN_NS) return;
    snprintf(endpoint->told, sizeof endpoint->told, "%s", why);
    endpoint->told_at_ns = now;
    mslot_nats_tell(endpoint, MSLOT_NATS_UNREACHABLE, why);
}

static void disconnect(mslot_nats_endpoint *endpoint)
{
    char why[MSLOT_NATS_TEXT_MAX];
    pthread_mutex_lock(&endpoint->client_mutex);
    endpoint->is_connected = false;
    while (endpoint->flushing > 0) pthread_cond_wait(&endpoint->flushed, &endpoint->client_mutex);
    mslot_transport_add(&endpoint->counters.disconnects, 1);
    mslot_transport_add(&endpoint->counters.dropped[MSLOT_NATS_DROP_CONNECTION_LOST], endpoint->unwritten);
    endpoint->unwritten = 0;
    pthread_mutex_unlock(&endpoint->client_mutex);
    mslot_nats_client_disconnect(endpoint->client, why);
    mslot_nats_tell(endpoint, MSLOT_NATS_LOST, why);
}

// MARK: the thread

/// Reads and writes what there is, once.
static void serve(mslot_nats_endpoint *endpoint, bool is_readable)
{
    pthread_mutex_lock(&endpoint->client_mutex);
    if (is_readable) mslot_nats_client_read(endpoint->client);
    mslot_nats_write_out(endpoint);
    for (uint32_t i = 0; is_readable && i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++)
        if (endpoint->subjects[i] != NULL) mslot_nats_client_take(endpoint->client, i, mslot_nats_arrive);
    pthread_mutex_unlock(&endpoint->client_mutex);
    if (is_readable) mslot_nats_announce(endpoint);
}

static void serve_until_lost(mslot_nats_endpoint *endpoint)
{
    while (!is_ending(endpoint) && !mslot_nats_client_is_lost(endpoint->client)) {
        short writing = mslot_nats_client_wants_to_write(endpoint->client) ? POLLOUT : 0;
        struct pollfd polled[2] = {
            {.fd = endpoint->look_descriptor, .events = POLLIN},
            {.fd = mslot_nats_client_descriptor(endpoint->client), .events = (short)(POLLIN | writing)},
        };
        if (poll(polled, 2, -1) < 0) continue; // EINTR
        if (polled[0].revents != 0) mslot_nats_stop_looking(endpoint);
        serve(endpoint, (polled[1].revents & (POLLIN | POLLERR | POLLHUP)) != 0);
    }
}

/// At least half of the time, so that not all come back at once to a server that was away.
static int64_t shortened(int64_t time_ns) { return time_ns / 2 + (int64_t)((uint64_t)random() % (uint64_t)(time_ns / 2 + 1)); }

static void wait_before_retry(mslot_nats_endpoint *endpoint, int64_t time_ns)
{
    int64_t deadline = mslot_transport_deadline(shortened(time_ns));
    while (!is_ending(endpoint) && mslot_transport_now_ns() < deadline) {
        struct pollfd polled = {.fd = endpoint->look_descriptor, .events = POLLIN};
        if (poll(&polled, 1, mslot_transport_milliseconds_until(deadline)) > 0) mslot_nats_stop_looking(endpoint);
    }
}

/// False: it is to end.
static bool connect_sooner_or_later(mslot_nats_endpoint *endpoint)
{
    for (int64_t wait_ns = endpoint->retry_min_ns; !is_ending(endpoint);) {
        char text[MSLOT_NATS_TEXT_MAX];
        if (mslot_nats_connect(endpoint, text) == MSLOT_NATS_DONE) return true;
        mslot_nats_tell_unreachable(endpoint, text);
        wait_before_retry(endpoint, wait_ns);
        wait_ns = wait_ns < endpoint->retry_max_ns / 2 ? wait_ns * 2 : endpoint->retry_max_ns;
    }
    return false;
}

void *mslot_nats_run(void *of)
{
    mslot_nats_endpoint *endpoint = of;
    // Only this thread changes it, once it runs.
    while (endpoint->is_connected || connect_sooner_or_later(endpoint)) {
        serve_until_lost(endpoint);
        disconnect(endpoint);
        if (!is_ending(endpoint)) wait_before_retry(endpoint, endpoint->retry_min_ns);
    }
    return NULL;
}

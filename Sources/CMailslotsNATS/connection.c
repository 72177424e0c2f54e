// The connection's thread: it connects, reads until the connection ends, and begins again.

#include "station.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/// How often the same reason why there is no connection is told. Chosen.
static const int64_t TELL_AGAIN_NS = 60000000000;

void mslot_nats_look(mslot_nats_station *station)
{
    int saved_errno = errno;
    uint64_t one = 1;
    // EAGAIN - the counter is at its maximum: then it is not 0, which is what matters.
    while (write(station->look_descriptor, &one, sizeof one) < 0 && errno == EINTR) {}
    errno = saved_errno;
}

static void stop_looking(mslot_nats_station *station)
{
    uint64_t count;
    while (read(station->look_descriptor, &count, sizeof count) < 0 && errno == EINTR) {}
}

static bool is_ending(mslot_nats_station *station) { return __atomic_load_n(&station->is_ending, __ATOMIC_ACQUIRE); }

// MARK: what the client tells

static void wants_to_write(void *of)
{
    mslot_nats_station *station = of;
    // Total order: see mslot_nats_write_out.
    if (!__atomic_load_n(&station->is_writing, __ATOMIC_SEQ_CST)) mslot_nats_look(station);
}

static void lost(void *of) { mslot_nats_look(of); }

static void error(void *of, const char *text)
{
    mslot_nats_station *station = of;
    __atomic_fetch_add(&station->counters.errors, 1, __ATOMIC_RELAXED);
    mslot_nats_tell(station, MSLOT_NATS_ERROR, text);
}

const mslot_nats_client_calls mslot_nats_calls = {.wants_to_write = wants_to_write, .lost = lost, .error = error};

// MARK: connecting

mslot_nats_outcome mslot_nats_connect(mslot_nats_station *station, char text[MSLOT_NATS_TEXT_MAX])
{
    mslot_nats_outcome outcome = mslot_nats_client_connect(station->client, text);
    if (outcome != MSLOT_NATS_DONE) {
        mslot_nats_add(&station->counters.failed_connects, 1);
        return outcome;
    }
    pthread_mutex_lock(&station->client_mutex);
    for (uint32_t i = 0; i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++)
        if (station->subjects[i] != NULL) mslot_nats_client_subscribe(station->client, i, station->subjects[i]);
    mslot_nats_send_backlog(station);
    mslot_nats_write_out(station);
    station->is_connected = true;
    mslot_nats_add(&station->counters.connects, 1);
    pthread_mutex_unlock(&station->client_mutex);
    station->told[0] = 0;
    mslot_nats_tell(station, MSLOT_NATS_CONNECTED, text);
    return MSLOT_NATS_DONE;
}

void mslot_nats_tell_unreachable(mslot_nats_station *station, const char *why)
{
    int64_t now = mslot_nats_now_ns();
    if (strcmp(why, station->told) == 0 && now - station->told_at_ns < TELL_AGAIN_NS) return;
    snprintf(station->told, sizeof station->told, "%s", why);
    station->told_at_ns = now;
    mslot_nats_tell(station, MSLOT_NATS_UNREACHABLE, why);
}

static void disconnect(mslot_nats_station *station)
{
    char why[MSLOT_NATS_TEXT_MAX];
    pthread_mutex_lock(&station->client_mutex);
    station->is_connected = false;
    while (station->flushing > 0) pthread_cond_wait(&station->flushed, &station->client_mutex);
    mslot_nats_add(&station->counters.disconnects, 1);
    mslot_nats_add(&station->counters.dropped[MSLOT_NATS_DROP_CONNECTION_LOST], station->unwritten);
    station->unwritten = 0;
    pthread_mutex_unlock(&station->client_mutex);
    mslot_nats_client_disconnect(station->client, why);
    mslot_nats_tell(station, MSLOT_NATS_LOST, why);
}

// MARK: the thread

/// Reads and writes what there is, once.
static void serve(mslot_nats_station *station, bool is_readable)
{
    pthread_mutex_lock(&station->client_mutex);
    if (is_readable) mslot_nats_client_read(station->client);
    mslot_nats_write_out(station);
    for (uint32_t i = 0; is_readable && i < MSLOT_NATS_SUBSCRIPTIONS_MAX; i++)
        if (station->subjects[i] != NULL) mslot_nats_client_take(station->client, i, mslot_nats_arrive);
    pthread_mutex_unlock(&station->client_mutex);
    if (is_readable) mslot_nats_announce(station);
}

static void serve_until_lost(mslot_nats_station *station)
{
    while (!is_ending(station) && !mslot_nats_client_is_lost(station->client)) {
        short writing = mslot_nats_client_wants_to_write(station->client) ? POLLOUT : 0;
        struct pollfd polled[2] = {
            {.fd = station->look_descriptor, .events = POLLIN},
            {.fd = mslot_nats_client_descriptor(station->client), .events = (short)(POLLIN | writing)},
        };
        if (poll(polled, 2, -1) < 0) continue; // EINTR
        if (polled[0].revents != 0) stop_looking(station);
        serve(station, (polled[1].revents & (POLLIN | POLLERR | POLLHUP)) != 0);
    }
}

/// At least half of the time, so that not all come back at once to a server that was away.
static int64_t shortened(int64_t time_ns) { return time_ns / 2 + (int64_t)((uint64_t)random() % (uint64_t)(time_ns / 2 + 1)); }

static void wait_before_retry(mslot_nats_station *station, int64_t time_ns)
{
    int64_t deadline = mslot_nats_deadline(shortened(time_ns));
    while (!is_ending(station) && mslot_nats_now_ns() < deadline) {
        struct pollfd polled = {.fd = station->look_descriptor, .events = POLLIN};
        if (poll(&polled, 1, mslot_nats_milliseconds_until(deadline)) > 0) stop_looking(station);
    }
}

/// False: it is to end.
static bool connect_sooner_or_later(mslot_nats_station *station)
{
    for (int64_t wait_ns = station->retry_min_ns; !is_ending(station);) {
        char text[MSLOT_NATS_TEXT_MAX];
        if (mslot_nats_connect(station, text) == MSLOT_NATS_DONE) return true;
        mslot_nats_tell_unreachable(station, text);
        wait_before_retry(station, wait_ns);
        wait_ns = wait_ns < station->retry_max_ns / 2 ? wait_ns * 2 : station->retry_max_ns;
    }
    return false;
}

void *mslot_nats_run(void *of)
{
    mslot_nats_station *station = of;
    // Only this thread changes it, once it runs.
    while (station->is_connected || connect_sooner_or_later(station)) {
        serve_until_lost(station);
        disconnect(station);
        if (!is_ending(station)) wait_before_retry(station, station->retry_min_ns);
    }
    return NULL;
}

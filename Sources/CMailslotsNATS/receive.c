// Receiving: what the connection's thread has read is kept until it is asked for.

#include "endpoint.h"

#include <errno.h>

void mslot_nats_arrive(void *of, const mslot_nats_view *view)
{
    mslot_nats_endpoint *endpoint = of;
    if (view->byte_count > MSLOT_NATS_BYTES_MAX) {
        mslot_transport_add(&endpoint->counters.dropped[MSLOT_NATS_DROP_INCOMING_TOO_LONG], 1);
        return;
    }
    pthread_mutex_lock(&endpoint->mutex);
    mslot_nats_record record = {.number = view->subscription, .byte_count = view->byte_count, .text = view->reply, .bytes = view->bytes};
    bool fits = mslot_nats_records_append(&endpoint->incoming[endpoint->filled], &record);
    if (!fits) {
        mslot_transport_add(&endpoint->counters.dropped[MSLOT_NATS_DROP_INCOMING_FULL], 1);
        mslot_transport_add(&endpoint->counters.slow, !endpoint->is_full);
        endpoint->is_full = true;
    }
    pthread_mutex_unlock(&endpoint->mutex);
}

/// Under the mutex.
static void rouse(mslot_nats_endpoint *endpoint)
{
    if (endpoint->is_waiting) pthread_cond_signal(&endpoint->arrived);
}

void mslot_nats_announce(mslot_nats_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->mutex);
    if (!mslot_nats_records_are_empty(&endpoint->incoming[endpoint->filled])) rouse(endpoint);
    pthread_mutex_unlock(&endpoint->mutex);
}

/// What is to be given out: what arrived since this was last empty.
static mslot_nats_records *given(mslot_nats_endpoint *endpoint)
{
    mslot_nats_records *records = &endpoint->incoming[1 - endpoint->filled];
    if (!mslot_nats_records_are_empty(records)) return records;
    mslot_nats_records_clear(records);
    pthread_mutex_lock(&endpoint->mutex);
    endpoint->filled = 1 - endpoint->filled;
    endpoint->is_full = false;
    pthread_mutex_unlock(&endpoint->mutex);
    return &endpoint->incoming[1 - endpoint->filled];
}

mslot_nats_received mslot_nats_receive(mslot_nats_endpoint *endpoint, mslot_nats_view *views, size_t count)
{
    mslot_nats_received received = {.outcome = MSLOT_NATS_BAD_ARGUMENT, .count = 0};
    if (views == NULL && count > 0) return received;
    received.outcome = MSLOT_NATS_BUSY;
    if (!mslot_transport_enter(&endpoint->receiving)) return received;
    received.outcome = MSLOT_NATS_DONE;
    mslot_nats_records *records = given(endpoint);
    mslot_nats_record record;
    uint64_t byte_count = 0;
    while (received.count < count && mslot_nats_records_take(records, &record)) {
        views[received.count++] =
            (mslot_nats_view){.bytes = record.bytes, .byte_count = record.byte_count, .subscription = record.number, .reply = record.text};
        byte_count += record.byte_count;
    }
    mslot_transport_add(&endpoint->counters.received, received.count);
    mslot_transport_add(&endpoint->counters.received_bytes, byte_count);
    mslot_transport_leave(&endpoint->receiving);
    return received;
}

// MARK: waiting

static bool is_readable(mslot_nats_endpoint *endpoint)
{
    return !mslot_nats_records_are_empty(&endpoint->incoming[0]) || !mslot_nats_records_are_empty(&endpoint->incoming[1]);
}

mslot_nats_outcome mslot_nats_wait(mslot_nats_endpoint *endpoint, int64_t timeout_ns)
{
    if (!mslot_transport_enter(&endpoint->receiving)) return MSLOT_NATS_BUSY;
    struct timespec until = mslot_transport_timespec(mslot_transport_deadline(timeout_ns));
    pthread_mutex_lock(&endpoint->mutex);
    endpoint->is_waiting = true;
    while (!is_readable(endpoint) && !endpoint->is_woken && !endpoint->has_news)
        if (pthread_cond_timedwait(&endpoint->arrived, &endpoint->mutex, &until) == ETIMEDOUT) break;
    endpoint->is_waiting = false;
    endpoint->is_woken = false;
    endpoint->has_news = false;
    pthread_mutex_unlock(&endpoint->mutex);
    mslot_transport_leave(&endpoint->receiving);
    return MSLOT_NATS_DONE;
}

void mslot_nats_wake(mslot_nats_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->mutex);
    endpoint->is_woken = true;
    rouse(endpoint);
    pthread_mutex_unlock(&endpoint->mutex);
}

// MARK: events

void mslot_nats_tell(mslot_nats_endpoint *endpoint, mslot_nats_event_kind kind, const char *text)
{
    pthread_mutex_lock(&endpoint->mutex);
    if (endpoint->event_count == EVENTS_MAX) {
        endpoint->event_first++;
        endpoint->event_count--;
    }
    mslot_nats_event *event = &endpoint->events[(endpoint->event_first + endpoint->event_count++) % EVENTS_MAX];
    event->kind = kind;
    strncpy(event->text, text, sizeof event->text - 1);
    event->text[sizeof event->text - 1] = 0;
    if (kind != MSLOT_NATS_ERROR) {
        endpoint->info.is_connected = kind == MSLOT_NATS_CONNECTED;
        memcpy(endpoint->info.text, event->text, sizeof endpoint->info.text);
    }
    endpoint->has_news = true;
    rouse(endpoint);
    pthread_mutex_unlock(&endpoint->mutex);
}

mslot_nats_event mslot_nats_next_event(mslot_nats_endpoint *endpoint)
{
    mslot_nats_event event = {.kind = MSLOT_NATS_NO_EVENT, .text = ""};
    pthread_mutex_lock(&endpoint->mutex);
    if (endpoint->event_count > 0) {
        event = endpoint->events[endpoint->event_first % EVENTS_MAX];
        endpoint->event_first++;
        endpoint->event_count--;
    }
    pthread_mutex_unlock(&endpoint->mutex);
    return event;
}

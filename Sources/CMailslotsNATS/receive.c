// Receiving: what the connection's thread has read is kept until it is asked for.

#include "station.h"

#include <errno.h>

void mslot_nats_arrive(void *of, const mslot_nats_view *view)
{
    mslot_nats_station *station = of;
    if (view->byte_count > MSLOT_NATS_BYTES_MAX) {
        mslot_nats_add(&station->counters.dropped[MSLOT_NATS_DROP_INCOMING_TOO_LONG], 1);
        return;
    }
    pthread_mutex_lock(&station->mutex);
    mslot_nats_record record = {
        .number = view->subscription, .byte_count = view->byte_count, .text = view->reply, .bytes = view->bytes};
    bool fits = mslot_nats_records_append(&station->incoming[station->filled], &record);
    if (!fits) {
        mslot_nats_add(&station->counters.dropped[MSLOT_NATS_DROP_INCOMING_FULL], 1);
        mslot_nats_add(&station->counters.slow, !station->is_full);
        station->is_full = true;
    }
    pthread_mutex_unlock(&station->mutex);
}

/// Under the mutex.
static void rouse(mslot_nats_station *station)
{
    if (station->is_waiting) pthread_cond_signal(&station->arrived);
}

void mslot_nats_announce(mslot_nats_station *station)
{
    pthread_mutex_lock(&station->mutex);
    if (!mslot_nats_records_are_empty(&station->incoming[station->filled])) rouse(station);
    pthread_mutex_unlock(&station->mutex);
}

/// What is to be given out: what arrived since this was last empty.
static mslot_nats_records *given(mslot_nats_station *station)
{
    mslot_nats_records *records = &station->incoming[1 - station->filled];
    if (!mslot_nats_records_are_empty(records)) return records;
    mslot_nats_records_clear(records);
    pthread_mutex_lock(&station->mutex);
    station->filled = 1 - station->filled;
    station->is_full = false;
    pthread_mutex_unlock(&station->mutex);
    return &station->incoming[1 - station->filled];
}

mslot_nats_received mslot_nats_receive(mslot_nats_station *station, mslot_nats_view *views, size_t count)
{
    mslot_nats_received received = {.outcome = MSLOT_NATS_BAD_ARGUMENT, .count = 0};
    if (views == NULL && count > 0) return received;
    received.outcome = MSLOT_NATS_BUSY;
    if (!mslot_nats_side_enter(&station->receiving)) return received;
    received.outcome = MSLOT_NATS_DONE;
    mslot_nats_records *records = given(station);
    mslot_nats_record record;
    uint64_t byte_count = 0;
    while (received.count < count && mslot_nats_records_take(records, &record)) {
        views[received.count++] = (mslot_nats_view){
            .bytes = record.bytes, .byte_count = record.byte_count, .subscription = record.number, .reply = record.text};
        byte_count += record.byte_count;
    }
    mslot_nats_add(&station->counters.received, received.count);
    mslot_nats_add(&station->counters.received_bytes, byte_count);
    mslot_nats_side_leave(&station->receiving);
    return received;
}

// MARK: waiting

static bool is_readable(mslot_nats_station *station)
{
    return !mslot_nats_records_are_empty(&station->incoming[0]) || !mslot_nats_records_are_empty(&station->incoming[1]);
}

mslot_nats_outcome mslot_nats_wait(mslot_nats_station *station, int64_t timeout_ns)
{
    if (!mslot_nats_side_enter(&station->receiving)) return MSLOT_NATS_BUSY;
    struct timespec until = mslot_nats_moment(mslot_nats_deadline(timeout_ns), CLOCK_MONOTONIC);
    pthread_mutex_lock(&station->mutex);
    station->is_waiting = true;
    while (!is_readable(station) && !station->is_woken && !station->has_news)
        if (pthread_cond_timedwait(&station->arrived, &station->mutex, &until) == ETIMEDOUT) break;
    station->is_waiting = false;
    station->is_woken = false;
    station->has_news = false;
    pthread_mutex_unlock(&station->mutex);
    mslot_nats_side_leave(&station->receiving);
    return MSLOT_NATS_DONE;
}

void mslot_nats_wake(mslot_nats_station *station)
{
    pthread_mutex_lock(&station->mutex);
    station->is_woken = true;
    rouse(station);
    pthread_mutex_unlock(&station->mutex);
}

// MARK: events

void mslot_nats_tell(mslot_nats_station *station, mslot_nats_event_kind kind, const char *text)
{
    pthread_mutex_lock(&station->mutex);
    if (station->event_count == EVENTS_MAX) {
        station->event_first++;
        station->event_count--;
    }
    mslot_nats_event *event = &station->events[(station->event_first + station->event_count++) % EVENTS_MAX];
    event->kind = kind;
    strncpy(event->text, text, sizeof event->text - 1);
    event->text[sizeof event->text - 1] = 0;
    if (kind != MSLOT_NATS_ERROR) {
        station->info.is_connected = kind == MSLOT_NATS_CONNECTED;
        memcpy(station->info.text, event->text, sizeof station->info.text);
    }
    station->has_news = true;
    rouse(station);
    pthread_mutex_unlock(&station->mutex);
}

mslot_nats_event mslot_nats_next_event(mslot_nats_station *station)
{
    mslot_nats_event event = {.kind = MSLOT_NATS_NO_EVENT, .text = ""};
    pthread_mutex_lock(&station->mutex);
    if (station->event_count > 0) {
        event = station->events[station->event_first % EVENTS_MAX];
        station->event_first++;
        station->event_count--;
    }
    pthread_mutex_unlock(&station->mutex);
    return event;
}

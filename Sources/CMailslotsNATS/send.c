// Sending: a batch is given to the client, and what it makes of it is written at once.

#include "endpoint.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

static void drop(mslot_nats_endpoint *endpoint, mslot_nats_drop cause, uint64_t count)
{
    mslot_transport_add(&endpoint->counters.dropped[cause], count);
}

void mslot_nats_write_out(mslot_nats_endpoint *endpoint)
{
    if (mslot_nats_client_wants_to_write(endpoint->client)) mslot_nats_client_write(endpoint->client);
    // The client's timer wants to write a ping whenever it likes. Either it sees that nobody is writing any more and makes the thread look,
    // or we see that it wants to write: both store first, and load then, in total order.
    __atomic_store_n(&endpoint->is_writing, false, __ATOMIC_SEQ_CST);
    if (mslot_nats_client_wants_to_write(endpoint->client)) mslot_nats_look(endpoint);
    else endpoint->unwritten = 0;
}

/// False: the connection is lost.
static bool publish(mslot_nats_endpoint *endpoint, const mslot_nats_datagram *datagram)
{
    switch (mslot_nats_client_publish(endpoint->client, datagram)) {
    case MSLOT_NATS_PUBLISHED:
        mslot_transport_add(&endpoint->counters.sent, 1);
        mslot_transport_add(&endpoint->counters.sent_bytes, datagram->byte_count);
        endpoint->unwritten++;
        return true;
    case MSLOT_NATS_PUBLISHED_TOO_LONG: drop(endpoint, MSLOT_NATS_DROP_TOO_LONG, 1); return true;
    case MSLOT_NATS_PUBLISHED_NOT: drop(endpoint, MSLOT_NATS_DROP_CLIENT, 1); return true;
    case MSLOT_NATS_PUBLISHED_LOST: return false;
    }
    return false;
}

// MARK: the backlog

static void keep(mslot_nats_endpoint *endpoint, const mslot_nats_datagram *datagram)
{
    char subjects[2 * (MSLOT_NATS_SUBJECT_MAX + 1)];
    snprintf(subjects, sizeof subjects, "%s%s", datagram->subject, datagram->reply == NULL ? "" : datagram->reply);
    mslot_nats_record record = {
        .number = (uint32_t)strlen(datagram->subject), .byte_count = datagram->byte_count, .text = subjects, .bytes = datagram->bytes};
    if (mslot_nats_records_append(&endpoint->backlog, &record)) mslot_transport_add(&endpoint->counters.backlogged, 1);
    else drop(endpoint, MSLOT_NATS_DROP_BACKLOG_FULL, 1);
}

void mslot_nats_send_backlog(mslot_nats_endpoint *endpoint)
{
    mslot_nats_record record;
    while (mslot_nats_records_take(&endpoint->backlog, &record)) {
        char subject[MSLOT_NATS_SUBJECT_MAX + 1];
        snprintf(subject, sizeof subject, "%.*s", (int)record.number, record.text);
        const char *reply = record.text + record.number;
        mslot_nats_datagram datagram = {
            .subject = subject, .reply = reply[0] == 0 ? NULL : reply, .bytes = record.bytes, .byte_count = record.byte_count};
        if (!publish(endpoint, &datagram)) drop(endpoint, MSLOT_NATS_DROP_CONNECTION_LOST, 1);
    }
    mslot_nats_records_clear(&endpoint->backlog);
}

// MARK: batches

static bool has_room(mslot_nats_endpoint *endpoint) { return !mslot_nats_client_wants_to_write(endpoint->client); }

/// False: the socket takes no more for now.
static bool wait_for_socket(mslot_nats_endpoint *endpoint, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd polled = {.fd = mslot_nats_client_descriptor(endpoint->client), .events = POLLOUT};
        int ready = poll(&polled, 1, mslot_transport_milliseconds_until(deadline_ns));
        // Not ready but in error: the connection is lost, which shows when it is used.
        if (ready > 0 || polled.fd < 0) return true;
        if (ready == 0 || mslot_transport_now_ns() >= deadline_ns) return false;
    }
}

/// False: what was sent before is still not written.
static bool make_room(mslot_nats_endpoint *endpoint, int64_t deadline_ns)
{
    while (!has_room(endpoint) && !mslot_nats_client_is_lost(endpoint->client)) {
        if (!wait_for_socket(endpoint, deadline_ns)) return false;
        mslot_nats_write_out(endpoint);
    }
    return true;
}

static bool is_ready(mslot_nats_endpoint *endpoint, int64_t deadline_ns)
{
    if (!has_room(endpoint)) {
        mslot_transport_add(&endpoint->counters.blocked, 1);
        if (!make_room(endpoint, deadline_ns)) return false;
    }
    return !mslot_nats_client_blocks(endpoint->client) || wait_for_socket(endpoint, deadline_ns);
}

static void send_batch(mslot_nats_endpoint *endpoint, const mslot_nats_datagram *datagrams, size_t count, int64_t deadline_ns)
{
    if (endpoint->is_connected && !is_ready(endpoint, deadline_ns)) {
        drop(endpoint, MSLOT_NATS_DROP_NO_ROOM, count);
        return;
    }
    __atomic_store_n(&endpoint->is_writing, true, __ATOMIC_SEQ_CST);
    for (size_t i = 0; i < count; i++) {
        const mslot_nats_datagram *datagram = &datagrams[i];
        if (datagram->byte_count > MSLOT_NATS_BYTES_MAX) drop(endpoint, MSLOT_NATS_DROP_TOO_LONG, 1);
        else if (!endpoint->is_connected || !publish(endpoint, datagram)) keep(endpoint, datagram);
    }
    mslot_nats_write_out(endpoint);
}

static bool is_subject(const char *subject)
{
    return subject != NULL && subject[0] != 0 && strnlen(subject, MSLOT_NATS_SUBJECT_MAX + 1) <= MSLOT_NATS_SUBJECT_MAX;
}

static bool are_good(const mslot_nats_datagram *datagrams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const mslot_nats_datagram *datagram = &datagrams[i];
        if (!is_subject(datagram->subject) || (datagram->reply != NULL && !is_subject(datagram->reply))) return false;
        if (datagram->bytes == NULL && datagram->byte_count > 0) return false;
    }
    return true;
}

mslot_nats_outcome mslot_nats_send(mslot_nats_endpoint *endpoint, const mslot_nats_datagram *datagrams, size_t count, int64_t timeout_ns)
{
    if ((datagrams == NULL && count > 0) || !are_good(datagrams, count)) return MSLOT_NATS_BAD_ARGUMENT;
    if (!mslot_transport_enter(&endpoint->sending)) return MSLOT_NATS_BUSY;
    int saved_errno = errno;
    int64_t deadline = mslot_transport_deadline(timeout_ns);
    for (size_t done = 0; done < count;) {
        size_t part = count - done < BATCH_MAX ? count - done : BATCH_MAX;
        pthread_mutex_lock(&endpoint->client_mutex);
        send_batch(endpoint, datagrams + done, part, deadline);
        pthread_mutex_unlock(&endpoint->client_mutex);
        done += part;
    }
    errno = saved_errno;
    mslot_transport_leave(&endpoint->sending);
    return MSLOT_NATS_DONE;
}

mslot_nats_outcome mslot_nats_flush(mslot_nats_endpoint *endpoint, int64_t timeout_ns)
{
    if (!mslot_transport_enter(&endpoint->sending)) return MSLOT_NATS_BUSY;
    int saved_errno = errno;
    pthread_mutex_lock(&endpoint->client_mutex);
    mslot_nats_outcome outcome = endpoint->is_connected ? MSLOT_NATS_DONE : MSLOT_NATS_DISCONNECTED;
    if (outcome == MSLOT_NATS_DONE) {
        endpoint->flushing++;
        pthread_mutex_unlock(&endpoint->client_mutex);
        int milliseconds = mslot_transport_milliseconds_until(mslot_transport_deadline(timeout_ns));
        bool good = mslot_nats_client_flush(endpoint->client, milliseconds > 0 ? milliseconds : 1);
        pthread_mutex_lock(&endpoint->client_mutex);
        endpoint->flushing--;
        pthread_cond_broadcast(&endpoint->flushed);
        if (!good) outcome = endpoint->is_connected ? MSLOT_NATS_TIMED_OUT : MSLOT_NATS_DISCONNECTED;
    }
    pthread_mutex_unlock(&endpoint->client_mutex);
    errno = saved_errno;
    mslot_transport_leave(&endpoint->sending);
    return outcome;
}

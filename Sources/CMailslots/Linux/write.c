// Writing when it is not simply a swap: waiting for room, and batches.

#include "linux.h"

#include <errno.h>
#include <sys/mman.h>

enum {
    POLLS_PER_CLOCK = 16,
    /// Who cannot make the reader's fence for it looks again this often.
    UNFENCED_SLEEP_NS = 1000000,
    /// Who polls for longer asks this often whether the reader is alive. Chosen: two system calls in it are nothing.
    POLL_NS_MAX = 1000000,
    /// Who backs off from a full mailslot does so until about this part of it is free. Chosen: the reader has seven times as much left.
    BACKOFF_SHARE = 8
};

mslot_outcome mslot__writer_refusal(const mslot_writer *writer, uint32_t wanted)
{
    mslot_outcome refusal = mslot__handle_refusal(writer);
    if (refusal != MSLOT_DONE) return refusal;
    uint32_t state = mslot__load_relaxed_32(&writer->state);
    if (state == MSLOT_HANDLE_BROKEN) return MSLOT_DAMAGED;
    return wanted == MSLOT_HANDLE_LOANED && state == MSLOT_HANDLE_IDLE ? MSLOT_BAD_ARGUMENT : MSLOT_BUSY;
}

// MARK: is the reader there?

mslot_outcome mslot_writer_check_reader(mslot_writer *writer)
{
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    int saved_errno = errno;
    bool is_gone = mslot__reader_ask(writer) == MSLOT_NO_READER;
    errno = saved_errno;
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return is_gone ? MSLOT_NO_READER : MSLOT_DONE;
}

// MARK: waiting for room

/// Polls a while for room, for the reader may be at work. For how long it did.
static int64_t spin_for_room(mslot_writer *writer, int64_t limit_ns, int64_t deadline_ns)
{
    const mslot_ring *ring = &writer->ring.ring;
    // What the reader changes when it makes room: the next cell; or only the head, when the ring has room and the overflow has none.
    const uint64_t *word = writer->unplaced == NULL ? mslot__ring_state(ring, writer->ring.position) : &ring->control->head;
    uint64_t full = mslot__load_relaxed(word);
    int64_t begun = mslot__now_ns(), now = begun, end = begun + (limit_ns < POLL_NS_MAX ? limit_ns : POLL_NS_MAX);
    if (end > deadline_ns) end = deadline_ns;
    do {
        for (int i = 0; i < POLLS_PER_CLOCK; i++) {
            if (mslot__load_relaxed(word) != full) return now - begun;
            mslot__pause();
        }
        now = mslot__now_ns();
    } while (now < end && mslot__load_relaxed_32(&writer->interrupt) == 0 && !mslot__loop_is_called(now));
    return now - begun;
}

/// Publishes the short message that waits, or what is filled; of a long message, what can be placed.
static mslot_outcome try_to_publish(mslot_writer *writer)
{
    if (writer->waiting_express != NULL) return mslot__writer_publish_and_wake(writer, writer->waiting_express);
    if (writer->unplaced == NULL) return mslot__writer_publish_and_wake(writer, NULL);
    mslot_place place = mslot__ring_place(&writer->ring, writer->unplaced_bytes);
    if (place.bytes == NULL) {
        // What publishing would have met: the swap is not tried, for the own slot is not filled.
        mslot_tail tail = mslot__ring_tail(&writer->ring.ring);
        if (tail.outcome != MSLOT_DONE) return tail.outcome;
        if (tail.closed) return MSLOT_CLOSED;
        // As when the ring is full: the reader may be asleep because a stopped writer never woke it.
        uint32_t *asleep = mslot__ring_parked_word(&writer->ring);
        if (asleep != NULL) mslot__wake_reader_slow(asleep);
        return MSLOT_FULL;
    }
    memcpy(place.bytes, writer->unplaced, writer->unplaced_bytes);
    mslot_slot *slot = mslot__ring_own_slot(&writer->ring);
    mslot__writer_head(writer, slot, writer->unplaced_bytes);
    slot->extra = place.offset;
    writer->place_offset = place.offset;
    writer->unplaced = NULL;
    return mslot__writer_publish_and_wake(writer, NULL);
}

/// How a writer sleeps for room.
typedef struct space_sleep {
    /// Until `space_sequence` is no longer this.
    uint32_t sequence;
    int64_t ns_max;
} space_sleep;

static space_sleep want_space(mslot_writer *writer)
{
    mslot_space_wait wait = mslot__ring_want_space(&writer->ring);
    // Refused, we may not have seen the room that the reader makes, nor it that we want it.
    bool is_fenced = !wait.makes_readers_fence || mslot__fence_others();
    return (space_sleep){wait.sequence, is_fenced ? MSLOT_SLEEP_NS_MAX : UNFENCED_SLEEP_NS};
}

/// Polls for room up to `limit_ns`, then looks for it so that the caller may sleep afterwards. FULL: as `*sleep` says.
static mslot_outcome look_for_room(mslot_writer *writer, int64_t limit_ns, int64_t deadline_ns, space_sleep *sleep)
{
    mslot_outcome outcome;
    if (limit_ns > 0) {
        int64_t polled = spin_for_room(writer, limit_ns, deadline_ns);
        outcome = try_to_publish(writer);
        if (outcome != MSLOT_FULL) {
            mslot__spin_found(&writer->spin, polled);
            return outcome;
        }
    }
    // Who never sleeps asks for no wake, which would cost the reader a system call.
    if (limit_ns != MSLOT_FOREVER) *sleep = want_space(writer);
    outcome = try_to_publish(writer);
    if (outcome != MSLOT_FULL) return outcome;
    if (mslot__interrupt_take(&writer->interrupt)) return MSLOT_INTERRUPTED;
    mslot_outcome reader = mslot__reader_ask(writer);
    if (reader == MSLOT_NOT_FOUND || (reader == MSLOT_NO_READER && !writer->waits_through_restarts)) {
        // Once more: who closes seals before it lets go of its lock and its name, so this tells a close from a death.
        outcome = try_to_publish(writer);
        return outcome == MSLOT_FULL ? reader : outcome;
    }
    return mslot__now_ns() >= deadline_ns ? MSLOT_TIMED_OUT : MSLOT_FULL;
}

/// Polls as long as it may, in pieces between which the reader is asked for. FULL: the time for polling is over.
static mslot_outcome poll_for_room(mslot_writer *writer, int64_t limit_ns, int64_t deadline_ns, space_sleep *sleep)
{
    int64_t left = limit_ns;
    mslot_outcome outcome;
    do {
        outcome = look_for_room(writer, left, deadline_ns, sleep);
        if (left != MSLOT_FOREVER) left -= POLL_NS_MAX;
    } while (outcome == MSLOT_FULL && left > 0);
    return outcome;
}

/// Leaves a reader alone that makes room slowly and steadily. FULL: it did not, or there is none, and the caller polls and sleeps.
static mslot_outcome back_off(mslot_writer *writer, int64_t deadline_ns)
{
    const mslot_ring *ring = &writer->ring.ring;
    // A long message waits for the overflow: what is released says nothing of that.
    int64_t backoff_ns = writer->unplaced == NULL ? mslot__spin_backoff_ns(&writer->spin, ring->cell_count / BACKOFF_SHARE) : 0;
    if (backoff_ns == 0) return MSLOT_FULL;
    mslot__count(&writer->ring.lane->writer_waits);
    // Relaxed, both: what the reader released we learn from the cell that we publish in.
    uint64_t head = mslot__load_relaxed(&ring->control->head);
    int64_t begun = mslot__now_ns();
    const mslot_sleep_on word = {&writer->interrupt, 0, true};
    mslot__sleep(&word, 1, deadline_ns < begun + backoff_ns ? deadline_ns : begun + backoff_ns);
    mslot__spin_backed_off(&writer->spin, mslot__now_ns() - begun, mslot__load_relaxed(&ring->control->head) - head);
    return try_to_publish(writer);
}

mslot_outcome mslot__writer_wait_slow(mslot_writer *writer, const mslot_express *express, int64_t timeout_ns)
{
    int saved_errno = errno;
    int64_t deadline = mslot__deadline(timeout_ns);
    mslot_outcome outcome;
    space_sleep sleep = {0, 0};
    writer->waiting_express = express;
    for (;;) {
        outcome = back_off(writer, deadline);
        if (outcome != MSLOT_FULL) break;
        int64_t limit = mslot__spin_limit(&writer->spin);
        outcome = poll_for_room(writer, limit, deadline, &sleep);
        if (outcome != MSLOT_FULL) break;
        int64_t before = mslot__now_ns();
        mslot__count(&writer->ring.lane->writer_waits);
        const mslot_sleep_on words[2] = {
            {&writer->ring.ring.control->space_sequence, sleep.sequence, false},
            {&writer->interrupt, 0, true},
        };
        mslot__sleep(words, 2, deadline < before + sleep.ns_max ? deadline : before + sleep.ns_max);
        mslot__spin_slept(&writer->spin, limit > 0, mslot__now_ns() - before);
    }
    writer->waiting_express = NULL;
    errno = saved_errno;
    return outcome;
}

void mslot_writer_interrupt(mslot_writer *writer)
{
    if (mslot__handle_refusal(writer) == MSLOT_DONE) mslot__interrupt_set(&writer->interrupt, &writer->wakeup);
}

// MARK: long messages

/// Makes the lane's overflow part of the file.
static mslot_outcome allocate_overflow(mslot_writer *writer)
{
    MSLOT_UNCANCELLED;
    uint64_t byte_count = writer->ring.ring.overflow_lane_bytes;
    int error = mslot__mapping_fill(&writer->mapping, writer->ring.overflow.bytes, byte_count, MADV_POPULATE_WRITE);
    if (error == 0) return MSLOT_DONE;
    errno = error;
    return mslot__failure_errno(error).outcome == MSLOT_NO_SPACE ? MSLOT_NO_SPACE : MSLOT_SYSTEM_ERROR;
}

static mslot_outcome prepare_overflow(mslot_writer *writer)
{
    if (writer->ring.overflow.bytes != NULL) return MSLOT_DONE;
    mslot_outcome outcome = mslot__ring_begin_overflow(&writer->ring);
    if (outcome == MSLOT_DONE) outcome = allocate_overflow(writer);
    if (outcome != MSLOT_DONE) writer->ring.overflow.bytes = NULL;
    return outcome;
}

/// Begins a long message: FULL when it cannot be placed or published yet. Every other outcome but DONE ends it.
static mslot_outcome begin_long(mslot_writer *writer, const void *bytes, size_t byte_count)
{
    if (byte_count > writer->message_bytes_max) return MSLOT_TOO_LONG;
    mslot_outcome outcome = prepare_overflow(writer);
    if (outcome != MSLOT_DONE) return outcome;
    writer->unplaced = bytes;
    writer->unplaced_bytes = byte_count;
    return try_to_publish(writer);
}

static void end_long(mslot_writer *writer, size_t byte_count, mslot_outcome outcome)
{
    // Too long for this mailslot, or without an overflow: it was never begun.
    if (writer->ring.overflow.bytes == NULL || byte_count > writer->message_bytes_max) return;
    writer->unplaced = NULL;
    if (outcome == MSLOT_DONE) mslot__ring_keep_place(&writer->ring, writer->place_offset, byte_count);
    else mslot__ring_give_place_up(&writer->ring);
}

mslot_outcome mslot__writer_write_long(mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns)
{
    if (bytes == NULL) return MSLOT_BAD_ARGUMENT;
    mslot_outcome outcome = mslot__writer_wait_if_full(writer, NULL, begin_long(writer, bytes, byte_count), timeout_ns);
    end_long(writer, byte_count, outcome);
    return outcome;
}

// MARK: a wait that another thread sleeps through

/// As a reader's.
static mslot_outcome sleep_elsewhere(mslot_writer *writer, mslot_wait *wait, space_sleep sleep)
{
    mslot__count(&writer->ring.lane->writer_waits);
    wait->begun_ns = mslot__now_ns();
    // A reader that is killed, or leaves, wakes nobody.
    int64_t latest = wait->begun_ns + sleep.ns_max;
    wait->until_ns = wait->deadline_ns < latest ? wait->deadline_ns : latest;
    wait->word = &writer->ring.ring.control->space_sequence;
    wait->value = sleep.sequence;
    wait->interrupt = &writer->interrupt;
    wait->parked_position = NULL;
    writer->wait = wait;
    mslot__writer_end(writer, MSLOT_HANDLE_WAITING);
    if (mslot__waiter_add(wait, &writer->wakeup)) return MSLOT_FULL;
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return MSLOT_SYSTEM_ERROR;
}

mslot_outcome mslot_writer_end_wait(mslot_writer *writer)
{
    if (mslot__handle_refusal(writer) != MSLOT_DONE || mslot__load_relaxed_32(&writer->state) != MSLOT_HANDLE_WAITING
        || mslot__waiter_has(writer->wait))
        return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    mslot__spin_slept(&writer->spin, writer->wait->polled, mslot__now_ns() - writer->wait->begun_ns);
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return MSLOT_DONE;
}

mslot_outcome mslot_writer_write_or_begin_wait(mslot_writer *writer, const void *bytes, size_t byte_count, mslot_wait *wait)
{
    if (writer == NULL || !mslot__wait_is_allowed(wait) || (bytes == NULL && byte_count != 0)) return MSLOT_BAD_ARGUMENT;
    if (mslot__load_relaxed_32(&writer->state) == MSLOT_HANDLE_WAITING) mslot_writer_end_wait(writer);
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    bool is_long = byte_count > writer->slot_bytes_max;
    mslot_express message = mslot__writer_message(writer, bytes, byte_count);
    mslot_outcome outcome;
    if (is_long) {
        outcome = begin_long(writer, bytes, byte_count);
    } else {
        if (mslot__writer_is_express(writer, byte_count)) writer->waiting_express = &message;
        else mslot__writer_fill(writer, &message);
        outcome = try_to_publish(writer);
    }
    space_sleep sleep;
    if (outcome == MSLOT_FULL) {
        if (wait->deadline_ns == 0) { // the first call for this message
            wait->deadline_ns = mslot__deadline(wait->timeout_ns);
            if (!wait->was_full) mslot__count(&writer->ring.lane->full_writes);
        }
        int saved_errno = errno;
        int64_t limit = mslot__loop_is_busy() ? 0 : mslot__spin_limit_of_a_moment(&writer->spin);
        outcome = look_for_room(writer, limit, wait->deadline_ns, &sleep);
        wait->polled = limit > 0;
        errno = saved_errno;
    }
    writer->waiting_express = NULL;
    if (is_long) end_long(writer, byte_count, outcome);
    if (outcome == MSLOT_FULL) return sleep_elsewhere(writer, wait, sleep);
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return outcome;
}

// MARK: from other machines

mslot_outcome mslot_writer_write_from(
    mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns, uint32_t sender, uint16_t origin)
{
    if (bytes == NULL && byte_count != 0) return MSLOT_BAD_ARGUMENT;
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    mslot_outcome outcome = MSLOT_TOO_LONG;
    if (byte_count <= writer->slot_bytes_max) {
        const mslot_express message = {bytes, (uint32_t)byte_count, sender, origin};
        outcome = mslot__writer_write_short(writer, &message, timeout_ns);
    }
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return outcome;
}

static bool is_asleep_on(const mslot_ring *ring, const uint32_t *word)
{
    // Relaxed: the reader stays where it is unless it wakes by itself, and then this only is what it was a moment ago.
    uint64_t parked = mslot__load_relaxed(&ring->control->parked_position);
    return parked != 0 && mslot__cell_futex(mslot__ring_cell(ring, parked - 1)) == word;
}

/// Crash: the kernel wakes the reader by the entry, which is for the cell that it sleeps on. But not if it wakes by itself, takes what is
/// there and sleeps on the next cell, all between a look here and the publication that follows: then it looks again within a second.
mslot_batch mslot_writer_write_batch_from(mslot_writer *writer, const mslot_remote_message *messages, size_t count)
{
    mslot_batch batch = {MSLOT_DONE, 0};
    if (messages == NULL && count != 0) return (mslot_batch){MSLOT_BAD_ARGUMENT, 0};
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) {
        batch.outcome = mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
        return batch;
    }
    // As in mslot__writer_publish_and_wake; but the entry stays for the cell at which the reader sleeps, until it is woken or left it.
    mslot_robust_list robust = mslot__writer_robust_list(writer);
    mslot_robust_list none = robust;
    none.list_op_pending = &writer->no_robust_list;
    uint32_t *asleep = NULL;
    for (; batch.count < count && batch.outcome == MSLOT_DONE; batch.count += batch.outcome == MSLOT_DONE) {
        const mslot_remote_message *message = &messages[batch.count];
        batch.outcome = MSLOT_TOO_LONG;
        if (message->byte_count > writer->slot_bytes_max) break;
        batch.outcome = MSLOT_BAD_ARGUMENT;
        if (message->bytes == NULL && message->byte_count != 0) break;
        const mslot_express express = {message->bytes, (uint32_t)message->byte_count, message->sender, message->origin};
        bool is_express = mslot__writer_is_express(writer, message->byte_count);
        if (!is_express) mslot__writer_fill(writer, &express);
        if (asleep != NULL && !is_asleep_on(&writer->ring.ring, asleep)) asleep = NULL;
        mslot_robust_list list = asleep == NULL ? robust : none;
        mslot_publication publication = mslot__ring_publish(&writer->ring, list, is_express ? &express : NULL);
        batch.outcome = publication.outcome;
        if (publication.wake == NULL) continue;
        // A second time: it woke by itself since the look, and sleeps again.
        if (asleep != NULL) *(volatile uintptr_t *)robust.list_op_pending = (uintptr_t)publication.wake - (uintptr_t)robust.futex_offset;
        asleep = publication.wake;
    }
    if (asleep != NULL) mslot__wake_reader_slow(asleep);
    *(volatile uintptr_t *)robust.list_op_pending = 0;
    if (batch.outcome == MSLOT_FULL) mslot__count(&writer->ring.lane->full_writes);
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return batch;
}

// MARK: batches

mslot_batch mslot_writer_write_batch(mslot_writer *writer, const mslot_bytes *messages, size_t count, int64_t timeout_ns)
{
    mslot_batch batch = {MSLOT_DONE, 0};
    if (writer == NULL || (messages == NULL && count != 0)) return (mslot_batch){MSLOT_BAD_ARGUMENT, 0};
    // One deadline for all; the clock is read only if there is something to wait for.
    int64_t deadline = timeout_ns > 0 ? mslot__deadline(timeout_ns) : 0;
    while (batch.count < count) {
        // The reader is woken by the first message, not by the last: were it the last, a kill between the two would lose the
        // wake. The writer remembers whom it has woken, so the others wake nobody.
        const mslot_bytes *message = &messages[batch.count];
        batch.outcome = mslot_writer_write(writer, message->bytes, message->byte_count, 0);
        if (batch.outcome == MSLOT_FULL && timeout_ns > 0) {
            int64_t left = deadline == MSLOT_FOREVER ? MSLOT_FOREVER : deadline - mslot__now_ns();
            batch.outcome = mslot_writer_write(writer, message->bytes, message->byte_count, left > 1 ? left : 1);
        }
        if (batch.outcome != MSLOT_DONE) break;
        batch.count++;
    }
    return batch;
}

// Reading when nothing is there yet: polling, sleeping, and waiting on many mailslots.

#include "linux.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    POLLS_PER_CLOCK = 32,
    /// Before the clock is asked at all: an answer that comes at once costs no look at it. Measured: 0.8 µs.
    POLLS_BEFORE_CLOCK = 64,
    /// How long messages are let gather: about as long as a message takes there and back, so who waits for an answer loses nothing.
    GATHER_NS = 300,
    /// As many in that time, and it paid.
    GATHERED_MIN = 4,
    /// Then it goes on for so many times as long. Measured: with three times as long the reader is at the writer's heels again in no time,
    /// at half the speed.
    GATHER_STEPS = 10,
    RESTS_MAX = 1024
};

mslot_outcome mslot__reader_refusal(const mslot_reader *reader)
{
    mslot_outcome refusal = mslot__handle_refusal(reader);
    if (refusal != MSLOT_DONE) return refusal;
    if (mslot__load_relaxed_32(&reader->state) != MSLOT_HANDLE_BROKEN) return MSLOT_BUSY;
    mslot__count(&reader->ring.ring.control->damaged);
    return MSLOT_DAMAGED;
}

static int64_t timeout_of(const mslot_reader *reader, int64_t timeout_ns)
{
    return timeout_ns == MSLOT_DEFAULT_TIMEOUT ? reader->read_timeout_ns : timeout_ns;
}

static bool everything_is_lent(const mslot_reader *reader) { return reader->ring.next - reader->ring.head >= reader->ring.ring.cell_count; }

static void pause_for(int64_t ns)
{
    int64_t end = mslot__now_ns() + ns;
    do mslot__pause();
    while (mslot__now_ns() < end);
}

/// Whether the message that is so many ahead of the next one is there already.
static bool is_published(const mslot_reader *reader, uint64_t ahead)
{
    const mslot_ring *ring = &reader->ring.ring;
    uint64_t position = reader->ring.next + ahead;
    // Relaxed: it decides nothing but a pause.
    return mslot__cell_is_full_of(mslot__load_relaxed(mslot__ring_state(ring, position)), mslot__ring_lap(ring, position));
}

/// Leaves an empty ring alone for a moment. A reader that takes each message as it comes takes the lines of the cell and the slot from a
/// fast writer while it fills the next: both then work at the pace of the transfers, at a third of the speed (Benchmarks, one way). Where
/// that much does not come, at most one wait in a thousand is late by it, by the shortest pause; where it does, a message by 3 µs.
static void let_messages_gather(mslot_reader *reader)
{
    mslot_gathering *gathering = &reader->gathering;
    if (gathering->rests > 0) {
        gathering->rests--;
        return;
    }
    pause_for(GATHER_NS);
    if (!is_published(reader, GATHERED_MIN - 1)) {
        gathering->rests = gathering->next_rests;
        if (gathering->next_rests < RESTS_MAX) gathering->next_rests *= 2;
        return;
    }
    gathering->next_rests = 1;
    // Much comes, and fast: so that the writer gets away from us. But no writer is to find the ring full for it.
    for (int i = 1; i < GATHER_STEPS && !is_published(reader, reader->ring.ring.cell_count / 2); i++) pause_for(GATHER_NS);
}

/// When polling ends.
static int64_t end_of_polling(int64_t begun_ns, int64_t limit_ns, int64_t deadline_ns)
{
    int64_t end;
    return __builtin_add_overflow(begun_ns, limit_ns, &end) || end > deadline_ns ? deadline_ns : end;
}

static bool poll(mslot_reader *reader, int times)
{
    for (int i = 0; i < times; i++) {
        if (mslot__ring_poll(&reader->ring)) return true;
        mslot__pause();
    }
    return false;
}

/// Polls a while for a message. True: look.
static bool spin_for_message(mslot_reader *reader, int64_t limit_ns, int64_t deadline_ns)
{
    if (limit_ns <= 0) return false;
    let_messages_gather(reader);
    if (poll(reader, POLLS_BEFORE_CLOCK)) {
        mslot__spin_found(&reader->spin, 0);
        return true;
    }
    int64_t begun = mslot__now_ns(), now = begun, end = end_of_polling(begun, limit_ns, deadline_ns);
    do {
        if (poll(reader, POLLS_PER_CLOCK)) {
            mslot__spin_found(&reader->spin, now - begun);
            return true;
        }
        now = mslot__now_ns();
    } while (now < end && mslot__load_relaxed_32(&reader->interrupt) == 0 && !mslot__loop_is_called(now));
    return false;
}

/// Who has slept has time to look at lines of others.
static void count_after_sleep(mslot_reader *reader, bool by_recheck)
{
    const mslot_ring *ring = &reader->ring.ring;
    if (by_recheck && mslot__ring_poll(&reader->ring)) mslot__count(&ring->control->late_wakes);
    mslot__ring_sample_depth(ring, reader->ring.head);
}

/// Sleeps on the next cell until something is published, somebody interrupts, or the time is up.
static void sleep_for_message(mslot_reader *reader, bool polled, int64_t deadline_ns)
{
    mslot_futex_wait futex = mslot__ring_park(&reader->ring);
    if (futex.word != NULL) {
        int64_t before = mslot__now_ns();
        const mslot_sleep_on words[2] = {{futex.word, futex.value, false}, {&reader->interrupt, 0, true}};
        mslot__count(&reader->ring.ring.control->reader_sleeps);
        bool timed_out = mslot__sleep(words, 2, deadline_ns).timed_out;
        int64_t slept = mslot__now_ns() - before;
        mslot__spin_slept(&reader->spin, polled, slept);
        count_after_sleep(reader, timed_out && slept >= MSLOT_SLEEP_NS_MAX);
    }
    mslot__ring_unpark(&reader->ring);
}

/// The overflow lies in pieces of a power of two, a few to a message; none has parts of two lanes. Their binary logarithm: no division.
static uint32_t piece_shift(const mslot_ring *ring)
{
    uint32_t few = 63 - (uint32_t)__builtin_clzll(ring->overflow_lane_bytes / MSLOT_OVERFLOW_SECTIONS);
    uint32_t whole = (uint32_t)__builtin_ctzll(ring->overflow_lane_bytes);
    return few < whole ? few : whole;
}

static bool is_filled(const mslot_reader *reader, uint64_t piece)
{
    return reader->filled_pieces != NULL && (reader->filled_pieces[piece / 64] >> (piece % 64) & 1) != 0;
}
static void note_as_filled(mslot_reader *reader, uint64_t first, uint64_t last)
{
    const mslot_ring *ring = &reader->ring.ring;
    uint64_t count = ring->lane_count * ring->overflow_lane_bytes >> piece_shift(ring);
    if (reader->filled_pieces == NULL) reader->filled_pieces = calloc((count + 63) / 64, sizeof(uint64_t));
    if (reader->filled_pieces == NULL) return; // it is asked again
    for (uint64_t piece = first; piece <= last; piece++) reader->filled_pieces[piece / 64] |= (uint64_t)1 << (piece % 64);
}

/// Whether a long message's bytes may be touched. Its writer has filled its overflow before it published; a hostile one points into a hole,
/// which the kernel cannot fill on a full file system. Asked once for each piece, and believed afterwards.
static bool is_there(mslot_reader *reader, const unsigned char *bytes, uint32_t length)
{
    const mslot_ring *ring = &reader->ring.ring;
    uint32_t shift = piece_shift(ring);
    uint64_t offset = (uint64_t)(bytes - ring->overflow);
    uint64_t last = (offset + length - 1) >> shift;
    for (uint64_t piece = offset >> shift; piece <= last; piece++) {
        if (is_filled(reader, piece)) continue;
        uint64_t first = piece;
        while (piece < last && !is_filled(reader, piece + 1)) piece++;
        int saved_errno = errno;
        int error =
            mslot__mapping_fill(&reader->mapping, ring->overflow + (first << shift), (piece - first + 1) << shift, MADV_POPULATE_READ);
        errno = saved_errno;
        if (error == ENOSPC) return false;
        // Any other error says nothing of the bytes: a good message must not be lost for want of a descriptor.
        if (error == 0) note_as_filled(reader, first, piece);
    }
    return true;
}

/// What a look that found no message, or a long one, comes to without waiting.
static void settle(mslot_reader *reader, mslot_look *look)
{
    if (look->outcome == MSLOT_TOO_LONG) {
        if (MSLOT_LIKELY(is_there(reader, look->bytes, look->length))) {
            look->outcome = MSLOT_DONE;
            return;
        }
        look->outcome = MSLOT_DAMAGED;
        look->can_be_skipped = true;
        mslot__count(&reader->ring.ring.control->damaged);
    }
    // A message with an impossible length, or without its bytes, is skipped, once nothing older is lent: one bad writer must not stop the
    // mailslot.
    bool can_be_skipped = look->outcome == MSLOT_DAMAGED && look->can_be_skipped && reader->ring.next == reader->ring.head;
    if (can_be_skipped) {
        mslot__ring_take(&reader->ring);
        mslot__reader_give_space(reader);
    }
}

void mslot__reader_look_slow(mslot_reader *reader, mslot_look *look, int64_t timeout_ns)
{
    if (look->outcome != MSLOT_EMPTY) {
        settle(reader, look);
        return;
    }
    look->outcome = MSLOT_BUSY;
    if (everything_is_lent(reader)) return;
    look->outcome = MSLOT_EMPTY;
    timeout_ns = timeout_of(reader, timeout_ns);
    if (timeout_ns <= 0) {
        // The first poll for this message; a caller that polls on comes back at once, and each message counts once.
        bool is_first = reader->ring.seen_position != reader->ring.next;
        if (is_first && mslot__spin_may_poll(&reader->spin)) let_messages_gather(reader);
        // One more look, as a poll: who polls for an answer finds the line of its slot on its way already.
        if (!mslot__ring_poll(&reader->ring)) return;
        *look = mslot__look_by_field(mslot__ring_look(&reader->ring));
        settle(reader, look);
        return;
    }

    int64_t deadline = mslot__deadline(timeout_ns);
    while (look->outcome == MSLOT_EMPTY) {
        int64_t limit = mslot__spin_limit(&reader->spin);
        bool found = spin_for_message(reader, limit, deadline);
        if (!found) {
            look->outcome = MSLOT_INTERRUPTED;
            if (mslot__interrupt_take(&reader->interrupt)) return;
            look->outcome = MSLOT_TIMED_OUT;
            if (mslot__now_ns() >= deadline) return;
            if (!mslot__spin_never_sleeps(&reader->spin)) sleep_for_message(reader, limit > 0, deadline);
        }
        *look = mslot__look_by_field(mslot__ring_look(&reader->ring));
        // Only a hostile writer shows a message to the poll and none to the look; for ever, if he likes.
        if (found && look->outcome == MSLOT_EMPTY && mslot__now_ns() >= deadline) look->outcome = MSLOT_TIMED_OUT;
    }
    settle(reader, look);
}

mslot_batch mslot_reader_read_batch(mslot_reader *reader, mslot_message *messages, size_t count, int64_t timeout_ns)
{
    mslot_batch batch = {MSLOT_DONE, 0};
    if (!mslot__reader_begin(reader)) return (mslot_batch){mslot__reader_refusal(reader), 0};
    if (messages == NULL && count != 0) batch.outcome = MSLOT_BAD_ARGUMENT;
    if (reader->ring.next != reader->ring.head) batch.outcome = MSLOT_BUSY;
    while (batch.count < count && batch.outcome == MSLOT_DONE) {
        mslot_look look = mslot__ring_look(&reader->ring);
        if (look.outcome != MSLOT_DONE) {
            if (batch.count != 0) break;
            mslot__reader_look_slow(reader, &look, timeout_ns);
            batch.outcome = look.outcome;
            if (look.outcome != MSLOT_DONE) break;
        }
        if (look.length > MSLOT_MESSAGE_BYTES_MAX) {
            if (batch.count == 0) batch.outcome = MSLOT_TOO_LONG;
            break;
        }
        mslot_message *message = &messages[batch.count];
        message->byte_count = look.length;
        message->sender = look.sender;
        message->origin = look.origin;
        message->position = reader->ring.next;
        mslot__copy(message->bytes, look.bytes, look.length);
        batch.outcome = mslot__ring_take(&reader->ring);
        batch.count++;
    }
    // Once for all, and before control returns to the caller.
    if (batch.count != 0) mslot__reader_give_space(reader);
    mslot__reader_end(reader);
    return batch;
}

mslot_outcome mslot_reader_set_timeout(mslot_reader *reader, int64_t timeout_ns)
{
    if (!mslot__reader_begin(reader)) return mslot__reader_refusal(reader);
    bool allowed = timeout_ns >= 0;
    if (allowed) {
        reader->read_timeout_ns = timeout_ns;
        mslot__store_relaxed(&reader->ring.ring.control->read_timeout_ns, (uint64_t)timeout_ns);
    }
    mslot__reader_end(reader);
    return allowed ? MSLOT_DONE : MSLOT_BAD_ARGUMENT;
}

mslot_outcome mslot_reader_reset(mslot_reader *reader)
{
    mslot_outcome refusal = mslot__handle_refusal(reader);
    if (refusal != MSLOT_DONE) return refusal;
    // As if another took over from us: we may have been left anywhere in Read 1 to 6 or asleep.
    mslot_ring ring = reader->ring.ring;
    mslot_outcome outcome = mslot__ring_take_over(&reader->ring, &ring);
    mslot__wake_writers_slow(ring.control);
    if (outcome == MSLOT_DONE) {
        mslot__reader_leave_fence(reader);
        mslot__alive_say(reader);
    }
    mslot__store_relaxed_32(&reader->state, outcome == MSLOT_DONE ? MSLOT_HANDLE_IDLE : MSLOT_HANDLE_BROKEN);
    return outcome;
}

void mslot_reader_interrupt(mslot_reader *reader)
{
    if (mslot__handle_refusal(reader) == MSLOT_DONE) mslot__interrupt_set(&reader->interrupt, &reader->wakeup);
}

// MARK: a wait that another thread sleeps through

/// What there is to do now: DONE, EMPTY with somewhere to sleep, or why not.
static mslot_outcome look_or_park(mslot_reader *reader, mslot_wait *wait, mslot_futex_wait *futex)
{
    if (everything_is_lent(reader)) return MSLOT_BUSY;
    int64_t deadline = wait->deadline_ns;
    bool shown = mslot__ring_poll(&reader->ring);
    if (!shown && !wait->never_polls && !mslot__loop_is_busy()) {
        int64_t limit = mslot__spin_limit_of_a_moment(&reader->spin);
        shown = spin_for_message(reader, limit, deadline);
        // Who was called away has not polled in vain.
        wait->polled = limit > 0 && !mslot__loop_is_busy();
    }
    // Shown before, and not found: as in mslot__reader_look_slow, only a hostile writer does that, and no longer than we wait.
    if (shown && wait->found && mslot__now_ns() >= deadline) return MSLOT_TIMED_OUT;
    wait->found = shown;
    if (shown) return MSLOT_DONE;
    if (mslot__interrupt_take(&reader->interrupt)) return MSLOT_INTERRUPTED;
    if (mslot__now_ns() >= deadline) return MSLOT_TIMED_OUT;
    *futex = mslot__ring_park(&reader->ring);
    if (futex->word != NULL) return MSLOT_EMPTY;
    mslot__ring_unpark(&reader->ring);
    return MSLOT_DONE;
}

/// Gives the handle to the wait. From then on it is another thread's, until `ended` is called.
static mslot_outcome sleep_elsewhere(mslot_reader *reader, mslot_wait *wait, mslot_futex_wait futex)
{
    mslot__count(&reader->ring.ring.control->reader_sleeps);
    wait->begun_ns = mslot__now_ns();
    wait->until_ns = wait->deadline_ns;
    wait->word = futex.word;
    wait->value = futex.value;
    wait->interrupt = &reader->interrupt;
    wait->parked_position = &reader->ring.ring.control->parked_position;
    reader->wait = wait;
    mslot__reader_end_as(reader, MSLOT_HANDLE_WAITING);
    if (mslot__waiter_add(wait, &reader->wakeup)) return MSLOT_EMPTY;
    mslot__ring_unpark(&reader->ring);
    mslot__reader_end(reader);
    return MSLOT_SYSTEM_ERROR;
}

mslot_outcome mslot_reader_end_wait(mslot_reader *reader)
{
    if (mslot__handle_refusal(reader) != MSLOT_DONE || mslot__load_relaxed_32(&reader->state) != MSLOT_HANDLE_WAITING
        || mslot__waiter_has(reader->wait))
        return mslot__reader_refusal(reader);
    mslot__spin_slept(&reader->spin, reader->wait->polled, mslot__now_ns() - reader->wait->begun_ns);
    mslot__reader_end(reader);
    return MSLOT_DONE;
}

mslot_outcome mslot_reader_begin_wait(mslot_reader *reader, mslot_wait *wait)
{
    if (reader == NULL || !mslot__wait_is_allowed(wait)) return MSLOT_BAD_ARGUMENT;
    if (mslot__load_relaxed_32(&reader->state) == MSLOT_HANDLE_WAITING) mslot_reader_end_wait(reader);
    if (!mslot__reader_begin(reader)) return mslot__reader_refusal(reader);
    if (wait->deadline_ns == 0) wait->deadline_ns = mslot__deadline(timeout_of(reader, wait->timeout_ns));
    mslot_futex_wait futex;
    mslot_outcome outcome = look_or_park(reader, wait, &futex);
    if (outcome == MSLOT_EMPTY) return sleep_elsewhere(reader, wait, futex);
    mslot__reader_end(reader);
    return outcome;
}

// MARK: many mailslots

/// The first reader that has something: a message, or damage to report. `count` if none.
static size_t first_ready(mslot_reader *const *readers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mslot__ring_poll(&readers[i]->ring)) return i;
    return count;
}

static bool take_any_interrupt(mslot_reader *const *readers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mslot__interrupt_take(&readers[i]->interrupt)) return true;
    return false;
}

static void sleep_on_all(mslot_reader *const *readers, size_t count, bool polled, int64_t deadline_ns)
{
    mslot_sleep_on words[2 * MSLOT_WAIT_MAX];
    bool all_empty = true;
    for (size_t i = 0; i < count; i++) {
        mslot_futex_wait futex = mslot__ring_park(&readers[i]->ring);
        all_empty = all_empty && futex.word != NULL;
        words[2 * i] = (mslot_sleep_on){futex.word, futex.value, false};
        words[2 * i + 1] = (mslot_sleep_on){&readers[i]->interrupt, 0, true};
    }
    if (all_empty) {
        int64_t before = mslot__now_ns();
        for (size_t i = 0; i < count; i++) mslot__count(&readers[i]->ring.ring.control->reader_sleeps);
        mslot__sleep(words, 2 * count, deadline_ns);
        mslot__spin_slept(&readers[0]->spin, polled, mslot__now_ns() - before);
        for (size_t i = 0; i < count; i++) mslot__ring_sample_depth(&readers[i]->ring.ring, readers[i]->ring.head);
    }
    for (size_t i = 0; i < count; i++) mslot__ring_unpark(&readers[i]->ring);
}

static bool is_any_interrupted(mslot_reader *const *readers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mslot__load_relaxed_32(&readers[i]->interrupt) != 0) return true;
    return false;
}

/// Polls a while for something in any. `count` if nothing came.
static size_t spin_for_any(mslot_reader *const *readers, size_t count, int64_t limit_ns, int64_t deadline_ns)
{
    if (limit_ns <= 0) return count;
    int64_t begun = mslot__now_ns(), now = begun, end = end_of_polling(begun, limit_ns, deadline_ns);
    do {
        mslot__pause();
        size_t ready = first_ready(readers, count);
        if (ready < count) {
            mslot__spin_found(&readers[0]->spin, now - begun);
            return ready;
        }
        now = mslot__now_ns();
    } while (now < end && !is_any_interrupted(readers, count));
    return count;
}

static mslot_ready wait_for_any(mslot_reader *const *readers, size_t count, int64_t timeout_ns)
{
    size_t ready = first_ready(readers, count);
    if (ready < count) return (mslot_ready){MSLOT_DONE, ready};
    if (timeout_ns <= 0) return (mslot_ready){MSLOT_EMPTY, 0};

    int64_t deadline = mslot__deadline(timeout_ns);
    for (;;) {
        int64_t limit = mslot__spin_limit(&readers[0]->spin);
        ready = spin_for_any(readers, count, limit, deadline);
        if (ready < count) break;
        if (take_any_interrupt(readers, count)) return (mslot_ready){MSLOT_INTERRUPTED, 0};
        if (mslot__now_ns() >= deadline) return (mslot_ready){MSLOT_TIMED_OUT, 0};
        if (mslot__spin_never_sleeps(&readers[0]->spin)) continue;
        sleep_on_all(readers, count, limit > 0, deadline);
        // Before polling again: what a sleep brought is no success of polling.
        ready = first_ready(readers, count);
        if (ready < count) break;
    }
    return (mslot_ready){MSLOT_DONE, ready};
}

mslot_ready mslot_reader_wait_any(mslot_reader *const *readers, size_t count, int64_t timeout_ns)
{
    if (readers == NULL || count == 0 || count > MSLOT_WAIT_MAX) return (mslot_ready){MSLOT_BAD_ARGUMENT, 0};
    mslot_ready result = {MSLOT_DONE, 0};
    size_t begun = 0;
    while (begun < count && mslot__reader_begin(readers[begun])) begun++;
    if (begun < count) {
        // A reader that is in the list twice ends here too.
        result.outcome = mslot__reader_refusal(readers[begun]);
    } else {
        bool lent = false;
        for (size_t i = 0; i < count; i++) lent = lent || everything_is_lent(readers[i]);
        if (lent) result.outcome = MSLOT_BUSY;
        else result = wait_for_any(readers, count, timeout_of(readers[0], timeout_ns));
    }
    for (size_t i = 0; i < begun; i++) mslot__reader_end(readers[i]);
    return result;
}

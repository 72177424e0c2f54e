// Writing when it is not simply a swap: waiting for room, and batches.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLLS_PER_CLOCK = 16 };

mslot_outcome mslot_writer_refusal(const mslot_writer *writer, uint32_t wanted)
{
    uint32_t state = mslot_load_relaxed_32(&writer->state);
    if (state == MSLOT_HANDLE_GONE) return MSLOT_FORKED;
    if (state == MSLOT_HANDLE_BROKEN) return MSLOT_DAMAGED;
    return wanted == MSLOT_HANDLE_LOANED && state == MSLOT_HANDLE_IDLE ? MSLOT_BAD_ARGUMENT : MSLOT_BUSY;
}

// MARK: is the reader there?

static bool is_our_file(const mslot_writer *writer, int descriptor)
{
    struct stat status;
    // Only EBADF says that it was closed; whoever cannot be asked is who he was, for else each asking would leave one behind.
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) return errno != EBADF;
    return status.st_dev == writer->mapping.device && status.st_ino == writer->mapping.inode;
}

void mslot_writer_close_query(mslot_writer *writer)
{
    // Somebody may have closed it, and opened another file of this number.
    if (writer->query_descriptor >= 0 && is_our_file(writer, writer->query_descriptor)) close(writer->query_descriptor);
    writer->query_descriptor = -1;
}

/// Asks for the reader's lock, by a descriptor that holds none itself: a forked child may keep it. If it cannot be asked (the
/// name is gone, no descriptors are left), says that the reader is there: a wrong "gone" would be the worse answer.
static bool reader_is_present(mslot_writer *writer)
{
    if (writer->query_descriptor < 0 || !is_our_file(writer, writer->query_descriptor)) {
        writer->query_descriptor = MSLOT_UNINTERRUPTED(open(writer->mapping.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (writer->query_descriptor < 0) return true;
        if (!is_our_file(writer, writer->query_descriptor)) {
            close(writer->query_descriptor);
            writer->query_descriptor = -1;
            return true;
        }
    }
    return mslot_lock_is_held(writer->query_descriptor, MSLOT_LOCK_READER) || errno != 0;
}

mslot_outcome mslot_writer_check_reader(mslot_writer *writer)
{
    if (!mslot_writer_begin(writer, MSLOT_HANDLE_IDLE)) return mslot_writer_refusal(writer, MSLOT_HANDLE_IDLE);
    int saved_errno = errno;
    bool present = reader_is_present(writer);
    errno = saved_errno;
    mslot_writer_end(writer, MSLOT_HANDLE_IDLE);
    return present ? MSLOT_DONE : MSLOT_NO_READER;
}

// MARK: waiting for room

/// Polls a while for room, for the reader may be at work.
static void spin_for_room(mslot_writer *writer, int64_t deadline_ns)
{
    const mslot_ring *ring = &writer->ring.ring;
    // What the reader changes when it makes room: the next cell; or only the head, when the ring has room and the overflow has none.
    const uint64_t *word = writer->unplaced == NULL ? mslot_ring_cell(ring, writer->ring.position) : &ring->control->head;
    uint64_t full = mslot_load_relaxed(word);
    int64_t end = mslot_now_ns() + writer->spin.limit_ns;
    if (end > deadline_ns) end = deadline_ns;
    do {
        for (int i = 0; i < POLLS_PER_CLOCK; i++) {
            if (mslot_load_relaxed(word) != full) return;
            mslot_pause();
        }
    } while (mslot_now_ns() < end);
}

/// Publishes what is filled; of a long message, what can be placed.
static mslot_outcome try_to_publish(mslot_writer *writer)
{
    if (writer->unplaced == NULL) return mslot_writer_publish_filled(writer);
    mslot_place place = mslot_ring_place(&writer->ring, writer->unplaced_bytes);
    if (place.bytes == NULL) {
        // What publishing would have met: the swap is not tried, for the own slot is not filled.
        mslot_tail tail = mslot_ring_tail(&writer->ring.ring);
        if (tail.outcome != MSLOT_DONE) return tail.outcome;
        if (tail.closed) return MSLOT_CLOSED;
        // As when the ring is full: the reader may be asleep because a stopped writer never woke it.
        uint32_t *asleep = mslot_ring_parked_word(&writer->ring);
        if (asleep != NULL) mslot_wake_reader_slow(asleep);
        return MSLOT_FULL;
    }
    memcpy(place.bytes, writer->unplaced, writer->unplaced_bytes);
    mslot_slot *slot = mslot_ring_own_slot(&writer->ring);
    mslot_writer_head(writer, slot, writer->unplaced_bytes);
    slot->extra = place.offset;
    writer->place_offset = place.offset;
    writer->unplaced = NULL;
    return mslot_writer_publish_filled(writer);
}

mslot_outcome mslot_writer_wait_slow(mslot_writer *writer, int64_t timeout_ns)
{
    int saved_errno = errno;
    int64_t deadline = mslot_deadline(timeout_ns);
    mslot_outcome outcome;
    for (;;) {
        if (writer->spin.limit_ns > 0) {
            spin_for_room(writer, deadline);
            outcome = try_to_publish(writer);
            if (outcome != MSLOT_FULL) {
                mslot_spin_hit(&writer->spin);
                break;
            }
        }
        uint32_t sequence = mslot_ring_want_space(&writer->ring);
        outcome = try_to_publish(writer);
        if (outcome != MSLOT_FULL) break;
        if (mslot_interrupt_take(&writer->interrupt)) {
            outcome = MSLOT_INTERRUPTED;
            break;
        }
        if (!writer->waits_through_restarts && !reader_is_present(writer)) {
            // Once more: who closes seals before it lets go of its lock, so this tells a close from a death.
            outcome = try_to_publish(writer);
            if (outcome == MSLOT_FULL) outcome = MSLOT_NO_READER;
            break;
        }
        int64_t now = mslot_now_ns();
        if (now >= deadline) {
            outcome = MSLOT_TIMED_OUT;
            break;
        }
        mslot_count(&writer->ring.lane->waits);
        const mslot_sleep_on words[2] = {
            {&writer->ring.ring.control->space_sequence, sequence, false},
            {&writer->interrupt, 0, true},
        };
        mslot_sleep(words, 2, deadline);
        mslot_spin_learn(&writer->spin, mslot_now_ns() - now);
    }
    errno = saved_errno;
    return outcome;
}

void mslot_interrupt_writer(mslot_writer *writer) { mslot_interrupt_set(&writer->interrupt); }

// MARK: long messages

/// Makes the lane's overflow part of the file. By its path where the kernel cannot do it by the mapping (before Linux 5.14).
static mslot_outcome allocate_overflow(mslot_writer *writer)
{
    unsigned char *bytes = writer->ring.overflow.bytes;
    uint64_t byte_count = writer->ring.ring.overflow_lane_bytes;
    if (MSLOT_UNINTERRUPTED(madvise(bytes, byte_count, MADV_POPULATE_WRITE)) == 0) return MSLOT_DONE;
    // EFAULT - "a SIGBUS would have been generated": the file system is full.
    if (errno == EFAULT) return MSLOT_NO_SPACE;
    int descriptor = MSLOT_UNINTERRUPTED(open(writer->mapping.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (descriptor < 0) return MSLOT_SYSTEM_ERROR;
    int error = ESTALE; // the name has another file by now
    uint64_t offset = (uint64_t)(bytes - (unsigned char *)writer->mapping.base);
    if (is_our_file(writer, descriptor)) error = mslot_file_allocate(descriptor, offset, byte_count);
    close(descriptor);
    errno = error;
    return error == 0 ? MSLOT_DONE : mslot_failure_errno(error).outcome;
}

static mslot_outcome prepare_overflow(mslot_writer *writer)
{
    if (writer->ring.overflow.bytes != NULL) return MSLOT_DONE;
    mslot_outcome outcome = mslot_ring_begin_overflow(&writer->ring);
    if (outcome == MSLOT_DONE) outcome = allocate_overflow(writer);
    if (outcome != MSLOT_DONE) writer->ring.overflow.bytes = NULL;
    return outcome;
}

mslot_outcome mslot_writer_write_long(mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns)
{
    if (byte_count > writer->message_bytes_max) return MSLOT_TOO_LONG;
    mslot_outcome outcome = prepare_overflow(writer);
    if (outcome != MSLOT_DONE) return outcome;

    writer->unplaced = bytes;
    writer->unplaced_bytes = byte_count;
    outcome = try_to_publish(writer);
    if (outcome == MSLOT_FULL) {
        mslot_count(&writer->ring.lane->fulls);
        if (timeout_ns > 0) outcome = mslot_writer_wait_slow(writer, timeout_ns);
    }
    writer->unplaced = NULL;
    if (outcome == MSLOT_DONE) mslot_ring_keep_place(&writer->ring, writer->place_offset, byte_count);
    else mslot_ring_give_place_up(&writer->ring);
    return outcome;
}

// MARK: batches

mslot_batch mslot_write_batch(mslot_writer *writer, const mslot_bytes *messages, size_t count, int64_t timeout_ns)
{
    mslot_batch batch = {MSLOT_DONE, 0};
    // One deadline for all; the clock is read only if there is something to wait for.
    int64_t deadline = timeout_ns > 0 ? mslot_deadline(timeout_ns) : 0;
    while (batch.count < count) {
        // The reader is woken by the first message, not by the last: were it the last, a kill between the two would lose the
        // wake. The writer remembers whom it has woken, so the others wake nobody.
        const mslot_bytes *message = &messages[batch.count];
        batch.outcome = mslot_write(writer, message->bytes, message->byte_count, 0);
        if (batch.outcome == MSLOT_FULL && timeout_ns > 0) {
            int64_t left = deadline == MSLOT_FOREVER ? MSLOT_FOREVER : deadline - mslot_now_ns();
            batch.outcome = mslot_write(writer, message->bytes, message->byte_count, left > 1 ? left : 1);
        }
        if (batch.outcome != MSLOT_DONE) break;
        batch.count++;
    }
    return batch;
}

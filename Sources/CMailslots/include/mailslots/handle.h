// The two handles, and the calls that must be fast enough to be inlined into their callers.
//
// The fields are private: they are here so that the compiler sees them. mailslots.h is the manual.
#ifndef MAILSLOTS_HANDLE_H
#define MAILSLOTS_HANDLE_H

#include <string.h>

#include "ring.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Before each call that is inlined. The library defines it as nothing once, so that every such call also exists as an
/// exported symbol, for languages that cannot inline C.
#ifndef MSLOT_INLINE
/// Always: a Swift caller leaves a long function out of line otherwise, a nanosecond a message.
#define MSLOT_INLINE static inline __attribute__((always_inline))
#endif

/// What a handle is doing. GONE is 0, which is what a forked child finds: the handle's memory is wiped there.
/// BROKEN: a reset found the segment damaged or sealed, and closing is all that is left. WAITING: it is in a mslot_wait's hands.
/// ENDED: it was closed, and its record was not given out again.
enum {
    MSLOT_HANDLE_GONE = 0,
    MSLOT_HANDLE_IDLE = 1,
    MSLOT_HANDLE_CALLING = 2,
    MSLOT_HANDLE_LOANED = 3,
    MSLOT_HANDLE_BROKEN = 4,
    MSLOT_HANDLE_WAITING = 5,
    MSLOT_HANDLE_ENDED = 6
};

/// What the guard knows of a mapping; see mslot_guard_install.
typedef struct mslot_guarded mslot_guarded;

/// A wait that a thread of the library sleeps through; see mailslots.h.
struct mslot_wait;

/// A mapping of a segment. The mapping, and nothing else, keeps the handle's lock.
typedef struct mslot_mapping {
    void *base;
    size_t bytes;
    uint64_t device;
    uint64_t inode;
    /// The file's path, on the heap.
    char *path;
    mslot_guarded *guarded;
} mslot_mapping;

/// How long polling may last before sleeping, learnt from how long waits last; see Linux/sleep.c. Which processors this thread may use says
/// nothing: a reader pinned to one gets its messages from another; two ends on the same one do not.
typedef struct mslot_spin {
    /// As of the options; the rest is of the adaptive kind.
    int64_t polling_ns;
    /// How long waits last, of late: a moving mean.
    int64_t typical_ns;
    /// The last wait was so short that polling is worth a try, for so long; 0: it was not.
    int64_t try_ns;
    /// Tries in a row that took too long, though they found what they waited for.
    uint32_t tries;
    /// Polling did not pay: waits that still go by without it; and how many the next time, if it does not pay again.
    uint32_t rests;
    uint32_t next_rests;
} mslot_spin;

/// Whether it pays to let messages gather before they are taken, learnt from what came; see Linux/read.c.
typedef struct mslot_gathering {
    /// After a pause in which little came: waits that go by without one, and how many the next time.
    uint32_t rests;
    uint32_t next_rests;
} mslot_gathering;

/// A reading end. For one thread at a time.
struct mslot_reader {
    uint32_t state;
    /// Not 0: the next wait, or the one that is on, ends. Set by any thread.
    uint32_t interrupt;
    mslot_ring_reader ring;
    /// The mailslot's own time-out. What `control` says of it is for others to see.
    int64_t read_timeout_ns;
    mslot_spin spin;
    mslot_gathering gathering;
    mslot_mapping mapping;
    /// The wait that has the handle, while it is WAITING.
    struct mslot_wait *wait;
    /// The word that calls the thread which sleeps through it: for mslot_reader_interrupt. NULL: there was no wait yet.
    uint32_t *wakeup;
    /// Which pieces of the overflow are known to be no holes, a bit each, on the heap; see Linux/read.c. NULL: none yet.
    uint64_t *filled_pieces;
    /// What lets the kernel announce this reader's death; see Linux/alive.c. NULL: nothing does.
    struct mslot_announcer *announcer;
};

/// A writing end: owns one lane. For one thread at a time.
struct mslot_writer {
    uint32_t state;
    uint32_t interrupt;
    mslot_ring_writer ring;
    /// The thread whose robust list is in `robust`.
    void *robust_thread;
    mslot_robust_list robust;
    /// Where the entry goes when the thread has no list, or libc uses it at this moment.
    uintptr_t no_robust_list;
    uint32_t message_bytes_max;
    /// The longest message that goes into a slot: message_bytes_max, or 424.
    uint32_t slot_bytes_max;
    /// A message shorter than this goes into its cell's own line; 0: none does, for the lane is not the express lane.
    uint32_t express_bytes_end;
    uint32_t process_id;
    uint32_t lane_index;
    /// Waiting for room goes on when the reader is killed, or leaves.
    bool waits_through_restarts;
    /// To ask for the reader's lock; opened at the first wait for room; -1: not yet.
    int query_descriptor;
    mslot_spin spin;
    /// While it waits for room with a short message: that; NULL: with the own slot, or with a long one.
    const mslot_express *waiting_express;
    /// A long message that found no place yet; NULL: there is none.
    const void *unplaced;
    size_t unplaced_bytes;
    /// Where the one that is being written lies.
    uint64_t place_offset;
    mslot_mapping mapping;
    /// As a reader's.
    struct mslot_wait *wait;
    uint32_t *wakeup;
};

typedef struct mslot_announcer mslot_announcer;
typedef struct mslot_reader mslot_reader;
typedef struct mslot_writer mslot_writer;

/// A slot of this writer's to fill in place.
typedef struct mslot_loaned {
    mslot_outcome outcome;
    /// 424 bytes, or the mailslot's maximum; NULL unless the outcome is DONE.
    unsigned char *bytes;
} mslot_loaned;

/// A message lent in place.
typedef struct mslot_view {
    mslot_outcome outcome;
    uint32_t byte_count;
    const unsigned char *bytes;
    /// Consecutive; a message that comes again after a crash has the position it had.
    uint64_t position;
    /// The writer's process id, as the writer says. Information: a writer can lie.
    uint32_t sender;
    /// 0: this machine.
    uint16_t origin;
} mslot_view;

/// A message copied out.
typedef struct mslot_received {
    mslot_outcome outcome;
    uint32_t byte_count;
    uint64_t position;
} mslot_received;

// Out of line: the ways that are not hot. Not API.
mslot_outcome mslot__writer_refusal(const mslot_writer *writer, uint32_t wanted);
mslot_robust_list mslot__writer_robust_list_slow(mslot_writer *writer);
mslot_outcome mslot__writer_wait_slow(mslot_writer *writer, const mslot_express *express, int64_t timeout_ns);
mslot_outcome mslot__writer_write_long(mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns);
void mslot__wake_reader_slow(uint32_t *word);
mslot_outcome mslot__reader_refusal(const mslot_reader *reader);
void mslot__reader_look_slow(mslot_reader *reader, mslot_look *look, int64_t timeout_ns);
void mslot__wake_writers_slow(mslot_control *control);

/// A number that differs between two threads alive at the same time; one load.
static inline void *mslot__this_thread(void) { return __builtin_thread_pointer(); }

/// Not API either: for a library that calls this one with a lock held, and takes that lock at a fork, too. Called before its own
/// pthread_atfork, it has a fork take both in the order in which its calls do.
void mslot__fork_handlers_install(void);

/// What the threads of the library are called.
#define MSLOT_THREAD_NAME "mailslots"

// MARK: writing

/// Takes the handle for a call. A signal handler that interrupts the call, or another thread, finds it taken.
static inline bool mslot__writer_begin(mslot_writer *writer, uint32_t from)
{
    if (MSLOT_UNLIKELY(writer == NULL)) return false;
    if (MSLOT_UNLIKELY(mslot__load_relaxed_32(&writer->state) != from)) return false;
    mslot__store_relaxed_32(&writer->state, MSLOT_HANDLE_CALLING);
    mslot__compiler_order();
    return true;
}

static inline void mslot__writer_end(mslot_writer *writer, uint32_t to)
{
    mslot__compiler_order();
    mslot__store_relaxed_32(&writer->state, to);
}

/// Fills in all of the own slot's header.
static inline void mslot__writer_head(mslot_writer *writer, mslot_slot *slot, size_t byte_count)
{
    mslot__store_relaxed_32(&slot->length, (uint32_t)byte_count); // atomic: a third party may look at an old lap's slot
    slot->flags = 0;
    slot->origin = 0;
    slot->sender = writer->process_id;
    slot->lane = writer->lane_index;
    slot->extra = 0;
    bool is_long = byte_count > MSLOT_MESSAGE_BYTES_MAX;
    writer->ring.more_lines = is_long ? 0 : (uint32_t)(byte_count + MSLOT_SLOT_HEADER_BYTES - 1) / MSLOT_LINE_BYTES;
}

/// The robust list to publish with: this thread's, or none.
static inline mslot_robust_list mslot__writer_robust_list(mslot_writer *writer)
{
    mslot_robust_list robust = writer->robust;
    if (MSLOT_UNLIKELY(mslot__this_thread() != writer->robust_thread)) robust = mslot__writer_robust_list_slow(writer);
    // We interrupted libc inside a robust mutex: replacing its entry could lock that mutex for ever. A late wake is the price.
    if (MSLOT_UNLIKELY(*(volatile uintptr_t *)robust.list_op_pending != 0)) robust.list_op_pending = &writer->no_robust_list;
    return robust;
}

/// Publishes a short message, or, if that is NULL, the filled slot, and wakes whom it must.
static inline __attribute__((always_inline)) mslot_outcome mslot__writer_publish_and_wake(
    mslot_writer *writer, const mslot_express *express)
{
    mslot_robust_list robust = mslot__writer_robust_list(writer);
    mslot_publication publication = mslot__ring_publish(&writer->ring, robust, express);
    if (MSLOT_UNLIKELY(publication.wake != NULL)) mslot__wake_reader_slow(publication.wake);
    *(volatile uintptr_t *)robust.list_op_pending = 0;
    return publication.outcome;
}

/// After a first try: if the ring was full counts that, and waits for room as long as it may.
static inline mslot_outcome mslot__writer_wait_if_full(
    mslot_writer *writer, const mslot_express *express, mslot_outcome outcome, int64_t timeout_ns)
{
    if (MSLOT_LIKELY(outcome != MSLOT_FULL)) return outcome;
    mslot__count(&writer->ring.lane->full_writes); // once a write, however often it looks again while it waits
    return timeout_ns > 0 ? mslot__writer_wait_slow(writer, express, timeout_ns) : outcome;
}

/// Whether a message of this length goes into its cell's own line.
static inline bool mslot__writer_is_express(const mslot_writer *writer, size_t byte_count)
{
    return byte_count < writer->express_bytes_end;
}

/// Fills the own slot with a message that fits into it, unless that is where its bytes are.
static inline void mslot__writer_fill(mslot_writer *writer, const mslot_express *message)
{
    mslot_slot *slot = mslot__ring_own_slot(&writer->ring);
    mslot__writer_head(writer, slot, message->byte_count);
    slot->sender = message->sender;
    slot->origin = message->origin;
    if (message->bytes != slot->payload) mslot__copy(slot->payload, message->bytes, message->byte_count);
}

/// Writes a message that fits into a slot.
static inline __attribute__((always_inline)) mslot_outcome mslot__writer_write_short(
    mslot_writer *writer, const mslot_express *message, int64_t timeout_ns)
{
    mslot_outcome outcome;
    if (mslot__writer_is_express(writer, message->byte_count)) {
        outcome = mslot__writer_publish_and_wake(writer, message);
        return mslot__writer_wait_if_full(writer, message, outcome, timeout_ns);
    }
    mslot__writer_fill(writer, message);
    outcome = mslot__writer_publish_and_wake(writer, NULL);
    return mslot__writer_wait_if_full(writer, NULL, outcome, timeout_ns);
}

/// A message of this writer's own.
static inline mslot_express mslot__writer_message(const mslot_writer *writer, const void *bytes, size_t byte_count)
{
    mslot_express message;
    message.bytes = bytes;
    message.byte_count = (uint32_t)byte_count;
    message.sender = writer->process_id;
    message.origin = 0;
    return message;
}

/// Writes one message; when the ring is full waits up to `timeout_ns` for room (0: not at all, MSLOT_FOREVER).
/// Returns DONE; FULL (timeout 0) or TIMED_OUT; CLOSED; while it waits INTERRUPTED, NO_READER, NOT_FOUND (the name is gone); TOO_LONG;
/// BUSY; FORKED; DAMAGED; and for a writer's first message of more than 424 bytes also NO_SPACE (the file system has no room for its
/// overflow) and SYSTEM_ERROR (errno). After anything but DONE nothing was written. `bytes` may be NULL when `byte_count` is 0; else that
/// is BAD_ARGUMENT.
MSLOT_INLINE mslot_outcome mslot_writer_write(mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns)
{
    if (MSLOT_UNLIKELY(!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE))) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    mslot_outcome outcome = MSLOT_BAD_ARGUMENT;
    if (MSLOT_LIKELY(byte_count <= writer->slot_bytes_max)) {
        // Said to be likely, clang takes the write for the cold part, and moves it out of line.
        bool is_nothing = bytes == NULL && byte_count != 0;
        if (!is_nothing) {
            mslot_express message = mslot__writer_message(writer, bytes, byte_count);
            outcome = mslot__writer_write_short(writer, &message, timeout_ns);
        }
    } else {
        outcome = mslot__writer_write_long(writer, bytes, byte_count, timeout_ns);
    }
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return outcome;
}

/// Writes one message if there is room; never waits. As mslot_writer_write with a time-out of 0.
MSLOT_INLINE mslot_outcome mslot_writer_try_write(mslot_writer *writer, const void *bytes, size_t byte_count)
{
    return mslot_writer_write(writer, bytes, byte_count, 0);
}

/// Whether the segment says that the mailslot's reader lives; no system call. True: it announces its death (mslot_create_options), and has
/// neither died nor left. False: it does not announce it, or has; mslot_writer_check_reader says which. Also false for a handle that is in
/// use, closed, NULL or a parent's. Who may write the mailslot can make this lie, either way.
MSLOT_INLINE bool mslot_writer_sees_reader(const mslot_writer *writer)
{
    if (MSLOT_UNLIKELY(writer == NULL)) return false;
    if (MSLOT_UNLIKELY(mslot__load_relaxed_32(&writer->state) != MSLOT_HANDLE_IDLE)) return false;
    // Relaxed: nothing else is read because of it. 0 is nothing; the kernel's mark of a death lies above every thread's id.
    uint32_t word = mslot__load_relaxed_32(&writer->ring.ring.control->reader_alive) & ~MSLOT_THREAD_WATCHED;
    return word - 1 < MSLOT_THREAD_ID_MAX;
}

/// The position of the message that this writer wrote last. Before the first: a position before every other.
MSLOT_INLINE uint64_t mslot_writer_last_position(const mslot_writer *writer) { return writer != NULL ? writer->ring.position - 1 : 0; }

/// Whether the reader has released the message at this position, as far as the segment says. False also for a handle that is in use,
/// closed, NULL or a parent's.
MSLOT_INLINE bool mslot_writer_sees_released(const mslot_writer *writer, uint64_t position)
{
    if (MSLOT_UNLIKELY(writer == NULL)) return false;
    if (MSLOT_UNLIKELY(mslot__load_relaxed_32(&writer->state) != MSLOT_HANDLE_IDLE)) return false;
    // Acquire: pairs with Read 5. What the reader did before it released is seen.
    return (int64_t)(mslot__load_acquire(&writer->ring.ring.control->head) - position) > 0;
}

/// Lends the writer's own slot, 424 bytes, to be filled in place for as long as it takes: nobody else notices. One loan at a time.
/// Publish or abandon it; until then other writes on this handle are BUSY.
MSLOT_INLINE mslot_loaned mslot_writer_loan(mslot_writer *writer)
{
    mslot_loaned loaned;
    loaned.bytes = NULL;
    loaned.outcome = MSLOT_DONE;
    if (MSLOT_UNLIKELY(!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE))) {
        loaned.outcome = mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
        return loaned;
    }
    loaned.bytes = mslot__ring_own_slot(&writer->ring)->payload;
    mslot__writer_end(writer, MSLOT_HANDLE_LOANED);
    return loaned;
}

/// Publishes the loan as a message of its first `byte_count` bytes. Outcomes and waiting as in mslot_writer_write; after anything but
/// DONE the loan goes on: publish again, or abandon. BAD_ARGUMENT: there is no loan.
MSLOT_INLINE mslot_outcome mslot_writer_publish(mslot_writer *writer, size_t byte_count, int64_t timeout_ns)
{
    if (MSLOT_UNLIKELY(!mslot__writer_begin(writer, MSLOT_HANDLE_LOANED))) return mslot__writer_refusal(writer, MSLOT_HANDLE_LOANED);
    mslot_outcome outcome = MSLOT_TOO_LONG;
    if (MSLOT_LIKELY(byte_count <= writer->slot_bytes_max)) {
        mslot_express message = mslot__writer_message(writer, mslot__ring_own_slot(&writer->ring)->payload, byte_count);
        outcome = mslot__writer_write_short(writer, &message, timeout_ns);
    }
    mslot__writer_end(writer, outcome == MSLOT_DONE ? MSLOT_HANDLE_IDLE : MSLOT_HANDLE_LOANED);
    return outcome;
}

/// Gives the loan up; nothing is written. BAD_ARGUMENT: there is no loan.
MSLOT_INLINE mslot_outcome mslot_writer_abandon(mslot_writer *writer)
{
    if (MSLOT_UNLIKELY(!mslot__writer_begin(writer, MSLOT_HANDLE_LOANED))) return mslot__writer_refusal(writer, MSLOT_HANDLE_LOANED);
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return MSLOT_DONE;
}

// MARK: reading

static inline bool mslot__reader_begin(mslot_reader *reader)
{
    if (MSLOT_UNLIKELY(reader == NULL)) return false;
    if (MSLOT_UNLIKELY(mslot__load_relaxed_32(&reader->state) != MSLOT_HANDLE_IDLE)) return false;
    mslot__store_relaxed_32(&reader->state, MSLOT_HANDLE_CALLING);
    mslot__compiler_order();
    return true;
}

static inline void mslot__reader_end_as(mslot_reader *reader, uint32_t to)
{
    mslot__compiler_order();
    mslot__store_relaxed_32(&reader->state, to);
}

static inline void mslot__reader_end(mslot_reader *reader) { mslot__reader_end_as(reader, MSLOT_HANDLE_IDLE); }

/// Always inlined, as mslot__ring_look.
static inline __attribute__((always_inline)) mslot_look mslot__reader_look(mslot_reader *reader, int64_t timeout_ns)
{
    mslot_look look = mslot__ring_look(&reader->ring);
    if (MSLOT_LIKELY(look.outcome == MSLOT_DONE)) return look;
    mslot_look later = mslot__look_by_field(look);
    mslot__reader_look_slow(reader, &later, timeout_ns);
    return mslot__look_by_field(later);
}

static inline void mslot__reader_give_space(mslot_reader *reader)
{
    if (MSLOT_UNLIKELY(mslot__ring_space_made(&reader->ring))) mslot__wake_writers_slow(reader->ring.ring.control);
}

/// Lends the next message that is not lent yet, in place, without a copy; waits up to `timeout_ns` for it (0: not at all,
/// MSLOT_FOREVER, MSLOT_DEFAULT_TIMEOUT: the mailslot's own). The bytes stay until mslot_reader_release; messages are released in order.
/// They are shared memory: a hostile writer may change them while you look, so copy what you decide on.
/// Returns DONE; EMPTY (timeout 0) or TIMED_OUT; INTERRUPTED; BUSY (also: every message there is room for is lent); FORKED; DAMAGED:
/// one message had an impossible length and was skipped (if older ones are lent: it is skipped once they are released), or
/// the ring itself is destroyed, and every later call says so too.
MSLOT_INLINE mslot_view mslot_reader_peek(mslot_reader *reader, int64_t timeout_ns)
{
    mslot_view view;
    view.byte_count = 0;
    view.bytes = NULL;
    view.position = 0;
    view.sender = 0;
    view.origin = 0;
    if (MSLOT_UNLIKELY(!mslot__reader_begin(reader))) {
        view.outcome = mslot__reader_refusal(reader);
        return view;
    }
    mslot_look look = mslot__reader_look(reader, timeout_ns);
    view.outcome = look.outcome;
    if (MSLOT_LIKELY(look.outcome == MSLOT_DONE)) {
        view.byte_count = look.length;
        view.bytes = look.bytes;
        view.position = reader->ring.next;
        view.sender = look.sender;
        view.origin = look.origin;
        mslot__ring_lend(&reader->ring);
    }
    mslot__reader_end(reader);
    return view;
}

/// Gives the `count` oldest lent messages back; their bytes must not be touched any more. One wake for all.
/// BAD_ARGUMENT: fewer are lent, and none was released. DAMAGED: the ring is destroyed; what was lent is lent no more.
MSLOT_INLINE mslot_outcome mslot_reader_release(mslot_reader *reader, size_t count)
{
    if (MSLOT_UNLIKELY(!mslot__reader_begin(reader))) return mslot__reader_refusal(reader);
    mslot_outcome outcome = MSLOT_DONE;
    if (MSLOT_UNLIKELY(count > reader->ring.next - reader->ring.head)) {
        outcome = MSLOT_BAD_ARGUMENT;
    } else {
        for (size_t i = 0; i < count && outcome == MSLOT_DONE; i++) outcome = mslot__ring_release(&reader->ring);
        mslot__reader_give_space(reader);
    }
    mslot__reader_end(reader);
    return outcome;
}

/// Copies the next message into `buffer`, waiting as mslot_reader_peek does, and releases it.
/// TOO_LONG: the buffer is too small; `byte_count` says how much is needed, and the message stays. BUSY: messages are lent.
/// BAD_ARGUMENT: `buffer` is NULL and the message is not empty; it stays.
/// The other outcomes are those of mslot_reader_peek.
MSLOT_INLINE mslot_received mslot_reader_read(mslot_reader *reader, void *buffer, size_t capacity, int64_t timeout_ns)
{
    mslot_received received;
    received.byte_count = 0;
    received.position = 0;
    if (MSLOT_UNLIKELY(!mslot__reader_begin(reader))) {
        received.outcome = mslot__reader_refusal(reader);
        return received;
    }
    received.outcome = MSLOT_BUSY;
    if (MSLOT_LIKELY(reader->ring.next == reader->ring.head)) {
        mslot_look look = mslot__reader_look(reader, timeout_ns);
        received.outcome = look.outcome;
        if (MSLOT_LIKELY(look.outcome == MSLOT_DONE)) {
            received.byte_count = look.length;
            received.position = reader->ring.next;
            if (MSLOT_UNLIKELY(look.length > capacity)) {
                received.outcome = MSLOT_TOO_LONG;
            } else if (MSLOT_UNLIKELY(buffer == NULL) && look.length != 0) {
                received.outcome = MSLOT_BAD_ARGUMENT;
            } else {
                if (MSLOT_LIKELY(buffer != NULL)) mslot__copy(buffer, look.bytes, look.length);
                received.outcome = mslot__ring_take(&reader->ring);
                mslot__reader_give_space(reader);
            }
        }
    }
    mslot__reader_end(reader);
    return received;
}

#ifdef __cplusplus
}
#endif

#endif

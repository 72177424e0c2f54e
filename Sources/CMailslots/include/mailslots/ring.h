/*
 * The ring: how a message goes from a writer to the reader.
 *
 *   A writer fills a slot that is private to it, and publishes it with ONE compare-and-swap.
 *   An empty cell is not empty: it holds the index of a spare slot. The publishing swap puts the filled slot in
 *   and takes the spare out.
 *
 * One writer, the owner of lane 0, has it shorter: it fills the cell's own line with a message of up to 48 bytes, and its swap says that
 * the message is there, and leaves the spare where it is. Nobody else ever stores into that line, so nothing else changes.
 *
 * So a writer owns exactly one slot before and after every write, nobody ever has to ask whether a writer that claimed
 * something is slow or dead, and there is no free list from which anything could leak.
 *
 * The ring makes no system call and runs on any memory. It says what must be woken; the floor above wakes.
 * The layout, the invariants and the kill table are at the top of segment.h. "Write 5" and so on name the steps here.
 *
 * Everything in shared memory is input: an index, a length, a position is copied once, checked, then used.
 */
#ifndef MAILSLOTS_RING_H
#define MAILSLOTS_RING_H

#include <string.h>

#include "outcome.h"
#include "segment.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A segment as one process sees it: the geometry, checked and copied, and where the parts are.
typedef struct mslot_ring {
    mslot_control *control;
    mslot_lane *lanes;
    uint64_t *lane_hints;
    mslot_cell *cells;
    uint64_t *consumed;
    unsigned char *slots;
    /// The bytes of long messages, lane by lane; NULL: none are allowed.
    unsigned char *overflow;
    uint64_t overflow_lane_bytes;
    /// The longest length that a slot may say.
    uint32_t length_max;
    uint32_t cell_count;
    uint32_t cell_shift;
    uint32_t lane_count;
    uint32_t slot_count;
    /// The depth is looked at where a position has none of these bits.
    uint32_t sample_mask;
} mslot_ring;

// MARK: cells

static const uint64_t MSLOT_CELL_EMPTY = 0x20000000u;
static const uint64_t MSLOT_CELL_CLOSED = 0x30000000u;
static const uint64_t MSLOT_CELL_KIND_MASK = 0xf0000000u;
/// Of a FULL cell: its message is in its own line. Of an EMPTY or CLOSED one: that of the message released there last was.
static const uint64_t MSLOT_CELL_HERE = (uint64_t)1 << 47;
/// All of a cell but its index, and where its message is.
static const uint64_t MSLOT_CELL_STATE_MASK = 0x00007fffffffffffULL;

static inline uint64_t mslot__cell_lap_bits(uint64_t lap) { return ((lap >> 28 & 0x7fff) << 32) | (lap & 0x0fffffff); }
static inline uint64_t mslot__cell_empty(uint64_t lap, uint32_t spare)
{
    return (uint64_t)spare << 48 | mslot__cell_lap_bits(lap) | MSLOT_CELL_EMPTY;
}
static inline uint64_t mslot__cell_closed(uint64_t lap, uint32_t spare)
{
    return (uint64_t)spare << 48 | mslot__cell_lap_bits(lap) | MSLOT_CELL_CLOSED;
}
static inline uint64_t mslot__cell_full(uint64_t lap, uint32_t index) { return (uint64_t)index << 48 | (lap & 0x7fff) << 32; }
/// The spare of an EMPTY or CLOSED cell, or of a FULL one whose message is in its line; else the message's slot. Not yet checked.
static inline uint32_t mslot__cell_index(uint64_t cell) { return (uint32_t)(cell >> 48); }
static inline bool mslot__cell_is_here(uint64_t cell) { return (cell & MSLOT_CELL_HERE) != 0; }
static inline bool mslot__cell_is_empty_of(uint64_t cell, uint64_t lap)
{
    return (cell & MSLOT_CELL_STATE_MASK) == (mslot__cell_lap_bits(lap) | MSLOT_CELL_EMPTY);
}
static inline bool mslot__cell_is_full_of(uint64_t cell, uint64_t lap) { return (cell & MSLOT_CELL_STATE_MASK) == (lap & 0x7fff) << 32; }
/// How many laps the cell is ahead of `lap`: negative if it is behind. Of a FULL cell's lap 15 bits are known, of the others' 43.
static inline int64_t mslot__cell_laps_ahead(uint64_t cell, uint64_t lap)
{
    bool full = (uint32_t)cell == 0;
    unsigned unknown_bits = full ? 64 - 15 : 64 - 43;
    uint64_t cell_lap = full ? cell >> 32 & 0x7fff : (cell >> 32 & 0x7fff) << 28 | (cell & 0x0fffffff);
    return (int64_t)((cell_lap - lap) << unknown_bits) >> unknown_bits;
}
static inline bool mslot__cell_is_closed(uint64_t cell) { return (cell & MSLOT_CELL_KIND_MASK) == MSLOT_CELL_CLOSED; }
/// What a FULL cell is once its message is released: a spare for the next lap, which was where the message is, or is in its slot.
static inline uint64_t mslot__cell_released(uint64_t full, uint64_t next_lap)
{
    return (full & ~MSLOT_CELL_STATE_MASK) | mslot__cell_lap_bits(next_lap) | MSLOT_CELL_EMPTY;
}

static inline uint64_t mslot__label(uint8_t tag, uint32_t length, uint32_t sender, uint16_t origin)
{
    return tag | (uint64_t)length << 8 | (uint64_t)origin << 16 | (uint64_t)sender << 32;
}
static inline uint8_t mslot__label_tag(uint64_t label) { return (uint8_t)label; }
static inline uint32_t mslot__label_length(uint64_t label) { return (uint8_t)(label >> 8); }
static inline uint16_t mslot__label_origin(uint64_t label) { return (uint16_t)(label >> 16); }
static inline uint32_t mslot__label_sender(uint64_t label) { return (uint32_t)(label >> 32); }
/// What tells observers which of its last laps a line was filled for.
static inline uint8_t mslot__lap_tag(uint64_t lap) { return (uint8_t)lap; }

static inline uint64_t mslot__ring_lap(const mslot_ring *ring, uint64_t position) { return position >> ring->cell_shift; }
static inline mslot_cell *mslot__ring_cell(const mslot_ring *ring, uint64_t position)
{
    return &ring->cells[position & (ring->cell_count - 1)];
}
/// The word that says what is at a position.
static inline uint64_t *mslot__ring_state(const mslot_ring *ring, uint64_t position) { return &mslot__ring_cell(ring, position)->state; }
static inline mslot_slot *mslot__ring_slot(const mslot_ring *ring, uint32_t index)
{
    return (mslot_slot *)(void *)(ring->slots + (size_t)index * MSLOT_SLOT_BYTES);
}
/// Where the owner of a lane counts what the lane has no room for.
static inline mslot_lane_counters *mslot__ring_lane_counters(const mslot_ring *ring, const mslot_lane *lane)
{
    return &ring->control->lane_counters[(uint64_t)(lane - ring->lanes) % MSLOT_LANE_COUNTERS];
}
/// The word of a cell that the reader sleeps on and that the kernel looks at: the low half, which comes first.
static inline uint32_t *mslot__cell_futex(mslot_cell *cell) { return (uint32_t *)(void *)&cell->state; }

/// Copies up to 64 bytes by loads and stores that overlap: a call costs more than they do. More than 64 goes to memcpy.
static inline void mslot__copy(void *to, const void *from, size_t byte_count)
{
    unsigned char *t = (unsigned char *)to;
    const unsigned char *f = (const unsigned char *)from;
    if (byte_count >= 16) {
        if (MSLOT_UNLIKELY(byte_count > 64)) {
            memcpy(to, from, byte_count);
            return;
        }
        __builtin_memcpy(t, f, 16);
        if (byte_count > 32) {
            __builtin_memcpy(t + 16, f + 16, 16);
            if (byte_count > 48) __builtin_memcpy(t + 32, f + 32, 16);
        }
        __builtin_memcpy(t + byte_count - 16, f + byte_count - 16, 16);
    } else if (byte_count >= 8) {
        __builtin_memcpy(t, f, 8);
        __builtin_memcpy(t + byte_count - 8, f + byte_count - 8, 8);
    } else if (byte_count >= 4) {
        __builtin_memcpy(t, f, 4);
        __builtin_memcpy(t + byte_count - 4, f + byte_count - 4, 4);
    } else {
        for (size_t i = 0; i < byte_count; i++) t[i] = f[i];
    }
}

// MARK: the writer's side

enum {
    /// A lane's overflow is kept account of in so many sections. Chosen: a message has at most a quarter of the lane's bytes.
    MSLOT_OVERFLOW_SECTIONS = 16
};

/// A writer's account of its lane's overflow: a ring of bytes, filled from `cursor`. Long messages are released in the order in which
/// they were written, so a section is free again when the reader has passed the last message that touches it.
typedef struct mslot_ring_overflow {
    /// NULL until the first long message.
    unsigned char *bytes;
    /// Where the last message ended. The section that holds the byte before it is in use; those behind it have to be asked for.
    uint64_t cursor;
    uint64_t last_position[MSLOT_OVERFLOW_SECTIONS];
} mslot_ring_overflow;

/// One lane in use. Private memory; for one thread at a time.
typedef struct mslot_ring_writer {
    mslot_ring ring;
    mslot_lane *lane;
    /// Every position below has been seen published.
    uint64_t position;
    /// A parked position that this writer has woken after the position it sleeps for was published. To wake it again is useless:
    /// the reader may not be up yet, but it never sleeps on a position that has been published.
    uint64_t woken_position;
    /// The slot that belongs to this writer: the copy in `lane` is for whoever inherits it.
    uint32_t own;
    /// How many lines of its slot the message has after the first, 0 to 6.
    uint32_t more_lines;
    mslot_ring_overflow overflow;
} mslot_ring_writer;

/// How publishing ended, and what must be woken: NULL, or the word on which the reader may be asleep.
typedef struct mslot_publication {
    mslot_outcome outcome;
    uint32_t *wake;
} mslot_publication;

/// The robust list of a thread, as the kernel knows it (set_robust_list): when the thread dies, the kernel adds `futex_offset` to
/// `*list_op_pending`, and if the futex word there is 0, wakes one sleeper.
typedef struct mslot_robust_list {
    uintptr_t *list_op_pending;
    intptr_t futex_offset;
} mslot_robust_list;

enum {
    /// Steps of one write after which the segment cannot be sane: nobody loses so many swaps, or steps so far behind a hint.
    /// Chosen; about half a second of stepping. Bounds what a hostile segment can cost.
    MSLOT_WRITE_STEPS_MAX = 1 << 24
};

typedef struct mslot_step {
    mslot_outcome outcome; // DONE: try `position`
    uint64_t position;
} mslot_step;

/// Where to go from a cell that was not EMPTY of this lap (Write 2). Out of line: the ring is full, or others are faster.
/// Progress: wait-free. Crash: nothing changed.
mslot_step mslot__ring_advance_slow(const mslot_ring_writer *writer, uint64_t position, uint64_t cell, uint64_t steps);

/// The slot to fill (Write 1). Private: filling may take hours. Progress: wait-free. Crash: that message is lost.
static inline mslot_slot *mslot__ring_own_slot(const mslot_ring_writer *writer) { return mslot__ring_slot(&writer->ring, writer->own); }

/// Asks for the lines of the slot that is to be filled next, if that message is as long as this one: the reader has had them. The
/// publishing swap waits for all stores before it, so a line that is fetched only when it is stored to is waited for in full, message by
/// message.
/// Progress: wait-free. Crash: nothing changed.
static inline void mslot__ring_prefetch_own_slot(const mslot_ring_writer *writer)
{
    const unsigned char *line = (const unsigned char *)mslot__ring_own_slot(writer);
    for (uint32_t i = 0; i <= writer->more_lines; i++) mslot__prefetch_write(line + (size_t)i * MSLOT_LINE_BYTES);
}

/// The word that must be woken now (Write 7), or NULL. Progress: wait-free. Crash: see the kill table, "after 6, before 7".
static inline uint32_t *mslot__ring_parked_word(mslot_ring_writer *writer)
{
    // seq_cst: pairs with the store in mslot__ring_park. Either this load sees that the reader sleeps, or the reader's
    // second look at its cell sees the message.
    uint64_t parked = mslot__load_seq_cst(&writer->ring.control->parked_position);
    if (MSLOT_LIKELY(parked == 0) || parked == writer->woken_position) return NULL;
    // Remembered only if the position it sleeps for has been published: a reader that was faster than us sleeps for the one after
    // ours already, and must be woken again when that one is published.
    if ((int64_t)(writer->position - parked) >= 0) writer->woken_position = parked;
    mslot__count(&writer->lane->reader_wakes);
    return mslot__cell_futex(mslot__ring_cell(&writer->ring, parked - 1));
}

/// Every way out of a write but its success: no intent, no robust-list entry. Progress: wait-free. Crash: that message is lost.
static inline mslot_publication mslot__ring_give_up(mslot_ring_writer *writer, mslot_robust_list robust, mslot_step step)
{
    mslot_publication result;
    mslot__store_relaxed(&writer->lane->intent_position, MSLOT_POSITION_NONE);
    *(volatile uintptr_t *)robust.list_op_pending = 0;
    writer->position = step.position;
    result.outcome = step.outcome;
    result.wake = NULL;
    if (step.outcome == MSLOT_FULL) {
        // The reader may be asleep because a stopped writer never woke it.
        result.wake = mslot__ring_parked_word(writer);
    }
    return result;
}

static inline mslot_step mslot__ring_damage(const mslot_ring_writer *writer)
{
    mslot_step step;
    step.outcome = MSLOT_DAMAGED;
    step.position = writer->position;
    return step;
}

/// A short message on its way into a cell's own line.
typedef struct mslot_express {
    const void *bytes;
    /// 0 to MSLOT_EXPRESS_BYTES_MAX.
    uint32_t byte_count;
    uint32_t sender;
    uint16_t origin;
} mslot_express;

/// Fills a cell's line for a lap. Whoever publishes there meanwhile makes it worthless, not wrong: his state says that his message is
/// elsewhere. Progress: wait-free. Crash: no state says that anything is here.
static inline void mslot__ring_fill_line(mslot_cell *cell, uint64_t lap, const mslot_express *message)
{
    mslot__store_relaxed(&cell->label, mslot__label(mslot__lap_tag(lap), message->byte_count, message->sender, message->origin));
    // Before a byte changes: pairs with the look at the label that copy_from_line takes after its copy.
    mslot__fence_release();
    mslot__copy(cell->bytes, message->bytes, message->byte_count);
}

/// Publishes `express` in the cell's own line, which only the owner of lane 0 may, or, if that is NULL, the own slot, whose length must be
/// set. FULL, CLOSED and DAMAGED leave the slot filled and private. `robust.list_op_pending` must hold 0, and be set to 0 by the caller
/// after it has woken what this returns.
/// Progress: lock-free: whoever makes this try again has published. Crash: the kill table in segment.h.
static inline __attribute__((always_inline)) mslot_publication mslot__ring_publish(
    mslot_ring_writer *writer, mslot_robust_list robust, const mslot_express *express)
{
    const mslot_ring *ring = &writer->ring;
    mslot_lane *lane = writer->lane;
    mslot_publication result;

    // Write 2: find the tail. Acquire: pairs with the release in Write 6, so that what is below the hint is seen published.
    uint64_t position = writer->position;
    uint64_t hint = mslot__load_acquire(&ring->control->tail_hint);
    if ((int64_t)(hint - position) > 0) position = hint;

    for (uint64_t steps = 0;; steps++) {
        mslot_cell *cell = mslot__ring_cell(ring, position);
        // To write to it, at once: a load would share the line with a reader that polls it, and the store then waits once more.
        mslot__prefetch_write(cell);
        // Acquire: pairs with the release in Read 4; the spare, and the line, are the reader's no more.
        uint64_t seen = mslot__load_acquire(&cell->state);
        uint64_t lap = mslot__ring_lap(ring, position);

        if (MSLOT_UNLIKELY(!mslot__cell_is_empty_of(seen, lap))) {
            mslot_step step = mslot__ring_advance_slow(writer, position, seen, steps);
            position = step.position;
            if (step.outcome == MSLOT_DONE) continue;
            return mslot__ring_give_up(writer, robust, step);
        }
        uint32_t spare = mslot__cell_index(seen);
        if (MSLOT_UNLIKELY(spare >= ring->slot_count)) return mslot__ring_give_up(writer, robust, mslot__ring_damage(writer));

        uint64_t full;
        if (express != NULL) {
            // Instead of Write 1 and 3: nothing leaves the lane or the cell, so whoever inherits the lane has nothing to ask.
            mslot__ring_fill_line(cell, lap, express);
            full = mslot__cell_full(lap, spare) | MSLOT_CELL_HERE;
        } else {
            // Write 3: note the intent. Compiler order is enough: it is read only once this thread is provably gone.
            mslot__store_relaxed_32(&lane->intent_spare, spare);
            mslot__compiler_order();
            mslot__store_relaxed(&lane->intent_position, position);
            full = mslot__cell_full(lap, writer->own);
        }

        // Write 4: the robust-list entry.
        *(volatile uintptr_t *)robust.list_op_pending = (uintptr_t)mslot__cell_futex(cell) - (uintptr_t)robust.futex_offset;
        mslot__compiler_order();

        // Write 5: publish. Pairs with the reader's acquire load in mslot__ring_look.
        if (MSLOT_LIKELY(mslot__compare_and_swap_seq_cst(&cell->state, seen, full))) {
            if (express == NULL) {
                // Write 6: the spare is mine. Order matters to recovery only: own first, then no intent.
                writer->own = spare;
                mslot__store_relaxed_32(&lane->own, spare);
                mslot__compiler_order();
                mslot__store_relaxed(&lane->intent_position, MSLOT_POSITION_NONE);
            }
            mslot__count(&lane->messages_written);
            writer->position = position + 1;
            mslot__store_release(&ring->control->tail_hint, position + 1);
            break;
        }
        if (MSLOT_UNLIKELY(steps > MSLOT_WRITE_STEPS_MAX)) return mslot__ring_give_up(writer, robust, mslot__ring_damage(writer));
    }
    result.outcome = MSLOT_DONE;
    result.wake = mslot__ring_parked_word(writer);
    // After Write 7: nothing may widen the gap between 5 and 7.
    if (express == NULL) mslot__ring_prefetch_own_slot(writer);
    return result;
}

/// What a writer needs to know that is about to sleep for room.
typedef struct mslot_space_wait {
    /// The value of `space_sequence` to sleep on.
    uint32_t sequence;
    /// The reader has no fence of its own: make one for it, by membarrier(2), before the next look.
    bool makes_readers_fence;
} mslot_space_wait;

/// Before sleeping for room. After this, and the reader's fence, try to publish once more; still full: sleep.
/// Progress: wait-free. Crash: at most one extra wake.
static inline mslot_space_wait mslot__ring_want_space(mslot_ring_writer *writer)
{
    mslot_control *control = writer->ring.control;
    mslot_space_wait wait;
    wait.sequence = mslot__load_acquire_32(&control->space_sequence); // before the flag and the look: else a wake is lost
    mslot__store_relaxed_32(&control->space_wanted, 1);
    // Pairs with the fence in mslot__ring_space_made: either the reader sees the flag, or the next look sees the room. And with the one in
    // mslot__ring_leave_fence: either we see that the reader has no such fence, or it sees the flag from its first look on.
    mslot__fence_seq_cst();
    wait.makes_readers_fence = mslot__load_relaxed_32(&control->leaves_fence) != 0;
    return wait;
}

// MARK: long messages, the writer's side (Ring/long.c)

/// Before a writer's first long message: what may still be unread of the lane's former owners stays untouched. DONE or DAMAGED.
/// Progress: as mslot__ring_tail. Crash: nothing changed.
mslot_outcome mslot__ring_begin_overflow(mslot_ring_writer *writer);

/// Where a long message's bytes may be put. NULL: nowhere yet, the reader has to read first.
typedef struct mslot_place {
    unsigned char *bytes;
    uint64_t offset;
} mslot_place;

/// Looks for room for `byte_count` bytes, at most the ring's length_max. Nothing is taken until mslot__ring_keep_place.
/// Until then `lane->overflow` says that anything may be there. Progress: wait-free. Crash: the next owner waits for what was published.
mslot_place mslot__ring_place(mslot_ring_writer *writer, uint64_t byte_count);

/// After the long message at `place` was published, at the position before `writer->position`: nothing is written over it
/// until it has been read. Progress: wait-free. Crash: as mslot__ring_place.
void mslot__ring_keep_place(mslot_ring_writer *writer, uint64_t offset, uint64_t byte_count);

/// Instead of mslot__ring_keep_place, when nothing was published. Progress: wait-free. Crash: as mslot__ring_place.
void mslot__ring_give_place_up(mslot_ring_writer *writer);

/// Where the bytes of a long message of this length are, if its slot says something sensible; else NULL. A hostile writer may lie about
/// whose bytes they are, but they are bytes of this mailslot. Progress: wait-free. Crash: nothing changed.
const unsigned char *mslot__ring_long_bytes(const mslot_ring *ring, const mslot_slot *slot, uint32_t length);

// MARK: the reader's side

/// The reading end. Private memory; for one thread at a time.
typedef struct mslot_ring_reader {
    mslot_ring ring;
    /// The oldest position that is not released: the copy in `control` is for others.
    uint64_t head;
    /// The next position to look at; head <= next <= head + N. What lies between is lent.
    uint64_t next;
    /// For whom a poll finds nothing: the slot in which the message at `next` will probably come is the spare that was in the cell before
    /// it, which the polls of that one saw.
    uint32_t predicted;
    uint32_t seen_spare;
    uint64_t seen_position;
    /// The last message came in its cell's line, and so will the next: then no slot is touched in advance.
    bool expects_express;
    /// The process is registered with membarrier(2), and `control` says so: who waits for room pays for the fence.
    bool leaves_fence;
} mslot_ring_reader;

/// What is at a position.
typedef struct mslot_look {
    /// DONE: `length` bytes are at `bytes`. TOO_LONG: as well, but in an overflow, of which a hostile writer may have filled nothing: see
    /// that they are there before you touch them. EMPTY. DAMAGED: nothing of it can be believed.
    mslot_outcome outcome;
    uint32_t length;
    const unsigned char *bytes;
    /// As the writer says.
    uint32_t sender;
    uint16_t origin;
    /// What is DAMAGED is but this message, and the position can be released.
    bool can_be_skipped;
} mslot_look;

/// Where the rest of a look goes when there is no good message, or a long one. Out of line. Progress: wait-free. Crash: nothing changed.
mslot_look mslot__ring_look_slow(const mslot_ring_reader *reader, uint64_t cell);

/// A look that a call returned, and so lies in memory, field by field: copied as a whole it keeps the looks of the fast path in memory,
/// too, where clang stores them by field and loads them by wider words. Such a load waits for all stores before it, also for those to lines
/// that the writer has.
static inline __attribute__((always_inline)) mslot_look mslot__look_by_field(mslot_look whole)
{
    mslot_look look;
    look.outcome = whole.outcome;
    look.length = whole.length;
    look.bytes = whole.bytes;
    look.sender = whole.sender;
    look.origin = whole.origin;
    look.can_be_skipped = whole.can_be_skipped;
    return look;
}

enum {
    /// How many cells ahead the reader looks for slots to fetch early. Measured: `Benchmarks`, one way, 32 and 424 bytes.
    /// Farther (8, 16) it takes lines from the writer that has just asked for them, at a quarter of the speed.
    MSLOT_PREFETCH_CELLS = 2
};

/// Looks at the next position (Read 1 and 2). Progress: wait-free. Crash: nothing changed.
/// Always inlined, for the reason of mslot__look_by_field.
static inline __attribute__((always_inline)) mslot_look mslot__ring_look(mslot_ring_reader *reader)
{
    const mslot_ring *ring = &reader->ring;
    mslot_cell *cell = mslot__ring_cell(ring, reader->next);
    // Acquire: pairs with the publishing swap, Write 5.
    uint64_t state = mslot__load_acquire(&cell->state);
    uint32_t index = mslot__cell_index(state);
    mslot_look look;
    if (MSLOT_UNLIKELY(!mslot__cell_is_full_of(state, mslot__ring_lap(ring, reader->next)) || index >= ring->slot_count))
        return mslot__look_by_field(mslot__ring_look_slow(reader, state));
    look.outcome = MSLOT_DONE;
    look.can_be_skipped = false;
    reader->expects_express = mslot__cell_is_here(state);
    if (reader->expects_express) {
        // Once: a hostile writer may change it under our eyes.
        uint64_t label = mslot__load_relaxed(&cell->label);
        look.length = mslot__label_length(label);
        if (MSLOT_UNLIKELY(look.length > MSLOT_EXPRESS_BYTES_MAX)) return mslot__look_by_field(mslot__ring_look_slow(reader, state));
        look.bytes = cell->bytes;
        look.sender = mslot__label_sender(label);
        look.origin = mslot__label_origin(label);
        return look;
    }
    const mslot_slot *slot = mslot__ring_slot(ring, index);
    look.length = mslot__load_relaxed_32(&slot->length); // once, too
    if (MSLOT_UNLIKELY(look.length > MSLOT_MESSAGE_BYTES_MAX)) return mslot__look_by_field(mslot__ring_look_slow(reader, state));
    look.bytes = slot->payload;
    look.sender = slot->sender;
    look.origin = slot->origin;

    // Each cell has a line of its own: asked for before it is loaded.
    __builtin_prefetch(mslot__ring_cell(ring, reader->next + (uint64_t)2 * MSLOT_PREFETCH_CELLS));
    uint64_t ahead = mslot__load_relaxed(mslot__ring_state(ring, reader->next + MSLOT_PREFETCH_CELLS));
    if ((uint32_t)ahead == 0) {
        // An index out of range gives an address that is only fetched, never read; a prefetch does not fault.
        __builtin_prefetch(ring->slots + (size_t)mslot__cell_index(ahead) * MSLOT_SLOT_BYTES);
    }
    return look;
}

/// Counts the message at `next` as lent. Progress: wait-free. Crash: it comes again, with the same position.
static inline void mslot__ring_lend(mslot_ring_reader *reader) { reader->next++; }

/// Refuses to release `head`. Nothing is lent any more, so that the next look says what is damaged. Out of line: only a damaged
/// segment comes here.
mslot_outcome mslot__ring_release_damaged(mslot_ring_reader *reader);

enum {
    /// At most every so many messages the reader looks how many wait. Chosen: the look fetches a line that the writers write, some 100 ns
    /// for both ends, and a high-water mark that is 255 messages too low is 6 % of the default capacity.
    MSLOT_SAMPLE_POSITIONS = 256
};

/// Raises the high-water mark. Progress: wait-free. Crash: the mark stays as it was.
static inline void mslot__ring_raise_high_water(const mslot_ring *ring, uint64_t depth)
{
    uint64_t *high_water = &ring->control->high_water;
    if (MSLOT_UNLIKELY(depth > mslot__load_relaxed(high_water) && depth <= ring->cell_count)) mslot__store_relaxed(high_water, depth);
}

/// Raises the high-water mark to what waits now. Progress: wait-free. Crash: the mark stays as it was.
static inline void mslot__ring_sample_depth(const mslot_ring *ring, uint64_t head)
{
    // A hint below the head gives a number that is out of range.
    mslot__ring_raise_high_water(ring, mslot__load_relaxed(&ring->control->tail_hint) - head);
}

/// Gives the oldest lent slot back as a spare (Read 3 to 5). Progress: wait-free.
/// Crash: before 4 the message comes again; between 4 and 5 `head` is behind, and the next reader catches up.
static inline mslot_outcome mslot__ring_release(mslot_ring_reader *reader)
{
    const mslot_ring *ring = &reader->ring;
    uint64_t head = reader->head;
    uint64_t *cell = mslot__ring_state(ring, head);
    uint64_t lap = mslot__ring_lap(ring, head);
    uint64_t seen = mslot__load_relaxed(cell); // relaxed: acquired when it was looked at, and only this reader changes it
    uint32_t index = mslot__cell_index(seen);
    if (MSLOT_UNLIKELY(!mslot__cell_is_full_of(seen, lap) || index >= ring->slot_count)) return mslot__ring_release_damaged(reader);
    if (MSLOT_UNLIKELY((head & ring->sample_mask) == 0)) mslot__ring_sample_depth(ring, head);
    // Read 3. Relaxed: ordered before Read 4 by its release, for whoever recovers the lane that published the slot. A spare that stayed
    // where it was came from no lane.
    if (!mslot__cell_is_here(seen)) mslot__store_relaxed(&ring->consumed[index], head);
    // Read 4. Release: pairs with the writer's acquire in Write 2; what was read of the slot, or of the line, was read before.
    mslot__store_release(cell, mslot__cell_released(seen, lap + 1));
    // Read 5, after 4: the other way round wedges the ring if the reader dies between. Release: pairs with the acquire
    // of a writer that found the ring full.
    mslot__store_release(&ring->control->head, head + 1);
    reader->head = head + 1;
    return MSLOT_DONE;
}

/// Lends the next message and releases it at once: it was copied out, or is skipped. Progress and Crash: as mslot__ring_release.
/// Nothing else is lent.
static inline mslot_outcome mslot__ring_take(mslot_ring_reader *reader)
{
    mslot__ring_lend(reader);
    return mslot__ring_release(reader);
}

/// After releasing, before control returns to the caller (Read 6): true if every sleeper on `space_sequence` must be woken.
/// Progress: wait-free. Crash: between the clearing and the count, sleepers look again within a second, or when adopted.
static inline bool mslot__ring_space_made(mslot_ring_reader *reader)
{
    mslot_control *control = reader->ring.control;
    // Pairs with the fence in mslot__ring_want_space, or is made for us by the membarrier of whoever waits.
    if (MSLOT_LIKELY(reader->leaves_fence)) mslot__compiler_order();
    else mslot__fence_seq_cst();
    if (MSLOT_LIKELY(mslot__load_relaxed_32(&control->space_wanted) == 0)) return false;
    mslot__store_relaxed_32(&control->space_wanted, 0); // before the count: the other way round loses a wake
    mslot__store_release_32(&control->space_sequence, mslot__load_relaxed_32(&control->space_sequence) + 1);
    mslot__count(&control->writer_wakes);
    return true;
}

/// From here on who waits for room makes the reader's fence. The caller's process is registered with membarrier(2).
/// Progress: wait-free. Crash: the next reader takes it back before it reads.
static inline void mslot__ring_leave_fence(mslot_ring_reader *reader)
{
    mslot__store_relaxed_32(&reader->ring.control->leaves_fence, 1);
    // Pairs with the fence in mslot__ring_want_space.
    mslot__fence_seq_cst();
    reader->leaves_fence = true;
}

/// One poll of an empty ring: true if something is at the next position. Touches the slot in which the message will probably
/// come, so that its line travels together with the cell's. Progress: wait-free. Crash: nothing changed.
static inline bool mslot__ring_poll(mslot_ring_reader *reader)
{
    const mslot_ring *ring = &reader->ring;
    uint64_t cell = mslot__load_relaxed(mslot__ring_state(ring, reader->next)); // relaxed: mslot__ring_look acquires
    if ((uint32_t)cell == 0) return true;
    if (reader->seen_position != reader->next) {
        reader->predicted = reader->seen_spare;
        reader->seen_position = reader->next;
    }
    reader->seen_spare = mslot__cell_index(cell);
    if (!reader->expects_express) __builtin_prefetch(ring->slots + (size_t)reader->predicted * MSLOT_SLOT_BYTES);
    return !mslot__cell_is_empty_of(cell, mslot__ring_lap(ring, reader->next));
}

/// Where to sleep: `word` while it holds `value`. NULL: do not sleep, something is there.
typedef struct mslot_futex_wait {
    uint32_t *word;
    uint32_t value;
} mslot_futex_wait;

/// Says that the reader is about to sleep on its cell. Progress: wait-free. Crash: `parked_position` stays; the next reader clears it.
static inline mslot_futex_wait mslot__ring_park(mslot_ring_reader *reader)
{
    const mslot_ring *ring = &reader->ring;
    mslot_cell *cell = mslot__ring_cell(ring, reader->next);
    mslot_futex_wait futex;
    // seq_cst both: pairs with the swap and the load in Write 5 and 7.
    mslot__store_seq_cst(&ring->control->parked_position, reader->next + 1);
    uint64_t seen = mslot__load_seq_cst(&cell->state);
    futex.word = mslot__cell_is_empty_of(seen, mslot__ring_lap(ring, reader->next)) ? mslot__cell_futex(cell) : NULL;
    futex.value = (uint32_t)seen;
    return futex;
}

/// Awake again. Only the reader clears it: a writer that did would silence the others.
static inline void mslot__ring_unpark(mslot_ring_reader *reader)
{
    // Release is enough: a writer that still sees the old value makes one useless wake.
    mslot__store_release(&reader->ring.control->parked_position, 0);
}

// MARK: making, taking over, closing (Ring/)

/// Bytes of a segment of this geometry, and where its parts are. 0 if the geometry is not allowed.
uint64_t mslot__layout_header(mslot_header *header, uint32_t cell_count, uint32_t lane_count, uint32_t message_bytes_max);

/// How many bytes of overflow each lane has: 0 if no message is longer than a slot, else room for at least four of the longest.
uint64_t mslot__overflow_lane_bytes(uint32_t message_bytes_max);

/// Checks a header that has been copied to private memory: sizes, offsets, counts against `file_bytes`.
/// DONE, NOT_A_MAILSLOT or OTHER_LAYOUT.
mslot_outcome mslot__header_check(const mslot_header *header, uint64_t file_bytes);

/// The parts of a mapped segment whose header was checked.
mslot_ring mslot__ring_of(const mslot_header *header, void *segment);

/// Fills zeroed memory with an empty ring whose positions start at N. For a segment that has no name yet.
void mslot__ring_initialise(const mslot_ring *ring);

/// Takes a lane whose owner is provably gone, recovering its slot. Progress: wait-free. Crash: as any owner's death.
/// DAMAGED: the lane's words are out of range; leave it.
mslot_outcome mslot__ring_recover_lane(mslot_ring_writer *writer, const mslot_ring *ring, uint32_t lane);

/// For the holder of the reader's lock. DONE: `reader` goes on where the dead one stopped. CLOSED: the segment is sealed.
/// DAMAGED. In each case the caller wakes every sleeper on `space_sequence`. Progress: bounded by N. Crash: do it again.
mslot_outcome mslot__ring_take_over(mslot_ring_reader *reader, const mslot_ring *ring);

/// Seals the tail, for the holder of the reader's lock: every write that succeeded came before, none comes after. The caller
/// wakes every sleeper on `space_sequence`. Progress: lock-free. Crash: the next holder of the lock seals or finds the seal.
mslot_outcome mslot__ring_seal(const mslot_ring *ring);

/// The tail at some moment during the call, found by reading only. `closed`: a seal is there. DAMAGED if no tail is found.
typedef struct mslot_tail {
    mslot_outcome outcome;
    uint64_t position;
    bool closed;
} mslot_tail;
mslot_tail mslot__ring_tail(const mslot_ring *ring);

/// Invariant I1 on a ring at rest: true if every slot index is in exactly one place. `seen` has slot_count zeroed bytes.
bool mslot__ring_count_indices(const mslot_ring *ring, unsigned char *seen);

// MARK: looking from outside (Ring/observe.c). Progress: wait-free, unless said otherwise. Crash: nothing changed.

/// A segment as a third party sees it, who maps nothing of it: the geometry, checked and copied, and how its bytes are copied out. A page
/// that is touched in a mapping may be gone, which kills, or be a hole, which that fills.
typedef struct mslot_sight {
    /// Copies some bytes, from the beginning of a word on, while others change them. Each call sees what is as new as what the one before
    /// saw. DONE; DAMAGED: they are not there any more; SYSTEM_ERROR with errno.
    mslot_outcome (*copy)(const struct mslot_sight *sight, uint64_t offset, void *bytes, uint64_t byte_count);
    /// What `copy` copies from.
    const unsigned char *memory;
    int descriptor;
    uint64_t lanes_offset;
    uint64_t cells_offset;
    uint64_t slots_offset;
    uint64_t overflow_offset;
    uint64_t overflow_lane_bytes;
    /// The longest length that a slot may say.
    uint32_t length_max;
    uint32_t cell_count;
    uint32_t cell_shift;
    uint32_t lane_count;
    uint32_t slot_count;
} mslot_sight;

/// Of a segment whose header was checked; `copy` and what it copies from are still to be said.
mslot_sight mslot__sight_of(const mslot_header *header);
/// Of a segment that is mapped, for those who have it open anyway.
mslot_sight mslot__sight_of_memory(const mslot_header *header, const void *segment);

/// The head at the end of a look, and the tail at some moment during it. `is_closed`: a seal is there. DAMAGED: there is no tail, and
/// `tail` is the head; or the outcome of `copy`. Progress: bounded by N.
typedef struct mslot_extent {
    mslot_outcome outcome;
    bool is_closed;
    uint64_t head;
    uint64_t tail;
} mslot_extent;
mslot_extent mslot__sight_extent(const mslot_sight *sight);

/// The length of the next message at some moment. DONE, EMPTY, BUSY (it changes too fast), DAMAGED; or the outcome of `copy`.
typedef struct mslot_next_length {
    mslot_outcome outcome;
    uint32_t length;
} mslot_next_length;
mslot_next_length mslot__sight_next_length(const mslot_sight *sight);

/// What was copied out. DONE; TOO_LONG: `length` is more than `capacity`; EMPTY: nothing is published at this position yet; CLOSED: nothing
/// ever will be; BUSY: what was there is gone; or the outcome of `copy`.
typedef struct mslot_copied {
    mslot_outcome outcome;
    uint32_t length;
    uint32_t sender;
    uint16_t origin;
} mslot_copied;

/// Copies the message at a position, read already or not: a released slot keeps its message until the position a lap later is
/// published. A long message can be had only while it is unread. What is DONE is whole: it was the same before and after the copy.
mslot_copied mslot__sight_copy(const mslot_sight *sight, uint64_t position, void *buffer, uint64_t capacity);

#ifdef __cplusplus
}
#endif

#endif

// What a third party can see of a ring by reading only, without disturbing anyone.

#include "mailslots/ring.h"

#include <string.h>

mslot_next_length mslot__ring_next_length(const mslot_ring *ring)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t head = mslot__load_acquire(&ring->control->head);
        uint64_t *cell = mslot__ring_cell(ring, head);
        uint64_t seen = mslot__load_acquire(cell);
        uint64_t lap = mslot__ring_lap(ring, head);
        if (mslot__cell_is_full_of(seen, lap)) {
            uint32_t index = mslot__cell_index(seen);
            if (index >= ring->slot_count) return (mslot_next_length){MSLOT_DAMAGED, 0};
            uint32_t length = mslot__load_acquire_32(&mslot__ring_slot(ring, index)->length);
            // Valid only if the reader has not released it meanwhile.
            bool unchanged = mslot__load_acquire(cell) == seen && mslot__load_acquire(&ring->control->head) == head;
            if (!unchanged) continue;
            return length <= ring->length_max ? (mslot_next_length){MSLOT_DONE, length} : (mslot_next_length){MSLOT_DAMAGED, 0};
        }
        if (mslot__load_acquire(&ring->control->head) != head) continue;
        return (mslot_next_length){MSLOT_EMPTY, 0};
    }
    return (mslot_next_length){MSLOT_BUSY, 0};
}

/// Whether a cell still has what was published at a position of `lap`: unread, or released and not yet written over.
static bool has_message_of(uint64_t cell, uint64_t lap)
{
    bool released = mslot__cell_is_empty_of(cell, lap + 1) || (mslot__cell_is_closed(cell) && mslot__cell_laps_ahead(cell, lap) == 1);
    return released || mslot__cell_is_full_of(cell, lap);
}

/// Copies words that may change meanwhile. Acquire: what follows comes after.
static void copy_words(unsigned char *to, const uint64_t *from, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word = mslot__load_acquire(from++);
        memcpy(to + i, &word, bytes - i < sizeof word ? bytes - i : sizeof word);
    }
}

static bool is_part_of(mslot_overflow_part part, mslot_overflow_part whole)
{
    uint64_t offset = (uint64_t)((uintptr_t)part.bytes - (uintptr_t)whole.bytes);
    return offset <= whole.byte_count && part.byte_count <= whole.byte_count - offset;
}

mslot_copied mslot__ring_copy(const mslot_ring *ring, uint64_t position, void *buffer, uint64_t capacity, mslot_overflow_part there)
{
    uint64_t lap = mslot__ring_lap(ring, position);
    uint64_t *cell = mslot__ring_cell(ring, position);
    uint64_t seen = mslot__load_acquire(cell);
    // FULL has 16 bits of the lap: it may be another lap's. What is unread is at the head or above.
    bool is_read = (int64_t)(mslot__load_acquire(&ring->control->head) - position) > 0;
    if (!has_message_of(seen, lap)) {
        bool closed = mslot__cell_is_closed(seen) && !is_read;
        bool empty = mslot__cell_is_empty_of(seen, lap) || (mslot__cell_is_full_of(seen, lap - 1) && !is_read);
        return (mslot_copied){.outcome = closed ? MSLOT_CLOSED : empty ? MSLOT_EMPTY : MSLOT_BUSY};
    }
    uint32_t index = mslot__cell_index(seen);
    if (index >= ring->slot_count) return (mslot_copied){.outcome = MSLOT_BUSY};

    const mslot_slot *slot = mslot__ring_slot(ring, index);
    uint32_t flags_and_origin = mslot__load_acquire_32((const uint32_t *)(const void *)&slot->flags);
    mslot_copied copied = {
        .outcome = MSLOT_DONE,
        .length = mslot__load_acquire_32(&slot->length),
        .sender = mslot__load_acquire_32(&slot->sender),
        .origin = (uint16_t)(flags_and_origin >> 16),
    };
    bool is_long = copied.length > MSLOT_MESSAGE_BYTES_MAX;
    const unsigned char *bytes = is_long ? mslot__ring_long_bytes(ring, slot, copied.length) : slot->payload;
    // Ours begin at a line.
    if (bytes == NULL || (uintptr_t)bytes % sizeof(uint64_t) != 0) return (mslot_copied){.outcome = MSLOT_BUSY};
    if (is_long) copied.part = (mslot_overflow_part){bytes, copied.length};
    if (copied.length > capacity) copied.outcome = MSLOT_TOO_LONG;
    else if (is_long && !is_part_of(copied.part, there)) copied.outcome = MSLOT_NO_SPACE;
    else copy_words(buffer, (const uint64_t *)(const void *)bytes, copied.length);

    // Who writes to the slot has before found the cell EMPTY of the next lap, and published there; who writes over a long message has
    // found the head beyond it. If neither is so now, what was copied is what was published here.
    uint64_t after = mslot__load_acquire(cell);
    bool was_read = (int64_t)(mslot__load_acquire(&ring->control->head) - position) > 0;
    // Released between the two looks, or FULL of another lap: below the head nothing is FULL of its own.
    if (was_read) after = mslot__load_acquire(cell);
    bool intact = has_message_of(after, lap) && mslot__cell_index(after) == index && !(was_read && mslot__cell_is_full_of(after, lap));
    if (!intact || (was_read && is_long)) return (mslot_copied){.outcome = MSLOT_BUSY};
    return copied;
}

bool mslot__ring_count_indices(const mslot_ring *ring, unsigned char *seen)
{
    for (uint32_t i = 0; i < ring->cell_count; i++) {
        uint32_t index = mslot__cell_index(mslot__load_acquire(&ring->cells[i]));
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        uint32_t index = mslot__load_acquire_32(&ring->lanes[i].own);
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    return true;
}

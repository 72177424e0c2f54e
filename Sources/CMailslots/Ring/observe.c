// What a third party sees of a ring, who maps nothing of it: copies of its bytes, made while others change them.
//
// So a copy of two words is no picture of any moment. What is said here holds for some moment between the first copy and the last, or was
// the same before and after.

#include "mailslots/ring.h"

#include <string.h>

mslot_sight mslot__sight_of(const mslot_header *header)
{
    return (mslot_sight){
        .lanes_offset = header->lanes_offset,
        .cells_offset = header->cells_offset,
        .slots_offset = header->slots_offset,
        .overflow_offset = header->overflow_offset,
        .overflow_lane_bytes = mslot__overflow_lane_bytes(header->message_bytes_max),
        .length_max = header->overflow_offset != 0 ? header->message_bytes_max : MSLOT_MESSAGE_BYTES_MAX,
        .cell_count = header->cell_count,
        .cell_shift = (uint32_t)__builtin_ctz(header->cell_count),
        .lane_count = header->lane_count,
        .slot_count = header->cell_count + header->lane_count,
    };
}

static mslot_outcome copy_memory(const mslot_sight *sight, uint64_t offset, void *bytes, uint64_t byte_count)
{
    const uint64_t *from = (const uint64_t *)(const void *)(sight->memory + offset);
    unsigned char *to = bytes;
    for (uint64_t left = byte_count; left > 0; from++) {
        // Acquire: what is copied next comes after.
        uint64_t word = mslot__load_acquire(from);
        if (left < sizeof word) {
            memcpy(to, &word, left);
            break;
        }
        memcpy(to, &word, sizeof word);
        to += sizeof word;
        left -= sizeof word;
    }
    return MSLOT_DONE;
}

mslot_sight mslot__sight_of_memory(const mslot_header *header, const void *segment)
{
    mslot_sight sight = mslot__sight_of(header);
    sight.copy = copy_memory;
    sight.memory = segment;
    return sight;
}

// MARK: words

/// 0 if it cannot be had: `*outcome` says why then, and else stays.
static uint64_t word_at(const mslot_sight *sight, uint64_t offset, mslot_outcome *outcome)
{
    uint64_t word = 0;
    mslot_outcome copied = sight->copy(sight, offset, &word, sizeof word);
    if (copied == MSLOT_DONE) return word;
    *outcome = copied;
    return 0;
}

static uint64_t head_of(const mslot_sight *sight, mslot_outcome *outcome)
{
    return word_at(sight, MSLOT_HEADER_BYTES + offsetof(mslot_control, head), outcome);
}

static uint64_t cell_offset(const mslot_sight *sight, uint64_t position)
{
    return sight->cells_offset + (position & (sight->cell_count - 1)) * sizeof(mslot_cell);
}

static uint64_t state_at(const mslot_sight *sight, uint64_t position, mslot_outcome *outcome)
{
    return word_at(sight, cell_offset(sight, position) + offsetof(mslot_cell, state), outcome);
}

static uint64_t label_at(const mslot_sight *sight, uint64_t position, mslot_outcome *outcome)
{
    return word_at(sight, cell_offset(sight, position) + offsetof(mslot_cell, label), outcome);
}

static uint64_t lap_of(const mslot_sight *sight, uint64_t position) { return position >> sight->cell_shift; }

static uint64_t slot_offset(const mslot_sight *sight, uint32_t index) { return sight->slots_offset + (uint64_t)index * MSLOT_SLOT_BYTES; }

// MARK: head and tail

/// What a cell tells of the tail.
typedef struct cell_told {
    bool is_sound;
    bool is_empty;
    bool is_full;
    /// Where what was published in it last ends; of a seal, where it is.
    uint64_t end;
} cell_told;

/// `lap` is one near the cell's own.
static cell_told hear_cell(const mslot_sight *sight, uint64_t cell, uint64_t number, uint64_t lap)
{
    cell_told told = {.is_full = (uint32_t)cell == 0, .is_empty = (cell & MSLOT_CELL_KIND_MASK) == MSLOT_CELL_EMPTY};
    uint64_t position = ((lap + (uint64_t)mslot__cell_laps_ahead(cell, lap)) << sight->cell_shift) + number;
    told.end = told.is_full ? position + 1 : told.is_empty ? position + 1 - sight->cell_count : position;
    told.is_sound = (told.is_full || told.is_empty || mslot__cell_is_closed(cell)) && mslot__cell_index(cell) < sight->slot_count;
    return told;
}

/// One look at the head, all cells, and the head again. The tail was where the newest of the cells' ends is, at some moment of the look.
/// DAMAGED: a cell says what it cannot have said between the two looks at the head.
static mslot_extent look_at_cells(const mslot_sight *sight)
{
    enum { CELLS_AT_ONCE = 256 };
    mslot_extent extent = {.outcome = MSLOT_DONE};
    uint64_t head = head_of(sight, &extent.outcome);
    int64_t lap_cells = (int64_t)sight->cell_count;
    int64_t newest = -lap_cells, newest_empty = -lap_cells;
    bool is_sound = true;
    for (uint64_t first = 0; first < sight->cell_count && extent.outcome == MSLOT_DONE; first += CELLS_AT_ONCE) {
        mslot_cell cells[CELLS_AT_ONCE];
        uint64_t count = sight->cell_count - first < CELLS_AT_ONCE ? sight->cell_count - first : CELLS_AT_ONCE;
        extent.outcome = sight->copy(sight, cell_offset(sight, first), cells, count * sizeof cells[0]);
        for (uint64_t i = 0; i < count && extent.outcome == MSLOT_DONE; i++) {
            cell_told told = hear_cell(sight, cells[i].state, first + i, lap_of(sight, head));
            int64_t ahead = (int64_t)(told.end - head);
            // What is FULL has not been released; what is older than a lap has been published over.
            is_sound &= told.is_sound && ahead > (told.is_full ? 0 : -lap_cells);
            extent.is_closed |= mslot__cell_is_closed(cells[i].state);
            if (ahead > newest) newest = ahead;
            if (told.is_empty && ahead > newest_empty) newest_empty = ahead;
        }
    }
    extent.head = head_of(sight, &extent.outcome);
    extent.tail = head + (uint64_t)newest;
    // A reader that stands between Read 4 and 5 has emptied one cell more than it says.
    int64_t moved = (int64_t)(extent.head - head);
    is_sound &= moved >= 0 && newest_empty - moved <= 1 && newest - moved <= lap_cells + 1;
    if (extent.outcome == MSLOT_DONE && !is_sound) extent.outcome = MSLOT_DAMAGED;
    return extent;
}

mslot_extent mslot__sight_extent(const mslot_sight *sight)
{
    mslot_extent extent;
    // A look that took so long that a FULL cell's lap came round again says DAMAGED of a sane ring; not so often in a row.
    for (int looks = 0; looks < 16; looks++) {
        extent = look_at_cells(sight);
        if (extent.outcome != MSLOT_DAMAGED) return extent;
    }
    extent.tail = extent.head;
    return extent;
}

// MARK: messages

/// The length of what a FULL cell shows. More than may be, if the cell says nothing sensible.
static uint32_t length_at(const mslot_sight *sight, uint64_t position, uint64_t state, mslot_outcome *outcome)
{
    uint32_t index = mslot__cell_index(state);
    if (index >= sight->slot_count) return UINT32_MAX;
    if (!mslot__cell_is_here(state)) return (uint32_t)word_at(sight, slot_offset(sight, index), outcome);
    uint32_t length = mslot__label_length(label_at(sight, position, outcome));
    return length <= MSLOT_EXPRESS_BYTES_MAX ? length : UINT32_MAX;
}

mslot_next_length mslot__sight_next_length(const mslot_sight *sight)
{
    mslot_next_length next = {.outcome = MSLOT_DONE};
    for (int looks = 0; looks < 16 && next.outcome == MSLOT_DONE; looks++) {
        uint64_t head = head_of(sight, &next.outcome);
        uint64_t seen = state_at(sight, head, &next.outcome);
        bool is_full = mslot__cell_is_full_of(seen, lap_of(sight, head));
        next.length = is_full ? length_at(sight, head, seen, &next.outcome) : 0;
        // Valid only if the reader has not released it meanwhile.
        bool unchanged = state_at(sight, head, &next.outcome) == seen && head_of(sight, &next.outcome) == head;
        if (next.outcome != MSLOT_DONE || !unchanged) continue;
        if (!is_full) return (mslot_next_length){MSLOT_EMPTY, 0};
        return next.length <= sight->length_max ? next : (mslot_next_length){MSLOT_DAMAGED, 0};
    }
    return (mslot_next_length){next.outcome != MSLOT_DONE ? next.outcome : MSLOT_BUSY, 0};
}

/// Whether a cell still has what was published at a position of `lap`: unread, or released and not yet written over.
static bool has_message_of(uint64_t cell, uint64_t lap)
{
    bool released = mslot__cell_is_empty_of(cell, lap + 1) || (mslot__cell_is_closed(cell) && mslot__cell_laps_ahead(cell, lap) == 1);
    return released || mslot__cell_is_full_of(cell, lap);
}

/// Copies a message's bytes from its slot, or from where the slot says that they are. BUSY: it says nothing sensible.
static mslot_outcome copy_bytes(const mslot_sight *sight, const mslot_slot *slot, void *buffer)
{
    if (slot->length <= MSLOT_MESSAGE_BYTES_MAX) {
        if (slot->length != 0) memcpy(buffer, slot->payload, slot->length);
        return MSLOT_DONE;
    }
    bool is_sound = slot->lane < sight->lane_count && slot->extra <= sight->overflow_lane_bytes - slot->length;
    // Ours begin at a line.
    if (!is_sound || slot->extra % sizeof(uint64_t) != 0) return MSLOT_BUSY;
    return sight->copy(sight, sight->overflow_offset + slot->lane * sight->overflow_lane_bytes + slot->extra, buffer, slot->length);
}

static mslot_copied copy_from_slot(const mslot_sight *sight, uint32_t index, void *buffer, uint64_t capacity)
{
    mslot_slot slot;
    mslot_copied copied = {.outcome = sight->copy(sight, slot_offset(sight, index), &slot, sizeof slot)};
    if (copied.outcome != MSLOT_DONE) return copied;
    if (slot.length > sight->length_max) return (mslot_copied){.outcome = MSLOT_BUSY};
    copied.length = slot.length;
    copied.sender = slot.sender;
    copied.origin = slot.origin;
    copied.outcome = slot.length > capacity ? MSLOT_TOO_LONG : copy_bytes(sight, &slot, buffer);
    return copied;
}

/// Copies what lies in a cell's own line. The state, which was seen before, says that it was whole; the tag, which is looked at after the
/// bytes, says that the owner of lane 0 had not begun to write over it. BUSY: he had.
static mslot_copied copy_from_line(const mslot_sight *sight, uint64_t position, void *buffer, uint64_t capacity)
{
    mslot_cell cell;
    uint64_t offset = offsetof(mslot_cell, label);
    mslot_copied copied = {.outcome = sight->copy(sight, cell_offset(sight, position) + offset, &cell.label, sizeof cell - offset)};
    uint64_t after = copied.outcome == MSLOT_DONE ? label_at(sight, position, &copied.outcome) : 0;
    if (copied.outcome != MSLOT_DONE) return copied;
    bool is_whole = after == cell.label && mslot__label_tag(after) == mslot__lap_tag(lap_of(sight, position));
    copied.length = mslot__label_length(after);
    if (!is_whole || copied.length > MSLOT_EXPRESS_BYTES_MAX) return (mslot_copied){.outcome = MSLOT_BUSY};
    copied.sender = mslot__label_sender(after);
    copied.origin = mslot__label_origin(after);
    if (copied.length > capacity) copied.outcome = MSLOT_TOO_LONG;
    else if (copied.length != 0) memcpy(buffer, cell.bytes, copied.length);
    return copied;
}

mslot_copied mslot__sight_copy(const mslot_sight *sight, uint64_t position, void *buffer, uint64_t capacity)
{
    mslot_copied copied = {.outcome = MSLOT_DONE};
    uint64_t lap = lap_of(sight, position);
    uint64_t seen = state_at(sight, position, &copied.outcome);
    if (copied.outcome == MSLOT_DONE && mslot__cell_is_empty_of(seen, lap)) copied.outcome = MSLOT_EMPTY;
    if (copied.outcome != MSLOT_DONE) return copied;
    if (!has_message_of(seen, lap)) {
        // FULL has 15 bits of the lap: it may be another lap's. What is unread is at the head or above.
        bool is_read = (int64_t)(head_of(sight, &copied.outcome) - position) > 0;
        if (copied.outcome != MSLOT_DONE) return copied;
        bool closed = mslot__cell_is_closed(seen) && !is_read;
        bool empty = mslot__cell_is_full_of(seen, lap - 1) && !is_read;
        return (mslot_copied){.outcome = closed ? MSLOT_CLOSED : empty ? MSLOT_EMPTY : MSLOT_BUSY};
    }
    uint32_t index = mslot__cell_index(seen);
    if (index >= sight->slot_count) return (mslot_copied){.outcome = MSLOT_BUSY};
    bool is_here = mslot__cell_is_here(seen);
    copied = is_here ? copy_from_line(sight, position, buffer, capacity) : copy_from_slot(sight, index, buffer, capacity);
    if (copied.outcome != MSLOT_DONE && copied.outcome != MSLOT_TOO_LONG) return copied;
    bool is_long = copied.length > MSLOT_MESSAGE_BYTES_MAX;

    // Who writes to the slot has before found the cell EMPTY of the next lap, and published there; who writes over a long message has
    // found the head beyond it. If neither is so now, what was copied is what was published here.
    mslot_outcome looked = MSLOT_DONE;
    uint64_t after = state_at(sight, position, &looked);
    bool head_tells = is_long || mslot__cell_is_full_of(after, lap);
    bool was_read = head_tells && (int64_t)(head_of(sight, &looked) - position) > 0;
    // Released between the two looks, or FULL of another lap: below the head nothing is FULL of its own.
    if (was_read) after = state_at(sight, position, &looked);
    if (looked != MSLOT_DONE) return (mslot_copied){.outcome = looked};
    bool intact = has_message_of(after, lap) && mslot__cell_index(after) == index && mslot__cell_is_here(after) == is_here
        && !(was_read && mslot__cell_is_full_of(after, lap));
    if (!intact || (was_read && is_long)) return (mslot_copied){.outcome = MSLOT_BUSY};
    return copied;
}

bool mslot__ring_count_indices(const mslot_ring *ring, unsigned char *seen)
{
    for (uint32_t i = 0; i < ring->cell_count; i++) {
        uint32_t index = mslot__cell_index(mslot__load_acquire(&ring->cells[i].state));
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        uint32_t index = mslot__load_acquire_32(&ring->lanes[i].own);
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    return true;
}

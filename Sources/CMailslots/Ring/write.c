// The writer's way when its cell is not simply empty, and what a dead writer leaves behind.

#include "mailslots/ring.h"

static mslot_step go_to(uint64_t position) { return (mslot_step){MSLOT_DONE, position}; }
static mslot_step end_with(mslot_outcome outcome, uint64_t position) { return (mslot_step){outcome, position}; }

static mslot_step go_on(const mslot_ring_writer *writer, uint64_t position)
{
    mslot__count_shared(&mslot__ring_lane_counters(&writer->ring, writer->lane)->retries);
    return go_to(position);
}

static mslot_step end_full(const mslot_ring_writer *writer, uint64_t position)
{
    mslot__store_relaxed(&mslot__ring_lane_counters(&writer->ring, writer->lane)->filled, 1);
    return end_with(MSLOT_FULL, position);
}

mslot_step mslot__ring_advance_slow(const mslot_ring_writer *writer, uint64_t position, uint64_t cell, uint64_t steps)
{
    const mslot_ring *ring = &writer->ring;
    uint64_t lap = mslot__ring_lap(ring, position);
    if (steps > MSLOT_WRITE_STEPS_MAX) return end_with(MSLOT_DAMAGED, writer->position);

    uint64_t kind = cell & MSLOT_CELL_KIND_MASK;
    if (kind == MSLOT_CELL_CLOSED) return end_with(MSLOT_CLOSED, position);

    int64_t ahead = mslot__cell_laps_ahead(cell, lap);
    // Acquire: pairs with Read 5, so that what lies below the head is seen emptied.
    uint64_t head = mslot__load_acquire(&ring->control->head);
    if ((uint32_t)cell == 0) {
        if (ahead == 0) return go_on(writer, position + 1); // another writer was faster
        if (ahead == -1) {
            if ((int64_t)(position - head) >= (int64_t)ring->cell_count) return end_full(writer, position);
            return go_to((int64_t)(head - position) > 0 ? head : position); // the reader has just been here: look again
        }
    } else if (kind != MSLOT_CELL_EMPTY) {
        return end_with(MSLOT_DAMAGED, writer->position);
    }

    // A newer lap, or an alias of one: we slept while the ring turned.
    uint64_t hint = mslot__load_acquire(&ring->control->tail_hint);
    uint64_t newest = (int64_t)(head - hint) > 0 ? head : hint;
    if ((int64_t)(newest - position) > 0) return go_to(newest);
    // Without this step a writer may spin for ever after a reader died between Read 4 and 5.
    if (ahead > 0) return go_to(position + 1);
    return end_with(MSLOT_DAMAGED, writer->position);
}

/// The slot that a dead owner's lane is left with. Exact: if its swap lost, `own` never left the lane, so it is in no cell
/// and `consumed[own]` still names an older position.
static uint32_t recovered_slot(const mslot_ring *ring, uint32_t own, uint64_t intent_position, uint32_t intent_spare)
{
    if (intent_position == MSLOT_POSITION_NONE || own == intent_spare) return own;
    uint64_t cell = mslot__load_acquire(mslot__ring_state(ring, intent_position));
    bool in_its_cell = (uint32_t)cell == 0 && mslot__cell_index(cell) == own;
    if (in_its_cell) return intent_spare;
    // Acquire: pairs with the release in Read 4, which comes after the store to `consumed`.
    bool read_already = (int64_t)(mslot__load_acquire(&ring->consumed[own]) - intent_position) >= 0;
    return read_already ? intent_spare : own;
}

mslot_outcome mslot__ring_recover_lane(mslot_ring_writer *writer, const mslot_ring *ring, uint32_t lane_index)
{
    mslot_lane *lane = &ring->lanes[lane_index];
    uint32_t own = mslot__load_acquire_32(&lane->own);
    uint64_t intent_position = mslot__load_acquire(&lane->intent_position);
    uint32_t intent_spare = mslot__load_acquire_32(&lane->intent_spare);
    if (own >= ring->slot_count || intent_spare >= ring->slot_count) return MSLOT_DAMAGED;

    uint32_t slot = recovered_slot(ring, own, intent_position, intent_spare);
    // As in Write 6: own first. Killed between the two, the next owner finds own == intent_spare.
    mslot__store_relaxed_32(&lane->own, slot);
    mslot__compiler_order();
    mslot__store_relaxed(&lane->intent_position, MSLOT_POSITION_NONE);

    writer->ring = *ring;
    writer->lane = lane;
    writer->own = slot;
    writer->position = mslot__load_acquire(&ring->control->head);
    writer->woken_position = 0;
    writer->overflow.bytes = NULL;
    return MSLOT_DONE;
}

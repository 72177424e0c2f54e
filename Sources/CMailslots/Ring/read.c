// The reader's way when there is no good message, and how a reader begins and ends.

#include "mailslots/ring.h"

static bool find_long_message(const mslot_ring *ring, const mslot_slot *slot, mslot_look *look)
{
    // Once: a hostile writer may change it under our eyes.
    look->length = mslot__load_relaxed_32(&slot->length);
    look->bytes = mslot__ring_long_bytes(ring, slot, look->length);
    if (look->bytes == NULL) return false;
    look->sender = slot->sender;
    look->origin = slot->origin;
    look->outcome = MSLOT_TOO_LONG;
    return true;
}

mslot_look mslot__ring_look_slow(const mslot_ring_reader *reader, uint64_t cell)
{
    const mslot_ring *ring = &reader->ring;
    uint64_t lap = mslot__ring_lap(ring, reader->next);
    if (mslot__cell_is_empty_of(cell, lap)) return (mslot_look){.outcome = MSLOT_EMPTY};
    // All N cells are lent: what follows the last is the first again, still FULL of the lap before.
    if (reader->next - reader->head >= ring->cell_count) return (mslot_look){.outcome = MSLOT_EMPTY};

    uint32_t index = mslot__cell_index(cell);
    mslot_look look = {.outcome = MSLOT_DAMAGED};
    if (mslot__cell_is_full_of(cell, lap) && index < ring->slot_count) {
        look.can_be_skipped = true;
        if (!mslot__cell_is_here(cell) && find_long_message(ring, mslot__ring_slot(ring, index), &look)) return look;
    }
    mslot__count(&ring->control->damaged);
    return look;
}

mslot_outcome mslot__ring_release_damaged(mslot_ring_reader *reader)
{
    mslot__count(&reader->ring.control->damaged);
    reader->next = reader->head;
    return MSLOT_DAMAGED;
}

/// Every sleeper must look again; the caller wakes them.
static void change_space_sequence(const mslot_ring *ring)
{
    mslot__store_release_32(&ring->control->space_sequence, mslot__load_relaxed_32(&ring->control->space_sequence) + 1);
}

/// Catches up with a reader that died between Read 4 and Read 5: before anything else, a close too.
static uint64_t catch_up(const mslot_ring *ring)
{
    uint64_t head = mslot__load_acquire(&ring->control->head);
    for (uint32_t i = 0; i < ring->cell_count; i++) {
        uint64_t cell = mslot__load_acquire(mslot__ring_state(ring, head));
        if (mslot__cell_is_closed(cell) || mslot__cell_laps_ahead(cell, mslot__ring_lap(ring, head)) <= 0) break;
        head++;
        mslot__store_release(&ring->control->head, head);
    }
    return head;
}

mslot_outcome mslot__ring_take_over(mslot_ring_reader *reader, const mslot_ring *ring)
{
    // First: a reader that has not said it for itself has its own fence.
    mslot__store_relaxed_32(&ring->control->leaves_fence, 0);
    // Nor does one live by what another said.
    mslot__store_relaxed_32(&ring->control->reader_alive, 0);
    uint64_t head = catch_up(ring);
    mslot__store_seq_cst(&ring->control->parked_position, 0);
    change_space_sequence(ring);

    mslot_tail tail = mslot__ring_tail(ring);
    if (tail.outcome != MSLOT_DONE) {
        mslot__count(&ring->control->damaged);
        return tail.outcome;
    }
    if (tail.closed) return MSLOT_CLOSED;
    mslot__ring_raise_high_water(ring, tail.position - head);
    *reader = (mslot_ring_reader){.ring = *ring, .head = head, .next = head};
    return MSLOT_DONE;
}

mslot_outcome mslot__ring_seal(const mslot_ring *ring)
{
    uint64_t head = catch_up(ring);
    uint64_t position = head;
    mslot_outcome outcome = MSLOT_DAMAGED;
    // Each turn moves on, or a writer has published between the load and the swap; at most N + 1 positions are looked at.
    for (uint64_t turns = 0; turns <= 4 * (uint64_t)ring->cell_count + 64; turns++) {
        uint64_t lap = mslot__ring_lap(ring, position);
        uint64_t *cell = mslot__ring_state(ring, position);
        uint64_t seen = mslot__load_acquire(cell);
        if (mslot__cell_is_closed(seen)) {
            outcome = MSLOT_DONE;
            break;
        }
        if (mslot__cell_is_empty_of(seen, lap)) {
            // Pairs with the publishing swap, Write 5: one of the two wins.
            if (!mslot__compare_and_swap_seq_cst(cell, seen, seen | MSLOT_CELL_CLOSED)) continue;
            outcome = MSLOT_DONE;
            break;
        }
        if (mslot__cell_is_full_of(seen, lap)) {
            position++;
            continue;
        }
        if (mslot__cell_is_full_of(seen, lap - 1) && position == head + ring->cell_count) {
            // Full: consume the oldest message, with the seal in the place of the empty cell (Read 3 to 5).
            uint32_t index = mslot__cell_index(seen);
            if (index >= ring->slot_count) break;
            if (!mslot__cell_is_here(seen)) mslot__store_relaxed(&ring->consumed[index], head);
            mslot__store_release(cell, mslot__cell_released(seen, lap) | MSLOT_CELL_CLOSED);
            mslot__store_release(&ring->control->head, head + 1);
            outcome = MSLOT_DONE;
            break;
        }
        break;
    }
    change_space_sequence(ring);
    return outcome;
}

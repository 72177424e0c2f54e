// What a third party can see of a ring by reading only, without disturbing anyone.

#include "mailslots/ring.h"

mslot_tail mslot_ring_tail(const mslot_ring *ring)
{
    // While we look the ring may turn, so each try begins anew; a sane ring whose writers are faster than us for so many
    // tries does not exist.
    for (int tries = 0; tries < 64; tries++) {
        uint64_t head = mslot_load_acquire(&ring->control->head);
        uint64_t position = mslot_load_acquire(&ring->control->tail_hint);
        if ((int64_t)(head - position) > 0 || position - head > ring->cell_count) position = head;

        for (uint32_t i = 0; i <= 2 * ring->cell_count; i++) {
            uint64_t lap = mslot_ring_lap(ring, position);
            uint64_t cell = mslot_load_acquire(mslot_ring_cell(ring, position));
            if (mslot_cell_is_closed(cell)) return (mslot_tail){MSLOT_DONE, position, true};
            if (mslot_cell_is_empty_of(cell, lap)) return (mslot_tail){MSLOT_DONE, position, false};
            if (mslot_cell_is_full_of(cell, lap - 1)) {
                // Full if the head is still a lap behind; else the reader has just been here.
                if (position - mslot_load_acquire(&ring->control->head) >= ring->cell_count)
                    return (mslot_tail){MSLOT_DONE, position, false};
                continue;
            }
            // The reader stands, or died, between Read 4 and 5: only the cell at the head can be of the next lap.
            bool head_is_behind = position == head && (mslot_cell_is_empty_of(cell, lap + 1) || mslot_cell_is_full_of(cell, lap + 1));
            if (!mslot_cell_is_full_of(cell, lap) && !head_is_behind) break; // a newer lap: begin anew
            position++;
        }
    }
    return (mslot_tail){MSLOT_DAMAGED, mslot_load_acquire(&ring->control->head), false};
}

mslot_next_length mslot_ring_next_length(const mslot_ring *ring)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t head = mslot_load_acquire(&ring->control->head);
        uint64_t *cell = mslot_ring_cell(ring, head);
        uint64_t seen = mslot_load_acquire(cell);
        uint64_t lap = mslot_ring_lap(ring, head);
        if (mslot_cell_is_full_of(seen, lap)) {
            uint32_t index = mslot_cell_index(seen);
            if (index >= ring->slot_count) return (mslot_next_length){MSLOT_DAMAGED, 0};
            uint32_t length = mslot_load_acquire_32(&mslot_ring_slot(ring, index)->length);
            // Valid only if the reader has not released it meanwhile.
            bool unchanged = mslot_load_acquire(cell) == seen && mslot_load_acquire(&ring->control->head) == head;
            if (!unchanged) continue;
            return length <= ring->length_max ? (mslot_next_length){MSLOT_DONE, length} : (mslot_next_length){MSLOT_DAMAGED, 0};
        }
        if (mslot_load_acquire(&ring->control->head) != head) continue;
        return (mslot_next_length){MSLOT_EMPTY, 0};
    }
    return (mslot_next_length){MSLOT_BUSY, 0};
}

bool mslot_ring_count_indices(const mslot_ring *ring, unsigned char *seen)
{
    for (uint32_t i = 0; i < ring->cell_count; i++) {
        uint32_t index = mslot_cell_index(mslot_load_acquire(&ring->cells[i]));
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        uint32_t index = mslot_load_acquire_32(&ring->lanes[i].own);
        if (index >= ring->slot_count || seen[index]++ != 0) return false;
    }
    return true;
}

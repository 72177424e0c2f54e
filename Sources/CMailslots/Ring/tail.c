// Where the next message will be published, found by reading only.

#include "mailslots/ring.h"

mslot_tail mslot__ring_tail(const mslot_ring *ring)
{
    // While we look the ring may turn, so each try begins anew; a sane ring whose writers are faster than us for so many
    // tries does not exist.
    for (int tries = 0; tries < 64; tries++) {
        uint64_t head = mslot__load_acquire(&ring->control->head);
        uint64_t position = mslot__load_acquire(&ring->control->tail_hint);
        if ((int64_t)(head - position) > 0 || position - head > ring->cell_count) position = head;

        for (uint32_t i = 0; i <= 2 * ring->cell_count; i++) {
            uint64_t lap = mslot__ring_lap(ring, position);
            uint64_t cell = mslot__load_acquire(mslot__ring_state(ring, position));
            if (mslot__cell_is_closed(cell)) return (mslot_tail){MSLOT_DONE, position, true};
            if (mslot__cell_is_empty_of(cell, lap)) return (mslot_tail){MSLOT_DONE, position, false};
            if (mslot__cell_is_full_of(cell, lap - 1)) {
                // Full if the head is still a lap behind; else the reader has just been here.
                if (position - mslot__load_acquire(&ring->control->head) >= ring->cell_count)
                    return (mslot_tail){MSLOT_DONE, position, false};
                continue;
            }
            // The reader stands, or died, between Read 4 and 5: only the cell at the head can be of the next lap.
            bool head_is_behind = position == head && (mslot__cell_is_empty_of(cell, lap + 1) || mslot__cell_is_full_of(cell, lap + 1));
            if (!mslot__cell_is_full_of(cell, lap) && !head_is_behind) break; // a newer lap: begin anew
            position++;
        }
    }
    return (mslot_tail){MSLOT_DAMAGED, mslot__load_acquire(&ring->control->head), false};
}

// A writer's lane: taking one that nobody has, and giving it back.
//
// A lane's lock says whether it is taken. The hints, one bit a lane, only say where to try first: set by who takes a lane,
// cleared by who gives it back. A killed owner leaves its bit set, which is mended when no clear bit is left.

#include "linux.h"

#include <errno.h>

static uint64_t hint_bit(uint32_t lane) { return (uint64_t)1 << (lane % 64); }

static void hint_set(const mslot_ring *ring, uint32_t lane)
{
    // Relaxed: a hint; the lock decides.
    __atomic_fetch_or(&ring->lane_hints[lane / 64], hint_bit(lane), __ATOMIC_RELAXED);
}
static void hint_clear(const mslot_ring *ring, uint32_t lane)
{
    __atomic_fetch_and(&ring->lane_hints[lane / 64], ~hint_bit(lane), __ATOMIC_RELAXED);
}

/// Takes the lane if nobody has it and its words can be believed: DONE, BUSY, DAMAGED, or SYSTEM_ERROR with errno.
static mslot_outcome take_lane(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor, uint32_t lane)
{
    switch (mslot__lock_try(descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane)) {
    case MSLOT_LOCK_HELD_BY_ANOTHER: return MSLOT_BUSY;
    case MSLOT_LOCK_FAILED: return MSLOT_SYSTEM_ERROR;
    case MSLOT_LOCK_TAKEN: break;
    }
    hint_set(ring, lane);
    mslot_outcome outcome = mslot__ring_recover_lane(writer, ring, lane);
    uint32_t *owner = &ring->lanes[lane].owner_pid;
    if (outcome == MSLOT_DONE && mslot__load_relaxed_32(owner) != 0) {
        mslot__store_relaxed_32(owner, 0);
        mslot__count_shared(&mslot__ring_lane_counters(ring, writer->lane)->lane_recoveries);
    }
    return outcome;
}

/// Tries lanes whose hint bit is clear, or all. A lane that is damaged stays locked by us until we close: nobody wants it.
static mslot_lane_taken take_some_lane(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor, uint32_t start, bool only_hinted)
{
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        uint32_t lane = (start + i) % ring->lane_count;
        if (only_hinted) {
            uint64_t taken = mslot__load_relaxed(&ring->lane_hints[lane / 64]);
            if (taken == ~(uint64_t)0) { // the whole word: on to the next
                i += 63 - lane % 64;
                continue;
            }
            if (taken & hint_bit(lane)) continue;
        }
        mslot_outcome outcome = take_lane(writer, ring, descriptor, lane);
        if (outcome == MSLOT_DONE || outcome == MSLOT_SYSTEM_ERROR) return (mslot_lane_taken){outcome, lane};
        hint_set(ring, lane);
    }
    return (mslot_lane_taken){MSLOT_TOO_MANY_WRITERS, 0};
}

enum {
    /// Lanes that one opener asks for. Chosen: a query costs as much as the file has locks, and who may open a file may lock every other
    /// byte of it alone.
    MENDED_MAX = 1024
};

/// For some lanes whose owners were killed: so that the next opener finds them by their hints.
static void mend_hints(const mslot_ring *ring, int descriptor, uint32_t start)
{
    uint32_t count = ring->lane_count < MENDED_MAX ? ring->lane_count : MENDED_MAX;
    for (uint32_t i = 0, lane = start; i < count; i++, lane = (lane + 1) % ring->lane_count)
        if (!mslot__lock_is_held(descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane) && errno == 0) hint_clear(ring, lane);
}

mslot_lane_taken mslot__lane_take(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor)
{
    // A start that differs between openers, so that they do not all try the same lane.
    uint32_t start = (uint32_t)((uint64_t)mslot__now_ns() * 0x9e3779b97f4a7c15ULL >> 33) % ring->lane_count;
    mslot_lane_taken taken = take_some_lane(writer, ring, descriptor, start, true);
    if (taken.outcome != MSLOT_TOO_MANY_WRITERS) return taken;
    mend_hints(ring, descriptor, start);
    taken = take_some_lane(writer, ring, descriptor, start, false);
    if (taken.outcome == MSLOT_DONE) hint_set(ring, taken.lane); // our own lock does not look held to us
    return taken;
}

void mslot__lane_give_back(const mslot_ring *ring, uint32_t lane)
{
    mslot__store_relaxed_32(&ring->lanes[lane].owner_pid, 0); // not a death, for whoever has the lane next
    // Before the lock goes with the mapping: who sees the hint a moment early finds the lane busy, and tries another.
    hint_clear(ring, lane);
}

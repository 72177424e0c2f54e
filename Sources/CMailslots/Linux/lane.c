// A writer's lane: taking one that nobody has, and giving it back.
//
// A lane's lock says whether it is taken. The hints, one bit a lane, only say where to try first: set by who takes a lane,
// cleared by who gives it back. A killed owner leaves its bit set, which is mended when no clear bit is left.

#include "linux.h"

#include <errno.h>
#include <unistd.h>

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

enum { WINDOW_LANES = 512 };

/// Hints of lanes from `first` on.
typedef struct hint_window {
    uint32_t first;
    uint64_t words[WINDOW_LANES / 64];
} hint_window;

/// With those of the lane. By reading, for the file is not mapped yet.
static hint_window hints_near(const mslot_file *file, uint32_t lane)
{
    hint_window window = {.first = lane / WINDOW_LANES * WINDOW_LANES};
    uint32_t lanes = file->header.lane_count - window.first;
    size_t bytes = ((lanes < WINDOW_LANES ? lanes : WINDOW_LANES) + 63) / 64 * sizeof window.words[0];
    off_t offset = (off_t)(file->header.lane_hints_offset + window.first / 64 * sizeof window.words[0]);
    ssize_t count = MSLOT_UNINTERRUPTED(pread(file->descriptor, window.words, bytes, offset));
    if (count != (ssize_t)bytes) memset(window.words, 0, sizeof window.words);
    return window;
}

static bool hint_is_set(const hint_window *window, uint32_t lane)
{
    return (window->words[(lane - window->first) / 64] & hint_bit(lane)) != 0;
}

static bool is_held(const mslot_file *file, uint32_t lane)
{
    return mslot__lock_is_held(file->descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane);
}

static mslot_locked lock_lane(mslot_file *file, const char *path, unsigned pages, uint32_t lane, bool at_once)
{
    off_t byte = MSLOT_LOCK_FIRST_LANE + (off_t)lane;
    mslot_locked locked;
    if (at_once && mslot__file_lock_itself(file, path, byte, pages, &locked)) return locked;
    if (is_held(file, lane)) return (mslot_locked){.result = MSLOT_LOCK_HELD_BY_ANOTHER};
    return mslot__file_lock(file, path, path, byte, pages);
}

/// Takes the lane if nobody has it and its words can be believed: DONE, BUSY, DAMAGED, or SYSTEM_ERROR with errno. `at_once`: it need not
/// be asked for first, and then the file may be closed; for few lanes, for each try holds forks.
static mslot_lane_taken take_lane(
    mslot_ring_writer *writer, mslot_file *file, const char *path, unsigned pages, uint32_t lane, bool at_once)
{
    mslot_lane_taken taken = {.outcome = MSLOT_BUSY, .lane = lane};
    mslot_locked locked = lock_lane(file, path, pages, lane, at_once);
    if (locked.result == MSLOT_LOCK_FAILED) taken.outcome = MSLOT_SYSTEM_ERROR;
    if (locked.result != MSLOT_LOCK_TAKEN) return taken;
    taken.mapping = locked.mapping;
    mslot_ring ring = mslot__ring_of(&file->header, taken.mapping.base);
    mslot__mapping_touch(&ring.lanes[lane]);
    hint_set(&ring, lane);
    taken.outcome = mslot__ring_recover_lane(writer, &ring, lane);
    if (taken.outcome != MSLOT_DONE) {
        mslot__mapping_end(&taken.mapping);
        if (file->descriptor < 0 && !mslot__file_reopen(file, path)) taken.outcome = MSLOT_SYSTEM_ERROR;
        return taken;
    }
    uint32_t *owner = &ring.lanes[lane].owner_pid;
    if (mslot__load_relaxed_32(owner) != 0) {
        mslot__store_relaxed_32(owner, 0);
        mslot__count_shared(&mslot__ring_lane_counters(&ring, writer->lane)->lane_recoveries);
    }
    return taken;
}

enum {
    /// Lanes that one opener asks for. Chosen: a query costs as much as the file has locks, and who may open a file may lock every other
    /// byte of it alone.
    MENDED_MAX = 1024
};

/// For some lanes whose owners were killed: so that the next opener finds them by their hints.
static void mend_hints(const mslot_ring *ring, const mslot_file *file, uint32_t start)
{
    uint32_t count = ring->lane_count < MENDED_MAX ? ring->lane_count : MENDED_MAX;
    for (uint32_t i = 0, lane = start; i < count; i++, lane = (lane + 1) % ring->lane_count)
        if (!is_held(file, lane) && errno == 0) hint_clear(ring, lane);
}

/// Tries every lane but the express lane.
static mslot_lane_taken take_any(mslot_ring_writer *writer, mslot_file *file, const char *path, unsigned pages)
{
    uint32_t count = file->header.lane_count - 1;
    // A start that differs between openers, so that they do not all try the same lane.
    uint32_t start = (uint32_t)((uint64_t)mslot__now_ns() * 0x9e3779b97f4a7c15ULL >> 33) % (count > 0 ? count : 1);
    bool at_once = true;
    for (int by_hints = 1; by_hints >= 0; by_hints--) {
        hint_window hints = {.first = 0};
        for (uint32_t i = 0; i < count; i++) {
            uint32_t lane = MSLOT_EXPRESS_LANE + 1 + (start + i) % count;
            if (by_hints && (i == 0 || lane / WINDOW_LANES * WINDOW_LANES != hints.first)) hints = hints_near(file, lane);
            if (by_hints && hint_is_set(&hints, lane)) continue;
            mslot_lane_taken taken = take_lane(writer, file, path, pages, lane, by_hints && at_once);
            at_once = false;
            if (taken.outcome == MSLOT_DONE && !by_hints) mend_hints(&writer->ring, file, start);
            if (taken.outcome == MSLOT_DONE || taken.outcome == MSLOT_SYSTEM_ERROR) return taken;
        }
    }
    return (mslot_lane_taken){.outcome = MSLOT_TOO_MANY_WRITERS};
}

mslot_lane_taken mslot__lane_take(mslot_ring_writer *writer, mslot_file *file, const char *path, unsigned pages, bool leaves_express)
{
    // The only writer always has it, also after one that was killed: so its lock is asked, and not its hint.
    mslot_lane_taken taken = {.outcome = MSLOT_BUSY};
    if (!leaves_express) taken = take_lane(writer, file, path, pages, MSLOT_EXPRESS_LANE, true);
    if (taken.outcome == MSLOT_DONE || taken.outcome == MSLOT_SYSTEM_ERROR) return taken;
    taken = take_any(writer, file, path, pages);
    if (taken.outcome != MSLOT_TOO_MANY_WRITERS || !leaves_express) return taken;
    // It is the last.
    taken = take_lane(writer, file, path, pages, MSLOT_EXPRESS_LANE, true);
    if (taken.outcome != MSLOT_DONE && taken.outcome != MSLOT_SYSTEM_ERROR) taken.outcome = MSLOT_TOO_MANY_WRITERS;
    return taken;
}

void mslot__lane_give_back(const mslot_ring *ring, uint32_t lane)
{
    mslot__store_relaxed_32(&ring->lanes[lane].owner_pid, 0); // not a death, for whoever has the lane next
    // Before the lock goes with the mapping: who sees the hint a moment early finds the lane busy, and tries another.
    hint_clear(ring, lane);
}

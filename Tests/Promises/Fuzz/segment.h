// A segment as a hostile process leaves it, and how one changes it.
#ifndef FUZZ_SEGMENT_H
#define FUZZ_SEGMENT_H

#include "input.h"

#include <mailslots.h>

/// The largest segment of the geometries tried here: 8 cells, 4 lanes. What comes before the overflow is made anew for each input.
enum {
    FUZZ_CELLS_MAX = 8,
    FUZZ_LANES_MAX = 4,
    FUZZ_FIXED_BYTES_MAX = 16384,
    FUZZ_OVERFLOW_BYTES_MAX = FUZZ_LANES_MAX * 256 * 1024,
    FUZZ_SEGMENT_BYTES_MAX = FUZZ_FIXED_BYTES_MAX + FUZZ_OVERFLOW_BYTES_MAX,
    /// Where messages may be longer than a slot.
    FUZZ_LONG_BYTES_MAX = 1000
};

/// Every byte of every payload that is not 0 has this bit, and little else of this process has: so a message that did not come
/// from the segment shows even where there is nothing to compare it with.
enum { FUZZ_PAYLOAD_BIT = 0x80 };

/// A shape is a byte: how many cells and lanes, whether there is an overflow, and whether the rest is a ring or noise.
enum { SHAPE_OVERFLOW = 0x40, SHAPE_NOISE = 0x80 };
static inline uint32_t segment_cells(uint8_t shape) { return 1u << shape % 4; }
static inline uint32_t segment_lanes(uint8_t shape) { return 1 + shape / 4 % FUZZ_LANES_MAX; }

/// Of a segment of some shape: all of it, and what comes before the overflow.
typedef struct segment_size {
    size_t bytes;
    size_t fixed_bytes;
} segment_size;

/// Fills `bytes` as the input says: a ring at some position, or noise; then changes to it; then, if `repair`, a header that is right.
segment_size segment_make(fuzz_input *input, unsigned char bytes[FUZZ_FIXED_BYTES_MAX], uint8_t shape, bool repair);

/// One change, by a process that may write the segment: to anything, but mostly where it hurts. The geometry is `ring`'s.
void segment_change(fuzz_input *input, const mslot_ring *ring);

/// The same without an input, for a thread that does it all the time; words only.
void segment_change_at_random(uint64_t *state, const mslot_ring *ring);

#endif

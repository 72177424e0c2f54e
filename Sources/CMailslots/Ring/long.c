// Messages longer than a slot: their bytes lie in the overflow of their writer's lane, and the slot says where.
//
// Nothing new is shared. A message is on its way from the publishing swap until the reader's `head` passes its position, with
// its slot and with its bytes; so the writer learns from `head` what it may write over, and from nothing else. What its lane's former
// owners published lies before the tail that the writer finds when it first needs the place.

#include "mailslots/ring.h"

/// Anything that was published until now may be in the lane's overflow.
static const uint64_t ANYTHING = ~0ULL;

static uint64_t section_bytes(const mslot_ring *ring) { return ring->overflow_lane_bytes / MSLOT_OVERFLOW_SECTIONS; }

static uint64_t round_up_to_line(uint64_t bytes) { return (bytes + MSLOT_LINE_BYTES - 1) / MSLOT_LINE_BYTES * MSLOT_LINE_BYTES; }

const unsigned char *mslot__ring_long_bytes(const mslot_ring *ring, const mslot_slot *slot, uint32_t length)
{
    // Each once: a hostile writer may change it under our eyes.
    uint32_t lane = *(const volatile uint32_t *)&slot->lane;
    uint64_t offset = *(const volatile uint64_t *)&slot->extra;
    if (length <= MSLOT_MESSAGE_BYTES_MAX || length > ring->length_max) return NULL;
    if (lane >= ring->lane_count || offset > ring->overflow_lane_bytes - length) return NULL;
    return ring->overflow + lane * ring->overflow_lane_bytes + offset;
}

mslot_outcome mslot__ring_begin_overflow(mslot_ring_writer *writer)
{
    const mslot_ring *ring = &writer->ring;
    // Acquire: what the former owner wrote here it wrote before its lock was released, or before it died.
    uint64_t before = mslot__load_acquire(&writer->lane->overflow);
    if (before != 0) {
        mslot_tail tail = mslot__ring_tail(ring);
        if (tail.outcome != MSLOT_DONE) return tail.outcome;
        if (before > tail.position) before = tail.position;
    }
    uint64_t lane = (uint64_t)(writer->lane - ring->lanes);
    writer->overflow.bytes = ring->overflow + lane * ring->overflow_lane_bytes;
    writer->overflow.cursor = 0;
    for (int i = 0; i < MSLOT_OVERFLOW_SECTIONS; i++) writer->overflow.last_position[i] = before != 0 ? before - 1 : 0;
    return MSLOT_DONE;
}

mslot_place mslot__ring_place(mslot_ring_writer *writer, uint64_t byte_count)
{
    const mslot_ring *ring = &writer->ring;
    const mslot_ring_overflow *overflow = &writer->overflow;
    uint64_t bytes_a_section = section_bytes(ring);
    // Before any byte is touched: if we die, the next owner must leave alone what we may have published.
    mslot__store_relaxed(&writer->lane->overflow, ANYTHING);

    bool from_the_start = byte_count > ring->overflow_lane_bytes - overflow->cursor;
    uint64_t offset = from_the_start ? 0 : overflow->cursor;
    uint64_t section = offset == 0 ? 0 : (offset - 1) / bytes_a_section + 1;
    uint64_t last_section = (offset + byte_count - 1) / bytes_a_section;
    // Acquire: pairs with Read 5; the reader has done with the bytes of what lies below the head.
    uint64_t head = mslot__load_acquire(&ring->control->head);
    for (; section <= last_section; section++)
        if ((int64_t)(head - overflow->last_position[section]) <= 0) return (mslot_place){NULL, 0};
    return (mslot_place){overflow->bytes + offset, offset};
}

/// What the lane says when no long message is being written.
static void settle(mslot_ring_writer *writer)
{
    const mslot_ring_overflow *overflow = &writer->overflow;
    uint64_t last = 0;
    for (int i = 0; i < MSLOT_OVERFLOW_SECTIONS; i++)
        if (overflow->last_position[i] > last) last = overflow->last_position[i];
    // Release: after the swap, for whoever reads it without having waited for our lock.
    mslot__store_release(&writer->lane->overflow, last != 0 ? last + 1 : 0);
}

void mslot__ring_keep_place(mslot_ring_writer *writer, uint64_t offset, uint64_t byte_count)
{
    mslot_ring_overflow *overflow = &writer->overflow;
    uint64_t bytes_a_section = section_bytes(&writer->ring);
    for (uint64_t section = offset / bytes_a_section; section <= (offset + byte_count - 1) / bytes_a_section; section++)
        overflow->last_position[section] = writer->position - 1;
    overflow->cursor = round_up_to_line(offset + byte_count);
    settle(writer);
}

void mslot__ring_give_place_up(mslot_ring_writer *writer) { settle(writer); }

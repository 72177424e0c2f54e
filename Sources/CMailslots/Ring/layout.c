// Where the parts of a segment are, and whether a header that somebody else wrote can be believed.

#include "mailslots/ring.h"

static uint64_t round_up_to_line(uint64_t bytes) { return (bytes + MSLOT_LINE_BYTES - 1) / MSLOT_LINE_BYTES * MSLOT_LINE_BYTES; }

static bool is_power_of_two(uint32_t count) { return count != 0 && (count & (count - 1)) == 0; }

uint64_t mslot__overflow_lane_bytes(uint32_t message_bytes_max)
{
    // So that a lane has room for many messages of a few hundred bytes, and never fewer than four.
    enum { LANE_BYTES_MIN = 256 * 1024, MESSAGES_MIN = 4 };
    if (message_bytes_max <= MSLOT_MESSAGE_BYTES_MAX) return 0;
    uint64_t bytes = MESSAGES_MIN * (((uint64_t)message_bytes_max + MSLOT_PAGE_BYTES - 1) / MSLOT_PAGE_BYTES * MSLOT_PAGE_BYTES);
    return bytes > LANE_BYTES_MIN ? bytes : LANE_BYTES_MIN;
}

uint64_t mslot__layout_header(mslot_header *header, uint32_t cell_count, uint32_t lane_count, uint32_t message_bytes_max)
{
    if (!is_power_of_two(cell_count) || cell_count > MSLOT_CELLS_MAX) return 0;
    if (lane_count == 0 || lane_count > (uint32_t)MSLOT_SLOTS_MAX - cell_count) return 0;
    if (message_bytes_max == 0 || message_bytes_max > MSLOT_LONG_BYTES_MAX) return 0;
    uint64_t slot_count = (uint64_t)cell_count + lane_count;

    header->magic = MSLOT_MAGIC;
    header->layout_version = MSLOT_LAYOUT_VERSION;
    header->header_bytes = MSLOT_HEADER_BYTES;
    header->cell_count = cell_count;
    header->lane_count = lane_count;
    header->slot_bytes = MSLOT_SLOT_BYTES;
    header->message_bytes_max = message_bytes_max;
    header->control_offset = MSLOT_HEADER_BYTES;
    header->lane_hints_offset = header->control_offset + MSLOT_CONTROL_BYTES;
    header->lanes_offset = header->lane_hints_offset + round_up_to_line(((uint64_t)lane_count + 63) / 64 * sizeof(uint64_t));
    header->cells_offset = header->lanes_offset + lane_count * sizeof(mslot_lane);
    header->consumed_offset = header->cells_offset + cell_count * sizeof(mslot_cell);
    header->slots_offset = header->consumed_offset + round_up_to_line(slot_count * sizeof(uint64_t));
    header->overflow_offset = 0;
    header->segment_bytes = header->slots_offset + slot_count * MSLOT_SLOT_BYTES;
    if (message_bytes_max > MSLOT_MESSAGE_BYTES_MAX) {
        header->overflow_offset = (header->segment_bytes + MSLOT_PAGE_BYTES - 1) / MSLOT_PAGE_BYTES * MSLOT_PAGE_BYTES;
        header->segment_bytes = header->overflow_offset + lane_count * mslot__overflow_lane_bytes(message_bytes_max);
    }
    return header->segment_bytes;
}

mslot_outcome mslot__header_check(const mslot_header *header, uint64_t file_bytes)
{
    if (header->magic != MSLOT_MAGIC) return MSLOT_NOT_A_MAILSLOT;
    if (header->layout_version != MSLOT_LAYOUT_VERSION) return MSLOT_OTHER_LAYOUT;

    // A version has one layout for a geometry: anything else was not written by us.
    mslot_header expected = *header;
    uint64_t segment_bytes = mslot__layout_header(&expected, header->cell_count, header->lane_count, header->message_bytes_max);
    bool same = segment_bytes != 0 && header->header_bytes == expected.header_bytes && header->slot_bytes == expected.slot_bytes
        && header->segment_bytes == segment_bytes && header->control_offset == expected.control_offset
        && header->lane_hints_offset == expected.lane_hints_offset && header->lanes_offset == expected.lanes_offset
        && header->cells_offset == expected.cells_offset && header->consumed_offset == expected.consumed_offset
        && header->slots_offset == expected.slots_offset && header->overflow_offset == expected.overflow_offset && header->name_bytes >= 1
        && header->name_bytes <= MSLOT_NAME_BYTES_MAX && header->name[header->name_bytes] == 0;
    return same && file_bytes >= segment_bytes ? MSLOT_DONE : MSLOT_NOT_A_MAILSLOT;
}

mslot_ring mslot__ring_of(const mslot_header *header, void *segment)
{
    unsigned char *base = segment;
    return (mslot_ring){
        .control = (mslot_control *)(void *)(base + header->control_offset),
        .lane_hints = (uint64_t *)(void *)(base + header->lane_hints_offset),
        .lanes = (mslot_lane *)(void *)(base + header->lanes_offset),
        .cells = (mslot_cell *)(void *)(base + header->cells_offset),
        .consumed = (uint64_t *)(void *)(base + header->consumed_offset),
        .slots = base + header->slots_offset,
        .overflow = header->overflow_offset != 0 ? base + header->overflow_offset : NULL,
        .overflow_lane_bytes = mslot__overflow_lane_bytes(header->message_bytes_max),
        .length_max = header->overflow_offset != 0 ? header->message_bytes_max : MSLOT_MESSAGE_BYTES_MAX,
        .cell_count = header->cell_count,
        .cell_shift = (uint32_t)__builtin_ctz(header->cell_count),
        .lane_count = header->lane_count,
        .slot_count = header->cell_count + header->lane_count,
        .sample_mask = (header->cell_count < MSLOT_SAMPLE_POSITIONS ? header->cell_count : MSLOT_SAMPLE_POSITIONS) - 1,
    };
}

void mslot__ring_initialise(const mslot_ring *ring)
{
    for (uint32_t i = 0; i < ring->cell_count; i++) ring->cells[i].state = mslot__cell_empty(1, i);
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        ring->lanes[i].own = ring->cell_count + i;
        ring->lanes[i].intent_position = MSLOT_POSITION_NONE;
    }
    ring->control->tail_hint = ring->cell_count;
    ring->control->head = ring->cell_count;
    ring->control->read_timeout_ns = INT64_MAX;
}

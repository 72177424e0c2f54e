#include "segment.h"

#include <string.h>

static uint64_t around(fuzz_input *input, uint64_t number) { return number + (uint64_t)(int64_t)(int8_t)input_byte(input); }

/// Where positions begin: near every place at which some field of a lap wraps around.
static uint64_t start_position(fuzz_input *input, uint32_t cell_count)
{
    static const uint64_t laps[] = {1, 2, 0x7fff, 0x8000, 0x0fffffff, 0x10000000, 0x7ffffffffff, 0x80000000000};
    uint64_t lap = laps[input_byte(input) % 8];
    return lap * cell_count + input_byte(input) % cell_count;
}

// MARK: changes

enum change_kind {
    CHANGE_BYTES,
    CHANGE_CELL,
    CHANGE_CONTROL,
    CHANGE_LANE,
    CHANGE_CONSUMED,
    CHANGE_LENGTH,
    CHANGE_SHIFT_CELL,
    CHANGE_LABEL,
    CHANGE_KINDS
};

/// Whether a byte is a message's, in a slot or in a cell's line: these have a bit by which they are known.
static bool is_payload(const mslot_ring *ring, const unsigned char *byte)
{
    if (byte >= ring->slots) return (size_t)(byte - ring->slots) % MSLOT_SLOT_BYTES >= MSLOT_SLOT_HEADER_BYTES;
    const unsigned char *cells = (const unsigned char *)ring->cells, *end = (const unsigned char *)(ring->cells + ring->cell_count);
    return byte >= cells && byte < end && (size_t)(byte - cells) % sizeof(mslot_cell) >= offsetof(mslot_cell, bytes);
}

static void change_bytes(fuzz_input *input, const mslot_ring *ring)
{
    unsigned char *first = (unsigned char *)ring->control;
    size_t byte_count = (size_t)(ring->slots - first) + (size_t)ring->slot_count * MSLOT_SLOT_BYTES;
    size_t at = input_number(input, 2) % byte_count;
    size_t count = 1 + input_byte(input) % 16;
    for (size_t i = at; i < at + count && i < byte_count; i++)
        first[i] = input_byte(input) | (is_payload(ring, first + i) ? FUZZ_PAYLOAD_BIT : 0);
}

static void change_cell(fuzz_input *input, const mslot_ring *ring)
{
    uint64_t head = mslot__load_relaxed(&ring->control->head);
    uint64_t *cell = mslot__ring_state(ring, head + input_byte(input));
    uint64_t lap = around(input, mslot__ring_lap(ring, head));
    uint32_t index = input_byte(input);
    if (index >= 0xf0) index = 0xff00 | index;
    uint8_t kind = input_byte(input);
    uint64_t here = kind & 0x80 ? MSLOT_CELL_HERE : 0;
    switch (kind % 4) {
    case 0: mslot__store_relaxed(cell, mslot__cell_empty(lap, index) | here); break;
    case 1: mslot__store_relaxed(cell, mslot__cell_full(lap, index) | here); break;
    case 2: mslot__store_relaxed(cell, mslot__cell_closed(lap, index) | here); break;
    case 3: mslot__store_relaxed(cell, input_number(input, 8)); break;
    }
}

static void change_control(fuzz_input *input, const mslot_ring *ring)
{
    mslot_control *control = ring->control;
    uint64_t value = around(input, mslot__load_relaxed(&control->head));
    uint8_t which = input_byte(input);
    if (which & 0x80) value = input_number(input, 8);
    switch (which % 6) {
    case 0: mslot__store_relaxed(&control->tail_hint, value); break;
    case 1: mslot__store_relaxed(&control->head, value); break;
    case 2: mslot__store_relaxed(&control->parked_position, value); break;
    case 3: mslot__store_relaxed_32(&control->space_wanted, (uint32_t)value); break;
    case 4: mslot__store_relaxed_32(&control->space_sequence, (uint32_t)value); break;
    case 5: mslot__store_relaxed(&control->read_timeout_ns, value); break;
    }
}

static void change_lane(fuzz_input *input, const mslot_ring *ring)
{
    mslot_lane *lane = &ring->lanes[input_byte(input) % ring->lane_count];
    switch (input_byte(input) % (ring->overflow_lane_bytes != 0 ? 6 : 4)) {
    case 0: mslot__store_relaxed(&lane->intent_position, around(input, mslot__load_relaxed(&ring->control->head))); break;
    case 1: mslot__store_relaxed_32(&lane->intent_spare, (uint32_t)around(input, 0)); break;
    case 2: mslot__store_relaxed_32(&lane->own, (uint32_t)around(input, 0)); break;
    case 3: mslot__store_relaxed(&ring->lane_hints[0], input_number(input, 8)); break;
    case 4: mslot__store_relaxed(&lane->overflow, around(input, mslot__load_relaxed(&ring->control->head))); break;
    case 5: mslot__store_relaxed(&lane->overflow, around(input, 0)); break;
    }
}

/// Around the longest that are allowed, and where the last bytes of a lane's overflow lie.
static void change_length(fuzz_input *input, const mslot_ring *ring, mslot_slot *slot)
{
    switch (ring->overflow_lane_bytes != 0 ? input_byte(input) % 6 : 0) {
    case 0: mslot__store_relaxed_32(&slot->length, (uint32_t)around(input, MSLOT_MESSAGE_BYTES_MAX)); break;
    case 1: mslot__store_relaxed_32(&slot->length, (uint32_t)around(input, ring->length_max)); break;
    case 2: mslot__store_relaxed_32(&slot->lane, (uint32_t)around(input, ring->lane_count)); break;
    case 3: mslot__store_relaxed(&slot->extra, around(input, ring->overflow_lane_bytes - mslot__load_relaxed_32(&slot->length))); break;
    case 4: mslot__store_relaxed(&slot->extra, around(input, input_number(input, 2) * MSLOT_LINE_BYTES)); break;
    case 5: mslot__store_relaxed(&slot->extra, input_number(input, 8)); break;
    }
}

/// Around the longest that is allowed, or anything.
static void change_label(fuzz_input *input, mslot_cell *cell)
{
    bool anything = (input_byte(input) & 1) != 0;
    uint64_t label =
        anything ? input_number(input, 8) : mslot__label(input_byte(input), (uint32_t)around(input, MSLOT_EXPRESS_BYTES_MAX), 1, 0);
    mslot__store_relaxed(&cell->label, label);
}

static void change_one(fuzz_input *input, const mslot_ring *ring, enum change_kind kind)
{
    uint32_t slot = input_byte(input) % ring->slot_count;
    switch (kind) {
    case CHANGE_CELL: change_cell(input, ring); break;
    case CHANGE_CONTROL: change_control(input, ring); break;
    case CHANGE_LANE: change_lane(input, ring); break;
    case CHANGE_CONSUMED: mslot__store_relaxed(&ring->consumed[slot], around(input, mslot__load_relaxed(&ring->control->head))); break;
    case CHANGE_LENGTH: change_length(input, ring, mslot__ring_slot(ring, slot)); break;
    case CHANGE_SHIFT_CELL: {
        // A cell that was right a moment ago, a few laps or indices off.
        uint64_t *cell = &ring->cells[slot % ring->cell_count].state;
        mslot__store_relaxed(cell, mslot__load_relaxed(cell) + (around(input, 0) << (input_byte(input) % 2 ? 32 : 48)));
        break;
    }
    case CHANGE_LABEL: change_label(input, &ring->cells[slot % ring->cell_count]); break;
    case CHANGE_BYTES:
    default: change_bytes(input, ring); break;
    }
}

void segment_change(fuzz_input *input, const mslot_ring *ring) { change_one(input, ring, input_byte(input) % CHANGE_KINDS); }

void segment_change_at_random(uint64_t *state, const mslot_ring *ring)
{
    // splitmix64
    uint64_t numbers[2];
    for (int i = 0; i < 2; i++) {
        uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        numbers[i] = z ^ z >> 31;
    }
    fuzz_input input = {(const uint8_t *)numbers, sizeof numbers};
    // Words only: two threads that write the same byte plainly are our race, not the ring's.
    change_one(&input, ring, CHANGE_CELL + input_byte(&input) % (CHANGE_KINDS - CHANGE_CELL));
}

// MARK: a whole segment

static void fill_payloads(const mslot_ring *ring)
{
    for (uint32_t i = 0; i < ring->slot_count; i++) {
        uint64_t *words = (uint64_t *)(void *)mslot__ring_slot(ring, i)->payload;
        for (uint64_t word = 0; word < MSLOT_MESSAGE_BYTES_MAX / sizeof *words; word++)
            words[word] |= 0x0101010101010101ULL * FUZZ_PAYLOAD_BIT | i << 24 | word;
    }
}

static void fill_lines(const mslot_ring *ring)
{
    for (uint32_t i = 0; i < ring->cell_count; i++)
        for (uint32_t byte = 0; byte < MSLOT_EXPRESS_BYTES_MAX; byte++) ring->cells[i].bytes[byte] |= FUZZ_PAYLOAD_BIT | (byte & 15);
}

static uint32_t longest_of(uint8_t shape) { return shape & SHAPE_OVERFLOW ? FUZZ_LONG_BYTES_MAX : MSLOT_MESSAGE_BYTES_MAX; }

static void fill_header(mslot_header *header, uint8_t shape)
{
    header->message_bytes_max = longest_of(shape);
    header->mode = 0600;
    header->name_bytes = 6;
    memcpy(header->name, "orders", 7);
}

/// Every other message is long where it may be, and lies behind the others of its lane.
static void fill_slot(const mslot_ring *ring, mslot_slot *slot, uint32_t number)
{
    slot->length = number * 97 % (MSLOT_MESSAGE_BYTES_MAX + 1);
    if (ring->overflow_lane_bytes == 0 || number % 2 != 0) return;
    slot->length += MSLOT_MESSAGE_BYTES_MAX + 1;
    slot->lane = number / 2 % ring->lane_count;
    slot->extra = number * 1024;
    ring->lanes[slot->lane].overflow = ~0ULL;
}

/// A ring as its readers and writers leave it, with some messages in it.
static void fill_ring(fuzz_input *input, const mslot_ring *ring)
{
    mslot__ring_initialise(ring);
    uint64_t head = start_position(input, ring->cell_count);
    uint64_t count = input_byte(input) % (ring->cell_count + 1);
    for (uint64_t i = 0; i < ring->cell_count; i++) {
        uint64_t position = head + i, lap = mslot__ring_lap(ring, position);
        uint32_t index = (uint32_t)(position % ring->cell_count);
        *mslot__ring_state(ring, position) = i < count ? mslot__cell_full(lap, index) : mslot__cell_empty(lap, index);
        if (i < count) fill_slot(ring, mslot__ring_slot(ring, index), (uint32_t)i);
        if (i >= count || i % 3 != 2) continue;
        mslot_cell *cell = mslot__ring_cell(ring, position);
        cell->state |= MSLOT_CELL_HERE;
        cell->label = mslot__label(mslot__lap_tag(lap), (uint32_t)(i * 7 % (MSLOT_EXPRESS_BYTES_MAX + 1)), 1, 0);
    }
    ring->control->head = head;
    ring->control->tail_hint = head + count;
}

segment_size segment_make(fuzz_input *input, unsigned char bytes[FUZZ_FIXED_BYTES_MAX], uint8_t shape, bool repair)
{
    mslot_header header;
    memset(&header, 0, sizeof header);
    segment_size size;
    size.bytes = mslot__layout_header(&header, segment_cells(shape), segment_lanes(shape), longest_of(shape));
    size_t byte_count = size.fixed_bytes = header.overflow_offset != 0 ? header.overflow_offset : size.bytes;
    fill_header(&header, shape);

    memset(bytes, 0, byte_count);
    mslot_ring ring = mslot__ring_of(&header, bytes);
    memcpy(bytes, &header, sizeof header);
    if (shape & SHAPE_NOISE) {
        // What is left of the input, again and again.
        size_t filled = input->left < byte_count ? input->left : byte_count;
        memcpy(bytes, input->next, filled);
        for (size_t count; filled != 0 && filled < byte_count; filled += count) {
            count = filled < byte_count - filled ? filled : byte_count - filled;
            memcpy(bytes + filled, bytes, count);
        }
    } else {
        fill_ring(input, &ring);
    }
    fill_payloads(&ring);
    fill_lines(&ring);
    for (int changes = input_byte(input) % 8; changes > 0; changes--) {
        uint8_t where = input_byte(input);
        if (where & 0x80) bytes[input_number(input, 2) % sizeof header] = input_byte(input);
        else change_one(input, &ring, where % CHANGE_KINDS);
    }
    if (repair) {
        mslot_header *kept = (mslot_header *)(void *)bytes;
        memcpy(kept, &header, offsetof(mslot_header, options));
        fill_header(kept, shape);
    }
    return size;
}

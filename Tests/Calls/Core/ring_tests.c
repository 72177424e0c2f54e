// The ring on plain memory: no file, no lock, no other process. Corners are reached by setting the state they have.

#include "common.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LANES = 4 };

/// A ring with its reader, its writers, and what the floor above would give them.
typedef struct ring_fixture {
    mslot_header header;
    void *segment;
    mslot_ring ring;
    mslot_ring_reader reader;
    mslot_ring_writer writers[LANES];
    uintptr_t pending;
} ring_fixture;

/// A ring whose next position is `first`, a multiple of the cell count.
static ring_fixture ring_make_at(uint32_t cell_count, uint64_t first)
{
    ring_fixture f;
    memset(&f, 0, sizeof f);
    uint64_t bytes = mslot__layout_header(&f.header, cell_count, LANES, MSLOT_MESSAGE_BYTES_MAX);
    expect(bytes != 0);
    f.segment = aligned_alloc(MSLOT_LINE_BYTES, bytes);
    memset(f.segment, 0, bytes);
    f.ring = mslot__ring_of(&f.header, f.segment);
    mslot__ring_initialise(&f.ring);

    f.ring.control->head = f.ring.control->tail_hint = first;
    for (uint32_t i = 0; i < cell_count; i++) f.ring.cells[i].state = mslot__cell_empty(first / cell_count, i);
    f.reader = (mslot_ring_reader){.ring = f.ring, .head = first, .next = first};
    for (uint32_t i = 0; i < LANES; i++) expect_outcome(mslot__ring_recover_lane(&f.writers[i], &f.ring, i), MSLOT_DONE);
    return f;
}

static ring_fixture ring_make(uint32_t cell_count) { return ring_make_at(cell_count, cell_count); }
static void ring_end(ring_fixture *f) { free(f->segment); }

static mslot_next_length next_length(const ring_fixture *f)
{
    mslot_sight sight = mslot__sight_of_memory(&f->header, f->segment);
    return mslot__sight_next_length(&sight);
}

static mslot_extent extent(const ring_fixture *f)
{
    mslot_sight sight = mslot__sight_of_memory(&f->header, f->segment);
    return mslot__sight_extent(&sight);
}

static mslot_robust_list note_of(ring_fixture *f) { return (mslot_robust_list){.list_op_pending = &f->pending, .futex_offset = 0}; }

static mslot_publication publish(ring_fixture *f, uint32_t lane, uint32_t number)
{
    mslot_ring_writer *writer = &f->writers[lane];
    mslot_slot *slot = mslot__ring_own_slot(writer);
    slot->length = sizeof number;
    slot->lane = lane;
    memcpy(slot->payload, &number, sizeof number);
    mslot_publication publication = mslot__ring_publish(writer, note_of(f), NULL);
    f->pending = 0;
    return publication;
}

/// In the cell's own line, which only lane 0 may.
static mslot_publication publish_express(ring_fixture *f, uint32_t number)
{
    const mslot_express message = {&number, sizeof number, 77, 5};
    mslot_publication publication = mslot__ring_publish(&f->writers[MSLOT_EXPRESS_LANE], note_of(f), &message);
    f->pending = 0;
    return publication;
}

static void must_publish_express(ring_fixture *f, uint32_t number) { expect_outcome(publish_express(f, number).outcome, MSLOT_DONE); }

static void must_publish(ring_fixture *f, uint32_t lane, uint32_t number) { expect_outcome(publish(f, lane, number).outcome, MSLOT_DONE); }

static uint32_t number_of(mslot_look look)
{
    uint32_t number;
    expect_outcome(look.outcome, MSLOT_DONE);
    expect_equal(look.length, sizeof number);
    memcpy(&number, look.bytes, sizeof number);
    return number;
}

/// Reads and releases the next message, which must be this one.
static void must_take(ring_fixture *f, uint32_t number)
{
    expect_equal(number_of(mslot__ring_look(&f->reader)), number);
    mslot__ring_lend(&f->reader);
    expect_outcome(mslot__ring_release(&f->reader), MSLOT_DONE);
}

static bool indices_are_sound(const ring_fixture *f)
{
    unsigned char *seen = calloc(f->ring.slot_count, 1);
    bool sound = mslot__ring_count_indices(&f->ring, seen);
    free(seen);
    return sound;
}

/// The ring works for every writer, for more than a lap, and loses no index.
static void expect_works(ring_fixture *f)
{
    expect(indices_are_sound(f));
    for (uint32_t i = 0; i < 2 * f->ring.cell_count + LANES; i++) {
        must_publish(f, i % LANES, 1000 + i);
        must_take(f, 1000 + i);
        must_publish_express(f, 2000 + i);
        must_take(f, 2000 + i);
    }
    expect_outcome(mslot__ring_look(&f->reader).outcome, MSLOT_EMPTY);
    expect(indices_are_sound(f));
}

/// Read 3 and 4 without 5: what a reader leaves that was killed, or is stopped, between them.
static void empty_cell_without_moving_head(ring_fixture *f)
{
    uint64_t head = f->ring.control->head;
    uint64_t *cell = mslot__ring_state(&f->ring, head);
    uint32_t index = mslot__cell_index(*cell);
    f->ring.consumed[index] = head;
    *cell = mslot__cell_empty(mslot__ring_lap(&f->ring, head) + 1, index);
}

static const uint32_t cell_counts[] = {1, 2, 4, 8};
enum { CELL_COUNTS = sizeof cell_counts / sizeof cell_counts[0] };

// MARK: layout

TEST(a_segment_is_laid_out_as_documented)
{
    static const struct {
        uint32_t cells, lanes;
        uint64_t lanes_offset, cells_offset, consumed_offset, slots_offset, bytes;
    } cases[] = {
        {1, 1, 3136, 3200, 3264, 3328, 3328 + 2 * 448},
        {8, 65, 3136, 7296, 7808, 8448, 8448 + 73 * 448},
        {4096, 256, 3136, 19520, 281664, 316480, 316480 + 4352 * 448},
        {32768, 32767, 7168, 2104256, 4201408, 4725696, 4725696 + 65535ULL * 448},
        {1, 65534, 11264, 4205440, 4205504, 4729792, 4729792 + 65535ULL * 448},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%u cells, %u lanes", cases[i].cells, cases[i].lanes);
        mslot_header header;
        memset(&header, 0, sizeof header);

        expect_equal(mslot__layout_header(&header, cases[i].cells, cases[i].lanes, MSLOT_MESSAGE_BYTES_MAX), cases[i].bytes);

        expect_equal(header.control_offset, 1280);
        expect_equal(header.lane_hints_offset, 3072);
        expect_equal(header.lanes_offset, cases[i].lanes_offset);
        expect_equal(header.cells_offset, cases[i].cells_offset);
        expect_equal(header.consumed_offset, cases[i].consumed_offset);
        expect_equal(header.slots_offset, cases[i].slots_offset);
    }
}

TEST(the_words_of_a_segment_are_where_every_version_2_finds_them)
{
    expect_equal(offsetof(mslot_header, layout_version), 8);
    expect_equal(offsetof(mslot_header, segment_bytes), 16);
    expect_equal(offsetof(mslot_header, cell_count), 24);
    expect_equal(offsetof(mslot_header, message_bytes_max), 36);
    expect_equal(offsetof(mslot_header, control_offset), 40);
    expect_equal(offsetof(mslot_header, slots_offset), 80);
    expect_equal(offsetof(mslot_header, options), 96);
    expect_equal(offsetof(mslot_header, name_bytes), 116);
    expect_equal(offsetof(mslot_header, name), 120);
    expect_equal(offsetof(mslot_control, tail_hint), 0);
    expect_equal(offsetof(mslot_control, head), 128);
    expect_equal(offsetof(mslot_control, parked_position), 256);
    expect_equal(offsetof(mslot_control, space_wanted), 384);
    expect_equal(offsetof(mslot_control, space_sequence), 388);
    expect_equal(offsetof(mslot_control, leaves_fence), 512);
    expect_equal(offsetof(mslot_control, reader_alive), 516);
    expect_equal(offsetof(mslot_control, read_timeout_ns), 520);
    expect_equal(offsetof(mslot_cell, state), 0);
    expect_equal(offsetof(mslot_cell, label), 8);
    expect_equal(offsetof(mslot_cell, bytes), 16);
    expect_equal(offsetof(mslot_lane, intent_position), 0);
    expect_equal(offsetof(mslot_lane, intent_spare), 8);
    expect_equal(offsetof(mslot_lane, own), 12);
    expect_equal(offsetof(mslot_slot, origin), 6);
    expect_equal(offsetof(mslot_slot, sender), 8);
    expect_equal(offsetof(mslot_slot, payload), 24);
    // Lap 0x1234:56789ab is 0x1234 over its low 28 bits.
    expect_equal(mslot__cell_empty(0x123456789abULL, 0x4321), 0x43211234256789abULL);
    expect_equal(mslot__cell_closed(0x123456789abULL, 0x4321), 0x43211234356789abULL);
    expect_equal(mslot__cell_full(0x123456789abULL, 0x4321), 0x432109ab00000000ULL);
    expect_equal(mslot__cell_full(0x123456789abULL, 0x4321) | MSLOT_CELL_HERE, 0x432189ab00000000ULL);
}

TEST(a_geometry_out_of_range_has_no_layout)
{
    static const struct {
        uint32_t cells, lanes;
    } cases[] = {{0, 1}, {3, 1}, {6, 1}, {65536, 1}, {0x80000000u, 1}, {1, 0}, {1, 65535}, {32768, 32768}, {4096, 0xffffffffu}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%u cells, %u lanes", cases[i].cells, cases[i].lanes);
        mslot_header header;
        expect_equal(mslot__layout_header(&header, cases[i].cells, cases[i].lanes, MSLOT_MESSAGE_BYTES_MAX), 0);
    }
}

static mslot_header sound_header(void)
{
    mslot_header header;
    memset(&header, 0, sizeof header);
    mslot__layout_header(&header, 8, 2, MSLOT_MESSAGE_BYTES_MAX);
    header.message_bytes_max = 424;
    header.name_bytes = 6;
    memcpy(header.name, "orders", 6);
    return header;
}

TEST(a_header_is_believed_only_if_all_of_it_is_right)
{
    mslot_header header = sound_header();
    uint64_t bytes = header.segment_bytes;
    expect_outcome(mslot__header_check(&header, bytes), MSLOT_DONE);
    expect_outcome(mslot__header_check(&header, bytes + 4096), MSLOT_DONE);
    expect_outcome(mslot__header_check(&header, bytes - 1), MSLOT_NOT_A_MAILSLOT);
    header.layout_version = 1;
    expect_outcome(mslot__header_check(&header, bytes), MSLOT_OTHER_LAYOUT);

    // Every bit of these fields matters.
    static const struct {
        const char *name;
        size_t offset, size;
    } fields[] = {
        {"magic", offsetof(mslot_header, magic), 8},
        {"header_bytes", offsetof(mslot_header, header_bytes), 4},
        {"segment_bytes", offsetof(mslot_header, segment_bytes), 8},
        {"cell_count", offsetof(mslot_header, cell_count), 4},
        {"lane_count", offsetof(mslot_header, lane_count), 4},
        {"slot_bytes", offsetof(mslot_header, slot_bytes), 4},
        {"control_offset", offsetof(mslot_header, control_offset), 8},
        {"lane_hints_offset", offsetof(mslot_header, lane_hints_offset), 8},
        {"lanes_offset", offsetof(mslot_header, lanes_offset), 8},
        {"cells_offset", offsetof(mslot_header, cells_offset), 8},
        {"consumed_offset", offsetof(mslot_header, consumed_offset), 8},
        {"slots_offset", offsetof(mslot_header, slots_offset), 8},
        {"overflow_offset", offsetof(mslot_header, overflow_offset), 8},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (size_t bit = 0; bit < 8 * fields[i].size; bit++) {
            trying("%s, bit %zu", fields[i].name, bit);
            header = sound_header();
            ((unsigned char *)&header)[fields[i].offset + bit / 8] ^= (unsigned char)(1 << bit % 8);
            expect_outcome(mslot__header_check(&header, UINT64_MAX), MSLOT_NOT_A_MAILSLOT);
        }
    }

    static const uint32_t bad_maxima[] = {0, 425, 0xffffffffu}, bad_name_lengths[] = {0, 5, 1021, 0xffffffffu};
    for (size_t i = 0; i < 3; i++) {
        header = sound_header();
        header.message_bytes_max = bad_maxima[i];
        expect_outcome(mslot__header_check(&header, bytes), MSLOT_NOT_A_MAILSLOT);
    }
    for (size_t i = 0; i < 4; i++) {
        header = sound_header();
        header.name_bytes = bad_name_lengths[i];
        expect_outcome(mslot__header_check(&header, bytes), MSLOT_NOT_A_MAILSLOT);
    }
}

TEST(a_new_ring_is_empty_and_has_every_index_in_one_place)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        ring_fixture f = ring_make(cell_counts[i]);

        expect_equal(f.ring.control->head, cell_counts[i]);
        expect_outcome(mslot__ring_look(&f.reader).outcome, MSLOT_EMPTY);
        expect(!mslot__ring_poll(&f.reader));
        expect_equal(mslot__ring_tail(&f.ring).position, cell_counts[i]);
        expect_outcome(next_length(&f).outcome, MSLOT_EMPTY);
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(an_index_in_two_places_or_in_none_is_counted)
{
    ring_fixture f = ring_make(4);
    expect(indices_are_sound(&f));

    uint64_t cell = f.ring.cells[2].state;
    f.ring.cells[2].state = mslot__cell_empty(1, 3);
    expect(!indices_are_sound(&f));
    f.ring.cells[2].state = mslot__cell_full(1, f.ring.slot_count);
    expect(!indices_are_sound(&f));
    f.ring.cells[2].state = cell;
    f.ring.lanes[1].own = 2;
    expect(!indices_are_sound(&f));
    f.ring.lanes[1].own = 0xffffffffu;
    expect(!indices_are_sound(&f));
    ring_end(&f);
}

// MARK: writing and reading

TEST(messages_come_in_order_at_consecutive_positions_lap_after_lap)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        uint32_t written = 0, read = 0;
        for (uint32_t round = 0; round < 10 * n; round++) {
            for (uint32_t burst = 0; burst < 1 + round % n; burst++, written++) must_publish(&f, written % LANES, written);
            for (; read < written; read++) {
                expect_equal(f.reader.next, n + read);
                must_take(&f, read);
            }
        }
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(a_full_ring_refuses_the_next_message_and_keeps_the_others)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        for (uint32_t m = 0; m < n; m++) must_publish(&f, m % LANES, m);

        for (uint32_t lane = 0; lane < LANES; lane++) expect_outcome(publish(&f, lane, 99).outcome, MSLOT_FULL);

        expect(indices_are_sound(&f));
        must_take(&f, 0);
        must_publish(&f, 3, n);
        expect_outcome(publish(&f, 0, 99).outcome, MSLOT_FULL);
        for (uint32_t m = 1; m <= n; m++) must_take(&f, m);
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(messages_go_on_where_any_field_of_a_lap_wraps_around)
{
    static const unsigned bits[] = {16, 28, 32, 44};
    for (size_t b = 0; b < sizeof bits / sizeof bits[0]; b++) {
        for (size_t i = 0; i < CELL_COUNTS; i++) {
            uint32_t n = cell_counts[i];
            trying("%u cells, up to lap 2^%u", n, bits[b]);
            ring_fixture f = ring_make_at(n, (((uint64_t)1 << bits[b]) - 3) * n);
            uint32_t number = 0;
            for (uint32_t lap = 0; lap < 6; lap++) {
                for (uint32_t m = 0; m < n; m++) must_publish(&f, m % LANES, number + m);
                expect_outcome(publish(&f, lap % LANES, 99).outcome, MSLOT_FULL);
                expect_equal(mslot__ring_tail(&f.ring).position - f.ring.control->head, n);
                for (uint32_t m = 0; m < n; m++) must_take(&f, number + m);
                number += n;
            }
            expect_works(&f);
            ring_end(&f);
        }
    }
}

TEST(a_seal_and_a_take_over_work_where_any_field_of_a_lap_wraps_around)
{
    static const unsigned bits[] = {16, 28, 44};
    for (size_t b = 0; b < sizeof bits / sizeof bits[0]; b++) {
        for (uint32_t unread = 0; unread <= 4; unread++) {
            trying("%u unread, before lap 2^%u", unread, bits[b]);
            ring_fixture f = ring_make_at(4, (((uint64_t)1 << bits[b]) - 1) * 4);
            must_publish(&f, 0, 7);
            for (uint32_t m = 0; m < unread; m++) {
                if (m < 3) must_publish(&f, 1, m);
            }
            empty_cell_without_moving_head(&f);
            if (unread == 4) must_publish(&f, 1, 3);

            expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_DONE);
            if (unread > 0) expect_equal(number_of(mslot__ring_look(&f.reader)), 0);
            expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
            expect_outcome(publish(&f, 2, 99).outcome, MSLOT_CLOSED);
            expect(indices_are_sound(&f));
            ring_end(&f);
        }
    }
}

TEST(a_writer_that_slept_for_many_laps_finds_the_tail)
{
    static const uint64_t laps[] = {1, 2, 3, 65535, 65536, 65537, (uint64_t)1 << 28, ((uint64_t)1 << 32) + 5};
    for (size_t i = 0; i < sizeof laps / sizeof laps[0]; i++) {
        for (uint32_t unread = 0; unread <= 4; unread++) {
            trying("%llu laps, %u unread", (unsigned long long)laps[i], unread);
            ring_fixture f = ring_make_at(4, (10 + laps[i]) * 4);
            for (uint32_t m = 0; m < unread; m++) must_publish(&f, 0, m);
            f.writers[1].position = 10 * 4 + i % 4;

            mslot_outcome outcome = publish(&f, 1, unread).outcome;

            expect_outcome(outcome, unread == 4 ? MSLOT_FULL : MSLOT_DONE);
            for (uint32_t m = 0; m < unread + (unread < 4); m++) must_take(&f, m);
            expect_works(&f);
            ring_end(&f);
        }
    }
}

TEST(a_hint_that_is_behind_does_no_harm)
{
    for (uint32_t unread = 0; unread <= 4; unread++) {
        for (uint64_t behind = 0; behind < 20; behind++) {
            trying("%u unread, %llu behind", unread, (unsigned long long)behind);
            ring_fixture f = ring_make_at(4, 400);
            for (uint32_t m = 0; m < unread; m++) must_publish(&f, 0, m);
            f.ring.control->tail_hint -= behind;
            f.writers[1].position = 380;

            expect_equal(mslot__ring_tail(&f.ring).position, 400 + unread);
            expect_outcome(publish(&f, 1, unread).outcome, unread == 4 ? MSLOT_FULL : MSLOT_DONE);
            for (uint32_t m = 0; m < unread + (unread < 4); m++) must_take(&f, m);
            expect_works(&f);
            ring_end(&f);
        }
    }
}

TEST(a_writer_steps_on_from_every_kind_of_cell_as_designed)
{
    // N = 4, the writer tries position 42: cell 2, lap 10.
    enum { POSITION = 42, LAP = 10 };
    static const uint64_t FULL_10 = (uint64_t)LAP << 32, FULL_9 = (uint64_t)9 << 32;
    static const uint64_t FULL_8 = (uint64_t)8 << 32, FULL_11 = (uint64_t)11 << 32;
    static const uint64_t ALIAS_11 = (uint64_t)0xfff5 << 32; // a lap that is far behind in 16 bits
    const struct {
        const char *what;
        uint64_t cell, head, hint, steps;
        mslot_outcome outcome;
        uint64_t position;
    } cases[] = {
        {"FULL of this lap: another writer was faster", FULL_10, 40, 40, 0, MSLOT_DONE, 43},
        {"FULL of the lap before, head a lap behind: full", FULL_9, 38, 42, 0, MSLOT_FULL, 42},
        {"FULL of the lap before, head has moved: look again", FULL_9, 39, 42, 0, MSLOT_DONE, 42},
        {"FULL of the lap before, head is beyond", FULL_9, 47, 42, 0, MSLOT_DONE, 47},
        {"CLOSED of this lap", mslot__cell_closed(10, 1), 42, 42, 0, MSLOT_CLOSED, 42},
        {"CLOSED of an older lap", mslot__cell_closed(3, 1), 42, 42, 0, MSLOT_CLOSED, 42},
        {"CLOSED of a newer lap", mslot__cell_closed(11, 1), 42, 42, 0, MSLOT_CLOSED, 42},
        {"EMPTY of a newer lap, hint ahead", mslot__cell_empty(11, 1), 44, 45, 0, MSLOT_DONE, 45},
        {"EMPTY of a newer lap, head ahead of the hint", mslot__cell_empty(11, 1), 46, 45, 0, MSLOT_DONE, 46},
        {"EMPTY of a newer lap, neither ahead: one on", mslot__cell_empty(11, 1), 42, 40, 0, MSLOT_DONE, 43},
        {"EMPTY of an older lap, hint ahead", mslot__cell_empty(9, 1), 44, 45, 0, MSLOT_DONE, 45},
        {"EMPTY of an older lap, nothing ahead: damaged", mslot__cell_empty(9, 1), 42, 42, 0, MSLOT_DAMAGED, 0},
        {"FULL of a newer lap, hint ahead", FULL_11, 46, 47, 0, MSLOT_DONE, 47},
        {"FULL of a newer lap, nothing ahead: one on", FULL_11, 42, 42, 0, MSLOT_DONE, 43},
        {"FULL of two laps before, nothing ahead: damaged", FULL_8, 42, 42, 0, MSLOT_DAMAGED, 0},
        {"FULL of an alias, hint ahead", ALIAS_11, 1000, 1001, 0, MSLOT_DONE, 1001},
        {"no kind of cell", 0x12345, 44, 45, 0, MSLOT_DAMAGED, 0},
        {"no kind of cell, high bits", 0x0000000540000007ULL, 44, 45, 0, MSLOT_DAMAGED, 0},
        {"steps without end", FULL_10, 40, 40, 1 << 30, MSLOT_DAMAGED, 0},
    };
    ring_fixture f = ring_make(4);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%s", cases[i].what);
        f.ring.control->head = cases[i].head;
        f.ring.control->tail_hint = cases[i].hint;

        mslot_step step = mslot__ring_advance_slow(&f.writers[0], POSITION, cases[i].cell, cases[i].steps);

        expect_outcome(step.outcome, cases[i].outcome);
        if (step.outcome != MSLOT_DAMAGED) expect_equal(step.position, cases[i].position);
    }
    ring_end(&f);
}

TEST(the_reader_notes_for_each_slot_which_position_it_was_read_at)
{
    ring_fixture f = ring_make(4);
    for (uint32_t m = 0; m < 9; m++) {
        uint32_t slot = f.writers[m % LANES].own;
        must_publish(&f, m % LANES, m);
        must_take(&f, m);
        expect_equal(f.ring.consumed[slot], 4 + m);
    }
    ring_end(&f);
}

TEST(all_cells_may_be_lent_and_are_released_in_order)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        for (uint32_t m = 0; m < n; m++) must_publish(&f, 0, m);
        for (uint32_t m = 0; m < n; m++) {
            expect_equal(number_of(mslot__ring_look(&f.reader)), m);
            mslot__ring_lend(&f.reader);
        }

        expect_outcome(mslot__ring_look(&f.reader).outcome, MSLOT_EMPTY);
        expect_outcome(publish(&f, 1, 99).outcome, MSLOT_FULL);

        expect_outcome(mslot__ring_release(&f.reader), MSLOT_DONE);
        must_publish(&f, 1, n);
        for (uint32_t m = 1; m < n; m++) expect_outcome(mslot__ring_release(&f.reader), MSLOT_DONE);
        must_take(&f, n);
        expect_works(&f);
        ring_end(&f);
    }
}

// MARK: the express lane

TEST(a_short_message_by_the_express_lane_leaves_every_slot_where_it_is)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        uint32_t own = f.writers[0].own;
        for (uint32_t number = 0; number < 3 * n; number++) {
            mslot_cell *cell = mslot__ring_cell(&f.ring, f.reader.next);
            uint32_t spare = mslot__cell_index(cell->state);
            must_publish_express(&f, number);
            expect(mslot__cell_is_full_of(cell->state, f.reader.next / n) && mslot__cell_is_here(cell->state));
            expect_equal(mslot__cell_index(cell->state), spare);
            expect(indices_are_sound(&f));
            mslot_look look = mslot__ring_look(&f.reader);
            expect_equal(number_of(look), number);
            expect(look.bytes == cell->bytes && look.sender == 77 && look.origin == 5);
            expect_equal(next_length(&f).length, sizeof number);
            must_take(&f, number);
            expect(!mslot__cell_is_full_of(cell->state, f.reader.next / n) && mslot__cell_index(cell->state) == spare);
        }
        expect_equal(f.writers[0].own, own);
        expect_equal(f.ring.lanes[0].own, own);
        expect_equal(f.ring.lanes[0].intent_position, MSLOT_POSITION_NONE);
        for (uint32_t slot = 0; slot < f.ring.slot_count; slot++) expect_equal(f.ring.consumed[slot], 0);
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(a_full_ring_and_a_sealed_one_refuse_the_express_lane_too)
{
    ring_fixture f = ring_make(2);
    must_publish_express(&f, 0);
    must_publish(&f, 1, 1);
    expect_outcome(publish_express(&f, 2).outcome, MSLOT_FULL);
    must_take(&f, 0);
    must_publish_express(&f, 2);
    must_take(&f, 1);
    expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
    expect_outcome(publish_express(&f, 3).outcome, MSLOT_CLOSED);
    must_take(&f, 2);
    ring_end(&f);

    // Full: the seal takes the place of the oldest, whose spare stays where it is.
    f = ring_make(1);
    must_publish_express(&f, 0);
    expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
    expect(mslot__cell_is_closed(f.ring.cells[0].state));
    expect(indices_are_sound(&f));
    ring_end(&f);
}

TEST(what_a_stopped_owner_of_the_express_lane_goes_on_storing_spoils_no_message)
{
    enum { FILL = 0xeeeeeeee };
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        for (uint32_t number = 0; number < n; number++) {
            must_publish_express(&f, number);
            must_take(&f, number);
        }
        // It has looked at its cell, and stores into it whenever it likes, for more than three laps.
        mslot_cell *line = mslot__ring_cell(&f.ring, 2 * n);
        uint32_t fill = FILL;
        const mslot_express message = {&fill, sizeof fill, 1, 1};
        mslot_sight sight = mslot__sight_of_memory(&f.header, f.segment);
        for (uint32_t number = 0; number < 4 * n; number++) {
            mslot__ring_fill_line(line, 2, &message);
            must_publish(&f, 1, 100 + number);
            mslot__ring_fill_line(line, 2, &message);
            for (int read = 0; read < 2; read++) {
                uint32_t seen = 0;
                mslot_copied copied = mslot__sight_copy(&sight, 2 * n + number, &seen, sizeof seen);
                expect_outcome(copied.outcome, MSLOT_DONE);
                expect_equal(seen, 100 + number);
                if (read == 0) must_take(&f, 100 + number);
                mslot__ring_fill_line(line, 2, &message);
            }
        }
        expect_works(&f);
        ring_end(&f);
    }
}

/// The words that an observer copies, between which the owner of the express lane goes on.
static ring_fixture *observed_ring;
static mslot_outcome (*copy_of_memory)(const mslot_sight *sight, uint64_t offset, void *bytes, uint64_t byte_count);
static int64_t words_before_it_goes_on;
static void (*go_on)(ring_fixture *f);

static mslot_outcome copy_and_go_on(const mslot_sight *sight, uint64_t offset, void *bytes, uint64_t byte_count)
{
    for (uint64_t done = 0; done < byte_count; done += sizeof(uint64_t)) {
        uint64_t left = byte_count - done;
        copy_of_memory(sight, offset + done, (unsigned char *)bytes + done, left < sizeof(uint64_t) ? left : sizeof(uint64_t));
        if (words_before_it_goes_on-- == 0) go_on(observed_ring);
    }
    return MSLOT_DONE;
}

static void fill_half_a_line(ring_fixture *f)
{
    mslot_cell *cell = mslot__ring_cell(&f->ring, f->reader.next);
    mslot__store_relaxed(&cell->label, mslot__label(mslot__lap_tag(mslot__ring_lap(&f->ring, f->reader.next)), 4, 0, 0));
    cell->bytes[0] ^= 0xff;
}
static void fill_a_line(ring_fixture *f)
{
    uint32_t number = 0x11111111;
    const mslot_express message = {&number, sizeof number, 1, 1};
    mslot__ring_fill_line(mslot__ring_cell(&f->ring, f->reader.next), mslot__ring_lap(&f->ring, f->reader.next), &message);
}
static void publish_by_a_slot(ring_fixture *f) { must_publish(f, 1, 0x22222222); }
static void publish_by_express(ring_fixture *f) { must_publish_express(f, 0x33333333); }
static void publish_and_read_a_lap(ring_fixture *f)
{
    for (uint32_t i = 0; i < f->ring.cell_count; i++) {
        must_publish_express(f, 0x44444444);
        must_take(f, 0x44444444);
    }
}

TEST(an_observer_between_whose_looks_the_owner_of_the_express_lane_goes_on_is_shown_no_torn_message)
{
    static void (*const steps[])(ring_fixture * f) = {
        fill_half_a_line, fill_a_line, publish_by_a_slot, publish_by_express, publish_and_read_a_lap};
    enum { STEPS = sizeof steps / sizeof steps[0], WORDS = 16, NUMBER = 0x12345678 };
    uint32_t shown = 0;
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        for (int step = 0; step < STEPS; step++) {
            for (int words = -1; words < WORDS; words++) {
                uint32_t n = cell_counts[i];
                ring_fixture f = ring_make(n);
                for (uint32_t number = 0; number < n; number++) {
                    must_publish_express(&f, number == 0 ? NUMBER : number);
                    must_take(&f, number == 0 ? NUMBER : number);
                }
                mslot_sight sight = mslot__sight_of_memory(&f.header, f.segment);
                observed_ring = &f;
                copy_of_memory = sight.copy;
                sight.copy = copy_and_go_on;
                go_on = steps[step];
                words_before_it_goes_on = words;
                if (words < 0) go_on(&f);
                uint32_t seen = 0;
                mslot_copied copied = mslot__sight_copy(&sight, n, &seen, sizeof seen);
                trying("%u cells, step %d after %d words", n, step, words + 1);
                if (copied.outcome == MSLOT_DONE) expect_equal(seen, NUMBER);
                else expect_outcome(copied.outcome, MSLOT_BUSY);
                shown += copied.outcome == MSLOT_DONE;
                ring_end(&f);
            }
        }
    }
    expect(shown > 0);
}

TEST(who_waits_for_room_makes_the_fence_of_a_reader_that_has_none)
{
    ring_fixture f = ring_make(2);
    expect(!mslot__ring_want_space(&f.writers[1]).makes_readers_fence);
    mslot__ring_leave_fence(&f.reader);
    expect(mslot__ring_want_space(&f.writers[1]).makes_readers_fence);
    expect(mslot__ring_space_made(&f.reader));
    // Whoever takes over has its own fence, until it says otherwise.
    expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_DONE);
    expect(!f.reader.leaves_fence);
    expect(!mslot__ring_want_space(&f.writers[1]).makes_readers_fence);
    ring_end(&f);
}

// MARK: parking and waking

static uint32_t *park(ring_fixture *f)
{
    mslot_futex_wait futex = mslot__ring_park(&f->reader);
    if (futex.word != NULL) expect_equal(*futex.word, futex.value);
    return futex.word;
}

static uint32_t *word_at(const ring_fixture *f, uint64_t position) { return mslot__cell_futex(mslot__ring_cell(&f->ring, position)); }

TEST(a_parked_reader_sleeps_on_a_word_that_every_publication_changes)
{
    ring_fixture f = ring_make(4);
    uint32_t *word = park(&f);
    expect(word == word_at(&f, 4));
    uint32_t before = *word;

    mslot_publication publication = publish(&f, 0, 1);

    expect(publication.wake == word);
    expect(*word != before);
    expect_equal(*word, 0); // the value on which the kernel wakes for a dying thread
    mslot__ring_unpark(&f.reader);
    expect_equal(f.ring.control->parked_position, 0);
    must_take(&f, 1);
    ring_end(&f);
}

TEST(a_reader_does_not_sleep_when_a_message_is_there)
{
    ring_fixture f = ring_make(4);
    must_publish(&f, 0, 1);

    expect(park(&f) == NULL);

    mslot__ring_unpark(&f.reader);
    must_take(&f, 1);
    expect(publish(&f, 0, 2).wake == NULL); // awake: nobody to wake
    ring_end(&f);
}

TEST(every_writer_wakes_the_cell_that_the_reader_sleeps_on_and_not_its_own)
{
    ring_fixture f = ring_make(4);
    uint32_t *futex = park(&f);
    expect(publish(&f, 0, 1).wake == futex); // writer 0 is stopped here: it wakes nobody

    expect(publish(&f, 1, 2).wake == futex);
    expect(publish(&f, 2, 3).wake == futex);

    mslot__ring_unpark(&f.reader);
    for (uint32_t m = 1; m <= 3; m++) must_take(&f, m);
    ring_end(&f);
}

TEST(a_writer_wakes_a_reader_once_for_many_messages)
{
    ring_fixture f = ring_make(4);
    expect(park(&f) != NULL);

    expect(publish(&f, 0, 1).wake != NULL);
    expect(publish(&f, 0, 2).wake == NULL);
    expect(publish(&f, 0, 3).wake == NULL);

    expect_equal(f.ring.lanes[0].reader_wakes, 1);
    ring_end(&f);
}

TEST(a_writer_that_woke_a_reader_before_its_message_came_wakes_it_again)
{
    ring_fixture f = ring_make(4);
    // Writer 0 publishes 4 and is held up before Write 7; the reader reads 4 and parks on 5. Then Write 7 finds it parked.
    f.ring.control->parked_position = 5 + 1;
    mslot_publication first = publish(&f, 0, 1);
    expect(first.wake == NULL || first.wake == word_at(&f, 5));
    mslot__ring_unpark(&f.reader);
    must_take(&f, 1);
    uint32_t *futex = park(&f); // woken for nothing, it sleeps again
    expect(futex == word_at(&f, 5));

    expect(publish(&f, 0, 2).wake == futex);
    ring_end(&f);
}

TEST(a_writer_that_meets_a_full_ring_wakes_a_reader_that_nobody_woke)
{
    ring_fixture f = ring_make(1);
    uint32_t *futex = park(&f);
    expect(publish(&f, 0, 1).wake == futex); // stopped: it wakes nobody

    mslot_publication publication = publish(&f, 1, 2);

    expect_outcome(publication.outcome, MSLOT_FULL);
    expect(publication.wake == futex);
    ring_end(&f);
}

TEST(a_dying_writer_would_leave_word_on_the_cell_it_publishes)
{
    ring_fixture f = ring_make(2);
    mslot_robust_list robust = {.list_op_pending = &f.pending, .futex_offset = -32};
    mslot__ring_own_slot(&f.writers[0])->length = 0;

    mslot_publication publication = mslot__ring_publish(&f.writers[0], robust, NULL);
    expect_outcome(publication.outcome, MSLOT_DONE);
    expect_equal(f.pending + (uintptr_t)robust.futex_offset, (uintptr_t)word_at(&f, 2)); // until the caller has woken

    must_publish(&f, 1, 1);
    f.pending = 1;
    expect_outcome(mslot__ring_publish(&f.writers[0], robust, NULL).outcome, MSLOT_FULL);
    expect_equal(f.pending, 0);
    f.pending = 1;
    expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
    expect_outcome(mslot__ring_publish(&f.writers[0], robust, NULL).outcome, MSLOT_CLOSED);
    expect_equal(f.pending, 0);
    expect_equal(f.ring.lanes[0].intent_position, MSLOT_POSITION_NONE);
    ring_end(&f);
}

TEST(room_is_announced_when_somebody_wants_it_and_only_then)
{
    ring_fixture f = ring_make(1);
    must_publish(&f, 0, 1);
    expect(!mslot__ring_space_made(&f.reader));

    uint32_t sequence = mslot__ring_want_space(&f.writers[1]).sequence;
    expect_equal(sequence, f.ring.control->space_sequence);
    expect_outcome(publish(&f, 1, 2).outcome, MSLOT_FULL);
    must_take(&f, 1);
    expect(mslot__ring_space_made(&f.reader));

    expect(f.ring.control->space_sequence != sequence);
    expect_equal(f.ring.control->space_wanted, 0);
    expect(!mslot__ring_space_made(&f.reader));
    must_publish(&f, 1, 2);
    ring_end(&f);
}

// MARK: a reader dies or is stopped between emptying a cell and moving the head

TEST(a_take_over_catches_up_with_a_reader_that_died_before_it_moved_the_head)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        for (uint32_t unread = 1; unread <= n; unread++) {
            for (uint32_t more = 0; more <= n - unread + 1; more++) {
                trying("%u cells, %u unread, %u written after the death", n, unread, more);
                ring_fixture f = ring_make_at(n, 100 * n);
                for (uint32_t m = 0; m < unread; m++) must_publish(&f, m % LANES, m);
                empty_cell_without_moving_head(&f);
                for (uint32_t m = unread; m < unread + more; m++) must_publish(&f, m % LANES, m);
                f.ring.control->parked_position = 77;
                uint32_t sequence = f.ring.control->space_sequence;

                expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_DONE);

                expect_equal(f.reader.head, 100 * n + 1);
                expect_equal(f.ring.control->head, 100 * n + 1); // stored, for others
                expect_equal(f.ring.control->parked_position, 0);
                expect(f.ring.control->space_sequence != sequence);
                for (uint32_t m = 1; m < unread + more; m++) must_take(&f, m);
                expect_works(&f);
                ring_end(&f);
            }
        }
    }
}

TEST(a_take_over_of_a_ring_at_rest_goes_on_where_the_head_is)
{
    ring_fixture f = ring_make(4);
    for (uint32_t m = 0; m < 6; m++) {
        must_publish(&f, 0, m);
        if (m < 3) must_take(&f, m);
    }
    memset(&f.reader, 0, sizeof f.reader);

    expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_DONE);

    for (uint32_t m = 3; m < 6; m++) must_take(&f, m);
    expect_works(&f);
    ring_end(&f);
}

TEST(writers_go_on_behind_a_reader_stopped_before_it_moved_the_head)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        ring_fixture f = ring_make(n);
        for (uint32_t m = 0; m < n; m++) must_publish(&f, 0, m);
        empty_cell_without_moving_head(&f);
        trying("%u cells", n);

        must_publish(&f, 1, n);
        for (uint32_t lane = 0; lane < LANES; lane++) expect_outcome(publish(&f, lane, 99).outcome, MSLOT_FULL);

        f.ring.control->head++; // it goes on
        f.reader.head++;
        f.reader.next++;
        for (uint32_t m = 1; m <= n; m++) must_take(&f, m);
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(a_third_party_finds_the_tail_behind_a_reader_stopped_before_it_moved_the_head)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        for (uint32_t unread = 1; unread <= n; unread++) {
            for (uint32_t more = 0; more <= n - unread + 1; more++) {
                trying("%u cells, %u unread, %u written after the stop", n, unread, more);
                ring_fixture f = ring_make(n);
                for (uint32_t m = 0; m < unread; m++) must_publish(&f, 0, m);
                empty_cell_without_moving_head(&f);
                for (uint32_t m = 0; m < more; m++) must_publish(&f, 0, m);

                mslot_tail tail = mslot__ring_tail(&f.ring);

                expect_outcome(tail.outcome, MSLOT_DONE);
                expect_equal(tail.position, n + unread + more);
                ring_end(&f);
            }
        }
    }
}

// MARK: the seal

TEST(a_seal_stops_every_writer_of_an_empty_a_partly_filled_and_a_full_ring)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        for (uint32_t unread = 0; unread <= n; unread++) {
            trying("%u cells, %u unread", n, unread);
            ring_fixture f = ring_make_at(n, 50 * n);
            for (uint32_t m = 0; m < unread; m++) must_publish(&f, m % LANES, m);
            uint32_t sequence = f.ring.control->space_sequence;

            expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);

            for (uint32_t lane = 0; lane < LANES; lane++) expect_outcome(publish(&f, lane, 99).outcome, MSLOT_CLOSED);
            f.writers[0].position = 50 * n; // from wherever it starts
            f.ring.control->tail_hint = 50 * n;
            expect_outcome(publish(&f, 0, 99).outcome, MSLOT_CLOSED);
            mslot_tail tail = mslot__ring_tail(&f.ring);
            expect_outcome(tail.outcome, MSLOT_DONE);
            expect(tail.closed);
            expect_equal(tail.position, 50 * n + unread);
            expect(f.ring.control->space_sequence != sequence);
            expect(indices_are_sound(&f));
            expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_CLOSED);
            expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE); // once more does no harm
            expect(indices_are_sound(&f));
            ring_end(&f);
        }
    }
}

TEST(a_seal_catches_up_with_a_reader_that_died_before_it_moved_the_head)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        uint32_t n = cell_counts[i];
        for (uint32_t unread = 1; unread <= n; unread++) {
            for (uint32_t more = 0; more <= n - unread + 1; more++) {
                trying("%u cells, %u unread, %u written after the death", n, unread, more);
                ring_fixture f = ring_make(n);
                for (uint32_t m = 0; m < unread; m++) must_publish(&f, 0, m);
                empty_cell_without_moving_head(&f);
                for (uint32_t m = 0; m < more; m++) must_publish(&f, 0, m);

                expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);

                expect_outcome(publish(&f, 1, 99).outcome, MSLOT_CLOSED);
                expect(mslot__ring_tail(&f.ring).closed);
                expect(indices_are_sound(&f));
                ring_end(&f);
            }
        }
    }
}

TEST(a_sealer_that_dies_before_it_moves_the_head_leaves_a_sealed_ring)
{
    ring_fixture f = ring_make(2);
    must_publish(&f, 0, 1);
    must_publish(&f, 0, 2);
    f.ring.consumed[mslot__cell_index(f.ring.cells[0].state)] = 2;
    f.ring.cells[0].state = mslot__cell_closed(2, mslot__cell_index(f.ring.cells[0].state)); // and not: head = 3

    expect_outcome(publish(&f, 1, 99).outcome, MSLOT_CLOSED);
    expect_outcome(mslot__ring_take_over(&f.reader, &f.ring), MSLOT_CLOSED);
    expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
    ring_end(&f);
}

// MARK: recovering the lane of a dead writer

/// What happened to lane 0 before its owner was killed, and the state its lane was left in.
typedef struct death {
    const char *when;
    bool (*happens)(ring_fixture *f);
    bool published;
} death;

static void note_intent(ring_fixture *f, uint64_t position)
{
    f->ring.lanes[0].intent_spare = mslot__cell_index(*mslot__ring_state(&f->ring, position));
    f->ring.lanes[0].intent_position = position;
}

/// Write 3 to 5 of lane 0, and nothing of Write 6.
static void swap_only(ring_fixture *f)
{
    uint64_t position = f->writers[0].position;
    uint64_t *cell = mslot__ring_state(&f->ring, position);
    note_intent(f, position);
    uint32_t number = 7;
    mslot_slot *slot = mslot__ring_own_slot(&f->writers[0]);
    slot->length = sizeof number;
    memcpy(slot->payload, &number, sizeof number);
    *cell = mslot__cell_full(mslot__ring_lap(&f->ring, position), f->writers[0].own);
}

static bool dies_at_rest(ring_fixture *f) { return f != NULL; }
static bool dies_before_the_swap(ring_fixture *f)
{
    note_intent(f, f->writers[0].position);
    return true;
}
static bool loses_the_swap_and_dies(ring_fixture *f)
{
    note_intent(f, f->writers[0].position);
    must_publish(f, 1, 8);
    must_take(f, 8);
    return true;
}
static bool loses_the_swap_and_dies_while_it_notes_the_next(ring_fixture *f)
{
    uint64_t position = f->writers[0].position;
    note_intent(f, position);
    must_publish(f, 1, 8);
    must_take(f, 8);
    if (f->ring.cell_count == 1) return false;
    f->ring.lanes[0].intent_spare = mslot__cell_index(*mslot__ring_state(&f->ring, position + 1)); // and not the position
    return true;
}
static bool loses_the_swap_and_the_winner_is_unread(ring_fixture *f)
{
    note_intent(f, f->writers[0].position);
    must_publish(f, 1, 7);
    return true;
}
static bool loses_the_swap_and_dies_laps_later(ring_fixture *f)
{
    note_intent(f, f->writers[0].position);
    for (uint32_t m = 0; m < 3 * f->ring.cell_count + 1; m++) {
        must_publish(f, 1 + m % 3, m);
        must_take(f, m);
    }
    return true;
}
static bool wins_the_swap_and_dies(ring_fixture *f)
{
    swap_only(f);
    return true;
}
static bool wins_the_swap_and_dies_and_is_read(ring_fixture *f)
{
    swap_only(f);
    must_take(f, 7);
    return true;
}
static bool wins_the_swap_and_its_slot_is_in_use_again(ring_fixture *f)
{
    uint32_t slot = f->writers[0].own;
    swap_only(f);
    must_take(f, 7);
    while (f->writers[1].own != slot) { // until another writer owns it
        must_publish(f, 1, 5);
        must_take(f, 5);
    }
    return true;
}
static bool wins_the_swap_and_its_slot_is_published_again(ring_fixture *f)
{
    wins_the_swap_and_its_slot_is_in_use_again(f);
    must_publish(f, 1, 7);
    return true;
}
static bool wins_the_swap_and_its_slot_is_published_and_read_again(ring_fixture *f)
{
    wins_the_swap_and_its_slot_is_published_again(f);
    must_take(f, 7);
    return true;
}
static bool dies_with_its_new_slot_and_the_old_intent(ring_fixture *f)
{
    swap_only(f);
    f->ring.lanes[0].own = f->ring.lanes[0].intent_spare;
    return true;
}
static bool dies_with_its_new_slot_and_the_old_intent_and_is_read(ring_fixture *f)
{
    dies_with_its_new_slot_and_the_old_intent(f);
    must_take(f, 7);
    return true;
}

static const death deaths[] = {
    {"at rest", dies_at_rest, false},
    {"after the intent, before the swap", dies_before_the_swap, false},
    {"lost the swap, the winner was read", loses_the_swap_and_dies, false},
    {"lost the swap, half of the next intent", loses_the_swap_and_dies_while_it_notes_the_next, false},
    {"lost the swap, the winner is unread", loses_the_swap_and_the_winner_is_unread, true},
    {"lost the swap, found laps later", loses_the_swap_and_dies_laps_later, false},
    {"won the swap, unread", wins_the_swap_and_dies, true},
    {"won the swap, read", wins_the_swap_and_dies_and_is_read, false},
    {"won the swap, read, the slot belongs to another", wins_the_swap_and_its_slot_is_in_use_again, false},
    {"won the swap, the slot carries another message", wins_the_swap_and_its_slot_is_published_again, true},
    {"won the swap, the slot carried another message", wins_the_swap_and_its_slot_is_published_and_read_again, false},
    {"after own, before the intent is gone", dies_with_its_new_slot_and_the_old_intent, true},
    {"after own, before the intent is gone, read", dies_with_its_new_slot_and_the_old_intent_and_is_read, false},
};

TEST(the_lane_of_a_writer_that_died_at_any_step_has_its_slot_again)
{
    for (size_t d = 0; d < sizeof deaths / sizeof deaths[0]; d++) {
        for (size_t i = 0; i < CELL_COUNTS; i++) {
            for (uint32_t earlier = 0; earlier < 5; earlier++) {
                trying("%s, %u cells, after %u messages", deaths[d].when, cell_counts[i], earlier);
                ring_fixture f = ring_make(cell_counts[i]);
                for (uint32_t m = 0; m < earlier; m++) {
                    must_publish(&f, m % 2, m);
                    must_take(&f, m);
                }
                f.writers[0].position = f.ring.control->head;
                if (deaths[d].happens(&f)) {
                    expect_outcome(mslot__ring_recover_lane(&f.writers[0], &f.ring, 0), MSLOT_DONE);

                    expect(indices_are_sound(&f));
                    expect_equal(f.ring.lanes[0].intent_position, MSLOT_POSITION_NONE);
                    if (deaths[d].published) must_take(&f, 7);
                    expect_works(&f);
                }
                ring_end(&f);
            }
        }
    }
}

TEST(a_lane_whose_words_are_out_of_range_is_left_alone)
{
    ring_fixture f = ring_make(4);
    mslot_ring_writer writer;
    f.ring.lanes[1].own = f.ring.slot_count;
    expect_outcome(mslot__ring_recover_lane(&writer, &f.ring, 1), MSLOT_DAMAGED);
    f.ring.lanes[2].intent_spare = f.ring.slot_count;
    expect_outcome(mslot__ring_recover_lane(&writer, &f.ring, 2), MSLOT_DAMAGED);
    f.ring.lanes[3].intent_position = 0x123456789abcdef0ULL; // any cell is in range
    expect_outcome(mslot__ring_recover_lane(&writer, &f.ring, 3), MSLOT_DONE);
    ring_end(&f);
}

// MARK: third parties

TEST(a_third_party_sees_the_length_of_the_next_message)
{
    ring_fixture f = ring_make(2);
    mslot__ring_own_slot(&f.writers[0])->length = 424;
    expect_outcome(mslot__ring_publish(&f.writers[0], note_of(&f), NULL).outcome, MSLOT_DONE);
    must_publish(&f, 1, 5);

    expect_outcome(next_length(&f).outcome, MSLOT_DONE);
    expect_equal(next_length(&f).length, 424);
    mslot__ring_lend(&f.reader);
    expect_equal(next_length(&f).length, 424); // lent, but not released
    expect_outcome(mslot__ring_release(&f.reader), MSLOT_DONE);
    expect_equal(next_length(&f).length, 4);
    must_take(&f, 5);
    expect_outcome(next_length(&f).outcome, MSLOT_EMPTY);
    ring_end(&f);
}

TEST(a_third_party_finds_the_tail_at_every_filling)
{
    for (size_t i = 0; i < CELL_COUNTS; i++) {
        ring_fixture f = ring_make(cell_counts[i]);
        for (uint32_t lap = 0; lap < 3; lap++) {
            for (uint32_t m = 0; m <= cell_counts[i]; m++) {
                mslot_tail tail = mslot__ring_tail(&f.ring);
                expect_outcome(tail.outcome, MSLOT_DONE);
                expect(!tail.closed);
                expect_equal(tail.position, f.ring.control->head + m);
                mslot_extent seen = extent(&f);
                expect_outcome(seen.outcome, MSLOT_DONE);
                expect(!seen.is_closed && seen.head == f.ring.control->head && seen.tail == tail.position);
                if (m < cell_counts[i]) must_publish(&f, m % LANES, m);
            }
            for (uint32_t m = 0; m < cell_counts[i]; m++) must_take(&f, m);
        }
        ring_end(&f);
    }
}

TEST(a_third_party_sees_the_ring_as_it_is_from_the_first_lap_to_the_last)
{
    // Of EMPTY cells 44 bits of the lap are known, of FULL ones 16.
    static const uint64_t laps[] = {1, 0xffff, 0x10000, 0x0fffffff, 0x10000000, 0xfffffffffff, 0x100000000000, 0x0fffffffffffffff};
    for (size_t i = 0; i < sizeof laps / sizeof laps[0]; i++) {
        trying("lap 0x%llx", (unsigned long long)laps[i]);
        uint64_t first = laps[i] * 4;
        ring_fixture f = ring_make_at(4, first);
        expect_equal(extent(&f).tail, first);
        for (uint32_t m = 0; m < 6; m++) {
            must_publish(&f, 0, m);
            expect_equal(extent(&f).tail, first + m + 1);
            if (m % 2 == 0) must_take(&f, m / 2);
        }
        expect_equal(extent(&f).head, first + 3);
        expect_outcome(mslot__ring_seal(&f.ring), MSLOT_DONE);
        mslot_extent seen = extent(&f);
        expect_outcome(seen.outcome, MSLOT_DONE);
        expect(seen.is_closed && seen.tail == first + 6);
        ring_end(&f);
    }
}

// MARK: damage

TEST(a_message_of_an_impossible_length_is_damage_and_can_be_released)
{
    static const uint32_t lengths[] = {425, 448, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ring_fixture f = ring_make(4);
        mslot__ring_own_slot(&f.writers[0])->length = lengths[i];
        expect_outcome(mslot__ring_publish(&f.writers[0], note_of(&f), NULL).outcome, MSLOT_DONE);

        mslot_look look = mslot__ring_look(&f.reader);
        expect_outcome(look.outcome, MSLOT_DAMAGED);
        expect(look.can_be_skipped);
        expect_equal(f.ring.control->damaged, 1);
        expect_outcome(next_length(&f).outcome, MSLOT_DAMAGED);
        mslot__ring_lend(&f.reader);
        expect_outcome(mslot__ring_release(&f.reader), MSLOT_DONE);
        expect_works(&f);
        ring_end(&f);
    }
}

TEST(a_cell_that_makes_no_sense_is_damage_to_whoever_meets_it)
{
    const uint64_t cells[] = {
        0,                                    // a punched hole: FULL of lap 0
        mslot__cell_full(1, MSLOT_SLOTS_MAX), // no such slot
        mslot__cell_full(1, 8),               // the first that is not
        mslot__cell_empty(1, 8) + 1,          // EMPTY of lap 2
        0x40000001,
        0xffffffffffffffffULL,
        0x00000001,
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        trying("cell 0x%llx", (unsigned long long)cells[i]);
        ring_fixture f = ring_make(4);
        f.ring.cells[0].state = cells[i];

        expect_outcome(extent(&f).outcome, MSLOT_DAMAGED);
        mslot_look look = mslot__ring_look(&f.reader);
        expect_outcome(look.outcome, MSLOT_DAMAGED);
        expect(!look.can_be_skipped);
        mslot__ring_lend(&f.reader);
        expect_outcome(mslot__ring_release(&f.reader), MSLOT_DAMAGED);
        expect(!mslot__cell_is_empty_of(f.ring.cells[0].state, 1));
        ring_end(&f);
    }

    ring_fixture f = ring_make(4);
    f.ring.cells[0].state = mslot__cell_empty(1, 8); // a spare that does not exist
    expect_outcome(publish(&f, 0, 1).outcome, MSLOT_DAMAGED);
    expect_equal(f.ring.lanes[0].intent_position, MSLOT_POSITION_NONE);
    ring_end(&f);
}

/// Everything that anybody can do to a segment; only that it ends, and touches nothing else, is asked for.
static void use_all_of(ring_fixture *f)
{
    for (uint32_t lane = 0; lane < LANES; lane++) {
        if (mslot__ring_recover_lane(&f->writers[lane], &f->ring, lane) != MSLOT_DONE) continue;
        for (int i = 0; i < 3; i++) (void)publish(f, lane, 1);
    }
    for (int i = 0; i < 6; i++) {
        mslot_look look = mslot__ring_look(&f->reader);
        if (look.outcome == MSLOT_DONE) expect(look.length <= MSLOT_MESSAGE_BYTES_MAX);
        (void)mslot__ring_poll(&f->reader);
        (void)mslot__ring_park(&f->reader);
        mslot__ring_unpark(&f->reader);
        if (look.outcome == MSLOT_DAMAGED && !look.can_be_skipped) break;
        mslot__ring_lend(&f->reader);
        if (mslot__ring_release(&f->reader) != MSLOT_DONE) break;
    }
    (void)mslot__ring_tail(&f->ring);
    (void)next_length(f);
    (void)extent(f);
    (void)indices_are_sound(f);
    mslot_ring_reader other;
    if (mslot__ring_take_over(&other, &f->ring) == MSLOT_DONE) (void)mslot__ring_look(&other);
    (void)mslot__ring_seal(&f->ring);
}

TEST(a_segment_that_a_hostile_writer_changes_at_random_is_never_a_crash)
{
    for (int round = 0; round < 300; round++) {
        ring_fixture f = ring_make_at(4, 4 * (1 + random_below(1000)));
        for (uint32_t m = 0; m < random_below(5); m++) must_publish(&f, m % LANES, m);
        // Everything but the header, which is checked and copied once: a few words get other values.
        uint64_t *words = f.segment;
        uint64_t first = f.header.control_offset / 8, count = f.header.segment_bytes / 8 - first;
        uint64_t interesting[] = {0, ~0ULL, mslot__cell_full(random_next(), 3), mslot__cell_empty(random_next(), 9), random_next(),
            f.ring.control->head + random_below(9), (uint64_t)1 << random_below(64)};
        for (uint64_t changes = 1 + random_below(8); changes > 0; changes--) {
            uint64_t value = interesting[random_below(sizeof interesting / sizeof interesting[0])];
            if (random_below(2) == 0) f.ring.cells[random_below(4)].state = value;
            else words[first + random_below(count)] = value;
        }
        use_all_of(&f);
        ring_end(&f);
    }
}

// MARK: many threads

/// Two or more writers, the reader and an onlooker on one small ring. Nobody looks again by himself: who sleeps, sleeps until a
/// wake that names his word, so a lost wake is a hang.
typedef struct stress {
    ring_fixture f;
    uint32_t message_count; // of each writer
    uint64_t cell_bells[8]; // how often each cell's word was woken
    uint64_t space_bell;
    uint64_t writers_done;
    uint64_t ended;
} stress;

typedef struct stress_thread {
    stress *all;
    uint32_t lane;
    pthread_t thread;
} stress_thread;

/// The word of a wakeup that a sleeper waits for to change: its low half.
static uint32_t *wakeup_word(const uint64_t *wakeup) { return (uint32_t *)(uintptr_t)wakeup; }

static void ring_out(uint64_t *wakeup)
{
    shared_add(wakeup, 1);
    syscall(SYS_futex, wakeup_word(wakeup), FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void send_wakeup(stress *s, uint32_t *word)
{
    if (word != NULL) ring_out(&s->cell_bells[(mslot_cell *)(void *)word - s->f.ring.cells]);
}

/// Asleep in the kernel: with sched_yield a busy scheduler would let milliseconds go by at every turn.
static void sleep_until_rung(const uint64_t *wakeup, uint64_t heard)
{
    const struct timespec timeout = {.tv_sec = TEST_TIMEOUT_NS / SECOND};
    while (shared_get(wakeup) == heard)
        if (syscall(SYS_futex, wakeup_word(wakeup), FUTEX_WAIT_PRIVATE, (uint32_t)heard, &timeout, NULL, 0) != 0 && errno == ETIMEDOUT)
            fail_at(__FILE__, __LINE__, "a sleeper was never woken");
}

static void *stress_write(void *context)
{
    stress_thread *self = context;
    stress *s = self->all;
    mslot_ring_writer *writer = &s->f.writers[self->lane];
    uintptr_t pending = 0;
    mslot_robust_list robust = {.list_op_pending = &pending, .futex_offset = 0};
    for (uint32_t number = 0; number < s->message_count; number++) {
        mslot_slot *slot = mslot__ring_own_slot(writer);
        uint32_t length = (uint32_t)message_make(slot->payload, self->lane, number);
        mslot__store_relaxed_32(&slot->length, length);
        const mslot_express message = {slot->payload, length, 0, 0};
        const mslot_express *express = self->lane == MSLOT_EXPRESS_LANE && length <= MSLOT_EXPRESS_BYTES_MAX ? &message : NULL;
        for (;;) {
            mslot_publication publication = mslot__ring_publish(writer, robust, express);
            send_wakeup(s, publication.wake);
            if (publication.outcome == MSLOT_DONE) break;
            expect_outcome(publication.outcome, MSLOT_FULL);
            uint64_t heard = shared_get(&s->space_bell);
            uint32_t sequence = mslot__ring_want_space(writer).sequence;
            publication = mslot__ring_publish(writer, robust, express);
            send_wakeup(s, publication.wake);
            if (publication.outcome == MSLOT_DONE) break;
            if (mslot__load_acquire_32(&s->f.ring.control->space_sequence) == sequence) sleep_until_rung(&s->space_bell, heard);
        }
        pending = 0;
    }
    shared_add(&s->writers_done, 1);
    return NULL;
}

static void *stress_look_on(void *context)
{
    stress *s = ((stress_thread *)context)->all;
    const mslot_ring *ring = &s->f.ring;
    while (shared_get(&s->ended) == 0) {
        // The head never comes before its cell: a crash between them would wedge the ring.
        for (int i = 0; i < 200; i++) {
            uint64_t head = mslot__load_acquire(&ring->control->head);
            uint64_t cell = mslot__load_acquire(mslot__ring_state(ring, head - 1));
            expect(!mslot__cell_is_full_of(cell, mslot__ring_lap(ring, head - 1)));
        }
        mslot_tail tail = mslot__ring_tail(ring);
        expect_outcome(tail.outcome, MSLOT_DONE);
        mslot_extent seen = extent(&s->f);
        expect_outcome(seen.outcome, MSLOT_DONE);
        expect((int64_t)(seen.tail - tail.position) >= 0); // it began later
        mslot_next_length next = next_length(&s->f);
        expect(next.outcome != MSLOT_DAMAGED && next.length <= MSLOT_MESSAGE_BYTES_MAX);
    }
    return NULL;
}

static void give_space(stress *s)
{
    if (mslot__ring_space_made(&s->f.reader)) ring_out(&s->space_bell);
}

/// The reader: parks as soon as nothing is there, and takes a few messages before it looks whether room is wanted.
static void stress_read(stress *s, uint32_t writer_count)
{
    enum { BATCH = 3 };
    counts all = {.count = 0};
    uint64_t total = (uint64_t)writer_count * s->message_count;
    uint64_t position = s->f.reader.next;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    while (all.count < total) {
        mslot_look look = mslot__ring_look(&s->f.reader);
        if (look.outcome == MSLOT_EMPTY) {
            give_space(s);
            uint64_t *wakeup = &s->cell_bells[s->f.reader.next % s->f.ring.cell_count];
            mslot_futex_wait futex = mslot__ring_park(&s->f.reader);
            uint64_t heard = shared_get(wakeup);
            if (futex.word != NULL && mslot__load_acquire_32(futex.word) == futex.value) sleep_until_rung(wakeup, heard);
            mslot__ring_unpark(&s->f.reader);
            continue;
        }
        expect_outcome(look.outcome, MSLOT_DONE);
        expect_equal(s->f.reader.next, position++);
        memcpy(bytes, look.bytes, look.length);
        counts_add(&all, message_check(bytes, look.length), false);
        mslot__ring_lend(&s->f.reader);
        expect_outcome(mslot__ring_release(&s->f.reader), MSLOT_DONE);
        if (all.count % BATCH == 0) give_space(s);
    }
    give_space(s);
}

static void stress_run(uint32_t cell_count, uint32_t writer_count, uint32_t message_count)
{
    trying("%u cells, %u writers", cell_count, writer_count);
    stress *s = calloc(1, sizeof *s);
    s->f = ring_make(cell_count);
    s->message_count = message_count;
    stress_thread threads[LANES + 1];
    for (uint32_t i = 0; i <= writer_count; i++) {
        threads[i] = (stress_thread){.all = s, .lane = i};
        expect_equal(pthread_create(&threads[i].thread, NULL, i < writer_count ? stress_write : stress_look_on, &threads[i]), 0);
    }
    stress_read(s, writer_count);
    shared_set(&s->ended, 1);
    for (uint32_t i = 0; i <= writer_count; i++) pthread_join(threads[i].thread, NULL);
    expect_outcome(mslot__ring_look(&s->f.reader).outcome, MSLOT_EMPTY);
    expect_works(&s->f);
    ring_end(&s->f);
    free(s);
}

TEST(threads_lose_no_message_no_order_and_no_wake_on_1_cell) { stress_run(1, 2, 20000); }
TEST(threads_lose_no_message_no_order_and_no_wake_on_2_cells) { stress_run(2, 3, 15000); }
TEST(threads_lose_no_message_no_order_and_no_wake_on_4_cells) { stress_run(4, 4, 30000); }

/// A reader that makes room and a writer that asks for it, at the same moment, again and again on one full cell.
typedef struct meeting {
    ring_fixture f;
    uint64_t round; // both may go
    uint64_t writer_is_done;
    mslot_outcome writer_outcome;
} meeting;

/// So many, or as many as a busy machine lets through in the time.
enum { MEETINGS = 100000, MEETINGS_SECONDS = 10 };
static const uint64_t NO_MORE_MEETINGS = ~0ULL;

/// Spins until the word is at least `value`; what it is then.
static uint64_t spin_until(const uint64_t *word, uint64_t value)
{
    for (unsigned turns = 1;; turns++) {
        uint64_t seen = shared_get(word);
        if (seen >= value) return seen;
        if (turns % 256 == 0) sched_yield();
    }
}

static void *ask_for_room(void *context)
{
    meeting *m = context;
    for (uint64_t round = 1; spin_until(&m->round, round) == round; round++) {
        mslot__ring_want_space(&m->f.writers[0]);
        m->writer_outcome = publish(&m->f, 0, 1).outcome;
        shared_set(&m->writer_is_done, round);
    }
    return NULL;
}

TEST(a_writer_that_asks_for_room_while_it_is_made_finds_it_or_is_told)
{
    meeting *m = calloc(1, sizeof *m);
    m->f = ring_make(1);
    must_publish(&m->f, 0, 1);
    pthread_t thread;
    pthread_create(&thread, NULL, ask_for_room, m);
    int64_t end = now_ns() + (int64_t)MEETINGS_SECONDS * SECOND;
    for (uint64_t round = 1; round <= MEETINGS && now_ns() < end; round++) {
        mslot__store_relaxed_32(&m->f.ring.control->space_wanted, 0);
        shared_set(&m->round, round);
        for (uint64_t delay = round % 64; delay > 0; delay--) mslot__pause(); // so that the two meet at different points
        must_take(&m->f, 1);
        bool told = mslot__ring_space_made(&m->f.reader);
        spin_until(&m->writer_is_done, round);
        if (m->writer_outcome == MSLOT_DONE) continue;
        expect_outcome(m->writer_outcome, MSLOT_FULL);
        expect(told);
        must_publish(&m->f, 0, 1);
    }
    shared_set(&m->round, NO_MORE_MEETINGS);
    pthread_join(thread, NULL);
    ring_end(&m->f);
    free(m);
}

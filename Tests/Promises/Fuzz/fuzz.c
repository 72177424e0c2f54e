// Makes a segment of an input's first bytes, and lets a reader and two writers work on it as its other bytes say.
//
// What must not happen: a crash, a hang, a touch of memory outside of the segment (the address sanitizer, and the end of the
// memory, see them), a message that is not what lies in the segment, damage that is not counted, a write that says it is done and
// is not, a futex word or a robust-list entry anywhere else, a descriptor or a mapping that is left.

#include "segment.h"
#include "stand_ins.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define check(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "fuzz.c:%d: expected %s\n", __LINE__, #condition); \
            abort();                                                           \
        }                                                                      \
    } while (0)

enum { WRITERS = 2, STEPS_MAX = 64, SLEEPS_MAX = 4 };

/// A bit each of an input's first byte.
enum {
    INPUT_REPAIR = 1,
    INPUT_FILE = 2,
    INPUT_FAIL = 4,
    INPUT_ADOPT = 8,
    INPUT_NO_FILE = 16,
    INPUT_LIST = 32,
    INPUT_INSPECT = 64,
    INPUT_WAIT = 128
};

typedef struct scene {
    fuzz_input *input;
    /// The segment as the reader or a writer sees it; NULL: nobody does.
    const mslot_ring *ring;
    mslot_reader *reader;
    mslot_writer *writers[WRITERS];
    unsigned sleeps;
} scene;

static scene *playing;

/// A thread changes the segment all the time: what lies in it cannot be compared then. MAILSLOTS_FUZZ_RACE in the environment.
static bool racing;
enum { RACE_SHAPE = 2 | 1 << 2 | SHAPE_OVERFLOW }; // 4 cells, 2 lanes: a segment that stays where it is, for that thread

// MARK: around each call

static uint64_t damage_count(const scene *s) { return mslot__load_relaxed(&s->ring->control->damaged); }

static void check_robust_list(const mslot_writer *writer)
{
    if (writer != NULL && writer->robust.list_op_pending != NULL) check(*(volatile uintptr_t *)writer->robust.list_op_pending == 0);
}

/// While a call sleeps others change the segment; and sooner or later somebody interrupts it.
static void instead_of_sleeping(void)
{
    scene *s = playing;
    if (s->ring != NULL) segment_change(s->input, s->ring);
    if (++s->sleeps < SLEEPS_MAX) return;
    if (s->reader != NULL) mslot_reader_interrupt(s->reader);
    for (int i = 0; i < WRITERS; i++)
        if (s->writers[i] != NULL) mslot_writer_interrupt(s->writers[i]);
}

static int64_t timeout(fuzz_input *input)
{
    static const int64_t timeouts[] = {0, 1, 50000, 3000000000, MSLOT_FOREVER, MSLOT_DEFAULT_TIMEOUT, -1, 0};
    return timeouts[input_byte(input) % 8];
}

// MARK: reading

/// The bytes of a message that is as its slot says.
static const unsigned char *bytes_of_slot(const mslot_ring *ring, const mslot_slot *slot, size_t byte_count)
{
    if (byte_count <= MSLOT_MESSAGE_BYTES_MAX) return slot->payload;
    check(slot->lane < ring->lane_count && slot->extra <= ring->overflow_lane_bytes);
    check(byte_count <= ring->overflow_lane_bytes - slot->extra);
    return ring->overflow + slot->lane * ring->overflow_lane_bytes + slot->extra;
}

/// Where a FULL cell says that its message is, and how long it is: these must be it.
static void check_cell(const mslot_ring *ring, uint64_t position, const unsigned char *bytes, size_t byte_count)
{
    const mslot_cell *cell = mslot__ring_cell(ring, position);
    uint32_t index = mslot__cell_index(cell->state);
    check(index < ring->slot_count);
    if (mslot__cell_is_here(cell->state)) {
        check(byte_count <= MSLOT_EXPRESS_BYTES_MAX && mslot__label_length(cell->label) == byte_count);
        check(memcmp(bytes, cell->bytes, byte_count) == 0);
        return;
    }
    const mslot_slot *slot = mslot__ring_slot(ring, index);
    check(slot->length == byte_count && memcmp(bytes, bytes_of_slot(ring, slot, byte_count), byte_count) == 0);
}

static void check_message(const mslot_ring *ring, uint64_t position, const unsigned char *bytes, size_t byte_count)
{
    check(byte_count <= ring->length_max);
    if (racing) {
        for (size_t i = 0; i < byte_count; i++) check(bytes[i] & FUZZ_PAYLOAD_BIT);
        return;
    }
    check_cell(ring, position, bytes, byte_count);
}

static void check_damage(const scene *s, mslot_outcome outcome, uint64_t damage_before, unsigned sleeps_before)
{
    if (outcome == MSLOT_DAMAGED && s->sleeps == sleeps_before && !racing) check(damage_count(s) != damage_before);
}

static void read_one(scene *s)
{
    size_t capacity = input_number(s->input, 2) % (s->ring->length_max + 1);
    unsigned char *buffer = malloc(capacity); // on the heap, where its end is watched
    uint64_t damage = damage_count(s);
    unsigned sleeps = s->sleeps;
    mslot_received received = mslot_reader_read(s->reader, buffer, capacity, timeout(s->input));
    if (received.outcome == MSLOT_DONE) check_message(s->ring, received.position, buffer, received.byte_count);
    check_damage(s, received.outcome, damage, sleeps);
    free(buffer);
}

static void peek_one(scene *s)
{
    uint64_t damage = damage_count(s);
    unsigned sleeps = s->sleeps;
    mslot_view view = mslot_reader_peek(s->reader, timeout(s->input));
    if (view.outcome == MSLOT_DONE) check_message(s->ring, view.position, view.bytes, view.byte_count);
    check_damage(s, view.outcome, damage, sleeps);
}

static void read_many(scene *s)
{
    mslot_message messages[3];
    memset(messages, 0, sizeof messages);
    uint64_t damage = damage_count(s);
    unsigned sleeps = s->sleeps;
    mslot_batch batch = mslot_reader_read_batch(s->reader, messages, 3, timeout(s->input));
    check(batch.count <= 3);
    for (size_t i = 0; i < batch.count; i++) {
        check_message(s->ring, messages[i].position, messages[i].bytes, messages[i].byte_count);
        for (size_t byte = messages[i].byte_count; byte < MSLOT_MESSAGE_BYTES_MAX; byte++) check(messages[i].bytes[byte] == 0);
    }
    check_damage(s, batch.outcome, damage, sleeps);
}

static void use_reader(scene *s, uint8_t what)
{
    mslot_reader *reader = s->reader;
    switch (what % 10) {
    case 0:
    case 1: read_one(s); break;
    case 2: peek_one(s); break;
    case 3: mslot_reader_release(reader, input_byte(s->input) % 10); break;
    case 4: read_many(s); break;
    case 5: {
        mslot_reader *list[2] = {reader, reader};
        mslot_ready ready = mslot_reader_wait_any(list, 1 + input_byte(s->input) % 2, timeout(s->input));
        if (ready.outcome == MSLOT_DONE) check(ready.index == 0);
        break;
    }
    case 6: mslot_reader_set_timeout(reader, timeout(s->input)); break;
    case 7: {
        mslot_info info = mslot_reader_info(reader);
        check(info.message_count <= s->ring->cell_count && info.next_byte_count <= (int32_t)s->ring->length_max);
        check(memchr(info.name, 0, sizeof info.name) != NULL);
        break;
    }
    case 8: mslot_reader_check(reader); break;
    case 9: mslot_reader_reset(reader); break;
    }
}

// MARK: writing

static unsigned char payload[FUZZ_LONG_BYTES_MAX + 8];

/// What a write says is done lies in the cell behind its position, whole; unless it slept, and another changed it meanwhile.
static void check_written(const scene *s, const mslot_writer *writer, size_t byte_count, unsigned sleeps_before)
{
    if (racing || s->sleeps != sleeps_before) return;
    const mslot_ring *ring = &writer->ring.ring;
    uint64_t position = writer->ring.position - 1, cell = *mslot__ring_state(ring, position);
    check(mslot__cell_is_full_of(cell, mslot__ring_lap(ring, position)));
    check_cell(ring, position, payload, byte_count);
}

static void use_writer(scene *s, mslot_writer *writer, uint8_t what)
{
    uint32_t longest = writer->ring.ring.length_max; // a header that is not made right may say more
    size_t byte_count = input_number(s->input, 2) % ((longest < FUZZ_LONG_BYTES_MAX ? longest : FUZZ_LONG_BYTES_MAX) + 4);
    unsigned sleeps = s->sleeps;
    switch (what % 8) {
    case 0:
    case 1:
        if (mslot_writer_write(writer, payload, byte_count, timeout(s->input)) == MSLOT_DONE) check_written(s, writer, byte_count, sleeps);
        break;
    case 2: {
        mslot_loaned loaned = mslot_writer_loan(writer);
        if (loaned.outcome == MSLOT_DONE) memset(loaned.bytes, FUZZ_PAYLOAD_BIT | input_byte(s->input), MSLOT_MESSAGE_BYTES_MAX);
        break;
    }
    case 3: mslot_writer_publish(writer, byte_count, timeout(s->input)); break;
    case 4: mslot_writer_abandon(writer); break;
    case 5: {
        const mslot_bytes messages[] = {{payload, byte_count}, {NULL, 0}, {payload, 1}};
        check(mslot_writer_write_batch(writer, messages, 3, timeout(s->input)).count <= 3);
        break;
    }
    case 6: mslot_writer_info(writer); break;
    case 7: mslot_writer_reset(writer); break;
    }
    check_robust_list(writer);
}

// MARK: what others may do

static void look_from_outside(const mslot_ring *ring)
{
    unsigned char seen[FUZZ_CELLS_MAX + FUZZ_LANES_MAX] = {0};
    mslot__ring_tail(ring);
    mslot__ring_count_indices(ring, seen);

    mslot_header layout = {0};
    mslot__layout_header(&layout, ring->cell_count, ring->lane_count, ring->length_max);
    mslot_sight sight = mslot__sight_of_memory(&layout, (const unsigned char *)ring->control - MSLOT_HEADER_BYTES);
    mslot__sight_extent(&sight);
    mslot_next_length next = mslot__sight_next_length(&sight);
    if (next.outcome == MSLOT_DONE) check(next.length <= ring->length_max);

    static unsigned char bytes[FUZZ_LONG_BYTES_MAX];
    uint64_t capacity = ring->cell_count % 2 == 0 ? sizeof bytes : 100; // what does not fit is not copied
    uint64_t head = mslot__load_acquire(&ring->control->head);
    for (uint64_t position = head - ring->cell_count; position != head + ring->cell_count + 2; position++) {
        mslot_copied copied = mslot__sight_copy(&sight, position, bytes, capacity);
        if (copied.outcome == MSLOT_DONE) check(copied.length <= ring->length_max && copied.length <= capacity);
    }
}

static void observe(void)
{
    static unsigned char bytes[FUZZ_LONG_BYTES_MAX];
    mslot_observer *observer = mslot_observer_open("orders", 3).observer;
    if (observer == NULL) return;
    for (int i = 0; i < 2 * FUZZ_CELLS_MAX; i++) {
        mslot_observed observed = mslot_observer_next(observer, bytes, sizeof bytes);
        if (observed.outcome == MSLOT_DONE) check(observed.byte_count <= sizeof bytes);
        else break;
    }
    mslot_observer_close(observer);
}

static void play(scene *s)
{
    for (int steps = 0; steps < STEPS_MAX && s->input->left != 0 && s->ring != NULL; steps++) {
        uint8_t what = input_byte(s->input);
        mslot_writer *writer = s->writers[what >> 7];
        switch (what % 4) {
        case 0:
            if (s->reader != NULL) use_reader(s, what >> 2);
            break;
        case 1:
        case 2:
            if (writer != NULL) use_writer(s, writer, what >> 2);
            break;
        case 3:
            if (what & 4) look_from_outside(s->ring);
            else segment_change(s->input, s->ring);
            break;
        }
    }
}

// MARK: a segment in plain memory

static void *memory;

/// Its overflow is what was always there, and keeps what is written: only what comes before is new.
static void *put_in_memory(const unsigned char *bytes, segment_size size)
{
    void *base = memory_of_size(memory, FUZZ_SEGMENT_BYTES_MAX, size.bytes);
    memcpy(base, bytes, size.fixed_bytes);
    return base;
}

// Of memory that is no file. Opened to ask for the reader, it is not there.
static char no_file[] = "/nothing/mailslot.memory";

static void play_in_memory(scene *s, const unsigned char *bytes, segment_size size)
{
    size_t byte_count = size.bytes;
    static mslot_reader reader;
    static mslot_writer writers[WRITERS];
    mslot_header header;
    memcpy(&header, bytes, sizeof header);
    if (mslot__header_check(&header, byte_count) != MSLOT_DONE) return;
    void *base = put_in_memory(bytes, size);
    mslot_ring ring = mslot__ring_of(&header, base);
    s->ring = &ring;
    futexes_allow(base, byte_count);
    futexes_allow(&reader, sizeof reader);
    futexes_allow(writers, sizeof writers);

    memset(&reader, 0, sizeof reader);
    if (mslot__ring_take_over(&reader.ring, &ring) == MSLOT_DONE) {
        reader.mapping = (mslot_mapping){.base = base, .bytes = byte_count, .path = no_file};
        reader.state = MSLOT_HANDLE_IDLE;
        s->reader = &reader;
    }
    for (int i = 0; i < WRITERS; i++) {
        memset(&writers[i], 0, sizeof writers[i]);
        uint32_t lane = input_byte(s->input) % ring.lane_count;
        if (mslot__ring_recover_lane(&writers[i].ring, &ring, lane) != MSLOT_DONE) continue;
        writers[i].mapping = (mslot_mapping){.base = base, .bytes = byte_count, .path = no_file};
        writers[i].message_bytes_max = header.message_bytes_max;
        writers[i].slot_bytes_max = header.message_bytes_max < MSLOT_MESSAGE_BYTES_MAX ? header.message_bytes_max : MSLOT_MESSAGE_BYTES_MAX;
        writers[i].lane_index = lane;
        writers[i].query_descriptor = -1;
        writers[i].waits_through_restarts = true;
        writers[i].state = MSLOT_HANDLE_IDLE;
        s->writers[i] = &writers[i];
    }
    play(s);
    mslot__ring_seal(&ring);
}

// MARK: a segment in a file

static char path[PATH_MAX];

static void make_file(const unsigned char *bytes, segment_size size)
{
    int descriptor = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    check(descriptor >= 0 && write(descriptor, bytes, size.fixed_bytes) == (ssize_t)size.fixed_bytes);
    check(ftruncate(descriptor, (off_t)size.bytes) == 0); // the overflow is a hole
    close(descriptor);
}

static void count_name(const char *name, void *context)
{
    (void)name;
    ++*(unsigned *)context;
}

static void end_reader(mslot_reader *reader, bool leaves)
{
    uint32_t discarded, cells = reader->ring.ring.cell_count;
    if (leaves) {
        check(mslot_reader_leave(reader) == MSLOT_DONE);
        return;
    }
    // It is closed in any case; what else it says is why the name stays, where unlink fails.
    mslot_outcome outcome = mslot_reader_close_counting(reader, &discarded);
    check(outcome != MSLOT_BUSY && outcome != MSLOT_BAD_ARGUMENT && outcome != MSLOT_NOT_OPEN && outcome != MSLOT_FORKED);
    check(discarded <= cells);
}

static void play_with_file(scene *s, uint8_t flags, uint8_t shape, const unsigned char *bytes, segment_size size)
{
    if (flags & INPUT_NO_FILE) unlink(path);
    else make_file(bytes, size);
    int first_free = dup(0);
    close(first_free);

    stand_ins_begin();
    if (flags & INPUT_FAIL) {
        static const int errors[] = {EINTR, ENOMEM, EMFILE, ENOSPC, EACCES, ENOLCK, EOPNOTSUPP, EEXIST, ENOENT, EIO};
        unsigned call = 1 + input_byte(s->input) % 32;
        stand_ins_fail(call, errors[input_byte(s->input) % 10]);
    }
    unsigned names = 0;
    if (flags & INPUT_LIST) mslot_list(count_name, &names);
    if (flags & INPUT_INSPECT) {
        mslot_inspect("orders");
        observe();
    }
    mslot_create_options options = mslot_create_options_default();
    options.adopt = flags & INPUT_ADOPT;
    options.capacity = segment_cells(shape); // not the default, for it would cost all the time
    options.writers = segment_lanes(shape);
    if (shape & SHAPE_OVERFLOW) options.message_bytes_max = FUZZ_LONG_BYTES_MAX;
    s->reader = mslot_create("orders", &options).reader;
    for (int i = 0; i < WRITERS; i++) {
        mslot_open_options opening = mslot_open_options_default();
        opening.wait_ns = flags & INPUT_WAIT ? 1000000 : 0;
        s->writers[i] = mslot_open("orders", &opening).writer;
    }
    // A change by one mapping is seen by all.
    if (s->reader != NULL) s->ring = &s->reader->ring.ring;
    for (int i = 0; i < WRITERS; i++) {
        if (s->writers[i] == NULL) continue;
        futexes_allow(s->writers[i], sizeof *s->writers[i]);
        if (s->ring == NULL) s->ring = &s->writers[i]->ring.ring;
    }
    if (s->reader != NULL) futexes_allow(s->reader, sizeof *s->reader);
    play(s);
    unsigned end = input_byte(s->input);
    bool reader_first = end & 1, leaves = end & 2;
    if (s->reader != NULL && reader_first) end_reader(s->reader, leaves);
    for (int i = 0; i < WRITERS; i++)
        if (s->writers[i] != NULL) check(mslot_writer_close(s->writers[i]) == MSLOT_DONE);
    if (s->reader != NULL && !reader_first) end_reader(s->reader, leaves);
    mslot_remove("orders");
    stand_ins_end();

    int still_free = dup(0);
    close(still_free);
    check(first_free == still_free);
}

// MARK: the run

static mslot_ring raced;

static void *change_all_the_time(void *nothing)
{
    for (uint64_t state = 1;;) segment_change_at_random(&state, &raced);
    return nothing;
}

static void start_the_race(void)
{
    static unsigned char bytes[FUZZ_FIXED_BYTES_MAX];
    fuzz_input none = {NULL, 0};
    void *base = put_in_memory(bytes, segment_make(&none, bytes, RACE_SHAPE, true));
    raced = mslot__ring_of((const mslot_header *)(const void *)bytes, base);
    pthread_t thread;
    check(pthread_create(&thread, NULL, change_all_the_time, NULL) == 0);
    racing = true;
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    memset(payload, 0xa5, sizeof payload);
    memory = memory_with_an_end(FUZZ_SEGMENT_BYTES_MAX);
    // Each byte is unlike its neighbours, and those a lane farther.
    unsigned char *bytes = memory;
    for (size_t i = 0; i < FUZZ_SEGMENT_BYTES_MAX; i++) bytes[i] = (unsigned char)(FUZZ_PAYLOAD_BIT | i * 2654435761u >> 24);
    stand_ins_sleep = instead_of_sleeping;
    check(getenv("MAILSLOT_DIRECTORY") != NULL); // an empty one, for ours
    check(mslot_path("orders", path, sizeof path).outcome == MSLOT_DONE);
    if (getenv("MAILSLOTS_FUZZ_RACE") != NULL) start_the_race();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t byte_count)
{
    static unsigned char bytes[FUZZ_FIXED_BYTES_MAX];
    fuzz_input input = {data, byte_count};
    scene s = {.input = &input};
    playing = &s;
    uint8_t flags = input_byte(&input), shape = input_byte(&input);
    if (racing) {
        flags = INPUT_REPAIR;
        shape = (shape & SHAPE_NOISE) | RACE_SHAPE;
    }
    segment_size size = segment_make(&input, bytes, shape, flags & INPUT_REPAIR);
    if (flags & INPUT_FILE) {
        play_with_file(&s, flags, shape, bytes, size);
    } else {
        stand_ins_begin();
        play_in_memory(&s, bytes, size);
        stand_ins_end();
    }
    return 0;
}

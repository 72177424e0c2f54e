// The express lane, as programs meet it: who has it, what goes by it, and the fence that its reader leaves to others.

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_express(const mslot_writer *writer) { return writer->lane_index == MSLOT_EXPRESS_LANE; }

static mslot_opened open_leaving_express(void)
{
    mslot_open_options options = mslot_open_options_default();
    options.leaves_express_lane = true;
    return mslot_open("orders", &options);
}

/// Whether the newest message lies in its cell's line.
static bool is_in_line(mslot_reader *reader)
{
    const mslot_ring *ring = &reader->ring.ring;
    return mslot__cell_is_here(*mslot__ring_state(ring, mslot__ring_tail(ring).position - 1));
}

// MARK: who has it

TEST(the_first_writer_has_the_express_lane_until_it_closes)
{
    mslot_reader *reader = must_create("orders", 8, 64);
    for (int turn = 0; turn < 3; turn++) {
        mslot_writer *first = must_open("orders"), *second = must_open("orders");
        expect(has_express(first) && !has_express(second));
        must_close_writer(first);
        mslot_writer *third = must_open("orders");
        expect(has_express(third));
        must_close_writer(second);
        must_close_writer(third);
    }
    must_close(reader);
}

TEST(the_express_lane_of_a_killed_writer_is_the_next_ones_and_that_of_a_stopped_one_is_not)
{
    mslot_reader *reader = must_create("orders", 8, 4);
    uint64_t *ready = shared_words(1);
    for (uint64_t turn = 0; turn < 3; turn++) {
        shared_set(ready, 0);
        pid_t child = child_start();
        if (child == 0) {
            mslot_writer *writer = must_open("orders");
            expect(has_express(writer));
            must_write(writer, 1, 7 * turn);
            shared_set(ready, 1);
            for (;;) pause();
        }
        wait_until(shared_get(ready) == 1);
        child_stop(child);
        mslot_writer *other = must_open("orders");
        expect(!has_express(other));
        child_kill(child);
        mslot_writer *heir = must_open("orders");
        expect(has_express(heir));
        must_write(heir, 1, 7 * turn + 1);
        must_write(other, 2, turn);
        must_read_this(reader, 1, 7 * turn);
        must_read_this(reader, 1, 7 * turn + 1);
        must_read_this(reader, 2, turn);
        must_close_writer(heir);
        must_close_writer(other);
    }
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(who_leaves_the_express_lane_to_others_takes_it_only_if_no_other_is_free)
{
    mslot_reader *reader = must_create("orders", 8, 2);
    mslot_writer *second = open_leaving_express().writer;
    expect(second != NULL && !has_express(second));
    mslot_writer *first = must_open("orders");
    expect(has_express(first));
    expect_outcome(open_leaving_express().failure.outcome, MSLOT_TOO_MANY_WRITERS);
    must_close_writer(first);
    first = open_leaving_express().writer;
    expect(first != NULL && has_express(first));
    must_close_writer(first);
    must_close_writer(second);
    must_close(reader);
}

// MARK: what goes by it

static unsigned char byte_of(size_t length, size_t i) { return (unsigned char)(length * 31 + i * 7 + 1); }

static void make_bytes(unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) bytes[i] = byte_of(length, i);
}

/// Reads the next message, by copying and, with `in_place`, where it lies: it has this length, and is whole.
static void must_get(mslot_reader *reader, size_t length, bool in_place, uint32_t sender, uint16_t origin)
{
    unsigned char copied[MSLOT_MESSAGE_BYTES_MAX + 1];
    memset(copied, 0xaa, sizeof copied);
    if (in_place) {
        mslot_view view = mslot_reader_peek(reader, 0);
        expect_outcome(view.outcome, MSLOT_DONE);
        expect_equal(view.byte_count, length);
        expect(view.sender == sender && view.origin == origin);
        memcpy(copied, view.bytes, length);
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    } else {
        mslot_received received = mslot_reader_read(reader, copied, length, 0);
        expect_outcome(received.outcome, MSLOT_DONE);
        expect_equal(received.byte_count, length);
    }
    for (size_t i = 0; i < length; i++) expect_equal(copied[i], byte_of(length, i));
    for (size_t i = length; i < sizeof copied; i++) expect_equal(copied[i], 0xaa);
}

/// One way to write; the bytes are its own.
typedef void write_by(mslot_writer *writer, const unsigned char *bytes, size_t length);

static void by_write(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    expect_outcome(mslot_writer_write(writer, bytes, length, MSLOT_FOREVER), MSLOT_DONE);
}
static void by_loan(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    mslot_loaned loaned = mslot_writer_loan(writer);
    expect_outcome(loaned.outcome, MSLOT_DONE);
    memcpy(loaned.bytes, bytes, length);
    expect_outcome(mslot_writer_publish(writer, length, 0), MSLOT_DONE);
}
static void by_batch(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    const mslot_bytes message = {bytes, length};
    expect_equal(mslot_writer_write_batch(writer, &message, 1, 0).count, 1);
}
static void by_write_or_begin_wait(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    mslot_wait wait;
    memset(&wait, 0, sizeof wait);
    wait.ended = (void (*)(mslot_wait *))abort; // there is room
    expect_outcome(mslot_writer_write_or_begin_wait(writer, bytes, length, &wait), MSLOT_DONE);
}
static void by_write_from(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    expect_outcome(mslot_writer_write_from(writer, bytes, length, 0, 9, 3), MSLOT_DONE);
}
static void by_batch_from(mslot_writer *writer, const unsigned char *bytes, size_t length)
{
    const mslot_remote_message message = {bytes, (uint32_t)length, 9, 3};
    expect_equal(mslot_writer_write_batch_from(writer, &message, 1).count, 1);
}

TEST(a_message_of_every_length_arrives_whole_by_every_call_and_up_to_48_bytes_of_the_express_lane_in_a_line)
{
    static write_by *const ways[] = {by_write, by_loan, by_batch, by_write_or_begin_wait, by_write_from, by_batch_from};
    enum { WAYS = sizeof ways / sizeof ways[0], FROM_ANOTHER_MACHINE = 4 };
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writers[] = {must_open("orders"), must_open("orders")};
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    for (size_t length = 0; length <= MSLOT_MESSAGE_BYTES_MAX; length += length < 130 || length >= 420 ? 1 : 29) {
        make_bytes(bytes, length);
        for (int way = 0; way < WAYS; way++) {
            for (int lane = 0; lane < 2; lane++) {
                for (int in_place = 0; in_place < 2; in_place++) {
                    trying("%zu bytes, way %d, lane %d", length, way, lane);
                    ways[way](writers[lane], bytes, length);
                    expect_equal(is_in_line(reader), lane == 0 && length <= MSLOT_EXPRESS_BYTES_MAX);
                    bool is_remote = way >= FROM_ANOTHER_MACHINE;
                    must_get(reader, length, in_place, is_remote ? 9 : (uint32_t)getpid(), is_remote ? 3 : 0);
                }
            }
        }
    }
    expect_empty_and_sound(reader);
    for (int i = 0; i < 2; i++) must_close_writer(writers[i]);
    must_close(reader);
}

TEST(a_short_message_that_waits_for_room_goes_by_the_express_lane_when_there_is)
{
    mslot_reader *reader = must_create("orders", 2, 2);
    mslot_writer *filler = must_open_without_express("orders");
    for (uint64_t i = 0; i < 2; i++) must_write(filler, 0, i);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        unsigned char bytes[20];
        make_bytes(bytes, sizeof bytes);
        expect_outcome(mslot_writer_write(writer, bytes, sizeof bytes, MSLOT_FOREVER), MSLOT_DONE);
        child_end();
    }
    wait_until(has_waited(reader, 1));
    must_read_this(reader, 0, 0);
    child_join(child);
    expect(is_in_line(reader));
    must_read_this(reader, 0, 1);
    must_get(reader, 20, false, 0, 0);
    must_close_writer(filler);
    must_close(reader);
}

TEST(messages_by_lines_and_by_slots_come_in_order_and_each_writer_in_its_own)
{
    enum { EACH = 20000 };
    mslot_reader *reader = must_create("orders", 8, 4);
    pid_t senders[3];
    for (uint64_t sender = 0; sender < 3; sender++) {
        senders[sender] = child_start();
        if (senders[sender] != 0) continue;
        mslot_writer *writer = must_open("orders");
        unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
        for (uint64_t i = 0; i < EACH; i++) {
            size_t length = message_make_of(24 + i % 40, bytes, sender, i);
            expect_outcome(mslot_writer_write(writer, bytes, length, MSLOT_FOREVER), MSLOT_DONE);
        }
        child_end();
    }
    counts counted = {.count = 0};
    uint64_t in_line = 0;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    while (counted.count < 3 * EACH) {
        mslot_view view = mslot_reader_peek(reader, MSLOT_FOREVER);
        expect_outcome(view.outcome, MSLOT_DONE);
        in_line += mslot__cell_is_here(*mslot__ring_state(&reader->ring.ring, view.position));
        memcpy(bytes, view.bytes, view.byte_count);
        counts_add(&counted, message_check(bytes, view.byte_count), false);
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    }
    for (int i = 0; i < 3; i++) child_join(senders[i]);
    expect(in_line > 0 && in_line < 3 * EACH);
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: the fence that the reader leaves to others

/// Whether a new reader leaves its fence to those who wait, by what it says, and by what it does.
static bool leaves_fence(const mslot_reader *reader)
{
    bool says = reader->ring.ring.control->leaves_fence != 0;
    expect_equal(says, reader->ring.leaves_fence);
    return says;
}

static void need_membarrier(void)
{
    mslot_reader *reader = must_create("asked", 1, 1);
    bool has_it = leaves_fence(reader);
    must_close(reader);
    if (!has_it) skip("the kernel offers no membarrier(2) of this kind");
}

TEST(a_reader_that_cannot_be_registered_has_its_own_fence_and_says_so_also_after_one_that_was)
{
    need_membarrier();
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        expect(leaves_fence(must_create("orders", 2, 2)));
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    child_kill(child);
    child = child_start();
    if (child == 0) {
        refuse_system_call(SYS_membarrier, EPERM);
        mslot_reader *reader = must_adopt("orders");
        expect(!leaves_fence(reader));
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        expect_outcome(mslot_reader_reset(reader), MSLOT_DONE);
        expect(!leaves_fence(reader));
        must_read_this(reader, 0, 0);
        must_close_writer(writer);
        must_close(reader);
        child_end();
    }
    child_join(child);
    mslot_reader *reader = must_create("orders", 2, 2);
    expect(leaves_fence(reader));
    expect_outcome(mslot_reader_reset(reader), MSLOT_DONE);
    expect(leaves_fence(reader));
    must_close(reader);
}

TEST(a_writer_that_cannot_make_the_readers_fence_looks_again_every_millisecond)
{
    need_membarrier();
    mslot_reader *reader = must_create("orders", 1, 1);
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call(SYS_membarrier, EPERM);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        must_write(writer, 0, 1); // waits
        child_end();
    }
    wait_until(has_waited(reader, 200)); // within the time that a test may wait: it does not sleep a second each time
    must_read_this(reader, 0, 0);
    must_read_this(reader, 0, 1);
    child_join(child);
    must_close(reader);
}

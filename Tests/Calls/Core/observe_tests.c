// Seeing messages without taking them.

#include "common.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static mslot_observer *must_observe(uint32_t back)
{
    mslot_observer_opened observing = mslot_observer_open("orders", back);
    expect_outcome(observing.failure.outcome, MSLOT_DONE);
    return observing.observer;
}

/// Sees the next message, which must be this one, at the position that comes after `positions` others.
static void must_see(mslot_observer *observer, uint64_t number, uint64_t position)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_observed observed = mslot_observer_next(observer, bytes, sizeof bytes);
    expect_outcome(observed.outcome, MSLOT_DONE);
    expect_equal(message_check(bytes, observed.byte_count).number, number);
    expect_equal(observed.position, position);
    expect_equal(observed.sender, getpid());
    expect_equal(observed.origin, 0);
    expect_equal(observed.missed, 0);
}

static mslot_observed see(mslot_observer *observer)
{
    static unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    return mslot_observer_next(observer, bytes, sizeof bytes);
}

TEST(an_observer_sees_what_was_read_and_what_was_not_and_takes_nothing)
{
    enum { CAPACITY = 8 };
    mslot_reader *reader = must_create("orders", CAPACITY, 2);
    mslot_writer *writer = must_open("orders");
    mslot_observer *new_only = must_observe(0);
    expect_outcome(see(new_only).outcome, MSLOT_EMPTY);
    for (uint64_t i = 0; i < 5; i++) must_write(writer, 0, i);
    for (uint64_t i = 0; i < 3; i++) must_read_this(reader, 0, i);
    mslot_info before = mslot_reader_info(reader);

    mslot_observer *last_two = must_observe(2), *all = must_observe(1000);
    for (uint64_t i = 0; i < 5; i++) {
        must_see(new_only, i, CAPACITY + i);
        must_see(all, i, CAPACITY + i);
        if (i >= 3) must_see(last_two, i, CAPACITY + i);
    }
    expect_outcome(see(all).outcome, MSLOT_EMPTY);
    expect_outcome(see(last_two).outcome, MSLOT_EMPTY);
    mslot_info after = mslot_reader_info(reader);
    expect(memcmp(&before, &after, sizeof before) == 0);

    for (uint64_t i = 3; i < 5; i++) must_read_this(reader, 0, i);
    expect_empty_and_sound(reader);
    expect_outcome(mslot_observer_close(new_only), MSLOT_DONE);
    expect_outcome(mslot_observer_close(last_two), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
    expect_outcome(see(all).outcome, MSLOT_CLOSED);
    expect_outcome(mslot_observer_close(all), MSLOT_DONE);
}

TEST(an_observer_that_is_overtaken_says_how_many_messages_it_missed)
{
    enum { CAPACITY = 16, LAPS = 5 };
    mslot_reader *reader = must_create("orders", CAPACITY, 2);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = must_observe(0);
    uint64_t seen = 0, missed = 0;
    for (uint64_t i = 0; i < LAPS * CAPACITY; i++) {
        must_write(writer, 0, i);
        must_read_this(reader, 0, i);
    }
    for (mslot_observed observed = see(observer); observed.outcome == MSLOT_DONE; observed = see(observer)) {
        missed += observed.missed;
        seen++;
        expect_equal(observed.position, CAPACITY + missed + seen - 1);
    }
    expect_equal(seen + missed, LAPS * CAPACITY);
    expect_equal(seen, CAPACITY - CAPACITY / 8);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);

    // With what came before it began, it does not count.
    observer = must_observe(CAPACITY);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        must_write(writer, 0, i);
        must_read_this(reader, 0, i);
    }
    expect_equal(see(observer).missed, CAPACITY / 8);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_full_mailslot_has_no_message_behind_its_last)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = must_observe(0);
    for (uint64_t i = 0; i < 4; i++) must_write(writer, 0, i);
    for (uint64_t i = 0; i < 4; i++) must_see(observer, i, 4 + i);
    expect_outcome(see(observer).outcome, MSLOT_EMPTY);
    // Closed when full: the oldest message makes way for the seal.
    must_close_writer(writer);
    must_close(reader);
    expect_outcome(see(observer).outcome, MSLOT_CLOSED);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
}

static void must_write_short(mslot_writer *writer, uint32_t number)
{
    expect_outcome(mslot_writer_try_write(writer, &number, sizeof number), MSLOT_DONE);
}

static void must_take_short(mslot_reader *reader, uint32_t number)
{
    uint32_t got = 0;
    expect_outcome(mslot_reader_read(reader, &got, sizeof got, 0).outcome, MSLOT_DONE);
    expect_equal(got, number);
}

static void expect_laps_of_the_same_bits_to_be_told_apart(mslot_writer *(*open)(const char *name))
{
    enum { LAPS = 1 << 15 };
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = open("orders");
    const mslot_ring *ring = &reader->ring.ring;
    mslot_sight sight = mslot__sight_of_memory(reader->mapping.base, reader->mapping.base);
    must_write_short(writer, 0);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    uint64_t first = *mslot__ring_state(ring, 1);
    must_take_short(reader, 0);
    for (uint32_t i = 1; i < LAPS; i++) {
        must_write_short(writer, i);
        must_take_short(reader, i);
    }
    must_write_short(writer, LAPS);
    expect_equal(*mslot__ring_state(ring, 1), first); // the same word as at position 1
    expect_outcome(mslot__sight_copy(&sight, 1, bytes, sizeof bytes).outcome, MSLOT_BUSY);
    expect_outcome(mslot__sight_copy(&sight, 1 + LAPS, bytes, sizeof bytes).outcome, MSLOT_DONE);
    expect_outcome(mslot__sight_copy(&sight, 2 + LAPS, bytes, sizeof bytes).outcome, MSLOT_EMPTY);
    must_close_writer(writer);
    must_close(reader);
}

TEST(the_message_of_a_later_lap_with_the_same_15_bits_is_not_taken_for_an_earlier_one)
{
    expect_laps_of_the_same_bits_to_be_told_apart(must_open);
    expect_laps_of_the_same_bits_to_be_told_apart(must_open_without_express);
}

TEST(a_buffer_that_is_too_small_leaves_the_message_for_the_next_look)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = must_observe(0);
    unsigned char bytes[16];
    memset(bytes, 7, sizeof bytes);
    expect_outcome(mslot_writer_try_write(writer, "0123456789a", 11), MSLOT_DONE);
    mslot_observed observed = mslot_observer_next(observer, bytes, 10);
    expect_outcome(observed.outcome, MSLOT_TOO_LONG);
    expect_equal(observed.byte_count, 11);
    expect(bytes[0] == 7);
    observed = mslot_observer_next(observer, bytes, 11);
    expect_outcome(observed.outcome, MSLOT_DONE);
    expect(memcmp(bytes, "0123456789a\7", 12) == 0);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_long_message_is_seen_until_it_is_read)
{
    mslot_create_options options = small_options(8, 1);
    options.message_bytes_max = 5000;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = must_observe(0), *late = must_observe(0);
    unsigned char message[5000], bytes[5000];
    for (uint64_t i = 0; i < 3; i++)
        expect_outcome(mslot_writer_write(writer, message, message_make_of(4000 + i, message, 0, i), 0), MSLOT_DONE);
    for (uint64_t i = 0; i < 3; i++) {
        mslot_observed observed = mslot_observer_next(observer, bytes, sizeof bytes);
        expect_outcome(observed.outcome, MSLOT_DONE);
        expect_equal(observed.byte_count, 4000 + i);
        expect_equal(message_check(bytes, observed.byte_count).number, i);
    }
    for (uint64_t i = 0; i < 2; i++) expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_DONE);
    mslot_observed observed = mslot_observer_next(late, bytes, sizeof bytes);
    expect_outcome(observed.outcome, MSLOT_DONE);
    expect_equal(observed.missed, 2);
    expect_equal(message_check(bytes, observed.byte_count).number, 2);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    expect_outcome(mslot_observer_close(late), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

TEST(an_observer_needs_no_permission_to_write_and_none_to_be_there)
{
    expect_outcome(mslot_observer_open("orders", 0).failure.outcome, MSLOT_NOT_FOUND);
    expect_outcome(mslot_observer_open("a:b", 0).failure.outcome, MSLOT_BAD_NAME);
    mslot_reader *reader = must_create("orders", 4, 1);
    char path[4096];
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    mslot_observer *observer = must_observe(0);
    expect_equal(mslot_inspect("orders").info.writer_count, 0);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(see(observer).outcome, MSLOT_FORKED);
        expect_outcome(mslot_observer_close(observer), MSLOT_FORKED);
        child_end();
    }
    child_join(child);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close(reader);
}

TEST(an_observer_of_a_destroyed_ring_says_so)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_observer *observer = must_observe(0);
    memset(reader->ring.ring.cells, 0xff, 4 * sizeof(uint64_t));
    expect_outcome(see(observer).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_observer_open("orders", 0).failure.outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close(reader);
}

/// Two writers and a reader as fast as they can be, and an observer that must see nothing torn, twice or out of order. It looks for a
/// bounded time: through one cell every message is a hand-over between processes, which a busy machine makes a few hundred times a second.
static void observe_a_stream(uint32_t capacity, uint64_t byte_count_max)
{
    enum { WRITERS = 2, SEEN = 10000 };
    static const int64_t looking_ns = 4LL * SECOND;
    uint64_t *enough = shared_words(2), *ended = enough + 1;
    mslot_create_options options = small_options(capacity, WRITERS);
    options.message_bytes_max = (uint32_t)byte_count_max;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    pid_t children[WRITERS];
    for (uint64_t i = 0; i < WRITERS; i++) {
        children[i] = child_start();
        if (children[i] != 0) continue;
        mslot_writer *writer = must_open("orders");
        unsigned char message[4096];
        for (uint64_t number = 0; shared_get(enough) == 0; number++) {
            size_t bytes =
                number % 3 == 0 ? message_make_of(byte_count_max - number % 7, message, i, number) : message_make(message, i, number);
            expect_outcome(mslot_writer_write(writer, message, bytes, MSLOT_FOREVER), MSLOT_DONE);
        }
        must_close_writer(writer);
        shared_add(ended, 1);
        child_end();
    }
    pid_t watcher = child_start();
    if (watcher == 0) {
        mslot_observer *observer = must_observe(0);
        unsigned char bytes[4096];
        uint64_t next_position = 0, next[WRITERS] = {0};
        int64_t end = now_ns() + looking_ns;
        for (uint64_t seen = 0; seen < SEEN && (seen == 0 || now_ns() < end);) {
            mslot_observed observed = mslot_observer_next(observer, bytes, sizeof bytes);
            if (observed.outcome == MSLOT_EMPTY) {
                sched_yield();
                continue;
            }
            expect_outcome(observed.outcome, MSLOT_DONE);
            message_read message = message_check(bytes, observed.byte_count);
            if (seen > 0) expect_equal(observed.position, next_position + observed.missed);
            expect(message.writer < WRITERS && message.number >= next[message.writer]);
            next[message.writer] = message.number + 1;
            next_position = observed.position + 1;
            seen++;
        }
        expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
        shared_set(enough, 1);
        child_end();
    }
    unsigned char bytes[4096];
    counts all = {.count = 0};
    while (shared_get(ended) < WRITERS || mslot_reader_info(reader).message_count != 0) {
        mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, 10 * MILLISECOND);
        if (received.outcome == MSLOT_DONE) counts_add(&all, message_check(bytes, received.byte_count), false);
    }
    child_join(watcher);
    for (int i = 0; i < WRITERS; i++) child_join(children[i]);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(what_an_observer_sees_of_a_stream_is_whole_and_in_order_through_1_cell) { observe_a_stream(1, 424); }
TEST(what_an_observer_sees_of_a_stream_is_whole_and_in_order_through_4_cells) { observe_a_stream(4, 424); }
TEST(what_an_observer_sees_of_a_stream_is_whole_and_in_order_through_256_cells) { observe_a_stream(256, 424); }
TEST(what_an_observer_sees_of_long_messages_is_whole_and_in_order) { observe_a_stream(64, 3000); }

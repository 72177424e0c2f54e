// Messages longer than a slot: whole, in order, and as safe from a kill as the others.

#include "common.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 65536 };

// MARK: the messages

/// What a message of this kind begins with; the rest follows from it.
typedef struct long_head {
    uint32_t writer;
    uint32_t number;
    uint32_t byte_count;
} long_head;

static unsigned char byte_at(const long_head *head, uint32_t index)
{
    return (unsigned char)(head->writer * 89 + head->number * 31 + index);
}

static void make_long(unsigned char *bytes, uint32_t writer, uint32_t number, uint32_t byte_count)
{
    long_head head = {writer, number, byte_count};
    for (uint32_t i = sizeof head; i < byte_count; i++) bytes[i] = byte_at(&head, i);
    memcpy(bytes, &head, sizeof head);
}

static long_head check_long(const unsigned char *bytes, size_t byte_count)
{
    long_head head;
    expect(byte_count >= sizeof head);
    memcpy(&head, bytes, sizeof head);
    expect_equal(head.byte_count, byte_count);
    for (uint32_t i = sizeof head; i < byte_count; i++)
        if (bytes[i] != byte_at(&head, i))
            fail_at(
                __FILE__, __LINE__, "message %u of writer %u, %u bytes, is torn at byte %u", head.number, head.writer, head.byte_count, i);
    return head;
}

static mslot_outcome write_long(mslot_writer *handle, uint32_t writer, uint32_t number, uint32_t byte_count, int64_t timeout_ns)
{
    static unsigned char bytes[MSLOT_LONG_BYTES_MAX + 1];
    make_long(bytes, writer, number, byte_count);
    return mslot_writer_write(handle, bytes, byte_count, timeout_ns);
}

static long_head read_long(mslot_reader *reader)
{
    static unsigned char bytes[MSLOT_LONG_BYTES_MAX];
    mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS);
    expect_outcome(received.outcome, MSLOT_DONE);
    return check_long(bytes, received.byte_count);
}

static void read_this(mslot_reader *reader, uint32_t writer, uint32_t number)
{
    long_head head = read_long(reader);
    expect_equal(head.writer, writer);
    expect_equal(head.number, number);
}

static mslot_reader *create_long(uint32_t capacity, uint32_t writers, uint32_t message_bytes_max)
{
    mslot_create_options options = small_options(capacity, writers);
    options.message_bytes_max = message_bytes_max;
    mslot_created created = mslot_create("orders", &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    return created.reader;
}

/// Short and long ones in turn, of every kind of length.
static uint32_t length_of(uint32_t number)
{
    static const uint32_t lengths[] = {12, 424, 425, 4096, 1000, 40, 4097, 20000, 64, LONGEST, 448, 100};
    return lengths[number % (sizeof lengths / sizeof lengths[0])];
}

// MARK: one writer

TEST(messages_of_every_length_up_to_the_maximum_arrive_whole_and_in_order)
{
    mslot_reader *reader = create_long(64, 2, LONGEST);
    mslot_writer *writer = must_open("orders");
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 12; i++) expect_outcome(write_long(writer, 0, 12 * round + i, length_of(i), 0), MSLOT_DONE);
        expect_equal(mslot_reader_info(reader).next_byte_count, 12);
        for (uint32_t i = 0; i < 12; i++) read_this(reader, 0, 12 * round + i);
    }
    expect_outcome(write_long(writer, 0, 0, LONGEST + 1, 0), MSLOT_TOO_LONG);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(the_longest_maximum_takes_its_longest_message)
{
    mslot_reader *reader = create_long(1, 1, MSLOT_LONG_BYTES_MAX);
    mslot_writer *writer = must_open("orders");
    expect_outcome(write_long(writer, 0, 1, MSLOT_LONG_BYTES_MAX, 0), MSLOT_DONE);
    expect_outcome(write_long(writer, 0, 1, MSLOT_LONG_BYTES_MAX + 1, 0), MSLOT_TOO_LONG);
    expect_equal(mslot_reader_info(reader).next_byte_count, MSLOT_LONG_BYTES_MAX);
    read_this(reader, 0, 1);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_long_message_is_lent_in_place_asked_for_with_its_length_and_ends_a_batch_of_short_ones)
{
    mslot_reader *reader = create_long(8, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_message messages[4];
    expect_outcome(write_long(writer, 0, 0, 100, 0), MSLOT_DONE);
    expect_outcome(write_long(writer, 0, 1, 5000, 0), MSLOT_DONE);
    expect_outcome(write_long(writer, 0, 2, 425, 0), MSLOT_DONE);

    mslot_batch batch = mslot_reader_read_batch(reader, messages, 4, 0);
    expect_outcome(batch.outcome, MSLOT_DONE);
    expect_equal(batch.count, 1);
    batch = mslot_reader_read_batch(reader, messages, 4, 0);
    expect_outcome(batch.outcome, MSLOT_TOO_LONG);
    expect_equal(batch.count, 0);
    mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, 0);
    expect_outcome(received.outcome, MSLOT_TOO_LONG);
    expect_equal(received.byte_count, 5000);

    mslot_view first = mslot_reader_peek(reader, 0);
    mslot_view second = mslot_reader_peek(reader, 0);
    expect_outcome(second.outcome, MSLOT_DONE);
    expect_equal(check_long(first.bytes, first.byte_count).number, 1);
    expect_equal(check_long(second.bytes, second.byte_count).number, 2);
    expect_equal(second.sender, getpid());
    expect_outcome(mslot_reader_release(reader, 2), MSLOT_DONE);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_loan_is_a_slot_however_long_messages_may_be)
{
    mslot_reader *reader = create_long(4, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    mslot_loaned loaned = mslot_writer_loan(writer);
    expect_outcome(loaned.outcome, MSLOT_DONE);
    make_long(loaned.bytes, 0, 7, MSLOT_MESSAGE_BYTES_MAX);
    expect_outcome(mslot_writer_publish(writer, MSLOT_MESSAGE_BYTES_MAX + 1, 0), MSLOT_TOO_LONG);
    expect_outcome(mslot_writer_publish(writer, MSLOT_MESSAGE_BYTES_MAX, 0), MSLOT_DONE);
    read_this(reader, 0, 7);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: room

/// Writes messages of the longest kind until there is no room for another; how many there are.
static uint32_t fill_overflow(mslot_writer *writer)
{
    uint32_t count = 0;
    mslot_outcome outcome;
    while ((outcome = write_long(writer, 0, count, LONGEST, 0)) == MSLOT_DONE) count++;
    expect_outcome(outcome, MSLOT_FULL);
    return count;
}

TEST(a_full_overflow_is_a_full_mailslot_for_long_messages_of_its_writer_only)
{
    mslot_reader *reader = create_long(64, 2, LONGEST);
    mslot_writer *writer = must_open("orders");
    mslot_writer *other = must_open("orders");
    uint32_t count = fill_overflow(writer);
    expect(count >= 3 && count <= 4);
    expect_equal(mslot_reader_info(reader).full_writes, 1);
    expect_outcome(write_long(writer, 0, count, LONGEST, 5 * MILLISECOND), MSLOT_TIMED_OUT);
    expect_equal(mslot_reader_info(reader).full_writes, 2);
    expect_outcome(write_long(writer, 0, count, 424, 0), MSLOT_DONE);
    expect_outcome(write_long(other, 1, 0, LONGEST, 0), MSLOT_DONE);

    for (uint32_t i = 0; i < count; i++) read_this(reader, 0, i);
    expect_outcome(write_long(writer, 0, count + 1, LONGEST, 0), MSLOT_DONE);
    read_this(reader, 0, count);
    read_this(reader, 1, 0);
    read_this(reader, 0, count + 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close_writer(other);
    must_close(reader);
}

TEST(nothing_is_written_over_a_long_message_before_it_was_read_wherever_the_overflow_turns)
{
    mslot_reader *reader = create_long(1024, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    uint32_t written = 0, read = 0;
    for (int round = 0; round < 2000; round++) {
        // Mostly short, so that many lie there at once; and mostly full.
        while (written - read < 1024) {
            uint32_t byte_count = MSLOT_MESSAGE_BYTES_MAX + 1 + (uint32_t)random_below(random_below(8) == 0 ? LONGEST - 425 : 6000);
            mslot_outcome outcome = write_long(writer, 0, written, byte_count, 0);
            if (outcome == MSLOT_FULL) break;
            expect_outcome(outcome, MSLOT_DONE);
            written++;
        }
        for (uint64_t count = 1 + random_below(written - read); count > 0; count--) read_this(reader, 0, read++);
    }
    while (read < written) read_this(reader, 0, read++);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(the_whole_overflow_is_free_again_once_everything_was_read)
{
    mslot_reader *reader = create_long(8, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    for (uint32_t round = 0; round < 3; round++) {
        expect_equal(fill_overflow(writer), mslot__overflow_lane_bytes(LONGEST) / LONGEST);
        for (uint32_t i = 0; i < 4; i++) read_this(reader, 0, i);
    }
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(an_end_of_the_overflow_that_was_left_out_does_not_hide_what_is_unread_before_it)
{
    enum { SECTION = LONGEST / 4 };
    mslot_reader *reader = create_long(16, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    // Twelve sections, and two; the last two are left out by whoever needs four.
    for (uint32_t i = 0; i < 3; i++) expect_outcome(write_long(writer, 0, i, 4 * SECTION, 0), MSLOT_DONE);
    expect_outcome(write_long(writer, 0, 3, 2 * SECTION, 0), MSLOT_DONE);
    for (uint32_t i = 0; i < 3; i++) {
        read_this(reader, 0, i);
        expect_outcome(write_long(writer, 0, 4 + i, 4 * SECTION, 0), MSLOT_DONE);
    }
    expect_outcome(write_long(writer, 0, 7, 4 * SECTION, 0), MSLOT_FULL);
    read_this(reader, 0, 3);
    expect_outcome(write_long(writer, 0, 7, 4 * SECTION, 0), MSLOT_DONE);
    for (uint32_t i = 4; i < 8; i++) read_this(reader, 0, i);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_writer_that_waits_for_room_in_its_overflow_hears_of_it_at_once)
{
    mslot_reader *reader = create_long(64, 1, LONGEST);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        for (uint32_t number = 0; number < 200; number++) expect_outcome(write_long(writer, 0, number, LONGEST, MSLOT_FOREVER), MSLOT_DONE);
        must_close_writer(writer);
        child_end();
    }
    int64_t longest_ns = 0;
    for (uint32_t number = 0; number < 200; number++) {
        // So that it sleeps now and then: one second is what it sleeps if nobody tells it.
        if (number % 50 == 3) wait_until(has_waited(reader, number / 50 + 1));
        int64_t before = now_ns();
        read_this(reader, 0, number);
        if (now_ns() - before > longest_ns) longest_ns = now_ns() - before;
    }
    expect(longest_ns < AT_ONCE_NS);
    child_join(child);
    expect_empty_and_sound(reader);
    must_close(reader);
}

/// In a child: a writer whose overflow is full, though the ring has room, and that waits. What it is told is in `told`, plus 1.
static pid_t start_waiting_in_vain(uint64_t *told, bool through_restarts)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = through_restarts;
    mslot_writer *writer = mslot_open("orders", &options).writer;
    expect(writer != NULL);
    uint32_t count = fill_overflow(writer);
    mslot_outcome outcome = write_long(writer, 0, count, LONGEST, TEST_TIMEOUT_NS);
    shared_set(told, 1 + (uint64_t)outcome);
    must_close_writer(writer);
    child_end();
}

TEST(a_writer_whose_overflow_is_full_is_told_that_the_mailslot_was_closed)
{
    for (int through_restarts = 0; through_restarts < 2; through_restarts++) {
        uint64_t *told = shared_words(1);
        mslot_reader *reader = create_long(64, 2, LONGEST);
        mslot_writer *writer = must_open("orders");
        uint32_t count = fill_overflow(writer);
        pid_t child = start_waiting_in_vain(told, through_restarts != 0);
        wait_until(has_waited(reader, 1));
        must_close(reader);
        child_join(child);
        expect_outcome(shared_get(told) - 1, MSLOT_CLOSED);
        expect_outcome(write_long(writer, 0, count, LONGEST, 0), MSLOT_CLOSED);
        must_close_writer(writer);
    }
}

TEST(a_writer_whose_overflow_is_full_is_told_that_the_reader_was_killed_and_has_published_nothing)
{
    uint64_t *told = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        create_long(64, 2, LONGEST);
        shared_set(told, 1);
        for (;;) pause();
    }
    wait_until(shared_get(told) != 0);
    mslot_writer *writer = must_open("orders");
    uint32_t count = fill_overflow(writer);
    child_kill(child);
    expect_outcome(write_long(writer, 0, count, LONGEST, TEST_TIMEOUT_NS), MSLOT_NO_READER);
    mslot_reader *reader = must_adopt("orders");
    for (uint32_t i = 0; i < count; i++) read_this(reader, 0, i);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_short_message_that_waits_for_room_after_a_long_one_was_given_up_is_the_one_that_arrives)
{
    mslot_reader *reader = create_long(4, 1, LONGEST);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        uint32_t count = fill_overflow(writer);
        expect_outcome(write_long(writer, 0, count, 1000, 1), MSLOT_TIMED_OUT);
        expect_outcome(write_long(writer, 0, count + 1, 100, TEST_TIMEOUT_NS), MSLOT_DONE);
        must_close_writer(writer);
        child_end();
    }
    wait_until(has_waited(reader, 1) && mslot_reader_info(reader).full_writes == 3);
    for (uint32_t i = 0; i < 4; i++) read_this(reader, 0, i);
    read_this(reader, 0, 5);
    child_join(child);
    expect_empty_and_sound(reader);
    must_close(reader);
}

static uint64_t file_blocks(void)
{
    char path[4096];
    struct stat status;
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    expect_equal(stat(path, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

TEST(an_overflow_takes_memory_only_when_its_writer_first_needs_it_and_once_for_all_owners_of_its_lane)
{
    mslot_reader *reader = create_long(4, 64, LONGEST);
    uint64_t at_first = file_blocks();
    expect(at_first < 64 * 1024);
    for (uint32_t i = 0; i < 200; i++) {
        mslot_writer *writer = must_open("orders");
        expect_outcome(write_long(writer, 0, 2 * i, 424, 0), MSLOT_DONE);
        if (i == 0) expect_equal(file_blocks(), at_first);
        expect_outcome(write_long(writer, 0, 2 * i + 1, 425, 0), MSLOT_DONE);
        read_this(reader, 0, 2 * i);
        read_this(reader, 0, 2 * i + 1);
        must_close_writer(writer);
    }
    expect(file_blocks() <= at_first + 64 * mslot__overflow_lane_bytes(LONGEST));
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: many writers, and the lanes of the dead

TEST(long_and_short_messages_of_many_writers_arrive_once_whole_and_in_order)
{
    enum { WRITERS = 4, COUNT = 600 };
    mslot_reader *reader = create_long(8, WRITERS, LONGEST);
    pid_t children[WRITERS];
    for (uint32_t w = 0; w < WRITERS; w++) {
        children[w] = child_start();
        if (children[w] != 0) continue;
        mslot_writer *writer = must_open("orders");
        for (uint32_t number = 0; number < COUNT; number++)
            expect_outcome(write_long(writer, w, number, length_of(number + 5 * w), TEST_TIMEOUT_NS), MSLOT_DONE);
        must_close_writer(writer);
        child_end();
    }
    uint32_t next[WRITERS] = {0};
    for (uint32_t i = 0; i < WRITERS * COUNT; i++) {
        long_head head = read_long(reader);
        expect(head.writer < WRITERS);
        expect_equal(head.number, next[head.writer]++);
    }
    for (int w = 0; w < WRITERS; w++) child_join(children[w]);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(the_next_owner_of_a_lane_writes_over_nothing_that_is_unread)
{
    mslot_reader *reader = create_long(64, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    uint32_t count = fill_overflow(writer);
    must_close_writer(writer);

    writer = must_open("orders");
    expect_outcome(write_long(writer, 1, 0, LONGEST, 0), MSLOT_FULL);
    expect_outcome(write_long(writer, 1, 0, 100, 0), MSLOT_DONE);
    for (uint32_t i = 0; i + 1 < count; i++) read_this(reader, 0, i);
    expect_outcome(write_long(writer, 1, 1, LONGEST, 0), MSLOT_FULL);
    read_this(reader, 0, count - 1);
    expect_outcome(write_long(writer, 1, 1, LONGEST, 0), MSLOT_DONE);
    read_this(reader, 1, 0);
    read_this(reader, 1, 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

/// A write of a long message as mslot_writer_write does it, up to the step after the swap.
static void publish_long_and_no_more(mslot_writer *writer, uint32_t number)
{
    mslot_place place = mslot__ring_place(&writer->ring, 1000);
    expect(place.bytes != NULL);
    make_long(place.bytes, 0, number, 1000);
    mslot_slot *slot = mslot__ring_own_slot(&writer->ring);
    mslot__writer_head(writer, slot, 1000);
    slot->extra = place.offset;
    expect_outcome(mslot__writer_publish_and_wake(writer, NULL), MSLOT_DONE);
}

TEST(what_a_writer_published_just_before_it_was_killed_is_not_written_over_by_the_next_owner_of_its_lane)
{
    mslot_reader *reader = create_long(4, 1, LONGEST);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        expect_outcome(mslot__ring_begin_overflow(&writer->ring), MSLOT_DONE);
        publish_long_and_no_more(writer, 0);
        child_end();
    }
    child_join(child);
    mslot_writer *writer = must_open("orders");
    expect_outcome(write_long(writer, 1, 0, 1000, 0), MSLOT_FULL);
    read_this(reader, 0, 0);
    expect_outcome(write_long(writer, 1, 0, 1000, 0), MSLOT_DONE);
    read_this(reader, 1, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(what_a_write_published_that_was_left_by_a_jump_is_not_written_over_after_the_reset)
{
    mslot_reader *reader = create_long(4, 1, LONGEST);
    mslot_writer *writer = must_open("orders");
    expect_outcome(write_long(writer, 0, 0, 1000, 0), MSLOT_DONE);
    publish_long_and_no_more(writer, 1);
    expect_outcome(mslot_writer_reset(writer), MSLOT_DONE);
    expect_outcome(write_long(writer, 0, 2, 1000, 0), MSLOT_FULL);
    read_this(reader, 0, 0);
    expect_outcome(write_long(writer, 0, 2, 1000, 0), MSLOT_FULL);
    read_this(reader, 0, 1);
    expect_outcome(write_long(writer, 0, 2, 1000, 0), MSLOT_DONE);
    read_this(reader, 0, 2);
    must_close_writer(writer);
    must_close(reader);
}

enum { KILLED = 60 };

/// Writers that are killed one after the other, and what has arrived of the one whose messages come now.
typedef struct succession {
    uint64_t *written; // what each knows to have written
    uint32_t writer;
    uint32_t count;
} succession;

/// The writer after the one whose messages came until now. Lost may be only the one that it was at when it was killed; and as
/// likely as not it had published that one.
static void end_of_writer(succession *s)
{
    uint64_t written = shared_get(&s->written[s->writer]);
    expect(s->count == written || s->count == written + 1);
    s->writer++;
    s->count = 0;
}

static void accept_next(succession *s, long_head head)
{
    while (head.writer != s->writer) end_of_writer(s);
    expect_equal(head.number, s->count++);
}

TEST(writers_killed_at_random_in_long_writes_lose_at_most_that_one_message_and_tear_none)
{
    mslot_reader *reader = create_long(16, 1, LONGEST);
    succession s = {.written = shared_words(KILLED)};
    for (uint32_t w = 0; w < KILLED; w++) {
        pid_t child = child_start();
        if (child == 0) {
            mslot_writer *handle = must_open("orders"); // the one lane, of the one who was killed before
            for (uint32_t number = 0;; number++) {
                expect_outcome(write_long(handle, w, number, length_of(number), TEST_TIMEOUT_NS), MSLOT_DONE);
                shared_set(&s.written[w], number + 1);
            }
        }
        uint64_t kill_after = 1 + random_below(40);
        while (shared_get(&s.written[w]) < kill_after) accept_next(&s, read_long(reader));
        child_kill(child);
        // The next writer finds some of its messages unread.
        for (uint64_t left = random_below(17); mslot_reader_info(reader).message_count > left;) accept_next(&s, read_long(reader));
    }
    while (mslot_reader_info(reader).message_count > 0) accept_next(&s, read_long(reader));
    while (s.writer < KILLED) end_of_writer(&s);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_killed_readers_long_messages_wait_for_the_next_and_what_it_had_lent_comes_again)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = create_long(8, 1, LONGEST);
        mslot_writer *writer = must_open("orders");
        for (uint32_t i = 0; i < 3; i++) expect_outcome(write_long(writer, 0, i, 60000, 0), MSLOT_DONE);
        must_close_writer(writer);
        read_this(reader, 0, 0);
        expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DONE);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) != 0);
    child_kill(child);
    mslot_reader *reader = must_adopt("orders");
    mslot_writer *writer = must_open("orders");
    expect_outcome(write_long(writer, 1, 0, 30000, 0), MSLOT_FULL); // the dead one's lie in this lane
    read_this(reader, 0, 1);
    read_this(reader, 0, 2);
    expect_outcome(write_long(writer, 1, 0, 30000, 0), MSLOT_DONE);
    read_this(reader, 1, 0);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: lies

TEST(a_slot_that_lies_about_a_long_message_is_damage_or_bytes_of_this_mailslot)
{
    mslot_reader *reader = create_long(8, 2, LONGEST);
    mslot_writer *writer = must_open("orders");
    uint64_t lane_bytes = mslot__overflow_lane_bytes(LONGEST);
    const struct {
        uint32_t length, lane;
        uint64_t extra;
        bool is_damage;
    } lies[] = {
        {LONGEST + 1, 0, 0, true}, {0xffffffff, 0, 0, true}, {LONGEST, 2, 0, true}, {LONGEST, 0xffffffff, 0, true},
        {LONGEST, 0, lane_bytes - LONGEST + 1, true}, {425, 0, lane_bytes, true}, {425, 1, ~0ULL, true},
        {LONGEST, 1, lane_bytes - LONGEST, false}, // the last byte of the segment
    };
    uint64_t damaged = 0;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        trying("lie %zu", i);
        expect_outcome(write_long(writer, 0, 0, 1000, 0), MSLOT_DONE);
        mslot_ring *ring = &reader->ring.ring;
        mslot_slot *slot = mslot__ring_slot(ring, mslot__cell_index(*mslot__ring_state(ring, reader->ring.next)));
        slot->length = lies[i].length;
        slot->lane = lies[i].lane;
        slot->extra = lies[i].extra;
        mslot_view view = mslot_reader_peek(reader, 0);
        expect_outcome(view.outcome, lies[i].is_damage ? MSLOT_DAMAGED : MSLOT_DONE);
        if (lies[i].is_damage) {
            damaged++;
            expect(mslot_reader_info(reader).damaged >= damaged);
        } else {
            const unsigned char *end = (const unsigned char *)reader->mapping.base + reader->mapping.bytes;
            expect(view.bytes + view.byte_count == end);
            expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
        }
    }
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_lane_that_lies_about_its_overflow_makes_its_owner_wait_no_longer_than_for_what_is_unread)
{
    const uint64_t lies[] = {1, 7, 1000, ~0ULL - 1, ~0ULL, 1ULL << 63};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        trying("lie 0x%llx", (unsigned long long)lies[i]);
        mslot_reader *reader = create_long(8, 1, LONGEST);
        reader->ring.ring.lanes[0].overflow = lies[i];
        mslot_writer *writer = must_open("orders");
        expect_outcome(write_long(writer, 0, 0, 1000, 0), MSLOT_DONE);
        read_this(reader, 0, 0);
        must_close_writer(writer);
        must_close(reader);
    }
}

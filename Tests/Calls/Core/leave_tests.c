// A reader that leaves, and what one that closes or takes over discards.

#include "common.h"

#include <string.h>

static void must_leave(mslot_reader *reader) { expect_outcome(mslot_reader_leave(reader), MSLOT_DONE); }

static mslot_created create_over(bool adopt)
{
    mslot_create_options options = mslot_create_options_default();
    options.adopt = adopt;
    return mslot_create("orders", &options);
}

// MARK: leaving

TEST(what_a_reader_that_left_had_not_released_comes_again_to_the_next_at_its_position)
{
    mslot_reader *reader = must_create("orders", 16, 4);
    mslot_writer *writer = must_open("orders");
    for (uint64_t i = 0; i < 10; i++) must_write(writer, 0, i);
    for (uint64_t i = 0; i < 4; i++) must_read_this(reader, 0, i);
    for (uint64_t i = 4; i < 6; i++) expect_equal(mslot_reader_peek(reader, 0).position, 16 + i); // lent, not released
    must_leave(reader);

    expect(!mslot_inspect("orders").info.reader_present);
    expect_equal(mslot_inspect("orders").info.message_count, 6);
    expect_outcome(open_outcome("orders"), MSLOT_NO_READER);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    for (uint64_t i = 10; i < 20; i++) must_write(writer, 0, i); // there is room: the writer goes on
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_FULL);

    mslot_created created = create_over(true);
    expect(created.adopted);
    expect_equal(created.unread_count, 16);
    for (uint64_t i = 4; i < 20; i++) {
        unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
        mslot_received received = mslot_reader_read(created.reader, bytes, sizeof bytes, 0);
        expect_outcome(received.outcome, MSLOT_DONE);
        expect_equal(received.position, 16 + i);
        expect_equal(message_check(bytes, received.byte_count).number, i);
    }
    must_write(writer, 0, 20);
    must_read_this(created.reader, 0, 20);
    expect_empty_and_sound(created.reader);
    must_close_writer(writer);
    must_close(created.reader);
}

TEST(a_reader_leaves_an_empty_mailslot_for_the_next_too)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    for (uint64_t i = 0; i < 3; i++) {
        must_leave(reader);
        mslot_created created = create_over(true);
        expect(created.adopted);
        expect_equal(created.unread_count, 0);
        reader = created.reader;
        must_write(writer, 0, i);
        must_read_this(reader, 0, i);
    }
    must_close_writer(writer);
    must_close(reader);
}

TEST(what_a_reader_left_can_be_removed)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_leave(reader);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_CLOSED);
    must_close_writer(writer);
}

TEST(a_reader_that_is_in_a_call_does_not_leave)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    reader->state = MSLOT_HANDLE_CALLING;
    expect_outcome(mslot_reader_leave(reader), MSLOT_BUSY);
    reader->state = MSLOT_HANDLE_IDLE;
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0); // nothing has happened to it
    must_leave(reader);
    expect_outcome(mslot_reader_leave(reader), MSLOT_NOT_OPEN);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_reader_that_a_reset_finds_damaged_can_still_leave)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    memset(reader->ring.ring.cells, 0xff, 4 * sizeof(uint64_t));
    expect_outcome(mslot_reader_reset(reader), MSLOT_DAMAGED);
    must_leave(reader);
    expect_outcome(create_over(true).failure.outcome, MSLOT_DAMAGED);
    mslot_created created = create_over(false);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    must_close(created.reader);
}

TEST(a_forked_child_leaves_nothing_of_its_parents)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    pid_t child = child_start();
    if (child == 0) {
        uint32_t discarded = 7;
        expect_outcome(mslot_reader_leave(reader), MSLOT_FORKED);
        expect_outcome(mslot_reader_close_counting(reader, &discarded), MSLOT_FORKED);
        expect_equal(discarded, 0);
        child_end();
    }
    child_join(child);
    expect_outcome(create_over(true).failure.outcome, MSLOT_ALREADY_EXISTS);
    must_close(reader);
}

/// A child that fills "orders" and then waits for room to write one more; its outcome comes into `*outcome`, plus 100.
static pid_t start_waiting_writer(uint64_t *outcome, bool through_restarts)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = through_restarts;
    mslot_writer *writer = mslot_open("orders", &options).writer;
    for (uint64_t i = 0; i < 4; i++) must_write(writer, 7, i);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    size_t byte_count = message_make(bytes, 7, 4);
    shared_set(outcome, 100 + (uint64_t)mslot_writer_write(writer, bytes, byte_count, MSLOT_FOREVER));
    must_close_writer(writer);
    child_end();
}

TEST(a_writer_that_waits_for_room_learns_within_about_a_second_that_the_reader_left)
{
    need_mappings_that_are_not_forked();
    uint64_t *outcome = shared_words(1);
    mslot_reader *reader = must_create("orders", 4, 2);
    pid_t child = start_waiting_writer(outcome, false);
    wait_until(has_waited(reader, 1));
    int64_t begun = now_ns();
    must_leave(reader);
    child_join(child);
    expect_outcome(shared_get(outcome) - 100, MSLOT_NO_READER);
    expect(now_ns() - begun < 5LL * SECOND);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_writer_told_so_waits_until_another_reader_follows_one_that_left)
{
    need_mappings_that_are_not_forked();
    uint64_t *outcome = shared_words(1);
    mslot_reader *reader = must_create("orders", 4, 2);
    pid_t child = start_waiting_writer(outcome, true);
    wait_until(has_waited(reader, 1));
    must_leave(reader);
    wait_until(mslot_inspect("orders").info.writer_waits >= 3); // it looked again, and went on waiting
    expect_equal(shared_get(outcome), 0);
    reader = must_adopt("orders");
    for (uint64_t i = 0; i < 5; i++) must_read_this(reader, 7, i);
    child_join(child);
    expect_outcome(shared_get(outcome) - 100, MSLOT_DONE);
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: a hand-over under load

enum { SERVERS = 2, CLIENTS = 3, OF_EACH = 4000, AT_A_TIME_MAX = 200 };

/// What the servers, one after the other, have handled.
typedef struct service {
    uint64_t next[CLIENTS];
    uint64_t position;
    uint64_t count;
    /// How many readers there were.
    uint64_t readers;
} service;

static bool is_over(const service *s) { return shared_get(&s->count) == CLIENTS * OF_EACH; }

/// Writes its numbers through all hand-overs, and opens anew now and then, as short-lived clients do.
_Noreturn static void write_numbers(uint64_t client)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = MSLOT_FOREVER;
    options.wait_through_restarts = true;
    for (uint64_t number = 0; number < OF_EACH;) {
        mslot_opened opened = mslot_open("orders", &options);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        for (uint64_t end = number + OF_EACH / 8; number < end; number++) must_write(opened.writer, client, number);
        must_close_writer(opened.writer);
    }
    child_end();
}

/// The next number of its client, at the next position; a message that came twice, or not at all, is neither.
static void handle(service *s, uint64_t position, const unsigned char *bytes, size_t byte_count)
{
    message_read message = message_check(bytes, byte_count);
    expect_equal(position, shared_get(&s->position));
    expect_equal(message.number, shared_get(&s->next[message.writer]));
    shared_add(&s->position, 1);
    shared_add(&s->next[message.writer], 1);
    shared_add(&s->count, 1);
}

static mslot_reader *follow(service *s)
{
    for (;;) {
        mslot_created created = create_over(true);
        if (created.failure.outcome == MSLOT_DONE) {
            shared_add(&s->readers, 1);
            return created.reader;
        }
        expect_outcome(created.failure.outcome, MSLOT_ALREADY_EXISTS);
        if (is_over(s)) child_end();
    }
}

/// Serves some messages, copied and in place, looks at a few more, and leaves, again and again.
_Noreturn static void serve_by_turns(service *s)
{
    while (!is_over(s)) {
        mslot_reader *reader = follow(s);
        uint64_t mine = shared_get(&s->readers);
        for (uint64_t left = 1 + random_below(AT_A_TIME_MAX); left > 0 && !is_over(s); left--) {
            if (left % 2 == 0) {
                unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
                mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS);
                expect_outcome(received.outcome, MSLOT_DONE);
                handle(s, received.position, bytes, received.byte_count);
            } else {
                mslot_view view = mslot_reader_peek(reader, TEST_TIMEOUT_NS);
                expect_outcome(view.outcome, MSLOT_DONE);
                handle(s, view.position, view.bytes, view.byte_count);
                expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
            }
        }
        for (uint64_t i = random_below(4); i > 0; i--) mslot_reader_peek(reader, 0); // they come again
        must_leave(reader);
        wait_until(shared_get(&s->readers) != mine || is_over(s));
    }
    child_end();
}

TEST(two_servers_that_hand_over_under_load_handle_every_message_once_and_in_order)
{
    service *s = (service *)(void *)shared_words(sizeof(service) / sizeof(uint64_t));
    mslot_reader *reader = must_create("orders", 16, CLIENTS + 1);
    shared_set(&s->position, reader->ring.head);
    must_leave(reader);
    pid_t children[SERVERS + CLIENTS];
    for (uint64_t i = 0; i < SERVERS + CLIENTS; i++) {
        random_next(); // each child goes on from another number
        children[i] = child_start();
        if (children[i] != 0) continue;
        if (i < SERVERS) serve_by_turns(s);
        write_numbers(i - SERVERS);
    }
    for (int i = 0; i < SERVERS + CLIENTS; i++) child_join(children[i]);
    reader = must_adopt("orders");
    expect_equal(shared_get(&s->count), CLIENTS * OF_EACH);
    expect(shared_get(&s->readers) >= CLIENTS * OF_EACH / AT_A_TIME_MAX);
    expect_equal(mslot_reader_info(reader).adoptions, shared_get(&s->readers) + 1);
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: what is discarded is counted

static uint32_t must_close_counting(mslot_reader *reader)
{
    uint32_t discarded = 77;
    expect_outcome(mslot_reader_close_counting(reader, &discarded), MSLOT_DONE);
    return discarded;
}

TEST(a_close_counts_what_it_discards_in_an_empty_a_partly_filled_and_a_full_ring)
{
    for (uint32_t cells = 1; cells <= 8; cells *= 2) {
        for (uint32_t read = 0; read <= cells + 1; read++) {
            for (uint32_t unread = 0; unread <= cells; unread++) {
                trying("%u cells, %u read, %u unread", cells, read, unread);
                mslot_reader *reader = must_create("orders", cells, 1);
                mslot_writer *writer = must_open("orders");
                for (uint64_t i = 0; i < read; i++) {
                    must_write(writer, 0, i);
                    must_read_this(reader, 0, i);
                }
                for (uint64_t i = 0; i < unread; i++) must_write(writer, 1, i);
                for (uint32_t i = 0; i < unread / 2; i++) mslot_reader_peek(reader, 0); // lent is unread
                expect_equal(must_close_counting(reader), unread);
                must_close_writer(writer);
            }
        }
    }
}

TEST(a_close_counts_every_message_whose_write_succeeded_and_was_not_read)
{
    enum { ROUNDS = 30 };
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t *written = shared_words(1);
        mslot_reader *reader = must_create("orders", 64, 1);
        pid_t child = child_start();
        if (child == 0) {
            mslot_writer *writer = must_open("orders");
            mslot_outcome outcome = MSLOT_DONE;
            for (uint64_t count = 0; outcome == MSLOT_DONE; count++) {
                shared_set(written, count);
                outcome = mslot_writer_write(writer, "x", 1, MSLOT_FOREVER);
            }
            expect_outcome(outcome, MSLOT_CLOSED);
            must_close_writer(writer);
            child_end();
        }
        unsigned char bytes[8];
        uint64_t read = 1 + random_below(200);
        for (uint64_t i = 0; i < read; i++)
            expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
        uint32_t discarded = must_close_counting(reader);
        child_join(child);
        expect_equal(read + discarded, shared_get(written));
    }
}

TEST(a_close_of_a_damaged_ring_counts_nothing)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    memset(reader->ring.ring.cells, 0xff, 4 * sizeof(uint64_t));
    expect_equal(must_close_counting(reader), 0);
}

TEST(who_takes_over_afresh_is_told_how_much_was_discarded)
{
    for (uint32_t unread = 0; unread <= 4; unread++) {
        trying("%u unread", unread);
        mslot_reader *reader = must_create("orders", 4, 2);
        mslot_writer *writer = must_open("orders");
        for (uint64_t i = 0; i < unread; i++) must_write(writer, 0, i);
        must_leave(reader);
        mslot_created created = create_over(false);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        expect(!created.adopted);
        expect_equal(created.unread_count, unread);
        expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_CLOSED);
        must_close_writer(writer);
        must_close(created.reader);
    }
    mslot_created created = create_over(false);
    expect_equal(created.unread_count, 0);
    must_close(created.reader);
}

// Every call and every outcome that one process can bring about.

#include "common.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// A mailslot "orders" with both ends in this process.
typedef struct pair {
    mslot_reader *reader;
    mslot_writer *writer;
} pair;

static pair pair_make(uint32_t capacity)
{
    pair p;
    p.reader = must_create("orders", capacity, 4);
    p.writer = must_open("orders");
    return p;
}

/// Closes both after a last look at the indices.
static void pair_end(pair p)
{
    expect(mslot_reader_check(p.reader));
    must_close_writer(p.writer);
    must_close(p.reader);
}

static mslot_outcome read_outcome(mslot_reader *reader, int64_t timeout_ns)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    return mslot_reader_read(reader, bytes, sizeof bytes, timeout_ns).outcome;
}

static void fill(pair p, uint32_t capacity)
{
    for (uint32_t i = 0; i < capacity; i++) must_write(p.writer, 0, i);
}

// MARK: creating and opening

TEST(an_option_out_of_range_is_a_bad_argument_and_leaves_nothing)
{
    static const struct {
        const char *what;
        uint32_t capacity, writers, message_bytes_max, mode;
        mslot_outcome outcome;
    } cases[] = {
        {"the defaults", 0, 0, 0, 0, MSLOT_DONE},
        {"the smallest", 1, 1, 1, 0600, MSLOT_DONE},
        {"the largest", 32768, 32767, 424, 0666, MSLOT_DONE},
        {"capacity 3", 3, 1, 0, 0, MSLOT_BAD_ARGUMENT},
        {"capacity 65536", 65536, 1, 0, 0, MSLOT_BAD_ARGUMENT},
        {"capacity 2^31", 0x80000000u, 1, 0, 0, MSLOT_BAD_ARGUMENT},
        {"65535 writers", 1, 65535, 0, 0, MSLOT_BAD_ARGUMENT},
        {"32768 and 32768", 32768, 32768, 0, 0, MSLOT_BAD_ARGUMENT},
        {"65535 writers of the default capacity", 0, 65535, 0, 0, MSLOT_BAD_ARGUMENT},
        {"2^32 - 1 writers", 1, 0xffffffffu, 0, 0, MSLOT_BAD_ARGUMENT},
        {"425 bytes", 4, 4, 425, 0, MSLOT_DONE},
        {"16 MiB", 4, 4, MSLOT_LONG_BYTES_MAX, 0, MSLOT_DONE},
        {"16 MiB and a byte", 4, 4, MSLOT_LONG_BYTES_MAX + 1, 0, MSLOT_BAD_ARGUMENT},
        {"an executable", 4, 4, 0, 0700, MSLOT_BAD_ARGUMENT},
        {"not readable by its owner", 4, 4, 0, 0200, MSLOT_BAD_ARGUMENT},
        {"not writable by its owner", 4, 4, 0, 0466, MSLOT_BAD_ARGUMENT},
        {"set-user-id", 4, 4, 0, 04600, MSLOT_BAD_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%s", cases[i].what);
        mslot_create_options options = mslot_create_options_default();
        options.capacity = cases[i].capacity;
        options.writers = cases[i].writers;
        options.message_bytes_max = cases[i].message_bytes_max;
        options.mode = cases[i].mode;
        expect_outcome(create_outcome("orders", &options), cases[i].outcome);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_NOT_FOUND);
    }
    mslot_create_options options = small_options(4, 4);
    options.read_timeout_ns = -1;
    expect_outcome(create_outcome("orders", &options), MSLOT_BAD_ARGUMENT);
    options.read_timeout_ns = MSLOT_DEFAULT_TIMEOUT;
    expect_outcome(create_outcome("orders", &options), MSLOT_BAD_ARGUMENT);
}

TEST(a_mailslot_is_not_found_before_it_is_created_and_after_it_is_closed)
{
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
    mslot_reader *reader = must_create("orders", 4, 4);
    expect_outcome(open_outcome("orders"), MSLOT_DONE);
    expect_outcome(open_outcome("ORDERS"), MSLOT_DONE);
    must_close(reader);
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
    expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_NOT_FOUND);
}

TEST(a_missing_directory_is_not_found)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s/none", getenv("MAILSLOT_DIRECTORY"));
    setenv("MAILSLOT_DIRECTORY", directory, 1);
    expect_outcome(create_outcome("orders", NULL), MSLOT_NOT_FOUND);
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_NOT_FOUND);
    expect_outcome(mslot_list(NULL, NULL).outcome, MSLOT_NOT_FOUND);
    setenv("MAILSLOT_DIRECTORY", "nowhere/at/all", 1);
    expect_outcome(create_outcome("orders", NULL), MSLOT_NOT_FOUND);
}

static void list_nothing(const char *name, void *context) { (void)name, (void)context; }

TEST(a_missing_directory_is_named_and_not_the_mailslot)
{
    char missing[PATH_MAX];
    snprintf(missing, sizeof missing, "%s/none", getenv("MAILSLOT_DIRECTORY"));
    const struct {
        const char *directory;
        const char *says;
    } tries[] = {{missing, "/none, does not exist. Make it"}, {"nowhere/at/all", "nowhere/at/all, does not exist. Make it"},
        {"/proc/self/exe", "/proc/self/exe, is not a directory. Let MAILSLOT_DIRECTORY"},
        {"/proc/self/exe/x", "/proc/self/exe/x, is not a directory. Let MAILSLOT_DIRECTORY"}};
    mslot_open_options patient = mslot_open_options_default();
    patient.wait_ns = 1;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        setenv("MAILSLOT_DIRECTORY", tries[i].directory, 1);
        const struct {
            const char *call;
            const char *name;
            mslot_failure failure;
        } failures[] = {
            {"create", "orders", mslot_create("orders", NULL).failure},
            {"open", "orders", mslot_open("orders", NULL).failure},
            {"open, waiting", "orders", mslot_open("orders", &patient).failure},
            {"open of another machine", "\\\\host\\mailslot\\x", mslot_open("\\\\host\\mailslot\\x", NULL).failure},
            {"inspect", "orders", mslot_inspect("orders").failure},
            {"observe", "orders", mslot_observer_open("orders", 0).failure},
            {"remove", "orders", mslot_remove("orders")},
            {"list", "*", mslot_list(list_nothing, NULL)},
            {"hosts", NULL, mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE).failure},
        };
        for (size_t j = 0; j < sizeof failures / sizeof failures[0]; j++) {
            char text[1000];
            mslot_failure_describe(&failures[j].failure, failures[j].name, text, sizeof text);
            trying("%s in %s: %s", failures[j].call, tries[i].directory, text);
            expect(strstr(text, tries[i].says) != NULL);
            expect(strstr(text, "Start its reader") == NULL && strstr(text, "\"*\"") == NULL);
        }
    }
}

TEST(a_directory_that_is_there_is_not_blamed)
{
    char text[1000];
    mslot_failure failure = mslot_open("orders", NULL).failure;
    mslot_failure_describe(&failure, "orders", text, sizeof text);
    expect(strstr(text, "There is no mailslot \"orders\"") != NULL && strstr(text, "Start its reader") != NULL);
}

TEST(the_file_has_the_mode_that_was_asked_for_whatever_the_umask)
{
    static const uint32_t modes[] = {0, 0600, 0660, 0666, 0606};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        mode_t before = umask(i % 2 == 0 ? 0077 : 0);
        mslot_create_options options = small_options(4, 4);
        options.mode = modes[i];
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        umask(before);

        char path[PATH_MAX];
        struct stat status;
        expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
        expect_equal(stat(path, &status), 0);
        expect_equal(status.st_mode & 07777, modes[i] != 0 ? modes[i] : 0600);
        expect_equal(mslot_reader_info(created.reader).mode, status.st_mode & 07777);
        expect((uint64_t)status.st_blocks * 512 >= mslot_reader_info(created.reader).segment_bytes); // all of it is reserved
        must_close(created.reader);
    }
}

TEST(opening_waits_for_a_reader_no_longer_than_it_was_told)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = 20 * MILLISECOND;
    int64_t begun = now_ns();
    mslot_opened opened = mslot_open("orders", &options);
    expect_outcome(opened.failure.outcome, MSLOT_TIMED_OUT);
    expect(opened.writer == NULL);
    expect(now_ns() - begun >= 20 * MILLISECOND);
}

TEST(more_writers_than_lanes_are_refused_until_one_closes)
{
    mslot_reader *reader = must_create("orders", 4, 3);
    mslot_writer *writers[3];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) writers[i] = must_open("orders");
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
        expect_equal(mslot_inspect("orders").info.writer_count, 3);

        must_close_writer(writers[round % 3]);
        writers[round % 3] = must_open("orders");
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
        for (int i = 0; i < 3; i++) {
            must_write(writers[i], 0, 0);
            must_read_this(reader, 0, 0);
            must_close_writer(writers[i]);
        }
        expect_equal(mslot_inspect("orders").info.writer_count, 0);
    }
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(hundreds_of_writers_have_a_lane_each)
{
    enum { WRITERS = 200 };
    mslot_reader *reader = must_create("orders", 256, WRITERS);
    mslot_writer *writers[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) writers[i] = must_open("orders");
    expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    expect_equal(mslot_inspect("orders").info.writer_count, WRITERS);

    for (uint32_t i = 0; i < WRITERS; i++) must_write(writers[i], i, i);
    for (uint32_t i = 0; i < WRITERS; i++) must_read_this(reader, i, i);

    for (uint32_t i = 0; i < WRITERS; i++) must_close_writer(writers[i]);
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: writing and reading

TEST(messages_of_every_length_arrive_whole)
{
    pair p = pair_make(4);
    unsigned char sent[MSLOT_MESSAGE_BYTES_MAX + 1], got[MSLOT_MESSAGE_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof sent; i++) sent[i] = (unsigned char)(i * 13 + 7);
    for (size_t length = 0; length <= MSLOT_MESSAGE_BYTES_MAX; length++) {
        trying("%zu bytes", length);
        memset(got, 0xee, sizeof got);
        expect_outcome(mslot_writer_write(p.writer, length != 0 ? sent : NULL, length, 0), MSLOT_DONE);
        expect_equal(mslot_reader_info(p.reader).next_byte_count, length);

        mslot_received received = mslot_reader_read(p.reader, length != 0 ? got : NULL, length, 0);

        expect_outcome(received.outcome, MSLOT_DONE);
        expect_equal(received.byte_count, length);
        expect_equal(received.position, 4 + length);
        expect(memcmp(sent, got, length) == 0);
        expect_equal(got[length], 0xee);
    }
    expect_outcome(mslot_writer_write(p.writer, sent, 425, 0), MSLOT_TOO_LONG);
    expect_outcome(mslot_writer_write(p.writer, sent, SIZE_MAX, 0), MSLOT_TOO_LONG);
    expect_outcome(read_outcome(p.reader, 0), MSLOT_EMPTY);
    pair_end(p);
}

TEST(a_mailslot_of_short_messages_refuses_longer_ones)
{
    mslot_create_options options = small_options(4, 4);
    options.message_bytes_max = 10;
    mslot_created created = mslot_create("orders", &options);
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_writer_write(writer, "0123456789", 10, 0), MSLOT_DONE);
    expect_outcome(mslot_writer_write(writer, "0123456789x", 11, 0), MSLOT_TOO_LONG);
    mslot_loaned loaned = mslot_writer_loan(writer);
    expect_outcome(loaned.outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_publish(writer, 11, 0), MSLOT_TOO_LONG);
    expect_outcome(mslot_writer_publish(writer, 10, 0), MSLOT_DONE); // the loan went on
    expect_equal(mslot_writer_info(writer).message_bytes_max, 10);
    must_close_writer(writer);
    must_close(created.reader);
}

TEST(a_full_mailslot_refuses_or_times_out_and_goes_on_when_there_is_room)
{
    pair p = pair_make(2);
    fill(p, 2);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 0), MSLOT_FULL);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, -5), MSLOT_FULL);
    int64_t begun = now_ns();
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 20 * MILLISECOND), MSLOT_TIMED_OUT);
    expect(now_ns() - begun >= 20 * MILLISECOND);
    must_read_this(p.reader, 0, 0);
    must_write(p.writer, 0, 2);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    must_read_this(p.reader, 0, 1);
    must_read_this(p.reader, 0, 2);
    expect_empty_and_sound(p.reader);
    pair_end(p);
}

TEST(an_empty_mailslot_says_so_or_times_out)
{
    pair p = pair_make(2);
    expect_outcome(read_outcome(p.reader, 0), MSLOT_EMPTY);
    expect_outcome(read_outcome(p.reader, -1), MSLOT_EMPTY);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_EMPTY);
    int64_t begun = now_ns();
    expect_outcome(read_outcome(p.reader, 20 * MILLISECOND), MSLOT_TIMED_OUT);
    expect(now_ns() - begun >= 20 * MILLISECOND);
    expect_outcome(mslot_reader_peek(p.reader, 1).outcome, MSLOT_TIMED_OUT);
    mslot_message message;
    mslot_batch batch = mslot_reader_read_batch(p.reader, &message, 1, 1);
    expect_outcome(batch.outcome, MSLOT_TIMED_OUT);
    expect_equal(batch.count, 0);
    pair_end(p);
}

TEST(the_mailslots_own_time_out_is_used_by_reads_that_ask_for_it)
{
    mslot_create_options options = small_options(2, 2);
    options.read_timeout_ns = 0;
    mslot_created created = mslot_create("orders", &options);
    expect_equal(mslot_reader_info(created.reader).read_timeout_ns, 0);
    expect_outcome(read_outcome(created.reader, MSLOT_DEFAULT_TIMEOUT), MSLOT_EMPTY);

    expect_outcome(mslot_reader_set_timeout(created.reader, 5 * MILLISECOND), MSLOT_DONE);
    expect_equal(mslot_inspect("orders").info.read_timeout_ns, 5 * MILLISECOND);
    expect_outcome(read_outcome(created.reader, MSLOT_DEFAULT_TIMEOUT), MSLOT_TIMED_OUT);
    expect_outcome(mslot_reader_wait_any(&created.reader, 1, MSLOT_DEFAULT_TIMEOUT).outcome, MSLOT_TIMED_OUT);

    expect_outcome(mslot_reader_set_timeout(created.reader, MSLOT_FOREVER), MSLOT_DONE);
    expect_outcome(mslot_reader_set_timeout(created.reader, -1), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_set_timeout(created.reader, MSLOT_DEFAULT_TIMEOUT), MSLOT_BAD_ARGUMENT);
    expect_equal(mslot_reader_info(created.reader).read_timeout_ns, MSLOT_FOREVER);
    must_close(created.reader);
}

TEST(a_buffer_that_is_too_small_keeps_the_message)
{
    pair p = pair_make(2);
    expect_outcome(mslot_writer_write(p.writer, "0123456789", 10, 0), MSLOT_DONE);
    char buffer[11] = "----------";

    mslot_received received = mslot_reader_read(p.reader, buffer, 9, 0);

    expect_outcome(received.outcome, MSLOT_TOO_LONG);
    expect_equal(received.byte_count, 10);
    expect(strcmp(buffer, "----------") == 0);
    expect_equal(mslot_reader_info(p.reader).message_count, 1);
    received = mslot_reader_read(p.reader, buffer, 10, 0);
    expect_outcome(received.outcome, MSLOT_DONE);
    expect(strcmp(buffer, "0123456789") == 0);
    pair_end(p);
}

// MARK: loans

TEST(a_loan_is_published_or_abandoned_and_excludes_other_writes)
{
    pair p = pair_make(2);
    expect_outcome(mslot_writer_publish(p.writer, 1, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_abandon(p.writer), MSLOT_BAD_ARGUMENT);

    mslot_loaned loaned = mslot_writer_loan(p.writer);
    expect_outcome(loaned.outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_loan(p.writer).outcome, MSLOT_BUSY);
    expect(mslot_writer_loan(p.writer).bytes == NULL);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 0), MSLOT_BUSY);
    mslot_bytes one = {"x", 1};
    mslot_batch batch = mslot_writer_write_batch(p.writer, &one, 1, 0);
    expect_outcome(batch.outcome, MSLOT_BUSY);
    expect_equal(batch.count, 0);
    size_t byte_count = message_make(loaned.bytes, 3, 33);
    expect_outcome(mslot_writer_publish(p.writer, byte_count, 0), MSLOT_DONE);
    must_read_this(p.reader, 3, 33);

    loaned = mslot_writer_loan(p.writer);
    memset(loaned.bytes, 0xff, MSLOT_MESSAGE_BYTES_MAX);
    expect_outcome(mslot_writer_abandon(p.writer), MSLOT_DONE);
    expect_empty_and_sound(p.reader);
    pair_end(p);
}

TEST(a_loan_goes_on_when_there_is_no_room)
{
    pair p = pair_make(1);
    fill(p, 1);
    mslot_loaned loaned = mslot_writer_loan(p.writer);
    size_t byte_count = message_make(loaned.bytes, 3, 33);
    expect_outcome(mslot_writer_publish(p.writer, byte_count, 0), MSLOT_FULL);
    expect_outcome(mslot_writer_publish(p.writer, byte_count, 1), MSLOT_TIMED_OUT);
    must_read_this(p.reader, 0, 0);
    expect_outcome(mslot_writer_publish(p.writer, byte_count, 0), MSLOT_DONE);
    must_read_this(p.reader, 3, 33);
    pair_end(p);
}

TEST(a_writer_may_be_closed_with_a_loan_out)
{
    pair p = pair_make(2);
    expect_outcome(mslot_writer_loan(p.writer).outcome, MSLOT_DONE);
    must_close_writer(p.writer);
    p.writer = must_open("orders");
    must_write(p.writer, 1, 1);
    must_read_this(p.reader, 1, 1);
    pair_end(p);
}

// MARK: peeking

TEST(messages_lent_in_place_are_released_in_order_and_may_be_all_of_them)
{
    pair p = pair_make(4);
    fill(p, 4);
    for (uint32_t i = 0; i < 4; i++) {
        mslot_view view = mslot_reader_peek(p.reader, 0);
        expect_outcome(view.outcome, MSLOT_DONE);
        expect_equal(view.position, 4 + i);
        expect_equal(view.sender, getpid());
        expect_equal(view.origin, 0);
        expect_equal(message_check(view.bytes, view.byte_count).number, i);
    }
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_peek(p.reader, MSLOT_FOREVER).outcome, MSLOT_BUSY); // it could only wait for ever
    expect_outcome(read_outcome(p.reader, 0), MSLOT_BUSY);
    mslot_message message;
    expect_outcome(mslot_reader_read_batch(p.reader, &message, 1, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_wait_any(&p.reader, 1, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);

    expect_outcome(mslot_reader_release(p.reader, 5), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_release(p.reader, SIZE_MAX), MSLOT_BAD_ARGUMENT);
    expect_equal(mslot_reader_info(p.reader).message_count, 4);
    expect_outcome(mslot_reader_release(p.reader, 0), MSLOT_DONE);
    expect_outcome(mslot_reader_release(p.reader, 3), MSLOT_DONE);
    expect_equal(mslot_reader_info(p.reader).message_count, 1);
    must_write(p.writer, 0, 4);
    expect_equal(mslot_reader_peek(p.reader, 0).position, 8);
    expect_outcome(read_outcome(p.reader, 0), MSLOT_BUSY);
    expect_outcome(mslot_reader_release(p.reader, 2), MSLOT_DONE);
    expect_outcome(mslot_reader_release(p.reader, 1), MSLOT_BAD_ARGUMENT);
    expect_empty_and_sound(p.reader);
    pair_end(p);
}

TEST(a_reader_may_be_closed_with_messages_lent)
{
    pair p = pair_make(4);
    fill(p, 4);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DONE);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DONE);
    must_close(p.reader);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 0), MSLOT_CLOSED);
    must_close_writer(p.writer);
}

// MARK: batches

TEST(a_batch_is_written_in_order_as_far_as_there_is_room)
{
    pair p = pair_make(4);
    mslot_bytes messages[6] = {{"a", 1}, {"bb", 2}, {NULL, 0}, {"dddd", 4}, {"eeeee", 5}, {"ffffff", 6}};

    mslot_batch batch = mslot_writer_write_batch(p.writer, messages, 6, 0);
    expect_outcome(batch.outcome, MSLOT_FULL);
    expect_equal(batch.count, 4);
    batch = mslot_writer_write_batch(p.writer, messages, 6, MILLISECOND);
    expect_outcome(batch.outcome, MSLOT_TIMED_OUT);
    expect_equal(batch.count, 0);

    mslot_message got[6];
    memset(got, 0xee, sizeof got);
    batch = mslot_reader_read_batch(p.reader, got, 6, MSLOT_FOREVER); // it waits for the first only
    expect_outcome(batch.outcome, MSLOT_DONE);
    expect_equal(batch.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        expect_equal(got[i].byte_count, messages[i].byte_count);
        expect(i == 2 || memcmp(got[i].bytes, messages[i].bytes, got[i].byte_count) == 0);
        expect_equal(got[i].position, 4 + i);
        expect_equal(got[i].sender, getpid());
        expect_equal(got[i].origin, 0);
    }
    expect_outcome(mslot_reader_read_batch(p.reader, got, 6, 0).outcome, MSLOT_EMPTY);
    pair_end(p);
}

TEST(a_batch_stops_at_a_message_that_is_too_long)
{
    pair p = pair_make(4);
    mslot_bytes messages[3] = {{"a", 1}, {"b", 425}, {"c", 1}};
    mslot_batch batch = mslot_writer_write_batch(p.writer, messages, 3, 0);
    expect_outcome(batch.outcome, MSLOT_TOO_LONG);
    expect_equal(batch.count, 1);
    mslot_message got[4];
    batch = mslot_reader_read_batch(p.reader, got, 4, 0);
    expect_outcome(batch.outcome, MSLOT_DONE);
    expect_equal(batch.count, 1);
    batch = mslot_reader_read_batch(p.reader, got, 0, 0);
    expect_equal(batch.count, 0);
    batch = mslot_writer_write_batch(p.writer, messages, 0, 0);
    expect_outcome(batch.outcome, MSLOT_DONE);
    expect_equal(batch.count, 0);
    pair_end(p);
}

TEST(a_batch_that_was_read_leaves_the_rest)
{
    pair p = pair_make(8);
    fill(p, 8);
    mslot_message got[3];
    for (uint32_t first = 0; first < 8; first += 3) {
        mslot_batch batch = mslot_reader_read_batch(p.reader, got, 3, 0);
        expect_outcome(batch.outcome, MSLOT_DONE);
        expect_equal(batch.count, first + 3 <= 8 ? 3 : 2);
        for (uint32_t i = 0; i < batch.count; i++) expect_equal(message_check(got[i].bytes, got[i].byte_count).number, first + i);
    }
    pair_end(p);
}

// MARK: closing

TEST(a_closed_mailslot_is_closed_to_every_call_of_its_writers)
{
    pair p = pair_make(2);
    mslot_writer *lending = must_open("orders");
    expect_outcome(mslot_writer_loan(lending).outcome, MSLOT_DONE);
    must_write(p.writer, 0, 0); // unread: it vanishes
    must_close(p.reader);

    expect_outcome(mslot_writer_write(p.writer, "x", 1, 0), MSLOT_CLOSED);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, MSLOT_FOREVER), MSLOT_CLOSED);
    expect_outcome(mslot_writer_publish(lending, 1, MSLOT_FOREVER), MSLOT_CLOSED);
    expect_outcome(mslot_writer_abandon(lending), MSLOT_DONE);
    mslot_bytes one = {"x", 1};
    expect_outcome(mslot_writer_write_batch(p.writer, &one, 1, MSLOT_FOREVER).outcome, MSLOT_CLOSED);
    expect_outcome(mslot_writer_info(p.writer).outcome, MSLOT_DONE);

    p.reader = must_create("orders", 2, 4); // another mailslot: the old writers stay closed
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 0), MSLOT_CLOSED);
    must_close_writer(p.writer);
    must_close_writer(lending);
    expect_empty_and_sound(p.reader);
    must_close(p.reader);
}

TEST(a_reader_that_closes_removes_the_name_only_if_it_still_is_its_own)
{
    char path[PATH_MAX], moved[PATH_MAX + 8];
    mslot_reader *first = must_create("orders", 2, 2);
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    snprintf(moved, sizeof moved, "%s.moved", path);
    expect_equal(rename(path, moved), 0); // a clumsy user
    mslot_reader *second = must_create("orders", 2, 2);

    must_close(first);

    expect_outcome(open_outcome("orders"), MSLOT_DONE);
    must_close(second);
    expect_equal(unlink(moved), 0);
}

TEST(a_writer_whose_files_name_was_given_to_another_does_not_take_that_ones_reader_for_its_own)
{
    char path[PATH_MAX], moved[PATH_MAX + 8];
    pair p = pair_make(1);
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    snprintf(moved, sizeof moved, "%s.moved", path);
    must_write(p.writer, 0, 0);
    expect_equal(rename(path, moved), 0); // a clumsy user
    mslot_reader *other = must_create("orders", 2, 2);

    expect_outcome(mslot_writer_write(p.writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT); // it cannot ask: its reader counts as there
    expect_equal(p.writer->query_descriptor, -1);

    expect_equal(rename(moved, path), 0); // the other's name is gone now
    expect_outcome(mslot_writer_write(p.writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
    must_read_this(p.reader, 0, 0);
    must_close(other);
    pair_end(p);
}

TEST(many_handles_come_and_go)
{
    for (int round = 0; round < 20; round++) {
        mslot_reader *readers[20];
        mslot_writer *writers[20][4];
        for (int i = 0; i < 20; i++) {
            char name[16];
            snprintf(name, sizeof name, "slot/%d", i);
            readers[i] = must_create(name, 2, 4);
            for (int w = 0; w < 4; w++) writers[i][w] = must_open(name);
        }
        for (int i = 0; i < 20; i++) {
            must_write(writers[i][round % 4], 0, (uint64_t)i);
            must_read_this(readers[i], 0, (uint64_t)i);
            for (int w = 0; w < 4; w++) must_close_writer(writers[i][w]);
            expect_empty_and_sound(readers[i]);
            must_close(readers[i]);
        }
    }
}

// MARK: interrupting

TEST(an_interrupt_ends_one_wait_and_no_call_that_need_not_wait)
{
    pair p = pair_make(1);
    mslot_reader_interrupt(p.reader);
    mslot_reader_interrupt(p.reader);
    expect_outcome(read_outcome(p.reader, 0), MSLOT_EMPTY);
    must_write(p.writer, 0, 0);
    must_read_this(p.reader, 0, 0);
    expect_outcome(read_outcome(p.reader, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    expect_outcome(read_outcome(p.reader, 1), MSLOT_TIMED_OUT);

    mslot_reader_interrupt(p.reader);
    expect_outcome(mslot_reader_wait_any(&p.reader, 1, MSLOT_FOREVER).outcome, MSLOT_INTERRUPTED);
    mslot_reader_interrupt(p.reader);
    mslot_message message;
    expect_outcome(mslot_reader_read_batch(p.reader, &message, 1, MSLOT_FOREVER).outcome, MSLOT_INTERRUPTED);

    mslot_writer_interrupt(p.writer);
    must_write(p.writer, 0, 0);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, 1), MSLOT_TIMED_OUT);
    mslot_writer_interrupt(p.writer);
    expect_outcome(mslot_writer_loan(p.writer).outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_publish(p.writer, 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    expect_outcome(mslot_writer_abandon(p.writer), MSLOT_DONE);
    pair_end(p);
}

// MARK: many mailslots

TEST(waiting_on_many_mailslots_finds_the_first_that_has_something)
{
    mslot_reader *readers[MSLOT_WAIT_MAX + 1];
    mslot_writer *writers[MSLOT_WAIT_MAX];
    for (int i = 0; i < MSLOT_WAIT_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        readers[i] = must_create(name, 2, 1);
        writers[i] = must_open(name);
    }
    readers[MSLOT_WAIT_MAX] = readers[0];
    expect_outcome(mslot_reader_wait_any(readers, 0, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_wait_any(readers, MSLOT_WAIT_MAX + 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_wait_any(readers, MSLOT_WAIT_MAX, 0).outcome, MSLOT_EMPTY);
    expect_outcome(mslot_reader_wait_any(readers, MSLOT_WAIT_MAX, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    mslot_reader *twice[2] = {readers[0], readers[0]};
    expect_outcome(mslot_reader_wait_any(twice, 2, 0).outcome, MSLOT_BUSY);

    static const size_t order[] = {63, 40, 1, 0};
    for (size_t i = 0; i < 4; i++) {
        must_write(writers[order[i]], 0, 0);
        mslot_ready ready = mslot_reader_wait_any(readers, MSLOT_WAIT_MAX, MSLOT_FOREVER);
        expect_outcome(ready.outcome, MSLOT_DONE);
        expect_equal(ready.index, order[i]);
    }
    for (size_t i = 4; i-- > 0;) must_read_this(readers[order[i]], 0, 0);
    expect_outcome(mslot_reader_wait_any(readers, MSLOT_WAIT_MAX, 0).outcome, MSLOT_EMPTY);
    for (int i = 0; i < MSLOT_WAIT_MAX; i++) {
        must_close_writer(writers[i]);
        must_close(readers[i]);
    }
}

// MARK: looking

/// The value of a counter as a program that knows no names finds it.
static uint64_t counter_value(const mslot_info *info, const mslot_counter *counter)
{
    uint64_t value;
    memcpy(&value, (const char *)info + counter->offset, sizeof value);
    return value;
}

TEST(each_counter_has_a_name_of_its_own_a_help_and_a_place)
{
    pair p = pair_make(4);
    fill(p, 4);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    mslot_info info = mslot_reader_info(p.reader);
    uint64_t written = 0, full = 0;
    for (size_t i = 0; i < MSLOT_COUNTER_COUNT; i++) {
        const mslot_counter *counter = mslot_counter_describe(i);
        expect(counter != NULL);
        trying("counter %zu, %s", i, counter->name);
        expect_equal(counter->kind, strcmp(counter->name, "high_water") == 0 ? MSLOT_GAUGE : MSLOT_COUNTER);
        expect(counter->offset % 8 == 0 && counter->offset + sizeof(uint64_t) <= sizeof info);
        size_t help = strlen(counter->help);
        expect(help > 10 && help < 100 && counter->help[0] >= 'A' && counter->help[0] <= 'Z' && counter->help[help - 1] == '.');
        for (size_t j = 0; j < i; j++) {
            const mslot_counter *other = mslot_counter_describe(j);
            expect(strcmp(counter->name, other->name) != 0 && counter->offset != other->offset);
        }
        if (strcmp(counter->name, "messages_written") == 0) written = counter_value(&info, counter);
        if (strcmp(counter->name, "full_writes") == 0) full = counter_value(&info, counter);
    }
    expect_equal(written, 4);
    expect_equal(full, 1);
    expect(mslot_counter_describe(MSLOT_COUNTER_COUNT) == NULL && mslot_counter_describe(SIZE_MAX) == NULL);
    pair_end(p);
}

TEST(each_counter_is_summed_from_words_of_its_own)
{
    pair p = pair_make(4);
    const mslot_ring *ring = &p.reader->ring.ring;
    uint64_t number = 0;
#define SET_COMPUTED(name)
#define SET_READER(name) ring->control->name = number;
#define SET_LANE(name) \
    for (uint32_t i = 0; i < ring->lane_count; i++) ring->lanes[i].name = number << i;
#define SET_GROUP(name) \
    for (uint32_t i = 0; i < MSLOT_LANE_COUNTERS; i++) ring->control->lane_counters[i].name = number << i;
#define SET(name, kind, source, help) \
    number++;                         \
    SET_##source(name)
    MSLOT_COUNTERS(SET)
    mslot_info info = mslot_reader_info(p.reader);
    number = 0;
#define EXPECT_COMPUTED(name) expect_equal(info.name, 0);
#define EXPECT_READER(name) expect_equal(info.name, number);
#define EXPECT_LANE(name) expect_equal(info.name, number *((1 << ring->lane_count) - 1));
#define EXPECT_GROUP(name) expect_equal(info.name, number *((1 << MSLOT_LANE_COUNTERS) - 1));
#define EXPECT(name, kind, source, help) \
    number++;                            \
    EXPECT_##source(name)
    MSLOT_COUNTERS(EXPECT)
    expect_equal(number, MSLOT_COUNTER_COUNT);
    pair_end(p);
}

TEST(the_counters_count_what_happened)
{
    pair p = pair_make(4);
    fill(p, 4);
    for (int i = 0; i < 3; i++) expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    for (uint32_t i = 0; i < 2; i++) must_read_this(p.reader, 0, i);

    mslot_info infos[3] = {mslot_reader_info(p.reader), mslot_writer_info(p.writer), mslot_inspect("orders").info};
    for (int i = 0; i < 3; i++) {
        trying("information %d", i);
        expect_outcome(infos[i].outcome, MSLOT_DONE);
        expect_equal(infos[i].messages_written, 4);
        expect_equal(infos[i].messages_read, 2);
        expect_equal(infos[i].message_count, 2);
        expect_equal(infos[i].full_writes, 3);
        expect_equal(infos[i].writer_waits, 0);
        expect_equal(infos[i].reader_sleeps, 0);
        expect_equal(infos[i].reader_wakes, 0);
        expect_equal(infos[i].writer_wakes, 0);
        expect_equal(infos[i].damaged, 0);
        expect_equal(infos[i].adoptions, 0);
        expect_equal(infos[i].high_water, 4);
        expect_equal(infos[i].retries, 0);
        expect_equal(infos[i].lane_recoveries, 0);
        expect_equal(infos[i].late_wakes, 0);
        expect_equal(infos[i].capacity, 4);
        expect_equal(infos[i].writers_max, 4);
        expect_equal(infos[i].message_bytes_max, 424);
        expect_equal(infos[i].read_timeout_ns, MSLOT_FOREVER);
        expect_equal(infos[i].reader_pid, getpid());
        expect_equal(infos[i].reader_uid, geteuid());
        expect_equal(infos[i].owner_uid, geteuid());
        expect_equal(infos[i].mode, 0600);
        expect(infos[i].created_ns > 1700000000000000000ULL && infos[i].reader_since_ns >= infos[i].created_ns);
        expect(infos[i].segment_bytes > 4096);
        expect(!infos[i].allows_remote);
        expect(infos[i].reader_present);
        expect(strcmp(infos[i].name, "orders") == 0);
    }
    expect_equal(infos[2].writer_count, 1);
    expect_equal(infos[0].next_byte_count, infos[2].next_byte_count);
    pair_end(p);
}

TEST(a_write_that_waits_counts_as_one_that_met_a_full_mailslot)
{
    pair p = pair_make(1);
    fill(p, 1);
    // On a busy machine the time may be up before it has slept.
    uint64_t writes = 0;
    do {
        expect_outcome(mslot_writer_write(p.writer, "x", 1, 10 * MILLISECOND), MSLOT_TIMED_OUT);
        expect_equal(mslot_reader_info(p.reader).full_writes, ++writes);
    } while (mslot_reader_info(p.reader).writer_waits == 0);
    pair_end(p);
}

TEST(the_high_water_mark_is_what_waited_at_most_or_up_to_255_less)
{
    enum { CAPACITY = 2048, ROUNDS = 20000 };
    pair p = pair_make(CAPACITY);
    fill(p, 100); // before anything was read: seen exactly
    expect_equal(mslot_inspect("orders").info.high_water, 100);
    for (uint32_t i = 0; i < 100; i++) must_read_this(p.reader, 0, i);
    expect_equal(mslot_inspect("orders").info.high_water, 100);

    uint32_t waiting = 0, most = 100;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t writes = (uint32_t)random_below(40), reads = (uint32_t)random_below(40);
        for (; writes > 0 && waiting < CAPACITY - 1; writes--, waiting++)
            expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_DONE);
        if (waiting > most) most = waiting;
        char text[MSLOT_MESSAGE_BYTES_MAX];
        for (; reads > 0 && waiting > 0; reads--, waiting--)
            expect_outcome(mslot_reader_read(p.reader, text, sizeof text, 0).outcome, MSLOT_DONE);
    }
    uint32_t peak = mslot_inspect("orders").info.high_water;
    expect(peak <= most);
    expect(peak + 255 >= most);
    expect(peak < CAPACITY);
    while (mslot_writer_try_write(p.writer, "x", 1) == MSLOT_DONE) {}
    expect_equal(mslot_inspect("orders").info.high_water, CAPACITY);
    char text[MSLOT_MESSAGE_BYTES_MAX];
    while (mslot_reader_read(p.reader, text, sizeof text, 0).outcome == MSLOT_DONE) {}
    expect_equal(mslot_inspect("orders").info.high_water, CAPACITY);
    pair_end(p);
}

TEST(a_high_water_mark_is_never_above_the_capacity)
{
    pair p = pair_make(8);
    fill(p, 3);
    must_read_this(p.reader, 0, 0);
    for (uint32_t i = 1; i < 3; i++) must_read_this(p.reader, 0, i);
    // The hint may go backwards, behind the head: no depth. Position 16 is the next that is looked at.
    for (uint32_t i = 0; i < 6; i++) {
        must_write(p.writer, 0, i);
        p.writer->ring.ring.control->tail_hint = 9;
        must_read_this(p.reader, 0, i);
    }
    expect_equal(mslot_inspect("orders").info.high_water, 3);
    expect_equal(p.writer->ring.ring.control->high_water, 3);
    pair_end(p);
}

TEST(a_writer_that_another_was_faster_than_counts_a_retry)
{
    pair p = pair_make(8);
    mslot_writer *other = must_open("orders");
    uint64_t before = mslot__ring_lane_counters(&p.writer->ring.ring, p.writer->ring.lane)->retries;
    expect_equal(before, 0);
    for (int i = 0; i < 3; i++) expect_outcome(mslot_writer_try_write(other, "x", 1), MSLOT_DONE);
    // As if the other had not come to say where the tail is.
    p.writer->ring.ring.control->tail_hint = 8;
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_DONE);
    expect_equal(mslot_inspect("orders").info.retries, 3);
    must_close_writer(other);
    pair_end(p);
}

TEST(looking_changes_nothing)
{
    pair p = pair_make(4);
    fill(p, 3);
    mslot_info before = mslot_reader_info(p.reader);
    for (int i = 0; i < 10; i++) (void)mslot_inspect("orders");
    mslot_info after = mslot_reader_info(p.reader);
    expect(memcmp(&before, &after, sizeof before) == 0);
    pair_end(p);
}

TEST(the_option_for_remote_messages_is_kept)
{
    mslot_create_options options = small_options(2, 2);
    options.allow_remote = true;
    mslot_created created = mslot_create("orders", &options);
    expect(mslot_reader_info(created.reader).allows_remote);
    must_close(created.reader);
}

typedef struct listed {
    unsigned count;
    char names[8][300];
} listed;

static void add_name(const char *name, void *context)
{
    listed *l = context;
    expect(l->count < 8);
    snprintf(l->names[l->count++], 300, "%s", name);
}

static bool has_name(const listed *l, const char *name)
{
    for (unsigned i = 0; i < l->count; i++)
        if (strcmp(l->names[i], name) == 0) return true;
    return false;
}

TEST(the_list_has_every_mailslot_by_its_whole_name_and_nothing_else)
{
    char long_name[256], other[PATH_MAX];
    memset(long_name, 'x', 255);
    long_name[255] = 0;
    mslot_reader *readers[3] = {must_create("Orders", 1, 1), must_create("app\\orders", 1, 1), must_create(long_name, 1, 1)};
    snprintf(other, sizeof other, "%s/mailslot.none", getenv("MAILSLOT_DIRECTORY"));
    FILE *file = fopen(other, "w");
    fputs("this is no mailslot", file);
    fclose(file);

    listed l = {.count = 0};
    expect_outcome(mslot_list(add_name, &l).outcome, MSLOT_DONE);

    expect_equal(l.count, 3);
    expect(has_name(&l, "orders") && has_name(&l, "app/orders") && has_name(&l, long_name));
    for (int i = 0; i < 3; i++) must_close(readers[i]);
    unlink(other);
    l.count = 0;
    expect_outcome(mslot_list(add_name, &l).outcome, MSLOT_DONE);
    expect_equal(l.count, 0);
}

TEST(a_mailslot_with_a_reader_cannot_be_removed)
{
    pair p = pair_make(2);
    mslot_failure failure = mslot_remove("orders");
    expect_outcome(failure.outcome, MSLOT_ALREADY_EXISTS);
    expect_equal(failure.holder_pid, getpid());
    expect_equal(failure.holder_uid, geteuid());
    must_write(p.writer, 0, 0);
    must_read_this(p.reader, 0, 0);
    pair_end(p);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_NOT_FOUND);
}

// MARK: the robust-list entry that the kernel reads when a thread dies

TEST(a_write_leaves_no_note_behind_and_touches_none_that_libc_has_made)
{
    pair p = pair_make(1);
    mslot_robust_list robust = mslot__writer_robust_list_slow(p.writer);
    if (robust.list_op_pending == &p.writer->no_robust_list) skip("the kernel offers no robust list");
    volatile uintptr_t *pending = robust.list_op_pending;

    must_write(p.writer, 0, 0);
    expect_equal(*pending, 0);
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    expect_equal(*pending, 0);
    expect_outcome(mslot_writer_write(p.writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
    expect_equal(*pending, 0);

    // As if a signal handler had interrupted libc in the middle of a robust mutex.
    uint32_t mutex[64] = {0};
    uintptr_t of_libc = (uintptr_t)&mutex[32];
    *pending = of_libc;
    expect_outcome(mslot_writer_try_write(p.writer, "x", 1), MSLOT_FULL);
    bool kept = *pending == of_libc;
    must_read_this(p.reader, 0, 0);
    must_write(p.writer, 0, 1);
    kept = kept && *pending == of_libc;
    *pending = 0;
    expect(kept);

    // Left by longjmp after the swap: closing must not leave the kernel an address in a mapping that is gone.
    *pending = (uintptr_t)p.writer->ring.ring.cells - (uintptr_t)robust.futex_offset;
    expect_outcome(mslot_writer_reset(p.writer), MSLOT_DONE);
    expect_equal(*pending, 0);
    *pending = (uintptr_t)p.writer->ring.ring.cells - (uintptr_t)robust.futex_offset;
    must_close_writer(p.writer);
    expect_equal(*pending, 0);
    must_read_this(p.reader, 0, 1);
    must_close(p.reader);
}

TEST(a_handle_that_a_reset_finds_damaged_can_still_be_closed)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    writer->ring.lane->own = 77;
    memset(reader->ring.ring.cells, 0xff, 4 * sizeof(uint64_t));
    expect_outcome(mslot_writer_reset(writer), MSLOT_DAMAGED);
    expect_outcome(mslot_reader_reset(reader), MSLOT_DAMAGED);
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_DAMAGED);
    expect_outcome(mslot_writer_publish(writer, 1, 0), MSLOT_DAMAGED);
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_DAMAGED);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_write_left_between_publishing_and_waking_wakes_the_reader_when_it_is_reset)
{
    pair p = pair_make(4);
    expect(mslot__ring_park(&p.reader->ring).word != NULL);
    // Left by longjmp before Write 7: published, and nobody woken.
    mslot_slot *slot = mslot__ring_own_slot(&p.writer->ring);
    slot->length = (uint32_t)message_make(slot->payload, 0, 0);
    uintptr_t pending = 0;
    expect_outcome(mslot__ring_publish(&p.writer->ring, (mslot_robust_list){.list_op_pending = &pending, .futex_offset = 0}, NULL).outcome,
        MSLOT_DONE);
    uint64_t wakes = p.writer->ring.lane->reader_wakes;

    expect_outcome(mslot_writer_reset(p.writer), MSLOT_DONE);

    expect_equal(p.writer->ring.lane->reader_wakes, wakes + 1);
    mslot__ring_unpark(&p.reader->ring);
    must_read_this(p.reader, 0, 0);
    must_close_writer(p.writer);
    must_close(p.reader);
}

// MARK: damage

/// The message at the head gets an impossible length.
static void damage_next_length(mslot_reader *reader, uint64_t ahead)
{
    const mslot_ring *ring = &reader->ring.ring;
    mslot_cell *cell = mslot__ring_cell(ring, reader->ring.head + ahead);
    if (mslot__cell_is_here(cell->state)) cell->label |= mslot__label(0, 0xff, 0, 0);
    else mslot__ring_slot(ring, mslot__cell_index(cell->state))->length = 1000;
}

static void expect_impossible_lengths_to_be_skipped(pair p)
{
    fill(p, 5);
    damage_next_length(p.reader, 0);
    expect_outcome(read_outcome(p.reader, MSLOT_FOREVER), MSLOT_DAMAGED);
    must_read_this(p.reader, 0, 1);

    damage_next_length(p.reader, 1);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DONE);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DAMAGED); // not yet skipped: an older one is lent
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_reader_release(p.reader, 1), MSLOT_DONE);
    expect_outcome(mslot_reader_wait_any(&p.reader, 1, 0).outcome, MSLOT_DONE); // there is something to report
    mslot_message got[4];
    mslot_batch batch = mslot_reader_read_batch(p.reader, got, 4, 0);
    expect_outcome(batch.outcome, MSLOT_DAMAGED);
    expect_equal(batch.count, 0);
    must_read_this(p.reader, 0, 4);
    expect(mslot_reader_info(p.reader).damaged >= 2);
    expect_empty_and_sound(p.reader);
    pair_end(p);
}

TEST(a_message_of_an_impossible_length_is_skipped_and_the_next_ones_arrive)
{
    expect_impossible_lengths_to_be_skipped(pair_make(8));
    pair by_slots = {.reader = must_create("orders", 8, 2), .writer = must_open_without_express("orders")};
    expect_impossible_lengths_to_be_skipped(by_slots);
}

TEST(a_destroyed_ring_says_so_at_every_call_and_can_be_closed)
{
    pair p = pair_make(4);
    memset(p.reader->ring.ring.cells, 0, 4 * sizeof(mslot_cell)); // a hole was punched into the file
    for (int i = 0; i < 3; i++) {
        expect_outcome(read_outcome(p.reader, MSLOT_FOREVER), MSLOT_DAMAGED);
        expect_outcome(mslot_reader_peek(p.reader, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        mslot_message message;
        expect_outcome(mslot_reader_read_batch(p.reader, &message, 1, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_writer_write(p.writer, "x", 1, MSLOT_FOREVER), MSLOT_DAMAGED);
    }
    expect_outcome(mslot_reader_info(p.reader).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_inspect("orders").info.outcome, MSLOT_DAMAGED);
    expect(!mslot_reader_check(p.reader));
    must_close_writer(p.writer);
    must_close(p.reader);
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
}

TEST(a_message_lent_from_a_ring_that_is_then_destroyed_is_lent_no_more_once_its_release_was_refused)
{
    pair p = pair_make(1); // all of it is lent
    must_write(p.writer, 0, 0);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_DONE);
    expect_outcome(mslot_reader_peek(p.reader, 0).outcome, MSLOT_BUSY);
    p.reader->ring.ring.cells[0].state = ~0ULL;
    uint64_t damaged = mslot_reader_info(p.reader).damaged;
    expect_outcome(mslot_reader_release(p.reader, 1), MSLOT_DAMAGED);
    expect_equal(mslot_reader_info(p.reader).damaged, damaged + 1);
    expect_outcome(read_outcome(p.reader, MSLOT_FOREVER), MSLOT_DAMAGED);
    expect_outcome(mslot_reader_peek(p.reader, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
    must_close_writer(p.writer);
    must_close(p.reader);
}

TEST(a_damaged_lane_is_passed_over)
{
    pair p = pair_make(4); // four lanes, one taken
    uint32_t sound = (p.writer->lane_index + 1) % 4;
    for (uint32_t lane = 0; lane < 4; lane++)
        if (lane != p.writer->lane_index && lane != sound) p.reader->ring.ring.lanes[lane].own = 0xffffffffu;

    mslot_writer *second = must_open("orders");
    expect_equal(second->lane_index, sound);
    expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    must_write(second, 1, 1);
    must_read_this(p.reader, 1, 1);
    must_close_writer(second);
    must_close_writer(p.writer);
    must_close(p.reader);
}

// MARK: words

TEST(every_outcome_is_described_with_cause_and_cure_and_never_written_beyond_the_buffer)
{
    for (int outcome = MSLOT_DONE; outcome <= MSLOT_SYSTEM_ERROR; outcome++) {
        trying("outcome %d", outcome);
        expect(strlen(mslot_outcome_text((mslot_outcome)outcome)) > 3);
        for (int system_error = 0; system_error <= ENOENT; system_error += ENOENT) {
            mslot_failure failure;
            memset(&failure, 0, sizeof failure);
            failure.outcome = (mslot_outcome)outcome;
            failure.system_error = system_error;
            failure.holder_pid = 4711;
            failure.holder_uid = 815;
            failure.detail = outcome == MSLOT_BAD_NAME ? MSLOT_NAME_REMOTE : 7;

            char whole[2000];
            size_t length = mslot_failure_describe(&failure, "app/orders", whole, sizeof whole);
            expect(length > 20 && length < sizeof whole);
            expect_equal(strlen(whole), length);
            expect(strstr(whole, "orders") != NULL);
            expect(outcome != MSLOT_ALREADY_EXISTS || (strstr(whole, "4711") != NULL && strstr(whole, "815") != NULL));
            expect(outcome != MSLOT_UNTRUSTED || strstr(whole, "815") != NULL);
            expect(outcome != MSLOT_OTHER_LAYOUT || strstr(whole, "7") != NULL);

            for (size_t capacity = 0; capacity <= length + 1; capacity++) {
                char cut[2000];
                memset(cut, '#', sizeof cut);
                expect_equal(mslot_failure_describe(&failure, "app/orders", cut, capacity), length);
                expect_equal(cut[capacity], '#');
                if (capacity > 0) expect(strlen(cut) == capacity - 1 && memcmp(cut, whole, capacity - 1) == 0);
            }
            expect(mslot_failure_describe(&failure, NULL, NULL, 0) > 10);
        }
    }
}

TEST(every_problem_of_a_name_has_words_of_its_own)
{
    char texts[7][500];
    for (uint32_t problem = MSLOT_NAME_EMPTY; problem <= MSLOT_NAME_REMOTE; problem++) {
        mslot_failure failure;
        memset(&failure, 0, sizeof failure);
        failure.outcome = MSLOT_BAD_NAME;
        failure.detail = problem;
        expect(mslot_failure_describe(&failure, "x", texts[problem], sizeof texts[problem]) > 20);
        for (uint32_t earlier = MSLOT_NAME_EMPTY; earlier < problem; earlier++) expect(strcmp(texts[earlier], texts[problem]) != 0);
    }
}

TEST(what_no_list_of_ours_has_is_described_as_unknown)
{
    char text[500];
    expect(strstr(mslot_outcome_text((mslot_outcome)99), "unknown") != NULL); // from a newer library
    mslot_failure failure = {.outcome = MSLOT_BAD_NAME, .detail = 99};
    expect(mslot_failure_describe(&failure, "x", text, sizeof text) > 10);
    expect(strstr(text, "unknown") != NULL);
    failure.detail = MSLOT_NAME_FINE;
    expect(mslot_failure_describe(&failure, "x", text, sizeof text) > 10);
}

TEST(the_library_says_the_version_of_its_headers)
{
    expect(strcmp(mslot_version(), MSLOT_VERSION) == 0);
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", MSLOT_VERSION_MAJOR, MSLOT_VERSION_MINOR, MSLOT_VERSION_PATCH);
    expect(strcmp(numbers, MSLOT_VERSION) == 0);
}

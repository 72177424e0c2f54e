// NULL where something has to be is BAD_ARGUMENT, or BAD_NAME for a name, and never a crash. EmbeddingTests.swift sees to it that every
// exported function which takes a pointer is tried here.

#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void unlink_hosts(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("MAILSLOT_DIRECTORY"), MSLOT_HOSTS_FILE);
    unlink(path);
}

TEST(no_reader_is_a_bad_argument)
{
    unsigned char bytes[8];
    mslot_message message;
    mslot_info info;
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd};
    mslot_reader *none[2] = {NULL, NULL};
    expect_outcome(mslot_reader_peek(NULL, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_release(NULL, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_read(NULL, bytes, sizeof bytes, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_read_batch(NULL, &message, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_set_timeout(NULL, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_wait_any(NULL, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_wait_any(none, 2, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_begin_wait(NULL, &wait), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_end_wait(NULL), MSLOT_BAD_ARGUMENT);
    mslot_reader_interrupt(NULL);
    expect_outcome(mslot_reader_reset(NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_info_into(NULL, &info, sizeof info), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_info(NULL).outcome, MSLOT_BAD_ARGUMENT);
    expect(!mslot_reader_check(NULL));
    expect_outcome(mslot_reader_close(NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_close_counting(NULL, NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_leave(NULL), MSLOT_BAD_ARGUMENT);
}

TEST(no_writer_is_a_bad_argument)
{
    mslot_info info;
    mslot_bytes bytes = {"x", 1};
    mslot_remote_message message = {.bytes = "x", .byte_count = 1};
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd};
    expect_outcome(mslot_writer_write(NULL, "x", 1, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_try_write(NULL, "x", 1), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch(NULL, &bytes, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch(NULL, NULL, 0, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_from(NULL, "x", 1, 0, 1, 1), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch_from(NULL, &message, 1).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_or_begin_wait(NULL, "x", 1, &wait), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_end_wait(NULL), MSLOT_BAD_ARGUMENT);
    mslot_loaned loaned = mslot_writer_loan(NULL);
    expect_outcome(loaned.outcome, MSLOT_BAD_ARGUMENT);
    expect(loaned.bytes == NULL);
    expect_outcome(mslot_writer_publish(NULL, 1, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_abandon(NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_check_reader(NULL), MSLOT_BAD_ARGUMENT);
    expect(!mslot_writer_sees_reader(NULL));
    expect(!mslot_writer_sees_close(NULL));
    expect(!mslot_writer_sees_released(NULL, 1));
    expect_equal(mslot_writer_last_position(NULL), 0);
    expect_outcome(mslot_writer_begin_watch(NULL, &wait), MSLOT_BAD_ARGUMENT);
    mslot_writer_interrupt(NULL);
    expect_outcome(mslot_writer_reset(NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_info_into(NULL, &info, sizeof info), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_info(NULL).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_close(NULL), MSLOT_BAD_ARGUMENT);
}

TEST(no_observer_no_wait_and_no_table_are_bad_arguments)
{
    char bytes[8];
    mslot_host host;
    memset(&host, 0, sizeof host);
    expect_outcome(mslot_observer_next(NULL, bytes, sizeof bytes).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_observer_close(NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_hosts_set(NULL, &host).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_hosts_close(NULL), MSLOT_BAD_ARGUMENT);
    mslot_open_interrupt(NULL);
    mslot_wait_cancel(NULL);
    mslot_wait_stop(NULL);
    mslot_wait_signal_eventfd(NULL);
}

TEST(no_name_is_an_empty_name_and_no_callback_a_bad_argument)
{
    mslot_info info;
    char path[64];
    mslot_failure failures[] = {
        mslot_create(NULL, NULL).failure,
        mslot_open(NULL, NULL).failure,
        mslot_inspect_into(NULL, &info, sizeof info),
        mslot_inspect(NULL).failure,
        mslot_remove(NULL),
        mslot_path(NULL, path, sizeof path),
        mslot_observer_open(NULL, 0).failure,
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        trying("call %zu", i);
        expect_outcome(failures[i].outcome, MSLOT_BAD_NAME);
        expect_equal(failures[i].detail, MSLOT_NAME_EMPTY);
    }
    expect_outcome(mslot_list(NULL, NULL).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_list_with_skipped(NULL, NULL, NULL).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_hosts_list(NULL, NULL, MSLOT_TRUST_ANYONE).outcome, MSLOT_BAD_ARGUMENT);
    char text[8] = "before";
    expect_equal(mslot_failure_describe(NULL, "orders", text, sizeof text), 0);
    expect(text[0] == 0);
    expect(mslot_failure_describe(&failures[0], NULL, NULL, 100) > 10);
}

TEST(a_sound_handle_refuses_nothing_to_read_from_or_to_write_to)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = mslot_observer_open("orders", 0).observer;
    mslot_wait no_end;
    memset(&no_end, 0, sizeof no_end);
    mslot_bytes none = {NULL, 1};
    mslot_remote_message remote = {.bytes = NULL, .byte_count = 1};
    expect_outcome(mslot_writer_write(writer, NULL, 1, 0), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_try_write(writer, NULL, 424), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_from(writer, NULL, 1, 0, 1, 1), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch(writer, NULL, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch(writer, &none, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch_from(writer, NULL, 1).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_batch_from(writer, &remote, 1).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &no_end), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_info_into(writer, NULL, sizeof(mslot_info)), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_begin_wait(reader, NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_begin_wait(reader, &no_end), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_info_into(reader, NULL, sizeof(mslot_info)), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_inspect_into("orders", NULL, sizeof(mslot_info)).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_path("orders", NULL, 100).outcome, MSLOT_BAD_ARGUMENT);
    expect_equal(mslot_reader_info(reader).messages_written, 0);

    // Nothing is an empty message, and an empty one needs no place.
    expect_outcome(mslot_writer_write(writer, NULL, 0, 0), MSLOT_DONE);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_DONE);
    expect_outcome(mslot_observer_next(observer, NULL, 0).outcome, MSLOT_DONE);
    expect_outcome(mslot_observer_next(observer, NULL, 8).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_read_batch(reader, NULL, 1, 0).outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_reader_read(reader, NULL, 0, 0).outcome, MSLOT_DONE);
    expect_outcome(mslot_reader_read(reader, NULL, 0, 0).outcome, MSLOT_TOO_LONG);
    expect_outcome(mslot_reader_read(reader, NULL, 8, 0).outcome, MSLOT_BAD_ARGUMENT);
    unsigned char byte = 0;
    expect_outcome(mslot_reader_read(reader, &byte, 1, 0).outcome, MSLOT_DONE);
    expect_equal(byte, 'x');
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_long_message_of_nothing_is_a_bad_argument_and_takes_no_overflow)
{
    mslot_create_options options = small_options(4, 2);
    options.message_bytes_max = 10000;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    mslot_writer *writer = must_open("orders");
    static const char long_text[10000] = "long";
    for (int i = 0; i < 2; i++) {
        expect_outcome(mslot_writer_write(writer, NULL, 10000, 0), MSLOT_BAD_ARGUMENT);
        expect_outcome(mslot_writer_write(writer, long_text, 10000, 0), MSLOT_DONE);
    }
    expect_equal(mslot_reader_info(reader).messages_written, 2);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: closed handles

TEST(a_closed_handle_says_that_it_is_not_open_until_its_record_is_given_out_again)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = mslot_observer_open("orders", 0).observer;
    mslot_hosts *hosts = mslot_hosts_open(0).hosts;
    expect(observer != NULL && hosts != NULL);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    expect_outcome(mslot_hosts_close(hosts), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);

    char bytes[8];
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd};
    mslot_host host;
    memset(&host, 0, sizeof host);
    expect_outcome(mslot_reader_close(reader), MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_reset(reader), MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_begin_wait(reader, &wait), MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_wait_any(&reader, 1, 0).outcome, MSLOT_NOT_OPEN);
    expect_outcome(mslot_reader_info(reader).outcome, MSLOT_NOT_OPEN);
    expect(!mslot_reader_check(reader));
    mslot_reader_interrupt(reader);
    expect_outcome(mslot_writer_close(writer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_loan(writer).outcome, MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_publish(writer, 1, 0), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_reset(writer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &wait), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_end_wait(writer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_writer_info(writer).outcome, MSLOT_NOT_OPEN);
    mslot_writer_interrupt(writer);
    expect_outcome(mslot_observer_close(observer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_observer_next(observer, bytes, sizeof bytes).outcome, MSLOT_NOT_OPEN);
    expect_outcome(mslot_hosts_close(hosts), MSLOT_NOT_OPEN);
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_NOT_OPEN);

    // The interrupts of closed handles went nowhere.
    reader = must_create("orders", 4, 2);
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    must_close(reader);
    unlink_hosts();
}

TEST(to_a_forked_child_its_parents_closed_handles_too_are_the_parents)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    mslot_hosts *hosts = mslot_hosts_open(0).hosts;
    must_close_writer(writer);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_FORKED);
        expect_outcome(mslot_writer_close(writer), MSLOT_FORKED);
        expect_outcome(mslot_reader_close(reader), MSLOT_FORKED);
        expect_outcome(mslot_hosts_close(hosts), MSLOT_FORKED);
        mslot_reader_interrupt(reader);
        child_end();
    }
    child_join(child);
    expect_outcome(mslot_writer_close(writer), MSLOT_NOT_OPEN);
    expect_outcome(mslot_hosts_close(hosts), MSLOT_DONE);
    must_close(reader);
    unlink_hosts();
}

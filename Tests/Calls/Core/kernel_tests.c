// What an older or a confined kernel lacks, made by refusing system calls: what can do without goes on, what cannot says why.

#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Everything that a mailslot does in its life, and what a take-over does.
static void use_orders(void)
{
    for (int round = 0; round < 2; round++) {
        mslot_reader *reader = must_create("orders", 2, 2);
        expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS);
        mslot_writer *writer = must_open("orders");
        for (uint64_t number = 0; number < 5; number++) {
            must_write(writer, 0, number);
            must_read_this(reader, 0, number);
        }
        must_close_writer(writer);
        expect_empty_and_sound(reader);
        must_close(reader);
    }
}

// MARK: making a file

TEST(where_files_without_a_name_are_unknown_a_mailslot_is_made_under_another_name_that_goes_away)
{
    static const int refusals[] = {EOPNOTSUPP, EISDIR, EINVAL};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        trying("%s", strerror(refusals[i]));
        pid_t child = child_start();
        if (child == 0) {
            refuse_system_call_with_bits(SYS_openat, refusals[i], 2, O_TMPFILE & ~O_DIRECTORY);
            use_orders();
            mslot_reader *reader = must_create("orders", 2, 2);
            expect_equal(files_in_directory(), 1);
            must_close(reader);
            child_end();
        }
        child_join(child);
        expect_equal(files_in_directory(), 0);
    }
}

TEST(where_proc_names_no_files_a_mailslot_is_made_under_another_name_that_goes_away)
{
    static const int refusals[] = {ENOENT, EACCES, EPERM, EXDEV};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        trying("%s", strerror(refusals[i]));
        pid_t child = child_start();
        if (child == 0) {
            refuse_system_call_with_bits(SYS_linkat, refusals[i], 4, AT_SYMLINK_FOLLOW);
            use_orders();
            child_end();
        }
        child_join(child);
        expect_equal(files_in_directory(), 0);
    }
}

// MARK: what nothing goes without

/// A reader that was killed with message 0 of writer 0 unread.
static void leave_a_dead_readers_mailslot(void)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        (void)must_create("orders", 2, 2);
        must_write(must_open("orders"), 0, 0);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    child_kill(child);
}

static void expect_failure(mslot_failure failure, int system_error)
{
    expect_outcome(failure.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(failure.system_error, system_error);
}

/// Every call that makes, takes over or removes.
static void expect_readers_to_fail(int system_error)
{
    mslot_create_options other = small_options(4, 4), adopt = mslot_create_options_default();
    adopt.adopt = true;
    trying("a new one");
    expect_failure(mslot_create("others", &other).failure, system_error);
    trying("a fresh take-over");
    expect_failure(mslot_create("orders", &other).failure, system_error);
    trying("adopting");
    expect_failure(mslot_create("orders", &adopt).failure, system_error);
    trying("removing");
    expect_failure(mslot_remove("orders"), system_error);
    trying("what is left");
    expect_equal(files_in_directory(), 1);
}

/// What the dead reader left is still there: nothing was sealed by a call that could not finish.
static void adopt_and_read_it(void)
{
    mslot_reader *reader = must_adopt("orders");
    must_read_this(reader, 0, 0);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(without_locks_of_open_files_every_call_says_so_and_leaves_what_is_there)
{
    leave_a_dead_readers_mailslot();
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_fcntl, EINVAL, 1, F_OFD_SETLK); // before Linux 3.15
        expect_readers_to_fail(EINVAL);
        child_end();
    }
    child_join(child);
    adopt_and_read_it();
}

TEST(without_locks_of_open_files_no_lane_can_be_had)
{
    mslot_reader *reader = must_create("orders", 2, 2);
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_fcntl, EINVAL, 1, F_OFD_SETLK);
        expect_failure(mslot_open("orders", NULL).failure, EINVAL);
        child_end();
    }
    child_join(child);
    must_close(reader);
}

TEST(without_memory_for_the_mapping_every_call_says_so_and_leaves_what_is_there)
{
    leave_a_dead_readers_mailslot();
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_mmap, ENOMEM, 3, MAP_SHARED);
        refuse_system_call_with_value(SYS_mmap, ENOMEM, 3, MAP_SHARED | MAP_POPULATE);
        expect_readers_to_fail(ENOMEM);
        expect_failure(mslot_open("orders", NULL).failure, ENOMEM);
        expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_DONE); // who only looks maps nothing
        mslot_observer_opened observing = mslot_observer_open("orders", 1);
        expect_outcome(observing.failure.outcome, MSLOT_DONE);
        char byte;
        expect_outcome(mslot_observer_next(observing.observer, &byte, 1).outcome, MSLOT_TOO_LONG);
        mslot_observer_close(observing.observer);
        child_end();
    }
    child_join(child);
    adopt_and_read_it();
}

TEST(without_memory_for_a_handle_creating_and_opening_say_so_and_leave_what_is_there)
{
    enum { CHUNK_BYTES = 64 * 1024 }; // what Linux/handle.c asks for
    mslot_reader *reader = must_create("orders", 2, 2);
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_mmap, ENOMEM, 1, CHUNK_BYTES);
        expect_failure(mslot_create("others", NULL).failure, ENOMEM);
        expect_failure(mslot_open("orders", NULL).failure, ENOMEM);
        expect_equal(files_in_directory(), 1);
        child_end();
    }
    child_join(child);
    expect_outcome(open_outcome("orders"), MSLOT_DONE);
    must_close(reader);
}

// MARK: what can be done without

TEST(where_a_mapping_cannot_be_populated_an_overflow_is_set_aside_by_the_files_path)
{
    enum { MADV_POPULATE_WRITE_ADVICE = 23 };
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_madvise, EINVAL, 2, MADV_POPULATE_WRITE_ADVICE);
        mslot_create_options options = small_options(4, 2);
        options.message_bytes_max = 65536;
        mslot_reader *reader = mslot_create("orders", &options).reader;
        expect(reader != NULL);
        mslot_writer *writer = must_open("orders");
        mslot_writer *other = must_open("orders");
        unsigned char bytes[1000] = {7}, received[1000];

        expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE);
        expect_equal(mslot_reader_read(reader, received, sizeof received, 0).byte_count, sizeof bytes);
        expect(memcmp(bytes, received, sizeof bytes) == 0);
        // The name is gone: nobody is asked any more.
        char path[4096];
        expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
        expect_equal(unlink(path), 0);
        errno = 0;
        expect_outcome(mslot_writer_try_write(other, bytes, sizeof bytes), MSLOT_SYSTEM_ERROR);
        expect_equal(errno, ENOENT);
        expect_outcome(mslot_writer_try_write(other, bytes, 424), MSLOT_DONE);
        must_close_writer(writer);
        must_close_writer(other);
        must_close(reader);
        child_end();
    }
    child_join(child);
}

TEST(a_long_message_is_read_though_nothing_can_be_asked_of_its_bytes)
{
    enum { MADV_POPULATE_READ_ADVICE = 22 };
    mslot_create_options options = small_options(4, 2);
    options.message_bytes_max = 65536;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    mslot_writer *writer = must_open("orders");
    unsigned char bytes[1000] = {7}, received[1000];
    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE);
    refuse_system_call_with_value(SYS_madvise, EINVAL, 2, MADV_POPULATE_READ_ADVICE);
    refuse_system_call(SYS_openat, EMFILE);
    errno = 0;
    expect_equal(mslot_reader_read(reader, received, sizeof received, 0).byte_count, sizeof bytes);
    expect_equal(errno, 0);
    expect(memcmp(bytes, received, sizeof bytes) == 0);
    must_close_writer(writer);
    must_close(reader);
}

static void expect_writes_without_a_note(void)
{
    mslot_reader *reader = must_create("orders", 2, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    expect(writer->robust.list_op_pending == &writer->no_robust_list);
    expect_equal(writer->no_robust_list, 0);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(without_a_robust_list_a_thread_writes_all_the_same)
{
    // As musl leaves it; and this libc never sets it again.
    if (syscall(SYS_set_robust_list, NULL, 24) != 0) expect_equal(errno, ENOSYS);
    expect_writes_without_a_note();
}

TEST(without_get_robust_list_a_thread_writes_all_the_same)
{
    if (syscall(SYS_get_robust_list, 0, NULL, NULL) != -1 || errno != ENOSYS) refuse_system_call(SYS_get_robust_list, ENOSYS);
    expect_writes_without_a_note();
}

TEST(a_message_whose_writer_was_killed_before_it_woke_the_sleeping_reader_is_found_within_about_a_second_without_a_note)
{
    uint64_t *published_ns = shared_words(1);
    mslot_reader *reader = must_create("orders", 2, 2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        mslot_slot *slot = mslot__ring_own_slot(&writer->ring);
        mslot__writer_head(writer, slot, message_make(slot->payload, 0, 0));
        mslot_robust_list none = {.list_op_pending = &writer->no_robust_list, .futex_offset = 0};
        wait_until(is_parked(writer->ring.ring.control));
        mslot_publication publication = mslot__ring_publish(&writer->ring, none, NULL);
        expect_outcome(publication.outcome, MSLOT_DONE);
        expect(publication.wake != NULL); // and it is not woken
        shared_set(published_ns, (uint64_t)now_ns());
        kill(getpid(), SIGKILL);
    }
    must_read_this(reader, 0, 0);
    expect(now_ns() - (int64_t)shared_get(published_ns) < 5LL * SECOND);
    must_close(reader);
}

// Mailslots that are removed because their reader is dead and nobody will want what it left.

#include "common.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mslot_create_options disposable(void)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = 4;
    options.writers = 2;
    options.is_disposable = true;
    return options;
}

/// A mailslot whose reader was killed.
static void make_dead(const char *name, const mslot_create_options *options)
{
    uint64_t *made = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(mslot_create(name, options).failure.outcome, MSLOT_DONE);
        shared_set(made, 1);
        for (;;) pause();
    }
    wait_until(shared_get(made) == 1);
    child_kill(child);
}

static bool is_there(const char *name) { return mslot_inspect(name).failure.outcome == MSLOT_DONE; }

static void patch(const char *name, size_t offset, const void *bytes, size_t count)
{
    char path[4096];
    expect_outcome(mslot_path(name, path, sizeof path).outcome, MSLOT_DONE);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    expect(descriptor >= 0);
    expect_equal(pwrite(descriptor, bytes, count, (off_t)offset), count);
    close(descriptor);
}

static const size_t MARK = MSLOT_HEADER_BYTES + offsetof(mslot_control, disposable_since_ns);
static const size_t SINCE = MSLOT_HEADER_BYTES + offsetof(mslot_control, reader_since_ns);

TEST(a_sweep_removes_what_killed_readers_left_if_it_is_disposable_and_tells_writers)
{
    mslot_create_options options = disposable();
    uint64_t *made = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(mslot_create("first", &options).failure.outcome, MSLOT_DONE);
        shared_set(made, 1);
        for (;;) pause();
    }
    wait_until(shared_get(made) == 1);
    mslot_open_options opening = mslot_open_options_default();
    opening.wait_through_restarts = true;
    mslot_writer *writer = mslot_open("first", &opening).writer;
    expect(writer != NULL);
    expect_equal(mslot_sweep(9), 0); // it lives
    child_kill(child);
    make_dead("second", &options);
    make_dead("third", &options);
    expect_equal(mslot_sweep(0), 0);
    expect_equal(mslot_sweep(2), 2);
    expect_equal(mslot_sweep(9), 1);
    expect_equal(mslot_sweep(9), 0);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_CLOSED);
    must_close_writer(writer);
}

TEST(a_sweep_leaves_what_is_not_disposable)
{
    mslot_create_options options = disposable();
    options.is_disposable = false;
    make_dead("wanted", &options);
    expect_equal(mslot_sweep(9), 0);

    // Disposable once, then adopted by one who leaves it to the next.
    options.is_disposable = true;
    make_dead("adopted", &options);
    mslot_create_options adopting = mslot_create_options_default();
    adopting.adopt = true;
    mslot_created created = mslot_create("adopted", &adopting);
    expect(created.adopted);
    expect_outcome(mslot_reader_leave(created.reader), MSLOT_DONE);
    expect_equal(mslot_sweep(9), 0);
    expect(is_there("wanted") && is_there("adopted"));
    mslot_remove("wanted");
    mslot_remove("adopted");
}

TEST(a_sweep_leaves_what_was_adopted_by_a_reader_that_knows_no_such_word)
{
    mslot_create_options options = disposable();
    make_dead("orders", &options);
    uint64_t since_ns = 12345; // it writes this, and leaves the word that it does not know
    patch("orders", SINCE, &since_ns, sizeof since_ns);
    expect_equal(mslot_sweep(9), 0);
    uint64_t nothing = 0;
    patch("orders", SINCE, &nothing, sizeof nothing);
    patch("orders", MARK, &nothing, sizeof nothing);
    expect_equal(mslot_sweep(9), 0);
    expect(is_there("orders"));
    mslot_remove("orders");
}

TEST(a_sweep_leaves_what_another_user_may_write_and_what_is_no_mailslot_of_its_name)
{
    mslot_create_options options = disposable();
    options.mode = 0606;
    make_dead("shared", &options);
    options.mode = 0600;
    make_dead("short", &options);
    make_dead("renamed", &options);
    make_dead("linked", &options);
    char path[4096], other[4200];
    expect_outcome(mslot_path("short", path, sizeof path).outcome, MSLOT_DONE);
    expect_equal(truncate(path, MSLOT_HEADER_BYTES + 8), 0);
    expect_outcome(mslot_path("renamed", path, sizeof path).outcome, MSLOT_DONE);
    snprintf(other, sizeof other, "%s2", path);
    expect_equal(rename(path, other), 0);
    expect_outcome(mslot_path("linked", path, sizeof path).outcome, MSLOT_DONE);
    char second[4200];
    snprintf(second, sizeof second, "%s2", path);
    expect_equal(link(path, second), 0);

    expect_equal(mslot_sweep(9), 0);
    expect_equal(unlink(other), 0);
    expect_equal(unlink(second), 0);
    expect_equal(mslot_sweep(9), 1); // the one that had two names
    expect_outcome(mslot_path("short", path, sizeof path).outcome, MSLOT_DONE);
    expect_equal(unlink(path), 0);
    expect(is_there("shared"));
    mslot_remove("shared");
}

TEST(sweeps_look_at_every_mailslot_in_time_however_many_there_are)
{
    enum { DEAD = 40, WANTED = 80 };
    mslot_create_options options = disposable();
    char name[16];
    options.is_disposable = false;
    for (int i = 0; i < WANTED; i++) {
        snprintf(name, sizeof name, "wanted%d", i);
        mslot_reader *reader = mslot_create(name, &options).reader;
        expect(reader != NULL);
        expect_outcome(mslot_reader_leave(reader), MSLOT_DONE);
    }
    options.is_disposable = true;
    for (int i = 0; i < DEAD; i++) {
        snprintf(name, sizeof name, "dead%d", i);
        mslot_reader *reader = mslot_create(name, &options).reader;
        expect(reader != NULL);
        expect_outcome(mslot_reader_leave(reader), MSLOT_DONE);
    }
    uint32_t removals = 0;
    wait_until((removals += mslot_sweep(4)) == DEAD);
    for (int i = 0; i < WANTED; i++) {
        snprintf(name, sizeof name, "wanted%d", i);
        expect_outcome(mslot_remove(name).outcome, MSLOT_DONE);
    }
}

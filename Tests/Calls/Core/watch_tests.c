// Writers that watch over their reader: Linux/watch.c.

#include "common.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WATCHERS = 3 };

// "At once" is sooner than who watches looks by himself, where a death is announced: after a second.

static void count_ending(mslot_wait *wait) { shared_add((uint64_t *)wait->context, 1); }

static void need_robust_lists(void)
{
    void *head;
    size_t length;
    if (syscall(SYS_get_robust_list, 0, &head, &length) != 0) skip("this kernel keeps no robust lists");
}

static mslot_reader *create(const char *name, bool announces)
{
    mslot_create_options options = small_options(4, 8);
    options.adopt = true;
    options.announces_death = announces;
    mslot_created created = mslot_create(name, &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    return created.reader;
}

static mslot_writer *open_through_restarts(const char *name)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = true;
    mslot_opened opened = mslot_open(name, &options);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    return opened.writer;
}

/// A child that has the mailslot "orders" until it is killed.
static pid_t start_reader(uint64_t *ready, bool announces)
{
    shared_set(ready, 0);
    pid_t child = child_start();
    if (child == 0) {
        create("orders", announces);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) != 0);
    return child;
}

/// Watches on until the reader is not there any more, and says what it came to.
static mslot_outcome watch_until_it_ends(mslot_writer *writer, mslot_wait *wait, uint64_t *endings)
{
    for (;;) {
        uint64_t before = shared_get(endings);
        mslot_outcome outcome = mslot_writer_begin_watch(writer, wait);
        if (outcome != MSLOT_DONE) return outcome;
        wait_until(shared_get(endings) != before);
    }
}

TEST(all_who_watch_hear_at_once_that_the_reader_was_killed_in_every_process)
{
    need_robust_lists();
    uint64_t *words = shared_words(2 + 2 * WATCHERS);
    uint64_t *watching = &words[1], *endings = &words[2], *heard_ns = &words[2 + WATCHERS];
    for (int round = 0; round < 20; round++) {
        trying("kill %d", round);
        pid_t reader = start_reader(&words[0], true);
        shared_set(watching, 0);
        pid_t watchers[WATCHERS];
        for (int i = 0; i < WATCHERS; i++) {
            watchers[i] = child_start();
            if (watchers[i] != 0) continue;
            mslot_writer *writer = must_open("orders");
            mslot_wait wait = {.ended = count_ending, .context = &endings[i], .timeout_ns = MSLOT_FOREVER};
            uint64_t before = shared_get(&endings[i]);
            expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
            expect(mslot_writer_sees_reader(writer));
            shared_add(watching, 1);
            wait_until(shared_get(&endings[i]) != before);
            expect_outcome(watch_until_it_ends(writer, &wait, &endings[i]), MSLOT_NO_READER);
            shared_set(&heard_ns[i], (uint64_t)now_ns());
            must_close_writer(writer);
            child_end();
        }
        wait_until(shared_get(watching) == WATCHERS);
        int64_t killed_ns = now_ns();
        child_kill(reader);
        for (int i = 0; i < WATCHERS; i++) {
            child_join(watchers[i]);
            expect((int64_t)shared_get(&heard_ns[i]) - killed_ns < AT_ONCE_NS);
        }
    }
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_watch_tells_a_close_from_a_leave_and_both_at_once)
{
    need_robust_lists();
    uint64_t *endings = shared_words(1);
    for (int closes = 0; closes < 2; closes++) {
        trying("closes: %d", closes);
        mslot_reader *reader = create("orders", true);
        mslot_writer *writer = must_open("orders");
        mslot_wait wait = {.ended = count_ending, .context = endings, .timeout_ns = MSLOT_FOREVER};
        uint64_t before = shared_get(endings);
        expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
        int64_t begun_ns = now_ns();
        expect_outcome(closes ? mslot_reader_close(reader) : mslot_reader_leave(reader), MSLOT_DONE);
        wait_until(shared_get(endings) != before);
        expect_outcome(watch_until_it_ends(writer, &wait, endings), closes ? MSLOT_CLOSED : MSLOT_NO_READER);
        expect(now_ns() - begun_ns < AT_ONCE_NS);
        must_close_writer(writer);
    }
}

TEST(a_reader_that_announces_nothing_is_asked_for_again_and_again)
{
    uint64_t *words = shared_words(2);
    pid_t reader = start_reader(&words[0], false);
    mslot_writer *writer = must_open("orders");
    mslot_wait wait = {.ended = count_ending, .context = &words[1], .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
    child_kill(reader);
    wait_until(shared_get(&words[1]) != 0);
    expect_outcome(watch_until_it_ends(writer, &wait, &words[1]), MSLOT_NO_READER);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(who_waits_through_restarts_watches_on_until_another_adopts)
{
    need_robust_lists();
    uint64_t *words = shared_words(2);
    pid_t reader = start_reader(&words[0], true);
    mslot_writer *writer = open_through_restarts("orders");
    mslot_wait wait = {.ended = count_ending, .context = &words[1], .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
    child_kill(reader);
    wait_until(shared_get(&words[1]) != 0);
    expect_outcome(watch_until_it_ends(writer, &wait, &words[1]), MSLOT_NO_READER);
    // It watches on.
    uint64_t before = shared_get(&words[1]);
    mslot_reader *next = create("orders", true);
    wait_until(shared_get(&words[1]) != before);
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
    expect(mslot_writer_sees_reader(writer));
    mslot_wait_stop(&wait);
    must_close_writer(writer);
    must_close(next);
}

TEST(a_watch_leaves_the_writer_to_its_owner_and_ends_when_it_is_stopped)
{
    uint64_t *endings = shared_words(1);
    mslot_reader *reader = create("orders", true);
    mslot_writer *writer = must_open("orders");
    mslot_wait wait = {.ended = count_ending, .context = endings, .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_DONE);
    uint64_t first = mslot_writer_last_position(writer);
    for (uint64_t i = 1; i <= 4; i++) {
        expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_DONE);
        expect_equal(mslot_writer_last_position(writer), first + i);
        expect(!mslot_writer_sees_released(writer, first + i));
    }
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_FULL);
    char byte;
    expect_outcome(mslot_reader_read(reader, &byte, 1, 0).outcome, MSLOT_DONE);
    expect(mslot_writer_sees_released(writer, first + 1));
    expect(!mslot_writer_sees_released(writer, first + 2));
    mslot_wait_stop(&wait);
    uint64_t before = shared_get(endings);
    expect(!mslot_writer_sees_close(writer));
    must_close(reader);
    expect(mslot_writer_sees_close(writer));
    expect(!mslot_writer_sees_close(NULL));
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_CLOSED);
    expect_equal(shared_get(endings), before);
    must_close_writer(writer);

    mslot_wait without = {.timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_writer_begin_watch(NULL, &wait), MSLOT_BAD_ARGUMENT);
    reader = create("orders", true);
    writer = must_open("orders");
    expect_outcome(mslot_writer_begin_watch(writer, NULL), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_begin_watch(writer, &without), MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_writer_loan(writer).outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_begin_watch(writer, &wait), MSLOT_BUSY);
    expect(!mslot_writer_sees_released(writer, 0));
    must_close_writer(writer);
    must_close(reader);
}

// Waits that a thread of the program's own sleeps through: loops.

#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mailslots/loop.h"

enum { MANY = 200 };

/// A wait that notes who ended it.
typedef struct noted {
    mslot_wait wait;
    uint64_t endings;
    pthread_t thread;
} noted;

static void note_ending(mslot_wait *wait)
{
    noted *note = wait->context;
    note->thread = pthread_self();
    shared_add(&note->endings, 1);
}

static void must_wait(mslot_reader *reader, noted *note)
{
    memset(note, 0, sizeof *note);
    note->wait.ended = note_ending;
    note->wait.context = note;
    note->wait.timeout_ns = MSLOT_FOREVER;
    expect_outcome(mslot_reader_begin_wait(reader, &note->wait), MSLOT_EMPTY);
}

static bool has_ended(noted *note) { return shared_get(&note->endings) != 0; }

static void run_until_ended(mslot_loop *loop, noted *note)
{
    int64_t begun = now_ns();
    while (!has_ended(note)) mslot__loop_sleep(loop);
    expect(now_ns() - begun < AT_ONCE_NS);
}

static mslot_loop *must_enter(void (*blocks)(void *context), void *context)
{
    mslot_loop *loop = mslot__loop_create();
    expect(loop != NULL);
    mslot__loop_enter(loop, context, blocks);
    mslot__loop_hear(loop);
    return loop;
}

static void leave(mslot_loop *loop)
{
    mslot__loop_leave();
    expect(mslot__loop_context() == NULL);
    mslot__loop_free(loop);
}

static void *write_late(void *writer)
{
    usleep(2000);
    must_write(writer, 0, 1);
    return NULL;
}

TEST(a_message_wakes_the_loop_whose_thread_waits_for_it)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    mslot_loop *loop = must_enter(NULL, &writer);
    expect(mslot__loop_context() == &writer);
    for (int i = 0; i < 20; i++) {
        noted note;
        must_wait(reader, &note);
        pthread_t thread;
        expect_equal(pthread_create(&thread, NULL, write_late, writer), 0);
        run_until_ended(loop, &note);
        pthread_join(thread, NULL);
        expect(pthread_equal(note.thread, pthread_self()));
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
        must_read_this(reader, 0, 1);
    }
    leave(loop);
    must_close_writer(writer);
    must_close(reader);
}

static void *wake_late(void *loop)
{
    usleep(2000);
    mslot__loop_wake(loop);
    return NULL;
}

TEST(a_wake_ends_a_loops_sleep_and_is_heard_once_and_none_is_lost)
{
    mslot_loop *loop = must_enter(NULL, NULL);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        int64_t begun = now_ns();
        expect_equal(pthread_create(&thread, NULL, wake_late, loop), 0);
        while (!mslot__loop_hear(loop)) mslot__loop_sleep(loop);
        expect(now_ns() - begun < AT_ONCE_NS);
        expect(!mslot__loop_hear(loop));
        pthread_join(thread, NULL);

        mslot__loop_wake(loop);
        begun = now_ns();
        mslot__loop_sleep(loop); // not at all
        expect(now_ns() - begun < AT_ONCE_NS);
        expect(mslot__loop_hear(loop));
    }
    leave(loop);
}

TEST(an_alarm_ends_a_loops_sleep_and_an_interrupt_a_wait)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_loop *loop = must_enter(NULL, NULL);
    int64_t begun = now_ns();
    mslot__loop_set_alarm(loop, 20 * MILLISECOND);
    while (now_ns() - begun < 20 * MILLISECOND) mslot__loop_sleep(loop);
    expect(now_ns() - begun < AT_ONCE_NS);
    mslot__loop_set_alarm(loop, MSLOT_FOREVER);

    noted note;
    must_wait(reader, &note);
    mslot_reader_interrupt(reader);
    run_until_ended(loop, &note);
    expect_outcome(mslot_reader_begin_wait(reader, &note.wait), MSLOT_INTERRUPTED);
    leave(loop);
    must_close(reader);
}

TEST(a_loop_takes_what_it_can_and_closed_ends_all_that_was_begun_on_it)
{
    static noted notes[MANY];
    mslot_reader *readers[MANY];
    mslot_writer *writers[MANY];
    mslot_loop *loop = must_enter(NULL, NULL);
    mslot__loop_set_alarm(loop, MILLISECOND); // it looks all the time: threads of the library end some of these
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "many/%d", i);
        readers[i] = must_create(name, 4, 2);
        writers[i] = must_open(name);
        must_wait(readers[i], &notes[i]);
    }
    for (int i = 0; i < MANY; i += 10) {
        must_write(writers[i], 0, 1);
        run_until_ended(loop, &notes[i]);
        expect_outcome(mslot_reader_end_wait(readers[i]), MSLOT_DONE);
        must_read_this(readers[i], 0, 1);
    }
    mslot__loop_close(loop);
    for (int i = 0; i < MANY; i++) {
        if (i % 10 != 0) {
            run_until_ended(loop, &notes[i]);
            expect_outcome(mslot_reader_end_wait(readers[i]), MSLOT_DONE);
        }
        notes[i].wait.deadline_ns = 0;
        errno = 0;
        expect_outcome(mslot_reader_begin_wait(readers[i], &notes[i].wait), MSLOT_SYSTEM_ERROR);
        expect_equal(errno, ESHUTDOWN);
        must_write(writers[i], 0, 2);
        must_read_this(readers[i], 0, 2); // it is free
    }
    leave(loop);
    // The next has it, open.
    loop = must_enter(NULL, NULL);
    must_wait(readers[0], &notes[0]);
    mslot_wait_stop(&notes[0].wait);
    leave(loop);
    for (int i = 0; i < MANY; i++) {
        if (i == 0) expect_outcome(mslot_reader_end_wait(readers[i]), MSLOT_DONE);
        must_close_writer(writers[i]);
        must_close(readers[i]);
    }
}

typedef struct stopping {
    noted *note;
    uint64_t is_done;
} stopping;

static void *stop_it(void *argument)
{
    stopping *stopping = argument;
    mslot_wait_stop(&stopping->note->wait);
    shared_add(&stopping->is_done, 1);
    return NULL;
}

TEST(a_loops_wait_is_stopped_by_its_own_thread_by_others_while_it_works_and_while_it_sleeps)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_loop *loop = must_enter(NULL, NULL);
    for (int i = 0; i < 60; i++) {
        trying("%d", i);
        noted note;
        must_wait(reader, &note);
        if (i % 3 == 0) {
            mslot_wait_stop(&note.wait);
        } else {
            stopping stopping = {&note, 0};
            pthread_t thread;
            expect_equal(pthread_create(&thread, NULL, stop_it, &stopping), 0);
            // As if it ran a job for long; or asleep.
            wait_until((i % 3 == 1 || (mslot__loop_sleep(loop), true)) && shared_get(&stopping.is_done) != 0);
            pthread_join(thread, NULL);
        }
        expect(!has_ended(&note));
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    }
    leave(loop);
    must_close(reader);
}

static void count_block(void *count) { ++*(int *)count; }

TEST(a_call_that_blocks_a_loops_thread_is_reported_and_its_own_sleep_is_not)
{
    int count = 0;
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_loop *loop = must_enter(count_block, &count);
    char buffer[8];
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, 0).outcome, MSLOT_EMPTY);
    noted note;
    must_wait(reader, &note);
    mslot__loop_set_alarm(loop, MILLISECOND);
    for (int i = 0; i < 3; i++) mslot__loop_sleep(loop);
    mslot_wait_stop(&note.wait);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    expect_equal(count, 0);
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    expect(count > 0);
    count = 0;
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = MILLISECOND;
    expect_outcome(mslot_open("nobody", &options).failure.outcome, MSLOT_TIMED_OUT);
    expect(count > 0);
    leave(loop);
    count = 0;
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    expect_equal(count, 0);
    must_close(reader);
}

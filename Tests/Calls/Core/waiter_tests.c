// Waits that a thread of the library sleeps through.

#include "common.h"
#include "traced.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The headers of older systems lack it (Linux 5.16).
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/// A wait that counts how often it ended.
typedef struct counted {
    mslot_wait wait;
    uint64_t endings;
} counted;

static void count_ending(mslot_wait *wait) { shared_add((uint64_t *)wait->context, 1); }

static void prepare(counted *c, int64_t timeout_ns)
{
    memset(c, 0, sizeof *c);
    c->wait.ended = count_ending;
    c->wait.context = &c->endings;
    c->wait.timeout_ns = timeout_ns;
}

/// Begins a wait for a message, on an empty mailslot.
static void must_wait(mslot_reader *reader, counted *c) { expect_outcome(mslot_reader_begin_wait(reader, &c->wait), MSLOT_EMPTY); }

static void expect_ended_at_once(counted *c, uint64_t endings)
{
    int64_t begun = now_ns();
    wait_until(shared_get(&c->endings) == endings);
    expect(now_ns() - begun < AT_ONCE_NS);
}

/// The waiting thread is asleep by now, more likely than not; what is tested holds either way.
static void let_it_sleep(void) { usleep(2000); }

/// How many threads of the library there are. A sanitizer has some of its own.
static unsigned threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) skip("no /proc: %s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], name[16] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL) continue;
        if (fgets(name, sizeof name, file) != NULL) count += strcmp(name, "mailslots\n") == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

// MARK: one wait

TEST(a_message_ends_a_wait_that_nobody_of_the_program_sleeps_through)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    counted c;
    prepare(&c, MSLOT_FOREVER);
    for (uint64_t number = 0; number < 100; number++) {
        must_wait(reader, &c);
        expect_equal(shared_get(&c.endings), number);
        must_write(writer, 0, number);
        expect_ended_at_once(&c, number + 1);
        expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_DONE);
        must_read_this(reader, 0, number);
    }
    expect_equal(mslot_reader_info(reader).reader_sleeps, 100);
    must_close_writer(writer);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_wait_is_not_begun_where_something_is_there)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    counted c;
    prepare(&c, MSLOT_FOREVER);
    expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_DONE);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_BUSY); // there is none to leave
    must_read_this(reader, 0, 0);
    expect_equal(c.endings, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_wait_ends_when_its_time_is_up_and_one_without_time_is_not_begun)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    counted c;
    prepare(&c, 0);
    expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_TIMED_OUT);
    int64_t begun = now_ns();
    prepare(&c, 30 * MILLISECOND);
    for (uint64_t waits = 1; mslot_reader_begin_wait(reader, &c.wait) == MSLOT_EMPTY; waits++) wait_until(shared_get(&c.endings) == waits);
    expect(now_ns() - begun >= 30 * MILLISECOND);
    // The mailslot's own.
    expect_outcome(mslot_reader_set_timeout(reader, MILLISECOND), MSLOT_DONE);
    prepare(&c, MSLOT_DEFAULT_TIMEOUT);
    must_wait(reader, &c);
    wait_until(shared_get(&c.endings) == 1);
    expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_TIMED_OUT);
    must_close(reader);
}

TEST(a_handle_in_a_wait_is_busy_for_all_else_and_free_after_it)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    counted c, w, another;
    prepare(&c, MSLOT_FOREVER);
    prepare(&another, MSLOT_FOREVER);
    must_wait(reader, &c);
    char buffer[8];
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_wait_any(&reader, 1, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_begin_wait(reader, &another.wait), MSLOT_BUSY);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_BUSY);
    expect_outcome(mslot_reader_close(reader), MSLOT_BUSY);
    mslot_wait_cancel(&c.wait);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, 0).outcome, MSLOT_EMPTY);

    expect_outcome(mslot_writer_try_write(writer, "1", 1), MSLOT_DONE);
    prepare(&w, MSLOT_FOREVER);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "2", 1, &w.wait), MSLOT_FULL);
    expect_outcome(mslot_writer_try_write(writer, "2", 1), MSLOT_BUSY);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "2", 1, &another.wait), MSLOT_BUSY);
    expect_outcome(mslot_writer_end_wait(writer), MSLOT_BUSY);
    expect_outcome(mslot_writer_close(writer), MSLOT_BUSY);
    mslot_wait_cancel(&w.wait);
    expect_ended_at_once(&w, 1);
    expect_outcome(mslot_writer_end_wait(writer), MSLOT_DONE);
    expect_outcome(mslot_writer_try_write(writer, "2", 1), MSLOT_FULL);
    must_close_writer(writer);
    must_close(reader);
}

TEST(everything_lent_is_no_reason_to_wait)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DONE);
    counted c;
    prepare(&c, MSLOT_FOREVER);
    expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_BUSY);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: ending it

TEST(a_cancelled_wait_ends_at_once_and_its_message_stays)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    counted c;
    prepare(&c, MSLOT_FOREVER);
    mslot_wait_cancel(&c.wait); // before it begins
    must_wait(reader, &c);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);

    for (int round = 0; round < 3; round++) {
        prepare(&c, MSLOT_FOREVER);
        must_wait(reader, &c);
        let_it_sleep();
        mslot_wait_cancel(&c.wait);
        expect_ended_at_once(&c, 1);
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    }

    prepare(&c, MSLOT_FOREVER);
    must_wait(reader, &c);
    must_write(writer, 0, 7);
    mslot_wait_cancel(&c.wait); // with the message, or behind it
    expect_ended_at_once(&c, 1);
    mslot_wait_cancel(&c.wait); // again, when it is over
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    must_read_this(reader, 0, 7);
    expect_equal(c.endings, 1);
    must_close_writer(writer);
    must_close(reader);
}

static void *read_one(void *reader)
{
    char buffer[8];
    int64_t begun = now_ns();
    expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
    return (void *)(intptr_t)(now_ns() - begun < AT_ONCE_NS);
}

TEST(after_a_cancelled_wait_a_thread_that_sleeps_on_the_same_cell_gets_the_wake)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    for (int round = 0; round < 20; round++) {
        counted c;
        prepare(&c, MSLOT_FOREVER);
        must_wait(reader, &c);
        mslot_wait_cancel(&c.wait);
        wait_until(shared_get(&c.endings) == 1);
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
        uint64_t sleeps = mslot_writer_info(writer).reader_sleeps;
        pthread_t thread;
        expect(pthread_create(&thread, NULL, read_one, reader) == 0);
        wait_until(mslot_writer_info(writer).reader_sleeps > sleeps);
        let_it_sleep();
        expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_DONE);
        void *at_once;
        pthread_join(thread, &at_once);
        expect(at_once != NULL);
    }
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_stopped_wait_is_nobodys_any_more)
{
    for (int round = 0; round < 500; round++) {
        mslot_reader *reader = must_create("orders", 4, 2);
        mslot_writer *writer = must_open("orders");
        counted *c = malloc(sizeof *c);
        prepare(c, MSLOT_FOREVER);
        must_wait(reader, c);
        if (round % 2) must_write(writer, 0, 0);
        mslot_wait_stop(&c->wait);
        expect(shared_get(&c->endings) <= 1);
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
        must_close_writer(writer);
        must_close(reader); // unmaps the word
        memset(c, 0xff, sizeof *c);
        free(c);
    }
}

static mslot_reader *interrupted_reader;
static void interrupt_it(int number)
{
    (void)number;
    mslot_reader_interrupt(interrupted_reader);
}

TEST(an_interrupt_ends_a_wait_from_a_signal_handler_too)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    counted c;
    for (int round = 0; round < 3; round++) {
        prepare(&c, MSLOT_FOREVER);
        if (round == 0) mslot_reader_interrupt(reader);
        if (round == 0) {
            expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_INTERRUPTED);
            continue;
        }
        must_wait(reader, &c);
        let_it_sleep();
        if (round == 1) {
            mslot_reader_interrupt(reader);
        } else {
            interrupted_reader = reader;
            signal(SIGUSR1, interrupt_it);
            raise(SIGUSR1);
        }
        expect_ended_at_once(&c, 1);
        expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_INTERRUPTED);
    }
    must_write(writer, 0, 0);
    prepare(&c, MSLOT_FOREVER);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_FULL);
    let_it_sleep();
    mslot_writer_interrupt(writer);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_INTERRUPTED);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: room

TEST(a_wait_for_room_ends_at_once_when_there_is_room_and_when_the_reader_closes)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    counted c;
    prepare(&c, MSLOT_FOREVER);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    size_t byte_count = message_make(bytes, 0, 1);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, bytes, byte_count, &c.wait), MSLOT_FULL);
    must_read_this(reader, 0, 0);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, bytes, byte_count, &c.wait), MSLOT_DONE);
    must_read_this(reader, 0, 1);
    expect_equal(mslot_reader_info(reader).full_writes, 1);
    expect_equal(mslot_reader_info(reader).writer_waits, 1);

    must_write(writer, 0, 2);
    prepare(&c, MSLOT_FOREVER);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, bytes, byte_count, &c.wait), MSLOT_FULL);
    must_close(reader);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, bytes, byte_count, &c.wait), MSLOT_CLOSED);
    must_close_writer(writer);
}

TEST(a_wait_for_room_ends_when_its_time_is_up)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    counted c;
    prepare(&c, 20 * MILLISECOND);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_FULL);
    wait_until(shared_get(&c.endings) == 1);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_TIMED_OUT);
    prepare(&c, 0);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_TIMED_OUT);
    static const unsigned char long_message[500];
    expect_outcome(mslot_writer_write_or_begin_wait(writer, long_message, sizeof long_message, &c.wait), MSLOT_TOO_LONG);
    must_close_writer(writer);
    must_close(reader);
}

/// A child that creates "orders" with one cell, and waits to be killed.
static pid_t start_reader(void)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        (void)must_create("orders", 1, 2);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) != 0);
    return child;
}

TEST(a_wait_for_room_learns_within_about_a_second_that_the_reader_was_killed)
{
    pid_t child = start_reader();
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    counted c;
    prepare(&c, MSLOT_FOREVER);
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_FULL);
    child_kill(child);
    mslot_outcome outcome;
    uint64_t endings = 0;
    int64_t begun = now_ns();
    do wait_until(shared_get(&c.endings) > endings);
    while (endings = shared_get(&c.endings), (outcome = mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait)) == MSLOT_FULL);
    expect_outcome(outcome, MSLOT_NO_READER);
    expect(now_ns() - begun < 5LL * SECOND);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_long_message_waits_for_room_like_a_short_one)
{
    mslot_create_options options = small_options(4, 2);
    options.message_bytes_max = 65536;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    mslot_writer *writer = must_open("orders");
    static unsigned char bytes[65536], received[65536];
    counted c;
    uint64_t written = 0, read = 0;
    prepare(&c, MSLOT_FOREVER);
    while (written < 200) {
        size_t byte_count = message_make_of(40000 + written * 100, bytes, 0, written);
        uint64_t endings = shared_get(&c.endings);
        mslot_outcome outcome = mslot_writer_write_or_begin_wait(writer, bytes, byte_count, &c.wait);
        if (outcome == MSLOT_DONE) {
            written++;
            continue;
        }
        expect_outcome(outcome, MSLOT_FULL);
        mslot_received got = mslot_reader_read(reader, received, sizeof received, 0);
        expect_outcome(got.outcome, MSLOT_DONE);
        expect_equal(message_check(received, got.byte_count).number, read++);
        wait_until(shared_get(&c.endings) == endings + 1);
    }
    expect(shared_get(&c.endings) > 100);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: many

enum { MANY = 300 };

TEST(three_hundred_waits_take_three_threads_and_each_ends_by_its_own_message)
{
    unsigned threads_before = threads();
    unsigned descriptors = descriptors_open();
    static mslot_reader *readers[MANY];
    static mslot_writer *writers[MANY];
    static counted waits[MANY];
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%d", i);
        readers[i] = must_create(name, 1, 1);
        writers[i] = must_open(name);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            prepare(&waits[i], MSLOT_FOREVER);
            must_wait(readers[i], &waits[i]);
        }
        expect_equal(threads(), threads_before + 3);
        expect_equal(descriptors_open(), descriptors);
        uint64_t stride = 7 + 2 * random_below(10) * 30; // coprime to 300 or not: each is written once
        for (uint64_t i = 0, done = 0; done < MANY; i = (i + stride) % MANY) {
            while (shared_get(&waits[i].endings) != 0) i = (i + 1) % MANY;
            must_write(writers[i], 0, i);
            expect_ended_at_once(&waits[i], 1);
            done++;
        }
        for (uint64_t i = 0; i < MANY; i++) {
            expect_outcome(mslot_reader_begin_wait(readers[i], &waits[i].wait), MSLOT_DONE);
            must_read_this(readers[i], 0, i);
            expect_equal(waits[i].endings, 1);
        }
    }
    for (int i = 0; i < MANY; i++) {
        must_close_writer(writers[i]);
        must_close(readers[i]);
    }
}

enum { STORM_WAITS = 1 << 17 };
static counted storm_waits[STORM_WAITS];
static uint64_t storm_turn, storm_over;

static void *cancel_at_random(void *unused)
{
    while (shared_get(&storm_over) == 0) {
        mslot_wait_cancel(&storm_waits[shared_get(&storm_turn)].wait);
        if (random_below(4) == 0) usleep((unsigned)random_below(200));
    }
    return unused;
}

TEST(a_storm_of_cancellations_loses_no_message)
{
    enum { COUNT = 2000, CANCELLED = 100 };
    mslot_reader *reader = must_create("orders", 64, 2);
    uint64_t *enough = shared_words(2), *all_written = enough + 1;
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        for (uint64_t number = 0; number < COUNT || !shared_get(enough); number++) {
            must_write(writer, 0, number);
            if (number % 8 == 0) usleep(1000);
        }
        must_close_writer(writer);
        shared_set(all_written, 1);
        child_end();
    }
    for (int i = 0; i < STORM_WAITS; i++) prepare(&storm_waits[i], MSLOT_FOREVER);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, cancel_at_random, NULL) == 0);
    uint64_t number = 0, cancelled = 0;
    bool writes = true;
    for (uint64_t turn = 0; writes; turn++) {
        if (cancelled >= CANCELLED) shared_set(enough, 1);
        expect(turn < STORM_WAITS);
        counted *c = &storm_waits[turn];
        shared_set(&storm_turn, turn);
        mslot_outcome outcome = mslot_reader_begin_wait(reader, &c->wait);
        if (outcome == MSLOT_EMPTY) {
            wait_until(shared_get(&c->endings) == 1);
            expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
            unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
            bool last_look = shared_get(all_written) != 0; // asked before looking: what is not there then never comes
            mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, 0);
            if (received.outcome == MSLOT_DONE) expect_equal(message_check(bytes, received.byte_count).number, number++);
            else cancelled++;
            writes = received.outcome == MSLOT_DONE || !last_look;
        } else {
            expect_outcome(outcome, MSLOT_DONE);
            must_read_this(reader, 0, number++);
        }
    }
    shared_set(&storm_over, 1);
    pthread_join(thread, NULL);
    child_join(child);
    expect(cancelled >= CANCELLED);
    expect_equal(mslot_reader_info(reader).messages_written, number);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(thousands_of_waits_begun_and_cancelled_leave_nothing_behind)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    unsigned before = threads(), descriptors = descriptors_open();
    for (int i = 0; i < 5000; i++) {
        counted c;
        prepare(&c, MSLOT_FOREVER);
        must_wait(reader, &c);
        mslot_wait_stop(&c.wait);
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    }
    expect_equal(threads(), before + 1);
    expect_equal(descriptors_open(), descriptors);
    must_close(reader);
}

// MARK: processes

static mslot_writer *stepped_writer;
static void open_orders(void) { stepped_writer = must_open("orders"); }
static void write_one(void) { expect_outcome(mslot_writer_try_write(stepped_writer, "x", 1), MSLOT_DONE); }

TEST(a_writer_killed_at_any_instruction_wakes_a_wait_for_what_it_has_published)
{
    mslot_reader *reader = must_create("orders", 4, 4);
    bool ended = false;
    unsigned published = 0, lost = 0;
    for (unsigned steps = 0; !ended; steps++) {
        trying("after %u instructions", steps);
        counted c;
        prepare(&c, MSLOT_FOREVER);
        must_wait(reader, &c);
        pid_t child = traced_start(open_orders, write_one);
        for (unsigned i = 0; i < steps && !ended; i++) ended = traced_go_on(child, PTRACE_SINGLESTEP) == TRACED_ENDED;
        if (!ended) child_kill(child);
        char buffer[8];
        if (mslot_reader_info(reader).message_count != 0) {
            expect_ended_at_once(&c, 1);
            expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_DONE);
            expect_outcome(mslot_reader_read(reader, buffer, sizeof buffer, 0).outcome, MSLOT_DONE);
            published++;
        } else {
            mslot_wait_stop(&c.wait);
            expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
            lost++;
        }
    }
    expect(published > 2 && lost > 2);
    must_close(reader);
}

TEST(a_forked_child_has_no_waits_of_its_parents_and_makes_its_own)
{
    void *list;
    size_t length;
    if (syscall(SYS_get_robust_list, 0, &list, &length) != 0) skip("an emulator, whose forked children cannot start threads");
    mslot_reader *reader = must_create("orders", 4, 2);
    counted c;
    prepare(&c, MSLOT_FOREVER);
    must_wait(reader, &c);
    pid_t child = child_start();
    if (child == 0) {
        unsigned threads_before = threads();
        expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_FORKED);
        expect_outcome(mslot_reader_end_wait(reader), MSLOT_FORKED);
        mslot_reader_interrupt(reader); // touches nothing of the parent's
        mslot_writer *to_parent = must_open("orders");
        mslot_reader *own = must_create("own", 4, 2);
        mslot_writer *writer = must_open("own");
        counted mine;
        prepare(&mine, MSLOT_FOREVER);
        must_wait(own, &mine);
        must_write(writer, 0, 0);
        expect_ended_at_once(&mine, 1);
        expect_outcome(mslot_reader_begin_wait(own, &mine.wait), MSLOT_DONE);
        must_read_this(own, 0, 0);
        expect_equal(threads(), threads_before + 1);
        expect_equal(shared_get(&c.endings), 0);
        must_close_writer(writer);
        must_close(own);
        must_write(to_parent, 0, 1);
        must_close_writer(to_parent);
        child_end();
    }
    child_join(child);
    expect_ended_at_once(&c, 1);
    expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_DONE);
    must_read_this(reader, 0, 1);
    must_close(reader);
}

TEST(waits_that_are_on_do_not_keep_a_process_from_ending)
{
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 4, 2);
        static counted c;
        prepare(&c, MSLOT_FOREVER);
        must_wait(reader, &c);
        exit(7); // with all that exit does
    }
    int status = child_wait(child, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

// MARK: kernels that lack something

TEST(without_futex_waitv_waits_end_all_the_same)
{
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call(SYS_futex_waitv, ENOSYS);
        mslot_reader *readers[2] = {must_create("a", 4, 2), must_create("b", 4, 2)};
        mslot_writer *writers[2] = {must_open("a"), must_open("b")};
        counted waits[2];
        for (int count = 1; count <= 2; count++) {
            for (int i = 0; i < count; i++) {
                prepare(&waits[i], MSLOT_FOREVER);
                must_wait(readers[i], &waits[i]);
            }
            for (int i = 0; i < count; i++) {
                must_write(writers[i], 0, 0);
                expect_ended_at_once(&waits[i], 1);
                expect_outcome(mslot_reader_begin_wait(readers[i], &waits[i].wait), MSLOT_DONE);
                must_read_this(readers[i], 0, 0);
            }
        }
        prepare(&waits[0], MSLOT_FOREVER);
        must_wait(readers[0], &waits[0]);
        mslot_wait_cancel(&waits[0].wait);
        expect_ended_at_once(&waits[0], 1);
        expect_outcome(mslot_reader_end_wait(readers[0]), MSLOT_DONE);
        for (int i = 0; i < 2; i++) {
            must_close_writer(writers[i]);
            must_close(readers[i]);
        }
        child_end();
    }
    child_join(child);
}

TEST(where_no_thread_can_be_started_a_wait_says_so_and_the_handle_works_on)
{
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 1, 2);
        mslot_writer *writer = must_open("orders");
#ifdef SYS_clone3
        refuse_system_call(SYS_clone3, EAGAIN);
#endif
        refuse_system_call(SYS_clone, EAGAIN);
        counted c;
        prepare(&c, MSLOT_FOREVER);
        errno = 0;
        expect_outcome(mslot_reader_begin_wait(reader, &c.wait), MSLOT_SYSTEM_ERROR);
        expect_equal(errno, EAGAIN);
        expect(!is_parked(reader->ring.ring.control));
        must_write(writer, 0, 0);
        expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &c.wait), MSLOT_SYSTEM_ERROR);
        must_read_this(reader, 0, 0);
        must_write(writer, 0, 1);
        must_read_this(reader, 0, 1);
        must_close_writer(writer);
        must_close(reader);
        child_end();
    }
    child_join(child);
}

// MARK: event loops

TEST(an_eventfd_tells_epoll_of_messages)
{
    mslot_reader *reader = must_create("orders", 8, 2);
    int event = mslot_eventfd_create(), loop = epoll_create1(EPOLL_CLOEXEC);
    expect(event >= 0 && loop >= 0);
    expect(epoll_ctl(loop, EPOLL_CTL_ADD, event, &(struct epoll_event){.events = EPOLLIN}) == 0);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        for (uint64_t number = 0; number < 2000; number++) must_write(writer, 0, number);
        must_close_writer(writer);
        child_end();
    }
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd, .context = (void *)(intptr_t)event, .timeout_ns = MSLOT_FOREVER};
    for (uint64_t number = 0; number < 2000;) {
        mslot_outcome outcome = mslot_reader_begin_wait(reader, &wait);
        if (outcome == MSLOT_EMPTY) {
            struct epoll_event happened;
            while (epoll_wait(loop, &happened, 1, (int)(TEST_TIMEOUT_NS / MILLISECOND)) < 0) expect(errno == EINTR);
            uint64_t count;
            expect(read(event, &count, sizeof count) == sizeof count && count == 1);
        } else {
            expect_outcome(outcome, MSLOT_DONE);
            must_read_this(reader, 0, number++);
        }
    }
    expect_outcome(mslot_reader_begin_wait(reader, &wait), MSLOT_EMPTY);
    mslot_wait_stop(&wait);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    child_join(child);
    close(event);
    close(loop);
    must_close(reader);
}

TEST(an_eventfd_that_is_full_is_readable_all_the_same)
{
    mslot_reader *reader = must_create("orders", 8, 2);
    mslot_writer *writer = must_open("orders");
    int event = mslot_eventfd_create();
    const uint64_t nearly = UINT64_MAX - 1;
    expect(write(event, &nearly, sizeof nearly) == sizeof nearly);
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd, .context = (void *)(intptr_t)event, .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_reader_begin_wait(reader, &wait), MSLOT_EMPTY);
    must_write(writer, 0, 0);
    wait_until(mslot_reader_end_wait(reader) == MSLOT_DONE);
    mslot_wait_stop(&wait); // and `ended` is over, too
    must_read_this(reader, 0, 0);
    close(event);
    must_close_writer(writer);
    must_close(reader);
}

// What needs several processes, threads or signals.

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The headers of older systems lack it (Linux 5.16).
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/// A child that opens "orders" and writes messages 0 to `count` - 1 as `writer`.
static pid_t start_writer(uint64_t writer, uint64_t count)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_writer *handle = must_open("orders");
    for (uint64_t number = 0; number < count; number++) must_write(handle, writer, number);
    must_close_writer(handle);
    child_end();
}

/// A child that creates "orders", puts `unread` messages into it, and waits to be killed or stopped; it is ready when `*ready` is set.
static pid_t start_reader(uint32_t capacity, uint32_t unread, uint64_t *ready)
{
    pid_t child = child_start();
    if (child != 0) {
        wait_until(shared_get(ready) != 0);
        return child;
    }
    mslot_reader *reader = must_create("orders", capacity, 4);
    mslot_writer *writer = must_open("orders");
    for (uint32_t i = 0; i < unread; i++) must_write(writer, 0, i);
    must_close_writer(writer);
    shared_set(ready, 1);
    (void)reader;
    for (;;) pause();
}

static mslot_outcome poll_outcome(mslot_reader *reader)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    return mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome;
}

static mslot_outcome wait_outcome(mslot_reader *reader)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    return mslot_reader_read(reader, bytes, sizeof bytes, MSLOT_FOREVER).outcome;
}

/// Whether the kernel says that a process sleeps.
static bool is_asleep(pid_t process)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    expect(descriptor >= 0);
    ssize_t bytes = read(descriptor, text, sizeof text - 1);
    expect(bytes > 0 && close(descriptor) == 0);
    text[bytes] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

// MARK: many writers

enum { WRITERS = 6 };

/// Reads `total` messages in one of three ways: blocking, polling, with short time-outs.
static void read_all(mslot_reader *reader, uint64_t total, int64_t timeout_ns)
{
    counts all = {.count = 0};
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    uint64_t position = reader->ring.head;
    while (all.count < total) {
        mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, timeout_ns);
        if (received.outcome == (timeout_ns == 0 ? MSLOT_EMPTY : MSLOT_TIMED_OUT)) continue;
        expect_outcome(received.outcome, MSLOT_DONE);
        expect_equal(received.position, position++);
        counts_add(&all, message_check(bytes, received.byte_count), false);
    }
}

static void many_writers(uint32_t capacity, uint64_t count, int64_t timeout_ns)
{
    mslot_reader *reader = must_create("orders", capacity, WRITERS);
    pid_t children[WRITERS];
    for (uint64_t i = 0; i < WRITERS; i++) children[i] = start_writer(i, count);
    read_all(reader, WRITERS * count, timeout_ns);
    for (int i = 0; i < WRITERS; i++) child_join(children[i]);
    expect_empty_and_sound(reader);
    expect_equal(mslot_reader_info(reader).messages_written, WRITERS * count);
    expect_equal(mslot_reader_info(reader).messages_read, WRITERS * count);
    must_close(reader);
}

TEST(every_message_of_many_writers_arrives_once_whole_and_in_order_while_the_reader_blocks) { many_writers(64, 20000, MSLOT_FOREVER); }
TEST(every_message_of_many_writers_arrives_once_whole_and_in_order_while_the_reader_polls) { many_writers(64, 10000, 0); }
TEST(every_message_of_many_writers_arrives_once_whole_and_in_order_through_timed_reads) { many_writers(64, 10000, 50000); }
TEST(every_message_of_many_writers_arrives_once_whole_and_in_order_through_1_cell) { many_writers(1, 3000, MSLOT_FOREVER); }

TEST(every_message_arrives_once_when_read_in_place_and_in_batches)
{
    enum { COUNT = 5000 };
    mslot_reader *reader = must_create("orders", 16, WRITERS);
    pid_t children[WRITERS];
    for (uint64_t i = 0; i < WRITERS; i++) children[i] = start_writer(i, COUNT);
    counts all = {.count = 0};
    for (uint64_t round = 0; all.count < WRITERS * COUNT; round++) {
        if (round % 2 == 0) {
            mslot_message messages[7];
            mslot_batch batch = mslot_reader_read_batch(reader, messages, 7, TEST_TIMEOUT_NS);
            expect_outcome(batch.outcome, MSLOT_DONE);
            for (size_t i = 0; i < batch.count; i++) counts_add(&all, message_check(messages[i].bytes, messages[i].byte_count), false);
        } else {
            size_t lent = 0;
            for (; lent < 1 + round % 5; lent++) {
                mslot_view view = mslot_reader_peek(reader, 0);
                if (view.outcome == MSLOT_EMPTY) break;
                expect_outcome(view.outcome, MSLOT_DONE);
                counts_add(&all, message_check(view.bytes, view.byte_count), false);
            }
            expect_outcome(mslot_reader_release(reader, lent), MSLOT_DONE);
        }
    }
    for (int i = 0; i < WRITERS; i++) child_join(children[i]);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(writers_come_and_go_while_others_write)
{
    enum { ROUNDS = 300 };
    mslot_reader *reader = must_create("orders", 8, 3); // fewer lanes than writers
    pid_t children[WRITERS];
    for (uint64_t i = 0; i < WRITERS; i++) {
        children[i] = child_start();
        if (children[i] != 0) continue;
        for (uint64_t number = 0; number < ROUNDS;) {
            mslot_opened opened = mslot_open("orders", NULL);
            if (opened.failure.outcome == MSLOT_TOO_MANY_WRITERS) {
                poll_pause();
                continue;
            }
            expect_outcome(opened.failure.outcome, MSLOT_DONE);
            must_write(opened.writer, i, number++);
            must_close_writer(opened.writer);
        }
        child_end();
    }
    read_all(reader, WRITERS * ROUNDS, MSLOT_FOREVER);
    for (int i = 0; i < WRITERS; i++) child_join(children[i]);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_round_trip_between_two_processes_goes_on_and_on)
{
    enum { TURNS = 20000 };
    mslot_reader *here = must_create("here", 1, 1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *there = must_create("there", 1, 1);
        mslot_writer *back = must_open("here");
        must_write(back, 1, 0); // "there" is there
        for (uint64_t i = 0; i < TURNS; i++) {
            must_read_this(there, 0, i);
            must_write(back, 1, i + 1);
        }
        must_close_writer(back);
        must_close(there);
        child_end();
    }
    must_read_this(here, 1, 0);
    mslot_writer *forth = must_open("there");
    for (uint64_t i = 0; i < TURNS; i++) {
        must_write(forth, 0, i);
        must_read_this(here, 1, i + 1);
    }
    child_join(child);
    expect_outcome(mslot_writer_try_write(forth, "x", 1), MSLOT_CLOSED);
    must_close_writer(forth);
    must_close(here);
}

// MARK: waking

/// Reads messages of writer 0, and says after each how many were read, for the next is written then. How many came late.
static unsigned read_in_turn(mslot_reader *reader, uint64_t count, uint64_t *read)
{
    unsigned late = 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t begun = now_ns();
        must_read_this(reader, 0, i);
        if (now_ns() - begun > AT_ONCE_NS) late++;
        shared_set(read, i + 1);
    }
    return late;
}

TEST(a_message_wakes_a_sleeping_reader_at_once)
{
    enum { TURNS = 30 };
    uint64_t *told = shared_words(1);
    mslot_reader *reader = must_create("orders", 4, 2);
    const mslot_control *control = reader->ring.ring.control;
    pid_t sender = child_start();
    if (sender == 0) {
        mslot_writer *writer = must_open("orders");
        for (uint64_t i = 0; i < TURNS; i++) {
            wait_until(shared_get(told) == i && is_parked(writer->ring.ring.control));
            must_write(writer, 0, i);
        }
        must_close_writer(writer);
        child_end();
    }
    unsigned late = read_in_turn(reader, TURNS, told);
    child_join(sender);
    expect(!is_parked(control));
    expect(late <= 2); // without wakes every one would be found by the re-check after a second
    expect(mslot_reader_info(reader).reader_wakes >= TURNS);
    expect(mslot_reader_info(reader).late_wakes <= late);
    must_close(reader);
}

TEST(somebody_else_who_sleeps_on_the_readers_cell_does_not_rob_it_of_its_wake)
{
    enum { TURNS = 5 };
    uint64_t *read = shared_words(1);
    mslot_reader *reader = must_create("orders", 8, 2);
    mslot_writer *writer = must_open("orders");
    const mslot_ring *ring = &writer->ring.ring;
    // A child has no handle; who may read the file may sleep on all of it.
    const unsigned char *base = writer->mapping.base;
    size_t cells_offset = (size_t)((unsigned char *)ring->cells - base), map_bytes = (size_t)(ring->slots - base);
    char path[4096];
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    pid_t others[TURNS];
    for (uint64_t i = 0; i < TURNS; i++) {
        others[i] = child_start();
        if (others[i] != 0) continue;
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        unsigned char *mapped = mmap(NULL, map_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
        expect(mapped != MAP_FAILED);
        mslot_cell *cells = (mslot_cell *)(void *)(mapped + cells_offset);
        uint32_t *word = mslot__cell_futex(&cells[i]);
        for (;;) syscall(SYS_futex, word, FUTEX_WAIT, *word, NULL, NULL, 0);
    }
    for (uint64_t i = 0; i < TURNS; i++) wait_until(is_asleep(others[i]));
    pid_t sender = child_start();
    if (sender == 0) {
        mslot_writer *own = must_open("orders");
        for (uint64_t i = 0; i < TURNS; i++) {
            wait_until(shared_get(read) == i && is_parked(own->ring.ring.control) && is_asleep(getppid()));
            must_write(own, 0, i);
        }
        must_close_writer(own);
        child_end();
    }
    unsigned late = read_in_turn(reader, TURNS, read);
    child_join(sender);
    for (uint64_t i = 0; i < TURNS; i++) child_kill(others[i]);
    expect(late <= 2); // else each would be found by the re-check after a second
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_reader_whose_wake_was_lost_looks_again_within_about_a_second)
{
    uint64_t *read = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 4, 2);
        char byte;
        expect_outcome(mslot_reader_read(reader, &byte, 1, MSLOT_FOREVER).outcome, MSLOT_DONE);
        shared_set(read, 1);
        must_close(reader);
        child_end();
    }
    wait_until(open_outcome("orders") == MSLOT_DONE);
    mslot_writer *writer = must_open("orders");
    wait_until(is_parked(writer->ring.ring.control) && is_asleep(child));
    uint64_t sleeps = mslot_writer_info(writer).reader_sleeps;
    // A publication whose writer is stopped before it wakes anybody.
    uintptr_t no_robust_list = 0;
    mslot__writer_head(writer, mslot__ring_own_slot(&writer->ring), 0);
    expect_outcome(mslot__ring_publish(&writer->ring, (mslot_robust_list){.list_op_pending = &no_robust_list}, NULL).outcome, MSLOT_DONE);
    wait_until(shared_get(read) == 1);
    child_join(child);
    // Unless it slept anew meanwhile: then it may have seen the message when it was awake.
    mslot_info info = mslot_writer_info(writer);
    expect(info.late_wakes == 1 || info.reader_sleeps > sleeps);
    must_close_writer(writer);
}

TEST(a_batch_to_a_reader_that_is_stopped_asleep_makes_one_wake)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 64, 4);
        shared_set(ready, 1);
        for (uint64_t i = 0; i < 50; i++) must_read_this(reader, 0, i);
        must_close(reader);
        child_end();
    }
    wait_until(shared_get(ready) == 1);
    mslot_writer *writer = must_open("orders");
    // Stopped at a moment when it sleeps.
    for (;;) {
        wait_until(is_parked(writer->ring.ring.control));
        child_stop(child);
        if (is_parked(writer->ring.ring.control)) break;
        child_continue(child);
    }
    uint64_t before = mslot_writer_info(writer).reader_wakes;

    unsigned char bytes[50][MSLOT_MESSAGE_BYTES_MAX];
    mslot_bytes messages[50];
    for (uint64_t i = 0; i < 50; i++) messages[i] = (mslot_bytes){bytes[i], message_make(bytes[i], 0, i)};
    mslot_batch batch = mslot_writer_write_batch(writer, messages, 50, 0);

    expect_outcome(batch.outcome, MSLOT_DONE);
    expect_equal(batch.count, 50);
    expect_equal(mslot_writer_info(writer).reader_wakes - before, 1);
    child_continue(child);
    child_join(child);
    must_close_writer(writer);
}

TEST(waiting_on_many_mailslots_is_ended_by_a_message_to_any_of_them)
{
    enum { MAILSLOTS = 5, TURNS = 200 };
    uint64_t *turn = shared_words(1);
    mslot_reader *readers[MAILSLOTS];
    char name[16];
    for (int i = 0; i < MAILSLOTS; i++) {
        snprintf(name, sizeof name, "m%d", i);
        readers[i] = must_create(name, 2, 1);
    }
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writers[MAILSLOTS];
        for (int i = 0; i < MAILSLOTS; i++) {
            snprintf(name, sizeof name, "m%d", i);
            writers[i] = must_open(name);
        }
        for (uint64_t i = 0; i < TURNS; i++) {
            while (shared_get(turn) != i) {}
            mslot_writer *writer = writers[i * 7 % MAILSLOTS];
            if (i % 8 == 0) wait_until(is_parked(writer->ring.ring.control));
            must_write(writer, 0, i);
        }
        child_end();
    }
    for (uint64_t i = 0; i < TURNS; i++) {
        mslot_ready ready = mslot_reader_wait_any(readers, MAILSLOTS, MSLOT_FOREVER);
        expect_outcome(ready.outcome, MSLOT_DONE);
        expect_equal(ready.index, i * 7 % MAILSLOTS);
        must_read_this(readers[ready.index], 0, i);
        shared_set(turn, i + 1);
    }
    child_join(child);
    for (int i = 0; i < MAILSLOTS; i++) must_close(readers[i]);
}

TEST(a_wait_on_many_that_had_to_sleep_does_not_count_as_one_that_polling_ended)
{
    mslot_reader *reader = must_create("orders", 2, 1);
    expect_equal(reader->spin.typical_ns, 0);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        wait_until(is_parked(writer->ring.ring.control));
        must_write(writer, 0, 0);
        child_end();
    }
    expect_outcome(mslot_reader_wait_any(&reader, 1, MSLOT_FOREVER).outcome, MSLOT_DONE);
    expect(reader->spin.typical_ns >= 2000); // an eighth of the most that a wait counts; of one that polling ended at most 1000
    child_join(child);
    must_read_this(reader, 0, 0);
    must_close(reader);
}

static bool has_futex_waitv(void) { return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == -1 && errno == EINVAL; }

/// As before Linux 5.16 (ENOSYS), as in some sandboxes (EPERM): a sleeper on two words sleeps on the mailslot's alone.
static void do_without_futex_waitv(int error)
{
    if (has_futex_waitv()) refuse_system_call(SYS_futex_waitv, error);
    expect(!has_futex_waitv());
}

TEST(without_futex_waitv_a_message_wakes_a_sleeping_reader_at_once)
{
    do_without_futex_waitv(ENOSYS);
    a_message_wakes_a_sleeping_reader_at_once();
}

TEST(without_futex_waitv_waiting_on_many_mailslots_is_ended_by_a_message_to_any_of_them)
{
    do_without_futex_waitv(EPERM);
    waiting_on_many_mailslots_is_ended_by_a_message_to_any_of_them();
}

// MARK: interrupts and signals

typedef struct interrupter {
    mslot_reader *reader;
    mslot_writer *writer;
    uint64_t interrupted_ns;
} interrupter;

static void *interrupt_the_reader(void *context)
{
    interrupter *i = context;
    wait_until(is_parked(i->reader->ring.ring.control));
    for (int pause = 0; pause < 20; pause++) poll_pause(); // most likely it sleeps by now
    shared_set(&i->interrupted_ns, (uint64_t)now_ns());
    mslot_reader_interrupt(i->reader);
    return NULL;
}

static void *interrupt_the_writer(void *context)
{
    interrupter *i = context;
    wait_until(has_waited(i->reader, 1));
    for (int pause = 0; pause < 20; pause++) poll_pause();
    shared_set(&i->interrupted_ns, (uint64_t)now_ns());
    mslot_writer_interrupt(i->writer);
    return NULL;
}

static void expect_it_took_no_time(const interrupter *i)
{
    int64_t took = now_ns() - (int64_t)shared_get(&i->interrupted_ns);
    expect(took < (has_futex_waitv() ? AT_ONCE_NS : 5LL * SECOND)); // without, it is the re-check after a second
}

TEST(another_thread_interrupts_a_read_and_a_write)
{
    interrupter i = {.reader = must_create("orders", 1, 1)};
    i.writer = must_open("orders");
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_the_reader, &i);
    expect_outcome(wait_outcome(i.reader), MSLOT_INTERRUPTED);
    expect_it_took_no_time(&i);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, interrupt_the_reader, &i);
    expect_outcome(mslot_reader_wait_any(&i.reader, 1, MSLOT_FOREVER).outcome, MSLOT_INTERRUPTED);
    expect_it_took_no_time(&i);
    pthread_join(thread, NULL);

    must_write(i.writer, 0, 0);
    pthread_create(&thread, NULL, interrupt_the_writer, &i);
    expect_outcome(mslot_writer_write(i.writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    expect_it_took_no_time(&i);
    pthread_join(thread, NULL);
    must_read_this(i.reader, 0, 0);
    must_write(i.writer, 0, 1);
    must_read_this(i.reader, 0, 1);
    must_close_writer(i.writer);
    must_close(i.reader);
}

TEST(without_futex_waitv_another_thread_interrupts_a_read_and_a_write_within_about_a_second)
{
    do_without_futex_waitv(ENOSYS);
    another_thread_interrupts_a_read_and_a_write();
}

/// What the handler of SIGUSR1 does, and how often it ran: `*count` is in shared memory.
static struct {
    mslot_reader *interrupt_reader;
    mslot_writer *interrupt_writer;
    uint64_t interrupt_at; // the signal that interrupts; with 0 every one does
    mslot_writer *write_to;
    sigjmp_buf *leap;
    uint64_t *count;
} on_signal;

static void handle_signal(int number)
{
    (void)number;
    uint64_t count = shared_get(on_signal.count) + 1;
    bool interrupts = count >= on_signal.interrupt_at;
    if (interrupts && on_signal.interrupt_reader != NULL) mslot_reader_interrupt(on_signal.interrupt_reader);
    if (interrupts && on_signal.interrupt_writer != NULL) mslot_writer_interrupt(on_signal.interrupt_writer);
    if (on_signal.write_to != NULL) {
        mslot_bytes one = {"x", 1};
        expect_outcome(mslot_writer_write(on_signal.write_to, "x", 1, MSLOT_FOREVER), MSLOT_BUSY);
        expect_outcome(mslot_writer_loan(on_signal.write_to).outcome, MSLOT_BUSY);
        expect_outcome(mslot_writer_publish(on_signal.write_to, 1, 0), MSLOT_BUSY);
        expect_outcome(mslot_writer_abandon(on_signal.write_to), MSLOT_BUSY);
        expect_outcome(mslot_writer_write_batch(on_signal.write_to, &one, 1, 0).outcome, MSLOT_BUSY);
        expect_outcome(mslot_writer_close(on_signal.write_to), MSLOT_BUSY);
    }
    shared_set(on_signal.count, count); // the next signal may come
    if (on_signal.leap != NULL) siglongjmp(*on_signal.leap, 1);
}

static void install_handler(void)
{
    on_signal.count = shared_words(1);
    struct sigaction action = {.sa_handler = handle_signal}; // no SA_RESTART
    sigaction(SIGUSR1, &action, NULL);
}

/// Sends `to` `count` signals, each when `*word`, in shared memory, is not 0 and the last one was handled.
static void send_signals(pid_t to, const uint64_t *word, uint64_t count)
{
    for (uint64_t sent = 0; sent < count; sent++) {
        wait_until(shared_get(word) != 0);
        kill(to, SIGUSR1);
        wait_until(shared_get(on_signal.count) > sent);
    }
}

/// A child that sends this process `count` signals.
static pid_t start_signals(const uint64_t *word, uint64_t count)
{
    pid_t parent = getpid(), child = child_start();
    if (child != 0) return child;
    send_signals(parent, word, count);
    child_end();
}

/// A word in shared memory that a child can watch, for it has no mapping of ours: this thread copies `*from` to it.
typedef struct mirror {
    const uint64_t *from;
    uint64_t *to;
    uint64_t ended;
    pthread_t thread;
} mirror;

static void *mirror_run(void *context)
{
    mirror *m = context;
    while (shared_get(&m->ended) == 0) {
        shared_set(m->to, mslot__load_acquire(m->from));
        poll_pause();
    }
    return NULL;
}

static void mirror_start(mirror *m)
{
    sigset_t all, before; // signals are for the thread that reads or writes
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_create(&m->thread, NULL, mirror_run, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void mirror_end(mirror *m)
{
    shared_set(&m->ended, 1);
    pthread_join(m->thread, NULL);
}

TEST(a_signal_handler_interrupts_a_read)
{
    install_handler();
    on_signal.interrupt_reader = must_create("orders", 1, 1);
    mirror m = {.from = &on_signal.interrupt_reader->ring.ring.control->parked_position, .to = shared_words(1)};
    pid_t child = start_signals(m.to, 1);
    mirror_start(&m);
    expect_outcome(wait_outcome(on_signal.interrupt_reader), MSLOT_INTERRUPTED);
    child_join(child);
    mirror_end(&m);
    expect_equal(shared_get(on_signal.count), 1);
    must_close(on_signal.interrupt_reader);
}

TEST(a_signal_handler_interrupts_a_write_that_waits_for_room)
{
    install_handler();
    mslot_reader *reader = must_create("orders", 1, 1);
    on_signal.interrupt_writer = must_open("orders");
    must_write(on_signal.interrupt_writer, 0, 0);
    mirror m = {.from = &on_signal.interrupt_writer->ring.lane->writer_waits, .to = shared_words(1)};
    pid_t child = start_signals(m.to, 1);
    mirror_start(&m);
    expect_outcome(mslot_writer_write(on_signal.interrupt_writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    child_join(child);
    mirror_end(&m);
    must_read_this(reader, 0, 0);
    must_close_writer(on_signal.interrupt_writer);
    must_close(reader);
}

TEST(signals_do_not_end_a_read)
{
    enum { SIGNALS = 50 };
    install_handler();
    mslot_reader *reader = must_create("orders", 1, 1);
    mirror m = {.from = &reader->ring.ring.control->parked_position, .to = shared_words(1)};
    pid_t parent = getpid(), child = child_start();
    if (child == 0) {
        send_signals(parent, m.to, SIGNALS);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        must_close_writer(writer);
        child_end();
    }
    mirror_start(&m);
    must_read_this(reader, 0, 0);
    child_join(child);
    mirror_end(&m);
    expect_equal(shared_get(on_signal.count), SIGNALS);
    must_close(reader);
}

TEST(a_signal_handler_that_uses_the_writer_it_interrupted_finds_it_busy_and_does_no_harm)
{
    enum { SIGNALS = 5 };
    install_handler();
    mslot_reader *reader = must_create("orders", 1, 1);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    on_signal.write_to = writer;
    on_signal.interrupt_writer = writer;
    on_signal.interrupt_at = SIGNALS;
    mirror m = {.from = &writer->ring.lane->writer_waits, .to = shared_words(1)};
    pid_t child = start_signals(m.to, SIGNALS);
    mirror_start(&m);

    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    size_t byte_count = message_make(bytes, 0, 1);
    expect_outcome(mslot_writer_write(writer, bytes, byte_count, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    child_join(child);

    mirror_end(&m);
    expect_equal(shared_get(on_signal.count), SIGNALS);
    must_read_this(reader, 0, 0);
    must_write(writer, 0, 1);
    must_read_this(reader, 0, 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_write_left_by_longjmp_keeps_the_handle_busy_until_it_is_reset)
{
    install_handler();
    mslot_reader *reader = must_create("orders", 1, 1);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    mirror m = {.from = &writer->ring.lane->writer_waits, .to = shared_words(1)};
    sigjmp_buf leap;
    on_signal.leap = &leap;
    if (sigsetjmp(leap, 1) == 0) {
        (void)start_signals(m.to, 1);
        mirror_start(&m);
        mslot_writer_write(writer, "x", 1, MSLOT_FOREVER);
        fail_at(__FILE__, __LINE__, "the write came to an end");
    }
    on_signal.leap = NULL;
    mirror_end(&m);
    while (wait(NULL) < 0 && errno == EINTR) {}

    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_BUSY);
    expect_outcome(mslot_writer_close(writer), MSLOT_BUSY);
    expect_outcome(mslot_writer_reset(writer), MSLOT_DONE);

    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_FULL);
    must_read_this(reader, 0, 0);
    must_write(writer, 0, 1);
    must_read_this(reader, 0, 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_read_left_by_longjmp_keeps_the_handle_busy_until_it_is_reset)
{
    install_handler();
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DONE); // lent when it is left
    mirror m = {.from = &reader->ring.ring.control->parked_position, .to = shared_words(1)};
    sigjmp_buf leap;
    on_signal.leap = &leap;
    if (sigsetjmp(leap, 1) == 0) {
        (void)start_signals(m.to, 1);
        mirror_start(&m);
        mslot_reader_peek(reader, MSLOT_FOREVER);
        fail_at(__FILE__, __LINE__, "the read came to an end");
    }
    on_signal.leap = NULL;
    mirror_end(&m);
    while (wait(NULL) < 0 && errno == EINTR) {}

    expect_outcome(poll_outcome(reader), MSLOT_BUSY);
    expect_outcome(mslot_reader_close(reader), MSLOT_BUSY);
    expect_outcome(mslot_reader_reset(reader), MSLOT_DONE);

    expect(!is_parked(reader->ring.ring.control));
    must_read_this(reader, 0, 0); // what was lent comes again
    must_write(writer, 0, 1);
    must_read_this(reader, 0, 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: letting messages gather

TEST(a_reader_to_whom_little_comes_pauses_ever_less_often_and_at_least_once_in_1024_waits)
{
    mslot_reader *reader = must_create("orders", 8, 1);
    uint32_t expected = 0, pause = 1;
    for (int i = 0; i < 3000; i++) {
        expect_equal(reader->gathering.rests, expected);
        expect_equal(reader->spin.typical_ns, 0); // who does not poll does not pause
        expect_outcome(mslot_reader_peek(reader, 1).outcome, MSLOT_TIMED_OUT);
        if (expected > 0) {
            expected--;
        } else {
            expected = pause;
            if (pause < 1024) pause *= 2;
        }
    }
    expect_equal(pause, 1024);
    must_close(reader);
}

TEST(a_reader_to_whom_much_comes_pauses_before_every_wait)
{
    enum { CELLS = 64, TURNS = 20000 };
    mslot_reader *reader = must_create("orders", CELLS, 1);
    uint64_t *ended = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        while (shared_get(ended) == 0) expect_outcome(mslot_writer_write(writer, "x", 1, TEST_TIMEOUT_NS), MSLOT_DONE);
        must_close_writer(writer);
        child_end();
    }
    reader->gathering.next_rests = 1024;
    for (int i = 0; i < TURNS && reader->gathering.next_rests != 1; i++) {
        reader->gathering.rests = 0;
        expect_outcome(mslot_reader_peek(reader, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    }
    bool paid = reader->gathering.next_rests == 1;
    shared_set(ended, 1);
    while (mslot_reader_peek(reader, 0).outcome == MSLOT_DONE)
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE); // the writer may wait for room
    child_join(child);
    must_close(reader);
    if (!paid) skip("no four messages came within 300 ns: one processor, or an emulated one?");
}

// MARK: two threads, one handle

static void *use_the_busy_reader(void *context)
{
    mslot_reader *reader = context;
    wait_until(is_parked(reader->ring.ring.control));
    mslot_message message;
    expect_outcome(poll_outcome(reader), MSLOT_BUSY);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_release(reader, 0), MSLOT_BUSY);
    expect_outcome(mslot_reader_read_batch(reader, &message, 1, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_set_timeout(reader, 0), MSLOT_BUSY);
    expect_outcome(mslot_reader_wait_any(&reader, 1, 0).outcome, MSLOT_BUSY);
    expect_outcome(mslot_reader_close(reader), MSLOT_BUSY);
    expect_outcome(mslot_reader_info(reader).outcome, MSLOT_DONE); // it only looks
    mslot_reader_interrupt(reader);
    return NULL;
}

TEST(a_second_thread_finds_a_reader_busy_that_is_in_use)
{
    mslot_reader *reader = must_create("orders", 1, 1);
    pthread_t thread;
    pthread_create(&thread, NULL, use_the_busy_reader, reader);
    expect_outcome(wait_outcome(reader), MSLOT_INTERRUPTED);
    pthread_join(thread, NULL);
    must_close(reader);
}

static void *use_the_busy_writer(void *context)
{
    interrupter *i = context;
    wait_until(has_waited(i->reader, 1));
    expect_outcome(mslot_writer_try_write(i->writer, "x", 1), MSLOT_BUSY);
    expect_outcome(mslot_writer_loan(i->writer).outcome, MSLOT_BUSY);
    expect_outcome(mslot_writer_close(i->writer), MSLOT_BUSY);
    mslot_writer_interrupt(i->writer);
    return NULL;
}

TEST(a_second_thread_finds_a_writer_busy_that_is_in_use)
{
    interrupter i = {.reader = must_create("orders", 1, 1)};
    i.writer = must_open("orders");
    must_write(i.writer, 0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, use_the_busy_writer, &i);
    expect_outcome(mslot_writer_write(i.writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    pthread_join(thread, NULL);
    must_close_writer(i.writer);
    must_close(i.reader);
}

static void *write_one(void *context)
{
    must_write(context, 1, 1);
    return NULL;
}

static void *write_and_look_at_the_note(void *context)
{
    mslot_writer *writer = context;
    uintptr_t *note_before = writer->robust.list_op_pending;
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_DONE);
    expect(writer->robust_thread == mslot__this_thread());
    if (note_before == &writer->no_robust_list) skip("the kernel offers no robust list");
    expect(writer->robust.list_op_pending != note_before);
    return NULL;
}

TEST(a_write_on_another_thread_leaves_the_note_of_that_thread)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, write_and_look_at_the_note, writer);
    pthread_join(thread, NULL);
    must_close_writer(writer);
    must_close(reader);
}

static void *write_and_end_with_the_mutex(void *mutex)
{
    mslot_writer *writer = must_open("orders");
    expect_equal(pthread_mutex_lock(mutex), 0);
    must_write(writer, 0, 0);
    must_close_writer(writer);
    return NULL;
}

static void *end_with_the_mutex(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

/// A robust mutex whose owner ended: `owner` locks it last.
static int lock_after(void *(*owner)(void *))
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    pthread_t thread;
    pthread_create(&thread, NULL, owner, &mutex);
    pthread_join(thread, NULL);
    int result = pthread_mutex_trylock(&mutex);
    // Off this thread's robust list, before its memory goes.
    if (result == EOWNERDEAD) pthread_mutex_consistent(&mutex);
    if (result == 0 || result == EOWNERDEAD) pthread_mutex_unlock(&mutex);
    return result;
}

TEST(a_robust_mutex_of_a_thread_that_wrote_and_ended_is_still_given_on)
{
    if (lock_after(end_with_the_mutex) != EOWNERDEAD) skip("there are no robust mutexes here");
    mslot_reader *reader = must_create("orders", 4, 1);
    expect_equal(lock_after(write_and_end_with_the_mutex), EOWNERDEAD);
    must_close(reader);
}

TEST(a_handle_may_move_between_threads)
{
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    for (int i = 0; i < 20; i++) {
        must_write(writer, 0, 0);
        pthread_t thread;
        pthread_create(&thread, NULL, write_one, writer);
        pthread_join(thread, NULL);
        must_read_this(reader, 0, 0);
        must_read_this(reader, 1, 1);
    }
    must_close_writer(writer);
    must_close(reader);
}

// MARK: waiting for room

/// A child that fills "orders" and then waits for room; says in `*result` how that ended, plus 100, and in `*ended_ns` when.
static pid_t start_waiting_writer(uint64_t *result, uint64_t *ended_ns, bool through_restarts)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = through_restarts;
    mslot_opened opened = mslot_open("orders", &options);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    mslot_outcome outcome;
    uint64_t number = 0;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    do outcome = mslot_writer_try_write(opened.writer, bytes, message_make(bytes, 7, number++));
    while (outcome == MSLOT_DONE);
    expect_outcome(outcome, MSLOT_FULL);
    outcome = mslot_writer_write(opened.writer, bytes, message_make(bytes, 7, --number), MSLOT_FOREVER);
    shared_set(ended_ns, (uint64_t)now_ns());
    shared_set(result, 100 + (uint64_t)outcome);
    must_close_writer(opened.writer);
    child_end();
}

/// The ways to take one message.
static void take_by_read(mslot_reader *reader, uint64_t number) { must_read_this(reader, 7, number); }
static void take_by_batch(mslot_reader *reader, uint64_t number)
{
    mslot_message message;
    expect_outcome(mslot_reader_read_batch(reader, &message, 1, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
    expect_equal(message_check(message.bytes, message.byte_count).number, number);
}
static void take_in_place(mslot_reader *reader, uint64_t number)
{
    mslot_view view = mslot_reader_peek(reader, TEST_TIMEOUT_NS);
    expect_outcome(view.outcome, MSLOT_DONE);
    expect_equal(message_check(view.bytes, view.byte_count).number, number);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
}
static void take_damaged(mslot_reader *reader, uint64_t number)
{
    (void)number;
    mslot__ring_slot(&reader->ring.ring, mslot__cell_index(*mslot__ring_state(&reader->ring.ring, reader->ring.head)))->length = 425;
    expect_outcome(poll_outcome(reader), MSLOT_DAMAGED);
}

TEST(a_writer_that_waits_for_room_gets_it_at_once_however_the_reader_reads)
{
    void (*const ways[])(mslot_reader *, uint64_t) = {take_by_read, take_by_batch, take_in_place, take_damaged};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        trying("way %zu", way);
        uint64_t *words = shared_words(2);
        mslot_reader *reader = must_create("orders", 4, 2);
        pid_t child = start_waiting_writer(&words[0], &words[1], false);
        wait_until(has_waited(reader, 1));
        int64_t begun = now_ns();
        ways[way](reader, 0);
        wait_until(shared_get(&words[0]) == 100 + MSLOT_DONE);
        expect((int64_t)shared_get(&words[1]) - begun < AT_ONCE_NS);
        for (uint64_t number = 1; number < 5; number++) take_by_read(reader, number);
        child_join(child);
        expect_empty_and_sound(reader);
        must_close(reader);
    }
}

TEST(without_futex_waitv_a_writer_that_waits_for_room_gets_it_at_once_however_the_reader_reads)
{
    do_without_futex_waitv(ENOSYS);
    a_writer_that_waits_for_room_gets_it_at_once_however_the_reader_reads();
}

TEST(a_writer_that_waits_for_room_learns_at_once_that_the_reader_closed)
{
    uint64_t *words = shared_words(2);
    mslot_reader *reader = must_create("orders", 4, 2);
    pid_t child = start_waiting_writer(&words[0], &words[1], false);
    wait_until(has_waited(reader, 1));
    int64_t begun = now_ns();
    must_close(reader);
    child_join(child);
    expect_outcome(shared_get(&words[0]) - 100, MSLOT_CLOSED);
    expect((int64_t)shared_get(&words[1]) - begun < AT_ONCE_NS);
}

TEST(a_writer_that_waits_for_room_learns_within_about_a_second_that_the_reader_was_killed)
{
    uint64_t *words = shared_words(3);
    pid_t reader = start_reader(4, 0, &words[2]);
    pid_t child = start_waiting_writer(&words[0], &words[1], false);
    wait_until(mslot_inspect("orders").info.writer_waits >= 1);
    child_kill(reader);
    int64_t begun = now_ns();
    child_join(child);
    expect_outcome(shared_get(&words[0]) - 100, MSLOT_NO_READER);
    expect((int64_t)shared_get(&words[1]) - begun < 5LL * SECOND);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_writer_that_asks_learns_that_the_reader_was_killed_before_it_writes)
{
    uint64_t *words = shared_words(1);
    pid_t reader = start_reader(4, 0, &words[0]);
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_DONE);
    must_write(writer, 0, 0);
    child_kill(reader);
    wait_until(mslot_writer_check_reader(writer) == MSLOT_NO_READER);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_CLOSED);
    must_close_writer(writer);
}

TEST(a_writer_told_so_waits_through_the_restart_of_a_killed_reader)
{
    uint64_t *words = shared_words(3);
    pid_t old = start_reader(4, 0, &words[2]);
    pid_t child = start_waiting_writer(&words[0], &words[1], true);
    wait_until(mslot_inspect("orders").info.writer_waits >= 1);
    child_kill(old);
    wait_until(mslot_inspect("orders").info.writer_waits >= 3); // it looked again, and went on waiting
    expect_equal(shared_get(&words[0]), 0);

    mslot_reader *reader = must_adopt("orders");
    for (uint64_t number = 0; number < 5; number++) must_read_this(reader, 7, number);
    child_join(child);
    expect_outcome(shared_get(&words[0]) - 100, MSLOT_DONE);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_writer_that_a_killed_reader_did_not_wake_is_woken_by_its_adopter)
{
    uint64_t *words = shared_words(3);
    pid_t old = child_start();
    if (old == 0) {
        mslot_reader *reader = must_create("orders", 4, 4);
        shared_set(&words[2], 1);
        wait_until(has_waited(reader, 1));
        mslot__ring_lend(&reader->ring);
        expect_outcome(mslot__ring_release(&reader->ring), MSLOT_DONE); // Read 3 to 5, and nothing of Read 6
        shared_set(&words[2], 2);
        for (;;) pause();
    }
    wait_until(shared_get(&words[2]) == 1);
    pid_t child = start_waiting_writer(&words[0], &words[1], true);
    wait_until(shared_get(&words[2]) == 2);
    child_kill(old);
    int64_t begun = now_ns();
    mslot_reader *reader = must_adopt("orders");
    child_join(child);
    expect_outcome(shared_get(&words[0]) - 100, MSLOT_DONE);
    expect((int64_t)shared_get(&words[1]) - begun < AT_ONCE_NS);
    for (uint64_t number = 1; number < 5; number++) must_read_this(reader, 7, number);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_writer_that_waits_through_restarts_learns_at_once_that_the_mailslot_was_removed)
{
    uint64_t *words = shared_words(3);
    pid_t old = start_reader(4, 0, &words[2]);
    pid_t child = start_waiting_writer(&words[0], &words[1], true);
    wait_until(mslot_inspect("orders").info.writer_waits >= 1);
    child_kill(old);
    int64_t begun = now_ns();
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    child_join(child);
    expect_outcome(shared_get(&words[0]) - 100, MSLOT_CLOSED);
    expect((int64_t)shared_get(&words[1]) - begun < AT_ONCE_NS);
}

TEST(all_writers_that_wait_for_room_are_woken_when_the_mailslot_is_taken_over_afresh)
{
    uint64_t *words = shared_words(2 * 3 + 1);
    pid_t old = start_reader(4, 4, &words[6]);
    pid_t children[3];
    for (int i = 0; i < 3; i++) children[i] = start_waiting_writer(&words[2 * i], &words[2 * i + 1], true);
    wait_until(mslot_inspect("orders").info.writer_waits >= 3);
    child_kill(old);
    int64_t begun = now_ns();
    mslot_reader *reader = must_create("orders", 4, 4);
    for (int i = 0; i < 3; i++) {
        child_join(children[i]);
        expect_outcome(shared_get(&words[2 * i]) - 100, MSLOT_CLOSED);
        expect((int64_t)shared_get(&words[2 * i + 1]) - begun < AT_ONCE_NS);
    }
    expect_empty_and_sound(reader);
    must_close(reader);
}

// MARK: a killed reader

TEST(all_unread_messages_of_a_killed_reader_are_adopted_in_order_at_their_positions)
{
    uint64_t *ready = shared_words(2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 16, 4);
        mslot_writer *writer = must_open("orders");
        for (uint64_t i = 0; i < 10; i++) must_write(writer, 0, i);
        for (uint64_t i = 0; i < 4; i++) must_read_this(reader, 0, i);
        expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DONE); // lent, not released: it comes again
        shared_set(&ready[0], 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    mslot_writer *writer = must_open("orders");
    child_kill(child);
    must_write(writer, 1, 0); // there is room: it waits for the next reader
    expect_outcome(open_outcome("orders"), MSLOT_NO_READER);
    expect(!mslot_inspect("orders").info.reader_present);

    mslot_reader *reader = must_adopt("orders");

    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    for (uint64_t i = 4; i < 10; i++) {
        mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, 0);
        expect_outcome(received.outcome, MSLOT_DONE);
        expect_equal(received.position, 16 + i);
        expect_equal(message_check(bytes, received.byte_count).number, i);
    }
    must_read_this(reader, 1, 0);
    must_write(writer, 1, 1); // the old writer goes on
    must_read_this(reader, 1, 1);
    expect_equal(mslot_reader_info(reader).adoptions, 1);
    expect_equal(mslot_reader_info(reader).reader_pid, getpid());
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_fresh_take_over_discards_and_closes_the_old_writers)
{
    uint64_t *ready = shared_words(1);
    pid_t child = start_reader(4, 3, ready);
    mslot_writer *writer = must_open("orders");
    child_kill(child);

    mslot_reader *reader = must_create("orders", 8, 2); // other properties do not matter

    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_CLOSED);
    expect_equal(mslot_reader_info(reader).capacity, 8);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    writer = must_open("orders");
    must_write(writer, 1, 1);
    must_read_this(reader, 1, 1);
    must_close_writer(writer);
    must_close(reader);
}

TEST(adopting_asks_for_the_same_properties)
{
    uint64_t *ready = shared_words(1);
    child_kill(start_reader(4, 2, ready));
    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    options.capacity = 8;
    expect_outcome(create_outcome("orders", &options), MSLOT_MISMATCH);
    options.capacity = 4;
    options.writers = 5;
    expect_outcome(create_outcome("orders", &options), MSLOT_MISMATCH);
    options.writers = 4;
    options.message_bytes_max = 100;
    expect_outcome(create_outcome("orders", &options), MSLOT_MISMATCH);
    options.message_bytes_max = 424;
    options.mode = 0660;
    expect_outcome(create_outcome("orders", &options), MSLOT_MISMATCH);
    options.mode = 0600;
    options.allow_remote = true;
    expect_outcome(create_outcome("orders", &options), MSLOT_MISMATCH);
    options.allow_remote = false;

    mslot_created created = mslot_create("orders", &options); // the refusals lost nothing
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect(created.adopted);
    must_read_this(created.reader, 0, 0);
    must_read_this(created.reader, 0, 1);
    must_close(created.reader);
}

TEST(there_is_nothing_to_adopt_where_nobody_died)
{
    mslot_create_options options = small_options(4, 4);
    options.adopt = true;
    for (int i = 0; i < 2; i++) { // absent; and closed in good order
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        expect(!created.adopted);
        must_close(created.reader);
    }
}

TEST(a_mailslot_is_adopted_again_and_again)
{
    enum { TIMES = 20 };
    uint64_t *ready = shared_words(TIMES + 1);
    pid_t child = start_reader(8, 8, &ready[TIMES]);
    for (uint64_t i = 0; i < TIMES; i++) {
        child_kill(child);
        child = child_start();
        if (child == 0) {
            mslot_reader *reader = must_adopt("orders");
            mslot_writer *writer = must_open("orders");
            must_read_this(reader, 0, i);
            must_write(writer, 0, i + 8);
            expect(mslot_reader_check(reader));
            shared_set(&ready[i], 1);
            for (;;) pause();
        }
        wait_until(shared_get(&ready[i]) == 1);
    }
    child_kill(child);
    mslot_reader *reader = must_adopt("orders");
    for (uint64_t i = TIMES; i < TIMES + 8; i++) must_read_this(reader, 0, i);
    expect_equal(mslot_reader_info(reader).adoptions, TIMES + 1);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_killed_readers_mailslot_can_be_removed)
{
    uint64_t *ready = shared_words(1);
    pid_t child = start_reader(4, 2, ready);
    mslot_writer *writer = must_open("orders");
    child_kill(child);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_CLOSED);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_NOT_FOUND);
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
    must_close_writer(writer);
}

// MARK: one reader a name

TEST(a_second_reader_is_told_who_has_the_name)
{
    uint64_t *ready = shared_words(1);
    pid_t child = start_reader(4, 2, ready);
    for (int adopt = 0; adopt < 2; adopt++) {
        mslot_create_options options = mslot_create_options_default();
        options.adopt = adopt == 1;
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_ALREADY_EXISTS);
        expect_equal(created.failure.holder_pid, child);
        expect_equal(created.failure.holder_uid, geteuid());
        expect(created.reader == NULL);
    }
    mslot_reader *same_process = must_create("mine", 1, 1);
    expect_outcome(create_outcome("mine", NULL), MSLOT_ALREADY_EXISTS);
    must_close(same_process);
    child_kill(child);
    mslot_reader *reader = must_adopt("orders"); // the refused disturbed nothing
    must_read_this(reader, 0, 0);
    must_read_this(reader, 0, 1);
    must_close(reader);
}

TEST(of_processes_that_race_for_a_stale_name_exactly_one_wins)
{
    enum { ROUNDS = 50, RACERS = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        trying("round %d", round);
        uint64_t *words = shared_words(5); // ready, go, winners, losers, enough
        child_kill(start_reader(4, 2, &words[0]));
        bool adopt = round % 2 == 1;
        pid_t racers[RACERS];
        for (int i = 0; i < RACERS; i++) {
            racers[i] = child_start();
            if (racers[i] != 0) continue;
            mslot_create_options options = small_options(4, 4);
            options.adopt = adopt;
            while (shared_get(&words[1]) == 0) {}
            mslot_created created = mslot_create("orders", &options);
            if (created.reader == NULL) {
                expect_outcome(created.failure.outcome, MSLOT_ALREADY_EXISTS);
                shared_add(&words[3], 1);
                child_end();
            }
            expect(created.adopted == adopt);
            mslot_writer *writer = must_open("orders"); // the name leads to this one
            must_write(writer, 9, (uint64_t)i);
            for (uint64_t unread = 0; adopt && unread < 2; unread++) must_read_this(created.reader, 0, unread);
            must_read_this(created.reader, 9, (uint64_t)i);
            must_close_writer(writer);
            shared_add(&words[2], 1);
            wait_until(shared_get(&words[4]) != 0);
            must_close(created.reader);
            child_end();
        }
        shared_set(&words[1], 1);
        wait_until(shared_get(&words[2]) + shared_get(&words[3]) == RACERS);
        expect_equal(shared_get(&words[2]), 1);
        shared_set(&words[4], 1);
        for (int i = 0; i < RACERS; i++) child_join(racers[i]);
        munmap(words, 5 * sizeof *words);
    }
}

TEST(processes_that_create_and_close_one_name_all_the_time_never_have_it_together)
{
    enum { RACERS = 4, TURNS = 150 };
    uint64_t *words = shared_words(2); // who has it, how often somebody had it
    pid_t racers[RACERS];
    for (uint64_t i = 0; i < RACERS; i++) {
        racers[i] = child_start();
        if (racers[i] != 0) continue;
        mslot_create_options options = small_options(1, 1);
        for (int turn = 0; turn < TURNS;) {
            mslot_created created = mslot_create("orders", &options);
            if (created.reader == NULL) {
                expect_outcome(created.failure.outcome, MSLOT_ALREADY_EXISTS);
                continue;
            }
            expect_equal(shared_get(&words[0]), 0);
            shared_set(&words[0], i + 1);
            shared_add(&words[1], 1);
            mslot_writer *writer = must_open("orders");
            must_write(writer, i, 0);
            must_read_this(created.reader, i, 0);
            must_close_writer(writer);
            expect_equal(shared_get(&words[0]), i + 1);
            shared_set(&words[0], 0);
            must_close(created.reader);
            turn++;
        }
        child_end();
    }
    for (int i = 0; i < RACERS; i++) child_join(racers[i]);
    expect_equal(shared_get(&words[1]), RACERS * TURNS);
}

TEST(opening_waits_for_a_reader_to_appear)
{
    uint64_t *words = shared_words(2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = MSLOT_FOREVER;
        shared_set(&words[0], 1);
        mslot_opened opened = mslot_open("orders", &options);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_write(opened.writer, 1, 1);
        must_close_writer(opened.writer);
        child_end();
    }
    wait_until(shared_get(&words[0]) == 1);
    for (int i = 0; i < 20; i++) poll_pause(); // it most likely waits by now; if not, all the better
    mslot_reader *reader = must_create("orders", 4, 4);
    must_read_this(reader, 1, 1);
    child_join(child);
    must_close(reader);
}

TEST(opening_waits_for_a_killed_readers_successor)
{
    uint64_t *words = shared_words(1);
    child_kill(start_reader(4, 1, &words[0]));
    pid_t child = child_start();
    if (child == 0) {
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = 2 * MILLISECOND;
        expect_outcome(mslot_open("orders", &options).failure.outcome, MSLOT_TIMED_OUT);
        shared_set(&words[0], 2);
        options.wait_ns = TEST_TIMEOUT_NS;
        mslot_opened opened = mslot_open("orders", &options);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_write(opened.writer, 0, 1);
        must_close_writer(opened.writer);
        child_end();
    }
    wait_until(shared_get(&words[0]) == 2);
    mslot_reader *reader = must_adopt("orders");
    must_read_this(reader, 0, 0);
    must_read_this(reader, 0, 1);
    child_join(child);
    must_close(reader);
}

// MARK: killed and stopped writers

enum { KILLS = 300, VICTIMS = 3, STEADY = 2, STEADY_COUNT = 20000, LIFE_SHIFT = 20 };

/// Writes until it is killed. The messages of its n-th life begin at n << LIFE_SHIFT; `*published` is one more than the last whose
/// write returned.
static pid_t start_victim(uint64_t writer, uint64_t life, uint64_t *published)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_opened opened;
    do opened = mslot_open("orders", NULL); // the dead one's lock may live a moment longer, if somebody reads /proc
    while (opened.failure.outcome == MSLOT_TOO_MANY_WRITERS);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    for (uint64_t number = life << LIFE_SHIFT;; number++) {
        must_write(opened.writer, writer, number);
        shared_set(published, number + 1);
    }
}

TEST(writers_killed_at_random_lose_at_most_one_message_each_and_no_slot)
{
    mslot_reader *reader = must_create("orders", 8, VICTIMS + STEADY);
    uint64_t *published = shared_words(VICTIMS);
    uint64_t published_at_death[VICTIMS][KILLS / VICTIMS] = {{0}};
    pid_t victims[VICTIMS], steady[STEADY];
    for (uint64_t i = 0; i < VICTIMS; i++) victims[i] = start_victim(i, 0, &published[i]);
    for (uint64_t i = 0; i < STEADY; i++) steady[i] = start_writer(VICTIMS + i, STEADY_COUNT);

    counts all = {.count = 0};
    uint64_t kills = 0, until_next_kill = 100;
    for (;;) {
        bool over = kills == KILLS && all.next[VICTIMS] == STEADY_COUNT && all.next[VICTIMS + 1] == STEADY_COUNT;
        if (over && mslot_reader_info(reader).message_count == 0) break;
        message_read message = must_read(reader);
        uint64_t next = message.writer < TALLY_WRITERS_MAX ? all.next[message.writer] : 0;
        bool of_new_life = message.writer < VICTIMS && message.number >> LIFE_SHIFT > next >> LIFE_SHIFT;
        if (of_new_life) {
            // All that its earlier lives saw published came; of the rest, this is the first.
            uint64_t life = message.number >> LIFE_SHIFT;
            expect(next >= published_at_death[message.writer][life - 1]);
            expect_equal(message.number, life << LIFE_SHIFT);
        }
        counts_add(&all, message, of_new_life);

        if (--until_next_kill == 0 && kills < KILLS) {
            uint64_t victim = kills % VICTIMS, life = kills / VICTIMS;
            child_kill(victims[victim]);
            published_at_death[victim][life] = shared_get(&published[victim]);
            kills++;
            if (life + 1 < KILLS / VICTIMS) victims[victim] = start_victim(victim, life + 1, &published[victim]);
        }
        if (until_next_kill == 0) until_next_kill = 1 + random_below(200);
    }
    for (int i = 0; i < STEADY; i++) child_join(steady[i]);
    for (int i = 0; i < VICTIMS; i++) expect(all.next[i] >= shared_get(&published[i]));
    expect_equal(mslot_reader_info(reader).messages_written, all.count);

    mslot_writer *writers[VICTIMS + STEADY]; // every lane is there again
    for (int i = 0; i < VICTIMS + STEADY; i++) writers[i] = must_open("orders");
    expect_empty_and_sound(reader);
    for (int i = 0; i < VICTIMS + STEADY; i++) must_close_writer(writers[i]);
    must_close(reader);
}

TEST(the_lanes_of_killed_writers_are_used_again)
{
    enum { LANES = 3 };
    mslot_reader *reader = must_create("orders", 4, LANES);
    for (int round = 0; round < 30; round++) {
        uint64_t *open_count = shared_words(1);
        pid_t children[LANES];
        for (int i = 0; i < LANES; i++) {
            children[i] = child_start();
            if (children[i] != 0) continue;
            (void)must_open("orders");
            shared_add(open_count, 1);
            for (;;) pause();
        }
        wait_until(shared_get(open_count) == LANES);
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
        child_kill(children[round % LANES]);
        expect_outcome(open_outcome("orders"), MSLOT_DONE);
        for (int i = 0; i < LANES; i++)
            if (i != round % LANES) child_kill(children[i]);
        munmap(open_count, sizeof *open_count);
    }
    expect_equal(mslot_inspect("orders").info.writer_count, 0);
    // Each round one at once, and the other two by the writers of the next. Who closes leaves nothing to recover.
    expect_equal(mslot_reader_info(reader).lane_recoveries, 30 + 29 * (LANES - 1));
    for (int i = 0; i < 2 * LANES; i++) expect_outcome(open_outcome("orders"), MSLOT_DONE);
    expect(mslot_reader_info(reader).lane_recoveries <= 30 * LANES);
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_writer_killed_with_a_loan_out_disturbs_nobody)
{
    uint64_t *ready = shared_words(1);
    mslot_reader *reader = must_create("orders", 2, 2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        mslot_loaned loaned = mslot_writer_loan(writer);
        memset(loaned.bytes, 0xaa, 100);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    child_kill(child);
    must_read_this(reader, 0, 0);
    for (int i = 0; i < 3; i++) {
        mslot_writer *first = must_open("orders"), *second = must_open("orders");
        for (uint64_t number = 0; number < 6; number++) {
            must_write(number % 2 == 0 ? first : second, 1, number);
            must_read_this(reader, 1, number);
        }
        must_close_writer(first);
        must_close_writer(second);
    }
    expect_empty_and_sound(reader);
    must_close(reader);
}

TEST(a_writer_stopped_at_any_moment_disturbs_nobody)
{
    mslot_reader *reader = must_create("orders", 4, 3);
    mslot_writer *mine = must_open("orders");
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        for (uint64_t number = 0;; number++) must_write(writer, 0, number);
    }
    counts all = {.count = 0};
    uint64_t sent = 0;
    for (int round = 0; round < 200; round++) {
        for (uint64_t more = random_below(50); more > 0; more--) counts_add(&all, must_read(reader), false);
        child_stop(child);
        // Whatever it was doing: all of what is there is read, and others write and are read for many laps.
        unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
        mslot_received received;
        while ((received = mslot_reader_read(reader, bytes, sizeof bytes, 0)).outcome == MSLOT_DONE)
            counts_add(&all, message_check(bytes, received.byte_count), false);
        expect_outcome(received.outcome, MSLOT_EMPTY);
        for (int i = 0; i < 20; i++) {
            must_write(mine, 1, sent++);
            counts_add(&all, must_read(reader), false);
        }
        child_continue(child);
    }
    child_kill(child);
    must_close_writer(mine);
    must_close(reader);
}

TEST(behind_a_stopped_reader_writers_get_full_or_their_own_time_out)
{
    uint64_t *ready = shared_words(1);
    pid_t child = start_reader(4, 0, ready);
    child_stop(child);
    mslot_writer *writer = must_open("orders");
    for (uint64_t i = 0; i < 4; i++) must_write(writer, 0, i);
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_FULL);
    expect_outcome(mslot_writer_write(writer, "x", 1, 30 * MILLISECOND), MSLOT_TIMED_OUT); // stopped is not gone
    expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS);
    must_close_writer(writer);
    child_kill(child);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

// MARK: a name that is gone

static void remove_the_file(const char *name)
{
    char path[4096];
    expect_outcome(mslot_path(name, path, sizeof path).outcome, MSLOT_DONE);
    expect_equal(unlink(path), 0);
}

static void need_to_be_told_of_lost_names(void)
{
    if (access("/proc/self/maps", R_OK) != 0) skip("no /proc/self/maps: %s", strerror(errno));
}

TEST(a_writer_that_waits_for_room_learns_that_the_name_is_gone_whether_the_reader_was_killed_or_not)
{
    need_to_be_told_of_lost_names();
    for (int variant = 0; variant < 8; variant++) {
        bool through_restarts = variant & 1, killed = variant & 2, has_overflow = variant & 4;
        trying("%s, waiting through restarts: %d, with an overflow: %d", killed ? "killed" : "alive", through_restarts, has_overflow);
        uint64_t *created = shared_words(1);
        pid_t child = child_start();
        if (child == 0) {
            mslot_create_options options = small_options(1, 1);
            options.message_bytes_max = has_overflow ? 65536 : MSLOT_MESSAGE_BYTES_MAX;
            expect_outcome(mslot_create("orders", &options).failure.outcome, MSLOT_DONE);
            shared_set(created, 1);
            for (;;) pause();
        }
        wait_until(shared_get(created) == 1);
        mslot_open_options options = mslot_open_options_default();
        options.wait_through_restarts = through_restarts;
        mslot_opened opened = mslot_open("orders", &options);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_write(opened.writer, 0, 0);
        remove_the_file("orders");
        if (killed) child_kill(child);
        expect_outcome(mslot_writer_write(opened.writer, "x", 1, TEST_TIMEOUT_NS), MSLOT_NOT_FOUND);
        expect_outcome(mslot_writer_check_reader(opened.writer), MSLOT_DONE); // it cannot be asked
        must_close_writer(opened.writer);
        if (!killed) child_kill(child);
    }
}

TEST(a_reader_that_may_no_longer_change_the_directory_closes_and_says_that_the_name_stays)
{
    if (geteuid() != 0) skip("needs root");
    const char *directory = getenv("MAILSLOT_DIRECTORY");
    static const struct {
        mode_t mode;
        const char *why;
    } directories[] = {{0755, "not to be written"}, {0700, "not to be seen"}};
    for (size_t i = 0; i < 2; i++) {
        trying("the directory is %s", directories[i].why);
        expect_equal(chmod(directory, directories[i].mode), 0);
        pid_t child = child_start();
        if (child == 0) {
            mslot_reader *reader = must_create("orders", 1, 1);
            expect_equal(setuid(65534), 0);
            expect_outcome(mslot_reader_close(reader), MSLOT_NO_PERMISSION);
            expect_outcome(mslot_reader_close(reader), MSLOT_NOT_OPEN);
            child_end();
        }
        child_join(child);
        expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
        must_close(must_create("orders", 1, 1));
    }
}

// MARK: fork

TEST(a_forked_child_gets_forked_from_every_call_and_the_parent_is_undisturbed)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders"), *lending = must_open("orders");
    must_write(writer, 0, 0);
    expect_outcome(mslot_writer_loan(lending).outcome, MSLOT_DONE);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DONE);
    pid_t child = child_start();
    if (child == 0) {
        mslot_message message;
        mslot_bytes one = {"x", 1};
        expect_outcome(poll_outcome(reader), MSLOT_FORKED);
        expect_outcome(wait_outcome(reader), MSLOT_FORKED);
        expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_FORKED);
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_FORKED);
        expect_outcome(mslot_reader_read_batch(reader, &message, 1, 0).outcome, MSLOT_FORKED);
        expect_outcome(mslot_reader_set_timeout(reader, 0), MSLOT_FORKED);
        expect_outcome(mslot_reader_wait_any(&reader, 1, 0).outcome, MSLOT_FORKED);
        expect_outcome(mslot_reader_info(reader).outcome, MSLOT_FORKED);
        expect(!mslot_reader_check(reader));
        expect_outcome(mslot_reader_reset(reader), MSLOT_FORKED);
        mslot_reader_interrupt(reader);
        expect_outcome(mslot_reader_close(reader), MSLOT_FORKED);

        expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_FORKED);
        expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_FORKED);
        expect_outcome(mslot_writer_loan(writer).outcome, MSLOT_FORKED);
        expect_outcome(mslot_writer_publish(lending, 1, 0), MSLOT_FORKED);
        expect_outcome(mslot_writer_abandon(lending), MSLOT_FORKED);
        expect_outcome(mslot_writer_write_batch(writer, &one, 1, 0).outcome, MSLOT_FORKED);
        expect_outcome(mslot_writer_info(writer).outcome, MSLOT_FORKED);
        expect_outcome(mslot_writer_reset(writer), MSLOT_FORKED);
        mslot_writer_interrupt(writer);
        expect_outcome(mslot_writer_close(writer), MSLOT_FORKED);

        mslot_reader *own = must_create("own", 4, 4); // its own handles work, and do not come from the parent's memory
        mslot_writer *own_writer = must_open("own");
        must_write(own_writer, 5, 5);
        must_read_this(own, 5, 5);
        expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_FORKED);
        must_close_writer(own_writer);
        must_close(own);
        expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS);
        child_end();
    }
    child_join(child);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    expect_outcome(mslot_writer_abandon(lending), MSLOT_DONE);
    for (uint64_t i = 0; i < 10; i++) {
        must_write(i % 2 == 0 ? writer : lending, 0, i);
        must_read_this(reader, 0, i);
    }
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_DONE);
    expect_outcome(wait_outcome(reader), MSLOT_DONE); // and not interrupted by the child
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close_writer(lending);
    must_close(reader);
}

/// A child that no fork handler prepares. Memory is copied as by fork.
static pid_t clone_without_handlers(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL); }

/// Whether the kernel wipes a page for a child; an emulator may accept the advice and not take it.
static bool pages_are_wiped_for_a_child(void)
{
    uint64_t *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(page != MAP_FAILED);
    *page = 1;
    if (madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) != 0) return false;
    pid_t child = clone_without_handlers();
    if (child == 0) _exit(*page == 0 ? 0 : 1);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(a_child_made_without_fork_handlers_gets_forked_too)
{
    if (!pages_are_wiped_for_a_child()) skip("MADV_WIPEONFORK does nothing here");
    mslot_reader *reader = must_create("orders", 4, 1);
    mslot_writer *writer = must_open("orders");
    uint64_t *outcomes = shared_words(2);
    pid_t child = clone_without_handlers();
    if (child == 0) {
        shared_set(&outcomes[0], 100 + (uint64_t)mslot_writer_try_write(writer, "x", 1));
        shared_set(&outcomes[1], 100 + (uint64_t)poll_outcome(reader));
        _exit(0);
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    expect_outcome(shared_get(&outcomes[0]) - 100, MSLOT_FORKED);
    expect_outcome(shared_get(&outcomes[1]) - 100, MSLOT_FORKED);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_forked_child_that_lives_on_keeps_no_lock_of_its_killed_parent)
{
    need_mappings_that_are_not_forked();
    uint64_t *words = shared_words(2);
    pid_t parent = child_start();
    if (parent == 0) {
        mslot_reader *reader = must_create("orders", 1, 1);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        expect_outcome(mslot_writer_write(writer, "x", 1, 1), MSLOT_TIMED_OUT); // so that it has the descriptor that asks for locks
        (void)reader;
        pid_t child = child_start();
        if (child == 0) {
            shared_set(&words[0], (uint64_t)getpid());
            for (;;) pause();
        }
        for (;;) pause();
    }
    wait_until(shared_get(&words[0]) != 0);
    child_kill(parent);
    expect_equal(kill((pid_t)shared_get(&words[0]), 0), 0);

    mslot_reader *reader = must_adopt("orders");
    must_read_this(reader, 0, 0);
    mslot_writer *writer = must_open("orders"); // the only lane
    must_write(writer, 0, 1);
    must_read_this(reader, 0, 1);
    expect_empty_and_sound(reader);
    must_close_writer(writer);
    must_close(reader);
}

static void *fork_all_the_time(void *context)
{
    const uint64_t *ended = context;
    while (shared_get(ended) == 0) {
        pid_t child = fork();
        if (child == 0) {
            poll_pause();
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return NULL;
}

TEST(a_child_forked_while_mailslots_are_made_and_closed_never_keeps_a_lock)
{
    need_mappings_that_are_not_forked();
    uint64_t ended = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, fork_all_the_time, &ended);
    for (int i = 0; i < 300; i++) {
        mslot_reader *reader = must_create("orders", 1, 1);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        must_close_writer(writer);
        writer = must_open("orders"); // the only lane: free at once
        must_read_this(reader, 0, 0);
        must_close_writer(writer);
        must_close(reader);
    }
    shared_set(&ended, 1);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

// MARK: descriptors

TEST(a_program_that_closes_all_descriptors_keeps_its_mailslots)
{
    uint64_t *words = shared_words(2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_reader *reader = must_create("orders", 2, 1);
        mslot_writer *writer = must_open("orders");
        for (int descriptor = 0; descriptor < 256; descriptor++) close(descriptor);
        shared_set(&words[0], 1);
        wait_until(shared_get(&words[1]) == 1);
        must_write(writer, 0, 0);
        must_read_this(reader, 0, 0);
        must_write(writer, 0, 1);
        must_write(writer, 0, 2);
        expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
        int other = open("/dev/null", O_RDWR); // the number of the closed query descriptor, perhaps
        expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
        must_close_writer(writer);
        must_close(reader);
        expect(fcntl(other, F_GETFD) >= 0);
        child_end();
    }
    wait_until(shared_get(&words[0]) == 1);
    expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS);
    expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    expect(mslot_inspect("orders").info.reader_present);
    expect_equal(mslot_inspect("orders").info.writer_count, 1);
    shared_set(&words[1], 1);
    child_join(child);
}

TEST(an_open_mailslot_holds_no_descriptor)
{
    unsigned before = descriptors_open();
    mslot_reader *reader = must_create("orders", 2, 2);
    mslot_writer *writer = must_open("orders");
    expect_equal(descriptors_open(), before);
    must_close_writer(writer);
    must_close(reader);
}

TEST(shm_open_finds_a_mailslot_in_the_default_directory)
{
    unsetenv("MAILSLOT_DIRECTORY");
    struct stat status;
    if (stat("/dev/shm", &status) != 0 || access("/dev/shm", W_OK) != 0) skip("/dev/shm is not there or not writable");
    char name[64], shared_name[80];
    snprintf(name, sizeof name, "core-tests.%ld.%lld", (long)getpid(), (long long)now_ns());
    snprintf(shared_name, sizeof shared_name, "/mailslot.%s", name);
    mslot_reader *reader = must_create(name, 4, 4);

    int descriptor = shm_open(shared_name, O_RDONLY, 0);

    expect(descriptor >= 0);
    mslot_header header;
    expect_equal(pread(descriptor, &header, sizeof header, 0), sizeof header);
    expect_equal(header.magic, MSLOT_MAGIC);
    expect(strcmp(header.name, name) == 0);
    close(descriptor);
    must_close(reader);
    expect(shm_open(shared_name, O_RDONLY, 0) < 0 && errno == ENOENT);
}

// MARK: fairness

/// There is none, but nobody is forgotten. Prints what Sizing.md says: the longest that one of them waited for room.
TEST(of_many_writers_on_one_cell_each_gets_through_and_how_long_one_waits_is_told)
{
    enum { WRITERS = 32, WRITES = 500 };
    uint64_t *longest_ns = shared_words(2 * WRITERS), *ended = longest_ns + WRITERS;
    mslot_reader *reader = must_create("orders", 1, WRITERS);
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = child_start();
        if (children[i] != 0) continue;
        mslot_writer *writer = must_open("orders");
        for (uint64_t number = 0; number < WRITES; number++) {
            int64_t begun = now_ns();
            must_write(writer, (uint64_t)i, number);
            uint64_t waited = (uint64_t)(now_ns() - begun);
            if (waited > longest_ns[i]) longest_ns[i] = waited;
        }
        shared_set(&ended[i], 1);
        must_close_writer(writer);
        child_end();
    }
    counts arrived = {.count = 0};
    int64_t begun = now_ns();
    while (arrived.count < WRITERS * WRITES) counts_add(&arrived, must_read(reader), false);
    int64_t took = now_ns() - begun;
    uint64_t longest = 0;
    for (int i = 0; i < WRITERS; i++) {
        child_join(children[i]);
        expect_equal(ended[i], 1);
        if (longest_ns[i] > longest) longest = longest_ns[i];
    }
    printf("%d writers, one cell: %.0f messages/s, the longest wait %.0f ms\n", WRITERS, WRITERS * WRITES * 1e9 / (double)took,
        (double)longest / 1e6);
    must_close(reader);
}

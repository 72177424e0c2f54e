// How long a handle polls before it sleeps: it does what its user chose, and time-outs, interrupts and deaths end each kind of wait.

#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { TURNS = 100 };
static const int64_t AN_HOUR_NS = 3600LL * SECOND;

static mslot_reader *must_create_polling(const char *name, uint32_t capacity, int64_t polling_ns)
{
    mslot_create_options options = small_options(capacity, 4);
    options.polling_ns = polling_ns;
    mslot_reader *reader = mslot_create(name, &options).reader;
    expect(reader != NULL);
    return reader;
}

static mslot_writer *must_open_polling(const char *name, int64_t polling_ns)
{
    mslot_open_options options = mslot_open_options_default();
    options.polling_ns = polling_ns;
    mslot_writer *writer = mslot_open(name, &options).writer;
    expect(writer != NULL);
    return writer;
}

static mslot_outcome read_outcome(mslot_reader *reader, int64_t timeout_ns)
{
    return mslot_reader_read(reader, NULL, 0, timeout_ns).outcome;
}

/// Longer than any polling that was not asked for. What is tested holds without it; what would be wrong shows by it.
static void be_late(void) { usleep(1000); }

/// A child that writes messages, each when the one before was read: late, or, with `when_parked`, when the reader is about to sleep.
static pid_t start_writer(const uint64_t *read, bool when_parked)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_writer *writer = must_open("orders");
    for (uint64_t i = 0; i < TURNS; i++) {
        wait_until(shared_get(read) == i);
        if (when_parked) wait_until(is_parked(writer->ring.ring.control));
        else be_late();
        must_write(writer, 0, i);
    }
    must_close_writer(writer);
    child_end();
}

static void read_all(mslot_reader *reader, uint64_t *read)
{
    for (uint64_t i = 0; i < TURNS; i++) {
        must_read_this(reader, 0, i);
        shared_set(read, i + 1);
    }
}

TEST(a_time_for_polling_below_never_is_refused)
{
    static const int64_t times[] = {MSLOT_POLLING_NEVER - 1, INT64_MIN};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        mslot_create_options create = small_options(4, 2);
        create.polling_ns = times[i];
        expect_outcome(create_outcome("orders", &create), MSLOT_BAD_ARGUMENT);
        mslot_open_options open = mslot_open_options_default();
        open.polling_ns = times[i];
        mslot_reader *reader = must_create("orders", 4, 2);
        expect_outcome(mslot_open("orders", &open).failure.outcome, MSLOT_BAD_ARGUMENT);
        must_close(reader);
    }
}

// MARK: readers

TEST(a_reader_that_never_polls_looks_once_and_sleeps)
{
    mslot_reader *reader = must_create_polling("orders", 4, MSLOT_POLLING_NEVER);
    uint64_t *read = shared_words(1);
    pid_t child = start_writer(read, true);
    read_all(reader, read);
    child_join(child);
    // Every message was written to a reader that had said that it goes to sleep; few came before it did.
    expect(mslot_reader_info(reader).reader_wakes >= TURNS / 2);
    // A poll notes at which position it was.
    expect_equal(reader->ring.seen_position, 0);
    must_close(reader);
}

/// Reads what comes late, and waits in vain: by each call that waits.
static void expect_no_sleep(mslot_reader *reader)
{
    uint64_t *read = shared_words(1);
    pid_t child = start_writer(read, false);
    read_all(reader, read);
    child_join(child);
    expect_outcome(read_outcome(reader, MILLISECOND), MSLOT_TIMED_OUT);
    expect_outcome(mslot_reader_wait_any(&reader, 1, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    expect_equal(mslot_reader_info(reader).reader_sleeps, 0);
    expect_equal(mslot_reader_info(reader).reader_wakes, 0);
}

TEST(a_reader_that_always_polls_never_sleeps_and_its_writers_wake_nobody)
{
    mslot_reader *reader = must_create_polling("orders", 4, MSLOT_FOREVER);
    expect_no_sleep(reader);
    must_close(reader);
}

TEST(a_reader_that_polls_up_to_a_time_sleeps_after_it_and_not_before)
{
    mslot_reader *reader = must_create_polling("orders", 4, AN_HOUR_NS);
    expect_no_sleep(reader);
    must_close(reader);

    reader = must_create_polling("orders", 4, 1);
    uint64_t *read = shared_words(1);
    pid_t child = start_writer(read, true);
    read_all(reader, read);
    child_join(child);
    expect(mslot_reader_info(reader).reader_sleeps > 0);
    expect(reader->ring.seen_position != 0);
    must_close(reader);
}

typedef struct interrupter {
    mslot_reader *reader;
    mslot_writer *writer;
} interrupter;

static void *interrupt_late(void *context)
{
    const interrupter *who = context;
    be_late();
    if (who->reader != NULL) mslot_reader_interrupt(who->reader);
    else mslot_writer_interrupt(who->writer);
    return NULL;
}

static pthread_t start_interrupter(interrupter *who)
{
    pthread_t thread;
    expect(pthread_create(&thread, NULL, interrupt_late, who) == 0);
    return thread;
}

TEST(an_interrupt_ends_each_kind_of_wait_for_a_message)
{
    static const int64_t times[] = {MSLOT_POLLING_NEVER, MSLOT_POLLING_ADAPTIVE, 1, AN_HOUR_NS, MSLOT_FOREVER};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        trying("polling for %lld ns", (long long)times[i]);
        mslot_reader *reader = must_create_polling("orders", 4, times[i]);
        interrupter who = {.reader = reader};
        pthread_t thread = start_interrupter(&who);
        expect_outcome(read_outcome(reader, MSLOT_FOREVER), MSLOT_INTERRUPTED);
        pthread_join(thread, NULL);
        thread = start_interrupter(&who);
        expect_outcome(mslot_reader_wait_any(&reader, 1, MSLOT_FOREVER).outcome, MSLOT_INTERRUPTED);
        pthread_join(thread, NULL);
        must_close(reader);
    }
}

static void count_ending(mslot_wait *wait) { shared_add((uint64_t *)wait->context, 1); }

TEST(a_wait_that_another_thread_sleeps_through_begins_soon_however_long_its_reader_polls)
{
    mslot_reader *reader = must_create_polling("orders", 4, MSLOT_FOREVER);
    uint64_t endings = 0;
    mslot_wait wait = {.ended = count_ending, .context = &endings, .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_reader_begin_wait(reader, &wait), MSLOT_EMPTY);
    mslot_wait_cancel(&wait);
    wait_until(shared_get(&endings) == 1);
    expect_outcome(mslot_reader_end_wait(reader), MSLOT_DONE);
    must_close(reader);
}

// MARK: writers

/// A child that reads all, each message when there is no room for the next, and late.
static pid_t start_reader(const uint64_t *full)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_reader *reader = must_create("orders", 1, 4);
    for (uint64_t i = 0; i < TURNS; i++) {
        wait_until(shared_get(full) == i + 1);
        be_late();
        must_read_this(reader, 0, i);
    }
    wait_until(shared_get(full) == TURNS + 1);
    must_read_this(reader, 0, TURNS);
    must_close(reader);
    child_end();
}

/// How often a writer sleeps that finds no room for each of so many messages.
static uint64_t sleeps_of_writing(int64_t polling_ns)
{
    uint64_t *full = shared_words(1);
    pid_t child = start_reader(full);
    wait_until(open_outcome("orders") == MSLOT_DONE);
    mslot_writer *writer = must_open_polling("orders", polling_ns);
    must_write(writer, 0, 0);
    for (uint64_t i = 1; i <= TURNS; i++) {
        expect_outcome(mslot_writer_try_write(writer, "", 0), MSLOT_FULL);
        shared_set(full, i);
        must_write(writer, 0, i);
    }
    mslot_info info = mslot_writer_info(writer);
    shared_set(full, TURNS + 1);
    child_join(child);
    must_close_writer(writer);
    if (info.writer_waits == 0) expect_equal(info.writer_wakes, 0);
    return info.writer_waits;
}

TEST(a_writer_sleeps_for_room_as_its_user_chose)
{
    expect(sleeps_of_writing(MSLOT_POLLING_NEVER) >= TURNS / 2);
    expect(sleeps_of_writing(1) >= TURNS / 2);
    expect_equal(sleeps_of_writing(MSLOT_FOREVER), 0);
}

TEST(an_interrupt_or_the_time_ends_each_kind_of_wait_for_room)
{
    static const int64_t times[] = {MSLOT_POLLING_NEVER, MSLOT_POLLING_ADAPTIVE, 1, AN_HOUR_NS, MSLOT_FOREVER};
    mslot_reader *reader = must_create("orders", 1, 4);
    mslot_writer *other = must_open("orders");
    must_write(other, 0, 0);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        trying("polling for %lld ns", (long long)times[i]);
        mslot_writer *writer = must_open_polling("orders", times[i]);
        expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
        interrupter who = {.writer = writer};
        pthread_t thread = start_interrupter(&who);
        expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
        pthread_join(thread, NULL);
        must_close_writer(writer);
    }
    must_read_this(reader, 0, 0);
    must_close_writer(other);
    must_close(reader);
}

TEST(a_writer_that_always_polls_for_room_learns_that_the_reader_was_killed)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        must_create("orders", 1, 4);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    mslot_writer *writer = must_open_polling("orders", MSLOT_FOREVER);
    must_write(writer, 0, 0);
    expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
    child_kill(child);
    expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_NO_READER);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

enum { A_MAILSLOT = 1024, TYPICAL_NS = 2000 };

/// A reader that makes room for all when a writer sleeps for it.
static void *read_when_awaited(void *argument)
{
    mslot_reader *reader = argument;
    wait_until(mslot_reader_info(reader).writer_waits != 0);
    for (uint64_t i = 0; i < A_MAILSLOT; i++) must_read_this(reader, 0, i);
    return NULL;
}

TEST(a_writer_that_backs_off_asks_for_no_wake_and_finds_the_room_by_itself)
{
    // A thread that is late finds a writer asleep that gave up backing off. Not always.
    for (bool has_backed_off = false; !has_backed_off;) {
        mslot_reader *reader = must_create("orders", A_MAILSLOT, 4);
        mslot_writer *writer = must_open("orders");
        for (uint64_t i = 0; i < A_MAILSLOT; i++) must_write(writer, 0, i);
        writer->spin.typical_ns = TYPICAL_NS;
        pthread_t thread;
        expect(pthread_create(&thread, NULL, read_when_awaited, reader) == 0);
        must_write(writer, 0, A_MAILSLOT);
        pthread_join(thread, NULL);
        mslot_info info = mslot_writer_info(writer);
        has_backed_off = info.writer_waits == 1;
        if (has_backed_off) expect_equal(info.writer_wakes, 0);
        must_read_this(reader, 0, A_MAILSLOT);
        must_close_writer(writer);
        must_close(reader);
    }
}

TEST(a_writer_that_backed_off_in_vain_is_told_as_any_other)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        must_create("orders", A_MAILSLOT, 4);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    mslot_writer *writer = must_open("orders");
    for (uint64_t i = 0; i < A_MAILSLOT; i++) must_write(writer, 0, i);
    writer->spin.typical_ns = TYPICAL_NS;
    expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT);
    writer->spin.typical_ns = TYPICAL_NS;
    interrupter who = {.writer = writer};
    pthread_t thread = start_interrupter(&who);
    expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_INTERRUPTED);
    pthread_join(thread, NULL);
    child_kill(child);
    writer->spin.typical_ns = TYPICAL_NS;
    expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_NO_READER);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

// MARK: the adaptive kind, by waits of given lengths: no clock is asked

// Of the core, and not for programs.
mslot_spin mslot__spin_start(int64_t polling_ns);
int64_t mslot__spin_limit(mslot_spin *spin);
void mslot__spin_found(mslot_spin *spin, int64_t polled_ns);
void mslot__spin_slept(mslot_spin *spin, bool polled, int64_t slept_ns);
int64_t mslot__spin_backoff_ns(const mslot_spin *spin, uint32_t messages);
void mslot__spin_backed_off(mslot_spin *spin, int64_t ns, uint64_t messages);

enum { WAITS = 2000, A_WAKE_NS = 5000 };

/// A wait for what comes after so long, by one who takes `wake_ns` to wake up. True: it polled.
static bool wait_of_sleeper(mslot_spin *spin, int64_t length_ns, int64_t wake_ns)
{
    int64_t limit_ns = mslot__spin_limit(spin);
    if (length_ns <= limit_ns) mslot__spin_found(spin, length_ns);
    else mslot__spin_slept(spin, limit_ns > 0, length_ns - limit_ns + wake_ns);
    return limit_ns > 0;
}

static bool wait_of(mslot_spin *spin, int64_t length_ns) { return wait_of_sleeper(spin, length_ns, A_WAKE_NS); }

static unsigned polls_of(mslot_spin *spin, unsigned waits, int64_t length_ns)
{
    unsigned polls = 0;
    for (unsigned i = 0; i < waits; i++) polls += wait_of(spin, length_ns);
    return polls;
}

TEST(waits_that_are_short_poll_and_waits_that_are_not_sleep_but_for_a_few)
{
    mslot_spin spin = mslot__spin_start(MSLOT_POLLING_ADAPTIVE);
    expect_equal(polls_of(&spin, WAITS, 600), WAITS);
    expect_equal(polls_of(&spin, WAITS, 5000), WAITS);
    // Messages that come each 10 µs, and each 100 µs.
    polls_of(&spin, 100, 10000);
    expect(polls_of(&spin, WAITS, 10000) <= WAITS / 10);
    polls_of(&spin, 100, 100000);
    expect(polls_of(&spin, WAITS, 100000) <= WAITS / 100);
    // Idle.
    expect_equal(polls_of(&spin, WAITS, SECOND), 0);
}

TEST(one_wait_that_is_long_among_short_ones_does_not_put_the_others_to_sleep)
{
    mslot_spin spin = mslot__spin_start(MSLOT_POLLING_ADAPTIVE);
    polls_of(&spin, WAITS, SECOND);
    polls_of(&spin, 40, 600);
    for (int i = 0; i < WAITS; i++) {
        expect(wait_of(&spin, SECOND));
        expect_equal(polls_of(&spin, 20, 600), 20);
    }
}

TEST(waits_that_become_short_after_an_idle_time_poll_at_once)
{
    mslot_spin spin = mslot__spin_start(MSLOT_POLLING_ADAPTIVE);
    polls_of(&spin, WAITS, SECOND);
    expect(polls_of(&spin, 100, 600) >= 98);
}

TEST(two_ends_that_both_sleep_because_the_other_does_come_to_poll)
{
    static const int64_t wakes_ns[] = {5000, 20000, 50000, 70000};
    for (size_t w = 0; w < sizeof wakes_ns / sizeof wakes_ns[0]; w++) {
        trying("%lld ns to wake up", (long long)wakes_ns[w]);
        mslot_spin ends[2] = {mslot__spin_start(MSLOT_POLLING_ADAPTIVE), mslot__spin_start(MSLOT_POLLING_ADAPTIVE)};
        for (int i = 0; i < 2; i++) polls_of(&ends[i], WAITS, 10000);
        // Each answers the other; whoever sleeps is late with its answer.
        bool polled[2] = {false, false};
        unsigned both = 0;
        for (unsigned i = 0; i < WAITS; i++) {
            unsigned end = i % 2;
            polled[end] = wait_of_sleeper(&ends[end], polled[1 - end] ? 600 : 600 + wakes_ns[w], wakes_ns[w]);
            both = polled[0] && polled[1] ? both + 1 : 0;
        }
        expect(both >= WAITS / 2);
    }
}

TEST(who_waits_for_somebody_who_needs_its_processor_polls_ever_less)
{
    mslot_spin spin = mslot__spin_start(MSLOT_POLLING_ADAPTIVE);
    unsigned polls = 0;
    for (unsigned i = 0; i < 5 * WAITS; i++) {
        bool polled = mslot__spin_limit(&spin) > 0;
        mslot__spin_slept(&spin, polled, 3000); // it came because we slept
        polls += polled;
    }
    expect(polls <= 20);
}

// MARK: letting messages gather

TEST(of_the_polls_for_one_message_only_the_first_lets_others_gather)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    for (int i = 0; i < 100; i++) expect_outcome(read_outcome(reader, 0), MSLOT_EMPTY);
    // It paid as little as can be: the next wait goes by without a pause, and then two.
    expect_equal(reader->gathering.rests, 1);
    expect_equal(reader->gathering.next_rests, 2);
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    for (int i = 0; i < 100; i++) expect_outcome(read_outcome(reader, 0), MSLOT_EMPTY);
    expect_equal(reader->gathering.rests, 0);
    expect_equal(reader->gathering.next_rests, 2);
    must_close_writer(writer);
    must_close(reader);
}

TEST(who_never_polls_lets_nothing_gather)
{
    mslot_reader *reader = must_create_polling("orders", 4, MSLOT_POLLING_NEVER);
    for (int i = 0; i < 100; i++) expect_outcome(read_outcome(reader, 0), MSLOT_EMPTY);
    expect_outcome(read_outcome(reader, MILLISECOND), MSLOT_TIMED_OUT);
    expect_equal(reader->gathering.next_rests, 1);
    must_close(reader);
}

// MARK: backing off

static mslot_spin spin_after_waits_of(int64_t polling_ns, int64_t length_ns)
{
    mslot_spin spin = mslot__spin_start(polling_ns);
    polls_of(&spin, 100, length_ns);
    return spin;
}

TEST(a_writer_backs_off_only_from_a_reader_for_which_it_would_poll_again_and_again)
{
    mslot_spin slow = spin_after_waits_of(MSLOT_POLLING_ADAPTIVE, 2000);
    int64_t backoff_ns = mslot__spin_backoff_ns(&slow, 128);
    expect(backoff_ns >= 100000 && backoff_ns <= 256000);
    // Room for one, or for a few, is polled for.
    expect_equal(mslot__spin_backoff_ns(&slow, 0), 0);
    expect_equal(mslot__spin_backoff_ns(&slow, 8), 0);

    mslot_spin fast = spin_after_waits_of(MSLOT_POLLING_ADAPTIVE, 300);
    expect_equal(mslot__spin_backoff_ns(&fast, 128), 0);
    mslot_spin late = spin_after_waits_of(MSLOT_POLLING_ADAPTIVE, 30000);
    expect_equal(mslot__spin_backoff_ns(&late, 128), 0);
    static const int64_t chosen[] = {MSLOT_POLLING_NEVER, 20000, MSLOT_FOREVER};
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        mslot_spin spin = spin_after_waits_of(chosen[i], 2000);
        expect_equal(mslot__spin_backoff_ns(&spin, 128), 0);
    }
}

TEST(a_writer_backs_off_as_long_as_the_reader_keeps_its_pace)
{
    mslot_spin spin = spin_after_waits_of(MSLOT_POLLING_ADAPTIVE, 2000);
    for (int i = 0; i < WAITS; i++) {
        expect(mslot__spin_backoff_ns(&spin, 128) > 0);
        mslot__spin_backed_off(&spin, 256000, 128);
    }
    // It has become fast: little of a mailslot's time is lost before that is noticed.
    int backoffs = 0;
    for (; mslot__spin_backoff_ns(&spin, 128) > 0; backoffs++) mslot__spin_backed_off(&spin, 256000, 1024);
    expect(backoffs <= 16);

    // It has stopped.
    spin = spin_after_waits_of(MSLOT_POLLING_ADAPTIVE, 2000);
    mslot__spin_backed_off(&spin, 256000, 0);
    expect_equal(mslot__spin_backoff_ns(&spin, 128), 0);
}

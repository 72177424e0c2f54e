// Killed at every instruction, and at every system call: a child is stepped through by ptrace, killed on the way, and then
// everything must go on. Each step is a case; nothing is left to chance.

#include "common.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/// What a victim goes through; shared with it.
enum { PREPARING = 0, ACTING = 1, DONE_ACTING = 2 };
static uint64_t *phase;

/// Prepares, and stops until the parent lets it act, step by step.
typedef struct victim {
    void (*prepare)(void);
    void (*act)(void);
} victim;

static void wait_until_stopped(pid_t child)
{
    int status;
    while (waitpid(child, &status, __WALL) < 0)
        if (errno != EINTR) fail_at(__FILE__, __LINE__, "cannot wait: %s", strerror(errno));
    if (!WIFSTOPPED(status)) fail_at(__FILE__, __LINE__, "a victim ended before it was killed, status 0x%x", status);
}

/// Starts a victim, which is prepared when this returns.
static pid_t victim_start(const victim *v)
{
    if (phase == NULL) phase = shared_words(1);
    shared_set(phase, PREPARING);
    pid_t child = child_start();
    if (child == 0) {
        v->prepare();
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) skip("ptrace is not allowed here: %s", strerror(errno));
        raise(SIGSTOP);
        shared_set(phase, ACTING);
        v->act();
        shared_set(phase, DONE_ACTING);
        for (;;) pause();
    }
    wait_until_stopped(child);
    return child;
}

/// A sanitizer that makes ten instructions of one makes the steps a hundred times as long.
static void need_plain_code(void)
{
#if defined(__SANITIZE_THREAD__)
    skip("too slow with the thread sanitizer");
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    skip("too slow with the thread sanitizer");
#endif
#endif
}

/// Lets it take `steps` steps of its act, and leaves it stopped. False: the act was over before.
static bool victim_step(pid_t child, int how, uint64_t steps)
{
    if (how == PTRACE_SINGLESTEP) need_plain_code();
    for (uint64_t taken = 0; shared_get(phase) != DONE_ACTING;) {
        if (shared_get(phase) == ACTING && taken++ == steps) break;
        if (ptrace(how, child, NULL, NULL) != 0) skip("this kernel cannot step through a process: %s", strerror(errno));
        wait_until_stopped(child);
    }
    return shared_get(phase) != DONE_ACTING;
}

static bool victim_kill_after(pid_t child, int how, uint64_t steps)
{
    bool acting = victim_step(child, how, steps);
    child_kill(child);
    return acting;
}

enum { STEPS_MAX = 20000 };

// MARK: a writer at every instruction

static mslot_writer *victims_writer;
static unsigned char victims_bytes[MSLOT_MESSAGE_BYTES_MAX];
static size_t victims_byte_count;

static void open_and_write_once(void)
{
    victims_writer = must_open("orders");
    must_write(victims_writer, 0, 0); // so that everything slow has been done
    victims_byte_count = message_make(victims_bytes, 0, 1);
}

static void write_once_more(void) { mslot_write(victims_writer, victims_bytes, victims_byte_count, 0); }

static bool read_if_there(mslot_reader *reader, uint64_t number)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_received received = mslot_read(reader, bytes, sizeof bytes, 0);
    if (received.outcome == MSLOT_EMPTY) return false;
    expect_outcome(received.outcome, MSLOT_DONE);
    expect_equal(message_check(bytes, received.byte_count).number, number);
    return true;
}

/// More than two laps through every lane.
static void expect_all_lanes_work(mslot_reader *reader, uint32_t lanes)
{
    mslot_writer *writers[4];
    for (uint32_t i = 0; i < lanes; i++) writers[i] = must_open("orders");
    expect(mslot_reader_check(reader));
    for (uint64_t number = 0; number < 6; number++) {
        must_write(writers[number % lanes], 7, number);
        must_read_this(reader, 7, number);
    }
    for (uint32_t i = 0; i < lanes; i++) must_close_writer(writers[i]);
    expect_empty_and_sound(reader);
}

TEST(a_writer_killed_at_any_instruction_loses_at_most_its_message_and_no_slot)
{
    static const victim v = {open_and_write_once, write_once_more};
    mslot_reader *reader = must_create("orders", 2, 2);
    uint64_t published = 0, lost = 0;
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        for (int order = 0; order < 3; order++) {
            trying("after %llu instructions, order %d", (unsigned long long)steps, order);
            mslot_writer *bystander = must_open("orders"); // has the one lane, the victim the other
            pid_t child = victim_start(&v);
            must_read_this(reader, 0, 0);
            more = victim_kill_after(child, PTRACE_SINGLESTEP, steps);

            // The lane is recovered while the message is unread; or once it is read; or once its slot went round the ring.
            bool there = false;
            if (order != 0) there = read_if_there(reader, 1);
            for (uint64_t number = 0; order == 2 && number < 5; number++) {
                must_write(bystander, 7, number);
                must_read_this(reader, 7, number);
            }
            mslot_writer *heir = must_open("orders");
            expect(mslot_reader_check(reader));
            must_close_writer(heir);
            must_close_writer(bystander);
            if (order == 0) there = read_if_there(reader, 1);
            published += there;
            lost += !there;
            expect_all_lanes_work(reader, 2);
        }
    }
    expect(published > 10 && lost > 10);
    must_close(reader);
}

/// Reads for ever, and counts in `counter`.
static pid_t start_counting_reader(uint64_t *counter)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_reader *reader = must_create("orders", 4, 2);
    for (;;) {
        (void)must_read(reader);
        shared_add(counter, 1);
    }
}

TEST(a_writer_killed_at_any_instruction_after_it_published_has_its_message_noticed_at_once)
{
    static const victim v = {open_and_write_once, write_once_more};
    uint64_t *counter = shared_words(1);
    pid_t reader = start_counting_reader(counter);
    wait_until(mslot_inspect("orders").failure.outcome == MSLOT_DONE);
    mslot_writer *onlooker = must_open("orders");
    const mslot_ring *ring = &onlooker->ring.ring;
    mslot_death_note note = mslot_writer_note_slow(onlooker);
    if (note.pending == &onlooker->no_note) skip("the kernel offers no robust list");

    unsigned late = 0, published = 0;
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(&v);
        wait_until(shared_get(counter) == mslot_ring_tail(ring).position - ring->cell_count && is_parked(ring->control));
        uint64_t before = shared_get(counter);
        more = victim_kill_after(child, PTRACE_SINGLESTEP, steps);
        uint64_t after = mslot_ring_tail(ring).position - ring->cell_count;
        int64_t begun = now_ns();
        wait_until(shared_get(counter) == after);
        if (after > before) published++;
        if (now_ns() - begun > AT_ONCE_NS) late++;
        expect(late <= 1); // by the re-check after a second; this machine may be slow once
    }
    expect(published > 10);
    must_close_writer(onlooker);
    child_kill(reader);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

// MARK: a reader at every instruction

static mslot_reader *victims_reader;
static mslot_message victims_messages[2];

static void create_orders(void) { victims_reader = must_create("orders", 2, 2); }
static void read_one(void) { mslot_read(victims_reader, victims_bytes, sizeof victims_bytes, 0); }
static void read_two(void) { mslot_read_batch(victims_reader, victims_messages, 2, 0); }
static void seal(void) { mslot_ring_seal(&victims_reader->ring.ring); }

/// Kills the reader on its way through `act`, with two messages in its two cells; then another adopts.
static void kill_reader_at_every_instruction(void (*act)(void), uint64_t messages_at_stake)
{
    const victim v = {create_orders, act};
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(&v);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        must_write(writer, 0, 1);
        more = victim_kill_after(child, PTRACE_SINGLESTEP, steps);

        // Writers go on: there is room, or it is full.
        unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
        uint64_t written = 2;
        mslot_outcome outcome;
        while ((outcome = mslot_try_write(writer, bytes, message_make(bytes, 0, written))) == MSLOT_DONE) written++;
        expect_outcome(outcome, MSLOT_FULL);
        expect(written <= 2 + messages_at_stake);
        expect_outcome(mslot_inspect("orders").info.outcome, MSLOT_DONE);

        mslot_reader *reader = must_adopt("orders");
        mslot_received received = mslot_read(reader, bytes, sizeof bytes, 0);
        expect_outcome(received.outcome, MSLOT_DONE);
        uint64_t first = message_check(bytes, received.byte_count).number;
        expect(first <= messages_at_stake); // what was in its hands may come again, or not; what was not, comes
        expect_equal(received.position, 2 + first);
        for (uint64_t number = first + 1; number < written; number++) must_read_this(reader, 0, number);
        expect_empty_and_sound(reader);
        must_close_writer(writer);
        expect_all_lanes_work(reader, 2);
        must_close(reader);
    }
}

TEST(a_reader_killed_at_any_instruction_of_a_read_loses_nothing_unread)
{
    kill_reader_at_every_instruction(read_one, 1);
}

TEST(a_reader_killed_at_any_instruction_of_a_batch_loses_nothing_unread)
{
    // Two messages are at stake: with both released the next that comes is the first written later.
    kill_reader_at_every_instruction(read_two, 2);
}

TEST(a_reader_killed_at_any_instruction_of_its_seal_leaves_a_mailslot_or_none)
{
    static const victim v = {create_orders, seal};
    unsigned open_count = 0, sealed_count = 0;
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(&v);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 0, 0);
        must_write(writer, 0, 1); // full: the seal takes a message's place
        more = victim_kill_after(child, PTRACE_SINGLESTEP, steps);

        mslot_outcome outcome = mslot_try_write(writer, "x", 1);
        expect(outcome == MSLOT_FULL || outcome == MSLOT_CLOSED);
        mslot_create_options options = mslot_create_options_default();
        options.adopt = true;
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        expect(created.adopted == (outcome == MSLOT_FULL)); // a sealed one is never adopted
        if (created.adopted) {
            open_count++;
            must_read_this(created.reader, 0, 0);
            must_read_this(created.reader, 0, 1);
        } else {
            sealed_count++;
            expect_outcome(mslot_try_write(writer, "x", 1), MSLOT_CLOSED);
        }
        must_close_writer(writer);
        expect_empty_and_sound(created.reader);
        must_close(created.reader);
    }
    expect(open_count > 3 && sealed_count > 3);
}

// MARK: a reader stopped at every instruction

/// A writer that is killed after it has published and before it has made a note of it: Write 5, and nothing of Write 6.
static void kill_writer_behind_its_swap(void)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        uint64_t position = writer->ring.position;
        uint32_t own = writer->ring.own;
        must_write(writer, 0, 0);
        writer->ring.lane->own = own;
        writer->ring.lane->intent_spare = writer->ring.own;
        writer->ring.lane->intent_position = position;
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    child_kill(child);
}

TEST(a_dead_writers_lane_is_recovered_rightly_at_any_instruction_of_a_read)
{
    static const victim v = {create_orders, read_one};
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(&v);
        kill_writer_behind_its_swap();
        more = victim_step(child, PTRACE_SINGLESTEP, steps);

        mslot_writer *first = must_open("orders"), *second = must_open("orders"); // both lanes: the dead one's too
        unsigned char seen[4] = {0};
        expect(mslot_ring_count_indices(&first->ring.ring, seen));
        must_close_writer(first);
        must_close_writer(second);
        child_kill(child);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    }
}

static void read_one_and_another(void)
{
    read_one();
    shared_set(phase, DONE_ACTING); // the steps are those of the first
    read_one();
    for (;;) pause();
}

TEST(a_writer_that_wants_room_at_any_instruction_of_a_read_is_woken_by_it_or_by_the_next)
{
    static const victim v = {create_orders, read_one_and_another};
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    size_t byte_count = message_make(bytes, 0, 0);
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(&v);
        mslot_writer *writer = must_open("orders");
        const mslot_control *control = writer->ring.ring.control;
        while (mslot_try_write(writer, bytes, byte_count) == MSLOT_DONE) {}
        mslot_ring_want_space(&writer->ring); // so that the read has something to announce
        more = victim_step(child, PTRACE_SINGLESTEP, steps);

        // As a write does that waits: still full after it asked for room, so it would sleep now.
        while (mslot_try_write(writer, bytes, byte_count) == MSLOT_DONE) {}
        uint32_t sequence = mslot_ring_want_space(&writer->ring);
        bool sleeps = mslot_try_write(writer, bytes, byte_count) == MSLOT_FULL;
        if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0) fail_at(__FILE__, __LINE__, "the reader does not go on: %s", strerror(errno));
        wait_until(mslot_writer_info(writer).read == 2);
        if (sleeps) wait_until(mslot_load_acquire_32(&control->space_sequence) != sequence);

        must_close_writer(writer);
        child_kill(child);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    }
}

// MARK: something happens at every instruction of going to sleep

/// As victim_step, for an act that goes to sleep. False once it sleeps, or is over.
static bool victim_step_to_sleep(pid_t child, uint64_t steps)
{
    need_plain_code();
    for (uint64_t taken = 0; shared_get(phase) != DONE_ACTING;) {
        if (shared_get(phase) == ACTING && taken++ == steps) return true;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0) skip("this kernel cannot step through a process: %s", strerror(errno));
        // A step that takes so long is a sleep. A mistake ends the test early, and does no other harm.
        for (int64_t begun = now_ns(); waitpid(child, NULL, WNOHANG | __WALL) == 0; sched_yield())
            if (now_ns() - begun > 300LL * MILLISECOND) return false;
    }
    return false;
}

/// Lets a victim run, with the signals it gets, until its act is over; how long that took.
static int64_t victim_let_finish(pid_t child)
{
    int64_t begun = now_ns();
    ptrace(PTRACE_CONT, child, NULL, NULL); // refused while it sleeps in its last step
    while (shared_get(phase) != DONE_ACTING) {
        int status;
        if (waitpid(child, &status, WNOHANG | __WALL) == child) {
            if (!WIFSTOPPED(status)) fail_at(__FILE__, __LINE__, "the victim ended, status 0x%x", status);
            int forwarded = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
            ptrace(PTRACE_CONT, child, NULL, (void *)(uintptr_t)(unsigned)forwarded);
            continue;
        }
        if (now_ns() - begun > PATIENCE_NS) fail_at(__FILE__, __LINE__, "it waits for ever");
        poll_pause();
    }
    return now_ns() - begun;
}

enum {
/// Code that is not optimised, or watched by a sanitizer, has several times the instructions: each fifth will do.
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
    STEP_STRIDE = 5
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    STEP_STRIDE = 5
#else
    STEP_STRIDE = 1
#endif
#else
    STEP_STRIDE = 1
#endif
};

/// Steps a victim that goes to sleep, and lets `event` happen at each step: it must end at once.
static void happen_at_every_instruction(const victim *v, void (*event)(pid_t child), void (*after)(void))
{
    unsigned late = 0;
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps += STEP_STRIDE) {
        trying("after %llu instructions", (unsigned long long)steps);
        pid_t child = victim_start(v);
        more = victim_step_to_sleep(child, steps);
        event(child);
        if (victim_let_finish(child) > AT_ONCE_NS) late++;
        expect(late <= 1); // by the re-check after a second; this machine may be slow once
        child_kill(child);
        after();
    }
}

static mslot_reader *events_reader;
static mslot_outcome outcome_of_act;

/// Where only one processor is allowed nobody polls before sleeping: fewer steps.
static void use_one_processor(void)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    expect_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &allowed)) CPU_SET(i, &one);
    expect_equal(sched_setaffinity(0, sizeof one, &one), 0);
}

static void open_and_fill(void)
{
    use_one_processor();
    victims_writer = must_open("orders");
    must_write(victims_writer, 0, 0);
    victims_byte_count = message_make(victims_bytes, 0, 1);
}
static void write_for_ever(void)
{
    outcome_of_act = mslot_write(victims_writer, victims_bytes, victims_byte_count, MSLOT_FOREVER);
    if (outcome_of_act != MSLOT_INTERRUPTED) expect_outcome(outcome_of_act, MSLOT_DONE);
}
static void read_for_ever(void)
{
    outcome_of_act = mslot_read(victims_reader, victims_bytes, sizeof victims_bytes, MSLOT_FOREVER).outcome;
    if (outcome_of_act != MSLOT_INTERRUPTED) expect_outcome(outcome_of_act, MSLOT_DONE);
}

static void make_room(pid_t child)
{
    (void)child;
    must_read_this(events_reader, 0, 0);
}
static void read_the_second(void) { must_read_this(events_reader, 0, 1); }
static void read_the_first(void) { must_read_this(events_reader, 0, 0); }

static void send_a_message(pid_t child)
{
    (void)child;
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_close_writer(writer);
}
static void remove_orders(void) { expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE); }

static void interrupt_by_signal(pid_t child) { kill(child, SIGUSR1); }
static void handle_by_interrupting(int number)
{
    (void)number;
    if (victims_reader != NULL) mslot_interrupt(victims_reader);
    if (victims_writer != NULL) mslot_interrupt_writer(victims_writer);
}
static void open_fill_and_handle(void)
{
    open_and_fill();
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle_by_interrupting}, NULL);
}
static void create_to_sleep(void)
{
    use_one_processor();
    create_orders();
}
static void create_and_handle(void)
{
    create_to_sleep();
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle_by_interrupting}, NULL);
}

TEST(a_writer_that_waits_hears_of_room_that_comes_at_any_instruction)
{
    events_reader = must_create("orders", 1, 1);
    happen_at_every_instruction(&(victim){open_and_fill, write_for_ever}, make_room, read_the_second);
    must_close(events_reader);
}

TEST(a_reader_that_waits_hears_of_a_message_that_comes_at_any_instruction)
{
    happen_at_every_instruction(&(victim){create_to_sleep, read_for_ever}, send_a_message, remove_orders);
}

TEST(a_reader_that_waits_is_interrupted_by_a_signal_handler_at_any_instruction)
{
    happen_at_every_instruction(&(victim){create_and_handle, read_for_ever}, interrupt_by_signal, remove_orders);
}

TEST(a_writer_that_waits_is_interrupted_by_a_signal_handler_at_any_instruction)
{
    events_reader = must_create("orders", 1, 1);
    happen_at_every_instruction(&(victim){open_fill_and_handle, write_for_ever}, interrupt_by_signal, read_the_first);
    must_close(events_reader);
}

// MARK: creating, taking over, closing, removing at every system call

static void prepare_nothing(void) {}
static void create_act(void)
{
    mslot_create_options options = small_options(2, 2);
    victims_reader = mslot_create("orders", &options).reader;
}
static void adopt_act(void)
{
    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    victims_reader = mslot_create("orders", &options).reader;
}
static void close_act(void) { mslot_close(victims_reader); }
static void remove_act(void) { mslot_remove("orders"); }
static void open_act(void) { victims_writer = mslot_open("orders", NULL).writer; }

static unsigned files_in_directory(void)
{
    unsigned count = 0;
    DIR *entries = opendir(getenv("MAILSLOT_DIRECTORY"));
    expect(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

/// A reader that was killed, with one message.
static void leave_a_dead_readers_mailslot(void)
{
    static const victim v = {create_orders, prepare_nothing};
    pid_t child = victim_start(&v);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_close_writer(writer);
    child_kill(child);
}

/// Kills a victim at each system call of `act`; then the name can be created and used.
static void kill_at_every_system_call(void (*prepare)(void), void (*act)(void), bool with_dead_reader)
{
    const victim v = {prepare, act};
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu system calls entered or left", (unsigned long long)steps);
        if (with_dead_reader) leave_a_dead_readers_mailslot();
        more = victim_kill_after(victim_start(&v), PTRACE_SYSCALL, steps);

        expect(files_in_directory() <= 1);
        mslot_reader *reader = must_create("orders", 2, 2);
        expect_all_lanes_work(reader, 2);
        must_close(reader);
        expect_equal(files_in_directory(), 0);
    }
}

TEST(a_creator_killed_at_any_system_call_leaves_a_name_that_can_be_created)
{
    kill_at_every_system_call(prepare_nothing, create_act, false);
}
TEST(a_reader_killed_at_any_system_call_of_its_close_leaves_a_name_that_can_be_created)
{
    kill_at_every_system_call(create_orders, close_act, false);
}
TEST(a_fresh_take_over_killed_at_any_system_call_leaves_a_name_that_can_be_created)
{
    kill_at_every_system_call(prepare_nothing, create_act, true);
}
TEST(an_adopter_killed_at_any_system_call_leaves_a_name_that_can_be_created)
{
    kill_at_every_system_call(prepare_nothing, adopt_act, true);
}
TEST(a_remover_killed_at_any_system_call_leaves_a_name_that_can_be_created)
{
    kill_at_every_system_call(prepare_nothing, remove_act, true);
}

TEST(an_adopter_killed_at_any_system_call_loses_no_message)
{
    static const victim v = {prepare_nothing, adopt_act};
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu system calls entered or left", (unsigned long long)steps);
        leave_a_dead_readers_mailslot();
        more = victim_kill_after(victim_start(&v), PTRACE_SYSCALL, steps);
        mslot_reader *reader = must_adopt("orders");
        must_read_this(reader, 0, 0);
        expect_all_lanes_work(reader, 2);
        must_close(reader);
    }
}

static uint64_t *act_outcome; // of a creator that lives on: plus 100

static void create_and_tell(void) { shared_set(act_outcome, 100 + (uint64_t)mslot_create("orders", NULL).failure.outcome); }
static void adopt_and_tell(void)
{
    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    shared_set(act_outcome, 100 + (uint64_t)mslot_create("orders", &options).failure.outcome);
}

/// Stops a creator at each system call, lets another create the name, and lets the first go on: one of them has it.
static void race_at_every_system_call(void (*act)(void), bool other_adopts)
{
    const victim v = {prepare_nothing, act};
    if (act_outcome == NULL) act_outcome = shared_words(1);
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu system calls entered or left", (unsigned long long)steps);
        leave_a_dead_readers_mailslot();
        shared_set(act_outcome, 0);
        pid_t child = victim_start(&v);
        more = victim_step(child, PTRACE_SYSCALL, steps);
        mslot_create_options options = mslot_create_options_default();
        options.adopt = other_adopts;
        mslot_created other = mslot_create("orders", &options);
        if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0) fail_at(__FILE__, __LINE__, "the creator does not go on: %s", strerror(errno));
        wait_until(shared_get(act_outcome) != 0);

        mslot_outcome loser = other.reader != NULL ? (mslot_outcome)(shared_get(act_outcome) - 100) : other.failure.outcome;
        mslot_outcome winner = other.reader != NULL ? other.failure.outcome : (mslot_outcome)(shared_get(act_outcome) - 100);
        expect_outcome(winner, MSLOT_DONE);
        expect_outcome(loser, MSLOT_ALREADY_EXISTS);
        expect_outcome(open_outcome("orders"), MSLOT_DONE);
        expect_equal(files_in_directory(), 1);
        child_kill(child);
        if (other.reader != NULL) must_close(other.reader);
        else expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    }
}

TEST(of_two_fresh_take_overs_that_meet_at_any_system_call_one_wins) { race_at_every_system_call(create_and_tell, false); }
TEST(of_two_adopters_that_meet_at_any_system_call_one_wins) { race_at_every_system_call(adopt_and_tell, true); }
TEST(of_an_adopter_and_a_fresh_take_over_that_meet_at_any_system_call_one_wins)
{
    race_at_every_system_call(adopt_and_tell, false);
    race_at_every_system_call(create_and_tell, true);
}

static void remove_and_tell(void) { shared_set(act_outcome, 100 + (uint64_t)mslot_remove("orders").outcome); }

TEST(of_a_remover_and_a_fresh_take_over_that_meet_at_any_system_call_neither_removes_what_is_the_others)
{
    static const victim v = {prepare_nothing, remove_and_tell};
    if (act_outcome == NULL) act_outcome = shared_words(1);
    unsigned refused = 0, removed = 0;
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu system calls entered or left", (unsigned long long)steps);
        leave_a_dead_readers_mailslot();
        shared_set(act_outcome, 0);
        pid_t child = victim_start(&v);
        more = victim_step(child, PTRACE_SYSCALL, steps);
        mslot_created other = mslot_create("orders", NULL);
        if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0) fail_at(__FILE__, __LINE__, "the remover does not go on: %s", strerror(errno));
        wait_until(shared_get(act_outcome) != 0);

        mslot_outcome outcome = (mslot_outcome)(shared_get(act_outcome) - 100);
        if (outcome == MSLOT_ALREADY_EXISTS) refused++;
        else expect_outcome(outcome, MSLOT_DONE);
        if (other.reader == NULL) {
            removed++;
            expect_outcome(other.failure.outcome, MSLOT_ALREADY_EXISTS); // the remover had the reader's lock
            expect_outcome(outcome, MSLOT_DONE);
            expect_equal(files_in_directory(), 0);
        } else {
            expect_outcome(open_outcome("orders"), MSLOT_DONE);
            must_close(other.reader);
        }
        child_kill(child);
    }
    expect(refused > 0 && removed > 0);
}

TEST(an_opener_killed_at_any_system_call_leaves_its_lane_free)
{
    static const victim v = {prepare_nothing, open_act};
    mslot_reader *reader = must_create("orders", 2, 2);
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu system calls entered or left", (unsigned long long)steps);
        more = victim_kill_after(victim_start(&v), PTRACE_SYSCALL, steps);
        expect_all_lanes_work(reader, 2);
    }
    must_close(reader);
}

// Stopped at any instruction, or at any system call, while another does something: what the kill harness has no rows for.

#include "common.h"
#include "traced.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STEPS_MAX = 20000 };

/// What a victim tells of its act; shared with it. Outcomes are told plus 100: 0 is nothing told.
enum { TOLD_BEGINNING, TOLD_END, TOLD_OUTCOME, TOLD_BY_ANOTHER, TOLD_WORDS };
static uint64_t *told;

static void tell(int which, mslot_outcome outcome) { shared_set(&told[which], 100 + (uint64_t)outcome); }
static mslot_outcome what_was_told(int which) { return (mslot_outcome)(shared_get(&told[which]) - 100); }

/// Who is stopped, and what he does; what the others do before, meanwhile and afterwards. NULL: nothing.
typedef struct meeting {
    void (*before)(void);
    void (*prepare)(void);
    void (*act)(void);
    void (*meanwhile)(pid_t victim);
    void (*afterwards)(void);
} meeting;

static const meeting *current;
static void the_act_is_over(void) { shared_set(&told[TOLD_END], 1); }
static void act_and_tell(void)
{
    shared_set(&told[TOLD_BEGINNING], 1);
    current->act();
    the_act_is_over();
}

/// One meeting for each step that the act has.
static void meet_at_any_step(int how, const meeting *m)
{
    current = m;
    if (told == NULL) told = shared_words(TOLD_WORDS);
    bool more = true;
    for (uint64_t steps = 0; more && steps < STEPS_MAX; steps++) {
        trying("after %llu steps", (unsigned long long)steps);
        for (int i = 0; i < TOLD_WORDS; i++) shared_set(&told[i], 0);
        if (m->before != NULL) m->before();
        pid_t victim = traced_start(m->prepare, act_and_tell);
        for (uint64_t taken = 0; shared_get(&told[TOLD_BEGINNING]) == 0 || taken < steps; taken += shared_get(&told[TOLD_BEGINNING])) {
            more = shared_get(&told[TOLD_END]) == 0;
            if (!more) break;
            traced_go_on(victim, how);
        }
        m->meanwhile(victim);
        traced_go_on(victim, PTRACE_CONT);
        if (m->afterwards != NULL) m->afterwards();
    }
}
static void meet_at_any_instruction(const meeting *m) { meet_at_any_step(PTRACE_SINGLESTEP, m); }
static void meet_at_any_system_call(const meeting *m) { meet_at_any_step(PTRACE_SYSCALL, m); } // entered or left

static mslot_reader *reader; // the victim's, or that of the test
static mslot_writer *writer;
static unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
static size_t byte_count;
static char path[PATH_MAX];

static void create_small(void) { reader = must_create("orders", 2, 2); }
static void remove_orders(void) { expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE); }
static void write_here_and_close(uint64_t count)
{
    mslot_writer *short_lived = must_open("orders");
    for (uint64_t number = 0; number < count; number++) must_write(short_lived, 0, number);
    must_close_writer(short_lived);
}

// MARK: a signal handler that writes

static mslot_writer *victims_writer;
/// Messages go by the express lane; else by slots.
static bool by_express;

static size_t make_to_go(unsigned char *to, uint64_t writer, uint64_t number)
{
    return by_express ? message_make_of(MSLOT_EXPRESS_BYTES_MAX - number, to, writer, number) : message_make(to, writer, number);
}
static void handle_by_writing(int number)
{
    (void)number;
    unsigned char of_handler[MSLOT_MESSAGE_BYTES_MAX];
    tell(TOLD_BY_ANOTHER, mslot_writer_try_write(victims_writer, of_handler, make_to_go(of_handler, 7, 0)));
}
static void open_to_be_interrupted(void)
{
    victims_writer = by_express ? must_open("orders") : must_open_without_express("orders");
    must_write(victims_writer, 0, 0); // so that everything slow has been done
    byte_count = make_to_go(bytes, 0, 1);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle_by_writing}, NULL);
}
static void write_and_tell(void) { tell(TOLD_OUTCOME, mslot_writer_write(victims_writer, bytes, byte_count, 0)); }
static void interrupt(pid_t victim) { kill(victim, SIGUSR1); }
static void expect_whole_messages(void)
{
    expect_outcome(what_was_told(TOLD_OUTCOME), MSLOT_DONE);
    mslot_outcome of_handler = what_was_told(TOLD_BY_ANOTHER);
    expect(of_handler == MSLOT_BUSY || of_handler == MSLOT_DONE);
    unsigned count = 2 + (of_handler == MSLOT_DONE);
    for (unsigned i = 0; i < count; i++) (void)must_read(reader);
    expect_empty_and_sound(reader);
}

TEST(a_signal_handler_that_writes_at_any_instruction_of_a_write_does_no_harm)
{
    for (int express = 0; express < 2; express++) {
        by_express = express;
        reader = must_create("orders", 4, 2);
        meet_at_any_instruction(&(meeting){
            .prepare = open_to_be_interrupted, .act = write_and_tell, .meanwhile = interrupt, .afterwards = expect_whole_messages});
        must_close(reader);
    }
}

// MARK: the reader at work

static unsigned written_meanwhile;

static void create_with_one(void)
{
    create_small();
    write_here_and_close(1);
}
static void create_with_two(void)
{
    create_small();
    write_here_and_close(2);
}
static void read_and_check(void)
{
    mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, 0);
    the_act_is_over();
    expect_outcome(received.outcome, MSLOT_DONE);
    expect_equal(message_check(bytes, received.byte_count).number, 0);
}
static void seal_here(void) { mslot__ring_seal(&reader->ring.ring); }
static void write_until_refused(pid_t victim)
{
    (void)victim;
    written_meanwhile = 0;
    writer = mslot_open("orders", NULL).writer;
    if (writer == NULL) return; // it is sealed already
    while (mslot_writer_try_write(writer, "x", 1) == MSLOT_DONE) written_meanwhile++;
}
static void expect_the_seal_behind_it(void)
{
    if (writer != NULL) {
        const mslot_ring *ring = &writer->ring.ring;
        mslot_tail tail = mslot__ring_tail(ring);
        expect_outcome(tail.outcome, MSLOT_DONE);
        expect(tail.closed);
        expect_equal(tail.position - ring->cell_count, 1 + written_meanwhile);
        unsigned char seen[4] = {0};
        expect(mslot__ring_count_indices(ring, seen));
        must_close_writer(writer);
    }
    remove_orders();
}

TEST(a_seal_stopped_at_any_instruction_while_somebody_writes_comes_after_what_was_written)
{
    meet_at_any_instruction(&(meeting){
        .prepare = create_with_one, .act = seal_here, .meanwhile = write_until_refused, .afterwards = expect_the_seal_behind_it});
}

static void close_writer_and_remove(void)
{
    must_close_writer(writer);
    remove_orders();
}

TEST(a_message_stays_whole_whatever_is_written_at_any_instruction_of_its_read)
{
    meet_at_any_instruction(&(meeting){
        .prepare = create_with_two, .act = read_and_check, .meanwhile = write_until_refused, .afterwards = close_writer_and_remove});
}

// MARK: waiting for room

static void open_and_fill(void)
{
    victims_writer = must_open("orders");
    must_write(victims_writer, 0, 0);
    mslot_slot *slot = mslot__ring_own_slot(&victims_writer->ring);
    mslot__writer_head(victims_writer, slot, message_make(slot->payload, 0, 1));
}
/// As mslot_writer_write does when the ring is full: then it sleeps on the count that it tells.
static void ask_for_room_and_tell(void)
{
    uint32_t sequence = mslot__ring_want_space(&victims_writer->ring).sequence;
    tell(TOLD_OUTCOME, mslot__writer_publish_and_wake(victims_writer, NULL));
    shared_set(&told[TOLD_BY_ANOTHER], sequence);
}
static void make_room_and_use_it_up(pid_t victim)
{
    (void)victim;
    (void)must_read(reader);
    unsigned char other[MSLOT_MESSAGE_BYTES_MAX];
    (void)mslot_writer_try_write(writer, other, message_make(other, 7, 0));
}
static void expect_word_of_room_that_comes_again(void)
{
    const mslot_control *control = reader->ring.ring.control;
    uint32_t sequence = (uint32_t)shared_get(&told[TOLD_BY_ANOTHER]);
    bool sleeps = what_was_told(TOLD_OUTCOME) == MSLOT_FULL && control->space_sequence == sequence;
    (void)must_read(reader);
    if (sleeps) expect(control->space_sequence != sequence);
    expect_empty_and_sound(reader);
}

TEST(a_writer_hears_of_room_that_comes_again_when_another_used_up_what_came_at_any_instruction)
{
    reader = must_create("orders", 1, 2);
    writer = must_open("orders");
    meet_at_any_instruction(&(meeting){.prepare = open_and_fill,
        .act = ask_for_room_and_tell,
        .meanwhile = make_room_and_use_it_up,
        .afterwards = expect_word_of_room_that_comes_again});
    must_close_writer(writer);
    must_close(reader);
}

static void create_full_with_room_wanted(void)
{
    create_with_two();
    mslot__store_relaxed_32(&reader->ring.ring.control->space_wanted, 1); // so that the read has something to announce
}
static void read_one_and_another(void)
{
    (void)mslot_reader_read(reader, bytes, sizeof bytes, 0);
    the_act_is_over();
    (void)mslot_reader_read(reader, bytes, sizeof bytes, 0);
}
static uint32_t sequence_to_sleep_on;
static bool would_sleep;
static void fill_and_ask_for_room(pid_t victim)
{
    (void)victim;
    writer = must_open("orders");
    while (mslot_writer_try_write(writer, "x", 1) == MSLOT_DONE) {}
    sequence_to_sleep_on = mslot__ring_want_space(&writer->ring).sequence;
    would_sleep = mslot_writer_try_write(writer, "x", 1) == MSLOT_FULL;
}
static void expect_word_of_the_next_room(void)
{
    if (would_sleep) expect(writer->ring.ring.control->space_sequence != sequence_to_sleep_on);
    close_writer_and_remove();
}

TEST(a_writer_that_asks_for_room_at_any_instruction_of_a_read_hears_of_it_or_of_the_next)
{
    meet_at_any_instruction(&(meeting){.prepare = create_full_with_room_wanted,
        .act = read_one_and_another,
        .meanwhile = fill_and_ask_for_room,
        .afterwards = expect_word_of_the_next_room});
}

// MARK: recovery

/// A writer that dies after it has published and before it has made a note of it: Write 5, and nothing of Write 6.
static void die_behind_the_swap(void)
{
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *dying = must_open("orders");
        uint64_t position = dying->ring.position;
        uint32_t own = dying->ring.own;
        must_write(dying, 0, 0);
        dying->ring.lane->own = own;
        dying->ring.lane->intent_spare = dying->ring.own;
        dying->ring.lane->intent_position = position;
        child_end();
    }
    child_join(child);
}
static void open_a_lane_and_let_the_other_die(void)
{
    victims_writer = must_open("orders");
    die_behind_the_swap();
}
static void recover_the_other_lane(void)
{
    mslot_ring_writer heir;
    tell(TOLD_OUTCOME, mslot__ring_recover_lane(&heir, &victims_writer->ring.ring, 1 - victims_writer->lane_index));
}
static void read_it(pid_t victim)
{
    (void)victim;
    must_read_this(reader, 0, 0);
}
static void expect_recovered(void)
{
    expect_outcome(what_was_told(TOLD_OUTCOME), MSLOT_DONE);
    expect(mslot_reader_check(reader));
    must_close(reader);
}

TEST(a_dead_writers_lane_is_recovered_rightly_though_its_message_is_read_at_any_instruction)
{
    meet_at_any_instruction(&(meeting){.before = create_small,
        .prepare = open_a_lane_and_let_the_other_die,
        .act = recover_the_other_lane,
        .meanwhile = read_it,
        .afterwards = expect_recovered});
}

// MARK: a fresh take-over

static pid_t patient_writer;

static void create_and_die_with_a_writer_left(void)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        create_small();
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    writer = must_open("orders");
    child_kill(child);
}
static void take_over_afresh(void)
{
    mslot_create_options options = small_options(2, 2);
    reader = mslot_create("orders", &options).reader;
}
static void expect_it_sealed_if_it_has_no_name(pid_t victim)
{
    (void)victim;
    struct stat status;
    bool is_named = lstat(writer->mapping.path, &status) == 0 && status.st_ino == writer->mapping.inode;
    mslot_outcome outcome = mslot_writer_try_write(writer, "x", 1);
    if (!is_named) expect_outcome(outcome, MSLOT_CLOSED);
}
static void expect_it_closed(void)
{
    expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_CLOSED);
    must_close_writer(writer);
    remove_orders();
}

TEST(a_fresh_take_over_stopped_at_any_system_call_has_sealed_before_the_name_is_free)
{
    meet_at_any_system_call(&(meeting){.before = create_and_die_with_a_writer_left,
        .act = take_over_afresh,
        .meanwhile = expect_it_sealed_if_it_has_no_name,
        .afterwards = expect_it_closed});
}

static unsigned late;
static int64_t went_on_ns;

/// A writer that waits for room until it fails, whatever becomes of readers; and a reader that was killed.
static void leave_a_waiting_writer(void)
{
    uint64_t *ready = shared_words(1);
    pid_t old = child_start();
    if (old == 0) {
        create_small();
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    patient_writer = child_start();
    if (patient_writer == 0) {
        mslot_open_options options = mslot_open_options_default();
        options.wait_through_restarts = true;
        mslot_writer *waiting = mslot_open("orders", &options).writer;
        expect(waiting != NULL);
        mslot_outcome outcome;
        do outcome = mslot_writer_write(waiting, "x", 1, MSLOT_FOREVER);
        while (outcome == MSLOT_DONE);
        tell(TOLD_BY_ANOTHER, outcome);
        child_end();
    }
    wait_until(mslot_inspect("orders").info.writer_waits >= 1);
    child_kill(old);
}
static void let_it_fall_asleep_again(pid_t victim)
{
    (void)victim;
    // With less time this test sees less.
    for (int i = 0; i < 20 && shared_get(&told[TOLD_BY_ANOTHER]) == 0; i++) poll_pause();
    went_on_ns = now_ns();
}
static void expect_word_at_once(void)
{
    child_join(patient_writer);
    expect_outcome(what_was_told(TOLD_BY_ANOTHER), MSLOT_CLOSED);
    if (now_ns() - went_on_ns > AT_ONCE_NS) late++;
    expect(late <= 1); // by the re-check after a second; this machine may be slow once
    remove_orders();
}

TEST(a_writer_that_waits_learns_at_once_of_a_fresh_take_over_stopped_at_any_system_call)
{
    meet_at_any_system_call(&(meeting){.before = leave_a_waiting_writer,
        .act = take_over_afresh,
        .meanwhile = let_it_fall_asleep_again,
        .afterwards = expect_word_at_once});
}

// MARK: a new file

static void know_no_files_without_a_name(void) { refuse_system_call_with_bits(SYS_openat, EOPNOTSUPP, 2, O_TMPFILE & ~O_DIRECTORY); }
static void expect_one_name(pid_t victim)
{
    (void)victim;
    struct stat status;
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    if (lstat(path, &status) == 0) expect_equal(status.st_nlink, 1);
}

// Killed with two, it would leave a mailslot that nobody trusts.
TEST(a_new_mailslot_has_no_second_name_at_any_system_call_where_files_without_a_name_are_unknown)
{
    meet_at_any_system_call(&(meeting){
        .prepare = know_no_files_without_a_name, .act = create_small, .meanwhile = expect_one_name, .afterwards = remove_orders});
}

// MARK: another thread forks

static uint64_t *fork_wanted, *forked;

/// The child lives on until the test is over.
static void *fork_when_told(void *unused)
{
    while (shared_get(fork_wanted) == 0) poll_pause();
    pid_t child = fork();
    while (child == 0) pause();
    shared_set(forked, (uint64_t)child);
    return unused;
}
static void start_a_thread_that_forks(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fork_when_told, NULL);
}
// As before Linux 6.8: an opening needs two descriptors.
static void tell_of_no_mount(void) { refuse_system_call(SYS_statx, ENOSYS); }
static void start_a_thread_that_forks_where_no_mount_is_told(void)
{
    tell_of_no_mount();
    start_a_thread_that_forks();
}
static void ask_for_no_fork(void)
{
    if (forked == NULL) {
        fork_wanted = shared_words(1);
        forked = shared_words(1);
    }
    shared_set(fork_wanted, 0);
    shared_set(forked, 0);
}
static void wait_for_the_fork(void)
{
    shared_set(fork_wanted, 1);
    wait_until(shared_get(forked) != 0);
}
static void fork_now(pid_t victim)
{
    (void)victim;
    shared_set(fork_wanted, 1);
    // A fork that waits for the act to end takes longer. With less time this test sees less.
    for (int i = 0; i < 20 && shared_get(forked) == 0; i++) poll_pause();
}
static void take_over_and_wait_for_the_fork(void)
{
    take_over_afresh();
    wait_for_the_fork();
}
static void open_and_wait_for_the_fork(void)
{
    victims_writer = must_open("orders");
    wait_for_the_fork();
}
static void expect_no_lock_kept(void)
{
    must_close(must_adopt("orders"));
    kill((pid_t)shared_get(forked), SIGKILL);
}
static void expect_no_lane_kept(void)
{
    must_close_writer(must_open("orders")); // the only lane
    kill((pid_t)shared_get(forked), SIGKILL);
}

TEST(a_child_forked_at_any_system_call_of_a_creation_keeps_no_lock)
{
    meet_at_any_system_call(&(meeting){.before = ask_for_no_fork,
        .prepare = start_a_thread_that_forks,
        .act = take_over_and_wait_for_the_fork,
        .meanwhile = fork_now,
        .afterwards = expect_no_lock_kept});
}

TEST(a_child_forked_at_any_system_call_of_an_opening_keeps_no_lock)
{
    reader = must_create("orders", 1, 1);
    meeting opening = {.before = ask_for_no_fork,
        .prepare = start_a_thread_that_forks,
        .act = open_and_wait_for_the_fork,
        .meanwhile = fork_now,
        .afterwards = expect_no_lane_kept};
    must_close_writer(must_open("orders")); // from here on it is known that a mapping keeps a lock here: one descriptor will do
    meet_at_any_system_call(&opening);
    opening.prepare = start_a_thread_that_forks_where_no_mount_is_told;
    meet_at_any_system_call(&opening);
    must_close(reader);
}

// MARK: a signal handler that forks

static void fork_a_child_that_lives(int number)
{
    (void)number;
    pid_t child = fork();
    while (child == 0) pause();
    shared_set(forked, (uint64_t)child);
}
static void handle_by_forking(void) { sigaction(SIGUSR1, &(struct sigaction){.sa_handler = fork_a_child_that_lives}, NULL); }
static void handle_by_forking_where_no_mount_is_told(void)
{
    tell_of_no_mount();
    handle_by_forking();
}
static void see_to_a_fork(void)
{
    if (shared_get(forked) == 0) raise(SIGUSR1);
}
static void open_and_see_to_a_fork(void)
{
    victims_writer = must_open("orders");
    see_to_a_fork();
}
static void take_over_and_see_to_a_fork(void)
{
    take_over_afresh();
    see_to_a_fork();
}

TEST(a_child_that_a_signal_handler_forks_at_any_system_call_of_a_creation_keeps_no_lock)
{
    meet_at_any_system_call(&(meeting){.before = ask_for_no_fork,
        .prepare = handle_by_forking,
        .act = take_over_and_see_to_a_fork,
        .meanwhile = interrupt,
        .afterwards = expect_no_lock_kept});
}

TEST(a_child_that_a_signal_handler_forks_at_any_system_call_of_an_opening_keeps_no_lock)
{
    reader = must_create("orders", 1, 1);
    meeting opening = {.before = ask_for_no_fork,
        .prepare = handle_by_forking,
        .act = open_and_see_to_a_fork,
        .meanwhile = interrupt,
        .afterwards = expect_no_lane_kept};
    must_close_writer(must_open("orders")); // from here on it is known that a mapping keeps a lock here: one descriptor will do
    meet_at_any_system_call(&opening);
    opening.prepare = handle_by_forking_where_no_mount_is_told;
    meet_at_any_system_call(&opening);
    must_close(reader);
}

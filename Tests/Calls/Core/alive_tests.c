// Readers whose death the kernel announces: Linux/alive.c.

#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER_DIED = 0x40000000, WAITERS_BIT = 31 };

static void need_robust_lists(void)
{
    void *head;
    size_t length;
    if (syscall(SYS_get_robust_list, 0, &head, &length) != 0) skip("this kernel keeps no robust lists: %s", strerror(errno));
}

static mslot_reader *must_announce(const char *name)
{
    mslot_create_options options = small_options(4, 2);
    options.adopt = true;
    options.announces_death = true;
    mslot_created created = mslot_create(name, &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    return created.reader;
}

static uint32_t *word_of(mslot_writer *writer) { return &writer->ring.ring.control->reader_alive; }

static unsigned threads_of_this_process(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) skip("there is no /proc here");
    unsigned count = 0;
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/// A child that has the mailslot "orders", and then does that.
static pid_t start_announcer(uint64_t *ready, void (*then)(void))
{
    shared_set(ready, 0);
    pid_t child = child_start();
    if (child == 0) {
        must_announce("orders");
        shared_set(ready, 1);
        then();
    }
    wait_until(shared_get(ready) != 0);
    return child;
}

static void wait_for_a_kill(void)
{
    for (;;) pause();
}

TEST(a_reader_that_announces_its_death_is_seen_until_it_is_killed_five_hundred_times)
{
    need_robust_lists();
    uint64_t *words = shared_words(1);
    for (int i = 0; i < 500; i++) {
        trying("kill %d", i);
        pid_t child = start_announcer(&words[0], wait_for_a_kill);
        mslot_writer *writer = must_open("orders");
        expect(mslot_writer_sees_reader(writer));
        child_kill(child);
        expect_equal(*word_of(writer), OWNER_DIED);
        expect(!mslot_writer_sees_reader(writer));
        expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
        must_close_writer(writer);
    }
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

static uint64_t *go;
static int to_cat[2];

static void wait_to_go(void) { wait_until(shared_get(go) != 0); }
static void end_by_exit(void)
{
    wait_to_go();
    exit(0);
}
static void end_by_a_fault(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGSEGV, SIG_DFL);
    wait_to_go();
    raise(SIGSEGV);
}
static void *exit_the_process(void *unused)
{
    (void)unused;
    wait_to_go();
    _exit(0);
}
/// Its first thread has gone long before.
static void end_by_another_thread(void)
{
    pthread_t thread;
    expect_equal(pthread_create(&thread, NULL, exit_the_process, NULL), 0);
    pthread_exit(NULL);
}
static void become_another_program(void)
{
    wait_to_go();
    dup2(to_cat[0], 0);
    close(to_cat[0]);
    close(to_cat[1]);
    execlp("cat", "cat", (char *)NULL);
}

TEST(a_reader_that_exits_or_faults_or_ends_in_another_thread_is_marked_when_it_can_be_waited_for)
{
    need_robust_lists();
    void (*const ends[])(void) = {end_by_exit, end_by_a_fault, end_by_another_thread};
    uint64_t *words = shared_words(2);
    go = &words[1];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        trying("end %zu", i);
        shared_set(go, 0);
        pid_t child = start_announcer(&words[0], ends[i]);
        mslot_writer *writer = must_open("orders");
        expect(mslot_writer_sees_reader(writer));
        shared_set(go, 1);
        child_wait(child, 0);
        expect_equal(*word_of(writer), OWNER_DIED);
        must_close_writer(writer);
    }
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(a_reader_that_becomes_another_program_is_marked_while_that_runs)
{
    need_robust_lists();
    uint64_t *words = shared_words(2);
    go = &words[1];
    expect_equal(pipe(to_cat), 0);
    pid_t child = start_announcer(&words[0], become_another_program);
    close(to_cat[0]);
    mslot_writer *writer = must_open("orders");
    expect(mslot_writer_sees_reader(writer));
    shared_set(go, 1);
    wait_until(!mslot_writer_sees_reader(writer));
    expect_equal(*word_of(writer), OWNER_DIED);
    expect_equal(waitpid(child, NULL, WNOHANG), 0);
    close(to_cat[1]);
    expect_equal(child_wait(child, 0), 0);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

static uint64_t *of_forks;

/// One child of it ends at once, the other outlives it.
static void fork_twice(void)
{
    pid_t first = fork();
    if (first == 0) _exit(0);
    waitpid(first, NULL, 0);
    pid_t second = fork();
    if (second != 0) shared_set(of_forks, (uint64_t)second);
    wait_for_a_kill();
}

TEST(a_forked_child_neither_ends_what_is_said_of_its_parent_nor_keeps_it)
{
    need_robust_lists();
    uint64_t *words = shared_words(2);
    of_forks = &words[1];
    pid_t child = start_announcer(&words[0], fork_twice);
    mslot_writer *writer = must_open("orders");
    wait_until(shared_get(of_forks) != 0);
    expect(mslot_writer_sees_reader(writer));
    child_kill(child);
    pid_t grandchild = (pid_t)shared_get(of_forks);
    expect_equal(kill(grandchild, 0), 0);
    expect_equal(*word_of(writer), OWNER_DIED);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    kill(grandchild, SIGKILL);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(who_takes_over_clears_what_the_dead_reader_said_and_says_it_only_if_it_is_asked_to)
{
    need_robust_lists();
    uint64_t *words = shared_words(1);
    pid_t child = start_announcer(&words[0], wait_for_a_kill);
    mslot_writer *writer = must_open("orders");
    *word_of(writer) = (uint32_t)getpid(); // left by one that lied
    child_kill(child);
    mslot_reader *reader = must_adopt("orders");
    expect_equal(*word_of(writer), 0);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_DONE);
    expect_outcome(mslot_reader_leave(reader), MSLOT_DONE);
    reader = must_announce("orders");
    expect(mslot_writer_sees_reader(writer));
    must_close_writer(writer);
    must_close(reader);
}

TEST(who_leaves_or_closes_takes_the_word_back_and_its_thread_goes)
{
    need_robust_lists();
    mslot_reader *reader = must_announce("orders");
    mslot_writer *writer = must_open("orders");
    unsigned others = threads_of_this_process() - 1; // this one, and a sanitizer's
    expect(mslot_writer_sees_reader(writer));
    expect_outcome(mslot_reader_leave(reader), MSLOT_DONE);
    expect_equal(*word_of(writer), 0);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    wait_until(threads_of_this_process() == others);

    reader = must_announce("orders");
    expect(mslot_writer_sees_reader(writer));
    must_close(reader);
    expect_equal(*word_of(writer), 0);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_CLOSED);
    wait_until(threads_of_this_process() == others);
    must_close_writer(writer);
    expect(!mslot_writer_sees_reader(writer));
}

TEST(a_reader_that_is_reset_says_again_that_it_lives)
{
    need_robust_lists();
    mslot_reader *reader = must_announce("orders");
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_reader_reset(reader), MSLOT_DONE);
    expect(mslot_writer_sees_reader(writer));
    must_close_writer(writer);
    must_close(reader);
}

static void announce_another_too(void)
{
    must_announce("other");
    shared_set(go, 1);
    wait_for_a_kill();
}

TEST(a_lie_in_the_word_is_about_its_own_mailslot_alone)
{
    need_robust_lists();
    uint64_t *words = shared_words(2);
    go = &words[1];
    const uint32_t waiters = 1u << WAITERS_BIT;
    const struct {
        uint32_t lie;
        bool lives;
    } lies[] = {{0, false}, {1, true}, {(uint32_t)getpid(), true}, {MSLOT_THREAD_ID_MAX, true}, {OWNER_DIED, false},
        {OWNER_DIED + 1, false}, {waiters, false}, {waiters + 1, true}, {UINT32_MAX, false}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        trying("the word %#x", lies[i].lie);
        shared_set(go, 0);
        pid_t child = start_announcer(&words[0], announce_another_too);
        wait_until(shared_get(go) != 0);
        mslot_writer *writer = must_open("orders");
        mslot_writer *other = must_open("other");
        uint32_t before = *word_of(other);
        *word_of(writer) = lies[i].lie;
        expect_equal(mslot_writer_sees_reader(writer), lies[i].lives);
        expect(mslot_writer_sees_reader(other));
        expect_equal(*word_of(other), before);
        child_kill(child);
        // The kernel marks what has the id of the thread that died, and nothing else.
        expect_equal(*word_of(writer), lies[i].lie);
        expect_equal(*word_of(other), OWNER_DIED);
        expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
        must_close_writer(writer);
        must_close_writer(other);
    }
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    expect_outcome(mslot_remove("other").outcome, MSLOT_DONE);
}

TEST(a_reader_is_not_seen_by_a_forked_child_of_its_writer)
{
    mslot_reader *reader = must_announce("orders");
    mslot_writer *writer = must_open("orders");
    pid_t child = child_start();
    if (child == 0) {
        expect(!mslot_writer_sees_reader(writer));
        child_end();
    }
    child_join(child);
    must_close_writer(writer);
    must_close(reader);
}

TEST(where_the_kernel_takes_no_list_or_starts_no_thread_nothing_is_said_and_the_lock_is_asked)
{
    const struct {
        long number;
        int error;
    } refusals[] = {{SYS_set_robust_list, ENOSYS}, {SYS_clone, EAGAIN}};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        trying("refusal %zu", i);
        pid_t child = child_start();
        if (child == 0) {
#ifdef SYS_clone3
            if (refusals[i].number == SYS_clone) refuse_system_call(SYS_clone3, ENOSYS);
#endif
            refuse_system_call(refusals[i].number, refusals[i].error);
            mslot_reader *reader = must_announce("orders");
            mslot_writer *writer = must_open("orders");
            expect(!mslot_writer_sees_reader(writer));
            expect_outcome(mslot_writer_check_reader(writer), MSLOT_DONE);
            must_close_writer(writer);
            must_close(reader);
            child_end();
        }
        child_join(child);
    }
}

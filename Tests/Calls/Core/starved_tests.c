// Nothing is there any more: every system call of every operation fails in turn, with every errno that fits and some that do not.
// Then nothing may wedge, nothing may leak, and what failed must work the next time. And clocks jump, and signals storm.

#include "common.h"
#include "traced.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

// MARK: what a process has

enum { MAPS_BYTES = 64 * 1024 };

typedef struct belongings {
    unsigned descriptors;
    char maps[MAPS_BYTES];
} belongings;

/// What is mapped, but for the heap and the stack, which only grow. Read without the heap.
static void read_maps(char maps[MAPS_BYTES])
{
    static char text[MAPS_BYTES];
    int descriptor = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) skip("no /proc: %s", strerror(errno));
    size_t length = 0;
    for (ssize_t got; (got = read(descriptor, text + length, MAPS_BYTES - 1 - length)) > 0;) length += (size_t)got;
    close(descriptor);
    text[length] = 0;
    maps[0] = 0;
    char *place;
    for (char *line = strtok_r(text, "\n", &place); line != NULL; line = strtok_r(NULL, "\n", &place))
        if (strstr(line, "[heap]") == NULL && strstr(line, "[stack]") == NULL) strcat(strcat(maps, line), "\n");
}

static void take_stock(belongings *of)
{
    of->descriptors = descriptors_open();
    read_maps(of->maps);
}

/// A sanitizer maps and unmaps memory of its own.
static bool maps_are_ours(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return false;
#elif defined(__has_feature)
    return !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer);
#else
    return true;
#endif
}

static void expect_no_leak(const belongings *before)
{
    static belongings after;
    take_stock(&after);
    expect_equal(after.descriptors, before->descriptors);
    if (!maps_are_ours()) return;
    size_t same = 0;
    while (after.maps[same] != 0 && after.maps[same] == before->maps[same]) same++;
    if (after.maps[same] != before->maps[same])
        fail_at(__FILE__, __LINE__, "a mapping came or went: before \"%.90s\", now \"%.90s\"", &before->maps[same], &after.maps[same]);
}

static unsigned files_left(bool remove_them)
{
    unsigned count = 0;
    DIR *entries = opendir(getenv("MAILSLOT_DIRECTORY"));
    expect(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        count++;
        if (remove_them) unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
    return count;
}

// MARK: operations

typedef struct operation {
    void (*prepare)(void);
    mslot_failure (*act)(void);
    /// What the act comes to when nothing fails.
    mslot_outcome normal;
    /// A killed reader's mailslot is there.
    bool with_dead_reader;
    /// The act fails to open another machine's name.
    bool is_remote;
} operation;

static mslot_reader *reader, *second_reader;
static mslot_writer *writer;

static mslot_failure outcome_only(mslot_outcome outcome)
{
    mslot_failure failure;
    memset(&failure, 0, sizeof failure);
    failure.outcome = outcome;
    return failure;
}

enum { A_WHILE_NS = 2 * MILLISECOND };

static void prepare_nothing(void) {}
static void prepare_reader(void) { reader = must_create("orders", 2, 2); }
static void prepare_both(void)
{
    prepare_reader();
    writer = must_open("orders");
}
/// From here on it is known that a mapping keeps a lock here: an opening needs one descriptor.
static void prepare_proved_reader(void)
{
    prepare_both();
    must_close_writer(writer);
    writer = NULL;
}
static void prepare_outbox(void) { reader = must_create("bridge/out/0/render7/jobs", 2, 2); }
static void prepare_bridge(void)
{
    reader = must_create("bridge/requests", 2, 2);
    second_reader = must_create("bridge/answers", 2, 2);
}
static void prepare_two_readers(void)
{
    prepare_reader();
    second_reader = must_create("others", 2, 2);
}
static void prepare_full(void)
{
    prepare_both();
    must_write(writer, 0, 0);
    must_write(writer, 0, 1);
}
static void prepare_writer_that_asked(void)
{
    prepare_full();
    expect_outcome(mslot_writer_write(writer, "x", 1, A_WHILE_NS), MSLOT_TIMED_OUT);
    expect(writer->query_descriptor >= 0);
}
static void prepare_sleeping_reader(void)
{
    prepare_both();
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    mslot__ring_park(&reader->ring);
}
static void prepare_waiting_writer(void)
{
    prepare_full();
    mslot__ring_want_space(&writer->ring);
}

static mslot_failure create_with(bool adopt)
{
    mslot_create_options options = mslot_create_options_default();
    options.adopt = adopt;
    if (!adopt) options.capacity = options.writers = 2;
    mslot_created created = mslot_create("orders", &options);
    expect((created.reader != NULL) == (created.failure.outcome == MSLOT_DONE));
    reader = created.reader;
    return created.failure;
}
static mslot_failure create(void) { return create_with(false); }
static mslot_failure adopt(void) { return create_with(true); }
static mslot_failure open_waiting_up_to(int64_t wait_ns)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = wait_ns;
    mslot_opened opened = mslot_open("orders", &options);
    expect((opened.writer != NULL) == (opened.failure.outcome == MSLOT_DONE));
    writer = opened.writer;
    return opened.failure;
}
static mslot_failure open_now(void) { return open_waiting_up_to(0); }
static mslot_failure open_in_vain(void) { return open_waiting_up_to(A_WHILE_NS); }
#define JOBS "\\\\render7\\mailslot\\jobs"
static mslot_failure open_remote(void)
{
    mslot_open_options options = mslot_open_options_default();
    options.answer_ns = A_WHILE_NS;
    mslot_opened opened = mslot_open(JOBS, &options);
    expect((opened.writer != NULL) == (opened.failure.outcome == MSLOT_DONE));
    writer = opened.writer;
    return opened.failure;
}
static void remove_hosts(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", getenv("MAILSLOT_DIRECTORY"), MSLOT_HOSTS_FILE);
    unlink(path);
}
static mslot_host some_host(void) { return (mslot_host){.number = 1, .host = "render7", .domain = "studio"}; }
static void prepare_hosts(void)
{
    mslot_hosts_opened opened = mslot_hosts_open(0);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    mslot_host host = some_host();
    expect_outcome(mslot_hosts_set(opened.hosts, &host).outcome, MSLOT_DONE);
    mslot_hosts_close(opened.hosts);
}
static mslot_failure write_hosts(void)
{
    mslot_hosts_opened opened = mslot_hosts_open(0);
    expect((opened.hosts != NULL) == (opened.failure.outcome == MSLOT_DONE));
    if (opened.hosts == NULL) return opened.failure;
    mslot_host host = some_host();
    mslot_failure failure = mslot_hosts_set(opened.hosts, &host);
    mslot_hosts_close(opened.hosts);
    return failure;
}
static void count_host(const mslot_host *host, void *context)
{
    expect(host->number == 1 && strcmp(host->host, "render7") == 0);
    ++*(unsigned *)context;
}
static mslot_failure read_hosts(void)
{
    unsigned count = 0;
    mslot_failure failure = mslot_hosts_list(count_host, &count, MSLOT_TRUST_NOBODY_ELSE);
    expect((count == 1) == (failure.outcome == MSLOT_DONE));
    return failure.outcome == MSLOT_DONE ? mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE).failure : failure;
}
static mslot_failure close_reader(void)
{
    mslot_failure failure = outcome_only(mslot_reader_close(reader));
    if (failure.outcome == MSLOT_SYSTEM_ERROR) failure.system_error = errno; // the name stays
    reader = NULL;
    return failure;
}
static mslot_failure close_writer(void)
{
    mslot_outcome outcome = mslot_writer_close(writer);
    writer = NULL;
    return outcome_only(outcome);
}
static mslot_failure remove_orders(void) { return mslot_remove("orders"); }
static mslot_failure inspect(void)
{
    mslot_inspected inspected = mslot_inspect("orders");
    if (inspected.failure.outcome == MSLOT_DONE) expect_outcome(inspected.info.outcome, MSLOT_DONE);
    return inspected.failure;
}
static mslot_failure observe(void)
{
    mslot_observer_opened observing = mslot_observer_open("orders", 1);
    expect((observing.observer != NULL) == (observing.failure.outcome == MSLOT_DONE));
    if (observing.observer == NULL) return observing.failure;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_failure failure = outcome_only(mslot_observer_next(observing.observer, bytes, sizeof bytes).outcome);
    expect(failure.outcome == MSLOT_DONE || failure.outcome == MSLOT_SYSTEM_ERROR); // no failure skips a message
    if (failure.outcome == MSLOT_SYSTEM_ERROR) failure.system_error = errno;
    expect_outcome(mslot_observer_close(observing.observer), MSLOT_DONE);
    return failure;
}
static void count_name(const char *name, void *context)
{
    (void)name;
    ++*(unsigned *)context;
}
static unsigned names_listed;
static mslot_failure list(void)
{
    names_listed = 0;
    return mslot_list(count_name, &names_listed);
}
static mslot_failure write_one(void) { return outcome_only(mslot_writer_write(writer, "x", 1, A_WHILE_NS)); }
static mslot_failure read_one(void)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    return outcome_only(mslot_reader_read(reader, bytes, sizeof bytes, A_WHILE_NS).outcome);
}
static mslot_failure wait_for_both(void)
{
    mslot_reader *both[] = {reader, second_reader};
    return outcome_only(mslot_reader_wait_any(both, 2, A_WHILE_NS).outcome);
}

// MARK: one call fails, or all of its kind

enum { PREPARING = 0, ACTING = 1, DONE_ACTING = 2 };
/// Shared with the victim: its phase; the errno that one of its calls came to, and the call; whether all later ones of its kind do.
enum { PHASE, ERROR, CALL, FOR_EVER, WORDS };
static uint64_t *shared;
static const operation *tried;
static belongings before;

static void close_everything(void)
{
    if (writer != NULL) must_close_writer(writer);
    if (reader != NULL) must_close(reader);
    if (second_reader != NULL) must_close(second_reader);
    reader = second_reader = NULL;
    writer = NULL;
}

static void victim_prepare(void)
{
    // So that what is made once for the life of a process is there.
    if (!tried->with_dead_reader) {
        prepare_writer_that_asked();
        close_everything();
    } else {
        expect_outcome(create_outcome("warm", NULL), MSLOT_DONE);
    }
    list();
    take_stock(&before);
    tried->prepare();
}

static void victim_act(void)
{
    shared_set(&shared[PHASE], ACTING);
    mslot_failure failure = tried->act();
    shared_set(&shared[PHASE], DONE_ACTING);

    int error = (int)shared_get(&shared[ERROR]);
    trying("call %d fails with %s%s: \"%s\"", (int)shared_get(&shared[CALL]), strerror(error),
        shared_get(&shared[FOR_EVER]) ? " for ever" : "", mslot_outcome_text(failure.outcome));
    if (error == 0 || error == EINTR) expect_outcome(failure.outcome, tried->normal); // signals never end a call
    bool is_as_if_held = shared_get(&shared[CALL]) == SYS_fcntl && (error == EACCES || error == EAGAIN);
    bool is_out_of_memory = shared_get(&shared[CALL]) == SYS_mmap && error == EAGAIN; // that may be locked
    int expected = is_as_if_held ? EAGAIN : is_out_of_memory ? ENOMEM : error;
    if (failure.outcome == MSLOT_SYSTEM_ERROR) expect_equal(failure.system_error, expected);
    if (failure.outcome != tried->normal) {
        char text[1000];
        expect(mslot_failure_describe(&failure, tried->is_remote ? JOBS : "orders", text, sizeof text) > 40);
    }
    remove_hosts();
    // A list is whole, but for what has gone or may not be read, or cannot be (no reading needs space); or it fails.
    if (tried->act == list && failure.outcome == MSLOT_DONE)
        expect(names_listed == 1 || error == ENOENT || error == EACCES || error == ENOSPC);
    close_everything();
    expect_no_leak(&before);

    // As if nothing had been.
    prepare_both();
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    expect(mslot_reader_check(reader));
    close_everything();
    long call = (long)shared_get(&shared[CALL]);
    bool may_leave_its_temporary_name = call == SYS_unlinkat;
#if defined(SYS_unlink)
    may_leave_its_temporary_name |= call == SYS_unlink;
#endif
    expect(files_left(may_leave_its_temporary_name) == 0 || may_leave_its_temporary_name);
    child_end();
}

static void leave_a_dead_readers_mailslot(void)
{
    pid_t child = child_start();
    if (child == 0) {
        prepare_both();
        must_write(writer, 0, 0);
        kill(getpid(), SIGKILL);
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    expect(WIFSIGNALED(status));
}

/// Whether the kernel does it all the same when it says that it failed: to skip it would be a leak that is none of ours.
static bool is_done_all_the_same(unsigned long long call) { return call == SYS_close || call == SYS_munmap; }

static bool can_fail(unsigned long long call, int error)
{
    if (call == SYS_getpid || call == SYS_gettid || call == SYS_geteuid) return false;
    // No signal interrupts these: no file system is asked.
    bool about_memory = call == SYS_mmap || call == SYS_munmap || call == SYS_madvise || call == SYS_brk;
    return error != EINTR || !(about_memory || call == SYS_prlimit64 || call == SYS_get_robust_list);
}

/// Lets the n-th call of the act fail. False if there are not so many.
static bool fail_call(const operation *what, unsigned n, int error, bool for_ever)
{
    tried = what;
    if (shared == NULL) shared = shared_words(WORDS);
    shared_set(&shared[PHASE], PREPARING);
    shared_set(&shared[ERROR], 0);
    shared_set(&shared[CALL], 0);
    shared_set(&shared[FOR_EVER], for_ever);
    trying("call %u with %s%s", n, strerror(error), for_ever ? " for ever" : "");
    if (what->with_dead_reader) leave_a_dead_readers_mailslot();
    pid_t child = traced_start(victim_prepare, victim_act);
    unsigned calls = 0;
    bool failing = false, failed = false;
    for (;;) {
        bool over = (failed && !for_ever) || shared_get(&shared[PHASE]) == DONE_ACTING;
        if (traced_go_on(child, over ? PTRACE_CONT : PTRACE_SYSCALL) == TRACED_ENDED) break;
        if (shared_get(&shared[PHASE]) != ACTING) continue;
        traced_call call = traced_system_call(child);
        if (call.at_entry) {
            calls++;
            failing = calls == n || (for_ever && calls > n && call.number == shared_get(&shared[CALL]));
            failing = failing && can_fail(call.number, error);
            if (!failing) continue;
            shared_set(&shared[CALL], call.number);
            shared_set(&shared[ERROR], (uint64_t)error);
            if (!is_done_all_the_same(call.number)) traced_skip_call(child);
        } else if (failing) {
            traced_return_error(child, error);
            failing = false;
            failed = true;
        }
    }
    return calls >= n;
}

static void fail_every_call(const operation *what)
{
    enum { CALLS_MAX = 1000 };
    static const int once[] = {EINTR, ENOMEM, EMFILE, EACCES, ENOSPC, ENOLCK, EAGAIN, ENOENT};
    static const int for_ever[] = {ENOMEM, ENOLCK, ENOSYS}; // not EINTR: who tries again then tries for ever
    for (size_t e = 0; e < sizeof once / sizeof once[0]; e++) {
        // On a busy machine the time of a wait may be up before its first call.
        wait_until(fail_call(what, 1, once[e], false));
        unsigned n = 2;
        while (n < CALLS_MAX && fail_call(what, n, once[e], false)) n++;
        expect(n < CALLS_MAX);
    }
    for (size_t e = 0; e < sizeof for_ever / sizeof for_ever[0]; e++)
        for (unsigned n = 1; fail_call(what, n, for_ever[e], true);) n++;
}

TEST(a_creation_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_nothing, create, MSLOT_DONE, false, false});
}
TEST(a_fresh_take_over_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_nothing, create, MSLOT_DONE, true, false});
}
TEST(an_adoption_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_nothing, adopt, MSLOT_DONE, true, false});
}
TEST(an_opening_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_reader, open_now, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_proved_reader, open_now, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_nothing, open_in_vain, MSLOT_TIMED_OUT, false, false});
}
TEST(an_opening_of_another_machines_name_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_outbox, open_remote, MSLOT_DONE, false, true});
    fail_every_call(&(operation){prepare_bridge, open_remote, MSLOT_TIMED_OUT, false, true});
    fail_every_call(&(operation){prepare_nothing, open_remote, MSLOT_NO_BRIDGE, false, true});
}
TEST(a_table_of_hosts_whose_use_fails_at_any_system_call_leaves_nothing_open_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_nothing, write_hosts, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_hosts, write_hosts, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_hosts, read_hosts, MSLOT_DONE, false, false});
}
TEST(a_close_that_fails_at_any_system_call_closes_all_the_same)
{
    fail_every_call(&(operation){prepare_full, close_reader, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_writer_that_asked, close_writer, MSLOT_DONE, false, false});
}
TEST(a_removal_that_fails_at_any_system_call_leaves_nothing_and_works_the_next_time)
{
    fail_every_call(&(operation){prepare_nothing, remove_orders, MSLOT_DONE, true, false});
}
TEST(a_look_from_outside_that_fails_at_any_system_call_leaves_nothing)
{
    fail_every_call(&(operation){prepare_full, inspect, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_full, observe, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_full, list, MSLOT_DONE, false, false});
}
TEST(a_wait_that_fails_at_any_system_call_ends_when_its_time_is_up)
{
    fail_every_call(&(operation){prepare_reader, read_one, MSLOT_TIMED_OUT, false, false});
    fail_every_call(&(operation){prepare_full, write_one, MSLOT_TIMED_OUT, false, false});
    fail_every_call(&(operation){prepare_two_readers, wait_for_both, MSLOT_TIMED_OUT, false, false});
}
TEST(a_wake_that_fails_at_any_system_call_does_not_fail_the_message)
{
    fail_every_call(&(operation){prepare_both, write_one, MSLOT_DONE, false, false}); // the first of a thread asks for its robust list
    fail_every_call(&(operation){prepare_sleeping_reader, write_one, MSLOT_DONE, false, false});
    fail_every_call(&(operation){prepare_waiting_writer, read_one, MSLOT_DONE, false, false});
}

// MARK: clocks

/// How often a wait sleeps. No sleep may follow the wall clock: a call that names it waits relatively, which its jumps do not touch.
static unsigned sleeps_without_wall_clock(const operation *what)
{
    tried = what;
    if (shared == NULL) shared = shared_words(WORDS);
    for (int i = 0; i < WORDS; i++) shared_set(&shared[i], 0);
    pid_t child = traced_start(victim_prepare, victim_act);
    unsigned sleeps = 0;
    while (traced_go_on(child, PTRACE_SYSCALL) != TRACED_ENDED) {
        if (shared_get(&shared[PHASE]) != ACTING) continue;
        traced_call call = traced_system_call(child);
        if (!call.at_entry) continue;
        if (call.number == SYS_futex_waitv) expect_equal(call.arguments[4], CLOCK_MONOTONIC);
        if (call.number == SYS_futex) expect_equal(call.arguments[1] & FUTEX_CLOCK_REALTIME, 0);
        if (call.number == SYS_clock_nanosleep) expect(call.arguments[0] == CLOCK_MONOTONIC || (call.arguments[1] & TIMER_ABSTIME) == 0);
        sleeps += call.number == SYS_futex_waitv || call.number == SYS_futex || call.number == SYS_clock_nanosleep
            || call.number == SYS_nanosleep;
    }
    return sleeps;
}

static void expect_no_wall_clock(const operation *what)
{
    wait_until(sleeps_without_wall_clock(what) > 0); // on a busy machine the time may be up before the first sleep
}

TEST(no_wait_follows_the_wall_clock)
{
    expect_no_wall_clock(&(operation){prepare_reader, read_one, MSLOT_TIMED_OUT, false, false});
    expect_no_wall_clock(&(operation){prepare_full, write_one, MSLOT_TIMED_OUT, false, false});
    expect_no_wall_clock(&(operation){prepare_two_readers, wait_for_both, MSLOT_TIMED_OUT, false, false});
    expect_no_wall_clock(&(operation){prepare_nothing, open_in_vain, MSLOT_TIMED_OUT, false, false});
}

TEST(processes_whose_monotonic_clocks_differ_by_days_exchange_messages_and_wait_as_long_as_they_say)
{
    prepare_reader();
    pid_t client = child_start();
    if (client == 0) {
        if (unshare(CLONE_NEWTIME) != 0) skip("no time namespace of our own: %s", strerror(errno));
        int offsets = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
        static const char days[] = "monotonic 864000 0";
        if (offsets < 0 || write(offsets, days, sizeof days - 1) != sizeof days - 1) skip("no other clock: %s", strerror(errno));
        close(offsets);
        int64_t outside = now_ns();
        pid_t inside = child_start(); // the namespace is for children
        if (inside == 0) {
            expect(now_ns() - outside > 800000LL * SECOND);
            writer = must_open("orders");
            must_write(writer, 0, 0);
            must_write(writer, 0, 1);
            int64_t begun = now_ns();
            expect_outcome(mslot_writer_write(writer, "x", 1, 20 * MILLISECOND), MSLOT_TIMED_OUT);
            expect(now_ns() - begun >= 20 * MILLISECOND);
            must_close_writer(writer);
            child_end();
        }
        child_join(inside);
        child_end();
    }
    child_join(client);
    must_read_this(reader, 0, 0);
    must_read_this(reader, 0, 1);
    must_close(reader);
}

// MARK: signals

static volatile sig_atomic_t signals_seen;
static void count_signal(int number)
{
    (void)number;
    signals_seen++;
}

/// In a process of its own: an alarm each half millisecond, whose handler does not restart calls, during a wait of 50 ms.
static void storm_during(const operation *what)
{
    enum { STORM_NS = 50 * MILLISECOND };
    pid_t child = child_start();
    if (child == 0) {
        what->prepare();
        sigaction(SIGALRM, &(struct sigaction){.sa_handler = count_signal}, NULL);
        struct itimerval often = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}}, never = {.it_interval = {.tv_usec = 0}};
        setitimer(ITIMER_REAL, &often, NULL);
        for (int64_t begun = now_ns(), act_begun = begun; now_ns() - begun < STORM_NS || signals_seen < 5; act_begun = now_ns()) {
            expect_outcome(what->act().outcome, what->normal);
            if (what->normal == MSLOT_TIMED_OUT) expect(now_ns() - act_begun >= A_WHILE_NS);
        }
        setitimer(ITIMER_REAL, &never, NULL);
        close_everything();
        child_end();
    }
    child_join(child);
}

static mslot_failure create_and_close(void)
{
    mslot_failure failure = create();
    if (failure.outcome == MSLOT_DONE) (void)close_reader();
    return failure;
}
static mslot_failure open_and_close(void)
{
    mslot_failure failure = open_now();
    if (failure.outcome == MSLOT_DONE) (void)close_writer();
    return failure;
}

TEST(a_storm_of_signals_ends_no_wait_early_and_fails_no_call)
{
    storm_during(&(operation){prepare_reader, read_one, MSLOT_TIMED_OUT, false, false});
    storm_during(&(operation){prepare_full, write_one, MSLOT_TIMED_OUT, false, false});
    storm_during(&(operation){prepare_two_readers, wait_for_both, MSLOT_TIMED_OUT, false, false});
    storm_during(&(operation){prepare_nothing, open_in_vain, MSLOT_TIMED_OUT, false, false});
    storm_during(&(operation){prepare_nothing, create_and_close, MSLOT_DONE, false, false});
    storm_during(&(operation){prepare_reader, open_and_close, MSLOT_DONE, false, false});
    storm_during(&(operation){prepare_full, inspect, MSLOT_DONE, false, false});
}

// Calls that something tries to leave halfway: pthread_cancel, a signal handler that forks, a fork in another thread.

#include "common.h"

#include <pthread.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MARK: cancellation

static mslot_reader *reader;
static mslot_writer *writer;

static void create_it(void) { must_close(must_create("created", 2, 2)); }
static void create_what_is_there(void) { expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS); }
static void open_it(void) { must_close_writer(must_open("orders")); }
static void open_nothing(void) { expect_outcome(open_outcome("nothing"), MSLOT_NOT_FOUND); }
static void open_and_wait(void)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = MILLISECOND;
    expect_outcome(mslot_open("nothing", &options).failure.outcome, MSLOT_TIMED_OUT);
}
static void open_elsewhere(void) { expect_outcome(open_outcome("\\\\host\\mailslot\\x"), MSLOT_NO_BRIDGE); }
static void remove_it(void) { expect_outcome(mslot_remove("orders").outcome, MSLOT_ALREADY_EXISTS); }
static void observe_it(void)
{
    mslot_observer_opened opened = mslot_observer_open("orders", 1);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    expect_outcome(mslot_observer_close(opened.observer), MSLOT_DONE);
}
static void inspect_it(void) { expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_DONE); }
static void count_name(const char *name, void *count)
{
    (void)name;
    pthread_testcancel();
    ++*(int *)count;
}
static void list_them(void)
{
    int count = 0;
    expect_outcome(mslot_list(count_name, &count).outcome, MSLOT_DONE);
    expect_equal(count, 1);
}
static void wait_for_a_message(void)
{
    unsigned char buffer[MSLOT_MESSAGE_BYTES_MAX];
    mslot_reader *other = must_create("other", 1, 1);
    expect_outcome(mslot_reader_read(other, buffer, sizeof buffer, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    expect_outcome(mslot_reader_wait_any(&other, 1, MILLISECOND).outcome, MSLOT_TIMED_OUT);
    must_close(other);
}
static void wait_for_room(void) { expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT); }
static void ask_for_the_reader(void) { expect_outcome(mslot_writer_check_reader(writer), MSLOT_DONE); }
static void stop_a_wait(void)
{
    mslot_wait wait = {.ended = mslot_wait_signal_eventfd, .context = (void *)(intptr_t)-1, .timeout_ns = MSLOT_FOREVER};
    expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &wait), MSLOT_FULL);
    mslot_wait_stop(&wait);
    expect_outcome(mslot_writer_end_wait(writer), MSLOT_DONE);
}
static void signal_an_eventfd(void)
{
    int eventfd = mslot_eventfd_create();
    mslot_wait wait = {.context = (void *)(intptr_t)eventfd};
    mslot_wait_signal_eventfd(&wait);
    uint64_t count = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    expect_equal(read(eventfd, &count, sizeof count), sizeof count);
    close(eventfd);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}
static void write_a_long_one(void)
{
    static unsigned char bytes[1000];
    mslot_create_options options = small_options(2, 1);
    options.message_bytes_max = sizeof bytes;
    mslot_created created = mslot_create("long", &options);
    mslot_writer *of_long = must_open("long");
    expect_outcome(mslot_writer_write(of_long, bytes, sizeof bytes, 0), MSLOT_DONE);
    must_close_writer(of_long);
    must_close(created.reader);
}
static void tell_of_a_host(void)
{
    mslot_hosts_opened opened = mslot_hosts_open(0);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    mslot_host host = {.number = 1, .host = "ben", .domain = "home"};
    expect_outcome(mslot_hosts_set(opened.hosts, &host).outcome, MSLOT_DONE);
    expect_outcome(mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE).failure.outcome, MSLOT_DONE);
    expect_outcome(mslot_hosts_close(opened.hosts), MSLOT_DONE);
}

static void remove_the_hosts(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/" MSLOT_HOSTS_FILE, getenv("MAILSLOT_DIRECTORY"));
    expect_equal(unlink(path), 0);
}

static void *act_with_a_pending_cancellation(void *act)
{
    pthread_cancel(pthread_self()); // deferred, to the first cancellation point
    ((void (*)(void))(uintptr_t)act)();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return act;
}

TEST(no_call_is_a_cancellation_point)
{
    static const struct {
        const char *name;
        void (*act)(void);
    } calls[] = {
        {"create", create_it},
        {"create what is there", create_what_is_there},
        {"open", open_it},
        {"open nothing", open_nothing},
        {"open and wait", open_and_wait},
        {"open on another machine", open_elsewhere},
        {"remove", remove_it},
        {"observe", observe_it},
        {"inspect", inspect_it},
        {"list", list_them},
        {"wait for a message", wait_for_a_message},
        {"wait for room", wait_for_room},
        {"ask for the reader", ask_for_the_reader},
        {"stop a wait", stop_a_wait},
        {"signal an eventfd", signal_an_eventfd},
        {"write a long message", write_a_long_one},
        {"tell of a host", tell_of_a_host},
    };
    reader = must_create("orders", 1, 2);
    writer = must_open("orders");
    must_write(writer, 0, 0);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        trying("%s", calls[i].name);
        unsigned before = descriptors_open();
        pthread_t thread;
        void *ended;
        pthread_create(&thread, NULL, act_with_a_pending_cancellation, (void *)(uintptr_t)calls[i].act);
        pthread_join(thread, &ended);
        expect(ended != PTHREAD_CANCELED);
        // Asking for the reader has opened a descriptor, and keeps it.
        expect(descriptors_open() <= before + 1);
        open_it();
        pid_t child = child_start();
        if (child == 0) child_end();
        child_join(child);
    }
    must_close_writer(writer);
    must_close(reader);
    remove_the_hosts();
}

// MARK: an opening that waits is interrupted

static uint32_t interrupt_word;
static int64_t interrupted_ns;

static void *interrupt_after_a_while(void *unused)
{
    for (int i = 0; i < 50; i++) poll_pause(); // by then it looks every 10 ms, or every second
    interrupted_ns = now_ns();
    mslot_open_interrupt(&interrupt_word);
    return unused;
}

TEST(an_interrupt_ends_an_opening_that_waits_for_ever_at_once)
{
    static const char *names[] = {"orders", "\\\\host\\mailslot\\x"};
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = MSLOT_FOREVER;
    options.interrupt = &interrupt_word;
    for (int i = 0; i < 2; i++) {
        trying("%s", names[i]);
        interrupt_word = 0;
        pthread_t thread;
        pthread_create(&thread, NULL, interrupt_after_a_while, NULL);
        expect_outcome(mslot_open(names[i], &options).failure.outcome, MSLOT_INTERRUPTED);
        expect(now_ns() - interrupted_ns < AT_ONCE_NS);
        pthread_join(thread, NULL);
        expect_equal(interrupt_word, 1);
        expect_outcome(mslot_open(names[i], &options).failure.outcome, MSLOT_INTERRUPTED); // until the word is 0
    }
    reader = must_create("orders", 1, 1);
    mslot_opened opened = mslot_open("orders", &options); // it need not wait
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    must_close_writer(opened.writer);
    must_close(reader);
    mslot_open_interrupt(NULL);
}

/// Calls the handler once after that time, again with each call.
static void signal_after(int64_t ns, void (*handler)(int))
{
    static timer_t timer;
    static bool is_made;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    if (!is_made) {
        expect_equal(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, NULL), 0);
        expect_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
        is_made = true;
    }
    timer_settime(timer, 0, &(struct itimerspec){.it_value = {.tv_nsec = (long)ns}}, NULL);
}

static void interrupt_by_signal(int number)
{
    (void)number;
    mslot_open_interrupt(&interrupt_word);
}

TEST(a_signal_handler_may_end_an_opening_that_waits)
{
    interrupt_word = 0;
    signal_after(50 * MILLISECOND, interrupt_by_signal);
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = MSLOT_FOREVER;
    options.interrupt = &interrupt_word;
    expect_outcome(mslot_open("orders", &options).failure.outcome, MSLOT_INTERRUPTED);
}

// MARK: a signal handler that forks

static long forks;

static void fork_and_go_on(int number)
{
    (void)number;
    pid_t child = fork();
    if (child == 0) _exit(0);
    while (waitpid(child, NULL, 0) < 0) {}
    forks++;
}

TEST(a_timer_whose_handler_forks_hangs_no_call)
{
    enum { FORKS = 300, DELAY_NS_MAX = 300000 };
    forks = 0;
    reader = must_create("orders", 1, 2);
    // A fork beside a sanitizer takes a tenth of a second on a busy machine: what hangs, the watchdog ends.
    while (forks < FORKS) {
        // Once each time: where a fork takes longer than the delay, nothing else would be done.
        signal_after(1 + (int64_t)random_below(DELAY_NS_MAX), fork_and_go_on);
        open_it();
        create_it();
        create_what_is_there();
        observe_it();
        inspect_it();
        list_them();
        tell_of_a_host();
    }
    signal(SIGUSR1, SIG_IGN);
    must_close(reader);
    remove_the_hosts();
}

/// Told by each of the two: that the handler is over, and what came of the opening.
enum { OVER, PARENTS_LANE, CHILDS_LANE, WORDS };
static uint64_t *words;

static void fork_and_return_twice(int number)
{
    (void)number;
    (void)!fork();
    shared_add(&words[OVER], 1);
}

/// By what the kernel tells of the process.
static bool is_catching(pid_t process, int number)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    FILE *status = fopen(path, "re");
    if (status == NULL) skip("no /proc");
    unsigned long long caught = 0;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "SigCgt:", 7) == 0) caught = strtoull(line + 7, NULL, 16);
    fclose(status);
    return (caught >> (number - 1) & 1) != 0;
}

TEST(a_child_that_returns_from_a_signal_handler_into_a_waiting_open_opens_for_itself)
{
    words = shared_words(WORDS);
    pid_t parent = child_start();
    if (parent == 0) {
        sigaction(SIGUSR1, &(struct sigaction){.sa_handler = fork_and_return_twice}, NULL);
        pid_t self = getpid();
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = TEST_TIMEOUT_NS;
        mslot_opened opened = mslot_open("orders", &options);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        bool is_child = getpid() != self;
        must_write(opened.writer, is_child, 0);
        shared_set(&words[is_child ? CHILDS_LANE : PARENTS_LANE], 1 + opened.writer->lane_index);
        wait_until(shared_get(&words[PARENTS_LANE]) != 0 && shared_get(&words[CHILDS_LANE]) != 0);
        must_close_writer(opened.writer);
        child_end();
    }
    wait_until(is_catching(parent, SIGUSR1));
    for (int i = 0; i < 20; i++) poll_pause(); // most likely it waits by then
    kill(parent, SIGUSR1);
    wait_until(shared_get(&words[OVER]) == 2);
    reader = must_create("orders", 4, 2);
    wait_until(shared_get(&words[PARENTS_LANE]) != 0 && shared_get(&words[CHILDS_LANE]) != 0);
    expect(shared_get(&words[PARENTS_LANE]) != shared_get(&words[CHILDS_LANE]));
    (void)must_read(reader);
    (void)must_read(reader);
    child_join(parent);
    must_close(reader);
}

// MARK: another thread forks

enum { CHILDREN = 64 };

/// Children that live on, until there are many.
static void *fork_children_that_live(void *ended)
{
    pid_t children[CHILDREN];
    size_t count = 0;
    for (bool more = true; more || count > 0;) {
        more = shared_get(ended) == 0;
        if (more && count < CHILDREN) {
            pid_t child = fork();
            while (child == 0) pause();
            if (child > 0) children[count++] = child;
        } else {
            while (count > 0) {
                kill(children[--count], SIGKILL);
                while (waitpid(children[count], NULL, 0) < 0) {}
            }
        }
    }
    return NULL;
}

TEST(children_forked_amid_openings_that_live_on_keep_neither_name_nor_lane)
{
    need_mappings_that_are_not_forked();
    uint64_t ended = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, fork_children_that_live, &ended);
    for (int i = 0; i < 500; i++) {
        reader = must_create("orders", 1, 1);
        for (int j = 0; j < 4; j++) open_it(); // the only lane: free at once
        expect_outcome(open_outcome("nothing"), MSLOT_NOT_FOUND);
        must_close(reader);
    }
    shared_set(&ended, 1);
    pthread_join(thread, NULL);
}

static uint64_t openings_begun;

static void *open_what_is_taken(void *ended)
{
    while (shared_get(ended) == 0) {
        shared_add(&openings_begun, 1);
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    }
    return NULL;
}

TEST(a_fork_does_not_wait_until_an_opening_has_tried_every_lane)
{
    enum { LANES = 4000, TRIES = 10 };
#if defined(__has_feature)
    if (__has_feature(thread_sanitizer)) skip("the thread sanitizer takes longer to fork than we to open");
#endif
    static mslot_writer *writers[LANES];
    reader = must_create("orders", 1, LANES);
    for (int i = 0; i < LANES; i++) writers[i] = must_open("orders");
    int64_t begun = now_ns();
    expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    int64_t opening_ns = now_ns() - begun;

    uint64_t ended = 0;
    openings_begun = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, open_what_is_taken, &ended);
    int at_once = 0;
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = shared_get(&openings_begun);
        wait_until(shared_get(&openings_begun) > before);
        begun = now_ns();
        pid_t child = fork();
        if (child == 0) _exit(0);
        at_once += now_ns() - begun < opening_ns / 2;
        child_wait(child, 0);
    }
    shared_set(&ended, 1);
    pthread_join(thread, NULL);
    trying("%d of %d forks at once; an opening takes %lld µs", at_once, TRIES, (long long)opening_ns / 1000);
    expect(at_once > TRIES / 2);
    for (int i = 0; i < LANES; i++) must_close_writer(writers[i]);
    must_close(reader);
}

// A process that cuts a mailslot's file short, and what the guard makes of it.

#include "common.h"
#include "traced.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

enum { CELLS = 64, LANES = 4 };

static const char *orders_path(void)
{
    static char path[PATH_MAX];
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    return path;
}

#if defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif

static void install_guard(void)
{
    // It makes an atomic access with a lock of its own held, and takes that lock again when a handler makes one.
    if (HAS_THREAD_SANITIZER) skip("the thread sanitizer hangs when an atomic access faults");
    expect_outcome(mslot_guard_install().outcome, MSLOT_DONE);
}

static off_t page_bytes(void) { return (off_t)sysconf(_SC_PAGESIZE); }

static off_t orders_bytes(void)
{
    struct stat status;
    expect_equal(stat(orders_path(), &status), 0);
    return status.st_size;
}

static void cut_orders(off_t bytes) { expect_equal(truncate(orders_path(), bytes), 0); }

// MARK: every call on a mailslot that was cut

static void expect_every_read_says_damaged(mslot_reader *reader)
{
    static mslot_message messages[2];
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    for (int again = 0; again < 3; again++) {
        expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_reader_peek(reader, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_reader_read_batch(reader, messages, 2, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_reader_wait_any(&reader, 1, MSLOT_FOREVER).outcome, MSLOT_DONE); // there is something to hear
        expect(!mslot_reader_check(reader));
    }
    mslot_info info = mslot_reader_info(reader);
    expect_outcome(info.outcome, MSLOT_DAMAGED);
    expect(info.damaged >= 1 && info.capacity == CELLS);
    expect_outcome(mslot_reader_reset(reader), MSLOT_DAMAGED);
    expect_outcome(mslot_reader_wait_any(&reader, 1, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
}

static void expect_every_write_says_damaged(mslot_writer *writer)
{
    const mslot_bytes messages[] = {{"x", 1}};
    for (int again = 0; again < 3; again++) {
        expect_outcome(mslot_writer_write(writer, "x", 1, MSLOT_FOREVER), MSLOT_DAMAGED);
        expect_outcome(mslot_writer_try_write(writer, "x", 1), MSLOT_DAMAGED);
        expect_outcome(mslot_writer_write_batch(writer, messages, 1, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
        mslot_loaned loaned = mslot_writer_loan(writer);
        expect_outcome(loaned.outcome, MSLOT_DONE);
        memset(loaned.bytes, 1, MSLOT_MESSAGE_BYTES_MAX);
        expect_outcome(mslot_writer_publish(writer, 1, MSLOT_FOREVER), MSLOT_DAMAGED);
        expect_outcome(mslot_writer_abandon(writer), MSLOT_DONE);
        expect_outcome(mslot_writer_info(writer).outcome, MSLOT_DAMAGED);
        expect_outcome(mslot_writer_reset(writer), MSLOT_DONE); // finds nothing lost; the next write says what is
    }
}

/// The lock that says who is alive is still held: nobody takes the name away.
static void expect_lock_is_held(off_t byte)
{
    int descriptor = open(orders_path(), O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    expect_equal(fcntl(descriptor, F_OFD_GETLK, &lock), 0);
    expect_equal(lock.l_type, F_WRLCK);
    close(descriptor);
}

TEST(a_mailslot_that_is_cut_to_nothing_is_damaged_at_every_call_and_can_be_closed)
{
    install_guard();
    install_guard(); // once is enough, twice does no harm
    mslot_reader *reader = must_create("orders", CELLS, LANES);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    cut_orders(0);

    expect_every_write_says_damaged(writer);
    expect_every_read_says_damaged(reader);
    expect_lock_is_held(MSLOT_LOCK_READER);
    expect_lock_is_held(MSLOT_LOCK_FIRST_LANE + (off_t)writer->lane_index);
    expect_outcome(create_outcome("orders", NULL), MSLOT_NOT_A_MAILSLOT);

    must_close_writer(writer);
    must_close(reader);
    reader = must_create("orders", CELLS, LANES);
    writer = must_open("orders");
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(what_replaces_a_file_that_was_cut_has_no_memory_for_an_overflow_though_all_that_is_mapped_is_locked)
{
    install_guard();
    mslot_create_options options = small_options(CELLS, LANES);
    options.message_bytes_max = 65536;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    if (mlockall(MCL_FUTURE) != 0) skip("mlockall: %s", strerror(errno));
    cut_orders(0);
    expect_every_read_says_damaged(reader);
    unsigned char resident[64];
    size_t bytes = sizeof resident * (size_t)page_bytes();
    expect_equal(mincore((char *)reader->mapping.base + reader->mapping.bytes - bytes, bytes, resident), 0);
    for (size_t i = 0; i < sizeof resident; i++) expect_equal(resident[i] & 1, 0);
    must_close(reader);
}

TEST(a_message_lent_from_a_file_that_is_then_cut_reads_as_zeros_and_its_release_says_damaged)
{
    install_guard();
    mslot_reader *reader = must_create("orders", 1, 1); // all of it is lent then
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_writer_write(writer, "hello", 5, 0), MSLOT_DONE);
    mslot_view view = mslot_reader_peek(reader, 0);
    expect_outcome(view.outcome, MSLOT_DONE);
    cut_orders(0);
    for (uint32_t i = 0; i < view.byte_count; i++) expect_equal(view.bytes[i], 0);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DAMAGED);
    unsigned char bytes[8];
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_reader_peek(reader, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_reader_asleep_on_a_file_that_is_cut_says_so_within_about_a_second)
{
    install_guard();
    mslot_reader *reader = must_create("orders", CELLS, LANES);
    pid_t hostile = child_start();
    if (hostile == 0) {
        int descriptor = open(orders_path(), O_RDWR | O_CLOEXEC);
        uint64_t parked = 0;
        off_t at = MSLOT_HEADER_BYTES + offsetof(mslot_control, parked_position);
        wait_until(pread(descriptor, &parked, sizeof parked, at) == sizeof parked && parked != 0);
        expect_equal(ftruncate(descriptor, 0), 0);
        child_end();
    }
    unsigned char bytes[8];
    int64_t begun = now_ns();
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, MSLOT_FOREVER).outcome, MSLOT_DAMAGED);
    expect(now_ns() - begun < TEST_TIMEOUT_NS);
    child_join(hostile);
    must_close(reader);
}

// MARK: cut while it is used

/// Cuts the file to a number of whole pages, now and then, while the others are at it.
static pid_t start_cutter(off_t bytes, uint64_t *go)
{
    pid_t child = child_start();
    if (child != 0) return child;
    wait_until(shared_get(go) >= 100);
    cut_orders(bytes);
    child_end();
}

TEST(a_reader_and_a_writer_of_a_file_that_is_cut_anywhere_never_die_and_never_see_half_a_message)
{
    off_t bytes = 0;
    for (off_t size = 0; size == 0 || size < bytes; size += page_bytes()) {
        trying("cut to %lld bytes", (long long)size);
        mslot_reader *reader = must_create("orders", CELLS, LANES);
        install_guard();
        bytes = orders_bytes();
        uint64_t *words = shared_words(2);
        pid_t cutter = start_cutter(size, &words[0]);
        pid_t client = child_start();
        if (client == 0) {
            mslot_writer *writer = must_open("orders");
            unsigned char message[MSLOT_MESSAGE_BYTES_MAX];
            mslot_outcome outcome = MSLOT_DONE;
            // Until the file is cut, and for two laps after that.
            for (uint64_t number = 0, after = 0; outcome == MSLOT_DONE && after < 2 * (CELLS + LANES); number++) {
                outcome = mslot_writer_write(writer, message, message_make(message, 0, number), 100 * MILLISECOND);
                if (outcome == MSLOT_TIMED_OUT) break; // the reader met the damage and reads no more
                after += orders_bytes() == size;
            }
            expect(outcome == MSLOT_DONE || outcome == MSLOT_DAMAGED || outcome == MSLOT_TIMED_OUT);
            if (outcome == MSLOT_DAMAGED) expect_every_write_says_damaged(writer);
            shared_set(&words[1], 1);
            child_end();
        }
        unsigned char message[MSLOT_MESSAGE_BYTES_MAX];
        mslot_received received = {.outcome = MSLOT_DONE};
        while (received.outcome == MSLOT_DONE || (received.outcome == MSLOT_TIMED_OUT && shared_get(&words[1]) == 0)) {
            received = mslot_reader_read(reader, message, sizeof message, MILLISECOND);
            if (received.outcome == MSLOT_DONE) {
                message_check(message, received.byte_count);
                shared_add(&words[0], 1);
            }
        }
        child_join(cutter);
        child_join(client);
        if (received.outcome == MSLOT_TIMED_OUT) { // what it touched is still there
            cut_orders(0);
            received = mslot_reader_read(reader, message, sizeof message, 0);
        }
        expect_outcome(received.outcome, MSLOT_DAMAGED);
        expect_every_read_says_damaged(reader);
        must_close(reader);
    }
}

TEST(who_looks_at_opens_or_adopts_a_file_that_is_cut_all_the_time_never_dies)
{
    install_guard();
    pid_t owner = child_start();
    if (owner == 0) {
        (void)must_create("orders", CELLS, LANES);
        for (;;) pause();
    }
    wait_until(mslot_inspect("orders").failure.outcome == MSLOT_DONE);
    pid_t hostile = child_start();
    if (hostile == 0) {
        static unsigned char kept[256 * 1024];
        int descriptor = open(orders_path(), O_RDWR | O_CLOEXEC);
        ssize_t byte_count = pread(descriptor, kept, sizeof kept, 0);
        expect(byte_count > 0);
        for (off_t size = 0;; size = (size + page_bytes()) % byte_count) {
            expect_equal(ftruncate(descriptor, size), 0);
            expect_equal(pwrite(descriptor, kept, (size_t)byte_count, 0), byte_count);
        }
    }
    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    for (int i = 0; i < 2000; i++) {
        if (i == 1000) child_kill(owner);
        mslot_inspect("orders");
        mslot_opened opened = mslot_open("orders", NULL);
        if (opened.writer != NULL) {
            mslot_writer_try_write(opened.writer, "x", 1);
            must_close_writer(opened.writer);
        }
        if (i < 1000) continue;
        mslot_created created = mslot_create("orders", &options);
        expect(created.failure.outcome == MSLOT_NOT_A_MAILSLOT || created.failure.outcome == MSLOT_DAMAGED
            || created.failure.outcome == MSLOT_DONE);
        if (created.reader != NULL) break;
    }
    child_kill(hostile);
    unlink(orders_path());
}

// MARK: cut at every instruction

static mslot_reader *victims_reader;
static mslot_writer *victims_writer;
static unsigned char victims_bytes[MSLOT_MESSAGE_BYTES_MAX];
static size_t victims_byte_count;

static void prepare_write(void)
{
    victims_writer = must_open("orders");
    must_write(victims_writer, 0, 0);
    install_guard();
    victims_byte_count = message_make(victims_bytes, 0, 1);
}
static void write_and_write_again(void)
{
    mslot_outcome outcome = mslot_writer_write(victims_writer, victims_bytes, victims_byte_count, 0);
    expect(outcome == MSLOT_DONE || outcome == MSLOT_DAMAGED);
    // Whatever comes later does not go well; but the cut may not have come yet.
    if (outcome == MSLOT_DAMAGED || orders_bytes() == 0) expect_every_write_says_damaged(victims_writer);
}

static void prepare_read(void)
{
    victims_reader = must_create("orders", CELLS, LANES);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_write(writer, 0, 1);
    must_close_writer(writer);
    install_guard();
}
static void read_and_read_again(void)
{
    mslot_received received = mslot_reader_read(victims_reader, victims_bytes, sizeof victims_bytes, 0);
    if (received.outcome == MSLOT_DONE) expect_equal(message_check(victims_bytes, received.byte_count).number, 0);
    else expect_outcome(received.outcome, MSLOT_DAMAGED);
    if (received.outcome == MSLOT_DAMAGED || orders_bytes() == 0) expect_every_read_says_damaged(victims_reader);
}

/// Cuts the file to nothing after each instruction of an act in turn.
static void cut_at_every_instruction(void (*prepare)(void), void (*act)(void), bool with_reader)
{
    // At least as many as the first call of the act has; what comes after it is for checking, and longer.
    enum { INSTRUCTIONS = 250 };
    for (uint64_t steps = 0; steps < INSTRUCTIONS; steps++) {
        trying("after %llu instructions", (unsigned long long)steps);
        mslot_reader *reader = with_reader ? must_create("orders", CELLS, LANES) : NULL;
        pid_t child = traced_start(prepare, act);
        for (uint64_t taken = 0; taken < steps; taken++)
            if (traced_go_on(child, PTRACE_SINGLESTEP) == TRACED_ENDED) fail_at(__FILE__, __LINE__, "the act was over too soon");
        cut_orders(0);
        while (traced_go_on(child, PTRACE_CONT) != TRACED_ENDED) {}
        install_guard();
        if (reader != NULL) must_close(reader);
        unlink(orders_path());
    }
}

TEST(a_write_whose_file_is_cut_at_any_instruction_is_done_or_damaged_and_the_next_one_is_damaged)
{
    cut_at_every_instruction(prepare_write, write_and_write_again, true);
}
TEST(a_read_whose_file_is_cut_at_any_instruction_is_whole_or_damaged_and_the_next_one_is_damaged)
{
    cut_at_every_instruction(prepare_read, read_and_read_again, false);
}

// MARK: what is none of ours

static volatile unsigned char *foreign_page; // behind the end of its file

static void map_foreign_page(void)
{
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/foreign", getenv("MAILSLOT_DIRECTORY"));
    int descriptor = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    expect(descriptor >= 0);
    unlink(name);
    foreign_page = mmap(NULL, (size_t)page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    expect((void *)foreign_page != MAP_FAILED);
    close(descriptor);
}

static void touch_foreign_page(void) { foreign_page[0] = 1; }
static void send_bus_error(void) { kill(getpid(), SIGBUS); }

/// A child that has a mailslot and the guard, and then meets a SIGBUS. Returns its wait status.
static int status_of(void (*before)(void), void (*meet)(void))
{
    pid_t child = child_start();
    if (child == 0) {
        signal(SIGBUS, SIG_DFL); // a sanitizer's handler would tell and exit
        if (before != NULL) before();
        mslot_reader *reader = must_create("orders", CELLS, LANES);
        mslot_reader *closed = must_create("closed", CELLS, LANES);
        install_guard();
        must_close(closed);
        map_foreign_page(); // where a mailslot was a moment ago, perhaps
        meet();
        must_close(reader);
        child_end();
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    return status;
}

static sigjmp_buf back;
static volatile uintptr_t seen_address;
static volatile sig_atomic_t seen_count;

static void handle_with_information(int number, siginfo_t *information, void *context)
{
    expect(number == SIGBUS && context != NULL);
    seen_address = (uintptr_t)information->si_addr;
    seen_count++;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    expect(sigismember(&mask, SIGUSR2) == 1); // as it asked
    siglongjmp(back, 1);
}
static void handle_plainly(int number)
{
    expect(number == SIGBUS);
    seen_count++;
}

static void with_handler(void)
{
    struct sigaction action = {.sa_sigaction = handle_with_information, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGBUS, &action, NULL);
}
static void with_handler_for_once(void)
{
    sigaction(SIGBUS, &(struct sigaction){.sa_handler = handle_plainly, .sa_flags = SA_RESETHAND}, NULL);
}
static void with_plain_handler(void) { sigaction(SIGBUS, &(struct sigaction){.sa_handler = handle_plainly}, NULL); }
static void with_ignoring(void) { signal(SIGBUS, SIG_IGN); }

static void meet_and_come_back(void)
{
    for (volatile int times = 1; times <= 3; times++) { // volatile: it lives through the jump
        if (sigsetjmp(back, 1) == 0) touch_foreign_page();
        expect(seen_count == times && seen_address == (uintptr_t)foreign_page);
    }
}
static void meet_one_that_was_sent(void)
{
    send_bus_error();
    expect_equal(seen_count, 1);
}
static void meet_none(void)
{
    send_bus_error();
    expect_equal(seen_count, 0);
}
static void meet_two_that_were_sent(void)
{
    send_bus_error();
    expect_equal(seen_count, 1);
    send_bus_error(); // its handler was for one
}

/// A handler may send the signal on, as the guard does with a stranger's; an emulator (qemu 7.2) may end in some other way.
static void send_on(int number, siginfo_t *info, void *context)
{
    (void)context;
    signal(number, SIG_DFL);
    syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), number, info);
}
static void need_deaths_by_bus_errors(void)
{
    pid_t child = child_start();
    if (child == 0) {
        sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = send_on, .sa_flags = SA_SIGINFO}, NULL);
        map_foreign_page();
        touch_foreign_page();
        child_end();
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGBUS)
        skip("this kernel does not end a process by SIGBUS, but with status 0x%x", status);
}

TEST(a_bus_error_that_is_not_a_mailslots_kills_as_ever)
{
    need_deaths_by_bus_errors();
    int status = status_of(NULL, touch_foreign_page);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_of(with_ignoring, touch_foreign_page); // a fault cannot be ignored
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_of(NULL, send_bus_error);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_of(with_handler_for_once, meet_two_that_were_sent);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

TEST(a_bus_error_that_is_not_a_mailslots_reaches_the_earlier_handler)
{
    int status = status_of(with_handler, meet_and_come_back);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of(with_plain_handler, meet_one_that_was_sent);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of(with_ignoring, meet_none);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(without_the_guard_a_file_that_is_cut_kills)
{
    pid_t child = child_start();
    if (child == 0) {
        signal(SIGBUS, SIG_DFL);
        mslot_reader *reader = must_create("orders", CELLS, LANES);
        cut_orders(0);
        unsigned char bytes[8];
        mslot_reader_read(reader, bytes, sizeof bytes, 0);
        child_end();
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    unlink(orders_path());
}

TEST(a_forked_child_takes_no_bus_error_for_its_parents_mailslot)
{
    need_deaths_by_bus_errors();
    signal(SIGBUS, SIG_DFL);
    install_guard();
    mslot_reader *reader = must_create("orders", CELLS, LANES);
    uintptr_t base = (uintptr_t)reader->mapping.base;
    pid_t child = child_start();
    if (child == 0) {
        map_foreign_page();
        // Where the parent's mailslot is, and nothing in this process.
        void *moved = mremap((void *)foreign_page, (size_t)page_bytes(), (size_t)page_bytes(), MREMAP_MAYMOVE | MREMAP_FIXED, (void *)base);
        expect(moved == (void *)base);
        foreign_page = moved;
        touch_foreign_page();
        child_end();
    }
    int status;
    expect_equal(waitpid(child, &status, 0), child);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    must_close(reader);
}

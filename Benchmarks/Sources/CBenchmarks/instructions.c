// How many instructions an operation has: the processor steps through it, one at a time.
//
// Unlike its time this number is the same on every run and every machine with the same compiler, so a bound on it holds in CI.

#include "sides.h"

#include <errno.h>
#include <mailslots.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/// Until the next stop of `task`; false if it has ended.
static bool go_on(pid_t task, enum __ptrace_request request)
{
    int status;
    if (ptrace(request, task, NULL, NULL) != 0) return false;
    while (waitpid(task, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFSTOPPED(status);
}

static bool ends_well(pid_t task)
{
    int status;
    if (ptrace(PTRACE_CONT, task, NULL, NULL) != 0) return false;
    while (waitpid(task, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint32_t marks(const bench_run *run) { return __atomic_load_n(&run->marks, __ATOMIC_RELAXED); }

bool bench_run_stepping(bench_run *run, bench_side side)
{
    run->instructions = 0;
    pid_t task = bench_start_side(run, side, 0, false, true);
    if (task < 0) return false;
    int status;
    bool good = waitpid(task, &status, 0) == task && WIFSTOPPED(status) && ptrace(PTRACE_SETOPTIONS, task, NULL, PTRACE_O_EXITKILL) == 0;
    while (good && marks(run) == 0) good = go_on(task, PTRACE_SYSCALL);
    for (; good && marks(run) == 1; run->instructions++) good = go_on(task, PTRACE_SINGLESTEP);
    good = good && ends_well(task);
    if (!good) {
        kill(task, SIGKILL);
        waitpid(task, &status, 0);
        bench_mailslot_remove(run);
    }
    return good;
}

// MARK: what is stepped through: the same number of messages each, one side alone, nobody asleep

typedef struct ends {
    mslot_reader *reader;
    mslot_writer *writer;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
} ends;

/// Both ends of a mailslot that has been used, so that what is set up at the first use is set up.
static ends used_ends(bench_run *run)
{
    ends e = {.reader = bench_mailslot_create(run, bench_name(run, 0)), .writer = bench_mailslot_open_writer(run, bench_name(run, 0))};
    for (uint64_t i = 0; i < run->warm_up; i++) {
        BENCH_REQUIRE(run, mslot_writer_write(e.writer, e.bytes, run->message_bytes, MSLOT_FOREVER) == MSLOT_DONE);
        BENCH_REQUIRE(run, mslot_reader_read(e.reader, e.bytes, sizeof e.bytes, 0).outcome == MSLOT_DONE);
    }
    return e;
}

static void fill(bench_run *run, ends *e)
{
    for (uint64_t i = 0; i < run->messages; i++)
        BENCH_REQUIRE(run, mslot_writer_write(e->writer, e->bytes, run->message_bytes, MSLOT_FOREVER) == MSLOT_DONE);
}

static void close_ends(ends *e)
{
    mslot_writer_close(e->writer);
    mslot_reader_close(e->reader);
}

void bench_step_write(bench_run *run)
{
    ends e = used_ends(run);
    bench_mark(run);
    fill(run, &e);
    bench_mark(run);
    close_ends(&e);
}

void bench_step_loan(bench_run *run)
{
    ends e = used_ends(run);
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++) {
        mslot_loaned loaned = mslot_writer_loan(e.writer);
        BENCH_REQUIRE(run, loaned.outcome == MSLOT_DONE);
        bench_put(loaned.bytes, i);
        BENCH_REQUIRE(run, mslot_writer_publish(e.writer, run->message_bytes, 0) == MSLOT_DONE);
    }
    bench_mark(run);
    close_ends(&e);
}

void bench_step_read(bench_run *run)
{
    ends e = used_ends(run);
    fill(run, &e);
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++)
        BENCH_REQUIRE(run, mslot_reader_read(e.reader, e.bytes, sizeof e.bytes, 0).outcome == MSLOT_DONE);
    bench_mark(run);
    close_ends(&e);
}

void bench_step_peek(bench_run *run)
{
    ends e = used_ends(run);
    fill(run, &e);
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++) {
        mslot_view view = mslot_reader_peek(e.reader, 0);
        bench_use(view.bytes);
        BENCH_REQUIRE(run, view.outcome == MSLOT_DONE && mslot_reader_release(e.reader, 1) == MSLOT_DONE);
    }
    bench_mark(run);
    close_ends(&e);
}

void bench_step_peek_batch(bench_run *run)
{
    ends e = used_ends(run);
    fill(run, &e);
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++) {
        mslot_view view = mslot_reader_peek(e.reader, 0);
        bench_use(view.bytes);
        BENCH_REQUIRE(run, view.outcome == MSLOT_DONE);
    }
    BENCH_REQUIRE(run, mslot_reader_release(e.reader, run->messages) == MSLOT_DONE);
    bench_mark(run);
    close_ends(&e);
}

// Runs sides in pinned processes, and counts what they ask of the kernel.

#include "sides.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MARK: allocations
//
// The executable's malloc comes before libc's for everything in the process, the Swift runtime included.

static uint64_t allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);

void *malloc(size_t bytes)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_realloc(memory, bytes);
}
#endif

// MARK: memory of a run

static void *shared_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bench_run *bench_run_make(void)
{
    bench_run *run = shared_memory(sizeof *run);
    if (run == NULL) return NULL;
    run->samples = shared_memory(BENCH_SAMPLES_MAX * sizeof *run->samples);
    if (run->samples != NULL && bench_run_reset(run)) return run;
    bench_run_free(run);
    return NULL;
}

bool bench_run_reset(bench_run *run)
{
    static unsigned number;
    run->sample_count = 0;
    run->sleeps = 0;
    run->system_calls = 0;
    run->allocations = 0;
    run->instructions = 0;
    run->marks = 0;
    run->messages_moved = 0;
    run->lost = 0;
    run->failed_line = 0;
    run->arrived = 0;
    run->acknowledged = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(run->names[i], sizeof run->names[i], "bench.%ld.%u", (long)getpid(), number++);
        // New memory each time, as a new mailslot has.
        if (run->bare[i] != NULL) munmap(run->bare[i], bench_bare_bytes());
        run->bare[i] = shared_memory(bench_bare_bytes());
        if (run->bare[i] == NULL) return false;
        bench_bare_initialise(run->bare[i]);
    }
    return true;
}

void bench_run_free(bench_run *run)
{
    for (int i = 0; i < 2; i++)
        if (run->bare[i] != NULL) munmap(run->bare[i], bench_bare_bytes());
    if (run->samples != NULL) munmap(run->samples, BENCH_SAMPLES_MAX * sizeof *run->samples);
    munmap(run, sizeof *run);
}

const char *bench_name(const bench_run *run, uint32_t number) { return run->names[number]; }

// MARK: sides

void bench_meet(bench_run *run)
{
    // Both sides count the meetings in step, so the number of arrivals says which one is complete.
    uint32_t arrived = __atomic_add_fetch(&run->arrived, 1, __ATOMIC_ACQ_REL);
    uint32_t complete = (arrived + 1) / 2 * 2;
    while ((int32_t)(__atomic_load_n(&run->arrived, __ATOMIC_ACQUIRE) - complete) < 0) bench_pause();
}

_Noreturn void bench_fail(bench_run *run, uint32_t line)
{
    run->failed_line = line;
    _exit(1);
}

bool bench_may_use_cpu(uint32_t cpu)
{
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_ISSET(cpu, &allowed);
}

pid_t bench_start_side(bench_run *run, bench_side side, uint32_t cpu, bool traced)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    signal(SIGALRM, SIG_DFL);
    alarm(BENCH_SIDE_SECONDS_MAX);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    BENCH_REQUIRE(run, sched_setaffinity(0, sizeof one, &one) == 0);
    if (traced) {
        BENCH_REQUIRE(run, ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
    }
    side(run);
    _exit(0);
}

static bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

bool bench_run_sides(bench_run *run, bench_side first, bench_side second)
{
    pid_t sides[2] = {bench_start_side(run, first, run->cpus[0], false), -1};
    if (second != NULL) sides[1] = bench_start_side(run, second, run->cpus[1], false);
    bool good = sides[0] > 0 && (second == NULL || sides[1] > 0);
    for (int left = (sides[0] > 0) + (sides[1] > 0); left > 0;) {
        if (!good)
            for (int i = 0; i < 2; i++)
                if (sides[i] > 0) kill(sides[i], SIGKILL);
        int status = 0;
        pid_t ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno == EINTR) continue;
        if (ended < 0) return false;
        for (int i = 0; i < 2; i++) {
            if (sides[i] != ended) continue;
            sides[i] = -1;
            left--;
            good = good && ended_well(status);
        }
    }
    if (!good) bench_mailslot_remove(run);
    return good;
}

// MARK: counting

/// A call that no loop makes: it tells the tracer that counting begins or ends.
enum { MARK_CALL = SYS_getpgid, MARK_ARGUMENT = -4242 };

void bench_mark(bench_run *run)
{
    static uint64_t before;
    uint64_t now = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    run->allocations = now - before;
    before = now;
    __atomic_add_fetch(&run->marks, 1, __ATOMIC_RELAXED);
    syscall(MARK_CALL, MARK_ARGUMENT);
}

/// The number of `process` among two sides; threads of theirs are neither.
static int side_number(const pid_t sides[2], pid_t process) { return process == sides[0] ? 0 : process == sides[1] ? 1 : -1; }

bool bench_run_counting(bench_run *run, bench_side first, bench_side second)
{
    pid_t sides[2] = {bench_start_side(run, first, run->cpus[0], true), -1};
    if (second != NULL) sides[1] = bench_start_side(run, second, run->cpus[1], true);
    bool good = sides[0] > 0 && (second == NULL || sides[1] > 0);
    bool set_up[2] = {false, false};
    unsigned marks[2] = {0, 0};
    run->system_calls = 0;
    for (int left = (sides[0] > 0) + (sides[1] > 0); left > 0;) {
        if (!good)
            for (int i = 0; i < 2; i++)
                if (sides[i] > 0) kill(sides[i], SIGKILL);
        int status = 0;
        pid_t task = waitpid(-1, &status, __WALL);
        if (task < 0 && errno == EINTR) continue;
        if (task < 0) return false;
        int side = side_number(sides, task);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (side < 0) continue;
            sides[side] = -1;
            left--;
            good = good && ended_well(status) && marks[side] == 2;
            continue;
        }
        int forwarded = 0;
        if (side >= 0 && !set_up[side]) {
            set_up[side] = true;
            ptrace(PTRACE_SETOPTIONS, task, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            memset(&info, 0, sizeof info);
            ptrace(PTRACE_GET_SYSCALL_INFO, task, (void *)sizeof info, &info);
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                bool mark = side >= 0 && info.entry.nr == MARK_CALL && (int)info.entry.args[0] == MARK_ARGUMENT;
                if (mark) marks[side]++;
                else if (marks[0] == 1 || marks[1] == 1) run->system_calls++;
            }
        } else if (WSTOPSIG(status) != SIGSTOP && status >> 16 == 0) {
            // Neither a new thread's first stop nor the clone that made it.
            forwarded = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, task, NULL, (void *)(intptr_t)forwarded);
    }
    if (!good) bench_mailslot_remove(run);
    return good;
}

// MARK: peers

bool bench_peer_make(bench_run *run, const bench_peer *peer, bool polls)
{
    run->peer = peer;
    for (int i = 0; i < 2; i++)
        run->channels[i] =
            (bench_channel){.name = run->names[i], .polls = polls, .message_bytes = run->message_bytes, .descriptors = {-1, -1}};
    for (int i = 0; i < 2; i++)
        if (peer->make != NULL && !peer->make(&run->channels[i])) {
            bench_peer_remove(run);
            return false;
        }
    return true;
}

void bench_peer_remove(bench_run *run)
{
    for (int i = 0; i < 2; i++)
        if (run->peer->remove != NULL) run->peer->remove(&run->channels[i]);
}

// MARK: clock

double bench_ticks_per_second(void)
{
    static double rate;
    if (rate != 0) return rate;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t first = bench_ticks();
    int64_t ns;
    do {
        clock_gettime(CLOCK_MONOTONIC, &end);
        ns = (int64_t)(end.tv_sec - start.tv_sec) * 1000000000 + (end.tv_nsec - start.tv_nsec);
    } while (ns < 50000000);
    rate = (double)(bench_ticks() - first) * 1e9 / (double)ns;
    return rate;
}

// MARK: the floor

// The line lies in the first reference ring's memory, which nobody else uses in this run.

void bench_line_first(bench_run *run)
{
    uint64_t *line = run->bare[0];
    bench_meet(run);
    uint64_t before = bench_ticks();
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        __atomic_store_n(line, 2 * i + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(line, __ATOMIC_ACQUIRE) != 2 * i + 2) {}
        before = bench_sample(run, i, before);
    }
    bench_samples_done(run);
}

void bench_line_second(bench_run *run)
{
    uint64_t *line = run->bare[0];
    __atomic_store_n(line, 0, __ATOMIC_RELEASE);
    bench_meet(run);
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(line, __ATOMIC_ACQUIRE) != 2 * i + 1) {}
        __atomic_store_n(line, 2 * i + 2, __ATOMIC_RELEASE);
    }
}

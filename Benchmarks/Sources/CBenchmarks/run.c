// Runs sides in pinned processes, and counts what they ask of the kernel.

#include "sides.h"

#include <dirent.h>
#include <errno.h>
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif
#include <limits.h>
#include <linux/futex.h>
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

/// How often two sides look for each other before they sleep: some milliseconds.
enum { MEETING_POLLS = 100000 };

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
    run->unsent = 0;
    memset(run->cpu_ns, 0, sizeof run->cpu_ns);
    run->failed_line = 0;
    run->failed_condition = NULL;
    run->killed_by = 0;
    run->arrived = 0;
    run->acknowledged = 0;
    run->warm_ticks = 0;
    run->announcers = 0;
    run->announced = 0;
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

// MARK: signals

static volatile sig_atomic_t caught_signal;

static void catch_signal(int signal) { caught_signal = signal; }

void bench_catch_signals(void)
{
    // Without SA_RESTART, so that it ends the wait for a side.
    struct sigaction action = {.sa_handler = catch_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int bench_caught_signal(void) { return caught_signal; }

// MARK: sides

static uint32_t writer_number;

uint32_t bench_writer_number(void) { return writer_number; }

static uint32_t sides_of(const bench_run *run, bench_side second) { return second == NULL ? 1 : run->writers + 1; }

void bench_meet(bench_run *run)
{
    // All sides count the meetings in step, so the number of arrivals says which one is complete.
    uint32_t sides = run->writers + 1;
    uint32_t arrived = __atomic_add_fetch(&run->arrived, 1, __ATOMIC_ACQ_REL);
    uint32_t complete = (arrived + sides - 1) / sides * sides;
    if (arrived == complete) {
        syscall(SYS_futex, &run->arrived, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return;
    }
    // Two begin as one; more have not a CPU each, and would keep it from those that they wait for.
    for (uint64_t polls = 0; (int32_t)((arrived = __atomic_load_n(&run->arrived, __ATOMIC_ACQUIRE)) - complete) < 0; polls++) {
        if (sides == 2 && polls < MEETING_POLLS) bench_pause();
        else syscall(SYS_futex, &run->arrived, FUTEX_WAIT, arrived, NULL, NULL, 0);
    }
}

_Noreturn void bench_fail(bench_run *run, uint32_t line, const char *condition)
{
    run->failed_line = line;
    run->failed_condition = condition;
    _exit(1);
}

bool bench_may_use_cpu(uint32_t cpu)
{
    cpu_set_t allowed;
    return cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_ISSET(cpu, &allowed);
}

void bench_pin_process(uint32_t cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) return;
    for (struct dirent *thread = readdir(threads); thread != NULL; thread = readdir(threads)) {
        int number = atoi(thread->d_name);
        if (number > 0) sched_setaffinity(number, sizeof one, &one);
    }
    closedir(threads);
}

/// The second side has its CPU for itself; first sides share all the others.
static uint32_t cpu_of(const bench_run *run, uint32_t number, bool is_second)
{
    if (is_second) return run->cpus[1];
    number %= run->cpu_count - 1;
    return run->cpus[number == 0 ? 0 : number + 1];
}

pid_t bench_start_side(bench_run *run, bench_side side, uint32_t number, bool is_second, bool traced)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    for (int i = 0; i < 3; i++) signal((int[]){SIGALRM, SIGINT, SIGTERM}[i], SIG_DFL);
    alarm(run->seconds_max);
    writer_number = number;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_of(run, number, is_second), &one);
    BENCH_REQUIRE(run, sched_setaffinity(0, sizeof one, &one) == 0);
    if (traced) {
        BENCH_REQUIRE(run, ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
    }
    side(run);
    _exit(0);
}

/// The processes of one measurement.
typedef struct crew {
    pid_t processes[BENCH_WRITERS_MAX + 1];
    uint32_t count;
    uint32_t left;
    bool good;
} crew;

static crew start_crew(bench_run *run, bench_side first, bench_side second, bool traced)
{
    crew crew = {.count = sides_of(run, second), .good = true};
    for (uint32_t i = 0; i < crew.count; i++) {
        bool is_second = second != NULL && i == crew.count - 1;
        crew.processes[i] = bench_start_side(run, is_second ? second : first, i, is_second, traced);
        if (crew.processes[i] > 0) crew.left++;
        else crew.good = false;
    }
    return crew;
}

/// Waits for news of any process. 0: there is none to come; -1: ask again.
static pid_t wait_for_crew(crew *crew, int *status)
{
    if (caught_signal != 0) crew->good = false;
    if (!crew->good)
        for (uint32_t i = 0; i < crew->count; i++)
            if (crew->processes[i] > 0) kill(crew->processes[i], SIGKILL);
    pid_t process = waitpid(-1, status, __WALL);
    if (process < 0 && errno == EINTR) return -1;
    if (process < 0) crew->good = false;
    return process < 0 ? 0 : process;
}

/// The place of `process` in the crew; -1: a thread of a side.
static int place_of(const crew *crew, pid_t process)
{
    for (uint32_t i = 0; i < crew->count; i++)
        if (crew->processes[i] == process) return (int)i;
    return -1;
}

static void remove_from(bench_run *run, crew *crew, int place, int status)
{
    // Of a crew that is not good any more the others are killed by us.
    if (crew->good && WIFSIGNALED(status)) run->killed_by = WTERMSIG(status);
    crew->processes[place] = -1;
    crew->left--;
    crew->good = crew->good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool bench_run_sides(bench_run *run, bench_side first, bench_side second)
{
    crew crew = start_crew(run, first, second, false);
    while (crew.left > 0) {
        int status = 0;
        pid_t ended = wait_for_crew(&crew, &status);
        if (ended == 0) break;
        int place = ended < 0 ? -1 : place_of(&crew, ended);
        if (place >= 0) remove_from(run, &crew, place, status);
    }
    if (!crew.good) bench_mailslot_remove(run);
    return crew.good;
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

bool bench_run_counting(bench_run *run, bench_side first, bench_side second)
{
    crew crew = start_crew(run, first, second, true);
    bool set_up[BENCH_WRITERS_MAX + 1] = {false};
    unsigned marks[BENCH_WRITERS_MAX + 1] = {0};
    uint32_t marked = 0;
    run->system_calls = 0;
    while (crew.left > 0) {
        int status = 0;
        pid_t task = wait_for_crew(&crew, &status);
        if (task == 0) break;
        if (task < 0) continue;
        int place = place_of(&crew, task);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (place < 0) continue;
            remove_from(run, &crew, place, status);
            crew.good = crew.good && marks[place] == 2;
            continue;
        }
        int forwarded = 0;
        if (place >= 0 && !set_up[place]) {
            set_up[place] = true;
            ptrace(PTRACE_SETOPTIONS, task, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            memset(&info, 0, sizeof info);
            ptrace(PTRACE_GET_SYSCALL_INFO, task, (void *)sizeof info, &info);
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                bool mark = place >= 0 && info.entry.nr == MARK_CALL && (int)info.entry.args[0] == MARK_ARGUMENT;
                if (mark) marked += marks[place]++ == 0 ? 1 : -1u;
                // A side's own calls between its marks; its library's threads work for either side.
                else if (place >= 0 ? marks[place] == 1 : marked > 0) run->system_calls++;
            }
        } else if (WSTOPSIG(status) != SIGSTOP && status >> 16 == 0) {
            // Neither a new thread's first stop nor the clone that made it.
            forwarded = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, task, NULL, (void *)(intptr_t)forwarded);
    }
    if (!crew.good) bench_mailslot_remove(run);
    return crew.good;
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

// MARK: the machine

const char *bench_compiler(void) { return __VERSION__; }

const char *bench_c_library(void)
{
#if defined(__GLIBC__)
    static char text[64];
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    return text;
#else
    return "not glibc";
#endif
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

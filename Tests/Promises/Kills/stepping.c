#include "stepping.h"

#include "visible.h"
#include "world.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define fail(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)

// MARK: the processor

typedef struct user_regs_struct registers;
#if defined(__x86_64__)
#define INSTRUCTION_POINTER rip
static const uint64_t SYSTEM_CALL = 0x050f, SYSTEM_CALL_MASK = 0xffff, BREAKPOINT = 0xcc, BREAKPOINT_MASK = 0xff;
enum { BREAKPOINT_ADVANCES = 1 };
#elif defined(__aarch64__)
#define INSTRUCTION_POINTER pc
static const uint64_t SYSTEM_CALL = 0xd4000001, SYSTEM_CALL_MASK = 0xffffffff, BREAKPOINT = 0xd4200000, BREAKPOINT_MASK = 0xffffffff;
enum { BREAKPOINT_ADVANCES = 0 };
#else
#error "Say here how a system call and a breakpoint look on this processor."
#endif

static registers registers_of(pid_t victim)
{
    registers all;
    if (ptrace(PTRACE_GETREGSET, victim, NT_PRSTATUS, &(struct iovec){&all, sizeof all}) != 0) fail("no registers: %s", strerror(errno));
    return all;
}

static uintptr_t address_of(pid_t victim) { return (uintptr_t)registers_of(victim).INSTRUCTION_POINTER; }

static uint64_t code_at(pid_t victim, uintptr_t address)
{
    errno = 0;
    uint64_t code = (uint64_t)ptrace(PTRACE_PEEKTEXT, victim, address, NULL);
    if (errno != 0) fail("no code at %p: %s", (void *)address, strerror(errno));
    return code;
}

static bool is_at_system_call(pid_t victim, uintptr_t address) { return (code_at(victim, address) & SYSTEM_CALL_MASK) == SYSTEM_CALL; }

// MARK: asleep or not

void nap(void) { syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 20000}, NULL); }

bool is_asleep(pid_t process)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) skip("cannot open %s: %s", path, strerror(errno));
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return false; // it is ending
    text[length] = 0;
    // "running", or the number of the system call in which it is blocked.
    long number = text[0] == 'r' ? -1 : strtol(text, NULL, 10);
    return number == SYS_futex || number == SYS_futex_waitv;
}

// MARK: going on

static void expect_stopped(int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGILL) skip("this processor and this kernel cannot step through it");
    if (!WIFSTOPPED(status)) fail("the victim ended by itself, status 0x%x", status);
}

static void resume(int how, pid_t victim)
{
    if (ptrace(how, victim, NULL, NULL) != 0) skip("this kernel cannot step through a process: %s", strerror(errno));
}

/// To the next stop.
static void go(int how, pid_t victim)
{
    resume(how, victim);
    expect_stopped(child_wait(victim, __WALL));
}

/// To the next stop, or until it sleeps: true.
static bool go_or_fall_asleep(int how, pid_t victim)
{
    resume(how, victim);
    int status;
    for (bool asleep = false;; nap()) {
        if (waitpid(victim, &status, __WALL | WNOHANG) == victim) break;
        // Twice: stopped behind a futex call it looks asleep, but then it can be waited for.
        if (asleep) return true;
        asleep = is_asleep(victim);
    }
    expect_stopped(status);
    return false;
}

static void go_until_asleep(int how, pid_t victim)
{
    if (!go_or_fall_asleep(how, victim)) fail("the victim did not fall asleep where the recorded one did");
}

static void wake_up(pid_t victim, void (*awaken)(void))
{
    awaken();
    expect_stopped(child_wait(victim, __WALL));
}

// MARK: a victim

void need_stepping(void)
{
    pid_t child = child_start();
    if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno);
    int status = child_wait(child, 0);
    if (status != 0) skip("ptrace is not allowed here: %s", strerror(WEXITSTATUS(status)));
}

pid_t victim_start(const act *what, bool in_pid_namespace)
{
    // A child of the namespace, and we stay where we are.
    int home = -1;
    if (in_pid_namespace) {
        home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (home < 0 || unshare(CLONE_NEWPID) != 0) skip("no pid namespaces: %s", strerror(errno));
    }
    pid_t victim = child_start();
    if (victim == 0) {
        what->prepare();
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) fail("ptrace: %s", strerror(errno));
        syscall(SYS_kill, getpid(), SIGSTOP);
        what->run();
        shared_set(&world->act_is_done, 1);
        if (what->after != NULL) what->after();
        for (;;) pause();
    }
    if (in_pid_namespace) {
        if (setns(home, CLONE_NEWPID) != 0) fail("cannot come back from a pid namespace: %s", strerror(errno));
        close(home);
    }
    expect_stopped(child_wait(victim, __WALL));
    if (ptrace(PTRACE_SETOPTIONS, victim, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) != 0)
        skip("this ptrace has no options: %s", strerror(errno));
    return victim;
}

static bool act_is_done(void) { return shared_get(&world->act_is_done) != 0; }

static void record(trace *whole, pid_t victim, uintptr_t address, uint32_t system_calls, bool asleep)
{
    if (whole->count == STATES_MAX) skip("the act does not end: this processor cannot be stepped through an atomic operation");
    bool met = false;
    for (uint32_t i = whole->count; i-- > 0 && whole->states[i].system_calls == system_calls && !met;)
        met = whole->states[i].address == address;
    bool after_call = asleep || whole->count == 0 || whole->states[whole->count - 1].system_calls != system_calls;
    bool same = !visible_has_changed(victim, after_call);
    whole->states[whole->count++] = (state){address, system_calls, asleep, met, same};
}

void victim_record(pid_t victim, trace *whole, void (*awaken)(void))
{
    whole->count = 0;
    uint32_t system_calls = 0;
    for (;;) {
        uintptr_t address = address_of(victim);
        record(whole, victim, address, system_calls, false);
        if (act_is_done()) return;
        if (!is_at_system_call(victim, address)) {
            go(PTRACE_SINGLESTEP, victim);
            continue;
        }
        if (go_or_fall_asleep(PTRACE_SINGLESTEP, victim)) {
            record(whole, victim, address, system_calls, true);
            if (awaken == NULL) return;
            wake_up(victim, awaken);
        }
        let_reader_settle();
        system_calls++;
    }
}

static void run_to_breakpoint(pid_t victim, uintptr_t address)
{
    uint64_t code = code_at(victim, address);
    uint64_t broken = (code & ~BREAKPOINT_MASK) | BREAKPOINT;
    if (ptrace(PTRACE_POKETEXT, victim, address, broken) != 0) fail("cannot set a breakpoint: %s", strerror(errno));
    go(PTRACE_CONT, victim);
    if (ptrace(PTRACE_POKETEXT, victim, address, code) != 0) fail("cannot take a breakpoint away: %s", strerror(errno));
    registers all = registers_of(victim);
    all.INSTRUCTION_POINTER -= BREAKPOINT_ADVANCES;
    if (ptrace(PTRACE_SETREGSET, victim, NT_PRSTATUS, &(struct iovec){&all, sizeof all}) != 0) fail("registers: %s", strerror(errno));
}

void victim_bring_to(pid_t victim, const trace *whole, uint32_t number, void (*awaken)(void))
{
    const state *goal = &whole->states[number];
    uint32_t at = 0;
    // To the state after the last system call before it; some of them sleep.
    for (uint32_t calls = 0; calls < goal->system_calls; calls++) {
        while (whole->states[at].system_calls == calls) at++;
        go(PTRACE_SYSCALL, victim);
        if (whole->states[at - 1].asleep) {
            go_until_asleep(PTRACE_SYSCALL, victim);
            wake_up(victim, awaken);
        } else {
            go(PTRACE_SYSCALL, victim);
        }
        let_reader_settle();
    }
    uint32_t last = goal->asleep ? number - 1 : number;
    uint32_t jump = last;
    while (jump > at && whole->states[jump].met_before) jump--;
    if (jump != at) run_to_breakpoint(victim, whole->states[jump].address);
    for (at = jump; at < last; at++) go(PTRACE_SINGLESTEP, victim);
    uintptr_t address = address_of(victim);
    if (address != whole->states[last].address)
        fail("the victim went another way than the recorded one: it is at %p, not at %p", (void *)address,
            (void *)whole->states[last].address);
    if (goal->asleep) go_until_asleep(PTRACE_SINGLESTEP, victim);
}

// MARK: its end

void victim_kill(pid_t victim) { child_kill(victim); }

/// Lets it go on by itself with this signal, from a stop or out of its sleep.
static void detach(pid_t victim, int number)
{
    if (ptrace(PTRACE_DETACH, victim, NULL, (void *)(uintptr_t)(unsigned)number) == 0) return;
    kill(victim, number);
    expect_stopped(child_wait(victim, __WALL));
    if (ptrace(PTRACE_DETACH, victim, NULL, (void *)(uintptr_t)(unsigned)number) != 0) fail("cannot let go: %s", strerror(errno));
}

void victim_stop(pid_t victim)
{
    detach(victim, SIGSTOP);
    expect_stopped(child_wait(victim, WUNTRACED));
}

void victim_continue(pid_t victim) { kill(victim, SIGCONT); }
void victim_signal(pid_t victim, int number) { detach(victim, number); }

void victim_finish(pid_t victim)
{
    for (; !act_is_done(); nap())
        if (is_asleep(victim) && !act_is_done()) fail("it was let go on, and sleeps though there is nothing to wait for");
}

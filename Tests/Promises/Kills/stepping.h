// Stepping through a process, instruction by instruction, and reaching any of them again in another run.
//
// A victim is prepared, stops, and then acts. One run is stepped from the first instruction of the act to the last, and every
// state on the way is recorded: its address, and how many system calls came before. Another victim is brought to any of these
// states fast: from system call to system call, from there to the last address before it that had not been met yet (by a
// breakpoint), and from there by steps. It has to arrive at the recorded address, so the states of all runs together are
// those of the stepped one.
#ifndef KILL_HARNESS_STEPPING_H
#define KILL_HARNESS_STEPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    /// An act longer than this does not end. The longest, a take-over, has about 8,000.
    STATES_MAX = 1 << 15
};

/// A victim after some number of instructions of its act.
typedef struct state {
    /// The next instruction's; that of the system call itself while it sleeps.
    uintptr_t address;
    /// Those that it has returned from.
    uint32_t system_calls;
    /// In the kernel, on a futex. The state after it needs somebody to wake it.
    bool asleep;
    /// The address was met since the last system call: a breakpoint there would be hit too early.
    bool met_before;
    /// Nobody else can tell it from the one before: visible.h.
    bool looks_the_same;
} state;

typedef struct trace {
    uint32_t count;
    state states[STATES_MAX];
} trace;

/// What a victim does, in its process. After `prepare` it stops; `after`, if it lives so long and is not NULL, does not return.
typedef struct act {
    void (*prepare)(void);
    void (*run)(void);
    void (*after)(void);
} act;

/// Skips the case where there is no ptrace.
void need_stepping(void);

/// Forks a victim, and returns once it is prepared and stopped before the first instruction of its act.
pid_t victim_start(const act *what, bool in_pid_namespace);

/// Steps through the whole act and records it: its end is where it is done, or asleep with nobody to wake it.
/// `awaken` is called when it sleeps, by whom it is to be woken; NULL: nobody.
void victim_record(pid_t victim, trace *whole, void (*awaken)(void));

/// Brings a victim to state `number` of the recorded act; the number of system calls on the way goes with it. Fails the case if
/// it comes somewhere else.
void victim_bring_to(pid_t victim, const trace *whole, uint32_t number, void (*awaken)(void));

/// What becomes of it there. Stopping is by SIGSTOP, with nobody tracing any more.
void victim_kill(pid_t victim);
void victim_stop(pid_t victim);
void victim_continue(pid_t victim);
/// Lets it go on, and a signal handler with it.
void victim_signal(pid_t victim, int number);
/// Once it was let go on: until its act is done. It must not fall asleep for good on the way.
void victim_finish(pid_t victim);

/// Whether a process sleeps on a futex now, as the kernel says. One that has been woken does not, even if it has not run yet.
bool is_asleep(pid_t process);
/// Lets other processes run; the kernel's time, which the library does not see.
void nap(void);

#endif

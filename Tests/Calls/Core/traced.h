// A child that the test steps through by ptrace: an instruction or a system call at a time, with the signals that come to it.
#ifndef CORE_TESTS_TRACED_H
#define CORE_TESTS_TRACED_H

#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/types.h>

/// Starts a child that runs `prepare`, and stops it before it runs `act`; then it ends by child_end. Skips where there is no ptrace.
pid_t traced_start(void (*prepare)(void), void (*act)(void));

typedef enum { TRACED_STEP, TRACED_SYSTEM_CALL, TRACED_ENDED } traced_event;

/// Lets it go on to the next stop: PTRACE_SINGLESTEP, PTRACE_SYSCALL (at a call's entry and at its end), PTRACE_CONT (to its end).
/// Signals reach it on the way. A child that does not end by child_end fails the test.
traced_event traced_go_on(pid_t child, int how);

/// At the entry or the end of a system call: which, and the first six arguments; or, at the end, what it returns.
typedef struct traced_call {
    bool at_entry;
    unsigned long long number;
    unsigned long long arguments[6];
    long long result;
} traced_call;
traced_call traced_system_call(pid_t child);

/// At the entry: the call is not made. At the end: it returns this errno, whatever it did. Skips where that cannot be done.
void traced_skip_call(pid_t child);
void traced_return_error(pid_t child, int error);

#endif

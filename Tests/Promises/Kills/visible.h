// What others can tell of a victim: the memory that it shares with them, and what the kernel will do in its place when it dies.
//
// A process that is killed leaves this, what its system calls have done, and nothing else. So two deaths between which none of it has
// changed are one, and need not both be tried.
#ifndef KILL_HARNESS_VISIBLE_H
#define KILL_HARNESS_VISIBLE_H

#include <stdbool.h>
#include <sys/types.h>

/// Whether anything of it has changed since the last look at this victim, which is stopped. `after_call`: it has come out of a system call,
/// which may have done anything.
bool visible_has_changed(pid_t victim, bool after_call);

#endif

// Counts what a program should not do for each message: allocate, and call the system.
#ifndef CCOUNTING_H
#define CCOUNTING_H

#include <stdbool.h>

/// False under a sanitizer, which has an allocator of its own.
bool ccounting_can_count_allocations(void);
/// Allocations of this process so far.
long ccounting_allocations(void);

/// Runs `body` in a forked child, single-stepping from system call to system call, and counts the calls that it makes between two
/// calls of ccounting_mark. -1: the kernel refuses to trace; -2: the child failed.
long ccounting_system_calls(void (*body)(void));
void ccounting_mark(void);

#endif

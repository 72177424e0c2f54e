// What stands between the library and libc, so that a run is fast, repeats exactly, and shows every wrong address.
#ifndef FUZZ_STAND_INS_H
#define FUZZ_STAND_INS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// From here to stand_ins_end the library has a clock of its own, which goes on when it is asked and when it sleeps; sleeps end
/// at once; and every file that is mapped ends at memory that may not be touched. Elsewhere everything is as it is.
void stand_ins_begin(void);
/// Nothing may be mapped any more.
void stand_ins_end(void);

/// Called instead of sleeping on shared memory.
extern void (*stand_ins_sleep)(void);

/// The call of a system function that fails, counted from 1 in this run, and with which errno. 0: none.
void stand_ins_fail(unsigned call, int error);

/// A segment in plain memory whose end is the end of what may be touched. `bytes` is a multiple of 64. Kept until the process ends.
void *memory_with_an_end(size_t bytes);
/// The same memory, for a segment of fewer bytes: its last `bytes`.
void *memory_of_size(void *end_of_memory, size_t memory_bytes, size_t bytes);

/// Memory on which the library may sleep and which it may wake, beside the files that are mapped.
void futexes_allow(const void *base, size_t bytes);
/// Allows none.
void futexes_forget(void);

#endif

// Threads of the C runtime.
#ifndef MAILSLOTS_PROCESS_H
#define MAILSLOTS_PROCESS_H

#include "windows.h"

#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

uintptr_t _beginthreadex(
    void *security, unsigned stack_size, unsigned (*start)(void *), void *argument, unsigned flags, unsigned *thread_id);
/// The thread's handle is closed when it ends.
uintptr_t _beginthread(void (*start)(void *), unsigned stack_size, void *argument);
__attribute__((noreturn)) void _endthreadex(unsigned code);
__attribute__((noreturn)) void _endthread(void);

#define _getpid getpid

#ifdef __cplusplus
}
#endif

#endif

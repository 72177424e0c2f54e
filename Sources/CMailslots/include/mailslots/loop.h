// A loop: a thread of the program's own that sleeps through the waits that it begins, where a thread of the library would. What wakes it is
// what it goes on with, so a message costs one wake of one thread and not two.
//
// For the executor of the Swift layer, whose thread also runs the tasks that wait. Not API.
#ifndef MAILSLOTS_LOOP_H
#define MAILSLOTS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mslot_loop mslot_loop;

/// A loop that nobody has entered. NULL with errno.
mslot_loop *mslot__loop_create(void);

/// Gives the loop back. Nobody is in it, and it was closed or never had a wait.
void mslot__loop_free(mslot_loop *loop);

/// Starts a thread whose signals but those of faults are blocked, which calls `run`. Its name is cut off after 15 bytes. 0, or an errno.
int mslot__loop_start(const char *name, void *(*run)(void *), void *argument);

/// From here on this thread is the loop's: a wait that it begins is slept through by mslot__loop_sleep on the same thread, where its
/// `ended` is called, too. More than 127 at the same time go to threads of the library. One thread at a time.
/// `blocks`: called with `context` before each sleep of this thread in a call of the library other than mslot__loop_sleep; NULL: never.
void mslot__loop_enter(mslot_loop *loop, void *context, void (*blocks)(void *context));
/// From here on it is no loop's.
void mslot__loop_leave(void);

/// The `context` of the loop that this thread is in; NULL: of none.
void *mslot__loop_context(void);

/// Has mslot__loop_hear say true, and ends a sleep. From any thread; no system call unless the loop sleeps.
void mslot__loop_wake(mslot_loop *loop);

// What follows is for the loop's own thread.

/// Whether mslot__loop_wake was called since the last time: look what it was called for.
bool mslot__loop_hear(mslot_loop *loop);

/// Whether there is something to do other than to wait: then a wait that begins does not poll.
void mslot__loop_set_busy(mslot_loop *loop, bool is_busy);

/// A sleep, and polling, end in so many nanoseconds; MSLOT_FOREVER.
void mslot__loop_set_alarm(mslot_loop *loop, int64_t timeout_ns);

/// Calls `ended` of all waits that are over.
void mslot__loop_look(mslot_loop *loop);

/// As mslot__loop_look; if none is over sleeps until one is, until the alarm, or until mslot__loop_wake, if nothing was heard of it before.
/// May return for no reason.
void mslot__loop_sleep(mslot_loop *loop);

/// Ends all waits, soon; no new one begins on the loop's thread: SYSTEM_ERROR with ESHUTDOWN. From any thread.
void mslot__loop_close(mslot_loop *loop);

#ifdef __cplusplus
}
#endif

#endif

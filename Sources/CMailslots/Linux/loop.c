// A loop is a waiter that is the program's own thread: see include/mailslots/loop.h.

#include "linux.h"

#include "mailslots/loop.h"

#include <stdlib.h>
#include <string.h>

enum {
    /// Chosen: it runs the program's code.
    STACK_BYTES = 8 * 1024 * 1024,
    THREAD_NAME_BYTES_MAX = 15
};

struct mslot_loop {
    mslot_waiter waiter;
    // What follows is the loop's thread's.
    void *context;
    /// What `waiter.wakeup` was when it was last asked.
    uint32_t heard;
    bool is_busy;
    int64_t alarm_ns;
};

MSLOT_STATIC_ASSERT(offsetof(struct mslot_loop, waiter) == 0, "a loop begins with its waiter");
static mslot_loop *loop_of(mslot_waiter *waiter) { return (mslot_loop *)(void *)waiter; }
static mslot_loop *this_loop(void) { return loop_of(mslot__this_loop); }

// MARK: beginning and end

mslot_loop *mslot__loop_create(void)
{
    mslot__waiters_lock();
    // Waiters are never freed: who gives a loop back leaves it to the next.
    mslot_loop *loop = loop_of(mslot__waiter_free_loop());
    if (loop == NULL) {
        loop = calloc(1, sizeof *loop);
        if (loop != NULL) {
            loop->waiter.is_loop = true;
            mslot__waiter_register(&loop->waiter);
        }
    }
    if (loop != NULL) {
        loop->waiter.is_taken = true;
        loop->waiter.is_closed = false;
        loop->alarm_ns = MSLOT_FOREVER;
    }
    mslot__waiters_unlock();
    return loop;
}

void mslot__loop_free(mslot_loop *loop)
{
    mslot__waiters_lock();
    loop->waiter.is_taken = false;
    mslot__waiters_unlock();
}

int mslot__loop_start(const char *name, void *(*run)(void *), void *argument)
{
    char cut[THREAD_NAME_BYTES_MAX + 1] = {0};
    strncpy(cut, name, THREAD_NAME_BYTES_MAX);
    return mslot__thread_start(cut, STACK_BYTES, run, argument);
}

void mslot__loop_enter(mslot_loop *loop, void *context, void (*blocks)(void *context))
{
    loop->context = context;
    mslot__this_loop = &loop->waiter;
    mslot__sleep_witness = (mslot_sleep_witness){blocks, context};
}

void mslot__loop_leave(void)
{
    mslot__this_loop = NULL;
    mslot__sleep_witness = (mslot_sleep_witness){NULL, NULL};
}

void mslot__loop_close(mslot_loop *loop)
{
    mslot__waiters_lock();
    mslot__waiter_close(&loop->waiter);
    mslot__waiters_unlock();
}

// MARK: calling it

void *mslot__loop_context(void)
{
    mslot_loop *loop = this_loop();
    return loop == NULL ? NULL : loop->context;
}

void mslot__loop_wake(mslot_loop *loop) { mslot__waiter_ring(&loop->waiter); }

bool mslot__loop_hear(mslot_loop *loop)
{
    // Acquire: pairs with the addition in mslot__waiter_ring. What was to be heard of is seen.
    uint32_t wakeup = mslot__load_acquire_32(&loop->waiter.wakeup);
    bool was_woken = wakeup != loop->heard;
    loop->heard = wakeup;
    return was_woken;
}

void mslot__loop_set_busy(mslot_loop *loop, bool is_busy) { loop->is_busy = is_busy; }
void mslot__loop_set_alarm(mslot_loop *loop, int64_t timeout_ns) { loop->alarm_ns = mslot__deadline(timeout_ns); }

bool mslot__loop_is_busy(void)
{
    const mslot_loop *loop = this_loop();
    return loop != NULL && (loop->is_busy || mslot__load_acquire_32(&loop->waiter.wakeup) != loop->heard);
}

bool mslot__loop_is_called(int64_t now_ns)
{
    const mslot_loop *loop = this_loop();
    if (loop == NULL) return false;
    if (mslot__loop_is_busy() || now_ns >= loop->alarm_ns) return true;
    mslot__waiters_lock();
    bool has_news = mslot__waiter_has_news(&loop->waiter);
    mslot__waiters_unlock();
    return has_news;
}

// MARK: looking and sleeping

/// `deadline_ns` 0: without sleeping.
static void turn(mslot_loop *loop, int64_t deadline_ns)
{
    // This sleep is what the thread is for.
    mslot_sleep_witness witness = mslot__sleep_witness;
    mslot__sleep_witness = (mslot_sleep_witness){NULL, NULL};
    mslot__waiters_lock();
    mslot__waiter_turn(&loop->waiter, loop->heard, deadline_ns);
    mslot__waiters_unlock();
    mslot__sleep_witness = witness;
}

void mslot__loop_look(mslot_loop *loop) { turn(loop, 0); }
void mslot__loop_sleep(mslot_loop *loop) { turn(loop, loop->alarm_ns); }

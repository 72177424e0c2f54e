// The threads that sleep through others' waits.
//
// A waiter has a table of waits and sleeps on all their words at once (futex_waitv), and on its wakeup, which rings when the table
// changes. Whoever looks at the table holds the one lock; nobody holds it while sleeping or calling `ended`.
//
// A wait leaves the table in one way only: its waiter, awake, takes it out. So when `ended` is called nobody sleeps on the word any
// more, and the handle may be closed, or read by a thread that sleeps itself: a writer wakes one sleeper of a cell, and a second
// one would take the wake from it. That is why a cancellation only rings.

#include "linux.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    /// Chosen: `ended` is the caller's code.
    STACK_BYTES = 512 * 1024
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/// A waiter let go of a wait that is being stopped, or has called all that it had to.
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static mslot_waiter *waiters;

_Thread_local mslot_waiter *mslot__this_loop;

void mslot__waiters_lock(void) { pthread_mutex_lock(&lock); }
void mslot__waiters_unlock(void) { pthread_mutex_unlock(&lock); }

void mslot__waiters_forget_all(void)
{
    // Theirs in the parent: here their memory is lost, a kilobyte or two. The lock may have been held by a thread that is not here.
    waiters = NULL;
    mslot__this_loop = NULL;
    mslot__sleep_witness = (mslot_sleep_witness){NULL, NULL};
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    let_go = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

// MARK: sleeping

static bool is_over(const mslot_wait *wait, int64_t now_ns)
{
    // seq_cst: pairs with mslot__interrupt_set, as the wakeup.
    return wait->cancelled || mslot__load_acquire_32(wait->word) != wait->value || now_ns >= wait->until_ns
        || __atomic_load_n(wait->interrupt, __ATOMIC_SEQ_CST) != 0;
}

bool mslot__waiter_has_news(const mslot_waiter *waiter)
{
    int64_t now = mslot__now_ns();
    for (size_t i = 0; i < waiter->count; i++)
        if (is_over(waiter->waits[i], now)) return true;
    return false;
}

/// Takes a wait out, which nobody sleeps on. Its `ended` must be called: true; or somebody waits for this in mslot_wait_stop.
static bool take_out(mslot_waiter *self, size_t index)
{
    mslot_wait *wait = self->waits[index];
    bool is_awaited = !wait->silent;
    self->waits[index] = self->waits[--self->count];
    // The kernel has woken one of all that watch this reader.
    if (wait->is_watch && mslot__load_relaxed_32(wait->word) != wait->value) mslot__wake(wait->word, INT32_MAX);
    // For the reader, which may be long in coming: writers need not wake it meanwhile.
    if (wait->parked_position != NULL) mslot__store_release(wait->parked_position, 0);
    // Release: pairs with mslot__waiter_has.
    __atomic_store_n(&wait->waiter, NULL, __ATOMIC_RELEASE);
    if (!is_awaited) pthread_cond_broadcast(&let_go);
    return is_awaited;
}

/// Takes out what is over: those whose `ended` must be called are counted.
static size_t take_out_all(mslot_waiter *self, mslot_wait *over[MSLOT_WAITER_WAITS_MAX])
{
    int64_t now = mslot__now_ns();
    size_t over_count = 0;
    for (size_t i = 0; i < self->count;) {
        mslot_wait *wait = self->waits[i];
        if (!is_over(wait, now)) i++;
        else if (take_out(self, i)) over[over_count++] = wait;
    }
    return over_count;
}

/// All that it sleeps on, and until when.
static int64_t sleep_words(mslot_waiter *self, uint32_t wakeup, mslot_sleep_on words[1 + MSLOT_WAITER_WAITS_MAX])
{
    int64_t deadline = MSLOT_FOREVER;
    words[0] = (mslot_sleep_on){&self->wakeup, wakeup, true};
    for (size_t i = 0; i < self->count; i++) {
        const mslot_wait *wait = self->waits[i];
        words[1 + i] = (mslot_sleep_on){wait->word, wait->value, false};
        if (wait->until_ns < deadline) deadline = wait->until_ns;
    }
    return deadline;
}

/// The lock is released while it sleeps. Returns the index of the wait that woke it; -1: look at all of them.
static int32_t sleep_on_all(mslot_waiter *self, uint32_t wakeup, int64_t deadline_ns)
{
    mslot_sleep_on words[1 + MSLOT_WAITER_WAITS_MAX];
    int64_t deadline = sleep_words(self, wakeup, words);
    size_t count = 1 + self->count;
    self->asleep = true;
    // seq_cst, as the load in mslot__waiter_ring: either it sees this, or the kernel finds the wakeup changed.
    __atomic_store_n(&self->wants_wake, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&lock);
    mslot_slept slept = mslot__sleep(words, count, deadline < deadline_ns ? deadline : deadline_ns);
    __atomic_store_n(&self->wants_wake, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lock);
    self->asleep = false;
    return slept.woken - 1;
}

void mslot__waiter_turn(mslot_waiter *self, uint32_t wakeup, int64_t deadline_ns)
{
    mslot_wait *over[MSLOT_WAITER_WAITS_MAX];
    size_t over_count = take_out_all(self, over);
    if (over_count == 0 && deadline_ns > 0) {
        int32_t woken = sleep_on_all(self, wakeup, deadline_ns);
        // The one that is known to have news first, and alone: a look at all of a hundred costs as much as the wake did.
        if (woken >= 0 && is_over(self->waits[woken], mslot__now_ns())) {
            over[0] = self->waits[woken];
            over_count = take_out(self, (size_t)woken) ? 1 : 0;
        }
    }
    if (over_count == 0) return;
    self->calling = true;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < over_count; i++) over[i]->ended(over[i]);
    pthread_mutex_lock(&lock);
    self->calling = false;
    self->calls++;
    pthread_cond_broadcast(&let_go);
}

// MARK: threads

static void *run(void *waiter)
{
    mslot_waiter *self = waiter;
    pthread_mutex_lock(&lock);
    for (;;) {
        // Before the look: an interrupt that the look does not see rings behind this.
        uint32_t wakeup = mslot__load_acquire_32(&self->wakeup);
        mslot__waiter_turn(self, wakeup, MSLOT_FOREVER);
    }
    return NULL;
}

int mslot__thread_start(const char *name, size_t stack_bytes, void *(*start)(void *), void *argument)
{
    // Signals are for the program's threads.
    sigset_t blocked = mslot__signals_but_faults(), before;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        pthread_t thread;
        pthread_attr_setstacksize(&attributes, stack_bytes);
        error = pthread_create(&thread, &attributes, start, argument);
        if (error == 0) {
            // Before it is detached: until then its number cannot become another's.
            pthread_setname_np(thread, name);
            pthread_detach(thread);
        }
        pthread_attr_destroy(&attributes);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void mslot__waiter_register(mslot_waiter *waiter)
{
    waiter->next = waiters;
    waiters = waiter;
}

mslot_waiter *mslot__waiter_free_loop(void)
{
    mslot_waiter *waiter = waiters;
    while (waiter != NULL && (!waiter->is_loop || waiter->is_taken)) waiter = waiter->next;
    return waiter;
}

/// NULL with errno. With the lock.
static mslot_waiter *start(void)
{
    mslot_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) return NULL;
    int error = mslot__thread_start(MSLOT_THREAD_NAME, STACK_BYTES, run, waiter);
    if (error != 0) {
        free(waiter);
        errno = error;
        return NULL;
    }
    mslot__waiter_register(waiter);
    return waiter;
}

void mslot__waiter_ring(mslot_waiter *waiter)
{
    // seq_cst, both: pairs with the store before a sleep. What the ringer did before is seen by who reads the word.
    __atomic_add_fetch(&waiter->wakeup, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&waiter->wants_wake, __ATOMIC_SEQ_CST) == 0) return;
    if (__atomic_exchange_n(&waiter->wants_wake, 0, __ATOMIC_SEQ_CST) != 0) mslot__wake_in_this_process(&waiter->wakeup);
}

/// The waiter for a wait that this thread begins; NULL with errno. With the lock.
static mslot_waiter *find_waiter(void)
{
    mslot_waiter *loop = mslot__this_loop;
    if (loop != NULL && loop->is_closed) {
        errno = ESHUTDOWN;
        return NULL;
    }
    if (loop != NULL && loop->count < MSLOT_WAITER_WAITS_MAX) return loop;
    mslot_waiter *waiter = waiters;
    while (waiter != NULL && (waiter->is_loop || waiter->count == MSLOT_WAITER_WAITS_MAX)) waiter = waiter->next;
    return waiter != NULL ? waiter : start();
}

void mslot__waiter_close(mslot_waiter *loop)
{
    loop->is_closed = true;
    mslot__waiter_ring(loop);
    // Those that it had no room for.
    for (mslot_waiter *waiter = waiters; waiter != NULL; waiter = waiter->next) {
        bool has_any = false;
        for (size_t i = 0; i < waiter->count; i++) {
            if (waiter->waits[i]->loop != loop) continue;
            waiter->waits[i]->cancelled = true;
            has_any = true;
        }
        if (has_any) mslot__waiter_ring(waiter);
    }
}

// MARK: beginning and ending

bool mslot__waiter_add(mslot_wait *wait, uint32_t **wakeup)
{
    MSLOT_UNCANCELLED;
    pthread_mutex_lock(&lock);
    mslot_waiter *waiter = find_waiter();
    if (waiter != NULL) {
        waiter->waits[waiter->count++] = wait;
        // Both before the wait can be over, for then its memory and the handle may be gone.
        wait->waiter = waiter;
        wait->loop = mslot__this_loop;
        // seq_cst: pairs with the load in mslot__interrupt_set.
        __atomic_store_n(wakeup, &waiter->wakeup, __ATOMIC_SEQ_CST);
        // A loop's own thread is here, and not asleep.
        if (waiter != mslot__this_loop) mslot__waiter_ring(waiter);
    }
    int saved_errno = errno;
    pthread_mutex_unlock(&lock);
    errno = saved_errno;
    return waiter != NULL;
}

bool mslot__wait_is_allowed(const mslot_wait *wait)
{
    return wait != NULL && wait->ended != NULL && wait->reserved[0] == 0 && wait->reserved[1] == 0;
}

bool mslot__waiter_has(const mslot_wait *wait) { return __atomic_load_n(&wait->waiter, __ATOMIC_ACQUIRE) != NULL; }

void mslot_wait_cancel(mslot_wait *wait)
{
    if (wait == NULL) return;
    MSLOT_UNCANCELLED;
    pthread_mutex_lock(&lock);
    wait->cancelled = true;
    if (wait->waiter != NULL) mslot__waiter_ring(wait->waiter);
    pthread_mutex_unlock(&lock);
}

void mslot_wait_stop(mslot_wait *wait)
{
    if (wait == NULL) return;
    MSLOT_UNCANCELLED;
    pthread_mutex_lock(&lock);
    wait->cancelled = true;
    if (wait->waiter != NULL) {
        wait->silent = true;
        // A waiter that is awake may be a loop that runs the program's code for long, or this thread's: nobody sleeps on the wait then.
        mslot_waiter *waiter = wait->waiter;
        for (size_t i = 0; !waiter->asleep && i < waiter->count; i++)
            if (waiter->waits[i] == wait) take_out(waiter, i);
        if (wait->waiter != NULL) mslot__waiter_ring(waiter);
        while (wait->waiter != NULL) pthread_cond_wait(&let_go, &lock);
    } else {
        // It may be among those that are just being called: one turn of each waiter later it is not.
        for (mslot_waiter *waiter = waiters; waiter != NULL; waiter = waiter->next) {
            uint64_t calls = waiter->calls;
            while (waiter->calling && waiter->calls == calls) pthread_cond_wait(&let_go, &lock);
        }
    }
    pthread_mutex_unlock(&lock);
}

void mslot_wait_signal_eventfd(mslot_wait *wait)
{
    if (wait == NULL) return;
    MSLOT_UNCANCELLED;
    int saved_errno = errno;
    const uint64_t one = 1;
    // Refused only when the counter is at its end, and then the descriptor is readable; or when it is no eventfd.
    ssize_t written = write((int)(intptr_t)wait->context, &one, sizeof one);
    (void)written;
    errno = saved_errno;
}

int mslot_eventfd_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

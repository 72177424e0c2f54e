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
    /// The kernel sleeps on 128 words at once; one is the wakeup.
    WAITS_MAX = 127,
    /// Chosen: `ended` is the caller's code.
    STACK_BYTES = 512 * 1024
};
MSLOT_STATIC_ASSERT(WAITS_MAX + 1 <= 2 * MSLOT_WAIT_MAX, "mslot__sleep takes so many words");

typedef struct mslot_waiter {
    struct mslot_waiter *next;
    uint32_t wakeup;
    /// In or before its sleep, with the table as it was: who changes it rings.
    bool asleep;
    /// Calling `ended`, for the so manieth time.
    bool calling;
    uint64_t calls;
    size_t count;
    mslot_wait *waits[WAITS_MAX];
} mslot_waiter;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/// A waiter let go of a wait that is being stopped, or has called all that it had to.
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static mslot_waiter *waiters;

void mslot__waiters_forget_all(void)
{
    // Theirs in the parent: here their memory is lost, a kilobyte or two. The lock may have been held by a thread that is not here.
    waiters = NULL;
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    let_go = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

// MARK: the thread

static bool is_over(const mslot_wait *wait, int64_t now_ns)
{
    // seq_cst: pairs with mslot__interrupt_set, as the wakeup.
    return wait->cancelled || mslot__load_acquire_32(wait->word) != wait->value || now_ns >= wait->until_ns
        || __atomic_load_n(wait->interrupt, __ATOMIC_SEQ_CST) != 0;
}

/// Takes out what is over: those whose `ended` must be called are counted. With the lock.
static size_t take_out(mslot_waiter *self, mslot_wait *over[WAITS_MAX])
{
    int64_t now = mslot__now_ns();
    size_t over_count = 0;
    for (size_t i = 0; i < self->count;) {
        mslot_wait *wait = self->waits[i];
        if (!is_over(wait, now)) {
            i++;
            continue;
        }
        self->waits[i] = self->waits[--self->count];
        // For the reader, which may be long in coming: writers need not wake it meanwhile.
        if (wait->parked_position != NULL) mslot__store_release(wait->parked_position, 0);
        // Release: pairs with mslot__waiter_has.
        __atomic_store_n(&wait->waiter, NULL, __ATOMIC_RELEASE);
        if (wait->silent) pthread_cond_broadcast(&let_go);
        else over[over_count++] = wait;
    }
    return over_count;
}

/// All that it sleeps on, and until when. With the lock.
static int64_t make_bed(mslot_waiter *self, uint32_t wakeup, mslot_sleep_on words[1 + WAITS_MAX])
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

static void *run(void *waiter)
{
    mslot_waiter *self = waiter;
    mslot_wait *over[WAITS_MAX];
    mslot_sleep_on words[1 + WAITS_MAX];
    pthread_mutex_lock(&lock);
    for (;;) {
        self->asleep = false;
        // Before the look: an interrupt that the look does not see rings behind this.
        uint32_t wakeup = mslot__load_acquire_32(&self->wakeup);
        size_t over_count = take_out(self, over);
        if (over_count != 0) {
            self->calling = true;
            pthread_mutex_unlock(&lock);
            for (size_t i = 0; i < over_count; i++) over[i]->ended(over[i]);
            pthread_mutex_lock(&lock);
            self->calling = false;
            self->calls++;
            pthread_cond_broadcast(&let_go);
        } else {
            int64_t deadline = make_bed(self, wakeup, words);
            size_t count = 1 + self->count;
            self->asleep = true;
            pthread_mutex_unlock(&lock);
            mslot__sleep(words, count, deadline);
            pthread_mutex_lock(&lock);
        }
    }
    return NULL;
}

/// NULL with errno. With the lock.
static mslot_waiter *start(void)
{
    mslot_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) return NULL;
    // Signals are for the program's threads.
    sigset_t blocked = mslot__signals_but_faults(), before;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        pthread_t thread;
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        error = pthread_create(&thread, &attributes, run, waiter);
        // The lock keeps it from having ended: it waits for it.
        if (error == 0) pthread_setname_np(thread, "mailslots");
        pthread_attr_destroy(&attributes);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        free(waiter);
        errno = error;
        return NULL;
    }
    waiter->next = waiters;
    waiters = waiter;
    return waiter;
}

// MARK: beginning and ending

static void call(mslot_waiter *waiter)
{
    if (!waiter->asleep) return;
    waiter->asleep = false; // once
    mslot__wakeup_signal(&waiter->wakeup);
}

bool mslot__waiter_add(mslot_wait *wait, uint32_t **wakeup)
{
    MSLOT_UNCANCELLED;
    pthread_mutex_lock(&lock);
    mslot_waiter *waiter = waiters;
    while (waiter != NULL && waiter->count == WAITS_MAX) waiter = waiter->next;
    if (waiter == NULL) waiter = start();
    if (waiter != NULL) {
        waiter->waits[waiter->count++] = wait;
        // Both before the wait can be over, for then its memory and the handle may be gone.
        wait->waiter = waiter;
        // seq_cst: pairs with the load in mslot__interrupt_set.
        __atomic_store_n(wakeup, &waiter->wakeup, __ATOMIC_SEQ_CST);
        call(waiter);
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
    if (wait->waiter != NULL) call(wait->waiter);
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
        call(wait->waiter);
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

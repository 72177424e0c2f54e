// Sleeping and waking (futexes), the clock, and how long to poll before sleeping.

#include "linux.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// linux/futex.h of older systems lacks these (Linux 5.16).
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct futex_waitv_entry {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};
enum { FUTEX_ENTRY_32 = 2, FUTEX_ENTRY_PRIVATE = 128 };

enum {
    /// A wait that polls gives up after this: whom it waits for may sleep itself, and take 11 to 13 µs to wake up. Measured.
    POLL_NS_MAX = 20000,
    /// A try gives up after this at the latest: in a virtual machine who sleeps takes 40 to 60 µs to wake up. Measured.
    TRY_NS_MAX = 100000,
    /// So many tries in a row before it is clear that polling takes too long: whom we wait for may come to poll as well. Chosen.
    TRIES = 4,
    /// Polling pays if waits are no longer than this: a sleep and its wake take 5 to 8 µs of both sides' processors. Measured.
    WORTH_NS = 8000,
    /// A longer wait counts as one of this length: one that is late among many that are not decides nothing.
    COUNTED_NS_MAX = 2 * WORTH_NS,
    /// The mean is of the last so many waits, about. Chosen.
    MEAN_OF = 8,
    /// After a sleep shorter than this polling is worth a try: who sleeps is told late, and both ends may sleep only because both do.
    /// In a virtual machine two that wake each other take up to 150 µs. Measured.
    SHORT_SLEEP_NS = 200000,
    /// Tried, and somewhat too long: so many waits go by before the next tries. Chosen: a sixteenth of what polling would cost.
    RESTS = 16 * TRIES,
    /// In vain, or far too long, again and again: so many at last. Chosen: a few tries in 1024 sleeps are no cost.
    RESTS_MAX = 1024,
    /// A writer that backs off for less would poll as cheaply: a timer is late by 50 µs, and a sleep costs some of its own. Measured.
    BACKOFF_NS_MIN = 100000,
    /// By now 128 messages have gone at 2 µs each: fewer than one send in a hundred waits so long. Chosen.
    BACKOFF_NS_MAX = 256000,
    /// Who waits for what nobody will wake it for looks again after this time. Chosen.
    FIRST_LOOK_NS = 100000,
    /// Without futex_waitv a sleeper on several words looks at them this often.
    BLIND_SLEEP_NS = 1000000
};

// MARK: clock

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t mslot__now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t mslot__unix_ns(void) { return (uint64_t)clock_ns(CLOCK_REALTIME); }

int64_t mslot__deadline(int64_t timeout_ns)
{
    if (timeout_ns == MSLOT_FOREVER) return MSLOT_FOREVER;
    int64_t deadline;
    return __builtin_add_overflow(mslot__now_ns(), timeout_ns, &deadline) ? MSLOT_FOREVER : deadline;
}

static struct timespec timespec_of(int64_t ns) { return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}; }

_Thread_local mslot_sleep_witness mslot__sleep_witness;

static void tell_witness(void)
{
    if (mslot__sleep_witness.blocks != NULL) mslot__sleep_witness.blocks(mslot__sleep_witness.context);
}

mslot_outcome mslot__look_later(int64_t *step_ns, int64_t step_ns_max, int64_t deadline_ns, uint32_t *interrupt)
{
    int64_t left = deadline_ns == MSLOT_FOREVER ? MSLOT_FOREVER : deadline_ns - mslot__now_ns();
    // Acquire: pairs with the store in mslot__interrupt_set. What the interrupter did before is seen.
    if (interrupt != NULL && mslot__load_acquire_32(interrupt) != 0) return MSLOT_INTERRUPTED;
    if (left <= 0) return MSLOT_TIMED_OUT;
    *step_ns = *step_ns == 0 ? FIRST_LOOK_NS : *step_ns * 2;
    if (*step_ns > step_ns_max) *step_ns = step_ns_max;
    int64_t pause_ns = left < *step_ns ? left : *step_ns;
    if (interrupt != NULL) {
        const mslot_sleep_on word = {interrupt, 0, true};
        mslot__sleep(&word, 1, mslot__now_ns() + pause_ns);
    } else {
        struct timespec pause = timespec_of(pause_ns);
        tell_witness();
        nanosleep(&pause, NULL);
    }
    return MSLOT_DONE;
}

// MARK: sleep and wake

/// What this kernel can do; found out by using it. 0 unknown, 1 yes, 2 no. Relaxed: every thread finds the same.
static uint32_t waitv_support;

static bool sleep_on_one(const mslot_sleep_on *on, int64_t deadline_ns)
{
    struct timespec deadline = timespec_of(deadline_ns);
    int operation = FUTEX_WAIT_BITSET | (on->is_private ? FUTEX_PRIVATE_FLAG : 0);
    // Every result means "look again": EAGAIN - the word changed; EINTR - a signal; ETIMEDOUT.
    return syscall(SYS_futex, on->word, operation, on->value, &deadline, NULL, FUTEX_BITSET_MATCH_ANY) == -1 && errno == ETIMEDOUT;
}

/// False if the kernel has no futex_waitv. `*woken`: the word whose change or wake ended the sleep; -1: it is not known.
static bool sleep_on_any(const mslot_sleep_on *words, size_t count, int64_t deadline_ns, int32_t *woken)
{
    if (mslot__load_relaxed_32(&waitv_support) == 2) return false;
    struct futex_waitv_entry entries[2 * MSLOT_WAIT_MAX];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct futex_waitv_entry){
            .value = words[i].value,
            .address = (uint64_t)(uintptr_t)words[i].word,
            .flags = FUTEX_ENTRY_32 | (words[i].is_private ? FUTEX_ENTRY_PRIVATE : 0),
        };
    }
    struct timespec deadline = timespec_of(deadline_ns);
    long result = syscall(SYS_futex_waitv, entries, count, 0, &deadline, CLOCK_MONOTONIC);
    // ENOSYS - the kernel is older than 5.16, or an emulator; EPERM - some sandboxes. Anything but the ways to wake up means
    // "not supported": to take it for a wake would make a busy loop.
    // EFAULT: a word's page is gone, by a file that was cut short; whoever looks again finds out.
    bool supported = result >= 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT || errno == EFAULT;
    mslot__store_relaxed_32(&waitv_support, supported ? 1 : 2);
    if (result >= 0) *woken = (int32_t)result;
    return supported;
}

mslot_slept mslot__sleep(const mslot_sleep_on *words, size_t count, int64_t deadline_ns)
{
    int saved_errno = errno;
    tell_witness();
    int64_t latest = mslot__now_ns() + MSLOT_SLEEP_NS_MAX;
    errno = 0; // a wake leaves it as it is
    if (deadline_ns > latest) deadline_ns = latest;
    mslot_slept slept = {false, -1};
    if (sleep_on_any(words, count, deadline_ns, &slept.woken)) {
        slept.timed_out = errno == ETIMEDOUT;
    } else {
        // Two words: the mailslot's and the handle's interrupt. A wake of the first is not missed; another thread's interrupt waits for
        // the re-check, and so does a signal handler's that comes just before the sleep. More words: look at them all often.
        bool first_is_a_wakeup = count == 2 && words[0].is_private;
        if (count > 2 || first_is_a_wakeup) latest = mslot__now_ns() + BLIND_SLEEP_NS;
        slept.timed_out = sleep_on_one(words, deadline_ns < latest ? deadline_ns : latest);
    }
    errno = saved_errno;
    return slept;
}

void mslot__wake(uint32_t *word, int sleepers_max)
{
    int saved_errno = errno;
    syscall(SYS_futex, word, FUTEX_WAKE, sleepers_max, NULL, NULL, 0);
    errno = saved_errno;
}

// The reader is the only one that should sleep there; but were one sleeper woken, another that does would rob it of its wake.
void mslot__wake_reader_slow(uint32_t *word) { mslot__wake(word, INT32_MAX); }
void mslot__wake_writers_slow(mslot_control *control) { mslot__wake(&control->space_sequence, INT32_MAX); }

// MARK: interrupt

void mslot__wake_in_this_process(uint32_t *word)
{
    int saved_errno = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    errno = saved_errno;
}

void mslot__wakeup_signal(uint32_t *wakeup)
{
    __atomic_add_fetch(wakeup, 1, __ATOMIC_SEQ_CST); // as an interrupt
    mslot__wake_in_this_process(wakeup);
}

void mslot__interrupt_set(uint32_t *interrupt, uint32_t *const *wakeup)
{
    // seq_cst: the sleeper's kernel side looks at the word again after it has queued.
    __atomic_store_n(interrupt, 1, __ATOMIC_SEQ_CST);
    mslot__wake_in_this_process(interrupt);
    // seq_cst: pairs with the store in mslot__waiter_add. Either we see the wakeup, or its thread sees the interrupt.
    uint32_t *waiter = __atomic_load_n(wakeup, __ATOMIC_SEQ_CST);
    if (waiter != NULL) mslot__wakeup_signal(waiter);
}

bool mslot__interrupt_take(uint32_t *interrupt)
{
    return mslot__load_relaxed_32(interrupt) != 0 && __atomic_exchange_n(interrupt, 0, __ATOMIC_ACQ_REL) != 0;
}

// MARK: polling before sleeping
//
// Adaptive: a wait polls if waits are short, of late. While they are not it sleeps at once, and only looks now and then whether polling
// would have been enough: after a short sleep, for two ends that answer each other would not be asleep if they polled, and after an idle
// time the first sleep that is short says that somebody is at work. Such a try lasts as long as that sleep did, for the other end has to
// wake up, and is made several times, for it has to come to the same idea. What was polled for in vain, and came at once when we slept,
// comes from somebody who needs our processor: then the tries become rare.

bool mslot__polling_is_allowed(int64_t polling_ns) { return polling_ns >= MSLOT_POLLING_NEVER; }

mslot_spin mslot__spin_start(int64_t polling_ns) { return (mslot_spin){.polling_ns = polling_ns, .next_rests = 1}; }

static bool is_worth_polling(const mslot_spin *spin) { return spin->typical_ns < WORTH_NS; }

int64_t mslot__spin_limit(mslot_spin *spin)
{
    if (spin->polling_ns != MSLOT_POLLING_ADAPTIVE) return spin->polling_ns == MSLOT_POLLING_NEVER ? 0 : spin->polling_ns;
    if (spin->rests > 0) {
        spin->rests--;
        return 0;
    }
    if (spin->try_ns > 0) return spin->try_ns;
    return is_worth_polling(spin) ? POLL_NS_MAX : 0;
}

int64_t mslot__spin_limit_of_a_moment(mslot_spin *spin)
{
    int64_t limit_ns = mslot__spin_limit(spin);
    int64_t most_ns = spin->polling_ns == MSLOT_POLLING_ADAPTIVE ? TRY_NS_MAX : POLL_NS_MAX;
    return limit_ns < most_ns ? limit_ns : most_ns;
}

static void count_wait(mslot_spin *spin, int64_t wait_ns)
{
    int64_t counted = wait_ns < COUNTED_NS_MAX ? wait_ns : COUNTED_NS_MAX;
    spin->typical_ns += (counted - spin->typical_ns) / MEAN_OF;
}

/// Polling is worth a try: as long as `wait_ns`, and a quarter more.
static void try_to_poll(mslot_spin *spin, int64_t wait_ns)
{
    int64_t try_ns = wait_ns + wait_ns / 4;
    spin->try_ns = try_ns < POLL_NS_MAX ? POLL_NS_MAX : try_ns < TRY_NS_MAX ? try_ns : TRY_NS_MAX;
}

/// It was not worth it: waits go by without, each time more.
static void rest(mslot_spin *spin)
{
    spin->tries = 0;
    spin->rests = spin->next_rests;
    if (spin->next_rests < RESTS_MAX) spin->next_rests *= 2;
}

void mslot__spin_found(mslot_spin *spin, int64_t polled_ns)
{
    bool is_try = !is_worth_polling(spin);
    count_wait(spin, polled_ns);
    try_to_poll(spin, polled_ns);
    if (polled_ns < WORTH_NS) {
        spin->tries = 0;
        spin->next_rests = 1;
    } else if (is_try && ++spin->tries == TRIES) {
        rest(spin);
        if (polled_ns <= POLL_NS_MAX) spin->rests = RESTS;
    }
}

void mslot__spin_slept(mslot_spin *spin, bool polled, int64_t slept_ns)
{
    bool was_short = slept_ns < SHORT_SLEEP_NS;
    count_wait(spin, polled ? COUNTED_NS_MAX : slept_ns);
    spin->try_ns = 0;
    if (was_short) try_to_poll(spin, slept_ns);
    if (polled && was_short) rest(spin);
}

// MARK: backing off from a full mailslot
//
// Behind a reader that works for a microsecond or two at each message a writer would poll for ever: room comes soon, and for one message.
// It takes a processor, and the line of the cell that the reader is about to give back. So it leaves the reader alone until many can be
// written at once. Nobody is told, so no wake is missed: it looks again by itself, and a reader that stopped it finds as ever.

int64_t mslot__spin_backoff_ns(const mslot_spin *spin, uint32_t messages)
{
    if (spin->polling_ns != MSLOT_POLLING_ADAPTIVE || spin->rests > 0 || !is_worth_polling(spin)) return 0;
    int64_t backoff_ns = spin->typical_ns * messages;
    if (backoff_ns < BACKOFF_NS_MIN) return 0;
    return backoff_ns < BACKOFF_NS_MAX ? backoff_ns : BACKOFF_NS_MAX;
}

void mslot__spin_backed_off(mslot_spin *spin, int64_t ns, uint64_t messages)
{
    // None at all: it has stopped. What follows sleeps, until it wakes us.
    if (messages == 0) spin->typical_ns = COUNTED_NS_MAX;
    else count_wait(spin, ns / (int64_t)messages);
}

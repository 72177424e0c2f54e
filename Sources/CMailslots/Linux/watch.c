// A writer's watch over its reader: who waits for what the reader will answer hears at once that there is none any more.
//
// A reader that announces its death has the kernel mark a word of the segment (alive.c). If that word has FUTEX_WAITERS set the kernel also
// wakes one of those who sleep on it; that one wakes all the others, in whatever process. Were it killed in between, they would look again
// by themselves within a second.
//
// A reader that announces nothing, and one that is being waited for, is asked for now and then: its lock decides, as ever.

#include "linux.h"

#include <errno.h>

enum {
    /// How often the lock is asked where nothing announces what it will say: after the first of these, then less and less often. Chosen.
    FIRST_LOOK_NS = 1000000,
    LAST_LOOK_NS = 50000000
};

/// What a watch's interrupt is, for it has none.
static const uint32_t never;

/// Asks to be woken by the kernel: the word to sleep on has this value. 0: it names no thread.
static uint32_t ask_for_a_wake(uint32_t *word)
{
    uint32_t seen = mslot__load_relaxed_32(word);
    while ((seen & ~MSLOT_THREAD_WATCHED) - 1 < MSLOT_THREAD_ID_MAX) {
        uint32_t asked = seen | MSLOT_THREAD_WATCHED;
        // seq_cst: before the kernel looks at the word again, and lets us sleep. Pairs with the exchange in mslot__alive_end.
        if (__atomic_compare_exchange_n(word, &seen, asked, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) return asked;
    }
    return 0;
}

/// DONE, NO_READER, CLOSED, NOT_FOUND: as mslot_writer_begin_watch says.
static mslot_outcome look(mslot_writer *writer, mslot_wait *wait, int64_t now_ns)
{
    const mslot_ring *ring = &writer->ring.ring;
    mslot_outcome reader = MSLOT_DONE;
    wait->word = &ring->control->reader_alive;
    wait->value = ask_for_a_wake(wait->word);
    int64_t pause_ns = MSLOT_SLEEP_NS_MAX;
    if (wait->value == 0) {
        wait->value = mslot__load_relaxed_32(wait->word);
        reader = mslot__reader_ask(writer);
        wait->look_step_ns = wait->look_step_ns == 0 ? FIRST_LOOK_NS : wait->look_step_ns * 2;
        if (wait->look_step_ns > LAST_LOOK_NS) wait->look_step_ns = LAST_LOOK_NS;
        pause_ns = wait->look_step_ns;
        // Behind the lock: who closes seals first, so this tells a close from a death.
        if (mslot__ring_tail(ring).closed) reader = MSLOT_CLOSED;
    } else {
        wait->look_step_ns = 0;
    }
    wait->begun_ns = now_ns;
    wait->until_ns = now_ns + pause_ns;
    return reader;
}

bool mslot_writer_sees_close(mslot_writer *writer)
{
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) return false;
    bool is_closed = mslot__ring_tail(&writer->ring.ring).closed;
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return is_closed;
}

mslot_outcome mslot_writer_begin_watch(mslot_writer *writer, mslot_wait *wait)
{
    if (writer == NULL || !mslot__wait_is_allowed(wait)) return MSLOT_BAD_ARGUMENT;
    if (!mslot__writer_begin(writer, MSLOT_HANDLE_IDLE)) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    int saved_errno = errno;
    mslot_outcome reader = look(writer, wait, mslot__now_ns());
    bool is_watched = reader == MSLOT_DONE || (reader == MSLOT_NO_READER && writer->waits_through_restarts);
    errno = saved_errno;
    if (is_watched) {
        uint32_t *wakeup;
        wait->interrupt = &never;
        wait->parked_position = NULL;
        wait->is_watch = true;
        if (!mslot__waiter_add(wait, &wakeup)) reader = MSLOT_SYSTEM_ERROR;
    }
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    return reader;
}

// How a writer comes by its lane, and gives it back.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    /// Waiting for a reader to appear looks this often, when it has waited for some time. Chosen.
    APPEAR_STEP_NS_MAX = 10000000
};

// MARK: lanes
//
// A lane's lock says whether it is taken. The hints, one bit a lane, only say where to try first: set by who takes a lane,
// cleared by who gives it back. A killed owner leaves its bit set, which is mended when no clear bit is left.

static uint64_t hint_bit(uint32_t lane) { return (uint64_t)1 << (lane % 64); }

static void hint_set(const mslot_ring *ring, uint32_t lane)
{
    // Relaxed: a hint; the lock decides.
    __atomic_fetch_or(&ring->lane_hints[lane / 64], hint_bit(lane), __ATOMIC_RELAXED);
}
static void hint_clear(const mslot_ring *ring, uint32_t lane)
{
    __atomic_fetch_and(&ring->lane_hints[lane / 64], ~hint_bit(lane), __ATOMIC_RELAXED);
}

/// Takes the lane if nobody has it and its words can be believed: DONE, BUSY, DAMAGED, or SYSTEM_ERROR with errno.
static mslot_outcome take_lane(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor, uint32_t lane)
{
    switch (mslot__lock_try(descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane)) {
    case MSLOT_LOCK_HELD_BY_ANOTHER: return MSLOT_BUSY;
    case MSLOT_LOCK_FAILED: return MSLOT_SYSTEM_ERROR;
    case MSLOT_LOCK_TAKEN: break;
    }
    hint_set(ring, lane);
    mslot_outcome outcome = mslot__ring_recover_lane(writer, ring, lane);
    uint32_t *owner = &ring->lanes[lane].owner_pid;
    if (outcome == MSLOT_DONE && mslot__load_relaxed_32(owner) != 0) {
        mslot__store_relaxed_32(owner, 0);
        mslot__count_shared(&mslot__ring_lane_counters(ring, writer->lane)->recoveries);
    }
    return outcome;
}

typedef struct lane_taken {
    mslot_outcome outcome;
    uint32_t lane;
} lane_taken;

/// Tries lanes whose hint bit is clear, or all. A lane that is damaged stays locked by us until we close: nobody wants it.
static lane_taken take_some_lane(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor, uint32_t start, bool only_hinted)
{
    for (uint32_t i = 0; i < ring->lane_count; i++) {
        uint32_t lane = (start + i) % ring->lane_count;
        if (only_hinted) {
            uint64_t taken = mslot__load_relaxed(&ring->lane_hints[lane / 64]);
            if (taken == ~(uint64_t)0) { // the whole word: on to the next
                i += 63 - lane % 64;
                continue;
            }
            if (taken & hint_bit(lane)) continue;
        }
        mslot_outcome outcome = take_lane(writer, ring, descriptor, lane);
        if (outcome == MSLOT_DONE || outcome == MSLOT_SYSTEM_ERROR) return (lane_taken){outcome, lane};
        hint_set(ring, lane);
    }
    return (lane_taken){MSLOT_TOO_MANY_WRITERS, 0};
}

/// For the lanes whose owners were killed: so that the next opener finds them by their hints.
static void mend_hints(const mslot_ring *ring, int descriptor)
{
    for (uint32_t lane = 0; lane < ring->lane_count; lane++)
        if (!mslot__lock_is_held(descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane) && errno == 0) hint_clear(ring, lane);
}

static lane_taken take_lane_somewhere(mslot_ring_writer *writer, const mslot_ring *ring, int descriptor)
{
    // A start that differs between openers, so that they do not all try the same lane.
    uint32_t start = (uint32_t)((uint64_t)mslot__now_ns() * 0x9e3779b97f4a7c15ULL >> 33) % ring->lane_count;
    lane_taken taken = take_some_lane(writer, ring, descriptor, start, true);
    if (taken.outcome != MSLOT_TOO_MANY_WRITERS) return taken;
    mend_hints(ring, descriptor);
    taken = take_some_lane(writer, ring, descriptor, start, false);
    if (taken.outcome == MSLOT_DONE) hint_set(ring, taken.lane); // our own lock does not look held to us
    return taken;
}

// MARK: the robust-list entry

/// The kernel's struct robust_list_head.
typedef struct robust_list_head_words {
    uintptr_t list;
    long futex_offset;
    uintptr_t list_op_pending;
} robust_list_head_words;

static void register_robust_list(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    if (pthread_mutexattr_init(&attributes) != 0) return;
    if (pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&mutex, &attributes) == 0) {
        if (pthread_mutex_lock(&mutex) == 0) pthread_mutex_unlock(&mutex);
        pthread_mutex_destroy(&mutex);
    }
    pthread_mutexattr_destroy(&attributes);
}

mslot_robust_list mslot__writer_robust_list_slow(mslot_writer *writer)
{
    // libc's own head, never a new one: that would switch off every robust mutex of the thread. Detected by using it.
    int saved_errno = errno;
    void *head = NULL;
    size_t length = 0;
    long result = syscall(SYS_get_robust_list, 0, &head, &length);
    if (result == 0 && head == NULL) {
        // musl registers a thread's list at its first robust mutex.
        register_robust_list();
        result = syscall(SYS_get_robust_list, 0, &head, &length);
    }
    errno = saved_errno;
    if (result == 0 && head != NULL && length >= sizeof(robust_list_head_words)) {
        robust_list_head_words *words = head;
        writer->robust.list_op_pending = &words->list_op_pending;
        writer->robust.futex_offset = words->futex_offset;
    } else {
        // None: an emulator, a sandbox. Not asked again on this thread, for that would cost a system call a write; the
        // re-check of sleepers makes up for it.
        writer->robust.list_op_pending = &writer->no_robust_list;
        writer->robust.futex_offset = 0;
    }
    writer->robust_thread = mslot__this_thread();
    return writer->robust;
}

/// The kernel must not find an address in a mapping that is going away.
static void forget_robust_list(mslot_writer *writer)
{
    if (writer->robust_thread != mslot__this_thread()) return;
    uintptr_t word = *writer->robust.list_op_pending + (uintptr_t)writer->robust.futex_offset;
    uintptr_t base = (uintptr_t)writer->mapping.base;
    if (word >= base && word < base + writer->mapping.bytes) *(volatile uintptr_t *)writer->robust.list_op_pending = 0;
}

// MARK: open

static mslot_failure open_file(const char *path, const mslot_name *name, const mslot_open_options *options, mslot_writer **opened)
{
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDWR, options->trust_user);
    if (failure.outcome != MSLOT_DONE) return failure;

    bool reader_present = mslot__lock_is_held(file.descriptor, MSLOT_LOCK_READER);
    mslot_mapping mapping = mslot__file_map(&file, path, PROT_READ | PROT_WRITE, options->populate);
    mslot_writer *writer = mapping.base != NULL ? mslot__handle_allocate() : NULL;
    lane_taken taken = {MSLOT_DONE, 0};
    if (writer == NULL) {
        failure = mslot__failure_errno(errno);
    } else {
        mslot_ring ring = mslot__ring_of(&file.header, mapping.base);
        if (!reader_present) {
            // A sealed mailslot is as good as gone; one that is not waits for the next reader.
            mslot_tail tail = mslot__ring_tail(&ring);
            taken.outcome = tail.outcome == MSLOT_DONE && tail.closed ? MSLOT_NOT_FOUND : MSLOT_NO_READER;
        } else {
            taken = take_lane_somewhere(&writer->ring, &ring, file.descriptor);
            // A close or a take-over is going on: the segment is sealed, its name not yet removed.
            mslot_tail tail = mslot__ring_tail(&ring);
            if (tail.outcome == MSLOT_DONE && tail.closed) taken.outcome = MSLOT_NOT_FOUND;
        }
        failure = taken.outcome == MSLOT_SYSTEM_ERROR ? mslot__failure_errno(errno) : mslot__failure_of(taken.outcome);
    }
    // The mapping holds the lane's lock from here on.
    close(file.descriptor);
    if (failure.outcome != MSLOT_DONE) {
        if (writer != NULL) mslot__handle_free(writer);
        mslot__mapping_end(&mapping);
        return failure;
    }

    mslot_lane *lane = writer->ring.lane;
    writer->mapping = mapping;
    writer->lane_index = taken.lane;
    writer->message_bytes_max = file.header.message_bytes_max;
    writer->slot_bytes_max =
        file.header.message_bytes_max < MSLOT_MESSAGE_BYTES_MAX ? file.header.message_bytes_max : MSLOT_MESSAGE_BYTES_MAX;
    writer->process_id = (uint32_t)getpid();
    writer->waits_through_restarts = options->wait_through_restarts;
    writer->query_descriptor = -1;
    writer->spin = mslot__spin_start();
    mslot__store_relaxed_32(&lane->owner_pid, writer->process_id);
    mslot__store_relaxed_32(&lane->owner_uid, geteuid());
    mslot__writer_end(writer, MSLOT_HANDLE_IDLE);
    *opened = writer;
    return failure;
}

mslot_opened mslot_open(const char *name_text, const mslot_open_options *given)
{
    mslot_open_options options = given != NULL ? *given : mslot_open_options_default();
    mslot_opened opened = {.writer = NULL};
    mslot_name name;
    char *path = mslot__file_path(name_text, &name, &opened.failure);
    if (path == NULL) {
        bool is_remote = opened.failure.outcome == MSLOT_BAD_NAME && opened.failure.detail == MSLOT_NAME_REMOTE;
        return is_remote ? mslot__open_remote(name_text, &options) : opened;
    }

    int64_t deadline = options.wait_ns > 0 ? mslot__deadline(options.wait_ns) : 0;
    int64_t step = 0;
    for (;;) {
        mslot__forks_hold();
        opened.failure = open_file(path, &name, &options, &opened.writer);
        mslot__forks_release();
        bool may_appear = opened.failure.outcome == MSLOT_NOT_FOUND || opened.failure.outcome == MSLOT_NO_READER;
        if (!may_appear || options.wait_ns <= 0) break;
        if (!mslot__look_later(&step, APPEAR_STEP_NS_MAX, deadline)) {
            opened.failure = mslot__failure_of(MSLOT_TIMED_OUT);
            break;
        }
    }
    free(path);
    return opened;
}

// MARK: reset and close

mslot_outcome mslot_writer_reset(mslot_writer *writer)
{
    if (mslot__load_relaxed_32(&writer->state) == MSLOT_HANDLE_GONE) return MSLOT_FORKED;
    mslot_ring ring = writer->ring.ring;
    mslot_outcome outcome = mslot__ring_recover_lane(&writer->ring, &ring, writer->lane_index);
    writer->unplaced = NULL;
    if (outcome == MSLOT_DONE) {
        // Published, perhaps, and left before Write 7. Until this is made good the robust-list entry stays, for if we are killed.
        uint32_t *wake = mslot__ring_parked_word(&writer->ring);
        if (wake != NULL) mslot__wake_reader_slow(wake);
    }
    forget_robust_list(writer);
    mslot__writer_end(writer, outcome == MSLOT_DONE ? MSLOT_HANDLE_IDLE : MSLOT_HANDLE_BROKEN);
    return outcome;
}

mslot_outcome mslot_writer_close(mslot_writer *writer)
{
    uint32_t state = mslot__load_relaxed_32(&writer->state);
    if (state == MSLOT_HANDLE_GONE || state == MSLOT_HANDLE_CALLING || state == MSLOT_HANDLE_WAITING)
        return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    mslot__store_relaxed_32(&writer->state, MSLOT_HANDLE_CALLING);
    forget_robust_list(writer);
    mslot__store_relaxed_32(&writer->ring.lane->owner_pid, 0); // not a death, for whoever has the lane next
    // Before the lock goes with the mapping: who sees the hint a moment early finds the lane busy, and tries another.
    hint_clear(&writer->ring.ring, writer->lane_index);
    mslot__writer_close_query(writer);
    mslot__mapping_end(&writer->mapping);
    mslot__forks_hold();
    mslot__handle_free(writer);
    mslot__forks_release();
    return MSLOT_DONE;
}

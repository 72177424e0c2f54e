// How a writer opens a mailslot of this machine, and closes it.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    /// Waiting for a reader to appear looks this often, when it has waited for some time. Chosen.
    APPEAR_STEP_NS_MAX = 10000000
};

/// Shows that the mapping keeps the lane's lock; or gives the lane back.
static mslot_failure prove_lane(mslot_file *file, const char *path, const mslot_ring *ring, uint32_t lane)
{
    int error = mslot__file_prove_lock(file, path, MSLOT_LOCK_FIRST_LANE + (off_t)lane);
    if (error == 0) return mslot__failure_of(MSLOT_DONE);
    mslot__lane_give_back(ring, lane);
    // The name is gone, or is another's by now, so the mailslot that was opened has ended.
    return error == ESTALE ? mslot__failure_of(MSLOT_NOT_FOUND) : mslot__failure_errno(error);
}

static mslot_failure open_file(const char *path, const mslot_name *name, const mslot_open_options *options, mslot_writer **opened)
{
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDWR, options->trust_user);
    if (failure.outcome != MSLOT_DONE) return failure;

    bool reader_present = mslot__lock_is_held(file.descriptor, MSLOT_LOCK_READER);
    unsigned pages = (options->populate ? MSLOT_PAGES_POPULATE : 0) | (options->lock_pages ? MSLOT_PAGES_LOCK : 0);
    mslot_mapping mapping = mslot__file_map(&file, path, PROT_READ | PROT_WRITE, pages);
    mslot_writer *writer = mapping.base != NULL ? mslot__handle_allocate() : NULL;
    mslot_lane_taken taken = {MSLOT_DONE, 0};
    if (writer == NULL) {
        failure = mslot__failure_errno(errno);
    } else {
        mslot_ring ring = mslot__ring_of(&file.header, mapping.base);
        if (!reader_present) {
            // A sealed mailslot is as good as gone; one that is not waits for the next reader.
            mslot_tail tail = mslot__ring_tail(&ring);
            taken.outcome = tail.outcome == MSLOT_DONE && tail.closed ? MSLOT_NOT_FOUND : MSLOT_NO_READER;
        } else {
            taken = mslot__lane_take(&writer->ring, &ring, file.descriptor);
            // A close or a take-over is going on: the segment is sealed, its name not yet removed.
            mslot_tail tail = mslot__ring_tail(&ring);
            if (tail.outcome == MSLOT_DONE && tail.closed) taken.outcome = MSLOT_NOT_FOUND;
        }
        failure = taken.outcome == MSLOT_SYSTEM_ERROR ? mslot__failure_errno(errno) : mslot__failure_of(taken.outcome);
        // The mapping holds the lane's lock from here on.
        if (failure.outcome == MSLOT_DONE) failure = prove_lane(&file, path, &ring, taken.lane);
    }
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

mslot_opened mslot__open_local(const mslot_name *name, const mslot_open_options *options)
{
    mslot_opened opened = {.writer = NULL};
    char *path = mslot__file_path(name, &opened.failure);
    if (path == NULL) return opened;

    int64_t deadline = options->wait_ns > 0 ? mslot__deadline(options->wait_ns) : 0;
    int64_t step = 0;
    for (;;) {
        mslot__forks_hold();
        opened.failure = open_file(path, name, options, &opened.writer);
        mslot__forks_release();
        bool may_appear = opened.failure.outcome == MSLOT_NOT_FOUND || opened.failure.outcome == MSLOT_NO_READER;
        if (!may_appear || options->wait_ns <= 0) break;
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
    mslot_outcome refusal = mslot__handle_refusal(writer);
    if (refusal != MSLOT_DONE) return refusal;
    mslot_ring ring = writer->ring.ring;
    mslot_outcome outcome = mslot__ring_recover_lane(&writer->ring, &ring, writer->lane_index);
    writer->unplaced = NULL;
    if (outcome == MSLOT_DONE) {
        // Published, perhaps, and left before Write 7. Until this is made good the robust-list entry stays, for if we are killed.
        uint32_t *wake = mslot__ring_parked_word(&writer->ring);
        if (wake != NULL) mslot__wake_reader_slow(wake);
    }
    mslot__writer_forget_robust_list(writer);
    mslot__writer_end(writer, outcome == MSLOT_DONE ? MSLOT_HANDLE_IDLE : MSLOT_HANDLE_BROKEN);
    return outcome;
}

mslot_outcome mslot_writer_close(mslot_writer *writer)
{
    mslot_outcome refusal = mslot__handle_refusal(writer);
    if (refusal != MSLOT_DONE) return refusal;
    uint32_t state = mslot__load_relaxed_32(&writer->state);
    if (state == MSLOT_HANDLE_CALLING || state == MSLOT_HANDLE_WAITING) return mslot__writer_refusal(writer, MSLOT_HANDLE_IDLE);
    mslot__store_relaxed_32(&writer->state, MSLOT_HANDLE_CALLING);
    mslot__writer_forget_robust_list(writer);
    mslot__lane_give_back(&writer->ring.ring, writer->lane_index);
    mslot__writer_close_query(writer);
    mslot__mapping_end(&writer->mapping);
    mslot__forks_hold();
    mslot__handle_free(writer);
    mslot__forks_release();
    return MSLOT_DONE;
}

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

/// Of a mailslot whose reader is gone: a sealed one is as good as gone, one that is not waits for the next reader.
static mslot_failure failure_without_reader(const mslot_file *file, const char *path)
{
    mslot_mapping mapping = mslot__file_map(file, path, PROT_READ | PROT_WRITE, 0);
    if (mapping.base == NULL) return mslot__failure_errno(errno);
    mslot_ring ring = mslot__ring_of(&file->header, mapping.base);
    mslot_tail tail = mslot__ring_tail(&ring);
    mslot__mapping_end(&mapping);
    return mslot__failure_of(tail.outcome == MSLOT_DONE && tail.closed ? MSLOT_NOT_FOUND : MSLOT_NO_READER);
}

static mslot_failure take_lane(mslot_file *file, const char *path, unsigned pages, bool leaves_express, mslot_writer *writer)
{
    mslot_lane_taken taken = mslot__lane_take(&writer->ring, file, path, pages, leaves_express);
    if (taken.outcome == MSLOT_SYSTEM_ERROR) return errno == ESTALE ? mslot__failure_of(MSLOT_BUSY) : mslot__failure_errno(errno);
    if (taken.outcome != MSLOT_DONE) return mslot__failure_of(taken.outcome);
    mslot__mapping_touch(mslot__ring_state(&writer->ring.ring, mslot__load_relaxed(&writer->ring.ring.control->tail_hint)));
    // A close or a take-over is going on: the segment is sealed, its name not yet removed.
    mslot_tail tail = mslot__ring_tail(&writer->ring.ring);
    if (tail.outcome == MSLOT_DONE && tail.closed) {
        mslot__mapping_end(&taken.mapping);
        return mslot__failure_of(MSLOT_NOT_FOUND);
    }
    writer->mapping = taken.mapping;
    writer->lane_index = taken.lane;
    writer->express_bytes_end = taken.lane == MSLOT_EXPRESS_LANE ? MSLOT_EXPRESS_BYTES_MAX + 1 : 0;
    return mslot__failure_of(MSLOT_DONE);
}

/// BUSY: the name changed meanwhile; begin anew.
static mslot_failure open_file(const char *path, const mslot_name *name, const mslot_open_options *options, mslot_writer **opened)
{
    MSLOT_UNDISTURBED;
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDWR, options->trust_user);
    if (failure.outcome != MSLOT_DONE) return failure;
    unsigned pages = (options->populate ? MSLOT_PAGES_POPULATE : 0) | (options->lock_pages ? MSLOT_PAGES_LOCK : 0);
    mslot_writer *writer = mslot__handle_allocate();
    if (writer == NULL) failure = mslot__failure_errno(errno);
    else if (!mslot__lock_is_held(file.descriptor, MSLOT_LOCK_READER)) failure = failure_without_reader(&file, path);
    else failure = take_lane(&file, path, pages, options->leaves_express_lane, writer);
    if (file.descriptor >= 0) close(file.descriptor);
    if (failure.outcome != MSLOT_DONE) {
        if (writer != NULL) mslot__handle_free(writer);
        return failure;
    }

    mslot_lane *lane = writer->ring.lane;
    writer->message_bytes_max = file.header.message_bytes_max;
    writer->slot_bytes_max =
        file.header.message_bytes_max < MSLOT_MESSAGE_BYTES_MAX ? file.header.message_bytes_max : MSLOT_MESSAGE_BYTES_MAX;
    writer->process_id = (uint32_t)getpid();
    writer->waits_through_restarts = options->wait_through_restarts;
    writer->query_descriptor = -1;
    writer->spin = mslot__spin_start(options->polling_ns);
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
        do opened.failure = open_file(path, name, options, &opened.writer);
        while (opened.failure.outcome == MSLOT_BUSY);
        bool may_appear = opened.failure.outcome == MSLOT_NOT_FOUND || opened.failure.outcome == MSLOT_NO_READER;
        if (!may_appear || options->wait_ns <= 0) break;
        mslot_outcome outcome = mslot__look_later(&step, APPEAR_STEP_NS_MAX, deadline, options->interrupt);
        if (outcome != MSLOT_DONE) {
            opened.failure = mslot__failure_of(outcome);
            break;
        }
    }
    free(path);
    return opened;
}

void mslot_open_interrupt(uint32_t *interrupt)
{
    uint32_t *no_wakeup = NULL;
    if (interrupt != NULL) mslot__interrupt_set(interrupt, &no_wakeup);
}

// MARK: reset and close

mslot_outcome mslot_writer_reset(mslot_writer *writer)
{
    mslot_outcome refusal = mslot__handle_refusal(writer);
    if (refusal != MSLOT_DONE) return refusal;
    mslot_ring ring = writer->ring.ring;
    mslot_outcome outcome = mslot__ring_recover_lane(&writer->ring, &ring, writer->lane_index);
    writer->unplaced = NULL;
    writer->waiting_express = NULL;
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
    MSLOT_UNDISTURBED;
    mslot__store_relaxed_32(&writer->state, MSLOT_HANDLE_CALLING);
    mslot__writer_forget_robust_list(writer);
    mslot__lane_give_back(&writer->ring.ring, writer->lane_index);
    mslot__writer_close_query(writer);
    mslot__mapping_end(&writer->mapping);
    mslot__handle_free(writer);
    return MSLOT_DONE;
}

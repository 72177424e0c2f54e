// Seeing messages without taking them: a third party that maps the segment to read it, and nothing else.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mslot_observer {
    uint32_t state;
    mslot_ring ring;
    /// The next to look at.
    uint64_t position;
    /// The tail when it began. What is gone before is not missed.
    uint64_t start;
    uint64_t missed;
    mslot_mapping mapping;
};
MSLOT_STATIC_ASSERT(sizeof(mslot_observer) <= MSLOT_HANDLE_BYTES, "a handle fits its record");

enum {
    /// Looks of one call after which writers are faster than we are.
    LOOKS_MAX = 64
};

static mslot_failure open_observer(const char *path, const mslot_name *name, uint32_t back, uint32_t trust_user, mslot_observer **opened)
{
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDONLY, trust_user);
    if (failure.outcome != MSLOT_DONE) return failure;
    mslot_mapping mapping = mslot__file_map(&file, path, PROT_READ, 0);
    mslot_observer *observer = mapping.base != NULL ? mslot__handle_allocate() : NULL;
    if (observer == NULL) failure = mslot__failure_errno(errno);
    close(file.descriptor);
    if (failure.outcome == MSLOT_DONE) {
        mslot_ring ring = mslot__ring_of(&file.header, mapping.base);
        mslot_tail tail = mslot__ring_tail(&ring);
        failure.outcome = tail.outcome;
        uint64_t published = tail.position - ring.cell_count;
        uint64_t there = published < ring.cell_count ? published : ring.cell_count;
        observer->ring = ring;
        observer->start = tail.position;
        observer->position = tail.position - (back < there ? back : there);
        observer->mapping = mapping;
        observer->state = MSLOT_HANDLE_IDLE;
    }
    if (failure.outcome != MSLOT_DONE) {
        if (observer != NULL) mslot__handle_free(observer);
        mslot__mapping_end(&mapping);
        return failure;
    }
    *opened = observer;
    return failure;
}

mslot_observer_opened mslot__observe_trusted(const mslot_name *name, uint32_t back, uint32_t trust_user)
{
    mslot_observer_opened observing = {.observer = NULL};
    char *path = mslot__file_path(name, &observing.failure);
    if (path == NULL) return observing;
    mslot__forks_hold();
    observing.failure = open_observer(path, name, back, trust_user, &observing.observer);
    mslot__forks_release();
    free(path);
    return observing;
}

mslot_observer_opened mslot_observer_open(const char *name_text, uint32_t back)
{
    mslot_name name = mslot__name_parse(name_text);
    return mslot__observe_trusted(&name, back, MSLOT_TRUST_ANYONE);
}

/// Goes on to a message that is still there. False: no tail can be found.
static bool skip_what_is_gone(mslot_observer *observer)
{
    const mslot_ring *ring = &observer->ring;
    mslot_tail tail = mslot__ring_tail(ring);
    if (tail.outcome != MSLOT_DONE) return false;
    // An eighth of a lap ahead of the writers, so that the next is not gone at once, too.
    uint64_t oldest = tail.position - ring->cell_count + ring->cell_count / 8;
    uint64_t next = observer->position + 1;
    bool is_overtaken = (int64_t)(tail.position - observer->position) > (int64_t)ring->cell_count;
    if (is_overtaken && (int64_t)(oldest - next) > 0) next = oldest;
    uint64_t since = (int64_t)(observer->start - observer->position) > 0 ? observer->start : observer->position;
    if ((int64_t)(next - since) > 0) observer->missed += next - since;
    observer->position = next;
    return true;
}

/// Whether a long message's bytes may be touched, as in Linux/read.c. Asked each time: an observer is in no hurry.
static bool is_there(const mslot_observer *observer, mslot_overflow_part part)
{
    int saved_errno = errno;
    int error = mslot__mapping_fill(&observer->mapping, part.bytes, part.byte_count, MADV_POPULATE_READ);
    errno = saved_errno;
    return error != ENOSPC;
}

mslot_observed mslot_observer_next(mslot_observer *observer, void *buffer, size_t capacity)
{
    mslot_observed observed;
    memset(&observed, 0, sizeof observed);
    observed.outcome = mslot__handle_refusal(observer);
    if (observed.outcome == MSLOT_DONE && buffer == NULL && capacity != 0) observed.outcome = MSLOT_BAD_ARGUMENT;
    if (observed.outcome != MSLOT_DONE) return observed;
    observed.outcome = MSLOT_EMPTY;
    mslot_overflow_part there = {NULL, 0};
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        mslot_copied copied = mslot__ring_copy(&observer->ring, observer->position, buffer, capacity, there);
        if (copied.outcome == MSLOT_NO_SPACE) {
            if (is_there(observer, copied.part)) {
                there = copied.part;
                continue;
            }
            copied.outcome = MSLOT_BUSY; // what nobody can see is missed
        }
        if (copied.outcome == MSLOT_BUSY) {
            if (skip_what_is_gone(observer)) continue;
            observed.outcome = MSLOT_DAMAGED;
            break;
        }
        observed.outcome = copied.outcome;
        observed.byte_count = copied.length;
        observed.sender = copied.sender;
        observed.origin = copied.origin;
        break;
    }
    observed.position = observer->position;
    if (observed.outcome != MSLOT_EMPTY) {
        observed.missed = observer->missed;
        if (observed.outcome != MSLOT_TOO_LONG) observer->missed = 0;
    }
    if (observed.outcome == MSLOT_DONE) observer->position++;
    return observed;
}

mslot_outcome mslot_observer_close(mslot_observer *observer)
{
    mslot_outcome refusal = mslot__handle_refusal(observer);
    if (refusal != MSLOT_DONE) return refusal;
    mslot__mapping_end(&observer->mapping);
    mslot__forks_hold();
    mslot__handle_free(observer);
    mslot__forks_release();
    return MSLOT_DONE;
}

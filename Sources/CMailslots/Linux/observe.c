// Seeing messages without taking them: a third party that reads the file, and nothing else. It maps nothing, so that it needs no guard
// against who cuts the file short, and fills no hole by looking at it.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct mslot_observer {
    uint32_t state;
    mslot_sight sight;
    /// The next to look at.
    uint64_t position;
    /// The tail when it began. What is gone before is not missed.
    uint64_t start;
    uint64_t missed;
    /// Which file the descriptor is of.
    mslot_mapping file;
};
MSLOT_STATIC_ASSERT(sizeof(mslot_observer) <= MSLOT_HANDLE_BYTES, "a handle fits its record");

enum {
    /// Looks of one call after which writers are faster than we are.
    LOOKS_MAX = 64
};

static mslot_failure open_observer(const char *path, const mslot_name *name, uint32_t back, uint32_t trust_user, mslot_observer **opened)
{
    MSLOT_UNDISTURBED;
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDONLY, trust_user);
    if (failure.outcome != MSLOT_DONE) return failure;
    mslot_sight sight = mslot__file_sight(&file);
    mslot_extent extent = mslot__sight_extent(&sight);
    if (extent.outcome == MSLOT_SYSTEM_ERROR) failure = mslot__failure_errno(errno);
    else failure.outcome = extent.outcome;
    mslot_observer *observer = failure.outcome == MSLOT_DONE ? mslot__handle_allocate() : NULL;
    if (observer == NULL) {
        if (failure.outcome == MSLOT_DONE) failure = mslot__failure_errno(errno);
        close(file.descriptor);
        return failure;
    }
    uint64_t published = extent.tail - sight.cell_count;
    uint64_t there = published < sight.cell_count ? published : sight.cell_count;
    observer->sight = sight;
    observer->start = extent.tail;
    observer->position = extent.tail - (back < there ? back : there);
    observer->file = (mslot_mapping){.device = file.device, .inode = file.inode};
    observer->state = MSLOT_HANDLE_IDLE;
    *opened = observer;
    return failure;
}

mslot_observer_opened mslot__observe_trusted(const mslot_name *name, uint32_t back, uint32_t trust_user)
{
    mslot_observer_opened observing = {.observer = NULL};
    char *path = mslot__file_path(name, &observing.failure);
    if (path == NULL) return observing;
    observing.failure = open_observer(path, name, back, trust_user, &observing.observer);
    free(path);
    return observing;
}

mslot_observer_opened mslot_observer_open(const char *name_text, uint32_t back)
{
    mslot_name name = mslot__name_parse(name_text);
    return mslot__observe_trusted(&name, back, MSLOT_TRUST_ANYONE);
}

/// Goes on to a message that is still there. DONE, or why not.
static mslot_outcome skip_what_is_gone(mslot_observer *observer)
{
    const mslot_sight *sight = &observer->sight;
    mslot_extent extent = mslot__sight_extent(sight);
    if (extent.outcome != MSLOT_DONE) return extent.outcome;
    // An eighth of a lap ahead of the writers, so that the next is not gone at once, too.
    uint64_t oldest = extent.tail - sight->cell_count + sight->cell_count / 8;
    uint64_t next = observer->position + 1;
    bool is_overtaken = (int64_t)(extent.tail - observer->position) > (int64_t)sight->cell_count;
    if (is_overtaken && (int64_t)(oldest - next) > 0) next = oldest;
    uint64_t since = (int64_t)(observer->start - observer->position) > 0 ? observer->start : observer->position;
    if ((int64_t)(next - since) > 0) observer->missed += next - since;
    observer->position = next;
    return MSLOT_DONE;
}

mslot_observed mslot_observer_next(mslot_observer *observer, void *buffer, size_t capacity)
{
    mslot_observed observed;
    memset(&observed, 0, sizeof observed);
    observed.outcome = mslot__handle_refusal(observer);
    if (observed.outcome == MSLOT_DONE && buffer == NULL && capacity != 0) observed.outcome = MSLOT_BAD_ARGUMENT;
    if (observed.outcome != MSLOT_DONE) return observed;
    observed.outcome = MSLOT_EMPTY;
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        mslot_copied copied = mslot__sight_copy(&observer->sight, observer->position, buffer, capacity);
        if (copied.outcome == MSLOT_BUSY) {
            mslot_outcome skipped = skip_what_is_gone(observer);
            if (skipped == MSLOT_DONE) continue;
            observed.outcome = skipped;
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
    MSLOT_UNDISTURBED;
    // Somebody may have closed it, and opened another file of this number.
    if (mslot__mapping_is_of(&observer->file, observer->sight.descriptor)) close(observer->sight.descriptor);
    mslot__handle_free(observer);
    return MSLOT_DONE;
}

// How a mailslot comes to be, is taken over, and ends.
//
// Only the holder of the reader's lock of the file that the name points to may change the name, after it has checked, with
// the lock, that the name still points to that file. So eight processes that race to take over one name give one reader.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

enum {
    /// A reader of /proc can hold a dead process's mapping, and with it the lock, for a moment. Chosen.
    HELD_RETRY_NS = 50000000,
    HELD_RETRY_STEP_NS = 1000000,
    /// Losses of a race for the name, each of which means that another process won it. Chosen.
    RACES_MAX = 10000,
    MODE_DEFAULT = 0600
};

/// What one try came to, when it did not fail.
typedef enum { CREATED, LOST_A_RACE, HELD, FAILED } attempt_result;

typedef struct attempt {
    const mslot_name *name;
    const char *path;
    mslot_create_options options;
    mslot_created created;
    /// Since when another has been holding the lock; 0: not yet.
    int64_t held_since_ns;
} attempt;

static attempt_result fail(attempt *a, mslot_failure failure)
{
    a->created.failure = failure;
    return FAILED;
}
static attempt_result fail_errno(attempt *a) { return fail(a, mslot__failure_errno(errno)); }

// MARK: a reader of a mapped, locked segment

static unsigned pages_of_a_reader(const mslot_create_options *options)
{
    return MSLOT_PAGES_POPULATE | (options->lock_pages ? MSLOT_PAGES_LOCK : 0);
}

static void note_reader(const mslot_ring *ring, const mslot_create_options *options)
{
    mslot_control *control = ring->control;
    uint64_t since_ns = mslot__unix_ns();
    mslot__store_relaxed_32(&control->reader_pid, (uint32_t)getpid());
    mslot__store_relaxed_32(&control->reader_uid, geteuid());
    mslot__store_relaxed(&control->reader_since_ns, since_ns);
    // Last: killed before, we leave the word of the reader before, which is not of our time.
    mslot__store_relaxed(&control->disposable_since_ns, options->is_disposable ? since_ns : 0);
    mslot__store_relaxed_32(&control->stated_bytes_max, options->stated_bytes_max);
}

/// Makes the handle; the descriptor stays the caller's. `mapping` is the handle's from here on; if it fails, it is gone.
static attempt_result make_reader(attempt *a, mslot_mapping mapping, mslot_ring_reader ring)
{
    mslot_reader *reader = mslot__handle_allocate();
    if (reader == NULL) {
        attempt_result result = fail_errno(a);
        mslot__mapping_end(&mapping);
        return result;
    }
    reader->read_timeout_ns = a->options.read_timeout_ns;
    reader->ring = ring;
    reader->mapping = mapping;
    reader->spin = mslot__spin_start(a->options.polling_ns);
    reader->gathering.next_rests = 1;
    mslot__store_relaxed(&ring.ring.control->read_timeout_ns, (uint64_t)a->options.read_timeout_ns);
    note_reader(&ring.ring, &a->options);
    mslot__reader_leave_fence(reader);
    if (a->options.announces_death) mslot__alive_begin(reader);
    mslot__reader_end(reader);
    a->created.reader = reader;
    return CREATED;
}

/// The reader's lock goes with the mapping: from here on another may have the name.
static void end_handle(mslot_reader *reader)
{
    mslot__alive_end(reader);
    mslot__mapping_end(&reader->mapping);
    free(reader->filled_pieces);
    mslot__handle_free(reader);
}

// MARK: a new file

static int allocate_all(int descriptor, const mslot_header *header)
{
    // Now, so that a full file system is an error here and never a SIGBUS later. Only the overflow stays a hole: a writer fills
    // its part when it needs it.
    if (!mslot__file_may_reach(header->segment_bytes)) return EFBIG;
    int error = mslot__file_allocate(descriptor, 0, mslot__header_fixed_bytes(header));
    if (error != 0 || header->overflow_offset == 0) return error;
    return MSLOT_UNINTERRUPTED(ftruncate(descriptor, (off_t)header->segment_bytes)) == 0 ? 0 : errno;
}

/// Bytes of the segment that is asked for; 0: no such geometry is allowed.
static uint64_t layout_of(const mslot_create_options *options, mslot_header *header)
{
    return mslot__layout_header(header, options->capacity != 0 ? options->capacity : MSLOT_CELLS_DEFAULT,
        options->writers != 0 ? options->writers : MSLOT_LANES_DEFAULT,
        options->message_bytes_max != 0 ? options->message_bytes_max : MSLOT_MESSAGE_BYTES_MAX);
}

static void fill_header(attempt *a, mslot_header *header)
{
    header->options = a->options.allow_remote ? MSLOT_OPTION_REMOTE : 0;
    header->mode = a->options.mode != 0 ? a->options.mode : MODE_DEFAULT;
    header->created_ns = mslot__unix_ns();
    header->creator_uid = geteuid();
    header->name_bytes = (uint32_t)a->name->bytes;
    memcpy(header->name, a->name->text, a->name->bytes);
}

/// Gives the file its name, unless the name is taken: 0, or an errno. It never has two: nobody trusts such a file.
static int give_name(int descriptor, const char *temporary, const char *path)
{
    if (temporary != NULL) {
        // By number: older libraries have no function of that name.
        long result = MSLOT_UNINTERRUPTED(syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE));
        return result == 0 ? 0 : errno;
    }
    char proc_path[MSLOT_PROC_PATH_MAX];
    mslot__proc_path(descriptor, proc_path);
    return MSLOT_UNINTERRUPTED(linkat(AT_FDCWD, proc_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW)) == 0 ? 0 : errno;
}

/// Locks, fills and names a new empty file. `temporary` is its name until then, or NULL.
static attempt_result make_segment(attempt *a, int descriptor, const char *temporary)
{
    mslot_file file = {.descriptor = descriptor};
    layout_of(&a->options, &file.header);
    fill_header(a, &file.header);

    // fchmod: the umask does not apply, the mode is the one that was asked for.
    if (MSLOT_UNINTERRUPTED(fchmod(descriptor, file.header.mode)) != 0) return fail_errno(a);
    int error = allocate_all(descriptor, &file.header);
    if (error != 0) return fail(a, mslot__failure_errno(error));
    struct stat status;
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) return fail_errno(a);
    file.device = status.st_dev;
    file.inode = status.st_ino;
    mslot_locked locked = mslot__file_lock(&file, temporary, a->path, MSLOT_LOCK_READER, pages_of_a_reader(&a->options));
    switch (locked.result) {
    case MSLOT_LOCK_TAKEN: break;
    case MSLOT_LOCK_HELD_BY_ANOTHER: return LOST_A_RACE;
    case MSLOT_LOCK_FAILED: return fail_errno(a);
    }
    memcpy(locked.mapping.base, &file.header, sizeof file.header);
    mslot_ring ring = mslot__ring_of(&file.header, locked.mapping.base);
    mslot__ring_initialise(&ring);

    // All that can fail comes before the name: once it is there, others write.
    mslot_ring_reader start = {.ring = ring, .head = ring.cell_count, .next = ring.cell_count};
    if (make_reader(a, locked.mapping, start) != CREATED) return FAILED;
    error = give_name(descriptor, temporary, a->path);
    if (error == 0) return CREATED;
    end_handle(a->created.reader);
    a->created.reader = NULL;
    return error == EEXIST ? LOST_A_RACE : fail(a, mslot__failure_errno(error));
}

static attempt_result make_unnamed(attempt *a, const char *directory)
{
    int descriptor = MSLOT_UNINTERRUPTED(open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, MODE_DEFAULT));
    if (descriptor < 0) return fail_errno(a);
    attempt_result result = make_segment(a, descriptor, NULL);
    close(descriptor);
    return result;
}

/// Where the file system knows no unnamed files, or /proc is not there to name one. A creator killed here leaves a file that
/// blocks nobody: its name is no mailslot's.
static attempt_result make_with_temporary_name(attempt *a)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s~%lx.%llx", a->path, (long)getpid(), (unsigned long long)mslot__now_ns());
    if (length < 0 || (size_t)length >= sizeof temporary) return fail(a, mslot__failure_errno(ENAMETOOLONG));
    int descriptor = MSLOT_UNINTERRUPTED(open(temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, MODE_DEFAULT));
    if (descriptor < 0) return errno == EEXIST ? LOST_A_RACE : fail_errno(a);
    attempt_result result = make_segment(a, descriptor, temporary);
    if (result != CREATED) (void)MSLOT_UNINTERRUPTED(unlink(temporary));
    close(descriptor);
    return result;
}

static attempt_result make_new(attempt *a)
{
    char directory[PATH_MAX];
    size_t length = (size_t)(strrchr(a->path, '/') - a->path);
    if (length >= sizeof directory) return fail(a, mslot__failure_errno(ENAMETOOLONG));
    memcpy(directory, a->path, length);
    directory[length] = 0;

    attempt_result result = make_unnamed(a, length == 0 ? "/" : directory);
    if (result != FAILED) return result;
    int error = a->created.failure.system_error;
    // EOPNOTSUPP, EISDIR, EINVAL: no O_TMPFILE here. ENOENT: the directory, or /proc; EACCES, EPERM, EXDEV: /proc is restricted.
    bool worth_a_name =
        error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT || error == EACCES || error == EPERM || error == EXDEV;
    return worth_a_name ? make_with_temporary_name(a) : result;
}

// MARK: a file that is there already

static void wait_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = HELD_RETRY_STEP_NS}, NULL); }

/// Who has it, as information.
static mslot_failure held_failure(const mslot_file *file)
{
    mslot_failure failure = mslot__failure_of(MSLOT_ALREADY_EXISTS);
    mslot_control control;
    ssize_t bytes = MSLOT_UNINTERRUPTED(pread(file->descriptor, &control, sizeof control, (off_t)file->header.control_offset));
    if (bytes == (ssize_t)sizeof control) {
        failure.holder_pid = (int32_t)control.reader_pid;
        failure.holder_uid = control.reader_uid;
    }
    return failure;
}

static attempt_result refuse_as_held(attempt *a, const mslot_file *file)
{
    int64_t now = mslot__now_ns();
    if (a->held_since_ns == 0) a->held_since_ns = now;
    return now - a->held_since_ns < HELD_RETRY_NS ? HELD : fail(a, held_failure(file));
}

static bool can_be_adopted(const mslot_file *file, const mslot_create_options *options)
{
    const mslot_header *header = &file->header;
    return file->owner == geteuid() && (options->capacity == 0 || options->capacity == header->cell_count)
        && (options->writers == 0 || options->writers == header->lane_count)
        && (options->message_bytes_max == 0 || options->message_bytes_max == header->message_bytes_max)
        && (options->mode == 0 || options->mode == file->mode) && (options->allow_remote == ((header->options & MSLOT_OPTION_REMOTE) != 0));
}

/// Messages from `head` on. Of a sealed ring exactly, also where the seal took the oldest one's place.
static uint32_t count_unread(const mslot_ring *ring, uint64_t head)
{
    mslot_tail tail = mslot__ring_tail(ring);
    uint64_t count = tail.position - head;
    return tail.outcome == MSLOT_DONE && count <= ring->cell_count ? (uint32_t)count : 0;
}

/// With the reader's lock, which `mapping` holds, and the name checked: the dead reader's mailslot becomes ours, or makes way.
static attempt_result take_over(attempt *a, const mslot_file *file, mslot_mapping mapping)
{
    if (!a->options.adopt && !mslot__file_may_unlink(a->path, file->owner)) {
        mslot__mapping_end(&mapping);
        return fail(a, mslot__failure_errno(EPERM));
    }
    mslot_ring ring = mslot__ring_of(&file->header, mapping.base);
    mslot_ring_reader reader;
    memset(&reader, 0, sizeof reader);
    mslot_outcome outcome = mslot__ring_take_over(&reader, &ring);
    mslot__wake_writers_slow(ring.control);

    if (a->options.adopt && outcome != MSLOT_CLOSED) {
        mslot_failure failure = mslot__failure_of(MSLOT_DONE);
        if (outcome == MSLOT_DAMAGED) failure.outcome = MSLOT_DAMAGED;
        else if (!can_be_adopted(file, &a->options)) failure.outcome = MSLOT_MISMATCH;
        if (failure.outcome != MSLOT_DONE) {
            mslot__mapping_end(&mapping);
            return fail(a, failure);
        }
        mslot__count(&ring.control->adoptions);
        a->created.adopted = true;
        a->created.unread_count = count_unread(&ring, reader.head);
        return make_reader(a, mapping, reader);
    }
    // Fresh: old writers must find the seal before the name is free.
    mslot__ring_seal(&ring);
    mslot__wake_writers_slow(ring.control);
    bool unlinked = mslot__file_unlink(file->descriptor, a->path);
    if (outcome == MSLOT_DONE) a->created.unread_count += count_unread(&ring, reader.head);
    attempt_result result = unlinked ? make_new(a) : fail_errno(a);
    // The old segment still takes its room until we let go of it: once more, then.
    if (unlinked && result == FAILED && a->created.failure.outcome == MSLOT_NO_SPACE) result = LOST_A_RACE;
    mslot__mapping_end(&mapping);
    return result;
}

static attempt_result attempt_once(attempt *a)
{
    MSLOT_UNDISTURBED;
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, a->path, a->name, O_RDWR, MSLOT_TRUST_NOBODY_ELSE);
    if (failure.outcome == MSLOT_NOT_FOUND) return make_new(a);
    if (failure.outcome != MSLOT_DONE) return fail(a, failure);

    attempt_result result = LOST_A_RACE;
    mslot_locked locked =
        mslot__file_lock(&file, a->path, a->path, MSLOT_LOCK_READER, a->options.adopt ? pages_of_a_reader(&a->options) : 0);
    switch (locked.result) {
    case MSLOT_LOCK_TAKEN:
        if (mslot__file_has_name(a->path, file.device, file.inode)) result = take_over(a, &file, locked.mapping);
        else mslot__mapping_end(&locked.mapping);
        break;
    case MSLOT_LOCK_HELD_BY_ANOTHER: result = refuse_as_held(a, &file); break;
    case MSLOT_LOCK_FAILED:
        if (errno != ESTALE && errno != ENOENT) result = fail_errno(a);
        break;
    }
    close(file.descriptor);
    return result;
}

/// Who may read the file could lock what a reader or a writer needs, and sleep where a reader is woken: so only who may write it may.
static bool mode_is_allowed(uint32_t mode)
{
    bool is_even = (mode & 0444) >> 1 == (mode & 0222);
    return mode == 0 || ((mode & ~0666u) == 0 && (mode & 0600) == 0600 && is_even);
}

static bool options_are_allowed(const mslot_create_options *options)
{
    mslot_header header;
    return layout_of(options, &header) != 0 && options->read_timeout_ns >= 0 && options->reserved == 0
        && mslot__is_zero(options->reserved_behind, sizeof options->reserved_behind) && mslot__polling_is_allowed(options->polling_ns);
}

mslot_created mslot_create(const char *name_text, const mslot_create_options *options)
{
    MSLOT_UNCANCELLED;
    attempt a;
    memset(&a, 0, sizeof a);
    a.options = mslot_create_options_default();
    // The first version ended with the time-out.
    size_t bytes_min = offsetof(mslot_create_options, read_timeout_ns) + sizeof a.options.read_timeout_ns;
    if (options != NULL && !mslot__options_take(&a.options, sizeof a.options, bytes_min, options)) {
        a.created.failure = mslot__failure_of(MSLOT_BAD_ARGUMENT);
        return a.created;
    }
    mslot_name name = mslot__name_parse(name_text);
    char *path = mslot__file_path(&name, &a.created.failure);
    if (path == NULL) return a.created;
    a.name = &name;
    a.path = path;

    attempt_result result = FAILED;
    bool has_mode = mode_is_allowed(a.options.mode);
    if (!has_mode || !options_are_allowed(&a.options)) {
        a.created.failure = mslot__failure_of(MSLOT_BAD_ARGUMENT);
        if (!has_mode) a.created.failure.detail = a.options.mode;
    } else {
        int races = 0;
        do {
            result = attempt_once(&a);
            if (result == HELD) wait_a_little();
        } while (result == HELD || (result == LOST_A_RACE && ++races < RACES_MAX));
        if (result == LOST_A_RACE) a.created.failure = mslot__failure_errno(EAGAIN);
    }
    if (result == CREATED) a.created.failure = mslot__failure_of(MSLOT_DONE);
    free(path);
    return a.created;
}

// MARK: close, leave and remove

/// Takes our name away, which the reader's lock in the mapping lets us change: DONE, also when it is gone or another's; or why it stays.
static mslot_outcome give_name_up(const mslot_mapping *mapping)
{
    errno = 0;
    if (mslot__file_has_name(mapping->path, mapping->device, mapping->inode)) {
        int descriptor = MSLOT_UNINTERRUPTED(open(mapping->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        bool is_gone = mslot__file_unlink(descriptor, mapping->path);
        int error = errno;
        if (descriptor >= 0) close(descriptor);
        if (is_gone) return MSLOT_DONE;
        errno = error;
    }
    return errno == 0 || errno == ENOENT || errno == ENOTDIR ? MSLOT_DONE : mslot__failure_errno(errno).outcome;
}

/// Takes the handle for its last call, one too that a reset found broken: DONE, or why not.
static mslot_outcome begin_last_call(mslot_reader *reader)
{
    mslot_outcome refusal = mslot__handle_refusal(reader);
    if (refusal != MSLOT_DONE) return refusal;
    bool begun = mslot__load_relaxed_32(&reader->state) == MSLOT_HANDLE_BROKEN || mslot__reader_begin(reader);
    return begun ? MSLOT_DONE : mslot__reader_refusal(reader);
}

mslot_outcome mslot_reader_close_counting(mslot_reader *reader, uint32_t *discarded)
{
    MSLOT_UNDISTURBED;
    if (discarded != NULL) *discarded = 0;
    mslot_outcome refusal = begin_last_call(reader);
    if (refusal != MSLOT_DONE) return refusal;
    mslot__ring_seal(&reader->ring.ring);
    mslot__wake_writers_slow(reader->ring.ring.control);
    if (discarded != NULL) *discarded = count_unread(&reader->ring.ring, reader->ring.head);
    mslot_outcome outcome = give_name_up(&reader->mapping);
    end_handle(reader);
    return outcome;
}

mslot_outcome mslot_reader_close(mslot_reader *reader) { return mslot_reader_close_counting(reader, NULL); }

mslot_outcome mslot_reader_leave(mslot_reader *reader)
{
    MSLOT_UNDISTURBED;
    mslot_outcome refusal = begin_last_call(reader);
    if (refusal != MSLOT_DONE) return refusal;
    // As a kill between two calls: no word of the segment changes, so there is nothing that a death in here could leave half done.
    // But for the announcement that the reader lives, which a death takes back as well.
    end_handle(reader);
    return MSLOT_DONE;
}

/// With the reader's lock, which `mapping` holds: seals the mailslot and takes its name away. BUSY: the name has another file by now.
static mslot_failure remove_locked(const char *path, const mslot_file *file, const mslot_mapping *mapping)
{
    if (!mslot__file_has_name(path, file->device, file->inode)) return mslot__failure_of(MSLOT_BUSY);
    if (!mslot__file_may_unlink(path, file->owner)) return mslot__failure_errno(EPERM);
    mslot_ring ring = mslot__ring_of(&file->header, mapping->base);
    mslot__ring_seal(&ring);
    mslot__wake_writers_slow(ring.control);
    return mslot__file_unlink(file->descriptor, path) ? mslot__failure_of(MSLOT_DONE) : mslot__failure_errno(errno);
}

static mslot_failure remove_file(const char *path, const mslot_name *name)
{
    MSLOT_UNDISTURBED;
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, name, O_RDWR, MSLOT_TRUST_ANYONE);
    if (failure.outcome != MSLOT_DONE) return failure;
    mslot_locked locked = mslot__file_lock(&file, path, path, MSLOT_LOCK_READER, 0);
    switch (locked.result) {
    case MSLOT_LOCK_HELD_BY_ANOTHER: failure = held_failure(&file); break;
    case MSLOT_LOCK_FAILED: failure = errno == ESTALE ? mslot__failure_of(MSLOT_BUSY) : mslot__failure_errno(errno); break;
    case MSLOT_LOCK_TAKEN:
        failure = remove_locked(path, &file, &locked.mapping);
        mslot__mapping_end(&locked.mapping);
        break;
    }
    close(file.descriptor);
    return failure;
}

mslot_failure mslot_remove(const char *name_text)
{
    MSLOT_UNCANCELLED;
    mslot_name name = mslot__name_parse(name_text);
    mslot_failure failure;
    char *path = mslot__file_path(&name, &failure);
    if (path == NULL) return failure;
    int64_t held_until = mslot__now_ns() + HELD_RETRY_NS;
    for (;;) {
        failure = remove_file(path, &name);
        bool may_be_a_glance = failure.outcome == MSLOT_ALREADY_EXISTS && mslot__now_ns() < held_until;
        if (failure.outcome != MSLOT_BUSY && !may_be_a_glance) break;
        if (may_be_a_glance) wait_a_little();
    }
    free(path);
    return failure;
}

// MARK: disposable mailslots

static bool is_disposable(const mslot_control *control)
{
    uint64_t since_ns = mslot__load_relaxed(&control->disposable_since_ns);
    return since_ns != 0 && since_ns == mslot__load_relaxed(&control->reader_since_ns);
}

/// By a look at the file: who is no candidate is neither locked nor mapped.
static bool may_be_disposed_of(const mslot_file *file)
{
    // Whoever else may write it could cut it short while it is mapped.
    if (file->owner != geteuid() || (file->mode & 0066) != 0) return false;
    mslot_control control;
    ssize_t bytes = MSLOT_UNINTERRUPTED(pread(file->descriptor, &control, sizeof control, (off_t)file->header.control_offset));
    return bytes == (ssize_t)sizeof control && is_disposable(&control) && !mslot__lock_is_held(file->descriptor, MSLOT_LOCK_READER);
}

bool mslot__dispose_of(const char *path, const mslot_name *name)
{
    MSLOT_UNDISTURBED;
    mslot_file file;
    if (mslot__file_open(&file, path, name, O_RDWR, MSLOT_TRUST_NOBODY_ELSE).outcome != MSLOT_DONE) return false;
    bool is_removed = false;
    if (may_be_disposed_of(&file)) {
        mslot_locked locked = mslot__file_lock(&file, path, path, MSLOT_LOCK_READER, 0);
        if (locked.result == MSLOT_LOCK_TAKEN) {
            // Asked again with the lock: a reader may have adopted it since, and left what somebody wants.
            mslot_ring ring = mslot__ring_of(&file.header, locked.mapping.base);
            is_removed = is_disposable(ring.control) && remove_locked(path, &file, &locked.mapping).outcome == MSLOT_DONE;
            mslot__mapping_end(&locked.mapping);
        }
    }
    close(file.descriptor);
    return is_removed;
}

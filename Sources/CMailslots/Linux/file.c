// The file of a segment: where it is, whether it can be believed, and its mapping.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    /// The owner may always read and write a mailslot.
    MODE_MIN = 0600
};

const char *mslot__directory(char *buffer, size_t capacity)
{
    // secure_getenv: a set-user-id program is not led astray by its caller.
    const char *named = secure_getenv("MAILSLOT_DIRECTORY");
    if (named == NULL || named[0] == 0) return "/dev/shm";
    if (named[0] == '/') return named;
    // Relative: made absolute now, so that a later chdir does not change what close removes.
    char absolute[PATH_MAX];
    if (realpath(named, absolute) == NULL) return NULL;
    int length = snprintf(buffer, capacity, "%s", absolute);
    if (length < 0 || (size_t)length >= capacity) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return buffer;
}

char *mslot__file_path(const mslot_name *name, mslot_failure *failure)
{
    *failure = mslot__failure_of(MSLOT_DONE);
    mslot_name_problem problem = name->is_remote ? MSLOT_NAME_REMOTE : name->problem;
    if (problem != MSLOT_NAME_FINE) {
        *failure = mslot__failure_of(MSLOT_BAD_NAME);
        failure->detail = problem;
        return NULL;
    }
    char buffer[PATH_MAX];
    char file[MSLOT_FILE_NAME_MAX];
    const char *directory = mslot__directory(buffer, sizeof buffer);
    if (directory == NULL) {
        *failure = mslot__failure_errno(errno);
        return NULL;
    }
    mslot__name_file(name, file);
    size_t capacity = strlen(directory) + 1 + strlen(file) + 1;
    char *path = malloc(capacity);
    if (path == NULL) {
        *failure = mslot__failure_errno(errno);
        return NULL;
    }
    snprintf(path, capacity, "%s/%s", directory, file);
    return path;
}

void mslot__proc_path(int descriptor, char path[MSLOT_PROC_PATH_MAX])
{
    snprintf(path, MSLOT_PROC_PATH_MAX, "/proc/self/fd/%d", descriptor);
}

// linux/stat.h of Linux 6.8: the bit, and where the number is. The headers of many systems lack them.
enum { STATX_MOUNT_NEVER_GIVEN_AGAIN = 0x4000, STATX_MOUNT_OFFSET = 0x90 };

/// The mount of an open file; 0: the kernel does not tell. The rest as fstat, at no more than its price.
static int status_and_mount(int descriptor, struct stat *status, uint64_t *mount)
{
    struct statx all;
    MSLOT_STATIC_ASSERT(sizeof all >= STATX_MOUNT_OFFSET + sizeof *mount, "the number is inside");
    *mount = 0;
    // Refused by a sandbox that does not know it.
    if (MSLOT_UNINTERRUPTED(statx(descriptor, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MOUNT_NEVER_GIVEN_AGAIN, &all)) != 0)
        return MSLOT_UNINTERRUPTED(fstat(descriptor, status));
    if ((all.stx_mask & STATX_MOUNT_NEVER_GIVEN_AGAIN) != 0) memcpy(mount, (const unsigned char *)&all + STATX_MOUNT_OFFSET, sizeof *mount);
    *status = (struct stat){.st_dev = makedev(all.stx_dev_major, all.stx_dev_minor),
        .st_ino = all.stx_ino,
        .st_mode = all.stx_mode,
        .st_nlink = all.stx_nlink,
        .st_uid = all.stx_uid,
        .st_size = (off_t)all.stx_size};
    return 0;
}

static mslot_failure check_file(mslot_file *file, const mslot_name *name, uint32_t trust_user)
{
    struct stat status;
    if (status_and_mount(file->descriptor, &status, &file->mount) != 0) return mslot__failure_errno(errno);
    if (!S_ISREG(status.st_mode)) return mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->owner = status.st_uid;
    file->mode = status.st_mode & 07777;
    if (!mslot__is_trusted(status.st_uid, trust_user)) {
        mslot_failure failure = mslot__failure_of(MSLOT_UNTRUSTED);
        failure.holder_uid = status.st_uid;
        return failure;
    }
    // Who may write to a file may also link it under another name and change the name in its header. So its owner says nothing about a
    // mailslot of this name. None: it was removed a moment ago.
    if (status.st_nlink > 1) {
        mslot_failure failure = mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
        failure.detail = (uint32_t)status.st_nlink;
        return failure;
    }
    // What is left of a mailslot that has ended: mslot__file_unlink.
    if ((status.st_mode & MODE_MIN) != MODE_MIN) return mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
    // Copied once; the segment's own header is never read again.
    ssize_t bytes = MSLOT_UNINTERRUPTED(pread(file->descriptor, &file->header, sizeof file->header, 0));
    if (bytes < 0) return mslot__failure_errno(errno);
    if ((size_t)bytes < sizeof file->header) return mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
    mslot_outcome outcome = mslot__header_check(&file->header, (uint64_t)status.st_size);
    if (outcome != MSLOT_DONE) {
        mslot_failure failure = mslot__failure_of(outcome);
        failure.detail = file->header.layout_version;
        return failure;
    }
    bool same_name = name == NULL || (file->header.name_bytes == name->bytes && memcmp(file->header.name, name->text, name->bytes) == 0);
    return mslot__failure_of(same_name ? MSLOT_DONE : MSLOT_NOT_A_MAILSLOT);
}

mslot_failure mslot__file_open(mslot_file *file, const char *path, const mslot_name *name, int flags, uint32_t trust_user)
{
    file->forks = mslot__forks_so_far();
    // O_NONBLOCK: a FIFO of this name must not hold us up.
    file->descriptor = MSLOT_UNINTERRUPTED(open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file->descriptor < 0) {
        mslot_failure failure = mslot__failure_errno(errno);
        // EAGAIN - "an incompatible lease was held on the file": only its owner could take it.
        bool is_refused = failure.outcome == MSLOT_NO_PERMISSION || failure.system_error == EAGAIN;
        struct stat status;
        if (is_refused && MSLOT_UNINTERRUPTED(lstat(path, &status)) == 0) failure.holder_uid = status.st_uid;
        if (failure.system_error == EAGAIN && !mslot__is_trusted(failure.holder_uid, trust_user)) failure.outcome = MSLOT_UNTRUSTED;
        return failure;
    }
    mslot_failure failure = check_file(file, name, trust_user);
    if (failure.outcome != MSLOT_DONE) close(file->descriptor);
    return failure;
}

static mslot_outcome copy_file(const mslot_sight *sight, uint64_t offset, void *bytes, uint64_t byte_count)
{
    for (uint64_t done = 0; done < byte_count;) {
        void *to = (unsigned char *)bytes + done;
        ssize_t count = MSLOT_UNINTERRUPTED(pread(sight->descriptor, to, byte_count - done, (off_t)(offset + done)));
        if (count < 0) return MSLOT_SYSTEM_ERROR;
        if (count == 0) return MSLOT_DAMAGED; // cut short since it was checked
        done += (uint64_t)count;
    }
    // The kernel's loads are ours, and nothing orders those of two calls: what is copied next comes after.
    mslot__fence_seq_cst();
    return MSLOT_DONE;
}

mslot_sight mslot__file_sight(const mslot_file *file)
{
    mslot_sight sight = mslot__sight_of(&file->header);
    sight.copy = copy_file;
    sight.descriptor = file->descriptor;
    return sight;
}

bool mslot__file_has_name(const char *path, uint64_t device, uint64_t inode)
{
    struct stat status;
    return MSLOT_UNINTERRUPTED(lstat(path, &status)) == 0 && status.st_dev == device && status.st_ino == inode;
}

bool mslot__file_may_unlink(const char *path, uint32_t owner)
{
    char directory[PATH_MAX];
    size_t length = (size_t)(strrchr(path, '/') - path);
    if (length + 2 > sizeof directory) return false;
    memcpy(directory, path, length + 1);
    directory[length + 1] = 0;
    struct stat status;
    if (MSLOT_UNINTERRUPTED(faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS)) != 0) return false;
    if (MSLOT_UNINTERRUPTED(stat(directory, &status)) != 0) return false;
    uid_t user = geteuid();
    return (status.st_mode & S_ISVTX) == 0 || user == 0 || user == owner || user == status.st_uid;
}

bool mslot__file_unlink(int descriptor, const char *path)
{
    if (MSLOT_UNINTERRUPTED(unlink(path)) != 0) return errno == ENOENT;
    // Not before: killed between the two, we would leave a name that its owner may not open, nor take over.
    struct stat status;
    bool has_another_name = descriptor >= 0 && MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) == 0 && status.st_nlink > 0;
    if (has_another_name) (void)MSLOT_UNINTERRUPTED(fchmod(descriptor, 0));
    return true;
}

bool mslot__file_may_reach(uint64_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

int mslot__file_allocate(int descriptor, uint64_t offset, uint64_t bytes)
{
    struct stat status;
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) return errno;
    if (offset + bytes > (uint64_t)status.st_size && !mslot__file_may_reach(offset + bytes)) return EFBIG;
    int error;
    do error = posix_fallocate(descriptor, (off_t)offset, (off_t)bytes);
    while (error == EINTR);
    return error;
}

bool mslot__mapping_is_of(const mslot_mapping *mapping, int descriptor)
{
    struct stat status;
    // Only EBADF says that it was closed; whoever cannot be asked is who he was, for else each asking would leave one behind.
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) return errno != EBADF;
    return status.st_dev == mapping->device && status.st_ino == mapping->inode;
}

/// A page more than the segment, behind its end and never touched: some of the mapping, and so the lock, stays when the guard
/// replaces the segment.
static size_t mapped_bytes(size_t segment_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (segment_bytes + page - 1) / page * page + page;
}

/// Locks pages in memory: what is there now, and an overflow as it is filled. False with errno.
static bool lock_pages(unsigned char *base, uint64_t fixed_bytes, uint64_t overflow_bytes)
{
    bool is_locked = mlock(base, fixed_bytes) == 0;
    if (is_locked && overflow_bytes != 0) is_locked = mlock2(base + fixed_bytes, overflow_bytes, MLOCK_ONFAULT) == 0;
    if (is_locked || errno == ENOSYS) return true; // before Linux 4.4 an overflow cannot be locked without being filled
    // EAGAIN, EPERM - "Some or all of the memory could not be locked", "RLIMIT_MEMLOCK is 0": for us it is one and the same.
    if (errno == EAGAIN || errno == EPERM) errno = ENOMEM;
    return false;
}

/// Gives access to a mapping that was made without, so that mlockall(MCL_FUTURE) does not fill the holes of its overflow: it fills what
/// can be accessed, and only when it is mapped.
static bool give_access(unsigned char *base, uint64_t fixed_bytes, uint64_t overflow_bytes, int protection, bool locks)
{
    // EBUSY - "a memory lock exists": MCL_FUTURE made it.
    bool is_locked = msync(base, 1, MS_INVALIDATE) != 0 && errno == EBUSY;
    // Before Linux 4.4 a lock fills what it locks.
    if (is_locked && mlock2(base + fixed_bytes, overflow_bytes, MLOCK_ONFAULT) != 0 && munlock(base + fixed_bytes, overflow_bytes) != 0)
        return false;
    if (mprotect(base, fixed_bytes + overflow_bytes, protection) != 0) return false;
    if (locks) return lock_pages(base, fixed_bytes, overflow_bytes);
    return !is_locked || mlock(base, fixed_bytes) == 0; // as it would have been
}

// MARK: where a mapping goes
//
// The kernel gives a mapping's page tables back when it ends, unless another mapping lies beside it, and that costs more than the rest of
// an opening. So each is asked to be behind one that stays: a page without access, at first, and then the newest. Only asked: where
// something is already the kernel takes another place, and it is slower.

enum { PLACES_BYTES = 1 << 30, PAGE_TABLE_BYTES = 2 * 1024 * 1024 };

static uint64_t next_place;

/// Behind a new page that stays, with room for some hundred mappings, and where a page table begins. 0: there is no room.
static uint64_t first_place(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *room = mmap(NULL, PLACES_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return 0;
    size_t before = (PAGE_TABLE_BYTES - (uintptr_t)room % PAGE_TABLE_BYTES) % PAGE_TABLE_BYTES;
    if (before > 0) munmap(room, before);
    munmap(room + before + page, PLACES_BYTES - before - page);
    return (uint64_t)(uintptr_t)(room + before + page);
}

/// Relaxed, as wherever it is changed: any address will do.
static void *place(void)
{
    uint64_t at = mslot__load_relaxed(&next_place);
    return (void *)(uintptr_t)(at != 0 ? at : first_place());
}

mslot_mapping mslot__file_map(const mslot_file *file, const char *path, int protection, unsigned pages)
{
    mslot_mapping mapping = {.bytes = file->header.segment_bytes, .device = file->device, .inode = file->inode};
    mapping.path = strdup(path);
    if (mapping.path == NULL) return mapping;
    size_t bytes = mapped_bytes(mapping.bytes);
    uint64_t fixed_bytes = mslot__header_fixed_bytes(&file->header), overflow_bytes = mapping.bytes - fixed_bytes;
    bool has_overflow = overflow_bytes != 0, populates = (pages & MSLOT_PAGES_POPULATE) != 0, locks = (pages & MSLOT_PAGES_LOCK) != 0;
    // Not so the overflow: populated, its holes would be filled.
    int flags = MAP_SHARED | (populates && !has_overflow ? MAP_POPULATE : 0);
    void *base = mmap(place(), bytes, has_overflow ? PROT_NONE : protection, flags, file->descriptor, 0);
    bool is_mapped = base != MAP_FAILED;
    // EAGAIN - "too much memory has been locked", by mlockall.
    if (!is_mapped && errno == EAGAIN) errno = ENOMEM;
    if (is_mapped) {
        mapping.base = base;
        mslot__store_relaxed(&next_place, (uint64_t)(uintptr_t)base + bytes);
        // A child that had the mapping would keep its dead parent's lock.
        madvise(base, bytes, MADV_DONTFORK);
        if (has_overflow) is_mapped = give_access(base, fixed_bytes, overflow_bytes, protection, locks);
        else if (locks) is_mapped = lock_pages(base, fixed_bytes, 0);
        // Before Linux 5.14 it is refused, and the first use of each page is slower.
        if (populates && has_overflow) madvise(base, fixed_bytes, MADV_POPULATE_WRITE);
    }
    if (!is_mapped || !mslot__guard_add(&mapping, &file->header)) mslot__mapping_end(&mapping);
    return mapping;
}

/// Of a descriptor that no child has, while forks are held.
static mslot_locked lock_and_map(const mslot_file *file, const char *path, off_t byte, unsigned pages)
{
    mslot_locked locked = {.result = mslot__lock_try(file->descriptor, byte)};
    if (locked.result != MSLOT_LOCK_TAKEN) return locked;
    locked.mapping = mslot__file_map(file, path, PROT_READ | PROT_WRITE, pages);
    if (locked.mapping.base == NULL) locked.result = MSLOT_LOCK_FAILED;
    return locked;
}

static bool is_same_file(const mslot_file *file, int descriptor)
{
    struct stat status;
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) return false;
    errno = ESTALE;
    return status.st_dev == file->device && status.st_ino == file->inode;
}

// MARK: whether a mapping keeps its lock
//
// On overlayfs, where a mapping is of another file than the descriptor, the lock goes with the descriptor. So each lock is proved, by
// another description than the one it was taken by. But where one lock of a tmpfs is proved, all later ones of that mount are: a mount
// never becomes one of another file system, its number is never another's, and tmpfs maps every file alike. (A file system in user space
// need not, and one that lies above others does as the one below.)

/// The mount where a lock was proved last, if it is a tmpfs. 0: none.
static uint64_t proved_mount;

static void remember_proof(const mslot_file *file)
{
    enum { TMPFS_NUMBER = 0x01021994 };
    struct statfs status;
    bool holds_for_all = file->mount != 0 && MSLOT_UNINTERRUPTED(fstatfs(file->descriptor, &status)) == 0 && status.f_type == TMPFS_NUMBER;
    // Relaxed: it is true whenever it is seen.
    if (holds_for_all) mslot__store_relaxed(&proved_mount, file->mount);
}

static void prove(mslot_locked *locked, const mslot_file *file, off_t byte)
{
    if (locked->result != MSLOT_LOCK_TAKEN) return;
    if (mslot__lock_is_held(file->descriptor, byte)) {
        remember_proof(file);
        return;
    }
    int error = errno != 0 ? errno : ENOLCK;
    mslot__mapping_end(&locked->mapping);
    locked->result = MSLOT_LOCK_FAILED;
    errno = error;
}

bool mslot__file_lock_itself(mslot_file *file, const char *path, off_t byte, unsigned pages, mslot_locked *locked)
{
    if (file->mount == 0 || file->mount != mslot__load_relaxed(&proved_mount)) return false;
    mslot__forks_hold();
    bool is_ours_alone = file->forks == mslot__forks_so_far();
    if (is_ours_alone) *locked = lock_and_map(file, path, byte, pages);
    if (is_ours_alone && locked->result != MSLOT_LOCK_HELD_BY_ANOTHER) {
        int error = errno;
        close(file->descriptor);
        file->descriptor = -1;
        errno = error;
    }
    mslot__forks_release();
    return is_ours_alone;
}

bool mslot__file_reopen(mslot_file *file, const char *path)
{
    file->mount = 0; // not again by its own descriptor
    int descriptor = MSLOT_UNINTERRUPTED(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (descriptor < 0) return false;
    if (!is_same_file(file, descriptor)) {
        int error = errno;
        close(descriptor);
        errno = error;
        return false;
    }
    file->descriptor = descriptor;
    return true;
}

mslot_locked mslot__file_lock(const mslot_file *file, const char *by, const char *path, off_t byte, unsigned pages)
{
    char proc_path[MSLOT_PROC_PATH_MAX];
    mslot__proc_path(file->descriptor, proc_path);
    mslot_locked locked = {.result = MSLOT_LOCK_FAILED};
    mslot_file again = *file;
    int no_link = by != NULL ? O_NOFOLLOW : 0; // what is in /proc is one
    mslot__forks_hold();
    again.descriptor = MSLOT_UNINTERRUPTED(open(by != NULL ? by : proc_path, O_RDWR | O_CLOEXEC | O_NONBLOCK | no_link));
    if (again.descriptor >= 0) {
        if (is_same_file(file, again.descriptor)) locked = lock_and_map(&again, path, byte, pages);
        int error = errno;
        close(again.descriptor);
        errno = error;
    }
    mslot__forks_release();
    prove(&locked, file, byte);
    return locked;
}

int mslot__mapping_fill(const mslot_mapping *mapping, const void *bytes, uint64_t byte_count, int advice)
{
    uintptr_t page_offset = (uintptr_t)bytes % (uintptr_t)sysconf(_SC_PAGESIZE);
    if (MSLOT_UNINTERRUPTED(madvise((char *)bytes - page_offset, byte_count + page_offset, advice)) == 0) return 0;
    // EFAULT - "a SIGBUS would have been generated": the file system is full.
    if (errno == EFAULT) return ENOSPC;
    // By the file's path where the kernel cannot do it by the mapping (before Linux 5.14).
    int descriptor = MSLOT_UNINTERRUPTED(open(mapping->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (descriptor < 0) return errno;
    int error = ESTALE; // the name has another file by now
    uint64_t offset = (uint64_t)((const char *)bytes - (const char *)mapping->base);
    if (mslot__mapping_is_of(mapping, descriptor)) error = mslot__file_allocate(descriptor, offset, byte_count);
    close(descriptor);
    return error;
}

void mslot__mapping_touch(const void *word)
{
    int error = errno;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    madvise((void *)((uintptr_t)word / page * page), page, MADV_POPULATE_WRITE);
    errno = error;
}

void mslot__mapping_end(mslot_mapping *mapping)
{
    int error = errno;
    mslot__guard_remove(mapping);
    if (mapping->base != NULL) {
        munmap(mapping->base, mapped_bytes(mapping->bytes));
        mslot__store_relaxed(&next_place, (uint64_t)(uintptr_t)mapping->base);
    }
    free(mapping->path);
    mapping->base = NULL;
    mapping->path = NULL;
    errno = error;
}

// Questions to the kernel, asked by doing what Mailslots does.

#include "command.h"

#include <mailslots.h>
#include <mailslots/ring.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The headers of older systems lack these.
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

int command_try_futex_waitv(void)
{
    // EINVAL - "nr_futexes was out of range": it is there, and has looked at what it was given.
    if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == 0 || errno == EINVAL) return 0;
    return errno;
}

int command_try_robust_list(void)
{
    void *head = NULL;
    size_t length = 0;
    if (syscall(SYS_get_robust_list, 0, &head, &length) != 0) return errno;
    return head != NULL ? 0 : ENOENT;
}

/// A new file in the directory, without a name, or with one that is removed at once.
static int open_scratch(const char *directory)
{
    int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor >= 0) return descriptor;
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/mailslot-doctor.XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0) unlink(path);
    return descriptor;
}

static bool try_lock(int descriptor, int command, struct flock *lock)
{
    *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(descriptor, command, lock) == 0;
}

/// Whether the lock that `first` has outlives it in a mapping, as `second` sees it. Closes `first`.
static int try_mapped_lock(int first, int second)
{
    void *base = mmap(NULL, 1, PROT_READ, MAP_SHARED, first, 0);
    int error = base == MAP_FAILED ? errno : 0;
    close(first);
    if (error != 0) return error;
    struct flock lock;
    if (!try_lock(second, F_OFD_GETLK, &lock)) error = errno;
    else if (lock.l_type == F_UNLCK) error = COMMAND_LOCK_NOT_MAPPED;
    munmap(base, 1);
    return error;
}

int command_try_locks(const char *directory)
{
    int first = open_scratch(directory);
    if (first < 0) return errno;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", first);
    int second = open(path, O_RDWR | O_CLOEXEC); // another description
    struct flock lock;
    int error = 0;
    if (second < 0 || !try_lock(first, F_OFD_SETLK, &lock)) error = errno;
    else if (try_lock(second, F_OFD_SETLK, &lock)) error = ENOLCK; // both have it: locks that exclude nobody
    if (error == 0) error = try_mapped_lock(first, second);
    else close(first);
    if (second >= 0) close(second);
    return error;
}

int command_try_unnamed_file(const char *directory)
{
    int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) return errno;
    char from[64], to[4096];
    snprintf(from, sizeof from, "/proc/self/fd/%d", descriptor);
    snprintf(to, sizeof to, "%s/mailslot-doctor.%ld", directory, (long)getpid());
    int error = linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
    if (error == 0) unlink(to);
    close(descriptor);
    return error;
}

command_space command_space_of(const char *directory)
{
    enum {
        TMPFS = 0x01021994,
        RAMFS = (int)0x858458f6,
        HUGETLBFS = (int)0x958458f6,
        NFS = 0x6969,
        CIFS = (int)0xff534d42,
        SMB2 = (int)0xfe534d42,
        FUSE = 0x65735546,
        V9FS = 0x01021997
    };
    command_space space;
    memset(&space, 0, sizeof space);
    struct statfs kind;
    struct statvfs room;
    if (statfs(directory, &kind) != 0 || statvfs(directory, &room) != 0) {
        space.error = errno;
        return space;
    }
    int type = (int)kind.f_type;
    space.is_memory = type == TMPFS || type == RAMFS || type == HUGETLBFS;
    space.is_remote = type == NFS || type == CIFS || type == SMB2 || type == FUSE || type == V9FS;
    space.is_read_only = (room.f_flag & ST_RDONLY) != 0;
    space.bytes = (uint64_t)room.f_blocks * room.f_frsize;
    space.free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    space.files = room.f_files;
    space.free_files = room.f_favail;
    return space;
}

uint64_t command_default_bytes(void)
{
    mslot_header header;
    memset(&header, 0, sizeof header);
    return mslot__layout_header(&header, MSLOT_CELLS_DEFAULT, MSLOT_LANES_DEFAULT, MSLOT_MESSAGE_BYTES_MAX);
}

// MARK: processes

static void pause_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); }

/// Whether the kernel says that the first thread of a process sleeps.
static bool is_asleep(int process)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t bytes = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (bytes <= 0) return false;
    text[bytes] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

int command_publish_and_die(const char *mailslot, int reader)
{
    mslot_opened opened = mslot_open(mailslot, NULL);
    if (opened.failure.outcome != MSLOT_DONE) return (int)opened.failure.outcome;
    mslot_writer *writer = opened.writer;
    mslot_robust_list note = mslot__writer_robust_list_slow(writer);
    mslot__writer_head(writer, mslot__ring_own_slot(&writer->ring), 0);
    enum { TRIES = 50000 };
    for (int i = 0; i < TRIES; i++) {
        bool is_parked = mslot__load_acquire(&writer->ring.ring.control->parked_position) != 0;
        if (is_parked && is_asleep(reader)) {
            // A write up to the step before the wake. The note stays, for the kernel to find.
            mslot_publication publication = mslot__ring_publish(&writer->ring, note, NULL);
            if (publication.outcome != MSLOT_DONE) return (int)publication.outcome;
            kill(getpid(), SIGKILL);
        }
        pause_a_little();
    }
    return -1;
}

int command_is_locked(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) return -1;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = MSLOT_LOCK_READER, .l_len = 1};
    int result = fcntl(descriptor, F_OFD_GETLK, &lock) != 0 ? -1 : lock.l_type != F_UNLCK;
    close(descriptor);
    return result;
}

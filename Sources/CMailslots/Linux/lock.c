// Open-file-description locks: they say who is alive. A lock lives exactly as long as the mapping made from its descriptor. Where it does
// not, nothing is created or opened: mslot__file_prove_lock.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>

mslot_lock_result mslot__lock_try(int descriptor, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    if (MSLOT_UNINTERRUPTED(fcntl(descriptor, F_OFD_SETLK, &lock)) == 0) return MSLOT_LOCK_TAKEN;
    // EAGAIN, EACCES - "Operation is prohibited by locks held by other processes."
    return errno == EAGAIN || errno == EACCES ? MSLOT_LOCK_HELD_BY_ANOTHER : MSLOT_LOCK_FAILED;
}

mslot_locked_bytes mslot__lock_find(int descriptor, off_t first, off_t end)
{
    // Asked for a lock for reading, the kernel tells of locks for writing alone. We take no others, so those of others say nothing.
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = end - first};
    mslot_locked_bytes none = {.first = end, .end = end};
    errno = 0;
    if (MSLOT_UNINTERRUPTED(fcntl(descriptor, F_OFD_GETLK, &lock)) != 0) return none;
    errno = 0; // an interrupted try has set it
    if (lock.l_type == F_UNLCK) return none;
    // It may begin before the range and end behind it; a length of 0 means that it has no end.
    off_t lock_end = lock.l_len == 0 || lock.l_len > end - lock.l_start ? end : lock.l_start + lock.l_len;
    return (mslot_locked_bytes){.first = lock.l_start > first ? lock.l_start : first, .end = lock_end};
}

bool mslot__lock_is_held(int descriptor, off_t byte)
{
    mslot_locked_bytes locked = mslot__lock_find(descriptor, byte, byte + 1);
    return locked.first < locked.end;
}

// Open-file-description locks: they say who is alive. A lock lives exactly as long as the mapping made from its descriptor. Where it does
// not, nothing is created or opened: mslot__file_prove_lock.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>

static struct flock write_lock_on(off_t byte)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

mslot_lock_result mslot__lock_try(int descriptor, off_t byte)
{
    struct flock lock = write_lock_on(byte);
    if (MSLOT_UNINTERRUPTED(fcntl(descriptor, F_OFD_SETLK, &lock)) == 0) return MSLOT_LOCK_TAKEN;
    // EAGAIN, EACCES - "Operation is prohibited by locks held by other processes."
    return errno == EAGAIN || errno == EACCES ? MSLOT_LOCK_HELD_BY_ANOTHER : MSLOT_LOCK_FAILED;
}

bool mslot__lock_is_held(int descriptor, off_t byte)
{
    struct flock lock = write_lock_on(byte);
    errno = 0;
    if (MSLOT_UNINTERRUPTED(fcntl(descriptor, F_OFD_GETLK, &lock)) != 0) return false;
    errno = 0; // an interrupted try has set it
    return lock.l_type != F_UNLCK;
}

// Why a call failed: what an errno means for a mailslot; and whom a caller trusts.

#include "linux.h"

#include <errno.h>
#include <unistd.h>

mslot_failure mslot__failure_errno(int error)
{
    mslot_outcome outcome = MSLOT_SYSTEM_ERROR;
    switch (error) {
    case ENOENT: // "A component of the pathname does not exist."
        outcome = MSLOT_NOT_FOUND;
        break;
    case EACCES: // "Permission denied."
    case EPERM:  // "Operation not permitted": the directory's sticky bit, or a sealed file.
    case EROFS:  // "A file on a read-only file system and write access was requested."
        outcome = MSLOT_NO_PERMISSION;
        break;
    case ENOSPC: // "There is not enough space left on the device."
    case EDQUOT: // "The user's quota of blocks or inodes has been exhausted."
    case EFBIG:  // "offset+len exceeds the maximum file size": RLIMIT_FSIZE, or a limit of the file system.
        outcome = MSLOT_NO_SPACE;
        break;
    case ELOOP:  // O_NOFOLLOW met a symbolic link.
    case EISDIR: // "pathname refers to a directory."
    case ENXIO:  // A socket, or a FIFO without a reader.
    case ENODEV: // A device without a driver.
        outcome = MSLOT_NOT_A_MAILSLOT;
        break;
    default: break;
    }
    mslot_failure failure = mslot__failure_of(outcome);
    failure.system_error = error;
    return failure;
}

bool mslot__is_trusted(uint32_t owner, uint32_t trust_user)
{
    return owner == geteuid() || owner == 0 || owner == trust_user || trust_user == MSLOT_TRUST_ANYONE;
}

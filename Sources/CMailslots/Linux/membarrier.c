// One side pays for two: who waits for room makes the reader's fence for it, so that the reader, who does it with each message, has none.

#include "linux.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool membarrier(int command)
{
    int saved_errno = errno;
    bool is_done = syscall(SYS_membarrier, command, 0, 0) == 0;
    errno = saved_errno;
    return is_done;
}

// A registration is the process's, not the reader's, and a second one costs nothing. Refused (before Linux 4.16, by a sandbox, by an
// emulator), the reader keeps its fence.
void mslot__reader_leave_fence(mslot_reader *reader)
{
    if (membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)) mslot__ring_leave_fence(&reader->ring);
}

bool mslot__fence_others(void) { return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED); }

// Time as the library sees it here: it passes only by being looked at, a millisecond each time, and is an hour ahead of the kernel's.
//
// So a sleeper's re-check after a second never comes: whoever sleeps is woken, or sleeps until the watchdog. Polling before a sleep
// ends at the second look. And two runs of the same call take the same way, instruction by instruction.
// These two take the place of libc's in this program; the library's code is untouched.

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD_SECONDS = 3600, LOOK_NS = 1000000 };
/// An opener starts its search for a lane at a bit above the 33rd of a multiple of the time: the same one in every run.
#define ROUND_NS ((long long)1 << 40)

static long long looks;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    long long now = (long long)(time->tv_sec + AHEAD_SECONDS) * 1000000000 + time->tv_nsec;
    now = (now + ROUND_NS) / ROUND_NS * ROUND_NS + ++looks * LOOK_NS;
    time->tv_sec = (time_t)(now / 1000000000);
    time->tv_nsec = (long)(now % 1000000000);
    return result;
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
    (void)left;
    looks += duration->tv_sec * 1000 + duration->tv_nsec / LOOK_NS;
    return 0;
}

// Preloaded into a bridge: its clock is wrong by as many seconds as CLOCK_OFFSET_SECONDS says.
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static long offset;
    if (real == NULL) {
        const char *text = getenv("CLOCK_OFFSET_SECONDS");
        offset = text == NULL ? 0 : atol(text);
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += offset;
    return result;
}

// Time by its Windows names.

#include "win.h"

#include <time.h>

/// From 1601 to 1970, in units of 100 ns.
static const uint64_t EPOCH_TICKS = 116444736000000000ULL;
static const uint64_t TICKS_A_SECOND = 10000000ULL;

ULONGLONG WINAPI GetTickCount64(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (ULONGLONG)now.tv_sec * 1000 + (ULONGLONG)now.tv_nsec / 1000000;
}

DWORD WINAPI GetTickCount(void) { return (DWORD)GetTickCount64(); }

BOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *lpPerformanceCount)
{
    lpPerformanceCount->QuadPart = mslot__win_now_ns();
    return TRUE;
}

BOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *lpFrequency)
{
    lpFrequency->QuadPart = 1000000000;
    return TRUE;
}

static uint64_t ticks_of(const FILETIME *time) { return (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime; }

void WINAPI GetSystemTimeAsFileTime(LPFILETIME lpSystemTimeAsFileTime)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ticks = EPOCH_TICKS + (uint64_t)now.tv_sec * TICKS_A_SECOND + (uint64_t)now.tv_nsec / 100;
    *lpSystemTimeAsFileTime = (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
}

static SYSTEMTIME system_time_of(const struct tm *time, unsigned milliseconds)
{
    return (SYSTEMTIME){.wYear = (WORD)(time->tm_year + 1900),
        .wMonth = (WORD)(time->tm_mon + 1),
        .wDayOfWeek = (WORD)time->tm_wday,
        .wDay = (WORD)time->tm_mday,
        .wHour = (WORD)time->tm_hour,
        .wMinute = (WORD)time->tm_min,
        .wSecond = (WORD)time->tm_sec,
        .wMilliseconds = (WORD)milliseconds};
}

static void now_in_parts(SYSTEMTIME *parts, struct tm *(*split)(const time_t *, struct tm *))
{
    struct timespec now;
    struct tm time;
    clock_gettime(CLOCK_REALTIME, &now);
    split(&now.tv_sec, &time);
    *parts = system_time_of(&time, (unsigned)(now.tv_nsec / 1000000));
}

void WINAPI GetSystemTime(LPSYSTEMTIME lpSystemTime) { now_in_parts(lpSystemTime, gmtime_r); }
void WINAPI GetLocalTime(LPSYSTEMTIME lpSystemTime) { now_in_parts(lpSystemTime, localtime_r); }

BOOL WINAPI FileTimeToSystemTime(const FILETIME *lpFileTime, LPSYSTEMTIME lpSystemTime)
{
    uint64_t ticks = ticks_of(lpFileTime);
    if (ticks >> 63 != 0) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    time_t seconds = (time_t)(ticks / TICKS_A_SECOND) - (time_t)(EPOCH_TICKS / TICKS_A_SECOND);
    struct tm time;
    if (gmtime_r(&seconds, &time) == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    *lpSystemTime = system_time_of(&time, (unsigned)(ticks % TICKS_A_SECOND / 10000));
    return TRUE;
}

LONG WINAPI CompareFileTime(const FILETIME *lpFileTime1, const FILETIME *lpFileTime2)
{
    uint64_t first = ticks_of(lpFileTime1), second = ticks_of(lpFileTime2);
    return first < second ? -1 : first > second;
}

/*
 * A Windows program that measures mailslots, from the same text under Wine and on Linux: rounds echo | rounds measure
 *
 * Both sides create a mailslot each. `measure` sends to \\.\mailslot\bench.there, `echo` answers to \\.\mailslot\bench.back. A message
 * begins with what is to be done with it.
 */
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THERE "\\\\.\\mailslot\\bench.there"
#define BACK "\\\\.\\mailslot\\bench.back"

enum { BYTES_MAX = 424, WARM_UP = 1000, ROUND_TRIPS = 20000, ONE_WAY = 50000, SECONDS_MAX = 30 };

/* To be answered; only counted; the last of those, to be answered with the ticks that they took; end. */
enum { ANSWER = 'a', COUNT = 'c', LAST = 'l', QUIT = 'q' };

static void require(BOOL good, const char *what)
{
    if (good) return;
    fprintf(stderr, "%s failed: %lu\n", what, (unsigned long)GetLastError());
    exit(1);
}

static LONGLONG now(void)
{
    LARGE_INTEGER ticks;
    QueryPerformanceCounter(&ticks);
    return ticks.QuadPart;
}

static double microseconds(LONGLONG ticks)
{
    LARGE_INTEGER frequency;
    QueryPerformanceFrequency(&frequency);
    return (double)ticks * 1e6 / (double)frequency.QuadPart;
}

static HANDLE create(const char *name)
{
    HANDLE slot = CreateMailslotA(name, 0, SECONDS_MAX * 1000, NULL);
    require(slot != INVALID_HANDLE_VALUE, "CreateMailslot");
    return slot;
}

static HANDLE open_when_there(const char *name)
{
    HANDLE slot = INVALID_HANDLE_VALUE;
    for (int i = 0; i < SECONDS_MAX * 100 && slot == INVALID_HANDLE_VALUE; i++) {
        slot = CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
        if (slot == INVALID_HANDLE_VALUE) Sleep(10);
    }
    require(slot != INVALID_HANDLE_VALUE, "CreateFile");
    return slot;
}

static void send_message(HANDLE slot, const void *bytes, DWORD count)
{
    DWORD written;
    require(WriteFile(slot, bytes, count, &written, NULL) && written == count, "WriteFile");
}

static DWORD receive(HANDLE slot, void *bytes)
{
    DWORD count;
    require(ReadFile(slot, bytes, BYTES_MAX, &count, NULL), "ReadFile");
    return count;
}

static int echo(void)
{
    char bytes[BYTES_MAX];
    HANDLE there = create(THERE), back = open_when_there(BACK);
    LONGLONG first = 0;
    for (;;) {
        DWORD count = receive(there, bytes);
        switch (bytes[0]) {
        case ANSWER: send_message(back, bytes, count); break;
        case COUNT:
            if (first == 0) first = now();
            break;
        case LAST:
            first = now() - first;
            send_message(back, &first, sizeof first);
            first = 0;
            break;
        default: return 0;
        }
    }
}

static int compare(const void *a, const void *b)
{
    LONGLONG left = *(const LONGLONG *)a, right = *(const LONGLONG *)b;
    return left < right ? -1 : left > right;
}

static void measure_size(HANDLE there, HANDLE back, DWORD count)
{
    static LONGLONG samples[ROUND_TRIPS];
    char bytes[BYTES_MAX] = {0};
    bytes[0] = ANSWER;
    for (int i = -WARM_UP; i < ROUND_TRIPS; i++) {
        LONGLONG before = now();
        send_message(there, bytes, count);
        require(receive(back, bytes) == count, "the answer");
        if (i >= 0) samples[i] = now() - before;
    }
    qsort(samples, ROUND_TRIPS, sizeof samples[0], compare);

    LONGLONG took;
    bytes[0] = COUNT;
    for (int i = 0; i < ONE_WAY; i++) send_message(there, bytes, count);
    bytes[0] = LAST;
    send_message(there, bytes, count);
    require(receive(back, &took) == sizeof took, "the last answer");
    printf("%lu B: round trip p50 %.1f us, p99 %.1f us; one way %.3f million a second\n", (unsigned long)count,
        microseconds(samples[ROUND_TRIPS / 2]), microseconds(samples[ROUND_TRIPS / 100 * 99]), ONE_WAY / microseconds(took));
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    if (strcmp(argv[1], "echo") == 0) return echo();
    HANDLE back = create(BACK), there = open_when_there(THERE);
    measure_size(there, back, 32);
    measure_size(there, back, 424);
    char quit = QUIT;
    send_message(there, &quit, 1);
    return 0;
}

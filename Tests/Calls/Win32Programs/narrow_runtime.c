// What an ANSI program has of Microsoft's C runtime. Prints how many of its checks fail, and which.
#include <windows.h>
#include <stdio.h>

static int failures;
#define CHECK(condition)                                                 \
    do {                                                                 \
        if (!(condition)) {                                              \
            failures++;                                                  \
            printf("line %d: %s\n", __LINE__, #condition);               \
        }                                                                \
    } while (0)

static void scan(void)
{
    struct { DWORD n; DWORD guard; } s = {0, 0x11111111};
    LONG pair[2] = {0, 5};
    char text[10];

    CHECK(sscanf("7", "%lu", &s.n) == 1 && s.n == 7 && s.guard == 0x11111111);
    CHECK(sscanf("-1", "%ld", &pair[0]) == 1 && pair[0] == -1 && pair[1] == 5);
    CHECK(sscanf("ff", "%lx", &s.n) == 1 && s.n == 255 && s.guard == 0x11111111);
    CHECK(scanf("%lu %s", &s.n, text) == 2 && s.n == 42 && s.guard == 0x11111111 && strcmp(text, "word") == 0);
    CHECK(fscanf(stdin, "%ld", &pair[0]) == 1 && pair[0] == -43 && pair[1] == 5);
}

int main(void)
{
    scan();
    printf("failures: %d\n", failures);
    return 0;
}

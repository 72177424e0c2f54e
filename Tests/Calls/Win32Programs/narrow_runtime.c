// What an ANSI program has of Microsoft's C runtime. Prints how many of its checks fail, and which.
#include <windows.h>
#include <stdio.h>
#include <time.h>

static int failures;
static const char *argument;
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

static void small(void)
{
    char name[MAX_COMPUTERNAME_LENGTH + 50], path[_MAX_PATH], line[20] = "";
    DWORD size = 1;
    time_t now = time(NULL);
    struct tm parts = {0};
    FILE *file;

    CHECK(_countof(path) == 260);
    CHECK(!GetComputerName(name, &size) && GetLastError() == ERROR_BUFFER_OVERFLOW && size > 1);
    CHECK(GetComputerName(name, &size) && size == strlen(name) && strchr(name, '.') == NULL);
    CHECK(SetConsoleTitle("narrow") && !SetConsoleTitle(NULL));
    CHECK(localtime_s(&parts, &now) == 0 && parts.tm_year > 100);
    CHECK(fopen_s(&file, "/nowhere/at/all", "r") != 0 && file == NULL);
    CHECK(fopen_s(&file, argument, "r") == 0 && file != NULL && fclose(file) == 0);
    file = _popen("echo piped", "r");
    CHECK(file != NULL && fgets(line, sizeof line, file) != NULL && strcmp(line, "piped\n") == 0 && _pclose(file) == 0);
    CHECK(printf_s("%s", "") == 0);
}

int main(int argc, char **argv)
{
    scan();
    argument = argv[0];
    small();
    printf("failures: %d\n", failures);
    return 0;
}

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TESTS_MAX = 800, WATCHDOG_SECONDS = 60, WORD_BYTES = 900 };

typedef struct test {
    const char *name;
    void (*body)(void);
} test;

static test tests[TESTS_MAX];
static size_t test_count;

static const test *running;
static pid_t running_process; // the test's own process; its children have others
static int report[2];         // what ended the test: the first word counts
static volatile pid_t running_group;
static volatile sig_atomic_t interrupted, timed_out;
static char case_text[200];
static uint64_t seed_given;
static uint64_t random_state;

void test_register(const char *name, void (*body)(void))
{
    if (test_count == TESTS_MAX) abort();
    tests[test_count++] = (test){name, body};
}

// MARK: the end of a test

/// Writes one word to the process of the harness: 'F' or 'S', and why. Whole words only: less than PIPE_BUF.
static void report_word(char kind, const char *text)
{
    char word[WORD_BYTES];
    int length = snprintf(word, sizeof word, "%c%s%c", kind, text, '\0');
    if (length > (int)sizeof word) length = sizeof word;
    if (write(report[1], word, (size_t)length) < 0) abort();
}

_Noreturn static void end_test(int status)
{
    if (getpid() != running_process) kill(running_process, SIGKILL);
    _exit(status);
}

_Noreturn void fail_at(const char *file, int line, const char *what, ...)
{
    char text[WORD_BYTES - 8];
    const char *base = strrchr(file, '/');
    int length = snprintf(text, sizeof text, "%s:%d: ", base != NULL ? base + 1 : file, line);
    va_list arguments;
    va_start(arguments, what);
    length += vsnprintf(text + length, sizeof text - (size_t)length, what, arguments);
    va_end(arguments);
    if (case_text[0] != 0 && length < (int)sizeof text) snprintf(text + length, sizeof text - (size_t)length, " [%s]", case_text);
    report_word('F', text);
    end_test(1);
}

_Noreturn void skip(const char *reason, ...)
{
    char text[WORD_BYTES - 8];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    report_word('S', text);
    end_test(0);
}

void trying(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

// MARK: chance

uint64_t random_next(void)
{
    if (random_state == 0) {
        random_state = seed_given != 0 ? seed_given : (uint64_t)now_ns() % 1000000000 + 1;
        printf("seed %llu for %s\n", (unsigned long long)random_state, running->name);
        fflush(stdout);
    }
    // splitmix64
    uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

// MARK: running

/// Ends the test that runs: it takes too long, or somebody ends the harness, which then cleans up. A test could not be its own watchdog:
/// what hangs may have its signals blocked, as our calls have while nothing may cut in.
static void end_what_runs(int number)
{
    if (number == SIGALRM) timed_out = 1;
    else interrupted = number;
    if (running_group > 0) kill(-running_group, SIGKILL);
}

static void on_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
    for (size_t i = 0; i < 4; i++) sigaction(numbers[i], &(struct sigaction){.sa_handler = handler}, NULL);
}

_Noreturn static void run_body(const char *directory)
{
    setpgid(0, 0);
    on_signals(SIG_DFL);
    running_process = getpid();
    setenv("MAILSLOT_DIRECTORY", directory, 1);
    unsigned descriptors_before = descriptors_open();
    running->body();
    case_text[0] = 0;
    if (descriptors_open() != descriptors_before)
        fail_at(__FILE__, __LINE__, "expected as many open descriptors as before, %u, got %u", descriptors_before, descriptors_open());
    fflush(stdout);
    exit(0); // not _exit: a leak detector looks now
}

/// Removes the directory and what is in it; the name of something that was in it, or an empty string.
static void remove_directory(const char *path, char left[NAME_MAX + 1])
{
    left[0] = 0;
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(left, NAME_MAX + 1, "%s", entry->d_name);
        char inner[PATH_MAX];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        remove(inner);
    }
    if (entries != NULL) closedir(entries);
    remove(path);
}

/// 'o' ok, 'F' failed, 'S' skipped; `why` has room for a word.
static char run_test(const test *which, char *why)
{
    running = which;
    char directory[] = "/dev/shm/core-tests.XXXXXX";
    char fallback[] = "/tmp/core-tests.XXXXXX";
    char *made = mkdtemp(directory);
    if (made == NULL) made = mkdtemp(fallback);
    if (made == NULL || chmod(made, 0777) != 0 || pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
        snprintf(why, WORD_BYTES, "the harness: %s", strerror(errno));
        return 'F';
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) run_body(made);
    setpgid(child, child);
    running_group = child;
    timed_out = 0;
    alarm(WATCHDOG_SECONDS);
    int status = child_wait(child, 0);
    alarm(0);
    running_group = 0;
    // What the test left running. They are our children now, see main.
    kill(-child, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}

    char word[WORD_BYTES];
    ssize_t length = read(report[0], word, sizeof word - 1);
    close(report[0]);
    close(report[1]);
    char left[NAME_MAX + 1];
    remove_directory(made, left);

    char result = 'o';
    if (length > 0) {
        word[length] = 0;
        result = word[0];
        snprintf(why, WORD_BYTES, "%s", word + 1);
    } else if (timed_out) {
        result = 'F';
        snprintf(why, WORD_BYTES, "it was not done after %d seconds", WATCHDOG_SECONDS);
    } else if (WIFSIGNALED(status)) {
        result = 'F';
        snprintf(why, WORD_BYTES, "it was killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        result = 'F';
        snprintf(why, WORD_BYTES, "it ended with status %d", WEXITSTATUS(status));
    }
    if (result == 'o' && left[0] != 0) {
        result = 'F';
        snprintf(why, WORD_BYTES, "it left a file behind: %s", left);
    }
    return result;
}

static const test *find_test(const char *name)
{
    for (size_t i = 0; i < test_count; i++)
        if (strcmp(tests[i].name, name) == 0) return &tests[i];
    fprintf(stderr, "There is no test %s; --list names them.\n", name);
    exit(2);
}

int main(int argument_count, char **arguments)
{
    // Who starts us may have signals blocked, as the threads of Swift's dispatch have; the watchdog and many tests need them.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    const test *chosen[TESTS_MAX];
    size_t chosen_count = 0;
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--list") == 0) {
            for (size_t t = 0; t < test_count; t++) puts(tests[t].name);
            return 0;
        }
        if (strcmp(arguments[i], "--seed") == 0 && i + 1 < argument_count) {
            seed_given = strtoull(arguments[++i], NULL, 0);
        } else if (chosen_count < TESTS_MAX) {
            chosen[chosen_count++] = find_test(arguments[i]);
        }
    }
    if (chosen_count == 0)
        for (size_t t = 0; t < test_count; t++) chosen[chosen_count++] = &tests[t];

    prctl(PR_SET_CHILD_SUBREAPER, 1); // so that the children of a test that died are ours to wait for
    on_signals(end_what_runs);
    unsigned passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < chosen_count && interrupted == 0; i++) {
        char why[WORD_BYTES];
        switch (run_test(chosen[i], why)) {
        case 'o':
            passed++;
            printf("ok %s\n", chosen[i]->name);
            break;
        case 'S':
            skipped++;
            printf("skipped %s: %s\n", chosen[i]->name, why);
            break;
        default:
            failed++;
            printf("FAILED %s: %s\n", chosen[i]->name, why);
            break;
        }
        fflush(stdout);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0 || interrupted != 0;
}

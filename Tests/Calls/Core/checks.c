// What tests are made of, and what needs no harness: comparing, the time, processes.

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <mailslots.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS_LOOKED_AT = 256 };

// MARK: comparing

void expect_equal_at(const char *file, int line, const char *what, uint64_t actual, const char *wanted, uint64_t expected)
{
    if (actual == expected) return;
    fail_at(file, line, "expected %s == %s, got %lld (0x%llx) instead of %lld (0x%llx)", what, wanted, (long long)actual,
        (unsigned long long)actual, (long long)expected, (unsigned long long)expected);
}

void expect_outcome_at(const char *file, int line, const char *what, int actual, int expected)
{
    if (actual == expected) return;
    fail_at(file, line, "expected \"%s\" from %s, got \"%s\"", mslot_outcome_text((mslot_outcome)expected), what,
        mslot_outcome_text((mslot_outcome)actual));
}

// MARK: time

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

void poll_pause(void) { nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); }

// MARK: processes

pid_t child_start(void)
{
    pid_t child = fork();
    if (child < 0) fail_at(__FILE__, __LINE__, "cannot fork: %s", strerror(errno));
    return child;
}

_Noreturn void child_end(void) { _exit(0); }

int child_wait(pid_t child, int options)
{
    int status;
    while (waitpid(child, &status, options) < 0)
        if (errno != EINTR) fail_at(__FILE__, __LINE__, "cannot wait for a child: %s", strerror(errno));
    return status;
}

void child_join(pid_t child)
{
    int status = child_wait(child, 0);
    if (WIFSIGNALED(status))
        fail_at(__FILE__, __LINE__, "a child was killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0) fail_at(__FILE__, __LINE__, "a child ended with status %d", WEXITSTATUS(status));
}

void child_kill(pid_t child)
{
    kill(child, SIGKILL);
    int status = child_wait(child, 0);
    if (!WIFSIGNALED(status))
        fail_at(__FILE__, __LINE__, "a child ended by itself, with status %d, before it was killed", WEXITSTATUS(status));
}

void child_stop(pid_t child)
{
    kill(child, SIGSTOP);
    int status = child_wait(child, WUNTRACED);
    if (!WIFSTOPPED(status)) fail_at(__FILE__, __LINE__, "a child ended before it was stopped");
}

void child_continue(pid_t child) { kill(child, SIGCONT); }

uint64_t *shared_words(size_t count)
{
    void *words = mmap(NULL, count * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED) fail_at(__FILE__, __LINE__, "no shared memory: %s", strerror(errno));
    return words;
}

unsigned descriptors_open(void)
{
    unsigned count = 0;
    for (int descriptor = 0; descriptor < DESCRIPTORS_LOOKED_AT; descriptor++)
        if (fcntl(descriptor, F_GETFD) >= 0) count++;
    return count;
}

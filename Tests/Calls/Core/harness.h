// A small harness: a test is a function whose name is a claim, and runs in a process of its own.
//
// A failed `expect`, in the test's process or in any child or thread of it, ends the test. So do a signal and the watchdog.
// Each test has an empty MAILSLOT_DIRECTORY, and must leave it empty and no descriptor open.
#ifndef CORE_TESTS_HARNESS_H
#define CORE_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: tests

/// Defines and registers a test.
#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void) { test_register(#name, name); } \
    static void name(void)

void test_register(const char *name, void (*body)(void));

/// Ends the test as skipped.
_Noreturn void skip(const char *reason, ...) __attribute__((format(printf, 1, 2)));

/// Ends the test as failed.
_Noreturn void fail_at(const char *file, int line, const char *what, ...) __attribute__((format(printf, 3, 4)));

/// Says which case of a table or a loop is being tried, for the message of a failure.
void trying(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define expect(condition)                                                         \
    do {                                                                          \
        if (!(condition)) fail_at(__FILE__, __LINE__, "expected %s", #condition); \
    } while (0)

#define expect_equal(actual, expected) expect_equal_at(__FILE__, __LINE__, #actual, (uint64_t)(actual), #expected, (uint64_t)(expected))
void expect_equal_at(const char *file, int line, const char *what, uint64_t actual, const char *wanted, uint64_t expected);

/// For mslot_outcome: a failure tells both in words.
#define expect_outcome(actual, expected) expect_outcome_at(__FILE__, __LINE__, #actual, (int)(actual), (int)(expected))
void expect_outcome_at(const char *file, int line, const char *what, int actual, int expected);

// MARK: time

int64_t now_ns(void);
enum { MILLISECOND = 1000000, SECOND = 1000000000 };
static const int64_t TEST_TIMEOUT_NS = 20LL * SECOND;
/// What "at once" means on a busy machine: less than the second after which every sleeper looks again by itself.
static const int64_t AT_ONCE_NS = 800LL * MILLISECOND;

/// Polls until the condition holds; fails the test when that takes longer than anything here may.
#define wait_until(condition)                                                                                          \
    do {                                                                                                               \
        for (int64_t begun_ = now_ns(); !(condition); poll_pause())                                                    \
            if (now_ns() - begun_ > TEST_TIMEOUT_NS) fail_at(__FILE__, __LINE__, "waited in vain for %s", #condition); \
    } while (0)
void poll_pause(void);

// MARK: random numbers

/// The first call of a test prints the seed; `--seed N` repeats it.
uint64_t random_next(void);
static inline uint64_t random_below(uint64_t limit) { return random_next() % limit; }

// MARK: processes

/// Forks: 0 in the child, which ends with child_end. Children that are left over when the test ends are killed.
pid_t child_start(void);
_Noreturn void child_end(void);
/// As waitpid, but never interrupted; the status.
int child_wait(pid_t child, int options);
/// Waits for a child that must end by child_end.
void child_join(pid_t child);
/// `kill -9`, and waits until it is gone.
void child_kill(pid_t child);
/// Stops a child, and waits until it is stopped.
void child_stop(pid_t child);
void child_continue(pid_t child);

/// Zeroed words that this process and its children share.
uint64_t *shared_words(size_t count);
static inline uint64_t shared_get(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline void shared_set(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
static inline uint64_t shared_add(uint64_t *word, uint64_t value) { return __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST); }

/// How many descriptors are open.
unsigned descriptors_open(void);

#endif

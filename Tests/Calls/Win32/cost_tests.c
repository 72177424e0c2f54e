// What a call does not cost: system calls, where nobody sleeps.

#include "common.h"

#include "../Core/traced.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { MARK = SYS_getsid, MESSAGES = 100, HEAP_BYTES = 4000 }; // nobody calls getsid by chance

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

static HANDLE server, client;
static char in_the_data[100] = "data";
static char in_the_bss[100];
static char *in_the_heap;
static char *mapped;
/// What is done between the marks.
static void (*measured)(void);

static void open_both(void)
{
    server = must_create(SLOT, 0, 0);
    client = must_open(SLOT);
    in_the_heap = malloc(HEAP_BYTES);
    mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    measured();
}

static void write_from(const char *bytes)
{
    DWORD count;
    expect(WriteFile(client, bytes, 100, &count, NULL) && count == 100);
}

static void read_into(char *buffer)
{
    DWORD count;
    expect(ReadFile(server, buffer, 100, &count, NULL) && count == 100);
}

static void write_and_read_everywhere(void)
{
    static const char in_the_text[100] = "constant";
    char on_the_stack[100] = "stack";
    for (int i = 0; i < MESSAGES; i++) {
        write_from(on_the_stack);
        read_into(on_the_stack);
        write_from(in_the_data);
        read_into(in_the_bss);
        write_from(in_the_text);
        read_into(in_the_heap);
        write_from(in_the_heap + HEAP_BYTES - 100);
        read_into(in_the_data);
        expect_error(read_some(server), ERROR_SEM_TIMEOUT); // nothing is there, and it is not waited for
        expect_error(WriteFile(client, NULL, 1, NULL, NULL), ERROR_NOACCESS);
        expect_error(WriteFile(client, (void *)8, 1, NULL, NULL), ERROR_NOACCESS);
    }
}

static void write_and_read_what_is_mapped(void)
{
    for (int i = 0; i < MESSAGES; i++) {
        write_from(mapped);
        read_into(mapped);
    }
}

static void between_marks(void)
{
    syscall(MARK, 0);
    measured();
    syscall(MARK, 0);
    CloseHandle(client);
    CloseHandle(server);
}

/// How many system calls a thread makes for `what`, when it has done it once.
static unsigned system_calls_of(void (*what)(void))
{
    measured = what;
    pid_t child = traced_start(open_both, between_marks);
    unsigned calls = 0;
    int marks = 0;
    while (traced_go_on(child, PTRACE_SYSCALL) == TRACED_SYSTEM_CALL) {
        traced_call call = traced_system_call(child);
        if (!call.at_entry) continue;
        if (call.number == MARK) marks++;
        else if (marks == 1) calls++;
        if (marks == 1 && call.number != MARK) trying("system call %llu", call.number);
    }
    expect_equal(marks, 2);
    return calls;
}

TEST(a_read_and_a_write_make_no_system_call_when_nobody_sleeps)
{
    if (SANITIZED) skip("a sanitizer has a stack and a heap of its own");
    expect_equal(system_calls_of(write_and_read_everywhere), 0);
    // That they are counted at all: memory of which the process knows nothing is asked for.
    expect_equal(system_calls_of(write_and_read_what_is_mapped), 2 * MESSAGES);
}

// MARK: on a thread of the program's, and on a stack of its own making

/// In the gap that the kernel keeps below the first thread's stack, and above all that is mapped.
static void *in_the_gap;

static void write_and_read_on_this_stack(void)
{
    char on_the_stack[100] = "here", buffer[100];
    write_from(on_the_stack);
    read_into(buffer);
    expect(memcmp(on_the_stack, buffer, sizeof buffer) == 0);
    expect_error(WriteFile(client, in_the_gap, 1, NULL, NULL), ERROR_NOACCESS);
    expect_error(ReadFile(server, in_the_gap, 1, NULL, NULL), ERROR_NOACCESS);
}

static void *run_in_a_thread(void *unused)
{
    (void)unused;
    write_and_read_on_this_stack();
    return NULL;
}

static void run_on_a_stack_of_our_own(void)
{
    enum { STACK_BYTES = 256 * 1024 };
    ucontext_t here, there;
    expect_equal(getcontext(&there), 0);
    there.uc_stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    there.uc_stack.ss_size = STACK_BYTES;
    there.uc_link = &here;
    makecontext(&there, write_and_read_on_this_stack, 0);
    expect_equal(swapcontext(&here, &there), 0);
}

TEST(a_bad_buffer_is_error_998_whatever_stack_the_caller_is_on)
{
    server = must_create(SLOT, 0, 0);
    client = must_open(SLOT);
    in_the_gap = (char *)__builtin_frame_address(0) - 64 * 1024 * 1024;
    write_and_read_on_this_stack();
    pthread_t thread;
    expect_equal(pthread_create(&thread, NULL, run_in_a_thread, NULL), 0);
    pthread_join(thread, NULL);
    if (!SANITIZED) run_on_a_stack_of_our_own();
    CloseHandle(client);
    CloseHandle(server);
}

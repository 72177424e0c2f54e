#include "traced.h"

#include "harness.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_GET_SYSCALL_INFO // glibc before 2.31
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif

/// The kernel's struct ptrace_syscall_info, as far as it is used here: libc and kernel headers define it differently.
typedef struct syscall_information {
    uint8_t kind; // 1: entry, 2: exit
    uint8_t pad[3];
    uint32_t architecture;
    uint64_t instruction_pointer, stack_pointer;
    union {
        struct {
            uint64_t number, arguments[6];
        } entry;
        struct {
            int64_t result;
            uint8_t is_error;
        } exit;
    };
} syscall_information;

static int wait_for_stop(pid_t child)
{
    int status;
    while (waitpid(child, &status, __WALL) < 0)
        if (errno != EINTR) fail_at(__FILE__, __LINE__, "cannot wait: %s", strerror(errno));
    return status;
}

pid_t traced_start(void (*prepare)(void), void (*act)(void))
{
    pid_t child = child_start();
    if (child == 0) {
        if (prepare != NULL) prepare();
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) skip("ptrace is not allowed here: %s", strerror(errno));
        raise(SIGSTOP);
        act();
        child_end();
    }
    if (!WIFSTOPPED(wait_for_stop(child))) fail_at(__FILE__, __LINE__, "a traced child ended before it began");
    if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0)
        skip("this kernel cannot trace system calls: %s", strerror(errno));
    return child;
}

traced_event traced_go_on(pid_t child, int how)
{
    int signal_to_pass = 0;
    for (;;) {
        if (ptrace(how, child, NULL, (void *)(uintptr_t)(unsigned)signal_to_pass) != 0)
            skip("this kernel cannot step through a process: %s", strerror(errno));
        int status = wait_for_stop(child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return TRACED_ENDED;
        if (WIFEXITED(status)) fail_at(__FILE__, __LINE__, "a traced child ended with status %d", WEXITSTATUS(status));
        if (WIFSIGNALED(status))
            fail_at(__FILE__, __LINE__, "a traced child was killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return TRACED_SYSTEM_CALL;
        if (WSTOPSIG(status) == SIGTRAP) return TRACED_STEP;
        signal_to_pass = WSTOPSIG(status);
    }
}

traced_call traced_system_call(pid_t child)
{
    syscall_information information;
    memset(&information, 0, sizeof information);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof information, &information) <= 0)
        skip("this kernel does not tell about system calls: %s", strerror(errno));
    traced_call call;
    memset(&call, 0, sizeof call);
    call.at_entry = information.kind == 1;
    if (call.at_entry) {
        call.number = information.entry.number;
        for (int i = 0; i < 6; i++) call.arguments[i] = information.entry.arguments[i];
    } else {
        call.result = information.exit.result;
    }
    return call;
}

#if defined(__x86_64__)

static void change_registers(pid_t child, bool skip_call, long long result)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, child, NULL, &registers) != 0) skip("no registers: %s", strerror(errno));
    if (skip_call) registers.orig_rax = (unsigned long long)-1;
    else registers.rax = (unsigned long long)result;
    if (ptrace(PTRACE_SETREGS, child, NULL, &registers) != 0) skip("registers cannot be changed: %s", strerror(errno));
}

#elif defined(__aarch64__)

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif
static void change_registers(pid_t child, bool skip_call, long long result)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};
    int none = -1;
    struct iovec number = {&none, sizeof none};
    if (skip_call) {
        if (ptrace(PTRACE_SETREGSET, child, (void *)NT_ARM_SYSTEM_CALL, &number) != 0) skip("no registers: %s", strerror(errno));
        return;
    }
    if (ptrace(PTRACE_GETREGSET, child, (void *)NT_PRSTATUS, &all) != 0) skip("no registers: %s", strerror(errno));
    registers.regs[0] = (unsigned long long)result;
    if (ptrace(PTRACE_SETREGSET, child, (void *)NT_PRSTATUS, &all) != 0) skip("registers cannot be changed: %s", strerror(errno));
}

#else

static void change_registers(pid_t child, bool skip_call, long long result)
{
    (void)child, (void)skip_call, (void)result;
    skip("this processor's registers are not known here");
}

#endif

void traced_skip_call(pid_t child) { change_registers(child, true, 0); }
void traced_return_error(pid_t child, int error) { change_registers(child, false, -error); }

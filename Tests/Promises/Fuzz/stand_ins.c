// Linked with --wrap: `__wrap_f` is called where the library calls f, `__real_f` is libc's.

#include "stand_ins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mailslots.h>
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static bool standing_in;
static int64_t clock_now_ns;
static unsigned calls, failing_call;
static int failing_error;

void (*stand_ins_sleep)(void);

static void die(const char *why)
{
    static const char end[] = "\n";
    if (write(2, why, strlen(why)) < 0 || write(2, end, 1) < 0) abort();
    abort();
}

void stand_ins_fail(unsigned call, int error)
{
    failing_call = call;
    failing_error = error;
}

/// Whether this call is the one that fails; errno is set then.
static bool fails(void)
{
    if (!standing_in || failing_call == 0 || ++calls != failing_call) return false;
    errno = failing_error;
    return true;
}

// MARK: the clock

enum { CLOCK_STEP_NS = 3000 };

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!standing_in || clock != CLOCK_MONOTONIC) return __real_clock_gettime(clock, now);
    clock_now_ns += CLOCK_STEP_NS;
    *now = (struct timespec){.tv_sec = clock_now_ns / 1000000000, .tv_nsec = clock_now_ns % 1000000000};
    return 0;
}

int __real_nanosleep(const struct timespec *how_long, struct timespec *left);
int __wrap_nanosleep(const struct timespec *how_long, struct timespec *left)
{
    if (!standing_in) return __real_nanosleep(how_long, left);
    clock_now_ns += how_long->tv_sec * 1000000000 + how_long->tv_nsec;
    return 0;
}

// MARK: sleep and wake

enum { MAPPED_MAX = 16 };
static struct {
    unsigned char *base;
    size_t bytes;
} mapped[MAPPED_MAX];

enum { FUTEX_RANGES_MAX = 16 };
static struct {
    uintptr_t base;
    size_t bytes;
} futex_ranges[FUTEX_RANGES_MAX];
static size_t futex_range_count;

void futexes_allow(const void *base, size_t bytes)
{
    if (futex_range_count == FUTEX_RANGES_MAX) die("too many futex ranges");
    futex_ranges[futex_range_count].base = (uintptr_t)base;
    futex_ranges[futex_range_count++].bytes = bytes;
}
void futexes_forget(void) { futex_range_count = 0; }

/// The kernel would read a word that is not the library's, or wake somebody else's sleeper.
static void check_futex(uintptr_t address)
{
    if (address % 4 != 0) die("a futex word is not aligned");
    for (size_t i = 0; i < futex_range_count; i++)
        if (address >= futex_ranges[i].base && address + 4 <= futex_ranges[i].base + futex_ranges[i].bytes) return;
    for (size_t i = 0; i < MAPPED_MAX; i++)
        if (address >= (uintptr_t)mapped[i].base && address + 4 <= (uintptr_t)mapped[i].base + mapped[i].bytes) return;
    die("a futex word lies outside of the segment and the handles");
}

struct waitv_entry {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static long sleep_until(const struct timespec *deadline)
{
    int64_t deadline_ns = deadline->tv_sec * 1000000000 + deadline->tv_nsec;
    if (deadline_ns > clock_now_ns) clock_now_ns = deadline_ns;
    if (stand_ins_sleep != NULL) stand_ins_sleep();
    errno = ETIMEDOUT;
    return -1;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_renameat2 && fails()) return -1;
    if (!standing_in || (number != SYS_futex && number != SYS_futex_waitv))
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

    if (number == SYS_futex_waitv) {
        const struct waitv_entry *entries = (const struct waitv_entry *)a[0];
        unsigned count = (unsigned)a[1];
        for (unsigned i = 0; i < count; i++) check_futex((uintptr_t)entries[i].address);
        for (unsigned i = 0; i < count; i++) {
            if (*(volatile uint32_t *)(uintptr_t)entries[i].address == (uint32_t)entries[i].value) continue;
            errno = EAGAIN;
            return -1;
        }
        return sleep_until((const struct timespec *)a[3]);
    }
    check_futex((uintptr_t)a[0]);
    if (((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE) return 0;
    if (*(volatile uint32_t *)a[0] == (uint32_t)a[2]) return sleep_until((const struct timespec *)a[3]);
    errno = EAGAIN;
    return -1;
}

// MARK: memory with an end

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static size_t round_up(size_t bytes) { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

void *__real_mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset);
int __real_munmap(void *address, size_t bytes);
ssize_t __real_pread(int descriptor, void *buffer, size_t count, off_t offset);

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset)
{
    if (fails()) return MAP_FAILED;
    if (!standing_in || descriptor < 0) return __real_mmap(address, bytes, protection, flags, descriptor, offset);
    // Between two pages that may not be touched; and no further than the segment goes.
    size_t page = page_bytes(), whole = round_up(bytes);
    unsigned char *reserved = __real_mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserved == MAP_FAILED) return MAP_FAILED;
    unsigned char *base = __real_mmap(reserved + page, bytes, protection, flags | MAP_FIXED, descriptor, offset);
    if (base == MAP_FAILED) die("the mapping with an end failed");
    mslot_header header;
    if (__real_pread(descriptor, &header, sizeof header, 0) == (ssize_t)sizeof header && header.magic == MSLOT_MAGIC
        && header.segment_bytes < whole)
        __asan_poison_memory_region(base + header.segment_bytes, whole - header.segment_bytes);
    size_t i = 0;
    while (mapped[i].base != NULL)
        if (++i == MAPPED_MAX) die("too many mappings");
    mapped[i].base = base;
    mapped[i].bytes = bytes;
    return base;
}

int __wrap_munmap(void *address, size_t bytes)
{
    for (size_t i = 0; i < MAPPED_MAX; i++) {
        if (mapped[i].base != address || address == NULL) continue;
        if (mapped[i].bytes != bytes) die("a mapping is not unmapped whole");
        size_t page = page_bytes(), whole = round_up(bytes);
        mapped[i].base = NULL;
        __asan_unpoison_memory_region(address, whole);
        return __real_munmap((unsigned char *)address - page, whole + 2 * page);
    }
    return __real_munmap(address, bytes);
}

void *memory_with_an_end(size_t bytes)
{
    size_t page = page_bytes(), whole = round_up(bytes);
    unsigned char *reserved = __real_mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserved == MAP_FAILED || mprotect(reserved + page, whole, PROT_READ | PROT_WRITE) != 0) die("no memory");
    return reserved + page + whole - bytes;
}

void *memory_of_size(void *memory, size_t memory_bytes, size_t bytes)
{
    unsigned char *base = (unsigned char *)memory + memory_bytes - bytes;
    __asan_poison_memory_region(memory, memory_bytes - bytes);
    __asan_unpoison_memory_region(base, bytes);
    return base;
}

// MARK: what may fail

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails() ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int descriptor, int command, ...);
int __wrap_fcntl(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return fails() ? -1 : __real_fcntl(descriptor, command, argument);
}

#define MAY_FAIL(result, name, parameters, arguments) \
    result __real_##name parameters;                  \
    result __wrap_##name parameters { return fails() ? -1 : __real_##name arguments; }

MAY_FAIL(int, fchmod, (int descriptor, mode_t mode), (descriptor, mode))
MAY_FAIL(int, unlink, (const char *path), (path))
MAY_FAIL(int, linkat, (int from, const char *from_path, int to, const char *to_path, int flags), (from, from_path, to, to_path, flags))

ssize_t __wrap_pread(int descriptor, void *buffer, size_t count, off_t offset)
{
    return fails() ? -1 : __real_pread(descriptor, buffer, count, offset);
}

int __real_madvise(void *address, size_t bytes, int advice);
int __wrap_madvise(void *address, size_t bytes, int advice)
{
    bool populates = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
    if (!populates || !fails()) return __real_madvise(address, bytes, advice);
    if (errno == ENOSPC) errno = EFAULT; // what it says of a full file system
    return -1;
}

int __real_posix_fallocate(int descriptor, off_t offset, off_t length);
int __wrap_posix_fallocate(int descriptor, off_t offset, off_t length)
{
    return fails() ? failing_error : __real_posix_fallocate(descriptor, offset, length);
}

// MARK: how long the ring waits

/// A write that is led in circles gives up after half a second of stepping; here sooner, for a fuzzer loves such segments.
mslot_step __real_mslot__ring_advance_slow(const mslot_ring_writer *writer, uint64_t position, uint64_t cell, uint64_t steps);
mslot_step __wrap_mslot__ring_advance_slow(const mslot_ring_writer *writer, uint64_t position, uint64_t cell, uint64_t steps)
{
    enum { STEPS_MAX = 1 << 10 };
    return __real_mslot__ring_advance_slow(writer, position, cell, steps > STEPS_MAX ? MSLOT_WRITE_STEPS_MAX + 1 : steps);
}

// MARK: on and off

void stand_ins_begin(void)
{
    clock_now_ns = 1000000000;
    calls = 0;
    failing_call = 0;
    futexes_forget();
    standing_in = true;
}

void stand_ins_end(void)
{
    standing_in = false;
    for (size_t i = 0; i < MAPPED_MAX; i++)
        if (mapped[i].base != NULL) die("a mapping was not unmapped");
}

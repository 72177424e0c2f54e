// Whether a buffer can be read. Of most the process knows it by itself, and of these it stays true: what lies between this frame and the
// top of the thread's stack, in the program's own data, and in the heap that grows by brk, which is the main thread's. Of everything else
// the kernel is asked each time: what was there a moment ago may be unmapped by now.

#include "win.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROGRAM_PARTS_MAX = 16, START_OF_HEAP_FIELD = 47 };

/// Addresses from `first` on, without `end`. Both 0: none.
typedef struct address_range {
    uintptr_t first;
    uintptr_t end;
} address_range;

static bool has(address_range range, uintptr_t first, uintptr_t last) { return range.first <= first && last < range.end; }

// MARK: the stack

/// None where it cannot be told, as without /proc.
static address_range stack_of_this_thread(void)
{
    address_range stack = {0, 0};
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return stack;
    void *lowest;
    size_t bytes;
    if (pthread_attr_getstack(&attributes, &lowest, &bytes) == 0) stack = (address_range){(uintptr_t)lowest, (uintptr_t)lowest + bytes};
    pthread_attr_destroy(&attributes);
    return stack;
}

static bool is_on_the_stack(uintptr_t first, uintptr_t last)
{
    static __thread bool is_known;
    static __thread address_range stack;
    if (!is_known) stack = stack_of_this_thread();
    is_known = true;
    // The frame may lie on a stack of the program's own making, and then nothing is known of this one.
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    return has(stack, frame, last) && frame <= first;
}

// MARK: the program's data

static address_range program[PROGRAM_PARTS_MAX];
static size_t program_parts;

static int note_the_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (size_t i = 0; i < info->dlpi_phnum && program_parts < PROGRAM_PARTS_MAX; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t first = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_R) != 0)
            program[program_parts++] = (address_range){first, first + part->p_memsz};
    }
    return 1; // the program itself comes first; libraries may go again
}

static bool is_of_the_program(uintptr_t first, uintptr_t last)
{
    for (size_t i = 0; i < program_parts; i++)
        if (has(program[i], first, last)) return true;
    return false;
}

// MARK: the heap

/// Where brk's heap begins. Nowhere else is that to be learnt: libraries before this one have used it already.
static uintptr_t start_of_heap(void)
{
    char text[2048];
    int descriptor = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    ssize_t bytes = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (bytes <= 0) return 0;
    text[bytes] = 0;
    // The second field is a name in brackets, of any characters.
    char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < START_OF_HEAP_FIELD; field++) at = strchr(at + 1, ' ');
    return at != NULL ? strtoul(at, NULL, 10) : 0;
}

static uintptr_t heap_first;

static bool is_in_the_heap(uintptr_t first, uintptr_t last)
{
    if (heap_first == 0 || first < heap_first) return false;
    // glibc knows its end without asking.
    return has((address_range){heap_first, (uintptr_t)sbrk(0)}, first, last);
}

__attribute__((constructor)) static void begin(void)
{
    int saved_errno = errno;
    dl_iterate_phdr(note_the_program, NULL);
    heap_first = start_of_heap();
    errno = saved_errno;
}

// MARK: the kernel

static bool kernel_can_read(uintptr_t address)
{
    // It copies 8 bytes in before it refuses the first argument: EFAULT or EINVAL. Aligned, so that they lie in one page.
    int saved_errno = errno;
    bool readable = syscall(SYS_rt_sigprocmask, ~0, address & ~(uintptr_t)7, NULL, 8) == 0 || errno != EFAULT;
    errno = saved_errno;
    return readable;
}

bool mslot__win_is_readable(const void *bytes, size_t count)
{
    if (count == 0) return true;
    uintptr_t first = (uintptr_t)bytes, last;
    // Windows maps nothing in the first 64 KiB.
    if (__builtin_add_overflow(first, count - 1, &last) || first < 0x10000) return false;
    if (is_on_the_stack(first, last) || is_of_the_program(first, last) || is_in_the_heap(first, last)) return true;
    return kernel_can_read(first) && (first >> 12 == last >> 12 || kernel_can_read(last));
}

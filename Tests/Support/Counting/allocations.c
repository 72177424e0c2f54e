// glibc lets a program replace malloc; ours counts and passes on.

#include "CCounting.h"

#include <stddef.h>
#include <stdlib.h> // also says whether this is glibc

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static long allocations;

long ccounting_allocations(void) { return __atomic_load_n(&allocations, __ATOMIC_RELAXED); }

#if defined(SANITIZED) || !defined(__GLIBC__)

bool ccounting_can_count_allocations(void) { return false; }

#else

bool ccounting_can_count_allocations(void) { return true; }

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static void count(void) { __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED); }

void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}
void *calloc(size_t number, size_t bytes)
{
    count();
    return __libc_calloc(number, bytes);
}
void *realloc(void *old, size_t bytes)
{
    count();
    return __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **result, size_t alignment, size_t bytes)
{
    count();
    *result = __libc_memalign(alignment, bytes);
    return *result == NULL ? 12 : 0;
}

#endif

// The memory of handles, and what a fork does to it.
//
// A handle begins with its state, and 0 is "gone"; that of a closed one is "ended" until its record is given out again. Handles lie in
// memory that a forked child finds zeroed: by the kernel (MADV_WIPEONFORK, which a raw clone honours too) and once more by a
// pthread_atfork handler, because some kernels and emulators accept the advice and do not wipe. So the child's first load from its
// parent's handle says that it is not the child's.

#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = 64 * 1024, CHUNK_HANDLES = CHUNK_BYTES / MSLOT_HANDLE_BYTES };

/// Memory that is wiped on fork.
typedef struct wiped {
    void *bytes;
    size_t byte_count;
    struct wiped *next;
} wiped;

typedef union free_handle {
    struct {
        uint32_t state; // ENDED; GONE if it was never given out
        union free_handle *next;
    } free;
    unsigned char bytes[MSLOT_HANDLE_BYTES];
} free_handle;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;
static wiped *all_wiped;
static free_handle *free_handles;

static wiped *first_wiped(void) { return __atomic_load_n(&all_wiped, __ATOMIC_ACQUIRE); }

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
    // The parent's handles stay, wiped, for as long as this process lives: it may still ask them.
    for (wiped *w = first_wiped(); w != NULL; w = w->next) memset(w->bytes, 0, w->byte_count);
    free_handles = NULL;
    mslot__waiters_forget_all();
    pthread_mutex_unlock(&lock);
}

static void install_fork_handlers(void) { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void mslot__forks_hold(void)
{
    pthread_once(&fork_handlers_once, install_fork_handlers);
    pthread_mutex_lock(&lock);
}

void mslot__forks_release(void) { pthread_mutex_unlock(&lock); }

void *mslot__wiped_allocate(size_t byte_count)
{
    wiped *added = malloc(sizeof *added);
    if (added == NULL) return NULL;
    void *bytes = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        free(added);
        return NULL;
    }
    madvise(bytes, byte_count, MADV_WIPEONFORK); // refused before Linux 4.14: the atfork handler wipes
    *added = (wiped){bytes, byte_count, first_wiped()};
    // Release: pairs with first_wiped.
    while (!__atomic_compare_exchange_n(&all_wiped, &added->next, added, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    return bytes;
}

static bool add_handles(void)
{
    unsigned char *handles = mslot__wiped_allocate(CHUNK_BYTES);
    if (handles == NULL) return false;
    for (size_t i = CHUNK_HANDLES; i-- > 0;) {
        free_handle *handle = (free_handle *)(void *)(handles + i * MSLOT_HANDLE_BYTES);
        handle->free.next = free_handles;
        free_handles = handle;
    }
    return true;
}

void *mslot__handle_allocate(void)
{
    if (free_handles == NULL && !add_handles()) return NULL;
    free_handle *handle = free_handles;
    free_handles = handle->free.next;
    memset(handle, 0, sizeof *handle);
    return handle;
}

void mslot__handle_free(void *pointer)
{
    free_handle *handle = pointer;
    memset(handle, 0, sizeof *handle);
    handle->free.state = MSLOT_HANDLE_ENDED;
    handle->free.next = free_handles;
    free_handles = handle;
}

mslot_outcome mslot__handle_refusal(const void *handle)
{
    if (handle == NULL) return MSLOT_BAD_ARGUMENT;
    switch (mslot__load_relaxed_32(handle)) {
    case MSLOT_HANDLE_GONE: return MSLOT_FORKED;
    case MSLOT_HANDLE_ENDED: return MSLOT_NOT_OPEN;
    default: return MSLOT_DONE;
    }
}

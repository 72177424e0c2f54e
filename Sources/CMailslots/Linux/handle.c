// The memory of handles, and what a fork does to it.
//
// A handle begins with its state, and 0 is "gone". Handles lie in chunks that a forked child finds zeroed: by the kernel
// (MADV_WIPEONFORK, which a raw clone honours too) and once more by a pthread_atfork handler, because some kernels and
// emulators accept the advice and do not wipe. So the child's first load from its parent's handle says that it is not the child's.

#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = 64 * 1024, CHUNK_HANDLES = CHUNK_BYTES / MSLOT_HANDLE_BYTES };

typedef struct chunk {
    unsigned char *handles;
    struct chunk *next;
} chunk;

typedef union free_handle {
    struct {
        uint64_t state; // stays 0: a handle that was closed is "gone"
        union free_handle *next;
    } free;
    unsigned char bytes[MSLOT_HANDLE_BYTES];
} free_handle;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;
static chunk *chunks;
static free_handle *free_handles;

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
    // The parent's handles stay, wiped, for as long as this process lives: it may still ask them.
    for (chunk *c = chunks; c != NULL; c = c->next) memset(c->handles, 0, CHUNK_BYTES);
    free_handles = NULL;
    mslot_guard_forget_all();
    mslot_waiters_forget_all();
    pthread_mutex_unlock(&lock);
}

static void install_fork_handlers(void) { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void mslot_forks_hold(void)
{
    pthread_once(&fork_handlers_once, install_fork_handlers);
    pthread_mutex_lock(&lock);
}

void mslot_forks_release(void) { pthread_mutex_unlock(&lock); }

static bool add_chunk(void)
{
    chunk *added = malloc(sizeof *added);
    if (added == NULL) return false;
    void *handles = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (handles == MAP_FAILED) {
        free(added);
        return false;
    }
    madvise(handles, CHUNK_BYTES, MADV_WIPEONFORK); // refused before Linux 4.14: the atfork handler wipes
    added->handles = handles;
    added->next = chunks;
    chunks = added;
    for (size_t i = CHUNK_HANDLES; i-- > 0;) {
        free_handle *handle = (free_handle *)(void *)(added->handles + i * MSLOT_HANDLE_BYTES);
        handle->free.next = free_handles;
        free_handles = handle;
    }
    return true;
}

void *mslot_handle_allocate(void)
{
    if (free_handles == NULL && !add_chunk()) return NULL;
    free_handle *handle = free_handles;
    free_handles = handle->free.next;
    memset(handle, 0, sizeof *handle);
    return handle;
}

void mslot_handle_free(void *pointer)
{
    free_handle *handle = pointer;
    memset(handle, 0, sizeof *handle);
    handle->free.next = free_handles;
    free_handles = handle;
}

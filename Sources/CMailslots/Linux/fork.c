// What a fork does to this process's mailslots, and what it must not do.
//
// A lock lives as long as its descriptor or its mapping, in any process. So a child must get neither: it would keep the lock of a parent
// that closed or was killed. It gets no mapping (MADV_DONTFORK). And no descriptor: one that holds a lock is locked, mapped and closed
// while forks are held, and was opened so too (mslot__file_lock), or else nothing has forked since it was (mslot__file_lock_itself). For
// nothing else are forks held long. Looking at the file, trying lanes, names: all that goes on beside forks, by a descriptor without a
// lock, which a child may have.
//
// The thread's own signal handlers wait until it is over (MSLOT_UNDISTURBED): one that forked in between would wait for itself.

#include "linux.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/// Memory that is wiped on fork.
typedef struct wiped {
    void *bytes;
    size_t byte_count;
    struct wiped *next;
} wiped;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;
static wiped *all_wiped;

// With the lock.
static sigset_t signals_before_fork;
static uint32_t generation;

// Changed with the lock, read without.
static uint32_t forks;

static wiped *first_wiped(void) { return __atomic_load_n(&all_wiped, __ATOMIC_ACQUIRE); }

// MARK: a fork

static void before_fork(void)
{
    // A signal handler that forks while this thread is in fork would wait for it.
    sigset_t before = mslot__signals_hold();
    pthread_mutex_lock(&lock);
    signals_before_fork = before;
}

static void after_fork_in_parent(void)
{
    sigset_t before = signals_before_fork;
    // Release: pairs with the acquire in mslot__forks_so_far. After the clone: what is opened with the new count no child has.
    __atomic_store_n(&forks, forks + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    mslot__signals_allow(&before);
}

static void after_fork_in_child(void)
{
    // The parent's handles stay, wiped, for as long as this process lives: it may still ask them.
    for (wiped *w = first_wiped(); w != NULL; w = w->next) memset(w->bytes, 0, w->byte_count);
    generation++;
    mslot__waiters_forget_all();
    after_fork_in_parent();
}

static void install_fork_handlers(void) { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void mslot__fork_handlers_install(void) { pthread_once(&fork_handlers_once, install_fork_handlers); }

void mslot__forks_hold(void)
{
    mslot__fork_handlers_install();
    pthread_mutex_lock(&lock);
}

uint32_t mslot__forks_so_far(void)
{
    mslot__fork_handlers_install(); // what is not seen is not counted
    // Acquire: pairs with the release after a fork. What the caller opens, it opens after that.
    return __atomic_load_n(&forks, __ATOMIC_ACQUIRE);
}

void mslot__forks_release(void) { pthread_mutex_unlock(&lock); }

uint32_t mslot__fork_generation(void) { return generation; }

// MARK: memory

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

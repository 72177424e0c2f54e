// The guard: a segment whose file is cut short is damage, not death by SIGBUS.
//
// A page of a mapping that lies behind the end of its file cannot be touched: the thread that does gets SIGBUS. The guard's handler
// then takes the WHOLE segment away from its hostile file and puts private memory in its place, so that the access goes on, in
// which every cell makes no sense. So the call that is going on finds damage where it looks next: a read before it releases what it
// has copied, a write at its swap. And so does every later call, for the memory stays, without any mark that a fast path would have
// to look at.
// (A part alone, the hole, would not do: a reader could find its cells and no slots, and read empty messages for ever.)
//
// The lock lives exactly as long as some part of the mapping. It stays, because mslot__file_map maps a page more than the segment has,
// which nobody touches and the guard does not replace: a reader that met damage still has the name when it closes.

#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// MARK: which memory is ours
//
// The handler runs at any moment in any thread, so it takes no lock. An entry's turn counts up through the four states and tells a
// handler that looks at a stranger's entry whether that changed meanwhile. The entry that a fault concerns does not change: who
// touches a mapping neither makes nor ends it.

enum { TURN_FREE = 0, TURN_FILLING = 1, TURN_LIVE = 2, TURN_EMPTYING = 3, TURNS = 4 };

struct mslot_guarded {
    uint64_t turn;
    uint64_t base;
    uint64_t bytes;
    mslot_ring ring;
};

enum { CHUNK_BYTES = 16 * 1024, CHUNK_ENTRIES = CHUNK_BYTES / sizeof(mslot_guarded) };

/// Never freed: a handler may be looking. Its entries are free again in a forked child, which has none of its parent's mappings.
typedef struct chunk {
    mslot_guarded *entries;
    struct chunk *next;
} chunk;

static chunk *chunks;

static chunk *first_chunk(void) { return __atomic_load_n(&chunks, __ATOMIC_ACQUIRE); }

static bool add_chunk(void)
{
    chunk *added = malloc(sizeof *added);
    if (added == NULL) return false;
    added->entries = mslot__wiped_allocate(CHUNK_BYTES);
    if (added->entries == NULL) {
        free(added);
        return false;
    }
    added->next = first_chunk();
    // Release: pairs with first_chunk.
    while (!__atomic_compare_exchange_n(&chunks, &added->next, added, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    return true;
}

static mslot_guarded *claim(void)
{
    for (chunk *c = first_chunk(); c != NULL; c = c->next) {
        for (size_t i = 0; i < CHUNK_ENTRIES; i++) {
            mslot_guarded *entry = &c->entries[i];
            uint64_t turn = mslot__load_relaxed(&entry->turn);
            if (turn % TURNS == TURN_FREE && mslot__compare_and_swap_seq_cst(&entry->turn, turn, turn + 1)) return entry;
        }
    }
    return NULL;
}

bool mslot__guard_add(mslot_mapping *mapping, const mslot_header *header)
{
    mslot_guarded *entry = claim();
    while (entry == NULL) {
        if (!add_chunk()) return false;
        entry = claim();
    }
    mslot__store_relaxed(&entry->base, (uint64_t)(uintptr_t)mapping->base);
    mslot__store_relaxed(&entry->bytes, mapping->bytes);
    entry->ring = mslot__ring_of(header, mapping->base);
    // Release: pairs with the acquire in find, for a handler in another thread.
    mslot__store_release(&entry->turn, mslot__load_relaxed(&entry->turn) + 1);
    mapping->guarded = entry;
    return true;
}

void mslot__guard_remove(mslot_mapping *mapping)
{
    mslot_guarded *entry = mapping->guarded;
    if (entry == NULL) return;
    mapping->guarded = NULL;
    uint64_t turn = mslot__load_relaxed(&entry->turn);
    mslot__store_seq_cst(&entry->turn, turn + 1);
    mslot__store_release(&entry->turn, turn + 2);
}

/// The entry whose memory this address is in; NULL: a stranger's.
static mslot_guarded *find(uint64_t address)
{
    for (chunk *c = first_chunk(); c != NULL; c = c->next) {
        for (size_t i = 0; i < CHUNK_ENTRIES; i++) {
            mslot_guarded *entry = &c->entries[i];
            uint64_t turn = mslot__load_acquire(&entry->turn);
            if (turn % TURNS != TURN_LIVE) continue;
            bool inside = address - mslot__load_acquire(&entry->base) < mslot__load_acquire(&entry->bytes);
            if (inside && mslot__load_relaxed(&entry->turn) == turn) return entry;
        }
    }
    return NULL;
}

// MARK: the handler. Only calls that a handler may make.

/// Puts private memory into the place of a mapping, in one step. It is made elsewhere and without access, for mlockall(MCL_FUTURE) fills
/// what can be accessed, and an overflow may have gigabytes. False: there is none.
static bool replace_memory(void *base, uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    madvise(memory, bytes, MADV_DONTFORK);
    bool is_ready = munlock(memory, bytes) == 0 && mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0;
    if (is_ready && mremap(memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, base) != MAP_FAILED) return true;
    munmap(memory, bytes);
    return false;
}

/// Private memory in the place of the segment, whose ring is destroyed. False: there is none.
static bool replace(const mslot_guarded *entry)
{
    void *base = (void *)(uintptr_t)entry->base;
    if (!replace_memory(base, entry->bytes)) return false;
    const mslot_ring *ring = &entry->ring;
    // All bits set is neither EMPTY nor FULL nor CLOSED, of any lap.
    for (uint32_t i = 0; i < ring->cell_count; i++) ring->cells[i].state = ~0ULL;
    ring->control->tail_hint = ring->cell_count;
    ring->control->head = ring->cell_count;
    ring->control->damaged = 1;
    return true;
}

/// What the signal would have come to without us. Written before our handler is installed, never after.
static struct sigaction earlier;

static void pass_on(int number, siginfo_t *info, void *context)
{
    bool has_handler = (earlier.sa_flags & SA_SIGINFO) != 0 || (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN);
    bool was_sent = info->si_code <= 0; // SI_USER and the like: by a process, not by a fault
    if (!has_handler && earlier.sa_handler == SIG_IGN && was_sent) return;
    if (!has_handler || (earlier.sa_flags & SA_RESETHAND) != 0) {
        struct sigaction standard;
        memset(&standard, 0, sizeof standard);
        standard.sa_handler = SIG_DFL;
        sigaction(number, &standard, NULL);
    }
    if (!has_handler) {
        // Delivered, and deadly, when this handler returns: at the instruction that faulted, with what the kernel said of it.
        syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), number, info);
    } else if ((earlier.sa_flags & SA_SIGINFO) != 0) {
        earlier.sa_sigaction(number, info, context);
    } else {
        earlier.sa_handler(number);
    }
}

static void handle_bus_error(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    // BUS_ADRERR - "Nonexistent physical address": also what a page behind the end of a file is. Failing memory is another code.
    mslot_guarded *entry = info->si_code == BUS_ADRERR ? find((uint64_t)(uintptr_t)info->si_addr) : NULL;
    bool mended = entry != NULL && replace(entry);
    errno = saved_errno;
    if (!mended) pass_on(number, info, context);
}

// MARK: installing

mslot_failure mslot_guard_install(void)
{
    static bool installed;
    mslot_failure failure = mslot__failure_of(MSLOT_DONE);
    MSLOT_UNDISTURBED;
    mslot__forks_hold(); // for its lock
    if (!installed) {
        struct sigaction guard;
        memset(&guard, 0, sizeof guard);
        if (sigaction(SIGBUS, NULL, &earlier) == 0) {
            // An earlier handler runs inside of ours: with the mask and on the stack that it was installed for.
            bool has_handler = (earlier.sa_flags & SA_SIGINFO) != 0 || (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN);
            if (has_handler) {
                guard.sa_mask = earlier.sa_mask;
                guard.sa_flags = earlier.sa_flags & (SA_ONSTACK | SA_NODEFER | SA_RESTART);
            } else {
                guard.sa_flags = SA_ONSTACK;
            }
            guard.sa_flags |= SA_SIGINFO;
            guard.sa_sigaction = handle_bus_error;
            installed = sigaction(SIGBUS, &guard, NULL) == 0;
        }
        if (!installed) failure = mslot__failure_errno(errno);
    }
    mslot__forks_release();
    return failure;
}

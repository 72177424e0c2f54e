// The memory of handles.
//
// A handle begins with its state, and 0 is "gone"; that of a closed one is "ended" until its record is given out again. Handles lie in
// memory that a forked child finds zeroed: by the kernel (MADV_WIPEONFORK, which a raw clone honours too) and once more by a
// pthread_atfork handler, because some kernels and emulators accept the advice and do not wipe. So the child's first load from its
// parent's handle says that it is not the child's.

#include "linux.h"

enum { CHUNK_BYTES = 64 * 1024, CHUNK_HANDLES = CHUNK_BYTES / MSLOT_HANDLE_BYTES };

typedef union free_handle {
    struct {
        uint32_t state; // ENDED; GONE if it was never given out
        union free_handle *next;
    } free;
    unsigned char bytes[MSLOT_HANDLE_BYTES];
} free_handle;

// While forks are held.
static free_handle *free_handles;
static uint32_t generation;

/// In a forked child the records are its parent's.
static void forget_those_of_a_parent(void)
{
    if (generation != mslot__fork_generation()) free_handles = NULL;
    generation = mslot__fork_generation();
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
    mslot__forks_hold();
    forget_those_of_a_parent();
    free_handle *handle = free_handles != NULL || add_handles() ? free_handles : NULL;
    if (handle != NULL) {
        free_handles = handle->free.next;
        memset(handle, 0, sizeof *handle);
    }
    mslot__forks_release();
    return handle;
}

void mslot__handle_free(void *pointer)
{
    free_handle *handle = pointer;
    mslot__forks_hold();
    forget_those_of_a_parent();
    memset(handle, 0, sizeof *handle);
    handle->free.state = MSLOT_HANDLE_ENDED;
    handle->free.next = free_handles;
    free_handles = handle;
    mslot__forks_release();
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

// Objects and the handles that name them.
//
// A handle is not an address: it is an index and a generation, so that a closed one is noticed, and it never has more than 31 bits,
// so that a program may keep it in an int.

#include "win.h"

#include <stdlib.h>

enum { INDEX_BITS = 15, GENERATION_BITS = 14, ENTRIES_MAX = 1 << INDEX_BITS, NO_ENTRY = ENTRIES_MAX, ENTRIES_STEP = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;
static mslot_win_entry *entries;
static uint32_t entry_count;
static uint32_t first_free = NO_ENTRY;
static mslot_win_hooks *all_hooks;

static void free_entry(mslot_win_entry *entry)
{
    entry->object = NULL;
    entry->generation = (entry->generation + 1) & ((1 << GENERATION_BITS) - 1);
    entry->next_free = first_free;
    first_free = (uint32_t)(entry - entries);
}

// MARK: hooks

void mslot__win_hook(mslot_win_hooks *hooks)
{
    hooks->next = all_hooks;
    all_hooks = hooks;
}

void mslot__win_thread_ended(mslot_win_thread *thread)
{
    for (const mslot_win_hooks *hooks = all_hooks; hooks != NULL; hooks = hooks->next)
        if (hooks->thread_ended != NULL) hooks->thread_ended(thread);
}

// MARK: the lock

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
    // The parent's handles are not the child's: what they name belongs to the parent, and to threads that do not exist here. They count
    // as closed, so that none of them ever names what the child opens.
    first_free = NO_ENTRY;
    for (uint32_t i = entry_count; i-- > 0;) {
        if (entries[i].object != NULL) {
            free_entry(&entries[i]);
        } else {
            entries[i].next_free = first_free;
            first_free = i;
        }
    }
    for (const mslot_win_hooks *hooks = all_hooks; hooks != NULL; hooks = hooks->next) hooks->forget();
    pthread_mutex_unlock(&lock);
}

static void install_fork_handlers(void)
{
    // First theirs: what is installed last comes first at a fork, and we call the core with our lock held.
    mslot__fork_handlers_install();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void mslot__win_lock(void)
{
    pthread_once(&fork_handlers_once, install_fork_handlers);
    pthread_mutex_lock(&lock);
}

void mslot__win_unlock(void) { pthread_mutex_unlock(&lock); }

pthread_mutex_t *mslot__win_lock_itself(void) { return &lock; }

// MARK: handles

static HANDLE handle_of(uint32_t index, uint32_t generation) { return (HANDLE)(((uintptr_t)generation << INDEX_BITS | (index + 1)) << 2); }

static bool add_entries(void)
{
    // The last index is left out: index + 1 must have INDEX_BITS.
    uint32_t count = entry_count + ENTRIES_STEP < ENTRIES_MAX ? entry_count + ENTRIES_STEP : ENTRIES_MAX - 1;
    if (count == entry_count) return false;
    mslot_win_entry *grown = realloc(entries, count * sizeof *entries);
    if (grown == NULL) return false;
    entries = grown;
    for (uint32_t i = count; i-- > entry_count;) {
        entries[i] = (mslot_win_entry){.next_free = first_free};
        first_free = i;
    }
    entry_count = count;
    return true;
}

HANDLE mslot__win_handle_new(mslot_win_object *object, DWORD access, bool inherit)
{
    if (first_free == NO_ENTRY && !add_entries()) return mslot__win_fail_handle(ERROR_NO_SYSTEM_RESOURCES);
    uint32_t index = first_free;
    mslot_win_entry *entry = &entries[index];
    first_free = entry->next_free;
    entry->object = object;
    entry->access = access;
    entry->flags = inherit ? HANDLE_FLAG_INHERIT : 0;
    object->handles++;
    mslot__win_retain(object);
    return handle_of(index, entry->generation);
}

mslot_win_entry *mslot__win_entry_of(HANDLE handle)
{
    uintptr_t value = (uintptr_t)handle;
    if (value == 0 || (value & 3) != 0 || value >> (2 + INDEX_BITS + GENERATION_BITS) != 0) return NULL;
    uint32_t index = (uint32_t)(value >> 2 & (ENTRIES_MAX - 1)) - 1;
    if (index >= entry_count) return NULL;
    mslot_win_entry *entry = &entries[index];
    return entry->object != NULL && handle_of(index, entry->generation) == handle ? entry : NULL;
}

mslot_win_object *mslot__win_object_of(HANDLE handle, const mslot_win_kind *kind)
{
    mslot_win_entry *entry = mslot__win_entry_of(handle);
    if (entry == NULL || (kind != NULL && entry->object->kind != kind)) {
        SetLastError(ERROR_INVALID_HANDLE);
        return NULL;
    }
    mslot__win_retain(entry->object);
    return entry->object;
}

void mslot__win_release(mslot_win_object *object)
{
    if (--object->references == 0) object->kind->destroy(object);
}

void mslot__win_entry_close(mslot_win_entry *entry)
{
    mslot_win_object *object = entry->object;
    free_entry(entry);
    if (--object->handles == 0 && object->kind->last_handle_closed != NULL) object->kind->last_handle_closed(object);
    mslot__win_release(object);
}

void mslot__win_handle_close(HANDLE handle) { mslot__win_entry_close(mslot__win_entry_of(handle)); }

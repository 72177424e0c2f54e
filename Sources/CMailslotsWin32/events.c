// The objects that exist to be waited for: events and mutexes.

#include "win.h"

#include <stdlib.h>

/// What both begin with: an object that may have a name, known in this process.
typedef struct named {
    mslot_win_object object;
    char *name;
    struct named *next;
} named;

typedef struct event {
    named base;
    bool is_manual;
    bool is_set;
} event;

typedef struct mslot_win_mutex {
    named base;
    mslot_win_thread *owner;
    uint32_t depth;
    bool abandoned;
    struct mslot_win_mutex *next_owned;
} mutex;

static named *all_named;

static void forget(void) { all_named = NULL; }
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

/// Locked. The name's object: an old one, or `made` under that name. NULL with ERROR_INVALID_HANDLE: it is of another kind.
static named *publish(named *made, const char *name, bool *existed)
{
    *existed = false;
    if (name == NULL || name[0] == 0) return made;
    for (named *other = all_named; other != NULL; other = other->next) {
        if (strcmp(other->name, name) != 0) continue;
        *existed = true;
        if (other->object.kind == made->object.kind) return other;
        SetLastError(ERROR_INVALID_HANDLE);
        return NULL;
    }
    made->name = strdup(name);
    if (made->name != NULL) {
        made->next = all_named;
        all_named = made;
    }
    return made;
}

/// The handle of a new or of the old object of this name; `made` is taken over. NULL with the last error.
static HANDLE create_named(named *made, const char *name, const SECURITY_ATTRIBUTES *attributes)
{
    bool existed;
    mslot__win_lock();
    mslot__win_retain(&made->object);
    named *found = publish(made, name, &existed);
    HANDLE handle = INVALID_HANDLE_VALUE;
    if (found != NULL) handle = mslot__win_handle_new(&found->object, EVENT_ALL_ACCESS, attributes != NULL && attributes->bInheritHandle);
    mslot__win_release(&made->object);
    mslot__win_unlock();
    if (handle == INVALID_HANDLE_VALUE) return NULL;
    SetLastError(existed ? ERROR_ALREADY_EXISTS : 0);
    return handle;
}

static void free_named(named *object)
{
    for (named **link = &all_named; *link != NULL; link = &(*link)->next) {
        if (*link != object) continue;
        *link = object->next;
        break;
    }
    free(object->name);
    free(object);
}

/// The narrow name of a wide one, on the heap, for `call`.
#define WITH_NARROW(name, call)                                              \
    do {                                                                     \
        char *narrow = (name) != NULL ? mslot__win_narrow_copy(name) : NULL; \
        HANDLE handle = (call);                                              \
        free(narrow);                                                        \
        return handle;                                                       \
    } while (0)

static bool event_is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    return ((event *)object)->is_set;
}

static bool event_take(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    event *e = (event *)object;
    if (!e->is_manual) e->is_set = false;
    return false;
}

static void event_destroy(mslot_win_object *object) { free_named((named *)object); }

const mslot_win_kind mslot__win_event_kind = {.is_signalled = event_is_signalled, .take = event_take, .destroy = event_destroy};

void mslot__win_event_set(mslot_win_object *object, bool set)
{
    ((event *)object)->is_set = set;
    if (set) mslot__win_signalled(object);
}

HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState, LPCSTR lpName)
{
    event *made = calloc(1, sizeof *made);
    if (made == NULL) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    made->base.object.kind = &mslot__win_event_kind;
    made->is_manual = bManualReset != FALSE;
    made->is_set = bInitialState != FALSE;
    return create_named(&made->base, lpName, lpEventAttributes);
}

HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState, LPCWSTR lpName)
{
    WITH_NARROW(lpName, CreateEventA(lpEventAttributes, bManualReset, bInitialState, narrow));
}

HANDLE WINAPI OpenEventA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName)
{
    HANDLE handle = INVALID_HANDLE_VALUE;
    SetLastError(lpName == NULL ? ERROR_INVALID_PARAMETER : ERROR_FILE_NOT_FOUND);
    mslot__win_lock();
    for (named *other = all_named; other != NULL && lpName != NULL; other = other->next) {
        if (strcmp(other->name, lpName) != 0) continue;
        if (other->object.kind == &mslot__win_event_kind)
            handle = mslot__win_handle_new(&other->object, dwDesiredAccess, bInheritHandle != FALSE);
        else SetLastError(ERROR_INVALID_HANDLE);
        break;
    }
    mslot__win_unlock();
    return handle != INVALID_HANDLE_VALUE ? handle : NULL;
}

HANDLE WINAPI OpenEventW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName)
{
    WITH_NARROW(lpName, OpenEventA(dwDesiredAccess, bInheritHandle, narrow));
}

static BOOL set_or_reset(HANDLE handle, bool set)
{
    mslot__win_lock();
    mslot_win_object *object = mslot__win_object_of(handle, &mslot__win_event_kind);
    if (object != NULL) {
        mslot__win_event_set(object, set);
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return object != NULL;
}

BOOL WINAPI SetEvent(HANDLE hEvent) { return set_or_reset(hEvent, true); }
BOOL WINAPI ResetEvent(HANDLE hEvent) { return set_or_reset(hEvent, false); }

BOOL WINAPI PulseEvent(HANDLE hEvent)
{
    mslot__win_lock();
    mslot_win_object *object = mslot__win_object_of(hEvent, &mslot__win_event_kind);
    if (object != NULL) {
        mslot__win_event_set(object, true); // ends waits here and now
        mslot__win_event_set(object, false);
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return object != NULL;
}

static bool mutex_is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    const mutex *m = (const mutex *)object;
    return m->owner == NULL || m->owner == thread;
}

static bool mutex_take(mslot_win_object *object, mslot_win_thread *thread)
{
    mutex *m = (mutex *)object;
    bool abandoned = m->abandoned;
    m->abandoned = false;
    if (m->owner == NULL) {
        m->owner = thread;
        m->next_owned = thread->mutexes;
        thread->mutexes = m;
    }
    m->depth++;
    return abandoned;
}

static void mutex_disown(mutex *m)
{
    mutex **link = &m->owner->mutexes;
    while (*link != m) link = &(*link)->next_owned;
    *link = m->next_owned;
    m->owner = NULL;
    m->depth = 0;
}

static void mutex_destroy(mslot_win_object *object)
{
    mutex *m = (mutex *)object;
    if (m->owner != NULL) mutex_disown(m);
    free_named(&m->base);
}

static void mutex_owner_ended(mslot_win_object *object)
{
    mutex *m = (mutex *)object;
    mutex_disown(m);
    m->abandoned = true;
    mslot__win_signalled(object);
}

static const mslot_win_kind mutex_kind = {
    .is_signalled = mutex_is_signalled, .take = mutex_take, .owner_ended = mutex_owner_ended, .destroy = mutex_destroy};

HANDLE WINAPI CreateMutexA(LPSECURITY_ATTRIBUTES lpMutexAttributes, BOOL bInitialOwner, LPCSTR lpName)
{
    mutex *made = calloc(1, sizeof *made);
    if (made == NULL) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    made->base.object.kind = &mutex_kind;
    if (bInitialOwner) {
        mslot__win_lock();
        mutex_take(&made->base.object, mslot__win_this_thread());
        mslot__win_unlock();
    }
    return create_named(&made->base, lpName, lpMutexAttributes);
}

HANDLE WINAPI CreateMutexW(LPSECURITY_ATTRIBUTES lpMutexAttributes, BOOL bInitialOwner, LPCWSTR lpName)
{
    WITH_NARROW(lpName, CreateMutexA(lpMutexAttributes, bInitialOwner, narrow));
}

BOOL WINAPI ReleaseMutex(HANDLE hMutex)
{
    mslot__win_lock();
    mutex *m = (mutex *)mslot__win_object_of(hMutex, &mutex_kind);
    DWORD error = m == NULL ? ERROR_INVALID_HANDLE : 0;
    if (m != NULL) {
        if (m->owner == NULL || m->owner != mslot__win_this_thread()) {
            error = ERROR_NOT_OWNER;
        } else if (--m->depth == 0) {
            mutex_disown(m);
            mslot__win_signalled(&m->base.object);
        }
        mslot__win_release(&m->base.object);
    }
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

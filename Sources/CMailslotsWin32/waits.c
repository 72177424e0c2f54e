// Waiting: for one object or several, and the objects that exist to be waited for: events and mutexes.
//
// Who waits stands in one list, in the order of arrival. When an object becomes signalled the list is gone through, and each wait that
// can now end is ended by the one who signalled: so an event that resets itself goes to exactly one, and a wait for all takes all or none.

#include "win.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

pthread_mutex_t *mslot__win_lock_itself(void);

// MARK: time and conditions

enum { NANOSECONDS_A_SECOND = 1000000000, NANOSECONDS_A_MILLISECOND = 1000000 };

int64_t mslot__win_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS_A_SECOND + now.tv_nsec;
}

int64_t mslot__win_deadline(DWORD milliseconds)
{
    return milliseconds == INFINITE ? MSLOT_FOREVER : mslot__win_now_ns() + (int64_t)milliseconds * NANOSECONDS_A_MILLISECOND;
}

void mslot__win_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mslot__win_condition_wait(pthread_cond_t *condition, int64_t deadline_ns)
{
    if (deadline_ns == MSLOT_FOREVER) {
        pthread_cond_wait(condition, mslot__win_lock_itself());
        return;
    }
    struct timespec deadline = {.tv_sec = deadline_ns / NANOSECONDS_A_SECOND, .tv_nsec = deadline_ns % NANOSECONDS_A_SECOND};
    pthread_cond_timedwait(condition, mslot__win_lock_itself(), &deadline);
}

// MARK: the list of who waits. All locked.

typedef struct waiter {
    struct waiter *next;
    mslot_win_thread *thread;
    mslot_win_object *const *objects;
    DWORD count;
    bool all;
    bool done;
    DWORD result;
} waiter;

static waiter *waiters;

static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread) { return object->kind->is_signalled(object, thread); }

/// True: the object was abandoned.
static bool take(mslot_win_object *object, mslot_win_thread *thread)
{
    return object->kind->take != NULL && object->kind->take(object, thread);
}

/// Ends the wait if it can end.
static bool try_end(waiter *w)
{
    DWORD signalled = 0, first = w->count;
    for (DWORD i = w->count; i-- > 0;) {
        if (!is_signalled(w->objects[i], w->thread)) continue;
        signalled++;
        first = i;
    }
    if (w->count == 0 || signalled == 0 || (w->all && signalled < w->count)) return false;
    bool abandoned = false;
    if (w->all) {
        first = 0;
        for (DWORD i = 0; i < w->count; i++) abandoned = take(w->objects[i], w->thread) || abandoned;
    } else {
        abandoned = take(w->objects[first], w->thread);
    }
    w->done = true;
    w->result = (abandoned ? WAIT_ABANDONED_0 : WAIT_OBJECT_0) + first;
    return true;
}

static bool waits_for(const waiter *w, const mslot_win_object *object)
{
    for (DWORD i = 0; i < w->count; i++)
        if (w->objects[i] == object) return true;
    return false;
}

void mslot__win_signalled(mslot_win_object *object)
{
    for (waiter *w = waiters; w != NULL; w = w->next)
        if (!w->done && waits_for(w, object) && try_end(w)) pthread_cond_signal(&w->thread->wake);
}

DWORD mslot__win_wait(mslot_win_object *const *objects, DWORD count, bool all, int64_t deadline_ns, bool alertable)
{
    waiter w = {.thread = mslot__win_this_thread(), .objects = objects, .count = count, .all = all};
    if (try_end(&w)) return w.result;
    waiter **end = &waiters;
    while (*end != NULL) end = &(*end)->next;
    *end = &w;
    w.thread->alertable = alertable;
    bool ran = false;
    while (!w.done) {
        if (alertable && w.thread->first_apc != NULL) {
            ran = true;
            break;
        }
        if (mslot__win_now_ns() >= deadline_ns) break;
        mslot__win_condition_wait(&w.thread->wake, deadline_ns);
    }
    w.thread->alertable = false;
    waiter **link = &waiters;
    while (*link != &w) link = &(*link)->next;
    *link = w.next;
    // Outside the list: a routine may wait itself.
    if (ran) mslot__win_apcs_run(w.thread);
    return w.done ? w.result : ran ? WAIT_IO_COMPLETION : WAIT_TIMEOUT;
}

// MARK: the calls

static DWORD wait_failed(DWORD error)
{
    SetLastError(error);
    return WAIT_FAILED;
}

/// The object of a handle that can be waited for, retained; NULL with the last error.
static mslot_win_object *waitable(HANDLE handle)
{
    if (handle == GetCurrentThread()) return &mslot__win_thread_of(handle)->object;
    mslot_win_object *object = mslot__win_object_of(handle, NULL);
    if (object == NULL || object->kind->is_signalled != NULL) return object;
    mslot__win_release(object);
    SetLastError(ERROR_INVALID_HANDLE);
    return NULL;
}

DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds, BOOL bAlertable)
{
    if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS || lpHandles == NULL) return wait_failed(ERROR_INVALID_PARAMETER);
    mslot_win_object *objects[MAXIMUM_WAIT_OBJECTS];
    DWORD found = 0;
    DWORD result = WAIT_FAILED;
    int64_t deadline = mslot__win_deadline(dwMilliseconds);
    mslot__win_lock();
    while (found < nCount && (objects[found] = waitable(lpHandles[found])) != NULL) found++;
    bool twice = false;
    for (DWORD i = 0; i < found && bWaitAll; i++)
        for (DWORD j = 0; j < i; j++) twice = twice || objects[i] == objects[j];
    if (twice) SetLastError(ERROR_INVALID_PARAMETER);
    else if (found == nCount) result = mslot__win_wait(objects, nCount, bWaitAll != FALSE, deadline, bAlertable != FALSE);
    for (DWORD i = 0; i < found; i++) mslot__win_release(objects[i]);
    mslot__win_unlock();
    return result;
}

DWORD WINAPI WaitForMultipleObjects(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(nCount, lpHandles, bWaitAll, dwMilliseconds, FALSE);
}

DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL bAlertable)
{
    return WaitForMultipleObjectsEx(1, &hHandle, FALSE, dwMilliseconds, bAlertable);
}

DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(1, &hHandle, FALSE, dwMilliseconds, FALSE);
}

DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable)
{
    int64_t deadline = mslot__win_deadline(dwMilliseconds);
    mslot__win_lock();
    DWORD result = mslot__win_wait(NULL, 0, false, deadline, bAlertable != FALSE);
    mslot__win_unlock();
    return result == WAIT_IO_COMPLETION ? WAIT_IO_COMPLETION : 0;
}

void WINAPI Sleep(DWORD dwMilliseconds)
{
    int64_t deadline_ns = mslot__win_deadline(dwMilliseconds);
    if (dwMilliseconds == 0) SwitchToThread();
    struct timespec deadline = {.tv_sec = deadline_ns / NANOSECONDS_A_SECOND, .tv_nsec = deadline_ns % NANOSECONDS_A_SECOND};
    while (dwMilliseconds != 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) {}
}

// MARK: events and mutexes

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

void mslot__win_waits_forget(void)
{
    waiters = NULL;
    all_named = NULL;
}

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

static const mslot_win_kind mutex_kind = {.is_signalled = mutex_is_signalled, .take = mutex_take, .destroy = mutex_destroy};

void mslot__win_mutexes_abandon(mslot_win_thread *thread)
{
    while (thread->mutexes != NULL) {
        mutex *m = thread->mutexes;
        mutex_disown(m);
        m->abandoned = true;
        mslot__win_signalled(&m->base.object);
    }
}

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

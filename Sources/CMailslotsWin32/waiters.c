// Who waits, and for what.
//
// Who waits stands in one list, in the order of arrival. When an object becomes signalled the list is gone through, and each wait that
// can now end is ended by the one who signalled: so an event that resets itself goes to exactly one, and a wait for all takes all or none.

#include "win.h"

static mslot_win_waiter *waiters;

static void forget(void) { waiters = NULL; }
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread) { return object->kind->is_signalled(object, thread); }

/// True: the object was abandoned.
static bool take(mslot_win_object *object, mslot_win_thread *thread)
{
    return object->kind->take != NULL && object->kind->take(object, thread);
}

bool mslot__win_waiter_try_end(mslot_win_waiter *w)
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

static bool waits_for(const mslot_win_waiter *w, const mslot_win_object *object)
{
    for (DWORD i = 0; i < w->count; i++)
        if (w->objects[i] == object) return true;
    return false;
}

void mslot__win_signalled(mslot_win_object *object)
{
    for (mslot_win_waiter *w = waiters; w != NULL; w = w->next)
        if (!w->done && waits_for(w, object) && mslot__win_waiter_try_end(w)) pthread_cond_signal(&w->thread->wake);
}

void mslot__win_waiter_add(mslot_win_waiter *w)
{
    mslot_win_waiter **end = &waiters;
    while (*end != NULL) end = &(*end)->next;
    *end = w;
}

void mslot__win_waiter_remove(mslot_win_waiter *w)
{
    mslot_win_waiter **link = &waiters;
    while (*link != w) link = &(*link)->next;
    *link = w->next;
}

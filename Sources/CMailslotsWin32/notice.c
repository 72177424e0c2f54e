// Requests that are done later: how they begin, and who is told when they are done.

#include "win.h"

static mslot_win_awaited *all_awaited;

static void forget(void) { all_awaited = NULL; }
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

DWORD mslot__win_notice_begin(mslot_win_notice *notice, OVERLAPPED *overlapped, LPOVERLAPPED_COMPLETION_ROUTINE routine, bool with_routine)
{
    *notice = (mslot_win_notice){.overlapped = overlapped};
    if (with_routine && (overlapped == NULL || routine == NULL)) return ERROR_INVALID_PARAMETER;
    if (overlapped == NULL) return 0;
    if ((uintptr_t)overlapped % _Alignof(OVERLAPPED) != 0) return ERROR_NOACCESS;
    if (with_routine) {
        notice->routine = routine;
    } else if (overlapped->hEvent != NULL) {
        // Bit 0 says "tell no completion port": it is not part of the handle.
        notice->event = mslot__win_object_of((HANDLE)((uintptr_t)overlapped->hEvent & ~(uintptr_t)1), &mslot__win_event_kind);
        if (notice->event == NULL) return ERROR_INVALID_HANDLE;
        mslot__win_event_set(notice->event, false);
    }
    notice->thread = mslot__win_this_thread();
    mslot__win_retain(&notice->thread->object);
    // Relaxed: who polls it knows that the request has begun. It stays so when the request fails at once.
    __atomic_store_n(&overlapped->Internal, STATUS_PENDING, __ATOMIC_RELAXED);
    return 0;
}

void mslot__win_notice_drop(mslot_win_notice *notice)
{
    if (notice->event != NULL) mslot__win_release(notice->event);
    if (notice->thread != NULL) mslot__win_release(&notice->thread->object);
    *notice = (mslot_win_notice){.overlapped = NULL};
}

void mslot__win_notice_finish(mslot_win_notice *notice, DWORD error, DWORD count)
{
    OVERLAPPED *overlapped = notice->overlapped;
    if (overlapped == NULL) return;
    overlapped->InternalHigh = count;
    // Pairs with the acquire load in GetOverlappedResultEx: the buffer and the count are there. From here on it is the program's again.
    __atomic_store_n(&overlapped->Internal, (uint32_t)mslot__win_status_of(error), __ATOMIC_RELEASE);
    if (notice->routine != NULL) {
        mslot__win_apc_queue(
            notice->thread, (mslot_win_apc){.routine = notice->routine, .error = error, .count = count, .overlapped = overlapped});
    } else if (notice->event != NULL) {
        mslot__win_event_set(notice->event, true);
    }
    for (mslot_win_awaited *awaited = all_awaited; awaited != NULL; awaited = awaited->next)
        if (awaited->overlapped == overlapped) mslot__win_signalled(&awaited->object);
    mslot__win_notice_drop(notice);
}

// MARK: waiting for one request

static bool is_done(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    return HasOverlappedIoCompleted(((mslot_win_awaited *)object)->overlapped);
}

static const mslot_win_kind awaited_kind = {.is_signalled = is_done};

void mslot__win_awaited_add(mslot_win_awaited *awaited, const OVERLAPPED *overlapped)
{
    *awaited = (mslot_win_awaited){.object.kind = &awaited_kind, .overlapped = overlapped, .next = all_awaited};
    all_awaited = awaited;
}

void mslot__win_awaited_remove(mslot_win_awaited *awaited)
{
    mslot_win_awaited **link = &all_awaited;
    while (*link != awaited) link = &(*link)->next;
    *link = awaited->next;
}

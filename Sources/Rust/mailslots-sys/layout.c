// Where C has what the structures of src/lib.rs say: a test compares them.

#include <mailslots.h>
#include <stddef.h>

const size_t mailslots_sys_layout[] = {
    sizeof(mslot_failure),
    offsetof(mslot_failure, words),
    sizeof(mslot_create_options),
    offsetof(mslot_create_options, read_timeout_ns),
    offsetof(mslot_create_options, polling_ns),
    sizeof(mslot_created),
    offsetof(mslot_created, failure),
    offsetof(mslot_created, unread_count),
    sizeof(mslot_open_options),
    offsetof(mslot_open_options, interrupt),
    offsetof(mslot_open_options, polling_ns),
    sizeof(mslot_opened),
    offsetof(mslot_opened, failure),
    sizeof(mslot_view),
    offsetof(mslot_view, bytes),
    offsetof(mslot_view, position),
    offsetof(mslot_view, origin),
    sizeof(mslot_received),
    offsetof(mslot_received, position),
    sizeof(mslot_loaned),
    offsetof(mslot_loaned, bytes),
    sizeof(mslot_wait),
    offsetof(mslot_wait, timeout_ns),
    offsetof(mslot_wait, never_polls),
    offsetof(mslot_wait, was_full),
    MSLOT_NOT_OPEN,
};

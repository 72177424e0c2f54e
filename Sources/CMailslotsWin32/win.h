// What the files of this folder share: the lowest first, and a file calls none that comes after it. Not API.
//
//     last_error memory readable text errors name format print strsafe wide scan security objects conditions clock waiters threads events
//     timers notice computer_name console server client waits overlapped files handles runtime entry
//
// One lock guards all objects, handles, queues and signalled states, as the dispatcher lock of Windows does. It is never held while
// anything waits, or a long message is written. "Locked" in a comment: the caller holds it.
#ifndef MAILSLOTS_WIN_H
#define MAILSLOTS_WIN_H

#ifndef _GNU_SOURCE
#error "Compile with -D_GNU_SOURCE."
#endif

#include "mailslots.h"
#include "windows.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

// MARK: last_error.c

/// Sets the last error; FALSE.
static inline BOOL mslot__win_fail(DWORD error)
{
    SetLastError(error);
    return FALSE;
}
static inline HANDLE mslot__win_fail_handle(DWORD error)
{
    SetLastError(error);
    return INVALID_HANDLE_VALUE;
}

static inline bool mslot__win_may_read(DWORD access) { return (access & (GENERIC_READ | GENERIC_ALL | FILE_READ_DATA)) != 0; }
static inline bool mslot__win_may_write(DWORD access)
{
    return (access & (GENERIC_WRITE | GENERIC_ALL | FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
}

// MARK: readable.c

/// Whether the first and the last of these bytes can be read; those between are not looked at. Without a system call on this thread's
/// stack, in the program's data and in the main thread's heap; else one or two, 0.1 µs each.
bool mslot__win_is_readable(const void *bytes, size_t count);

// MARK: text.c and format.c

/// UTF-16 to UTF-8: units up to `count`; half a pair becomes U+FFFD and sets `*broken`. Returns bytes that the whole has, writes at most
/// `capacity`, whole characters only, no closing zero.
size_t mslot__win_narrow(const WCHAR *wide, size_t count, char *text, size_t capacity, bool *broken);
/// UTF-8 to UTF-16, likewise; a bad byte becomes U+FFFD.
size_t mslot__win_widen(const char *text, size_t count, WCHAR *wide, size_t capacity, bool *broken);
size_t mslot__win_wide_length(const WCHAR *wide);
/// On the heap; NULL: no memory.
char *mslot__win_narrow_copy(const WCHAR *wide);

typedef enum { MSLOT_WIN_NARROW_FORMAT, MSLOT_WIN_WIDE_FORMAT } mslot_win_format_kind;
/// Formats by the rules of Microsoft's printf: `l` has 32 bits, I64 and I are known, %s is of the format's kind and %S of the other.
/// On the heap, with its length; NULL: no memory.
char *mslot__win_format(mslot_win_format_kind kind, const char *format, va_list arguments, size_t *length);
char *mslot__win_format_wide(const WCHAR *format, va_list arguments, size_t *length);

/// How large an argument of printf is, or what an argument of scanf points to.
typedef enum {
    MSLOT_WIN_SIZE_NONE,
    MSLOT_WIN_SIZE_CHAR,
    MSLOT_WIN_SIZE_SHORT,
    MSLOT_WIN_SIZE_LONG,
    MSLOT_WIN_SIZE_64,
    MSLOT_WIN_SIZE_POINTER,
    MSLOT_WIN_SIZE_LONG_DOUBLE,
    MSLOT_WIN_SIZE_WIDE
} mslot_win_size;
/// The size at `*format`, as `I64` or `l`, and goes behind it.
mslot_win_size mslot__win_format_size(const char **format);
/// Whether `%s`, `%S`, `%c`, `%C` or `%[` means wide text.
bool mslot__win_format_is_wide(mslot_win_format_kind kind, mslot_win_size size, char letter);

// MARK: errors.c

/// What an outcome of the core is called here, and a failure, which may say more.
DWORD mslot__win_error_of_outcome(mslot_outcome outcome);
DWORD mslot__win_error_of(mslot_failure failure);
NTSTATUS mslot__win_status_of(DWORD error);
DWORD mslot__win_error_of_status(NTSTATUS status);
const char *mslot__win_error_text(DWORD error);

// MARK: name.c

typedef enum {
    MSLOT_WIN_LOCAL,
    /// \\host\mailslot\name, \\*\mailslot\name
    MSLOT_WIN_REMOTE,
    /// A device that is there, but is no mailslot; a file.
    MSLOT_WIN_OTHER,
    MSLOT_WIN_NO_SUCH_DEVICE,
    /// \\.\mailslot\ itself.
    MSLOT_WIN_ROOT,
    /// No name at all.
    MSLOT_WIN_NOTHING,
    MSLOT_WIN_TRAILING_SEPARATOR,
    MSLOT_WIN_TOO_LONG,
    MSLOT_WIN_BAD_CHARACTERS
} mslot__win_name_kind;

enum { MSLOT_WIN_NAME_BYTES_MAX = 4 * 4096 };

typedef struct mslot_win_name {
    mslot__win_name_kind kind;
    /// What mslot_create and mslot_open take, if it is LOCAL, or mslot_open alone, if it is REMOTE.
    char text[MSLOT_NAME_BYTES_MAX + 32];
} mslot_win_name;

mslot_win_name mslot__win_name_parse(const char *text);
/// The UTF-8 text of a wide name, in `text`; false: it is no text.
bool mslot__win_name_narrow(LPCWSTR wide, char text[MSLOT_WIN_NAME_BYTES_MAX]);

// MARK: security.c

/// 0 and the mode of a mailslot with these attributes, which may be NULL; or an error.
DWORD mslot__win_mode_of(const SECURITY_ATTRIBUTES *attributes, uint32_t *mode);

// MARK: objects.c: the lock, objects, handles

typedef struct mslot_win_object mslot_win_object;
typedef struct mslot_win_thread mslot_win_thread;

/// What can be done with objects of one kind. Each call: locked.
typedef struct mslot_win_kind {
    /// It is read, written and asked about as a file.
    bool is_file;
    /// Whether a wait of `thread` on it ends. NULL: it cannot be waited for.
    bool (*is_signalled)(mslot_win_object *object, mslot_win_thread *thread);
    /// A wait ended by it: an event resets, a mutex gets its owner. True: the mutex was abandoned. NULL: nothing happens.
    bool (*take)(mslot_win_object *object, mslot_win_thread *thread);
    /// It is owned, and its owner ended. NULL: nobody owns it.
    void (*owner_ended)(mslot_win_object *object);
    /// What can be seen of the mailslot; DONE, or not: a remote one. NULL: it has none.
    mslot_info (*info)(mslot_win_object *object);
    /// No handle is left; calls may still be going on. May unlock meanwhile. NULL: nothing happens.
    void (*last_handle_closed)(mslot_win_object *object);
    /// Nobody uses it any more. Frees it.
    void (*destroy)(mslot_win_object *object);
} mslot_win_kind;

/// The beginning of every object.
struct mslot_win_object {
    const mslot_win_kind *kind;
    /// Handles, and calls that are going on.
    uint32_t references;
    uint32_t handles;
};

typedef struct mslot_win_entry {
    mslot_win_object *object;
    DWORD access;
    DWORD flags;
    uint32_t generation;
    uint32_t next_free;
} mslot_win_entry;

/// What a file above wants to know of the process and its threads. In static memory; for ever.
typedef struct mslot_win_hooks {
    /// In a forked child, locked: what belongs to the parent is forgotten.
    void (*forget)(void);
    /// Locked; may unlock meanwhile. A thread ends. NULL: nothing happens.
    void (*thread_ended)(mslot_win_thread *thread);
    struct mslot_win_hooks *next;
} mslot_win_hooks;

/// Before main, by a constructor.
void mslot__win_hook(mslot_win_hooks *hooks);
/// Locked. Calls the hooks.
void mslot__win_thread_ended(mslot_win_thread *thread);

void mslot__win_lock(void);
void mslot__win_unlock(void);
/// conditions.c waits with it.
pthread_mutex_t *mslot__win_lock_itself(void);

static inline void mslot__win_retain(mslot_win_object *object) { object->references++; }
/// Locked.
void mslot__win_release(mslot_win_object *object);
/// Locked. The new handle; INVALID_HANDLE_VALUE when no more fit.
HANDLE mslot__win_handle_new(mslot_win_object *object, DWORD access, bool inherit);
/// Locked; it is one.
void mslot__win_handle_close(HANDLE handle);
/// Locked. Closes the handle that is this entry.
void mslot__win_entry_close(mslot_win_entry *entry);
/// Locked. NULL: it is no handle.
mslot_win_entry *mslot__win_entry_of(HANDLE handle);
/// Locked. The object of a handle, retained; NULL with ERROR_INVALID_HANDLE in the thread's last error.
mslot_win_object *mslot__win_object_of(HANDLE handle, const mslot_win_kind *kind);

// MARK: conditions.c

/// When a wait of so many milliseconds ends, in nanoseconds of the monotonic clock; MSLOT_FOREVER.
int64_t mslot__win_deadline(DWORD milliseconds);
int64_t mslot__win_now_ns(void);
struct timespec mslot__win_timespec(int64_t ns);
void mslot__win_condition_init(pthread_cond_t *condition);
/// Locked. Waits for the condition, until the deadline at the latest.
void mslot__win_condition_wait(pthread_cond_t *condition, int64_t deadline_ns);

// MARK: waiters.c

/// A wait for any or all of some objects.
typedef struct mslot_win_waiter {
    struct mslot_win_waiter *next;
    mslot_win_thread *thread;
    mslot_win_object *const *objects;
    DWORD count;
    bool all;
    bool done;
    DWORD result;
} mslot_win_waiter;

/// Locked. Ends the wait if it can end.
bool mslot__win_waiter_try_end(mslot_win_waiter *w);
/// Locked. From here on who signals one of the objects ends the wait, and until it is removed.
void mslot__win_waiter_add(mslot_win_waiter *w);
void mslot__win_waiter_remove(mslot_win_waiter *w);
/// Locked. The object may have become signalled: ends the waits that this ends, first come, first served.
void mslot__win_signalled(mslot_win_object *object);

// MARK: threads.c

/// A routine that runs in an alertable wait of its thread.
typedef struct mslot_win_apc {
    struct mslot_win_apc *next;
    LPOVERLAPPED_COMPLETION_ROUTINE routine;
    DWORD error;
    DWORD count;
    OVERLAPPED *overlapped;
    PAPCFUNC function;
    ULONG_PTR argument;
} mslot_win_apc;

struct mslot_win_thread {
    mslot_win_object object;
    pthread_t thread;
    DWORD id;
    DWORD exit_code;
    bool started;
    bool ended;
    /// Signalled when something this thread waits for has happened.
    pthread_cond_t wake;
    /// It waits, and an APC ends that wait.
    bool alertable;
    mslot_win_apc *first_apc;
    mslot_win_apc *last_apc;
    LPTHREAD_START_ROUTINE start;
    LPVOID parameter;
    /// Mutexes it owns, which begin as objects; events.c.
    struct mslot_win_mutex *mutexes;
};

extern const mslot_win_kind mslot__win_thread_kind;
/// Locked. This thread; made at its first need.
mslot_win_thread *mslot__win_this_thread(void);
/// Locked.
void mslot__win_apc_queue(mslot_win_thread *thread, mslot_win_apc apc);
/// Locked; unlocks while they run. Whether there were any.
bool mslot__win_apcs_run(mslot_win_thread *thread);
/// The object of a handle of a thread, or of GetCurrentThread(), retained; NULL as mslot__win_object_of. Locked.
mslot_win_thread *mslot__win_thread_of(HANDLE handle);
/// Starts a thread of our own that no signal disturbs.
bool mslot__win_start_service(void *(*run)(void *), void *argument);

// MARK: events.c

extern const mslot_win_kind mslot__win_event_kind;
/// Locked.
void mslot__win_event_set(mslot_win_object *object, bool set);

// MARK: notice.c

/// The asynchronous half of a request: whom to tell when it is done. All fields NULL: nobody.
typedef struct mslot_win_notice {
    OVERLAPPED *overlapped;
    mslot_win_object *event;
    LPOVERLAPPED_COMPLETION_ROUTINE routine;
    mslot_win_thread *thread;
} mslot_win_notice;

/// Locked. Begins a request: 0, or an error. What it retains is released by `finish` or `drop`.
DWORD mslot__win_notice_begin(mslot_win_notice *notice, OVERLAPPED *overlapped, LPOVERLAPPED_COMPLETION_ROUTINE routine, bool with_routine);
/// Locked. The request is done: says so in the OVERLAPPED, sets the event or queues the routine.
void mslot__win_notice_finish(mslot_win_notice *notice, DWORD error, DWORD count);
/// Locked. The request failed at once: nobody is told.
void mslot__win_notice_drop(mslot_win_notice *notice);

/// One request as an object, signalled when that is done: a wait for its mailslot would be for all the requests there. On the stack of
/// who waits.
typedef struct mslot_win_awaited {
    mslot_win_object object;
    const OVERLAPPED *overlapped;
    struct mslot_win_awaited *next;
} mslot_win_awaited;
/// Locked. From here on, until it is removed, the end of the request signals it.
void mslot__win_awaited_add(mslot_win_awaited *awaited, const OVERLAPPED *overlapped);
void mslot__win_awaited_remove(mslot_win_awaited *awaited);

// MARK: console.c

extern const mslot_win_kind mslot__win_stream_kind;
DWORD mslot__win_stream_read(mslot_win_object *object, void *buffer, DWORD capacity, DWORD *count);
DWORD mslot__win_stream_write(mslot_win_object *object, const void *bytes, DWORD size, DWORD *count);
DWORD mslot__win_stream_type(mslot_win_object *object);

// MARK: server.c

typedef struct mslot_win_server mslot_win_server;
extern const mslot_win_kind mslot__win_server_kind;

/// Locked; unlocks while it waits. 0, ERROR_IO_PENDING, or an error.
DWORD mslot__win_server_read(mslot_win_object *object, void *buffer, DWORD capacity, DWORD *count, mslot_win_notice *notice);
/// Locked. Whether a server of this process has the mailslot at `path`.
bool mslot__win_server_is_own(const char *path);
/// Locked; unlocks meanwhile. Which requests end with ERROR_OPERATION_ABORTED: those of `thread`, or with NULL of any; that of
/// `overlapped`, or with NULL all; `synchronous`, `asynchronous` ones. How many they were.
uint32_t mslot__win_server_cancel(
    mslot_win_object *object, mslot_win_thread *thread, const OVERLAPPED *overlapped, bool synchronous, bool asynchronous);
/// Locked; unlocks meanwhile. On every mailslot.
uint32_t mslot__win_servers_cancel(mslot_win_thread *thread, bool synchronous, bool asynchronous);

// MARK: client.c

extern const mslot_win_kind mslot__win_client_kind;
/// Locked; unlocks while it writes. 0 or an error.
DWORD mslot__win_client_write(mslot_win_object *object, const void *bytes, DWORD count);
/// Locked. Ends a write that waits for room: of `thread`, or with NULL of any.
bool mslot__win_client_cancel(mslot_win_object *object, mslot_win_thread *thread);
bool mslot__win_clients_cancel(mslot_win_thread *thread);

// MARK: waits.c

/// Locked; unlocks while it waits, and while it runs routines. WAIT_...
DWORD mslot__win_wait(mslot_win_object *const *objects, DWORD count, bool all, int64_t deadline_ns, bool alertable);

#endif

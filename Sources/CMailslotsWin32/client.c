// A client's end: a mailslot that was opened by its name, to write to.
//
// A writer of the core is for one thread at a time, so writes take turns, first come, first served; a turn lasts while its write waits for
// room. The limit of a write and its cancelling do not ask which of the two it waits for. A short message is written with the lock of all
// alone, which is one uncontended word then: as long as nobody else has a turn.
//
// On another machine nothing is contacted when it is opened: the first write does, as on Windows. Like a handle of Windows, which has no
// connection that could break, one outlives the bridge: a write after another was started opens anew.

#include "win.h"

#include <errno.h>
#include <stdlib.h>

enum { WAIT_MS_DEFAULT = 10000, NANOSECONDS_A_MILLISECOND = 1000000 };

/// A write that waits for its turn, or has it. On the stack of its thread.
typedef struct turn {
    struct turn *next;
    mslot_win_thread *thread;
    /// When the write has waited long enough, for whatever.
    int64_t deadline_ns;
    bool cancelled;
} turn;

typedef struct client {
    mslot_win_object object;
    struct client *next;
    /// NULL: on another machine, and nothing was written yet, or the bridge has ended since. Whose turn it is uses it.
    mslot_writer *writer;
    /// Of the file of a mailslot on this machine, else NULL.
    char *path;
    /// The name on another machine, else NULL.
    char *remote_name;
    /// How long a write waits for room.
    int64_t wait_ns;
    /// Whose turn it is, and who comes after. Guarded by the lock of all.
    turn *first;
    /// Not 0: the way to another machine that is being opened is not wanted any more.
    uint32_t open_interrupt;
} client;

static client *clients;

static void forget(void) { clients = NULL; }
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

// MARK: the environment

static int64_t wait_from_environment(void)
{
    const char *text = secure_getenv("MAILSLOT_WIN32_WAIT_MS");
    int64_t milliseconds = WAIT_MS_DEFAULT;
    if (text != NULL && text[0] != 0) {
        char *end;
        errno = 0;
        unsigned long number = strtoul(text, &end, 10);
        if (*end == 0 && errno == 0 && text[0] != '-' && number <= INT32_MAX) milliseconds = (int64_t)number;
    }
    return milliseconds * NANOSECONDS_A_MILLISECOND;
}

static uint32_t trust_from_environment(void)
{
    const char *text = secure_getenv("MAILSLOT_WIN32_TRUST");
    if (text == NULL || text[0] == 0) return MSLOT_TRUST_NOBODY_ELSE;
    if (strcmp(text, "anyone") == 0) return MSLOT_TRUST_ANYONE;
    char *end;
    unsigned long user = strtoul(text, &end, 10);
    return *end == 0 && text[0] != '-' && user < MSLOT_TRUST_ANYONE ? (uint32_t)user : MSLOT_TRUST_NOBODY_ELSE;
}

static mslot_open_options options_from_environment(void)
{
    mslot_open_options options = mslot_open_options_default();
    options.trust_user = trust_from_environment();
    // As for a server that is everyone's.
    if (options.trust_user != MSLOT_TRUST_NOBODY_ELSE) mslot_guard_install();
    return options;
}

// MARK: turns. All locked.

/// Unlocks while it waits. DONE: it is ours, until turn_end. INTERRUPTED, TIMED_OUT: it is not, but is to end all the same.
static mslot_outcome turn_begin(client *to, turn *own)
{
    turn **end = &to->first;
    while (*end != NULL) end = &(*end)->next;
    *end = own;
    while (to->first != own) {
        if (own->cancelled) return MSLOT_INTERRUPTED;
        if (mslot__win_now_ns() >= own->deadline_ns) return MSLOT_TIMED_OUT;
        mslot__win_condition_wait(&own->thread->wake, own->deadline_ns);
    }
    return MSLOT_DONE;
}

static void turn_end(client *to, turn *own)
{
    turn **link = &to->first;
    while (*link != own) link = &(*link)->next;
    *link = own->next;
    if (link == &to->first && own->next != NULL) pthread_cond_signal(&own->next->thread->wake);
}

/// Cancels the writes of `thread`, or with NULL all. Whether there were any.
static bool cancel_turns(client *to, mslot_win_thread *thread)
{
    bool any = false;
    for (turn *one = to->first; one != NULL; one = one->next) {
        if (thread != NULL && one->thread != thread) continue;
        one->cancelled = any = true;
        if (one != to->first) {
            pthread_cond_signal(&one->thread->wake);
        } else {
            if (to->remote_name != NULL) mslot_open_interrupt(&to->open_interrupt);
            if (to->writer != NULL) mslot_writer_interrupt(to->writer);
        }
    }
    return any;
}

/// In nanoseconds; 1 at least, for a write that waits has something to wait for.
static int64_t time_left(const turn *own)
{
    int64_t left = own->deadline_ns - mslot__win_now_ns();
    return left > 1 ? left : 1;
}

// MARK: a write

static DWORD error_of_outcome(mslot_outcome outcome)
{
    // The limit of Windows is said by the same code as ours.
    if (outcome == MSLOT_TIMED_OUT) return ERROR_NOT_ENOUGH_QUOTA;
    return mslot__win_error_of_outcome(outcome);
}

static bool waits_for_room(const client *to)
{
    // Its own process would have to read: it may be this very thread.
    return to->wait_ns != 0 && !(to->path != NULL && mslot__win_server_is_own(to->path));
}

/// Locked; unlocks while it waits. It is our turn, and the mailslot was full.
static mslot_outcome wait_for_room(client *to, const turn *own, const void *bytes, DWORD count)
{
    if (!waits_for_room(to)) return MSLOT_FULL;
    mslot_outcome outcome = MSLOT_INTERRUPTED;
    // An interrupt may have been meant for the write before, which no longer waited when it came.
    while (outcome == MSLOT_INTERRUPTED && !own->cancelled) {
        mslot__win_unlock();
        outcome = mslot_writer_write(to->writer, bytes, count, time_left(own));
        mslot__win_lock();
    }
    return outcome;
}

/// Locked; unlocks meanwhile, for a message may be long. It is our turn.
static mslot_outcome write_unlocked(client *to, const void *bytes, DWORD count)
{
    mslot__win_unlock();
    // A killed server is noticed before a message is lost to it. A reader that was not made by CreateMailslot announces nothing, as a rule:
    // its lock is asked for, two system calls, 0.5 µs.
    mslot_outcome outcome = mslot_writer_sees_reader(to->writer) ? MSLOT_DONE : mslot_writer_check_reader(to->writer);
    if (outcome == MSLOT_DONE) outcome = mslot_writer_write(to->writer, bytes, count, 0);
    mslot__win_lock();
    return outcome;
}

/// Locked. Whether a write takes so short that nobody need be let in meanwhile.
static bool is_soon_written(const client *to, DWORD count)
{
    return to->first == NULL && to->writer != NULL && count <= MSLOT_MESSAGE_BYTES_MAX && mslot_writer_sees_reader(to->writer);
}

static bool is_gone(mslot_outcome outcome) { return outcome == MSLOT_CLOSED || outcome == MSLOT_NO_READER; }

/// Locked; unlocks meanwhile. It is our turn. Opens the way to another machine, anew if there was one. 0, or why not.
static DWORD reach(client *to, const turn *own)
{
    if (own->cancelled) return ERROR_OPERATION_ABORTED;
    mslot_writer *broken = to->writer;
    to->writer = NULL;
    to->open_interrupt = 0;
    mslot__win_unlock();
    if (broken != NULL) mslot_writer_close(broken);
    mslot_open_options options = options_from_environment();
    options.answer_ns = to->wait_ns != 0 ? time_left(own) : 0;
    options.interrupt = &to->open_interrupt;
    mslot_opened opened = mslot_open(to->remote_name, &options);
    mslot__win_lock();
    to->writer = opened.writer;
    bool no_such_place = opened.failure.outcome == MSLOT_BAD_NAME || opened.failure.outcome == MSLOT_TIMED_OUT;
    return no_such_place ? ERROR_BAD_NETPATH : mslot__win_error_of(opened.failure);
}

DWORD mslot__win_client_write(mslot_win_object *object, const void *bytes, DWORD count)
{
    client *to = (client *)object;
    bool is_far = to->remote_name != NULL;
    if (is_far && count > MSLOT_MESSAGE_BYTES_MAX) return ERROR_BAD_NETPATH;
    bool is_tried = is_soon_written(to, count);
    mslot_outcome outcome = is_tried ? mslot_writer_write(to->writer, bytes, count, 0) : MSLOT_CLOSED;
    if (outcome == MSLOT_DONE) return 0;

    turn own = {.thread = mslot__win_this_thread(), .deadline_ns = MSLOT_FOREVER};
    // Where nobody waits for room turns are short.
    if (waits_for_room(to)) own.deadline_ns = mslot__win_now_ns() + to->wait_ns;
    DWORD error = 0;
    mslot_outcome begun = turn_begin(to, &own);
    if (begun != MSLOT_DONE) {
        outcome = begun;
    } else {
        if (!is_tried && to->writer != NULL) outcome = write_unlocked(to, bytes, count);
        if (is_far && is_gone(outcome)) error = reach(to, &own);
        if (is_far && is_gone(outcome) && error == 0) outcome = write_unlocked(to, bytes, count);
        if (error == 0 && outcome == MSLOT_FULL) outcome = wait_for_room(to, &own, bytes, count);
    }
    turn_end(to, &own);
    if (error != 0) return error;
    return is_far && is_gone(outcome) ? ERROR_BAD_NETPATH : error_of_outcome(outcome);
}

bool mslot__win_client_cancel(mslot_win_object *object, mslot_win_thread *thread) { return cancel_turns((client *)object, thread); }

bool mslot__win_clients_cancel(mslot_win_thread *thread)
{
    bool any = false;
    for (client *to = clients; to != NULL; to = to->next) any = cancel_turns(to, thread) || any;
    return any;
}

static mslot_info info_of(mslot_win_object *object)
{
    client *to = (client *)object;
    if (to->remote_name != NULL) return (mslot_info){.outcome = MSLOT_BAD_ARGUMENT};
    return mslot_writer_info(to->writer);
}

// MARK: open and close

/// With a writer `name` is the path of its file, without one a name on another machine.
static client *client_new(mslot_writer *writer, const char *name)
{
    client *made = calloc(1, sizeof *made);
    char *kept_name = strdup(name);
    if (made == NULL || kept_name == NULL) {
        free(made);
        free(kept_name);
        return NULL;
    }
    made->object.kind = &mslot__win_client_kind;
    made->writer = writer;
    *(writer != NULL ? &made->path : &made->remote_name) = kept_name;
    made->wait_ns = wait_from_environment();
    return made;
}

/// The handle of a new client; takes the writer over. `name` as for client_new.
static HANDLE handle_of_new(mslot_writer *writer, const char *name, DWORD access, const SECURITY_ATTRIBUTES *attributes)
{
    client *made = client_new(writer, name);
    if (made == NULL) {
        if (writer != NULL) mslot_writer_close(writer);
        return mslot__win_fail_handle(ERROR_NOT_ENOUGH_MEMORY);
    }
    mslot__win_lock();
    made->next = clients;
    clients = made;
    mslot__win_retain(&made->object);
    HANDLE handle = mslot__win_handle_new(&made->object, access, attributes != NULL && attributes->bInheritHandle);
    mslot__win_release(&made->object);
    mslot__win_unlock();
    return handle;
}

static HANDLE open_local(const char *name, DWORD access, DWORD disposition, const SECURITY_ATTRIBUTES *attributes)
{
    char path[PATH_MAX];
    mslot_failure failure = mslot_path(name, path, sizeof path);
    if (failure.outcome != MSLOT_DONE) return mslot__win_fail_handle(mslot__win_error_of(failure));
    mslot_open_options options = options_from_environment();
    mslot_opened opened = mslot_open(name, &options);
    if (opened.writer == NULL) {
        // A killed server's mailslot is gone, as it is on Windows.
        bool gone = opened.failure.outcome == MSLOT_NO_READER;
        return mslot__win_fail_handle(gone ? ERROR_FILE_NOT_FOUND : mslot__win_error_of(opened.failure));
    }
    if (disposition == CREATE_NEW) {
        mslot_writer_close(opened.writer);
        return mslot__win_fail_handle(ERROR_FILE_EXISTS);
    }
    // Now, while the name still leads to it: later writes ask through what this opened.
    mslot_writer_check_reader(opened.writer);
    HANDLE handle = handle_of_new(opened.writer, path, access, attributes);
    bool existed = disposition == OPEN_ALWAYS || disposition == CREATE_ALWAYS;
    if (handle != INVALID_HANDLE_VALUE) SetLastError(existed ? ERROR_ALREADY_EXISTS : 0);
    return handle;
}

HANDLE WINAPI CreateFileA(LPCSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode, LPSECURITY_ATTRIBUTES lpSecurityAttributes,
    DWORD dwCreationDisposition, DWORD dwFlagsAndAttributes, HANDLE hTemplateFile)
{
    (void)dwShareMode; // free since Vista
    (void)dwFlagsAndAttributes;
    (void)hTemplateFile;
    if (dwCreationDisposition < CREATE_NEW || dwCreationDisposition > TRUNCATE_EXISTING)
        return mslot__win_fail_handle(ERROR_INVALID_PARAMETER);
    mslot_win_name name = mslot__win_name_parse(lpFileName);
    switch (name.kind) {
    case MSLOT_WIN_LOCAL: return open_local(name.text, dwDesiredAccess, dwCreationDisposition, lpSecurityAttributes);
    case MSLOT_WIN_REMOTE: return handle_of_new(NULL, name.text, dwDesiredAccess, lpSecurityAttributes);
    case MSLOT_WIN_OTHER: return mslot__win_fail_handle(ERROR_NOT_SUPPORTED);
    case MSLOT_WIN_NO_SUCH_DEVICE:
    case MSLOT_WIN_ROOT:
    case MSLOT_WIN_TRAILING_SEPARATOR: return mslot__win_fail_handle(ERROR_FILE_NOT_FOUND);
    case MSLOT_WIN_NOTHING: return mslot__win_fail_handle(ERROR_PATH_NOT_FOUND);
    case MSLOT_WIN_TOO_LONG: return mslot__win_fail_handle(ERROR_FILENAME_EXCED_RANGE);
    case MSLOT_WIN_BAD_CHARACTERS: break;
    }
    return mslot__win_fail_handle(ERROR_INVALID_NAME);
}

HANDLE WINAPI CreateFileW(LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode, LPSECURITY_ATTRIBUTES lpSecurityAttributes,
    DWORD dwCreationDisposition, DWORD dwFlagsAndAttributes, HANDLE hTemplateFile)
{
    char name[MSLOT_WIN_NAME_BYTES_MAX];
    if (lpFileName == NULL) return mslot__win_fail_handle(ERROR_PATH_NOT_FOUND);
    if (!mslot__win_name_narrow(lpFileName, name)) return mslot__win_fail_handle(ERROR_INVALID_NAME);
    return CreateFileA(
        name, dwDesiredAccess, dwShareMode, lpSecurityAttributes, dwCreationDisposition, dwFlagsAndAttributes, hTemplateFile);
}

/// Writes never are outstanding when WriteFile has returned.
static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)object;
    (void)thread;
    return true;
}

/// Ends what is being written.
static void last_handle_closed(mslot_win_object *object) { cancel_turns((client *)object, NULL); }

static void destroy(mslot_win_object *object)
{
    client *to = (client *)object;
    client **link = &clients;
    while (*link != to) link = &(*link)->next;
    *link = to->next;
    if (to->writer != NULL) mslot_writer_close(to->writer);
    free(to->path);
    free(to->remote_name);
    free(to);
}

const mslot_win_kind mslot__win_client_kind = {
    .is_file = true, .is_signalled = is_signalled, .info = info_of, .last_handle_closed = last_handle_closed, .destroy = destroy};

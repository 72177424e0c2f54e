// The server's end: a mailslot that this process created, and the reads on it.
//
// A reader of the core is for one thread at a time, a handle of Windows for all. So reads that must wait stand in a queue, first come,
// first served, and at most one thread at a time uses the reader without the lock: it "drives". A read that waits in its own thread drives
// when it comes first; overlapped ones are driven by a service thread of the mailslot, started at the first of them. Who needs the reader
// for something else interrupts the driver.

#include "win.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CELLS_DEFAULT = 8192,
    LANES_DEFAULT = 1024,
    /// What programs were seen to send. Each lane may take four times as much address space, and memory once a client sends a long message.
    MESSAGE_BYTES_DEFAULT = 65536,
    /// Slots of killed servers that one CreateMailslot removes, about 0.3 ms each: more than it makes.
    SWEPT_MAX = 8,
    NANOSECONDS_A_MILLISECOND = 1000000
};

/// A read that waits.
typedef struct read_request {
    struct read_request *next;
    void *buffer;
    DWORD capacity;
    int64_t deadline_ns;
    /// Synchronous: the thread that waits, and what came of it. Else NULL.
    mslot_win_thread *waiting;
    bool done;
    DWORD error;
    DWORD count;
    /// Asynchronous; on the heap.
    mslot_win_notice notice;
} read_request;

struct mslot_win_server {
    mslot_win_object object;
    mslot_win_server *next;
    /// NULL: closed.
    mslot_reader *reader;
    char *path;
    DWORD max_message_size;
    DWORD read_timeout_ms;
    read_request *first;
    uint32_t overlapped_count;
    /// Somebody uses the reader without the lock.
    bool driven;
    /// So many want the reader, so nobody begins to drive.
    uint32_t wanted;
    pthread_cond_t reader_free;
    bool has_service;
    pthread_cond_t service_wake;
};

static mslot_win_server *servers;

static void forget(void) { servers = NULL; }
static void thread_ended(mslot_win_thread *thread) { mslot__win_servers_cancel(thread, false, true); }
static mslot_win_hooks hooks = {.forget = forget, .thread_ended = thread_ended};
__attribute__((constructor)) static void begin(void) { mslot__win_hook(&hooks); }

bool mslot__win_server_is_own(const char *path)
{
    for (const mslot_win_server *server = servers; server != NULL; server = server->next)
        if (server->reader != NULL && strcmp(server->path, path) == 0) return true;
    return false;
}

// MARK: the queue. All locked.

/// Whoever comes first may go on.
static void wake_first(mslot_win_server *server)
{
    if (server->first == NULL || server->driven || server->wanted != 0) return;
    pthread_cond_signal(server->first->waiting != NULL ? &server->first->waiting->wake : &server->service_wake);
}

static void append(mslot_win_server *server, read_request *request)
{
    read_request **end = &server->first;
    while (*end != NULL) end = &(*end)->next;
    *end = request;
    if (request->waiting == NULL) server->overlapped_count++;
}

/// Takes the request out of the queue and tells who waits for it.
static void complete(mslot_win_server *server, read_request *request, DWORD error, DWORD count)
{
    read_request **link = &server->first;
    while (*link != request) link = &(*link)->next;
    *link = request->next;
    if (request->waiting != NULL) {
        request->error = error;
        request->count = count;
        request->done = true;
        pthread_cond_signal(&request->waiting->wake);
    } else {
        server->overlapped_count--;
        mslot__win_notice_finish(&request->notice, error, count);
        free(request);
        mslot__win_signalled(&server->object);
    }
    wake_first(server);
}

/// The error of a read; 0 with its count.
static DWORD result_of(mslot_received received, DWORD *count)
{
    *count = 0;
    if (received.outcome == MSLOT_TOO_LONG) return ERROR_INSUFFICIENT_BUFFER;
    if (received.outcome == MSLOT_DONE) *count = received.byte_count;
    return mslot__win_error_of_outcome(received.outcome);
}

/// Waits for a message for the first request, until `deadline_ns`. Unlocks meanwhile.
static void drive(mslot_win_server *server, int64_t deadline_ns)
{
    read_request *request = server->first;
    int64_t left = deadline_ns == MSLOT_FOREVER ? MSLOT_FOREVER : deadline_ns - mslot__win_now_ns();
    server->driven = true;
    mslot__win_unlock();
    mslot_received received = mslot_reader_read(server->reader, request->buffer, request->capacity, left);
    mslot__win_lock();
    server->driven = false;
    // Nobody completes a request that is driven, so it still is the first.
    bool nothing = received.outcome == MSLOT_EMPTY || received.outcome == MSLOT_TIMED_OUT || received.outcome == MSLOT_INTERRUPTED;
    if (!nothing) {
        DWORD count;
        DWORD error = result_of(received, &count);
        complete(server, request, error, count);
    }
    if (server->wanted != 0) pthread_cond_broadcast(&server->reader_free);
    wake_first(server);
}

/// From here to `give_reader` nobody drives. Unlocks while it waits.
static void take_reader(mslot_win_server *server)
{
    server->wanted++;
    while (server->driven) {
        mslot_reader_interrupt(server->reader);
        mslot__win_condition_wait(&server->reader_free, mslot__win_deadline(100)); // an interrupt may end the wait before this one
    }
}

static void give_reader(mslot_win_server *server)
{
    server->wanted--;
    wake_first(server);
}

// MARK: reading

/// Locked. Waits in this thread; unlocks meanwhile.
static DWORD wait_here(mslot_win_server *server, read_request *request)
{
    mslot_win_thread *self = mslot__win_this_thread();
    request->waiting = self;
    append(server, request);
    while (!request->done) {
        if (mslot__win_now_ns() >= request->deadline_ns) {
            complete(server, request, ERROR_SEM_TIMEOUT, 0);
        } else if (server->first == request && !server->driven && server->wanted == 0) {
            drive(server, request->deadline_ns);
        } else {
            mslot__win_condition_wait(&self->wake, request->deadline_ns);
        }
    }
    return request->error;
}

/// Locked, by the service thread. Ends overlapped requests whose time is up. When to look again.
static int64_t end_overdue(mslot_win_server *server)
{
    int64_t now = mslot__win_now_ns();
    int64_t next_deadline = MSLOT_FOREVER;
    for (read_request *request = server->first; request != NULL;) {
        read_request *next = request->next;
        if (request->waiting == NULL) {
            if (request->deadline_ns <= now) complete(server, request, ERROR_SEM_TIMEOUT, 0);
            else if (request->deadline_ns < next_deadline) next_deadline = request->deadline_ns;
        }
        request = next;
    }
    return next_deadline;
}

/// The service thread: drives overlapped reads until the mailslot is closed.
static void *serve(void *argument)
{
    mslot_win_server *server = argument;
    mslot__win_lock();
    while (server->reader != NULL) {
        int64_t next_deadline = end_overdue(server);
        bool may_drive = server->first != NULL && server->first->waiting == NULL && !server->driven && server->wanted == 0;
        if (may_drive) drive(server, next_deadline);
        else mslot__win_condition_wait(&server->service_wake, next_deadline);
    }
    mslot__win_release(&server->object);
    mslot__win_unlock();
    return NULL;
}

/// Locked.
static bool has_service(mslot_win_server *server)
{
    if (!server->has_service && mslot__win_start_service(serve, server)) {
        server->has_service = true;
        mslot__win_retain(&server->object);
    }
    return server->has_service;
}

DWORD mslot__win_server_read(mslot_win_object *object, void *buffer, DWORD capacity, DWORD *count, mslot_win_notice *notice)
{
    mslot_win_server *server = (mslot_win_server *)object;
    *count = 0;
    if (server->reader == NULL) return ERROR_INVALID_HANDLE;
    // Behind reads that wait there is nothing for this one yet.
    DWORD error = ERROR_SEM_TIMEOUT;
    if (server->first == NULL && !server->driven) error = result_of(mslot_reader_read(server->reader, buffer, capacity, 0), count);
    if (error == 0) mslot__win_notice_finish(notice, 0, *count);
    if (error != ERROR_SEM_TIMEOUT || server->read_timeout_ms == 0) return error;

    read_request request = {.buffer = buffer, .capacity = capacity, .deadline_ns = mslot__win_deadline(server->read_timeout_ms)};
    if (notice->overlapped == NULL) {
        error = wait_here(server, &request);
        *count = request.count;
        return error;
    }
    read_request *pending = malloc(sizeof *pending);
    if (pending == NULL || !has_service(server)) {
        free(pending);
        return ERROR_NO_SYSTEM_RESOURCES;
    }
    *pending = request;
    pending->notice = *notice;
    append(server, pending);
    // Not only when it comes first: its deadline may be the next one.
    pthread_cond_signal(&server->service_wake);
    if (server->driven) mslot_reader_interrupt(server->reader);
    return ERROR_IO_PENDING;
}

uint32_t mslot__win_server_cancel(
    mslot_win_object *object, mslot_win_thread *thread, const OVERLAPPED *overlapped, bool synchronous, bool asynchronous)
{
    mslot_win_server *server = (mslot_win_server *)object;
    uint32_t cancelled = 0;
    take_reader(server);
    for (read_request *request = server->first; request != NULL;) {
        read_request *next = request->next;
        bool kind = request->waiting != NULL ? synchronous : asynchronous;
        bool own = thread == NULL || thread == (request->waiting != NULL ? request->waiting : request->notice.thread);
        if (kind && own && (overlapped == NULL || overlapped == request->notice.overlapped)) {
            complete(server, request, ERROR_OPERATION_ABORTED, 0);
            cancelled++;
        }
        request = next;
    }
    give_reader(server);
    return cancelled;
}

uint32_t mslot__win_servers_cancel(mslot_win_thread *thread, bool synchronous, bool asynchronous)
{
    uint32_t cancelled = 0;
    for (mslot_win_server *server = servers; server != NULL;) {
        // Retained: the list may change while the reader is waited for, but not around this server.
        mslot__win_retain(&server->object);
        if (server->first != NULL) cancelled += mslot__win_server_cancel(&server->object, thread, NULL, synchronous, asynchronous);
        mslot_win_server *next = server->next;
        mslot__win_release(&server->object);
        server = next;
    }
    return cancelled;
}

// MARK: create and close

/// How a maximum of 0, "any size", is stated in the mailslot, where 0 would say nothing. MAXDWORD means the same.
static const uint32_t STATED_ANY = UINT32_MAX;

static uint32_t number_from_environment(const char *name, uint32_t otherwise)
{
    const char *text = secure_getenv(name);
    if (text == NULL || text[0] == 0) return otherwise;
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    // Not a number: one that no mailslot can have, so that creating it fails instead of ignoring what was asked for.
    return *end == 0 && errno == 0 && text[0] != '-' && number != 0 && number <= UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/// Only "1": whoever mistypes it gets the safe one.
static bool is_allowed_by_environment(const char *name)
{
    const char *text = secure_getenv(name);
    return text != NULL && strcmp(text, "1") == 0;
}

static DWORD error_of_name(mslot__win_name_kind kind)
{
    switch (kind) {
    case MSLOT_WIN_LOCAL: return 0;
    case MSLOT_WIN_NOTHING: return ERROR_PATH_NOT_FOUND;
    case MSLOT_WIN_NO_SUCH_DEVICE: return ERROR_FILE_NOT_FOUND;
    case MSLOT_WIN_TOO_LONG: return ERROR_FILENAME_EXCED_RANGE;
    default: return ERROR_INVALID_NAME;
    }
}

static int64_t nanoseconds_of(DWORD milliseconds)
{
    return milliseconds == MAILSLOT_WAIT_FOREVER ? MSLOT_FOREVER : (int64_t)milliseconds * NANOSECONDS_A_MILLISECOND;
}

HANDLE WINAPI CreateMailslotA(LPCSTR lpName, DWORD nMaxMessageSize, DWORD lReadTimeout, LPSECURITY_ATTRIBUTES lpSecurityAttributes)
{
    mslot_win_name name = mslot__win_name_parse(lpName);
    DWORD error = error_of_name(name.kind);
    if (error != 0) return mslot__win_fail_handle(error);

    mslot_create_options options = mslot_create_options_default();
    options.capacity = number_from_environment("MAILSLOT_WIN32_CELLS", CELLS_DEFAULT);
    options.writers = number_from_environment("MAILSLOT_WIN32_LANES", LANES_DEFAULT);
    options.message_bytes_max = number_from_environment("MAILSLOT_WIN32_MESSAGE_BYTES", MESSAGE_BYTES_DEFAULT);
    if (nMaxMessageSize != 0 && nMaxMessageSize < options.message_bytes_max) options.message_bytes_max = nMaxMessageSize;
    options.read_timeout_ns = nanoseconds_of(lReadTimeout);
    options.allow_remote = is_allowed_by_environment("MAILSLOT_WIN32_REMOTE");
    options.announces_death = true; // each write of a client asks for it
    options.stated_bytes_max = nMaxMessageSize != 0 ? nMaxMessageSize : STATED_ANY;
    options.is_disposable = true; // on Windows what is unread ends with its server
    error = mslot__win_mode_of(lpSecurityAttributes, &options.mode);
    if (error != 0) return mslot__win_fail_handle(error);

    // Others may cut the file short: an error then, not the end of this process.
    if (options.mode != 0600) mslot_guard_install();
    mslot_win_server *server = calloc(1, sizeof *server);
    char path[PATH_MAX];
    mslot_failure failure = mslot_path(name.text, path, sizeof path);
    char *kept_path = strdup(path);
    if (server == NULL || kept_path == NULL || failure.outcome != MSLOT_DONE) {
        free(server);
        free(kept_path);
        return mslot__win_fail_handle(failure.outcome != MSLOT_DONE ? mslot__win_error_of(failure) : ERROR_NOT_ENOUGH_MEMORY);
    }
    // What killed servers have left, which may have had names that nobody uses again.
    mslot_sweep(SWEPT_MAX);
    mslot_created created = mslot_create(name.text, &options);
    if (created.reader == NULL) {
        free(server);
        free(kept_path);
        return mslot__win_fail_handle(mslot__win_error_of(created.failure));
    }
    server->object.kind = &mslot__win_server_kind;
    server->reader = created.reader;
    server->path = kept_path;
    server->max_message_size = nMaxMessageSize;
    server->read_timeout_ms = lReadTimeout;
    mslot__win_condition_init(&server->reader_free);
    mslot__win_condition_init(&server->service_wake);

    mslot__win_lock();
    mslot__win_retain(&server->object);
    server->next = servers;
    servers = server;
    bool inherit = lpSecurityAttributes != NULL && lpSecurityAttributes->bInheritHandle;
    HANDLE handle = mslot__win_handle_new(&server->object, GENERIC_READ | SYNCHRONIZE, inherit);
    if (handle == INVALID_HANDLE_VALUE) mslot__win_server_kind.last_handle_closed(&server->object);
    mslot__win_release(&server->object);
    mslot__win_unlock();
    return handle;
}

HANDLE WINAPI CreateMailslotW(LPCWSTR lpName, DWORD nMaxMessageSize, DWORD lReadTimeout, LPSECURITY_ATTRIBUTES lpSecurityAttributes)
{
    char name[MSLOT_WIN_NAME_BYTES_MAX];
    if (lpName == NULL) return mslot__win_fail_handle(ERROR_PATH_NOT_FOUND);
    if (!mslot__win_name_narrow(lpName, name)) return mslot__win_fail_handle(ERROR_INVALID_NAME);
    return CreateMailslotA(name, nMaxMessageSize, lReadTimeout, lpSecurityAttributes);
}

/// No overlapped read is pending.
static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    return ((mslot_win_server *)object)->overlapped_count == 0;
}

static void last_handle_closed(mslot_win_object *object)
{
    mslot_win_server *server = (mslot_win_server *)object;
    take_reader(server);
    mslot_reader *reader = server->reader;
    server->reader = NULL;
    while (server->first != NULL) complete(server, server->first, ERROR_HANDLE_EOF, 0);
    pthread_cond_signal(&server->service_wake);
    give_reader(server);
    mslot_reader_close(reader);
}

static void destroy(mslot_win_object *object)
{
    mslot_win_server *server = (mslot_win_server *)object;
    mslot_win_server **link = &servers;
    while (*link != server) link = &(*link)->next;
    *link = server->next;
    pthread_cond_destroy(&server->reader_free);
    pthread_cond_destroy(&server->service_wake);
    free(server->path);
    free(server);
}

static mslot_info info_of(mslot_win_object *object) { return mslot_reader_info(((mslot_win_server *)object)->reader); }

const mslot_win_kind mslot__win_server_kind = {
    .is_file = true, .is_signalled = is_signalled, .info = info_of, .last_handle_closed = last_handle_closed, .destroy = destroy};

// MARK: the end of the process

enum { PATIENCE_MS = 1000 };

/// Whether nobody drives any more. Not if it is this very thread, in a handler of a signal.
static bool is_given_up(mslot_win_server *server)
{
    server->wanted++;
    int64_t deadline_ns = mslot__win_deadline(PATIENCE_MS);
    while (server->driven && mslot__win_now_ns() < deadline_ns) {
        mslot_reader_interrupt(server->reader);
        mslot__win_condition_wait(&server->reader_free, mslot__win_deadline(100));
    }
    return !server->driven;
}

/// Closes what the program has not closed: Windows does, and here a file would stay in memory. The last of the program's destructors.
__attribute__((destructor(101))) static void end(void)
{
    struct timespec patience;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += PATIENCE_MS / 1000;
    if (servers == NULL || pthread_mutex_timedlock(mslot__win_lock_itself(), &patience) != 0) return;
    for (mslot_win_server *server = servers; server != NULL; server = server->next) {
        if (server->reader == NULL) continue;
        // The name at least. It is ours as long as the process lives.
        if (is_given_up(server)) mslot_reader_close(server->reader);
        else unlink(server->path);
    }
    // Locked for ever: on Windows the other threads are gone by now. Here they stand still, and see nothing of all this.
}

// MARK: info

enum { SNAPSHOT_TRIES = 100 };

/// Next size and count that belong together, out of what changes meanwhile.
static mslot_info snapshot(mslot_win_object *object)
{
    mslot_info info;
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        info = object->kind->info(object);
        if (info.outcome != MSLOT_DONE || (info.next_byte_count < 0) == (info.message_count == 0)) return info;
    }
    // A reader elsewhere takes them faster than we look: it is empty, or will be.
    info.next_byte_count = -1;
    info.message_count = 0;
    return info;
}

/// The maximum that a slot was created with, as its clients see it.
static DWORD stated_max(const mslot_info *info) { return info->stated_bytes_max == STATED_ANY ? 0 : info->stated_bytes_max; }

static DWORD milliseconds_of(int64_t nanoseconds)
{
    if (nanoseconds == MSLOT_FOREVER) return MAILSLOT_WAIT_FOREVER;
    int64_t milliseconds = (nanoseconds + NANOSECONDS_A_MILLISECOND - 1) / NANOSECONDS_A_MILLISECOND;
    return milliseconds < 0 ? 0 : milliseconds > 0xfffffffe ? 0xfffffffe : (DWORD)milliseconds;
}

BOOL WINAPI GetMailslotInfo(HANDLE hMailslot, LPDWORD lpMaxMessageSize, LPDWORD lpNextSize, LPDWORD lpMessageCount, LPDWORD lpReadTimeout)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hMailslot);
    mslot_win_object *object = entry != NULL ? entry->object : NULL;
    bool is_server = object != NULL && object->kind == &mslot__win_server_kind;
    DWORD error = 0;
    mslot_info info = {.outcome = MSLOT_DONE};
    if (object == NULL) error = ERROR_INVALID_HANDLE;
    else if (object->kind->info == NULL) error = object->kind->is_file ? ERROR_INVALID_PARAMETER : ERROR_INVALID_HANDLE;
    else info = snapshot(object);
    if (error == 0 && info.outcome != MSLOT_DONE) error = mslot__win_error_of_outcome(info.outcome);
    if (error == 0) {
        const mslot_win_server *server = (const mslot_win_server *)object;
        if (lpMaxMessageSize != NULL) *lpMaxMessageSize = is_server ? server->max_message_size : stated_max(&info);
        if (lpNextSize != NULL) *lpNextSize = info.next_byte_count < 0 ? MAILSLOT_NO_MESSAGE : (DWORD)info.next_byte_count;
        if (lpMessageCount != NULL) *lpMessageCount = info.message_count;
        if (lpReadTimeout != NULL) *lpReadTimeout = is_server ? server->read_timeout_ms : milliseconds_of(info.read_timeout_ns);
    }
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI SetMailslotInfo(HANDLE hMailslot, DWORD lReadTimeout)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hMailslot);
    mslot_win_object *object = entry != NULL ? entry->object : NULL;
    DWORD error = 0;
    if (object == NULL) {
        error = ERROR_INVALID_HANDLE;
    } else if (object->kind != &mslot__win_server_kind) {
        error = object->kind->is_file ? ERROR_INVALID_PARAMETER : ERROR_INVALID_HANDLE;
    } else {
        mslot_win_server *server = (mslot_win_server *)object;
        mslot__win_retain(object);
        take_reader(server);
        // A read that waits keeps the deadline that it started with.
        server->read_timeout_ms = lReadTimeout;
        if (server->reader == NULL) error = ERROR_INVALID_HANDLE; // closed meanwhile
        else mslot_reader_set_timeout(server->reader, nanoseconds_of(lReadTimeout));
        give_reader(server);
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

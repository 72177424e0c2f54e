// The file calls: what each does with each kind of handle.

#include "win.h"

// MARK: read and write

typedef struct file_call {
    HANDLE file;
    /// A read fills `buffer`, a write takes from `bytes`.
    bool reads;
    void *buffer;
    const void *bytes;
    DWORD size;
    DWORD *count;
    OVERLAPPED *overlapped;
    LPOVERLAPPED_COMPLETION_ROUTINE routine;
    bool with_routine;
} file_call;

/// 0, or why this call is refused for a handle of this kind and access.
static DWORD check_call(const mslot_win_object *object, DWORD access, const file_call *call)
{
    if (!object->kind->is_file) return ERROR_INVALID_HANDLE;
    if (!(call->reads ? mslot__win_may_read(access) : mslot__win_may_write(access))) return ERROR_ACCESS_DENIED;
    // The wrong end.
    if (object->kind == (call->reads ? &mslot__win_client_kind : &mslot__win_server_kind)) return ERROR_INVALID_PARAMETER;
    return 0;
}

/// Locked; unlocks while it waits. 0, ERROR_IO_PENDING, or an error.
static DWORD read_or_write(mslot_win_object *object, const file_call *call, DWORD *count, mslot_win_notice *notice)
{
    DWORD error;
    if (object->kind == &mslot__win_server_kind) return mslot__win_server_read(object, call->buffer, call->size, count, notice);
    if (object->kind == &mslot__win_client_kind) error = mslot__win_client_write(object, call->bytes, *count = call->size);
    else if (call->reads) error = mslot__win_stream_read(object, call->buffer, call->size, count);
    else error = mslot__win_stream_write(object, call->bytes, call->size, count);
    if (error == 0) mslot__win_notice_finish(notice, 0, *count);
    return error;
}

static BOOL transfer(const file_call *call)
{
    if (call->count != NULL) *call->count = 0;
    // Not with the lock held: it may be two system calls.
    bool is_readable = mslot__win_is_readable(call->reads ? call->buffer : call->bytes, call->size);
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(call->file);
    mslot_win_object *object = entry != NULL ? entry->object : NULL;
    DWORD error = object == NULL ? ERROR_INVALID_HANDLE : check_call(object, entry->access, call);
    if (error == 0 && !is_readable) error = ERROR_NOACCESS;
    mslot_win_notice notice;
    if (error == 0) error = mslot__win_notice_begin(&notice, call->overlapped, call->routine, call->with_routine);
    if (error == 0) {
        DWORD count = 0;
        mslot__win_retain(object);
        error = read_or_write(object, call, &count, &notice);
        if (error == 0 && call->count != NULL) *call->count = count;
        if (error != 0 && error != ERROR_IO_PENDING) mslot__win_notice_drop(&notice);
        mslot__win_release(object);
    }
    mslot__win_unlock();
    return error == 0 ? TRUE : mslot__win_fail(error);
}

BOOL WINAPI ReadFile(HANDLE hFile, LPVOID lpBuffer, DWORD nNumberOfBytesToRead, LPDWORD lpNumberOfBytesRead, LPOVERLAPPED lpOverlapped)
{
    return transfer(&(file_call){.file = hFile,
        .reads = true,
        .buffer = lpBuffer,
        .size = nNumberOfBytesToRead,
        .count = lpNumberOfBytesRead,
        .overlapped = lpOverlapped});
}

BOOL WINAPI WriteFile(
    HANDLE hFile, LPCVOID lpBuffer, DWORD nNumberOfBytesToWrite, LPDWORD lpNumberOfBytesWritten, LPOVERLAPPED lpOverlapped)
{
    return transfer(&(file_call){
        .file = hFile, .bytes = lpBuffer, .size = nNumberOfBytesToWrite, .count = lpNumberOfBytesWritten, .overlapped = lpOverlapped});
}

/// With a routine the call itself succeeds once the request is on its way.
static BOOL started(BOOL done) { return done || GetLastError() == ERROR_IO_PENDING; }

BOOL WINAPI ReadFileEx(HANDLE hFile, LPVOID lpBuffer, DWORD nNumberOfBytesToRead, LPOVERLAPPED lpOverlapped,
    LPOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return started(transfer(&(file_call){.file = hFile,
        .reads = true,
        .buffer = lpBuffer,
        .size = nNumberOfBytesToRead,
        .overlapped = lpOverlapped,
        .routine = lpCompletionRoutine,
        .with_routine = true}));
}

BOOL WINAPI WriteFileEx(HANDLE hFile, LPCVOID lpBuffer, DWORD nNumberOfBytesToWrite, LPOVERLAPPED lpOverlapped,
    LPOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return started(transfer(&(file_call){.file = hFile,
        .bytes = lpBuffer,
        .size = nNumberOfBytesToWrite,
        .overlapped = lpOverlapped,
        .routine = lpCompletionRoutine,
        .with_routine = true}));
}

// MARK: about a file

DWORD WINAPI GetFileType(HANDLE hFile)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hFile);
    DWORD error = entry == NULL ? ERROR_INVALID_HANDLE : 0; // 0 tells FILE_TYPE_UNKNOWN from a failure
    DWORD type = FILE_TYPE_UNKNOWN;
    if (entry != NULL && entry->object->kind == &mslot__win_stream_kind) type = mslot__win_stream_type(entry->object);
    mslot__win_unlock();
    SetLastError(error);
    return type;
}

/// Windows counts 100 ns from the year 1601.
static FILETIME filetime_of(uint64_t unix_ns)
{
    uint64_t ticks = unix_ns / 100 + 116444736000000000ULL;
    return (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
}

BOOL WINAPI GetFileTime(HANDLE hFile, LPFILETIME lpCreationTime, LPFILETIME lpLastAccessTime, LPFILETIME lpLastWriteTime)
{
    mslot__win_lock();
    mslot_win_entry *entry = mslot__win_entry_of(hFile);
    mslot_win_object *object = entry != NULL ? entry->object : NULL;
    mslot_info info = {.outcome = MSLOT_BAD_ARGUMENT};
    if (object != NULL && object->kind->info != NULL) info = object->kind->info(object);
    mslot__win_unlock();
    if (info.outcome != MSLOT_DONE) return mslot__win_fail(object == NULL ? ERROR_INVALID_HANDLE : ERROR_INVALID_PARAMETER);
    LPFILETIME times[] = {lpCreationTime, lpLastAccessTime, lpLastWriteTime};
    for (size_t i = 0; i < ARRAYSIZE(times); i++)
        if (times[i] != NULL) *times[i] = filetime_of(info.created_ns);
    return TRUE;
}

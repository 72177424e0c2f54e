// Error codes: what the core's outcomes are called here, and errors in words.

#include "win.h"

#include <errno.h>
#include <stdlib.h>

static DWORD error_of_errno(int error)
{
    switch (error) {
    case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
    case EMFILE: // "The per-process limit on the number of open file descriptors has been reached."
    case ENFILE: return ERROR_TOO_MANY_OPEN_FILES;
    default: return ERROR_GEN_FAILURE;
    }
}

DWORD mslot__win_error_of_outcome(mslot_outcome outcome)
{
    switch (outcome) {
    case MSLOT_DONE: return 0;
    case MSLOT_EMPTY:
    case MSLOT_TIMED_OUT: return ERROR_SEM_TIMEOUT;
    case MSLOT_FULL: return ERROR_NOT_ENOUGH_QUOTA;
    case MSLOT_CLOSED:
    case MSLOT_NO_READER: return ERROR_HANDLE_EOF;
    case MSLOT_INTERRUPTED: return ERROR_OPERATION_ABORTED;
    case MSLOT_TOO_LONG:
    case MSLOT_BAD_ARGUMENT:
    case MSLOT_MISMATCH: return ERROR_INVALID_PARAMETER;
    case MSLOT_BUSY: return ERROR_BUSY;
    case MSLOT_FORKED:
    case MSLOT_NOT_OPEN: return ERROR_INVALID_HANDLE;
    case MSLOT_BAD_NAME: return ERROR_INVALID_NAME;
    case MSLOT_NOT_FOUND: return ERROR_FILE_NOT_FOUND;
    case MSLOT_ALREADY_EXISTS: return ERROR_ALREADY_EXISTS;
    case MSLOT_TOO_MANY_WRITERS:
    case MSLOT_NO_SPACE: return ERROR_NO_SYSTEM_RESOURCES;
    case MSLOT_NO_PERMISSION:
    case MSLOT_UNTRUSTED:
    case MSLOT_NOT_ALLOWED: return ERROR_ACCESS_DENIED;
    case MSLOT_NO_BRIDGE:
    case MSLOT_NO_SUCH_HOST: return ERROR_BAD_NETPATH;
    case MSLOT_DAMAGED:
    case MSLOT_NOT_A_MAILSLOT:
    case MSLOT_OTHER_LAYOUT: return ERROR_FILE_CORRUPT;
    case MSLOT_SYSTEM_ERROR: break;
    }
    return ERROR_GEN_FAILURE;
}

DWORD mslot__win_error_of(mslot_failure failure)
{
    if (failure.outcome == MSLOT_SYSTEM_ERROR) return error_of_errno(failure.system_error);
    bool is_long = failure.outcome == MSLOT_BAD_NAME && failure.detail == MSLOT_NAME_TOO_LONG;
    return is_long ? ERROR_FILENAME_EXCED_RANGE : mslot__win_error_of_outcome(failure.outcome);
}

// MARK: NTSTATUS, as OVERLAPPED.Internal holds it

static const struct {
    DWORD error;
    uint32_t status;
} statuses[] = {
    {0, 0}, {ERROR_SEM_TIMEOUT, 0xC00000B5}, // STATUS_IO_TIMEOUT
    {ERROR_INSUFFICIENT_BUFFER, 0xC0000023}, // STATUS_BUFFER_TOO_SMALL
    {ERROR_HANDLE_EOF, 0xC00000B6},          // STATUS_FILE_FORCED_CLOSED
    {ERROR_OPERATION_ABORTED, 0xC0000120},   // STATUS_CANCELLED
    {ERROR_FILE_CORRUPT, 0xC0000102},        // STATUS_FILE_CORRUPT_ERROR
    {ERROR_GEN_FAILURE, 0xC0000001},         // STATUS_UNSUCCESSFUL; last: what is not in the table
};

NTSTATUS mslot__win_status_of(DWORD error)
{
    size_t i = 0;
    while (i < ARRAYSIZE(statuses) - 1 && statuses[i].error != error) i++;
    return (NTSTATUS)statuses[i].status;
}

DWORD mslot__win_error_of_status(NTSTATUS status)
{
    size_t i = 0;
    while (i < ARRAYSIZE(statuses) - 1 && statuses[i].status != (uint32_t)status) i++;
    return statuses[i].error;
}

// MARK: in words

static const struct {
    DWORD error;
    const char *text;
} texts[] = {
    {0, "The operation completed successfully."},
    {ERROR_INVALID_FUNCTION, "Incorrect function."},
    {ERROR_FILE_NOT_FOUND, "The system cannot find the file specified."},
    {ERROR_PATH_NOT_FOUND, "The system cannot find the path specified."},
    {ERROR_TOO_MANY_OPEN_FILES, "The system cannot open the file."},
    {ERROR_ACCESS_DENIED, "Access is denied."},
    {ERROR_INVALID_HANDLE, "The handle is invalid."},
    {ERROR_NOT_ENOUGH_MEMORY, "Not enough memory resources are available to process this command."},
    {ERROR_INVALID_DATA, "The data is invalid."},
    {ERROR_GEN_FAILURE, "A device attached to the system is not functioning."},
    {ERROR_HANDLE_EOF, "Reached the end of the file."},
    {ERROR_NOT_SUPPORTED, "The request is not supported."},
    {ERROR_BAD_NETPATH, "The network path was not found."},
    {ERROR_FILE_EXISTS, "The file exists."},
    {ERROR_INVALID_PARAMETER, "The parameter is incorrect."},
    {ERROR_CALL_NOT_IMPLEMENTED, "This function is not supported on this system."},
    {ERROR_SEM_TIMEOUT, "The semaphore timeout period has expired."},
    {ERROR_INSUFFICIENT_BUFFER, "The data area passed to a system call is too small."},
    {ERROR_INVALID_NAME, "The filename, directory name, or volume label syntax is incorrect."},
    {ERROR_BUSY, "The requested resource is in use."},
    {ERROR_ALREADY_EXISTS, "Cannot create a file when that file already exists."},
    {ERROR_FILENAME_EXCED_RANGE, "The filename or extension is too long."},
    {WAIT_TIMEOUT, "The wait operation timed out."},
    {ERROR_NOT_OWNER, "Attempt to release mutex not owned by caller."},
    {ERROR_OPERATION_ABORTED, "The I/O operation has been aborted because of either a thread exit or an application request."},
    {ERROR_IO_INCOMPLETE, "Overlapped I/O event is not in a signaled state."},
    {ERROR_IO_PENDING, "Overlapped I/O operation is in progress."},
    {ERROR_NOACCESS, "Invalid access to memory location."},
    {ERROR_NOT_FOUND, "Element not found."},
    {ERROR_INVALID_SECURITY_DESCR, "The security descriptor structure is invalid."},
    {ERROR_FILE_CORRUPT, "The file or directory is corrupted and unreadable."},
    {ERROR_NO_SYSTEM_RESOURCES, "Insufficient system resources exist to complete the requested service."},
    {ERROR_NOT_ENOUGH_QUOTA, "Not enough quota is available to process this command."},
    {ERROR_REMOTE_MAILSLOTS_DEPRECATED, "The requested operation failed. Remote mailslots have been deprecated."},
};

const char *mslot__win_error_text(DWORD error)
{
    for (size_t i = 0; i < ARRAYSIZE(texts); i++)
        if (texts[i].error == error) return texts[i].text;
    return NULL;
}

/// The message in UTF-8, on the heap; NULL with the last error.
static char *message_text(DWORD flags, const char *source, DWORD id)
{
    const char *text = source;
    const char *end = "";
    if ((flags & FORMAT_MESSAGE_FROM_STRING) == 0) {
        text = mslot__win_error_text(id);
        // With a width, lines do not end by themselves.
        end = (flags & FORMAT_MESSAGE_MAX_WIDTH_MASK) != 0 ? " " : "\r\n";
        if (text == NULL) {
            SetLastError(ERROR_MR_MID_NOT_FOUND);
            return NULL;
        }
    }
    char *message = NULL;
    if (asprintf(&message, "%s%s", text, end) < 0) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    return message;
}

/// 0, or why these flags are refused.
static DWORD check_flags(DWORD flags, LPCVOID source)
{
    bool from_string = (flags & FORMAT_MESSAGE_FROM_STRING) != 0;
    if (from_string == ((flags & FORMAT_MESSAGE_FROM_SYSTEM) != 0)) {
        return (flags & FORMAT_MESSAGE_FROM_HMODULE) != 0 ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER;
    }
    if (from_string && source == NULL) return ERROR_INVALID_PARAMETER;
    return from_string && (flags & FORMAT_MESSAGE_IGNORE_INSERTS) == 0 ? ERROR_NOT_SUPPORTED : 0;
}

/// Hands `units` characters of `unit` bytes and a closing zero over, in the caller's buffer or a new one; frees `text`.
static DWORD deliver(DWORD flags, void *text, size_t units, size_t unit, void *buffer, DWORD capacity)
{
    DWORD error = 0;
    size_t bytes = (units + 1) * unit;
    if ((flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) != 0) {
        size_t least = (size_t)capacity * unit; // "the minimum number of characters to allocate"
        void *allocated = LocalAlloc(LMEM_ZEROINIT, bytes > least ? bytes : least);
        if (allocated == NULL) error = ERROR_NOT_ENOUGH_MEMORY;
        else memcpy(allocated, text, bytes);
        memcpy(buffer, &allocated, sizeof allocated);
    } else if (units + 1 > capacity) {
        error = ERROR_INSUFFICIENT_BUFFER;
    } else {
        memcpy(buffer, text, bytes);
    }
    free(text);
    if (error == 0) return (DWORD)units;
    SetLastError(error);
    return 0;
}

DWORD WINAPI FormatMessageA(
    DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId, DWORD dwLanguageId, LPSTR lpBuffer, DWORD nSize, va_list *Arguments)
{
    (void)dwLanguageId; // every text is in English
    (void)Arguments;    // no text has inserts
    DWORD error = lpBuffer == NULL ? ERROR_INVALID_PARAMETER : check_flags(dwFlags, lpSource);
    if (error != 0) {
        SetLastError(error);
        return 0;
    }
    char *text = message_text(dwFlags, lpSource, dwMessageId);
    return text != NULL ? deliver(dwFlags, text, strlen(text), sizeof(char), lpBuffer, nSize) : 0;
}

DWORD WINAPI FormatMessageW(
    DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId, DWORD dwLanguageId, LPWSTR lpBuffer, DWORD nSize, va_list *Arguments)
{
    (void)dwLanguageId;
    (void)Arguments;
    DWORD error = lpBuffer == NULL ? ERROR_INVALID_PARAMETER : check_flags(dwFlags, lpSource);
    char *source = NULL;
    if (error == 0 && (dwFlags & FORMAT_MESSAGE_FROM_STRING) != 0) {
        source = mslot__win_narrow_copy(lpSource);
        if (source == NULL) error = ERROR_NOT_ENOUGH_MEMORY;
    }
    if (error != 0) {
        SetLastError(error);
        return 0;
    }
    char *text = message_text(dwFlags, source, dwMessageId);
    free(source);
    if (text == NULL) return 0;
    size_t bytes = strlen(text);
    WCHAR *wide = calloc(bytes + 1, sizeof(WCHAR));
    if (wide == NULL) {
        free(text);
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return 0;
    }
    size_t units = mslot__win_widen(text, bytes, wide, bytes, NULL);
    free(text);
    return deliver(dwFlags, wide, units, sizeof(WCHAR), lpBuffer, nSize);
}

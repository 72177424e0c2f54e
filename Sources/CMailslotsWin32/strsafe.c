// strsafe.h: bounded strings.

#include "strsafe.h"

#include "print.h"

static bool is_allowed(size_t capacity) { return capacity != 0 && capacity <= STRSAFE_MAX_CCH; }

/// Copies `count` units of `unit` bytes, or what fits, behind the first `used`, and closes with a zero.
static HRESULT copy(void *to, size_t capacity, size_t used, const void *from, size_t count, size_t unit)
{
    if (!is_allowed(capacity) || used >= capacity) return STRSAFE_E_INVALID_PARAMETER;
    size_t room = capacity - used - 1;
    size_t fits = count < room ? count : room;
    char *end = (char *)to + used * unit;
    memmove(end, from, fits * unit);
    memset(end + fits * unit, 0, unit);
    return fits == count ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}

/// At most `capacity`.
static size_t wide_length(LPCWSTR text, size_t capacity)
{
    size_t length = 0;
    while (length < capacity && text[length] != 0) length++;
    return length;
}

HRESULT StringCchCopyA(LPSTR to, size_t capacity, LPCSTR from) { return copy(to, capacity, 0, from, strlen(from), sizeof(char)); }
HRESULT StringCchCopyW(LPWSTR to, size_t capacity, LPCWSTR from)
{
    return copy(to, capacity, 0, from, mslot__win_wide_length(from), sizeof(WCHAR));
}
HRESULT StringCchCatA(LPSTR to, size_t capacity, LPCSTR from)
{
    return copy(to, capacity, strnlen(to, capacity), from, strlen(from), sizeof(char));
}
HRESULT StringCchCatW(LPWSTR to, size_t capacity, LPCWSTR from)
{
    return copy(to, capacity, wide_length(to, capacity), from, mslot__win_wide_length(from), sizeof(WCHAR));
}

static HRESULT length_of(size_t found, size_t capacity, size_t *length)
{
    bool fine = capacity <= STRSAFE_MAX_CCH && found < capacity;
    if (length != NULL) *length = fine ? found : 0;
    return fine ? S_OK : STRSAFE_E_INVALID_PARAMETER;
}

HRESULT StringCchLengthA(LPCSTR text, size_t capacity, size_t *length)
{
    return length_of(text != NULL ? strnlen(text, capacity) : capacity, capacity, length);
}
HRESULT StringCchLengthW(LPCWSTR text, size_t capacity, size_t *length)
{
    return length_of(text != NULL ? wide_length(text, capacity) : capacity, capacity, length);
}

HRESULT StringCchVPrintfA(LPSTR to, size_t capacity, LPCSTR format, va_list arguments)
{
    if (!is_allowed(capacity)) return STRSAFE_E_INVALID_PARAMETER;
    int length = mslot__win_vsnprintf(to, capacity, format, arguments);
    return length >= 0 && (size_t)length < capacity ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}
HRESULT StringCchVPrintfW(LPWSTR to, size_t capacity, LPCWSTR format, va_list arguments)
{
    if (!is_allowed(capacity)) return STRSAFE_E_INVALID_PARAMETER;
    long length = mslot__win_format_to_wide(to, capacity, format, arguments);
    return length >= 0 && (size_t)length < capacity ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}

#define FORWARD(call)                \
    do {                             \
        va_list arguments;           \
        va_start(arguments, format); \
        HRESULT result = (call);     \
        va_end(arguments);           \
        return result;               \
    } while (0)

HRESULT StringCchPrintfA(LPSTR to, size_t capacity, LPCSTR format, ...) { FORWARD(StringCchVPrintfA(to, capacity, format, arguments)); }
HRESULT StringCchPrintfW(LPWSTR to, size_t capacity, LPCWSTR format, ...) { FORWARD(StringCchVPrintfW(to, capacity, format, arguments)); }
HRESULT StringCbPrintfA(LPSTR to, size_t bytes, LPCSTR format, ...) { FORWARD(StringCchVPrintfA(to, bytes, format, arguments)); }
HRESULT StringCbPrintfW(LPWSTR to, size_t bytes, LPCWSTR format, ...)
{
    FORWARD(StringCchVPrintfW(to, bytes / sizeof(WCHAR), format, arguments));
}

HRESULT StringCbCopyA(LPSTR to, size_t bytes, LPCSTR from) { return StringCchCopyA(to, bytes, from); }
HRESULT StringCbCopyW(LPWSTR to, size_t bytes, LPCWSTR from) { return StringCchCopyW(to, bytes / sizeof(WCHAR), from); }
HRESULT StringCbCatA(LPSTR to, size_t bytes, LPCSTR from) { return StringCchCatA(to, bytes, from); }
HRESULT StringCbCatW(LPWSTR to, size_t bytes, LPCWSTR from) { return StringCchCatW(to, bytes / sizeof(WCHAR), from); }
HRESULT StringCbLengthA(LPCSTR text, size_t bytes_max, size_t *bytes) { return StringCchLengthA(text, bytes_max, bytes); }
HRESULT StringCbLengthW(LPCWSTR text, size_t bytes_max, size_t *bytes)
{
    HRESULT result = StringCchLengthW(text, bytes_max / sizeof(WCHAR), bytes);
    if (bytes != NULL) *bytes *= sizeof(WCHAR);
    return result;
}

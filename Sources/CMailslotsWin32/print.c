// The printf family with Microsoft's rules, narrow and wide: what programs compiled with the headers of crt/ call.

#include "print.h"

#include <stdlib.h>

/// Prints to a stream; the number of bytes, or -1.
static int print(FILE *stream, char *text, size_t length)
{
    if (text == NULL) return -1;
    size_t written = fwrite(text, 1, length, stream);
    free(text);
    return written == length ? (int)length : -1;
}

/// Copies what fits, closed with a zero; the whole length, or -1.
static int deliver(char *to, size_t capacity, char *text, size_t length)
{
    if (text == NULL) return -1;
    if (capacity != 0) {
        size_t fits = length < capacity ? length : capacity - 1;
        memcpy(to, text, fits);
        to[fits] = 0;
    }
    free(text);
    return (int)length;
}

// MARK: narrow

int mslot__win_vfprintf(FILE *stream, const char *format, va_list arguments)
{
    size_t length = 0;
    char *text = mslot__win_format(MSLOT_WIN_NARROW_FORMAT, format, arguments, &length);
    return print(stream, text, length);
}

int mslot__win_vprintf(const char *format, va_list arguments) { return mslot__win_vfprintf(stdout, format, arguments); }

int mslot__win_vsnprintf(char *to, size_t capacity, const char *format, va_list arguments)
{
    size_t length = 0;
    char *text = mslot__win_format(MSLOT_WIN_NARROW_FORMAT, format, arguments, &length);
    return deliver(to, capacity, text, length);
}

int mslot__win_vsprintf(char *to, const char *format, va_list arguments) { return mslot__win_vsnprintf(to, SIZE_MAX, format, arguments); }

#define FORWARD(call)                \
    do {                             \
        va_list arguments;           \
        va_start(arguments, format); \
        int result = (call);         \
        va_end(arguments);           \
        return result;               \
    } while (0)

int mslot__win_printf(const char *format, ...) { FORWARD(mslot__win_vfprintf(stdout, format, arguments)); }
int mslot__win_fprintf(FILE *stream, const char *format, ...) { FORWARD(mslot__win_vfprintf(stream, format, arguments)); }
int mslot__win_sprintf(char *to, const char *format, ...) { FORWARD(mslot__win_vsnprintf(to, SIZE_MAX, format, arguments)); }
int mslot__win_snprintf(char *to, size_t capacity, const char *format, ...)
{
    FORWARD(mslot__win_vsnprintf(to, capacity, format, arguments));
}

// MARK: wide; what is printed is UTF-8

int mslot__win_vfwprintf(FILE *stream, const WCHAR *format, va_list arguments)
{
    size_t length = 0;
    char *text = mslot__win_format_wide(format, arguments, &length);
    return print(stream, text, length);
}

int mslot__win_vwprintf(const WCHAR *format, va_list arguments) { return mslot__win_vfwprintf(stdout, format, arguments); }

/// The whole length in units, whatever fits; -1: no memory. Closed with a zero if `capacity` is not 0.
long mslot__win_format_to_wide(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments)
{
    size_t length = 0;
    char *text = mslot__win_format_wide(format, arguments, &length);
    if (text == NULL) return -1;
    size_t units = mslot__win_widen(text, length, NULL, 0, NULL);
    if (capacity != 0) {
        size_t fits = units < capacity ? units : capacity - 1;
        WCHAR *whole = malloc((units + 1) * sizeof(WCHAR));
        if (whole == NULL) {
            free(text);
            return -1;
        }
        mslot__win_widen(text, length, whole, units, NULL);
        memcpy(to, whole, fits * sizeof(WCHAR));
        to[fits] = 0;
        free(whole);
    }
    free(text);
    return (long)units;
}

int mslot__win_vswprintf(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments)
{
    long units = mslot__win_format_to_wide(to, capacity, format, arguments);
    return units < 0 || (size_t)units >= capacity ? -1 : (int)units;
}

int mslot__win_wprintf(const WCHAR *format, ...) { FORWARD(mslot__win_vfwprintf(stdout, format, arguments)); }
int mslot__win_fwprintf(FILE *stream, const WCHAR *format, ...) { FORWARD(mslot__win_vfwprintf(stream, format, arguments)); }
int mslot__win_swprintf(WCHAR *to, size_t capacity, const WCHAR *format, ...)
{
    FORWARD(mslot__win_vswprintf(to, capacity, format, arguments));
}
/// The old form, which knows no capacity.
int mslot__win_swprintf_unbounded(WCHAR *to, const WCHAR *format, ...)
{
    FORWARD((int)mslot__win_format_to_wide(to, SIZE_MAX, format, arguments));
}

// MARK: Windows' own

int wsprintfA(LPSTR output, LPCSTR format, ...)
{
    char text[WSPRINTF_MAX];
    va_list arguments;
    va_start(arguments, format);
    mslot__win_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t length = strlen(text);
    memcpy(output, text, length + 1);
    return (int)length;
}

int wsprintfW(LPWSTR output, LPCWSTR format, ...)
{
    WCHAR text[WSPRINTF_MAX];
    va_list arguments;
    va_start(arguments, format);
    long units = mslot__win_format_to_wide(text, ARRAYSIZE(text), format, arguments);
    va_end(arguments);
    if (units < 0) text[0] = 0;
    lstrcpyW(output, text);
    return lstrlenW(output);
}

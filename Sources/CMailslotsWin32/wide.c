// The wide functions of the C library for 16-bit characters: what programs compiled with -fshort-wchar and the headers of crt/ call.
// Here, without that option, a character is a WCHAR.

#include "print.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

size_t mslot__win_wcslen(const WCHAR *text) { return mslot__win_wide_length(text); }
WCHAR *mslot__win_wcscpy(WCHAR *to, const WCHAR *from) { return lstrcpyW(to, from); }
WCHAR *mslot__win_wcscat(WCHAR *to, const WCHAR *from) { return lstrcatW(to, from); }

WCHAR *mslot__win_wcsncpy(WCHAR *to, const WCHAR *from, size_t count)
{
    size_t i = 0;
    for (; i < count && from[i] != 0; i++) to[i] = from[i];
    for (; i < count; i++) to[i] = 0;
    return to;
}

WCHAR *mslot__win_wcsncat(WCHAR *to, const WCHAR *from, size_t count)
{
    WCHAR *end = to + mslot__win_wide_length(to);
    size_t i = 0;
    for (; i < count && from[i] != 0; i++) end[i] = from[i];
    end[i] = 0;
    return to;
}

int mslot__win_wcsncmp(const WCHAR *first, const WCHAR *second, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (first[i] != second[i]) return (uint16_t)first[i] < (uint16_t)second[i] ? -1 : 1;
        if (first[i] == 0) break;
    }
    return 0;
}

int mslot__win_wcscmp(const WCHAR *first, const WCHAR *second) { return lstrcmpW(first, second); }
int mslot__win_wcscasecmp(const WCHAR *first, const WCHAR *second) { return lstrcmpiW(first, second); }

WCHAR *mslot__win_wcschr(const WCHAR *text, WCHAR character)
{
    for (;; text++) {
        if (*text == character) return (WCHAR *)(uintptr_t)text;
        if (*text == 0) return NULL;
    }
}

WCHAR *mslot__win_wcsrchr(const WCHAR *text, WCHAR character)
{
    const WCHAR *found = NULL;
    for (;; text++) {
        if (*text == character) found = text;
        if (*text == 0) return (WCHAR *)(uintptr_t)found;
    }
}

WCHAR *mslot__win_wcsstr(const WCHAR *text, const WCHAR *part)
{
    size_t length = mslot__win_wide_length(part);
    for (;; text++) {
        if (mslot__win_wcsncmp(text, part, length) == 0) return (WCHAR *)(uintptr_t)text;
        if (*text == 0) return NULL;
    }
}

WCHAR *mslot__win_wcsdup(const WCHAR *text)
{
    size_t bytes = (mslot__win_wide_length(text) + 1) * sizeof(WCHAR);
    WCHAR *copy = malloc(bytes);
    return copy != NULL ? memcpy(copy, text, bytes) : NULL;
}

/// A number's text has ASCII letters only: as bytes, one for each unit, so that the end is found again.
static void number_text(const WCHAR *text, char bytes[128])
{
    size_t i = 0;
    for (; i < 127 && text[i] != 0; i++) bytes[i] = (uint16_t)text[i] < 0x80 ? (char)text[i] : '?';
    bytes[i] = 0;
}

/// 32 bits, as `long` has there; what is beyond is LONG_MAX or LONG_MIN of that size, and ERANGE.
long mslot__win_wcstol(const WCHAR *text, WCHAR **end, int base)
{
    char bytes[128];
    char *stop;
    number_text(text, bytes);
    long number = strtol(bytes, &stop, base);
    if (end != NULL) *end = (WCHAR *)(uintptr_t)(text + (stop - bytes));
    if (number >= INT32_MIN && number <= INT32_MAX) return number;
    errno = ERANGE;
    return number < 0 ? INT32_MIN : INT32_MAX;
}

unsigned long mslot__win_wcstoul(const WCHAR *text, WCHAR **end, int base)
{
    char bytes[128];
    char *stop;
    number_text(text, bytes);
    unsigned long number = strtoul(bytes, &stop, base);
    if (end != NULL) *end = (WCHAR *)(uintptr_t)(text + (stop - bytes));
    if (number <= UINT32_MAX || -number <= INT32_MAX) return (uint32_t)number;
    errno = ERANGE;
    return UINT32_MAX;
}

int mslot__win_wtoi(const WCHAR *text) { return (int)mslot__win_wcstol(text, NULL, 10); }

// MARK: streams; what they carry is UTF-8

int mslot__win_fputws(const WCHAR *text, FILE *stream)
{
    char *narrow = mslot__win_narrow_copy(text);
    int result = narrow != NULL ? fputs(narrow, stream) : EOF;
    free(narrow);
    return result;
}

int mslot__win_putws(const WCHAR *text) { return mslot__win_fputws(text, stdout) < 0 || putchar('\n') == EOF ? EOF : 0; }

unsigned mslot__win_fputwc(WCHAR character, FILE *stream)
{
    WCHAR text[2] = {character, 0};
    return mslot__win_fputws(text, stream) < 0 ? (unsigned)-1 : (uint16_t)character;
}

unsigned mslot__win_putwchar(WCHAR character) { return mslot__win_fputwc(character, stdout); }

size_t mslot__win_get_character(FILE *stream, char bytes[4])
{
    int byte = getc(stream);
    if (byte == EOF) return 0;
    size_t length = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1;
    bytes[0] = (char)byte;
    for (size_t i = 1; i < length; i++) {
        int next = getc(stream);
        if (next == EOF || (next & 0xc0) != 0x80) {
            if (next != EOF) ungetc(next, stream);
            return i;
        }
        bytes[i] = (char)next;
    }
    return length;
}

void mslot__win_unget_character(FILE *stream, const char *bytes, size_t length)
{
    while (length-- > 0) ungetc((unsigned char)bytes[length], stream);
}

FILE *mslot__win_wfopen(const WCHAR *path, const WCHAR *mode)
{
    char *narrow_path = mslot__win_narrow_copy(path), *narrow_mode = mslot__win_narrow_copy(mode);
    FILE *file = narrow_path != NULL && narrow_mode != NULL ? fopen(narrow_path, narrow_mode) : NULL;
    free(narrow_path);
    free(narrow_mode);
    return file;
}

/// The answer is always "C": text is UTF-8 here whatever the locale is. NULL: there is no such locale.
WCHAR *mslot__win_wsetlocale(int category, const WCHAR *locale)
{
    static WCHAR answer[] = {'C', 0};
    char *name = locale != NULL ? mslot__win_narrow_copy(locale) : NULL;
    bool is_known = setlocale(category, name) != NULL;
    free(name);
    return is_known ? answer : NULL;
}

unsigned mslot__win_fgetwc(FILE *stream)
{
    char bytes[4];
    WCHAR wide[4];
    size_t length = mslot__win_get_character(stream, bytes);
    if (length == 0) return (unsigned)-1;
    size_t units = mslot__win_widen(bytes, length, wide, ARRAYSIZE(wide), NULL);
    return units == 1 ? (uint16_t)wide[0] : 0xfffd;
}

unsigned mslot__win_getwchar(void) { return mslot__win_fgetwc(stdin); }

/// A line, or as much of it as fits.
WCHAR *mslot__win_fgetws(WCHAR *to, int count, FILE *stream)
{
    int units = 0;
    while (units < count - 1) {
        char bytes[4];
        size_t length = mslot__win_get_character(stream, bytes);
        if (length == 0) break;
        WCHAR wide[4];
        size_t made = mslot__win_widen(bytes, length, wide, ARRAYSIZE(wide), NULL);
        if (length == 4 && units + 2 > count - 1) { // a pair does not fit: the next line begins with it
            mslot__win_unget_character(stream, bytes, length);
            break;
        }
        // What is broken becomes one replacement for each of its bytes.
        for (size_t i = 0; i < made && units < count - 1; i++) to[units++] = wide[i];
        if (bytes[0] == '\n') break;
    }
    if (units == 0) return NULL;
    to[units] = 0;
    return to;
}

size_t mslot__win_mbstowcs(WCHAR *to, const char *from, size_t count)
{
    bool broken = false;
    size_t bytes = strlen(from);
    size_t units = mslot__win_widen(from, bytes, NULL, 0, &broken);
    if (broken) {
        errno = EILSEQ;
        return (size_t)-1;
    }
    if (to == NULL) return units;
    mslot__win_widen(from, bytes, to, count, NULL);
    if (units < count) to[units] = 0;
    return units < count ? units : count;
}

size_t mslot__win_wcstombs(char *to, const WCHAR *from, size_t count)
{
    bool broken = false;
    size_t units = mslot__win_wide_length(from);
    size_t bytes = mslot__win_narrow(from, units, NULL, 0, &broken);
    if (broken) {
        errno = EILSEQ;
        return (size_t)-1;
    }
    if (to == NULL) return bytes;
    mslot__win_narrow(from, units, to, count, NULL);
    if (bytes < count) to[bytes] = 0;
    return bytes < count ? bytes : count;
}

/// -1 also for a character that needs a pair.
int mslot__win_mbtowc(WCHAR *to, const char *from, size_t count)
{
    if (from == NULL) return 0; // UTF-8 has no shift states
    size_t bytes = strnlen(from, count < 4 ? count : 4);
    if (bytes == 0 && count != 0) bytes = 1; // the closing zero
    for (size_t length = 1; length <= bytes; length++) {
        bool broken = false;
        WCHAR wide[4];
        size_t units = mslot__win_widen(from, length, wide, ARRAYSIZE(wide), &broken);
        if (broken) continue;
        if (units != 1) break;
        if (to != NULL) *to = wide[0];
        return wide[0] != 0 ? (int)length : 0;
    }
    errno = EILSEQ;
    return -1;
}

int mslot__win_wctomb(char *to, WCHAR wide)
{
    if (to == NULL) return 0;
    bool broken = false;
    char bytes[4];
    size_t length = mslot__win_narrow(&wide, 1, bytes, sizeof bytes, &broken);
    if (broken) {
        errno = EILSEQ;
        return -1;
    }
    memcpy(to, bytes, length);
    return (int)length;
}

// Text in UTF-8 and UTF-16, and between them.

#include "win.h"

#include <stdlib.h>

enum { REPLACEMENT = 0xfffd };

// MARK: one character at a time

/// The character at `wide`, and how many units it has; half a pair is a REPLACEMENT of one unit.
static uint32_t character_of_wide(const WCHAR *wide, size_t count, size_t *units, bool *broken)
{
    uint32_t first = (uint16_t)wide[0];
    *units = 1;
    if (first < 0xd800 || first > 0xdfff) return first;
    uint32_t second = count > 1 ? (uint16_t)wide[1] : 0;
    if (first > 0xdbff || second < 0xdc00 || second > 0xdfff) {
        *broken = true;
        return REPLACEMENT;
    }
    *units = 2;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

static size_t put_narrow(uint32_t character, char bytes[4])
{
    if (character < 0x80) {
        bytes[0] = (char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, character >>= 6) bytes[i] = (char)(0x80 | (character & 0x3f));
    bytes[0] = (char)(heads[length] | character);
    return length;
}

/// The character at `text`, and how many bytes it has; a byte that begins none is a REPLACEMENT.
static uint32_t character_of_narrow(const char *text, size_t count, size_t *bytes, bool *broken)
{
    const unsigned char *in = (const unsigned char *)text;
    *bytes = 1;
    if (in[0] < 0x80) return in[0];
    size_t length = in[0] >= 0xc2 && in[0] < 0xe0 ? 2 : in[0] >= 0xe0 && in[0] < 0xf0 ? 3 : in[0] >= 0xf0 && in[0] < 0xf5 ? 4 : 0;
    static const unsigned char head_bits[] = {0, 0, 0x1f, 0x0f, 0x07};
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character = length != 0 ? in[0] & head_bits[length] : 0;
    bool fine = length != 0 && length <= count;
    for (size_t i = 1; fine && i < length; i++) {
        fine = (in[i] & 0xc0) == 0x80;
        character = character << 6 | (in[i] & 0x3f);
    }
    if (!fine || character < least[length] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) {
        *broken = true;
        return REPLACEMENT;
    }
    *bytes = length;
    return character;
}

// MARK: whole texts

size_t mslot__win_narrow(const WCHAR *wide, size_t count, char *text, size_t capacity, bool *broken)
{
    size_t total = 0;
    bool full = false, ignored = false;
    for (size_t i = 0, units; i < count; i += units) {
        char bytes[4];
        size_t length = put_narrow(character_of_wide(wide + i, count - i, &units, broken != NULL ? broken : &ignored), bytes);
        full = full || total + length > capacity;
        if (!full) memcpy(text + total, bytes, length);
        total += length;
    }
    return total;
}

size_t mslot__win_widen(const char *text, size_t count, WCHAR *wide, size_t capacity, bool *broken)
{
    size_t total = 0;
    bool full = false, ignored = false;
    for (size_t i = 0, bytes; i < count; i += bytes) {
        uint32_t character = character_of_narrow(text + i, count - i, &bytes, broken != NULL ? broken : &ignored);
        size_t units = character < 0x10000 ? 1 : 2;
        full = full || total + units > capacity;
        if (!full && units == 1) wide[total] = (WCHAR)character;
        if (!full && units == 2) {
            wide[total] = (WCHAR)(0xd800 + ((character - 0x10000) >> 10));
            wide[total + 1] = (WCHAR)(0xdc00 + (character & 0x3ff));
        }
        total += units;
    }
    return total;
}

size_t mslot__win_wide_length(const WCHAR *wide)
{
    size_t length = 0;
    while (wide[length] != 0) length++;
    return length;
}

char *mslot__win_narrow_copy(const WCHAR *wide)
{
    size_t count = mslot__win_wide_length(wide);
    size_t capacity = 3 * count; // a unit is at most 3 bytes, a pair 4
    char *text = malloc(capacity + 1);
    if (text != NULL) text[mslot__win_narrow(wide, count, text, capacity, NULL)] = 0;
    return text;
}

// MARK: conversions by their Windows names

static bool is_known_code_page(UINT page) { return page == CP_ACP || page == CP_OEMCP || page == CP_THREAD_ACP || page == CP_UTF8; }

/// The result of a conversion that needs `needed` units: what Windows returns.
static int converted(size_t needed, int capacity, bool refused)
{
    DWORD error = refused ? ERROR_NO_UNICODE_TRANSLATION : 0;
    if (needed > INT_MAX) error = ERROR_INVALID_PARAMETER;
    if (capacity != 0 && needed > (size_t)capacity) error = ERROR_INSUFFICIENT_BUFFER;
    if (error == 0) return (int)needed;
    SetLastError(error);
    return 0;
}

int WINAPI MultiByteToWideChar(UINT CodePage, DWORD dwFlags, LPCSTR lpMultiByteStr, int cbMultiByte, LPWSTR lpWideCharStr, int cchWideChar)
{
    if (!is_known_code_page(CodePage) || lpMultiByteStr == NULL || cbMultiByte == 0 || cbMultiByte < -1 || cchWideChar < 0
        || (cchWideChar > 0 && lpWideCharStr == NULL)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return 0;
    }
    bool broken = false;
    size_t bytes = cbMultiByte < 0 ? strlen(lpMultiByteStr) + 1 : (size_t)cbMultiByte;
    size_t units = mslot__win_widen(lpMultiByteStr, bytes, lpWideCharStr, (size_t)cchWideChar, &broken);
    return converted(units, cchWideChar, broken && (dwFlags & MB_ERR_INVALID_CHARS) != 0);
}

int WINAPI WideCharToMultiByte(UINT CodePage, DWORD dwFlags, LPCWSTR lpWideCharStr, int cchWideChar, LPSTR lpMultiByteStr, int cbMultiByte,
    LPCSTR lpDefaultChar, LPBOOL lpUsedDefaultChar)
{
    (void)lpDefaultChar; // UTF-8 has every character
    if (!is_known_code_page(CodePage) || lpWideCharStr == NULL || cchWideChar == 0 || cchWideChar < -1 || cbMultiByte < 0
        || (cbMultiByte > 0 && lpMultiByteStr == NULL)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return 0;
    }
    bool broken = false;
    size_t units = cchWideChar < 0 ? mslot__win_wide_length(lpWideCharStr) + 1 : (size_t)cchWideChar;
    size_t bytes = mslot__win_narrow(lpWideCharStr, units, lpMultiByteStr, (size_t)cbMultiByte, &broken);
    if (lpUsedDefaultChar != NULL) *lpUsedDefaultChar = broken;
    return converted(bytes, cbMultiByte, broken && (dwFlags & WC_ERR_INVALID_CHARS) != 0);
}

// MARK: lstr: Windows' own string functions

int WINAPI lstrlenA(LPCSTR lpString) { return lpString != NULL ? (int)strlen(lpString) : 0; }
int WINAPI lstrlenW(LPCWSTR lpString) { return lpString != NULL ? (int)mslot__win_wide_length(lpString) : 0; }

LPSTR WINAPI lstrcpyA(LPSTR lpString1, LPCSTR lpString2) { return strcpy(lpString1, lpString2); }
LPWSTR WINAPI lstrcpyW(LPWSTR lpString1, LPCWSTR lpString2)
{
    return memcpy(lpString1, lpString2, (mslot__win_wide_length(lpString2) + 1) * sizeof(WCHAR));
}

LPSTR WINAPI lstrcpynA(LPSTR lpString1, LPCSTR lpString2, int iMaxLength)
{
    if (iMaxLength <= 0) return lpString1;
    size_t length = strnlen(lpString2, (size_t)iMaxLength - 1);
    memcpy(lpString1, lpString2, length);
    lpString1[length] = 0;
    return lpString1;
}

LPWSTR WINAPI lstrcpynW(LPWSTR lpString1, LPCWSTR lpString2, int iMaxLength)
{
    if (iMaxLength <= 0) return lpString1;
    size_t length = 0;
    while (length < (size_t)iMaxLength - 1 && lpString2[length] != 0) length++;
    memcpy(lpString1, lpString2, length * sizeof(WCHAR));
    lpString1[length] = 0;
    return lpString1;
}

LPSTR WINAPI lstrcatA(LPSTR lpString1, LPCSTR lpString2) { return strcat(lpString1, lpString2); }
LPWSTR WINAPI lstrcatW(LPWSTR lpString1, LPCWSTR lpString2)
{
    lstrcpyW(lpString1 + mslot__win_wide_length(lpString1), lpString2);
    return lpString1;
}

static int fold(int character) { return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character; }

static int compare(const void *first, const void *second, bool wide, bool folded)
{
    for (size_t i = 0;; i++) {
        int a = wide ? (uint16_t)((const WCHAR *)first)[i] : ((const unsigned char *)first)[i];
        int b = wide ? (uint16_t)((const WCHAR *)second)[i] : ((const unsigned char *)second)[i];
        if (folded) {
            a = fold(a);
            b = fold(b);
        }
        if (a != b) return a < b ? -1 : 1;
        if (a == 0) return 0;
    }
}

int WINAPI lstrcmpA(LPCSTR lpString1, LPCSTR lpString2) { return compare(lpString1, lpString2, false, false); }
int WINAPI lstrcmpW(LPCWSTR lpString1, LPCWSTR lpString2) { return compare(lpString1, lpString2, true, false); }
int WINAPI lstrcmpiA(LPCSTR lpString1, LPCSTR lpString2) { return compare(lpString1, lpString2, false, true); }
int WINAPI lstrcmpiW(LPCWSTR lpString1, LPCWSTR lpString2) { return compare(lpString1, lpString2, true, true); }

// wchar.h for 16-bit wide characters (-fshort-wchar); otherwise libc's.
//
// It takes the place of libc's header, whose functions work on 32 bits: what is declared here works on 16, and what is not declared does
// not compile. C++: the wide streams and std::wstring of libstdc++ are compiled for 32 bits, so that library is told that it has none.
#pragma GCC system_header // as libc's are: include_next is an extension

#if __SIZEOF_WCHAR_T__ != 2

#include_next <wchar.h>

#elif !defined(MAILSLOTS_CRT_WCHAR_H)
#define MAILSLOTS_CRT_WCHAR_H

#include <stdio.h>

#include <bits/types/mbstate_t.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __wint_t_defined
#define __wint_t_defined 1
typedef __WINT_TYPE__ wint_t;
#endif
#ifndef WEOF
#define WEOF ((wint_t)-1)
#endif

#ifdef __cplusplus
extern "C" {
#endif

size_t wcslen(const wchar_t *text) __asm__("mslot__win_wcslen");
wchar_t *wcscpy(wchar_t *to, const wchar_t *from) __asm__("mslot__win_wcscpy");
wchar_t *wcsncpy(wchar_t *to, const wchar_t *from, size_t count) __asm__("mslot__win_wcsncpy");
wchar_t *wcscat(wchar_t *to, const wchar_t *from) __asm__("mslot__win_wcscat");
wchar_t *wcsncat(wchar_t *to, const wchar_t *from, size_t count) __asm__("mslot__win_wcsncat");
int wcscmp(const wchar_t *first, const wchar_t *second) __asm__("mslot__win_wcscmp");
int wcsncmp(const wchar_t *first, const wchar_t *second, size_t count) __asm__("mslot__win_wcsncmp");
int wcscasecmp(const wchar_t *first, const wchar_t *second) __asm__("mslot__win_wcscasecmp");
wchar_t *wcschr(const wchar_t *text, wchar_t character) __asm__("mslot__win_wcschr");
wchar_t *wcsrchr(const wchar_t *text, wchar_t character) __asm__("mslot__win_wcsrchr");
wchar_t *wcsstr(const wchar_t *text, const wchar_t *part) __asm__("mslot__win_wcsstr");
wchar_t *wcsdup(const wchar_t *text) __asm__("mslot__win_wcsdup");
long wcstol(const wchar_t *text, wchar_t **end, int base) __asm__("mslot__win_wcstol");
unsigned long wcstoul(const wchar_t *text, wchar_t **end, int base) __asm__("mslot__win_wcstoul");
/// What does not fit ends the program.
int wcscpy_s(wchar_t *to, size_t capacity, const wchar_t *from) __asm__("mslot__win_wcscpy_s");
int wcscat_s(wchar_t *to, size_t capacity, const wchar_t *from) __asm__("mslot__win_wcscat_s");
FILE *_wfopen(const wchar_t *path, const wchar_t *mode) __asm__("mslot__win_wfopen");
wchar_t *_wsetlocale(int category, const wchar_t *locale) __asm__("mslot__win_wsetlocale");
/// A character that needs a pair comes as U+FFFD.
wint_t fgetwc(FILE *stream) __asm__("mslot__win_fgetwc");
wint_t getwchar(void) __asm__("mslot__win_getwchar");
int _wtoi(const wchar_t *text) __asm__("mslot__win_wtoi");

int wprintf(const wchar_t *format, ...) __asm__("mslot__win_wprintf");
int fwprintf(FILE *stream, const wchar_t *format, ...) __asm__("mslot__win_fwprintf");
int swprintf(wchar_t *to, size_t capacity, const wchar_t *format, ...) __asm__("mslot__win_swprintf");
int _swprintf(wchar_t *to, const wchar_t *format, ...) __asm__("mslot__win_swprintf_unbounded");
int swprintf_s(wchar_t *to, size_t capacity, const wchar_t *format, ...) __asm__("mslot__win_swprintf_s");
int vwprintf(const wchar_t *format, va_list arguments) __asm__("mslot__win_vwprintf");
int vfwprintf(FILE *stream, const wchar_t *format, va_list arguments) __asm__("mslot__win_vfwprintf");
int vswprintf(wchar_t *to, size_t capacity, const wchar_t *format, va_list arguments) __asm__("mslot__win_vswprintf");
int wscanf(const wchar_t *format, ...) __asm__("mslot__win_wscanf");
int fwscanf(FILE *stream, const wchar_t *format, ...) __asm__("mslot__win_fwscanf");
int swscanf(const wchar_t *text, const wchar_t *format, ...) __asm__("mslot__win_swscanf");
int wscanf_s(const wchar_t *format, ...) __asm__("mslot__win_wscanf_s");
int fwscanf_s(FILE *stream, const wchar_t *format, ...) __asm__("mslot__win_fwscanf_s");
int swscanf_s(const wchar_t *text, const wchar_t *format, ...) __asm__("mslot__win_swscanf_s");
int fputws(const wchar_t *text, FILE *stream) __asm__("mslot__win_fputws");
int _putws(const wchar_t *text) __asm__("mslot__win_putws");
wint_t fputwc(wchar_t character, FILE *stream) __asm__("mslot__win_fputwc");
wint_t putwchar(wchar_t character) __asm__("mslot__win_putwchar");
wchar_t *fgetws(wchar_t *to, int count, FILE *stream) __asm__("mslot__win_fgetws");

#define _wcsicmp wcscasecmp
#define wcsicmp wcscasecmp
#define _wcsdup wcsdup

#ifdef __cplusplus
}

// libstdc++ looks at this macro, which its configuration has just set, in front of everything wide.
#include <cstddef>
#undef _GLIBCXX_USE_WCHAR_T
#endif

#endif

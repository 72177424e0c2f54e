// The printf family that crt/ points programs to, as C sees it here: without -fshort-wchar. Not API.
#ifndef MAILSLOTS_WIN_PRINT_H
#define MAILSLOTS_WIN_PRINT_H

#include "win.h"

enum { WSPRINTF_MAX = 1024 };

int mslot_win_printf(const char *format, ...);
int mslot_win_fprintf(FILE *stream, const char *format, ...);
int mslot_win_sprintf(char *to, const char *format, ...);
int mslot_win_snprintf(char *to, size_t capacity, const char *format, ...);
int mslot_win_vprintf(const char *format, va_list arguments);
int mslot_win_vfprintf(FILE *stream, const char *format, va_list arguments);
int mslot_win_vsprintf(char *to, const char *format, va_list arguments);
int mslot_win_vsnprintf(char *to, size_t capacity, const char *format, va_list arguments);

int mslot_win_wprintf(const WCHAR *format, ...);
int mslot_win_fwprintf(FILE *stream, const WCHAR *format, ...);
int mslot_win_swprintf(WCHAR *to, size_t capacity, const WCHAR *format, ...);
int mslot_win_swprintf_unbounded(WCHAR *to, const WCHAR *format, ...);
int mslot_win_vwprintf(const WCHAR *format, va_list arguments);
int mslot_win_vfwprintf(FILE *stream, const WCHAR *format, va_list arguments);
int mslot_win_vswprintf(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments);
long mslot_win_format_to_wide(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments);

#endif

// What crt/ points programs to, as C sees it here: without -fshort-wchar. Not API.
#ifndef MAILSLOTS_WIN_PRINT_H
#define MAILSLOTS_WIN_PRINT_H

#include "win.h"

enum { WSPRINTF_MAX = 1024 };

int mslot__win_printf(const char *format, ...);
int mslot__win_fprintf(FILE *stream, const char *format, ...);
int mslot__win_sprintf(char *to, const char *format, ...);
int mslot__win_snprintf(char *to, size_t capacity, const char *format, ...);
int mslot__win_vprintf(const char *format, va_list arguments);
int mslot__win_vfprintf(FILE *stream, const char *format, va_list arguments);
int mslot__win_vsprintf(char *to, const char *format, va_list arguments);
int mslot__win_vsnprintf(char *to, size_t capacity, const char *format, va_list arguments);

int mslot__win_wprintf(const WCHAR *format, ...);
int mslot__win_fwprintf(FILE *stream, const WCHAR *format, ...);
int mslot__win_swprintf(WCHAR *to, size_t capacity, const WCHAR *format, ...);
int mslot__win_swprintf_unbounded(WCHAR *to, const WCHAR *format, ...);
int mslot__win_vwprintf(const WCHAR *format, va_list arguments);
int mslot__win_vfwprintf(FILE *stream, const WCHAR *format, va_list arguments);
int mslot__win_vswprintf(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments);
long mslot__win_format_to_wide(WCHAR *to, size_t capacity, const WCHAR *format, va_list arguments);

int mslot__win_scanf(const char *format, ...);
int mslot__win_fscanf(FILE *stream, const char *format, ...);
int mslot__win_sscanf(const char *text, const char *format, ...);
int mslot__win_vscanf(const char *format, va_list arguments);
int mslot__win_vfscanf(FILE *stream, const char *format, va_list arguments);
int mslot__win_vsscanf(const char *text, const char *format, va_list arguments);
int mslot__win_wscanf(const WCHAR *format, ...);
int mslot__win_fwscanf(FILE *stream, const WCHAR *format, ...);
int mslot__win_swscanf(const WCHAR *text, const WCHAR *format, ...);
int mslot__win_wscanf_s(const WCHAR *format, ...);
int mslot__win_fwscanf_s(FILE *stream, const WCHAR *format, ...);
int mslot__win_swscanf_s(const WCHAR *text, const WCHAR *format, ...);

/// The bytes of the next character of a stream in UTF-8, or as many as belong together; 0 at its end.
size_t mslot__win_get_character(FILE *stream, char bytes[4]);
/// The next to be read are these, which the stream has just given.
void mslot__win_unget_character(FILE *stream, const char *bytes, size_t length);

#endif

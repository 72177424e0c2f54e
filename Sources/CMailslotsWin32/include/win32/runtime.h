// Names of Microsoft's C runtime.
#ifndef MAILSLOTS_WIN32_RUNTIME_H
#define MAILSLOTS_WIN32_RUNTIME_H

#include "types.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int errno_t;

#define _stricmp strcasecmp
#define stricmp strcasecmp
#define _strcmpi strcasecmp
#define _strnicmp strncasecmp
#define _strdup strdup
#define _TRUNCATE ((size_t)-1)
#define _countof(array) (sizeof(array) / sizeof(array)[0])
#define _MAX_PATH 260
#define _popen popen
#define _pclose pclose
// They differ from the plain ones only in what ends the program.
#define printf_s printf
#define fprintf_s fprintf

// The _s functions: what does not fit ends the program, as Microsoft's default handler does, except that _TRUNCATE cuts.
errno_t strcpy_s(char *to, size_t capacity, const char *from);
errno_t strcat_s(char *to, size_t capacity, const char *from);
errno_t strncpy_s(char *to, size_t capacity, const char *from, size_t count);
int sprintf_s(char *to, size_t capacity, const char *format, ...);
int vsprintf_s(char *to, size_t capacity, const char *format, va_list arguments);
/// No closing zero when the text fills the buffer, and -1 when it does not fit.
int _snprintf(char *to, size_t capacity, const char *format, ...);
int _vsnprintf(char *to, size_t capacity, const char *format, va_list arguments);
/// Behind each buffer for %s, %c and %[ stands its size in characters, an unsigned: what does not fit is no match, and leaves it empty.
int scanf_s(const char *format, ...);
int fscanf_s(FILE *stream, const char *format, ...);
int sscanf_s(const char *text, const char *format, ...);
/// 0, or an errno, and then no file.
errno_t fopen_s(FILE **file, const char *path, const char *mode);
errno_t localtime_s(struct tm *parts, const time_t *time);
/// Reads a line without its end; what does not fit ends the program.
char *gets_s(char *to, size_t capacity);

#ifdef __cplusplus
}

extern "C++" {
template <size_t capacity> static inline errno_t strcpy_s(char (&to)[capacity], const char *from) { return strcpy_s(to, capacity, from); }
template <size_t capacity> static inline errno_t strcat_s(char (&to)[capacity], const char *from) { return strcat_s(to, capacity, from); }
template <size_t capacity> static inline errno_t strncpy_s(char (&to)[capacity], const char *from, size_t count)
{
    return strncpy_s(to, capacity, from, count);
}
template <size_t capacity, class... Arguments> static inline int sprintf_s(char (&to)[capacity], const char *format, Arguments... arguments)
{
    return sprintf_s(to, capacity, format, arguments...);
}
template <size_t capacity> static inline char *gets_s(char (&to)[capacity]) { return gets_s(to, capacity); }
}
#endif

#endif

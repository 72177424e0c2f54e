// stdio.h whose printf and scanf families follow Microsoft's rules: %ld is 32 bits, %I64d is known, %S and %ls are 16-bit text.
//
// libc's header comes first; then its functions get other symbols, which this library has. A program may include it in any order.
#pragma GCC system_header // as libc's are: include_next is an extension

#ifndef MAILSLOTS_CRT_STDIO_H
#define MAILSLOTS_CRT_STDIO_H

#include "libc_begin.h"
// Else libc's header gives its scanf family other symbols first.
#pragma push_macro("__GLIBC_USE_DEPRECATED_SCANF")
#undef __GLIBC_USE_DEPRECATED_SCANF
#define __GLIBC_USE_DEPRECATED_SCANF 1
#include_next <stdio.h>
#pragma pop_macro("__GLIBC_USE_DEPRECATED_SCANF")
#include "libc_end.h"

#include <stdarg.h>

#define MAILSLOTS_WIN32_CRT 1

// Compilers for Linux know the standard's formats only, and would complain of every right one.
#pragma GCC diagnostic ignored "-Wformat"

#ifdef __cplusplus
extern "C" {
#if __cplusplus >= 201103L
#define MAILSLOTS_CRT_NOTHROW noexcept(true)
#else
#define MAILSLOTS_CRT_NOTHROW throw()
#endif
#else
#define MAILSLOTS_CRT_NOTHROW
#endif
#ifndef __GLIBC__ // musl says nothing of exceptions
#undef MAILSLOTS_CRT_NOTHROW
#define MAILSLOTS_CRT_NOTHROW
#endif

extern int printf(const char *__restrict, ...) __asm__("mslot__win_printf");
extern int fprintf(FILE *__restrict, const char *__restrict, ...) __asm__("mslot__win_fprintf");
extern int sprintf(char *__restrict, const char *__restrict, ...) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_sprintf");
extern int snprintf(char *__restrict, size_t, const char *__restrict, ...) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_snprintf");
extern int vprintf(const char *__restrict, va_list) __asm__("mslot__win_vprintf");
extern int vfprintf(FILE *__restrict, const char *__restrict, va_list) __asm__("mslot__win_vfprintf");
extern int vsprintf(char *__restrict, const char *__restrict, va_list) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_vsprintf");
extern int vsnprintf(char *__restrict, size_t, const char *__restrict, va_list) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_vsnprintf");

extern int scanf(const char *__restrict, ...) __asm__("mslot__win_scanf");
extern int fscanf(FILE *__restrict, const char *__restrict, ...) __asm__("mslot__win_fscanf");
extern int sscanf(const char *__restrict, const char *__restrict, ...) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_sscanf");
extern int vscanf(const char *__restrict, va_list) __asm__("mslot__win_vscanf");
extern int vfscanf(FILE *__restrict, const char *__restrict, va_list) __asm__("mslot__win_vfscanf");
extern int vsscanf(const char *__restrict, const char *__restrict, va_list) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_vsscanf");

#ifdef __cplusplus
}
#endif

#if __SIZEOF_WCHAR_T__ == 2
#include <wchar.h>
#endif

#endif

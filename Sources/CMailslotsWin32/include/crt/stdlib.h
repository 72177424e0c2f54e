// stdlib.h whose conversions know 16-bit wide characters, when they have 16 bits.
#pragma GCC system_header // as libc's are: include_next is an extension

#include "libc_begin.h"
#include_next <stdlib.h>
#include "libc_end.h"

#if __SIZEOF_WCHAR_T__ == 2 && !defined(MAILSLOTS_CRT_STDLIB_H)
#define MAILSLOTS_CRT_STDLIB_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

extern size_t mbstowcs(wchar_t *__restrict, const char *__restrict, size_t) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_mbstowcs");
extern size_t wcstombs(char *__restrict, const wchar_t *__restrict, size_t) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_wcstombs");
extern int mbtowc(wchar_t *__restrict, const char *__restrict, size_t) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_mbtowc");
extern int wctomb(char *, wchar_t) MAILSLOTS_CRT_NOTHROW __asm__("mslot__win_wctomb");

#ifdef __cplusplus
}
#endif

#endif

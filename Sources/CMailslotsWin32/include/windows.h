/*
 * The Windows calls that mailslot programs use, on Linux, so that such programs compile and run unchanged.
 *
 *     g++ program.cpp $(pkg-config --cflags --libs mailslots-win32)
 *
 * The table of what is offered, and of each difference from Windows, is the article "Porting from Windows".
 *
 * Handles are process-wide and safe to use from several threads. DWORD and LONG have 32 bits. Text of the A functions is UTF-8;
 * programs built with UNICODE need -fshort-wchar, so that L"" and WCHAR have 16 bits. A child made by fork has none of its parent's
 * handles: every call on one fails with ERROR_INVALID_HANDLE.
 *
 * What is not declared here is not offered: a program that calls it does not compile, rather than fail later.
 */
#ifndef MAILSLOTS_WINDOWS_H
#define MAILSLOTS_WINDOWS_H

#ifdef __cplusplus
extern "C++" { // for programs that include this header in extern "C"
#endif
// The runtime's names that programs written for Windows use without including their headers.
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if __SIZEOF_WCHAR_T__ == 2
#include <wchar.h>
#endif
#ifdef __cplusplus
}
#endif

#include "win32/types.h"
#include "win32/errors.h"
#include "win32/security.h"
#include "win32/files.h"
#include "win32/waits.h"
#include "win32/threads.h"
#include "win32/memory.h"
#include "win32/text.h"
#include "win32/clock.h"
#include "win32/console.h"
#include "win32/runtime.h"

#endif

// The types and words of Windows.
#ifndef MAILSLOTS_WIN32_TYPES_H
#define MAILSLOTS_WIN32_TYPES_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if defined(UNICODE) && !defined(_UNICODE)
#define _UNICODE
#elif defined(_UNICODE) && !defined(UNICODE)
#define UNICODE
#endif
#if defined(UNICODE) && __SIZEOF_WCHAR_T__ != 2
#error "A UNICODE build needs 16-bit wide characters: compile with -fshort-wchar, all of the program."
#endif
#if __SIZEOF_WCHAR_T__ == 2
#include <wchar.h>
#endif
#if __SIZEOF_WCHAR_T__ == 2 && !defined(MAILSLOTS_WIN32_CRT)
#error "-fshort-wchar breaks libc's wide functions: compile with -I .../crt (pkg-config mailslots-win32), which holds 16-bit ones."
#endif

// Calling conventions, and annotations for Microsoft's analyser, mean nothing here.
#define WINAPI
#define APIENTRY
#define CALLBACK
#define WINAPIV
#define PASCAL
#define FAR
#define NEAR
#define CONST const
#define __cdecl
#define _cdecl
#define __stdcall
#define _stdcall
#define __fastcall
#define __declspec(what)
#define __forceinline inline
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define _In_
#define _In_z_
#define _In_opt_
#define _Out_
#define _Out_opt_
#define _Inout_
#define _Inout_opt_
#define _In_reads_(count)
#define _In_reads_bytes_(count)
#define _Out_writes_(count)
#define _Out_writes_bytes_(count)
#define IN
#define OUT
#define OPTIONAL
#define UNALIGNED
#define UNREFERENCED_PARAMETER(name) ((void)(name))
#define DBG_UNREFERENCED_PARAMETER(name) ((void)(name))

#ifdef __cplusplus
#define EXTERN_C extern "C"
#else
#define EXTERN_C extern
#ifndef NOMINMAX
#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif
#endif
#endif

#define VOID void
typedef char CHAR, *PCHAR, *LPCH, *PCH;
typedef signed char INT8;
typedef unsigned char BYTE, *PBYTE, *LPBYTE, UCHAR, *PUCHAR, BOOLEAN, *PBOOLEAN, UINT8;
typedef short SHORT, *PSHORT, INT16;
typedef unsigned short WORD, *PWORD, *LPWORD, USHORT, *PUSHORT, UINT16, ATOM;
typedef int INT, *PINT, *LPINT, BOOL, *PBOOL, *LPBOOL;
typedef unsigned int UINT, *PUINT;
// 32 bits, as there; not `long`, which has 64 here.
typedef int32_t LONG, *PLONG, *LPLONG, INT32, LONG32, HRESULT, NTSTATUS;
typedef uint32_t DWORD, *PDWORD, *LPDWORD, ULONG, *PULONG, UINT32, ULONG32, DWORD32, COLORREF;
typedef long long LONGLONG, *PLONGLONG, INT64, LONG64;
typedef unsigned long long ULONGLONG, *PULONGLONG, UINT64, ULONG64, DWORD64, DWORDLONG;
typedef float FLOAT;
typedef double DOUBLE;
typedef size_t SIZE_T, *PSIZE_T;
typedef ptrdiff_t SSIZE_T;
typedef intptr_t INT_PTR, LONG_PTR;
typedef uintptr_t UINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR;
typedef void *PVOID, *LPVOID, *HANDLE, **PHANDLE, **LPHANDLE;
typedef const void *LPCVOID, *PCVOID;
typedef struct HWND__ *HWND;
typedef struct HINSTANCE__ *HINSTANCE, *HMODULE;
typedef HANDLE HGLOBAL, HLOCAL;
typedef UINT_PTR WPARAM;
typedef LONG_PTR LPARAM, LRESULT;

#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#else
typedef uint16_t WCHAR;
#endif

typedef char *PSTR, *LPSTR, *NPSTR;
typedef const char *PCSTR, *LPCSTR;
typedef WCHAR *PWSTR, *LPWSTR, *PWCHAR;
typedef const WCHAR *PCWSTR, *LPCWSTR;

#ifdef UNICODE
typedef WCHAR TCHAR, *PTCHAR, *PTSTR, *LPTSTR;
typedef const WCHAR *PCTSTR, *LPCTSTR;
#define MAILSLOTS_WIN32_TEXT(text) L##text
#else
typedef char TCHAR, *PTCHAR, *PTSTR, *LPTSTR;
typedef const char *PCTSTR, *LPCTSTR;
#define MAILSLOTS_WIN32_TEXT(text) text
#endif
#define TEXT(text) MAILSLOTS_WIN32_TEXT(text)

#define TRUE 1
#define FALSE 0
#define MAX_PATH 260
#define INFINITE 0xFFFFFFFFu
#define MAXDWORD 0xFFFFFFFFu
#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)

#define LOWORD(value) ((WORD)((DWORD_PTR)(value)&0xffff))
#define HIWORD(value) ((WORD)((DWORD_PTR)(value) >> 16 & 0xffff))
#define LOBYTE(value) ((BYTE)((DWORD_PTR)(value)&0xff))
#define HIBYTE(value) ((BYTE)((DWORD_PTR)(value) >> 8 & 0xff))
#define MAKEWORD(low, high) ((WORD)((BYTE)(low) | (WORD)((BYTE)(high)) << 8))
#define MAKELONG(low, high) ((LONG)((WORD)(low) | (DWORD)((WORD)(high)) << 16))
#define ARRAYSIZE(array) (sizeof(array) / sizeof(array)[0])
#define ZeroMemory(place, bytes) memset((place), 0, (bytes))
#define FillMemory(place, bytes, value) memset((place), (value), (bytes))
#define CopyMemory(to, from, bytes) memcpy((to), (from), (bytes))
#define MoveMemory(to, from, bytes) memmove((to), (from), (bytes))
#define SecureZeroMemory(place, bytes) explicit_bzero((place), (bytes))
#define RtlZeroMemory ZeroMemory
#define RtlCopyMemory CopyMemory

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" // C++ knows no anonymous structures
typedef union _LARGE_INTEGER {
    struct {
        DWORD LowPart;
        LONG HighPart;
    };
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;
#pragma GCC diagnostic pop

typedef struct _FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

#define SUCCEEDED(result) ((HRESULT)(result) >= 0)
#define FAILED(result) ((HRESULT)(result) < 0)
#define S_OK ((HRESULT)0)
#define S_FALSE ((HRESULT)1)
#define E_FAIL ((HRESULT)0x80004005)
#define E_INVALIDARG ((HRESULT)0x80070057)
#define E_OUTOFMEMORY ((HRESULT)0x8007000E)

#endif

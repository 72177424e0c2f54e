// Bounded strings: lengths in characters (Cch) or bytes (Cb). What does not fit is cut, closed with a zero, and reported.
#ifndef MAILSLOTS_STRSAFE_H
#define MAILSLOTS_STRSAFE_H

#include "windows.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRSAFE_MAX_CCH 2147483647
#define STRSAFE_E_INSUFFICIENT_BUFFER ((HRESULT)0x8007007A)
#define STRSAFE_E_INVALID_PARAMETER ((HRESULT)0x80070057)
#define STRSAFE_E_END_OF_FILE ((HRESULT)0x80070026)

HRESULT StringCchCopyA(LPSTR to, size_t capacity, LPCSTR from);
HRESULT StringCchCopyW(LPWSTR to, size_t capacity, LPCWSTR from);
HRESULT StringCchCatA(LPSTR to, size_t capacity, LPCSTR from);
HRESULT StringCchCatW(LPWSTR to, size_t capacity, LPCWSTR from);
HRESULT StringCchLengthA(LPCSTR text, size_t capacity, size_t *length);
HRESULT StringCchLengthW(LPCWSTR text, size_t capacity, size_t *length);
HRESULT StringCchPrintfA(LPSTR to, size_t capacity, LPCSTR format, ...);
HRESULT StringCchPrintfW(LPWSTR to, size_t capacity, LPCWSTR format, ...);
HRESULT StringCchVPrintfA(LPSTR to, size_t capacity, LPCSTR format, va_list arguments);
HRESULT StringCchVPrintfW(LPWSTR to, size_t capacity, LPCWSTR format, va_list arguments);
HRESULT StringCbCopyA(LPSTR to, size_t bytes, LPCSTR from);
HRESULT StringCbCopyW(LPWSTR to, size_t bytes, LPCWSTR from);
HRESULT StringCbCatA(LPSTR to, size_t bytes, LPCSTR from);
HRESULT StringCbCatW(LPWSTR to, size_t bytes, LPCWSTR from);
HRESULT StringCbLengthA(LPCSTR text, size_t bytes_max, size_t *bytes);
HRESULT StringCbLengthW(LPCWSTR text, size_t bytes_max, size_t *bytes);
HRESULT StringCbPrintfA(LPSTR to, size_t bytes, LPCSTR format, ...);
HRESULT StringCbPrintfW(LPWSTR to, size_t bytes, LPCWSTR format, ...);

#ifdef UNICODE
#define StringCchCopy StringCchCopyW
#define StringCchCat StringCchCatW
#define StringCchLength StringCchLengthW
#define StringCchPrintf StringCchPrintfW
#define StringCchVPrintf StringCchVPrintfW
#define StringCbCopy StringCbCopyW
#define StringCbCat StringCbCatW
#define StringCbLength StringCbLengthW
#define StringCbPrintf StringCbPrintfW
#else
#define StringCchCopy StringCchCopyA
#define StringCchCat StringCchCatA
#define StringCchLength StringCchLengthA
#define StringCchPrintf StringCchPrintfA
#define StringCchVPrintf StringCchVPrintfA
#define StringCbCopy StringCbCopyA
#define StringCbCat StringCbCatA
#define StringCbLength StringCbLengthA
#define StringCbPrintf StringCbPrintfA
#endif

#ifdef __cplusplus
}
#endif

#endif

// What a program shows: standard handles, message boxes, and where a window program begins.
#ifndef MAILSLOTS_WIN32_CONSOLE_H
#define MAILSLOTS_WIN32_CONSOLE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STD_INPUT_HANDLE ((DWORD)-10)
#define STD_OUTPUT_HANDLE ((DWORD)-11)
#define STD_ERROR_HANDLE ((DWORD)-12)
#define MB_OK 0x0000u
#define MB_OKCANCEL 0x0001u
#define MB_YESNO 0x0004u
#define MB_ICONERROR 0x0010u
#define MB_ICONSTOP 0x0010u
#define MB_ICONQUESTION 0x0020u
#define MB_ICONWARNING 0x0030u
#define MB_ICONEXCLAMATION 0x0030u
#define MB_ICONINFORMATION 0x0040u
#define MB_ICONASTERISK 0x0040u
#define MB_SYSTEMMODAL 0x1000u
#define IDOK 1
#define IDYES 6
#define SW_HIDE 0
#define SW_SHOWNORMAL 1
#define SW_SHOW 5

/// Standard input, output and error, as ReadFile and WriteFile take them.
HANDLE WINAPI GetStdHandle(DWORD nStdHandle);
/// Prints "caption: text" to standard error. Nobody is asked: returns IDOK, or IDYES where there is no OK.
int WINAPI MessageBoxA(HWND hWnd, LPCSTR lpText, LPCSTR lpCaption, UINT uType);
int WINAPI MessageBoxW(HWND hWnd, LPCWSTR lpText, LPCWSTR lpCaption, UINT uType);
/// Prints to standard error.
void WINAPI OutputDebugStringA(LPCSTR lpOutputString);
void WINAPI OutputDebugStringW(LPCWSTR lpOutputString);
BOOL WINAPI MessageBeep(UINT uType);
/// A text that is always UTF-8 here: TRUE for CP_UTF8 and CP_ACP, else ERROR_NOT_SUPPORTED.
BOOL WINAPI SetConsoleOutputCP(UINT wCodePageID);
BOOL WINAPI SetConsoleCP(UINT wCodePageID);

/// The terminal's title, where standard output is a terminal.
BOOL WINAPI SetConsoleTitleA(LPCSTR lpConsoleTitle);
BOOL WINAPI SetConsoleTitleW(LPCWSTR lpConsoleTitle);

#define MAX_COMPUTERNAME_LENGTH 15
/// The host's name up to its first dot; `*nSize` in characters, with the closing zero before and without it after. Too small:
/// ERROR_BUFFER_OVERFLOW, and `*nSize` is what is needed.
BOOL WINAPI GetComputerNameA(LPSTR lpBuffer, LPDWORD nSize);
BOOL WINAPI GetComputerNameW(LPWSTR lpBuffer, LPDWORD nSize);

typedef enum _COMPUTER_NAME_FORMAT {
    ComputerNameNetBIOS,
    ComputerNameDnsHostname,
    ComputerNameDnsDomain,
    ComputerNameDnsFullyQualified,
    ComputerNamePhysicalNetBIOS,
    ComputerNamePhysicalDnsHostname,
    ComputerNamePhysicalDnsDomain,
    ComputerNamePhysicalDnsFullyQualified,
    ComputerNameMax
} COMPUTER_NAME_FORMAT;
/// Likewise a part of the host's name: what is before its first dot, what is behind it (maybe nothing), or all. Too small: ERROR_MORE_DATA.
BOOL WINAPI GetComputerNameExA(COMPUTER_NAME_FORMAT NameType, LPSTR lpBuffer, LPDWORD nSize);
BOOL WINAPI GetComputerNameExW(COMPUTER_NAME_FORMAT NameType, LPWSTR lpBuffer, LPDWORD nSize);

// A program has one of these instead of `main`; the library's `main` calls it. Also `wmain`, with or without arguments.
int WINAPI WinMain(HINSTANCE hInstance, HINSTANCE hPrevInstance, LPSTR lpCmdLine, int nShowCmd);
int WINAPI wWinMain(HINSTANCE hInstance, HINSTANCE hPrevInstance, LPWSTR lpCmdLine, int nShowCmd);
LPSTR WINAPI GetCommandLineA(void);
LPWSTR WINAPI GetCommandLineW(void);

#ifdef UNICODE
#define MessageBox MessageBoxW
#define OutputDebugString OutputDebugStringW
#define SetConsoleTitle SetConsoleTitleW
#define GetComputerName GetComputerNameW
#define GetComputerNameEx GetComputerNameExW
#define GetCommandLine GetCommandLineW
#else
#define MessageBox MessageBoxA
#define OutputDebugString OutputDebugStringA
#define SetConsoleTitle SetConsoleTitleA
#define GetComputerName GetComputerNameA
#define GetComputerNameEx GetComputerNameExA
#define GetCommandLine GetCommandLineA
#endif

#ifdef __cplusplus
}
#endif

#endif

// How this computer is called: by its host name, "server7.example.org", and parts of it.

#include "win.h"

#include <limits.h>
#include <unistd.h>

/// The part of the host's name that is asked for, in `name`; false: there is no such part.
static bool part_of_name(COMPUTER_NAME_FORMAT part, char name[HOST_NAME_MAX + 1])
{
    memset(name, 0, HOST_NAME_MAX + 1);
    gethostname(name, HOST_NAME_MAX);
    char *dot = strchr(name, '.');
    switch (part) {
    case ComputerNameNetBIOS:
    case ComputerNameDnsHostname:
    case ComputerNamePhysicalNetBIOS:
    case ComputerNamePhysicalDnsHostname:
        if (dot != NULL) *dot = 0;
        return true;
    case ComputerNameDnsDomain:
    case ComputerNamePhysicalDnsDomain: {
        const char *domain = dot != NULL ? dot + 1 : "";
        memmove(name, domain, strlen(domain) + 1);
        return true;
    }
    case ComputerNameDnsFullyQualified:
    case ComputerNamePhysicalDnsFullyQualified: return true;
    default: return false;
    }
}

/// What all four calls do; they differ in the error of too small a buffer. Characters are of `unit` bytes.
static BOOL give_name(COMPUTER_NAME_FORMAT part, void *buffer, DWORD *size, size_t unit, DWORD too_small)
{
    char name[HOST_NAME_MAX + 1];
    WCHAR wide[HOST_NAME_MAX + 1] = {0};
    if (size == NULL || !part_of_name(part, name)) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    size_t length = strlen(name);
    if (unit == sizeof(WCHAR)) length = mslot__win_widen(name, length, wide, HOST_NAME_MAX, NULL);
    if (buffer == NULL || *size <= length) {
        *size = (DWORD)length + 1;
        return mslot__win_fail(too_small);
    }
    memcpy(buffer, unit == sizeof(WCHAR) ? (const void *)wide : name, (length + 1) * unit);
    *size = (DWORD)length;
    return TRUE;
}

BOOL WINAPI GetComputerNameA(LPSTR lpBuffer, LPDWORD nSize)
{
    return give_name(ComputerNameNetBIOS, lpBuffer, nSize, sizeof(char), ERROR_BUFFER_OVERFLOW);
}

BOOL WINAPI GetComputerNameW(LPWSTR lpBuffer, LPDWORD nSize)
{
    return give_name(ComputerNameNetBIOS, lpBuffer, nSize, sizeof(WCHAR), ERROR_BUFFER_OVERFLOW);
}

BOOL WINAPI GetComputerNameExA(COMPUTER_NAME_FORMAT NameType, LPSTR lpBuffer, LPDWORD nSize)
{
    return give_name(NameType, lpBuffer, nSize, sizeof(char), ERROR_MORE_DATA);
}

BOOL WINAPI GetComputerNameExW(COMPUTER_NAME_FORMAT NameType, LPWSTR lpBuffer, LPDWORD nSize)
{
    return give_name(NameType, lpBuffer, nSize, sizeof(WCHAR), ERROR_MORE_DATA);
}

// The steps that the tests of the Windows calls share.
#ifndef WIN32_TESTS_COMMON_H
#define WIN32_TESTS_COMMON_H

#include "../Core/harness.h"

#include <string.h>
#include <windows.h>

#define SLOT "\\\\.\\mailslot\\orders"

/// The call fails with this error.
#define expect_error(call, error)            \
    do {                                     \
        SetLastError(0xdead);                \
        expect(!(call));                     \
        expect_equal(GetLastError(), error); \
    } while (0)
#define expect_no_handle(call, error)           \
    do {                                        \
        SetLastError(0xdead);                   \
        expect((call) == INVALID_HANDLE_VALUE); \
        expect_equal(GetLastError(), error);    \
    } while (0)

static inline HANDLE must_create(const char *name, DWORD max, DWORD timeout)
{
    HANDLE server = CreateMailslotA(name, max, timeout, NULL);
    if (server == INVALID_HANDLE_VALUE) fail_at(__FILE__, __LINE__, "cannot create %s: error %u", name, GetLastError());
    return server;
}

static inline HANDLE try_open(const char *name, DWORD access, DWORD disposition)
{
    return CreateFileA(name, access, FILE_SHARE_READ, NULL, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
}

static inline HANDLE must_open(const char *name)
{
    HANDLE client = try_open(name, GENERIC_WRITE, OPEN_EXISTING);
    if (client == INVALID_HANDLE_VALUE) fail_at(__FILE__, __LINE__, "cannot open %s: error %u", name, GetLastError());
    return client;
}

static inline void must_write(HANDLE client, const char *text)
{
    DWORD count = 77;
    if (!WriteFile(client, text, (DWORD)strlen(text), &count, NULL)) fail_at(__FILE__, __LINE__, "error %u", GetLastError());
    expect_equal(count, strlen(text));
}

static inline void must_read(HANDLE server, const char *text)
{
    char buffer[MAX_PATH * 2] = {0};
    DWORD count = 77;
    if (!ReadFile(server, buffer, sizeof buffer, &count, NULL)) fail_at(__FILE__, __LINE__, "error %u", GetLastError());
    expect_equal(count, strlen(text));
    expect(memcmp(buffer, text, count) == 0);
}

static inline BOOL read_some(HANDLE server)
{
    char buffer[512];
    DWORD count;
    return ReadFile(server, buffer, sizeof buffer, &count, NULL);
}

typedef struct slot_info {
    DWORD max, next, count, timeout;
} slot_info;

static inline slot_info must_ask(HANDLE handle)
{
    slot_info info;
    expect(GetMailslotInfo(handle, &info.max, &info.next, &info.count, &info.timeout));
    return info;
}

#endif

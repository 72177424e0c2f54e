// Garbage handles, pointers that lead nowhere, calls on closed handles, from several threads: error codes and no crash.

#include "common.h"

#include <stdlib.h>
#include <sys/mman.h>

TEST(every_call_refuses_every_garbage_handle)
{
    HANDLE closed = must_create(SLOT, 0, 0);
    CloseHandle(closed);
    char bytes[8];
    DWORD count;
    OVERLAPPED overlapped = {0};
    HANDLE fixed[] = {NULL, INVALID_HANDLE_VALUE, (HANDLE)-2, closed, (HANDLE)1, (HANDLE)((uintptr_t)closed + 1), (HANDLE)bytes};
    for (int i = 0; i < 2000; i++) {
        HANDLE bad = i < (int)ARRAYSIZE(fixed) ? fixed[i] : (HANDLE)(uintptr_t)(random_next() >> random_below(64));
        if (bad == GetCurrentThread()) continue;
        trying("handle %p", bad);
        count = 77;
        expect_error(ReadFile(bad, bytes, sizeof bytes, &count, NULL), ERROR_INVALID_HANDLE);
        expect_equal(count, 0);
        count = 77;
        expect_error(WriteFile(bad, bytes, sizeof bytes, &count, NULL), ERROR_INVALID_HANDLE);
        expect_equal(count, 0);
        expect_error(ReadFile(bad, NULL, 5, &count, NULL), ERROR_INVALID_HANDLE);
        expect_error(GetMailslotInfo(bad, NULL, NULL, NULL, NULL), ERROR_INVALID_HANDLE);
        expect_error(SetMailslotInfo(bad, 0), ERROR_INVALID_HANDLE);
        expect_error(CloseHandle(bad), ERROR_INVALID_HANDLE);
        expect_error(GetHandleInformation(bad, &count), ERROR_INVALID_HANDLE);
        expect_error(SetHandleInformation(bad, 1, 1), ERROR_INVALID_HANDLE);
        expect_error(CancelIo(bad), ERROR_INVALID_HANDLE);
        expect_error(CancelIoEx(bad, &overlapped), ERROR_INVALID_HANDLE);
        expect_error(CancelSynchronousIo(bad), ERROR_INVALID_HANDLE);
        expect_error(SetEvent(bad), ERROR_INVALID_HANDLE);
        expect_error(ReleaseMutex(bad), ERROR_INVALID_HANDLE);
        expect_equal(WaitForSingleObject(bad, 0), WAIT_FAILED);
        expect_equal(GetLastError(), ERROR_INVALID_HANDLE);
        expect_equal(GetFileType(bad), FILE_TYPE_UNKNOWN);
        expect_equal(GetLastError(), ERROR_INVALID_HANDLE);
    }
}

TEST(a_closed_handle_does_not_come_to_life_when_its_place_is_used_again)
{
    HANDLE old[100];
    for (size_t i = 0; i < ARRAYSIZE(old); i++) {
        old[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
        expect(CloseHandle(old[i]));
        for (size_t j = 0; j <= i; j++) expect_error(SetEvent(old[j]), ERROR_INVALID_HANDLE);
    }
    HANDLE live = CreateEventA(NULL, TRUE, FALSE, NULL);
    for (size_t i = 0; i < ARRAYSIZE(old); i++) expect(old[i] != live);
    expect(CloseHandle(live));
}

TEST(handles_run_out_with_an_error_and_come_back)
{
    static HANDLE all[40000];
    size_t count = 0;
    while (count < ARRAYSIZE(all) && (all[count] = CreateEventA(NULL, TRUE, FALSE, NULL)) != NULL) count++;
    expect_equal(GetLastError(), ERROR_NO_SYSTEM_RESOURCES);
    expect_equal(count, 32767);
    for (size_t i = 0; i < count; i++) expect((LONG_PTR)all[i] > 0 && (LONG_PTR)all[i] <= INT32_MAX && CloseHandle(all[i]));
    HANDLE live = CreateEventA(NULL, TRUE, FALSE, NULL);
    expect(live != NULL && CloseHandle(live));
}

TEST(memory_that_is_not_there_is_error_998_and_nothing_is_lost)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "kept");
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    struct {
        void *memory;
        DWORD size;
    } bad[] = {{NULL, 1}, {NULL, 400}, {(void *)8, 4}, {pages + 4096, 1}, {pages + 4090, 100}, {(void *)-16, 100}, {(void *)-1, 1},
        {(void *)0x8000000000000000, 8}};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        trying("%p, %u bytes", bad[i].memory, bad[i].size);
        DWORD count = 77;
        expect_error(WriteFile(client, bad[i].memory, bad[i].size, &count, NULL), ERROR_NOACCESS);
        expect_equal(count, 0);
        count = 77;
        expect_error(ReadFile(server, bad[i].memory, bad[i].size, &count, NULL), ERROR_NOACCESS);
        expect_equal(count, 0);
    }
    expect_equal(must_ask(server).count, 1);
    must_read(server, "kept");
    // The last bytes before the hole are fine.
    expect(WriteFile(client, pages + 4096 - 100, 100, NULL, NULL));
    expect(ReadFile(server, pages + 4096 - 100, 100, NULL, NULL));
    munmap(pages, 4096);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(a_misaligned_overlapped_is_error_998_and_one_without_an_event_of_its_own_is_error_6)
{
    HANDLE server = must_create(SLOT, 0, 1000);
    char place[sizeof(OVERLAPPED) + 8] __attribute__((aligned(8))) = {0};
    char bytes[8];
    for (int offset = 1; offset < 8; offset++) {
        expect_error(ReadFile(server, bytes, sizeof bytes, NULL, (OVERLAPPED *)(void *)(place + offset)), ERROR_NOACCESS);
    }
    OVERLAPPED overlapped = {.hEvent = server};
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, &overlapped), ERROR_INVALID_HANDLE);
    overlapped.hEvent = (HANDLE)0x7777;
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, &overlapped), ERROR_INVALID_HANDLE);
    expect_error(ReadFileEx(server, bytes, sizeof bytes, &overlapped, NULL), ERROR_INVALID_PARAMETER);
    expect_error(GetOverlappedResult(server, NULL, NULL, FALSE), ERROR_INVALID_PARAMETER);
    CloseHandle(server);
}

// MARK: handles that are closed while others use them

typedef struct shared {
    HANDLE server, client;
    volatile LONG stop;
    uint32_t calls;
} shared;

static HANDLE now(HANDLE *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }

static DWORD hammer(void *argument)
{
    shared *s = argument;
    char bytes[424];
    DWORD count;
    while (!InterlockedCompareExchange(&s->stop, 0, 0)) {
        BOOL wrote = WriteFile(now(&s->client), "message", 7, &count, NULL);
        DWORD error = wrote ? 0 : GetLastError();
        if (!(wrote || error == ERROR_INVALID_HANDLE || error == ERROR_HANDLE_EOF || error == ERROR_NOT_ENOUGH_QUOTA
                || error == ERROR_OPERATION_ABORTED || error == ERROR_ACCESS_DENIED)) {
            fail_at(__FILE__, __LINE__, "write: error %u", error);
        }
        BOOL got = ReadFile(now(&s->server), bytes, sizeof bytes, &count, NULL);
        error = got ? 0 : GetLastError();
        if (!(got || error == ERROR_INVALID_HANDLE || error == ERROR_SEM_TIMEOUT || error == ERROR_HANDLE_EOF
                || error == ERROR_ACCESS_DENIED)) {
            fail_at(__FILE__, __LINE__, "read: error %u", error);
        }
        if (got) expect(count == 7 && memcmp(bytes, "message", 7) == 0);
        else expect(count == 0);
        GetMailslotInfo(now(&s->server), NULL, NULL, NULL, NULL);
        GetMailslotInfo(now(&s->client), NULL, NULL, NULL, NULL);
        SetMailslotInfo(now(&s->server), 1);
        __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

TEST(handles_closed_under_threads_that_use_them_fail_and_nothing_breaks)
{
    enum { THREADS = 3, ROUNDS = 40 };
    setenv("MAILSLOT_WIN32_CELLS", "64", 1);
    setenv("MAILSLOT_WIN32_LANES", "8", 1);
    static shared s;
    s.server = must_create(SLOT, 0, 1);
    s.client = must_open(SLOT);
    HANDLE threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = CreateThread(NULL, 0, hammer, &s, 0, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t before = __atomic_load_n(&s.calls, __ATOMIC_SEQ_CST);
        wait_until(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST) > before + 2);
        HANDLE old_server = s.server, old_client = s.client;
        expect(CloseHandle(old_server));
        __atomic_store_n(&s.server, must_create(SLOT, 0, 1), __ATOMIC_SEQ_CST);
        __atomic_store_n(&s.client, must_open(SLOT), __ATOMIC_SEQ_CST);
        expect(CloseHandle(old_client));
    }
    InterlockedExchange(&s.stop, 1);
    expect_equal(WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE), WAIT_OBJECT_0);
    for (int i = 0; i < THREADS; i++) CloseHandle(threads[i]);
    CloseHandle(s.client);
    CloseHandle(s.server);
}

// Table 1.9: order, waiting reads, overlapped I/O, cancelling, waits; and reads that end because of something else (1.5).

#include "common.h"

#include <mailslots.h>
#include <process.h>
#include <stdlib.h>

// MARK: threads that read

typedef struct reading {
    HANDLE server;
    char bytes[64];
    DWORD size, count, error;
    BOOL result;
} reading;

static DWORD read_once(void *argument)
{
    reading *r = argument;
    r->result = ReadFile(r->server, r->bytes, r->size, &r->count, NULL);
    r->error = r->result ? 0 : GetLastError();
    return r->error;
}

static HANDLE start_reading(reading *r, HANDLE server)
{
    *r = (reading){.server = server, .size = sizeof r->bytes};
    HANDLE thread = CreateThread(NULL, 0, read_once, r, 0, NULL);
    expect(thread != NULL);
    return thread;
}

static void join(HANDLE thread)
{
    expect_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    expect(CloseHandle(thread));
}

/// The core's reader sleeps, or has slept: the thread waits in its read.
static bool waits(const char *name) { return mslot_inspect(name).info.reader_sleeps != 0; }

TEST(a_reader_thread_is_woken_by_a_write_to_its_own_slot)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    reading r;
    HANDLE thread = start_reading(&r, server);
    wait_until(waits("orders"));
    HANDLE client = must_open(SLOT);
    must_write(client, "wake");
    join(thread);
    expect(r.result && r.count == 4 && memcmp(r.bytes, "wake", 4) == 0);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(too_small_a_buffer_of_a_read_that_waits_ends_it_with_122_and_the_message_stays)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    reading r = {.server = server, .size = 2};
    HANDLE thread = CreateThread(NULL, 0, read_once, &r, 0, NULL);
    wait_until(waits("orders"));
    HANDLE client = must_open(SLOT);
    must_write(client, "long");
    join(thread);
    expect(!r.result && r.error == ERROR_INSUFFICIENT_BUFFER && r.count == 0);
    must_read(server, "long");
    CloseHandle(client);
    CloseHandle(server);
}

TEST(closing_the_last_server_handle_ends_a_read_that_waits_with_38)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    reading first, second;
    HANDLE threads[] = {start_reading(&first, server), start_reading(&second, server)};
    wait_until(waits("orders"));
    expect(CloseHandle(server));
    join(threads[0]);
    join(threads[1]);
    // The second may not have come to its read before the close.
    expect(first.error == ERROR_HANDLE_EOF || first.error == ERROR_INVALID_HANDLE);
    expect(second.error == ERROR_HANDLE_EOF || second.error == ERROR_INVALID_HANDLE);
    expect(first.error == ERROR_HANDLE_EOF || second.error == ERROR_HANDLE_EOF);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
}

TEST(cancelling_ends_a_read_that_waits_with_995_and_takes_nothing)
{
    for (int way = 0; way < 2; way++) {
        HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
        reading r;
        HANDLE thread = start_reading(&r, server);
        wait_until(waits("orders"));
        wait_until(way == 0 ? CancelSynchronousIo(thread) : CancelIoEx(server, NULL));
        join(thread);
        expect(!r.result && r.error == ERROR_OPERATION_ABORTED && r.count == 0);
        expect_error(CancelIoEx(server, NULL), ERROR_NOT_FOUND);
        expect(CancelIo(server)); // nothing to do is no failure
        HANDLE client = must_open(SLOT);
        must_write(client, "still");
        must_read(server, "still");
        CloseHandle(client);
        CloseHandle(server);
    }
}

TEST(a_new_time_out_does_not_touch_a_read_that_waits)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    reading r;
    HANDLE thread = start_reading(&r, server);
    wait_until(waits("orders"));
    expect(SetMailslotInfo(server, 0));
    expect_equal(must_ask(server).timeout, 0);
    expect_equal(WaitForSingleObject(thread, 100), WAIT_TIMEOUT); // it waits on
    expect_error(read_some(server), ERROR_SEM_TIMEOUT);           // a later one does not
    HANDLE client = must_open(SLOT);
    expect_equal(must_ask(client).timeout, 0);
    must_write(client, "now");
    join(thread);
    expect(r.result && r.count == 3);
    CloseHandle(client);
    CloseHandle(server);
}

static DWORD read_share(void *argument)
{
    void **arguments = argument;
    HANDLE server = *(HANDLE *)arguments[0];
    uint32_t(*seen)[3000] = arguments[1];
    uint32_t *total = arguments[2];
    uint32_t words[2], last[3] = {0, 0, 0};
    DWORD count;
    while (ReadFile(server, words, sizeof words, &count, NULL)) {
        expect(count == sizeof words && words[0] < 3 && words[1] < 3000);
        expect(words[1] >= last[words[0]]); // each thread sees each writer's order
        last[words[0]] = words[1];
        __atomic_add_fetch(&seen[words[0]][words[1]], 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(total, 1, __ATOMIC_SEQ_CST);
    }
    expect(GetLastError() == ERROR_HANDLE_EOF || GetLastError() == ERROR_INVALID_HANDLE);
    return 0;
}

TEST(messages_of_many_writers_and_reads_of_many_threads_meet_once_and_in_each_writers_order)
{
    enum { READERS = 3, MESSAGES = 3000, WRITERS = 3 };
    static uint32_t seen[WRITERS][MESSAGES];
    static uint32_t total;
    static HANDLE server;
    server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    pid_t children[WRITERS];
    for (uint32_t w = 0; w < WRITERS; w++) {
        children[w] = child_start();
        if (children[w] != 0) continue;
        HANDLE client = must_open(SLOT);
        for (uint32_t i = 0; i < MESSAGES; i++) {
            uint32_t words[2] = {w, i};
            expect(WriteFile(client, words, sizeof words, NULL, NULL));
        }
        CloseHandle(client);
        child_end();
    }
    HANDLE threads[READERS];
    static void *arguments[] = {&server, seen, &total};
    for (int i = 0; i < READERS; i++) threads[i] = CreateThread(NULL, 0, read_share, arguments, 0, NULL);
    for (int w = 0; w < WRITERS; w++) child_join(children[w]);
    wait_until(__atomic_load_n(&total, __ATOMIC_SEQ_CST) == WRITERS * MESSAGES);
    expect(CloseHandle(server)); // ends the readers
    expect_equal(WaitForMultipleObjects(READERS, threads, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < READERS; i++) CloseHandle(threads[i]);
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < MESSAGES; i++) expect_equal(seen[w][i], 1);
}

// MARK: overlapped

TEST(an_overlapped_read_of_a_message_that_is_there_is_true_at_once)
{
    HANDLE server = must_create(SLOT, 0, 1000);
    HANDLE client = must_open(SLOT);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    must_write(client, "here");
    char bytes[16];
    DWORD count = 77;
    OVERLAPPED overlapped;
    memset(&overlapped, 0xcc, sizeof overlapped); // as Microsoft's sample leaves Internal and the offsets
    overlapped.hEvent = event;
    expect(ReadFile(server, bytes, sizeof bytes, &count, &overlapped));
    expect_equal(count, 4);
    expect_equal(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    expect_equal(overlapped.Internal, 0);
    count = 77;
    expect(GetOverlappedResult(server, &overlapped, &count, FALSE));
    expect_equal(count, 4);
    CloseHandle(event);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(an_overlapped_read_of_an_empty_slot_is_pending_until_a_message_comes)
{
    for (int with_event = 0; with_event < 2; with_event++) {
        HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
        HANDLE client = must_open(SLOT);
        HANDLE event = with_event ? CreateEventA(NULL, TRUE, TRUE, NULL) : NULL;
        char bytes[16];
        DWORD count = 77;
        OVERLAPPED overlapped = {.hEvent = event};
        expect_equal(WaitForSingleObject(server, 0), WAIT_OBJECT_0); // idle, and empty
        expect_error(ReadFile(server, bytes, sizeof bytes, &count, &overlapped), ERROR_IO_PENDING);
        expect_equal(count, 0);
        expect(!HasOverlappedIoCompleted(&overlapped));
        if (with_event) expect_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT); // it was set, and is reset
        expect_equal(WaitForSingleObject(server, 0), WAIT_TIMEOUT);
        expect_error(GetOverlappedResult(server, &overlapped, &count, FALSE), ERROR_IO_INCOMPLETE);
        must_write(client, "later");
        expect(GetOverlappedResult(server, &overlapped, &count, TRUE));
        expect(count == 5 && memcmp(bytes, "later", 5) == 0);
        expect(HasOverlappedIoCompleted(&overlapped));
        wait_until(WaitForSingleObject(server, 0) == WAIT_OBJECT_0);
        if (with_event) CloseHandle(event);
        CloseHandle(client);
        CloseHandle(server);
    }
}

TEST(an_overlapped_read_ends_with_121_when_the_slots_time_is_up)
{
    HANDLE server = must_create(SLOT, 0, 150);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL);
    char bytes[16];
    DWORD count = 77;
    OVERLAPPED overlapped = {.hEvent = event};
    int64_t begun = now_ns();
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, &overlapped), ERROR_IO_PENDING);
    expect_error(GetOverlappedResult(server, &overlapped, &count, TRUE), ERROR_SEM_TIMEOUT);
    expect(now_ns() - begun >= 140LL * MILLISECOND);
    expect_equal(overlapped.Internal, 0xC00000B5);
    CloseHandle(event);
    CloseHandle(server);
}

TEST(a_time_out_of_0_and_too_small_a_buffer_fail_at_once_and_leave_the_status_pending)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    HANDLE event = CreateEventA(NULL, TRUE, TRUE, NULL);
    char bytes[16];
    OVERLAPPED overlapped = {.hEvent = event};
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, &overlapped), ERROR_SEM_TIMEOUT);
    expect_equal(overlapped.Internal, STATUS_PENDING);
    expect_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    must_write(client, "large");
    expect_error(ReadFile(server, bytes, 2, NULL, &overlapped), ERROR_INSUFFICIENT_BUFFER);
    expect_equal(must_ask(server).count, 1);
    CloseHandle(event);
    CloseHandle(client);
    CloseHandle(server);
}

typedef struct awaited_result {
    HANDLE server;
    OVERLAPPED *overlapped;
} awaited_result;

static DWORD wait_for_result(void *argument)
{
    const awaited_result *of = argument;
    DWORD count;
    return GetOverlappedResult(of->server, of->overlapped, &count, TRUE) ? 0 : GetLastError();
}

TEST(overlapped_reads_are_served_first_come_first_served)
{
    enum { READS = 5 };
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    HANDLE events[READS];
    OVERLAPPED overlapped[READS];
    char bytes[READS][8];
    for (int i = 0; i < READS; i++) {
        events[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
        overlapped[i] = (OVERLAPPED){.hEvent = events[i]};
        expect_error(ReadFile(server, bytes[i], 8, NULL, &overlapped[i]), ERROR_IO_PENDING);
    }
    for (int i = 0; i < READS; i++) {
        char text[8];
        snprintf(text, sizeof text, "m%d", i);
        must_write(client, text);
    }
    expect_equal(WaitForMultipleObjects(READS, events, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < READS; i++) {
        DWORD count;
        expect(GetOverlappedResult(server, &overlapped[i], &count, FALSE) && count == 2);
        expect_equal(bytes[i][1], '0' + i);
        CloseHandle(events[i]);
    }
    CloseHandle(client);
    CloseHandle(server);
}

TEST(the_result_of_one_read_does_not_wait_for_another_on_the_handle)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    OVERLAPPED overlapped[2] = {{.hEvent = NULL}, {.hEvent = NULL}};
    awaited_result results[2] = {{server, &overlapped[0]}, {server, &overlapped[1]}};
    HANDLE waiting[2];
    char bytes[2][8];
    DWORD count = 77;
    for (int i = 0; i < 2; i++) {
        expect_error(ReadFile(server, bytes[i], sizeof bytes[i], NULL, &overlapped[i]), ERROR_IO_PENDING);
        waiting[i] = CreateThread(NULL, 0, wait_for_result, &results[i], 0, NULL);
        expect_equal(WaitForSingleObject(waiting[i], 50), WAIT_TIMEOUT);
    }
    expect_error(GetOverlappedResultEx(server, &overlapped[0], &count, 20, FALSE), WAIT_TIMEOUT);
    must_write(client, "one");
    expect_equal(WaitForSingleObject(waiting[0], 20000), WAIT_OBJECT_0);
    expect(bytes[0][0] == 'o' && !HasOverlappedIoCompleted(&overlapped[1]));
    // However it ends.
    expect(CancelIoEx(server, &overlapped[1]));
    expect_equal(WaitForSingleObject(waiting[1], 20000), WAIT_OBJECT_0);
    static const DWORD errors[] = {0, ERROR_OPERATION_ABORTED};
    for (int i = 0; i < 2; i++) {
        DWORD error = 77;
        expect(GetExitCodeThread(waiting[i], &error));
        expect_equal(error, errors[i]);
        CloseHandle(waiting[i]);
    }
    CloseHandle(client);
    CloseHandle(server);
    expect_error(GetOverlappedResult(server, &(OVERLAPPED){.Internal = STATUS_PENDING}, &count, TRUE), ERROR_INVALID_HANDLE);
}

TEST(an_overlapped_read_that_began_later_with_a_shorter_time_ends_first)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE events[2] = {CreateEventA(NULL, TRUE, FALSE, NULL), CreateEventA(NULL, TRUE, FALSE, NULL)};
    OVERLAPPED first = {.hEvent = events[0]}, second = {.hEvent = events[1]};
    char a[8], b[8];
    DWORD count = 77;
    expect_error(ReadFile(server, a, sizeof a, NULL, &first), ERROR_IO_PENDING);
    wait_until(waits("orders"));
    uint64_t sleeps = mslot_inspect("orders").info.reader_sleeps;
    expect(SetMailslotInfo(server, 50));
    wait_until(mslot_inspect("orders").info.reader_sleeps > sleeps); // whoever waits for the first has gone back to sleep
    expect_error(ReadFile(server, b, sizeof b, NULL, &second), ERROR_IO_PENDING);
    int64_t begun = now_ns();
    expect_error(GetOverlappedResult(server, &second, &count, TRUE), ERROR_SEM_TIMEOUT);
    expect(now_ns() - begun < AT_ONCE_NS);
    expect(!HasOverlappedIoCompleted(&first));
    CloseHandle(server);
    expect_error(GetOverlappedResult(server, &first, &count, TRUE), ERROR_HANDLE_EOF);
    CloseHandle(events[0]);
    CloseHandle(events[1]);
}

TEST(a_synchronous_read_behind_an_overlapped_one_gets_the_second_message)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    OVERLAPPED first = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    char bytes[8];
    DWORD count;
    reading r;
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, &first), ERROR_IO_PENDING);
    must_write(client, "1");
    must_write(client, "22");
    HANDLE thread = start_reading(&r, server);
    join(thread);
    expect(r.result && r.count == 2);
    expect(GetOverlappedResult(server, &first, &count, TRUE) && count == 1);
    CloseHandle(first.hEvent);
    CloseHandle(client);
    CloseHandle(server);
}

static DWORD read_until_closed(void *argument)
{
    while (read_some(*(HANDLE *)argument)) {}
    return 0;
}

TEST(next_size_and_count_belong_together_while_others_write_and_read)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    HANDLE other = must_open(SLOT);
    HANDLE thread = CreateThread(NULL, 0, read_until_closed, &server, 0, NULL);
    for (int i = 0; i < 20000; i++) {
        WriteFile(client, "seven..", 7, NULL, NULL);
        slot_info seen = must_ask(i % 2 ? server : other);
        expect((seen.next == MAILSLOT_NO_MESSAGE) == (seen.count == 0));
        expect(seen.count == 0 || seen.next == 7);
    }
    CloseHandle(server);
    join(thread);
    CloseHandle(client);
    CloseHandle(other);
}

TEST(cancelling_one_overlapped_read_leaves_the_others)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    HANDLE events[2] = {CreateEventA(NULL, TRUE, FALSE, NULL), CreateEventA(NULL, TRUE, FALSE, NULL)};
    OVERLAPPED first = {.hEvent = events[0]}, second = {.hEvent = events[1]};
    char a[8], b[8];
    DWORD count = 77;
    expect_error(ReadFile(server, a, sizeof a, NULL, &first), ERROR_IO_PENDING);
    expect_error(ReadFile(server, b, sizeof b, NULL, &second), ERROR_IO_PENDING);
    expect(CancelIoEx(server, &first));
    expect_error(GetOverlappedResult(server, &first, &count, TRUE), ERROR_OPERATION_ABORTED);
    expect_error(CancelIoEx(server, &first), ERROR_NOT_FOUND);
    must_write(client, "to b");
    expect(GetOverlappedResult(server, &second, &count, TRUE) && count == 4 && memcmp(b, "to b", 4) == 0);
    expect_error(ReadFile(server, a, sizeof a, NULL, &first), ERROR_IO_PENDING);
    expect(CancelIo(server));
    expect_error(GetOverlappedResult(server, &first, &count, TRUE), ERROR_OPERATION_ABORTED);
    expect_error(ReadFile(server, a, sizeof a, NULL, &first), ERROR_IO_PENDING);
    CloseHandle(server);
    expect_error(GetOverlappedResult(server, &first, &count, TRUE), ERROR_HANDLE_EOF);
    CloseHandle(events[0]);
    CloseHandle(events[1]);
    CloseHandle(client);
}

static DWORD begin_a_read_and_end(void *argument)
{
    void **arguments = argument;
    expect_error(ReadFile(*(HANDLE *)arguments[0], arguments[1], 8, NULL, arguments[2]), ERROR_IO_PENDING);
    return 7;
}

TEST(a_thread_that_ends_cancels_its_overlapped_reads)
{
    static HANDLE server;
    static char bytes[8];
    static OVERLAPPED overlapped;
    server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    void *arguments[] = {&server, bytes, &overlapped};
    HANDLE thread = CreateThread(NULL, 0, begin_a_read_and_end, arguments, 0, NULL);
    DWORD count, code = 0;
    expect_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    expect_error(GetOverlappedResult(server, &overlapped, &count, TRUE), ERROR_OPERATION_ABORTED);
    expect(GetExitCodeThread(thread, &code) && code == 7);
    CloseHandle(thread);
    CloseHandle(overlapped.hEvent);
    CloseHandle(server);
}

TEST(an_overlapped_write_is_done_at_once)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = CreateFileA(SLOT, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    OVERLAPPED overlapped = {.hEvent = event};
    DWORD count = 77;
    expect(WriteFile(client, "abc", 3, &count, &overlapped) && count == 3);
    expect_equal(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    expect(GetOverlappedResult(client, &overlapped, &count, TRUE) && count == 3);
    must_read(server, "abc");
    CloseHandle(event);
    CloseHandle(client);
    CloseHandle(server);
}

// MARK: completion routines

static DWORD routine_calls, routine_error, routine_count;
static void completed(DWORD error, DWORD count, LPOVERLAPPED overlapped)
{
    (void)overlapped;
    routine_calls++;
    routine_error = error;
    routine_count = count;
}

TEST(completion_routines_run_in_alertable_waits_only)
{
    HANDLE server = must_create(SLOT, 0, 100);
    HANDLE client = must_open(SLOT);
    HANDLE never = CreateEventA(NULL, TRUE, FALSE, NULL);
    char bytes[8];
    OVERLAPPED reading = {0}, writing = {0};
    expect(ReadFileEx(server, bytes, sizeof bytes, &reading, completed)); // times out
    expect_equal(SleepEx(INFINITE, TRUE), WAIT_IO_COMPLETION);
    expect(routine_calls == 1 && routine_error == ERROR_SEM_TIMEOUT && routine_count == 0);

    SetMailslotInfo(server, MAILSLOT_WAIT_FOREVER);
    expect(ReadFileEx(server, bytes, sizeof bytes, &reading, completed));
    expect(WriteFileEx(client, "abc", 3, &writing, completed));
    wait_until(HasOverlappedIoCompleted(&reading));
    Sleep(1);
    expect_equal(SleepEx(1, FALSE), 0);
    expect_equal(WaitForSingleObject(never, 1), WAIT_TIMEOUT);
    expect_equal(routine_calls, 1);
    expect_equal(WaitForSingleObjectEx(never, INFINITE, TRUE), WAIT_IO_COMPLETION);
    expect(routine_calls == 3 && routine_error == 0 && routine_count == 3);

    SetMailslotInfo(server, 0);
    expect_error(ReadFileEx(server, bytes, sizeof bytes, &reading, completed), ERROR_SEM_TIMEOUT); // at once: no routine
    expect_equal(SleepEx(0, TRUE), 0);
    CloseHandle(never);
    CloseHandle(client);
    CloseHandle(server);
}

static void add_to(ULONG_PTR place) { ++*(int *)place; }

TEST(a_queued_routine_ends_an_alertable_wait)
{
    int calls = 0;
    expect(QueueUserAPC(add_to, GetCurrentThread(), (ULONG_PTR)&calls));
    expect_equal(SleepEx(10000, TRUE), WAIT_IO_COMPLETION);
    expect_equal(calls, 1);
}

// MARK: events, mutexes, threads

TEST(an_event_that_resets_itself_wakes_one_and_a_manual_one_stays)
{
    HANDLE automatic = CreateEventA(NULL, FALSE, TRUE, NULL);
    HANDLE manual = CreateEventA(NULL, TRUE, TRUE, NULL);
    HANDLE both[] = {automatic, manual};
    expect_equal(WaitForSingleObject(automatic, 0), WAIT_OBJECT_0);
    expect_equal(WaitForSingleObject(automatic, 0), WAIT_TIMEOUT);
    expect_equal(WaitForMultipleObjects(2, both, FALSE, 0), WAIT_OBJECT_0 + 1);
    expect_equal(WaitForMultipleObjects(2, both, TRUE, 10), WAIT_TIMEOUT);
    expect(SetEvent(automatic));
    expect_equal(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_OBJECT_0);
    expect_equal(WaitForSingleObject(automatic, 0), WAIT_TIMEOUT);
    expect(ResetEvent(manual));
    expect_equal(WaitForSingleObject(manual, 0), WAIT_TIMEOUT);
    HANDLE twice[] = {manual, manual};
    expect_equal(WaitForMultipleObjects(2, twice, TRUE, 0), WAIT_FAILED);
    expect_equal(WaitForMultipleObjects(0, both, FALSE, 0), WAIT_FAILED);
    expect_equal(GetLastError(), ERROR_INVALID_PARAMETER);
    CloseHandle(automatic);
    CloseHandle(manual);
}

TEST(a_named_event_is_one_object_in_this_process)
{
    HANDLE first = CreateEventA(NULL, TRUE, FALSE, "ExampleSlot");
    expect_equal(GetLastError(), 0);
    HANDLE second = CreateEventA(NULL, TRUE, FALSE, "ExampleSlot");
    expect_equal(GetLastError(), ERROR_ALREADY_EXISTS);
    SetEvent(first);
    expect_equal(WaitForSingleObject(second, 0), WAIT_OBJECT_0);
    HANDLE third = OpenEventA(EVENT_ALL_ACCESS, FALSE, "ExampleSlot");
    expect_equal(WaitForSingleObject(third, 0), WAIT_OBJECT_0);
    expect(CreateMutexA(NULL, FALSE, "ExampleSlot") == NULL && GetLastError() == ERROR_INVALID_HANDLE);
    CloseHandle(first);
    CloseHandle(second);
    CloseHandle(third);
    expect(OpenEventA(EVENT_ALL_ACCESS, FALSE, "ExampleSlot") == NULL && GetLastError() == ERROR_FILE_NOT_FOUND);
}

static DWORD own_and_end(void *argument)
{
    expect_equal(WaitForSingleObject(*(HANDLE *)argument, INFINITE), WAIT_OBJECT_0);
    return 0;
}

TEST(a_mutex_has_one_owner_and_is_abandoned_when_its_thread_ends)
{
    HANDLE mutex = CreateMutexA(NULL, TRUE, NULL);
    expect_equal(WaitForSingleObject(mutex, 0), WAIT_OBJECT_0); // again, by its owner
    HANDLE thread = CreateThread(NULL, 0, own_and_end, &mutex, 0, NULL);
    expect_equal(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
    expect(ReleaseMutex(mutex) && ReleaseMutex(mutex));
    expect_error(ReleaseMutex(mutex), ERROR_NOT_OWNER);
    join(thread);
    expect_equal(WaitForSingleObject(mutex, 0), WAIT_ABANDONED);
    expect(ReleaseMutex(mutex));
    CloseHandle(mutex);
}

static unsigned give_five(void *argument)
{
    *(DWORD *)argument = GetCurrentThreadId();
    return 5;
}

TEST(threads_start_suspended_or_not_and_tell_how_they_ended)
{
    DWORD id = 0, seen = 0, code = 0;
    unsigned runtime_id = 0;
    HANDLE thread = CreateThread(NULL, 0, (LPTHREAD_START_ROUTINE)(void *)give_five, &seen, CREATE_SUSPENDED, &id);
    expect(GetExitCodeThread(thread, &code) && code == STILL_ACTIVE);
    expect_equal(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
    expect_equal(seen, 0);
    expect_equal(ResumeThread(thread), 1);
    expect_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    expect(GetExitCodeThread(thread, &code) && code == 5);
    expect(seen == id && id == GetThreadId(thread) && id != GetCurrentThreadId());
    CloseHandle(thread);

    thread = (HANDLE)_beginthreadex(NULL, 0, give_five, &seen, 0, &runtime_id);
    expect_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    expect_equal(seen, runtime_id);
    CloseHandle(thread);
    expect(CreateThread(NULL, 0, NULL, NULL, 0, NULL) == NULL && GetLastError() == ERROR_INVALID_PARAMETER);
}

static DWORD set_and_return_error(void *argument)
{
    (void)argument;
    SetLastError(4711);
    return GetLastError();
}

TEST(the_last_error_belongs_to_its_thread)
{
    SetLastError(1);
    HANDLE thread = CreateThread(NULL, 0, set_and_return_error, NULL, 0, NULL);
    DWORD code;
    WaitForSingleObject(thread, INFINITE);
    SetLastError(1);
    expect(GetExitCodeThread(thread, &code) && code == 4711);
    expect_equal(GetLastError(), 1);
    CloseHandle(thread);
}

static DWORD wait_for_event(void *event) { return WaitForSingleObject(event, 20000); }

TEST(a_pulse_ends_the_waits_that_are_on_and_no_later_one)
{
    for (int is_manual = 0; is_manual < 2; is_manual++) {
        HANDLE event = CreateEventA(NULL, is_manual, FALSE, NULL);
        HANDLE threads[2];
        for (int i = 0; i < 2; i++) threads[i] = CreateThread(NULL, 0, wait_for_event, event, 0, NULL);
        // Who does not wait yet is not told, so again until the first is.
        DWORD done;
        while ((done = WaitForMultipleObjects(2, threads, is_manual, 10)) == WAIT_TIMEOUT) expect(PulseEvent(event));
        expect(done <= WAIT_OBJECT_0 + 1);
        expect_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
        while (WaitForMultipleObjects(2, threads, TRUE, 10) == WAIT_TIMEOUT) expect(PulseEvent(event));
        for (int i = 0; i < 2; i++) {
            DWORD result = 77;
            expect(GetExitCodeThread(threads[i], &result));
            expect_equal(result, WAIT_OBJECT_0);
            CloseHandle(threads[i]);
        }
        expect_error(PulseEvent((HANDLE)0x7777), ERROR_INVALID_HANDLE);
        CloseHandle(event);
    }
}

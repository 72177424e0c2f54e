// Tables 1.2 to 1.8 and 1.10: creating, opening, writing, reading, info, lifetime, duplication, security.

#include "common.h"

#include <mailslots.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// MARK: 1.2 CreateMailslot

TEST(a_second_create_of_a_name_in_any_case_is_error_183)
{
    HANDLE server = must_create(SLOT, 0, 0);
    expect_no_handle(CreateMailslotA(SLOT, 0, 0, NULL), ERROR_ALREADY_EXISTS);
    expect_no_handle(CreateMailslotA("\\\\.\\MAILSLOT\\ORDERS", 0, 0, NULL), ERROR_ALREADY_EXISTS);
    pid_t child = child_start();
    if (child == 0) {
        expect_no_handle(CreateMailslotA(SLOT, 0, 0, NULL), ERROR_ALREADY_EXISTS);
        child_end();
    }
    child_join(child);
    CloseHandle(server);
}

TEST(a_name_is_free_at_once_when_the_server_closed_even_with_a_client_open)
{
    HANDLE server = must_create(SLOT, 0, 0);
    CloseHandle(server);
    server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "unread");
    CloseHandle(server);
    server = must_create(SLOT, 0, 0);
    expect_error(read_some(server), ERROR_SEM_TIMEOUT); // fresh and empty
    CloseHandle(client);
    CloseHandle(server);
}

TEST(the_maximum_is_reported_as_it_was_given)
{
    static const DWORD maxima[] = {0, 1, 100, 424, 425, 65536, 0xffffffff};
    for (size_t i = 0; i < ARRAYSIZE(maxima); i++) {
        HANDLE server = must_create(SLOT, maxima[i], 0);
        expect_equal(must_ask(server).max, maxima[i]);
        HANDLE client = must_open(SLOT);
        expect_equal(must_ask(client).max, maxima[i] == 0xffffffff ? 0 : maxima[i]);
        CloseHandle(client);
        CloseHandle(server);
    }
}

TEST(the_time_out_is_reported_as_it_was_given)
{
    static const DWORD timeouts[] = {0, 1, 1000, 0x7fffffff, 0xfffffffe, MAILSLOT_WAIT_FOREVER};
    for (size_t i = 0; i < ARRAYSIZE(timeouts); i++) {
        HANDLE server = must_create(SLOT, 0, timeouts[i]);
        HANDLE client = must_open(SLOT);
        expect_equal(must_ask(server).timeout, timeouts[i]);
        expect_equal(must_ask(client).timeout, timeouts[i]);
        CloseHandle(client);
        CloseHandle(server);
    }
}

static mode_t mode_of_slot(void)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/mailslot.orders", getenv("MAILSLOT_DIRECTORY"));
    expect(stat(path, &status) == 0);
    return status.st_mode & 07777;
}

TEST(no_attributes_mean_the_same_user_and_a_null_dacl_means_everyone)
{
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, TRUE};
    HANDLE server = must_create(SLOT, 0, 0);
    expect_equal(mode_of_slot(), 0600);
    DWORD flags = 77;
    expect(GetHandleInformation(server, &flags) && flags == 0);
    CloseHandle(server);

    server = CreateMailslotA(SLOT, 0, 0, &attributes);
    expect_equal(mode_of_slot(), 0600);
    expect(GetHandleInformation(server, &flags) && flags == HANDLE_FLAG_INHERIT);
    CloseHandle(server);

    expect(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
    attributes.lpSecurityDescriptor = &descriptor;
    server = CreateMailslotA(SLOT, 0, 0, &attributes); // no DACL at all: the default
    expect_equal(mode_of_slot(), 0600);
    CloseHandle(server);

    expect(SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE));
    server = CreateMailslotA(SLOT, 0, 0, &attributes);
    expect_equal(mode_of_slot(), 0666);
    CloseHandle(server);

    ACL list = {.AclRevision = ACL_REVISION, .AclSize = sizeof list};
    expect(SetSecurityDescriptorDacl(&descriptor, TRUE, &list, FALSE));
    server = CreateMailslotA(SLOT, 0, 0, &attributes); // nobody is named: the owner alone
    expect_equal(mode_of_slot(), 0600);
    CloseHandle(server);

    descriptor.Revision = 9;
    expect_no_handle(CreateMailslotA(SLOT, 0, 0, &attributes), ERROR_INVALID_SECURITY_DESCR);
    expect_error(InitializeSecurityDescriptor(&descriptor, 2), ERROR_UNKNOWN_REVISION);
}

TEST(the_clients_of_another_user_get_error_5)
{
    if (geteuid() != 0) skip("needs root, to become another user");
    HANDLE server = must_create(SLOT, 0, 0);
    pid_t child = child_start();
    if (child == 0) {
        expect(setuid(12345) == 0);
        expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_ACCESS_DENIED);
        child_end();
    }
    child_join(child);
    CloseHandle(server);
}

TEST(a_slot_of_everyone_is_opened_by_another_user)
{
    if (geteuid() != 0) skip("needs root, to become another user");
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE);
    HANDLE server = CreateMailslotA(SLOT, 0, 0, &attributes);
    pid_t child = child_start();
    if (child == 0) {
        expect(setuid(12345) == 0);
        must_write(must_open(SLOT), "hello");
        child_end();
    }
    child_join(child);
    must_read(server, "hello");
    CloseHandle(server);
}

TEST(a_slot_of_everyone_whose_file_is_cut_short_is_error_1392_and_no_crash)
{
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE);
    HANDLE server = CreateMailslotA(SLOT, 0, 0, &attributes);
    HANDLE client = must_open(SLOT);
    must_write(client, "lost");
    char path[512];
    snprintf(path, sizeof path, "%s/mailslot.orders", getenv("MAILSLOT_DIRECTORY"));
    expect(truncate(path, 0) == 0);
    expect_error(read_some(server), ERROR_FILE_CORRUPT);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_FILE_CORRUPT);
    expect(CloseHandle(client));
    expect(CloseHandle(server));
    unlink(path);
}

TEST(the_environment_sets_cells_and_lanes)
{
    setenv("MAILSLOT_WIN32_CELLS", "4", 1);
    setenv("MAILSLOT_WIN32_LANES", "2", 1);
    setenv("MAILSLOT_WIN32_WAIT_MS", "0", 1);
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE first = must_open(SLOT), second = must_open(SLOT);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_NO_SYSTEM_RESOURCES);
    for (int i = 0; i < 4; i++) must_write(first, "x");
    expect_error(WriteFile(second, "x", 1, NULL, NULL), ERROR_NOT_ENOUGH_QUOTA);
    CloseHandle(first);
    CloseHandle(second);
    CloseHandle(server);
    setenv("MAILSLOT_WIN32_CELLS", "many", 1);
    expect_no_handle(CreateMailslotA(SLOT, 0, 0, NULL), ERROR_INVALID_PARAMETER);
}

TEST(without_the_environment_8192_messages_and_1024_clients_fit)
{
    HANDLE server = must_create(SLOT, 0, 0);
    static HANDLE clients[1024];
    for (size_t i = 0; i < ARRAYSIZE(clients); i++) clients[i] = must_open(SLOT);
    for (int i = 0; i < 8192; i++) must_write(clients[i % 1024], "x");
    expect_equal(must_ask(server).count, 8192);
    int64_t begun = now_ns();
    expect_error(WriteFile(clients[0], "x", 1, NULL, NULL), ERROR_NOT_ENOUGH_QUOTA);
    expect(now_ns() - begun < 5LL * SECOND); // the own process's: at once, not after 10 seconds
    for (size_t i = 0; i < ARRAYSIZE(clients); i++) CloseHandle(clients[i]);
    CloseHandle(server);
}

TEST(no_room_for_a_slot_is_error_1450_and_leaves_nothing)
{
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    expect_no_handle(CreateMailslotA(SLOT, 0, 0, NULL), ERROR_NO_SYSTEM_RESOURCES);
}

// MARK: 1.3 CreateFile

TEST(opening_a_slot_that_is_not_there_is_error_2_whatever_the_disposition)
{
    for (DWORD disposition = CREATE_NEW; disposition <= TRUNCATE_EXISTING; disposition++) {
        expect_no_handle(try_open(SLOT, GENERIC_WRITE, disposition), ERROR_FILE_NOT_FOUND);
    }
    expect_no_handle(try_open("\\\\.\\mailslot\\a\\b\\c", GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, 0), ERROR_INVALID_PARAMETER);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, 6), ERROR_INVALID_PARAMETER);
}

TEST(every_disposition_but_create_new_opens_a_slot_and_leaves_its_messages)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE first = must_open(SLOT);
    must_write(first, "kept");
    static const struct {
        DWORD disposition, error;
    } ways[] = {{OPEN_EXISTING, 0}, {OPEN_ALWAYS, ERROR_ALREADY_EXISTS}, {CREATE_ALWAYS, ERROR_ALREADY_EXISTS}, {TRUNCATE_EXISTING, 0}};
    for (size_t i = 0; i < ARRAYSIZE(ways); i++) {
        trying("disposition %u", ways[i].disposition);
        SetLastError(0xdead);
        HANDLE client = try_open(SLOT, GENERIC_READ | GENERIC_WRITE, ways[i].disposition);
        expect(client != INVALID_HANDLE_VALUE);
        expect_equal(GetLastError(), ways[i].error);
        CloseHandle(client);
    }
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, CREATE_NEW), ERROR_FILE_EXISTS);
    must_read(server, "kept");
    CloseHandle(first);
    CloseHandle(server);
}

TEST(share_modes_and_flags_are_free)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE none = CreateFileA(SLOT, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE writer = CreateFileA(SLOT, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, server);
    HANDLE both = CreateFileA(SLOT, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_FLAG_WRITE_THROUGH, NULL);
    expect(none != INVALID_HANDLE_VALUE && writer != INVALID_HANDLE_VALUE && both != INVALID_HANDLE_VALUE);
    must_write(none, "1");
    must_write(writer, "2");
    must_write(both, "3");
    must_read(server, "1");
    must_read(server, "2");
    must_read(server, "3");
    CloseHandle(none);
    CloseHandle(writer);
    CloseHandle(both);
    CloseHandle(server);
}

TEST(files_that_are_no_mailslots_are_not_offered)
{
    expect_no_handle(try_open("C:\\file.txt", GENERIC_WRITE, CREATE_ALWAYS), ERROR_NOT_SUPPORTED);
    expect_no_handle(try_open("file.txt", GENERIC_WRITE, CREATE_ALWAYS), ERROR_NOT_SUPPORTED);
    expect_no_handle(try_open("\\\\.\\pipe\\x", GENERIC_WRITE, OPEN_EXISTING), ERROR_NOT_SUPPORTED);
}

// MARK: 1.4 WriteFile

static void expect_whole(HANDLE client, HANDLE server, DWORD size)
{
    static unsigned char bytes[1 << 17], read[1 << 17];
    for (DWORD i = 0; i < size; i++) bytes[i] = (unsigned char)(size + i * 7 + i / 251);
    trying("%u bytes", size);
    DWORD count = 77;
    expect(WriteFile(client, bytes, size, &count, NULL) && count == size);
    expect_equal(must_ask(server).next, size);
    expect_error(ReadFile(server, read, size - 1, &count, NULL), ERROR_INSUFFICIENT_BUFFER);
    expect(ReadFile(server, read, size, &count, NULL) && count == size);
    expect(memcmp(bytes, read, size) == 0);
}

TEST(messages_of_every_size_up_to_64_kib_arrive_whole_and_a_longer_one_is_refused)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    for (DWORD size = 1; size <= 1100; size++) expect_whole(client, server, size); // 425 and 426 among them
    for (DWORD size = 1101; size < 65536; size += 1 + size / 9) expect_whole(client, server, size);
    expect_whole(client, server, 65536);
    static char long_text[65537];
    DWORD count = 77;
    expect_error(WriteFile(client, long_text, sizeof long_text, &count, NULL), ERROR_INVALID_PARAMETER);
    expect_equal(count, 0);
    expect_equal(must_ask(server).count, 0);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(the_environment_sets_the_longest_message)
{
    setenv("MAILSLOT_WIN32_LANES", "4", 1);
    setenv("MAILSLOT_WIN32_MESSAGE_BYTES", "100000", 1);
    HANDLE server = must_create(SLOT, MAXDWORD, 0);
    HANDLE client = must_open(SLOT);
    expect_whole(client, server, 100000);
    expect_equal(must_ask(client).max, 0); // any size: the client is told what the server asked for, not what fits
    expect_equal(must_ask(server).max, MAXDWORD);
    CloseHandle(client);
    CloseHandle(server);
    setenv("MAILSLOT_WIN32_MESSAGE_BYTES", "424", 1);
    server = must_create(SLOT, 0, 0);
    client = must_open(SLOT);
    char text[425] = {0};
    expect_error(WriteFile(client, text, 425, NULL, NULL), ERROR_INVALID_PARAMETER);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(a_message_longer_than_the_slots_maximum_is_error_87_and_nothing_is_queued)
{
    HANDLE server = must_create(SLOT, 10, 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "0123456789");
    expect_error(WriteFile(client, "0123456789a", 11, NULL, NULL), ERROR_INVALID_PARAMETER);
    expect_equal(must_ask(server).count, 1);
    expect_equal(must_ask(client).max, 10);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(the_wrong_end_cannot_be_written_or_read)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE reads = try_open(SLOT, GENERIC_READ, OPEN_EXISTING);
    HANDLE writes = try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING);
    HANDLE nothing = try_open(SLOT, 0, OPEN_EXISTING);
    HANDLE may_write;
    expect(DuplicateHandle(GetCurrentProcess(), server, GetCurrentProcess(), &may_write, GENERIC_WRITE, FALSE, 0));
    DWORD count = 77;
    char byte[1];
    expect_error(WriteFile(server, "x", 1, &count, NULL), ERROR_ACCESS_DENIED);
    expect_equal(count, 0);
    expect_error(WriteFile(may_write, "x", 1, NULL, NULL), ERROR_INVALID_PARAMETER);
    expect_error(WriteFile(reads, "x", 1, NULL, NULL), ERROR_ACCESS_DENIED);
    expect_error(WriteFile(nothing, "x", 1, NULL, NULL), ERROR_ACCESS_DENIED);
    count = 77;
    expect_error(ReadFile(reads, byte, 1, &count, NULL), ERROR_INVALID_PARAMETER);
    expect_equal(count, 0);
    expect_error(ReadFile(writes, byte, 1, &count, NULL), ERROR_ACCESS_DENIED);
    expect_error(ReadFile(nothing, byte, 1, &count, NULL), ERROR_ACCESS_DENIED);
    HANDLE all[] = {server, reads, writes, nothing, may_write};
    for (size_t i = 0; i < ARRAYSIZE(all); i++) expect(CloseHandle(all[i]));
}

TEST(a_full_slot_of_another_process_lets_a_write_wait_for_room)
{
    setenv("MAILSLOT_WIN32_CELLS", "2", 1);
    uint64_t *words = shared_words(2);
    pid_t child = child_start();
    if (child == 0) {
        HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
        shared_set(&words[0], 1);
        wait_until(shared_get(&words[1]) != 0);
        must_read(server, "1");
        must_read(server, "2");
        must_read(server, "3");
        CloseHandle(server);
        child_end();
    }
    wait_until(shared_get(&words[0]) != 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "1");
    must_write(client, "2");
    shared_set(&words[1], 1);
    must_write(client, "3");
    child_join(child);
    CloseHandle(client);
}

TEST(a_write_waits_for_room_until_its_limit_then_error_1816_and_nothing_is_lost)
{
    setenv("MAILSLOT_WIN32_CELLS", "2", 1);
    setenv("MAILSLOT_WIN32_WAIT_MS", "100", 1);
    uint64_t *words = shared_words(2);
    pid_t child = child_start();
    if (child == 0) {
        HANDLE server = must_create(SLOT, 0, 0);
        shared_set(&words[0], 1);
        wait_until(shared_get(&words[1]) != 0);
        must_read(server, "1");
        must_read(server, "2");
        expect_error(read_some(server), ERROR_SEM_TIMEOUT);
        CloseHandle(server);
        child_end();
    }
    wait_until(shared_get(&words[0]) != 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "1");
    must_write(client, "2");
    int64_t begun = now_ns();
    DWORD count = 77;
    expect_error(WriteFile(client, "3", 1, &count, NULL), ERROR_NOT_ENOUGH_QUOTA);
    expect_equal(count, 0);
    expect(now_ns() - begun >= 100LL * MILLISECOND);
    shared_set(&words[1], 1);
    child_join(child);
    CloseHandle(client);
}

enum { WRITERS_AT_ONCE = 3 };

typedef struct writing {
    HANDLE client;
    DWORD error;
    int64_t took_ns;
} writing;

static DWORD write_once(void *argument)
{
    writing *w = argument;
    int64_t begun = now_ns();
    w->error = WriteFile(w->client, "x", 1, NULL, NULL) ? 0 : GetLastError();
    w->took_ns = now_ns() - begun;
    return w->error;
}

/// A full slot of another process, which nobody reads; and threads that write to it through one handle.
static pid_t start_writing(const char *wait_ms, HANDLE threads[WRITERS_AT_ONCE], writing writings[WRITERS_AT_ONCE])
{
    setenv("MAILSLOT_WIN32_CELLS", "1", 1);
    setenv("MAILSLOT_WIN32_WAIT_MS", wait_ms, 1);
    uint64_t *created = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        must_create(SLOT, 0, 0);
        shared_set(created, 1);
        for (;;) pause();
    }
    wait_until(shared_get(created) != 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "1");
    for (int i = 0; i < WRITERS_AT_ONCE; i++) {
        writings[i] = (writing){.client = client};
        threads[i] = CreateThread(NULL, 0, write_once, &writings[i], 0, NULL);
        expect(threads[i] != NULL);
    }
    return child;
}

static void finish_writing(pid_t child, HANDLE threads[WRITERS_AT_ONCE], const writing writings[WRITERS_AT_ONCE])
{
    expect_equal(WaitForMultipleObjects(WRITERS_AT_ONCE, threads, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < WRITERS_AT_ONCE; i++) CloseHandle(threads[i]);
    child_kill(child);
    CloseHandle(writings[0].client);
    expect_outcome(mslot_remove(SLOT).outcome, MSLOT_DONE);
}

TEST(the_limits_of_writes_by_several_threads_count_from_their_calls)
{
    HANDLE threads[WRITERS_AT_ONCE];
    writing writings[WRITERS_AT_ONCE];
    pid_t child = start_writing("1000", threads, writings);
    finish_writing(child, threads, writings);
    for (int i = 0; i < WRITERS_AT_ONCE; i++) {
        expect_equal(writings[i].error, ERROR_NOT_ENOUGH_QUOTA);
        expect(writings[i].took_ns >= 1000LL * MILLISECOND && writings[i].took_ns < 1000LL * MILLISECOND + AT_ONCE_NS);
    }
}

TEST(a_write_can_be_cancelled_while_it_waits_for_its_turn)
{
    HANDLE threads[WRITERS_AT_ONCE];
    writing writings[WRITERS_AT_ONCE];
    pid_t child = start_writing("15000", threads, writings);
    for (int i = WRITERS_AT_ONCE; i-- > 0;) { // the last to come first
        wait_until(CancelSynchronousIo(threads[i]));
        expect_equal(WaitForSingleObject(threads[i], 5000), WAIT_OBJECT_0);
        expect_equal(writings[i].error, ERROR_OPERATION_ABORTED);
    }
    finish_writing(child, threads, writings);
}

TEST(closing_the_last_handle_ends_every_write_that_waits_with_995)
{
    HANDLE threads[WRITERS_AT_ONCE];
    writing writings[WRITERS_AT_ONCE];
    pid_t child = start_writing("15000", threads, writings);
    expect_equal(WaitForMultipleObjects(WRITERS_AT_ONCE, threads, FALSE, 50), WAIT_TIMEOUT);
    expect(CloseHandle(writings[0].client));
    expect_equal(WaitForMultipleObjects(WRITERS_AT_ONCE, threads, TRUE, 5000), WAIT_OBJECT_0);
    for (int i = 0; i < WRITERS_AT_ONCE; i++)
        expect(writings[i].error == ERROR_OPERATION_ABORTED || writings[i].error == ERROR_INVALID_HANDLE); // too late for the handle
    finish_writing(child, threads, writings);
}

// MARK: 1.5 ReadFile

TEST(too_small_a_buffer_is_error_122_and_the_message_stays)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "four");
    must_write(client, "next");
    char bytes[8] = "zzzzzzz";
    for (DWORD size = 0; size < 4; size++) {
        DWORD count = 77;
        expect_error(ReadFile(server, bytes, size, &count, NULL), ERROR_INSUFFICIENT_BUFFER);
        expect_equal(count, 0);
        expect_equal(must_ask(server).next, 4);
        expect_equal(must_ask(server).count, 2);
    }
    expect(bytes[0] == 'z');
    must_read(server, "four");
    must_read(server, "next");
    CloseHandle(client);
    CloseHandle(server);
}

TEST(an_empty_message_is_counted_and_read_as_true_and_0)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    for (int zero_buffer = 0; zero_buffer < 2; zero_buffer++) {
        DWORD count = 77;
        expect(WriteFile(client, NULL, 0, &count, NULL));
        expect_equal(count, 0);
        slot_info info = must_ask(server);
        expect(info.next == 0 && info.count == 1);
        char bytes[8];
        count = 77;
        expect(zero_buffer ? ReadFile(server, NULL, 0, &count, NULL) : ReadFile(server, bytes, sizeof bytes, &count, NULL));
        expect_equal(count, 0);
        info = must_ask(server);
        expect(info.next == MAILSLOT_NO_MESSAGE && info.count == 0);
    }
    CloseHandle(client);
    CloseHandle(server);
}

TEST(an_empty_slot_with_time_out_0_is_error_121_at_once)
{
    HANDLE server = must_create(SLOT, 0, 0);
    char bytes[8];
    DWORD count = 77;
    expect_error(ReadFile(server, bytes, sizeof bytes, &count, NULL), ERROR_SEM_TIMEOUT);
    expect_equal(count, 0);
    count = 77;
    expect_error(ReadFile(server, bytes, 0, &count, NULL), ERROR_SEM_TIMEOUT);
    expect_equal(count, 0);
    CloseHandle(server);
}

TEST(a_finite_time_out_blocks_its_full_time)
{
    HANDLE server = must_create(SLOT, 0, 300);
    int64_t begun = now_ns();
    char bytes[8];
    DWORD count = 77;
    expect_error(ReadFile(server, bytes, sizeof bytes, &count, NULL), ERROR_SEM_TIMEOUT);
    expect(now_ns() - begun >= 290LL * MILLISECOND);
    expect_equal(count, 0);
    CloseHandle(server);
}

TEST(a_null_count_is_tolerated)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    char bytes[8];
    expect(WriteFile(client, "x", 1, NULL, NULL));
    expect(ReadFile(server, bytes, sizeof bytes, NULL, NULL));
    expect_error(ReadFile(server, bytes, sizeof bytes, NULL, NULL), ERROR_SEM_TIMEOUT);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(when_all_clients_are_gone_the_slot_is_only_empty)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    must_write(client, "left");
    CloseHandle(client);
    must_read(server, "left");
    expect_error(read_some(server), ERROR_SEM_TIMEOUT);
    CloseHandle(server);
}

// MARK: 1.6 info

TEST(each_part_of_the_info_may_be_left_out)
{
    HANDLE server = must_create(SLOT, 50, 7);
    HANDLE client = must_open(SLOT);
    must_write(client, "abc");
    must_write(client, "d");
    DWORD max = 1, next = 2, count = 3, timeout = 4;
    expect(GetMailslotInfo(server, NULL, NULL, NULL, NULL));
    expect(GetMailslotInfo(server, &max, NULL, NULL, NULL) && max == 50);
    expect(GetMailslotInfo(server, NULL, &next, NULL, NULL) && next == 3);
    expect(GetMailslotInfo(server, NULL, NULL, &count, NULL) && count == 2);
    expect(GetMailslotInfo(server, NULL, NULL, NULL, &timeout) && timeout == 7);
    slot_info seen = must_ask(client); // Windows 8 and later
    expect(seen.max == 50 && seen.next == 3 && seen.count == 2 && seen.timeout == 7);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(info_of_what_is_no_mailslot_fails_and_touches_nothing)
{
    HANDLE server = must_create(SLOT, 0, 0);
    CloseHandle(server);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    HANDLE bad[] = {INVALID_HANDLE_VALUE, NULL, server, (HANDLE)0x12345678, event};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        DWORD max = 1, next = 2, count = 3, timeout = 4;
        expect_error(GetMailslotInfo(bad[i], &max, &next, &count, &timeout), ERROR_INVALID_HANDLE);
        expect(max == 1 && next == 2 && count == 3 && timeout == 4);
        expect_error(SetMailslotInfo(bad[i], 1), ERROR_INVALID_HANDLE);
    }
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    expect_error(GetMailslotInfo(output, NULL, NULL, NULL, NULL), ERROR_INVALID_PARAMETER);
    expect_error(SetMailslotInfo(output, 1), ERROR_INVALID_PARAMETER);
    CloseHandle(event);
}

TEST(a_new_time_out_counts_for_later_reads_on_every_handle)
{
    HANDLE server = must_create(SLOT, 0, MAILSLOT_WAIT_FOREVER);
    HANDLE client = must_open(SLOT);
    HANDLE copy;
    expect(DuplicateHandle(GetCurrentProcess(), server, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    expect(SetMailslotInfo(copy, 0));
    expect_equal(must_ask(server).timeout, 0);
    expect_equal(must_ask(client).timeout, 0);
    expect_error(read_some(server), ERROR_SEM_TIMEOUT);
    expect_error(SetMailslotInfo(client, 5), ERROR_INVALID_PARAMETER);
    expect_equal(must_ask(server).timeout, 0);
    CloseHandle(copy);
    CloseHandle(client);
    CloseHandle(server);
}

// MARK: 1.7 lifetime

TEST(a_slot_lives_until_its_last_server_handle_closes_then_clients_get_38_and_openers_2)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    HANDLE copy;
    expect(DuplicateHandle(GetCurrentProcess(), server, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    must_write(client, "unread");
    expect(CloseHandle(server));
    must_read(copy, "unread");
    must_write(client, "unread too");
    expect(CloseHandle(copy));
    DWORD count = 77;
    expect_error(WriteFile(client, "x", 1, &count, NULL), ERROR_HANDLE_EOF);
    expect_equal(count, 0);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
    expect(CloseHandle(client));
}

TEST(an_old_client_never_writes_into_a_new_slot_of_the_same_name)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    CloseHandle(server);
    server = must_create(SLOT, 0, 0);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_HANDLE_EOF);
    expect_error(read_some(server), ERROR_SEM_TIMEOUT);
    CloseHandle(client);
    client = must_open(SLOT);
    must_write(client, "y");
    must_read(server, "y");
    CloseHandle(client);
    CloseHandle(server);
}

static pid_t start_server(uint64_t *ready)
{
    pid_t child = child_start();
    if (child == 0) {
        must_create(SLOT, 0, 0);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) != 0);
    return child;
}

TEST(a_killed_server_means_error_38_at_the_next_write_and_a_free_name)
{
    uint64_t *words = shared_words(1);
    pid_t child = start_server(&words[0]);
    HANDLE client = must_open(SLOT);
    must_write(client, "lost");
    child_kill(child);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_HANDLE_EOF);
    expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
    HANDLE server = must_create(SLOT, 0, 0);
    expect_error(read_some(server), ERROR_SEM_TIMEOUT); // what was unread is gone
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_HANDLE_EOF);
    CloseHandle(client);
    CloseHandle(server);
}

TEST(what_killed_servers_have_left_goes_when_another_slot_is_created)
{
    for (int i = 0; i < 3; i++) {
        pid_t child = child_start();
        if (child == 0) {
            char name[64];
            snprintf(name, sizeof name, "\\\\.\\mailslot\\dead%d", (int)getpid());
            must_create(name, 0, 0);
            raise(SIGKILL);
        }
        child_wait(child, 0);
    }
    HANDLE server = must_create(SLOT, 0, 0);
    expect_equal(mslot_sweep(9), 0); // nothing was left to do
    CloseHandle(server);             // the harness sees that no file is left
}

TEST(what_a_killed_client_has_written_stays)
{
    uint64_t *words = shared_words(1);
    HANDLE server = must_create(SLOT, 0, 0);
    pid_t child = child_start();
    if (child == 0) {
        must_write(must_open(SLOT), "last words");
        shared_set(&words[0], 1);
        for (;;) pause();
    }
    wait_until(shared_get(&words[0]) != 0);
    child_kill(child);
    must_read(server, "last words");
    CloseHandle(server);
}

TEST(closing_a_client_twice_or_nothing_is_error_6)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    expect(CloseHandle(client));
    expect_error(CloseHandle(client), ERROR_INVALID_HANDLE);
    expect_error(CloseHandle(NULL), ERROR_INVALID_HANDLE);
    expect_error(CloseHandle(INVALID_HANDLE_VALUE), ERROR_INVALID_HANDLE);
    expect_equal(must_ask(server).count, 0);
    expect(CloseHandle(server));
}

// MARK: 1.8 duplication

TEST(duplicates_share_one_queue_one_time_out_and_one_maximum)
{
    HANDLE server = must_create(SLOT, 99, 0);
    HANDLE client = must_open(SLOT);
    HANDLE server_copy, client_copy;
    expect(DuplicateHandle(GetCurrentProcess(), server, GetCurrentProcess(), &server_copy, 0, TRUE, DUPLICATE_SAME_ACCESS));
    expect(DuplicateHandle(
        GetCurrentProcess(), client, GetCurrentProcess(), &client_copy, 0, FALSE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_INVALID_HANDLE);
    must_write(client_copy, "1");
    must_write(client_copy, "2");
    must_read(server, "1");
    must_read(server_copy, "2");
    expect_equal(must_ask(server_copy).max, 99);
    DWORD flags = 77;
    expect(GetHandleInformation(server_copy, &flags) && flags == HANDLE_FLAG_INHERIT);
    expect(SetHandleInformation(server_copy, HANDLE_FLAG_INHERIT, 0));
    expect(GetHandleInformation(server_copy, &flags) && flags == 0);
    expect(SetHandleInformation(server_copy, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE));
    expect_error(CloseHandle(server_copy), ERROR_INVALID_HANDLE);
    expect(SetHandleInformation(server_copy, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0));
    expect_error(DuplicateHandle((HANDLE)0x44, server, GetCurrentProcess(), &server, 0, FALSE, 2), ERROR_INVALID_HANDLE);
    expect_error(DuplicateHandle(GetCurrentProcess(), client, GetCurrentProcess(), &server, 0, FALSE, 2), ERROR_INVALID_HANDLE);
    CloseHandle(client_copy);
    CloseHandle(server_copy);
    CloseHandle(server);
}

TEST(a_forked_child_has_none_of_its_parents_handles)
{
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    pid_t child = child_start();
    if (child == 0) {
        expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_INVALID_HANDLE);
        expect_error(read_some(server), ERROR_INVALID_HANDLE);
        expect_error(CloseHandle(server), ERROR_INVALID_HANDLE);
        HANDLE own[8];
        for (size_t i = 0; i < ARRAYSIZE(own); i++) {
            own[i] = must_open(SLOT);
            expect(own[i] != client && own[i] != server); // the parent's never come to life again
        }
        must_write(own[0], "from the child");
        expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_INVALID_HANDLE);
        for (size_t i = 0; i < ARRAYSIZE(own); i++) CloseHandle(own[i]);
        child_end();
    }
    child_join(child);
    must_read(server, "from the child");
    CloseHandle(client);
    CloseHandle(server);
}

TEST(a_forked_child_waits_for_room_in_its_parents_slot_which_is_not_its_own)
{
    setenv("MAILSLOT_WIN32_CELLS", "2", 1);
    uint64_t *words = shared_words(1);
    HANDLE server = must_create(SLOT, 0, 0);
    pid_t child = child_start();
    if (child == 0) {
        HANDLE client = must_open(SLOT);
        must_write(client, "1");
        must_write(client, "2");
        shared_set(&words[0], 1);
        must_write(client, "3");
        CloseHandle(client);
        child_end();
    }
    wait_until(shared_get(&words[0]) != 0);
    must_read(server, "1");
    must_read(server, "2");
    child_join(child);
    must_read(server, "3");
    CloseHandle(server);
}

// MARK: about a slot

TEST(a_mailslot_has_no_file_type_and_a_creation_time)
{
    FILETIME before, created = {0, 0}, written, after;
    GetSystemTimeAsFileTime(&before);
    HANDLE server = must_create(SLOT, 0, 0);
    HANDLE client = must_open(SLOT);
    GetSystemTimeAsFileTime(&after);
    SetLastError(0xdead);
    expect_equal(GetFileType(server), FILE_TYPE_UNKNOWN);
    expect_equal(GetLastError(), NO_ERROR);
    expect_equal(GetFileType(client), FILE_TYPE_UNKNOWN);
    expect(GetFileTime(server, &created, NULL, &written));
    expect(CompareFileTime(&before, &created) <= 0 && CompareFileTime(&created, &after) <= 0);
    FILETIME seen;
    expect(GetFileTime(client, &seen, NULL, NULL) && CompareFileTime(&seen, &created) == 0);
    SYSTEMTIME parts;
    expect(FileTimeToSystemTime(&created, &parts) && parts.wYear >= 2024 && parts.wMonth >= 1 && parts.wMonth <= 12);
    CloseHandle(client);
    CloseHandle(server);
    expect_error(GetFileTime(server, &created, NULL, NULL), ERROR_INVALID_HANDLE);
}

// MARK: forks

static void *fork_often(void *forks_left)
{
    for (uint64_t *left = forks_left; shared_get(left) > 0; shared_set(left, shared_get(left) - 1)) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        expect(child > 0 && waitpid(child, NULL, 0) == child);
    }
    return NULL;
}

TEST(forks_beside_mailslots_that_open_and_close_hang_neither)
{
    // An event first: a program may use these calls before it has a mailslot.
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    expect(event != NULL);
    static uint64_t forks_left = 300;
    pthread_t thread;
    expect_equal(pthread_create(&thread, NULL, fork_often, &forks_left), 0);
    while (shared_get(&forks_left) > 0) {
        HANDLE server = must_create(SLOT, 0, 0), client = must_open(SLOT);
        must_write(client, "hello");
        CloseHandle(client);
        CloseHandle(server);
    }
    pthread_join(thread, NULL);
    CloseHandle(event);
}

// MARK: access-control lists

/// A DACL that allows `mask` to whom the text says.
static void allow(SECURITY_DESCRIPTOR *descriptor, ACL *list, DWORD bytes, DWORD mask, const char *whom)
{
    PSID sid = NULL;
    trying("%s", whom);
    expect(InitializeSecurityDescriptor(descriptor, SECURITY_DESCRIPTOR_REVISION));
    expect(InitializeAcl(list, bytes, ACL_REVISION));
    expect(ConvertStringSidToSidA(whom, &sid) && IsValidSid(sid));
    expect(AddAccessAllowedAce(list, ACL_REVISION, mask, sid));
    LocalFree(sid);
    expect(SetSecurityDescriptorDacl(descriptor, TRUE, list, FALSE));
}

TEST(a_list_becomes_the_mode_that_says_it_or_is_refused)
{
    static const struct {
        const char *whom;
        DWORD mask;
        uint32_t mode; // 0: refused
    } cases[] = {{"S-1-1-0", GENERIC_ALL, 0666}, {"WD", GENERIC_READ | GENERIC_WRITE, 0666}, {"WD", GENERIC_READ, 0600},
        {"S-1-5-11", GENERIC_WRITE, 0666}, {"BU", FILE_GENERIC_WRITE, 0666}, {"S-1-3-4", GENERIC_ALL, 0600}, {"BA", GENERIC_ALL, 0600},
        {"S-1-5-21-1-2-3-1001", GENERIC_ALL, 0}, {"S-1-5-32-546", GENERIC_ALL, 0}};
    uint32_t space[50];
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    for (size_t i = 0; i < ARRAYSIZE(cases); i++) {
        allow(&descriptor, (ACL *)space, sizeof space, cases[i].mask, cases[i].whom);
        if (cases[i].mode == 0) {
            expect_no_handle(CreateMailslotA(SLOT, 0, 0, &attributes), ERROR_NOT_SUPPORTED);
            expect_no_handle(try_open(SLOT, GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
            continue;
        }
        HANDLE server = CreateMailslotA(SLOT, 0, 0, &attributes);
        expect(server != INVALID_HANDLE_VALUE);
        expect_equal(mslot_inspect(SLOT).info.mode, cases[i].mode);
        CloseHandle(server);
    }
}

TEST(a_list_can_be_set_on_a_mailslot_that_is_there)
{
    uint32_t space[50];
    SECURITY_DESCRIPTOR descriptor;
    char name[] = SLOT;
    ACL *list = (ACL *)space;
    allow(&descriptor, list, sizeof space, GENERIC_ALL, "WD");
    expect_equal(SetNamedSecurityInfoA(name, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL), ERROR_FILE_NOT_FOUND);
    HANDLE server = must_create(SLOT, 0, 0);
    expect_equal(SetNamedSecurityInfoA(name, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL), 0);
    expect_equal(mslot_inspect(SLOT).info.mode, 0666);
    allow(&descriptor, list, sizeof space, GENERIC_ALL, "S-1-5-21-1-2-3-1001");
    expect_equal(SetNamedSecurityInfoA(name, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL), ERROR_NOT_SUPPORTED);
    expect_equal(mslot_inspect(SLOT).info.mode, 0666);
    HANDLE client = must_open(SLOT);
    must_write(client, "still");
    must_read(server, "still");
    CloseHandle(client);
    CloseHandle(server);
}

TEST(lists_and_sids_that_are_none_are_told_by_their_errors)
{
    static const char *const texts[] = {"", "S-1", "S-1-1", "S-2-1-0", "S-1-1-", "S-1-x-0", "S-1-1-4294967296", "XX", "S-1-1-0-"};
    uint32_t space[5];
    ACL *list = (ACL *)space;
    PSID sid = NULL;
    for (size_t i = 0; i < ARRAYSIZE(texts); i++) {
        trying("%s", texts[i]);
        expect_error(ConvertStringSidToSidA(texts[i], &sid), ERROR_INVALID_SID);
    }
    expect_error(InitializeAcl(list, sizeof(ACL) - 1, ACL_REVISION), ERROR_INSUFFICIENT_BUFFER);
    expect_error(InitializeAcl(list, sizeof space, 9), ERROR_INVALID_PARAMETER);
    expect(InitializeAcl(list, sizeof space, ACL_REVISION));
    expect(ConvertStringSidToSidA("WD", &sid));
    expect_error(AddAccessAllowedAce(list, ACL_REVISION, GENERIC_ALL, sid), ERROR_ALLOTTED_SPACE_EXCEEDED);
    list->AceCount = 1; // which is not there
    expect_error(AddAccessAllowedAce(list, ACL_REVISION, GENERIC_ALL, sid), ERROR_INVALID_ACL);
    LocalFree(sid);
}

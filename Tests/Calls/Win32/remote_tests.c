// Names of other machines: CreateFile, WriteFile and CreateMailslot. The bridge is played by a child.

#include "common.h"

#include <mailslots.h>
#include <stdlib.h>
#include <unistd.h>

#define FAR_SLOT "\\\\host\\mailslot\\x"
#define OUTBOX "bridge/out/0/host/x"

enum { NO_ANSWER = 255, NO_SUCH_HOST = 1, NOT_ALLOWED = 2, HEADER_BYTES = 16 };

static mslot_reader *create_core(const char *name, uint32_t capacity)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = capacity;
    options.writers = 4;
    mslot_created created = mslot_create(name, &options);
    expect(created.failure.outcome == MSLOT_DONE);
    return created.reader;
}

static void expect_in(mslot_reader *outbox, const char *text)
{
    char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_received received = mslot_reader_read(outbox, bytes, sizeof bytes, 0);
    expect(received.outcome == MSLOT_DONE && received.byte_count == strlen(text) && memcmp(bytes, text, strlen(text)) == 0);
}

/// A bridge that gives this answer to one request, counts those that it got, and goes on until told to end.
static pid_t start_bridge(unsigned char result, uint64_t *words)
{
    shared_set(&words[0], 0);
    shared_set(&words[1], 0);
    shared_set(&words[2], 0);
    pid_t child = child_start();
    if (child != 0) {
        wait_until(shared_get(&words[0]) == 1);
        return child;
    }
    mslot_reader *answers = create_core("bridge/answers", 16);
    mslot_writer *answering = mslot_open("bridge/answers", NULL).writer;
    mslot_reader *requests = create_core("bridge/requests", 16);
    shared_set(&words[0], 1);
    while (shared_get(&words[2]) == 0) {
        unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
        if (mslot_reader_read(requests, bytes, sizeof bytes, MILLISECOND).outcome != MSLOT_DONE) continue;
        shared_add(&words[1], 1);
        unsigned char answer[HEADER_BYTES] = {1, 1, result};
        memcpy(answer + 8, bytes + 8, 8);
        if (result != NO_ANSWER) expect(mslot_writer_write(answering, answer, sizeof answer, 0) == MSLOT_DONE);
    }
    mslot_reader_close(requests);
    mslot_writer_close(answering);
    mslot_reader_close(answers);
    child_end();
}

static void stop_bridge(pid_t child, uint64_t *words)
{
    shared_set(&words[2], 1);
    child_join(child);
}

TEST(a_remote_name_always_opens_and_without_a_bridge_its_write_is_error_53)
{
    static const char *const names[] = {FAR_SLOT, "\\\\*\\mailslot\\x", "//host/mailslot/a/b", "\\\\host\\mailslot\\x\\",
        "\\\\a*\\mailslot\\x", "\\\\host\\mailslot\\..", "\\\\host\\mailslot\\12345678901234567890123456789012345678901"};
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        trying("%s", names[i]);
        HANDLE client = must_open(names[i]);
        DWORD count = 77;
        for (int j = 0; j < 2; j++) expect_error(WriteFile(client, "x", 1, &count, NULL), ERROR_BAD_NETPATH);
        expect_equal(count, 0);
        expect_error(GetMailslotInfo(client, NULL, NULL, &count, NULL), ERROR_INVALID_PARAMETER);
        CloseHandle(client);
    }
    char name[3000] = "\\\\host\\mailslot\\";
    memset(name + strlen(name), 'x', 2900);
    HANDLE client = must_open(name);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    CloseHandle(client);
}

TEST(no_slot_can_be_created_on_another_machine)
{
    expect_no_handle(CreateMailslotA(FAR_SLOT, 0, 0, NULL), ERROR_INVALID_NAME);
    expect_no_handle(CreateMailslotA("\\\\*\\mailslot\\x", 0, 0, NULL), ERROR_INVALID_NAME);
}

TEST(what_is_written_to_a_remote_name_is_the_bridges)
{
    static const char *const names[][2] = {
        {FAR_SLOT, OUTBOX},
        {"//HOST/MailSlot/X", OUTBOX},
        {"\\\\host\\mailslot\\a\\..\\x. .", OUTBOX},
        {"\\\\*\\mailslot\\a\\b", "bridge/out/0/@/a/b"},
    };
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        trying("%s", names[i][0]);
        mslot_reader *outbox = create_core(names[i][1], 4);
        HANDLE client = must_open(names[i][0]);
        must_write(client, "one");
        must_write(client, "");
        expect_in(outbox, "one");
        expect_in(outbox, "");
        expect_error(GetMailslotInfo(client, NULL, NULL, NULL, NULL), ERROR_INVALID_PARAMETER);
        CloseHandle(client);
        mslot_reader_close(outbox);
    }
}

TEST(a_remote_message_of_more_than_424_bytes_is_error_53_and_nothing_is_queued)
{
    mslot_reader *outbox = create_core(OUTBOX, 4);
    HANDLE client = must_open(FAR_SLOT);
    static char text[MSLOT_MESSAGE_BYTES_MAX + 1];
    DWORD count = 77;
    expect_error(WriteFile(client, text, sizeof text, &count, NULL), ERROR_BAD_NETPATH);
    expect_equal(count, 0);
    expect_equal(mslot_reader_info(outbox).message_count, 0);
    expect(WriteFile(client, text, MSLOT_MESSAGE_BYTES_MAX, &count, NULL));
    expect_equal(count, MSLOT_MESSAGE_BYTES_MAX);
    CloseHandle(client);
    mslot_reader_close(outbox);
}

TEST(nothing_is_contacted_before_the_first_write)
{
    uint64_t *words = shared_words(3);
    pid_t bridge = start_bridge(NO_SUCH_HOST, words);
    HANDLE client = must_open(FAR_SLOT);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    expect_equal(shared_get(&words[1]), 1); // the request of the write
    CloseHandle(client);
    stop_bridge(bridge, words);
}

TEST(what_the_bridge_does_not_allow_is_error_5_and_no_answer_is_error_53)
{
    uint64_t *words = shared_words(3);
    pid_t bridge = start_bridge(NOT_ALLOWED, words);
    HANDLE client = must_open(FAR_SLOT);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_ACCESS_DENIED);
    CloseHandle(client);
    stop_bridge(bridge, words);

    bridge = start_bridge(NO_ANSWER, words);
    setenv("MAILSLOT_WIN32_WAIT_MS", "20", 1);
    client = must_open(FAR_SLOT);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    CloseHandle(client);
    stop_bridge(bridge, words);
}

static DWORD write_far(void *argument) { return WriteFile(argument, "x", 1, NULL, NULL) ? 0 : GetLastError(); }

TEST(a_write_that_waits_for_the_bridge_can_be_cancelled)
{
    uint64_t *words = shared_words(3);
    pid_t bridge = start_bridge(NO_ANSWER, words);
    HANDLE client = must_open(FAR_SLOT);
    HANDLE thread = CreateThread(NULL, 0, write_far, client, 0, NULL);
    expect_equal(WaitForSingleObject(thread, 50), WAIT_TIMEOUT);
    wait_until(CancelSynchronousIo(thread));
    expect_equal(WaitForSingleObject(thread, 5000), WAIT_OBJECT_0); // its limit is 10 s
    DWORD error = 0;
    expect(GetExitCodeThread(thread, &error));
    expect_equal(error, ERROR_OPERATION_ABORTED);
    CloseHandle(thread);
    CloseHandle(client);
    stop_bridge(bridge, words);
}

TEST(a_remote_handle_outlives_the_bridge)
{
    HANDLE client = must_open(FAR_SLOT);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    for (int i = 0; i < 3; i++) {
        mslot_reader *outbox = create_core(OUTBOX, 4);
        must_write(client, "while it runs");
        expect_in(outbox, "while it runs");
        mslot_reader_close(outbox);
        expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    }
    pid_t child = child_start();
    if (child == 0) {
        create_core(OUTBOX, 4);
        for (;;) pause();
    }
    mslot_opened opened;
    wait_until((opened = mslot_open(FAR_SLOT, NULL)).writer != NULL);
    mslot_writer_close(opened.writer);
    must_write(client, "lost");
    child_kill(child);
    expect_error(WriteFile(client, "x", 1, NULL, NULL), ERROR_BAD_NETPATH);
    CloseHandle(client);
    mslot_remove(OUTBOX);
}

TEST(a_full_way_to_another_machine_is_waited_for_like_a_full_slot)
{
    setenv("MAILSLOT_WIN32_WAIT_MS", "1", 1);
    mslot_reader *outbox = create_core(OUTBOX, 2);
    HANDLE client = must_open(FAR_SLOT);
    must_write(client, "1");
    must_write(client, "2");
    expect_error(WriteFile(client, "3", 1, NULL, NULL), ERROR_NOT_ENOUGH_QUOTA);
    expect_in(outbox, "1");
    must_write(client, "3");
    CloseHandle(client);
    mslot_reader_close(outbox);
}

static bool takes_remote_messages(const char *environment)
{
    if (environment != NULL) setenv("MAILSLOT_WIN32_REMOTE", environment, 1);
    HANDLE server = must_create(SLOT, 0, 0);
    mslot_inspected inspected = mslot_inspect(SLOT);
    expect(inspected.failure.outcome == MSLOT_DONE);
    CloseHandle(server);
    return inspected.info.allows_remote;
}

TEST(a_slot_takes_messages_from_other_machines_only_if_the_environment_says_so)
{
    expect(!takes_remote_messages(NULL));
    expect(!takes_remote_messages(""));
    expect(!takes_remote_messages("0"));
    expect(!takes_remote_messages("yes"));
    expect(takes_remote_messages("1"));
}

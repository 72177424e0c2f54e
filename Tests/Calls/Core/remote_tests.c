// Names of other machines: outboxes, and how they are asked for. The bridge is played by the test: in a process of its own, where it serves
// whoever asks, or step by step in the test's own process, with the asking one in a child.

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS "\\\\render7\\mailslot\\jobs"
#define JOBS_OUTBOX "bridge/out/0/render7/jobs"

enum {
    MADE = 0,
    NO_SUCH_HOST = 1,
    NOT_ALLOWED = 2,
    BAD_NAME = 3,
    TOO_MANY_OUTBOXES = 4,
    NO_RESOURCES = 5,
    ENDING = 6,

    HEADER_BYTES = 16,
    OUTBOXES_MAX = 80
};

// MARK: a bridge

typedef struct asked {
    unsigned outbox;
    char destination[64];
    char name[64];
    uint64_t id;
} asked;

typedef struct bridge {
    mslot_reader *requests;
    mslot_reader *answers;
    mslot_writer *answering;
    mslot_reader *outboxes[OUTBOXES_MAX];
    unsigned outbox_count;
    uint32_t outbox_capacity;
    uint32_t outbox_writers;
} bridge;

/// What it tells the test while it is another process.
enum { ASKED = 0, READY = 1, STOP = 2, DELIVERED = 3, WORDS = 4 };
static uint64_t *words;

static bridge bridge_with(uint32_t requests_capacity, uint32_t requests_writers, uint32_t answers_capacity)
{
    bridge b = {.outbox_capacity = 4, .outbox_writers = 2};
    b.answers = must_create("bridge/answers", answers_capacity, 2);
    b.answering = must_open("bridge/answers");
    b.requests = must_create("bridge/requests", requests_capacity, requests_writers);
    return b;
}
static bridge bridge_start(void) { return bridge_with(16, 16, 64); }

static void bridge_end(bridge *b)
{
    must_close(b->requests);
    for (unsigned i = 0; i < b->outbox_count; i++) must_close(b->outboxes[i]);
    must_close_writer(b->answering);
    must_close(b->answers);
}

static asked must_be_asked(bridge *b)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_received received = mslot_reader_read(b->requests, bytes, sizeof bytes, TEST_TIMEOUT_NS);
    expect_outcome(received.outcome, MSLOT_DONE);
    expect(received.byte_count >= HEADER_BYTES);
    expect(bytes[0] == 1 && bytes[1] == 1);
    expect(bytes[2] < 64 && bytes[3] >= 1 && bytes[3] <= 63 && bytes[4] >= 1 && bytes[4] <= 40);
    expect(bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0);
    expect_equal(received.byte_count, HEADER_BYTES + bytes[3] + bytes[4]);
    asked request = {.outbox = bytes[2]};
    memcpy(&request.id, bytes + 8, 8);
    memcpy(request.destination, bytes + HEADER_BYTES, bytes[3]);
    memcpy(request.name, bytes + HEADER_BYTES + bytes[3], bytes[4]);
    return request;
}

static void answer_bytes(bridge *b, const void *bytes, size_t byte_count)
{
    expect_outcome(mslot_writer_write(b->answering, bytes, byte_count, 0), MSLOT_DONE);
    unsigned char own[MSLOT_MESSAGE_BYTES_MAX];
    expect_outcome(mslot_reader_read(b->answers, own, sizeof own, 0).outcome, MSLOT_DONE); // so that it is never full
}

typedef struct answer {
    size_t byte_count;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
} answer;

static answer answer_make(uint64_t id, unsigned char result, const char *text)
{
    answer made = {.bytes = {1, 1, result}};
    uint16_t text_bytes = (uint16_t)strlen(text);
    memcpy(made.bytes + 4, &text_bytes, sizeof text_bytes);
    memcpy(made.bytes + 8, &id, sizeof id);
    memcpy(made.bytes + HEADER_BYTES, text, text_bytes);
    made.byte_count = (size_t)HEADER_BYTES + text_bytes;
    return made;
}

static void answer_with(bridge *b, const asked *request, unsigned char result, const char *text)
{
    answer made = answer_make(request->id, result, text);
    answer_bytes(b, made.bytes, made.byte_count);
}

static mslot_reader *make_outbox(bridge *b, const asked *request)
{
    char name[200];
    snprintf(name, sizeof name, "bridge/out/%u/%s/%s", request->outbox, request->destination, request->name);
    mslot_create_options options = small_options(b->outbox_capacity, b->outbox_writers);
    options.adopt = true;
    mslot_created created = mslot_create(name, &options);
    if (created.failure.outcome == MSLOT_ALREADY_EXISTS) return NULL; // two asked at the same time
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect(b->outbox_count < OUTBOXES_MAX);
    return b->outboxes[b->outbox_count++] = created.reader;
}

static void make_and_answer(bridge *b)
{
    asked request = must_be_asked(b);
    make_outbox(b, &request);
    answer_with(b, &request, MADE, "");
}

// MARK: a bridge in a process of its own

static void count_delivered(bridge *b)
{
    char bytes[MSLOT_MESSAGE_BYTES_MAX];
    for (unsigned i = 0; i < b->outbox_count; i++)
        while (mslot_reader_read(b->outboxes[i], bytes, sizeof bytes, 0).outcome == MSLOT_DONE) shared_add(&words[DELIVERED], 1);
}

/// Serves until told to end. `serve`: what it does about one request.
static pid_t start_bridge(void (*serve)(bridge *b), uint32_t outbox_writers)
{
    if (words == NULL) words = shared_words(WORDS);
    shared_set(&words[READY], 0);
    shared_set(&words[STOP], 0);
    pid_t child = child_start();
    if (child != 0) {
        wait_until(shared_get(&words[READY]) == 1);
        return child;
    }
    bridge b = bridge_start();
    b.outbox_writers = outbox_writers;
    shared_set(&words[READY], 1);
    while (shared_get(&words[STOP]) == 0) {
        mslot_reader *requests = b.requests;
        if (mslot_reader_wait_any(&requests, 1, MILLISECOND).outcome == MSLOT_DONE) {
            shared_add(&words[ASKED], 1);
            serve(&b);
        }
        count_delivered(&b);
    }
    count_delivered(&b);
    bridge_end(&b);
    child_end();
}

static void stop_bridge(pid_t child)
{
    shared_set(&words[STOP], 1);
    child_join(child);
}

static void be_silent(bridge *b) { (void)must_be_asked(b); }

// MARK: opening

static mslot_opened open_within(const char *name, int64_t wait_ns, int64_t answer_ns)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = wait_ns;
    options.answer_ns = answer_ns;
    mslot_opened opened = mslot_open(name, &options);
    expect((opened.writer != NULL) == (opened.failure.outcome == MSLOT_DONE));
    return opened;
}

static mslot_failure refusal_within(const char *name, int64_t wait_ns, int64_t answer_ns)
{
    mslot_opened opened = open_within(name, wait_ns, answer_ns);
    expect(opened.writer == NULL);
    return opened.failure;
}
static mslot_failure refusal(const char *name) { return refusal_within(name, 0, TEST_TIMEOUT_NS); }

static const char *description(const mslot_failure *failure, const char *name)
{
    static char text[2000];
    size_t byte_count = mslot_failure_describe(failure, name, text, sizeof text);
    expect(byte_count > 40 && byte_count < sizeof text);
    expect_equal(strlen(text), byte_count);
    expect(strstr(text, name) != NULL);
    return text;
}

/// Opens JOBS in a child that expects this outcome; its words, if there are any, are in the description.
static pid_t open_in_child(mslot_outcome outcome, const char *says)
{
    pid_t child = child_start();
    if (child != 0) return child;
    mslot_opened opened = open_within(JOBS, 0, TEST_TIMEOUT_NS);
    expect_outcome(opened.failure.outcome, outcome);
    if (opened.writer != NULL) must_close_writer(opened.writer);
    else expect(strstr(description(&opened.failure, JOBS), says) != NULL && strstr(description(&opened.failure, JOBS), "after") == NULL);
    child_end();
}

/// Gives the same answer to all that the child asks.
static void answer_until_it_ends(bridge *b, pid_t child, unsigned char result, const char *text)
{
    for (;;) {
        siginfo_t ended = {0};
        expect_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        if (ended.si_pid != 0) return;
        mslot_reader *requests = b->requests;
        if (mslot_reader_wait_any(&requests, 1, MILLISECOND).outcome != MSLOT_DONE) continue;
        asked request = must_be_asked(b);
        answer_with(b, &request, result, text);
    }
}

static void unlink_mailslot(const char *name)
{
    char path[PATH_MAX];
    expect_outcome(mslot_path(name, path, sizeof path).outcome, MSLOT_DONE);
    expect_equal(unlink(path), 0);
}

// MARK: names

TEST(a_remote_name_is_its_outboxs_name_however_it_is_written)
{
    static const char *const names[][2] = {
        {JOBS, JOBS_OUTBOX},
        {"\\\\RENDER7\\MailSlot\\JOBS", JOBS_OUTBOX},
        {"//render7/mailslot/jobs", JOBS_OUTBOX},
        {"\\\\*\\mailslot\\jobs", "bridge/out/0/@/jobs"},
        {"\\\\studio\\mailslot\\app\\jobs", "bridge/out/0/studio/app/jobs"},
        {"\\\\..\\mailslot\\x", "bridge/out/0/../x"},
        {"\\\\render 7%\\mailslot\\x", "bridge/out/0/render 7%/x"},
        {"\\\\\xc3\xa4\\mailslot\\\xc3\x84", "bridge/out/0/\xc3\xa4/\xc3\x84"},
        {"\\\\h123456789012345678901234567890123456789012345678901234567890123\\mailslot\\1234567890123456789012345678901234567890", NULL},
        {"\\\\h12345678901234567890123456789012345678901234567890123456789012\\mailslot\\1234567890123456789012345678901234567890",
            "bridge/out/0/h12345678901234567890123456789012345678901234567890123456789012/1234567890123456789012345678901234567890"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        trying("%s", names[i][0]);
        if (names[i][1] == NULL) {
            expect_outcome(refusal(names[i][0]).outcome, MSLOT_BAD_NAME);
            continue;
        }
        mslot_reader *outbox = must_create(names[i][1], 4, 2);
        mslot_writer *writer = must_open(names[i][0]);
        expect(strcmp(mslot_writer_info(writer).name, names[i][1]) == 0);
        must_write(writer, 1, i);
        must_read_this(outbox, 1, i);
        must_close_writer(writer);
        must_close(outbox);
    }
}

TEST(a_remote_name_that_cannot_be_is_refused_with_its_reason)
{
    static const struct {
        const char *name;
        mslot_name_problem problem;
    } cases[] = {
        {"\\\\render7\\mailslot\\12345678901234567890123456789012345678901", MSLOT_NAME_TOO_LONG_FOR_REMOTE},
        {"\\\\render7\\mailslot\\1234567890123456789012345678901234567/\xc3\xa4\xc3\xa4", MSLOT_NAME_TOO_LONG_FOR_REMOTE},
        {"\\\\1234567890123456789012345678901234567890123456789012345678901234\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\@\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\user@host\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\**\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\ren*\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\192.0.2.7:4240\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\a\x1b[m\\mailslot\\x", MSLOT_NAME_BAD_HOST},
        {"\\\\a\xff\\mailslot\\x", MSLOT_NAME_NOT_UTF8},
        {"\\\\render7\\mailslot\\", MSLOT_NAME_EMPTY},
        {"\\\\render7\\mailslot\\a\\\\b", MSLOT_NAME_EMPTY},
        {"\\\\render7\\mailslot\\a*", MSLOT_NAME_FORBIDDEN_CHARACTER},
        {"\\\\render7\\mailslot\\\xff", MSLOT_NAME_NOT_UTF8},
        {"\\\\render7\\pipe\\x", MSLOT_NAME_NOT_A_MAILSLOT_PATH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%s", cases[i].name);
        mslot_failure failure = refusal(cases[i].name);
        expect_outcome(failure.outcome, MSLOT_BAD_NAME);
        expect_equal(failure.detail, cases[i].problem);
        description(&failure, cases[i].name);
    }
}

TEST(an_outbox_takes_messages_as_long_as_a_datagram_and_no_longer)
{
    mslot_reader *outbox = must_create(JOBS_OUTBOX, 4, 2);
    mslot_writer *writer = must_open(JOBS);
    static char bytes[MSLOT_MESSAGE_BYTES_MAX + 1];
    expect_outcome(mslot_writer_write(writer, bytes, MSLOT_MESSAGE_BYTES_MAX, 0), MSLOT_DONE);
    expect_outcome(mslot_writer_write(writer, bytes, sizeof bytes, 0), MSLOT_TOO_LONG);
    mslot_failure failure = {.outcome = MSLOT_TOO_LONG};
    expect(strstr(description(&failure, JOBS), "another machine has at most 424") != NULL);
    must_close_writer(writer);
    must_close(outbox);
}

// MARK: asking

TEST(the_first_writer_asks_for_the_outbox_and_the_others_find_it)
{
    pid_t server = start_bridge(make_and_answer, 8);
    mslot_writer *writers[4];
    for (int i = 0; i < 4; i++) {
        writers[i] = must_open(JOBS);
        must_write(writers[i], 0, 0);
    }
    expect_equal(shared_get(&words[ASKED]), 1);
    must_close_writer(must_open("\\\\studio\\mailslot\\jobs"));
    must_close_writer(must_open("\\\\render7\\mailslot\\other"));
    expect_equal(shared_get(&words[ASKED]), 3);
    for (int i = 0; i < 4; i++) must_close_writer(writers[i]);
    stop_bridge(server);
    expect_equal(shared_get(&words[DELIVERED]), 4);
}

TEST(a_request_says_which_outbox_is_wanted_and_has_an_id_of_its_own)
{
    bridge b = bridge_start();
    uint64_t ids[2];
    for (int i = 0; i < 2; i++) {
        pid_t child = open_in_child(MSLOT_NOT_ALLOWED, "no jobs for you");
        asked request = must_be_asked(&b);
        expect_equal(request.outbox, 0);
        expect(strcmp(request.destination, "render7") == 0 && strcmp(request.name, "jobs") == 0);
        ids[i] = request.id;
        answer_with(&b, &request, NOT_ALLOWED, "no jobs for you");
        child_join(child);
    }
    expect(ids[0] != ids[1]);
    bridge_end(&b);
}

TEST(when_the_lanes_of_an_outbox_run_out_the_next_one_is_used)
{
    enum { LANES = 2, WRITERS = 7 };
    pid_t server = start_bridge(make_and_answer, LANES);
    mslot_writer *writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = must_open(JOBS);
        char name[64];
        snprintf(name, sizeof name, "bridge/out/%d/render7/jobs", i / LANES);
        expect(strcmp(mslot_writer_info(writers[i]).name, name) == 0);
        must_write(writers[i], 0, 0);
    }
    expect_equal(shared_get(&words[ASKED]), (WRITERS + LANES - 1) / LANES);
    for (int i = 0; i < WRITERS; i++) must_close_writer(writers[i]);
    stop_bridge(server);
    expect_equal(shared_get(&words[DELIVERED]), WRITERS);
}

TEST(there_are_no_more_than_64_outboxes_to_one_place)
{
    enum { WRITERS = 64 };
    pid_t server = start_bridge(make_and_answer, 1);
    mslot_writer *writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) writers[i] = must_open(JOBS);
    mslot_failure failure = refusal(JOBS);
    expect_outcome(failure.outcome, MSLOT_TOO_MANY_WRITERS);
    description(&failure, JOBS);
    expect_equal(shared_get(&words[ASKED]), WRITERS);
    must_close_writer(writers[40]);
    writers[40] = must_open(JOBS);
    for (int i = 0; i < WRITERS; i++) must_close_writer(writers[i]);
    stop_bridge(server);
}

TEST(a_refusal_reaches_the_user_in_the_bridges_own_words)
{
    static char longest[MSLOT_WORDS_BYTES_MAX + 1];
    memset(longest, 'w', MSLOT_WORDS_BYTES_MAX);
    static const struct {
        unsigned char result;
        mslot_outcome outcome;
        const char *words;
        const char *says;
    } cases[] = {
        {NO_SUCH_HOST, MSLOT_NO_SUCH_HOST, "render7 was never heard of", "render7 was never heard of"},
        {NO_SUCH_HOST, MSLOT_NO_SUCH_HOST, "", "mailslot hosts"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "only \"studio/*\" is allowed", "only \"studio/*\" is allowed"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "", "onfiguration"},
        {BAD_NAME, MSLOT_BAD_NAME, "a name that I do not like", "a name that I do not like"},
        {BAD_NAME, MSLOT_BAD_NAME, "", "name"},
        {TOO_MANY_OUTBOXES, MSLOT_NO_SPACE, "there are 4096 outboxes", "there are 4096 outboxes"},
        {NO_RESOURCES, MSLOT_NO_SPACE, "no descriptors are left", "no descriptors are left"},
        {ENDING, MSLOT_NO_BRIDGE, "I am ending", "I am ending"},
        {7, MSLOT_NOT_ALLOWED, "a reason of a later version", "a reason of a later version"},
        {255, MSLOT_NOT_ALLOWED, longest, longest},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8c", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8c"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "before\x1b[2Jafter", "The bridge says: before"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "before\nafter", "The bridge says: before"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED,
            "before\xff"
            "after",
            "The bridge says: before"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED,
            "before\xc2\x9b"
            "after",
            "The bridge says: before"},
        {NOT_ALLOWED, MSLOT_NOT_ALLOWED, "before\xe2\x82", "The bridge says: before"},
    };
    bridge b = bridge_start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("result %d, \"%s\"", cases[i].result, cases[i].words);
        pid_t child = open_in_child(cases[i].outcome, cases[i].says);
        asked request = must_be_asked(&b);
        answer_with(&b, &request, cases[i].result, cases[i].words);
        child_join(child);
    }
    bridge_end(&b);
}

TEST(every_failure_of_a_remote_name_is_described_as_such)
{
    static const struct {
        mslot_outcome outcome;
        const char *says;
    } cases[] = {
        {MSLOT_NO_BRIDGE, "no bridge is running"},
        {MSLOT_NO_SUCH_HOST, "no host and no domain"},
        {MSLOT_NOT_ALLOWED, "does not allow"},
        {MSLOT_NO_SPACE, "no outbox"},
        {MSLOT_TIMED_OUT, "process 77"},
        {MSLOT_TOO_MANY_WRITERS, "every outbox"},
        {MSLOT_NO_PERMISSION, "who may send"},
        {MSLOT_UNTRUSTED, "user 88"},
        {MSLOT_NO_READER, "bridge ended"},
        {MSLOT_CLOSED, "bridge has ended"},
        {MSLOT_TOO_LONG, "424"},
        {MSLOT_SYSTEM_ERROR, "errno"},
        {MSLOT_BAD_NAME, "to write"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%s", mslot_outcome_text(cases[i].outcome));
        mslot_failure failure = {.outcome = cases[i].outcome, .holder_pid = 77, .holder_uid = 88};
        if (failure.outcome == MSLOT_BAD_NAME) failure.detail = MSLOT_NAME_REMOTE;
        expect(strstr(description(&failure, JOBS), cases[i].says) != NULL);
    }
    mslot_failure failure = {.outcome = MSLOT_TIMED_OUT};
    expect(strstr(description(&failure, JOBS), "process") == NULL);
    // What cannot be for a name of this machine is at least no nonsense.
    char text[200];
    failure.outcome = MSLOT_NO_BRIDGE;
    mslot_failure_describe(&failure, "orders", text, sizeof text);
    expect(strcmp(text, "Mailslot \"orders\": no bridge is running.") == 0);
}

TEST(who_waits_for_a_host_asks_again_until_the_bridge_has_heard_of_it)
{
    bridge b = bridge_start();
    pid_t child = child_start();
    if (child == 0) {
        mslot_opened opened = open_within(JOBS, TEST_TIMEOUT_NS, 0);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_close_writer(opened.writer);
        child_end();
    }
    for (int i = 0; i < 5; i++) {
        asked request = must_be_asked(&b);
        answer_with(&b, &request, NO_SUCH_HOST, "not yet");
    }
    make_and_answer(&b);
    child_join(child);

    // And in the end it says what it heard last.
    child = child_start();
    if (child == 0) {
        mslot_failure failure = refusal_within("\\\\nobody\\mailslot\\x", 20 * MILLISECOND, 0);
        expect_outcome(failure.outcome, MSLOT_NO_SUCH_HOST);
        expect(strcmp(failure.words, "never") == 0);
        child_end();
    }
    answer_until_it_ends(&b, child, NO_SUCH_HOST, "never");
    child_join(child);
    bridge_end(&b);
}

TEST(who_waits_for_a_host_longer_than_for_an_answer_hears_in_the_end_what_was_answered)
{
    bridge b = bridge_start();
    pid_t child = child_start();
    if (child == 0) {
        // The last time it asks when the wait is over, and that answer has its time, too.
        int64_t wait_ns = 300 * MILLISECOND;
        for (int i = 0; i < 3; i++) {
            int64_t begun = now_ns();
            expect_outcome(refusal_within("\\\\nobody\\mailslot\\x", wait_ns, 200 * MILLISECOND).outcome, MSLOT_NO_SUCH_HOST);
            expect(now_ns() - begun >= wait_ns);
        }
        child_end();
    }
    answer_until_it_ends(&b, child, NO_SUCH_HOST, "never");
    child_join(child);
    bridge_end(&b);
}

// MARK: no bridge

TEST(without_a_bridge_it_says_that_there_is_none)
{
    mslot_failure failure = refusal(JOBS);
    expect_outcome(failure.outcome, MSLOT_NO_BRIDGE);
    expect(strstr(description(&failure, JOBS), "mailslot bridge") != NULL);
    expect_outcome(refusal_within(JOBS, 5 * MILLISECOND, 0).outcome, MSLOT_NO_BRIDGE); // it waited for one to come
    // One that creates its answers but is not there yet, and one that is ending.
    mslot_reader *answers = must_create("bridge/answers", 4, 2);
    expect_outcome(refusal(JOBS).outcome, MSLOT_NO_BRIDGE);
    must_close(answers);
    mslot_reader *requests = must_create("bridge/requests", 4, 2);
    expect_outcome(refusal(JOBS).outcome, MSLOT_NO_BRIDGE);
    must_close(requests);
}

TEST(who_waits_for_a_bridge_opens_when_it_comes)
{
    words = shared_words(WORDS);
    pid_t child = child_start();
    if (child == 0) {
        shared_set(&words[READY], 1);
        mslot_opened opened = open_within(JOBS, TEST_TIMEOUT_NS, 0);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_write(opened.writer, 3, 4);
        must_close_writer(opened.writer);
        child_end();
    }
    wait_until(shared_get(&words[READY]) == 1);
    bridge b = bridge_start();
    make_and_answer(&b);
    must_read_this(b.outboxes[0], 3, 4);
    child_join(child);
    bridge_end(&b);
}

TEST(a_bridge_killed_before_or_while_it_is_asked_is_no_bridge)
{
    pid_t server = start_bridge(be_silent, 2);
    pid_t child = open_in_child(MSLOT_NO_BRIDGE, "no bridge is running");
    wait_until(shared_get(&words[ASKED]) == 1);
    child_kill(server);
    child_join(child);
    expect_outcome(refusal(JOBS).outcome, MSLOT_NO_BRIDGE);
    expect_outcome(mslot_remove("bridge/requests").outcome, MSLOT_DONE);
    expect_outcome(mslot_remove("bridge/answers").outcome, MSLOT_DONE);
}

TEST(a_bridge_that_ends_while_it_is_asked_is_no_bridge_unless_there_is_another)
{
    bridge b = bridge_start();
    pid_t child = open_in_child(MSLOT_NO_BRIDGE, "no bridge is running");
    (void)must_be_asked(&b);
    bridge_end(&b);
    child_join(child);

    b = bridge_start();
    child = open_in_child(MSLOT_DONE, "");
    (void)must_be_asked(&b);
    child_stop(child);
    bridge_end(&b);
    b = bridge_start();
    child_continue(child);
    make_and_answer(&b);
    child_join(child);
    bridge_end(&b);
}

TEST(a_stopped_bridge_is_waited_for_no_longer_than_it_may_take_to_answer)
{
    bridge b = bridge_with(1, 4, 4); // it is the test itself, and does nothing
    mslot_failure failure = refusal_within(JOBS, 0, 20 * MILLISECOND);
    expect_outcome(failure.outcome, MSLOT_TIMED_OUT);
    expect_equal(failure.holder_pid, getpid());
    char process[32];
    snprintf(process, sizeof process, "process %d", (int)getpid());
    expect(strstr(description(&failure, JOBS), process) != NULL);
    // Now that one request lies there, the next cannot even be sent.
    int64_t begun = now_ns();
    failure = refusal_within(JOBS, 0, 20 * MILLISECOND);
    expect_outcome(failure.outcome, MSLOT_TIMED_OUT);
    expect(now_ns() - begun >= 20 * MILLISECOND);
    // Whoever waits longer for a reader waits as long for an answer.
    begun = now_ns();
    expect_outcome(refusal_within(JOBS, 60 * MILLISECOND, 1).outcome, MSLOT_TIMED_OUT);
    expect(now_ns() - begun >= 60 * MILLISECOND);
    bridge_end(&b);
}

TEST(a_bridge_that_takes_longer_than_a_second_is_not_taken_for_dead)
{
    bridge b = bridge_start();
    pid_t child = open_in_child(MSLOT_DONE, "");
    asked request = must_be_asked(&b);
    // Only as long as it takes until the child asks for the reader's lock.
    expect_equal(usleep(1100000), 0);
    make_outbox(&b, &request);
    child_join(child);
    bridge_end(&b);
}

TEST(a_stopped_bridge_that_goes_on_answers)
{
    pid_t server = start_bridge(make_and_answer, 2);
    child_stop(server);
    pid_t child = open_in_child(MSLOT_DONE, "");
    wait_until(mslot_inspect("bridge/requests").info.message_count == 1);
    child_continue(server);
    child_join(child);
    stop_bridge(server);
}

TEST(a_request_waits_for_room_and_for_a_lane)
{
    enum { CLIENTS = 6 };
    bridge b = bridge_with(1, 1, 64);
    pid_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        if ((clients[i] = child_start()) != 0) continue;
        char name[64];
        snprintf(name, sizeof name, "\\\\host%d\\mailslot\\x", i);
        mslot_opened opened = open_within(name, 0, TEST_TIMEOUT_NS);
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_close_writer(opened.writer);
        child_end();
    }
    for (int i = 0; i < CLIENTS; i++) make_and_answer(&b);
    for (int i = 0; i < CLIENTS; i++) child_join(clients[i]);
    // Somebody else has the only lane, and keeps it.
    mslot_writer *lane = must_open("bridge/requests");
    mslot_failure failure = refusal_within(JOBS, 0, 5 * MILLISECOND);
    expect_outcome(failure.outcome, MSLOT_TIMED_OUT);
    must_close_writer(lane);
    bridge_end(&b);
}

// MARK: answers that are none

TEST(only_the_whole_answer_to_ones_own_request_counts)
{
    enum { RULES = 12 };
    bridge b = bridge_start();
    pid_t child = open_in_child(MSLOT_NO_SUCH_HOST, "the truth");
    asked request = must_be_asked(&b);
    for (int rule = 0; rule < RULES; rule++) {
        answer forged = answer_make(request.id, NOT_ALLOWED, "a lie");
        switch (rule) {
        case 0: forged.bytes[0] = 0; break;
        case 1: forged.bytes[0] = 2; break;
        case 2: forged.bytes[1] = 0; break;
        case 3: forged.bytes[1] = 2; break;
        case 4: forged.bytes[3] = 1; break;
        case 5: forged.bytes[6] = 1; break;
        case 6: forged.bytes[7] = 1; break;
        case 7: forged.byte_count--; break;
        case 8: forged.byte_count++; break;
        case 9: forged.byte_count = random_below(HEADER_BYTES); break;
        case 10: forged.bytes[5] = 1; break;                                                         // 256 bytes more than there are
        case 11: forged.bytes[8 + random_below(8)] ^= (unsigned char)(1 + random_below(255)); break; // another's
        default: break;
        }
        answer_bytes(&b, forged.bytes, forged.byte_count);
    }
    // More words than there may be, though they are there.
    answer forged = answer_make(request.id, NOT_ALLOWED, "");
    memset(forged.bytes + HEADER_BYTES, 'w', MSLOT_WORDS_BYTES_MAX + 1);
    forged.bytes[4] = (MSLOT_WORDS_BYTES_MAX + 1) & 0xff;
    forged.bytes[5] = (MSLOT_WORDS_BYTES_MAX + 1) >> 8;
    answer_bytes(&b, forged.bytes, HEADER_BYTES + MSLOT_WORDS_BYTES_MAX + 1);
    for (int i = 0; i < 20; i++) {
        for (size_t at = 0; at < sizeof forged.bytes; at++) forged.bytes[at] = (unsigned char)random_below(256);
        answer_bytes(&b, forged.bytes, random_below(sizeof forged.bytes + 1));
    }
    answer_with(&b, &request, NO_SUCH_HOST, "the truth");
    child_join(child);
    bridge_end(&b);
}

TEST(an_answer_that_is_gone_before_it_is_seen_is_asked_for_again)
{
    bridge b = bridge_with(4, 4, 8);
    pid_t child = open_in_child(MSLOT_NOT_ALLOWED, "the second time");
    asked request = must_be_asked(&b);
    child_stop(child);
    answer_with(&b, &request, NOT_ALLOWED, "the first time");
    uint64_t first = request.id;
    for (uint64_t other = 0; other < 20; other++) {
        request.id = first + 1 + other;
        answer_with(&b, &request, NO_SUCH_HOST, "somebody else's");
    }
    child_continue(child);
    request = must_be_asked(&b);
    expect(request.id != first);
    answer_with(&b, &request, NOT_ALLOWED, "the second time");
    child_join(child);
    bridge_end(&b);
}

TEST(an_outbox_that_is_there_needs_no_answer)
{
    bridge b = bridge_start();
    pid_t child = open_in_child(MSLOT_DONE, "");
    asked request = must_be_asked(&b);
    expect(make_outbox(&b, &request) != NULL); // another has asked for it, perhaps
    child_join(child);
    bridge_end(&b);
}

TEST(a_bridge_that_says_it_made_what_is_not_there_is_asked_until_the_time_is_up)
{
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(refusal_within(JOBS, TEST_TIMEOUT_NS, 0).outcome, MSLOT_NOT_ALLOWED);
        expect_outcome(refusal_within("\\\\nobody\\mailslot\\x", 0, 5 * MILLISECOND).outcome, MSLOT_TIMED_OUT);
        child_end();
    }
    bridge b = bridge_start();
    asked request;
    for (int i = 0; i < 3; i++) {
        request = must_be_asked(&b);
        answer_with(&b, &request, MADE, "");
    }
    request = must_be_asked(&b);
    answer_with(&b, &request, NOT_ALLOWED, "enough");
    answer_until_it_ends(&b, child, MADE, "");
    child_join(child);
    bridge_end(&b);
}

TEST(answers_that_no_bridge_gives_are_damage)
{
    mslot_create_options options = small_options(4, 2);
    options.message_bytes_max = 10000;
    mslot_created answers = mslot_create("bridge/answers", &options);
    expect_outcome(answers.failure.outcome, MSLOT_DONE);
    mslot_reader *requests = must_create("bridge/requests", 4, 2);
    pid_t child = open_in_child(MSLOT_DAMAGED, "damaged");
    char bytes[MSLOT_MESSAGE_BYTES_MAX];
    expect_outcome(mslot_reader_read(requests, bytes, sizeof bytes, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
    mslot_writer *writer = must_open("bridge/answers");
    static char long_bytes[5000];
    expect_outcome(mslot_writer_write(writer, long_bytes, sizeof long_bytes, 0), MSLOT_DONE);
    child_join(child);
    must_close_writer(writer);
    must_close(requests);
    must_close(answers.reader);
}

TEST(without_random_numbers_there_is_no_request)
{
    bridge b = bridge_start();
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call(SYS_getrandom, ENOSYS);
        mslot_failure failure = refusal(JOBS);
        expect_outcome(failure.outcome, MSLOT_SYSTEM_ERROR);
        expect_equal(failure.system_error, ENOSYS);
        child_end();
    }
    child_join(child);
    bridge_end(&b);
}

// MARK: a writer of an outbox

TEST(a_bridge_that_ends_closes_its_outboxes)
{
    pid_t server = start_bridge(make_and_answer, 2);
    mslot_writer *writer = must_open(JOBS);
    stop_bridge(server);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_CLOSED);
    must_close_writer(writer);
    expect_outcome(refusal(JOBS).outcome, MSLOT_NO_BRIDGE);
}

TEST(a_killed_bridges_outbox_says_so_and_a_restarted_bridge_goes_on_with_it)
{
    pid_t server = start_bridge(make_and_answer, 3);
    mslot_writer *writer = must_open(JOBS);
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = true;
    mslot_opened patient = mslot_open(JOBS, &options);
    expect_outcome(patient.failure.outcome, MSLOT_DONE);
    child_kill(server);
    for (int i = 0; i < 4; i++) must_write(writer, 0, 0); // the outbox holds as many
    expect_outcome(mslot_writer_write(writer, "x", 1, TEST_TIMEOUT_NS), MSLOT_NO_READER);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    expect_outcome(refusal(JOBS).outcome, MSLOT_NO_BRIDGE); // the outbox is there, and nobody reads it
    must_close_writer(writer);

    pid_t child = child_start();
    if (child == 0) {
        options.wait_ns = TEST_TIMEOUT_NS;
        mslot_opened opened = mslot_open(JOBS, &options); // it asks the next bridge to go on with it
        expect_outcome(opened.failure.outcome, MSLOT_DONE);
        must_write(opened.writer, 0, 0);
        must_close_writer(opened.writer);
        child_end();
    }
    server = start_bridge(make_and_answer, 3);
    must_write(patient.writer, 0, 0);
    must_close_writer(patient.writer);
    child_join(child);
    stop_bridge(server);
    expect_equal(shared_get(&words[DELIVERED]), 6);
}

TEST(a_forked_child_opens_an_outbox_of_its_own)
{
    pid_t server = start_bridge(make_and_answer, 8);
    mslot_writer *writer = must_open(JOBS);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_FORKED);
        mslot_writer *own = must_open(JOBS);
        must_write(own, 0, 0);
        must_close_writer(own);
        own = must_open("\\\\other\\mailslot\\x"); // asked for by the child
        must_write(own, 0, 0);
        must_close_writer(own);
        child_end();
    }
    child_join(child);
    must_write(writer, 0, 0);
    must_close_writer(writer);
    stop_bridge(server);
    expect_equal(shared_get(&words[DELIVERED]), 3);
    expect_equal(shared_get(&words[ASKED]), 2);
}

TEST(many_processes_that_ask_at_once_all_get_what_they_asked_for)
{
    enum { CLIENTS = 12, HOSTS = 3, MESSAGES = 20 };
    pid_t server = start_bridge(make_and_answer, 3);
    pid_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        if ((clients[i] = child_start()) != 0) continue;
        mslot_writer *writers[HOSTS];
        for (int host = 0; host < HOSTS; host++) {
            char name[64];
            snprintf(name, sizeof name, "\\\\host%d\\mailslot\\x", (host + i) % HOSTS);
            mslot_opened opened = open_within(name, 0, TEST_TIMEOUT_NS);
            expect_outcome(opened.failure.outcome, MSLOT_DONE);
            writers[host] = opened.writer;
        }
        for (int message = 0; message < MESSAGES; message++)
            for (int host = 0; host < HOSTS; host++) must_write(writers[host], 0, 0);
        for (int host = 0; host < HOSTS; host++) must_close_writer(writers[host]);
        child_end();
    }
    for (int i = 0; i < CLIENTS; i++) child_join(clients[i]);
    stop_bridge(server);
    expect_equal(shared_get(&words[DELIVERED]), CLIENTS * HOSTS * MESSAGES);
}

// MARK: whose bridge it is

enum { OTHER_USER = 4321 };

/// In a child that is another user.
static void as_other_user(void (*act)(void))
{
    pid_t child = child_start();
    if (child == 0) {
        expect_equal(setresuid(OTHER_USER, OTHER_USER, OTHER_USER), 0);
        act();
        child_end();
    }
    child_join(child);
}

static void expect_no_permission(void)
{
    mslot_failure failure = refusal(JOBS);
    expect_outcome(failure.outcome, MSLOT_NO_PERMISSION);
    description(&failure, JOBS);
}

static void make_bridge_mailslots_and_leave_them(void)
{
    mslot_create_options options = small_options(4, 4);
    options.mode = 0666;
    expect_outcome(mslot_create("bridge/answers", &options).failure.outcome, MSLOT_DONE);
    expect_outcome(mslot_create("bridge/requests", &options).failure.outcome, MSLOT_DONE);
}

TEST(a_bridge_of_another_user_is_believed_only_where_that_user_is_trusted)
{
    if (geteuid() != 0) skip("needs root");
    bridge b = bridge_start();
    as_other_user(expect_no_permission);
    bridge_end(&b);

    words = shared_words(WORDS);
    pid_t server = child_start();
    if (server == 0) {
        expect_equal(setresuid(OTHER_USER, OTHER_USER, OTHER_USER), 0);
        make_bridge_mailslots_and_leave_them();
        shared_set(&words[READY], 1);
        for (;;) pause();
    }
    wait_until(shared_get(&words[READY]) == 1);
    mslot_failure failure = refusal(JOBS);
    expect_outcome(failure.outcome, MSLOT_UNTRUSTED);
    expect_equal(failure.holder_uid, OTHER_USER);
    description(&failure, JOBS);
    mslot_open_options options = mslot_open_options_default();
    options.trust_user = OTHER_USER;
    options.answer_ns = 5 * MILLISECOND;
    expect_outcome(mslot_open(JOBS, &options).failure.outcome, MSLOT_TIMED_OUT);
    child_kill(server);

    // Answers of somebody else than the bridge.
    unlink_mailslot("bridge/requests");
    mslot_reader *requests = must_create("bridge/requests", 4, 4);
    expect_outcome(refusal(JOBS).outcome, MSLOT_UNTRUSTED);
    must_close(requests);
    unlink_mailslot("bridge/answers");
}

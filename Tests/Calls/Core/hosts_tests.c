// Where messages come from: what the bridge writes with them, and the table of hosts.

#include "common.h"
#include "traced.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// MARK: a message from another machine

TEST(a_message_from_another_machine_says_so_to_every_kind_of_reader_and_the_next_one_does_not)
{
    enum { SENDER = 0x7fffffff, ORIGIN = MSLOT_ORIGIN_AUTHENTICATED | 5 };
    mslot_reader *reader = must_create("orders", 8, 2);
    mslot_writer *writer = must_open_without_express("orders");
    mslot_observer_opened observing = mslot_observer_open("orders", 0);
    char bytes[MSLOT_MESSAGE_BYTES_MAX] = "from afar";
    for (int i = 0; i < 2; i++) {
        expect_outcome(mslot_writer_write_from(writer, bytes, sizeof bytes, 0, SENDER, ORIGIN), MSLOT_DONE);
        expect_outcome(mslot_writer_write(writer, "from here", 9, 0), MSLOT_DONE);
    }
    expect_outcome(mslot_writer_write_from(writer, NULL, 0, 0, 0, 1), MSLOT_DONE);

    mslot_view view = mslot_reader_peek(reader, 0);
    expect_outcome(view.outcome, MSLOT_DONE);
    expect(view.sender == SENDER && view.origin == ORIGIN && view.byte_count == sizeof bytes);
    expect(memcmp(view.bytes, bytes, sizeof bytes) == 0);
    view = mslot_reader_peek(reader, 0);
    expect(view.sender == (uint32_t)getpid() && view.origin == 0);
    expect_outcome(mslot_reader_release(reader, 2), MSLOT_DONE);

    static mslot_message messages[4];
    expect_equal(mslot_reader_read_batch(reader, messages, 4, 0).count, 3);
    expect(messages[0].sender == SENDER && messages[0].origin == ORIGIN && messages[0].byte_count == sizeof bytes);
    expect(messages[1].sender == (uint32_t)getpid() && messages[1].origin == 0);
    expect(messages[2].sender == 0 && messages[2].origin == 1 && messages[2].byte_count == 0);

    mslot_observed observed = mslot_observer_next(observing.observer, bytes, sizeof bytes);
    expect(observed.sender == SENDER && observed.origin == ORIGIN);
    expect_equal(mslot_observer_next(observing.observer, bytes, sizeof bytes).origin, 0);
    expect_outcome(mslot_observer_close(observing.observer), MSLOT_DONE);

    // A slot that had a message from afar is used for one of this machine: each of them, in the end.
    for (int i = 0; i < 64; i++) {
        bool is_from_afar = i < 32;
        mslot_outcome outcome =
            is_from_afar ? mslot_writer_write_from(writer, "a", 1, 0, SENDER, ORIGIN) : mslot_writer_write(writer, "a", 1, 0);
        expect_outcome(outcome, MSLOT_DONE);
        expect_equal(mslot_reader_peek(reader, 0).origin, is_from_afar ? ORIGIN : 0);
        expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    }
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_message_from_another_machine_keeps_its_origin_while_it_waits_for_room)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_writer_write_from(writer, "a", 1, 0, 7, 1), MSLOT_DONE);
    expect_outcome(mslot_writer_write_from(writer, "b", 1, 0, 7, 2), MSLOT_FULL);
    expect_outcome(mslot_writer_write_from(writer, "b", 1, 1000, 7, 2), MSLOT_TIMED_OUT);
    must_close_writer(writer);
    pid_t child = child_start();
    if (child == 0) {
        writer = must_open("orders");
        expect_outcome(mslot_writer_write_from(writer, "c", 1, TEST_TIMEOUT_NS, 8, 3), MSLOT_DONE);
        must_close_writer(writer);
        child_end();
    }
    wait_until(has_waited(reader, 2));
    mslot_view view = mslot_reader_peek(reader, 0);
    expect_equal(view.origin, 1);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    view = mslot_reader_peek(reader, TEST_TIMEOUT_NS);
    expect(view.byte_count == 1 && view.bytes[0] == 'c' && view.sender == 8 && view.origin == 3);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    child_join(child);
    must_close(reader);
}

TEST(a_message_from_another_machine_is_refused_as_any_other_is)
{
    mslot_create_options options = small_options(2, 3);
    options.message_bytes_max = 10000;
    mslot_created created = mslot_create("orders", &options);
    mslot_writer *writer = must_open("orders");
    static char bytes[MSLOT_MESSAGE_BYTES_MAX + 1];
    expect_outcome(mslot_writer_write_from(writer, bytes, sizeof bytes, 0, 7, 1), MSLOT_TOO_LONG); // also where longer ones are allowed
    expect_outcome(mslot_writer_loan(writer).outcome, MSLOT_DONE);
    expect_outcome(mslot_writer_write_from(writer, bytes, 1, 0, 7, 1), MSLOT_BUSY);
    expect_outcome(mslot_writer_publish(writer, 0, 0), MSLOT_DONE);
    expect_equal(mslot_reader_peek(created.reader, 0).origin, 0);
    pid_t child = child_start();
    if (child == 0) {
        expect_outcome(mslot_writer_write_from(writer, bytes, 1, 0, 7, 1), MSLOT_FORKED);
        child_end();
    }
    child_join(child);
    must_close(created.reader);
    expect_outcome(mslot_writer_write_from(writer, bytes, 1, 0, 7, 1), MSLOT_CLOSED);
    must_close_writer(writer);
}

TEST(several_messages_from_another_machine_are_written_in_order_up_to_the_first_that_cannot_be)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    static char bytes[MSLOT_MESSAGE_BYTES_MAX + 1];
    mslot_remote_message messages[6];
    for (uint32_t i = 0; i < 6; i++)
        messages[i] = (mslot_remote_message){.bytes = bytes, .byte_count = i, .sender = 70 + i, .origin = (uint16_t)(i + 1)};
    messages[2].byte_count = sizeof bytes;

    mslot_batch batch = mslot_writer_write_batch_from(writer, messages, 6);
    expect_outcome(batch.outcome, MSLOT_TOO_LONG);
    expect_equal(batch.count, 2);
    batch = mslot_writer_write_batch_from(writer, messages + 3, 3);
    expect_outcome(batch.outcome, MSLOT_FULL);
    expect_equal(batch.count, 2);
    expect_equal(mslot_reader_info(reader).full_writes, 1);
    static mslot_message read[4];
    expect_equal(mslot_reader_read_batch(reader, read, 4, 0).count, 4);
    static const uint32_t arrived[] = {0, 1, 3, 4};
    for (int i = 0; i < 4; i++)
        expect(read[i].byte_count == arrived[i] && read[i].sender == 70 + arrived[i] && read[i].origin == arrived[i] + 1);
    expect_outcome(mslot_writer_write_batch_from(writer, messages, 0).outcome, MSLOT_DONE);

    must_close(reader);
    batch = mslot_writer_write_batch_from(writer, messages, 2);
    expect_outcome(batch.outcome, MSLOT_CLOSED);
    expect_equal(batch.count, 0);
    must_close_writer(writer);
}

TEST(several_messages_from_another_machine_wake_their_reader_once)
{
    mslot_reader *reader = must_create("orders", 64, 2);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        mslot_remote_message messages[32];
        for (int i = 0; i < 32; i++) messages[i] = (mslot_remote_message){.bytes = "x", .byte_count = 1, .origin = 1};
        wait_until(mslot_writer_info(writer).reader_sleeps > 0);
        expect_equal(mslot_writer_write_batch_from(writer, messages, 32).count, 32);
        // Once a park, for it may have woken by itself and slept again meanwhile.
        mslot_info info = mslot_writer_info(writer);
        expect(info.reader_wakes >= 1 && info.reader_wakes <= info.reader_sleeps);
        must_close_writer(writer);
        child_end();
    }
    char bytes[8];
    for (int i = 0; i < 32; i++) expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS).outcome, MSLOT_DONE);
    expect_equal(mslot_reader_info(reader).late_wakes, 0);
    child_join(child);
    must_close(reader);
}

static uint64_t *steps;
static unsigned char *pages; // of the second message and the third
static size_t page_bytes;

/// The writer touches the bytes of the second message: it has published the first. Of the third: also the second, and it dies.
static void stop_between_messages(int number, siginfo_t *info, void *unused)
{
    (void)number, (void)unused;
    if ((unsigned char *)info->si_addr >= pages + page_bytes) raise(SIGKILL);
    mprotect(pages, page_bytes, PROT_READ);
    shared_set(steps, 1);
    while (shared_get(steps) != 2) {}
}

/// Lets the reader take the first message, and sleep for the second.
static void *wake_the_reader_in_between(void *context)
{
    mslot_reader *reader = context;
    wait_until(shared_get(steps) == 1);
    mslot_reader_interrupt(reader);
    const mslot_ring *ring = &reader->ring.ring;
    wait_until(mslot__load_acquire(&ring->control->parked_position) == 1 + ring->cell_count + 1);
    poll_pause();
    shared_set(steps, 2);
    return NULL;
}

TEST(a_reader_that_moved_on_within_a_batch_learns_at_once_of_a_message_whose_writer_was_killed)
{
    steps = shared_words(1);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    mslot_reader *reader = must_create("orders", 8, 1);
    pid_t child = child_start();
    if (child == 0) {
        pages = mmap(NULL, 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(pages != MAP_FAILED);
        sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = stop_between_messages, .sa_flags = SA_SIGINFO}, NULL);
        const mslot_remote_message messages[] = {
            {.bytes = "x", .byte_count = 1}, {.bytes = pages, .byte_count = 2}, {.bytes = pages + page_bytes, .byte_count = 3}};
        mslot_writer *writer = must_open("orders");
        if (mslot__writer_robust_list_slow(writer).list_op_pending == &writer->no_robust_list) skip("the kernel offers no robust list");
        wait_until(mslot_writer_info(writer).reader_sleeps > 0);
        mslot_writer_write_batch_from(writer, messages, 3);
        child_end();
    }
    pthread_t thread;
    pthread_create(&thread, NULL, wake_the_reader_in_between, reader);
    char bytes[8];
    expect_equal(mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS).byte_count, 1);
    mslot_received received;
    int64_t begun;
    do {
        begun = now_ns();
        received = mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS);
    } while (received.outcome == MSLOT_INTERRUPTED);
    expect_outcome(received.outcome, MSLOT_DONE);
    expect_equal(received.byte_count, 2);
    expect(now_ns() - begun < AT_ONCE_NS);
    pthread_join(thread, NULL);
    child_kill(child);
    must_close(reader);
}

// MARK: the table

enum { RECORD_BYTES = 512, COPY_BYTES = 256 };

static const char *table_path(void)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", getenv("MAILSLOT_DIRECTORY"), MSLOT_HOSTS_FILE);
    return path;
}

static mslot_hosts *must_open_hosts(uint32_t mode)
{
    mslot_hosts_opened opened = mslot_hosts_open(mode);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    expect(opened.hosts != NULL);
    return opened.hosts;
}

/// Everything in it follows from the two numbers, so that a torn one shows.
static mslot_host host_made_of(uint16_t number, uint64_t version)
{
    mslot_host host;
    memset(&host, 0, sizeof host);
    host.number = number;
    host.heard_ns = version;
    host.is_present = version % 2 == 1;
    host.is_authenticated = version % 3 == 0;
    snprintf(host.host, sizeof host.host, "render%u", number);
    memset(host.domain, 'a' + (int)(version % 26), version % MSLOT_HOST_BYTES_MAX + 1);
    memset(host.address, '0' + (int)(version % 10), version % (MSLOT_HOST_ADDRESS_BYTES_MAX + 1));
    return host;
}

static void must_set(mslot_hosts *hosts, uint16_t number, uint64_t version)
{
    mslot_host host = host_made_of(number, version);
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_DONE);
}

static void expect_same(const mslot_host *actual, const mslot_host *expected) { expect(memcmp(actual, expected, sizeof *actual) == 0); }

static void must_find(uint16_t number, uint64_t version)
{
    mslot_host expected = host_made_of(number, version);
    expected.is_authenticated = false;
    mslot_host_found found = mslot_origin_host(number, MSLOT_TRUST_NOBODY_ELSE);
    expect_outcome(found.failure.outcome, MSLOT_DONE);
    expect_same(&found.host, &expected);
}

static mslot_outcome find_outcome(uint16_t origin) { return mslot_origin_host(origin, MSLOT_TRUST_NOBODY_ELSE).failure.outcome; }

static void count_host(const mslot_host *host, void *count)
{
    mslot_host expected = host_made_of(host->number, host->heard_ns);
    expect_same(host, &expected);
    ++*(unsigned *)count;
}
static unsigned hosts_listed(void)
{
    unsigned count = 0;
    expect_outcome(mslot_hosts_list(count_host, &count, MSLOT_TRUST_NOBODY_ELSE).outcome, MSLOT_DONE);
    return count;
}
static mslot_outcome list_outcome(void)
{
    unsigned count = 0;
    return mslot_hosts_list(count_host, &count, MSLOT_TRUST_NOBODY_ELSE).outcome;
}

static void expect_words(const mslot_failure *failure)
{
    char text[1000];
    expect(mslot_failure_describe(failure, NULL, text, sizeof text) > 40);
    expect(strstr(text, "hosts") != NULL || strstr(text, "host's") != NULL || strstr(text, "The directory of the mailslots") != NULL);
}

TEST(a_host_is_found_by_the_origin_of_its_messages)
{
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 100);
    must_set(hosts, 7, 101);
    must_set(hosts, MSLOT_HOSTS_MAX, 2015); // the longest texts
    must_find(1, 100);
    must_find(7, 101);
    must_find(MSLOT_HOSTS_MAX, 2015);
    must_set(hosts, 7, 96); // the address is empty
    must_find(7, 96);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(the_origin_says_whether_the_message_was_authenticated_and_the_record_whether_the_host_is)
{
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 3, 3);
    must_set(hosts, 4, 4);
    for (uint16_t number = 3; number <= 4; number++) {
        mslot_host_found found = mslot_origin_host(MSLOT_ORIGIN_AUTHENTICATED | number, MSLOT_TRUST_NOBODY_ELSE);
        expect(found.failure.outcome == MSLOT_DONE && found.host.number == number && found.host.is_authenticated);
        expect(!mslot_origin_host(number, MSLOT_TRUST_NOBODY_ELSE).host.is_authenticated);
    }
    expect_equal(hosts_listed(), 2); // which compares the whole records
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(an_origin_that_names_no_host_is_told_from_one_that_is_not_known)
{
    expect_outcome(find_outcome(1), MSLOT_NOT_FOUND); // there is no table
    expect_outcome(list_outcome(), MSLOT_NOT_FOUND);
    mslot_hosts *hosts = must_open_hosts(0);
    expect_equal(hosts_listed(), 0);
    must_set(hosts, 2, 1);
    expect_outcome(find_outcome(0), MSLOT_BAD_ARGUMENT);
    expect_outcome(find_outcome(MSLOT_ORIGIN_AUTHENTICATED), MSLOT_BAD_ARGUMENT);
    expect_outcome(find_outcome(1), MSLOT_NOT_FOUND);
    expect_outcome(find_outcome(2), MSLOT_DONE);
    expect_outcome(find_outcome(3), MSLOT_NOT_FOUND);
    expect_outcome(find_outcome(MSLOT_HOSTS_MAX), MSLOT_NOT_FOUND);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(a_restarted_bridge_goes_on_with_the_table_that_is_there)
{
    for (uint64_t version = 1; version <= 20; version++) {
        mslot_hosts *hosts = must_open_hosts(version % 2 == 0 ? 0600 : 0);
        struct stat status;
        expect_equal(stat(table_path(), &status), 0);
        expect_equal(status.st_mode & 0777, version % 2 == 0 ? 0600 : 0644);
        expect_equal(hosts_listed(), version == 1 ? 0 : 2);
        must_set(hosts, 1, version);
        if (version == 1) must_set(hosts, 2, 1);
        must_find(1, version);
        must_find(2, 1);
        mslot_hosts_close(hosts);
        must_find(1, version); // the table stays
    }
    unlink(table_path());
}

TEST(what_cannot_be_in_a_record_is_refused)
{
    mslot_hosts *hosts = must_open_hosts(0);
    static const char *const bad[] = {"", "UPPER", "a/b", "a\\b", "a:b", "a*", "a?", "<a", "a>", "a\"", "a|b", "@", "a@b", "a\x1b[2J",
        "\x7f", "\xc2\x80", "\xff", "\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        trying("\"%s\"", bad[i]);
        mslot_host host = host_made_of(1, 1);
        memset(host.host, 0, sizeof host.host);
        strcpy(host.host, bad[i]);
        expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
        host = host_made_of(1, 1);
        memset(host.domain, 0, sizeof host.domain);
        strcpy(host.domain, bad[i]);
        expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
    }
    trying("other");
    mslot_host host = host_made_of(0, 1);
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
    host.number = MSLOT_HOSTS_MAX + 1;
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
    host = host_made_of(1, 1);
    memset(host.host, 'a', sizeof host.host); // no zero byte behind
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
    host = host_made_of(1, 1);
    memset(host.address, '1', sizeof host.address);
    mslot_failure failure = mslot_hosts_set(hosts, &host);
    expect_outcome(failure.outcome, MSLOT_BAD_ARGUMENT);
    expect_words(&failure);
    host = host_made_of(1, 1);
    strcpy(host.address, "1\n");
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_BAD_ARGUMENT);
    expect_equal(hosts_listed(), 0);
    strcpy(host.address, "[fe80::1%eth0]:4240");
    strcpy(host.host, "\xc3\xa4-7");
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_DONE);
    mslot_hosts_close(hosts);
    expect_outcome(mslot_hosts_open(0400).failure.outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_hosts_open(0755).failure.outcome, MSLOT_BAD_ARGUMENT);
    expect_outcome(mslot_hosts_open(0666).failure.outcome, MSLOT_BAD_ARGUMENT);
    unlink(table_path());
}

TEST(a_table_that_others_could_write_is_not_believed_and_made_anew)
{
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    mslot_hosts_close(hosts);
    const mode_t modes[] = {0664, 0646, 0622};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        expect_equal(chmod(table_path(), modes[i]), 0);
        int others = open(table_path(), O_RDWR | O_CLOEXEC);
        expect(others >= 0);
        expect_outcome(find_outcome(1), MSLOT_NOT_A_MAILSLOT);
        expect_outcome(list_outcome(), MSLOT_NOT_A_MAILSLOT);
        hosts = must_open_hosts(0);
        expect_equal(hosts_listed(), 0);
        must_set(hosts, 1, 1);
        mslot_hosts_close(hosts);
        // Whoever has the old one open writes to what nobody reads.
        expect_equal(ftruncate(others, 0), 0);
        close(others);
        must_find(1, 1);
    }
    unlink(table_path());
}

TEST(a_table_may_have_as_many_hosts_as_there_are_numbers)
{
    mslot_hosts *hosts = must_open_hosts(0);
    for (uint32_t number = 1; number <= MSLOT_HOSTS_MAX; number++) must_set(hosts, (uint16_t)number, number);
    expect_equal(hosts_listed(), MSLOT_HOSTS_MAX);
    must_find(MSLOT_HOSTS_MAX, MSLOT_HOSTS_MAX);
    must_find(12345, 12345);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

static int open_table(void)
{
    int descriptor = open(table_path(), O_RDWR | O_CLOEXEC);
    expect(descriptor >= 0);
    return descriptor;
}

TEST(an_update_cut_off_at_any_byte_leaves_what_was_there_or_what_was_to_be)
{
    mslot_hosts *hosts = must_open_hosts(0);
    int descriptor = open_table();
    for (uint64_t version = 1; version <= 4; version++) {
        unsigned char before[RECORD_BYTES] = {0}, after[RECORD_BYTES], torn[RECORD_BYTES];
        (void)!pread(descriptor, before, sizeof before, RECORD_BYTES);
        must_set(hosts, 1, version);
        memset(after, 0, sizeof after);
        expect(pread(descriptor, after, sizeof after, RECORD_BYTES) >= COPY_BYTES); // the first time there is only one
        size_t same_half = memcmp(before, after, COPY_BYTES) == 0 ? 0 : COPY_BYTES;
        expect(memcmp(before + same_half, after + same_half, COPY_BYTES) == 0); // only one copy was touched
        // Forwards, and as if the later bytes had come first.
        for (size_t cut = 0; cut <= 2 * RECORD_BYTES; cut++) {
            trying("version %d, cut at %zu", (int)version, cut);
            size_t of_after = cut % (RECORD_BYTES + 1);
            bool forwards = cut <= RECORD_BYTES;
            for (size_t i = 0; i < RECORD_BYTES; i++) torn[i] = (i < of_after) == forwards ? after[i] : before[i];
            expect_equal(pwrite(descriptor, torn, sizeof torn, RECORD_BYTES), RECORD_BYTES);
            mslot_host_found found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
            if (found.failure.outcome == MSLOT_NOT_FOUND) {
                expect_equal(version, 1);
                continue;
            }
            expect_outcome(found.failure.outcome, MSLOT_DONE);
            expect(found.host.heard_ns == version || found.host.heard_ns == version - 1);
            must_find(1, found.host.heard_ns);
        }
        expect_equal(pwrite(descriptor, after, sizeof after, RECORD_BYTES), RECORD_BYTES);
    }
    close(descriptor);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

/// A look at a record that took so long that the writer went on twice meanwhile: the first copy is read before, the second while it is
/// overwritten.
static unsigned char slow_look[RECORD_BYTES];

static void look_once(void)
{
    mslot_host_found found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
    expect_outcome(found.failure.outcome, MSLOT_DONE);
    expect_equal(found.host.heard_ns, 4);
}

TEST(a_host_read_while_its_bridge_writes_twice_is_not_older_than_before)
{
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    must_set(hosts, 1, 2); // what an earlier look may have found
    int descriptor = open_table();
    expect_equal(pread(descriptor, slow_look, RECORD_BYTES, RECORD_BYTES), RECORD_BYTES);
    must_set(hosts, 1, 3);
    must_set(hosts, 1, 4);
    enum { CHECK_AND_SEQUENCE = 16 }; // no more of it is there yet
    expect_equal(pread(descriptor, slow_look + COPY_BYTES, CHECK_AND_SEQUENCE, RECORD_BYTES + COPY_BYTES), CHECK_AND_SEQUENCE);
    close(descriptor);

    pid_t child = traced_start(NULL, look_once);
    unsigned looks = 0;
    unsigned long long place = 0;
    while (traced_go_on(child, PTRACE_SYSCALL) != TRACED_ENDED) {
        traced_call call = traced_system_call(child);
        if (call.at_entry) {
            bool is_look = call.number == SYS_pread64 && call.arguments[3] == RECORD_BYTES;
            place = is_look && looks++ == 0 ? call.arguments[1] : 0;
        } else if (place != 0) {
            struct iovec from = {slow_look, RECORD_BYTES}, to = {(void *)(uintptr_t)place, RECORD_BYTES};
            if (process_vm_writev(child, &from, 1, &to, 1, 0) != RECORD_BYTES) skip("no memory of another process: %s", strerror(errno));
        }
    }
    expect(looks > 1);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(a_host_is_whole_whenever_it_is_looked_at)
{
    enum { UPDATES = 20000, READERS = 3 };
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    uint64_t *done = shared_words(1);
    pid_t readers[READERS];
    for (int i = 0; i < READERS; i++) {
        if ((readers[i] = child_start()) != 0) continue;
        uint64_t newest = 1;
        do {
            mslot_host_found found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
            expect_outcome(found.failure.outcome, MSLOT_DONE);
            mslot_host expected = host_made_of(1, found.host.heard_ns);
            expected.is_authenticated = false;
            expect_same(&found.host, &expected);
            expect(found.host.heard_ns >= newest);
            newest = found.host.heard_ns;
        } while (shared_get(done) == 0);
        child_end();
    }
    for (uint64_t version = 2; version <= UPDATES; version++) must_set(hosts, 1, version);
    shared_set(done, 1);
    for (int i = 0; i < READERS; i++) child_join(readers[i]);
    must_find(1, UPDATES);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(a_bridge_killed_at_any_moment_leaves_a_table_that_its_successor_goes_on_with)
{
    enum { KILLS = 30 };
    uint64_t *newest = shared_words(1);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = child_start();
        if (child == 0) {
            mslot_hosts *hosts = must_open_hosts(0);
            for (;;) {
                must_set(hosts, 1, shared_get(newest) + 1);
                shared_add(newest, 1);
            }
        }
        uint64_t target = shared_get(newest) + 1 + random_below(50);
        wait_until(shared_get(newest) >= target);
        child_kill(child);
        mslot_host_found found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
        expect_outcome(found.failure.outcome, MSLOT_DONE);
        expect(found.host.heard_ns == shared_get(newest) || found.host.heard_ns == shared_get(newest) + 1);
        shared_set(newest, found.host.heard_ns);
        must_find(1, found.host.heard_ns);
    }
    unlink(table_path());
}

// MARK: tables that cannot be believed

TEST(a_table_cut_short_is_read_as_far_as_it_goes)
{
    enum { HOSTS = 3, OLDER = 95, NEWER = 95 + 96 }; // with texts to the end of a copy
    mslot_hosts *hosts = must_open_hosts(0);
    for (uint16_t number = 1; number <= HOSTS; number++)
        for (uint64_t version = OLDER; version <= NEWER; version += NEWER - OLDER) must_set(hosts, number, version);
    int descriptor = open_table();
    for (off_t size = (HOSTS + 1) * RECORD_BYTES; size >= 0; size -= 64) {
        trying("%d bytes", (int)size);
        expect_equal(ftruncate(descriptor, size), 0);
        if (size < RECORD_BYTES) {
            expect_outcome(list_outcome(), size == 0 ? MSLOT_NOT_FOUND : MSLOT_NOT_A_MAILSLOT);
            expect_outcome(find_outcome(1), size == 0 ? MSLOT_NOT_FOUND : MSLOT_NOT_A_MAILSLOT);
            continue;
        }
        // The first copy is the older one.
        unsigned whole = (unsigned)(size / RECORD_BYTES) - 1;
        bool half = size % RECORD_BYTES >= COPY_BYTES;
        expect_equal(hosts_listed(), whole + half);
        if (whole > 0) must_find((uint16_t)whole, NEWER);
        if (half) must_find((uint16_t)(whole + 1), OLDER);
    }
    close(descriptor);
    mslot_hosts_close(hosts);
    trying("a bridge that was killed when it had just made it");
    mslot_hosts_close(must_open_hosts(0));
    expect_equal(hosts_listed(), 0);
    unlink(table_path());
}

static uint64_t check_of(const unsigned char *copy)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 8; i < COPY_BYTES; i++) hash = (hash ^ copy[i]) * 0x100000001b3ULL;
    return hash;
}

/// Writes one byte of the only copy of host 1, and the check that goes with it.
static void put_byte(int descriptor, size_t offset, unsigned char value)
{
    unsigned char copy[COPY_BYTES];
    expect_equal(pread(descriptor, copy, sizeof copy, RECORD_BYTES), COPY_BYTES);
    copy[offset] = value;
    uint64_t check = check_of(copy);
    memcpy(copy, &check, sizeof check);
    expect_equal(pwrite(descriptor, copy, sizeof copy, RECORD_BYTES), COPY_BYTES);
}

TEST(a_record_that_breaks_a_rule_is_no_host_whatever_its_check_says)
{
    static const struct {
        const char *rule;
        size_t offset;
        unsigned char value;
    } cases[] = {
        {"the sequence is 0", 8, 0},
        {"no host", 28, 0},
        {"host too long", 28, 64},
        {"host far too long", 28, 255},
        {"host cut", 28, 3},
        {"no domain", 29, 0},
        {"domain too long", 29, 64},
        {"domain longer than its text", 29, 63},
        {"address too long", 30, 96},
        {"address far too long", 30, 255},
        {"address cut", 30, 0},
        {"byte 31", 31, 1},
        {"escape in host", 32, 0x1b},
        {"capital", 33, 'A'},
        {"separator", 33, '/'},
        {"not UTF-8", 33, 0xff},
        {"zero in host", 34, 0},
        {"behind host", 32 + 63, 'x'},
        {"escape in domain", 96, 0x1b},
        {"star", 96, '*'},
        {"behind domain", 96 + 63, 1},
        {"newline in address", 160, '\n'},
        {"not ASCII", 160, 0x80},
        {"behind address", 255, '1'},
    };
    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    int descriptor = open_table();
    unsigned char sound[COPY_BYTES];
    expect_equal(pread(descriptor, sound, sizeof sound, RECORD_BYTES), COPY_BYTES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trying("%s", cases[i].rule);
        must_find(1, 1);
        put_byte(descriptor, cases[i].offset, cases[i].value);
        expect_outcome(find_outcome(1), MSLOT_NOT_FOUND);
        expect_equal(hosts_listed(), 0);
        expect_equal(pwrite(descriptor, sound, sizeof sound, RECORD_BYTES), COPY_BYTES);
    }
    trying("any byte, without the check that goes with it");
    for (size_t i = 0; i < COPY_BYTES; i++) {
        unsigned char other = (unsigned char)(sound[i] + 1 + random_below(255));
        expect_equal(pwrite(descriptor, &other, 1, RECORD_BYTES + (off_t)i), 1);
        expect_outcome(find_outcome(1), MSLOT_NOT_FOUND);
        expect_equal(pwrite(descriptor, &sound[i], 1, RECORD_BYTES + (off_t)i), 1);
    }
    trying("the bridge writes it again");
    put_byte(descriptor, 31, 1);
    must_set(hosts, 1, 2);
    must_find(1, 2);
    close(descriptor);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(a_file_that_is_no_table_is_refused_by_readers_and_replaced_by_the_bridge)
{
    static const struct {
        off_t offset;
        uint32_t value;
        mslot_outcome outcome;
    } headers[] = {{0, 1, MSLOT_NOT_A_MAILSLOT}, {8, 7, MSLOT_OTHER_LAYOUT}, {12, 256, MSLOT_OTHER_LAYOUT}};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        mslot_hosts *hosts = must_open_hosts(0);
        must_set(hosts, 1, 1);
        mslot_hosts_close(hosts);
        int descriptor = open_table();
        expect_equal(pwrite(descriptor, &headers[i].value, 4, headers[i].offset), 4);
        close(descriptor);
        expect_outcome(find_outcome(1), headers[i].outcome);
        mslot_failure failure = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE).failure;
        expect_words(&failure);
        hosts = must_open_hosts(0);
        expect_equal(hosts_listed(), 0);
        mslot_hosts_close(hosts);
    }
    unlink(table_path());

    expect_equal(mkfifo(table_path(), 0600), 0);
    expect_outcome(find_outcome(1), MSLOT_NOT_A_MAILSLOT);
    mslot_hosts_close(must_open_hosts(0));
    expect_equal(hosts_listed(), 0);
    unlink(table_path());

    mslot_hosts *hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    mslot_hosts_close(hosts);
    char elsewhere[PATH_MAX + 8];
    snprintf(elsewhere, sizeof elsewhere, "%s.away", table_path());
    expect_equal(rename(table_path(), elsewhere), 0);
    expect_equal(symlink(elsewhere, table_path()), 0); // to a sound one
    expect_outcome(find_outcome(1), MSLOT_NOT_A_MAILSLOT);
    mslot_hosts_close(must_open_hosts(0));
    expect_equal(hosts_listed(), 0);
    unlink(table_path());
    unlink(elsewhere);

    hosts = must_open_hosts(0);
    must_set(hosts, 1, 1);
    mslot_hosts_close(hosts);
    expect_equal(rename(table_path(), elsewhere), 0);
    expect_equal(link(elsewhere, table_path()), 0); // to another's file, perhaps
    expect_outcome(find_outcome(1), MSLOT_NOT_A_MAILSLOT);
    mslot_hosts_close(must_open_hosts(0));
    expect_equal(hosts_listed(), 0);
    unlink(table_path());
    unlink(elsewhere);

    expect_equal(mkdir(table_path(), 0700), 0);
    expect_outcome(find_outcome(1), MSLOT_NOT_A_MAILSLOT);
    expect_outcome(mslot_hosts_open(0).failure.outcome, MSLOT_NOT_A_MAILSLOT);
    rmdir(table_path());
}

TEST(the_table_of_another_user_is_believed_only_where_that_user_is_trusted)
{
    if (geteuid() != 0) skip("needs root");
    enum { OTHER = 4321 };
    pid_t child = child_start();
    if (child == 0) {
        expect_equal(setresuid(OTHER, OTHER, OTHER), 0);
        mslot_hosts *hosts = must_open_hosts(0644);
        must_set(hosts, 1, 1);
        mslot_hosts_close(hosts);
        child_end();
    }
    child_join(child);
    mslot_host_found found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
    expect_outcome(found.failure.outcome, MSLOT_UNTRUSTED);
    expect_equal(found.failure.holder_uid, OTHER);
    expect_words(&found.failure);
    expect_outcome(list_outcome(), MSLOT_UNTRUSTED);
    expect_outcome(mslot_origin_host(1, OTHER).failure.outcome, MSLOT_DONE);
    expect_outcome(mslot_origin_host(1, MSLOT_TRUST_ANYONE).failure.outcome, MSLOT_DONE);

    // Whose bridge this is trusts nobody else's table; root can replace it.
    mslot_hosts_close(must_open_hosts(0600));
    expect_equal(hosts_listed(), 0);
    child = child_start();
    if (child == 0) {
        expect_equal(setresuid(OTHER, OTHER, OTHER), 0);
        found = mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE);
        expect_outcome(found.failure.outcome, MSLOT_NO_PERMISSION);
        expect_words(&found.failure);
        child_end();
    }
    child_join(child);
    // Root's, in a directory like /dev/shm.
    expect_equal(chmod(getenv("MAILSLOT_DIRECTORY"), 01777), 0);
    child = child_start();
    if (child == 0) {
        expect_equal(setresuid(OTHER, OTHER, OTHER), 0);
        expect_outcome(mslot_hosts_open(0).failure.outcome, MSLOT_NO_PERMISSION);
        child_end();
    }
    child_join(child);
    unlink(table_path());
}

TEST(the_table_is_no_mailslot_and_no_mailslot_is_the_table)
{
    mslot_hosts *hosts = must_open_hosts(0);
    unsigned count = 0;
    expect_outcome(mslot_list((void (*)(const char *, void *))abort, &count).outcome, MSLOT_DONE);
    mslot_reader *reader = must_create(MSLOT_HOSTS_FILE, 2, 2);
    expect_equal(hosts_listed(), 0);
    must_close(reader);
    mslot_hosts_close(hosts);
    unlink(table_path());
}

TEST(a_table_that_cannot_be_made_says_why)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s", getenv("MAILSLOT_DIRECTORY"));
    setenv("MAILSLOT_DIRECTORY", "/no/such/directory", 1);
    mslot_failure failure = mslot_hosts_open(0).failure;
    expect_outcome(failure.outcome, MSLOT_NOT_FOUND);
    expect_words(&failure);
    setenv("MAILSLOT_DIRECTORY", "no/such/directory", 1);
    expect_outcome(mslot_hosts_open(0).failure.outcome, MSLOT_NOT_FOUND);
    expect_outcome(find_outcome(1), MSLOT_NOT_FOUND);
    setenv("MAILSLOT_DIRECTORY", directory, 1);

    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call(SYS_fchmod, EPERM);
        expect_outcome(mslot_hosts_open(0).failure.outcome, MSLOT_NO_PERMISSION);
        child_end();
    }
    child_join(child);
    unlink(table_path());

    failure = (mslot_failure){.outcome = MSLOT_SYSTEM_ERROR, .system_error = EIO};
    expect_words(&failure);
    failure.outcome = MSLOT_NO_SPACE;
    expect_words(&failure);
}

TEST(a_limit_of_file_sizes_is_an_error_of_the_table_and_never_a_death)
{
    pid_t child = child_start(); // for the limit is the process's
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
        expect_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        expect_outcome(mslot_hosts_open(0).failure.outcome, MSLOT_NO_SPACE);
        limit.rlim_cur = 2 * RECORD_BYTES;
        expect_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        mslot_hosts *hosts = must_open_hosts(0);
        mslot_host host = {.number = 1, .host = "ben", .domain = "home"};
        expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_DONE);
        host.number = 2;
        expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_NO_SPACE);
        expect_outcome(mslot_hosts_close(hosts), MSLOT_DONE);
        child_end();
    }
    child_join(child);
    expect_equal(unlink(table_path()), 0);
}

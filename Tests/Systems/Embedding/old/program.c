/*
 * A program that was compiled with the headers of 0.2.0, with the library of today: every structure that crosses lies between guards, so
 * that a library which writes more than the program has room for is seen, and so is one that finds a field in another place.
 */
#include "mailslots-0.2.0.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

/// A structure of the program's, with as much behind it as a library that thinks it larger would overwrite.
#define GUARDED(type, name)      \
    struct {                     \
        type value;              \
        unsigned char guard[64]; \
    } name;                      \
    memset(&name, 0xa5, sizeof name)

static void expect_guard(const unsigned char guard[64], const char *what)
{
    for (size_t i = 0; i < 64; i++) expect(guard[i] == 0xa5, what);
}

static bool is_zero(const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < count; i++)
        if (byte[i] != 0) return false;
    return true;
}

static void never(mslot_wait *wait) { (void)wait; }

static uint64_t counter_named(const mslot_info *info, const char *name)
{
    for (size_t i = 0; i < 13; i++) {
        const mslot_counter *counter = mslot_counter_describe(i);
        expect(counter != NULL && counter->offset <= sizeof *info - 8, "the program knows where the counters of its time are");
        if (strcmp(counter->name, name) == 0) return *(const uint64_t *)(const void *)((const char *)info + counter->offset);
    }
    return UINT64_MAX;
}

static mslot_reader *create(void)
{
    GUARDED(mslot_create_options, options); // what is behind it is not zero: a library that looks there refuses
    memset(&options.value, 0, sizeof options.value);
    options.value.size = sizeof options.value;
    options.value.capacity = 4;
    options.value.writers = 2;
    options.value.message_bytes_max = 100;
    options.value.mode = 0660;
    options.value.read_timeout_ns = 123456789;
    options.value.allow_remote = true;
    GUARDED(mslot_created, created);
    created.value = mslot_create("old", &options.value);
    expect_guard(created.guard, "mslot_created has its size");
    expect_guard(options.guard, "options are not written to");
    expect(created.value.failure.outcome == MSLOT_DONE && created.value.reader != NULL && !created.value.adopted, "it is created");
    expect(is_zero(created.value.failure.words, sizeof created.value.failure.words), "a success has no words");
    return created.value.reader;
}

static mslot_writer *open_it(void)
{
    GUARDED(mslot_open_options, options);
    memset(&options.value, 0, sizeof options.value);
    options.value.size = sizeof options.value;
    options.value.trust_user = MSLOT_TRUST_NOBODY_ELSE;
    options.value.populate = true;
    GUARDED(mslot_opened, opened);
    opened.value = mslot_open("old", &options.value);
    expect_guard(opened.guard, "mslot_opened has its size");
    expect(opened.value.failure.outcome == MSLOT_DONE && opened.value.writer != NULL, "it is opened");
    return opened.value.writer;
}

static void check_info(const mslot_info *info, const char *what)
{
    expect(info->outcome == MSLOT_DONE && info->capacity == 4 && info->writers_max == 2 && info->message_bytes_max == 100, what);
    expect(info->mode == 0660 && info->read_timeout_ns == 123456789 && info->allows_remote && info->reader_present, what);
    expect(strcmp(info->name, "old") == 0 && info->message_count == 1 && info->next_byte_count == 5, what);
    expect(info->messages_written == 5 && info->messages_read == 4 && info->full_writes == 1 && info->high_water == 4, what);
    expect(info->damaged == 0 && info->adoptions == 0 && info->late_wakes == 0, what);
    expect(counter_named(info, "messages_written") == 5 && counter_named(info, "full_writes") == 1, what);
}

int main(void)
{
    mslot_reader *reader = create();
    mslot_writer *writer = open_it();

    mslot_bytes three[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
    mslot_batch batch = mslot_writer_write_batch(writer, three, 3, 0);
    expect(batch.outcome == MSLOT_DONE && batch.count == 3, "a batch is written");
    mslot_loaned loaned = mslot_writer_loan(writer);
    expect(loaned.outcome == MSLOT_DONE, "a slot is lent");
    memcpy(loaned.bytes, "four", 4);
    expect(mslot_writer_publish(writer, 4, 0) == MSLOT_DONE, "it is published");
    expect(mslot_writer_write(writer, "no room", 7, 0) == MSLOT_FULL, "it is full");

    mslot_view view = mslot_reader_peek(reader, 0);
    expect(view.outcome == MSLOT_DONE && view.byte_count == 3 && memcmp(view.bytes, "one", 3) == 0 && view.origin == 0, "one is seen");
    expect(mslot_reader_release(reader, 1) == MSLOT_DONE, "and released");
    GUARDED(mslot_message, message);
    batch = mslot_reader_read_batch(reader, &message.value, 1, 0);
    expect_guard(message.guard, "mslot_message has its size");
    expect(batch.count == 1 && message.value.byte_count == 3 && memcmp(message.value.bytes, "two", 3) == 0, "two is read");
    char buffer[100];
    mslot_received received = mslot_reader_read(reader, buffer, sizeof buffer, 0);
    expect(received.outcome == MSLOT_DONE && received.byte_count == 5 && received.position == 6, "three is read");
    expect(mslot_reader_read(reader, buffer, sizeof buffer, 0).byte_count == 4, "four is read");

    GUARDED(mslot_wait, wait);
    memset(&wait.value, 0, sizeof wait.value);
    wait.value.ended = never;
    wait.value.timeout_ns = MSLOT_FOREVER;
    expect(mslot_reader_begin_wait(reader, &wait.value) == MSLOT_EMPTY, "a wait begins");
    mslot_wait_stop(&wait.value);
    expect(mslot_reader_end_wait(reader) == MSLOT_DONE, "and ends");
    expect_guard(wait.guard, "mslot_wait has its size");

    expect(mslot_writer_write(writer, "fifth", 5, 0) == MSLOT_DONE, "a fifth is written");
    GUARDED(mslot_info, info);
    expect(mslot_reader_info_into(reader, &info.value, sizeof info.value) == MSLOT_DONE, "the reader tells");
    expect_guard(info.guard, "mslot_info is filled in as far as the program has room");
    check_info(&info.value, "information of the reader");
    expect(mslot_inspect_into("old", &info.value, sizeof info.value).outcome == MSLOT_DONE, "it can be inspected");
    expect_guard(info.guard, "mslot_info is filled in as far as the program has room");
    check_info(&info.value, "information of a third party");
    expect(info.value.writer_count == 1, "with the number of writers");

    GUARDED(mslot_observer_opened, observing);
    observing.value = mslot_observer_open("old", 1);
    expect_guard(observing.guard, "mslot_observer_opened has its size");
    expect(observing.value.failure.outcome == MSLOT_DONE, "it can be observed");
    GUARDED(mslot_observed, observed);
    observed.value = mslot_observer_next(observing.value.observer, buffer, sizeof buffer);
    expect_guard(observed.guard, "mslot_observed has its size");
    expect(observed.value.outcome == MSLOT_DONE && observed.value.byte_count == 5 && observed.value.position == 8, "the fifth is seen");
    expect(mslot_observer_close(observing.value.observer) == MSLOT_DONE, "the observer closes");

    GUARDED(mslot_hosts_opened, hosts);
    hosts.value = mslot_hosts_open(0);
    expect_guard(hosts.guard, "mslot_hosts_opened has its size");
    expect(hosts.value.failure.outcome == MSLOT_DONE, "the table opens");
    GUARDED(mslot_host, host);
    memset(&host.value, 0, sizeof host.value);
    host.value.number = 7;
    host.value.is_present = true;
    host.value.heard_ns = 99;
    strcpy(host.value.host, "mars");
    strcpy(host.value.domain, "studio");
    strcpy(host.value.address, "10.0.0.1:1");
    expect(mslot_hosts_set(hosts.value.hosts, &host.value).outcome == MSLOT_DONE, "a host is set");
    expect_guard(host.guard, "a host is not written to");
    GUARDED(mslot_host_found, found);
    found.value = mslot_origin_host(7, MSLOT_TRUST_NOBODY_ELSE);
    expect_guard(found.guard, "mslot_host_found has its size");
    expect(found.value.failure.outcome == MSLOT_DONE && found.value.host.number == 7 && found.value.host.heard_ns == 99
            && strcmp(found.value.host.address, "10.0.0.1:1") == 0 && strcmp(found.value.host.domain, "studio") == 0,
        "the host is found");
    expect(mslot_hosts_close(hosts.value.hosts) == MSLOT_DONE, "the table closes");

    expect(mslot_writer_close(writer) == MSLOT_DONE && mslot_reader_close(reader) == MSLOT_DONE, "both close");
    mslot_failure failure = mslot_open("old", NULL).failure;
    char text[500];
    expect(failure.outcome == MSLOT_NOT_FOUND && mslot_failure_describe(&failure, "old", text, sizeof text) > 10, "it is gone");
    expect(strstr(text, "There is no mailslot \"old\"") != NULL, "and that is said");
    puts("an old program runs");
    return 0;
}

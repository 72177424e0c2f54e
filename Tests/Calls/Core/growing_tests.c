// Structures of programs that were compiled with earlier or later headers. Tests/Systems/Embedding/old has a whole such program.

#include "common.h"

#include <string.h>

/// Options of a later version, with a field that this library does not know.
typedef struct later_create_options {
    mslot_create_options known;
    uint64_t unknown;
} later_create_options;
typedef struct later_open_options {
    mslot_open_options known;
    uint64_t unknown;
} later_open_options;

static mslot_outcome outcome_of_opening(const mslot_open_options *options)
{
    mslot_opened opened = mslot_open("orders", options);
    if (opened.writer != NULL) must_close_writer(opened.writer);
    return opened.failure.outcome;
}

TEST(options_of_a_later_version_are_taken_unless_they_ask_for_what_is_not_known)
{
    later_create_options create = {.known = small_options(4, 2)};
    create.known.size = sizeof create;
    expect_outcome(create_outcome("orders", &create.known), MSLOT_DONE);
    ((unsigned char *)&create.unknown)[7] = 1;
    expect_outcome(create_outcome("orders", &create.known), MSLOT_BAD_ARGUMENT);

    mslot_reader *reader = must_create("orders", 4, 2);
    later_open_options open = {.known = mslot_open_options_default()};
    open.known.size = sizeof open;
    expect_outcome(outcome_of_opening(&open.known), MSLOT_DONE);
    ((unsigned char *)&open.unknown)[0] = 1;
    expect_outcome(outcome_of_opening(&open.known), MSLOT_BAD_ARGUMENT);
    must_close(reader);
}

/// Both structures of options began with so many bytes.
enum { FIRST_OPTIONS_BYTES = 32 };

TEST(options_of_the_first_version_are_taken_and_ask_for_nothing_that_came_later)
{
    mslot_create_options create = small_options(4, 2);
    create.size = FIRST_OPTIONS_BYTES;
    create.reserved_behind[0] = 1; // not theirs
    create.polling_ns = MSLOT_POLLING_NEVER - 1;
    mslot_reader *reader = mslot_create("orders", &create).reader;
    expect(reader != NULL);
    mslot_open_options open = mslot_open_options_default();
    open.size = FIRST_OPTIONS_BYTES;
    open.reserved_behind[0] = 1;
    open.polling_ns = MSLOT_POLLING_NEVER - 1;
    expect_outcome(outcome_of_opening(&open), MSLOT_DONE);
    must_close(reader);
}

TEST(options_without_a_size_or_with_an_impossible_one_are_refused)
{
    static const uint32_t sizes[] = {0, 1, FIRST_OPTIONS_BYTES - 1, 4097, 0xffffffff};
    mslot_reader *reader = must_create("other", 4, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        trying("a size of %u", sizes[i]);
        mslot_create_options create = small_options(4, 2);
        create.size = sizes[i];
        expect_outcome(create_outcome("orders", &create), MSLOT_BAD_ARGUMENT);
        mslot_open_options open = mslot_open_options_default();
        open.size = sizes[i];
        expect_outcome(mslot_open("other", &open).failure.outcome, MSLOT_BAD_ARGUMENT);
    }
    must_close(reader);
}

TEST(a_reserved_word_that_is_not_zero_is_refused)
{
    mslot_create_options create = small_options(4, 2);
    create.reserved = 1;
    expect_outcome(create_outcome("orders", &create), MSLOT_BAD_ARGUMENT);
    for (size_t i = 0; i < sizeof create.reserved_behind; i++) {
        create = small_options(4, 2);
        create.reserved_behind[i] = 1;
        expect_outcome(create_outcome("orders", &create), MSLOT_BAD_ARGUMENT);
    }

    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    for (size_t i = 0; i < sizeof((mslot_open_options *)0)->reserved; i++) {
        mslot_open_options open = mslot_open_options_default();
        open.reserved[i] = 1;
        expect_outcome(outcome_of_opening(&open), MSLOT_BAD_ARGUMENT);
    }
    for (size_t i = 0; i < sizeof((mslot_open_options *)0)->reserved_behind; i++) {
        mslot_open_options open = mslot_open_options_default();
        open.reserved_behind[i] = 1;
        expect_outcome(outcome_of_opening(&open), MSLOT_BAD_ARGUMENT);
    }
    for (size_t i = 0; i < 2; i++) {
        mslot_wait wait = {.ended = mslot_wait_signal_eventfd};
        wait.reserved[i] = 1ULL << 63;
        expect_outcome(mslot_reader_begin_wait(reader, &wait), MSLOT_BAD_ARGUMENT);
        expect_outcome(mslot_writer_write_or_begin_wait(writer, "x", 1, &wait), MSLOT_BAD_ARGUMENT);
    }
    expect_equal(mslot_reader_info(reader).messages_written, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(information_is_filled_in_as_far_as_the_caller_has_room)
{
    mslot_reader *reader = must_create("orders", 4, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    struct {
        mslot_info known;
        uint64_t unknown[2];
        uint64_t guard;
    } later;
    const mslot_info whole = mslot_reader_info(reader);
    static const size_t sizes[] = {
        4, offsetof(mslot_info, messages_written), offsetof(mslot_info, adoptions), sizeof(mslot_info), sizeof(mslot_info) + 16};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int call = 0; call < 3; call++) {
            trying("call %d with %zu bytes", call, sizes[i]);
            memset(&later, 0xa5, sizeof later);
            if (call == 0) expect_outcome(mslot_reader_info_into(reader, &later.known, sizes[i]), MSLOT_DONE);
            if (call == 1) expect_outcome(mslot_writer_info_into(writer, &later.known, sizes[i]), MSLOT_DONE);
            if (call == 2) expect_outcome(mslot_inspect_into("orders", &later.known, sizes[i]).outcome, MSLOT_DONE);
            const unsigned char *bytes = (const unsigned char *)&later;
            for (size_t b = sizes[i]; b < sizeof later; b++) expect_equal(bytes[b], 0xa5);
            for (size_t b = sizeof(mslot_info); b < sizes[i]; b++) expect_equal(bytes[b], 0);
            // mslot_inspect asks for the number of writers too.
            size_t same = call == 2 && sizes[i] > offsetof(mslot_info, writer_count) ? offsetof(mslot_info, writer_count) : sizes[i];
            if (same > sizeof whole) same = sizeof whole;
            expect(memcmp(bytes, &whole, same) == 0);
        }
    }
    must_close_writer(writer);
    must_read_this(reader, 0, 0);
    must_close(reader);
}

// What is given back by value, or lies in arrays and in programs' memory, keeps its size for as long as the soname is the same.
MSLOT_STATIC_ASSERT(sizeof(mslot_failure) == 456 && sizeof(mslot_created) == 480 && sizeof(mslot_opened) == 480, "of opening");
MSLOT_STATIC_ASSERT(sizeof(mslot_observer_opened) == 480 && sizeof(mslot_hosts_opened) == 480, "of opening");
MSLOT_STATIC_ASSERT(sizeof(mslot_view) == 32 && sizeof(mslot_received) == 16 && sizeof(mslot_loaned) == 16, "hot");
MSLOT_STATIC_ASSERT(sizeof(mslot_batch) == 16 && sizeof(mslot_ready) == 16 && sizeof(mslot_observed) == 40, "by value");
MSLOT_STATIC_ASSERT(sizeof(mslot_host) == 272 && sizeof(mslot_host_found) == 728, "hosts");
MSLOT_STATIC_ASSERT(sizeof(mslot_message) == 448 && sizeof(mslot_bytes) == 16 && sizeof(mslot_remote_message) == 24, "of arrays");
MSLOT_STATIC_ASSERT(sizeof(mslot_wait) == 168, "in the program's memory");

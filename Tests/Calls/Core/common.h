// The steps that tests share: creating, opening, and messages that show whether they are whole.
#ifndef CORE_TESTS_COMMON_H
#define CORE_TESTS_COMMON_H

#include "harness.h"

#include <mailslots.h>

// MARK: handles

/// Creates with this many cells and lanes, or fails the test.
mslot_reader *must_create(const char *name, uint32_t capacity, uint32_t writers);
/// Adopts what a dead reader left, or fails the test.
mslot_reader *must_adopt(const char *name);
mslot_writer *must_open(const char *name);
/// One that writes by slots only: where there is another lane than the express lane.
mslot_writer *must_open_without_express(const char *name);
void must_close(mslot_reader *reader);
void must_close_writer(mslot_writer *writer);

mslot_outcome create_outcome(const char *name, const mslot_create_options *options);
mslot_outcome open_outcome(const char *name);

static inline mslot_create_options small_options(uint32_t capacity, uint32_t writers)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = capacity;
    options.writers = writers;
    return options;
}

/// True while the reader is asleep on its cell.
static inline bool is_parked(const mslot_control *control) { return mslot__load_acquire(&control->parked_position) != 0; }
/// True once some writer has slept for room `count` times.
static inline bool has_waited(mslot_reader *reader, uint64_t count) { return mslot_reader_info(reader).writer_waits >= count; }

// MARK: other users

enum { SOMEBODY = 65534, SOMEBODY_ELSE = 65533 };
/// Skips the test where it cannot act as another user.
void need_root(void);
/// Files in the directory of the mailslots.
unsigned files_in_directory(void);
/// An emulator may take MADV_DONTFORK and do nothing. Then a forked child has its parent's mappings, and with them its locks.
void need_mappings_that_are_not_forked(void);
/// The rest of this child runs as that user.
void become(uid_t user);

// MARK: kernels that lack something

/// From here on this process and its children get `error` from this system call, as from an older or a confined kernel.
/// Skips the test where the kernel does not filter system calls.
void refuse_system_call(long number, int error);
/// Only where this argument, counted from 0, has one of these bits, or is this value.
void refuse_system_call_with_bits(long number, int error, unsigned argument, uint32_t bits);
void refuse_system_call_with_value(long number, int error, unsigned argument, uint32_t value);

// MARK: messages

/// A message says whose it is and which, and ends with a checksum over all of it; its length depends on `number`.
size_t message_make(unsigned char *bytes, uint64_t writer, uint64_t number);
/// The same of this length, 24 bytes or more.
size_t message_make_of(size_t byte_count, unsigned char *bytes, uint64_t writer, uint64_t number);

typedef struct message_read {
    uint64_t writer;
    uint64_t number;
} message_read;
/// Fails the test if the message is torn.
message_read message_check(const unsigned char *bytes, size_t byte_count);

/// Writes message `number` of `writer`, waiting for room; DONE, or fails the test.
void must_write(mslot_writer *handle, uint64_t writer, uint64_t number);
/// Reads the next message, waiting for it, and checks that it is whole.
message_read must_read(mslot_reader *reader);
/// Reads the next message, which must be this one.
void must_read_this(mslot_reader *reader, uint64_t writer, uint64_t number);
/// Everything was read, and every slot index is in exactly one place.
void expect_empty_and_sound(mslot_reader *reader);

/// Counts what arrives from each of several writers: in each writer's order, none twice.
enum { TALLY_WRITERS_MAX = 64 };
typedef struct counts {
    uint64_t next[TALLY_WRITERS_MAX];
    uint64_t count;
} counts;
/// `gaps`: numbers may be missing, for a writer may have been killed.
void counts_add(counts *t, message_read message, bool gaps);

#endif

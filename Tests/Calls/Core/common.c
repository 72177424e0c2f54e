#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// MARK: handles

mslot_reader *must_create(const char *name, uint32_t capacity, uint32_t writers)
{
    mslot_create_options options = small_options(capacity, writers);
    mslot_created created = mslot_create(name, &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect(!created.adopted);
    return created.reader;
}

mslot_reader *must_adopt(const char *name)
{
    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    mslot_created created = mslot_create(name, &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect(created.adopted);
    return created.reader;
}

mslot_writer *must_open(const char *name)
{
    mslot_opened opened = mslot_open(name, NULL);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    return opened.writer;
}

mslot_writer *must_open_without_express(const char *name)
{
    mslot_open_options options = mslot_open_options_default();
    options.leaves_express_lane = true;
    mslot_opened opened = mslot_open(name, &options);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    expect(opened.writer->lane_index != MSLOT_EXPRESS_LANE);
    return opened.writer;
}

void must_close(mslot_reader *reader) { expect_outcome(mslot_reader_close(reader), MSLOT_DONE); }
void must_close_writer(mslot_writer *writer) { expect_outcome(mslot_writer_close(writer), MSLOT_DONE); }

mslot_outcome create_outcome(const char *name, const mslot_create_options *options)
{
    mslot_created created = mslot_create(name, options);
    expect((created.reader != NULL) == (created.failure.outcome == MSLOT_DONE));
    if (created.reader != NULL) must_close(created.reader);
    return created.failure.outcome;
}

mslot_outcome open_outcome(const char *name)
{
    mslot_opened opened = mslot_open(name, NULL);
    expect((opened.writer != NULL) == (opened.failure.outcome == MSLOT_DONE));
    if (opened.writer != NULL) must_close_writer(opened.writer);
    return opened.failure.outcome;
}

// MARK: other users

void need_mappings_that_are_not_forked(void)
{
    void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(page != MAP_FAILED);
    expect_equal(madvise(page, 1, MADV_DONTFORK), 0);
    uint64_t *forked = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        shared_set(forked, msync(page, 1, MS_ASYNC) == 0); // ENOMEM: it is not mapped
        child_end();
    }
    child_join(child);
    munmap(page, 1);
    if (shared_get(forked) != 0) skip("this kernel forks mappings that are not to be forked");
}

unsigned files_in_directory(void)
{
    unsigned count = 0;
    DIR *entries = opendir(getenv("MAILSLOT_DIRECTORY"));
    expect(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

void need_root(void)
{
    if (geteuid() != 0) skip("only root can act as another user");
}

void become(uid_t user)
{
    if (setgroups(0, NULL) != 0 || setegid(user) != 0 || seteuid(user) != 0)
        skip("cannot become user %u: %s", (unsigned)user, strerror(errno));
}

// MARK: kernels that lack something

/// `test`: how the argument is compared, BPF_JSET or BPF_JEQ.
static void install_filter(long number, int error, unsigned argument, uint16_t test, uint32_t value)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument)), // the low half
        BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        skip("this kernel does not filter system calls: %s", strerror(errno));
}

void refuse_system_call(long number, int error) { install_filter(number, error, 0, BPF_JGE, 0); }
void refuse_system_call_with_bits(long number, int error, unsigned argument, uint32_t bits)
{
    install_filter(number, error, argument, BPF_JSET, bits);
}
void refuse_system_call_with_value(long number, int error, unsigned argument, uint32_t value)
{
    install_filter(number, error, argument, BPF_JEQ, value);
}

// MARK: messages

enum { MESSAGE_BYTES_MIN = 24 };

static uint64_t checksum(const unsigned char *bytes, size_t count)
{
    uint64_t sum = 0xcbf29ce484222325ULL ^ count; // FNV-1a
    for (size_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 0x100000001b3ULL;
    return sum;
}

size_t message_make_of(size_t byte_count, unsigned char *bytes, uint64_t writer, uint64_t number)
{
    memcpy(bytes, &writer, 8);
    memcpy(bytes + 8, &number, 8);
    memset(bytes + 16, (int)(writer + number), byte_count - MESSAGE_BYTES_MIN);
    uint64_t sum = checksum(bytes, byte_count - 8);
    memcpy(bytes + byte_count - 8, &sum, 8);
    return byte_count;
}

size_t message_make(unsigned char *bytes, uint64_t writer, uint64_t number)
{
    size_t filler = (writer * 31 + number * 7) % (MSLOT_MESSAGE_BYTES_MAX - MESSAGE_BYTES_MIN + 1);
    return message_make_of(MESSAGE_BYTES_MIN + filler, bytes, writer, number);
}

message_read message_check(const unsigned char *bytes, size_t byte_count)
{
    message_read message;
    uint64_t sum;
    expect(byte_count >= MESSAGE_BYTES_MIN);
    memcpy(&message.writer, bytes, 8);
    memcpy(&message.number, bytes + 8, 8);
    memcpy(&sum, bytes + byte_count - 8, 8);
    if (sum != checksum(bytes, byte_count - 8))
        fail_at(__FILE__, __LINE__, "a message of %zu bytes is torn: perhaps number %llu of writer %llu", byte_count,
            (unsigned long long)message.number, (unsigned long long)message.writer);
    return message;
}

void must_write(mslot_writer *handle, uint64_t writer, uint64_t number)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    size_t byte_count = message_make(bytes, writer, number);
    expect_outcome(mslot_writer_write(handle, bytes, byte_count, TEST_TIMEOUT_NS), MSLOT_DONE);
}

message_read must_read(mslot_reader *reader)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, TEST_TIMEOUT_NS);
    expect_outcome(received.outcome, MSLOT_DONE);
    return message_check(bytes, received.byte_count);
}

void must_read_this(mslot_reader *reader, uint64_t writer, uint64_t number)
{
    message_read message = must_read(reader);
    expect_equal(message.writer, writer);
    expect_equal(message.number, number);
}

void expect_empty_and_sound(mslot_reader *reader)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    expect_outcome(mslot_reader_read(reader, bytes, sizeof bytes, 0).outcome, MSLOT_EMPTY);
    expect(mslot_reader_check(reader));
}

void counts_add(counts *t, message_read message, bool gaps)
{
    expect(message.writer < TALLY_WRITERS_MAX);
    uint64_t *next = &t->next[message.writer];
    bool in_order = gaps ? message.number >= *next : message.number == *next;
    if (!in_order)
        fail_at(__FILE__, __LINE__, "writer %llu: expected message %llu, got %llu", (unsigned long long)message.writer,
            (unsigned long long)*next, (unsigned long long)message.number);
    *next = message.number + 1;
    t->count++;
}

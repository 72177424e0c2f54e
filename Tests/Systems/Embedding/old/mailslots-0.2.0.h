/*
 * The structures and calls of 0.2.0, as a program of that time has them compiled in. Never changed again, whatever becomes of the headers:
 * program.c proves that such a program runs with the library of today. A new soname begins a new file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mslot_reader mslot_reader;
typedef struct mslot_writer mslot_writer;
typedef struct mslot_observer mslot_observer;
typedef struct mslot_hosts mslot_hosts;

enum { MSLOT_DONE = 0, MSLOT_FULL = 1, MSLOT_EMPTY = 2, MSLOT_NOT_FOUND = 13 };
#define MSLOT_FOREVER INT64_MAX
#define MSLOT_TRUST_NOBODY_ELSE 0xffffffffu
#define MSLOT_TRUST_ANYONE 0xfffffffeu

typedef struct mslot_failure {
    int outcome;
    int32_t system_error;
    int32_t holder_pid;
    uint32_t holder_uid;
    uint32_t detail;
    uint32_t reserved[8];
    char words[404];
} mslot_failure;

typedef struct mslot_create_options {
    uint32_t size;
    uint32_t capacity;
    uint32_t writers;
    uint32_t message_bytes_max;
    uint32_t mode;
    bool adopt;
    bool allow_remote;
    uint16_t reserved;
    int64_t read_timeout_ns;
} mslot_create_options;

typedef struct mslot_created {
    mslot_reader *reader;
    mslot_failure failure;
    bool adopted;
    unsigned char reserved[15];
} mslot_created;

typedef struct mslot_open_options {
    uint32_t size;
    uint32_t trust_user;
    int64_t wait_ns;
    int64_t answer_ns;
    bool wait_through_restarts;
    bool populate;
    unsigned char reserved[6];
} mslot_open_options;

typedef struct mslot_opened {
    mslot_writer *writer;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_opened;

typedef struct mslot_wait {
    void (*ended)(struct mslot_wait *wait);
    void *context;
    int64_t timeout_ns;
    bool never_polls;
    bool was_full;
    uint64_t reserved[2];
    int64_t deadline_ns;
    int64_t begun_ns;
    int64_t until_ns;
    uint32_t *word;
    uint32_t value;
    const uint32_t *interrupt;
    uint64_t *parked_position;
    struct mslot_waiter *waiter;
    bool cancelled;
    bool silent;
    bool found;
    uint64_t room[6];
} mslot_wait;

typedef struct mslot_info {
    int outcome;
    int32_t next_byte_count;
    uint32_t message_count;
    uint32_t capacity;
    uint32_t writers_max;
    uint32_t message_bytes_max;
    int64_t read_timeout_ns;
    uint64_t created_ns;
    uint64_t reader_since_ns;
    uint64_t segment_bytes;
    uint32_t mode;
    uint32_t owner_uid;
    uint32_t reader_pid;
    uint32_t reader_uid;
    bool allows_remote;
    bool reader_present;
    uint32_t writer_count;
    char name[1024];
    uint64_t reserved[8];
    uint64_t messages_written;
    uint64_t messages_read;
    uint64_t full_writes;
    uint64_t writer_waits;
    uint64_t reader_wakes;
    uint64_t reader_sleeps;
    uint64_t writer_wakes;
    uint64_t high_water;
    uint64_t retries;
    uint64_t lane_recoveries;
    uint64_t late_wakes;
    uint64_t damaged;
    uint64_t adoptions;
} mslot_info;

typedef struct mslot_observer_opened {
    mslot_observer *observer;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_observer_opened;

typedef struct mslot_observed {
    int outcome;
    uint32_t byte_count;
    uint64_t position;
    uint64_t missed;
    uint32_t sender;
    uint16_t origin;
    uint16_t reserved[5];
} mslot_observed;

typedef struct mslot_host {
    uint16_t number;
    bool is_present;
    bool is_authenticated;
    char host[64];
    char domain[64];
    char address[96];
    uint64_t heard_ns;
    uint64_t reserved[4];
} mslot_host;

typedef struct mslot_host_found {
    mslot_failure failure;
    mslot_host host;
} mslot_host_found;

typedef struct mslot_hosts_opened {
    mslot_hosts *hosts;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_hosts_opened;

typedef struct mslot_received {
    int outcome;
    uint32_t byte_count;
    uint64_t position;
} mslot_received;

typedef struct mslot_view {
    int outcome;
    uint32_t byte_count;
    const unsigned char *bytes;
    uint64_t position;
    uint32_t sender;
    uint16_t origin;
} mslot_view;

typedef struct mslot_loaned {
    int outcome;
    unsigned char *bytes;
} mslot_loaned;

typedef struct mslot_batch {
    int outcome;
    size_t count;
} mslot_batch;

typedef struct mslot_message {
    uint32_t byte_count;
    uint32_t sender;
    uint64_t position;
    uint16_t origin;
    unsigned char bytes[424];
} mslot_message;

typedef struct mslot_bytes {
    const void *bytes;
    size_t byte_count;
} mslot_bytes;

typedef struct mslot_counter {
    const char *name;
    int kind;
    uint32_t offset;
    const char *help;
} mslot_counter;

mslot_created mslot_create(const char *name, const mslot_create_options *options);
mslot_opened mslot_open(const char *name, const mslot_open_options *options);
int mslot_writer_write(mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns);
mslot_loaned mslot_writer_loan(mslot_writer *writer);
int mslot_writer_publish(mslot_writer *writer, size_t byte_count, int64_t timeout_ns);
mslot_batch mslot_writer_write_batch(mslot_writer *writer, const mslot_bytes *messages, size_t count, int64_t timeout_ns);
int mslot_writer_close(mslot_writer *writer);
mslot_received mslot_reader_read(mslot_reader *reader, void *buffer, size_t capacity, int64_t timeout_ns);
mslot_view mslot_reader_peek(mslot_reader *reader, int64_t timeout_ns);
int mslot_reader_release(mslot_reader *reader, size_t count);
mslot_batch mslot_reader_read_batch(mslot_reader *reader, mslot_message *messages, size_t count, int64_t timeout_ns);
int mslot_reader_begin_wait(mslot_reader *reader, mslot_wait *wait);
void mslot_wait_stop(mslot_wait *wait);
int mslot_reader_end_wait(mslot_reader *reader);
int mslot_reader_close(mslot_reader *reader);
int mslot_reader_info_into(mslot_reader *reader, mslot_info *info, size_t info_bytes);
mslot_failure mslot_inspect_into(const char *name, mslot_info *info, size_t info_bytes);
mslot_observer_opened mslot_observer_open(const char *name, uint32_t back);
mslot_observed mslot_observer_next(mslot_observer *observer, void *buffer, size_t capacity);
int mslot_observer_close(mslot_observer *observer);
mslot_hosts_opened mslot_hosts_open(uint32_t mode);
mslot_failure mslot_hosts_set(mslot_hosts *hosts, const mslot_host *host);
int mslot_hosts_close(mslot_hosts *hosts);
mslot_host_found mslot_origin_host(uint16_t origin, uint32_t trust_user);
const mslot_counter *mslot_counter_describe(size_t number);
size_t mslot_failure_describe(const mslot_failure *failure, const char *name, char *text, size_t capacity);

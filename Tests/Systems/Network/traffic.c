// What writes and reads in the tests of whole bridges: messages that show which they are, from whom, and for which mailslot.
//
//     traffic read CAPACITY NAME...            creates the mailslots and reads them. Commands on standard input, a line each: "report",
//                                              "pause", "resume". Its end ends it
//     traffic read-many CAPACITY COUNT         as above: mailslots many/0, many/1, ...
//     traffic write WRITER BYTES INTERVAL NAME...   writes to all names in turn, a message each INTERVAL microseconds, until standard input
//                                              ends. "report"; "count N": no more than N messages to each name, then it reports.
//                                              To the first name it is WRITER, to the next WRITER + 1000: one may lead where the other does
//     traffic write-many WRITER HOST COUNT     one message for each of many/0 ... of that host
//
// A report is one line of JSON. Nothing is lost silently: what arrives is compared with what can have been sent, byte by byte.
#include <mailslots.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_BYTES = 32, MAGIC = 0x46415254, NAMES_MAX = 20000, STREAMS_MAX = 1 << 17 };

typedef struct header {
    uint32_t magic;
    uint32_t writer;
    uint64_t sequence;
    uint32_t byte_count;
    /// Of the mailslot's own name, as its reader calls it.
    uint32_t name_hash;
    uint64_t seed;
} header;
_Static_assert(sizeof(header) == HEADER_BYTES, "no padding");

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != 0; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/// The part of a remote name that its reader knows; a local one is its own.
static const char *local_part(const char *name)
{
    const char *found = strstr(name, "\\mailslot\\");
    return found == NULL ? name : found + strlen("\\mailslot\\");
}

static void fill(unsigned char *bytes, const header *of)
{
    memcpy(bytes, of, HEADER_BYTES);
    uint64_t state = of->seed;
    for (uint32_t i = HEADER_BYTES; i < of->byte_count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(state >> 56);
    }
}

static uint64_t seed_of(uint32_t writer, uint64_t sequence, uint32_t name_hash)
{
    return (sequence * 2654435761u + writer) * 0x9E3779B97F4A7C15u + name_hash;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/// A line of standard input, if there is one; false at its end.
static bool read_command(char *line, size_t size, int timeout_ms)
{
    static char buffer[4096];
    static size_t filled;
    line[0] = 0;
    char *end = memchr(buffer, '\n', filled);
    if (end == NULL) {
        struct pollfd on = {.fd = 0, .events = POLLIN};
        if (poll(&on, 1, timeout_ms) <= 0) return true;
        ssize_t got = read(0, buffer + filled, sizeof buffer - filled);
        if (got <= 0) return false;
        filled += (size_t)got;
        end = memchr(buffer, '\n', filled);
        if (end == NULL) return true;
    }
    size_t length = (size_t)(end - buffer);
    snprintf(line, size, "%.*s", (int)length, buffer);
    memmove(buffer, end + 1, filled - length - 1);
    filled -= length + 1;
    return true;
}

static void *must(void *memory)
{
    if (memory == NULL) exit((perror("memory"), 2));
    return memory;
}

// MARK: reading

/// What one writer sent to one mailslot.
typedef struct stream {
    uint32_t name;
    uint32_t writer;
    uint64_t received;
    uint64_t next;
    uint64_t late;
    unsigned char *seen;
    uint64_t seen_bytes;
} stream;

static struct {
    mslot_reader *readers[NAMES_MAX];
    uint32_t hashes[NAMES_MAX];
    const char *names[NAMES_MAX];
    uint32_t count;
    stream streams[STREAMS_MAX];
    uint64_t received, torn, foreign, duplicates, late, remote, known;
} reading;

static stream *stream_of(uint32_t name, uint32_t writer)
{
    uint32_t at = (name * 2654435761u ^ writer * 40503u) % STREAMS_MAX;
    while (reading.streams[at].seen != NULL && (reading.streams[at].name != name || reading.streams[at].writer != writer))
        at = (at + 1) % STREAMS_MAX;
    stream *found = &reading.streams[at];
    if (found->seen == NULL) *found = (stream){.name = name, .writer = writer, .seen = must(calloc(1, 64)), .seen_bytes = 64};
    return found;
}

static void account(uint32_t name, const mslot_message *message)
{
    reading.received++;
    if (message->origin != 0) reading.remote++;
    header of;
    unsigned char expected[MSLOT_MESSAGE_BYTES_MAX];
    if (message->byte_count < HEADER_BYTES) {
        reading.torn++;
        return;
    }
    memcpy(&of, message->bytes, HEADER_BYTES);
    if (of.magic != MAGIC || of.byte_count != message->byte_count || of.seed != seed_of(of.writer, of.sequence, of.name_hash)) {
        reading.torn++;
        return;
    }
    fill(expected, &of);
    if (memcmp(expected, message->bytes, of.byte_count) != 0) {
        reading.torn++;
        return;
    }
    if (of.name_hash != reading.hashes[name] || of.sequence > UINT32_MAX) {
        reading.foreign++;
        return;
    }
    stream *from = stream_of(name, of.writer);
    from->received++;
    if (of.sequence / 8 >= from->seen_bytes) {
        uint64_t bytes = (of.sequence / 8 + 1) * 2;
        from->seen = must(realloc(from->seen, bytes));
        memset(from->seen + from->seen_bytes, 0, bytes - from->seen_bytes);
        from->seen_bytes = bytes;
    }
    if (from->seen[of.sequence / 8] >> of.sequence % 8 & 1) reading.duplicates++;
    from->seen[of.sequence / 8] |= (unsigned char)(1 << of.sequence % 8);
    if (of.sequence < from->next) {
        from->late++;
        reading.late++;
    } else {
        from->next = of.sequence + 1;
    }
}

/// The first streams of it, by mailslot and writer: how many came, and what the next number would be.
static void report_reading(void)
{
    printf("{\"received\": %lu, \"torn\": %lu, \"foreign\": %lu, \"duplicates\": %lu, \"late\": %lu, \"remote\": %lu, \"streams\": [",
        reading.received, reading.torn, reading.foreign, reading.duplicates, reading.late, reading.remote);
    const char *separator = "";
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        const stream *of = &reading.streams[i];
        if (of->seen == NULL) continue;
        printf("%s[\"%s\", %u, %lu, %lu]", separator, reading.names[of->name], of->writer, of->received, of->next);
        separator = ", ";
    }
    printf("]}\n");
    fflush(stdout);
}

static uint64_t take_all(void)
{
    static mslot_message messages[64];
    uint64_t taken = 0;
    for (uint32_t i = 0; i < reading.count; i++) {
        mslot_batch batch;
        do {
            batch = mslot_reader_read_batch(reading.readers[i], messages, 64, 0);
            for (size_t at = 0; at < batch.count; at++) account(i, &messages[at]);
            taken += batch.count;
        } while (batch.count > 0);
        if (batch.outcome != MSLOT_EMPTY && batch.outcome != MSLOT_TIMED_OUT) {
            fprintf(stderr, "reading %s: outcome %d\n", reading.names[i], (int)batch.outcome);
            exit(3);
        }
    }
    return taken;
}

static int read_them(uint32_t capacity)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = capacity;
    options.writers = reading.count > 100 ? 2 : 64;
    options.allow_remote = true;
    for (uint32_t i = 0; i < reading.count; i++) {
        mslot_created created = mslot_create(reading.names[i], &options);
        if (created.reader == NULL) {
            fprintf(stderr, "creating %s: outcome %d, %s\n", reading.names[i], (int)created.failure.outcome,
                strerror(created.failure.system_error));
            return 2;
        }
        reading.readers[i] = created.reader;
        reading.hashes[i] = hash_of(reading.names[i]);
    }
    puts("ready");
    fflush(stdout);
    char line[64];
    bool is_paused = false;
    int timeout = 0;
    while (read_command(line, sizeof line, timeout)) {
        if (strcmp(line, "pause") == 0) is_paused = true;
        if (strcmp(line, "resume") == 0) is_paused = false;
        uint64_t taken = is_paused ? 0 : take_all();
        if (strcmp(line, "report") == 0) report_reading();
        timeout = taken > 0 ? 0 : 1;
    }
    for (uint32_t i = 0; i < reading.count; i++) mslot_reader_close(reading.readers[i]);
    return 0;
}

// MARK: writing

static struct {
    const char *names[NAMES_MAX];
    mslot_writer *writers[NAMES_MAX];
    uint32_t count;
    uint64_t written, full, other, opened, not_opened;
    int64_t longest_us;
    int last_failure;
} writing;

static void report_writing(void)
{
    printf(
        "{\"written\": %lu, \"full\": %lu, \"other\": %lu, \"opened\": %lu, \"not_opened\": %lu, \"longest_us\": %ld, \"failure\": %d}\n",
        writing.written, writing.full, writing.other, writing.opened, writing.not_opened, writing.longest_us, writing.last_failure);
    fflush(stdout);
}

static bool open_name(uint32_t i, int64_t wait_ns)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = wait_ns;
    mslot_opened opened = mslot_open(writing.names[i], &options);
    writing.writers[i] = opened.writer;
    if (opened.writer == NULL) {
        writing.not_opened++;
        writing.last_failure = (int)opened.failure.outcome;
        return false;
    }
    writing.opened++;
    return true;
}

/// One message; opens what was closed or lost its bridge. Never waits for room.
static void write_one(uint32_t i, uint32_t writer, uint64_t sequence, uint32_t byte_count)
{
    if (writing.writers[i] == NULL && !open_name(i, 0)) return;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    uint32_t name_hash = hash_of(local_part(writing.names[i]));
    header of = {MAGIC, writer, sequence, byte_count, name_hash, seed_of(writer, sequence, name_hash)};
    fill(bytes, &of);
    int64_t start = now_us();
    mslot_outcome outcome = mslot_writer_write(writing.writers[i], bytes, byte_count, 0);
    int64_t took = now_us() - start;
    if (took > writing.longest_us) writing.longest_us = took;
    if (outcome == MSLOT_DONE) {
        writing.written++;
    } else if (outcome == MSLOT_FULL) {
        writing.full++;
        // A full outbox may be one whose bridge was killed.
        if (mslot_writer_check_reader(writing.writers[i]) == MSLOT_DONE) return;
        mslot_writer_close(writing.writers[i]);
        writing.writers[i] = NULL;
    } else {
        writing.other++;
        writing.last_failure = (int)outcome;
        mslot_writer_close(writing.writers[i]);
        writing.writers[i] = NULL;
    }
}

static int write_them(uint32_t writer, uint32_t byte_count, int64_t interval_us)
{
    for (uint32_t i = 0; i < writing.count; i++) {
        if (!open_name(i, 20000000000)) {
            fprintf(stderr, "opening %s: outcome %d\n", writing.names[i], writing.last_failure);
            return 2;
        }
    }
    puts("ready");
    fflush(stdout);
    char line[64];
    uint64_t sequence = 0, end = UINT64_MAX;
    int64_t next = now_us();
    for (uint64_t turn = 0; sequence < end; turn++) {
        int64_t now = now_us();
        int timeout = next > now ? (int)((next - now + 999) / 1000) : 0;
        if (timeout > 0 || turn % 64 == 0) {
            if (!read_command(line, sizeof line, timeout)) break;
            if (strcmp(line, "report") == 0) report_writing();
            if (strncmp(line, "count ", 6) == 0) end = strtoull(line + 6, NULL, 10);
            if (next > now_us()) continue;
        }
        for (uint32_t i = 0; i < writing.count; i++) write_one(i, writer + 1000 * i, sequence, byte_count);
        sequence++;
        next += interval_us;
    }
    report_writing();
    // The lanes stay ours until we are told to end.
    while (read_command(line, sizeof line, 1000))
        if (strcmp(line, "report") == 0) report_writing();
    for (uint32_t i = 0; i < writing.count; i++)
        if (writing.writers[i] != NULL) mslot_writer_close(writing.writers[i]);
    return 0;
}

static int write_many(uint32_t writer)
{
    for (uint32_t i = 0; i < writing.count; i++) {
        if (!open_name(i, 20000000000)) {
            fprintf(stderr, "opening %s: outcome %d\n", writing.names[i], writing.last_failure);
            return 2;
        }
        write_one(i, writer, 0, 100);
        mslot_writer_close(writing.writers[i]);
    }
    report_writing();
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 4) return fprintf(stderr, "see traffic.c\n"), 2;
    const char *what = arguments[1];
    uint32_t number = (uint32_t)strtoul(arguments[2], NULL, 10);
    bool is_many = strstr(what, "-many") != NULL;
    int first = strcmp(what, "write") == 0 ? 5 : 3;
    if (is_many) {
        const char *host = what[0] == 'w' ? arguments[3] : NULL;
        uint32_t names = (uint32_t)strtoul(arguments[host == NULL ? 3 : 4], NULL, 10);
        for (uint32_t i = 0; i < names && i < NAMES_MAX; i++) {
            char name[128];
            if (host == NULL) snprintf(name, sizeof name, "many/%u", i);
            else snprintf(name, sizeof name, "\\\\%s\\mailslot\\many/%u", host, i);
            reading.names[i] = writing.names[i] = must(strdup(name));
            reading.count = writing.count = i + 1;
        }
    } else {
        for (int i = first; i < count && i - first < NAMES_MAX; i++) {
            reading.names[i - first] = writing.names[i - first] = arguments[i];
            reading.count = writing.count = (uint32_t)(i - first + 1);
        }
    }
    if (what[0] == 'r') return read_them(number);
    if (is_many) return write_many(number);
    return write_them(number, (uint32_t)strtoul(arguments[3], NULL, 10), strtoll(arguments[4], NULL, 10));
}

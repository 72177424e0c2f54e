/*
 * The table of hosts: which machine a message's `origin` means. The bridge writes it; who reads messages may look into it.
 *
 * The file `mailslot-hosts` in the directory of the mailslots, which is no mailslot itself. Version 1. Little-endian.
 *
 *     +--------+----------+----------+----
 *     | header | record 1 | record 2 | ...    at most 32,766 records
 *     +--------+----------+----------+----
 *     0        512        1024
 *
 *     header   0 magic u64 "MSLTHOST" · 8 version u32 = 1 · 12 record bytes u32 = 512 · 16 zeros
 *     record   two copies of 256 bytes
 *
 *     copy     0   check u64: FNV-1a of the other 248 bytes
 *              8   sequence u64, not 0
 *              16  heard u64: nanoseconds since 1970
 *              24  flags u32: bit 0 the host is there, bit 1 its bridge has the domain's key
 *              28  bytes of host u8, 1 to 63 · 29 of domain u8, 1 to 63 · 30 of address u8, 0 to 95 · 31 zero
 *              32  host, 64 · 96 domain, 64 · 160 address, 96: behind each text zeros
 *
 * Bits 0 to 14 of an `origin` are the number of a record. A number is never given to another host while the file is there: a
 * restarted bridge goes on with the file that it finds.
 *
 * A copy is valid if and only if its check is right, its sequence is not 0, its lengths are in their ranges, byte 31 is zero, host and
 * domain are names in canonical form (mslot__host_is_canonical), the address is printable ASCII, and zeros are behind each text. A record
 * is its valid copy, of two the one with the higher sequence; without one there is no such host. The writer overwrites the other copy,
 * with the sequence that follows; so wherever it is killed, what was there stays. Who reads while it writes may find one copy as it was and
 * the other half written: only both, or the same one twice, are the newest. It is never mapped: a file cut short is read as far as it goes.
 * Nor is it locked, or slept on: so others may read it without writing it, mode 0644, which a mailslot does not allow. A file that others
 * may write is no table: what it says of names and numbers could be anybody's.
 */

#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/// "MSLTHOST", as a little-endian word.
static const uint64_t MAGIC = 0x54534f48544c534dULL;

enum {
    VERSION = 1,
    RECORD_BYTES = 512,
    FLAG_PRESENT = 1,
    FLAG_AUTHENTICATED = 2,
    MODE_DEFAULT = 0644,
    MODE_WRITE_OTHERS = 0022,
    /// Looks at a record that is being written; each write is over in less than a microsecond, unless it is no record.
    LOOKS_MAX = 8
};

typedef struct table_header {
    uint64_t magic;
    uint32_t version;
    uint32_t record_bytes;
    unsigned char zeros[RECORD_BYTES - 16];
} table_header;

typedef struct host_copy {
    uint64_t check;
    uint64_t sequence;
    uint64_t heard_ns;
    uint32_t flags;
    uint8_t host_bytes;
    uint8_t domain_bytes;
    uint8_t address_bytes;
    uint8_t zero;
    char host[MSLOT_HOST_BYTES_MAX + 1];
    char domain[MSLOT_HOST_BYTES_MAX + 1];
    char address[MSLOT_HOST_ADDRESS_BYTES_MAX + 1];
} host_copy;

typedef struct host_record {
    host_copy copies[2];
} host_record;

MSLOT_STATIC_ASSERT(sizeof(table_header) == RECORD_BYTES && sizeof(host_record) == RECORD_BYTES, "the header is as long as a record");

struct mslot_hosts {
    uint32_t state;
    int descriptor;
};
MSLOT_STATIC_ASSERT(sizeof(mslot_hosts) <= MSLOT_HANDLE_BYTES, "a handle fits its record");

// MARK: a copy

static uint64_t check_of(const host_copy *copy)
{
    uint64_t hash = 0xcbf29ce484222325ULL; // FNV-1a
    const unsigned char *bytes = (const unsigned char *)copy;
    for (size_t i = sizeof copy->check; i < sizeof *copy; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    return hash;
}

static bool is_host(const char *text, size_t byte_count, size_t capacity)
{
    return byte_count < capacity && mslot__is_zero(text + byte_count, capacity - byte_count) && mslot__host_is_canonical(text, byte_count);
}

static bool is_address(const char *text, size_t byte_count, size_t capacity)
{
    if (byte_count >= capacity || !mslot__is_zero(text + byte_count, capacity - byte_count)) return false;
    for (size_t i = 0; i < byte_count; i++)
        if (text[i] < ' ' || text[i] > '~') return false;
    return true;
}

static bool has_sound_texts(const host_copy *copy)
{
    return is_host(copy->host, copy->host_bytes, sizeof copy->host) && is_host(copy->domain, copy->domain_bytes, sizeof copy->domain)
        && is_address(copy->address, copy->address_bytes, sizeof copy->address);
}

static bool is_valid(const host_copy *copy)
{
    return copy->check == check_of(copy) && copy->sequence != 0 && copy->zero == 0 && has_sound_texts(copy);
}

// MARK: a record

static off_t record_offset(uint32_t number) { return (off_t)number * RECORD_BYTES; }

/// 0, or the errno; `record` is zero where the file has nothing.
static int read_record(int descriptor, uint32_t number, host_record *record)
{
    memset(record, 0, sizeof *record);
    ssize_t bytes = MSLOT_UNINTERRUPTED(pread(descriptor, record, sizeof *record, record_offset(number)));
    return bytes < 0 ? errno : 0;
}

/// The newer of the valid copies; NULL: neither is.
static const host_copy *newer_copy(const host_record *record)
{
    const host_copy *a = &record->copies[0], *b = &record->copies[1];
    bool a_is_valid = is_valid(a), b_is_valid = is_valid(b);
    if (a_is_valid && b_is_valid) return a->sequence > b->sequence ? a : b;
    return a_is_valid ? a : b_is_valid ? b : NULL;
}

/// NOT_FOUND without an errno: there is no such host.
static mslot_failure find_host(int descriptor, uint16_t number, mslot_host *host)
{
    host_copy newest = {.sequence = 0};
    bool is_settled = false;
    for (int looks = 0; looks < LOOKS_MAX && !is_settled; looks++) {
        host_record record;
        int error = read_record(descriptor, number, &record);
        if (error != 0) return mslot__failure_errno(error);
        const host_copy *copy = newer_copy(&record);
        if (copy == NULL) continue;
        // A read takes its time. While it lasts the writer may overwrite the copy that was read already, and then begin on the other,
        // which was newer: what is left is older than what an earlier look found. The next look would then find another copy.
        is_settled = copy->sequence == newest.sequence || (is_valid(&record.copies[0]) && is_valid(&record.copies[1]));
        if (copy->sequence > newest.sequence) newest = *copy;
    }
    if (newest.sequence == 0) return mslot__failure_of(MSLOT_NOT_FOUND);
    host->number = number;
    host->is_present = (newest.flags & FLAG_PRESENT) != 0;
    host->is_authenticated = (newest.flags & FLAG_AUTHENTICATED) != 0;
    host->heard_ns = newest.heard_ns;
    memcpy(host->host, newest.host, sizeof host->host);
    memcpy(host->domain, newest.domain, sizeof host->domain);
    memcpy(host->address, newest.address, sizeof host->address);
    return mslot__failure_of(MSLOT_DONE);
}

// MARK: the file

/// The table's path; 0, or an errno.
static int table_path(char path[PATH_MAX])
{
    char buffer[PATH_MAX];
    const char *directory = mslot__directory(buffer, sizeof buffer);
    if (directory == NULL) return errno;
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, MSLOT_HOSTS_FILE);
    return length < 0 || length >= PATH_MAX ? ENAMETOOLONG : 0;
}

/// NOT_FOUND: it is empty, for a bridge was killed when it had just made it.
static mslot_failure check_header(int descriptor)
{
    table_header header;
    ssize_t bytes = MSLOT_UNINTERRUPTED(pread(descriptor, &header, sizeof header, 0));
    if (bytes < 0) return mslot__failure_errno(errno);
    if (bytes == 0) return mslot__failure_of(MSLOT_NOT_FOUND);
    if ((size_t)bytes < sizeof header || header.magic != MAGIC) return mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
    if (header.version == VERSION && header.record_bytes == RECORD_BYTES) return mslot__failure_of(MSLOT_DONE);
    mslot_failure failure = mslot__failure_of(MSLOT_OTHER_LAYOUT);
    failure.detail = header.version;
    return failure;
}

/// Opens what is there, and checks it. On failure nothing is open.
static mslot_failure open_table(const char *path, int flags, uint32_t trust_user, int *descriptor)
{
    // O_NONBLOCK: a FIFO of this name must not hold us up.
    *descriptor = MSLOT_UNINTERRUPTED(open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (*descriptor < 0) return mslot__failure_errno(errno);
    struct stat status;
    mslot_failure failure;
    if (MSLOT_UNINTERRUPTED(fstat(*descriptor, &status)) != 0) {
        failure = mslot__failure_errno(errno);
    } else if (!mslot__is_trusted(status.st_uid, trust_user)) {
        failure = mslot__failure_of(MSLOT_UNTRUSTED);
        failure.holder_uid = status.st_uid;
    } else {
        // One name only, as of a mailslot's file: its owner may not have put it there.
        bool can_be_a_table = S_ISREG(status.st_mode) && status.st_nlink <= 1 && (status.st_mode & MODE_WRITE_OTHERS) == 0;
        failure = can_be_a_table ? check_header(*descriptor) : mslot__failure_of(MSLOT_NOT_A_MAILSLOT);
    }
    if (failure.outcome != MSLOT_DONE) close(*descriptor);
    return failure;
}

static mslot_failure open_to_read(uint32_t trust_user, int *descriptor)
{
    char path[PATH_MAX];
    int error = table_path(path);
    return error != 0 ? mslot__failure_errno(error) : open_table(path, O_RDONLY, trust_user, descriptor);
}

// MARK: reading

mslot_host_found mslot_origin_host(uint16_t origin, uint32_t trust_user)
{
    MSLOT_UNCANCELLED;
    mslot_host_found found;
    memset(&found, 0, sizeof found);
    uint16_t number = origin & MSLOT_ORIGIN_HOST;
    if (number == 0 || number == MSLOT_ORIGIN_UNKNOWN) {
        found.failure = mslot__failure_of(MSLOT_BAD_ARGUMENT);
        return found;
    }
    int descriptor;
    found.failure = open_to_read(trust_user, &descriptor);
    if (found.failure.outcome != MSLOT_DONE) return found;
    found.failure = find_host(descriptor, number, &found.host);
    close(descriptor);
    if (found.failure.outcome == MSLOT_DONE) found.host.is_authenticated = (origin & MSLOT_ORIGIN_AUTHENTICATED) != 0;
    return found;
}

mslot_failure mslot_hosts_list(void (*each)(const mslot_host *host, void *context), void *context, uint32_t trust_user)
{
    MSLOT_UNCANCELLED;
    if (each == NULL) return mslot__failure_of(MSLOT_BAD_ARGUMENT);
    int descriptor;
    mslot_failure failure = open_to_read(trust_user, &descriptor);
    if (failure.outcome != MSLOT_DONE) return failure;
    struct stat status;
    if (MSLOT_UNINTERRUPTED(fstat(descriptor, &status)) != 0) failure = mslot__failure_errno(errno);
    for (uint32_t number = 1; number <= MSLOT_HOSTS_MAX && failure.outcome == MSLOT_DONE; number++) {
        if (record_offset(number) >= status.st_size) break;
        mslot_host host;
        memset(&host, 0, sizeof host);
        failure = find_host(descriptor, (uint16_t)number, &host);
        bool is_no_host = failure.outcome == MSLOT_NOT_FOUND && failure.system_error == 0;
        if (failure.outcome == MSLOT_DONE) each(&host, context);
        else if (is_no_host) failure = mslot__failure_of(MSLOT_DONE);
    }
    close(descriptor);
    return failure;
}

// MARK: writing

/// Writes all, or says why not: 0, or an errno.
static int write_at(int descriptor, const void *bytes, size_t byte_count, off_t offset)
{
    if (!mslot__file_may_reach((uint64_t)offset + byte_count)) return EFBIG;
    ssize_t written = MSLOT_UNINTERRUPTED(pwrite(descriptor, bytes, byte_count, offset));
    if (written < 0) return errno;
    return (size_t)written == byte_count ? 0 : ENOSPC;
}

static mslot_failure write_header(int descriptor)
{
    table_header header = {.magic = MAGIC, .version = VERSION, .record_bytes = RECORD_BYTES};
    int error = write_at(descriptor, &header, sizeof header, 0);
    return error != 0 ? mslot__failure_errno(error) : mslot__failure_of(MSLOT_DONE);
}

/// A new table, in place of what nobody can use.
static mslot_failure make_table(const char *path, int *descriptor)
{
    if (MSLOT_UNINTERRUPTED(unlink(path)) != 0 && errno != ENOENT) return mslot__failure_errno(errno);
    *descriptor = MSLOT_UNINTERRUPTED(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (*descriptor < 0) return mslot__failure_errno(errno);
    mslot_failure failure = write_header(*descriptor);
    if (failure.outcome != MSLOT_DONE) close(*descriptor);
    return failure;
}

static mslot_failure open_or_make(const char *path, uint32_t mode, int *descriptor)
{
    mslot_failure failure = open_table(path, O_RDWR, MSLOT_TRUST_NOBODY_ELSE, descriptor);
    if (failure.outcome == MSLOT_SYSTEM_ERROR) return failure; // perhaps there is nothing wrong with the table
    if (failure.outcome != MSLOT_DONE) failure = make_table(path, descriptor);
    if (failure.outcome != MSLOT_DONE) return failure;
    // The umask does not apply.
    if (MSLOT_UNINTERRUPTED(fchmod(*descriptor, mode)) == 0) return failure;
    failure = mslot__failure_errno(errno);
    close(*descriptor);
    return failure;
}

mslot_hosts_opened mslot_hosts_open(uint32_t mode)
{
    mslot_hosts_opened opened = {.hosts = NULL};
    MSLOT_UNDISTURBED;
    if (mode == 0) mode = MODE_DEFAULT;
    if ((mode & ~0644u) != 0 || (mode & 0600) != 0600) {
        opened.failure = mslot__failure_of(MSLOT_BAD_ARGUMENT);
        return opened;
    }
    char path[PATH_MAX];
    int error = table_path(path);
    if (error != 0) {
        opened.failure = mslot__failure_errno(error);
        return opened;
    }
    mslot_hosts *hosts = mslot__handle_allocate();
    opened.failure = hosts != NULL ? open_or_make(path, mode, &hosts->descriptor) : mslot__failure_errno(errno);
    if (opened.failure.outcome == MSLOT_DONE) {
        hosts->state = MSLOT_HANDLE_IDLE;
        opened.hosts = hosts;
    } else if (hosts != NULL) {
        mslot__handle_free(hosts);
    }
    return opened;
}

/// False if it cannot be put into a record.
static bool make_copy(const mslot_host *host, host_copy *copy)
{
    memset(copy, 0, sizeof *copy);
    copy->heard_ns = host->heard_ns;
    copy->flags = (host->is_present ? (uint32_t)FLAG_PRESENT : 0) | (host->is_authenticated ? (uint32_t)FLAG_AUTHENTICATED : 0);
    copy->host_bytes = (uint8_t)strnlen(host->host, sizeof host->host);
    copy->domain_bytes = (uint8_t)strnlen(host->domain, sizeof host->domain);
    copy->address_bytes = (uint8_t)strnlen(host->address, sizeof host->address);
    memcpy(copy->host, host->host, copy->host_bytes);
    memcpy(copy->domain, host->domain, copy->domain_bytes);
    memcpy(copy->address, host->address, copy->address_bytes);
    return has_sound_texts(copy);
}

mslot_failure mslot_hosts_set(mslot_hosts *hosts, const mslot_host *host)
{
    MSLOT_UNCANCELLED;
    mslot_outcome refusal = mslot__handle_refusal(hosts);
    if (refusal != MSLOT_DONE) return mslot__failure_of(refusal);
    host_copy copy;
    if (host == NULL || !mslot__is_zero(host->reserved, sizeof host->reserved)) return mslot__failure_of(MSLOT_BAD_ARGUMENT);
    if (host->number == 0 || host->number > MSLOT_HOSTS_MAX || !make_copy(host, &copy)) return mslot__failure_of(MSLOT_BAD_ARGUMENT);
    host_record record;
    int error = read_record(hosts->descriptor, host->number, &record);
    if (error != 0) return mslot__failure_errno(error);
    const host_copy *newer = newer_copy(&record);
    size_t place = newer == &record.copies[0] ? 1 : 0;
    copy.sequence = newer != NULL ? newer->sequence + 1 : 1;
    copy.check = check_of(&copy);
    error = write_at(hosts->descriptor, &copy, sizeof copy, record_offset(host->number) + (off_t)(place * sizeof copy));
    return error != 0 ? mslot__failure_errno(error) : mslot__failure_of(MSLOT_DONE);
}

mslot_outcome mslot_hosts_close(mslot_hosts *hosts)
{
    mslot_outcome refusal = mslot__handle_refusal(hosts);
    if (refusal != MSLOT_DONE) return refusal;
    MSLOT_UNDISTURBED;
    close(hosts->descriptor);
    mslot__handle_free(hosts);
    return MSLOT_DONE;
}

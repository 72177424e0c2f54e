// What can be seen of a mailslot: by its reader, by a writer, and by a third party who only reads.

#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// MARK: counters

static uint64_t counter_at(const void *words, size_t offset)
{
    return mslot__load_relaxed((const uint64_t *)(const void *)((const char *)words + offset));
}

static uint64_t sum_of_lanes(const mslot_ring *ring, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ring->lane_count; i++) sum += counter_at(&ring->lanes[i], offset);
    return sum;
}

static uint64_t sum_of_groups(const mslot_ring *ring, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < MSLOT_LANE_COUNTERS; i++) sum += counter_at(&ring->control->lane_counters[i], offset);
    return sum;
}

/// All but those that are COMPUTED.
static void add_counters(mslot_info *info, const mslot_ring *ring)
{
#define FROM_READER(name) info->name = counter_at(ring->control, offsetof(mslot_control, name));
#define FROM_LANE(name) info->name = sum_of_lanes(ring, offsetof(mslot_lane, name));
#define FROM_GROUP(name) info->name = sum_of_groups(ring, offsetof(mslot_lane_counters, name));
#define FROM_COMPUTED(name)
#define ADD(name, kind, source, help) FROM_##source(name)
    MSLOT_COUNTERS(ADD)
#undef ADD
}

const mslot_counter *mslot_counter_describe(size_t number)
{
#define DESCRIBE(name, kind, source, help) {#name, MSLOT_##kind, offsetof(mslot_info, name), help},
    static const mslot_counter counters[] = {MSLOT_COUNTERS(DESCRIBE)};
#undef DESCRIBE
    return number < MSLOT_COUNTER_COUNT ? &counters[number] : NULL;
}

// MARK: what is seen of a segment

static void add_header(mslot_info *info, const mslot_header *header)
{
    info->capacity = header->cell_count;
    info->writers_max = header->lane_count;
    info->message_bytes_max = header->message_bytes_max;
    info->created_ns = header->created_ns;
    info->segment_bytes = header->segment_bytes;
    info->mode = header->mode;
    info->owner_uid = header->creator_uid;
    info->allows_remote = (header->options & MSLOT_OPTION_REMOTE) != 0;
    memcpy(info->name, header->name, sizeof info->name);
    info->name[sizeof info->name - 1] = 0;
}

/// The most messages that were seen to wait. Who found the ring full says so at once; the reader looks now and then.
static uint64_t high_water(const mslot_ring *ring, uint32_t now)
{
    uint64_t most = mslot__load_relaxed(&ring->control->high_water);
    if (sum_of_groups(ring, offsetof(mslot_lane_counters, filled)) != 0 || most > ring->cell_count) most = ring->cell_count;
    return most < now ? now : most;
}

static void add_ring(mslot_info *info, const mslot_ring *ring)
{
    const mslot_control *control = ring->control;
    mslot_tail tail = mslot__ring_tail(ring);
    mslot_next_length next = mslot__ring_next_length(ring);
    uint64_t head = mslot__load_acquire(&control->head);

    int64_t count = (int64_t)(tail.position - head);
    info->outcome = tail.outcome;
    info->message_count = count < 0 ? 0 : count > (int64_t)ring->cell_count ? ring->cell_count : (uint32_t)count;
    info->next_byte_count = next.outcome == MSLOT_DONE && info->message_count != 0 ? (int32_t)next.length : -1;
    info->read_timeout_ns = (int64_t)mslot__load_relaxed(&control->read_timeout_ns);
    info->reader_since_ns = mslot__load_relaxed(&control->reader_since_ns);
    info->reader_pid = mslot__load_relaxed_32(&control->reader_pid);
    info->reader_uid = mslot__load_relaxed_32(&control->reader_uid);
    add_counters(info, ring);
    info->messages_read = head - ring->cell_count;
    info->messages_written = info->messages_read + info->message_count;
    info->high_water = high_water(ring, info->message_count);
}

/// For a handle's own mapping. The header is read again here, so only for display.
static mslot_info info_of_mapping(const mslot_mapping *mapping, const mslot_ring *ring)
{
    mslot_info info;
    mslot_header header;
    memset(&info, 0, sizeof info);
    memcpy(&header, mapping->base, sizeof header);
    add_header(&info, &header);
    info.capacity = ring->cell_count;
    info.writers_max = ring->lane_count;
    add_ring(&info, ring);
    info.reader_present = true;
    return info;
}

static mslot_info info_outcome(mslot_outcome outcome)
{
    mslot_info info;
    memset(&info, 0, sizeof info);
    info.outcome = outcome;
    return info;
}

mslot_outcome mslot_reader_info_into(mslot_reader *reader, mslot_info *info, size_t info_bytes)
{
    mslot_outcome refusal = mslot__handle_refusal(reader);
    mslot_info known = refusal != MSLOT_DONE ? info_outcome(refusal) : info_of_mapping(&reader->mapping, &reader->ring.ring);
    return mslot__info_give(&known, info, info_bytes);
}

mslot_outcome mslot_writer_info_into(mslot_writer *writer, mslot_info *info, size_t info_bytes)
{
    mslot_outcome refusal = mslot__handle_refusal(writer);
    mslot_info known = refusal != MSLOT_DONE ? info_outcome(refusal) : info_of_mapping(&writer->mapping, &writer->ring.ring);
    return mslot__info_give(&known, info, info_bytes);
}

bool mslot_reader_check(mslot_reader *reader)
{
    if (mslot__handle_refusal(reader) != MSLOT_DONE) return false;
    unsigned char *seen = calloc(reader->ring.ring.slot_count, 1);
    bool sound = seen != NULL && mslot__ring_count_indices(&reader->ring.ring, seen);
    free(seen);
    return sound;
}

// MARK: third parties

static uint32_t count_writers(int descriptor, const mslot_ring *ring)
{
    uint32_t count = 0;
    for (uint32_t lane = 0; lane < ring->lane_count; lane++) {
        bool hinted = mslot__load_relaxed(&ring->lane_hints[lane / 64]) >> (lane % 64) & 1;
        if (hinted && mslot__lock_is_held(descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)lane)) count++;
    }
    return count;
}

static mslot_inspected inspect_path(const char *path, const mslot_name *name)
{
    mslot_inspected result;
    memset(&result, 0, sizeof result);
    mslot_file file;
    result.failure = mslot__file_open(&file, path, name, O_RDONLY, MSLOT_TRUST_ANYONE);
    if (result.failure.outcome != MSLOT_DONE) return result;

    mslot_mapping mapping = mslot__file_map(&file, path, PROT_READ, 0);
    if (mapping.base == NULL) {
        result.failure = mslot__failure_errno(errno);
    } else {
        mslot_ring ring = mslot__ring_of(&file.header, mapping.base);
        add_header(&result.info, &file.header);
        add_ring(&result.info, &ring);
        result.info.owner_uid = file.owner;
        result.info.reader_present = mslot__lock_is_held(file.descriptor, MSLOT_LOCK_READER);
        result.info.writer_count = count_writers(file.descriptor, &ring);
        mslot__mapping_end(&mapping);
    }
    close(file.descriptor);
    return result;
}

mslot_failure mslot_inspect_into(const char *name_text, mslot_info *info, size_t info_bytes)
{
    mslot_inspected result;
    memset(&result, 0, sizeof result);
    mslot_name name = mslot__name_parse(name_text);
    char *path = mslot__file_path(&name, &result.failure);
    if (path != NULL) result = inspect_path(path, &name);
    free(path);
    mslot__info_give(&result.info, info, info_bytes);
    return info == NULL ? mslot__failure_of(MSLOT_BAD_ARGUMENT) : result.failure;
}

/// Not so a temporary name that a killed creator left, or a name that is none, with a terminal's escape codes perhaps.
static bool is_file_of_its_name(const mslot_header *header, const char *file)
{
    mslot_name name = mslot__name_parse(header->name);
    if (name.problem != MSLOT_NAME_FINE || strcmp(name.text, header->name) != 0) return false;
    char expected[MSLOT_FILE_NAME_MAX];
    mslot__name_file(&name, expected);
    return strcmp(expected, file) == 0;
}

/// NULL at the end with errno 0, or with the errno of what went wrong.
static struct dirent *next_entry(DIR *entries)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(entries);
    } while (entry == NULL && errno == EINTR);
    return entry;
}

/// What is wrong with the file, and not with who lists: everything but a lack of descriptors or of memory.
static bool concerns_the_file(const mslot_failure *failure)
{
    return failure->system_error != EMFILE && failure->system_error != ENFILE && failure->system_error != ENOMEM;
}

typedef struct listing {
    void (*each)(const char *name, void *context);
    void (*skipped)(const char *name, const mslot_failure *why, void *context);
    void *context;
    /// DONE: go on.
    mslot_failure result;
} listing;

static void list_file(listing *list, const char *directory, const char *entry)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, entry);
    if (length < 0 || (size_t)length >= sizeof path) return;
    mslot_file file;
    mslot_failure failure = mslot__file_open(&file, path, NULL, O_RDONLY, MSLOT_TRUST_ANYONE);
    if (failure.outcome == MSLOT_DONE) {
        close(file.descriptor);
        if (is_file_of_its_name(&file.header, entry)) list->each(file.header.name, list->context);
    } else if (failure.outcome == MSLOT_SYSTEM_ERROR) {
        mslot_name name;
        if (!concerns_the_file(&failure)) list->result = failure;
        else if (mslot__file_name(entry, &name)) list->skipped(name.text, &failure, list->context);
    }
}

mslot_failure mslot_list_with_skipped(void (*each)(const char *name, void *context),
    void (*skipped)(const char *name, const mslot_failure *why, void *context), void *context)
{
    char buffer[PATH_MAX];
    const char *directory = mslot__directory(buffer, sizeof buffer);
    DIR *entries = NULL;
    if (directory != NULL) do
            entries = opendir(directory);
        while (entries == NULL && errno == EINTR);
    if (entries == NULL) return mslot__failure_errno(errno);
    listing list = {each, skipped, context, mslot__failure_of(each != NULL && skipped != NULL ? MSLOT_DONE : MSLOT_BAD_ARGUMENT)};
    struct dirent *entry;
    while (list.result.outcome == MSLOT_DONE && (entry = next_entry(entries)) != NULL) {
        if (strncmp(entry->d_name, MSLOT_FILE_PREFIX, sizeof MSLOT_FILE_PREFIX - 1) != 0) continue;
        list_file(&list, directory, entry->d_name);
    }
    if (list.result.outcome == MSLOT_DONE && errno != 0) list.result = mslot__failure_errno(errno);
    closedir(entries);
    return list.result;
}

/// For mslot_list: what it returns at the end, if nothing worse happens.
typedef struct plain_listing {
    void (*each)(const char *name, void *context);
    void *context;
    mslot_failure first_skipped;
} plain_listing;

static void pass_on_name(const char *name, void *context)
{
    plain_listing *list = context;
    list->each(name, list->context);
}

static void keep_first_skipped(const char *name, const mslot_failure *why, void *context)
{
    (void)name;
    plain_listing *list = context;
    if (list->first_skipped.outcome == MSLOT_DONE) list->first_skipped = *why;
}

mslot_failure mslot_list(void (*each)(const char *name, void *context), void *context)
{
    plain_listing list = {each, context, mslot__failure_of(MSLOT_DONE)};
    mslot_failure result = mslot_list_with_skipped(each != NULL ? pass_on_name : NULL, keep_first_skipped, &list);
    return result.outcome == MSLOT_DONE ? list.first_skipped : result;
}

mslot_failure mslot_path(const char *name_text, char *path, size_t capacity)
{
    mslot_name name = mslot__name_parse(name_text);
    mslot_failure failure;
    char *whole = mslot__file_path(&name, &failure);
    if (whole == NULL) return failure;
    size_t bytes = strlen(whole) + 1;
    bool fits = path != NULL && bytes <= capacity;
    if (fits) memcpy(path, whole, bytes);
    free(whole);
    return mslot__failure_of(fits ? MSLOT_DONE : MSLOT_BAD_ARGUMENT);
}

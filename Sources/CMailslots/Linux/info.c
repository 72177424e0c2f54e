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
    uint64_t counter;
    memcpy(&counter, (const char *)words + offset, sizeof counter);
    return counter;
}

static uint64_t sum_of_groups(const mslot_control *control, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < MSLOT_LANE_COUNTERS; i++) sum += counter_at(&control->lane_counters[i], offset);
    return sum;
}

static void add_counters_of_control(mslot_info *info, const mslot_control *control)
{
#define FROM_READER(name) info->name = counter_at(control, offsetof(mslot_control, name));
#define FROM_LANE(name)
#define FROM_GROUP(name) info->name = sum_of_groups(control, offsetof(mslot_lane_counters, name));
#define FROM_COMPUTED(name)
#define ADD(name, kind, source, help) FROM_##source(name)
    MSLOT_COUNTERS(ADD)
#undef FROM_READER
#undef FROM_LANE
#undef FROM_GROUP
}

static void add_counters_of_lane(mslot_info *info, const mslot_lane *lane)
{
#define FROM_READER(name)
#define FROM_LANE(name) info->name += counter_at(lane, offsetof(mslot_lane, name));
#define FROM_GROUP(name)
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
static uint64_t high_water(const mslot_control *control, uint32_t cell_count, uint32_t now)
{
    uint64_t most = control->high_water;
    if (sum_of_groups(control, offsetof(mslot_lane_counters, filled)) != 0 || most > cell_count) most = cell_count;
    return most < now ? now : most;
}

enum { LANES_AT_ONCE = 128 };

/// As many of a segment's lanes as fit, from one on: how many that are. 0: they cannot be had, and `*outcome` says why.
static uint32_t copy_lanes(const mslot_sight *sight, uint32_t first, mslot_lane lanes[LANES_AT_ONCE], mslot_outcome *outcome)
{
    uint32_t count = sight->lane_count - first < LANES_AT_ONCE ? sight->lane_count - first : LANES_AT_ONCE;
    mslot_outcome copied = sight->copy(sight, sight->lanes_offset + first * sizeof lanes[0], lanes, count * sizeof lanes[0]);
    if (copied == MSLOT_DONE) return count;
    *outcome = copied;
    return 0;
}

/// DONE, DAMAGED; SYSTEM_ERROR with errno.
static mslot_outcome add_ring(mslot_info *info, const mslot_sight *sight, mslot_extent extent)
{
    mslot_control control;
    mslot_next_length next = mslot__sight_next_length(sight);
    mslot_outcome outcome = sight->copy(sight, MSLOT_HEADER_BYTES, &control, sizeof control);
    if (outcome != MSLOT_DONE) return outcome;

    int64_t count = (int64_t)(extent.tail - extent.head);
    info->message_count = count < 0 ? 0 : count > (int64_t)sight->cell_count ? sight->cell_count : (uint32_t)count;
    info->next_byte_count = next.outcome == MSLOT_DONE && info->message_count != 0 ? (int32_t)next.length : -1;
    info->read_timeout_ns = (int64_t)control.read_timeout_ns;
    info->reader_since_ns = control.reader_since_ns;
    info->stated_bytes_max = control.stated_bytes_max != 0 ? control.stated_bytes_max : info->message_bytes_max;
    info->reader_pid = control.reader_pid;
    info->reader_uid = control.reader_uid;
    add_counters_of_control(info, &control);
    for (uint32_t first = 0, copied; first < sight->lane_count; first += copied) {
        mslot_lane lanes[LANES_AT_ONCE];
        copied = copy_lanes(sight, first, lanes, &outcome);
        if (copied == 0) return outcome;
        for (uint32_t i = 0; i < copied; i++) add_counters_of_lane(info, &lanes[i]);
    }
    info->messages_read = extent.head - sight->cell_count;
    info->messages_written = info->messages_read + info->message_count;
    info->high_water = high_water(&control, sight->cell_count, info->message_count);
    return extent.outcome != MSLOT_DONE ? extent.outcome : next.outcome == MSLOT_SYSTEM_ERROR ? next.outcome : MSLOT_DONE;
}

/// For a handle's own mapping. The header is read again here, so only for display.
static mslot_info info_of_mapping(const mslot_mapping *mapping, const mslot_ring *ring)
{
    mslot_info info;
    mslot_header header, layout;
    memset(&info, 0, sizeof info);
    memcpy(&header, mapping->base, sizeof header);
    add_header(&info, &header);
    info.capacity = ring->cell_count;
    info.writers_max = ring->lane_count;
    memset(&layout, 0, sizeof layout);
    mslot__layout_header(&layout, ring->cell_count, ring->lane_count, ring->length_max);
    mslot_sight sight = mslot__sight_of_memory(&layout, mapping->base);
    // Who has it mapped need not look at all cells.
    mslot_tail tail = mslot__ring_tail(ring);
    uint64_t head = mslot__load_acquire(&ring->control->head);
    info.outcome = add_ring(&info, &sight, (mslot_extent){tail.outcome, tail.closed, head, tail.position});
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

/// How the lanes of a file are asked for their locks. A query costs as much as the file has locks, and who may open a file may lock
/// every byte of it alone: so there is an end to it.
typedef struct lane_query {
    int descriptor;
    uint32_t asked;
    int64_t until_ns;
    /// Where the asking ends: what is left of this range, the last of several, is counted by the lanes' own words.
    const mslot_sight *sight;
} lane_query;

enum {
    /// Chosen: enough for a few writers however busy the machine is.
    QUERIES_MIN = 32,
    /// Chosen: thousands of writers, at a microsecond to ten a query.
    QUERIES_NS_MAX = 50000000
};

static bool may_ask(lane_query *query) { return query->asked++ < QUERIES_MIN || mslot__now_ns() < query->until_ns; }

/// Lanes whose words say that they have an owner. Of one that was killed they say so, too.
static uint32_t count_owned(const mslot_sight *sight, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    mslot_outcome ignored;
    for (uint32_t copied; first < end; first += copied) {
        mslot_lane lanes[LANES_AT_ONCE];
        copied = copy_lanes(sight, first, lanes, &ignored);
        if (copied == 0) break;
        for (uint32_t i = 0; i < copied && first + i < end; i++) count += lanes[i].owner_pid != 0;
    }
    return count;
}

/// Lanes of a range that are locked. The kernel tells of one lock, not of the first; so what is beside it is asked for in turn.
static uint32_t count_writers(lane_query *query, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    while (first < end) {
        if (!may_ask(query)) return count + count_owned(query->sight, first, end);
        mslot_locked_bytes locked =
            mslot__lock_find(query->descriptor, MSLOT_LOCK_FIRST_LANE + (off_t)first, MSLOT_LOCK_FIRST_LANE + (off_t)end);
        if (locked.first >= locked.end) break;
        uint32_t lock_first = (uint32_t)(locked.first - MSLOT_LOCK_FIRST_LANE), lock_end = (uint32_t)(locked.end - MSLOT_LOCK_FIRST_LANE);
        count += lock_end - lock_first;
        // The shorter side first, and by recursion: at most 16 deep.
        if (lock_first - first < end - lock_end) {
            count += count_writers(query, first, lock_first);
            first = lock_end;
        } else {
            count += count_writers(query, lock_end, end);
            end = lock_first;
        }
    }
    return count;
}

static mslot_inspected inspect_path(const char *path, const mslot_name *name)
{
    MSLOT_UNDISTURBED;
    mslot_inspected result;
    memset(&result, 0, sizeof result);
    mslot_file file;
    result.failure = mslot__file_open(&file, path, name, O_RDONLY, MSLOT_TRUST_ANYONE);
    if (result.failure.outcome != MSLOT_DONE) return result;

    mslot_sight sight = mslot__file_sight(&file);
    add_header(&result.info, &file.header);
    result.info.outcome = add_ring(&result.info, &sight, mslot__sight_extent(&sight));
    if (result.info.outcome == MSLOT_SYSTEM_ERROR) {
        result.failure = mslot__failure_errno(errno);
    } else {
        result.info.owner_uid = file.owner;
        result.info.mode = file.mode;
        result.info.reader_present = mslot__lock_is_held(file.descriptor, MSLOT_LOCK_READER);
        lane_query query = {.descriptor = file.descriptor, .until_ns = mslot__now_ns() + QUERIES_NS_MAX, .sight = &sight};
        result.info.writer_count = count_writers(&query, 0, sight.lane_count);
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
    MSLOT_UNCANCELLED;
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

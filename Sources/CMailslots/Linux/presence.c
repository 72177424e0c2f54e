// Whether the reader is there. Its lock says so, and is asked for by a descriptor that holds none itself: a forked child may keep it.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void mslot__writer_close_query(mslot_writer *writer)
{
    // Somebody may have closed it, and opened another file of this number.
    if (writer->query_descriptor >= 0 && mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) close(writer->query_descriptor);
    writer->query_descriptor = -1;
}

/// Whether the file has lost its name, by what /proc says of the mapping: a path that cannot be opened from here (chroot, another
/// namespace, permissions) says nothing. False: it has one, or this cannot be told.
static bool name_is_gone(const mslot_mapping *mapping)
{
    // By its beginning, for locks and an overflow's access may have split it.
    char begins[24], line[PATH_MAX + 128];
    int length = snprintf(begins, sizeof begins, "%jx-", (uintmax_t)(uintptr_t)mapping->base);
    FILE *maps = fopen("/proc/self/maps", "re");
    bool is_gone = false;
    for (bool is_found = false; maps != NULL && !is_found && fgets(line, sizeof line, maps) != NULL;) {
        static const char deleted[] = " (deleted)\n";
        size_t bytes = strlen(line), end = sizeof deleted - 1;
        is_found = strncmp(line, begins, (size_t)length) == 0;
        is_gone = is_found && bytes > end && strcmp(line + bytes - end, deleted) == 0;
    }
    if (maps != NULL) fclose(maps);
    return is_gone;
}

mslot_outcome mslot__reader_ask(mslot_writer *writer)
{
    MSLOT_UNCANCELLED;
    if (writer->query_descriptor < 0 || !mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) {
        writer->query_descriptor = MSLOT_UNINTERRUPTED(open(writer->mapping.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (writer->query_descriptor < 0) return name_is_gone(&writer->mapping) ? MSLOT_NOT_FOUND : MSLOT_DONE;
        if (!mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) {
            close(writer->query_descriptor);
            writer->query_descriptor = -1;
            return name_is_gone(&writer->mapping) ? MSLOT_NOT_FOUND : MSLOT_DONE;
        }
    }
    bool is_there = mslot__lock_is_held(writer->query_descriptor, MSLOT_LOCK_READER) || errno != 0;
    return is_there ? MSLOT_DONE : MSLOT_NO_READER;
}

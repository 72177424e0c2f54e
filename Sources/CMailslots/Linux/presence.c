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
    static const char deleted[] = " (deleted)";
    char link[80], path[PATH_MAX];
    uintptr_t base = (uintptr_t)mapping->base;
    snprintf(link, sizeof link, "/proc/self/map_files/%jx-%jx", (uintmax_t)base, (uintmax_t)(base + mslot__mapping_bytes(mapping)));
    ssize_t length = MSLOT_UNINTERRUPTED(readlink(link, path, sizeof path));
    size_t end = sizeof deleted - 1;
    return length > (ssize_t)end && memcmp(path + length - end, deleted, end) == 0;
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

// Whether the reader is there. Its lock says so, and is asked for by a descriptor that holds none itself: a forked child may keep it.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void mslot__writer_close_query(mslot_writer *writer)
{
    // Somebody may have closed it, and opened another file of this number.
    if (writer->query_descriptor >= 0 && mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) close(writer->query_descriptor);
    writer->query_descriptor = -1;
}

bool mslot__reader_is_present(mslot_writer *writer)
{
    MSLOT_UNCANCELLED;
    if (writer->query_descriptor < 0 || !mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) {
        writer->query_descriptor = MSLOT_UNINTERRUPTED(open(writer->mapping.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (writer->query_descriptor < 0) return true;
        if (!mslot__mapping_is_of(&writer->mapping, writer->query_descriptor)) {
            close(writer->query_descriptor);
            writer->query_descriptor = -1;
            return true;
        }
    }
    return mslot__lock_is_held(writer->query_descriptor, MSLOT_LOCK_READER) || errno != 0;
}

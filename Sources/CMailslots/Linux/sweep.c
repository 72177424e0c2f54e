// Removes what killed readers have left that nobody will want.

#include "linux.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

enum {
    /// So that it takes no longer where there are thousands. Chosen.
    LOOKS_MAX = 64
};

/// The next entry that may be a mailslot's file; NULL at the end, and when the directory cannot be read.
static const char *next_file(DIR *entries)
{
    struct dirent *entry;
    do entry = readdir(entries);
    while (entry != NULL && strncmp(entry->d_name, MSLOT_FILE_PREFIX, sizeof MSLOT_FILE_PREFIX - 1) != 0);
    return entry != NULL ? entry->d_name : NULL;
}

/// How many files to pass over, so that each is looked at now and then.
static uint64_t files_to_skip(DIR *entries)
{
    uint64_t count = 0;
    while (next_file(entries) != NULL) count++;
    rewinddir(entries);
    return count > LOOKS_MAX ? (uint64_t)mslot__now_ns() % (count - LOOKS_MAX + 1) : 0;
}

uint32_t mslot_sweep(uint32_t removals_max)
{
    MSLOT_UNCANCELLED;
    char buffer[PATH_MAX], path[PATH_MAX];
    const char *directory = mslot__directory(buffer, sizeof buffer);
    DIR *entries = directory != NULL && removals_max != 0 ? opendir(directory) : NULL;
    if (entries == NULL) return 0;
    uint64_t skipped = files_to_skip(entries);
    uint32_t removals = 0;
    const char *file = next_file(entries);
    for (uint64_t i = 0; file != NULL && i < skipped + LOOKS_MAX && removals < removals_max; i++, file = next_file(entries)) {
        mslot_name name;
        if (i < skipped || !mslot__file_name(file, &name)) continue;
        int length = snprintf(path, sizeof path, "%s/%s", directory, file);
        if (length > 0 && (size_t)length < sizeof path && mslot__dispose_of(path, &name)) removals++;
    }
    closedir(entries);
    return removals;
}

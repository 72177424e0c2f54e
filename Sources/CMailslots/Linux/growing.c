// Structures that cross from a program to the library, when the two were compiled with different headers: GROWING in mailslots.h.

#include "linux.h"

enum {
    /// Longer than any options will be, and short enough to be looked at: a size beyond it is no size. As of copy_struct_from_user in
    /// Linux.
    OPTIONS_BYTES_MAX = 4096
};

bool mslot__is_zero(const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (((const unsigned char *)bytes)[i] != 0) return false;
    return true;
}

bool mslot__options_take(void *options, size_t known_bytes, size_t bytes_min, const void *given)
{
    uint32_t given_bytes;
    memcpy(&given_bytes, given, sizeof given_bytes);
    if (given_bytes < bytes_min || given_bytes > OPTIONS_BYTES_MAX) return false;
    size_t common = given_bytes < known_bytes ? given_bytes : known_bytes;
    if (!mslot__is_zero((const unsigned char *)given + common, given_bytes - common)) return false;
    memcpy(options, given, common);
    uint32_t size = (uint32_t)known_bytes;
    memcpy(options, &size, sizeof size);
    return true;
}

mslot_outcome mslot__info_give(const mslot_info *known, mslot_info *info, size_t info_bytes)
{
    if (info == NULL) return MSLOT_BAD_ARGUMENT;
    memset(info, 0, info_bytes);
    memcpy(info, known, info_bytes < sizeof *known ? info_bytes : sizeof *known);
    return known->outcome;
}

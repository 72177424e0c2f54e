// Opening a mailslot to write, wherever it is: its name is parsed here, once.

#include "remote.h"

/// False: they ask for something that we do not know.
static bool take_options(mslot_open_options *options, const mslot_open_options *given)
{
    // The first version ended with `reserved`.
    size_t bytes_min = offsetof(mslot_open_options, reserved) + sizeof options->reserved;
    return mslot__options_take(options, sizeof *options, bytes_min, given) && mslot__is_zero(options->reserved, sizeof options->reserved)
        && mslot__is_zero(options->reserved_behind, sizeof options->reserved_behind) && mslot__polling_is_allowed(options->polling_ns);
}

mslot_opened mslot_open(const char *name_text, const mslot_open_options *given)
{
    MSLOT_UNCANCELLED;
    mslot_open_options options = mslot_open_options_default();
    if (given != NULL && !take_options(&options, given)) return (mslot_opened){.failure = mslot__failure_of(MSLOT_BAD_ARGUMENT)};
    mslot_name name = mslot__name_parse(name_text);
    return name.is_remote ? mslot__open_outbox(&name, &options) : mslot__open_local(&name, &options);
}

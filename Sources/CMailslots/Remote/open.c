// Opening a mailslot to write, wherever it is: its name is parsed here, once.

#include "remote.h"

mslot_opened mslot_open(const char *name_text, const mslot_open_options *given)
{
    mslot_open_options options = given != NULL ? *given : mslot_open_options_default();
    mslot_name name = mslot__name_parse(name_text);
    return name.is_remote ? mslot__open_outbox(&name, &options) : mslot__open_local(&name, &options);
}

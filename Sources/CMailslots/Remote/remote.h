// What the files of this folder share: the lowest first, and a file calls none that comes after it. They call those of Linux/, and
// none of those calls them. Not API.
#ifndef MAILSLOTS_REMOTE_H
#define MAILSLOTS_REMOTE_H

#include "../Linux/linux.h"
#include "mailslots/outbox_protocol.h"

// MARK: outbox.c

/// Opens the outbox for a remote name, and has the bridge make it if need be; options and failures as of mslot_open.
mslot_opened mslot__open_outbox(const mslot_name *name, const mslot_open_options *options);

// hosts.c, open.c: API only.

#endif

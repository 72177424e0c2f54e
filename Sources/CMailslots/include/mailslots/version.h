// The version: here, and nowhere else. install.sh and the programs take it from here, and a test holds the documentation to it.
#ifndef MAILSLOTS_VERSION_H
#define MAILSLOTS_VERSION_H

#define MSLOT_VERSION_MAJOR 0
#define MSLOT_VERSION_MINOR 2
#define MSLOT_VERSION_PATCH 0

#define MSLOT__TEXT_OF(number) #number
#define MSLOT__VERSION_TEXT(major, minor, patch) MSLOT__TEXT_OF(major) "." MSLOT__TEXT_OF(minor) "." MSLOT__TEXT_OF(patch)
/// The version of these headers, "0.2.0".
#define MSLOT_VERSION MSLOT__VERSION_TEXT(MSLOT_VERSION_MAJOR, MSLOT_VERSION_MINOR, MSLOT_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/// The version of the library that runs, which may be later than that of the headers. Never NULL. Thread-safe, async-signal-safe.
const char *mslot_version(void);

#ifdef __cplusplus
}
#endif

#endif

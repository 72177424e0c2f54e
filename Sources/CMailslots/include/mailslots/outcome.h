// How a call ended. One closed list for the whole C API, so that a `switch` over it can be complete.
#ifndef MAILSLOTS_OUTCOME_H
#define MAILSLOTS_OUTCOME_H

#include <stdint.h>

#if defined(__clang__)
#define MSLOT_CLOSED_ENUM __attribute__((enum_extensibility(closed)))
#define MSLOT_SWIFT_NAME(name) __attribute__((swift_name(#name)))
#else
#define MSLOT_CLOSED_ENUM
#define MSLOT_SWIFT_NAME(name)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// How a call ended. The first group is normal business, the second is misuse of a handle, the third says why a
/// mailslot could not be created, opened or removed.
typedef enum MSLOT_CLOSED_ENUM mslot_outcome {
    /// The call did what its name says.
    MSLOT_DONE MSLOT_SWIFT_NAME(done) = 0,
    /// There is no room and the call was told not to wait. Nothing was written.
    MSLOT_FULL MSLOT_SWIFT_NAME(full) = 1,
    /// There is no message and the call was told not to wait.
    MSLOT_EMPTY MSLOT_SWIFT_NAME(empty) = 2,
    /// The time is up: no message came, there was no room, or no reader appeared.
    MSLOT_TIMED_OUT MSLOT_SWIFT_NAME(timedOut) = 3,
    /// The reader closed the mailslot, or a new one took its name over. This handle never works again: open anew.
    MSLOT_CLOSED MSLOT_SWIFT_NAME(closed) = 4,
    /// The mailslot is there, but its reader is gone without closing it: it was killed, or left (`mslot_reader_leave`).
    MSLOT_NO_READER MSLOT_SWIFT_NAME(noReader) = 5,
    /// `mslot_reader_interrupt`, `mslot_writer_interrupt` or `mslot_open_interrupt` ended the wait. A signal never does.
    MSLOT_INTERRUPTED MSLOT_SWIFT_NAME(interrupted) = 6,
    /// The segment breaks its own rules: a process that may write it overwrote it. See mslot_reader_peek for what is skipped.
    MSLOT_DAMAGED MSLOT_SWIFT_NAME(damaged) = 7,
    /// The message is longer than the mailslot takes, or than the buffer that it was to be read into.
    MSLOT_TOO_LONG MSLOT_SWIFT_NAME(tooLong) = 8,

    /// The handle is in the middle of another call: by another thread, by the code that a signal handler interrupted, or a loan is out.
    MSLOT_BUSY MSLOT_SWIFT_NAME(busy) = 9,
    /// The handle belongs to the process that this one was forked from. Open your own.
    MSLOT_FORKED MSLOT_SWIFT_NAME(forked) = 10,
    /// The handle was closed by this process. Open anew. A closed handle says so until its memory is given to the next one that is opened.
    MSLOT_NOT_OPEN MSLOT_SWIFT_NAME(notOpen) = 26,
    /// An argument is out of its range, or NULL where something has to be.
    MSLOT_BAD_ARGUMENT MSLOT_SWIFT_NAME(badArgument) = 11,

    /// The name is not a mailslot's name; `detail` is a mslot_name_problem.
    MSLOT_BAD_NAME MSLOT_SWIFT_NAME(badName) = 12,
    /// No mailslot has this name. Of a write: it found no room, and the mailslot's file was deleted by other means than a close; whether
    /// the reader is there cannot be asked.
    MSLOT_NOT_FOUND MSLOT_SWIFT_NAME(notFound) = 13,
    /// Another reader has this name: `holder_pid` and `holder_uid` say who, as information.
    MSLOT_ALREADY_EXISTS MSLOT_SWIFT_NAME(alreadyExists) = 14,
    /// Every writer lane is taken.
    MSLOT_TOO_MANY_WRITERS MSLOT_SWIFT_NAME(tooManyWriters) = 15,
    /// The file system refuses: mode of the file or of the directory.
    MSLOT_NO_PERMISSION MSLOT_SWIFT_NAME(noPermission) = 16,
    /// The mailslot belongs to a user whom the caller did not say it trusts: `holder_uid`.
    MSLOT_UNTRUSTED MSLOT_SWIFT_NAME(untrusted) = 17,
    /// A file has the name, but it is no mailslot, is cut short, holds a mailslot of another name, or has more names than one: `detail`.
    MSLOT_NOT_A_MAILSLOT MSLOT_SWIFT_NAME(notAMailslot) = 18,
    /// The mailslot has another layout version: `detail`.
    MSLOT_OTHER_LAYOUT MSLOT_SWIFT_NAME(otherLayout) = 19,
    /// The mailslot to adopt has another capacity, number of lanes, maximum or mode than was asked for.
    MSLOT_MISMATCH MSLOT_SWIFT_NAME(mismatch) = 20,
    /// The shared-memory file system is full.
    MSLOT_NO_SPACE MSLOT_SWIFT_NAME(noSpace) = 21,
    /// Another system call failed: `system_error`.
    MSLOT_SYSTEM_ERROR MSLOT_SWIFT_NAME(systemError) = 22,

    /// The name is of another machine, and no bridge runs on this one; or it is ending.
    MSLOT_NO_BRIDGE MSLOT_SWIFT_NAME(noBridge) = 23,
    /// The bridge knows no host and no domain of this name.
    MSLOT_NO_SUCH_HOST MSLOT_SWIFT_NAME(noSuchHost) = 24,
    /// The bridge's configuration does not allow to write there.
    MSLOT_NOT_ALLOWED MSLOT_SWIFT_NAME(notAllowed) = 25
} mslot_outcome;

/// Why a name was refused.
typedef enum MSLOT_CLOSED_ENUM mslot_name_problem {
    MSLOT_NAME_FINE = 0,
    /// There is no name, or a part of the path is empty.
    MSLOT_NAME_EMPTY = 1,
    /// More than 255 characters.
    MSLOT_NAME_TOO_LONG = 2,
    /// One of `: * ? < > " |`, or a control character.
    MSLOT_NAME_FORBIDDEN_CHARACTER = 3,
    /// The bytes are not UTF-8.
    MSLOT_NAME_NOT_UTF8 = 4,
    /// It begins with `\\` and is not of the form `\\.\mailslot\name`.
    MSLOT_NAME_NOT_A_MAILSLOT_PATH = 5,
    /// It names another machine or a domain, `\\host\mailslot\name` or `\\*\mailslot\name`: only mslot_open takes such a name.
    MSLOT_NAME_REMOTE = 6,
    /// The host or domain has more than 63 bytes, or one of `: * ? < > " | @`, or a control character.
    MSLOT_NAME_BAD_HOST = 7,
    /// The name of a mailslot on another machine has more than 40 bytes.
    MSLOT_NAME_TOO_LONG_FOR_REMOTE = 8
} mslot_name_problem;

enum {
    /// The longest text with which a bridge refuses something, in bytes.
    MSLOT_WORDS_BYTES_MAX = 400
};

/// Why a mailslot could not be created, opened, inspected or removed. `mslot_failure_describe` puts it into words.
typedef struct mslot_failure {
    mslot_outcome outcome;
    /// The errno of the system call that failed, or 0.
    int32_t system_error;
    /// With ALREADY_EXISTS: the reader's process, as that process sees its own id (another pid namespace may see another). With TIMED_OUT
    /// for a name of another machine: the bridge's.
    int32_t holder_pid;
    /// With ALREADY_EXISTS and UNTRUSTED: the user.
    uint32_t holder_uid;
    /// With BAD_NAME a mslot_name_problem, with OTHER_LAYOUT the version found, with NOT_A_MAILSLOT how many names (hard links) the file
    /// has, if more than one; with BAD_ARGUMENT the mode, if it is the mode that cannot be.
    uint32_t detail;
    /// 0.
    uint32_t reserved[8];
    /// What the bridge said when it refused a name of another machine: UTF-8 without control characters, a zero byte behind. Else empty.
    char words[MSLOT_WORDS_BYTES_MAX + 4];
} mslot_failure;

#ifdef __cplusplus
}
#endif

#endif

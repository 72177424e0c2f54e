// Failures in words: what is wrong, why, and the cure.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *mslot_version(void) { return MSLOT_VERSION; }

const char *mslot_outcome_text(mslot_outcome outcome)
{
    switch (outcome) {
    case MSLOT_DONE: return "done";
    case MSLOT_FULL: return "the mailslot is full";
    case MSLOT_EMPTY: return "the mailslot is empty";
    case MSLOT_TIMED_OUT: return "the time is up";
    case MSLOT_CLOSED: return "the mailslot was closed";
    case MSLOT_NO_READER: return "the mailslot has no reader";
    case MSLOT_INTERRUPTED: return "the wait was interrupted";
    case MSLOT_DAMAGED: return "the mailslot is damaged";
    case MSLOT_TOO_LONG: return "the message is too long";
    case MSLOT_BUSY: return "the handle is in use";
    case MSLOT_FORKED: return "the handle belongs to the parent process";
    case MSLOT_NOT_OPEN: return "the handle was closed before";
    case MSLOT_BAD_ARGUMENT: return "an argument is out of range";
    case MSLOT_BAD_NAME: return "the name is not a mailslot's name";
    case MSLOT_NOT_FOUND: return "there is no such mailslot";
    case MSLOT_ALREADY_EXISTS: return "the mailslot already has a reader";
    case MSLOT_TOO_MANY_WRITERS: return "every writer lane is taken";
    case MSLOT_NO_PERMISSION: return "permission denied";
    case MSLOT_UNTRUSTED: return "the mailslot belongs to a user who is not trusted";
    case MSLOT_NOT_A_MAILSLOT: return "the file is not a mailslot";
    case MSLOT_OTHER_LAYOUT: return "the mailslot has another layout version";
    case MSLOT_MISMATCH: return "the mailslot to adopt has other properties";
    case MSLOT_NO_SPACE: return "no space is left for the mailslot";
    case MSLOT_SYSTEM_ERROR: return "a system call failed";
    case MSLOT_NO_BRIDGE: return "no bridge is running";
    case MSLOT_NO_SUCH_HOST: return "there is no such host or domain";
    case MSLOT_NOT_ALLOWED: return "the bridge does not allow it";
    }
    return "unknown outcome";
}

static const char *name_problem_text(uint32_t problem)
{
    switch ((mslot_name_problem)problem) {
    case MSLOT_NAME_FINE: return "it is fine";
    case MSLOT_NAME_EMPTY: return "it is empty, or one of its parts is";
    case MSLOT_NAME_TOO_LONG: return "it has more than 255 characters";
    case MSLOT_NAME_FORBIDDEN_CHARACTER: return "it holds one of : * ? < > \" | or a control character";
    case MSLOT_NAME_NOT_UTF8: return "it is not valid UTF-8";
    case MSLOT_NAME_NOT_A_MAILSLOT_PATH: return "a full name has the form \\\\.\\mailslot\\name";
    case MSLOT_NAME_REMOTE: return "it is of another machine or a domain, and such a mailslot can only be opened to write";
    case MSLOT_NAME_BAD_HOST: return "its host or domain has more than 63 bytes, or holds one of : * ? < > \" | @ or a control character";
    case MSLOT_NAME_TOO_LONG_FOR_REMOTE: return "a mailslot's name has at most 40 bytes when it is of another machine";
    }
    return "unknown reason";
}

/// Of a call that is about the table of hosts, and no name.
static int describe_hosts(const mslot_failure *failure, char *text, size_t capacity)
{
    switch (failure->outcome) {
    case MSLOT_BAD_ARGUMENT:
        return snprintf(text, capacity,
            "That is no host's record: its number is from 1 to 32766, host and domain have 1 to 63 bytes in canonical form, and the mode "
            "of the table is 0600 to 0666. A message of this machine came from no host.");
    case MSLOT_NOT_FOUND:
        return snprintf(text, capacity,
            "The host is not known, or there is no table of hosts (%s): no bridge has run here. Start one (mailslot bridge), and see that "
            "both use the same MAILSLOT_DIRECTORY.",
            MSLOT_HOSTS_FILE);
    case MSLOT_UNTRUSTED:
        return snprintf(text, capacity,
            "The table of hosts (%s) belongs to user %u, who is neither you nor root, and may write there what it likes. If that is the "
            "bridge's user, trust that user.",
            MSLOT_HOSTS_FILE, (unsigned)failure->holder_uid);
    case MSLOT_NO_PERMISSION:
        return snprintf(text, capacity, "The table of hosts (%s): permission denied: %s. The bridge's configuration says who may read it.",
            MSLOT_HOSTS_FILE, strerror(failure->system_error));
    case MSLOT_NOT_A_MAILSLOT:
        return snprintf(text, capacity,
            "%s is not a table of hosts: another program made it, it was cut short or overwritten, the file has other names (hard links) "
            "too, or others than its user may write it. Delete it, and start the bridge again.",
            MSLOT_HOSTS_FILE);
    case MSLOT_OTHER_LAYOUT:
        return snprintf(text, capacity, "The table of hosts (%s) has version %u, which this build does not read. Update it, or the bridge.",
            MSLOT_HOSTS_FILE, (unsigned)failure->detail);
    case MSLOT_NO_SPACE:
        return snprintf(text, capacity,
            "No space for the table of hosts (%s): the file system of the mailslots is full. Make room, or set MAILSLOT_DIRECTORY.",
            MSLOT_HOSTS_FILE);
    default:
        return snprintf(text, capacity, "The table of hosts (%s): %s: %s.", MSLOT_HOSTS_FILE, mslot_outcome_text(failure->outcome),
            strerror(failure->system_error));
    }
}

/// What the bridge refused, with its own words for cause and cure.
static int describe_refusal(const mslot_failure *failure, const char *name, char *text, size_t capacity)
{
    const char *what = failure->outcome == MSLOT_NO_SPACE ? "the bridge can make no outbox" : mslot_outcome_text(failure->outcome);
    return snprintf(text, capacity, "\"%s\": %s. The bridge says: %s", name, what, failure->words);
}

/// Of opening or writing to a name of another machine: what is said differently there. -1: nothing is.
static int describe_remote(const mslot_failure *failure, const char *name, char *text, size_t capacity)
{
    if (failure->words[0] != 0) return describe_refusal(failure, name, text, capacity);
    switch (failure->outcome) {
    case MSLOT_NO_BRIDGE:
        return snprintf(text, capacity,
            "\"%s\" is on other machines, and no bridge is running on this one. Start one (mailslot bridge); see that it uses the same "
            "MAILSLOT_DIRECTORY.",
            name);
    case MSLOT_NO_SUCH_HOST:
        return snprintf(text, capacity,
            "\"%s\": the bridge knows no host and no domain of this name. See who is there (mailslot hosts), and whether a bridge runs "
            "there.",
            name);
    case MSLOT_NOT_ALLOWED:
        return snprintf(text, capacity, "\"%s\": the bridge does not allow to write there. Its configuration says what it allows.", name);
    case MSLOT_NO_SPACE:
        return snprintf(
            text, capacity, "\"%s\": the bridge can make no outbox. Close writers to other hosts, or raise the bridge's limits.", name);
    case MSLOT_TIMED_OUT:
        if (failure->holder_pid == 0) return -1;
        return snprintf(text, capacity,
            "\"%s\": the bridge, process %d, does not answer. It is stopped or overloaded: see what it does, or restart it.", name,
            (int)failure->holder_pid);
    case MSLOT_TOO_MANY_WRITERS:
        return snprintf(text, capacity,
            "\"%s\": every lane of every outbox to there is taken by an open writer. Close writers, or share one between parts of a "
            "program.",
            name);
    case MSLOT_NO_PERMISSION:
        return snprintf(text, capacity,
            "\"%s\": the bridge's mailslots are not open to you. The bridge's configuration says who may send: its permissions.", name);
    case MSLOT_UNTRUSTED:
        return snprintf(text, capacity,
            "\"%s\": the bridge belongs to user %u, who is neither you nor root, and could read and change what you write. If that is "
            "right, open it with trust in that user.",
            name, (unsigned)failure->holder_uid);
    case MSLOT_NO_READER:
        return snprintf(text, capacity,
            "\"%s\": the bridge ended without closing. Start it again (mailslot bridge): it goes on with what was not sent yet.", name);
    case MSLOT_CLOSED: return snprintf(text, capacity, "\"%s\": the bridge has ended, or serves this name no longer. Open it again.", name);
    case MSLOT_TOO_LONG:
        return snprintf(
            text, capacity, "\"%s\": the message is too long. A message to another machine has at most 424 bytes; split it.", name);
    default: return -1;
    }
}

/// As the variable names it, also when it cannot be found.
static const char *directory_as_named(char *buffer, size_t capacity)
{
    const char *directory = mslot__directory(buffer, capacity);
    return directory != NULL ? directory : secure_getenv("MAILSLOT_DIRECTORY");
}

/// What is not found because the directory of the mailslots is not there. It is looked at again, for the errno does not say which of the
/// two is missing. -1: the directory is there.
static int describe_missing_directory(const mslot_failure *failure, char *text, size_t capacity)
{
    mslot_outcome outcome = failure->outcome;
    bool may_be_missing = outcome == MSLOT_NOT_FOUND || outcome == MSLOT_TIMED_OUT || outcome == MSLOT_NO_BRIDGE
        || (outcome == MSLOT_SYSTEM_ERROR && failure->system_error == ENOTDIR);
    char buffer[PATH_MAX];
    struct stat status;
    const char *directory = directory_as_named(buffer, sizeof buffer);
    if (!may_be_missing || directory == NULL) return -1;
    int error = MSLOT_UNINTERRUPTED(stat(directory, &status)) != 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    if (error != ENOENT && error != ENOTDIR) return -1;
    return snprintf(text, capacity,
        "The directory of the mailslots, %s, %s. %s MAILSLOT_DIRECTORY name %s: the same for readers and writers.", directory,
        error == ENOENT ? "does not exist" : "is not a directory", error == ENOENT ? "Make it, or let" : "Let",
        error == ENOENT ? "another" : "one");
}

/// What the directory of the mailslots forbids, and not the file, which is not there or cannot be seen. -1: the file does.
/// `path` NULL: the mailslots were to be listed.
static int describe_closed_directory(const mslot_failure *failure, const char *path, char *text, size_t capacity)
{
    char buffer[PATH_MAX];
    struct stat status;
    const char *directory = directory_as_named(buffer, sizeof buffer);
    if (failure->outcome != MSLOT_NO_PERMISSION || directory == NULL) return -1;
    if (path != NULL) {
        if (MSLOT_UNINTERRUPTED(lstat(path, &status)) == 0) return -1;
        if (MSLOT_UNINTERRUPTED(faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS)) == 0) return -1;
    }
    return snprintf(text, capacity,
        "The directory of the mailslots, %s, cannot be used: %s. Let MAILSLOT_DIRECTORY name one that you may read and write: the same for "
        "readers and writers.",
        directory, strerror(failure->system_error));
}

/// Whether a file could be opened, but not removed: of another user, in a directory as /dev/shm.
static bool is_for_others_to_remove(const mslot_failure *failure, const char *path)
{
    struct stat status;
    if (path == NULL || failure->system_error != EPERM || MSLOT_UNINTERRUPTED(lstat(path, &status)) != 0) return false;
    return !mslot__file_may_unlink(path, status.st_uid);
}

size_t mslot_failure_describe(const mslot_failure *failure, const char *name_text, char *text, size_t capacity)
{
    if (text == NULL) capacity = 0;
    if (capacity != 0) text[0] = 0;
    if (failure == NULL) return 0;
    int length = describe_missing_directory(failure, text, capacity);
    if (length >= 0) return (size_t)length;
    if (name_text == NULL && failure->outcome != MSLOT_BAD_NAME) {
        length = describe_hosts(failure, text, capacity);
        return length < 0 ? 0 : (size_t)length;
    }
    const char *name = name_text != NULL ? name_text : "";
    mslot_name parsed = mslot__name_parse(name);
    mslot_failure ignored;
    char *allocated = mslot__file_path(&parsed, &ignored);
    const char *path = allocated != NULL ? allocated : "the mailslot's file";
    if (parsed.is_remote) {
        length = describe_remote(failure, name, text, capacity);
        if (length >= 0) {
            free(allocated);
            return (size_t)length;
        }
    }
    bool is_of_list = strcmp(name, "*") == 0;
    if (allocated != NULL || is_of_list) {
        length = describe_closed_directory(failure, allocated, text, capacity);
        if (length >= 0) {
            free(allocated);
            return (size_t)length;
        }
    }
    // glibc and musl: safe in every thread.
    const char *system = failure->system_error != 0 ? strerror(failure->system_error) : "unknown error";

    switch (failure->outcome) {
    case MSLOT_BAD_NAME:
        length = snprintf(text, capacity, "\"%s\" is not a mailslot's name: %s. Use a name such as \"orders\" or \"app/orders\".", name,
            name_problem_text(failure->detail));
        break;
    case MSLOT_BAD_ARGUMENT:
        if (failure->detail != 0) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\" cannot have the mode 0%o: its user may read and write it, its group and others may do both or neither, "
                "for who may only read could hold it up by locks. Use 0600, for its user; 0660, also for its group; or 0666, for all.",
                name, (unsigned)failure->detail);
            break;
        }
        length = snprintf(text, capacity,
            "Mailslot \"%s\": an option is out of range. The capacity is a power of two from 1 to 32768, there is at least one writer, "
            "capacity and writers together are at most 65535, and a message has at most 16 MiB.",
            name);
        break;
    case MSLOT_NOT_FOUND:
        length = snprintf(text, capacity,
            "There is no mailslot \"%s\" (%s). Start its reader first, or wait for it; see that both use the same MAILSLOT_DIRECTORY.",
            name, path);
        break;
    case MSLOT_NO_READER:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" has no reader: it ended without closing. Start a reader again, which may adopt the unread messages, or "
            "remove the mailslot.",
            name);
        break;
    case MSLOT_TIMED_OUT:
        length = snprintf(text, capacity, "Mailslot \"%s\": the time is up. Wait longer, or see whether the other side is running.", name);
        break;
    case MSLOT_CLOSED:
        length =
            snprintf(text, capacity, "Mailslot \"%s\" was closed by its reader, or a new reader took the name over. Open it again.", name);
        break;
    case MSLOT_ALREADY_EXISTS:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" already has a reader: process %d of user %u. A name has one reader; end that process or use another name.",
            name, (int)failure->holder_pid, (unsigned)failure->holder_uid);
        break;
    case MSLOT_TOO_MANY_WRITERS:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" has no lane left: every one is taken by an open writer. Close writers, share one between parts of a program, "
            "or create the mailslot with more writers.",
            name);
        break;
    case MSLOT_NO_PERMISSION:
        if (is_for_others_to_remove(failure, allocated)) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\" has no reader any more, but you may not remove it: %s belongs to another user, or its directory does. Let "
                "its owner or root remove it, or use another name.",
                name, path);
            break;
        }
        length = snprintf(text, capacity,
            "Mailslot \"%s\": permission denied for %s%s%s. A mailslot is for its own user unless it is created with a mode such as 0660.",
            name, path, failure->system_error != 0 ? ": " : "", failure->system_error != 0 ? system : "");
        break;
    case MSLOT_UNTRUSTED:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" belongs to user %u, who is neither you nor root, and could read and change what you write. If that is right, "
            "open it with trust in that user.",
            name, (unsigned)failure->holder_uid);
        break;
    case MSLOT_NOT_A_MAILSLOT:
        if (failure->detail > 1) {
            length = snprintf(text, capacity,
                "%s is not taken for the mailslot \"%s\": the file has %u names (hard links), so its owner may not have put it there. See "
                "which name is wrong (find -samefile), and delete that one.",
                path, name, (unsigned)failure->detail);
            break;
        }
        length = snprintf(text, capacity,
            "%s is not the mailslot \"%s\": another program made it, or it was cut short or overwritten. If nobody needs it, "
            "delete the file.",
            path, name);
        break;
    case MSLOT_OTHER_LAYOUT:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" has layout %u; this build reads layout %d. Build both sides with the same version, or delete %s.", name,
            (unsigned)failure->detail, MSLOT_LAYOUT_VERSION, path);
        break;
    case MSLOT_MISMATCH:
        length = snprintf(text, capacity,
            "Mailslot \"%s\" cannot be adopted: it has another capacity, number of writers, message size, mode or permission for remote "
            "messages than was asked for. Ask for what it has (mailslot info), or do not adopt: the unread messages are then lost.",
            name);
        break;
    case MSLOT_DAMAGED:
        length = snprintf(
            text, capacity, "Mailslot \"%s\" is damaged: a process that may write it broke its rules. Close it and create it anew.", name);
        break;
    case MSLOT_NO_SPACE:
        length = snprintf(text, capacity,
            "No space for mailslot \"%s\" (%s): the shared-memory file system is full, or a limit is reached. Use a smaller capacity, "
            "enlarge it (mount -o remount,size=…; docker run --shm-size), or set MAILSLOT_DIRECTORY.",
            name, path);
        break;
    case MSLOT_TOO_LONG:
        length = snprintf(text, capacity,
            "Mailslot \"%s\": the message is too long. A message has at most 424 bytes, or what the mailslot's creator allows; split it, "
            "or create the mailslot with a larger maximum.",
            name);
        break;
    case MSLOT_FORKED:
        length =
            snprintf(text, capacity, "Mailslot \"%s\" was opened by the process that this one was forked from. Open it here again.", name);
        break;
    case MSLOT_NOT_OPEN:
        length = snprintf(text, capacity,
            "Mailslot \"%s\": the handle was closed by this process before, and cannot be used any more. Open it again, and see who closes "
            "it twice.",
            name);
        break;
    case MSLOT_BUSY:
        length = snprintf(text, capacity,
            "Mailslot \"%s\": the handle is in the middle of another call, by another thread or by what a signal handler interrupted, or "
            "messages are lent. Use one handle a thread; publish, abandon or release what is lent.",
            name);
        break;
    case MSLOT_NO_BRIDGE:
    case MSLOT_NO_SUCH_HOST:
    case MSLOT_NOT_ALLOWED:
    case MSLOT_DONE:
    case MSLOT_FULL:
    case MSLOT_EMPTY:
    case MSLOT_INTERRUPTED: length = snprintf(text, capacity, "Mailslot \"%s\": %s.", name, mslot_outcome_text(failure->outcome)); break;
    case MSLOT_SYSTEM_ERROR:
        if (failure->system_error == ENOMEM) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\": there is not enough memory for %s, or not enough that may be locked. After mlockall, or to lock "
                "pages, raise RLIMIT_MEMLOCK over the size of all mailslots (ulimit -l; LimitMEMLOCK= of systemd).",
                name, path);
            break;
        }
        if (failure->system_error == ESHUTDOWN) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\": this task's executor was shut down, and waits for nothing any more. End its tasks before you shut it "
                "down, or let them wait elsewhere.",
                name);
            break;
        }
        if (failure->system_error == ENOLCK) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\": the file system of %s does not keep the lock that says who is alive. An overlay, such as the root of a "
                "container, drops it when the file is closed, although it is mapped. Use a tmpfs or a volume: MAILSLOT_DIRECTORY.",
                name, path);
            break;
        }
        if (failure->system_error == EAGAIN) {
            length = snprintf(text, capacity,
                "Mailslot \"%s\" cannot be opened now: user %u, who owns %s, holds a lease on it, or others create and remove it all the "
                "time. End their program, or delete the file.",
                name, (unsigned)failure->holder_uid, path);
            break;
        }
        length = snprintf(
            text, capacity, "Mailslot \"%s\": a system call failed for %s: %s (errno %d).", name, path, system, (int)failure->system_error);
        break;
    }
    free(allocated);
    return length < 0 ? 0 : (size_t)length;
}

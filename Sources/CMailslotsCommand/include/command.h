// What the programs need of C: questions to the kernel, a process that dies at a given step, signals, and the terminal's size.
#ifndef MAILSLOTS_COMMAND_H
#define MAILSLOTS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

// MARK: what the kernel offers: 0, or the errno of the call that does not work

/// Sleeping on several words at once (Linux 5.16).
int command_try_futex_waitv(void);
/// A robust-list entry can be left (no emulator, no sandbox is in the way). Whether it is honoured, only a death shows.
int command_try_robust_list(void);
/// Two descriptions of one file in this directory exclude each other, and a mapping keeps a lock when its descriptor is closed; if not, it
/// is COMMAND_LOCK_NOT_MAPPED.
enum { COMMAND_LOCK_NOT_MAPPED = -1 };
int command_try_locks(const char *directory);
/// A file without a name can be made in this directory, and named later.
int command_try_unnamed_file(const char *directory);

// MARK: the file system of a directory

typedef struct command_space {
    int error;
    /// Memory of some kind, so that no disk is written to: tmpfs, ramfs or hugetlbfs.
    bool is_memory;
    /// Other machines may see it: locks and mappings are not what they are here.
    bool is_remote;
    bool is_read_only;
    uint64_t bytes;
    uint64_t free_bytes;
    /// 0: not limited, or not said.
    uint64_t files;
    uint64_t free_files;
} command_space;
command_space command_space_of(const char *directory);

/// Bytes of a mailslot whose creator says nothing of its size.
uint64_t command_default_bytes(void);

// MARK: processes

/// Publishes one message to the mailslot, whose reader must be asleep in process `reader`, and dies by SIGKILL before it wakes the reader.
/// Returns only if it cannot: an outcome of Mailslots, or -1 if the reader did not fall asleep within ten seconds.
int command_publish_and_die(const char *mailslot, int reader);

/// Whether somebody holds a lock on the first byte of this file. -1: it cannot be asked.
int command_is_locked(const char *path);

// MARK: signals

/// Whether this process ignores the signal: before it says anything of it itself, because whoever started it wants that, as nohup does.
bool command_ignores(int signal);

/// From here on these signals do nothing but write their number, a byte, into the pipe whose reading end is returned; those that are
/// ignored stay so. -1 with errno.
int command_signals_to_pipe(const int *signals, int count);
/// Stops this process as the signal would without us; returns when it goes on.
void command_stop_self(int signal);

// MARK: the terminal

/// 0 if it has no size.
typedef struct command_window {
    uint16_t columns;
    uint16_t rows;
} command_window;
command_window command_window_of(int descriptor);

#endif

// What the files of this folder share: the lowest first, and a file calls none that comes after it. Not API.
//
//     name failure growing undisturbed lock sleep waiter loop fork handle guard file presence alive robust lane write read open observe
//     create sweep info describe exported
#ifndef MAILSLOTS_LINUX_H
#define MAILSLOTS_LINUX_H

#ifndef _GNU_SOURCE
#error "Compile with -D_GNU_SOURCE: open-file-description locks and O_TMPFILE need it."
#endif

#include "mailslots.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>

// sys/mman.h of older systems lacks them (Linux 5.14).
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/// Makes a system call again as long as a signal interrupts it: on a file system in user space or on the network any may be.
#define MSLOT_UNINTERRUPTED(call)                \
    __extension__({                              \
        __typeof__(call) result_;                \
        do result_ = (call);                     \
        while (result_ == -1 && errno == EINTR); \
        result_;                                 \
    })

// MARK: name.c

/// A mailslot's name, parsed: of this machine, or of others.
typedef struct mslot_name {
    mslot_name_problem problem;
    bool is_remote;
    /// `\\host\mailslot\text`, `\\domain\mailslot\text` or `\\*\mailslot\text`: the host or the domain, or "@" for `*`. Canonical: folded.
    char destination[MSLOT_HOST_BYTES_MAX + 1];
    size_t destination_bytes;
    /// Canonical: folded, `/` between parts.
    char text[MSLOT_NAME_BYTES_MAX + 4];
    size_t bytes;
} mslot_name;

mslot_name mslot__name_parse(const char *text);

/// Cuts a text off where it is not UTF-8, or has a control character.
void mslot__text_cut(char *text);

/// Whether this may be a host's or a domain's name, folded as in a remote name.
bool mslot__host_is_canonical(const char *text, size_t byte_count);

enum { MSLOT_FILE_NAME_MAX = 256 };
#define MSLOT_FILE_PREFIX "mailslot."
void mslot__name_file(const mslot_name *name, char file[MSLOT_FILE_NAME_MAX]);
/// The other way round. False: it is no mailslot's file, or of a name so long that the file's name does not tell it.
bool mslot__file_name(const char *file, mslot_name *name);

// MARK: failure.c

static inline mslot_failure mslot__failure_of(mslot_outcome outcome)
{
    mslot_failure failure;
    memset(&failure, 0, sizeof failure);
    failure.outcome = outcome;
    return failure;
}
/// What an errno means for a mailslot.
mslot_failure mslot__failure_errno(int error);

/// Whether the caller trusts files of this user; `trust_user` as in mslot_open_options.
bool mslot__is_trusted(uint32_t owner, uint32_t trust_user);

// MARK: growing.c

/// Whether all of these bytes are 0.
bool mslot__is_zero(const void *bytes, size_t count);

/// Copies options that a program gave over those that are there. Both begin with their size; `known_bytes` is that of ours, `bytes_min`
/// that of the first version. False: no size, or more than we know and not zero.
bool mslot__options_take(void *options, size_t known_bytes, size_t bytes_min, const void *given);
/// Copies what we know to a caller's information of `info_bytes`, and zeros behind it. Its outcome; BAD_ARGUMENT: `info` is NULL.
mslot_outcome mslot__info_give(const mslot_info *known, mslot_info *info, size_t info_bytes);

// MARK: undisturbed.c

/// To the end of the block pthread_cancel has to wait: a thread that ended in a call would leave descriptors, locks and a handle behind.
#define MSLOT_UNCANCELLED __attribute__((cleanup(mslot__cancellation_allow), unused)) int cancellation_before_ = mslot__cancellation_hold()
/// And so have signals of this thread, but for those of faults. While it holds descriptors, locks of the library, or changes names.
#define MSLOT_UNDISTURBED \
    MSLOT_UNCANCELLED;    \
    __attribute__((cleanup(mslot__signals_allow), unused)) sigset_t signals_before_ = mslot__signals_hold()

int mslot__cancellation_hold(void);
void mslot__cancellation_allow(const int *before);
sigset_t mslot__signals_hold(void);
void mslot__signals_allow(const sigset_t *before);
sigset_t mslot__signals_but_faults(void);

// MARK: lock.c

typedef enum { MSLOT_LOCK_TAKEN, MSLOT_LOCK_HELD_BY_ANOTHER, MSLOT_LOCK_FAILED } mslot_lock_result;

/// Tries to take the lock on one byte; never waits. FAILED sets errno.
mslot_lock_result mslot__lock_try(int descriptor, off_t byte);
/// Some bytes of a range of the file that another description has locked: as many as one lock covers. Empty: there are none, or with errno
/// set they cannot be asked for; else errno is 0.
typedef struct mslot_locked_bytes {
    off_t first;
    off_t end;
} mslot_locked_bytes;
mslot_locked_bytes mslot__lock_find(int descriptor, off_t first, off_t end);
/// Whether another description holds the lock. False with errno set if it cannot be asked; else errno is 0.
bool mslot__lock_is_held(int descriptor, off_t byte);

// MARK: sleep.c

int64_t mslot__now_ns(void);
uint64_t mslot__unix_ns(void);
/// When a time-out that begins now ends; MSLOT_FOREVER stays.
int64_t mslot__deadline(int64_t timeout_ns);

enum {
    /// A sleeper looks again after this long whatever happens: it bounds what a missing wake can cost.
    MSLOT_SLEEP_NS_MAX = 1000000000
};

/// Waits before it looks again for what nobody will wake it for: 100 µs the first time, with `*step_ns` 0, then each time twice as long up
/// to `step_ns_max`. DONE: look; at once TIMED_OUT, INTERRUPTED. `interrupt`: as in mslot_open_options.
mslot_outcome mslot__look_later(int64_t *step_ns, int64_t step_ns_max, int64_t deadline_ns, uint32_t *interrupt);

/// Sleeps while each word holds its value, until woken, until `deadline_ns` or MSLOT_SLEEP_NS_MAX from now, or for no reason. The caller
/// looks again. `count` is at most 2 * MSLOT_WAIT_MAX. Without futex_waitv only the first word is slept on.
typedef struct mslot_sleep_on {
    uint32_t *word;
    uint32_t value;
    bool is_private;
} mslot_sleep_on;
typedef struct mslot_slept {
    bool timed_out;
    /// The index of one word that somebody woke; -1: it is not known which, or none.
    int32_t woken;
} mslot_slept;
mslot_slept mslot__sleep(const mslot_sleep_on *words, size_t count, int64_t deadline_ns);
void mslot__wake(uint32_t *word, int sleepers_max);
/// The same for all who sleep on a word of this process' own.
void mslot__wake_in_this_process(uint32_t *word);

/// Whom this thread tells each time before it sleeps in a call; NULL: nobody. For threads that should not.
typedef struct mslot_sleep_witness {
    void (*blocks)(void *context);
    void *context;
} mslot_sleep_witness;
extern _Thread_local mslot_sleep_witness mslot__sleep_witness;

/// Changes the word and wakes all who sleep on it, in this process.
void mslot__wakeup_signal(uint32_t *wakeup);

/// Sets the interrupt of a handle and wakes whoever sleeps on it, or on its wait's wakeup.
void mslot__interrupt_set(uint32_t *interrupt, uint32_t *const *wakeup);
/// True, once, if it was set.
bool mslot__interrupt_take(uint32_t *interrupt);

bool mslot__polling_is_allowed(int64_t polling_ns);
mslot_spin mslot__spin_start(int64_t polling_ns);
/// At the beginning of a wait: how long it polls before it sleeps, in nanoseconds; 0: not at all; MSLOT_FOREVER: there is no sleeping.
int64_t mslot__spin_limit(mslot_spin *spin);
static inline bool mslot__spin_may_poll(const mslot_spin *spin) { return spin->polling_ns != MSLOT_POLLING_NEVER; }
static inline bool mslot__spin_never_sleeps(const mslot_spin *spin) { return spin->polling_ns == MSLOT_FOREVER; }
/// The same for a caller who has something else to do.
int64_t mslot__spin_limit_of_a_moment(mslot_spin *spin);
/// Polling brought what was waited for, after so long.
void mslot__spin_found(mslot_spin *spin, int64_t polled_ns);
/// After a sleep. `polled`: that it polled before, in vain.
void mslot__spin_slept(mslot_spin *spin, bool polled, int64_t slept_ns);
/// How long a writer backs off from a full mailslot whose reader makes room for `messages` meanwhile, at its pace; 0: it polls.
int64_t mslot__spin_backoff_ns(const mslot_spin *spin, uint32_t messages);
/// It backed off so long, and the reader made room for so many.
void mslot__spin_backed_off(mslot_spin *spin, int64_t ns, uint64_t messages);

// MARK: waiter.c

enum {
    /// The kernel sleeps on 128 words at once; one is the wakeup.
    MSLOT_WAITER_WAITS_MAX = 127
};
MSLOT_STATIC_ASSERT(MSLOT_WAITER_WAITS_MAX + 1 <= 2 * MSLOT_WAIT_MAX, "mslot__sleep takes so many words");

/// Who sleeps through others' waits: a thread of the library, or a program's loop. Never freed, for an interrupt may ring it at any time.
/// All but the two words is guarded by the one lock.
typedef struct mslot_waiter {
    struct mslot_waiter *next;
    /// Changed whenever it is to look again.
    uint32_t wakeup;
    /// It sleeps, or is about to: whoever changes `wakeup` and takes this away wakes it.
    uint32_t wants_wake;
    /// In or before its sleep, with the table as it was.
    bool asleep;
    /// Calling `ended`, for the so manieth time.
    bool calling;
    uint64_t calls;
    /// Only the thread that entered it gives it waits.
    bool is_loop;
    /// Of a loop: somebody has it.
    bool is_taken;
    /// Of a loop: nothing can be begun on it any more.
    bool is_closed;
    size_t count;
    mslot_wait *waits[MSLOT_WAITER_WAITS_MAX];
} mslot_waiter;

/// The loop that this thread has entered, or NULL.
extern _Thread_local mslot_waiter *mslot__this_loop;

void mslot__waiters_lock(void);
void mslot__waiters_unlock(void);
/// With the lock: puts it into the list of all.
void mslot__waiter_register(mslot_waiter *waiter);
/// With the lock: a loop that nobody has, or NULL.
mslot_waiter *mslot__waiter_free_loop(void);
/// Has it look again, soon. Without the lock, too.
void mslot__waiter_ring(mslot_waiter *waiter);
/// With the lock: whether one of its waits is over.
bool mslot__waiter_has_news(const mslot_waiter *waiter);
/// With the lock: sleeps on all of its waits unless one is over, until `deadline_ns`, or until the wakeup is no longer `wakeup`. Calls
/// `ended` of those that are over, before the sleep or after it, without the lock.
void mslot__waiter_turn(mslot_waiter *waiter, uint32_t wakeup, int64_t deadline_ns);
/// With the lock, of a loop: cancels all waits that were begun on it, and lets no other begin.
void mslot__waiter_close(mslot_waiter *loop);
/// Starts a thread that blocks all signals but those of faults; `start` and its argument as of pthread_create. 0, or an errno.
int mslot__thread_start(const char *name, size_t stack_bytes, void *(*start)(void *), void *argument);

/// Gives the wait to this thread's loop, or to a thread that sleeps through it; `wakeup` becomes the word that calls that thread. When this
/// returns the wait may be over already, and its memory gone. False with errno: no thread could be started; ESHUTDOWN: the loop is closed.
bool mslot__waiter_add(mslot_wait *wait, uint32_t **wakeup);
/// Whether it may be begun: it is there, has an `ended`, and asks for nothing that we do not know.
bool mslot__wait_is_allowed(const mslot_wait *wait);
bool mslot__waiter_has(const mslot_wait *wait);
/// In a forked child, which has none of its parent's threads.
void mslot__waiters_forget_all(void);

// MARK: loop.c: a thread of the program's own that sleeps through waits. include/mailslots/loop.h has the rest.

/// Whether this thread has a loop, and that has other work to do: who waits on it does not poll.
bool mslot__loop_is_busy(void);
/// Whether this thread has a loop, and something came for it since: who polls on it looks up.
bool mslot__loop_is_called(int64_t now_ns);

// MARK: fork.c: what a child gets of what is open here

/// While held no other thread forks, and none passes here. Undisturbed, and short.
void mslot__forks_hold(void);
void mslot__forks_release(void);
/// Forks of this process that are over. As long as this stays the same while forks are held, no child has what was opened since.
uint32_t mslot__forks_so_far(void);
/// Differs between a process and its forked child. While forks are held.
uint32_t mslot__fork_generation(void);
/// Zeroed memory that is zero again in a forked child, and is never freed. NULL with errno.
void *mslot__wiped_allocate(size_t byte_count);

// MARK: handle.c: memory of handles

enum { MSLOT_HANDLE_BYTES = 512 };
MSLOT_STATIC_ASSERT(sizeof(mslot_reader) <= MSLOT_HANDLE_BYTES, "a handle fits its record");
MSLOT_STATIC_ASSERT(sizeof(mslot_writer) <= MSLOT_HANDLE_BYTES, "a handle fits its record");

/// A record for a handle: zeroed, and zero again in a forked child. NULL with errno. Both: undisturbed.
void *mslot__handle_allocate(void);
void mslot__handle_free(void *handle);
/// Why no call can be made on a handle of any kind, if its state says so: BAD_ARGUMENT (NULL), FORKED, NOT_OPEN. Else DONE.
mslot_outcome mslot__handle_refusal(const void *handle);

// MARK: guard.c

/// Tells the guard of a mapping, and that it is about to end. Adding fails with errno.
bool mslot__guard_add(mslot_mapping *mapping, const mslot_header *header);
void mslot__guard_remove(mslot_mapping *mapping);

// MARK: file.c: directory, paths, the file of a segment

/// The directory of all mailslots; NULL with errno.
const char *mslot__directory(char *buffer, size_t capacity);

enum { MSLOT_PROC_PATH_MAX = 64 };
/// A path of the file that a descriptor is of, whatever its name, as far as /proc is there.
void mslot__proc_path(int descriptor, char path[MSLOT_PROC_PATH_MAX]);

/// The path of a name's file, on the heap; NULL with the failure. A remote name has none: BAD_NAME, NAME_REMOTE.
char *mslot__file_path(const mslot_name *name, mslot_failure *failure);

/// A segment's file, open.
typedef struct mslot_file {
    int descriptor;
    uint64_t device;
    uint64_t inode;
    /// The mount it was opened on: a number that is never given again. 0: the kernel does not tell it (before Linux 6.8).
    uint64_t mount;
    /// mslot__forks_so_far, from before it was opened.
    uint32_t forks;
    uint32_t owner;
    uint32_t mode;
    mslot_header header;
} mslot_file;

/// Opens the file of `name` and checks it. On failure nothing is open. `flags`: O_RDWR or O_RDONLY.
mslot_failure mslot__file_open(mslot_file *file, const char *path, const mslot_name *name, int flags, uint32_t trust_user);

/// The file for who only looks at it: it is read, never mapped.
mslot_sight mslot__file_sight(const mslot_file *file);

/// Whether `path` still names this file.
bool mslot__file_has_name(const char *path, uint64_t device, uint64_t inode);

/// Whether the directory lets us take the name of this file away. Asked before the seal: else a refused remove or take-over
/// would destroy what is unread.
bool mslot__file_may_unlink(const char *path, uint32_t owner);

/// Takes the name away: false with errno. Other names, which only another can have given to the file, lead to no mailslot any more: with
/// one name again, it would be believed for its owner's sake. `descriptor` is one of the file, or -1: there is none, and they are left.
bool mslot__file_unlink(int descriptor, const char *path);

/// The part of a segment that is always there: all but the overflow.
static inline uint64_t mslot__header_fixed_bytes(const mslot_header *header)
{
    return header->overflow_offset != 0 ? header->overflow_offset : header->segment_bytes;
}
/// Asked before a file grows: beyond RLIMIT_FSIZE the kernel does not only refuse, it sends SIGXFSZ, which kills.
bool mslot__file_may_reach(uint64_t bytes);
/// Sets room aside for a part of the file: 0, or an errno.
int mslot__file_allocate(int descriptor, uint64_t offset, uint64_t bytes);

/// What is to become of a mapping's pages at once. Never of an overflow's holes: they stay what they are, also under mlockall.
enum {
    MSLOT_PAGES_POPULATE = 1,
    /// And of an overflow's later, as they are filled.
    MSLOT_PAGES_LOCK = 2
};
/// Maps the file's segment and lends it to no forked child. `pages`: bits of those. On failure base is NULL and errno is set.
mslot_mapping mslot__file_map(const mslot_file *file, const char *path, int protection, unsigned pages);
/// Sees to it that some of the mapping's bytes are part of the file, and not a hole, where touching them on a full file system is a SIGBUS.
/// `advice`: MADV_POPULATE_READ, or MADV_POPULATE_WRITE to write there. 0, or an errno; ENOSPC: there is no room for them.
int mslot__mapping_fill(const mslot_mapping *mapping, const void *bytes, uint64_t byte_count, int advice);
/// Maps the page of a word that will be read, then written. By itself the read would map the pages around it as well, each of which costs
/// when the mapping ends, and be an exception instead of a call. Only faster: a page that is not there, or a kernel before Linux 5.14,
/// shows when the word is read. Keeps errno.
void mslot__mapping_touch(const void *word);
/// Keeps errno.
void mslot__mapping_end(mslot_mapping *mapping);

/// Tries to take the lock on one byte of an open file, and maps what it locked: the mapping holds the lock, and `file` none, for a forked
/// child may have that. `by`: what the file is called now; NULL: nothing yet. FAILED sets errno. ESTALE: another file is called so by now.
/// ENOLCK: the mapping alone does not keep the lock here. Undisturbed.
typedef struct mslot_locked {
    mslot_lock_result result;
    mslot_mapping mapping;
} mslot_locked;
mslot_locked mslot__file_lock(const mslot_file *file, const char *by, const char *path, off_t byte, unsigned pages);

/// As mslot__file_lock, in half the time: the lock is of the file's own descriptor, which is closed then, and -1, unless another holds the
/// lock. False: a child may have the descriptor, or it is not known that a mapping keeps a lock here; nothing has happened.
bool mslot__file_lock_itself(mslot_file *file, const char *path, off_t byte, unsigned pages, mslot_locked *locked);
/// Opens a file again that was closed so. False with errno, as of mslot__file_lock.
bool mslot__file_reopen(mslot_file *file, const char *path);

/// Whether a descriptor still is of the file that is mapped: somebody may have closed it, and opened another of its number.
bool mslot__mapping_is_of(const mslot_mapping *mapping, int descriptor);

// MARK: presence.c

/// Asks for the reader's lock: DONE, it is there; NO_READER. If it cannot be asked (no descriptors are left, the path is not to be seen
/// from here), says that the reader is there: a wrong "gone" would be the worse answer. NOT_FOUND: the file has lost its name, so nobody
/// can ask, and no other reader can come.
mslot_outcome mslot__reader_ask(mslot_writer *writer);
/// Closes the descriptor that asks, if there is one and it still is ours.
void mslot__writer_close_query(mslot_writer *writer);

// MARK: alive.c: death known without a system call

/// Lets the kernel note the reader's death in its segment, if it can: else the word stays 0, and writers ask the lock. Starts a thread,
/// which has the caller's signal mask. Undisturbed.
void mslot__alive_begin(mslot_reader *reader);
/// Says again that the reader lives, if it began so, after its segment was taken over from itself.
void mslot__alive_say(mslot_reader *reader);
/// While the lock is still held. Waits for the thread to end.
void mslot__alive_end(mslot_reader *reader);

// MARK: membarrier.c

/// Lets those who wait for room make the reader's fence, if this process may be registered for it. Not for a reader that reads already.
void mslot__reader_leave_fence(mslot_reader *reader);
/// Makes a fence in every running thread of every process that is registered. False: it is refused.
bool mslot__fence_others(void);

// MARK: robust.c

/// The kernel must not find an address in a mapping that is going away.
void mslot__writer_forget_robust_list(mslot_writer *writer);

// MARK: lane.c

typedef struct mslot_lane_taken {
    mslot_outcome outcome;
    uint32_t lane;
    /// Holds the lane's lock.
    mslot_mapping mapping;
} mslot_lane_taken;

/// Takes a lane that nobody has, the express lane first, or with `leaves_express` last: DONE, TOO_MANY_WRITERS, or SYSTEM_ERROR with errno,
/// as of mslot__file_lock. May close the file: its descriptor is -1 then.
mslot_lane_taken mslot__lane_take(mslot_ring_writer *writer, mslot_file *file, const char *path, unsigned pages, bool leaves_express);
/// Before the lock goes.
void mslot__lane_give_back(const mslot_ring *ring, uint32_t lane);

// MARK: open.c

/// As mslot_open, of a name on this machine.
mslot_opened mslot__open_local(const mslot_name *name, const mslot_open_options *options);

// MARK: observe.c

/// As mslot_observer_open, for one who believes what it sees: `trust_user` as in mslot_open_options. Also UNTRUSTED.
mslot_observer_opened mslot__observe_trusted(const mslot_name *name, uint32_t back, uint32_t trust_user);

// MARK: create.c

/// Removes the file of `name` if it is this user's alone, its reader is dead, and that was disposable. Whether it did.
bool mslot__dispose_of(const char *path, const mslot_name *name);

#endif

/*
 * Mailslots: the C API, and its manual.
 *
 * One process creates a mailslot and reads; any number of processes open it and write messages of 0 to 424 bytes, or longer ones
 * if the creator allows them. Nothing is acknowledged. A write costs tens of nanoseconds and no system call, unless the reader
 * sleeps. `kill -9` or SIGSTOP of a writer at any instruction holds up nobody; the messages of a reader that was killed, or that left,
 * wait for the next reader that adopts them.
 *
 *     mslot_created created = mslot_create("orders", NULL);            the reader
 *     char buffer[MSLOT_MESSAGE_BYTES_MAX];
 *     mslot_received received = mslot_reader_read(created.reader, buffer, sizeof buffer, MSLOT_FOREVER);
 *
 *     mslot_opened opened = mslot_open("orders", NULL);                a writer
 *     mslot_writer_write(opened.writer, "hello", 5, MSLOT_FOREVER);
 *
 * CALLS. mslot_create, mslot_open, mslot_inspect, mslot_list, mslot_remove and mslot_path act on a mailslot by its name. Every other
 * call is named after what it acts on: mslot_reader_..., mslot_writer_..., mslot_observer_..., mslot_wait_..., mslot_hosts_... What
 * begins with mslot__ is not for programs. No call crashes for NULL: it is BAD_ARGUMENT, and for a name BAD_NAME; calls that return
 * nothing do nothing.
 *
 * NAMES. "orders", "app/orders", "app\orders" and the Windows form "\\.\mailslot\app\orders" are local names; case of ASCII
 * letters does not matter. 1 to 255 characters of UTF-8; none of  : * ? < > " |  and no control characters. "\\host\mailslot\x",
 * "\\domain\mailslot\x" and "\\*\mailslot\x" are on other machines; see below. A mailslot is a file
 * in the POSIX shared-memory directory, /dev/shm, or in the directory that the environment variable MAILSLOT_DIRECTORY names:
 * "mailslot." and the name, with what is not a letter, digit, `.`, `_` or `-` as %xx.
 *
 * CAVEATS
 *
 *   Threads. A handle is for one thread at a time; it may move between threads. A second thread, or a signal handler, that uses a
 *   handle during a call on it gets BUSY where this is noticed, and it is noticed without cost, so not always.
 *     Fix: one writer a thread; lanes are cheap. mslot_reader_interrupt and mslot_writer_interrupt alone may be called from anywhere.
 *
 *   Closing twice. A call on a handle that was closed says NOT_OPEN, but only until another is opened, which may be given its memory.
 *     Fix: forget the pointer.
 *
 *   fork. A child must not use its parent's handles. Every call on one says FORKED and touches nothing.
 *     Fix: open in the child. A child made by vfork may call nothing here before it calls exec.
 *   A fork in another thread may come at any moment, and so may one in a signal handler. A child that returns from such a handler into a
 *   mslot_open that waits opens for itself; it must not return into any other call on its parent's handles, whose memory it does not have.
 *     Fix: exec or _exit in the handler, or fork outside of it.
 *
 *   pthread_cancel. No call is a cancellation point, nor is what it calls back: the thread goes on to its next one. While a call works on
 *   files its thread's signals wait too, but for those of faults.
 *     Fix: mslot_reader_interrupt, mslot_writer_interrupt and mslot_open_interrupt end waits.
 *
 *   longjmp, or asynchronous cancellation, out of a read or a write leaves the handle BUSY: the message may or may not have been published.
 *     Fix: mslot_writer_reset for a writer, which finds out; mslot_reader_reset for a reader. Both make the handle usable.
 *
 *   Full disk. /dev/shm holds the segment, about 650 KB by default; mslot_create reserves all of it, so a full file system is
 *   an error there (NO_SPACE) and never a crash later. Docker gives a container 64 MB.
 *     Fix: a smaller capacity, a larger /dev/shm (docker run --shm-size), or MAILSLOT_DIRECTORY.
 *
 *   Overlays. On overlayfs, the root of a container, a lock is gone when its descriptor is closed, though the file is mapped. Nobody would
 *   know there who is alive, so mslot_create and mslot_open try it, and refuse: SYSTEM_ERROR, ENOLCK.
 *     Fix: a tmpfs, or a volume: MAILSLOT_DIRECTORY.
 *
 *   Long messages. With message_bytes_max over 424 each lane may have an overflow, room for at least four of the longest messages and
 *   256 KiB: address space at once, memory when a writer of that lane writes its first long message, which is where NO_SPACE may come
 *   from. It lasts as long as the mailslot. A writer waits for room when its own overflow is full, whatever room the others have.
 *     Fix: none is needed; but a maximum of 16 MiB with 256 writers can come to 16 GiB. Short messages take the same way as without.
 *
 *   mlockall. MCL_FUTURE locks what is mapped later, and fills it: a mailslot's pages, but not the holes of its overflow, which it locks
 *   as they are filled. All of the segment counts against RLIMIT_MEMLOCK; create and open fail with ENOMEM where that is too low.
 *   MCL_CURRENT, after a mailslot was opened, fills all holes: up to 16 GiB.
 *     Fix: lock_pages in the options; or mlockall before, or with MCL_ONFAULT.
 *
 *   A file cut short. A process that may write the file may also truncate it, or punch holes where a full file system has no room for
 *   them; a reader or a writer that touches what is gone gets SIGBUS, and dies. (A message that claims bytes which never were there is
 *   DAMAGED.) Who only looks (mslot_inspect, mslot_list, mslot_observer_...) maps nothing, and lives.
 *     Fix: mslot_guard_install, which makes it DAMAGED. Nobody truncates a mailslot by accident: for mailslots shared with others.
 *
 *   Permissions. The file has mode 0600: the same user. Who may write a mailslot may also read and damage it. Who may read it can lock
 *   its bytes and sleep on its words, which takes writers' lanes and delays the reader; so there is no mode for reading alone. A mailslot
 *   that has one all the same, by chmod or from an earlier version, is opened and adopted as any other: its owner wanted it so.
 *     Fix: a mode for a group; and mslot_open_options.trust_user on the writers' side, which trust only their own user and root.
 *
 *   Late wakes. A message is in the ring at once, but a SLEEPING reader may hear of it up to one second late, if its writer was
 *   stopped between publishing and waking (tens of nanoseconds) and nobody else writes, if two such accidents meet, or if a
 *   writer was killed there and the kernel offers no robust list (before 5.5, some sandboxes, qemu-user). Nothing is lost.
 *
 *   Other machines. mslot_open of "\\host\mailslot\x", and nothing else, takes such a name; a bridge has to run on both machines
 *   (mailslot bridge). "\\domain\mailslot\x" is the mailslot x of every host of that domain that has one, "\\*\mailslot\x" of this
 *   machine's first domain. A host or domain has 1 to 63 bytes, without @, a name there at most 40, a message at most 424. DONE says
 *   that the bridge has the message and not that it arrived: it arrives once, or not at all. mslot_writer_info, FULL and NO_READER
 *   are about the way to the bridge: a bridge that ends closes it (CLOSED); one that was killed leaves what it had not sent to the next.
 *     Fix: what matters is acknowledged by the reader's program. wait_through_restarts for writers that outlive bridges.
 *
 *   Signals never end a call. mslot_reader_interrupt does, and may be called from a signal handler.
 *
 * GROWING. A program that was compiled with these headers runs with every later library of the same soname, and one that was compiled
 * with later headers runs with this library as long as it asks for nothing that this one does not know.
 *
 *   Options begin with their own size, which ..._options_default() sets. New fields come at the end, and 0 means what was so before. A
 *   library that knows fewer of them refuses with BAD_ARGUMENT what is not 0 among the others.
 *   mslot_wait and mslot_host, which a program makes too, have reserved words instead. Set them to 0: what is not is BAD_ARGUMENT.
 *   mslot_info is filled in as far as the program's size of it. New counters come at its end, and are 0 where the library has none.
 *   Other results by value have reserved words, which are 0 until they get a meaning. Do not look at them.
 *   What is small and fast, or an element of an array, never changes: mslot_view, mslot_received, mslot_loaned, mslot_batch, mslot_ready,
 *   mslot_message, mslot_bytes, mslot_remote_message. What does not fit there will be a call of its own.
 *   Outcomes may be added; treat one that you do not know as a failure. mslot_outcome_text may know it.
 *   The handles' fields in handle.h keep their places, for they are compiled into programs; but never use them.
 */
#ifndef MAILSLOTS_H
#define MAILSLOTS_H

#include "mailslots/counters.h"
#include "mailslots/handle.h"
#include "mailslots/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Time-outs are in nanoseconds, relative; 0 or less polls.
static const int64_t MSLOT_FOREVER = 0x7fffffffffffffffLL;
/// For reading: the mailslot's own time-out, mslot_reader_set_timeout.
static const int64_t MSLOT_DEFAULT_TIMEOUT = -0x7fffffffffffffffLL - 1;

/// How long the waits of a handle poll before they sleep, in nanoseconds; or one of these, or MSLOT_FOREVER: they never sleep, and take all
/// of a processor while they last. Who polls hears of a message some 5 µs sooner than a sleeper, who has to be woken. Time-outs and
/// interrupts end a wait all the same.
enum {
    /// As long as it has paid lately, 20 µs at most; now and then up to 100, to see whether the other end comes to poll, too. A writer that
    /// would poll for each message behind a slow reader sleeps instead until an eighth of the mailslot is free, 256 µs at most.
    MSLOT_POLLING_ADAPTIVE = 0,
    /// Not at all: what is not there at the first look is slept for. For processors that others need, batteries, thousands of mailslots.
    MSLOT_POLLING_NEVER = -1
};

// MARK: the reader

/// Start from mslot_create_options_default().
typedef struct mslot_create_options {
    /// sizeof(mslot_create_options), by which the library knows which of the fields the program knows.
    uint32_t size;
    /// Messages that fit, a power of two, 1 to 32768. 0: 1024, or with `adopt` what is there.
    uint32_t capacity;
    /// Writers at one time, at least 1; capacity + writers <= 65535. 0: 256, or with `adopt` what is there.
    uint32_t writers;
    /// The longest message in bytes, 1 to MSLOT_LONG_BYTES_MAX (16 MiB). 0: 424, or with `adopt` what is there.
    uint32_t message_bytes_max;
    /// Permission bits of the file; the umask does not apply: 0600, 0660, 0606 or 0666. Another is BAD_ARGUMENT, for who may read and not
    /// write could still hold the mailslot up: see Permissions above. 0: 0600, or with `adopt` what is there.
    uint32_t mode;
    /// The unread messages of a reader that was killed, or that left: true: read them; false: discard them, and its writers' next write
    /// fails with CLOSED.
    bool adopt;
    /// Messages from other machines may be delivered here.
    bool allow_remote;
    /// 0.
    uint16_t reserved;
    /// The mailslot's own read time-out in nanoseconds; MSLOT_FOREVER.
    int64_t read_timeout_ns;
    /// Keep this process' pages of the mailslot in memory (mlock): all at once, those of an overflow as they are filled. All of the
    /// segment counts against RLIMIT_MEMLOCK, the overflow too; SYSTEM_ERROR, ENOMEM: it is too low.
    bool lock_pages;
    /// Lets writers know by a look at the segment, mslot_writer_sees_reader, that the reader lives, however it may end: the kernel notes
    /// its death there. Costs a thread that sleeps, and the time to start and to end it. Where that cannot be had, as in an emulator or
    /// where threads are refused, nothing is said, and writers have to ask.
    bool announces_death;
    /// What is unread when the reader dies is of use to nobody: mslot_sweep may remove the mailslot then. So it may after
    /// mslot_reader_leave.
    bool is_disposable;
    /// 0.
    unsigned char reserved_behind[1];
    /// For an interface that promises another longest message than what fits here: what mslot_info.stated_bytes_max says to others.
    /// Information, and nothing is refused by it. 0: as message_bytes_max.
    uint32_t stated_bytes_max;
    /// How long a read polls before it sleeps, in nanoseconds; MSLOT_POLLING_ADAPTIVE, MSLOT_POLLING_NEVER, MSLOT_FOREVER. Less than
    /// MSLOT_POLLING_NEVER is BAD_ARGUMENT. mslot_reader_begin_wait polls 20 µs at most, rarely 100.
    int64_t polling_ns;
} mslot_create_options;

static inline mslot_create_options mslot_create_options_default(void)
{
    mslot_create_options options;
    memset(&options, 0, sizeof options);
    options.size = (uint32_t)sizeof options;
    options.read_timeout_ns = MSLOT_FOREVER;
    return options;
}

typedef struct mslot_created {
    /// NULL unless failure.outcome is DONE.
    mslot_reader *reader;
    mslot_failure failure;
    /// The ring of a reader that was killed, or that left, was adopted.
    bool adopted;
    /// Messages that such a reader had left unread: adopted, or discarded.
    uint32_t unread_count;
    unsigned char reserved[8];
} mslot_created;

/// Creates a mailslot, to read from it. One reader a name. A name whose reader was killed, or left, is taken over.
/// `options` NULL: the defaults. Not async-signal-safe.
/// Failures: BAD_NAME, BAD_ARGUMENT, ALREADY_EXISTS, NO_PERMISSION, UNTRUSTED, NOT_A_MAILSLOT, OTHER_LAYOUT, MISMATCH, DAMAGED,
/// NOT_FOUND (the directory), NO_SPACE, SYSTEM_ERROR.
mslot_created mslot_create(const char *name, const mslot_create_options *options);

/// A message copied out whole, for mslot_reader_read_batch.
typedef struct mslot_message {
    uint32_t byte_count;
    uint32_t sender;
    uint64_t position;
    uint16_t origin;
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
} mslot_message;

typedef struct mslot_batch {
    /// DONE: all. Else why it stopped after `count`.
    mslot_outcome outcome;
    size_t count;
} mslot_batch;

/// Copies out as many messages as are there, at most `count`; waits only for the first. One wake for all.
/// DONE: `count` in the result is at least 1, and may be less than was asked for. TOO_LONG: the next message has more than 424
/// bytes, and stays for mslot_reader_read or mslot_reader_peek; a batch ends before such a one. Else as mslot_reader_peek.
mslot_batch mslot_reader_read_batch(mslot_reader *reader, mslot_message *messages, size_t count, int64_t timeout_ns);

/// Sets the mailslot's own read time-out. (SetMailslotInfo.)
mslot_outcome mslot_reader_set_timeout(mslot_reader *reader, int64_t timeout_ns);

enum { MSLOT_WAIT_MAX = 64 };

typedef struct mslot_ready {
    mslot_outcome outcome; // DONE: `index` has something to read. EMPTY, TIMED_OUT, INTERRUPTED, BAD_ARGUMENT, BUSY, FORKED
    size_t index;
} mslot_ready;

/// Waits until one of 1 to 64 mailslots has a message, or is damaged; reads nothing. The first in the list wins.
/// mslot_reader_interrupt on any of them ends it. MSLOT_DEFAULT_TIMEOUT is that of the first, which says how long to poll, too. Kernels
/// before 5.16 poll every millisecond.
mslot_ready mslot_reader_wait_any(mslot_reader *const *readers, size_t count, int64_t timeout_ns);

/// Ends the wait that is on, or else the next one, with INTERRUPTED: one wait for any number of calls. A call that need not wait
/// does not notice. From any thread or signal handler while the handle is open. Kernels before 5.16: within a second.
void mslot_reader_interrupt(mslot_reader *reader);

/// After a read was left by longjmp or asynchronous cancellation: makes the handle usable again. What was lent comes again, with its
/// position. The caller knows that no call is going on. DONE, FORKED; DAMAGED or CLOSED: closing is all that is left.
mslot_outcome mslot_reader_reset(mslot_reader *reader);

/// Closes: discards what is unread, tells every waiting writer, frees the name. Every write that succeeded came before.
/// The pointer is invalid afterwards. BUSY: a call is going on, nothing was closed. NOT_OPEN: it was closed before. In a forked child it
/// closes nothing of the parent's. NO_PERMISSION, SYSTEM_ERROR (errno): closed all the same, but the name stays, as a reader finds that
/// has dropped its privileges. Opening says NOT_FOUND; the next reader that may change the directory takes the name over.
mslot_outcome mslot_reader_close(mslot_reader *reader);

/// As mslot_reader_close, and says how many messages were discarded: exactly, for no write succeeds after the seal. What is lent counts.
/// `discarded` may be NULL; 0 unless DONE, and for a damaged ring.
mslot_outcome mslot_reader_close_counting(mslot_reader *reader, uint32_t *discarded);

/// Leaves: closes the handle, and keeps the mailslot with what is unread for the next reader that creates it with `adopt`. What is lent
/// and not released comes again, with its position. To the writers it is as if the reader had been killed: they go on while there is
/// room; one that waits for it gets NO_READER within a second, or waits for the next reader (wait_through_restarts).
/// The file stays until a reader closes the mailslot, or mslot_remove. The pointer is invalid afterwards. Outcomes as mslot_reader_close.
mslot_outcome mslot_reader_leave(mslot_reader *reader);

// MARK: a writer

/// Start from mslot_open_options_default().
typedef struct mslot_open_options {
    /// sizeof(mslot_open_options).
    uint32_t size;
    /// Also trust mailslots that this user owns; MSLOT_TRUST_ANYONE: any. Always trusted: the caller's own user and root.
    uint32_t trust_user;
    /// How long to wait for a reader to appear, in nanoseconds. 0: not at all; MSLOT_FOREVER. For a name of another machine: for a bridge
    /// here, and for it to hear of that host.
    int64_t wait_ns;
    /// How long the bridge may take to answer each time it is asked, for a name of another machine, in nanoseconds. 0: 10 s. It has at
    /// least until `wait_ns` is over, and is asked a last time then.
    int64_t answer_ns;
    /// Waiting for room goes on when the reader was killed, or left: another will adopt the messages.
    bool wait_through_restarts;
    /// Map every page at once: the first writes are faster, opening is slower.
    bool populate;
    /// 0.
    unsigned char reserved[6];
    /// As of mslot_create_options.
    bool lock_pages;
    /// Leave the express lane to others. Its owner alone, the first writer that takes it until it closes or dies, publishes messages of up
    /// to 48 bytes in one cache line instead of two. For who writes seldom. It is taken all the same if no other lane is free.
    bool leaves_express_lane;
    /// 0.
    unsigned char reserved_behind[6];
    /// NULL, or a word that any thread or signal handler may set by mslot_open_interrupt, also before the call: then the wait ends with
    /// INTERRUPTED. It is 0 before, and the call leaves it as it is.
    uint32_t *interrupt;
    /// As of mslot_create_options, for a write that waits for room.
    int64_t polling_ns;
} mslot_open_options;

static const uint32_t MSLOT_TRUST_NOBODY_ELSE = 0xffffffffu;
static const uint32_t MSLOT_TRUST_ANYONE = 0xfffffffeu;

static inline mslot_open_options mslot_open_options_default(void)
{
    mslot_open_options options;
    memset(&options, 0, sizeof options);
    options.size = (uint32_t)sizeof options;
    options.trust_user = MSLOT_TRUST_NOBODY_ELSE;
    return options;
}

typedef struct mslot_opened {
    /// NULL unless failure.outcome is DONE.
    mslot_writer *writer;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_opened;

/// Opens a mailslot, to write to it. `options` NULL: the defaults. Not async-signal-safe. Failures: BAD_NAME, NOT_FOUND, NO_READER,
/// TIMED_OUT, INTERRUPTED, TOO_MANY_WRITERS, NO_PERMISSION, UNTRUSTED, NOT_A_MAILSLOT, OTHER_LAYOUT, SYSTEM_ERROR.
///
/// A name of another machine, `\\host\mailslot\x`, opens an outbox of this machine's bridge: the first time for a host and a name the
/// bridge is asked to make it, some 100 µs; afterwards it is opened as any other is. The writer is one as any other. Then also NO_BRIDGE;
/// NO_SUCH_HOST, NOT_ALLOWED, NO_SPACE, BAD_NAME: the bridge refuses, and `words` in the failure says why; TIMED_OUT: it does not answer.
mslot_opened mslot_open(const char *name, const mslot_open_options *options);

/// Sets the word, and ends at once every mslot_open that waits with it; also those to come, until the word is set to 0. From any thread or
/// signal handler. Who sets the word to 1 itself is heard within 10 ms; in the name of another machine within a second.
void mslot_open_interrupt(uint32_t *interrupt);

/// A message for mslot_writer_write_batch.
typedef struct mslot_bytes {
    const void *bytes;
    size_t byte_count;
} mslot_bytes;

/// Writes messages in order, waiting for room as mslot_writer_write does (the time-out is for all together), waking the reader once.
/// `count` in the result were written; `outcome` is that of the first that was not.
mslot_batch mslot_writer_write_batch(mslot_writer *writer, const mslot_bytes *messages, size_t count, int64_t timeout_ns);

/// Asks whether the mailslot's reader is alive, by its lock; a plain write never asks. Two system calls, 0.5 µs; where
/// mslot_writer_sees_reader says so already, it need not be asked.
/// DONE: it is, or it closed the mailslot (a write tells), or it cannot be asked. NO_READER: it was killed, or left. BUSY, FORKED.
mslot_outcome mslot_writer_check_reader(mslot_writer *writer);

/// Whether the reader has closed the mailslot, so that every write says CLOSED. No system call; looks at the cells from the last known tail
/// on. False also for a handle that is in use, closed, NULL or a parent's.
bool mslot_writer_sees_close(mslot_writer *writer);

/// As mslot_reader_interrupt, for a writer that waits for room.
void mslot_writer_interrupt(mslot_writer *writer);

/// After a write was left by longjmp, by asynchronous cancellation, or in a signal handler that never returned: finds out whether it was
/// published, and makes the handle usable again. On the same thread; the caller knows that no call is going on. DONE, FORKED; DAMAGED:
/// closing is all that is left.
mslot_outcome mslot_writer_reset(mslot_writer *writer);

/// Closes; an open loan is abandoned. The pointer is invalid afterwards. BUSY: a call is going on, nothing was closed.
mslot_outcome mslot_writer_close(mslot_writer *writer);

// MARK: waiting without a thread of one's own

/// A wait that a thread of the library sleeps through: for event loops, task schedulers and coroutines, whose own threads must not.
///
///     mslot_wait wait = {.ended = wake_my_task, .context = my_task, .timeout_ns = MSLOT_FOREVER};
///     while (mslot_reader_begin_wait(reader, &wait) == MSLOT_EMPTY) sleep_until_woken(my_task);
///     received = mslot_reader_read(reader, buffer, sizeof buffer, 0);
///
/// Begin with zeros but for the first fields. It lies in the caller's memory, at its place from the call that begins a wait to
/// the call that follows `ended`. One mslot_wait makes one wait at a time, as often as needed; its time-out counts from the first.
///
/// Threads: a process has one such thread for each 127 waits that are on at the same time; the first wait starts the first, and
/// they stay. They block all signals but those of faults, hold no descriptor, and do not keep the process from ending. Where the
/// kernel has no futex_waitv (before 5.16) they look every millisecond while there are waits. fork: a wait of the parent never ends in
/// the child, and cannot be begun again there; the child's own waits start a thread of its own. Nothing here is for signal handlers.
typedef struct mslot_wait {
    /// Called once for each wait that was begun, on a thread of the library, when it is over: because something came, the time is
    /// up, or it was cancelled or interrupted. It must be short and never block: others' waits wait for it. From its beginning
    /// on the library does not touch the wait any more, so that another thread may go on with it.
    void (*ended)(struct mslot_wait *wait);
    void *context;
    /// As of mslot_reader_read or mslot_writer_write.
    int64_t timeout_ns;
    /// Begin at once, without polling first: there is something else to do.
    bool never_polls;
    /// A write without a time-out has found the mailslot full, and counted it: mslot_writer_write_or_begin_wait does not count it again.
    bool was_full;
    /// 0.
    uint64_t reserved[2];

    // What follows is private.
    int64_t deadline_ns;
    int64_t begun_ns;
    /// The thread that sleeps through it looks at it again at this time, at the latest.
    int64_t until_ns;
    uint32_t *word;
    uint32_t value;
    const uint32_t *interrupt;
    uint64_t *parked_position;
    struct mslot_waiter *waiter;
    bool cancelled;
    bool silent;
    bool found;
    bool polled;
    bool is_watch;
    int64_t look_step_ns;
    /// The loop on whose thread it was begun, whoever sleeps through it.
    const struct mslot_waiter *loop;
    uint64_t room[4];
} mslot_wait;

/// Begins to wait for a message, after looking and polling for a moment; reads nothing. DONE: one is there, or damage that a read will
/// tell. EMPTY: the wait has begun; call again once `ended` was called, or mslot_reader_end_wait. Until then the handle is BUSY for all
/// else. TIMED_OUT; INTERRUPTED; BUSY, also when all messages are lent; FORKED; SYSTEM_ERROR (errno): no thread could be started.
mslot_outcome mslot_reader_begin_wait(mslot_reader *reader, mslot_wait *wait);

/// As mslot_writer_write; when the ring is full begins to wait for room. FULL: the wait has begun; nothing was written, and nothing keeps
/// `bytes`. Once `ended` was called, call again with the same message, or mslot_writer_end_wait. Otherwise the outcomes of
/// mslot_writer_write. A wait for room ends after a second at the latest, to look whether the reader is alive.
mslot_outcome mslot_writer_write_or_begin_wait(mslot_writer *writer, const void *bytes, size_t byte_count, mslot_wait *wait);

/// Instead of calling again after `ended`: the handle is free for other calls. DONE; BUSY: the wait is on; FORKED; NOT_OPEN.
mslot_outcome mslot_reader_end_wait(mslot_reader *reader);
mslot_outcome mslot_writer_end_wait(mslot_writer *writer);

/// Begins to watch over the mailslot's reader, for who waits for its answers: `ended` is called when it is killed, leaves or closes, at
/// once if it announces its death (mslot_create_options), else within 50 ms. Also for no reason, once a second or more often: begin again,
/// which looks. From `ended`, too. The time-out is not asked for.
///
/// DONE: the reader is there, and the watch has begun. NO_READER: it was killed, or left; the watch has begun if the writer waits through
/// restarts. CLOSED: it closed the mailslot. NOT_FOUND: the name is gone, and there can be no other reader. BUSY, FORKED, BAD_ARGUMENT;
/// SYSTEM_ERROR (errno): no thread could be started. After anything but the first two no watch has begun.
///
/// Unlike other waits it leaves the handle to its owner. End it with mslot_wait_stop before the writer is closed: twice, if `ended` may
/// begin it again meanwhile.
mslot_outcome mslot_writer_begin_watch(mslot_writer *writer, mslot_wait *wait);

/// Ends the wait soon; `ended` is called. Before it has begun: the next one ends at once. Costs the same however many waits there
/// are. Nothing is lost: a message stays where it is. From any thread while the wait's memory is valid.
void mslot_wait_cancel(mslot_wait *wait);

/// Ends the wait, and returns when the library touches it no more and `ended` is not running: it was called, or never will be.
/// Takes some microseconds. Not from `ended`.
void mslot_wait_stop(mslot_wait *wait);

/// For `ended`: adds 1 to the eventfd whose number is `context`, so that epoll, GLib or another loop wakes. It must not block.
void mslot_wait_signal_eventfd(mslot_wait *wait);

/// A new eventfd for that, which does not block and is closed by exec. -1 with errno.
int mslot_eventfd_create(void);

// MARK: looking at a mailslot

/// A mailslot at some moment.
typedef struct mslot_info {
    mslot_outcome outcome; // DONE, FORKED, NOT_OPEN, DAMAGED
    /// The next message's length in bytes; -1: there is none, or it changed too fast to tell.
    int32_t next_byte_count;
    /// Messages waiting, 0 to capacity.
    uint32_t message_count;
    uint32_t capacity;
    uint32_t writers_max;
    uint32_t message_bytes_max;
    int64_t read_timeout_ns;
    /// Nanoseconds since 1970.
    uint64_t created_ns;
    uint64_t reader_since_ns;
    uint64_t segment_bytes;
    /// As created; from mslot_inspect: as the file has it now.
    uint32_t mode;
    uint32_t owner_uid;
    /// The reader's pid as it sees it itself.
    uint32_t reader_pid;
    uint32_t reader_uid;
    bool allows_remote;
    /// Only mslot_inspect asks for these two, of the locks: true and 0 elsewhere. Where asking takes long, for there are thousands of
    /// writers or somebody has locked every other byte, the rest of the writers is counted by what they said when they opened: then
    /// those that were killed since are counted, too.
    bool reader_present;
    uint32_t writer_count;
    /// In canonical form.
    char name[MSLOT_NAME_BYTES_MAX + 4];
    /// As the reader stated it when it created the mailslot; else as message_bytes_max.
    uint32_t stated_bytes_max;
    uint32_t reserved_half;
    uint64_t reserved[7];
    /// The counters of counters.h: messages_written, full_writes and so on. Last, for their list grows. high_water is up to 255 below
    /// the truth, but exact if the mailslot was ever full.
#define MSLOT_INFO_FIELD(name, kind, source, help) uint64_t name;
    MSLOT_COUNTERS(MSLOT_INFO_FIELD)
#undef MSLOT_INFO_FIELD
} mslot_info;

/// What the reader, or a writer, can see of its mailslot; the outcome is also in the information. Fills in as much of it as `info_bytes`
/// says, sizeof(mslot_info) in the caller's headers. DONE, FORKED, NOT_OPEN, DAMAGED. (GetMailslotInfo.)
mslot_outcome mslot_reader_info_into(mslot_reader *reader, mslot_info *info, size_t info_bytes);
mslot_outcome mslot_writer_info_into(mslot_writer *writer, mslot_info *info, size_t info_bytes);

/// Counts every slot index of a ring at rest: true if each is in exactly one place. For tests and `doctor`.
bool mslot_reader_check(mslot_reader *reader);

/// Looks at a mailslot as a third party, by reading the file only: no lane, no mapping, nobody is disturbed; needs no guard. Needs
/// permission to read the file. Costs as much as the segment has cells and lanes, 10 µs to 2 ms, and at most some 50 ms for locks.
mslot_failure mslot_inspect_into(const char *name, mslot_info *info, size_t info_bytes);

// The same by value. They are compiled into the caller, with the size that it knows.

static inline mslot_info mslot_reader_info(mslot_reader *reader)
{
    mslot_info info;
    mslot_reader_info_into(reader, &info, sizeof info);
    return info;
}

static inline mslot_info mslot_writer_info(mslot_writer *writer)
{
    mslot_info info;
    mslot_writer_info_into(writer, &info, sizeof info);
    return info;
}

typedef struct mslot_inspected {
    mslot_failure failure;
    mslot_info info;
} mslot_inspected;

static inline mslot_inspected mslot_inspect(const char *name)
{
    mslot_inspected inspected;
    inspected.failure = mslot_inspect_into(name, &inspected.info, sizeof inspected.info);
    return inspected;
}

/// Calls `each` with the canonical name of every mailslot in the directory that the caller may read; what is no mailslot is left out.
/// After a failure some may be missing: goes on behind a file that cannot be opened, and returns the first such failure at the end.
mslot_failure mslot_list(void (*each)(const char *name, void *context), void *context);

/// As mslot_list, which any user's file can make fail; but calls `skipped` with what cannot be opened though the caller may read it, and
/// why. SYSTEM_ERROR with EAGAIN: its owner (`holder_uid`) holds a lease on the file. Left out in silence: a name of more than 200 bytes
/// or so of which only a hash is in the directory. A lack of descriptors or of memory is a failure.
mslot_failure mslot_list_with_skipped(void (*each)(const char *name, void *context),
    void (*skipped)(const char *name, const mslot_failure *why, void *context), void *context);

/// Removes a mailslot whose reader is gone, with its unread messages. ALREADY_EXISTS: a reader has it. Maps it, to tell its writers: have
/// the guard where it may be a stranger's.
mslot_failure mslot_remove(const char *name);

/// Removes mailslots of this user that were created with `is_disposable` and whose reader is dead, `removals_max` at most; how many that
/// were. Looks at 64 files, from a random one on, so that it takes no longer where there are thousands: some 3 µs each. Left alone are
/// those that another user may write, for they would need the guard, and those whose name is so long that only its hash is in the
/// directory. What fails is left as well.
uint32_t mslot_sweep(uint32_t removals_max);

/// The path of the file of a name, as a C string. BAD_NAME; BAD_ARGUMENT: `capacity` bytes are too few.
mslot_failure mslot_path(const char *name, char *path, size_t capacity);

// MARK: seeing messages without taking them

/// A third party's end. For one thread at a time.
typedef struct mslot_observer mslot_observer;

typedef struct mslot_observer_opened {
    /// NULL unless failure.outcome is DONE.
    mslot_observer *observer;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_observer_opened;

/// Opens a mailslot to see its messages, by reading the file only: no lane, no mapping, nobody waits or is woken; needs no guard. Starts
/// with the last `back` of those that are there, read or not; at most as many as the capacity. Needs permission to read the file, and keeps
/// a descriptor of it, as does a child that this process forks. Not async-signal-safe.
/// Failures: BAD_NAME, NOT_FOUND, NO_PERMISSION, NOT_A_MAILSLOT, OTHER_LAYOUT, DAMAGED, SYSTEM_ERROR.
mslot_observer_opened mslot_observer_open(const char *name, uint32_t back);

typedef struct mslot_observed {
    mslot_outcome outcome;
    uint32_t byte_count;
    uint64_t position;
    /// Messages before this one that were gone before they were seen.
    uint64_t missed;
    uint32_t sender;
    uint16_t origin;
    uint16_t reserved[5];
} mslot_observed;

/// Copies the next message; never waits, and nothing wakes an observer: look again after some time. A message is there to be seen,
/// read or not, until as many others as the capacity have been published after it; one of more than 424 bytes only until it is read.
/// Each that is shown is whole. DONE; EMPTY: none yet; TOO_LONG: the buffer is too small, `byte_count` says how much is needed, and the
/// message stays next; CLOSED: there will be no more, open anew; DAMAGED; FORKED; SYSTEM_ERROR (errno). Three to
/// five system calls a message.
mslot_observed mslot_observer_next(mslot_observer *observer, void *buffer, size_t capacity);

/// The pointer is invalid afterwards. DONE, FORKED, NOT_OPEN.
mslot_outcome mslot_observer_close(mslot_observer *observer);

// MARK: where messages come from

enum {
    /// Of an `origin`: the number of the host that the message came from, 1 to MSLOT_HOSTS_MAX; 0: this machine.
    MSLOT_ORIGIN_HOST = 0x7fff,
    /// Such a number: another machine, which had not yet said what it is called.
    MSLOT_ORIGIN_UNKNOWN = 0x7fff,
    /// Of an `origin`: the bridge that received the message knows by a key that it came from its domain.
    MSLOT_ORIGIN_AUTHENTICATED = 0x8000,

    MSLOT_HOSTS_MAX = 32766,
    /// A host's or a domain's name, in bytes.
    MSLOT_HOST_BYTES_MAX = 63,
    MSLOT_HOST_ADDRESS_BYTES_MAX = 95
};

/// The bridge's table of hosts, a file in the directory of the mailslots. Remote/hosts.c has its format.
#define MSLOT_HOSTS_FILE "mailslot-hosts"

/// Another machine, as this one's bridge knows it.
typedef struct mslot_host {
    /// Its number in an `origin`, 1 to MSLOT_HOSTS_MAX. It means this host for as long as the table is there.
    uint16_t number;
    /// It is there, as far as the bridge knows; false: it said goodbye, or was silent for long.
    bool is_present;
    /// Its bridge has the domain's key. From mslot_origin_host: the sender of the message had it.
    bool is_authenticated;
    /// In canonical form, with a zero byte behind; `host` and `domain` have 1 to 63 bytes, `address` may be empty.
    char host[MSLOT_HOST_BYTES_MAX + 1];
    char domain[MSLOT_HOST_BYTES_MAX + 1];
    /// Printable ASCII.
    char address[MSLOT_HOST_ADDRESS_BYTES_MAX + 1];
    /// When it was last heard of, in nanoseconds since 1970.
    uint64_t heard_ns;
    /// 0.
    uint64_t reserved[4];
} mslot_host;

typedef struct mslot_host_found {
    mslot_failure failure;
    mslot_host host;
} mslot_host_found;

/// Which host a message's `origin` means. Opens and closes a file: some microseconds. `trust_user` as in mslot_open_options.
/// BAD_ARGUMENT: this machine, or a host that is not known. NOT_FOUND: the table has no such host, or there is no table. NO_PERMISSION;
/// UNTRUSTED; NOT_A_MAILSLOT, OTHER_LAYOUT: of the table; SYSTEM_ERROR. mslot_failure_describe with no name puts it into words.
/// Thread-safe; in a forked child, too. Not async-signal-safe, for it may use the heap.
mslot_host_found mslot_origin_host(uint16_t origin, uint32_t trust_user);

/// Calls `each` with every host of the table, in the order of their numbers. NOT_FOUND: there is no table, for no bridge ever ran here.
/// The other failures and rules are those of mslot_origin_host.
mslot_failure mslot_hosts_list(void (*each)(const mslot_host *host, void *context), void *context, uint32_t trust_user);

// MARK: for bridges

/// As mslot_writer_write, for a message from another machine, which says who wrote it: of at most 424 bytes, also where longer ones are
/// allowed.
mslot_outcome mslot_writer_write_from(
    mslot_writer *writer, const void *bytes, size_t byte_count, int64_t timeout_ns, uint32_t sender, uint16_t origin);

/// A message for mslot_writer_write_batch_from.
typedef struct mslot_remote_message {
    const void *bytes;
    uint32_t byte_count;
    uint32_t sender;
    uint16_t origin;
} mslot_remote_message;

/// As mslot_writer_write_from for several, in order; never waits for room. A reader that sleeps is woken once, after the last: woken by the
/// first, it could take the CPU from the writer, read that one, and sleep again. `count` in the result were written; `outcome` is that of
/// the first that was not: FULL, TOO_LONG, or as of mslot_writer_write. Who is killed between the first and the last has woken the reader
/// all the same.
mslot_batch mslot_writer_write_batch_from(mslot_writer *writer, const mslot_remote_message *messages, size_t count);

/// The table of hosts, to be written. For one thread at a time; one process at a time, which is the reader of "bridge/requests".
/// A forked child must not use it.
typedef struct mslot_hosts mslot_hosts;

typedef struct mslot_hosts_opened {
    /// NULL unless failure.outcome is DONE.
    mslot_hosts *hosts;
    mslot_failure failure;
    uint64_t reserved[2];
} mslot_hosts_opened;

/// Opens the table that is there, or a new one if there is none, or none of the caller's that can be used. `mode`: the permission bits of
/// the file, 0600, 0640 or 0644; 0: 0644. Others may read it, for its writer takes no lock, maps nothing and never sleeps; a file that
/// others may write is none that can be used.
/// Failures: BAD_ARGUMENT, NOT_FOUND (the directory), NO_PERMISSION, NO_SPACE, SYSTEM_ERROR.
mslot_hosts_opened mslot_hosts_open(uint32_t mode);

/// Sets the record of `host->number`. Killed at any moment, it leaves the record as it was or as it was to be.
/// BAD_ARGUMENT: a number or a text that cannot be; NO_SPACE; SYSTEM_ERROR.
mslot_failure mslot_hosts_set(mslot_hosts *hosts, const mslot_host *host);

/// The table stays. The pointer is invalid afterwards. DONE; FORKED: the parent's stays open, and so does this process' descriptor of it.
mslot_outcome mslot_hosts_close(mslot_hosts *hosts);

// MARK: the guard

/// Makes a mailslot whose file another process cuts short DAMAGED, where touching it would kill this process by SIGBUS. Opt-in, for
/// it installs a handler of SIGBUS; once, for all of the process and all of its handles, those too that are open already.
///
/// The call that meets the missing page says DAMAGED, or what it had done before; every later call on that handle says DAMAGED, and closing
/// it works as ever. A message lent in place reads as zeros from then on; mslot_reader_release says DAMAGED. What was unread is lost.
///
/// Never hidden: a SIGBUS for an address outside of our mappings, for failing memory, or sent by a process. It goes to the handler
/// that was there before, with its mask and on its stack; or kills as ever, with the same siginfo. Install other handlers of SIGBUS
/// first; one that is installed later has to pass on what it does not know. There is no way back, for chains of handlers have none.
///
/// Threads: call it from any, at the start of the program. A thread that has SIGBUS blocked is not guarded. fork: a child inherits the
/// guard, and guards its own handles. exec ends it. Costs nothing until a page is missing; then as much memory as the cells take.
/// Not async-signal-safe. DONE, also when it was installed before; SYSTEM_ERROR.
mslot_failure mslot_guard_install(void);

// MARK: words

/// Puts a failure into words: what is wrong, why, and the cure. Writes at most `capacity` bytes with the closing zero, and
/// returns how many bytes the whole text has. `name` is what the failed call was given; "*": it was mslot_list; NULL: it was about the
/// table of hosts. 0 for a failure that is NULL. Looks whether the directory of the mailslots is the cause.
size_t mslot_failure_describe(const mslot_failure *failure, const char *name, char *text, size_t capacity);

/// The outcome in a few words, for a message. Never NULL.
const char *mslot_outcome_text(mslot_outcome outcome);

#ifdef __cplusplus
}
#endif

#endif

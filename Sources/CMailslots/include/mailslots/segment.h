/*
 * The segment: what lies in shared memory, byte by byte.
 *
 * This is an ABI. Version 2. Little-endian, naturally aligned; every word that two processes touch is on a line of its
 * own writer. Nothing here is ever moved; what is reserved is zero, and stays zero until a later version gives it a meaning.
 *
 *     +--------+---------+------------+----------+----------+---------------+------------+-------------+
 *     | header | control | lane hints | lanes[W] | cells[N] | consumed[N+W] | slots[N+W] | overflow[W] |
 *     +--------+---------+------------+----------+----------+---------------+------------+-------------+
 *     0        1280      3072         each part starts at a multiple of 64; the header says where
 *
 *     N cells (a power of two, 1 to 32768) · W writer lanes (1 or more) · N + W slots (at most 65535)
 *
 * With up to 7680 lanes the first page holds all that the owner of lane 0 touches to open, to publish and to close, but for the cell.
 *
 * A cell is a cache line. Its first 64 bits, the state, say what is at a position; their LOW half is the word that the reader sleeps on.
 *
 *     bit  63        48   47   46        32 31   28 27              0
 *     EMPTY  spare      here  lap >> 28      0010    lap & 0x0fffffff     bit 29: no thread id reaches it
 *     FULL   index      here  lap & 0x7fff   0000    0                    0: the value on which the kernel wakes for a dying thread
 *     CLOSED spare      here  lap >> 28      0011    lap & 0x0fffffff     the seal: nobody publishes here or beyond
 *
 * Of a FULL cell `here` says where its message is: 0, in the slot `index`; 1, in this very line, and `index` is the spare, which stayed
 * where it was. Of an EMPTY or CLOSED one it says so of the message that was released there last, for observers.
 *
 *     +-------+-----+--------+--------+--------+-----------------+
 *     | state | tag | length | origin | sender | bytes, up to 48 |
 *     +-------+-----+--------+--------+--------+-----------------+
 *     0       8     9        10       12       16                64
 *             \____________ label ____________/
 *
 * Only the owner of lane 0 writes behind the state: the express lane. `tag`, the low byte of the lap for which the line is filled, is for
 * observers: it changes before any byte does, so that a message is whole whose state says `here` and whose tag still is its own.
 *
 * Position t is 64 bits, starts at N and counts up for ever. cell(t) = cells[t mod N]; lap(t) = t / N, kept modulo 2^43
 * (EMPTY, CLOSED) or 2^15 (FULL). Positions are compared by signed difference, laps modulo their width.
 *
 * A slot is 448 bytes, 7 cache lines: a header of 24 bytes and 424 bytes of payload.
 *
 *     +--------+-------+--------+--------+------+----------+---------------------+
 *     | length | flags | origin | sender | lane | extra    | payload, 424 bytes  |
 *     +--------+-------+--------+--------+------+----------+---------------------+
 *     0        4       6        8        12     16         24                    448
 *
 * A message longer than 424 bytes has its bytes in the overflow part, which only a mailslot with a larger maximum has: for each
 * lane as many bytes as mslot__overflow_lane_bytes() says, in one piece at offset `extra` of those of the lane `lane`. Only the lane's
 * owner writes there, and nothing over a message until the reader's `head` has passed its position. The file has holes there until
 * a lane's owner first needs its bytes.
 *
 * Invariants, which mslot__ring_count_indices() checks on a ring at rest:
 *   I1  Every slot index is in exactly one place: one lane's `own`, or one cell.
 *   I2  Positions are published one after another: a writer tries t only after it has seen every position below t published.
 *   I3  A cell leaves EMPTY(lap) only by the publishing swap or the reader's seal, and leaves FULL(lap) only by the reader.
 *   I4  Whoever stores behind a cell's state holds lane 0, and the cell was EMPTY of the lap that it means to publish when it looked.
 *
 * A writer killed at any step of a write (the steps are those of mslot__ring_publish):
 *
 *     killed                              state left              the reader                                     lost
 *     while filling, or holding a loan    a private slot, or      unaffected                                     that message
 *                                         a line that says nothing
 *     after 3 or 4, before 5              cell EMPTY              unaffected: the kernel finds no thread id      that message
 *     after 5                             published               awake: reads it; asleep on that cell: the
 *                                                                 kernel finds the pending word 0 and wakes it   nothing
 *     after 6, before 7                   published               as above                                       nothing
 *     lost the swap, before trying again  another's message       tolerates one spurious wake                    that message
 *
 * The same writer stopped instead of killed holds up nobody: no other process ever waits for a step of his.
 *
 * Locks. The reader holds an open-file-description lock on byte 0 of the file, the owner of lane i one on byte 1 + i.
 * They say who is alive; the words in this file never do.
 */
#ifndef MAILSLOTS_SEGMENT_H
#define MAILSLOTS_SEGMENT_H

#include "atomics.h"

enum {
    /// The longest message that fits into a slot, in bytes; the longest of a mailslot unless its creator allows longer ones.
    MSLOT_MESSAGE_BYTES_MAX = 424,
    /// The longest message of a mailslot whose creator allows the most: 16 MiB.
    MSLOT_LONG_BYTES_MAX = 1 << 24,
    /// The overflow part begins at a multiple of this, and so does each lane's.
    MSLOT_PAGE_BYTES = 4096,
    MSLOT_SLOT_HEADER_BYTES = 24,
    MSLOT_SLOT_BYTES = 448,
    MSLOT_LINE_BYTES = 64,
    /// The longest message that fits into a cell's own line, in bytes.
    MSLOT_EXPRESS_BYTES_MAX = 48,
    /// The lane whose owner may write there.
    MSLOT_EXPRESS_LANE = 0,

    /// Measured: a round trip is as fast as with any other; a stream of short messages is slower than with 4096, which take 2.2 MB.
    MSLOT_CELLS_DEFAULT = 1024,
    MSLOT_CELLS_MAX = 32768,
    MSLOT_LANES_DEFAULT = 256,
    /// N + W: a slot's index has 16 bits, and 65535 is none.
    MSLOT_SLOTS_MAX = 65535,

    MSLOT_LAYOUT_VERSION = 2,
    MSLOT_HEADER_BYTES = 1280,
    MSLOT_CONTROL_BYTES = 1792,
    MSLOT_LANE_COUNTERS = 16,
    /// 255 characters of UTF-8.
    MSLOT_NAME_BYTES_MAX = 1020,

    MSLOT_LOCK_READER = 0,
    MSLOT_LOCK_FIRST_LANE = 1,

    /// Bit of mslot_header.options: messages from other machines may be delivered here.
    MSLOT_OPTION_REMOTE = 1
};

/// "MAILSLOT", as a little-endian word.
static const uint64_t MSLOT_MAGIC = 0x544f4c534c49414dULL;

/// No position: positions start at N and never come here.
static const uint64_t MSLOT_POSITION_NONE = ~0ULL;

/// Written once, before the segment has a name. Who opens it checks it, copies it, and never reads it again.
typedef struct mslot_header {
    uint64_t magic;
    uint32_t layout_version;
    uint32_t header_bytes;
    uint64_t segment_bytes;
    uint32_t cell_count;
    uint32_t lane_count;
    uint32_t slot_bytes;
    /// The mailslot's own maximum, 1 to MSLOT_LONG_BYTES_MAX.
    uint32_t message_bytes_max;
    uint64_t control_offset;
    uint64_t lane_hints_offset;
    uint64_t lanes_offset;
    uint64_t cells_offset;
    uint64_t consumed_offset;
    uint64_t slots_offset;
    /// Messages longer than a slot. 0: there is no such part.
    uint64_t overflow_offset;
    uint32_t options;
    /// The permission bits of the file: 0600 and so on.
    uint32_t mode;
    /// Nanoseconds since 1970.
    uint64_t created_ns;
    uint32_t creator_uid;
    uint32_t name_bytes;
    /// In canonical form: folded, `/` between parts; a zero byte follows.
    char name[MSLOT_NAME_BYTES_MAX + 4];
    unsigned char reserved[MSLOT_HEADER_BYTES - 1144];
} mslot_header;

/// Counters of writers for which their lanes have no room: for each sixteenth of the lanes one line, to which its owners add atomically.
typedef struct mslot_lane_counters {
    uint64_t retries;
    uint64_t lane_recoveries;
    /// 1: a writer found the ring full.
    uint64_t filled;
    unsigned char pad[40];
} mslot_lane_counters;

/// The kernel's FUTEX_TID_MASK.
#define MSLOT_THREAD_ID_MAX 0x3fffffffu
/// FUTEX_WAITERS: somebody sleeps on the word, and the kernel wakes one when it marks it.
#define MSLOT_THREAD_WATCHED 0x80000000u

/// What changes while the mailslot lives, beside the cells. A word's writer is named; everybody may read it.
typedef struct mslot_control {
    /// A position at or below the tail. Written by each writer after it has published; may go backwards.
    uint64_t tail_hint;
    unsigned char tail_pad[120];

    /// The next position to read. Written by the reader.
    uint64_t head;
    unsigned char head_pad[120];

    /// 0: the reader is awake. Else 1 + the position on whose cell it sleeps. Written by the reader only.
    uint64_t parked_position;
    unsigned char parked_pad[120];

    /// Not 0: a writer waits for room. Set by writers, cleared by the reader: a flag, never a count.
    uint32_t space_wanted;
    /// Counts up whenever sleepers must look again. The word that writers sleep on. Written by the reader.
    uint32_t space_sequence;
    unsigned char space_pad[120];

    /// Not 0: the reader's process is registered for membarrier(2) by others, and the reader leaves its fence to those who wait for room.
    /// Each reader says it for itself; who takes over clears it first.
    uint32_t leaves_fence;
    /// 1 to MSLOT_THREAD_ID_MAX: the id of a thread of the reader's process, whose death the kernel marks here (FUTEX_OWNER_DIED): the
    /// reader lives. Anything else: ask its lock. Written by the reader, and by the kernel; who takes over clears it first. Writers add
    /// MSLOT_THREAD_WATCHED.
    uint32_t reader_alive;
    /// The mailslot's own read time-out in nanoseconds; INT64_MAX: for ever. Written by the reader.
    uint64_t read_timeout_ns;
    /// When the reader took the mailslot, nanoseconds since 1970, and who it is. Information, never a decision.
    uint64_t reader_since_ns;
    uint32_t reader_pid;
    uint32_t reader_uid;
    /// Counters of the reader; counters.h says what they count.
    uint64_t reader_sleeps;
    uint64_t writer_wakes;
    uint64_t damaged;
    uint64_t adoptions;
    /// The most messages that the reader saw waiting; see mslot__ring_sample_depth.
    uint64_t high_water;
    uint64_t late_wakes;
    /// The same as `reader_since_ns`: what this reader leaves when it dies is of use to nobody, and anyone may remove it. Any other value
    /// says nothing: a reader that knows no such word, and adopts, has another `reader_since_ns`. Written by the reader.
    uint64_t disposable_since_ns;
    /// What the longest message is said to be, where that is not what fits. Information; 0: as the header says. Written by the reader.
    uint32_t stated_bytes_max;
    unsigned char reader_pad[36];

    /// Lane i counts in number i % MSLOT_LANE_COUNTERS.
    mslot_lane_counters lane_counters[MSLOT_LANE_COUNTERS];

    /// For counters of later versions.
    unsigned char reserved[MSLOT_CONTROL_BYTES - 1664];
} mslot_control;

/// A writer's private record, one line. Written by its owner only; who owns it is what the lane's lock says.
typedef struct mslot_lane {
    /// What the next owner needs if this one dies during a write; see mslot__ring_recover_lane.
    uint64_t intent_position;
    uint32_t intent_spare;
    /// The slot that belongs to this lane.
    uint32_t own;
    /// Counters, over all owners; counters.h says what they count.
    uint64_t messages_written;
    uint64_t full_writes;
    uint64_t writer_waits;
    uint64_t reader_wakes;
    /// 0: the last owner closed.
    uint32_t owner_pid;
    uint32_t owner_uid;
    /// Says what of the lane's overflow may still be unread: 0 nothing; else what lies before this position; ~0: anything published.
    uint64_t overflow;
} mslot_lane;

/// What is at a position, in one line. `state` is everybody's; the rest is written by the owner of lane 0 only, before it publishes.
typedef struct mslot_cell {
    uint64_t state;
    uint64_t label;
    unsigned char bytes[MSLOT_EXPRESS_BYTES_MAX];
} mslot_cell;

/// A message on its way. Private to a writer until published, to the reader until released.
typedef struct mslot_slot {
    uint32_t length;
    /// Reserved: 0.
    uint16_t flags;
    /// Where the message came from: 0 this machine; others are the bridge's.
    uint16_t origin;
    /// The writer's process id as it sees it itself. Information.
    uint32_t sender;
    uint32_t lane;
    /// Of a message longer than 424 bytes: where its bytes begin in the lane's overflow. Else 0.
    uint64_t extra;
    unsigned char payload[MSLOT_MESSAGE_BYTES_MAX];
} mslot_slot;

MSLOT_STATIC_ASSERT(sizeof(mslot_header) == MSLOT_HEADER_BYTES, "the header ends where control begins");
MSLOT_STATIC_ASSERT(sizeof(mslot_control) == MSLOT_CONTROL_BYTES, "control ends where the lane hints begin");
MSLOT_STATIC_ASSERT(sizeof(mslot_lane_counters) == MSLOT_LINE_BYTES && offsetof(mslot_control, lane_counters) % 128 == 0,
    "a group's counters are one line");
MSLOT_STATIC_ASSERT(sizeof(mslot_lane) == MSLOT_LINE_BYTES, "a lane is one line, so that writers do not share one");
MSLOT_STATIC_ASSERT(sizeof(mslot_cell) == MSLOT_LINE_BYTES, "a cell is one line");
MSLOT_STATIC_ASSERT(sizeof(mslot_slot) == MSLOT_SLOT_BYTES, "a slot is seven lines");
MSLOT_STATIC_ASSERT(offsetof(mslot_slot, payload) == MSLOT_SLOT_HEADER_BYTES, "40 bytes of payload share the header's line");
MSLOT_STATIC_ASSERT(
    offsetof(mslot_control, head) - offsetof(mslot_control, tail_hint) == 128, "writers and reader do not share a pair of lines");

#endif

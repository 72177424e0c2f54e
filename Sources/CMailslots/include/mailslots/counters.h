/*
 * The counters of a mailslot: the one list, from which come the fields of mslot_info, their sums (Linux/info.c) and what
 * mslot_counter_describe says.
 *
 * A new counter is a line at the end of the list; a word of the same name where it is counted, in segment.h, taken from what is reserved
 * there, with its row in SegmentLayout.md; and mslot__count or mslot__count_shared where it happens. What shows counters
 * (mailslot info, Prometheus, MailslotSampler) goes through the list.
 */
#ifndef MAILSLOTS_COUNTERS_H
#define MAILSLOTS_COUNTERS_H

#include <stddef.h>

#include "outcome.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Calls X(name, kind, source, help) for each, in the order of their numbers. The order and the names are ABI: add at the end.
///
/// kind: COUNTER counts up from the mailslot's creation, over all its readers and writers; GAUGE is what is now.
/// source: READER is a word of mslot_control, which the reader writes; LANE is summed over the lanes, each of which has a word that its
/// owner writes; GROUP is summed over the lane_counters, each of which some lanes share; COMPUTED is made of positions, by info.c.
#define MSLOT_COUNTERS(X)                                                                                   \
    X(messages_written, COUNTER, COMPUTED, "Messages published by writers.")                                \
    X(messages_read, COUNTER, COMPUTED, "Messages released by readers.")                                    \
    X(full_writes, COUNTER, LANE, "Writes that met a full mailslot; once each, however long they waited.")  \
    X(writer_waits, COUNTER, LANE, "Times that writers slept for room.")                                    \
    X(reader_wakes, COUNTER, LANE, "Times that writers woke the reader.")                                   \
    X(reader_sleeps, COUNTER, READER, "Times that the reader slept.")                                       \
    X(writer_wakes, COUNTER, READER, "Times that the reader woke writers.")                                 \
    X(high_water, GAUGE, COMPUTED, "The most messages that were seen to wait.")                             \
    X(retries, COUNTER, GROUP, "Times that a writer met a position that another had just taken.")           \
    X(lane_recoveries, COUNTER, GROUP, "Lanes of writers that had ended without closing, taken by others.") \
    X(late_wakes, COUNTER, READER, "Messages that a sleeping reader found by itself: nobody had woken it.") \
    X(damaged, COUNTER, READER, "Things found damaged and refused.")                                        \
    X(adoptions, COUNTER, READER, "Times that a reader adopted the mailslot, with what was unread.")

enum {
#define MSLOT_ONE_MORE(name, kind, source, help) +1
    /// How many counters the program knows that is compiled with this header.
    MSLOT_COUNTER_COUNT = MSLOT_COUNTERS(MSLOT_ONE_MORE)
#undef MSLOT_ONE_MORE
};

typedef enum MSLOT_CLOSED_ENUM mslot_counter_kind {
    MSLOT_COUNTER MSLOT_SWIFT_NAME(counter) = 0,
    MSLOT_GAUGE MSLOT_SWIFT_NAME(gauge) = 1
} mslot_counter_kind;

/// What a counter is called and what it counts.
typedef struct mslot_counter {
    /// As its field of mslot_info.
    const char *name;
    mslot_counter_kind kind;
    /// Where its 64 bits are in a mslot_info, in bytes.
    uint32_t offset;
    /// One line.
    const char *help;
} mslot_counter;

/// The counter of a number from 0 to MSLOT_COUNTER_COUNT - 1; NULL: this library has none of that number. For ever valid. Thread-safe,
/// async-signal-safe.
const mslot_counter *mslot_counter_describe(size_t number);

#ifdef __cplusplus
}
#endif

#endif

// The table: every operation, in every variant, with every fate.
#ifndef KILL_HARNESS_CASES_H
#define KILL_HARNESS_CASES_H

#include "stepping.h"
#include "world.h"

/// What becomes of the victim.
typedef enum fate {
    KILLED,
    /// The others go on; then so does it.
    STOPPED,
    /// A signal comes whose handler calls mslot_reader_interrupt or mslot_writer_interrupt; then the act ends.
    INTERRUPTED,
    FATES
} fate;

/// What there is of "orders" before the act of a victim that creates, closes or removes.
typedef enum beginning { NO_MAILSLOT, A_DEAD_READERS, ITS_OWN } beginning;

/// When a dead writer's lane is recovered: when its message was read; first of all; when its slot has gone round the ring.
typedef enum heirs { AFTER_READING, BEFORE_READING, A_LAP_LATER } heirs;

/// What happens while it is stopped, besides that the others go on.
typedef enum meanwhile {
    NOTHING_ELSE,
    THE_READER_CLOSES,
    THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS,
    ANOTHER_CREATES,
    ANOTHER_ADOPTS
} meanwhile;

typedef struct row row;

/// One thing that a process does with a mailslot.
typedef struct operation {
    const char *name;
    act act;
    /// Sets the world up, starts the victim, calls `reach`, decides its fate and judges what is left.
    void (*play)(const row *r);
    /// Wakes the victim once it sleeps; NULL: it sleeps to the end.
    void (*awaken)(void);
    /// How many messages the act may publish.
    uint64_t at_stake;
    /// How it may end, besides DONE.
    mslot_outcome otherwise;
    beginning begins_with;
    /// What the victim publishes before the act stays unread.
    bool leaves_unread;
    /// The victim is the reader when it is done.
    bool creates;
    /// It never seals: what was unread is kept, however far it came.
    bool keeps;
    /// What some case of each row has to come to, separated by '|': so that no row passes by never getting there.
    const char *must_see[FATES];
} operation;

struct row {
    const operation *operation;
    fate fate;
    /// 0: 16 cells, 2 lanes.
    uint32_t cells, lanes;
    /// Messages in the ring before the act.
    uint32_t unread;
    reader_kind reader;
    heirs heirs;
    meanwhile meanwhile;
    dead_lane dead_lane;
    uint32_t writers_that_wait;
    /// It has asked for room when a reader is stopped, and sleeps only once that goes on.
    bool a_writer_is_about_to_wait;
    bool in_pid_namespace;
    /// Longer than a slot, all but those that a writer prepares itself with.
    bool long_messages;
    /// So short that they go by the express lane, which the victim has, if it is a writer; else the bystander.
    bool express;
    /// Only with --long.
    bool is_long;
    /// NULL: what the operation says.
    const char *must_see;
};

enum { CELLS_DEFAULT = 16, LANES_DEFAULT = 2 };

typedef struct table {
    const row *rows;
    size_t count;
} table;
extern const table writer_rows, reader_rows, name_rows, lane_rows;
#define TABLE(rows)                        \
    {                                      \
        rows, sizeof rows / sizeof rows[0] \
    }

enum { VARIANT_BYTES = 160 };
/// The variant in words.
void describe_variant(const row *r, char text[VARIANT_BYTES]);

// MARK: playing a case

/// Opens the bystander. The express lane is its own, or left to the victim.
void open_bystander(bool leaves_express);

/// Brings the victim to the instruction that this case is about. In the case that records the act it does not return.
void reach(pid_t victim);
/// How many system calls the victim has returned from.
uint32_t system_calls_made(void);

/// What this case came to, for the table.
void come_to(const char *label);

void note_outcome(mslot_outcome outcome);
/// Of the victim's act, or of its preparation.
mslot_outcome outcome_of_act(void);
/// The victim's preparation: a signal interrupts these, which may be NULL.
void handle_signal(mslot_reader *of_reader, mslot_writer *of_writer);

#endif

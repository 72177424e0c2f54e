// The table: every operation, in every variant, with every fate.
#ifndef KILL_HARNESS_CASES_H
#define KILL_HARNESS_CASES_H

#include "stepping.h"
#include "world.h"

typedef struct row row;

/// What there is of "orders" before the act of a victim that creates, closes or removes.
typedef enum beginning { NO_MAILSLOT, A_DEAD_READERS, ITS_OWN } beginning;

/// One thing that a process does with a mailslot, of which a victim is stopped after every instruction.
typedef struct operation {
    const char *name;
    act act;
    /// Sets the world up, starts the victim, calls `reach`, decides its fate and judges what is left.
    void (*play)(const row *r);
    /// Wakes the victim once it sleeps; NULL: it sleeps to the end.
    void (*awaken)(void);
    /// How many messages the act may publish, or release.
    uint64_t at_stake;
    /// How it may end, besides DONE.
    mslot_outcome otherwise;
    beginning begins_with;
    /// The victim is the reader when it is done.
    bool creates;
} operation;

/// What becomes of the victim.
typedef enum fate {
    KILLED,
    /// The others go on; then so does it.
    STOPPED,
    /// A signal comes whose handler calls mslot_interrupt or mslot_interrupt_writer; then the act ends.
    INTERRUPTED,
} fate;

/// When a dead writer's lane is recovered: first of all; when its message was read; when its slot has gone round the ring.
typedef enum heirs { AFTER_READING, BEFORE_READING, A_LAP_LATER } heirs;

/// What happens while it is stopped, besides that the others go on.
typedef enum meanwhile { NOTHING_ELSE, THE_READER_CLOSES, THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS, ANOTHER_CREATES, ANOTHER_ADOPTS } meanwhile;

struct row {
    const operation *operation;
    fate fate;
    /// In words: what follows.
    const char *variant;
    reader_kind reader;
    /// 0: 16 cells, 2 lanes.
    uint32_t cells, lanes;
    /// Messages in the ring before the act.
    uint32_t unread;
    heirs heirs;
    meanwhile meanwhile;
    dead_lane dead_lane;
    bool a_writer_waits;
    bool in_pid_namespace;
    /// Only with --long.
    bool is_long;
    /// Labels that at least one case must have come to, separated by '|'.
    const char *must_see;
};

extern const row rows[];
extern const size_t row_count;

/// Brings the victim to the instruction that this case is about. In the case that records the act it does not return.
void reach(pid_t victim);
/// How many system calls the victim has returned from.
uint32_t system_calls_made(void);

#endif

// What the processes of a soak leave behind, at whatever instruction they are killed: memory that they share with the conductor.
//
// A writer says what it tries before it tries, and what was published after. The reader copies messages out into memory that is
// shared too, and says which before it takes the next. So a kill leaves one question open, which only the ring can answer: whether
// the message that was just being published was. Program order is enough: who reads a dead process's words has waited for it.
#ifndef SOAK_JOURNAL_H
#define SOAK_JOURNAL_H

#include <mailslots.h>

enum {
    WRITERS_MAX = 512,
    LANES_MAX = WRITERS_MAX + 2,
    CAPACITY_MAX = 4096,
    /// The longest message of a round that has long ones: a lane's overflow has room for sixteen.
    LONG_BYTES_MAX = 16384,
    /// Messages of one batch, and messages lent at one time.
    BATCH_MAX = 8,
    LOG_ENTRIES = 1 << 15,
    COMPLAINT_BYTES = 400
};

/// What a writer knows of its messages, which are numbered from 0. Its successor goes on at `attempted`.
typedef struct writer_journal {
    /// Every number below was published, or was in doubt when a predecessor was killed.
    _Alignas(64) uint64_t published;
    /// No number from here on was tried. From `published` to here: in doubt if it is killed now.
    uint64_t attempted;
} writer_journal;

typedef enum { ENTRY_BEGUN, ENTRY_READ, ENTRY_RESCUED, ENTRY_LEFT, ENTRY_ENDED } entry_kind;

/// One thing the reader did. BEGUN: took the mailslot at `position`. LEFT: leaves it there. RESCUED: a message that its predecessor had
/// copied out and released, and not logged. ENDED: found nothing more at `position`.
typedef struct log_entry {
    uint64_t position;
    uint64_t number;
    uint32_t writer;
    entry_kind kind;
} log_entry;

typedef enum { PHASE_RUNNING, PHASE_WRITERS_END, PHASE_READER_ENDS } phase;

/// How one round goes; fixed before its first process starts.
typedef struct round_style {
    uint32_t capacity;
    uint32_t lanes;
    uint32_t writers;
    uint32_t message_bytes_max;
    /// In percent of its calls: the reader polls instead of blocking; each side rests for a moment after a call.
    uint32_t reader_polls;
    uint32_t reader_rests;
    uint32_t writer_rests;
    /// Each process is process 1 of a pid namespace of its own.
    bool namespaces;
} round_style;

typedef struct journal {
    round_style style;
    uint32_t phase;

    /// The reader's log: entries from `accounted` to `logged` are the conductor's to read.
    _Alignas(64) uint64_t logged;
    _Alignas(64) uint64_t accounted;

    /// The reader has released every position below `released`, and none from `releasing` on.
    _Alignas(64) uint64_t released;
    uint64_t releasing;
    /// Where the reader copies messages to; the first one's position.
    uint64_t buffer_position;
    bool buffer_has_batch;
    union {
        mslot_message batch[BATCH_MAX];
        unsigned char one[LONG_BYTES_MAX];
    } buffer;

    /// The first complaint of any process, and how many there were.
    _Alignas(64) uint32_t complaints;
    char complaint[COMPLAINT_BYTES];

    writer_journal writers[WRITERS_MAX];
    log_entry log[LOG_ENTRIES];
} journal;

static const char soak_name[] = "soak";

/// Ends the soak as failed, and a child at once; the conductor prints the first complaint.
void complain(journal *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// splitmix64.
uint64_t random_next(uint64_t *state);
static inline uint64_t random_below(uint64_t *state, uint64_t limit) { return random_next(state) % limit; }
static inline bool random_percent(uint64_t *state, uint32_t percent) { return random_below(state, 100) < percent; }

// What children do until the phase says that it is over, or they are killed.
_Noreturn void writer_run(journal *j, uint32_t writer, uint64_t seed);
_Noreturn void reader_run(journal *j, uint64_t seed);

#endif

// The account of one round: what arrived, what was lost, what came again; and which kill explains it. Only the conductor keeps it.
#ifndef SOAK_ACCOUNT_H
#define SOAK_ACCOUNT_H

#include "journal.h"

/// What a soak counts. Each sum is over all rounds.
typedef struct account_sums {
    uint64_t messages;
    /// Messages that came again after a reader's death.
    uint64_t duplicates;
    /// Messages that a dead reader had copied out and released.
    uint64_t rescued;
    uint64_t adoptions;
    uint64_t leaves;
    /// Kills that hit a write; those of them that lost a message.
    uint64_t in_doubt;
    uint64_t lost;
} account_sums;
extern account_sums sums;

/// Begins a round.
void account_begin(journal *j);
/// Reads what the reader has logged, and checks it.
void account_for_all(journal *j);
/// After a writer was killed, and its death waited for: one message may be lost; those of a batch that come after it were never tried.
/// The successor goes on behind them.
void account_writer_killed(journal *j, uint32_t writer);
/// After the reader was killed, and its death waited for.
void account_reader_killed(journal *j);
/// After all have ended: every message that was published has arrived, and every other has a kill that explains it.
void account_end(journal *j);

#endif

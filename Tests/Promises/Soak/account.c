#include "account.h"

enum {
    /// Kills of one writer in one round that no later message of it has explained yet.
    DOUBTS_MAX = 1024,
    /// As many as can come again.
    REMEMBERED = 2 * CAPACITY_MAX
};

/// A kill during a write: of the numbers from `from` to before `to` some of the first arrived, and no other.
typedef struct doubt {
    uint64_t from;
    uint64_t to;
} doubt;

typedef struct writer_account {
    /// The number that comes next, unless a kill lost it.
    uint64_t next;
    doubt doubts[DOUBTS_MAX];
    uint64_t doubts_begin, doubts_end;
} writer_account;

account_sums sums;

static writer_account writers[WRITERS_MAX];
static log_entry remembered[REMEMBERED];
/// The next position that is new; the next that comes; the next that a reader began with, between the two.
static uint64_t newest, next, begins_min, begins_max;
static bool ended;

void account_begin(journal *j)
{
    memset(writers, 0, sizeof writers);
    newest = next = begins_min = begins_max = j->style.capacity; // where positions start
    ended = false;
    j->released = j->releasing = next;
}

/// Explains, by the oldest kill, why the next number does not arrive. False: no kill does.
static bool lose(writer_account *w)
{
    // Of these all arrived.
    while (w->doubts_begin != w->doubts_end && w->doubts[w->doubts_begin % DOUBTS_MAX].to <= w->next) w->doubts_begin++;
    if (w->doubts_begin == w->doubts_end) return false;
    doubt oldest = w->doubts[w->doubts_begin % DOUBTS_MAX];
    if (oldest.from > w->next) return false;
    w->next = oldest.to;
    w->doubts_begin++;
    sums.lost++;
    return true;
}

static void account_for_new(journal *j, const log_entry *entry)
{
    writer_account *w = &writers[entry->writer];
    while (w->next < entry->number && lose(w)) {}
    if (w->next != entry->number)
        complain(j, "writer %u: number %llu arrived at position %llu where %llu was due, and no kill explains it", entry->writer,
            (unsigned long long)entry->number, (unsigned long long)entry->position, (unsigned long long)w->next);
    w->next = entry->number + 1;
    sums.messages++;
}

static void account_for_again(journal *j, const log_entry *entry)
{
    const log_entry *before = &remembered[entry->position % REMEMBERED];
    if (before->position != entry->position || before->writer != entry->writer || before->number != entry->number)
        complain(j, "position %llu came again, and was another message", (unsigned long long)entry->position);
    sums.duplicates++;
}

static void account_for(journal *j, const log_entry *entry)
{
    if (ended) complain(j, "something came after the end");
    switch (entry->kind) {
    case ENTRY_BEGUN:
        // Not below what was released, not above what was being released when the last reader was killed; nothing was left out.
        if (entry->position < begins_min || entry->position > begins_max || entry->position > newest)
            complain(j, "a reader began at position %llu, not within %llu and %llu, and %llu", (unsigned long long)entry->position,
                (unsigned long long)begins_min, (unsigned long long)begins_max, (unsigned long long)newest);
        next = entry->position;
        return;
    case ENTRY_LEFT:
        begins_min = begins_max = entry->position;
        sums.leaves++;
        return;
    case ENTRY_ENDED:
        if (entry->position != next || next != newest)
            complain(j, "the end came at position %llu instead of %llu", (unsigned long long)entry->position, (unsigned long long)newest);
        ended = true;
        return;
    case ENTRY_RESCUED: sums.rescued++; break;
    case ENTRY_READ: break;
    }
    if (entry->position != next)
        complain(j, "position %llu came where %llu was due", (unsigned long long)entry->position, (unsigned long long)next);
    if (entry->position < newest) {
        account_for_again(j, entry);
    } else {
        account_for_new(j, entry);
        remembered[entry->position % REMEMBERED] = *entry;
        newest++;
    }
    next++;
}

void account_for_all(journal *j)
{
    uint64_t logged = mslot__load_acquire(&j->logged);
    for (; j->accounted < logged && j->complaints == 0; mslot__store_release(&j->accounted, j->accounted + 1))
        account_for(j, &j->log[j->accounted % LOG_ENTRIES]);
}

void account_writer_killed(journal *j, uint32_t writer)
{
    writer_journal *left = &j->writers[writer];
    if (left->published == left->attempted) return;
    writer_account *w = &writers[writer];
    if (w->doubts_end - w->doubts_begin == DOUBTS_MAX) complain(j, "writer %u was killed too often", writer);
    w->doubts[w->doubts_end++ % DOUBTS_MAX] = (doubt){left->published, left->attempted};
    left->published = left->attempted;
    sums.in_doubt++;
}

void account_reader_killed(journal *j)
{
    account_for_all(j);
    begins_min = j->released;
    begins_max = j->releasing;
    sums.adoptions++;
}

void account_end(journal *j)
{
    account_for_all(j);
    for (uint32_t i = 0; i < j->style.writers && j->complaints == 0; i++) {
        while (lose(&writers[i])) {}
        if (writers[i].next != j->writers[i].published)
            complain(j, "writer %u: number %llu was published and never arrived; %llu were published", i,
                (unsigned long long)writers[i].next, (unsigned long long)j->writers[i].published);
    }
    if (j->complaints == 0 && !ended) complain(j, "the reader did not end");
}

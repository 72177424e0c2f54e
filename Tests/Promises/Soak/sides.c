// The processes that are killed: writers and the reader. They use every way to write and to read, chosen at random.

#include "journal.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_BYTES_MIN = 16, REST_NS_MAX = 300000, OPEN_STEP_NS = 200000, LOG_FULL_STEP_NS = 50000, CALLS_TO_A_LEAVE = 3000 };

static void rest(uint64_t ns) { nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL); }

static bool is_running(const journal *j) { return mslot__load_acquire_32(&j->phase) == PHASE_RUNNING; }

// MARK: messages
//
// A message says whose it is and which; its length and the rest of it follow from that, so a torn or a stale one shows.

static uint64_t filling(uint32_t writer, uint64_t number)
{
    uint64_t state = (uint64_t)writer << 48 ^ number;
    return random_next(&state);
}

static size_t message_bytes(const journal *j, uint32_t writer, uint64_t number)
{
    uint64_t chance = filling(writer, number) >> 32;
    uint64_t words = chance % 4 != 0 ? chance / 4 % 4 : chance / 4 % ((j->style.message_bytes_max - MESSAGE_BYTES_MIN) / 8 + 1);
    return MESSAGE_BYTES_MIN + 8 * words;
}

static size_t message_make(const journal *j, unsigned char *bytes, uint32_t writer, uint64_t number)
{
    uint64_t first = writer, fill = filling(writer, number);
    size_t byte_count = message_bytes(j, writer, number);
    memcpy(bytes, &first, 8);
    memcpy(bytes + 8, &number, 8);
    for (size_t at = MESSAGE_BYTES_MIN; at < byte_count; at += 8, fill += at) memcpy(bytes + at, &fill, 8);
    return byte_count;
}

/// Complains unless it is whole.
static log_entry message_check(journal *j, uint64_t position, const unsigned char *bytes, size_t byte_count)
{
    log_entry entry = {.position = position, .kind = ENTRY_READ};
    uint64_t writer;
    memcpy(&writer, bytes, 8);
    memcpy(&entry.number, bytes + 8, 8);
    entry.writer = (uint32_t)writer;
    unsigned char whole[LONG_BYTES_MAX];
    if (writer >= j->style.writers || byte_count != message_make(j, whole, entry.writer, entry.number)
        || memcmp(bytes, whole, byte_count) != 0)
        complain(j, "the message at position %llu is torn: %zu bytes, as if from writer %llu, number %llu", (unsigned long long)position,
            byte_count, (unsigned long long)writer, (unsigned long long)entry.number);
    return entry;
}

// MARK: a writer

typedef struct writing {
    journal *j;
    writer_journal *mine;
    mslot_writer *handle;
    uint32_t writer;
    uint64_t random;
} writing;

/// Fewer lanes than writers, a reader that was just killed: try again.
static void open_handle(writing *w)
{
    while (w->handle == NULL) {
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = MSLOT_FOREVER;
        options.wait_through_restarts = random_percent(&w->random, 50);
        mslot_opened opened = mslot_open(soak_name, &options);
        w->handle = opened.writer;
        if (w->handle != NULL) break;
        if (opened.failure.outcome != MSLOT_TOO_MANY_WRITERS)
            complain(w->j, "writer %u cannot open: %s", w->writer, mslot_outcome_text(opened.failure.outcome));
        rest(OPEN_STEP_NS);
    }
}

static int64_t some_timeout(uint64_t *random)
{
    static const int64_t timeouts[] = {0, 0, 1000, 1000000, MSLOT_FOREVER, MSLOT_FOREVER};
    return timeouts[random_below(random, sizeof timeouts / sizeof timeouts[0])];
}

static void note_attempt(writing *w, uint64_t count) { mslot__store_release(&w->mine->attempted, w->mine->published + count); }

/// What was not published is tried again under the same number: had it been, the number would arrive twice.
static void note_outcome(writing *w, mslot_outcome outcome, uint64_t count)
{
    mslot__store_release(&w->mine->published, w->mine->published + count);
    mslot__store_release(&w->mine->attempted, w->mine->published);
    bool expected = outcome == MSLOT_DONE || outcome == MSLOT_FULL || outcome == MSLOT_TIMED_OUT || outcome == MSLOT_NO_READER;
    if (!expected) complain(w->j, "writer %u: its write ended with: %s", w->writer, mslot_outcome_text(outcome));
}

static void write_one(writing *w)
{
    unsigned char bytes[LONG_BYTES_MAX];
    size_t byte_count = message_make(w->j, bytes, w->writer, w->mine->published);
    note_attempt(w, 1);
    mslot_outcome outcome = mslot_writer_write(w->handle, bytes, byte_count, some_timeout(&w->random));
    note_outcome(w, outcome, outcome == MSLOT_DONE);
}

static void write_batch(writing *w)
{
    unsigned char bytes[BATCH_MAX][LONG_BYTES_MAX];
    mslot_bytes messages[BATCH_MAX];
    uint64_t count = 1 + random_below(&w->random, BATCH_MAX);
    for (uint64_t i = 0; i < count; i++)
        messages[i] = (mslot_bytes){bytes[i], message_make(w->j, bytes[i], w->writer, w->mine->published + i)};
    note_attempt(w, count);
    mslot_batch batch = mslot_writer_write_batch(w->handle, messages, count, some_timeout(&w->random));
    note_outcome(w, batch.outcome, batch.count);
}

static void write_in_place(writing *w)
{
    if (message_bytes(w->j, w->writer, w->mine->published) > MSLOT_MESSAGE_BYTES_MAX) {
        write_one(w); // a loan is a slot
        return;
    }
    mslot_loaned loaned = mslot_writer_loan(w->handle);
    if (loaned.outcome != MSLOT_DONE) complain(w->j, "writer %u: no loan: %s", w->writer, mslot_outcome_text(loaned.outcome));
    if (random_percent(&w->random, 10)) { // a slot full of nonsense stays its own
        memset(loaned.bytes, 0xee, MSLOT_MESSAGE_BYTES_MAX);
        mslot_writer_abandon(w->handle);
        return;
    }
    size_t byte_count = message_make(w->j, loaned.bytes, w->writer, w->mine->published);
    if (random_percent(&w->random, w->j->style.writer_rests)) rest(random_below(&w->random, REST_NS_MAX));
    note_attempt(w, 1);
    mslot_outcome outcome = mslot_writer_publish(w->handle, byte_count, some_timeout(&w->random));
    note_outcome(w, outcome, outcome == MSLOT_DONE);
    if (outcome != MSLOT_DONE) mslot_writer_abandon(w->handle);
}

_Noreturn void writer_run(journal *j, uint32_t writer, uint64_t seed)
{
    writing w = {.j = j, .mine = &j->writers[writer], .writer = writer, .random = seed};
    while (is_running(j)) {
        open_handle(&w);
        for (uint64_t calls = 1 + random_below(&w.random, 5000); calls > 0 && is_running(j); calls--) {
            switch (random_below(&w.random, 4)) {
            case 0: write_batch(&w); break;
            case 1: write_in_place(&w); break;
            default: write_one(&w); break;
            }
            if (random_percent(&w.random, j->style.writer_rests)) rest(random_below(&w.random, REST_NS_MAX));
        }
        if (mslot_writer_close(w.handle) != MSLOT_DONE) complain(j, "writer %u cannot close", writer);
        w.handle = NULL;
    }
    _exit(0);
}

// MARK: the reader

typedef struct reading {
    journal *j;
    mslot_reader *handle;
    /// The position that comes next.
    uint64_t next;
    uint64_t random;
} reading;

static void log_add(journal *j, log_entry entry)
{
    while (j->logged - mslot__load_acquire(&j->accounted) >= LOG_ENTRIES) rest(LOG_FULL_STEP_NS);
    j->log[j->logged % LOG_ENTRIES] = entry;
    mslot__store_release(&j->logged, j->logged + 1);
}

static uint64_t log_next_position(const journal *j)
{
    const log_entry *last = &j->log[(j->logged - 1) % LOG_ENTRIES];
    return last->kind == ENTRY_BEGUN || last->kind == ENTRY_LEFT ? last->position : last->position + 1;
}

/// A predecessor may have been killed after its last read had released messages and before it logged them. They are where it copied them.
static void rescue(reading *r)
{
    journal *j = r->j;
    if (j->logged == 0) return;
    for (uint64_t position = log_next_position(j); position < r->next; position++) {
        uint64_t place = position - j->buffer_position;
        if (place >= (j->buffer_has_batch ? BATCH_MAX : 1))
            complain(j, "position %llu was skipped by an adoption at %llu, and its reader never had it", (unsigned long long)position,
                (unsigned long long)r->next);
        uint64_t writer, number;
        const unsigned char *bytes = j->buffer_has_batch ? j->buffer.batch[place].bytes : j->buffer.one;
        memcpy(&writer, bytes, 8);
        memcpy(&number, bytes + 8, 8);
        log_entry entry = message_check(j, position, bytes, message_bytes(j, (uint32_t)writer, number));
        entry.kind = ENTRY_RESCUED;
        log_add(j, entry);
    }
}

static int64_t read_timeout(reading *r)
{
    if (random_percent(&r->random, r->j->style.reader_polls)) return 0;
    return random_percent(&r->random, 25) ? 1000000 : MSLOT_FOREVER;
}

static void note_release(reading *r, uint64_t up_to) { mslot__store_release(&r->j->releasing, up_to); }
static void note_released(reading *r)
{
    mslot__store_release(&r->j->released, r->next);
    mslot__store_release(&r->j->releasing, r->next);
}

static void check_outcome(reading *r, mslot_outcome outcome)
{
    bool expected = outcome == MSLOT_DONE || outcome == MSLOT_EMPTY || outcome == MSLOT_TIMED_OUT || outcome == MSLOT_INTERRUPTED;
    if (!expected) complain(r->j, "the read of position %llu ended with: %s", (unsigned long long)r->next, mslot_outcome_text(outcome));
}

/// What was in the buffer has been logged.
static void use_buffer(reading *r, bool for_batch)
{
    r->j->buffer_has_batch = for_batch;
    mslot__store_release(&r->j->buffer_position, r->next);
}

static void read_one(reading *r)
{
    unsigned char *bytes = r->j->buffer.one;
    use_buffer(r, false);
    note_release(r, r->next + 1);
    mslot_received received = mslot_reader_read(r->handle, bytes, LONG_BYTES_MAX, read_timeout(r));
    check_outcome(r, received.outcome);
    if (received.outcome == MSLOT_DONE) {
        log_add(r->j, message_check(r->j, received.position, bytes, received.byte_count));
        r->next++;
    }
    note_released(r);
}

static void read_batch(reading *r)
{
    mslot_message *buffer = r->j->buffer.batch;
    uint64_t wanted = 1 + random_below(&r->random, BATCH_MAX);
    use_buffer(r, true);
    note_release(r, r->next + wanted);
    mslot_batch batch = mslot_reader_read_batch(r->handle, buffer, wanted, read_timeout(r));
    if (batch.outcome == MSLOT_TOO_LONG) { // a long message is next, which a batch does not take
        note_released(r);
        read_one(r);
        return;
    }
    check_outcome(r, batch.outcome);
    for (size_t i = 0; i < batch.count; i++) log_add(r->j, message_check(r->j, buffer[i].position, buffer[i].bytes, buffer[i].byte_count));
    r->next += batch.count;
    note_released(r);
}

/// Lent messages are logged at once, and come again if they were not released: in one go, or one by one.
static void read_in_place(reading *r)
{
    uint64_t lent = 0, wanted = 1 + random_below(&r->random, BATCH_MAX);
    int64_t timeout_ns = read_timeout(r);
    while (lent < wanted && lent < r->j->style.capacity) {
        mslot_view view = mslot_reader_peek(r->handle, lent == 0 ? timeout_ns : 0);
        check_outcome(r, view.outcome);
        if (view.outcome != MSLOT_DONE) break;
        log_add(r->j, message_check(r->j, view.position, view.bytes, view.byte_count));
        lent++;
    }
    if (random_percent(&r->random, r->j->style.reader_rests)) rest(random_below(&r->random, REST_NS_MAX));
    uint64_t step = random_percent(&r->random, 50) ? lent : 1;
    for (uint64_t left = lent; left > 0; left -= step) {
        note_release(r, r->next + step);
        if (mslot_reader_release(r->handle, step) != MSLOT_DONE)
            complain(r->j, "position %llu cannot be released", (unsigned long long)r->next);
        r->next += step;
        note_released(r);
    }
}

static mslot_reader *interrupted_by_signal;
static void interrupt(int number)
{
    (void)number;
    if (interrupted_by_signal != NULL) mslot_reader_interrupt(interrupted_by_signal);
}

static void take_mailslot(reading *r)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = r->j->style.capacity;
    options.writers = r->j->style.lanes;
    options.message_bytes_max = r->j->style.message_bytes_max;
    options.adopt = true;
    mslot_created created = mslot_create(soak_name, &options);
    if (created.reader == NULL) complain(r->j, "the reader cannot have the mailslot: %s", mslot_outcome_text(created.failure.outcome));
    r->handle = created.reader;
    r->next = created.reader->ring.head;
    rescue(r);
    log_add(r->j, (log_entry){.position = r->next, .kind = ENTRY_BEGUN});
    note_released(r);
}

/// Leaves while some messages are lent, and goes on as the next reader, to whom these come again.
static void leave_and_follow(reading *r)
{
    for (uint64_t left = random_below(&r->random, 3); left > 0; left--) {
        mslot_view view = mslot_reader_peek(r->handle, 0);
        if (view.outcome == MSLOT_DONE) log_add(r->j, message_check(r->j, view.position, view.bytes, view.byte_count));
    }
    log_add(r->j, (log_entry){.position = r->next, .kind = ENTRY_LEFT});
    interrupted_by_signal = NULL;
    if (mslot_reader_leave(r->handle) != MSLOT_DONE) complain(r->j, "the reader cannot leave");
    take_mailslot(r);
    interrupted_by_signal = r->handle;
}

/// Has every lane for a moment: whoever takes a lane recovers what its killed owner left.
static void recover_lanes(reading *r)
{
    mslot_writer *owners[LANES_MAX];
    for (uint32_t lane = 0; lane < r->j->style.lanes; lane++) {
        mslot_opened opened = mslot_open(soak_name, NULL);
        if (opened.writer == NULL)
            complain(r->j, "only %u lanes can be had at the end: %s", lane, mslot_outcome_text(opened.failure.outcome));
        owners[lane] = opened.writer;
    }
    for (uint32_t lane = 0; lane < r->j->style.lanes; lane++) mslot_writer_close(owners[lane]);
}

/// The writers have ended: everything is in the ring.
static void end_mailslot(reading *r)
{
    recover_lanes(r);
    mslot_info info = mslot_reader_info(r->handle);
    if (info.message_count != 0 || info.damaged != 0)
        complain(r->j, "at the end there are %u messages and %llu damages", info.message_count, (unsigned long long)info.damaged);
    if (!mslot_reader_check(r->handle)) complain(r->j, "at the end a slot is in no place or in two");
    log_add(r->j, (log_entry){.position = r->next, .kind = ENTRY_ENDED});
    if (mslot_reader_close(r->handle) != MSLOT_DONE) complain(r->j, "the reader cannot close");
}

_Noreturn void reader_run(journal *j, uint64_t seed)
{
    reading r = {.j = j, .random = seed};
    take_mailslot(&r);
    interrupted_by_signal = r.handle;
    signal(SIGUSR1, interrupt);
    for (;;) {
        bool ends = mslot__load_acquire_32(&j->phase) == PHASE_READER_ENDS; // before the look: nothing comes after
        if (ends && mslot_reader_info(r.handle).message_count == 0) break;
        if (random_below(&r.random, CALLS_TO_A_LEAVE) == 0) leave_and_follow(&r);
        switch (random_below(&r.random, 3)) {
        case 0: read_batch(&r); break;
        case 1: read_in_place(&r); break;
        default: read_one(&r); break;
        }
        if (random_percent(&r.random, j->style.reader_rests)) rest(random_below(&r.random, REST_NS_MAX));
    }
    end_mailslot(&r);
    _exit(0);
}

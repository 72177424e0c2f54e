// A victim that writes.

#include "cases.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static mslot_writer *victims_writer;
/// What it writes before the act; and in the act.
static unsigned char prepared_bytes[LONGEST];
static unsigned char victims_bytes[3][MSLOT_MESSAGE_BYTES_MAX + 128];
static mslot_bytes victims_messages[3];

static void open_to_write(void)
{
    victims_writer = must_open("orders");
    handle_signal(NULL, victims_writer);
}

static void prepare(size_t byte_count)
{
    expect_outcome(mslot_writer_try_write(victims_writer, prepared_bytes, byte_count), MSLOT_DONE);
    shared_add(&world->prepared, 1);
}

static void make_messages_of_act(void)
{
    for (uint64_t i = 0; i < 3; i++)
        victims_messages[i] = (mslot_bytes){victims_bytes[i], make_message(victims_bytes[i], VICTIM, shared_get(&world->prepared) + i)};
}

/// Opens, and writes once, so that everything slow has been done.
static void open_and_write(void)
{
    open_to_write();
    expect((victims_writer->lane_index == MSLOT_EXPRESS_LANE) == messages_are_short);
    prepare(make_message(prepared_bytes, VICTIM, 0));
    make_messages_of_act();
}
/// All but what comes before the first long message.
static void open_and_write_short(void)
{
    open_to_write();
    prepare(message_make(prepared_bytes, VICTIM, 0));
    make_messages_of_act();
}
static void open_and_fill_overflow(void)
{
    open_to_write();
    for (uint64_t number = 0; number < LONGEST_IN_A_LANE; number++) prepare(make_longest_message(prepared_bytes, VICTIM, number));
    make_messages_of_act();
}

static void note_write(mslot_outcome outcome)
{
    if (outcome == MSLOT_DONE) shared_set(&world->returned, 1);
    note_outcome(outcome);
}
static void write_one(void)
{
    note_write(mslot_writer_write(victims_writer, victims_bytes[0], victims_messages[0].byte_count, MSLOT_FOREVER));
}
static void try_to_write_one(void) { note_write(mslot_writer_try_write(victims_writer, victims_bytes[0], victims_messages[0].byte_count)); }
static void write_three(void)
{
    mslot_batch batch = mslot_writer_write_batch(victims_writer, victims_messages, 3, MSLOT_FOREVER);
    shared_set(&world->returned, batch.count);
    note_outcome(batch.outcome);
}
/// As a bridge does it.
static void write_three_from(void)
{
    mslot_remote_message messages[3];
    for (int i = 0; i < 3; i++)
        messages[i] = (mslot_remote_message){victims_messages[i].bytes, (uint32_t)victims_messages[i].byte_count, 7, 1};
    mslot_batch batch = mslot_writer_write_batch_from(victims_writer, messages, 3);
    shared_set(&world->returned, batch.count);
    note_outcome(batch.outcome);
}
static void publish_loan(void)
{
    mslot_loaned loaned = mslot_writer_loan(victims_writer);
    memcpy(loaned.bytes, victims_bytes[0], victims_messages[0].byte_count);
    note_write(mslot_writer_publish(victims_writer, victims_messages[0].byte_count, MSLOT_FOREVER));
}
static void abandon_loan(void)
{
    mslot_loaned loaned = mslot_writer_loan(victims_writer);
    memcpy(loaned.bytes, victims_bytes[0], victims_messages[0].byte_count);
    note_outcome(mslot_writer_abandon(victims_writer));
}

/// The victim's messages that are in the ring, or were: what came in all, less what others sent.
static uint64_t published_by_victim(uint64_t sent_by_others)
{
    return mslot__ring_tail(&bystander->ring.ring).position - cells - sent_by_others;
}

/// While a writer is stopped: whoever reads and writes goes on.
static void go_on_beside_a_writer(const row *r)
{
    if (r->express) expect_observed_whole(); // also of the lap before, over which it is writing
    if (r->meanwhile == THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS) {
        kill_reader();
        reader = must_adopt("orders");
    }
    if (r->reader == HERE) consume();
    for (uint32_t i = 0; i + 1 < cells && i < 3; i++) send_now(bystander, BYSTANDER);
    consume();
    // A line that it was filling is a later lap's when it goes on.
    for (uint32_t i = 0; r->express && i < 3 * cells + 1; i++) {
        send_now(bystander, BYSTANDER);
        consume();
        expect_observed_whole();
    }
}

/// A writer is stopped while the reader closes: it had published before, or is told so.
static void close_beside_a_writer(const row *r, pid_t victim)
{
    bool published = published_by_victim(shared_get(&world->prepared) + r->unread) == r->operation->at_stake;
    must_close(reader);
    victim_continue(victim);
    victim_finish(victim);
    if (r->operation->otherwise != MSLOT_FULL || outcome_of_act() != MSLOT_FULL)
        expect_outcome(outcome_of_act(), published ? MSLOT_DONE : MSLOT_CLOSED);
    come_to(published ? "published" : "closed");
    expect_outcome(mslot_writer_try_write(bystander, "x", 1), MSLOT_CLOSED);
    must_close_writer(bystander);
    child_kill(victim);
    expect_equal(files_in_directory(), 0);
}

/// On 0, and on nothing else, every kernel wakes for a dying thread: some before 6.2 look at more than the thread's number.
static void expect_published_cells_to_wake(void)
{
    const mslot_ring *ring = &bystander->ring.ring;
    uint64_t tail = mslot__ring_tail(ring).position;
    for (uint64_t at = ring->control->head; at != tail; at++) expect_equal(*mslot__cell_futex(mslot__ring_cell(ring, at)), 0);
}

static void play_writer(const row *r)
{
    start_reader(r->reader);
    open_bystander(r->express);
    if (r->dead_lane != NO_DEAD_LANE) leave_dead_lane(r->dead_lane);
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    if (!r->operation->leaves_unread) consume();
    for (uint32_t i = 0; i < r->unread; i++) send_now(bystander, BYSTANDER);
    bool hooked = r->reader == PARKED && r->fate == KILLED;
    if (hooked && mslot__writer_robust_list_slow(bystander).list_op_pending == &bystander->no_robust_list)
        skip("the kernel offers no robust list");
    reach(victim);

    if (r->fate == KILLED) {
        victim_kill(victim);
        if (r->reader == HERE) expect_published_cells_to_wake();
    } else {
        if (r->fate == INTERRUPTED) {
            victim_signal(victim, SIGUSR1);
        } else {
            victim_stop(victim);
            if (r->meanwhile == THE_READER_CLOSES) return close_beside_a_writer(r, victim);
            go_on_beside_a_writer(r);
            victim_continue(victim);
        }
        victim_finish(victim);
        if (outcome_of_act() != r->operation->otherwise && (r->fate != INTERRUPTED || outcome_of_act() != MSLOT_INTERRUPTED))
            expect_outcome(outcome_of_act(), MSLOT_DONE);
    }

    expect_observed_whole();
    uint32_t in_use = r->fate == KILLED ? 1 : 2;
    if (r->heirs == BEFORE_READING && lanes > in_use) {
        expect_lanes_recoverable(in_use);
        if (messages_are_long) expect_heirs_spare_what_is_unread(in_use);
    }
    consume();
    uint64_t published = arrived_from(VICTIM) - shared_get(&world->prepared);
    expect(published >= shared_get(&world->returned) && published <= r->operation->at_stake);
    if (r->fate != KILLED) {
        expect_equal(published, shared_get(&world->returned));
        child_kill(victim);
    }
    if (r->heirs == A_LAP_LATER) {
        for (uint32_t i = 0; i < 2 * cells + 1; i++) {
            send_now(bystander, BYSTANDER);
            consume();
        }
    }
    expect_lanes_work(1);
    send_now(bystander, BYSTANDER);
    consume();
    expect_all_arrived(0);

    if (r->operation->at_stake > 1) snprintf(world->label, LABEL_BYTES, "%llu published", (unsigned long long)published);
    else if (published == 0) come_to(r->fate == KILLED ? "lost" : mslot_outcome_text(outcome_of_act()));
    else come_to(hooked && system_calls_made() == 0 ? "published, the kernel woke the reader" : "published");

    must_close_writer(bystander);
    if (reader != NULL) {
        must_close(reader);
    } else {
        kill_reader();
        expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    }
}

// MARK: the rows

#define WRITER(...) .act = {open_and_write, __VA_ARGS__, NULL}, .play = play_writer
#define FULL_OVERFLOW(...) .act = {open_and_fill_overflow, __VA_ARGS__, NULL}, .play = play_writer, .leaves_unread = true
#define ONE_AT_STAKE .at_stake = 1, .must_see = {"lost|published", "published", "the wait was interrupted|published"}
#define THREE_AT_STAKE .at_stake = 3, .must_see = {"0 published|1 published|2 published|3 published", "3 published"}
#define BY_THE_KERNEL "lost|published, the kernel woke the reader|published"

static const operation writing = {"write", WRITER(write_one), ONE_AT_STAKE},
                       trying_to_write = {"try_write", WRITER(try_to_write_one), ONE_AT_STAKE},
                       trying_in_vain = {"try_write, full", WRITER(try_to_write_one), .at_stake = 1, .otherwise = MSLOT_FULL,
                           .must_see = {"lost", "published|the mailslot is full"}},
                       waiting_for_room = {"write, waits for room", WRITER(write_one), ONE_AT_STAKE, .awaken = consume},
                       writing_first_long = {"write the first long", .act = {open_and_write_short, write_one, NULL}, .play = play_writer,
                           ONE_AT_STAKE, .awaken = consume_one, .leaves_unread = true},
                       waiting_for_overflow = {"write, waits for overflow", FULL_OVERFLOW(write_one), ONE_AT_STAKE, .awaken = consume_one},
                       trying_full_overflow = {"try_write, full overflow", FULL_OVERFLOW(try_to_write_one), .at_stake = 1,
                           .otherwise = MSLOT_FULL, .must_see = {"lost", "published|the mailslot is full"}},
                       batch = {"write_batch of 3", WRITER(write_three), THREE_AT_STAKE},
                       waiting_batch = {"write_batch of 3, waits", WRITER(write_three), THREE_AT_STAKE, .awaken = consume},
                       batch_from = {"write_batch_from of 3", WRITER(write_three_from), THREE_AT_STAKE},
                       publishing_loan = {"loan, publish", WRITER(publish_loan), ONE_AT_STAKE},
                       abandoning_loan = {"loan, abandon", WRITER(abandon_loan), .must_see = {"lost", "done"}};

#define ONE_FREE .cells = 2, .unread = 1
#define FULL .cells = 2, .unread = 2
#define LONG .long_messages = true
#define EXPRESS .express = true

static const row rows[] = {
    {&writing, KILLED, .heirs = BEFORE_READING},
    {&writing, KILLED, .unread = 8, .heirs = A_LAP_LATER},
    {&writing, KILLED, ONE_FREE, .heirs = BEFORE_READING},
    {&writing, KILLED, .cells = 2, .heirs = A_LAP_LATER},
    {&writing, KILLED, .cells = 1},
    {&writing, KILLED, .reader = PARKED, .must_see = BY_THE_KERNEL},
    {&writing, KILLED, .reader = PARKED, .in_pid_namespace = true, .must_see = BY_THE_KERNEL},
    {&writing, KILLED, .reader = SPINNING},
    {&writing, KILLED, .reader = SPINNING, .in_pid_namespace = true, .is_long = true},
    {&writing, KILLED, EXPRESS, .heirs = BEFORE_READING},
    {&writing, KILLED, EXPRESS, ONE_FREE, .heirs = A_LAP_LATER},
    {&writing, KILLED, EXPRESS, .cells = 1, .is_long = true},
    {&writing, KILLED, EXPRESS, .reader = PARKED, .must_see = BY_THE_KERNEL},
    {&writing, KILLED, EXPRESS, .reader = SPINNING, .is_long = true},
    {&writing, STOPPED, EXPRESS, .cells = 1},
    {&writing, STOPPED, EXPRESS, .cells = 2, .is_long = true},
    {&writing, STOPPED, EXPRESS, .cells = 2, .reader = PARKED, .is_long = true},
    {&writing, STOPPED, EXPRESS, .meanwhile = THE_READER_CLOSES, .must_see = "published|closed"},
    {&writing, STOPPED, EXPRESS, .cells = 2, .reader = PARKED, .meanwhile = THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS, .is_long = true},
    {&writing, STOPPED, .cells = CELLS_DEFAULT},
    {&writing, STOPPED, ONE_FREE},
    {&writing, STOPPED, .reader = PARKED},
    {&writing, STOPPED, .reader = PARKED, .in_pid_namespace = true, .is_long = true},
    {&writing, STOPPED, .reader = SPINNING},
    {&writing, STOPPED, .meanwhile = THE_READER_CLOSES, .must_see = "published|closed"},
    {&writing, STOPPED, .reader = PARKED, .meanwhile = THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS},

    {&trying_to_write, KILLED, .reader = PARKED, .must_see = BY_THE_KERNEL},
    {&trying_to_write, KILLED, ONE_FREE, .heirs = BEFORE_READING, .is_long = true},
    {&trying_to_write, STOPPED, .reader = PARKED, .is_long = true},
    {&trying_in_vain, KILLED, FULL, .heirs = BEFORE_READING},
    {&trying_in_vain, KILLED, EXPRESS, FULL, .heirs = BEFORE_READING, .is_long = true},
    {&trying_in_vain, STOPPED, EXPRESS, FULL, .is_long = true},
    {&trying_in_vain, STOPPED, FULL},
    {&trying_in_vain, STOPPED, FULL, .meanwhile = THE_READER_CLOSES, .must_see = "closed"},

    {&waiting_for_room, KILLED, FULL},
    {&waiting_for_room, KILLED, FULL, .in_pid_namespace = true, .is_long = true},
    {&waiting_for_room, KILLED, .cells = 1, .unread = 1, .heirs = A_LAP_LATER, .is_long = true},
    {&waiting_for_room, KILLED, EXPRESS, FULL},
    {&waiting_for_room, STOPPED, EXPRESS, FULL, .is_long = true},
    {&waiting_for_room, STOPPED, FULL},
    {&waiting_for_room, STOPPED, .cells = 1, .unread = 1, .is_long = true},
    {&waiting_for_room, STOPPED, FULL, .meanwhile = THE_READER_CLOSES, .must_see = "published|closed"},
    {&waiting_for_room, INTERRUPTED, FULL},

    {&writing_first_long, KILLED, LONG, .heirs = BEFORE_READING},
    {&writing_first_long, KILLED, LONG, .dead_lane = BEHIND_ITS_SWAP, .heirs = BEFORE_READING, .is_long = true},
    {&writing_first_long, KILLED, LONG, .cells = 1, .heirs = A_LAP_LATER, .is_long = true},
    {&writing_first_long, STOPPED, LONG, .is_long = true},
    {&writing_first_long, STOPPED, LONG, .dead_lane = BEFORE_CLEARING_ITS_INTENT, .is_long = true},
    {&writing, KILLED, LONG, .unread = 3, .heirs = BEFORE_READING},
    {&writing, KILLED, LONG, ONE_FREE, .heirs = A_LAP_LATER, .is_long = true},
    {&writing, KILLED, LONG, .reader = PARKED, .must_see = BY_THE_KERNEL, .is_long = true},
    {&writing, STOPPED, LONG, .reader = PARKED, .is_long = true},
    {&writing, STOPPED, LONG, .meanwhile = THE_READER_CLOSES, .must_see = "published|closed", .is_long = true},
    {&waiting_for_room, KILLED, LONG, FULL, .heirs = BEFORE_READING, .is_long = true},
    {&waiting_for_room, STOPPED, LONG, FULL, .is_long = true},
    {&waiting_for_overflow, KILLED, LONG, .heirs = BEFORE_READING},
    {&waiting_for_overflow, KILLED, LONG, .cells = 4, .heirs = A_LAP_LATER, .is_long = true},
    {&waiting_for_overflow, STOPPED, LONG, .is_long = true},
    {&waiting_for_overflow, STOPPED, LONG, .meanwhile = THE_READER_CLOSES, .must_see = "published|closed", .is_long = true},
    {&waiting_for_overflow, INTERRUPTED, LONG, .is_long = true},
    {&trying_full_overflow, KILLED, LONG, .heirs = BEFORE_READING, .is_long = true},
    {&trying_full_overflow, STOPPED, LONG, .is_long = true},
    {&trying_full_overflow, STOPPED, LONG, .meanwhile = THE_READER_CLOSES, .must_see = "closed", .is_long = true},

    {&batch, KILLED, .heirs = BEFORE_READING},
    {&batch, KILLED, .reader = PARKED},
    {&batch, KILLED, .cells = 4, .heirs = A_LAP_LATER, .is_long = true},
    {&batch, KILLED, .reader = PARKED, .in_pid_namespace = true, .is_long = true},
    {&batch, STOPPED, .reader = PARKED},
    {&batch, STOPPED, .reader = SPINNING, .is_long = true},
    {&batch, KILLED, EXPRESS, .reader = PARKED},
    {&batch, STOPPED, EXPRESS, .cells = 4, .is_long = true},
    {&batch_from, KILLED, EXPRESS, .reader = PARKED},
    {&batch_from, KILLED, EXPRESS, .cells = 4, .heirs = A_LAP_LATER, .is_long = true},
    {&batch_from, KILLED, .heirs = BEFORE_READING},
    {&batch_from, KILLED, .reader = PARKED},
    {&batch_from, KILLED, .reader = SPINNING, .is_long = true},
    {&batch_from, KILLED, .cells = 4, .heirs = A_LAP_LATER, .is_long = true},
    {&batch_from, STOPPED, .is_long = true},
    {&waiting_batch, KILLED, .cells = 2},
    {&waiting_batch, STOPPED, .cells = 4, .unread = 4, .is_long = true},

    {&publishing_loan, KILLED, .heirs = BEFORE_READING},
    {&publishing_loan, KILLED, .reader = PARKED, .must_see = BY_THE_KERNEL},
    {&publishing_loan, KILLED, EXPRESS, .heirs = BEFORE_READING},
    {&publishing_loan, STOPPED, EXPRESS, .cells = 2, .is_long = true},
    {&publishing_loan, STOPPED, .reader = PARKED},
    {&abandoning_loan, KILLED, .cells = CELLS_DEFAULT},
    {&abandoning_loan, STOPPED, .is_long = true},
};
const table writer_rows = TABLE(rows);

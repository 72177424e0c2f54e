// A victim that reads.

#include "cases.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static mslot_reader *victims_reader;
static mslot_message messages_read[3];
static unsigned char bytes_read[LONGEST];
static mslot_received received;

static void create_to_read(void)
{
    victims_reader = create_mailslot();
    handle_signal(victims_reader, NULL);
}
static void go_on_reading(void)
{
    if (received.byte_count != 0) message_check(bytes_read, received.byte_count);
    read_for_ever(victims_reader, MSLOT_FOREVER);
}

static void note_read(uint64_t position, const void *bytes)
{
    shown(position, bytes);
    shared_set(&world->returned, position - cells + 1);
}
static void read_one_for(int64_t timeout_ns)
{
    shared_set(&world->may_be_released, 1);
    received = mslot_reader_read(victims_reader, bytes_read, sizeof bytes_read, timeout_ns);
    if (received.outcome == MSLOT_DONE) note_read(received.position, bytes_read);
    note_outcome(received.outcome);
}
static void read_one(void) { read_one_for(0); }
static void read_one_when_it_comes(void) { read_one_for(MSLOT_FOREVER); }
static void read_three(void)
{
    shared_set(&world->may_be_released, 3);
    mslot_batch batch = mslot_reader_read_batch(victims_reader, messages_read, 3, 0);
    for (size_t i = 0; i < batch.count; i++) note_read(messages_read[i].position, messages_read[i].bytes);
    note_outcome(batch.outcome);
}
static void lend_two_and_release(void)
{
    for (int i = 0; i < 2; i++) {
        mslot_view view = mslot_reader_peek(victims_reader, 0);
        if (view.outcome == MSLOT_DONE) shown(view.position, view.bytes);
    }
    shared_set(&world->may_be_released, 2);
    note_outcome(mslot_reader_release(victims_reader, 2));
    shared_set(&world->returned, 2);
}

/// It has read one, looked at another, and leaves.
static void lend_two_release_one_and_leave(void)
{
    for (int i = 0; i < 2; i++) {
        mslot_view view = mslot_reader_peek(victims_reader, 0);
        if (view.outcome == MSLOT_DONE) shown(view.position, view.bytes);
    }
    shared_set(&world->may_be_released, 1);
    expect_outcome(mslot_reader_release(victims_reader, 1), MSLOT_DONE);
    shared_set(&world->returned, 1);
    note_outcome(mslot_reader_leave(victims_reader));
}
static void follow_and_read(void) { read_for_ever(must_adopt("orders"), MSLOT_FOREVER); }

static void send_to_a_sleeper(void) { send_now(bystander, AWAKENER); }

/// The victim is dead: another adopts, and finds what was not released. How much of that the victim did not live to show.
static uint64_t adopt_what_is_left(void)
{
    reader = must_adopt("orders");
    uint64_t released = reader->ring.head - cells;
    expect_equal(mslot_reader_info(reader).messages_read, released);
    expect(!is_parked(reader->ring.ring.control));
    expect(released >= shared_get(&world->returned) && released <= shared_get(&world->may_be_released));
    snprintf(world->label, LABEL_BYTES, "%llu released", (unsigned long long)released);
    uint64_t seen = shared_get(&world->arrival_count);
    if (released <= seen) return 0;
    memset(world->arrivals + seen, 0, (released - seen) * sizeof world->arrivals[0]);
    shared_set(&world->arrival_count, released);
    return released - seen;
}

/// What a write does that waits, up to the sleep: the word that it would sleep on has to change.
static uint32_t be_about_to_wait(void)
{
    uint32_t sequence = mslot__ring_want_space(&bystander->ring).sequence;
    send_until_full(bystander, BYSTANDER);
    return sequence;
}

static void play_reader(const row *r)
{
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    bystander = must_open("orders");
    if (r->dead_lane != NO_DEAD_LANE) leave_dead_lane(r->dead_lane);
    for (uint32_t i = r->dead_lane != NO_DEAD_LANE; i < r->unread; i++) send_now(bystander, BYSTANDER);
    start_waiters(r->writers_that_wait);
    if (r->a_writer_is_about_to_wait) mslot__ring_want_space(&bystander->ring); // so that the act has something to announce
    reach(victim);

    uint64_t unshown = 0;
    uint32_t space_sequence = 0;
    if (r->fate == KILLED) victim_kill(victim);
    if (r->fate == STOPPED) victim_stop(victim);
    if (r->fate == STOPPED && r->dead_lane != NO_DEAD_LANE) expect_lanes_recoverable(1);
    if (r->fate != INTERRUPTED) {
        send_until_full(bystander, BYSTANDER);
        expect_equal(mslot_inspect("orders").info.message_count, cells);
        expect_unread_whole();
        // Its own deadline. It asks for room, which would help those that wait already.
        if (r->writers_that_wait == 0)
            expect_outcome(mslot_writer_write(bystander, "x", 1, 1), r->fate == KILLED ? MSLOT_NO_READER : MSLOT_TIMED_OUT);
    }
    if (r->fate == KILLED) {
        unshown = adopt_what_is_left();
        if (r->dead_lane != NO_DEAD_LANE) expect_lanes_recoverable(1);
    } else {
        if (r->fate == INTERRUPTED) {
            victim_signal(victim, SIGUSR1);
        } else {
            if (r->a_writer_is_about_to_wait) space_sequence = be_about_to_wait();
            else if (r->writers_that_wait == 0) start_waiters(1); // one that begins to wait now
            victim_continue(victim);
        }
        victim_finish(victim);
        if (r->fate != INTERRUPTED || outcome_of_act() != MSLOT_INTERRUPTED) expect_outcome(outcome_of_act(), MSLOT_DONE);
        come_to(r->fate == STOPPED ? "went on" : mslot_outcome_text(outcome_of_act()));
        let_read(victim);
    }
    consume();
    if (r->a_writer_is_about_to_wait) expect(bystander->ring.ring.control->space_sequence != space_sequence);
    else expect_waiters_done(false);
    consume();
    expect_lanes_work(1);
    send_now(bystander, BYSTANDER);
    consume();
    expect_all_arrived(unshown);

    must_close_writer(bystander);
    if (r->fate == KILLED) {
        must_close(reader);
    } else {
        child_kill(victim);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    }
}

// MARK: the rows

#define READER(...) .act = {create_to_read, __VA_ARGS__, go_on_reading}, .play = play_reader

static const operation reading = {"read", READER(read_one), .must_see = {"0 released|1 released", "went on"}},
                       waiting_read = {"read, waits", READER(read_one_when_it_comes), .awaken = send_to_a_sleeper,
                           .must_see = {"0 released|1 released", "went on", "the wait was interrupted|done"}},
                       reading_batch = {"read_batch of 3", READER(read_three), .must_see = {"0 released|1 released|2 released", "went on"}},
                       lending = {"peek twice, release", READER(lend_two_and_release),
                           .must_see = {"0 released|1 released|2 released", "went on"}},
                       leaving = {"peek twice, leave", .act = {create_to_read, lend_two_release_one_and_leave, follow_and_read},
                           .play = play_reader, .must_see = {"0 released|1 released", "went on"}};

#define FULL(of) .cells = of, .unread = of
#define TWO_WRITERS_WAIT .lanes = 4, .writers_that_wait = 2
#define A_WRITER_WAITS .lanes = 4, .writers_that_wait = 1

static const row rows[] = {
    {&reading, KILLED, FULL(2)},
    {&reading, KILLED, .unread = 8},
    {&reading, KILLED, FULL(1)},
    {&reading, KILLED, FULL(2), A_WRITER_WAITS},
    {&reading, KILLED, .cells = 2, .unread = 1, .dead_lane = BEHIND_ITS_SWAP},
    {&reading, KILLED, FULL(2), .in_pid_namespace = true},
    {&reading, STOPPED, FULL(2), A_WRITER_WAITS},
    {&reading, STOPPED, FULL(2)},
    {&reading, STOPPED, FULL(2), .a_writer_is_about_to_wait = true},
    {&reading, STOPPED, FULL(1), .dead_lane = BEHIND_ITS_SWAP},
    {&reading, STOPPED, FULL(1), .lanes = 4, .dead_lane = BEFORE_CLEARING_ITS_INTENT, .is_long = true},
    {&reading, STOPPED, .unread = 8, .is_long = true},
    {&reading, KILLED, FULL(2), .express = true},
    {&reading, STOPPED, FULL(2), A_WRITER_WAITS, .express = true},
    {&reading, KILLED, .unread = 3, .long_messages = true, .is_long = true},
    {&reading, STOPPED, .unread = 3, .long_messages = true, .is_long = true},
    {&reading_batch, KILLED, FULL(4), .must_see = "0 released|1 released|2 released|3 released"},
    {&reading_batch, KILLED, FULL(2), .is_long = true},
    {&reading_batch, KILLED, FULL(4), .express = true, .is_long = true, .must_see = "0 released|1 released|2 released|3 released"},
    {&reading_batch, STOPPED, FULL(4), A_WRITER_WAITS},
    {&reading_batch, STOPPED, FULL(4), TWO_WRITERS_WAIT},
    {&reading_batch, KILLED, FULL(4), TWO_WRITERS_WAIT, .is_long = true},
    {&lending, KILLED, FULL(2)},
    {&lending, KILLED, FULL(4), A_WRITER_WAITS, .is_long = true},
    {&lending, KILLED, FULL(2), .express = true},
    {&lending, STOPPED, FULL(2), A_WRITER_WAITS},
    {&lending, STOPPED, FULL(4), .a_writer_is_about_to_wait = true, .is_long = true},
    {&lending, KILLED, .long_messages = true, A_WRITER_WAITS, .is_long = true},
    {&lending, STOPPED, .long_messages = true, A_WRITER_WAITS},
    {&lending, STOPPED, .unread = 3, .long_messages = true, .is_long = true},
    {&leaving, KILLED, FULL(2)},
    {&leaving, KILLED, FULL(4), A_WRITER_WAITS},
    {&leaving, KILLED, FULL(2), .in_pid_namespace = true, .is_long = true},
    {&leaving, KILLED, .long_messages = true, A_WRITER_WAITS, .is_long = true},
    {&leaving, STOPPED, FULL(2), A_WRITER_WAITS},
    {&leaving, STOPPED, FULL(4), .a_writer_is_about_to_wait = true, .is_long = true},
    {&waiting_read, KILLED, .cells = 2},
    {&waiting_read, KILLED, .in_pid_namespace = true, .is_long = true},
    {&waiting_read, STOPPED, .cells = 2},
    {&waiting_read, STOPPED, .cells = 2, .in_pid_namespace = true, .is_long = true},
    {&waiting_read, INTERRUPTED, .cells = 2},
};
const table reader_rows = TABLE(rows);

#include "cases.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void come_to(const char *label) { snprintf(world->label, LABEL_BYTES, "%s", label); }

static mslot_outcome outcome_of_act(void) { return (mslot_outcome)(shared_get(&world->outcome) - 1); }
static void note_outcome(mslot_outcome outcome) { shared_set(&world->outcome, 1 + (uint64_t)outcome); }

static mslot_writer *victims_writer;
static mslot_reader *victims_reader;

static void interrupt(int number)
{
    (void)number;
    if (victims_reader != NULL) mslot_interrupt(victims_reader);
    if (victims_writer != NULL) mslot_interrupt_writer(victims_writer);
}
static void handle_signal(void) { sigaction(SIGUSR1, &(struct sigaction){.sa_handler = interrupt}, NULL); }

// MARK: a writer

static unsigned char victims_bytes[4][MSLOT_MESSAGE_BYTES_MAX];
static mslot_bytes victims_messages[4];

/// Opens, and writes once, so that everything slow has been done.
static void open_and_write(void)
{
    handle_signal();
    victims_writer = must_open("orders");
    for (uint64_t number = 0; number < 4; number++)
        victims_messages[number] = (mslot_bytes){victims_bytes[number], message_make(victims_bytes[number], VICTIM, number)};
    note_outcome(mslot_try_write(victims_writer, victims_bytes[0], victims_messages[0].byte_count));
}

static void note_write(mslot_outcome outcome)
{
    if (outcome == MSLOT_DONE) shared_set(&world->returned, 1);
    note_outcome(outcome);
}
static void write_one(void) { note_write(mslot_write(victims_writer, victims_bytes[1], victims_messages[1].byte_count, MSLOT_FOREVER)); }
static void try_to_write_one(void) { note_write(mslot_try_write(victims_writer, victims_bytes[1], victims_messages[1].byte_count)); }
static void write_three(void)
{
    mslot_batch batch = mslot_write_batch(victims_writer, victims_messages + 1, 3, MSLOT_FOREVER);
    shared_set(&world->returned, batch.count);
    note_outcome(batch.outcome);
}
static void publish_loan(void)
{
    mslot_loaned loaned = mslot_loan(victims_writer);
    memcpy(loaned.bytes, victims_bytes[1], victims_messages[1].byte_count);
    note_write(mslot_publish(victims_writer, victims_messages[1].byte_count, MSLOT_FOREVER));
}
static void abandon_loan(void)
{
    mslot_loaned loaned = mslot_loan(victims_writer);
    memcpy(loaned.bytes, victims_bytes[1], victims_messages[1].byte_count);
    note_outcome(mslot_abandon(victims_writer));
}

/// The victim's messages that are in the ring, or were: what came in all, less what others sent.
static uint64_t published_by_victim(uint64_t sent_by_others) { return mslot_ring_tail(&bystander->ring.ring).position - cells - sent_by_others; }

/// While a writer is stopped: whoever reads and writes goes on.
static void go_on_beside_a_writer(const row *r)
{
    if (r->meanwhile == THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS) {
        kill_reader();
        reader = must_adopt("orders");
    }
    if (r->reader == HERE) consume();
    for (uint32_t i = 0; i + 1 < cells && i < 3; i++) send_now(bystander, BYSTANDER);
    consume();
}

/// A writer is stopped while the reader closes: it had published before, or is told so.
static void close_beside_a_writer(const row *r, pid_t victim)
{
    bool published = published_by_victim(1 + r->unread) == r->operation->at_stake;
    must_close(reader);
    victim_continue(victim);
    victim_finish(victim);
    if (r->operation->otherwise != MSLOT_FULL || outcome_of_act() != MSLOT_FULL)
        expect_outcome(outcome_of_act(), published ? MSLOT_DONE : MSLOT_CLOSED);
    come_to(published ? "published" : "closed");
    expect_outcome(mslot_try_write(bystander, "x", 1), MSLOT_CLOSED);
    must_close_writer(bystander);
    child_kill(victim);
    expect_equal(files_in_directory(), 0);
}

static void play_writer(const row *r)
{
    start_reader(r->reader);
    bystander = must_open("orders");
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    expect_outcome(outcome_of_act(), MSLOT_DONE);
    consume();
    for (uint32_t i = 0; i < r->unread; i++) send_now(bystander, BYSTANDER);
    bool hooked = r->reader == PARKED && r->fate == KILLED;
    if (hooked && mslot_writer_note_slow(bystander).pending == &bystander->no_note) skip("the kernel offers no robust list");
    reach(victim);

    if (r->fate == KILLED) {
        victim_kill(victim);
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

    uint32_t in_use = r->fate == KILLED ? 1 : 2;
    if (r->heirs == BEFORE_READING && lanes > in_use) expect_lanes_recoverable(in_use);
    consume();
    uint64_t published = arrived_from(VICTIM) - 1;
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

// MARK: a reader

static mslot_message messages_read[3];

static void create_to_read(void)
{
    handle_signal();
    victims_reader = must_create("orders", cells, lanes);
}
static void go_on_reading(void) { read_for_ever(victims_reader, MSLOT_FOREVER); }

static void note_read(uint64_t position, const void *bytes)
{
    shown(position, bytes);
    shared_set(&world->returned, position - cells + 1);
}
static void read_one_for(int64_t timeout_ns)
{
    shared_set(&world->may_be_released, 1);
    mslot_received received = mslot_read(victims_reader, messages_read[0].bytes, MSLOT_MESSAGE_BYTES_MAX, timeout_ns);
    if (received.outcome == MSLOT_DONE) note_read(received.position, messages_read[0].bytes);
    note_outcome(received.outcome);
}
static void read_one(void) { read_one_for(0); }
static void read_one_when_it_comes(void) { read_one_for(MSLOT_FOREVER); }
static void read_three(void)
{
    shared_set(&world->may_be_released, 3);
    mslot_batch batch = mslot_read_batch(victims_reader, messages_read, 3, 0);
    for (size_t i = 0; i < batch.count; i++) note_read(messages_read[i].position, messages_read[i].bytes);
    note_outcome(batch.outcome);
}
static void lend_two_and_release(void)
{
    for (int i = 0; i < 2; i++) {
        mslot_view view = mslot_peek(victims_reader, 0);
        if (view.outcome == MSLOT_DONE) shown(view.position, view.bytes);
    }
    shared_set(&world->may_be_released, 2);
    note_outcome(mslot_release(victims_reader, 2));
    shared_set(&world->returned, 2);
}

static void send_to_a_sleeper(void) { send_now(bystander, AWAKENER); }

/// The victim is dead: another adopts, and finds what was not released. How much of that the victim did not live to show.
static uint64_t adopt_what_is_left(void)
{
    expect_outcome(mslot_write(bystander, "x", 1, 1), MSLOT_NO_READER);
    reader = must_adopt("orders");
    uint64_t released = reader->ring.head - cells;
    expect(released >= shared_get(&world->returned) && released <= shared_get(&world->may_be_released));
    snprintf(world->label, LABEL_BYTES, "%llu released", (unsigned long long)released);
    uint64_t seen = shared_get(&world->arrival_count);
    if (released <= seen) return 0;
    memset(world->arrivals + seen, 0, (released - seen) * sizeof world->arrivals[0]);
    shared_set(&world->arrival_count, released);
    return released - seen;
}

static void play_reader(const row *r)
{
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    bystander = must_open("orders");
    if (r->dead_lane != NO_DEAD_LANE) leave_dead_lane(r->dead_lane);
    for (uint32_t i = r->dead_lane != NO_DEAD_LANE; i < r->unread; i++) send_now(bystander, BYSTANDER);
    if (r->a_writer_waits) start_waiter();
    reach(victim);

    uint64_t unshown = 0;
    if (r->fate == KILLED) victim_kill(victim);
    if (r->fate == STOPPED) victim_stop(victim);
    if (r->fate == STOPPED && r->dead_lane != NO_DEAD_LANE) expect_lanes_recoverable(1);
    if (r->fate != INTERRUPTED) {
        send_until_full(bystander, BYSTANDER);
        expect_equal(mslot_inspect("orders").info.message_count, cells);
    }
    if (r->fate == KILLED) {
        unshown = adopt_what_is_left();
        if (r->dead_lane != NO_DEAD_LANE) expect_lanes_recoverable(1);
    } else {
        if (r->fate == INTERRUPTED) {
            victim_signal(victim, SIGUSR1);
        } else {
            expect_outcome(mslot_write(bystander, "x", 1, 1), MSLOT_TIMED_OUT);
            if (!r->a_writer_waits) start_waiter(); // one that begins to wait now
            victim_continue(victim);
        }
        victim_finish(victim);
        if (r->fate != INTERRUPTED || outcome_of_act() != MSLOT_INTERRUPTED) expect_outcome(outcome_of_act(), MSLOT_DONE);
        come_to(r->fate == STOPPED ? "went on" : mslot_outcome_text(outcome_of_act()));
        let_read(victim);
    }
    consume();
    if (r->a_writer_waits || r->fate == STOPPED) expect_waiter_done(false);
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

// MARK: names

static void do_nothing(void) {}

static mslot_created create_with(bool adopt)
{
    mslot_create_options options = small_options(cells, lanes);
    options.adopt = adopt;
    return mslot_create("orders", &options);
}

/// Whether it adopted goes where other victims say how much they have read.
static void create_by(bool adopt)
{
    mslot_created created = create_with(adopt);
    victims_reader = created.reader;
    shared_set(&world->returned, created.adopted);
    note_outcome(created.failure.outcome);
}
static void create_fresh(void) { create_by(false); }
static void adopt(void) { create_by(true); }
static void go_on_reading_if_created(void)
{
    if (victims_reader != NULL) go_on_reading();
}
static void close_reader(void) { note_outcome(mslot_close(victims_reader)); }
static void remove_name(void) { note_outcome(mslot_remove("orders").outcome); }

/// What a writer of the old mailslot hears: there is room, there is none, or it is closed.
static bool old_mailslot_is_closed(void)
{
    mslot_outcome outcome = try_to_send(bystander, BYSTANDER);
    if (outcome != MSLOT_DONE && outcome != MSLOT_FULL) expect_outcome(outcome, MSLOT_CLOSED);
    return outcome == MSLOT_CLOSED;
}

/// Somebody reads "orders": here, or a victim that lives. What was unread in the old mailslot arrives, if it was kept, or is gone.
static void expect_name_works(const row *r, bool kept)
{
    if (bystander != NULL && !kept) {
        expect(old_mailslot_is_closed());
        must_close_writer(bystander);
        bystander = NULL;
        forget_messages();
    }
    if (bystander == NULL) bystander = must_open("orders");
    consume();
    if (r->a_writer_waits) expect_waiter_done(!kept);
    consume();
    expect_lanes_work(1);
    expect_all_arrived(0);
    must_close_writer(bystander);
    expect_equal(files_in_directory(), 1);
}

/// 0: no file has the name.
static uint64_t inode_of_name(void)
{
    char path[PATH_MAX];
    struct stat status;
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

/// A victim was killed while it created, took over, closed or removed: a mailslot that is not sealed can be adopted, with all that
/// was unread; else the name can be had.
static void judge_killed(const row *r)
{
    expect(files_in_directory() <= 1);
    uint64_t named = inode_of_name();
    uint64_t old = bystander != NULL ? bystander->mapping.inode : 0;
    bool closed = bystander != NULL && old_mailslot_is_closed();
    expect(!closed || r->operation->act.run != adopt);
    bool sealed_is_named = closed && named == old;
    come_to(old != 0 && !closed ? "as before" : sealed_is_named ? "closed, named" : named == 0 ? "no name" : "created");

    mslot_created created = create_with(true);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect_equal(created.adopted, named != 0 && !sealed_is_named);
    reader = created.reader;
    expect_name_works(r, !closed && created.adopted);
    must_close(reader);
}

/// A victim was stopped there: another creates or adopts, and then it goes on. One of them has the name.
static void judge_stopped(const row *r, pid_t victim)
{
    if (bystander != NULL) old_mailslot_is_closed();
    mslot_created other = create_with(r->meanwhile == ANOTHER_ADOPTS);
    victim_continue(victim);
    victim_finish(victim);
    bool other_has_it = other.failure.outcome == MSLOT_DONE;
    if (!other_has_it) expect_outcome(other.failure.outcome, MSLOT_ALREADY_EXISTS);
    if (r->operation->creates) expect_outcome(outcome_of_act(), other_has_it ? MSLOT_ALREADY_EXISTS : MSLOT_DONE);
    else if (!other_has_it || outcome_of_act() != r->operation->otherwise) expect_outcome(outcome_of_act(), MSLOT_DONE);
    come_to(other_has_it ? "the other has it" : "the other is refused");

    bool kept = other_has_it ? other.adopted : r->operation->creates && shared_get(&world->returned) != 0;
    bool victim_reads = !other_has_it && r->operation->creates;
    if (!other_has_it && !r->operation->creates) {
        expect_equal(files_in_directory(), 0);
        other = create_with(false);
        expect_outcome(other.failure.outcome, MSLOT_DONE);
    }
    reader = other.reader;
    if (victim_reads) let_read(victim);
    expect_name_works(r, kept);
    child_kill(victim);
    if (victim_reads) expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
    else must_close(reader);
}

static void play_name(const row *r)
{
    if (r->operation->begins_with == A_DEAD_READERS) {
        start_reader(PARKED);
        bystander = must_open("orders");
        kill_reader();
    }
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    if (r->operation->begins_with == ITS_OWN) bystander = must_open("orders");
    for (uint32_t i = 0; i < r->unread; i++) send_now(bystander, BYSTANDER);
    if (r->a_writer_waits) start_waiter();
    reach(victim);
    if (r->fate == KILLED) {
        victim_kill(victim);
        judge_killed(r);
    } else {
        victim_stop(victim);
        judge_stopped(r, victim);
    }
}

// MARK: lanes

static void open_lane(void)
{
    mslot_opened opened = mslot_open("orders", NULL);
    note_outcome(opened.failure.outcome);
}
static void close_lane(void) { note_outcome(mslot_close_writer(victims_writer)); }
static void open_to_close(void)
{
    victims_writer = must_open("orders");
    must_write(victims_writer, VICTIM, 0);
}

static void play_lane(const row *r)
{
    start_reader(HERE);
    bystander = must_open("orders");
    if (r->dead_lane != NO_DEAD_LANE) leave_dead_lane(r->dead_lane);
    for (uint32_t i = r->dead_lane != NO_DEAD_LANE; i < r->unread; i++) send_now(bystander, BYSTANDER);
    pid_t victim = victim_start(&r->operation->act, r->in_pid_namespace);
    reach(victim);

    if (r->fate == KILLED) {
        victim_kill(victim);
        come_to(shared_get(&world->outcome) != 0 ? "done" : "not yet");
    } else {
        victim_stop(victim);
        mslot_writer *others[] = {must_open("orders"), must_open("orders")};
        for (int i = 0; i < 2; i++) {
            consume();
            send_now(others[i], HEIR);
        }
        victim_continue(victim);
        victim_finish(victim);
        expect_outcome(outcome_of_act(), MSLOT_DONE);
        come_to("went on");
        for (int i = 0; i < 2; i++) must_close_writer(others[i]);
        child_kill(victim);
    }
    if (r->heirs == BEFORE_READING) expect_lanes_recoverable(1);
    consume();
    expect_lanes_work(1);
    expect_all_arrived(0);
    must_close_writer(bystander);
    must_close(reader);
}

// MARK: the operations

#define WRITER(...) .act = {open_and_write, __VA_ARGS__, NULL}, .play = play_writer
#define READER(...) .act = {create_to_read, __VA_ARGS__, go_on_reading}, .play = play_reader
#define CREATOR(...) .act = {do_nothing, __VA_ARGS__, go_on_reading_if_created}, .play = play_name, .creates = true

static const operation
    writing = {"write", WRITER(write_one), .at_stake = 1},
    trying_to_write = {"try_write", WRITER(try_to_write_one), .at_stake = 1},
    trying_in_vain = {"try_write, full", WRITER(try_to_write_one), .at_stake = 1, .otherwise = MSLOT_FULL},
    waiting_for_room = {"write, waits for room", WRITER(write_one), .at_stake = 1, .awaken = consume},
    batch = {"write_batch of 3", WRITER(write_three), .at_stake = 3},
    waiting_batch = {"write_batch of 3, waits", WRITER(write_three), .at_stake = 3, .awaken = consume},
    publishing_loan = {"loan, publish", WRITER(publish_loan), .at_stake = 1},
    abandoning_loan = {"loan, abandon", WRITER(abandon_loan)},
    reading = {"read", READER(read_one), .at_stake = 1},
    waiting_read = {"read, waits", READER(read_one_when_it_comes), .at_stake = 1, .awaken = send_to_a_sleeper},
    reading_batch = {"read_batch of 3", READER(read_three), .at_stake = 3},
    lending = {"peek twice, release", READER(lend_two_and_release), .at_stake = 2},
    closing = {"close", .act = {create_to_read, close_reader, NULL}, .play = play_name, .begins_with = ITS_OWN},
    creating = {"create", CREATOR(create_fresh)},
    taking_over = {"create over a dead reader's", CREATOR(create_fresh), .begins_with = A_DEAD_READERS},
    adopting = {"adopt", CREATOR(adopt), .begins_with = A_DEAD_READERS},
    removing = {"remove", .act = {do_nothing, remove_name, NULL}, .play = play_name, .begins_with = A_DEAD_READERS, .otherwise = MSLOT_ALREADY_EXISTS},
    opening = {"open", .act = {do_nothing, open_lane, NULL}, .play = play_lane},
    closing_lane = {"close_writer", .act = {open_to_close, close_lane, NULL}, .play = play_lane};

#define PUBLISHED_OR_LOST "lost|published"
#define BY_THE_KERNEL "lost|published|published, the kernel woke the reader"

const row rows[] = {
    {&writing, KILLED, "ring empty; heirs come first", .heirs = BEFORE_READING, .must_see = PUBLISHED_OR_LOST},
    {&writing, KILLED, "ring half full; heirs come a lap later", .unread = 8, .heirs = A_LAP_LATER, .must_see = PUBLISHED_OR_LOST},
    {&writing, KILLED, "2 cells, 1 free", .cells = 2, .unread = 1, .heirs = BEFORE_READING, .must_see = PUBLISHED_OR_LOST},
    {&writing, KILLED, "2 cells; heirs come a lap later", .cells = 2, .heirs = A_LAP_LATER, .must_see = PUBLISHED_OR_LOST},
    {&writing, KILLED, "1 cell", .cells = 1, .must_see = PUBLISHED_OR_LOST},
    {&writing, KILLED, "reader parked", PARKED, .must_see = BY_THE_KERNEL},
    {&writing, KILLED, "reader parked, other pid namespace", PARKED, .in_pid_namespace = true, .must_see = BY_THE_KERNEL},
    {&writing, KILLED, "reader polls", SPINNING, .must_see = PUBLISHED_OR_LOST},
    {&writing, STOPPED, "ring empty", .must_see = "published"},
    {&writing, STOPPED, "2 cells, 1 free", .cells = 2, .unread = 1, .must_see = "published"},
    {&writing, STOPPED, "reader parked", PARKED, .must_see = "published"},
    {&writing, STOPPED, "reader parked, other pid namespace", PARKED, .in_pid_namespace = true, .is_long = true, .must_see = "published"},
    {&writing, STOPPED, "reader polls", SPINNING, .must_see = "published"},
    {&writing, STOPPED, "the reader closes", .meanwhile = THE_READER_CLOSES, .must_see = "published|closed"},
    {&writing, STOPPED, "the reader is killed, another adopts", PARKED, .meanwhile = THE_READER_IS_KILLED_AND_ANOTHER_ADOPTS, .must_see = "published"},

    {&trying_to_write, KILLED, "reader parked", PARKED, .must_see = BY_THE_KERNEL},
    {&trying_to_write, KILLED, "2 cells, 1 free", .cells = 2, .unread = 1, .heirs = BEFORE_READING, .is_long = true, .must_see = PUBLISHED_OR_LOST},
    {&trying_to_write, STOPPED, "reader parked", PARKED, .is_long = true, .must_see = "published"},
    {&trying_in_vain, KILLED, "2 cells", .cells = 2, .unread = 2, .heirs = BEFORE_READING, .must_see = "lost"},
    {&trying_in_vain, STOPPED, "2 cells", .cells = 2, .unread = 2, .must_see = "the mailslot is full"},
    {&trying_in_vain, STOPPED, "2 cells, the reader closes", .cells = 2, .unread = 2, .meanwhile = THE_READER_CLOSES, .must_see = "closed"},

    {&waiting_for_room, KILLED, "2 cells", .cells = 2, .unread = 2, .must_see = PUBLISHED_OR_LOST},
    {&waiting_for_room, KILLED, "2 cells, other pid namespace", .cells = 2, .unread = 2, .in_pid_namespace = true, .is_long = true, .must_see = PUBLISHED_OR_LOST},
    {&waiting_for_room, KILLED, "1 cell; heirs come a lap later", .cells = 1, .unread = 1, .heirs = A_LAP_LATER, .is_long = true, .must_see = PUBLISHED_OR_LOST},
    {&waiting_for_room, STOPPED, "2 cells; room comes", .cells = 2, .unread = 2, .must_see = "published"},
    {&waiting_for_room, STOPPED, "1 cell; room comes", .cells = 1, .unread = 1, .is_long = true, .must_see = "published"},
    {&waiting_for_room, STOPPED, "2 cells, the reader closes", .cells = 2, .unread = 2, .meanwhile = THE_READER_CLOSES, .must_see = "closed"},
    {&waiting_for_room, INTERRUPTED, "2 cells", .cells = 2, .unread = 2, .must_see = "the wait was interrupted|published"},

    {&batch, KILLED, "ring empty; heirs come first", .heirs = BEFORE_READING, .must_see = "0 published|1 published|2 published|3 published"},
    {&batch, KILLED, "reader parked", PARKED, .must_see = "0 published|1 published|2 published|3 published"},
    {&batch, KILLED, "4 cells; heirs come a lap later", .cells = 4, .heirs = A_LAP_LATER, .is_long = true, .must_see = "0 published|3 published"},
    {&batch, STOPPED, "reader parked", PARKED, .must_see = "3 published"},
    {&batch, STOPPED, "reader polls", SPINNING, .is_long = true, .must_see = "3 published"},
    {&waiting_batch, KILLED, "2 cells", .cells = 2, .must_see = "0 published|1 published|2 published|3 published"},
    {&waiting_batch, STOPPED, "2 cells; room comes", .cells = 2, .is_long = true, .must_see = "3 published"},
    {&publishing_loan, KILLED, "ring empty; heirs come first", .heirs = BEFORE_READING, .must_see = PUBLISHED_OR_LOST},
    {&publishing_loan, KILLED, "reader parked", PARKED, .must_see = BY_THE_KERNEL},
    {&publishing_loan, STOPPED, "reader parked", PARKED, .must_see = "published"},
    {&abandoning_loan, KILLED, "ring empty", .must_see = "lost"},

    {&reading, KILLED, "2 cells, full", .cells = 2, .unread = 2, .must_see = "0 released|1 released"},
    {&reading, KILLED, "half full", .unread = 8, .must_see = "0 released|1 released"},
    {&reading, KILLED, "1 cell", .cells = 1, .unread = 1, .must_see = "0 released|1 released"},
    {&reading, KILLED, "2 cells, a writer waits", .cells = 2, .lanes = 4, .unread = 2, .a_writer_waits = true, .must_see = "0 released|1 released"},
    {&reading, KILLED, "2 cells, a dead writer's lane", .cells = 2, .unread = 1, .dead_lane = BEHIND_ITS_SWAP, .must_see = "0 released|1 released"},
    {&reading, KILLED, "2 cells, other pid namespace", .cells = 2, .unread = 2, .in_pid_namespace = true, .must_see = "0 released|1 released"},
    {&reading, STOPPED, "2 cells, a writer waits", .cells = 2, .lanes = 4, .unread = 2, .a_writer_waits = true, .must_see = "went on"},
    {&reading, STOPPED, "2 cells, a writer begins to wait", .cells = 2, .unread = 2, .must_see = "went on"},
    {&reading, STOPPED, "1 cell, a dead writer's lane", .cells = 1, .lanes = 4, .unread = 1, .dead_lane = BEHIND_ITS_SWAP, .must_see = "went on"},
    {&reading, STOPPED, "half full", .unread = 8, .is_long = true, .must_see = "went on"},
    {&reading_batch, KILLED, "4 cells, full", .cells = 4, .unread = 4, .must_see = "0 released|1 released|2 released|3 released"},
    {&reading_batch, KILLED, "2 cells, full", .cells = 2, .unread = 2, .is_long = true, .must_see = "0 released|1 released|2 released"},
    {&reading_batch, STOPPED, "4 cells, a writer waits", .cells = 4, .lanes = 4, .unread = 4, .a_writer_waits = true, .must_see = "went on"},
    {&lending, KILLED, "2 cells, full", .cells = 2, .unread = 2, .must_see = "0 released|1 released|2 released"},
    {&lending, KILLED, "4 cells, a writer waits", .cells = 4, .lanes = 4, .unread = 4, .a_writer_waits = true, .is_long = true, .must_see = "0 released|1 released|2 released"},
    {&lending, STOPPED, "2 cells, a writer waits", .cells = 2, .lanes = 4, .unread = 2, .a_writer_waits = true, .must_see = "went on"},
    {&waiting_read, KILLED, "2 cells", .cells = 2, .must_see = "0 released|1 released"},
    {&waiting_read, STOPPED, "2 cells; messages come", .cells = 2, .must_see = "went on"},
    {&waiting_read, STOPPED, "2 cells, other pid namespace; messages come", .cells = 2, .in_pid_namespace = true, .is_long = true, .must_see = "went on"},
    {&waiting_read, INTERRUPTED, "2 cells", .cells = 2, .must_see = "the wait was interrupted|done"},

    {&closing, KILLED, "2 cells, full", .cells = 2, .unread = 2, .must_see = "as before|closed, named|no name"},
    {&closing, KILLED, "half full", .unread = 8, .must_see = "as before|closed, named|no name"},
    {&closing, KILLED, "2 cells, a writer waits", .cells = 2, .lanes = 4, .unread = 2, .a_writer_waits = true, .must_see = "as before|closed, named|no name"},
    {&closing, STOPPED, "2 cells, full; another creates", .cells = 2, .unread = 2, .meanwhile = ANOTHER_CREATES, .must_see = "the other has it|the other is refused"},
    {&closing, STOPPED, "2 cells, a writer waits; another adopts", .cells = 2, .lanes = 4, .unread = 2, .a_writer_waits = true, .meanwhile = ANOTHER_ADOPTS, .must_see = "the other has it|the other is refused"},
    {&creating, KILLED, "no such name", .cells = 2, .must_see = "no name|created"},
    {&creating, STOPPED, "another creates", .cells = 2, .meanwhile = ANOTHER_CREATES, .must_see = "the other has it|the other is refused"},
    {&taking_over, KILLED, "2 cells, half full", .cells = 2, .unread = 1, .must_see = "as before|closed, named|no name|created"},
    {&taking_over, KILLED, "2 cells, full", .cells = 2, .unread = 2, .is_long = true, .must_see = "as before|closed, named|no name|created"},
    {&taking_over, STOPPED, "another creates", .cells = 2, .unread = 1, .meanwhile = ANOTHER_CREATES, .must_see = "the other has it|the other is refused"},
    {&taking_over, STOPPED, "another adopts", .cells = 2, .unread = 1, .meanwhile = ANOTHER_ADOPTS, .must_see = "the other has it|the other is refused"},
    {&adopting, KILLED, "2 cells, half full", .cells = 2, .unread = 1, .must_see = "as before"},
    {&adopting, KILLED, "2 cells, full, other pid namespace", .cells = 2, .unread = 2, .in_pid_namespace = true, .is_long = true, .must_see = "as before"},
    {&adopting, STOPPED, "another adopts", .cells = 2, .unread = 1, .meanwhile = ANOTHER_ADOPTS, .must_see = "the other has it|the other is refused"},
    {&adopting, STOPPED, "another creates", .cells = 2, .unread = 1, .meanwhile = ANOTHER_CREATES, .must_see = "the other has it|the other is refused"},
    {&removing, KILLED, "2 cells, half full", .cells = 2, .unread = 1, .must_see = "as before|closed, named|no name"},
    {&removing, STOPPED, "another creates", .cells = 2, .unread = 1, .meanwhile = ANOTHER_CREATES, .must_see = "the other has it|the other is refused"},
    {&removing, STOPPED, "another adopts", .cells = 2, .unread = 1, .meanwhile = ANOTHER_ADOPTS, .is_long = true, .must_see = "the other has it|the other is refused"},

    {&opening, KILLED, "a lane is free", .cells = 2, .lanes = 4, .heirs = BEFORE_READING, .must_see = "not yet|done"},
    {&opening, KILLED, "of one who died behind his swap", .cells = 2, .unread = 1, .dead_lane = BEHIND_ITS_SWAP, .heirs = BEFORE_READING, .must_see = "not yet|done"},
    {&opening, KILLED, "of one whose message was read", .cells = 2, .dead_lane = BEHIND_ITS_SWAP_AND_READ, .unread = 1, .heirs = BEFORE_READING, .is_long = true, .must_see = "not yet|done"},
    {&opening, KILLED, "of one who died before his swap", .cells = 2, .dead_lane = BEFORE_ITS_SWAP, .heirs = BEFORE_READING, .is_long = true, .must_see = "not yet|done"},
    {&opening, KILLED, "of one who died clearing his intent", .cells = 2, .unread = 1, .dead_lane = BEFORE_CLEARING_ITS_INTENT, .heirs = BEFORE_READING, .is_long = true, .must_see = "not yet|done"},
    {&opening, KILLED, "a lane is free, other pid namespace", .cells = 2, .lanes = 4, .in_pid_namespace = true, .is_long = true, .must_see = "not yet|done"},
    {&opening, STOPPED, "others open", .cells = 2, .lanes = 4, .must_see = "went on"},
    {&closing_lane, KILLED, "2 cells", .cells = 2, .heirs = BEFORE_READING, .must_see = "not yet|done"},
    {&closing_lane, STOPPED, "others open", .cells = 2, .lanes = 4, .must_see = "went on"},
};
const size_t row_count = sizeof rows / sizeof rows[0];

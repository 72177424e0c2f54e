// A victim that creates, takes over, closes, leaves or removes.

#include "cases.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static mslot_reader *victims_reader;

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
    if (victims_reader != NULL) read_for_ever(victims_reader, MSLOT_FOREVER);
}
static void create_own(void) { victims_reader = create_mailslot(); }
static void close_reader(void) { note_outcome(mslot_reader_close(victims_reader)); }
static void leave(void) { note_outcome(mslot_reader_leave(victims_reader)); }
static void remove_name(void) { note_outcome(mslot_remove("orders").outcome); }

/// What a writer of the old mailslot hears: there is room, there is none, or it is closed.
static bool old_mailslot_is_closed(void)
{
    mslot_outcome outcome = try_to_send(bystander, BYSTANDER);
    if (outcome != MSLOT_DONE && outcome != MSLOT_FULL) expect_outcome(outcome, MSLOT_CLOSED);
    return outcome == MSLOT_CLOSED;
}

/// Somebody reads "orders": here, or a victim that lives. What was unread in the old mailslot arrives, if it was kept, or is gone.
static void expect_name_works(bool kept)
{
    if (bystander != NULL && !kept) {
        expect(old_mailslot_is_closed());
        must_close_writer(bystander);
        bystander = NULL;
        forget_messages();
    }
    if (bystander == NULL) bystander = must_open("orders");
    consume();
    expect_waiters_done(!kept);
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
    expect(!closed || !r->operation->keeps);
    bool sealed_is_named = closed && named == old;
    come_to(old != 0 && !closed ? "as before" : sealed_is_named ? "closed, named" : named == 0 ? "no name" : "created");

    mslot_created created = create_with(true);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect_equal(created.adopted, named != 0 && !sealed_is_named);
    reader = created.reader;
    expect_name_works(!closed && created.adopted);
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
        expect_equal(files_in_directory(), r->operation->keeps);
        other = create_with(r->operation->keeps);
        expect_outcome(other.failure.outcome, MSLOT_DONE);
        expect_equal(other.adopted, r->operation->keeps);
        kept = other.adopted;
    }
    reader = other.reader;
    if (victim_reads) let_read(victim);
    expect_name_works(kept);
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
    start_waiters(r->writers_that_wait);
    reach(victim);
    if (r->fate == KILLED) {
        victim_kill(victim);
        judge_killed(r);
    } else {
        victim_stop(victim);
        judge_stopped(r, victim);
    }
}

// MARK: the rows

#define CREATOR(...) .act = {do_nothing, __VA_ARGS__, go_on_reading_if_created}, .play = play_name, .creates = true
#define ONE_OF_THEM "the other has it|the other is refused"

static const operation closing = {"close", .act = {create_own, close_reader, NULL}, .play = play_name, .begins_with = ITS_OWN,
                           .must_see = {"as before|closed, named|no name", ONE_OF_THEM}},
                       leaving = {"leave", .act = {create_own, leave, NULL}, .play = play_name, .begins_with = ITS_OWN, .keeps = true,
                           .must_see = {"as before", ONE_OF_THEM}},
                       creating = {"create", CREATOR(create_fresh), .must_see = {"no name|created", ONE_OF_THEM}},
                       taking_over = {"create over a dead reader's", CREATOR(create_fresh), .begins_with = A_DEAD_READERS,
                           .must_see = {"as before|closed, named|no name|created", ONE_OF_THEM}},
                       adopting = {"adopt", CREATOR(adopt), .begins_with = A_DEAD_READERS, .keeps = true,
                           .must_see = {"as before", ONE_OF_THEM}},
                       removing = {"remove", .act = {do_nothing, remove_name, NULL}, .play = play_name, .begins_with = A_DEAD_READERS,
                           .otherwise = MSLOT_ALREADY_EXISTS, .must_see = {"as before|closed, named|no name", ONE_OF_THEM}};

#define HALF_FULL .cells = 2, .unread = 1
#define FULL .cells = 2, .unread = 2
#define A_WRITER_WAITS .lanes = 4, .writers_that_wait = 1

static const row rows[] = {
    {&closing, KILLED, FULL},
    {&closing, KILLED, .unread = 8},
    {&closing, KILLED, FULL, A_WRITER_WAITS},
    {&closing, KILLED, FULL, .in_pid_namespace = true, .is_long = true},
    {&closing, STOPPED, FULL, .meanwhile = ANOTHER_CREATES},
    {&closing, STOPPED, FULL, A_WRITER_WAITS, .meanwhile = ANOTHER_ADOPTS},

    {&leaving, KILLED, FULL},
    {&leaving, KILLED, HALF_FULL, .in_pid_namespace = true, .is_long = true},
    {&leaving, KILLED, FULL, A_WRITER_WAITS},
    {&leaving, STOPPED, FULL, .meanwhile = ANOTHER_CREATES},
    {&leaving, STOPPED, FULL, A_WRITER_WAITS, .meanwhile = ANOTHER_ADOPTS},

    {&creating, KILLED, .cells = 2},
    {&creating, STOPPED, .cells = 2, .meanwhile = ANOTHER_CREATES},
    {&creating, STOPPED, .cells = 2, .in_pid_namespace = true, .meanwhile = ANOTHER_ADOPTS, .is_long = true},
    {&taking_over, KILLED, HALF_FULL},
    {&taking_over, KILLED, FULL, .is_long = true},
    {&taking_over, STOPPED, HALF_FULL, .meanwhile = ANOTHER_CREATES},
    {&taking_over, STOPPED, HALF_FULL, .meanwhile = ANOTHER_ADOPTS},
    {&adopting, KILLED, HALF_FULL},
    {&adopting, KILLED, FULL, .in_pid_namespace = true, .is_long = true},
    {&adopting, STOPPED, HALF_FULL, .meanwhile = ANOTHER_ADOPTS},
    {&adopting, STOPPED, HALF_FULL, .meanwhile = ANOTHER_CREATES},
    {&removing, KILLED, HALF_FULL},
    {&removing, STOPPED, HALF_FULL, .meanwhile = ANOTHER_CREATES},
    {&removing, STOPPED, HALF_FULL, .meanwhile = ANOTHER_ADOPTS, .is_long = true},
};
const table name_rows = TABLE(rows);

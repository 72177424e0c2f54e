// A victim that opens or closes a writer: that takes a lane, a dead writer's perhaps, or gives it back.

#include "cases.h"

static mslot_writer *victims_writer;

static void do_nothing(void) {}
static void open_lane(void)
{
    mslot_opened opened = mslot_open("orders", NULL);
    note_outcome(opened.failure.outcome);
}
static void close_lane(void) { note_outcome(mslot_writer_close(victims_writer)); }
static void open_to_close(void)
{
    victims_writer = must_open("orders");
    must_write(victims_writer, VICTIM, 0);
}

static void play_lane(const row *r)
{
    start_reader(HERE);
    open_bystander(r->express);
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

// MARK: the rows

#define MUST_SEE .must_see = {"not yet|done", "went on"}

static const operation opening = {"open", .act = {do_nothing, open_lane, NULL}, .play = play_lane, MUST_SEE},
                       closing = {"close_writer", .act = {open_to_close, close_lane, NULL}, .play = play_lane, MUST_SEE};

#define HEIRS_FIRST .cells = 2, .heirs = BEFORE_READING

static const row rows[] = {
    {&opening, KILLED, HEIRS_FIRST, .lanes = 4},
    {&opening, KILLED, HEIRS_FIRST, .unread = 1, .dead_lane = BEHIND_ITS_SWAP},
    {&opening, KILLED, HEIRS_FIRST, .unread = 1, .dead_lane = BEHIND_ITS_SWAP_AND_READ, .is_long = true},
    {&opening, KILLED, HEIRS_FIRST, .dead_lane = BEFORE_ITS_SWAP, .is_long = true},
    {&opening, KILLED, HEIRS_FIRST, .unread = 1, .dead_lane = BEFORE_CLEARING_ITS_INTENT, .is_long = true},
    {&opening, KILLED, .cells = 2, .lanes = 4, .in_pid_namespace = true, .is_long = true},
    {&opening, KILLED, HEIRS_FIRST, .lanes = 4, .express = true},
    {&opening, STOPPED, .cells = 2, .lanes = 4},
    {&opening, STOPPED, .cells = 2, .lanes = 4, .express = true, .is_long = true},
    {&closing, KILLED, HEIRS_FIRST},
    {&closing, KILLED, HEIRS_FIRST, .express = true},
    {&closing, STOPPED, .cells = 2, .lanes = 4},
};
const table lane_rows = TABLE(rows);

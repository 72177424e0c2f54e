#include "world.h"

#include "stepping.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

shared_world *world;
mslot_reader *reader;
mslot_writer *bystander;
uint32_t cells, lanes;
bool messages_are_long, messages_are_short;

static pid_t reading_child;
static bool reading_child_sleeps;  // when nothing is there
static pid_t waiters[WAITERS_MAX]; // 0: none
static uint64_t sent[SENDERS_MAX];

/// Of this process, to read into and to write from.
static unsigned char buffer[LONGEST];

// MARK: the end of a case

_Noreturn static void end_case(char result, const char *file, int line, const char *what, va_list arguments)
{
    if (__atomic_exchange_n(&world->ended, 1, __ATOMIC_SEQ_CST) == 0) {
        int length = file != NULL ? snprintf(world->why, WHY_BYTES, "%s:%d: ", strrchr(file, '/') + 1, line) : 0;
        vsnprintf(world->why + length, WHY_BYTES - (size_t)length, what, arguments);
        world->result = result;
    }
    kill(world->process, SIGKILL);
    _exit(1);
}

_Noreturn void fail_at(const char *file, int line, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    end_case('F', file, line, what, arguments);
}

_Noreturn void skip(const char *reason, ...)
{
    va_list arguments;
    va_start(arguments, reason);
    end_case('S', NULL, 0, reason, arguments);
}

// MARK: the mailslot, and messages

mslot_reader *create_mailslot(void)
{
    mslot_create_options options = small_options(cells, lanes);
    if (messages_are_long) options.message_bytes_max = LONGEST;
    mslot_created created = mslot_create("orders", &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    return created.reader;
}

size_t make_message(unsigned char *bytes, uint64_t sender, uint64_t number)
{
    enum { SHORTEST = 24 };
    if (messages_are_short)
        return message_make_of(SHORTEST + (sender * 31 + number * 7) % (MSLOT_EXPRESS_BYTES_MAX - SHORTEST + 1), bytes, sender, number);
    if (!messages_are_long) return message_make(bytes, sender, number);
    // Not much longer than a slot: the library copies it with few instructions.
    return message_make_of(MSLOT_MESSAGE_BYTES_MAX + 1 + (sender * 31 + number * 7) % 80, bytes, sender, number);
}

size_t make_longest_message(unsigned char *bytes, uint64_t sender, uint64_t number)
{
    return message_make_of(LONGEST, bytes, sender, number);
}

static mslot_outcome send_message(mslot_writer *writer, uint64_t sender, size_t byte_count)
{
    mslot_outcome outcome = mslot_writer_try_write(writer, buffer, byte_count);
    if (outcome == MSLOT_DONE) sent[sender]++;
    return outcome;
}

/// Sends long messages until there is no room for another, in the ring or in the writer's overflow; how many there were.
static uint32_t send_longest_until_full(mslot_writer *writer, uint64_t sender)
{
    uint32_t count = 0;
    mslot_outcome outcome = MSLOT_DONE;
    for (; count < LONGEST_IN_A_LANE; count++) {
        outcome = send_message(writer, sender, make_longest_message(buffer, sender, sent[sender]));
        if (outcome != MSLOT_DONE) break;
    }
    expect(outcome == MSLOT_DONE || outcome == MSLOT_FULL);
    return count;
}

// MARK: writers that wait

static bool is_at_rest(uint32_t waiter)
{
    return waiters[waiter] == 0 || shared_get(&world->waiter_outcomes[waiter]) != 0 || is_asleep(waiters[waiter]);
}

static bool waiters_are_at_rest(void)
{
    bool all = true;
    for (uint32_t i = 0; i < WAITERS_MAX; i++) all = all && is_at_rest(i);
    return all;
}

_Noreturn static void wait_for_room(uint32_t waiter)
{
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = true;
    mslot_writer *writer = mslot_open("orders", &options).writer;
    expect(writer != NULL);
    uint64_t sender = FIRST_WAITER + waiter, number = 0;
    if (messages_are_long) number = send_longest_until_full(writer, sender);
    shared_set(&world->waiter_messages[waiter], number + 1);
    mslot_outcome outcome = mslot_writer_write(writer, buffer, make_message(buffer, sender, number), MSLOT_FOREVER);
    shared_set(&world->waiter_outcomes[waiter], 1 + (uint64_t)outcome);
    for (;;) pause();
}

void start_waiters(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        waiters[i] = child_start();
        if (waiters[i] == 0) wait_for_room(i);
        while (shared_get(&world->waiter_messages[i]) == 0 || !is_at_rest(i)) nap();
        sent[FIRST_WAITER + i] = shared_get(&world->waiter_messages[i]);
    }
}

void expect_waiters_done(bool may_be_closed)
{
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        if (waiters[i] == 0) continue;
        while (!waiters_are_at_rest()) nap();
        if (shared_get(&world->waiter_outcomes[i]) == 0)
            fail_at(__FILE__, __LINE__, "a writer sleeps though there is room, and nobody is left to wake it");
        mslot_outcome outcome = (mslot_outcome)(shared_get(&world->waiter_outcomes[i]) - 1);
        if (!may_be_closed || outcome != MSLOT_CLOSED) expect_outcome(outcome, MSLOT_DONE);
        child_kill(waiters[i]);
        waiters[i] = 0;
    }
}

// MARK: reading

void shown(uint64_t position, const void *bytes)
{
    arrival message;
    memcpy(&message, bytes, sizeof message);
    uint64_t index = position - cells;
    expect(index < ARRIVALS_MAX);
    expect(index <= world->arrival_count); // no hole
    if (index < world->arrival_count) {
        // Again: the same message with the same position.
        expect_equal(world->arrivals[index].sender, message.sender);
        expect_equal(world->arrivals[index].number, message.number);
        return;
    }
    world->arrivals[index] = message;
    shared_set(&world->arrival_count, index + 1);
}

static void arrived(uint64_t position, const void *bytes, size_t byte_count)
{
    message_check(bytes, byte_count);
    shown(position, bytes);
}

_Noreturn void read_for_ever(mslot_reader *from, int64_t timeout_ns)
{
    shared_set(&world->reader_is_ready, 1);
    for (;;) {
        mslot_received received = mslot_reader_read(from, buffer, sizeof buffer, timeout_ns);
        if (received.outcome == MSLOT_DONE) arrived(received.position, buffer, received.byte_count);
        else if (received.outcome != MSLOT_EMPTY && received.outcome != MSLOT_INTERRUPTED) expect_outcome(received.outcome, MSLOT_DONE);
    }
}

void start_reader(reader_kind kind)
{
    if (kind == HERE) {
        reader = create_mailslot();
        return;
    }
    reading_child = child_start();
    if (reading_child == 0) {
        if (kind == SPINNING) leave_processor();
        read_for_ever(create_mailslot(), kind == PARKED ? MSLOT_FOREVER : 0);
    }
    while (shared_get(&world->reader_is_ready) == 0) nap();
    reading_child_sleeps = kind == PARKED;
    let_reader_settle();
}

void let_read(pid_t child)
{
    reading_child = child;
    reading_child_sleeps = true;
}

void let_reader_settle(void)
{
    if (reading_child != 0 && reading_child_sleeps)
        while (!is_asleep(reading_child)) nap();
}

void kill_reader(void)
{
    child_kill(reading_child);
    reading_child = 0;
}

static bool read_if_any(void)
{
    mslot_received received = mslot_reader_read(reader, buffer, sizeof buffer, 0);
    if (received.outcome == MSLOT_DONE) arrived(received.position, buffer, received.byte_count);
    else expect_outcome(received.outcome, MSLOT_EMPTY);
    return received.outcome == MSLOT_DONE;
}

void consume_one(void) { expect(read_if_any()); }

void consume(void)
{
    if (reading_child == 0) {
        while (read_if_any()) {}
        return;
    }
    for (;; nap()) {
        uint64_t published = mslot__ring_tail(&bystander->ring.ring).position - cells;
        if (shared_get(&world->arrival_count) >= published) break;
        if (waiters_are_at_rest() && is_asleep(reading_child) && shared_get(&world->arrival_count) < published)
            fail_at(__FILE__, __LINE__, "the reader sleeps beside a message, and nobody is left to wake it");
    }
    let_reader_settle();
}

void expect_observed_whole(void)
{
    mslot_observer *observer = mslot_observer_open("orders", cells).observer;
    expect(observer != NULL);
    mslot_observed observed;
    while ((observed = mslot_observer_next(observer, buffer, sizeof buffer)).outcome == MSLOT_DONE)
        message_check(buffer, observed.byte_count);
    if (observed.outcome != MSLOT_CLOSED) expect_outcome(observed.outcome, MSLOT_EMPTY);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
}

void expect_unread_whole(void)
{
    const mslot_ring *ring = &bystander->ring.ring;
    uint64_t tail = mslot__ring_tail(ring).position;
    for (uint64_t at = ring->control->head; at != tail; at++) {
        const mslot_cell *cell = mslot__ring_cell(ring, at);
        if (!mslot__cell_is_full_of(cell->state, mslot__ring_lap(ring, at))) continue; // a reader is between Read 4 and 5
        if (mslot__cell_is_here(cell->state)) {
            message_check(cell->bytes, mslot__label_length(cell->label));
            continue;
        }
        const mslot_slot *slot = mslot__ring_slot(ring, mslot__cell_index(cell->state));
        const unsigned char *bytes = slot->payload;
        if (slot->length > MSLOT_MESSAGE_BYTES_MAX) bytes = ring->overflow + slot->lane * ring->overflow_lane_bytes + slot->extra;
        message_check(bytes, slot->length);
    }
}

// MARK: sending

mslot_outcome try_to_send(mslot_writer *writer, uint64_t sender)
{
    return send_message(writer, sender, make_message(buffer, sender, sent[sender]));
}

void send_now(mslot_writer *writer, uint64_t sender) { expect_outcome(try_to_send(writer, sender), MSLOT_DONE); }

/// The sender's next, for which a free cell is room enough.
static size_t make_message_of_a_cell(uint64_t sender)
{
    return messages_are_long ? message_make(buffer, sender, sent[sender]) : make_message(buffer, sender, sent[sender]);
}

void send_until_full(mslot_writer *writer, uint64_t sender)
{
    if (messages_are_long) send_longest_until_full(writer, sender);
    mslot_outcome outcome;
    for (uint32_t i = 0; (outcome = send_message(writer, sender, make_message_of_a_cell(sender))) == MSLOT_DONE; i++) expect(i < 2 * cells);
    expect_outcome(outcome, MSLOT_FULL);
}

uint64_t arrived_from(uint64_t sender)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < world->arrival_count; i++) count += world->arrivals[i].sender == sender;
    return count;
}

void expect_all_arrived(uint64_t missing)
{
    uint64_t next[SENDERS_MAX] = {0};
    uint64_t skipped = 0;
    for (uint64_t i = 0; i < world->arrival_count; i++) {
        const arrival *a = &world->arrivals[i];
        if (a->sender == 0) continue; // released by a victim that did not live to say what it was
        expect(a->sender < SENDERS_MAX && a->number >= next[a->sender]);
        skipped += a->number - next[a->sender];
        next[a->sender] = a->number + 1;
    }
    for (uint64_t sender = 0; sender < SENDERS_MAX; sender++)
        if (sender != VICTIM) skipped += sent[sender] - next[sender];
    expect_equal(skipped, missing);
}

void forget_messages(void)
{
    shared_set(&world->arrival_count, 0);
    memset(sent, 0, sizeof sent);
}

// MARK: lanes

void leave_dead_lane(dead_lane where)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        mslot_writer *writer = must_open("orders");
        mslot_lane *lane = writer->ring.lane;
        uint64_t position = mslot__ring_tail(&writer->ring.ring).position;
        uint32_t own = writer->ring.own;
        if (where == BEFORE_ITS_SWAP) {
            lane->intent_spare = mslot__cell_index(*mslot__ring_state(&writer->ring.ring, position));
        } else {
            send_now(writer, DEAD);
            lane->intent_spare = writer->ring.own;
            if (where != BEFORE_CLEARING_ITS_INTENT) lane->own = own;
            mslot__store_release(&writer->ring.ring.control->tail_hint, position);
        }
        lane->intent_position = position;
        if (messages_are_long) lane->overflow = ~0ULL; // what it says while a long message is written
        shared_set(ready, 1);
        for (;;) pause();
    }
    while (shared_get(ready) == 0) nap();
    if (where != BEFORE_ITS_SWAP) sent[DEAD]++;
    child_kill(child);
    if (where == BEHIND_ITS_SWAP_AND_READ) consume();
}

enum { LANES_MAX = 8 };

static void open_lanes(mslot_writer *heirs[LANES_MAX], uint32_t in_use)
{
    expect(lanes <= LANES_MAX);
    for (uint32_t i = in_use; i < lanes; i++) heirs[i] = must_open("orders");
    expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
    unsigned char seen[ARRIVALS_MAX] = {0};
    expect(mslot__ring_count_indices(&heirs[in_use]->ring.ring, seen));
}

static void close_lanes(mslot_writer *heirs[LANES_MAX], uint32_t in_use)
{
    for (uint32_t i = in_use; i < lanes; i++) must_close_writer(heirs[i]);
}

void expect_lanes_recoverable(uint32_t in_use)
{
    mslot_writer *heirs[LANES_MAX];
    open_lanes(heirs, in_use);
    close_lanes(heirs, in_use);
}

void expect_heirs_spare_what_is_unread(uint32_t in_use)
{
    mslot_writer *heirs[LANES_MAX];
    open_lanes(heirs, in_use);
    for (uint64_t unread = mslot_inspect("orders").info.message_count;; unread--) {
        for (uint32_t i = in_use; i < lanes; i++) send_longest_until_full(heirs[i], HEIR);
        expect_unread_whole();
        if (unread == 0) break;
        consume_one();
    }
    close_lanes(heirs, in_use);
}

/// After everything was read there is room for at least three; the cursor may stand anywhere.
static void expect_overflow_is_free(mslot_writer *writer)
{
    expect(send_longest_until_full(writer, HEIR) >= (cells < LONGEST_IN_A_LANE ? cells : LONGEST_IN_A_LANE - 1));
    consume();
}

void expect_lanes_work(uint32_t in_use)
{
    mslot_writer *heirs[LANES_MAX];
    open_lanes(heirs, in_use);
    for (uint32_t i = 0; i <= 2 * (cells < 4 ? cells : 4); i++) {
        send_now(heirs[in_use + i % (lanes - in_use)], HEIR);
        consume();
    }
    for (uint32_t i = in_use; messages_are_long && i < lanes; i++) expect_overflow_is_free(heirs[i]);
    unsigned char seen[ARRIVALS_MAX] = {0};
    expect(mslot__ring_count_indices(&heirs[in_use]->ring.ring, seen));
    close_lanes(heirs, in_use);
}

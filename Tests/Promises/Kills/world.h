// The world of a case: the processes around a victim, what they sent, and what arrived. Every case has a new one.
#ifndef KILL_HARNESS_WORLD_H
#define KILL_HARNESS_WORLD_H

#include "../../Calls/Core/common.h"

// MARK: what the processes of a case share

enum { ARRIVALS_MAX = 256, SENDERS_MAX = 16, LABEL_BYTES = 48, WHY_BYTES = 600 };
/// Who sends. Each numbers its messages from 0.
enum { BYSTANDER = 1, VICTIM, DEAD, HEIR, AWAKENER, FIRST_WAITER };
enum { WAITERS_MAX = 2 };

typedef struct arrival {
    uint64_t sender;
    uint64_t number;
} arrival;

typedef struct shared_world {
    /// The victim's: its act is over; with which outcome; how many of its messages were written, for sure, or read.
    uint64_t act_is_done;
    uint64_t outcome;
    /// How many messages it published before the act.
    uint64_t prepared;
    uint64_t returned;
    /// How many messages a victim that reads may have released.
    uint64_t may_be_released;
    /// The others'.
    uint64_t reader_is_ready;
    uint64_t waiter_messages[WAITERS_MAX]; // that each sends in all
    uint64_t waiter_outcomes[WAITERS_MAX]; // plus 1
    uint64_t arrival_count;
    arrival arrivals[ARRIVALS_MAX];
    /// What the case came to: 'o' with a label, 'F' or 'S' with the reason; and which process ends when a part of it fails.
    uint32_t ended;
    char result;
    pid_t process;
    char label[LABEL_BYTES];
    char why[WHY_BYTES];
} shared_world;

extern shared_world *world;

// MARK: the mailslot and who uses it

typedef enum reader_kind { HERE, PARKED, SPINNING } reader_kind;

/// Of this case's process.
extern mslot_reader *reader;
extern mslot_writer *bystander;
extern uint32_t cells, lanes;
/// Messages are longer than a slot, and lie in their lane's overflow; or so short that the express lane's owner writes them in their cells.
extern bool messages_are_long, messages_are_short;

enum {
    /// The longest message of such a mailslot; so many of them fill a lane's overflow.
    LONGEST = 65536,
    LONGEST_IN_A_LANE = 4
};

mslot_reader *create_mailslot(void);

/// The sender's message of this number; of at most LONGEST bytes.
size_t make_message(unsigned char *bytes, uint64_t sender, uint64_t number);
size_t make_longest_message(unsigned char *bytes, uint64_t sender, uint64_t number);

/// Creates "orders" in this process, or in a child that reads for ever: asleep between messages, or never asleep.
void start_reader(reader_kind kind);
/// From now on this child reads; it sleeps when nothing is there.
void let_read(pid_t child);
/// Waits until a child that reads, and sleeps when nothing is there, sleeps.
void let_reader_settle(void);
/// Kills the child that reads.
void kill_reader(void);
/// Reads for ever, in a child. `timeout_ns` 0: without ever sleeping.
_Noreturn void read_for_ever(mslot_reader *from, int64_t timeout_ns);

/// All that was published arrives now. Nobody waits for it by a time limit: a child that sleeps beside a message has failed.
void consume(void);
/// One message arrives, read by this process.
void consume_one(void);
/// Whatever an observer is shown of the last lap is whole.
void expect_observed_whole(void);
/// Each message that was published and not released is whole where it lies. Nobody may be at work.
void expect_unread_whole(void);
/// Somebody sees a message. Fails the case unless it is the next one, or one that came before with the same position.
void shown(uint64_t position, const void *bytes);

/// Tries to send the sender's next message.
mslot_outcome try_to_send(mslot_writer *writer, uint64_t sender);
/// There is room for it.
void send_now(mslot_writer *writer, uint64_t sender);
/// Sends until the ring is full, which it is after at most twice its capacity; before that the writer's overflow, if there is one.
void send_until_full(mslot_writer *writer, uint64_t sender);
/// How many of a sender's messages arrived.
uint64_t arrived_from(uint64_t sender);
/// What was sent by these arrived in order; of all that, `missing` did not.
void expect_all_arrived(uint64_t missing);
/// A new mailslot: what was sent and arrived before is past.
void forget_messages(void);

/// Writers that wait for room, through restarts of the reader, each in a child: asleep, or it has written.
void start_waiters(uint32_t count);
/// They have written, or were told that the mailslot is closed.
void expect_waiters_done(bool may_be_closed);

/// Where a writer was killed whose lane is to be recovered.
typedef enum dead_lane { NO_DEAD_LANE, BEFORE_ITS_SWAP, BEHIND_ITS_SWAP, BEHIND_ITS_SWAP_AND_READ, BEFORE_CLEARING_ITS_INTENT } dead_lane;
void leave_dead_lane(dead_lane where);

/// Opens every lane of which nobody is left but `in_use`: no slot is lost or doubled.
void expect_lanes_recoverable(uint32_t in_use);
/// And their owners write long messages wherever they find room, between any two messages that are read.
void expect_heirs_spare_what_is_unread(uint32_t in_use);
/// And each of them works, for more than a lap, and has the whole of its overflow.
void expect_lanes_work(uint32_t in_use);

/// For a child that polls: it is not to take turns with the one that is stepped.
void leave_processor(void);

#endif

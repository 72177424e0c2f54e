/*
 * Peers: other ways to hand messages from one process to another. One file each in peers/, and a line in peers/list.c.
 *
 * A peer says how to make a channel, how to open its two ends, how to send and receive one message, and how to close. What is
 * measured with that is the same for all, and in patterns.c. Readable as C++ too, for there are peers in C++.
 */
#ifndef BENCHMARKS_PEERS_H
#define BENCHMARKS_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /// Messages that fit into a channel, where one can say. Few enough for what users may have of every kernel queue but one.
    BENCH_PEER_CAPACITY = 1024,
    /// Messages that are timed together one way: twice as many as fit, for where the sides take turns at filling and emptying the
    /// channel, fewer would tell only how fast it is emptied.
    BENCH_PEER_CHUNK = 2048,
    /// The longest message.
    BENCH_PEER_BYTES_MAX = 424
};

typedef enum bench_end { BENCH_READER, BENCH_WRITER } bench_end;

/// What became of one message.
typedef enum bench_moved {
    BENCH_FAILED,
    BENCH_MOVED,
    /// Polling: there is no room, or no message. Blocking: as if there were none, to be asked again.
    BENCH_NOTHING
} bench_moved;

/// One direction.
typedef struct bench_channel {
    /// No other channel has it; at most 63 bytes, letters, digits and points.
    const char *name;
    /// True: neither sending nor receiving sleeps. False: both sleep until they can go on.
    bool polls;
    /// All messages of a measurement are of this length.
    uint32_t message_bytes;
    /// From here on the peer's own. What `make` puts there, both sides have; what `open` puts there, that side.
    int descriptors[2];
    void *memory;
    void *end;
    /// A process that serves the channel beside the two sides, for its CPU time belongs to the message; 0: there is none. Where a message
    /// passes through two processes, each of the two channels names one.
    int32_t server;
} bench_channel;

/// What a peer cannot do, each as a reason for the table; NULL: it can. Where it cannot, it is left out of the pattern and named.
typedef struct bench_limits {
    /// To have several processes write to one channel.
    const char *one_writer;
    /// To move messages of no bytes.
    const char *no_empty_messages;
    /// To be opened, used and closed for each single message, though it has `open`.
    const char *no_reopening;
    /// To sleep: it polls even where it should not.
    const char *no_sleeping;
    /// To hold several messages at a time: there and back is all that can be asked of it.
    const char *no_queueing;
    /// The longest message; 0: BENCH_PEER_BYTES_MAX.
    uint32_t bytes_max;
} bench_limits;

typedef struct bench_peer {
    const char *name;
    /// How it is set, in a line.
    const char *settings;
    /// What to do to have it measured; NULL: nothing, it is here. If not, there may be no functions.
    const char *missing;
    /// It can poll.
    bool polls;
    /// It may lose messages, and drops what does not fit.
    bool loses;
    /// In the process that later starts both sides. NULL: there is nothing to make.
    bool (*make)(bench_channel *channel);
    /// In a side. The reader's end is open before the writer's is opened. NULL: there is nothing to open.
    bool (*open)(bench_channel *channel, bench_end end);
    bench_moved (*send)(bench_channel *channel, const void *bytes);
    bench_moved (*receive)(bench_channel *channel, void *bytes);
    /// In a side. NULL: its end closes with the process.
    void (*close)(bench_channel *channel, bench_end end);
    /// In the process that made it, when both sides have ended. NULL: nothing is left.
    void (*remove)(bench_channel *channel);
    bench_limits limits;
    /// The version of the library or server; NULL: it is the kernel's.
    const char *(*version)(void);
    /// Looks for the programs that it starts, before anything else; the answer becomes `missing`. NULL: it starts none.
    const char *(*look)(void);
} bench_peer;

/// Our own C API, and the calls of Windows on top of it. The Swift API is among the Swift files.
const bench_peer *bench_peer_ours(void);
const bench_peer *bench_peer_win32(void);
/// Ourselves, with each time for polling that a user may choose.
uint32_t bench_polling_count(void);
const bench_peer *bench_polling_at(uint32_t number);
uint32_t bench_peer_count(void);
/// Every other peer, `number` below bench_peer_count().
const bench_peer *bench_peer_at(uint32_t number);
/// Who stands in for the peer of that name where a writer opens and closes for each message; NULL: it does so itself, or not at all.
const bench_peer *bench_peer_reopened(const char *name);
/// What no peer can beat, for scale: `number` below bench_reference_count().
uint32_t bench_reference_count(void);
const bench_peer *bench_reference_at(uint32_t number);
/// The bridge, from one machine's mailslots to another's, and the ways to run it: `number` below bench_bridge_count(). The first is as
/// everybody would run it.
uint32_t bench_bridge_count(void);
const bench_peer *bench_bridge_at(uint32_t number);
/// Peers that fail on purpose: `number` below bench_broken_count().
uint32_t bench_broken_count(void);
const bench_peer *bench_broken_at(uint32_t number);

#ifdef __cplusplus
}
#endif

#endif

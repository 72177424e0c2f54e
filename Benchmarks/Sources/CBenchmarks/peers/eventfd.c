/*
 * A ring in shared memory for one writer, with eventfds to sleep on: what one builds who needs neither several writers nor to
 * survive a kill. Polling, it is a bare ring without a single call.
 *
 *     +-------------------------------+-------------------------------+-------------+
 *     | tail, writer sleeps           | head, reader sleeps           | slots[1024] |
 *     +-------------------------------+-------------------------------+-------------+
 *
 * Who is about to sleep says so, and looks again; who has changed something looks whether the other sleeps. A full fence between
 * the two on both sides keeps one of them from missing the other.
 */

#include "shared_memory.h"

#include <sys/eventfd.h>

typedef struct ring {
    /// The writer's line. Messages written; the head as it was when last looked at, the writer's own.
    alignas(128) uint64_t tail;
    uint64_t head_seen;
    /// The reader's line.
    alignas(128) uint64_t head;
    uint64_t tail_seen;
    /// Rarely written, so they have a line that both may keep.
    alignas(128) uint32_t reader_sleeps;
    uint32_t writer_sleeps;
    bench_slot slots[BENCH_PEER_CAPACITY];
} ring;

/// What each side sleeps on.
enum { MESSAGE, ROOM };

static bool make(bench_channel *channel)
{
    for (int i = 0; i < 2; i++)
        if ((channel->descriptors[i] = eventfd(0, EFD_CLOEXEC)) < 0) return false;
    return bench_map_shared(channel, sizeof(ring));
}

static void remove_channel(bench_channel *channel)
{
    bench_close_descriptors(channel);
    bench_unmap_shared(channel, sizeof(ring));
}

/// Sleeps until woken, unless `position` is no longer `old`. Then there may be something, or not.
static bench_moved wait_for(bench_channel *channel, int event, uint32_t *sleeps, uint64_t *position, uint64_t old)
{
    if (channel->polls) return BENCH_NOTHING;
    __atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);
    uint64_t count;
    if (__atomic_load_n(position, __ATOMIC_SEQ_CST) == old && read(channel->descriptors[event], &count, sizeof count) < 0 && errno != EINTR)
        return BENCH_FAILED;
    __atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);
    return BENCH_NOTHING;
}

/// Publishes a new position.
static void publish(const bench_channel *channel, uint64_t *position, uint64_t value)
{
    __atomic_store_n(position, value, channel->polls ? __ATOMIC_RELEASE : __ATOMIC_SEQ_CST);
}

static bench_moved wake(bench_channel *channel, int event, uint32_t *sleeps)
{
    if (channel->polls || __atomic_load_n(sleeps, __ATOMIC_SEQ_CST) == 0) return BENCH_MOVED;
    if (__atomic_exchange_n(sleeps, 0, __ATOMIC_SEQ_CST) == 0) return BENCH_MOVED;
    uint64_t one = 1;
    return write(channel->descriptors[event], &one, sizeof one) == sizeof one ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    ring *ring = channel->memory;
    uint64_t tail = ring->tail;
    if (tail - ring->head_seen == BENCH_PEER_CAPACITY) {
        ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (tail - ring->head_seen == BENCH_PEER_CAPACITY)
            return wait_for(channel, ROOM, &ring->writer_sleeps, &ring->head, ring->head_seen);
    }
    memcpy(ring->slots[tail % BENCH_PEER_CAPACITY].bytes, bytes, channel->message_bytes);
    publish(channel, &ring->tail, tail + 1);
    return wake(channel, MESSAGE, &ring->reader_sleeps);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    ring *ring = channel->memory;
    uint64_t head = ring->head;
    if (head == ring->tail_seen) {
        ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (head == ring->tail_seen) return wait_for(channel, MESSAGE, &ring->reader_sleeps, &ring->tail, head);
    }
    memcpy(bytes, ring->slots[head % BENCH_PEER_CAPACITY].bytes, channel->message_bytes);
    publish(channel, &ring->head, head + 1);
    // A writer that waits for room is woken when half is free, not for each slot.
    return (head + 1) % (BENCH_PEER_CAPACITY / 2) == 0 ? wake(channel, ROOM, &ring->writer_sleeps) : BENCH_MOVED;
}

const bench_peer bench_eventfd = {
    .name = "eventfd-ring",
    .settings = "1024 slots for one writer, a call only if the other side sleeps; polling: none",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = remove_channel,
    .limits = {.one_writer = "its ring is for one writer"},
};

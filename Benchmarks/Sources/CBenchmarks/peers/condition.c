// A ring in shared memory under a robust mutex, with two conditions to sleep on: the textbook's queue, made to outlive a killed owner.

#include "shared_memory.h"

#include <pthread.h>

typedef struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t message_came;
    pthread_cond_t room_came;
    /// Messages written and read; changed with the mutex, and looked at without it by who polls.
    uint64_t tail;
    uint64_t head;
    bench_slot slots[BENCH_PEER_CAPACITY];
} ring;

static bool make(bench_channel *channel)
{
    if (!bench_map_shared(channel, sizeof(ring))) return false;
    ring *ring = channel->memory;
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    return pthread_mutexattr_init(&mutex) == 0 && pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0
        && pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&ring->mutex, &mutex) == 0
        && pthread_condattr_init(&condition) == 0 && pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) == 0
        && pthread_cond_init(&ring->message_came, &condition) == 0 && pthread_cond_init(&ring->room_came, &condition) == 0;
}

static void remove_channel(bench_channel *channel) { bench_unmap_shared(channel, sizeof(ring)); }

/// The positions change last, so what a killed owner leaves is as it was before or after.
static bool owned(ring *ring, int result) { return result == 0 || (result == EOWNERDEAD && pthread_mutex_consistent(&ring->mutex) == 0); }

static bool is_full(ring *ring) { return __atomic_load_n(&ring->tail, __ATOMIC_RELAXED) - ring->head == BENCH_PEER_CAPACITY; }
static bool is_empty(ring *ring) { return __atomic_load_n(&ring->tail, __ATOMIC_RELAXED) == ring->head; }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    ring *ring = channel->memory;
    if (channel->polls && ring->tail - __atomic_load_n(&ring->head, __ATOMIC_RELAXED) == BENCH_PEER_CAPACITY) return BENCH_NOTHING;
    if (!owned(ring, pthread_mutex_lock(&ring->mutex))) return BENCH_FAILED;
    while (is_full(ring))
        if (!owned(ring, pthread_cond_wait(&ring->room_came, &ring->mutex))) return BENCH_FAILED;
    memcpy(ring->slots[ring->tail % BENCH_PEER_CAPACITY].bytes, bytes, channel->message_bytes);
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&ring->mutex);
    // Makes no call if nobody waits.
    return pthread_cond_signal(&ring->message_came) == 0 ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    ring *ring = channel->memory;
    if (channel->polls && is_empty(ring)) return BENCH_NOTHING;
    if (!owned(ring, pthread_mutex_lock(&ring->mutex))) return BENCH_FAILED;
    while (is_empty(ring))
        if (!owned(ring, pthread_cond_wait(&ring->message_came, &ring->mutex))) return BENCH_FAILED;
    memcpy(bytes, ring->slots[ring->head % BENCH_PEER_CAPACITY].bytes, channel->message_bytes);
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELAXED);
    // Writers that wait for room are woken when half is free, not for each slot; all of them, for one alone may have had its last to say.
    bool wakes = ring->head % (BENCH_PEER_CAPACITY / 2) == 0;
    pthread_mutex_unlock(&ring->mutex);
    return !wakes || pthread_cond_broadcast(&ring->room_came) == 0 ? BENCH_MOVED : BENCH_FAILED;
}

const bench_peer bench_condition = {
    .name = "mutex-condition",
    .settings = "1024 slots, process-shared robust mutex, two conditions; polling: looks before it locks",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = remove_channel,
};

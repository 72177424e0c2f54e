/*
 * The reference: a bare ring, as fast as we know how, and nothing else. Nobody is woken, and a writer killed between
 * claiming and publishing stops it for ever.
 *
 *     +------+------+-------------------------------------------+
 *     | tail | head | slots[BARE_CAPACITY] of 448 bytes         |
 *     +------+------+-------------------------------------------+
 *     slot: turn (8), length (4), padding (12), payload (424)
 *
 * `turn` says whose turn a slot is: t, the writer's that claims position t; t + 1, the reader's. (Dmitry Vyukov's bounded
 * queue, with one reader, so `head` needs no swap.) Many writers claim by compare-and-swap on `tail`.
 *
 * Who includes this defines BARE_CAPACITY, a power of two.
 */
#ifndef BENCHMARKS_BARE_RING_H
#define BENCHMARKS_BARE_RING_H

#include "sides.h"

typedef struct bare_slot {
    uint64_t turn;
    uint32_t length;
    unsigned char length_pad[12];
    unsigned char payload[BENCH_PAYLOAD_BYTES];
} bare_slot;

typedef struct bare_ring {
    uint64_t tail;
    unsigned char tail_pad[120];
    uint64_t head;
    unsigned char head_pad[120];
    bare_slot slots[BARE_CAPACITY];
} bare_ring;

_Static_assert(sizeof(bare_slot) == BENCH_SLOT_BYTES, "as many lines as ours");

// Set from outside to look for better ones.
#ifndef BENCH_BARE_PREFETCH_WRITE
#define BENCH_BARE_PREFETCH_WRITE 8
#endif
#ifndef BENCH_BARE_PREFETCH_READ
#define BENCH_BARE_PREFETCH_READ 4
#endif
enum {
    /// How many slots ahead each side fetches, as ours does. Of 0, 1, 4 and 8 for each side these were the best for 32 B, one way,
    /// and as good as any for 424 B.
    PREFETCH_WRITE = BENCH_BARE_PREFETCH_WRITE,
    PREFETCH_READ = BENCH_BARE_PREFETCH_READ
};

/// The reader's private place.
typedef struct bare_reader {
    bare_ring *ring;
    uint64_t head;
    uint64_t next;
} bare_reader;

static inline void bare_initialise(bare_ring *ring)
{
    for (uint64_t t = 0; t < BARE_CAPACITY; t++) ring->slots[t].turn = t;
}

static inline bare_slot *slot_of(bare_ring *ring, uint64_t position) { return &ring->slots[position % BARE_CAPACITY]; }

/// False: full.
static inline bool bare_try_write(bare_ring *ring, const void *bytes, uint32_t byte_count)
{
    uint64_t position = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    bare_slot *slot;
    for (;;) {
        slot = slot_of(ring, position);
        int64_t turns = (int64_t)(__atomic_load_n(&slot->turn, __ATOMIC_ACQUIRE) - position);
        if (turns < 0) return false;
        if (turns > 0) position = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
        else if (__atomic_compare_exchange_n(&ring->tail, &position, position + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) break;
    }
    slot->length = byte_count;
    memcpy(slot->payload, bytes, byte_count);
    __atomic_store_n(&slot->turn, position + 1, __ATOMIC_RELEASE);
    if (PREFETCH_WRITE != 0) bench_prefetch_write(slot_of(ring, position + PREFETCH_WRITE));
    return true;
}

static inline void bare_write(bare_ring *ring, const void *bytes, uint32_t byte_count)
{
    while (!bare_try_write(ring, bytes, byte_count)) bench_pause();
}

/// The next message that is not taken yet; NULL: none.
static inline const bare_slot *bare_peek(bare_reader *reader)
{
    const bare_slot *slot = slot_of(reader->ring, reader->next);
    if (__atomic_load_n(&slot->turn, __ATOMIC_ACQUIRE) != reader->next + 1) return NULL;
    reader->next++;
    if (PREFETCH_READ != 0) __builtin_prefetch(slot_of(reader->ring, reader->next - 1 + PREFETCH_READ));
    return slot;
}

static inline void bare_release(bare_reader *reader)
{
    for (; reader->head != reader->next; reader->head++)
        __atomic_store_n(&slot_of(reader->ring, reader->head)->turn, reader->head + BARE_CAPACITY, __ATOMIC_RELEASE);
    __atomic_store_n(&reader->ring->head, reader->head, __ATOMIC_RELEASE);
}

static inline uint32_t bare_read(bare_reader *reader, void *buffer)
{
    const bare_slot *slot;
    while ((slot = bare_peek(reader)) == NULL) bench_pause();
    uint32_t length = slot->length;
    memcpy(buffer, slot->payload, length);
    bare_release(reader);
    return length;
}

#endif

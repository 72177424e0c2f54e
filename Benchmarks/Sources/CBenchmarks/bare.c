/*
 * The reference: a bare ring, as fast as we know how, and nothing else. Nobody is woken, and a writer killed between
 * claiming and publishing stops it for ever.
 *
 *     +------+------+-------------------------------------------+
 *     | tail | head | slots[4096] of 448 bytes                  |
 *     +------+------+-------------------------------------------+
 *     slot: turn (8), length (4), padding (12), payload (424)
 *
 * `turn` says whose turn a slot is: t, the writer's that claims position t; t + 1, the reader's. (Dmitry Vyukov's bounded
 * queue, with one reader, so `head` needs no swap.) Many writers claim by compare-and-swap on `tail`.
 */

#include "sides.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    bare_slot slots[BENCH_CAPACITY];
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

size_t bench_bare_bytes(void) { return sizeof(bare_ring); }

void bench_bare_initialise(void *memory)
{
    bare_ring *ring = memory;
    for (uint64_t t = 0; t < BENCH_CAPACITY; t++) ring->slots[t].turn = t;
}

static inline bare_slot *slot_of(bare_ring *ring, uint64_t position) { return &ring->slots[position % BENCH_CAPACITY]; }

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
        __atomic_store_n(&slot_of(reader->ring, reader->head)->turn, reader->head + BENCH_CAPACITY, __ATOMIC_RELEASE);
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

// MARK: round trip

void bench_bare_round_trip_first(bench_run *run)
{
    bare_ring *there = run->bare[0];
    bare_reader back = {.ring = run->bare[1]};
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    bench_meet(run);
    uint64_t before = bench_ticks();
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        bench_put(bytes, i);
        bare_write(there, bytes, run->message_bytes);
        BENCH_REQUIRE(run, bare_read(&back, bytes) == run->message_bytes && bench_get(bytes) == i);
        before = bench_sample(run, i, before);
    }
    bench_samples_done(run);
}

void bench_bare_round_trip_second(bench_run *run)
{
    bare_reader there = {.ring = run->bare[0]};
    bare_ring *back = run->bare[1];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    bench_meet(run);
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        uint32_t length = bare_read(&there, bytes);
        bare_write(back, bytes, length);
    }
}

// MARK: one way

void bench_bare_one_way_first(bench_run *run)
{
    bare_ring *ring = run->bare[0];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    bench_meet(run);
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        bench_put(bytes, i);
        bare_write(ring, bytes, run->message_bytes);
    }
    bench_meet(run);
}

void bench_bare_one_way_second(bench_run *run)
{
    bare_reader reader = {.ring = run->bare[0]};
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    bench_meet(run);
    uint64_t before = 0;
    uint64_t end = run->warm_up + run->messages;
    for (uint64_t i = 0; i < end;) {
        const bare_slot *slot;
        while ((slot = bare_peek(&reader)) == NULL) bench_pause();
        size_t count = 0;
        do {
            memcpy(bytes, slot->payload, slot->length);
            BENCH_REQUIRE(run, bench_get(bytes) == i + count);
            bench_use(bytes);
            count++;
        } while (count < BENCH_BATCH && (slot = bare_peek(&reader)) != NULL);
        bare_release(&reader);
        i += count;
        bench_sample_chunk(run, i, count, &before);
    }
    bench_meet(run);
}

// MARK: stepping

void bench_step_bare_write(bench_run *run)
{
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++) bare_write(run->bare[0], bytes, run->message_bytes);
    bench_mark(run);
}

void bench_step_bare_read(bench_run *run)
{
    bare_reader reader = {.ring = run->bare[0]};
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    for (uint64_t i = 0; i < run->messages; i++) bare_write(run->bare[0], bytes, run->message_bytes);
    bench_mark(run);
    for (uint64_t i = 0; i < run->messages; i++) BENCH_REQUIRE(run, bare_read(&reader, bytes) == run->message_bytes);
    bench_mark(run);
}

// MARK: waking

// The bare form of a sleeper: one word to sleep on, which counts messages, and the message on the line beside it.
typedef struct bare_bed {
    uint32_t word;
    unsigned char word_pad[60];
    unsigned char payload[BENCH_PAYLOAD_BYTES];
} bare_bed;

void bench_bare_wake_first(bench_run *run)
{
    bare_bed *bed = run->bare[1];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    uint64_t asleep = (uint64_t)((double)run->asleep_ns * bench_ticks_per_second() / 1e9);
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != i) bench_pause();
        bench_wait_ticks(asleep);
        bench_put(bytes, bench_ticks());
        memcpy(bed->payload, bytes, run->message_bytes);
        __atomic_store_n(&bed->word, i + 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &bed->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

void bench_bare_wake_second(bench_run *run)
{
    bare_bed *bed = run->bare[1];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    __atomic_store_n(&bed->word, 0, __ATOMIC_RELEASE);
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(&bed->word, __ATOMIC_ACQUIRE) == i)
            syscall(SYS_futex, &bed->word, FUTEX_WAIT, i, NULL, NULL, 0);
        memcpy(bytes, bed->payload, run->message_bytes);
        bench_sample(run, i, bench_get(bytes));
        __atomic_store_n(&run->acknowledged, i + 1, __ATOMIC_RELEASE);
    }
    bench_samples_done(run);
}

// MARK: opening

// A file of the size of a default mailslot, with its pages set aside as there. Touched: one page each of what a write of ours
// touches: control, lane hints, a lane, a cell, a slot. Each is loaded, then stored to, as a program does that looks first.
enum {
    BARE_FILE_BYTES = 2 * 1024 * 1024,
    BARE_LANES_OFFSET = 4096 + 64,
    BARE_CELLS_OFFSET = BARE_LANES_OFFSET + 64 * BENCH_LANES,
    BARE_SLOTS_OFFSET = BARE_CELLS_OFFSET + 8 * BENCH_CAPACITY + 8 * (BENCH_CAPACITY + BENCH_LANES)
};

static inline void touch(unsigned char *base, size_t offset)
{
    volatile uint64_t *word = (volatile uint64_t *)(void *)(base + offset);
    *word = *word + 1;
}

void bench_bare_open(bench_run *run)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", run->names[0]);
    int made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    BENCH_REQUIRE(run, made >= 0);
    bool allocated = posix_fallocate(made, 0, BARE_FILE_BYTES) == 0;
    uint64_t before = bench_ticks();
    for (uint64_t i = 0; allocated && i < run->warm_up + run->messages; i++) {
        int descriptor = open(path, O_RDWR | O_CLOEXEC);
        unsigned char *base = mmap(NULL, BARE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        close(descriptor);
        if (descriptor < 0 || base == MAP_FAILED) break;
        touch(base, 2048);
        touch(base, 4096);
        touch(base, BARE_LANES_OFFSET + 64 * (i * 7 % BENCH_LANES));
        touch(base, BARE_CELLS_OFFSET + 8 * (i % BENCH_CAPACITY));
        touch(base, BARE_SLOTS_OFFSET + BENCH_SLOT_BYTES * (i % BENCH_CAPACITY));
        munmap(base, BARE_FILE_BYTES);
        before = bench_sample(run, i, before);
        run->sample_count = i + 1;
    }
    close(made);
    unlink(path);
    BENCH_REQUIRE(run, allocated && run->sample_count == run->warm_up + run->messages);
    bench_samples_done(run);
}

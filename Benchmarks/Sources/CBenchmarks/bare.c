// The bare ring, the bare futex and the bare file: what ours is measured against.

#define BARE_CAPACITY BENCH_CAPACITY
#include "bare_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

size_t bench_bare_bytes(void) { return sizeof(bare_ring); }

void bench_bare_initialise(void *memory) { bare_initialise(memory); }

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
typedef struct bare_futex {
    uint32_t word;
    unsigned char word_pad[60];
    unsigned char payload[BENCH_PAYLOAD_BYTES];
} bare_futex;

void bench_bare_wake_first(bench_run *run)
{
    bare_futex *futex = run->bare[1];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    uint64_t asleep = (uint64_t)((double)run->asleep_ns * bench_ticks_per_second() / 1e9);
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != i) bench_pause();
        bench_wait_ticks(asleep);
        bench_put(bytes, bench_ticks());
        memcpy(futex->payload, bytes, run->message_bytes);
        __atomic_store_n(&futex->word, i + 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &futex->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

void bench_bare_wake_second(bench_run *run)
{
    bare_futex *futex = run->bare[1];
    unsigned char bytes[BENCH_PAYLOAD_BYTES] = {0};
    __atomic_store_n(&futex->word, 0, __ATOMIC_RELEASE);
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(&futex->word, __ATOMIC_ACQUIRE) == i) syscall(SYS_futex, &futex->word, FUTEX_WAIT, i, NULL, NULL, 0);
        memcpy(bytes, futex->payload, run->message_bytes);
        bench_sample(run, i, bench_get(bytes));
        __atomic_store_n(&run->acknowledged, i + 1, __ATOMIC_RELEASE);
    }
    bench_samples_done(run);
}

// MARK: opening

// A file of the size of a mailslot of this capacity, with its pages set aside as there. Touched: one page each of what a write of ours
// touches: control and lane hints, a lane, a cell, a slot. Each is loaded, then stored to, as a program does that looks first.
enum {
    BARE_FILE_BYTES = 2 * 1024 * 1024,
    BARE_LANES_OFFSET = 3072 + 64,
    BARE_CELLS_OFFSET = BARE_LANES_OFFSET + 64 * BENCH_LANES,
    BARE_SLOTS_OFFSET = BARE_CELLS_OFFSET + 64 * BENCH_CAPACITY + 8 * (BENCH_CAPACITY + BENCH_LANES)
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
        touch(base, BARE_LANES_OFFSET + 64 * (i * 7 % BENCH_LANES));
        touch(base, BARE_CELLS_OFFSET + 64 * (i % BENCH_CAPACITY));
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

// Our sides: the C API, as its users use it.

#include "sides.h"

#include <mailslots.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

mslot_reader *bench_mailslot_create(bench_run *run, const char *name)
{
    mslot_create_options options = mslot_create_options_default();
    options.capacity = BENCH_CAPACITY;
    options.writers = BENCH_LANES;
    mslot_created created = mslot_create(name, &options);
    BENCH_REQUIRE(run, created.reader != NULL);
    return created.reader;
}

mslot_writer *bench_mailslot_open_writer(bench_run *run, const char *name)
{
    mslot_opened opened = mslot_open(name, NULL);
    BENCH_REQUIRE(run, opened.writer != NULL);
    return opened.writer;
}

void bench_mailslot_remove(bench_run *run)
{
    for (uint32_t i = 0; i < 2; i++) mslot_remove(run->names[i]);
}

// MARK: round trip

void bench_mailslot_round_trip_first(bench_run *run)
{
    mslot_reader *back = bench_mailslot_create(run, run->names[1]);
    bench_meet(run);
    mslot_writer *there = bench_mailslot_open_writer(run, run->names[0]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    uint64_t before = bench_ticks();
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        bench_put(bytes, i);
        BENCH_REQUIRE(run, mslot_writer_try_write(there, bytes, run->message_bytes) == MSLOT_DONE);
        mslot_received received = mslot_reader_read(back, bytes, sizeof bytes, MSLOT_FOREVER);
        BENCH_REQUIRE(run, received.outcome == MSLOT_DONE && received.byte_count == run->message_bytes && bench_get(bytes) == i);
        before = bench_sample(run, i, before);
    }
    bench_samples_done(run);
    bench_meet(run);
    mslot_writer_close(there);
    mslot_reader_close(back);
}

void bench_mailslot_round_trip_second(bench_run *run)
{
    mslot_reader *there = bench_mailslot_create(run, run->names[0]);
    bench_meet(run);
    mslot_writer *back = bench_mailslot_open_writer(run, run->names[1]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        mslot_received received = mslot_reader_read(there, bytes, sizeof bytes, MSLOT_FOREVER);
        BENCH_REQUIRE(run, received.outcome == MSLOT_DONE);
        BENCH_REQUIRE(run, mslot_writer_try_write(back, bytes, received.byte_count) == MSLOT_DONE);
    }
    bench_meet(run);
    mslot_writer_close(back);
    mslot_reader_close(there);
}

// MARK: one way

void bench_mailslot_one_way_first(bench_run *run)
{
    bench_meet(run);
    mslot_writer *writer = bench_mailslot_open_writer(run, run->names[0]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        bench_put(bytes, i);
        BENCH_REQUIRE(run, mslot_writer_write(writer, bytes, run->message_bytes, MSLOT_FOREVER) == MSLOT_DONE);
    }
    bench_meet(run);
    mslot_writer_close(writer);
}

void bench_mailslot_one_way_second(bench_run *run)
{
    mslot_reader *reader = bench_mailslot_create(run, run->names[0]);
    bench_meet(run);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    uint64_t before = 0;
    uint64_t end = run->warm_up + run->messages;
    for (uint64_t i = 0; i < end;) {
        mslot_view view = mslot_reader_peek(reader, MSLOT_FOREVER);
        BENCH_REQUIRE(run, view.outcome == MSLOT_DONE);
        size_t count = 0;
        do {
            memcpy(bytes, view.bytes, view.byte_count);
            BENCH_REQUIRE(run, bench_get(bytes) == i + count);
            bench_use(bytes);
            count++;
        } while (count < BENCH_BATCH && (view = mslot_reader_peek(reader, 0)).outcome == MSLOT_DONE);
        BENCH_REQUIRE(run, mslot_reader_release(reader, count) == MSLOT_DONE);
        i += count;
        bench_sample_chunk(run, i, count, &before);
    }
    bench_meet(run);
    mslot_reader_close(reader);
}

// MARK: waking

void bench_mailslot_wake_first(bench_run *run)
{
    uint64_t asleep = (uint64_t)((double)run->asleep_ns * bench_ticks_per_second() / 1e9);
    bench_meet(run);
    mslot_writer *writer = bench_mailslot_open_writer(run, run->names[0]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        while (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != i) bench_pause();
        bench_wait_ticks(asleep);
        bench_put(bytes, bench_ticks());
        BENCH_REQUIRE(run, mslot_writer_try_write(writer, bytes, run->message_bytes) == MSLOT_DONE);
    }
    bench_meet(run);
    mslot_writer_close(writer);
}

void bench_mailslot_wake_second(bench_run *run)
{
    mslot_reader *reader = bench_mailslot_create(run, run->names[0]);
    bench_meet(run);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    bench_meet(run);
    for (uint32_t i = 0; i < run->warm_up + run->messages; i++) {
        mslot_received received = mslot_reader_read(reader, bytes, sizeof bytes, MSLOT_FOREVER);
        bench_sample(run, i, bench_get(bytes));
        BENCH_REQUIRE(run, received.outcome == MSLOT_DONE);
        __atomic_store_n(&run->acknowledged, i + 1, __ATOMIC_RELEASE);
    }
    bench_samples_done(run);
    bench_meet(run);
    // How often it really slept: what was measured is a wake-up.
    run->sleeps = mslot_reader_info(reader).reader_sleeps;
    mslot_reader_close(reader);
}

// MARK: opening

static void open_write_close(bench_run *run)
{
    mslot_writer *writer = bench_mailslot_open_writer(run, run->names[0]);
    BENCH_REQUIRE(run, mslot_writer_try_write(writer, "hello", 5) == MSLOT_DONE);
    mslot_writer_close(writer);
}

void bench_mailslot_open(bench_run *run)
{
    mslot_reader *reader = bench_mailslot_create(run, run->names[0]);
    mslot_writer *others[BENCH_LANES];
    BENCH_REQUIRE(run, run->lanes_taken < BENCH_LANES);
    for (uint32_t i = 0; i < run->lanes_taken; i++) others[i] = bench_mailslot_open_writer(run, run->names[0]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        uint64_t before = bench_ticks();
        open_write_close(run);
        bench_sample(run, i, before);
        BENCH_REQUIRE(run, mslot_reader_read(reader, bytes, sizeof bytes, 0).byte_count == 5);
    }
    bench_samples_done(run);
    for (uint32_t i = 0; i < run->lanes_taken; i++) mslot_writer_close(others[i]);
    mslot_reader_close(reader);
}

// MARK: counting

void bench_mailslot_count(bench_run *run)
{
    mslot_reader *reader = bench_mailslot_create(run, run->names[0]);
    mslot_writer *writer = bench_mailslot_open_writer(run, run->names[0]);
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX] = {0};
    for (uint64_t i = 0; i < run->warm_up + run->messages; i++) {
        if (i == run->warm_up) bench_mark(run);
        BENCH_REQUIRE(run, mslot_writer_write(writer, bytes, run->message_bytes, MSLOT_FOREVER) == MSLOT_DONE);
        BENCH_REQUIRE(run, mslot_reader_read(reader, bytes, sizeof bytes, MSLOT_FOREVER).outcome == MSLOT_DONE);
    }
    bench_mark(run);
    mslot_writer_close(writer);
    mslot_reader_close(reader);
}

void bench_mailslot_open_count(bench_run *run)
{
    mslot_reader *reader = bench_mailslot_create(run, run->names[0]);
    open_write_close(run);
    bench_mark(run);
    open_write_close(run);
    bench_mark(run);
    mslot_reader_close(reader);
}

// MARK: memory

bench_memory bench_mailslot_memory(void)
{
    bench_memory memory = {.known = false};
    char name[64];
    snprintf(name, sizeof name, "bench.%ld.memory", (long)getpid());
    mslot_created created = mslot_create(name, NULL);
    if (created.reader == NULL) return memory;
    char path[512];
    struct stat status;
    mslot_failure found = mslot_path(name, path, sizeof path);
    if (found.outcome == MSLOT_DONE && stat(path, &status) == 0) {
        memory.known = true;
        memory.file_bytes = (uint64_t)status.st_size;
        memory.allocated_bytes = (uint64_t)status.st_blocks * 512;
    }
    mslot_reader_close(created.reader);
    return memory;
}

// A writer that opens the channel, sends one message and closes again, for each message: a program that has something to say once.

#include "pattern.h"

/// Longer than a sleeping reader of ours may take to hear of a message, and than a busy machine keeps it from its CPU.
static const uint64_t ARRIVAL_NS_MAX = 5000000000;

void bench_peer_open_first(bench_run *run)
{
    uint64_t timeout = bench_ticks_of(ARRIVAL_NS_MAX);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    uint32_t sent = 0;
    for (bool last = false; !last; sent++) {
        uint64_t before = bench_ticks();
        last = bench_is_over(span, before, run->sample_count);
        if (last) bench_announce_last(run, sent + 1);
        bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
        bench_put(bytes, sent);
        bench_send(run, &channel, bytes);
        bench_close_end(run, &channel, BENCH_WRITER);
        uint64_t now = bench_ticks();
        if (before >= span.warm && !last) bench_keep_sample(run, now - before);
        // One at a time. What its writer's end took with it never comes.
        bool arrived_in_time = true;
        while (arrived_in_time && (int32_t)(__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) - sent) <= 0) {
            bench_relax(run);
            arrived_in_time = bench_ticks() - now < timeout;
        }
        BENCH_REQUIRE(run, arrived_in_time);
    }
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
}

void bench_peer_open_second(bench_run *run)
{
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    uint32_t received = 0;
    for (bool last = false; !last;) {
        bench_receive(run, &channel, bytes);
        last = bench_was_last(run, ++received, 0);
        __atomic_store_n(&run->acknowledged, received, __ATOMIC_RELEASE);
    }
    bench_work_ends(run, BENCH_READER);
    run->messages_moved = received;
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

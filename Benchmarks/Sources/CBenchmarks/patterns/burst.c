// Bursts of messages to a reader that has fallen asleep, and then a pause. The reader times each message from the burst's begin.
// A burst of one: what it takes to wake a reader.

#include "pattern.h"

enum { BURST_NS_MAX = 20000000 };

void bench_peer_burst_first(bench_run *run)
{
    uint64_t asleep = bench_ticks_of(run->asleep_ns), timeout = bench_ticks_of(BURST_NS_MAX);
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    run->warm_ticks = span.warm; // with the message, which publishes it
    uint64_t sent = 0, samples = 0;
    for (bool last = false; !last;) {
        bench_wait_until(run, bench_ticks() + asleep);
        uint64_t began = bench_ticks();
        last = bench_is_over(span, began, began >= span.warm ? samples++ : 0);
        if (last) bench_announce_last(run, sent + run->burst);
        bench_put(bytes, began);
        for (uint32_t i = 0; i < run->burst; i++, sent++) bench_send(run, &channel, bytes);
        // What is lost is not waited for long.
        while (!last && __atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) != (uint32_t)sent
            && !(run->peer->loses && bench_ticks() - began > timeout))
            bench_relax(run);
    }
    bench_writer_done(run, &channel, bytes);
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_burst_second(bench_run *run)
{
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    uint64_t received = 0;
    for (bool last = false; !last;) {
        uint64_t asked = bench_ticks();
        bench_receive(run, &channel, bytes);
        uint64_t now = bench_ticks(), began = bench_get(bytes);
        received++;
        last = bench_was_last(run, received, now - asked);
        if (began >= run->warm_ticks && !last) bench_keep_sample(run, now - began);
        __atomic_store_n(&run->acknowledged, (uint32_t)received, __ATOMIC_RELEASE);
    }
    bench_work_ends(run, BENCH_READER);
    bench_reader_done(run, received);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

// What a write costs the writer where there is room: bursts that fit, each after a pause in which all that was sent is read. The writer
// times each burst; waking the reader, once a burst, is in it.

#include "pattern.h"

void bench_peer_writes_first(bench_run *run)
{
    uint64_t asleep = bench_ticks_of(run->asleep_ns);
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    uint64_t sent = 0;
    for (bool last = false; !last;) {
        bench_wait_until(run, bench_ticks() + asleep);
        uint64_t before = bench_ticks();
        last = bench_is_over(span, before, run->sample_count);
        if (last) bench_announce_last(run, sent + run->burst);
        for (uint32_t i = 0; i < run->burst; i++) {
            bench_put(bytes, sent++);
            bench_send(run, &channel, bytes);
        }
        uint64_t now = bench_ticks();
        if (before >= span.warm && !last) bench_keep_sample(run, now - before);
    }
    bench_writer_done(run, &channel, bytes);
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

// A reader that works for each message, and a writer that would be faster: what the writer is told, and how soon. The writer times
// each send.

#include "pattern.h"

void bench_peer_slow_reader_first(bench_run *run)
{
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    uint64_t sent = 0, before = bench_ticks();
    for (bool last = false; !last; sent++) {
        last = bench_is_over(span, before, run->sample_count);
        if (last) bench_announce_last(run, sent + 1);
        bench_put(bytes, sent);
        bench_send(run, &channel, bytes);
        uint64_t now = bench_ticks();
        if (before >= span.warm && !last) bench_keep_sample(run, now - before);
        before = now;
    }
    bench_writer_done(run, &channel, bytes);
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_slow_reader_second(bench_run *run)
{
    uint64_t work = bench_ticks_of(run->work_ns);
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    uint64_t received = 0;
    for (bool last = false; !last;) {
        uint64_t asked = bench_ticks();
        bench_receive(run, &channel, bytes);
        last = bench_was_last(run, ++received, bench_ticks() - asked);
        bench_wait_ticks(work);
    }
    bench_work_ends(run, BENCH_READER);
    bench_reader_done(run, received);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

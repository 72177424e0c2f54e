/*
 * Messages that are due at fixed times, so many a second, whatever has become of those before. The reader times each from when it was
 * DUE, not from when it was sent: what had to wait because the one before was late has waited. Without that, a peer that stands still
 * for a while is asked nothing in that time, and looks fast (coordinated omission).
 *
 * A writer that cannot keep up sends what is due as fast as it can, and stops when the time is over: what it did not send is counted.
 */

#include "pattern.h"

void bench_peer_paced_first(bench_run *run)
{
    double ticks_a_message = bench_ticks_per_second() / run->rate;
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    run->warm_ticks = span.warm; // with the message, which publishes it
    uint64_t start = bench_ticks(), count = (uint64_t)((double)(span.end - start) / ticks_a_message) + 1, sent = 0;
    for (bool last = false; !last; sent++) {
        uint64_t due = start + (uint64_t)((double)sent * ticks_a_message);
        bench_wait_until(run, due);
        last = sent + 1 == count || (bench_ticks() >= span.end && sent > count / 5 + BENCH_SAMPLES_MIN);
        if (last) bench_announce_last(run, sent + 1);
        bench_put(bytes, due);
        bench_send(run, &channel, bytes);
    }
    run->unsent = count - sent;
    bench_writer_done(run, &channel, bytes);
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

void bench_peer_paced_second(bench_run *run)
{
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    uint64_t received = 0, stall = bench_ticks_of(run->stall_ns), half = bench_ticks_of(run->duration_ns / 2);
    for (bool last = false; !last;) {
        uint64_t asked = bench_ticks();
        bench_receive(run, &channel, bytes);
        uint64_t now = bench_ticks(), due = bench_get(bytes);
        received++;
        last = bench_was_last(run, received, now - asked);
        if (due >= run->warm_ticks && !last) bench_keep_sample(run, now - due);
        if (stall != 0 && now >= run->warm_ticks + half) {
            bench_wait_ticks(stall);
            stall = 0;
        }
    }
    bench_work_ends(run, BENCH_READER);
    bench_reader_done(run, received);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

// A message goes there, and comes back. `asleep_ns` not 0: before each, who answers has time to fall asleep.

#include "pattern.h"

void bench_peer_round_trip_first(bench_run *run)
{
    uint64_t asleep = bench_ticks_of(run->asleep_ns);
    bench_channel back = bench_open_end(run, 1, BENCH_READER);
    bench_meet(run);
    bench_channel there = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bool numbered = run->message_bytes >= sizeof(uint64_t);
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    bench_span span = bench_begin(run);
    uint64_t number = 0;
    for (bool last = false; !last; number++) {
        if (asleep != 0) bench_wait_until(run, bench_ticks() + asleep);
        uint64_t before = bench_ticks();
        last = bench_is_over(span, before, run->sample_count);
        if (last) bench_announce_last(run, number + 1);
        bench_put(bytes, number);
        bench_send(run, &there, bytes);
        bench_receive(run, &back, bytes);
        uint64_t now = bench_ticks();
        BENCH_REQUIRE(run, !numbered || bench_get(bytes) == number);
        if (before >= span.warm && !last) bench_keep_sample(run, now - before);
    }
    bench_work_ends(run, BENCH_WRITER);
    run->messages_moved = 2 * number;
    bench_meet(run);
    bench_close_end(run, &there, BENCH_WRITER);
    bench_close_end(run, &back, BENCH_READER);
}

void bench_peer_round_trip_second(bench_run *run)
{
    bench_channel there = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    bench_channel back = bench_open_end(run, 1, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    uint64_t received = 0;
    do {
        bench_receive(run, &there, bytes);
        received++;
        bench_send(run, &back, bytes);
    } while (!bench_was_last(run, received, 0));
    bench_work_ends(run, BENCH_READER);
    bench_meet(run);
    bench_close_end(run, &back, BENCH_WRITER);
    bench_close_end(run, &there, BENCH_READER);
}

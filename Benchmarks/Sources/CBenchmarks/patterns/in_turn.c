// One side that sends and receives in turn: each message is there when it is asked for, if the peer itself is done with it.

#include "pattern.h"

void bench_peer_in_turn(bench_run *run)
{
    bench_channel reader = bench_open_end(run, 0, BENCH_READER);
    bench_channel writer = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bool numbered = run->message_bytes >= sizeof(uint64_t);
    for (uint64_t number = 0; number < run->warm_up + run->messages; number++) {
        if (number == run->warm_up) bench_mark(run);
        bench_put(bytes, number);
        bench_send(run, &writer, bytes);
        bench_receive(run, &reader, bytes);
        BENCH_REQUIRE(run, !numbered || bench_get(bytes) == number);
    }
    bench_mark(run);
    run->messages_moved = run->messages;
    bench_close_end(run, &writer, BENCH_WRITER);
    bench_close_end(run, &reader, BENCH_READER);
}

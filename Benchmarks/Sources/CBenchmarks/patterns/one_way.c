// As many messages as go through, from one or several writers. The reader times chunks of them.

#include "pattern.h"

/// A message says who sent it, and which of his it is.
enum { WRITER_SHIFT = 48 };

void bench_peer_one_way_first(bench_run *run)
{
    bench_meet(run);
    bench_channel channel = bench_open_end(run, 0, BENCH_WRITER);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    uint64_t writer = (uint64_t)bench_writer_number() << WRITER_SHIFT;
    bench_meet(run);
    bench_work_begins(run, BENCH_WRITER);
    uint64_t number = 0;
    for (; number % 64 != 0 || !bench_has_acknowledged(run); number++) {
        bench_put(bytes, writer | number);
        bench_send(run, &channel, bytes);
    }
    bench_announce_last(run, number + 1);
    bench_put(bytes, writer | number);
    bench_send(run, &channel, bytes);
    bench_writer_done(run, &channel, bytes);
    bench_work_ends(run, BENCH_WRITER);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_WRITER);
}

/// Each writer's messages come in order, and all of them unless the peer loses some.
static inline void check_order(bench_run *run, const unsigned char *bytes, uint64_t *expected)
{
    uint64_t word = bench_get(bytes), writer = word >> WRITER_SHIFT, number = word & (((uint64_t)1 << WRITER_SHIFT) - 1);
    BENCH_REQUIRE(run, writer < run->writers);
    BENCH_REQUIRE(run, number == expected[writer] || run->peer->loses);
    expected[writer] = number + 1;
}

void bench_peer_one_way_second(bench_run *run)
{
    bench_channel channel = bench_open_end(run, 0, BENCH_READER);
    bench_meet(run);
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    uint64_t expected[BENCH_WRITERS_MAX] = {0};
    bool numbered = run->message_bytes >= sizeof(uint64_t);
    bench_meet(run);
    bench_work_begins(run, BENCH_READER);
    bench_span span = bench_begin(run);
    uint64_t received = 0, before = 0;
    bool enough = false;
    for (bool last = false; !last;) {
        uint64_t asked = enough ? bench_ticks() : 0;
        bench_receive(run, &channel, bytes);
        if (numbered) check_order(run, bytes, expected);
        received++;
        if (enough) last = bench_was_last(run, received, bench_ticks() - asked);
        if (enough || received % BENCH_PEER_CHUNK != 0) continue;
        uint64_t now = bench_ticks();
        if (before >= span.warm) bench_keep_sample(run, now - before);
        before = now;
        enough = bench_is_over(span, now, run->sample_count);
        if (enough) bench_acknowledge_enough(run);
    }
    bench_work_ends(run, BENCH_READER);
    bench_reader_done(run, received);
    bench_meet(run);
    bench_close_end(run, &channel, BENCH_READER);
}

// MARK: the floor

/// What any ring has to do at least: copies each message into a slot, and out of it.
void bench_memcpy_one_way(bench_run *run)
{
    static unsigned char slots[BENCH_PEER_CAPACITY][BENCH_SLOT_BYTES];
    unsigned char bytes[BENCH_PEER_BYTES_MAX] = {0};
    bench_span span = bench_begin(run);
    uint64_t before = bench_ticks(), number = 0;
    while (!bench_is_over(span, before, run->sample_count)) {
        for (int i = 0; i < BENCH_PEER_CHUNK; i++, number++) {
            unsigned char *slot = slots[number % BENCH_PEER_CAPACITY];
            bench_put(bytes, number);
            memcpy(slot, bytes, run->message_bytes);
            bench_use(slot);
            memcpy(bytes, slot, run->message_bytes);
            bench_use(bytes);
        }
        uint64_t now = bench_ticks();
        if (before >= span.warm) bench_keep_sample(run, now - before);
        before = now;
    }
    run->messages_moved = number;
}

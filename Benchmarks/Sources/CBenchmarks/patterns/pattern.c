// What the patterns share, outside of their loops.

#include "pattern.h"

#include <time.h>

enum { READER_DONE = UINT32_MAX, RESEND_NS = 20000000, LONG_WAIT_NS = 10000000 };

// MARK: ends

bench_channel bench_open_end(bench_run *run, int number, bench_end end)
{
    bench_channel channel = run->channels[number];
    BENCH_REQUIRE(run, run->peer->open == NULL || run->peer->open(&channel, end));
    return channel;
}

void bench_close_end(bench_run *run, bench_channel *channel, bench_end end)
{
    if (run->peer->close != NULL) run->peer->close(channel, end);
}

// MARK: CPU time

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec used = {0};
    clock_gettime(clock, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/// Of the process that serves a channel; 0 if none does, or the first channel's does.
static uint64_t server_cpu_ns(const bench_run *run, int number)
{
    pid_t server = run->channels[number].server;
    if (server <= 0 || (number == 1 && server == run->channels[0].server)) return 0;
    clockid_t clock;
    return clock_getcpuclockid(server, &clock) == 0 ? cpu_ns(clock) : 0;
}

/// Times at which this side's work began.
static uint64_t own_before, servers_before[2];

void bench_work_begins(bench_run *run, bench_end end)
{
    // One of all sides looks at the servers.
    for (int i = 0; i < 2 && end == BENCH_READER; i++) servers_before[i] = server_cpu_ns(run, i);
    own_before = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    bench_mark(run);
}

void bench_work_ends(bench_run *run, bench_end end)
{
    bench_mark(run);
    __atomic_add_fetch(&run->cpu_ns[end == BENCH_READER ? 1 : 0], cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - own_before, __ATOMIC_RELAXED);
    for (int i = 0; i < 2 && end == BENCH_READER; i++) run->cpu_ns[2 + i] = server_cpu_ns(run, i) - servers_before[i];
}

// MARK: the last message

bool bench_was_last(const bench_run *run, uint64_t received, uint64_t waited)
{
    if (!bench_all_announced(run)) return false;
    uint64_t announced = __atomic_load_n(&run->announced, __ATOMIC_RELAXED);
    return received == announced || (run->peer->loses && (received > announced || waited > bench_ticks_of(LONG_WAIT_NS)));
}

void bench_reader_done(bench_run *run, uint64_t received)
{
    run->messages_moved = received;
    if (run->announced > received) run->lost = run->announced - received;
    __atomic_store_n(&run->acknowledged, READER_DONE, __ATOMIC_RELEASE);
}

void bench_writer_done(bench_run *run, bench_channel *channel, const unsigned char *bytes)
{
    if (!run->peer->loses || bench_writer_number() != 0) return;
    for (;;) {
        uint64_t again = bench_ticks() + bench_ticks_of(RESEND_NS);
        while ((int64_t)(bench_ticks() - again) < 0)
            if (__atomic_load_n(&run->acknowledged, __ATOMIC_ACQUIRE) == READER_DONE) return;
            else bench_relax(run);
        bench_send(run, channel, bytes);
    }
}

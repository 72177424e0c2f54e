// Every peer: one line here, and one file.

#include "peers.h"

extern const bench_peer bench_mailslot, bench_pipe, bench_unix_datagram, bench_unix_seqpacket, bench_posix_queue, bench_system_v_queue, bench_udp,
    bench_eventfd, bench_condition, bench_boost, bench_zeromq, bench_nng;

static const bench_peer *const peers[] = {
    &bench_pipe,
    &bench_unix_datagram,
    &bench_unix_seqpacket,
    &bench_posix_queue,
    &bench_system_v_queue,
    &bench_udp,
    &bench_eventfd,
    &bench_condition,
    &bench_boost,
    &bench_zeromq,
    &bench_nng,
};

const bench_peer *bench_peer_ours(void) { return &bench_mailslot; }

uint32_t bench_peer_count(void) { return sizeof peers / sizeof peers[0]; }

const bench_peer *bench_peer_at(uint32_t number) { return peers[number]; }

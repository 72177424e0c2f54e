// Every peer: one line here, and one file.

#include "peers.h"

#define PEERS(PEER)            \
    PEER(bench_pipe)           \
    PEER(bench_unix_datagram)  \
    PEER(bench_unix_seqpacket) \
    PEER(bench_posix_queue)    \
    PEER(bench_system_v_queue) \
    PEER(bench_udp)            \
    PEER(bench_eventfd)        \
    PEER(bench_condition)      \
    PEER(bench_boost)          \
    PEER(bench_zeromq)         \
    PEER(bench_nng)

#define REFERENCES(PEER)   \
    PEER(bench_cache_line) \
    PEER(bench_futex)      \
    PEER(bench_bare)

#define DECLARE(peer) extern const bench_peer peer;
#define ADDRESS(peer) &peer,

extern const bench_peer bench_mailslot;
extern const bench_peer bench_win32;
PEERS(DECLARE)
REFERENCES(DECLARE)

static const bench_peer *const peers[] = {PEERS(ADDRESS)};
static const bench_peer *const references[] = {REFERENCES(ADDRESS)};

const bench_peer *bench_peer_ours(void) { return &bench_mailslot; }
const bench_peer *bench_peer_win32(void) { return &bench_win32; }

uint32_t bench_peer_count(void) { return sizeof peers / sizeof peers[0]; }

const bench_peer *bench_peer_at(uint32_t number) { return peers[number]; }

uint32_t bench_reference_count(void) { return sizeof references / sizeof references[0]; }

const bench_peer *bench_reference_at(uint32_t number) { return references[number]; }

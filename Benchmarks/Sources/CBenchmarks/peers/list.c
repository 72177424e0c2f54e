// Every peer: one line here, and one file.

#include "peers.h"

#include <pthread.h>

#define PEERS(PEER)              \
    PEER(bench_pipe)             \
    PEER(bench_unix_datagram)    \
    PEER(bench_unix_seqpacket)   \
    PEER(bench_posix_queue)      \
    PEER(bench_system_v_queue)   \
    PEER(bench_udp)              \
    PEER(bench_eventfd)          \
    PEER(bench_condition)        \
    PEER(bench_boost)            \
    PEER(bench_zeromq)           \
    PEER(bench_nng)              \
    PEER(bench_iceoryx)          \
    PEER(bench_aeron)            \
    PEER(bench_aeron_concurrent) \
    PEER(bench_redis)            \
    PEER(bench_nats)

#define REFERENCES(PEER)   \
    PEER(bench_cache_line) \
    PEER(bench_futex)      \
    PEER(bench_bare)

#define BRIDGES(PEER)           \
    PEER(bench_bridge)          \
    PEER(bench_bridge_mmsg)     \
    PEER(bench_bridge_io_uring) \
    PEER(bench_bridge_broadcast)

#define DECLARE(peer) extern const bench_peer peer;
#define ADDRESS(peer) &peer,
#define ONE(peer) +1

extern const bench_peer bench_mailslot;
extern const bench_peer bench_win32;
PEERS(DECLARE)
REFERENCES(DECLARE)
BRIDGES(DECLARE)

enum { COUNT = 0 PEERS(ONE), BRIDGE_COUNT = 0 BRIDGES(ONE) };
static const bench_peer *const built[COUNT] = {PEERS(ADDRESS)};
static const bench_peer *const references[] = {REFERENCES(ADDRESS)};
static const bench_peer *const built_bridges[BRIDGE_COUNT] = {BRIDGES(ADDRESS)};

/// As built, and with what was found here.
static bench_peer peers[COUNT], bridges[BRIDGE_COUNT];

static void look_for(const bench_peer *const from[], bench_peer to[], int count)
{
    for (int i = 0; i < count; i++) {
        to[i] = *from[i];
        if (to[i].missing == NULL && to[i].look != NULL) to[i].missing = to[i].look();
    }
}

static void look_for_all(void)
{
    look_for(built, peers, COUNT);
    look_for(built_bridges, bridges, BRIDGE_COUNT);
}

static void have_looked(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_for_all);
}

const bench_peer *bench_peer_ours(void) { return &bench_mailslot; }
const bench_peer *bench_peer_win32(void) { return &bench_win32; }

uint32_t bench_peer_count(void) { return COUNT; }

const bench_peer *bench_peer_at(uint32_t number)
{
    have_looked();
    return &peers[number];
}

uint32_t bench_reference_count(void) { return sizeof references / sizeof references[0]; }

const bench_peer *bench_reference_at(uint32_t number) { return references[number]; }

uint32_t bench_bridge_count(void) { return BRIDGE_COUNT; }

const bench_peer *bench_bridge_at(uint32_t number)
{
    have_looked();
    return &bridges[number];
}

// Boost.Interprocess: message_queue, a priority queue in shared memory under a mutex and two conditions.

#include "peer.h"

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#define HAS_BOOST 1

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>
#include <memory>
#include <new>

using boost::interprocess::message_queue;

namespace
{

message_queue *queue_of(bench_channel *channel) { return static_cast<message_queue *>(channel->end); }

// Exceptions end here, for the callers are C.

bool make(bench_channel *channel)
try {
    message_queue::remove(channel->name);
    message_queue made(boost::interprocess::create_only, channel->name, BENCH_PEER_CAPACITY, channel->message_bytes);
    return true;
} catch (...) {
    return false;
}

bool open_end(bench_channel *channel, bench_end)
try {
    channel->end = new message_queue(boost::interprocess::open_only, channel->name);
    return true;
} catch (...) {
    return false;
}

bench_moved send_message(bench_channel *channel, const void *bytes)
try {
    message_queue *queue = queue_of(channel);
    if (channel->polls) return queue->try_send(bytes, channel->message_bytes, 0) ? BENCH_MOVED : BENCH_NOTHING;
    queue->send(bytes, channel->message_bytes, 0);
    return BENCH_MOVED;
} catch (...) {
    return BENCH_FAILED;
}

bench_moved receive_message(bench_channel *channel, void *bytes)
try {
    message_queue *queue = queue_of(channel);
    message_queue::size_type received = channel->message_bytes;
    unsigned priority;
    if (channel->polls && !queue->try_receive(bytes, channel->message_bytes, received, priority)) return BENCH_NOTHING;
    if (!channel->polls) queue->receive(bytes, channel->message_bytes, received, priority);
    return received == channel->message_bytes ? BENCH_MOVED : BENCH_FAILED;
} catch (...) {
    return BENCH_FAILED;
}

void close_end(bench_channel *channel, bench_end) { delete queue_of(channel); }

void remove_channel(bench_channel *channel) { message_queue::remove(channel->name); }

const char *version() { return BOOST_LIB_VERSION; }

} // namespace

#endif

extern "C" const bench_peer bench_boost = {
    "boost-queue",
    "Boost.Interprocess message_queue of 1024, one priority; polling: try_send, try_receive",
#if defined(HAS_BOOST)
    nullptr,
    true,
    false,
    make,
    open_end,
    send_message,
    receive_message,
    close_end,
    remove_channel,
    {},
    version,
    nullptr,
#else
    BENCH_BUILT_WITHOUT("libboost-dev"),
    true,
    false,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    {},
    nullptr,
    nullptr,
#endif
};

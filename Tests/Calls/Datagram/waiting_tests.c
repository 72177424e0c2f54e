// Waiting, waking, closing, and threads.

#include "endpoints.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

// A thread sanitizer may hold a signal back that comes just before a call that sleeps.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
enum { SIGNALS_ARE_HELD_BACK = 1 };
#else
enum { SIGNALS_ARE_HELD_BACK = 0 };
#endif

static mslot_datagram_endpoint *shared;

static mslot_datagram_endpoint *endpoint_with_socket(mslot_datagram_engine engine, mslot_datagram_bound *bound)
{
    mslot_datagram_endpoint *endpoint = open_endpoint(engine);
    mslot_datagram_bind_options options = on_loopback(4);
    *bound = must_bind(endpoint, &options);
    return endpoint;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    expect_equal(pthread_create(thread, NULL, body, argument), 0);
}
static void finish(pthread_t thread) { expect_equal(pthread_join(thread, NULL), 0); }

CONFORMANCE(a_wait_ends_when_the_time_is_up)
{
    mslot_datagram_bound bound;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &bound);
    static const int64_t timeouts[] = {-1, 0, 1, MILLISECOND, 30 * MILLISECOND};
    for (size_t i = 0; i < 5; i++) {
        int64_t begun = now_ns();
        mslot_datagram_waited waited = mslot_datagram_wait(endpoint, timeouts[i]);
        expect(now_ns() - begun >= timeouts[i]);
        expect_equal(waited.outcome, MSLOT_DATAGRAM_DONE);
        expect(!waited.is_readable && !waited.is_woken);
    }
    close_endpoint(endpoint);
}

CONFORMANCE(a_wake_ends_the_next_wait_once)
{
    mslot_datagram_bound bound;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &bound);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i <= round % 3; i++) mslot_datagram_wake(endpoint);
        mslot_datagram_waited waited = mslot_datagram_wait(endpoint, TEST_TIMEOUT_NS);
        expect(waited.is_woken && !waited.is_readable);
        expect(!mslot_datagram_wait(endpoint, 0).is_woken);
    }
    for (int i = 0; i < 5000; i++) mslot_datagram_wake(endpoint);
    expect(mslot_datagram_wait(endpoint, TEST_TIMEOUT_NS).is_woken);
    expect(!mslot_datagram_wait(endpoint, 0).is_woken);
    close_endpoint(endpoint);
}

static void *wait_for_wake(void *times)
{
    for (int i = 0; i < *(int *)times; i++) {
        mslot_datagram_waited waited;
        do {
            waited = mslot_datagram_wait(shared, MSLOT_TRANSPORT_FOREVER);
        } while (waited.outcome == MSLOT_DATAGRAM_BUSY); // who looks whether we wait is on this side for a moment
        expect(waited.is_woken);
    }
    return NULL;
}

/// Until a thread is in the wait: then the receiving side is taken.
static void wait_until_waiting(mslot_datagram_endpoint *endpoint)
{
    mslot_datagram_view view;
    wait_until(mslot_datagram_receive(endpoint, &view, 1).outcome == MSLOT_DATAGRAM_BUSY);
}

CONFORMANCE(a_wait_is_ended_by_another_thread)
{
    mslot_datagram_bound bound;
    shared = endpoint_with_socket(engine, &bound);
    for (int round = 0; round < 100; round++) {
        pthread_t thread;
        int times = 1;
        start(&thread, wait_for_wake, &times);
        if (round % 2 == 0) wait_until_waiting(shared);
        mslot_datagram_wake(shared);
        finish(thread);
    }
    close_endpoint(shared);
}

static void wake_shared(int number)
{
    (void)number;
    mslot_datagram_wake(shared);
}

CONFORMANCE(a_wait_is_ended_by_a_signal_handler_and_by_no_signal)
{
    if (SIGNALS_ARE_HELD_BACK) skip("a thread sanitizer holds signals back");
    mslot_datagram_bound bound;
    shared = endpoint_with_socket(engine, &bound);
    expect_equal(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = wake_shared}, NULL), 0);
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        int times = 1;
        start(&thread, wait_for_wake, &times);
        if (round % 2 == 0) wait_until_waiting(shared);
        pthread_kill(thread, SIGUSR1);
        finish(thread);
    }
    close_endpoint(shared);
}

static void do_nothing(int number) { (void)number; }

static void *disturb(void *victim)
{
    while (shared_get((uint64_t *)victim) == 0) {
        pthread_kill(*((pthread_t *)victim + 1), SIGUSR1);
        poll_pause();
    }
    return NULL;
}

CONFORMANCE(signals_disturb_nothing)
{
    expect_equal(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = do_nothing}, NULL), 0);
    _Static_assert(sizeof(pthread_t) == sizeof(uint64_t), "they share an array");
    uint64_t victim[2] = {0, (uint64_t)pthread_self()};
    pthread_t thread;
    start(&thread, disturb, victim);
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    for (uint64_t round = 0; round < 100; round++) {
        batch *it = new_batch();
        for (uint64_t i = 0; i < 200; i++) add_datagram(it, round + i, (uint32_t)(i % 5 * 300), to.address);
        send_all(endpoint, to.socket, it);
        receive_all(endpoint, it);
    }
    int64_t begun = now_ns();
    mslot_datagram_waited waited = mslot_datagram_wait(endpoint, 50 * MILLISECOND);
    expect(now_ns() - begun >= 50 * MILLISECOND);
    expect(!waited.is_readable && !waited.is_woken);
    shared_set(&victim[0], 1);
    finish(thread);
    close_endpoint(endpoint);
}

CONFORMANCE(closing_while_a_thread_waits_is_refused)
{
    mslot_datagram_bound bound;
    shared = endpoint_with_socket(engine, &bound);
    pthread_t thread;
    int times = 1;
    start(&thread, wait_for_wake, &times);
    wait_until_waiting(shared);
    expect_equal(mslot_datagram_close(shared), MSLOT_DATAGRAM_BUSY);
    expect_equal(mslot_datagram_wait(shared, 0).outcome, MSLOT_DATAGRAM_BUSY);
    mslot_datagram_bind_options options = on_loopback(4);
    expect_equal(mslot_datagram_bind(shared, &options).outcome, MSLOT_DATAGRAM_BUSY);
    mslot_address group = address_of("239.255.77.1", 0);
    expect_equal(mslot_datagram_join(shared, 0, &group, 0), MSLOT_DATAGRAM_BUSY);
    mslot_datagram_wake(shared);
    finish(thread);
    close_endpoint(shared);
}

/// Counts what it receives, until the count is UINT64_MAX.
static void *receive_and_count(void *count)
{
    uint64_t next = 0;
    while (shared_get(count) != UINT64_MAX) {
        mslot_datagram_view view;
        if (try_next_datagram(shared, &view)) {
            expect(is_datagram(&view, next++, 200));
            shared_set(count, next);
        } else {
            mslot_datagram_wait(shared, MSLOT_TRANSPORT_FOREVER);
        }
    }
    return NULL;
}

CONFORMANCE(one_thread_sends_while_another_receives)
{
    enum { COUNT = 20000, AT_ONCE = 50 };
    mslot_datagram_bound to;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &to);
    shared = endpoint;
    static uint64_t received;
    pthread_t thread;
    shared_set(&received, 0);
    start(&thread, receive_and_count, &received);
    for (uint64_t sent = 0; sent < COUNT;) {
        batch *it = new_batch();
        for (int i = 0; i < AT_ONCE; i++) add_datagram(it, sent++, 200, to.address);
        send_all(endpoint, to.socket, it);
        wait_until(sent - shared_get(&received) < 500);
    }
    wait_until(shared_get(&received) == COUNT);
    shared_set(&received, UINT64_MAX);
    mslot_datagram_wake(endpoint);
    finish(thread);
    close_endpoint(endpoint);
}

static void *receive_one(void *number)
{
    mslot_datagram_view view = next_datagram(shared);
    expect(is_datagram(&view, *(uint64_t *)number, 300));
    return NULL;
}

CONFORMANCE(receiving_moves_between_threads_and_loses_nothing)
{
    mslot_datagram_bound to;
    shared = endpoint_with_socket(engine, &to);
    for (uint64_t round = 0; round < 100; round++) {
        batch *it = new_batch();
        for (uint64_t i = 0; i < 4; i++) add_datagram(it, 4 * round + i, 300, to.address);
        bool before = round % 3 == 0;
        if (before) send_all(shared, to.socket, it);
        for (uint64_t i = 0; i < 3; i++) {
            uint64_t number = 4 * round + i;
            pthread_t thread;
            start(&thread, receive_one, &number);
            if (!before && i == 0) {
                if (round % 3 == 1) poll_pause();
                send_all(shared, to.socket, it);
            }
            finish(thread); // and with it what it has asked the kernel for
        }
        mslot_datagram_view view = next_datagram(shared);
        expect(is_datagram(&view, 4 * round + 3, 300));
    }
    expect_nothing(shared);
    close_endpoint(shared);
}

CONFORMANCE(a_thread_that_lives_on_does_not_hold_up_the_next_one)
{
    mslot_datagram_bound to;
    shared = endpoint_with_socket(engine, &to);
    mslot_datagram_wait(shared, 0); // this thread has asked the kernel, and now sleeps in pthread_join
    uint64_t number = 7;
    batch *it = new_batch();
    add_datagram(it, number, 300, to.address);
    for (int round = 0; round < 50; round++) {
        pthread_t thread;
        start(&thread, receive_one, &number);
        if (round % 2 == 0) poll_pause();
        send_all(shared, to.socket, it);
        finish(thread);
    }
    close_endpoint(shared);
}

CONFORMANCE(a_port_is_free_as_soon_as_its_endpoint_is_closed)
{
    mslot_datagram_bound first;
    mslot_datagram_endpoint *endpoint = endpoint_with_socket(engine, &first);
    mslot_datagram_bind_options options = on_loopback(4);
    options.address = first.address;
    for (int round = 0; round < 100; round++) {
        batch *it = new_batch();
        add_datagram(it, 1, 100, first.address);
        send_all(endpoint, first.socket, it);
        if (round % 2 == 0) receive_all(endpoint, it);
        mslot_datagram_wait(endpoint, 0);
        close_endpoint(endpoint);
        endpoint = open_endpoint(engine);
        expect_equal(must_bind(endpoint, &options).address.port, first.address.port);
    }
    close_endpoint(endpoint);
}

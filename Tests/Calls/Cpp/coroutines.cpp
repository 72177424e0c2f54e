// Coroutines that wait for messages and for room, on one thread: an executor of a few lines resumes them. The argument is a mailslot's
// name.
#include <mailslots.hpp>

#include "expect.hpp"

#include <array>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <unistd.h>

using namespace mailslots;
using namespace std::chrono_literals;

/// Resumes on the thread that runs it.
class Executor
{
  public:
    void post(std::coroutine_handle<> coroutine)
    {
        std::lock_guard lock(mutex_);
        ready_.push_back(coroutine);
        changed_.notify_one();
    }

    void run_until(const int &left)
    {
        while (left > 0) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !ready_.empty(); });
            auto coroutine = ready_.front();
            ready_.pop_front();
            lock.unlock();
            coroutine.resume();
        }
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::coroutine_handle<>> ready_;
};

static Executor executor;
static const auto post = [](std::coroutine_handle<> coroutine) { executor.post(coroutine); };

struct Task {
    struct promise_type {
        Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::abort(); }
    };
    std::coroutine_handle<promise_type> coroutine;
};

static const int count = 2000;
static int left = 2;

static Task write_all(Writer &writer)
{
    for (int i = 0; i < count; i++) {
        mslot_outcome outcome;
        while ((outcome = co_await writer.write_or_wait(std::as_bytes(std::span(&i, 1)), post)) == MSLOT_FULL) {}
        expect(outcome == MSLOT_DONE, "a message is written");
    }
    left--;
}

static Task read_all(Reader &reader)
{
    std::array<std::byte, message_bytes_max> buffer;
    for (int i = 0; i < count;) {
        auto message = or_throw(reader.read(buffer, 0ns));
        if (!message) {
            mslot_outcome outcome = co_await reader.wait(post);
            expect(outcome == MSLOT_DONE || outcome == MSLOT_EMPTY, "a wait ends");
            continue;
        }
        int number;
        std::memcpy(&number, message->data(), sizeof number);
        expect(number == i++, "messages come in order");
    }
    left--;
}

static Task wait_late(Reader &reader, mslot_outcome &outcome)
{
    outcome = co_await reader.wait(post, 1ms);
    left--;
}

int main(int, char **argv)
{
    alarm(120); // what hangs fails
    mslot_create_options options = mslot_create_options_default();
    options.capacity = 2;
    Reader reader = or_throw(Reader::create(argv[1], options));
    Writer writer = or_throw(Writer::open(argv[1]));

    Task reading = read_all(reader), writing = write_all(writer);
    executor.run_until(left);
    reading.coroutine.destroy();
    writing.coroutine.destroy();

    // A coroutine that is destroyed while it waits ends its wait: the end is free again.
    left = 2;
    Task waiting = read_all(reader);
    waiting.coroutine.destroy();
    expect(or_throw(writer.write("free")) && or_throw(reader.lend(0ns))->text() == "free", "its end is free again");

    left = 1;
    mslot_outcome outcome = MSLOT_DONE;
    Task late = wait_late(reader, outcome);
    executor.run_until(left);
    late.coroutine.destroy();
    expect(outcome == MSLOT_EMPTY || outcome == MSLOT_TIMED_OUT, "a wait whose time is up ends");
    return 0;
}

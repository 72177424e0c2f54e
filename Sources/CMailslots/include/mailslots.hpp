// Mailslots for C++20: ends that close where they go out of scope, spans, results, and waits for coroutines. Header-only, over mailslots.h,
// which is the manual: here is only what is different.
//
//     auto orders = mailslots::or_throw(mailslots::Reader::create("orders"));
//     std::array<std::byte, mailslots::message_bytes_max> buffer;
//     while (auto message = mailslots::or_throw(orders.read(buffer, 60s))) handle(*message);
//
// RESULTS. A call returns a Result<T>: std::expected<T, Failure> where the library has it (C++23), else a class of ours with the same
// members. Late and full are no failures: an empty optional, or false. or_throw() makes a failure an exception, whose what() has the cause
// and the cure; who wants none never calls it, and may compile with -fno-exceptions.
//
// THREADS, fork. An end is for one thread at a time, and for the process that made it; interrupt() alone may be called from anywhere. A
// moved-from end is closed: its calls are NOT_OPEN or BAD_ARGUMENT.
#ifndef MAILSLOTS_HPP
#define MAILSLOTS_HPP

#include "mailslots.h"

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <version>

#if defined(__cpp_lib_expected)
#include <expected>
#endif
#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

namespace mailslots
{

using std::chrono::nanoseconds;

inline constexpr nanoseconds forever = nanoseconds::max();
/// Of a mailslot whose creator asked for no longer ones.
inline constexpr std::size_t message_bytes_max = MSLOT_MESSAGE_BYTES_MAX;

// MARK: results

/// Why a call failed.
class Failure
{
  public:
    Failure(const mslot_failure &failure, std::string name) : failure_(failure), name_(std::move(name)) {}
    /// With the errno of now, if the outcome has one.
    Failure(mslot_outcome outcome, std::string name) : failure_{}, name_(std::move(name))
    {
        if (outcome == MSLOT_SYSTEM_ERROR) failure_.system_error = errno;
        failure_.outcome = outcome;
    }

    mslot_outcome outcome() const { return failure_.outcome; }
    /// What C knows of it: errno, who has the name.
    const mslot_failure &details() const { return failure_; }
    /// What is wrong, why, and the cure.
    std::string message() const
    {
        std::string text(mslot_failure_describe(&failure_, name_.c_str(), nullptr, 0), '\0');
        mslot_failure_describe(&failure_, name_.c_str(), text.data(), text.size() + 1);
        return text;
    }

  private:
    mslot_failure failure_;
    std::string name_;
};

#if defined(__cpp_exceptions)
/// A failure as an exception.
class Error : public std::runtime_error
{
  public:
    explicit Error(const Failure &why) : std::runtime_error(why.message()), failure(why) {}
    mslot_outcome outcome() const { return failure.outcome(); }
    Failure failure;
};
#endif

#if defined(__cpp_lib_expected)
template <typename Value> using Result = std::expected<Value, Failure>;
using Failed = std::unexpected<Failure>;
#else
/// What makes a Result of a failure.
struct Failed {
    explicit Failed(Failure failure) : error(std::move(failure)) {}
    Failure error;
};

/// What std::expected is of C++23.
template <typename Value> class [[nodiscard]] Result
{
  public:
    Result(Value value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Failed failed) : content_(std::in_place_index<1>, std::move(failed.error)) {}

    bool has_value() const { return content_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    Value &operator*() & { return *std::get_if<0>(&content_); }
    Value &&operator*() && { return std::move(*std::get_if<0>(&content_)); }
    Value *operator->() { return std::get_if<0>(&content_); }
    const Failure &error() const { return *std::get_if<1>(&content_); }

  private:
    std::variant<Value, Failure> content_;
};
#endif

#if defined(__cpp_exceptions)
/// The value, or an exception.
template <typename Value> Value or_throw(Result<Value> result)
{
    if (!result) throw Error(result.error());
    return *std::move(result);
}
#endif

// MARK: waits of coroutines

/// A wait that a thread of the library sleeps through, to be awaited once. When it is over `post` is called on that thread with the
/// coroutine, and has an executor resume it; it must not block, and must not resume the coroutine itself.
///
/// A coroutine that is destroyed meanwhile ends the wait; the executor must then not have it any more.
template <typename Begin, typename End, typename Post> class Wait
{
  public:
    /// `begun`: what `begin` says when the wait has begun.
    Wait(mslot_outcome begun, Begin begin, End end, Post post, nanoseconds timeout)
        : begun_(begun), begin_(std::move(begin)), end_(std::move(end)), post_(std::move(post)), outcome_(begun)
    {
        wait_.timeout_ns = timeout.count();
    }
    Wait(const Wait &) = delete;
    Wait &operator=(const Wait &) = delete;
    ~Wait()
    {
        if (!is_waiting_) return;
        mslot_wait_stop(&wait_);
        end_();
    }

    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine)
    {
        coroutine_ = coroutine;
        wait_.context = this;
        wait_.ended = [](mslot_wait *wait) {
            // From here on the coroutine may be gone on another thread, and all of this with it.
            auto *self = static_cast<Wait *>(wait->context);
            Post post = std::move(self->post_);
            post(self->coroutine_);
        };
        is_waiting_ = true;
        const mslot_outcome begun = begun_, outcome = begin_(&wait_);
        // It may be resumed already: nothing of this is touched unless it does not wait.
        if (outcome == begun) return true;
        is_waiting_ = false;
        outcome_ = outcome;
        return false;
    }
    /// What beginning the wait came to, without one; else the wait is over, and this says `begun`: look again.
    mslot_outcome await_resume()
    {
        if (std::exchange(is_waiting_, false)) end_();
        return outcome_;
    }

  private:
    const mslot_outcome begun_;
    Begin begin_;
    End end_;
    Post post_;
    mslot_wait wait_{};
    std::coroutine_handle<> coroutine_;
    mslot_outcome outcome_;
    bool is_waiting_ = false;
};

// MARK: handles

/// Owns a handle of C's; closes it.
template <typename Handle, mslot_outcome (*close)(Handle *)> class Owned
{
  public:
    Owned(Handle *handle, std::string name) : handle_(handle), name_(std::move(name)) {}
    Owned(Owned &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)), name_(std::move(other.name_)) {}
    Owned &operator=(Owned &&other) noexcept
    {
        Owned taken(std::move(other)); // what it replaces is closed here, not where `other` ends
        std::swap(handle_, taken.handle_);
        std::swap(name_, taken.name_);
        return *this;
    }
    ~Owned()
    {
        if (handle_ != nullptr) close(handle_);
    }

    Handle *get() const { return handle_; }
    Handle *release() { return std::exchange(handle_, nullptr); }
    Failed failed(mslot_outcome outcome) const { return Failed(Failure(outcome, name_)); }
    const std::string &name() const { return name_; }

  private:
    Handle *handle_;
    std::string name_;
};

// MARK: the reader

/// A message in place, released where this goes out of scope; several are released in the order in which they were lent, whichever goes
/// first. Shared memory: a hostile writer may change it while you look. Not to outlive its reader, which must not be moved meanwhile.
class Lent
{
  public:
    Lent(mslot_reader *reader, const mslot_view &view) : reader_(reader), view_(view) {}
    Lent(Lent &&other) noexcept : reader_(std::exchange(other.reader_, nullptr)), view_(other.view_) {}
    Lent &operator=(Lent &&other) noexcept
    {
        Lent taken(std::move(other));
        std::swap(reader_, taken.reader_);
        std::swap(view_, taken.view_);
        return *this;
    }
    ~Lent()
    {
        if (reader_ != nullptr) mslot_reader_release(reader_, 1);
    }

    std::span<const std::byte> bytes() const { return {reinterpret_cast<const std::byte *>(view_.bytes), view_.byte_count}; }
    std::string_view text() const { return {reinterpret_cast<const char *>(view_.bytes), view_.byte_count}; }
    std::uint64_t position() const { return view_.position; }
    std::uint32_t sender() const { return view_.sender; }
    std::uint16_t origin() const { return view_.origin; }

  private:
    mslot_reader *reader_;
    mslot_view view_;
};

/// The reading end. Moves; closes where it goes out of scope, and discards what is unread.
class Reader
{
  public:
    static Result<Reader> create(std::string name, const mslot_create_options &options = mslot_create_options_default())
    {
        mslot_created created = mslot_create(name.c_str(), &options);
        if (created.reader == nullptr) return Failed(Failure(created.failure, std::move(name)));
        return Reader(created, std::move(name));
    }

    /// Copies the next message into the buffer, and returns the part that it fills; nothing: none came in time.
    Result<std::optional<std::span<std::byte>>> read(std::span<std::byte> buffer, nanoseconds timeout = forever)
    {
        mslot_received received = mslot_reader_read(handle_.get(), buffer.data(), buffer.size(), timeout.count());
        if (received.outcome == MSLOT_DONE) return std::optional(buffer.first(received.byte_count));
        if (is_late(received.outcome)) return std::optional<std::span<std::byte>>();
        return handle_.failed(received.outcome);
    }

    /// The next message that is not lent yet, in place; nothing: none came in time.
    Result<std::optional<Lent>> lend(nanoseconds timeout = forever)
    {
        mslot_view view = mslot_reader_peek(handle_.get(), timeout.count());
        if (view.outcome == MSLOT_DONE) return std::optional<Lent>(std::in_place, handle_.get(), view);
        if (is_late(view.outcome)) return std::optional<Lent>();
        return handle_.failed(view.outcome);
    }

    /// To be awaited: until there may be a message. DONE and EMPTY: read without waiting, to see; else TIMED_OUT, or what is wrong.
    template <typename Post> [[nodiscard]] auto wait(Post post, nanoseconds timeout = forever)
    {
        mslot_reader *reader = handle_.get();
        return Wait(
            MSLOT_EMPTY, [reader](mslot_wait *wait) { return mslot_reader_begin_wait(reader, wait); },
            [reader] { mslot_reader_end_wait(reader); }, std::move(post), timeout);
    }

    /// Ends the wait that is on, or the next one, with INTERRUPTED. From any thread or signal handler.
    void interrupt() { mslot_reader_interrupt(handle_.get()); }

    /// Closes, but keeps what is unread for the next reader that adopts the mailslot. After a failure it is as it was.
    Result<bool> leave()
    {
        mslot_outcome outcome = mslot_reader_leave(handle_.get());
        if (outcome != MSLOT_DONE) return handle_.failed(outcome);
        (void)handle_.release();
        return true;
    }

    /// It was adopted from a reader that was killed, or left.
    bool adopted() const { return adopted_; }
    const std::string &name() const { return handle_.name(); }
    /// For what is not here.
    mslot_reader *handle() const { return handle_.get(); }

  private:
    Reader(const mslot_created &created, std::string name) : handle_(created.reader, std::move(name)), adopted_(created.adopted) {}
    static bool is_late(mslot_outcome outcome) { return outcome == MSLOT_EMPTY || outcome == MSLOT_TIMED_OUT; }

    Owned<mslot_reader, mslot_reader_close> handle_;
    bool adopted_;
};

// MARK: the writer

/// False: there was no room in time, and nothing was written.
inline Result<bool> is_written(mslot_outcome outcome, const Owned<mslot_writer, mslot_writer_close> &handle)
{
    if (outcome == MSLOT_DONE) return true;
    if (outcome == MSLOT_FULL || outcome == MSLOT_TIMED_OUT) return false;
    return handle.failed(outcome);
}

/// A writing end. Moves; closes where it goes out of scope.
class Writer
{
  public:
    /// The writer's own slot, to be filled in place for as long as it takes. Abandoned where it goes out of scope, unless it was
    /// published. Not to outlive its writer, which must not be moved meanwhile.
    class Loan
    {
      public:
        Loan(const Writer &writer, unsigned char *bytes) : writer_(&writer), bytes_(reinterpret_cast<std::byte *>(bytes)) {}
        Loan(Loan &&other) noexcept : writer_(std::exchange(other.writer_, nullptr)), bytes_(other.bytes_) {}
        Loan &operator=(Loan &&other) noexcept
        {
            Loan taken(std::move(other));
            std::swap(writer_, taken.writer_);
            std::swap(bytes_, taken.bytes_);
            return *this;
        }
        ~Loan()
        {
            if (writer_ != nullptr) mslot_writer_abandon(writer_->handle());
        }

        /// Empty once it was published.
        std::span<std::byte> bytes() const
        {
            if (writer_ == nullptr) return {};
            return {bytes_, writer_->loan_bytes_max_};
        }

        /// Makes the first bytes a message. After false, or a failure, the loan goes on.
        Result<bool> publish(std::size_t byte_count, nanoseconds timeout = forever)
        {
            if (writer_ == nullptr) return Failed(Failure(MSLOT_BAD_ARGUMENT, {}));
            mslot_outcome outcome = mslot_writer_publish(writer_->handle(), byte_count, timeout.count());
            const Writer &writer = *writer_;
            if (outcome == MSLOT_DONE) writer_ = nullptr;
            return is_written(outcome, writer.handle_);
        }

      private:
        const Writer *writer_;
        std::byte *bytes_;
    };

    /// `wait_ns` of the options: how long to wait for a reader to appear.
    static Result<Writer> open(std::string name, const mslot_open_options &options = mslot_open_options_default())
    {
        mslot_opened opened = mslot_open(name.c_str(), &options);
        if (opened.writer == nullptr) return Failed(Failure(opened.failure, std::move(name)));
        return Writer(opened.writer, std::move(name));
    }
    static Result<Writer> open(std::string name, nanoseconds wait)
    {
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = wait.count();
        return open(std::move(name), options);
    }

    /// False: there was no room in time, and nothing was written.
    Result<bool> write(std::span<const std::byte> message, nanoseconds timeout = forever)
    {
        return is_written(mslot_writer_write(handle_.get(), message.data(), message.size(), timeout.count()), handle_);
    }
    Result<bool> write(std::string_view message, nanoseconds timeout = forever)
    {
        return write(std::as_bytes(std::span(message)), timeout);
    }

    Result<Loan> loan()
    {
        mslot_loaned loaned = mslot_writer_loan(handle_.get());
        if (loaned.outcome != MSLOT_DONE) return handle_.failed(loaned.outcome);
        return Loan(*this, loaned.bytes);
    }

    /// To be awaited: writes, or waits until there may be room. DONE: it is written. FULL: nothing was, and there may be room now: again.
    /// Else TIMED_OUT, or what is wrong. The bytes stay where they are meanwhile.
    template <typename Post> [[nodiscard]] auto write_or_wait(std::span<const std::byte> message, Post post, nanoseconds timeout = forever)
    {
        mslot_writer *writer = handle_.get();
        return Wait(
            MSLOT_FULL, [=](mslot_wait *wait) { return mslot_writer_write_or_begin_wait(writer, message.data(), message.size(), wait); },
            [writer] { mslot_writer_end_wait(writer); }, std::move(post), timeout);
    }

    /// Ends the wait for room that is on, or the next one, with INTERRUPTED. From any thread or signal handler.
    void interrupt() { mslot_writer_interrupt(handle_.get()); }

    const std::string &name() const { return handle_.name(); }
    /// For what is not here.
    mslot_writer *handle() const { return handle_.get(); }

  private:
    Writer(mslot_writer *writer, std::string name) : handle_(writer, std::move(name))
    {
        std::uint32_t longest = mslot_writer_info(writer).message_bytes_max;
        if (longest < loan_bytes_max_) loan_bytes_max_ = longest;
    }

    Owned<mslot_writer, mslot_writer_close> handle_;
    std::size_t loan_bytes_max_ = message_bytes_max;
};

} // namespace mailslots

#endif

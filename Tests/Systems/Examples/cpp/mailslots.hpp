// The C API for C++11 and later: ends that close themselves, and failures that are thrown.
#ifndef MAILSLOTS_HPP
#define MAILSLOTS_HPP

#include <mailslots.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace mailslots
{

using std::chrono::nanoseconds;
constexpr nanoseconds forever = nanoseconds::max();

/// What went wrong, why, and the cure.
class Error : public std::runtime_error
{
  public:
    Error(const mslot_failure &failure, const std::string &name) : std::runtime_error(describe(failure, name)), outcome(failure.outcome) {}
    Error(mslot_outcome ended, const std::string &name) : Error(failure_of(ended), name) {}

    const mslot_outcome outcome;

  private:
    static mslot_failure failure_of(mslot_outcome ended)
    {
        mslot_failure failure = {};
        failure.outcome = ended;
        return failure;
    }
    static std::string describe(const mslot_failure &failure, const std::string &name)
    {
        char text[2048];
        mslot_failure_describe(&failure, name.c_str(), text, sizeof text);
        return text;
    }
};

/// The reading end. For one thread at a time; moves, and closes where it goes out of scope.
class Reader
{
  public:
    explicit Reader(const std::string &name, const mslot_create_options &options = mslot_create_options_default()) : name_(name)
    {
        mslot_created created = mslot_create(name.c_str(), &options);
        if (created.failure.outcome != MSLOT_DONE) throw Error(created.failure, name);
        handle_.reset(created.reader);
    }

    /// False: no message came in time.
    bool read(std::string &message, nanoseconds timeout = forever)
    {
        char bytes[MSLOT_MESSAGE_BYTES_MAX];
        mslot_received received = mslot_reader_read(handle_.get(), bytes, sizeof bytes, timeout.count());
        if (received.outcome == MSLOT_TIMED_OUT || received.outcome == MSLOT_EMPTY) return false;
        if (received.outcome != MSLOT_DONE) throw Error(received.outcome, name_);
        message.assign(bytes, received.byte_count);
        return true;
    }

    /// Ends it, and keeps what is unread for the next reader that adopts the mailslot.
    void leave()
    {
        mslot_outcome outcome = mslot_reader_leave(handle_.get());
        if (outcome != MSLOT_DONE) throw Error(outcome, name_);
        (void)handle_.release(); // it is closed
    }

    /// For what is not wrapped here.
    mslot_reader *handle() { return handle_.get(); }

  private:
    struct Close {
        void operator()(mslot_reader *reader) const { mslot_reader_close(reader); }
    };
    std::string name_;
    std::unique_ptr<mslot_reader, Close> handle_;
};

/// A writing end. For one thread at a time; moves, and closes where it goes out of scope.
class Writer
{
  public:
    /// Waits for a reader to appear.
    explicit Writer(const std::string &name, nanoseconds wait = nanoseconds(0)) : name_(name)
    {
        mslot_open_options options = mslot_open_options_default();
        options.wait_ns = wait.count();
        mslot_opened opened = mslot_open(name.c_str(), &options);
        if (opened.failure.outcome != MSLOT_DONE) throw Error(opened.failure, name);
        handle_.reset(opened.writer);
    }

    /// False: there was no room in time, and nothing was written.
    bool write(const std::string &message, nanoseconds timeout = forever)
    {
        return is_written(mslot_writer_write(handle_.get(), message.data(), message.size(), timeout.count()));
    }

    /// Has `fill` write the message where it will be read. `fill` gets room for 424 bytes and returns how many they are; if it throws,
    /// nothing is written.
    template <typename Fill> bool write_in_place(Fill fill, nanoseconds timeout = forever)
    {
        mslot_loaned loaned = mslot_writer_loan(handle_.get());
        if (loaned.outcome != MSLOT_DONE) throw Error(loaned.outcome, name_);
        Loan loan(handle_.get());
        size_t byte_count = fill(loaned.bytes);
        mslot_outcome outcome = mslot_writer_publish(handle_.get(), byte_count, timeout.count());
        loan.is_out = outcome != MSLOT_DONE;
        return is_written(outcome);
    }

    /// For what is not wrapped here.
    mslot_writer *handle() { return handle_.get(); }

  private:
    struct Close {
        void operator()(mslot_writer *writer) const { mslot_writer_close(writer); }
    };
    struct Loan {
        explicit Loan(mslot_writer *lender) : writer(lender), is_out(true) {}
        Loan(const Loan &) = delete;
        Loan &operator=(const Loan &) = delete;
        ~Loan()
        {
            if (is_out) mslot_writer_abandon(writer);
        }
        mslot_writer *writer;
        bool is_out;
    };

    bool is_written(mslot_outcome outcome) const
    {
        if (outcome == MSLOT_TIMED_OUT || outcome == MSLOT_FULL) return false;
        if (outcome != MSLOT_DONE) throw Error(outcome, name_);
        return true;
    }

    std::string name_;
    std::unique_ptr<mslot_writer, Close> handle_;
};

} // namespace mailslots

#endif

// The C++ ends: results, loans, what is lent, and that they close where they go out of scope. The argument is a mailslot's name. Without
// exceptions it is compiled, too.
#include <mailslots.hpp>

#include "expect.hpp"

#include <array>
#include <cstring>
#include <unistd.h>

using namespace mailslots;
using namespace std::chrono_literals;

template <typename Value> static mslot_outcome outcome_of(const Result<Value> &result)
{
    if (result) return MSLOT_DONE;
    expect(result.error().message().find("ailslot") != std::string::npos, "a failure says what it is about");
    return result.error().outcome();
}

template <typename Value> static Value value_of(Result<Value> result)
{
    expect(result.has_value(), "it succeeds");
    return *std::move(result);
}

static bool is(std::span<const std::byte> bytes, std::string_view text)
{
    return bytes.size() == text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

int main(int, char **argv)
{
    const std::string name = argv[1];
    std::array<std::byte, message_bytes_max> buffer;
    expect(outcome_of(Writer::open(name)) == MSLOT_NOT_FOUND, "there is no mailslot yet");
    expect(outcome_of(Writer::open(name, 20ms)) == MSLOT_TIMED_OUT, "waiting for it ends");
    {
        mslot_create_options options = mslot_create_options_default();
        options.capacity = 2;
        Reader reader = value_of(Reader::create(name, options));
        expect(outcome_of(Reader::create(name)) == MSLOT_ALREADY_EXISTS, "a name has one reader");
        Writer writer = value_of(Writer::open(name));

        expect(!value_of(reader.read(buffer, 1ms)) && !value_of(reader.lend(0ns)), "late is no failure");
        expect(value_of(writer.write(std::string_view("a\0b", 3))) && value_of(writer.write("two")), "two fit");
        expect(!value_of(writer.write("no room", 0ns)) && !value_of(writer.write("no room", 1ms)), "full is no failure");
        expect(outcome_of(reader.read(std::span(buffer).first(2))) == MSLOT_TOO_LONG, "a small buffer leaves the message");
        expect(is(*value_of(reader.read(buffer)), std::string_view("a\0b", 3)), "bytes are bytes");
        expect(outcome_of(writer.write(std::string(425, 'y'))) == MSLOT_TOO_LONG, "a message has 424 bytes at most");

        {
            auto lent = value_of(reader.lend());
            expect(lent->text() == "two" && lent->sender() == static_cast<std::uint32_t>(getpid()), "a message is lent in place");
            expect(outcome_of(reader.read(buffer, 0ns)) == MSLOT_BUSY, "it is to be released first");
            Lent moved = std::move(*lent);
            expect(moved.text() == "two", "what is lent moves");
        }
        expect(!value_of(reader.read(buffer, 0ns)), "it was released, once");

        {
            Writer::Loan loan = value_of(writer.loan());
            expect(loan.bytes().size() == 424, "a loan has room for the longest message");
            expect(outcome_of(writer.write("x")) == MSLOT_BUSY, "one loan at a time, and no other write");
        }
        expect(!value_of(reader.read(buffer, 0ns)), "what was not published was not written");
        {
            Writer::Loan loan = value_of(writer.loan());
            loan.bytes()[0] = std::byte{'x'};
            expect(value_of(loan.publish(1)), "a loan is published");
            expect(outcome_of(loan.publish(1)) == MSLOT_BAD_ARGUMENT && loan.bytes().empty(), "and is over then");
        }
        expect(is(*value_of(reader.read(buffer)), "x"), "what was published was written");

        reader.interrupt();
        expect(outcome_of(reader.read(buffer)) == MSLOT_INTERRUPTED, "an interrupt ends the next wait");
        Reader moved = std::move(reader);
        expect(value_of(writer.write("moved")) && is(*value_of(moved.read(buffer)), "moved"), "an end moves");
        expect(outcome_of(reader.read(buffer, 0ns)) == MSLOT_BAD_ARGUMENT, "what it moved from is no end");
    }
    expect(outcome_of(Writer::open(name)) == MSLOT_NOT_FOUND, "the reader closed where its scope ended");
    {
        Reader other = value_of(Reader::create(name + "/other"));
        Reader reader = value_of(Reader::create(name));
        reader = std::move(other);
        expect(outcome_of(Writer::open(name)) == MSLOT_NOT_FOUND, "what is assigned to closes what it had");
        expect(outcome_of(other.read(buffer, 0ns)) == MSLOT_BAD_ARGUMENT, "and what it moved from is no end");
    }
    errno = ENOSPC;
    expect(Failure(MSLOT_SYSTEM_ERROR, name).message().find("No space") != std::string::npos, "a failure of the system has its errno");
    {
        auto reader = Reader::create(name);
        Writer writer = value_of(Writer::open(name));
        {
            Reader closing = value_of(std::move(reader));
        }
        expect(outcome_of(writer.write("late")) == MSLOT_CLOSED, "a writer hears of the end");
    }
    {
        Reader leaving = value_of(Reader::create(name));
        Writer writer = value_of(Writer::open(name));
        expect(value_of(writer.write("kept")) && value_of(leaving.leave()), "a reader leaves");
        expect(outcome_of(leaving.leave()) == MSLOT_BAD_ARGUMENT, "and has left then");
        mslot_create_options options = mslot_create_options_default();
        options.adopt = true;
        Reader next = value_of(Reader::create(name, options));
        expect(next.adopted() && is(*value_of(next.read(buffer)), "kept"), "the next reader goes on");
    }
#if defined(__cpp_exceptions)
    try {
        or_throw(Writer::open(name));
        expect(false, "a failure is thrown");
    } catch (const Error &error) {
        expect(error.outcome() == MSLOT_NOT_FOUND && std::string(error.what()).find(name) != std::string::npos, "with its words");
    }
    Reader reader = or_throw(Reader::create(name));
    Writer writer = or_throw(Writer::open(name));
    try {
        Writer::Loan loan = or_throw(writer.loan());
        throw 1;
    } catch (int) {
        expect(or_throw(writer.write("after")) && is(*or_throw(reader.read(buffer)), "after"), "an exception abandons the loan");
    }
#endif
    return 0;
}

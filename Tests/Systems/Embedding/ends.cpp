// The C++ ends close and abandon when an exception leaves them. The argument is a mailslot's name.
#include "../Examples/cpp/mailslots.hpp"

#include <cstdlib>
#include <iostream>

using namespace mailslots;

static void expect(bool condition, const char *what)
{
    if (condition) return;
    std::cerr << "not so: " << what << "\n";
    std::exit(1);
}

static Reader made(const std::string &name) { return Reader(name); }

template <typename Body> static mslot_outcome outcome_of(Body body)
{
    try {
        body();
    } catch (const Error &error) {
        expect(std::string(error.what()).find("ailslot") != std::string::npos, "an error says what it is about");
        return error.outcome;
    }
    return MSLOT_DONE;
}

int main(int, char **argv)
{
    const std::string name = argv[1];
    expect(outcome_of([&] { Writer writer(name); }) == MSLOT_NOT_FOUND, "there is no mailslot yet");
    expect(outcome_of([&] { Writer writer(name, std::chrono::milliseconds(20)); }) == MSLOT_TIMED_OUT, "waiting for it ends");
    {
        mslot_create_options options = mslot_create_options_default();
        options.capacity = 1;
        Reader reader(name, options);
        expect(outcome_of([&] { Reader second(name); }) == MSLOT_ALREADY_EXISTS, "a name has one reader");
        Writer writer(name);
        std::string message;

        expect(!reader.read(message, std::chrono::milliseconds(1)), "nothing is there");
        expect(writer.write(std::string("a\0b", 3)) && !writer.write("no room", nanoseconds(0)), "one fits");
        expect(reader.read(message) && message == std::string("a\0b", 3), "bytes are bytes");

        bool left = false;
        try {
            writer.write_in_place([](unsigned char *) -> size_t { throw std::string("left"); });
        } catch (const std::string &) {
            left = true;
        }
        expect(left && !reader.read(message, nanoseconds(0)), "what an exception left was not written");
        expect(writer.write_in_place([](unsigned char *bytes) -> size_t {
            bytes[0] = 'x';
            return 1;
        }),
            "the loan was abandoned");
        expect(!writer.write_in_place([](unsigned char *) -> size_t { return 1; }, nanoseconds(0)), "there is no room for a second");
        expect(reader.read(message) && message == "x", "it was written in place");
        expect(outcome_of([&] { writer.write(std::string(425, 'y')); }) == MSLOT_TOO_LONG, "a message has 424 bytes at most");

        Reader moved = std::move(reader);
        writer.write("moved");
        expect(moved.read(message) && message == "moved", "an end moves");
    }
    expect(outcome_of([&] { Writer writer(name); }) == MSLOT_NOT_FOUND, "the reader closed where its scope ended");
    {
        Reader reader = made(name);
        Writer writer(name);
        {
            Reader closing = std::move(reader);
        }
        expect(outcome_of([&] { writer.write("late"); }) == MSLOT_CLOSED, "a writer hears of the end");
    }
    {
        Reader leaving(name);
        Writer writer(name);
        writer.write("kept");
        leaving.leave();
        expect(outcome_of([&] { leaving.leave(); }) == MSLOT_BAD_ARGUMENT, "it has left");
        expect(writer.write("kept, too"), "the mailslot is there without it");
        mslot_create_options options = mslot_create_options_default();
        options.adopt = true;
        Reader next(name, options);
        std::string message;
        expect(next.read(message) && message == "kept", "the next reader goes on");
    }
    return 0;
}

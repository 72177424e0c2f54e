// Writes its arguments to a mailslot, a message each.
//
//     c++ -std=c++20 writer.cpp $(pkg-config --cflags --libs mailslots) -o writer && ./writer orders hello quit
#include <mailslots.hpp>

#include <iostream>

int main(int argc, char **argv)
{
    if (argc < 2) {
        std::cerr << "usage: writer NAME TEXT...\n";
        return 64;
    }
    // Without exceptions: a result is looked at.
    auto orders = mailslots::Writer::open(argv[1], std::chrono::seconds(10)); // the reader may start later
    if (!orders) {
        std::cerr << "writer: " << orders.error().message() << "\n";
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        auto written = orders->write(argv[i]);
        if (!written) {
            std::cerr << "writer: " << written.error().message() << "\n";
            return 1;
        }
    }
    return 0;
}

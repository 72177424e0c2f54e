// Writes its arguments to a mailslot, a message each.
//
//     c++ writer.cpp $(pkg-config --cflags --libs mailslots) -o writer && ./writer orders hello quit
#include "mailslots.hpp"

#include <iostream>

int main(int argc, char **argv)
{
    if (argc < 2) {
        std::cerr << "usage: writer NAME TEXT...\n";
        return 64;
    }
    try {
        mailslots::Writer orders(argv[1], std::chrono::seconds(10)); // the reader may start later
        for (int i = 2; i < argc; i++) orders.write(argv[i]);
        return 0;
    } catch (const mailslots::Error &error) {
        std::cerr << "writer: " << error.what() << "\n";
        return 1;
    }
}

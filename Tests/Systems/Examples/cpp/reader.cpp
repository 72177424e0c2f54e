// Prints the messages of a mailslot until one says "quit".
//
//     c++ reader.cpp $(pkg-config --cflags --libs mailslots) -o reader && ./reader orders
#include "mailslots.hpp"

#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: reader NAME\n";
        return 64;
    }
    try {
        mailslots::Reader orders(argv[1]);
        std::string message;
        while (message != "quit" && orders.read(message)) std::cout << message << std::endl;
        return 0;
    } catch (const mailslots::Error &error) {
        std::cerr << "reader: " << error.what() << "\n";
        return 1;
    }
}

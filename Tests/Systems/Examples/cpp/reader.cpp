// Prints the messages of a mailslot until one says "quit".
//
//     c++ -std=c++20 reader.cpp $(pkg-config --cflags --libs mailslots) -o reader && ./reader orders
#include <mailslots.hpp>

#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: reader NAME\n";
        return 64;
    }
    try {
        auto orders = mailslots::or_throw(mailslots::Reader::create(argv[1]));
        bool is_over = false;
        while (!is_over) {
            auto message = mailslots::or_throw(orders.lend());
            std::cout << message->text() << std::endl;
            is_over = message->text() == "quit";
        }
        return 0;
    } catch (const mailslots::Error &error) {
        std::cerr << "reader: " << error.what() << "\n";
        return 1;
    }
}

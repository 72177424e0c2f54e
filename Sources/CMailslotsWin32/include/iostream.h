// The header of C++ before it had a standard, whose names need no `std::`.
#ifndef MAILSLOTS_IOSTREAM_H
#define MAILSLOTS_IOSTREAM_H

#include <iostream>
using namespace std;

#endif

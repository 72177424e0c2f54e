// Must not compile with -fshort-wchar: libstdc++'s wide streams have 32-bit characters.
#include <iostream>
#include <windows.h>
int main() { std::wcout << L"garbage"; }

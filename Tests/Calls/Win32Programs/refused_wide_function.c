// Must not compile with -fshort-wchar: libc's function works on 32 bits, and there is none here.
#include <windows.h>
#include <wchar.h>
int main(void) { return (int)wcsspn(L"garbage", L"g"); }

// Must not compile with -DUNICODE but without -fshort-wchar.
#include <windows.h>
int main() { return lstrlen(TEXT("garbage")); }

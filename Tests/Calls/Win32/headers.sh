#!/usr/bin/env bash
# The headers compile without a warning, as C and C++, with and without UNICODE.
set -euo pipefail
cd "$(dirname "$0")/../../.."
source='#include <windows.h>
#include <conio.h>
#include <process.h>
#include <strsafe.h>
#include <tchar.h>
int length(void);
int length(void) { return lstrlen(TEXT("x")); }'
include=-ISources/CMailslotsWin32/include
crt=-ISources/CMailslotsWin32/include/crt
for compiler in "gcc -x c -std=c11" "gcc -x c -std=gnu17" "clang -x c -std=c11" "g++ -x c++ -std=c++11" "g++ -x c++ -std=c++20" \
    "clang++ -x c++ -std=c++11" "clang++ -x c++ -std=c++20"; do
    for build in "" "$crt" "$crt -DUNICODE -fshort-wchar" "$crt -O2 -D_FORTIFY_SOURCE=2 -DUNICODE -fshort-wchar"; do
        $compiler -Wall -Wextra -Wpedantic -Werror -fsyntax-only $include $build - <<< "$source"
    done
    echo "ok the headers: $compiler"
done

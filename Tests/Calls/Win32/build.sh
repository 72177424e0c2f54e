#!/usr/bin/env bash
# Builds the tests of the Windows calls: build.sh PROGRAM [CC] [FLAG...]
set -euo pipefail
program=$1
cc=${2:-cc}
root=$(cd "$(dirname "$0")/../../.." && pwd)
"$cc" -std=c11 -O1 -g -Wall -Wextra -Werror -D_GNU_SOURCE "${@:3}" -I"$root/Sources/CMailslots/include" -I"$root/Sources/CMailslotsWin32/include" \
    "$root"/Tests/Calls/Win32/*.c "$root"/Tests/Calls/Core/{harness,checks}.c "$root"/Sources/CMailslots/*/*.c "$root"/Sources/CMailslotsWin32/*.c \
    -o "$program" -pthread

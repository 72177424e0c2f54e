#!/usr/bin/env bash
# The sample programs compiled by mingw-w64 and run under Wine: wine.sh WORK. Their outputs must be those that run.sh expects on Linux.
#
# Where Wine differs from Windows no program here goes: Wine wants FILE_SHARE_READ and FILE_SHARE_WRITE between writers, keeps a closed slot
# while a client has it, does not enforce the maximum, and up to version 8 loses empty messages.
set -euo pipefail
cd "$(dirname "$0")"
work=$1/wine
mkdir -p "$work"
export WINEPREFIX=$work/prefix WINEDEBUG=-all DISPLAY=
gxx=x86_64-w64-mingw32-g++-posix
# Microsoft's printf, not mingw's own: in wide formats %s is wide.
gcc="x86_64-w64-mingw32-gcc-posix -D__USE_MINGW_ANSI_STDIO=0"
failures=0
check() {
    if [ "$2" = "$3" ]; then
        echo "ok wine: $1"
    else
        echo "FAILED wine: $1"
        diff <(echo "$2") <(echo "$3") | sed 's/^/    /' || true
        failures=$((failures + 1))
    fi
}
plain() { tr -d '\r' < "$1"; }

for program in console_server console_client; do "$gxx" -static "$program.cpp" -o "$work/$program.exe"; done
for program in documented_server documented_client; do
    $gcc -static "$program.c" -o "$work/${program}_ansi.exe"
    $gcc -static -municode -DUNICODE -D_UNICODE "$program.c" -o "$work/${program}_unicode.exe"
done
$gcc -static -municode -DUNICODE -D_UNICODE wide_runtime.c -o "$work/wide_runtime.exe"
for program in polling_receiver woken_reader; do $gcc -static "$program.c" -o "$work/$program.exe"; done
cd "$work"
timeout 120 wineboot -i > /dev/null 2>&1 || { echo "skipped wine: it does not start here"; exit 0; }
trap 'wineserver -k 2> /dev/null || true' EXIT

# A server's line may sit in its buffer until it ends, so the client tries until there is a slot.
until_sent() { # until_sent COMMAND...: with what standard input holds
    local input
    input=$(cat)
    for _ in $(seq 60); do
        if timeout 60 "$@" > client.out 2>&1 <<< "$input" && ! grep -q "failed" client.out; then return; fi
        sleep 0.5
    done
    echo "no server under Wine" >&2
}

timeout 100 wine console_server.exe > server.out 2> /dev/null &
server=$!
until_sent wine console_client.exe <<< "hello world quit"
wait $server || true
check "console server and client" $'Waiting\nClient: hello\nClient: world' "$(plain server.out)"

for build in ansi unicode; do
    timeout 100 wine "documented_server_$build.exe" > server.out 2> /dev/null &
    server=$!
    until_sent wine "documented_client_$build.exe" plain < /dev/null
    wait $server || true
    check "documented client, $build" $'written\nwritten\nwritten\nwritten' "$(plain client.out)"
    check "documented server, $build" $'ready\nread: one\nread: two words\nread: plain\nread: end' "$(plain server.out)"
done

timeout 100 wine wide_runtime.exe > server.out 2> /dev/null <<< "a long line" || true
check "wide runtime" "failures: 0" "$(plain server.out)"
timeout 100 wine polling_receiver.exe > server.out 2> /dev/null || true
polling=$'open without a server: 2\nmessage 0 (9 bytes)\nmessage 1 (9 bytes)\nmessage 2 (9 bytes)\nmessage 3 (9 bytes)\nmessage 4 (9 bytes)\nstop (4 bytes)\nreceived 6'
check "polling receiver" "$polling" "$(plain server.out)"
timeout 100 wine woken_reader.exe > server.out 2> /dev/null || true
check "woken reader" $'got 5 bytes\nthe reader ended with 42' "$(plain server.out)"
[ "$failures" -eq 0 ]

#!/usr/bin/env bash
# Programs written for Windows, compiled from their own text and run against each other: run.sh [PREFIX]
#
# PREFIX is an installed prefix; without it one is made. Where mingw-w64 and Wine are installed the same sources also run there, and the
# outputs are compared.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=${1:-}
if [ -z "$prefix" ]; then
    prefix=$work/prefix
    ../../../Sources/CMailslots/install.sh "$prefix"
fi
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib MAILSLOT_DIRECTORY=$work/slots
mkdir "$MAILSLOT_DIRECTORY"
flags=$(pkg-config --cflags --libs mailslots-win32)

failures=0
check() { # check WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        echo "ok $1"
    else
        echo "FAILED $1"
        diff <(echo "$2") <(echo "$3") | sed 's/^/    /' || true
        failures=$((failures + 1))
    fi
}
skip() { echo "skipped $1: $2"; }

# The expected outputs are what the programs print on Windows.
console=$'Waiting\nClient: hello\nClient: world'
window='Received: hello from a window'
documented=$'ready\nread: one\nread: two words\nread: äöü\nread: end'
polling=$'open without a server: 2\nmessage 0 (9 bytes)\nmessage 1 (9 bytes)\nmessage 2 (9 bytes)\nmessage 3 (9 bytes)\nmessage 4 (9 bytes)\nstop (4 bytes)\nreceived 6'
woken=$'got 5 bytes\nthe reader ended with 42'

wait_for() { # wait_for FILE TEXT: until a server that runs in the background has printed it
    for _ in $(seq 2000); do
        if grep -q "$2" "$1"; then return; fi
        sleep 0.01
    done
    echo "a server did not come up: $1" >&2
    return 1
}

run_server() {
    : > "$work/server.out" # now: nobody must find what the last one has printed
    timeout 60 "$@" > "$work/server.out" 2> "$work/server.err" &
    server=$!
}

wait_for_slot() {
    for _ in $(seq 2000); do
        if [ -e "$MAILSLOT_DIRECTORY/mailslot.$1" ]; then return; fi
        sleep 0.01
    done
    echo "no slot $1" >&2
    return 1
}

# MARK: on Linux

run_on_linux() { # run_on_linux LABEL FOLDER
    run_server "$2/console_server"
    wait_for "$work/server.out" Waiting
    echo "hello world quit ignored" | timeout 60 "$2/console_client"
    wait $server || true
    check "$1: console server and client" "$console" "$(cat "$work/server.out")"

    run_server "$2/window_server"
    wait_for_slot window
    timeout 60 "$2/window_client" hello from a window
    wait $server || true
    check "$1: window programs" "$window" "$(cat "$work/server.err")"

    for build in ansi unicode; do
        run_server "$2/documented_server_$build"
        wait_for "$work/server.out" ready
        check "$1: documented client, $build" $'written\nwritten\nwritten\nwritten' "$(timeout 60 "$2/documented_client_$build" äöü)"
        wait $server || true
        check "$1: documented server, $build" "$documented" "$(cat "$work/server.out")"
    done
    check "$1: wide runtime" "failures: 0" "$(timeout 60 "$2/wide_runtime" <<< "a long line")"
    check "$1: polling receiver" "$polling" "$(timeout 60 "$2/polling_receiver")"
    check "$1: woken reader" "$woken" "$(timeout 60 "$2/woken_reader")"
}

build_on_linux() { # build_on_linux FOLDER CC CXX
    mkdir -p "$1"
    for program in console_server console_client window_server window_client; do
        $3 "$program.cpp" $flags -o "$1/$program"
    done
    for program in documented_server documented_client; do
        $2 "$program.c" $flags -o "$1/${program}_ansi"
        $2 -DUNICODE -fshort-wchar "$program.c" $flags -o "$1/${program}_unicode"
        cp "$program.c" "$1/$program.cpp"
        $3 -DUNICODE -fshort-wchar "$1/$program.cpp" $flags -o "$1/${program}_unicode_cpp"
    done
    $2 -DUNICODE -fshort-wchar wide_runtime.c $flags -o "$1/wide_runtime"
    for program in polling_receiver woken_reader; do $2 "$program.c" $flags -o "$1/$program"; done
}

refuses() { # refuses WHAT COMMAND...: the compiler must refuse it, and say this
    local output
    if output=$("${@:2}" -fsyntax-only 2>&1); then
        check "$1" "refused" "compiled"
    else
        check "$1" "refused" "$(grep -qi error <<< "$output" && echo refused)"
    fi
}

for compilers in "cc g++" "clang clang++"; do
    read -r c cxx <<< "$compilers"
    if ! command -v "$cxx" > /dev/null; then
        skip "$cxx" "not installed"
        continue
    fi
    build_on_linux "$work/$cxx" "$c" "$cxx"
    run_on_linux "$cxx" "$work/$cxx"
    refuses "$cxx refuses std::wcout" "$cxx" refused_wide_stream.cpp -DUNICODE -fshort-wchar $flags
    refuses "$cxx refuses UNICODE with 32-bit characters" "$cxx" refused_unicode.cpp -DUNICODE $flags
    refuses "$c refuses a wide function of libc" "$c" refused_wide_function.c -Werror=implicit-function-declaration -fshort-wchar $flags
done

# A C++ program that begins with wmain has it under another name.
run_server "$work/g++/documented_server_unicode_cpp"
wait_for "$work/server.out" ready
timeout 60 "$work/g++/documented_client_unicode_cpp" äöü > /dev/null
wait $server || true
check "g++: wmain in C++" "$documented" "$(cat "$work/server.out")"

# MARK: the same under Wine

mingw=x86_64-w64-mingw32-g++-posix
if command -v "$mingw" > /dev/null && command -v wine > /dev/null; then
    ./wine.sh "$work" || failures=$((failures + 1))
else
    skip "the same programs under Wine" "mingw-w64 or Wine is not installed"
fi

[ "$failures" -eq 0 ] && echo "all programs passed" || { echo "$failures failed"; exit 1; }

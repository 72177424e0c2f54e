#!/usr/bin/env bash
# One Windows program that measures mailslots, built twice: for Wine by mingw-w64, and for Linux with CMailslotsWin32. run.sh [CPU,CPU]
#
# Wine's own server, through which every call of its goes, may run on any CPU; the two sides are pinned to one each.
set -euo pipefail
cd "$(dirname "$0")"
cpus=${1:-0,1}
work=$(mktemp -d)
root=$(cd ../.. && pwd)
echoing=
finish() {
    [ -z "$echoing" ] || kill "$echoing" 2> /dev/null || true
    [ ! -d "$work/prefix" ] || wineserver -k 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

measure() { # measure PROGRAM...
    timeout 60 taskset -c "${cpus#*,}" "$@" echo < /dev/null > /dev/null &
    echoing=$!
    timeout 60 taskset -c "${cpus%,*}" "$@" measure < /dev/null | tr -d '\r' | sed 's/^/    /'
    wait "$echoing"
    echoing=
}

export MAILSLOT_DIRECTORY=$work/slots
mkdir "$MAILSLOT_DIRECTORY"
cc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root/Sources/CMailslots/include" -I"$root/Sources/CMailslotsWin32/include" \
    rounds.c "$root"/Sources/CMailslots/*/*.c "$root"/Sources/CMailslotsWin32/*.c -o "$work/rounds" -pthread
echo "CMailslotsWin32:"
measure "$work/rounds"

export WINEPREFIX=$work/prefix WINEDEBUG=-all DISPLAY=
missing=
command -v x86_64-w64-mingw32-gcc-posix > /dev/null || missing="gcc-mingw-w64-x86-64-posix"
command -v wine > /dev/null || missing="$missing wine"
if [ -n "$missing" ]; then
    echo "skipped Wine: apt-get install $missing"
    exit
fi
x86_64-w64-mingw32-gcc-posix -std=gnu11 -O2 -static rounds.c -o "$work/rounds.exe"
timeout 120 wineboot -i > /dev/null 2>&1 || { echo "skipped Wine: it does not start here"; exit; }
echo "Wine $(wine --version | sed 's/^wine-//'):"
measure wine "$work/rounds.exe"

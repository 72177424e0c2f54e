#!/usr/bin/env bash
# Builds what an installed prefix holds, for the tests of this folder: prefix.sh PREFIX [CC]. An installed prefix is used in its place when
# there is one: run.sh PREFIX.
set -euo pipefail
prefix=$(mkdir -p "$1" && cd "$1" && pwd)
cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
win="$root/Sources/CMailslotsWin32"

# Two files of the core have the same name in two folders: objects by their own numbers.
objects="$prefix/objects"
rm -rf "$objects"
mkdir -p "$objects" "$prefix/lib/pkgconfig" "$prefix/include/mailslots-win32"
number=0
for source in "$root"/Sources/CMailslots/*/*.c "$win"/*.c; do
    number=$((number + 1))
    "$cc" -std=c11 -O2 -g -fPIC -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root/Sources/CMailslots/include" -I"$win/include" \
        -c "$source" -o "$objects/$number-$(basename "$source" .c).o"
done
rm -f "$prefix/lib/libmailslots-win32.a"
ar rcs "$prefix/lib/libmailslots-win32.a" "$objects"/*.o
cp -r "$win/include/." "$win/crt" "$prefix/include/mailslots-win32/"
# Here the archive holds the core too, so no other package is required.
sed -e "s|@prefix@|$prefix|" -e "s|@version@|0|" -e '/^Requires/d' "$win/mailslots-win32.pc.in" > "$prefix/lib/pkgconfig/mailslots-win32.pc"

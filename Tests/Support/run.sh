# What every entry `run` of the tests begins with: it is in the root of the package then, and knows what is asked of it.
#
#     source "$(dirname "$0")/../../Support/run.sh"
#     takes "--long --list" "$@"        # --help, and what is no option
#     needs spin gcc:gcc                # TOOL, or TOOL:PACKAGE if the package has another name
#
# The comment at the head of an entry is what --help prints: what it does, its options, its long form, what it needs. Exit status: 64 for
# wrong usage, as of <sysexits.h>.
set -euo pipefail
entry=$(realpath --relative-to="$(dirname "${BASH_SOURCE[0]}")/../.." "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$entry"; }

misused() {
    echo "$entry: $*; --help says what there is." >&2
    exit 64
}

# takes OPTIONS ARGUMENT...: answers --help, and refuses what begins with - and is not among the options. What follows an option that is
# written with three dots, `--build...`, is none of ours.
takes() {
    local argument
    for argument in "${@:2}"; do
        [[ $argument != --help ]] || { help; exit 0; }
        [[ " $1 " != *" $argument... "* ]] || return 0
        [[ $argument != -* || " $1 " == *" $argument "* ]] || misused "there is no option $argument"
    done
}

# What cannot be done here is said, and is no failure: `skipped: ...` is what people and other tests look for.
skipped() { echo "skipped: $entry: $*"; }

# has WHAT... -- TOOL[:PACKAGE]...: whether the tools for one part are here. A tool is a command or a file. In CI nothing may be skipped for
# want of a tool.
has() {
    local what="" tool missing=()
    while [ "$1" != -- ]; do
        what+="${what:+ }$1"
        shift
    done
    shift
    for tool; do
        command -v "${tool%%:*}" > /dev/null || [ -e "${tool%%:*}" ] || missing+=("${tool%%:*} (apt-get install ${tool##*:})")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "${CI:-}" = true ]; then
        echo "FAILED $entry: ${what:+$what: }there is no ${missing[*]}" >&2
        exit 1
    fi
    skipped "${what:+$what: }there is no ${missing[*]}"
    return 1
}

# needs TOOL[:PACKAGE]...: as `has`, of all that an entry does.
needs() { has -- "$@" || exit 0; }

# core_program PROGRAM COMPILER FLAG...: the C core, the C files that `sources` names and what `libraries` names, as the package builds
# them.
sources=() libraries=()
core_program() {
    mkdir -p "$(dirname "$1")"
    "${@:2}" -std=c11 -Wall -Wextra -Werror -D_GNU_SOURCE -ISources/CMailslots/include Sources/CMailslots/*/*.c \
        "${sources[@]}" -o "$1" -pthread "${libraries[@]}"
}

# swift_tests TARGET [--list | --threads | --addresses] [NAME...]: the tests of one target; of all, if it is empty.
swift_tests() {
    local target=$1 options=() name
    shift
    case ${1:-} in
    --list)
        swift test list < /dev/null | grep "^$target"
        return
        ;;
    --threads)
        shift
        options=(--sanitize=thread --scratch-path .build-thread)
        export TSAN_OPTIONS="halt_on_error=1 die_after_fork=0"
        ;;
    --addresses)
        shift
        options=(--sanitize=address -Xswiftc -use-ld=lld --scratch-path .build-address)
        export ASAN_OPTIONS=detect_leaks=0
        ;;
    esac
    [ $# -gt 0 ] || set -- ""
    for name; do options+=(--filter "$target.*$name"); done
    swift test "${options[@]}" < /dev/null
}

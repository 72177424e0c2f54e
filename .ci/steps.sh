#!/usr/bin/env bash
# The steps of .ci/run, each a function with a line that says what it is for; .ci/run --help lists them. `.ci/steps.sh STEP` runs one.
#
# Each configuration is built once: debug in .build, for tests, network and the README's second command; with the thread sanitizer in
# .build-thread; release, with Swift's libraries linked statically, in Benchmarks/.build, for what is installed and what is measured; the C
# core once for each flavour of its tests.
#
# Not among the ordinary steps; `.ci/run --long` has it:
#
# - `addresses`, all of the Swift package compiled once more, with the address sanitizer: eight minutes. The C under it is watched in the
#   ordinary steps: the core (`sanitized`), the Windows calls (`win32`), the datagram engines (`datagram`, with two compilers) and hostile
#   segments (`fuzz`); so is Swift where bytes of others are decoded (`wire_fuzz`). The rest of the Swift code that says `unsafe` is not:
#   after a change there, run it.
# - Commands, installation and the documentation's snippets under the thread sanitizer: they are other processes, or none of them is built
#   with it. The C core's tests there: `sanitized` has them, optimised.
# - Long forms: more of what the short ones do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export MAILSLOTS_WARNINGS_AS_ERRORS=1
export SWIFT_BACKTRACE=enable=no

# Three lanes beside each other. What builds in .build is one, for SwiftPM locks it; what builds in Benchmarks/.build is another; the third
# has no steps of its own. A lane that has come to its end takes one after the other from the pool, so that all three end together: there
# the longest come first. Nobody measures time.
lane_1=(readme network requests documentation)
lane_2=(embedding measured)
lane_3=()
pool=(threads mutants sanitized model nio aarch64 core kills tidy soak proof datagram languages win32 instructions fuzz wire_fuzz nats
    format)
# Alone, for they measure: two processes that spin for each other need both processors, or take a time slice for every message.
alone=(guard benchmarks)
# What a contributor runs before each commit: minutes, where it was built before.
fast=(format tidy fit instructions quick core)
long=(addresses long_soak long_requests long_kills long_mutants long_fuzz long_wire_fuzz long_network long_model long_proof)

#: The README's "Try it" block, line by line: what it says is what is run
readme() {
    local commands line
    commands=$(sed -n '/^## Try it/,/^## /s/^\$ //p' README.md)
    [ "$(wc -l <<< "$commands")" -eq 2 ]
    while read -r line; do
        echo "\$ $line"
        bash -c "$line" < /dev/null
    done <<< "$commands"
}

#: What every call and every command does, without what takes long: clients, installations, clusters, the core's tests
quick() {
    swift test --skip ReadmeTests --skip EmbeddingTests --skip InstallTests --skip NATSClusterTests --skip CoreTests < /dev/null
}

#: The C core's own tests, as they are run by hand: optimised
core() { Tests/Calls/Core/run; }

#: The C core's tests watched by sanitizers, and the lines that they run: at least 95 %
sanitized() {
    Tests/Calls/Core/run --sanitize --coverage
    Tests/Calls/Core/run --threads
}

#: The C core's tests on another processor, emulated: there robust lists, futex_waitv, ptrace and more are missing, too
aarch64() { Tests/Calls/Core/run --aarch64; }

#: The calls of Windows, sanitized; then programs written for Windows from their own text
win32() {
    Tests/Calls/Win32/run --sanitize
    Tests/Calls/Win32Programs/run
}

#: The datagram engines: optimised, then sanitized with gcc and clang; without io_uring, too
datagram() {
    Tests/Calls/Datagram/run
    Tests/Calls/Datagram/run --sanitize
}

#: Killed and stopped wherever others can tell, in every operation, in the most telling variants
kills() {
    Tests/Promises/Kills/run
    # That what looks the same comes to the same: of that the short form makes use.
    Tests/Promises/Kills/run --every SIGKILL "1 cell"
}

#: The protocol's models: no error, and every mutant caught
model() { Tests/Promises/Model/run; }

#: The proof: every theorem, for rings of any size
proof() { Tests/Promises/Proof/run; }

#: The core with one mistake each: something notices every one. Of those with a record a quarter, which the commit chooses
mutants() {
    local commit
    commit=$(git rev-parse HEAD)
    echo "the commit $commit"
    Tests/Promises/Mutants/run --quarter $((0x${commit:0:8} % 4))
}

#: The mutants' records fit the sources
fit() { Tests/Promises/Mutants/run --fit; }

#: The instructions of every ordered access, also for processors that are not here
instructions() { Tests/Promises/Instructions/run; }

#: Hostile segments: the corpus, and half a minute of new ones
fuzz() { Tests/Promises/Fuzz/run; }

#: Hostile datagrams: the corpus, and half a minute of new ones
wire_fuzz() { Tests/Promises/WireFuzz/run; }

#: Killed, stopped and restarted at random, for a minute; every message is accounted for
soak() { Tests/Promises/Soak/run --seconds 60; }

#: Servers and clients killed and stopped at random; every call is accounted for
requests() { Tests/Promises/Requests/run; }

#: Whole bridges, in networks that lose and lie
network() { Tests/Systems/Network/run; }

#: The NATS transport without its client library. With it: `readme`, against nats-server
nats() { Tests/Systems/NATS/run; }

#: What is installed, with the program: described, complete, and speaking with C programs
embedding() {
    # Where the benchmarks are built next: what both have is compiled once.
    SCRATCH_PATH=$PWD/Benchmarks/.build Tests/Systems/Embedding/run < /dev/null
}

#: The benchmarks are built, for `guard` and `benchmarks`
measured() {
    # Linked as `install.sh` links its programs: otherwise every module would be compiled once more.
    swift build -c release --static-swift-stdlib --package-path Benchmarks < /dev/null
}

#: The packages for other languages: built as their own tools build them, and every call
languages() {
    Tests/Calls/Python/run
    Tests/Calls/Cpp/run
    Tests/Calls/Rust/run
}

#: Another package's event loop waits on mailslots
nio() { Tests/Systems/NIO/run; }

#: The Swift API, the async layer, services and the bridge with the thread sanitizer
threads() {
    TSAN_OPTIONS="halt_on_error=1 die_after_fork=0" swift test --sanitize=thread --scratch-path .build-thread \
        --skip CoreTests --skip CommandTests --skip ToolsTests --skip ReadmeTests --skip EmbeddingTests --skip InstallTests \
        --skip ClientCaseTests < /dev/null
}

#: All of `swift test` with the address sanitizer: a long form
addresses() {
    ASAN_OPTIONS="detect_leaks=0" swift test --sanitize=address -Xswiftc -use-ld=lld --scratch-path .build-address < /dev/null
}

#: The documentation is built without a warning, and no public symbol is without its comment
documentation() { .ci/documentation; }

#: Swift and C as swift-format and clang-format 14 would write them
format() {
    swift format lint --strict --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources
    if ! command -v clang-format-14 > /dev/null; then
        echo "skipped: the format of C: there is no clang-format-14 (apt-get install clang-format-14)"
        [ "${CI:-}" != true ]
        return
    fi
    # Programs written for Windows stay as they were written.
    git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | grep -v '^Tests/Calls/Win32Programs/' | xargs clang-format-14 --dry-run -Werror
}

#: What no compiler sees: arrows, circles, lists, lines, one version, the form of commits
tidy() {
    Tests/Promises/Tidy/run
    Tests/Promises/Tidy/run --self-test
}

#: What it costs, as far as a shared machine can judge: instructions, which are counted, and ratios with generous bounds
guard() {
    measured
    Benchmarks/.build/release/mailslots-bench guard < /dev/null
}

#: What it costs in figures, which are judged by people, and that every benchmark runs
benchmarks() {
    # With --check on a quiet machine they are judged, too: CI's are shared.
    local bench
    measured
    bench=Benchmarks/.build/release/mailslots-bench
    $bench --quick --rounds 3 < /dev/null
    $bench check-peers < /dev/null
    $bench peers --rounds 1 --minutes 0.15 --patterns round-trip-mixed one-way-32 writers-8 --output .build-results < /dev/null
    $bench async --quick < /dev/null
    $bench transports --quick --check < /dev/null
    $bench bridge --quick --minutes 0.25 --output .build-results-bridge < /dev/null
    python3 Benchmarks/Scale --hosts 10 100 1000 < /dev/null
    Benchmarks/Tests/driver < /dev/null
}

#: A long form: ten minutes of it
long_soak() { Tests/Promises/Soak/run --seconds 600; }
#: A long form: ten minutes of it
long_requests() { Tests/Promises/Requests/run --seconds 600 --cancellations 1000000; }
#: A long form: every variant of every operation
long_kills() { Tests/Promises/Kills/run --long; }
#: A long form: every mutant of the core
long_mutants() { Tests/Promises/Mutants/run; }
#: A long form: ten million hostile segments
long_fuzz() { Tests/Promises/Fuzz/run --long; }
#: A long form: ten million hostile datagrams
long_wire_fuzz() { Tests/Promises/WireFuzz/run --long; }
#: A long form: what has no natural end goes on for a minute
long_network() { Tests/Systems/Network/run --seconds 60; }
#: A long form: the models with more of everything; an hour or two
long_model() { Tests/Promises/Model/run --long; }
#: A long form: the proof's mutants; ten minutes
long_proof() { Tests/Promises/Proof/run --mutants; }

# Sourced by .ci/run, which wants the lists.
[ "${BASH_SOURCE[0]}" != "$0" ] || "$1"

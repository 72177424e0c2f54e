import CBenchmarks

/// The benchmarks, each with its bound.
struct Session {
    let run: Run
    let rounds: Int
    let quick: Bool
    var report = Report()

    init(run: Run, rounds: Int, quick: Bool) {
        self.run = run
        self.rounds = rounds
        self.quick = quick
    }

    // MARK: round trip

    /// The reference must itself be this good, in round trips of one cache line, or there is nothing to compare with.
    private static let bareLinesMax = 2.8

    mutating func roundTrip() throws {
        for bytes: UInt32 in [32, 424] {
            let load = Run.Load(messageBytes: bytes, warmUp: 10_000, messages: quick ? 60_000 : 200_000)
            var lines: [Outcome] = []
            let run = run
            let contest = Contest(
                title: "round trip, \(bytes) B, both sides polling",
                timed: "from before the write of a message to after the read of its answer, in the process that began",
                unit: .nanoseconds,
                names: ("mailslot", "bare ring"),
                bound: bytes == 32 ? .atMost(1.15) : .none,
                a: {
                    lines.append(.p50(of: try run.samples("one line", load, bench_line_first, bench_line_second)))
                    return .p50(
                        of: try run.samples("mailslot", load, bench_mailslot_round_trip_first, bench_mailslot_round_trip_second))
                },
                b: { .p50(of: try run.samples("bare ring", load, bench_bare_round_trip_first, bench_bare_round_trip_second)) })
            let result = try contest.run(rounds: rounds)
            report.show(contest, result)
            report.show("one line", lines, .nanoseconds)
            let inLines = Spread(zip(result.b, lines).map { $0.figure / $1.figure }).median
            print("  bare ring in round trips of one line: \(inLines.text(2)), wanted at most \(Self.bareLinesMax)")
            if bytes == 32, inLines > Self.bareLinesMax {
                report.void(contest.title, because: "the bare ring itself is too slow here to be a reference")
            }
        }
    }

    // MARK: one way

    mutating func oneWay() throws {
        for (bytes, bound): (UInt32, Bound) in [(32, .atLeast(0.65)), (424, .atLeast(0.75))] {
            let load = Run.Load(messageBytes: bytes, warmUp: 20_000, messages: quick ? 800_000 : 3_000_000)
            let run = run
            let contest = Contest(
                title: "one way, \(bytes) B, one writer",
                timed: "in the reader, for each \(BENCH_CHUNK) messages; it copies each out, and releases \(BENCH_BATCH) at a time",
                unit: .perSecond,
                names: ("mailslot", "bare ring"),
                bound: bound,
                a: {
                    .rate(
                        ofChunks: try run.samples("mailslot", load, bench_mailslot_one_way_first, bench_mailslot_one_way_second))
                },
                b: { .rate(ofChunks: try run.samples("bare ring", load, bench_bare_one_way_first, bench_bare_one_way_second)) })
            report.show(contest, try contest.run(rounds: rounds))
        }
    }

    // MARK: the Swift API

    /// The same loops, through the Swift API and through the C API.
    mutating func swift() throws {
        let run = run
        let roundTrip = Run.Load(messageBytes: 32, warmUp: 10_000, messages: quick ? 60_000 : 200_000)
        let contest = Contest(
            title: "the Swift API: round trip, 32 B",
            timed: "as for C",
            unit: .nanoseconds,
            names: ("Swift", "C"),
            bound: .atMost(1.05),
            a: { .p50(of: try run.samples("Swift", roundTrip, swiftRoundTripFirst, swiftRoundTripSecond)) },
            b: { .p50(of: try run.samples("C", roundTrip, bench_mailslot_round_trip_first, bench_mailslot_round_trip_second)) })
        report.show(contest, try contest.run(rounds: rounds))

        for bytes: UInt32 in [32, 424] {
            let oneWay = Run.Load(messageBytes: bytes, warmUp: 20_000, messages: quick ? 800_000 : 3_000_000)
            let contest = Contest(
                title: "the Swift API: one way, \(bytes) B",
                timed: "as for C",
                unit: .perSecond,
                names: ("Swift", "C"),
                bound: .atLeast(0.95),
                a: { .rate(ofChunks: try run.samples("Swift", oneWay, swiftOneWayFirst, swiftOneWaySecond)) },
                b: { .rate(ofChunks: try run.samples("C", oneWay, bench_mailslot_one_way_first, bench_mailslot_one_way_second)) })
            report.show(contest, try contest.run(rounds: rounds))
        }
    }

    // MARK: waking

    mutating func wake() throws {
        let load = Run.Load(messageBytes: 32, warmUp: 8, messages: quick ? 120 : 400, asleepNanoseconds: 1_200_000)
        let run = run
        let contest = Contest(
            title: "waking a reader that has slept for 1.2 ms, 32 B",
            timed: "from just before the write until the reader has the message",
            unit: .nanoseconds,
            names: ("mailslot", "bare futex"),
            bound: .atMost(1.15),
            a: { .p50(of: try run.samples("mailslot", load, bench_mailslot_wake_first, bench_mailslot_wake_second)) },
            b: { .p50(of: try run.samples("bare futex", load, bench_bare_wake_first, bench_bare_wake_second)) })
        report.show(contest, try contest.run(rounds: rounds))
    }

    // MARK: opening

    mutating func open() throws {
        for taken: UInt32 in [0, UInt32(BENCH_LANES) - 1] {
            let load = Run.Load(warmUp: 50, messages: quick ? 300 : 1000, lanesTaken: taken)
            let run = run
            let contest = Contest(
                title: "open, write one message, close" + (taken == 0 ? "" : ", with \(taken) of \(BENCH_LANES) lanes taken"),
                timed: "from before mslot_open to after mslot_writer_close, in one process that has opened before",
                unit: .nanoseconds,
                names: ("mailslot", "bare file"),
                bound: .atMost(2),
                a: { .p50(of: try run.samples("mailslot", load, bench_mailslot_open, nil)) },
                b: { .p50(of: try run.samples("bare file", load, bench_bare_open, nil)) })
            report.show(contest, try contest.run(rounds: rounds))
        }
        print("  bare file: open, mmap 2 MB, close, touch 4 places, munmap; the places lie as the header and control words,")
        print("  a lane, a cell and a slot do, and each is loaded, then stored to: what a write of one message touches.")
        let calls = try run.count("open", Run.Load(warmUp: 0, messages: 1), bench_mailslot_open_count)
        print("  one open, write and close: \(calls.systemCalls) system calls, \(calls.allocations) allocations; bare file: 4")
    }

    // MARK: memory and counts

    mutating func memory() {
        let memory = bench_mailslot_memory()
        print("memory of a default mailslot (1024 messages, 256 writers)")
        if memory.known {
            print("  file \(memory.file_bytes) bytes, set aside \(memory.allocated_bytes); each handle 512 bytes")
        } else {
            report.void("memory", because: "no mailslot could be created")
        }
    }

    mutating func count() throws {
        let load = Run.Load(messageBytes: 32, warmUp: 100, messages: 10_000)
        print("system calls and allocations in \(load.messages) writes and reads, nobody asleep, bound 0 and 0")
        for (name, side): (String, Side) in [("C", bench_mailslot_count), ("Swift", swiftCount)] {
            let counted = try run.count(name, load, side)
            let none = counted.systemCalls == 0 && counted.allocations == 0
            let verdict = report.judge("\(name): system calls and allocations", passed: none)
            print("  \(name): \(counted.systemCalls) system calls, \(counted.allocations) allocations: \(verdict)")
        }
    }

    // MARK: the program

    mutating func pipe() throws {
        let pipeline = try Pipeline(bytes: (quick ? 64 : 1024) << 20)
        defer { pipeline.remove() }
        let contest = Contest(
            title: "\(pipeline.bytes >> 20) MiB of random bytes through the program",
            timed: "from before the first process starts until both have ended; from a file in memory to /dev/null",
            unit: .bytesPerSecond,
            names: ("write | read", "cat | cat"),
            bound: .atLeast(0.5),
            a: { Outcome(figure: try pipeline.throughMailslot()) },
            b: { Outcome(figure: try pipeline.throughCat()) })
        report.show(contest, try contest.run(rounds: quick ? 2 : 5))
    }
}

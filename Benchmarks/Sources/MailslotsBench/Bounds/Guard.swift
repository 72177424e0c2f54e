import ArgumentParser
import CBenchmarks

/// What CI runs: nothing here depends on how fast or how busy the machine is.
struct Guard: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fails if an operation has more instructions than its bound, or falls far behind the bare ring.",
        discussion: """
            Instructions are counted by stepping through them, so they are the same on every run. Times are only compared with \
            the bare ring's in the same run, and a comparison has to miss its bound in three runs in a row. See Benchmarks/README.md.
            """)

    @OptionGroup var extent: Extent

    func run() throws {
        let run = try Run(cpus: try extent.cpuNumbers)
        var missed = try InstructionTable(run: run).show()
        print("")
        missed += try Ratios(run: run, rounds: extent.rounds ?? 9).show()
        print("")
        guard missed.isEmpty else {
            print("Missed: \(missed.joined(separator: "; ")).")
            throw ExitCode(1)
        }
        print("Every bound is kept.")
    }
}

/// Instructions a message, of each way to write and to read one.
private struct InstructionTable {
    let run: Run

    private struct Row {
        let name: String
        let side: Side
        let bytes: UInt32
        /// With the Swift compiler's clang on x86-64, optimised: a twelfth more than they are. 424 bytes have room for 40 more: libc
        /// copies them with as wide instructions as the processor has.
        let bound: Double?
    }

    private static let rows = [
        Row(name: "C: mslot_writer_write, 32 B", side: bench_step_write, bytes: 32, bound: 139),
        Row(name: "C: mslot_writer_write, 424 B", side: bench_step_write, bytes: 424, bound: 245),
        Row(name: "C: mslot_writer_loan, mslot_writer_publish, 32 B", side: bench_step_loan, bytes: 32, bound: 163),
        Row(name: "C: mslot_reader_read, 32 B", side: bench_step_read, bytes: 32, bound: 129),
        Row(name: "C: mslot_reader_read, 424 B", side: bench_step_read, bytes: 424, bound: 181),
        Row(name: "C: mslot_reader_peek, mslot_reader_release, 32 B", side: bench_step_peek, bytes: 32, bound: 125),
        Row(name: "C: mslot_reader_peek, one release for all, 32 B", side: bench_step_peek_batch, bytes: 32, bound: 111),
        Row(name: "Swift: write, 32 B", side: swiftStepWrite, bytes: 32, bound: 146),
        Row(name: "Swift: read, 32 B", side: swiftStepRead, bytes: 32, bound: 222),
        Row(name: "Swift: withMessage, 32 B", side: swiftStepWithMessage, bytes: 32, bound: 123),
        Row(name: "bare ring: write, 32 B", side: bench_step_bare_write, bytes: 32, bound: nil),
        Row(name: "bare ring: read, 32 B", side: bench_step_bare_read, bytes: 32, bound: nil),
    ]

    func show() throws -> [String] {
        print("instructions a message, with the loop around it")
        var missed: [String] = []
        for row in Self.rows {
            let count = try run.instructionsPerMessage(row.name, Run.Load(messageBytes: row.bytes, warmUp: 200, messages: 1000), row.side)
            var line = "  \(row.name.padded(to: 42)) \(count.text(1))"
            #if arch(x86_64)
                if let bound = row.bound {
                    let kept = count <= bound
                    line += ", at most \(bound.text(0)): \(kept ? "pass" : "MISS")"
                    if !kept { missed.append("instructions of \(row.name)") }
                }
            #endif
            print(line)
        }
        return missed
    }
}

/// A comparison with the bare ring that misses by noise does not do so three times.
private struct Ratios {
    let run: Run
    let rounds: Int

    func show() throws -> [String] {
        var missed: [String] = []
        for contest in contests {
            var kept = false
            for attempt in 1...3 where !kept {
                let ratios = try contest.run(rounds: rounds).ratios
                kept = contest.bound.allows(ratios.median)
                var line = "\(contest.title): \(contest.names.a) / \(contest.names.b) \(ratios.median.text(2))"
                line += " (\(ratios.least.text(2)) to \(ratios.greatest.text(2))), \(contest.bound): \(kept ? "pass" : "MISS")"
                print(line + (kept || attempt == 3 ? "" : ", again"))
            }
            if !kept { missed.append(contest.title) }
        }
        return missed
    }

    /// Half of what a quiet machine shows: a change that spoils the way of lines or of stores between the two processors misses them.
    private var contests: [Contest] {
        let run = run
        let roundTrip = Run.Load(messageBytes: 32, warmUp: 5_000, messages: 30_000)
        let bounds: [(UInt32, Bound)] = [(32, .atLeast(0.5)), (424, .atLeast(0.5))]
        return [
            Contest(
                title: "round trip, 32 B", timed: "", unit: .nanoseconds, names: ("mailslot", "bare ring"), bound: .atMost(1.7),
                a: { .p50(of: try run.samples("mailslot", roundTrip, bench_mailslot_round_trip_first, bench_mailslot_round_trip_second)) },
                b: { .p50(of: try run.samples("bare ring", roundTrip, bench_bare_round_trip_first, bench_bare_round_trip_second)) })
        ]
            + bounds.map { bytes, bound in
                let load = Run.Load(messageBytes: bytes, warmUp: 20_000, messages: 400_000)
                return Contest(
                    title: "one way, \(bytes) B", timed: "", unit: .perSecond, names: ("mailslot", "bare ring"), bound: bound,
                    a: { .rate(ofChunks: try run.samples("mailslot", load, bench_mailslot_one_way_first, bench_mailslot_one_way_second)) },
                    b: { .rate(ofChunks: try run.samples("bare ring", load, bench_bare_one_way_first, bench_bare_one_way_second)) })
            }
    }
}

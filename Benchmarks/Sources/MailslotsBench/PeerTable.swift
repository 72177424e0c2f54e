import Foundation

/// The peers of one pattern, from the fastest to the slowest.
struct PeerTable {
    private struct Row {
        var name: String
        var measurements: [PeerMeasurement]
        var callsPerMessage: Double
        /// nil: this is ours.
        var advantage: Spread?
    }

    private let pattern: PeerPattern
    private var ours: Row
    private var theirs: [Row] = []

    init(_ pattern: PeerPattern, ourCallsPerMessage: Double) {
        self.pattern = pattern
        ours = Row(name: Peer.mailslot.name, measurements: [], callsPerMessage: ourCallsPerMessage)
    }

    mutating func add(_ contest: PeerContest) {
        ours.measurements += contest.ours
        theirs.append(
            Row(
                name: contest.peer.name, measurements: contest.theirs, callsPerMessage: contest.callsPerMessage,
                advantage: contest.advantage))
    }

    func show() {
        guard !theirs.isEmpty else { return }
        print("\n\(pattern.title)")
        print("  timed: \(pattern.timed)")
        print(line("", "p50 ns", "p99 ns", "messages/s", "calls", "mailslot is"))
        for row in ([ours] + theirs).sorted(by: { advantage($0) < advantage($1) }) { print(text(row)) }
    }

    /// By what was measured pair by pair: ours is as fast as ours.
    private func advantage(_ row: Row) -> Double { row.advantage?.median ?? 1 }

    private func text(_ row: Row) -> String {
        guard let all = row.measurements.map({ Outcome.p50(of: $0.samples) }).samples else { return row.name }
        func time(_ percentile: Double) -> String {
            let nanoseconds = Double(all.valueAtPercentile(percentile))
            return pattern.kind == .oneWay ? (nanoseconds / pattern.messagesASample).text(1) : nanoseconds.text(0)
        }
        let rate = Spread(row.measurements.map { $0.messagesASecond(pattern) }).median
        var verdict = ""
        if let advantage = row.advantage {
            verdict = "\(advantage.median.text(2)) times as fast (\(advantage.least.text(2)) to \(advantage.greatest.text(2)))"
            if advantage.median < 0.995 { verdict += ", beaten" }
        }
        let lost = Spread(row.measurements.map(\.lost)).median
        if lost > 0 { verdict += "; \((lost * 100).text(1)) % lost" }
        return line(
            row.name, time(50), time(99), pattern.kind == .wake ? "" : (rate / 1e6).text(3) + " M", row.callsPerMessage.text(2), verdict)
    }

    private func line(_ name: String, _ p50: String, _ p99: String, _ rate: String, _ calls: String, _ verdict: String) -> String {
        func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        let padded = name.padded(to: 15)
        return "  \(padded) \(right(p50, 9)) \(right(p99, 10)) \(right(rate, 11)) \(right(calls, 6))  \(verdict)"
    }
}

/// The figures of every single measurement, as comma-separated values.
struct RawFigures {
    private let file: FileHandle

    init(path: String) throws {
        try Data().write(to: URL(filePath: path))
        file = try FileHandle(forWritingTo: URL(filePath: path))
        try write("pattern,bytes,waiting,peer,in_turn_with,round,messages_a_sample,samples,p50_ns,p99_ns,p99.9_ns,max_ns,mean_ns,lost")
    }

    func add(_ contest: PeerContest) throws {
        let (ours, theirs) = (Peer.mailslot.name, contest.peer.name)
        for round in contest.ours.indices {
            try add(contest.pattern, round, ours, theirs, contest.ours[round])
            try add(contest.pattern, round, theirs, ours, contest.theirs[round])
        }
    }

    private func add(
        _ pattern: PeerPattern, _ round: Int, _ peer: String, _ rival: String, _ measured: PeerMeasurement
    ) throws {
        let samples = measured.samples
        let percentiles = [50, 99, 99.9].map { "\(samples.valueAtPercentile($0))" }.joined(separator: ",")
        try write(
            "\(pattern.name),\(pattern.bytes),\(pattern.polls ? "polling" : "blocking"),\(peer),\(rival),\(round),"
                + "\(pattern.messagesASample.text(0)),\(samples.totalCount),\(percentiles),\(samples.max),\(samples.mean.text(1)),"
                + "\(measured.lost.text(4))")
    }

    private func write(_ line: String) throws { try file.write(contentsOf: Data((line + "\n").utf8)) }
}

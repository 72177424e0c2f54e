import Foundation

/// The contenders of one pattern, from the fastest to the slowest, as text.
struct PeerTable {
    private struct Line {
        var row: Results.Row
        var measurements: [Results.Measurement]
        var calls: Double?
        /// How many times as fast ours is, round by round; nil: nothing to compare with.
        var advantage: Spread?

        var cost: Double
    }

    private let pattern: Results.Pattern
    private let lines: [Line]
    private let absences: [Results.Absence]
    /// Who the others are compared with.
    private let baseline: String

    init(_ pattern: Results.Pattern, of results: Results) {
        self.pattern = pattern
        let baseline = results.baseline ?? Contender.baseline.name
        self.baseline = baseline
        let all = results.measurements.filter { $0.pattern == pattern.id }
        let ours = Dictionary(
            all.filter { $0.contender == baseline }.map { ($0.round, $0.cost(pattern.figure)) }, uniquingKeysWith: { $1 })
        absences = results.absences.filter { $0.pattern == pattern.id }
        lines = results.contenders.compactMap { row in
            let measurements = all.filter { $0.contender == row.name }
            guard !measurements.isEmpty else { return nil }
            let ratios = measurements.compactMap { theirs in ours[theirs.round].map { theirs.cost(pattern.figure) / $0 } }
            return Line(
                row: row, measurements: measurements,
                calls: results.calls.first { $0.pattern == pattern.id && $0.contender == row.name }?.perMessage,
                advantage: row.name == baseline || ratios.isEmpty ? nil : Spread(ratios),
                cost: Spread(measurements.map { $0.cost(pattern.figure) }).median)
        }.sorted { $0.cost < $1.cost }
    }

    /// Who beats ours, for the summary; references cannot be beaten.
    var beatenBy: [String] {
        lines.filter { $0.row.role == .peer && ($0.advantage?.median ?? 1) < 0.995 }
            .map { "\($0.row.name) (\(($0.advantage?.median ?? 1).text(2)))" }
    }

    func show(of results: Results) {
        guard !lines.isEmpty else { return }
        print("\n\(pattern.title)")
        print("  timed: \(pattern.timed)")
        let cpu = pattern.charged == .all ? "CPU ns" : "its CPU"
        print(columns("", "p50 ns", "(least to greatest)", "p99 ns", "p99.9 ns", "M/s", cpu, "calls", "\(baseline) is"))
        for line in lines { print(text(line)) }
        // Of references it is of no interest where they are not.
        let references = Set(results.contenders.filter { $0.role == .reference }.map(\.name))
        let named = absences.filter { !references.contains($0.contender) || $0.failed }
        for why in named.map(\.why).uniqued() {
            let names = named.filter { $0.why == why }.map(\.contender).joined(separator: ", ")
            print("  not measured: \(names): \(why)")
        }
    }

    private func text(_ line: Line) -> String {
        func middle(_ figure: (Results.Measurement) -> Double) -> Spread { Spread(line.measurements.map(figure)) }
        func short(_ nanoseconds: Double) -> String { nanoseconds.text(nanoseconds < 100 ? 1 : 0) }
        let p50 = middle(\.p50)
        let rate = line.measurements[0].messagesASecond == nil ? "" : (middle { $0.messagesASecond ?? 0 }.median / 1e6).text(2)
        var verdict = ""
        if let advantage = line.advantage {
            verdict = "\(advantage.median.text(2)) times as fast (\(advantage.least.text(2)) to \(advantage.greatest.text(2)))"
            if line.row.role == .peer, advantage.median < 0.995 { verdict += ", beaten" }
        }
        let (lost, unsent) = (middle(\.lost).median, middle(\.unsent).median)
        if lost > 0 { verdict += "; \((lost * 100).text(1)) % lost" }
        if unsent > 0.01 { verdict += "; falls behind, \((unsent * 100).text(0)) % not sent in time" }
        return columns(
            (line.row.role == .ours ? "* " : line.row.role == .reference ? "- " : "  ") + line.row.name, short(p50.median),
            "(\(short(p50.least)) to \(short(p50.greatest)))", short(middle(\.p99).median), short(middle(\.p999).median), rate,
            line.measurements[0].cpu == nil ? "" : short(middle { $0.cpu(pattern.charged) ?? 0 }.median),
            line.calls?.text(2) ?? "", verdict)
    }

    private func columns(
        _ name: String, _ p50: String, _ spread: String, _ p99: String, _ p999: String, _ rate: String, _ cpu: String, _ calls: String,
        _ verdict: String
    ) -> String {
        func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        return left(name, 18) + right(p50, 9) + " " + left(spread, 21) + right(p99, 10) + right(p999, 11) + right(rate, 8)
            + right(cpu, 9) + right(calls, 7) + "  " + verdict
    }
}

extension [String] {
    /// Each once, in order.
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}

extension Results {
    func show() {
        for pattern in patterns { PeerTable(pattern, of: self).show(of: self) }
        let baseline = baseline ?? Contender.baseline.name
        print("\n*: ours; -: a reference, which nobody can beat and nobody would use. Calls are system calls a message, of both sides.")
        print("CPU: user and system, a message, of both sides; its CPU: of the reader, where the writer only waits for when to send.")
        let missing = contenders.filter { $0.missing != nil }
        for row in missing { print("\(row.name) is not here: \(row.missing ?? "")") }
        let lost = patterns.map { ($0.title, PeerTable($0, of: self).beatenBy) }.filter { !$0.1.isEmpty }
        print(lost.isEmpty ? "\(baseline) is beaten in none of these." : "\(baseline) is beaten, and is so many times as fast:")
        for (title, peers) in lost { print("  \(title): \(peers.joined(separator: ", "))") }
    }
}

/// What CMailslots has to reach in a pattern, against one contender or against every peer: a bound on the median of the ratios round by
/// round.
struct PeerGoal {
    enum Rival {
        case one(String)
        /// Itself, in another pattern of the same run.
        case itself(pattern: String)
        /// Nobody who delivers everything in time may be faster.
        case everybody
    }

    /// What is compared.
    enum Figure: String {
        /// What the pattern's tables are sorted by: p50, or messages a second.
        case main = ""
        case p50 = ", p50"
        case p99 = ", p99"

        func cost(_ measurement: Results.Measurement, _ figure: PeerPattern.Figure) -> Double {
            switch self {
            case .main: measurement.cost(figure)
            case .p50: measurement.p50
            case .p99: measurement.p99
            }
        }
    }

    struct Verdict {
        enum Outcome: String {
            case reached = "reached"
            case missed = "MISSED"
            case skipped = "skipped"
        }

        var outcome: Outcome
        /// The goal, and by how much; or why it could not be judged.
        var words: String
    }

    var pattern: String
    var figure = Figure.main
    var rival: Rival
    /// At most: of our time to theirs. At least: how many times as fast we are.
    var bound: Bound

    /// Less is beaten: what the tables call so, too.
    private static let even = 0.995

    // MARK: the list

    static let all = roundTrips + oneWays + paced + beatenByNobody

    private static let (exclusive, concurrent) = ("aeron-ipc", "aeron-concurrent")

    private static let roundTrips = [
        PeerGoal(pattern: "round-trip-spinning-32", rival: .one("cache-line"), bound: .atMost(1.10)),
        PeerGoal(pattern: "round-trip-spinning-32", rival: .one(exclusive), bound: .atMost(0.95)),
        PeerGoal(pattern: "round-trip-spinning-32", rival: .one("bare-ring"), bound: .atMost(0.87)),
        PeerGoal(pattern: "round-trip-mixed", rival: .itself(pattern: "round-trip-spinning-32"), bound: .atMost(1.08)),
        PeerGoal(pattern: "round-trip-mixed", rival: .one(exclusive), bound: .atMost(0.95)),
        PeerGoal(pattern: "round-trip-spinning-424", rival: .one(exclusive), bound: .atMost(0.95)),
        PeerGoal(pattern: "round-trip-spinning-424", rival: .one("eventfd-ring"), bound: .atMost(0.95)),
    ]

    private static let oneWays =
        [
            PeerGoal(pattern: "one-way-32", rival: .one(exclusive), bound: .atLeast(1.1)),
            PeerGoal(pattern: "one-way-spinning", rival: .one(exclusive), bound: .atLeast(1.0)),
            PeerGoal(pattern: "one-way-424", rival: .one(exclusive), bound: .atLeast(1.8)),
            PeerGoal(pattern: "one-way-424", rival: .one("eventfd-ring"), bound: .atLeast(1.15)),
        ]
        + ["writers-2", "writers-4", "writers-8", "writers-32"].flatMap { pattern in
            [exclusive, concurrent].map { PeerGoal(pattern: pattern, rival: .one($0), bound: .atLeast(1.6)) }
        }

    private static let paced = ["paced-10000", "paced-100000", "paced-1000000"].flatMap { pattern in
        [Figure.p50, .p99].map { PeerGoal(pattern: pattern, figure: $0, rival: .everybody, bound: .atLeast(even)) }
    }

    private static let beatenByNobody = [
        "slow-reader", "burst", "waking", "round-trip-spinning-0", "round-trip-spinning-8", "round-trip-spinning-32",
        "round-trip-spinning-128", "one-way-0", "one-way-8", "one-way-32", "one-way-128",
    ].map { PeerGoal(pattern: $0, rival: .everybody, bound: .atLeast(even)) }

    // MARK: judging

    func verdict(in results: Results) -> Verdict {
        let title = (results.patterns.first { $0.id == pattern }?.title ?? pattern) + figure.rawValue
        guard !results.cells(pattern, results.baselineName).isEmpty else {
            return Verdict(outcome: .skipped, words: "\(title): not measured in this run")
        }
        switch rival {
        case .one(let name): return verdict(in: results, title, against: name, pattern, "\(name)'s \(parts.what)")
        case .itself(let other):
            let name = results.patterns.first { $0.id == other }?.title ?? other
            return verdict(in: results, title, against: results.baselineName, other, "its own \(parts.what) in “\(name)”")
        case .everybody: return verdictAgainstAll(in: results, title)
        }
    }

    private func verdict(in results: Results, _ title: String, against rival: String, _ other: String, _ what: String) -> Verdict {
        guard let ratios = ratios(in: results, against: rival, other) else {
            return Verdict(outcome: .skipped, words: "\(title): \(results.absence(of: rival, in: other))")
        }
        let isReached = bound.allows(ratios.median)
        let spread = "\(ratios.median.text(2)) (\(ratios.least.text(2)) to \(ratios.greatest.text(2)))"
        let by = "by \((abs(ratios.median / parts.limit - 1) * 100).text(1)) %"
        return Verdict(
            outcome: isReached ? .reached : .missed,
            words: "\(title): \(spread) times \(what), goal \(bound): \(isReached ? "reached" : "missed") \(by)")
    }

    private func verdictAgainstAll(in results: Results, _ title: String) -> Verdict {
        let peers = results.contenders.filter { $0.role == .peer }
        let unsent = results.median(pattern, results.baselineName, \.unsent)
        if unsent > Self.unsentMax {
            let words = "\(title): falls behind, \((unsent * 100).text(0)) % not sent in time: missed"
            return Verdict(outcome: .missed, words: words)
        }
        let isSlowReader = results.patterns.first { $0.id == pattern }?.kind == PeerPattern.Kind.slowReader.rawValue
        var notes: [String] = []
        var rivals: [(name: String, ratio: Double)] = []
        for name in peers.map(\.name) {
            guard let ratios = ratios(in: results, against: name, pattern) else { continue }
            // It did not do what was asked.
            if results.median(pattern, name, \.lost) > 0 {
                notes.append("\(name) loses messages and does not count")
            } else if isSlowReader, results.median(pattern, name, { $0.messagesASecond ?? 0 }) > Self.slowReaderMax {
                notes.append("\(name) stores what its reader has no time for and does not count")
            } else if results.median(pattern, name, \.unsent) > Self.unsentMax {
                notes.append("\(name) falls behind and does not count")
            } else {
                rivals.append((name, ratios.median))
            }
        }
        let missing = peers.filter { $0.missing != nil }.map(\.name)
        if !missing.isEmpty { notes.append("not here: \(missing.joined(separator: ", "))") }
        let note = notes.map { "; \($0)" }.joined()
        guard let nearest = rivals.min(by: { $0.ratio < $1.ratio }) else {
            return Verdict(outcome: .skipped, words: "\(title): there is nobody to compare with\(note)")
        }
        let beating = rivals.filter { !bound.allows($0.ratio) }.sorted { $0.ratio < $1.ratio }
        let goal = "\(title): goal beaten by nobody:"
        if beating.isEmpty {
            return Verdict(outcome: .reached, words: "\(goal) reached, \(nearest.ratio.text(2)) times as fast as \(nearest.name)\(note)")
        }
        let by = beating.map { "\(((1 - $0.ratio) * 100).text(1)) % against \($0.name)" }.joined(separator: ", ")
        return Verdict(outcome: .missed, words: "\(goal) missed by \(by)\(note)")
    }

    /// A reader that works for each message takes no more in a second, but for what fits into the channel when it ends. Who sends more
    /// holds no writer back in the time that a measurement takes, which is what the pattern asks for.
    private static let slowReaderMax = 1.05 * 1e9 / Double(PeerPattern.workNanoseconds)

    /// What the tables say “falls behind” of.
    private static let unsentMax = 0.01

    private var parts: (what: String, limit: Double) {
        switch bound {
        case .none: ("", 1)
        case .atMost(let limit): ("time", limit)
        case .atLeast(let limit): ("messages a second", limit)
        }
    }

    /// Round by round. nil: one of the two was not measured.
    private func ratios(in results: Results, against rival: String, _ other: String) -> Spread? {
        let (ours, theirs) = (costs(in: results, pattern, results.baselineName), costs(in: results, other, rival))
        let ratios = theirs.compactMap { round, cost -> Double? in
            guard let own = ours[round] else { return nil }
            if case .atMost = bound { return own / cost }
            return cost / own
        }
        return ratios.isEmpty ? nil : Spread(ratios)
    }

    private func costs(in results: Results, _ pattern: String, _ contender: String) -> [Int: Double] {
        guard let main = results.patterns.first(where: { $0.id == pattern })?.figure else { return [:] }
        let cells = results.cells(pattern, contender).map { ($0.round, figure.cost($0, main)) }
        return Dictionary(cells, uniquingKeysWith: { $1 })
    }
}

extension Results {
    var baselineName: String { baseline ?? Contender.baseline.name }

    func cells(_ pattern: String, _ contender: String) -> [Measurement] {
        measurements.filter { $0.pattern == pattern && $0.contender == contender }
    }

    func median(_ pattern: String, _ contender: String, _ figure: (Measurement) -> Double) -> Double {
        Spread(cells(pattern, contender).map(figure)).median
    }

    /// Why there is no measurement.
    fileprivate func absence(of contender: String, in pattern: String) -> String {
        if let missing = contenders.first(where: { $0.name == contender })?.missing { return "\(contender) is not here: \(missing)" }
        let why = absences.first { $0.contender == contender && $0.pattern == pattern }?.why
        return "\(contender) was not measured\(why.map { ": \($0)" } ?? " in this run")"
    }

    /// True: no goal is missed, and at least one could be judged.
    func judgeGoals() -> Bool {
        let verdicts = PeerGoal.all.map { $0.verdict(in: self) }
        print("\nGoals: of the median of the ratios round by round, with the least and the greatest")
        for verdict in verdicts { print("  \(verdict.outcome.rawValue.padded(to: 8)) \(verdict.words)") }
        func count(_ outcome: PeerGoal.Verdict.Outcome) -> Int { verdicts.count { $0.outcome == outcome } }
        print("\(count(.reached)) goals reached, \(count(.missed)) missed, \(count(.skipped)) skipped")
        return count(.missed) == 0 && count(.reached) > 0
    }
}

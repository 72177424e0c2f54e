/// What the bridge has to reach: how many times as fast as another it is, in a pattern.
struct Goal {
    var pattern: String
    var against: String
    var atLeast: Double
    var meaning: String

    static let all = [
        Goal(pattern: "one-way-424", against: "udp-loopback", atLeast: 8, meaning: "424 B a second, against one call a message"),
        Goal(pattern: "one-way-32", against: "udp-loopback", atLeast: 25, meaning: "32 B a second, against one call a message"),
        Goal(pattern: "one-way-424", against: "nats", atLeast: 3, meaning: "424 B a second, against NATS"),
        Goal(pattern: "one-way-32", against: "nats", atLeast: 3, meaning: "32 B a second, against NATS"),
        Goal(pattern: "round-trip-mixed", against: "nats", atLeast: 2, meaning: "round trip, against NATS"),
        // The same code: what is left is how far two runs of it differ.
        Goal(pattern: "writes", against: Contender.baseline.name, atLeast: 0.9, meaning: "a write to an outbox, against a local write"),
    ]

    /// Round by round. nil: one of the two was not measured.
    func ratios(in results: Results) -> Spread? {
        guard let figure = results.patterns.first(where: { $0.id == pattern })?.figure else { return nil }
        func costs(_ name: String) -> [Int: Double] {
            let cells = results.measurements.filter { $0.pattern == pattern && $0.contender == name }
            return Dictionary(cells.map { ($0.round, $0.cost(figure)) }, uniquingKeysWith: { $1 })
        }
        let ours = costs(results.baseline ?? Contender.baseline.name)
        let ratios = costs(against).compactMap { round, cost in ours[round].map { cost / $0 } }
        return ratios.isEmpty ? nil : Spread(ratios)
    }
}

extension Results {
    func showGoals() {
        print("\nGoals: times as fast, the median of the ratios round by round")
        for goal in Goal.all {
            guard let ratios = goal.ratios(in: self) else {
                print("  \(goal.meaning): not measured")
                continue
            }
            let spread = "\(ratios.median.text(2)) (\(ratios.least.text(2)) to \(ratios.greatest.text(2)))"
            print("  \(goal.meaning): \(spread); goal \(goal.atLeast.text(1)): \(ratios.median >= goal.atLeast ? "reached" : "MISSED")")
        }
    }

    /// Whose CPU time a message takes, where it passes through several processes.
    func showProcesses() {
        print("\nCPU of each process, ns a message that was read: writers, reader, server, second server; what was lost is in the writers'")
        print("and the servers'. Of the bridge: writers, reader, the sending bridge, the receiving bridge")
        for pattern in patterns where pattern.charged == .all {
            print("  \(pattern.title)")
            for row in contenders {
                let cells = measurements.filter { $0.pattern == pattern.id && $0.contender == row.name }.compactMap(\.cpu)
                guard let first = cells.first else { continue }
                let medians = first.indices.map { place in Spread(cells.map { $0[place] }).median }
                let text = medians.enumerated().filter { $0.offset < 2 || $0.element > 0 }.map { $0.element.text(0) }
                print("    \(row.name): \(text.joined(separator: " + "))")
            }
        }
    }

    func showSealCosts() {
        guard let sealCosts else { return }
        print("\nSealing and opening alone, one thread, ns a datagram (least to greatest)")
        for cost in sealCosts {
            func text(_ figures: [Double]) -> String {
                let spread = Spread(figures)
                return "\(spread.median.text(0)) (\(spread.least.text(0)) to \(spread.greatest.text(0)))"
            }
            print("  \(cost.recordBytes) bytes of records: seal \(text(cost.seal)), open \(text(cost.open))")
        }
    }
}

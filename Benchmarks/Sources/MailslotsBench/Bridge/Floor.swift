/// What a message through two bridges costs at least: two mailslots, its own machine's outbox and the one that it is for, each written and read
/// once; and its share of sealing a full datagram and of opening it. Nothing is counted for packing, for the network, and for falling asleep.
struct Floor {
    /// Nanoseconds of CPU, a message.
    var mailslot: Double
    var sealing: Double

    var total: Double { 2 * mailslot + sealing }

    /// A record's header and the name of the benchmark's mailslots, in bytes.
    private static let recordOverhead = 22

    /// nil: what it is made of was not measured.
    init?(of pattern: PeerPattern, in results: Results) {
        let local = results.measurements.filter { $0.pattern == pattern.id && $0.contender == Contender.baseline.name }.compactMap(\.cpu)
        let full = results.sealCosts?.min { abs($0.recordBytes - Self.recordBytes) < abs($1.recordBytes - Self.recordBytes) }
        guard !local.isEmpty, let full else { return nil }
        mailslot = Spread(local.map { $0.reduce(0, +) }).median
        let messages = Self.recordBytes / (Int(pattern.bytes) + Self.recordOverhead)
        sealing = (Spread(full.seal).median + Spread(full.open).median) / Double(messages)
    }

    /// Of a full datagram.
    private static var recordBytes: Int { SealCost.recordBytes.max() ?? 0 }
}

extension Results {
    /// What each goal leaves for a message, beside the least that it costs.
    func showFloors() {
        print("\nThe least that a message through two bridges can cost, ns of CPU: twice that of a local one, and its share of sealing and opening")
        for goal in Goal.all where goal.against == "udp-loopback" {
            guard let pattern = PeerPattern.bridge.first(where: { $0.id == goal.pattern }), let floor = Floor(of: pattern, in: self) else {
                continue
            }
            let rates = measurements.filter { $0.pattern == goal.pattern && $0.contender == goal.against }.compactMap(\.messagesASecond)
            guard !rates.isEmpty else { continue }
            // Both CPUs, for as long as a message may take.
            let allowed = 2e9 / (Spread(rates).median * goal.atLeast)
            print(
                """
                  \(pattern.title): 2 * \(floor.mailslot.text(0)) + \(floor.sealing.text(0)) = \(floor.total.text(0)). \
                \(goal.atLeast.text(0)) times as fast as one call a message allows \(allowed.text(0)) on two CPUs\
                \(floor.total > allowed ? ": less" : "")
                """)
        }
    }
}

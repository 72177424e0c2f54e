/// What the parts of a message's way through two bridges cost by themselves: two mailslots, the outbox and the one that it is for, each
/// written and read once; and its share of sealing a full datagram and of opening it. Not packing, not the network, not falling asleep.
struct Parts {
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
    /// Beside what a goal leaves for all.
    func showParts() {
        print("\nTwo local messages, and a message's share of sealing and opening, alone, beside what a goal leaves; ns of CPU")
        for goal in Goal.all where goal.against == "udp-loopback" {
            guard let pattern = PeerPattern.bridge.first(where: { $0.id == goal.pattern }), let parts = Parts(of: pattern, in: self) else {
                continue
            }
            let rates = measurements.filter { $0.pattern == goal.pattern && $0.contender == goal.against }.compactMap(\.messagesASecond)
            guard !rates.isEmpty else { continue }
            // Both CPUs, for as long as a message may take.
            let allowed = 2e9 / (Spread(rates).median * goal.atLeast)
            print(
                """
                  \(pattern.title): 2 * \(parts.mailslot.text(0)) + \(parts.sealing.text(0)) = \(parts.total.text(0)); \
                \(goal.atLeast.text(0)) times as fast as one call a message is \(allowed.text(0)) on two CPUs
                """)
        }
    }
}

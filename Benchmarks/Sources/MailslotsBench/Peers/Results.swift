/// Everything that one or several runs brought, as results.json keeps it. Times are in nanoseconds, and one way divided by the messages
/// that were timed together.
struct Results: Codable {
    static let format = 1

    /// One run of this program.
    struct Session: Codable {
        var number: Int
        var begun: String
        var ended: String
        var command: String
        var cpus: [UInt32]
        var rounds: Int
        var quick: Bool
        var loadBefore: String
        var loadAfter: String
        var machine: [Machine.Fact]
    }

    struct Row: Codable, Equatable {
        var name: String
        var role: Contender.Role
        var settings: String
        var version: String?
        /// What to do to have it measured.
        var missing: String?
    }

    struct Pattern: Codable {
        var id: String
        var title: String
        var timed: String
        var kind: String
        var figure: PeerPattern.Figure
        var charged: PeerPattern.Charged
        var bytes: UInt32
        var writers: UInt32
        var messagesASecond: Double
    }

    /// What a contender did in one round of a pattern.
    struct Measurement: Codable {
        var pattern: String
        var contender: String
        /// Contenders are compared within a round, for they were measured one after the other.
        var round: Int
        var session: Int
        var samples: Int
        var p50: Double
        var p90: Double
        var p99: Double
        var p999: Double
        var max: Double
        var mean: Double
        /// nil where the pattern says how many there are.
        var messagesASecond: Double?
        /// 0 to 1: of what was sent; and of what was due.
        var lost: Double
        var unsent: Double
        /// A message: of the writers, the reader, a server, and a second one. nil: not measured.
        var cpu: [Double]?
        /// The histogram: times, and how many samples; to one part in a hundred.
        var points: [[Double]]
    }

    /// System calls a message.
    struct Calls: Codable {
        var pattern: String
        var contender: String
        var perMessage: Double
    }

    /// Who is not in a pattern, and why. It failed, or the pattern cannot be asked of it.
    struct Absence: Codable, Equatable {
        var pattern: String
        var contender: String
        var why: String
        var failed: Bool
    }

    var format = Results.format
    /// The contender that all others are compared with. nil: CMailslots.
    var baseline: String?
    var sessions: [Session] = []
    var contenders: [Row] = []
    var patterns: [Pattern] = []
    var measurements: [Measurement] = []
    var calls: [Calls] = []
    var absences: [Absence] = []
    /// Of `mailslots-bench bridge`: sealing and opening alone.
    var sealCosts: [SealCost]?

    // MARK: adding

    mutating func add(_ contender: Contender) {
        let row = Row(
            name: contender.name, role: contender.role, settings: contender.settings, version: contender.version,
            missing: contender.missing)
        if let place = contenders.firstIndex(where: { $0.name == row.name }) { contenders[place] = row } else { contenders.append(row) }
    }

    mutating func add(_ pattern: PeerPattern) {
        guard !patterns.contains(where: { $0.id == pattern.id }) else { return }
        patterns.append(
            Pattern(
                id: pattern.id, title: pattern.title, timed: pattern.timed, kind: pattern.kind.rawValue, figure: pattern.figure,
                charged: pattern.charged, bytes: pattern.bytes, writers: pattern.writers, messagesASecond: pattern.messagesASecond))
        let order = (PeerPattern.all + PeerPattern.bridge).map(\.id)
        patterns.sort { order.firstIndex(of: $0.id) ?? .max < order.firstIndex(of: $1.id) ?? .max }
    }

    mutating func add(_ absence: Absence) {
        if !absences.contains(absence) { absences.append(absence) }
    }

    mutating func setCalls(_ pattern: PeerPattern, _ contender: Contender, _ perMessage: Double) {
        calls.removeAll { $0.pattern == pattern.id && $0.contender == contender.name }
        calls.append(Calls(pattern: pattern.id, contender: contender.name, perMessage: perMessage))
    }

    /// The first round that nobody has measured yet.
    var nextRound: Int { (measurements.map(\.round).max() ?? -1) + 1 }
}

extension Results.Measurement {
    init(_ pattern: PeerPattern, _ contender: Contender, round: Int, session: Int, _ moved: Run.Moved) {
        let samples = moved.samples
        func time(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / pattern.messagesASample }
        func percentile(_ percent: Double) -> Double { time(samples.valueAtPercentile(percent)) }
        var coarse = Samples(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .two)
        for value in samples.recordedValues() { coarse.record(value.value, count: value.count) }
        let mean = samples.mean / pattern.messagesASample
        let cpu = moved.cpuNanoseconds
        self.init(
            pattern: pattern.id, contender: contender.name, round: round, session: session, samples: Int(samples.totalCount),
            p50: percentile(50), p90: percentile(90), p99: percentile(99), p999: percentile(99.9), max: time(samples.max),
            mean: mean, messagesASecond: pattern.figure == .rate ? 1e9 / mean : nil, lost: moved.lost, unsent: moved.unsent,
            cpu: contender.pointer == nil ? nil : cpu.map { $0 / moved.messages },
            points: coarse.recordedValues().map { [time($0.value), Double($0.count)] })
    }

    /// CPU time of a message, of whom the pattern charges.
    func cpu(_ charged: PeerPattern.Charged) -> Double? {
        cpu.map { charged == .all ? $0.reduce(0, +) : $0.dropFirst().reduce(0, +) }
    }

    /// What it is compared by; the less, the better.
    func cost(_ figure: PeerPattern.Figure) -> Double { figure == .latency ? p50 : 1e9 / (messagesASecond ?? 0) }
}

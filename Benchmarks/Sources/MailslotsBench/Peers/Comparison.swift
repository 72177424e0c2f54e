import CBenchmarks

/// Every contender in every pattern, in rounds: in each, all are measured one after the other, so that a machine that changes its mood
/// changes it for all; every other round backwards, for who comes second finds the caches as the first left them.
struct Comparison {
    let run: Run
    let patterns: [PeerPattern]
    let contenders: [Contender]
    let rounds: Int
    let stallNanoseconds: UInt64
    let session: Int
    let firstRound: Int
    let countsCalls: Bool
    /// How often each was not done in time; who is too slow twice is not tried again.
    private var slow: [String: Int] = [:]
    private let budget: Budget
    private var progress = Progress()

    private static let slowMax = 2
    private static let countingMilliseconds: UInt64 = 20

    init(
        run: Run, patterns: [PeerPattern], contenders: [Contender], rounds: Int, minutes: Double, stallNanoseconds: UInt64,
        session: Int, firstRound: Int, countsCalls: Bool = true
    ) {
        (self.run, self.patterns, self.contenders, self.rounds) = (run, patterns, contenders, rounds)
        (self.stallNanoseconds, self.session, self.firstRound) = (stallNanoseconds, session, firstRound)
        self.countsCalls = countsCalls
        let cells = patterns.map { pattern in contenders.filter { $0.obstacle(pattern) == nil }.count }.reduce(0, +)
        budget = Budget(minutes: minutes, measurements: cells * (rounds + (countsCalls ? 1 : 0)))
    }

    /// Calls `save` after every pattern. Throws only what ends everything.
    mutating func run(into results: inout Results, save: (Results) throws -> Void) throws {
        defer { progress.end() }
        for (number, pattern) in patterns.enumerated() {
            results.add(pattern)
            progress.pattern("[\(number + 1)/\(patterns.count)] \(pattern.title)")
            try measure(pattern, into: &results)
            try save(results)
        }
    }

    private mutating func measure(_ pattern: PeerPattern, into results: inout Results) throws {
        var able: [Contender] = []
        for contender in contenders {
            if let why = contender.obstacle(pattern) {
                results.add(Results.Absence(pattern: pattern.id, contender: contender.name, why: why, failed: false))
            } else if slow[contender.name, default: 0] >= Self.slowMax {
                budget.drop(rounds + 1)
                let why = "not tried again after it was too slow \(Self.slowMax) times"
                results.add(Results.Absence(pattern: pattern.id, contender: contender.name, why: why, failed: true))
            } else {
                able.append(contender)
            }
        }
        for round in 0..<rounds {
            let milliseconds = budget.milliseconds()
            for contender in round % 2 == 0 ? able : able.reversed() {
                progress.step("round \(round + 1) of \(rounds), \(contender.name); \(budget.secondsLeft(milliseconds)) s left")
                do {
                    let moved = try budget.spend(milliseconds) { try once(pattern, contender, milliseconds) }
                    results.measurements.append(
                        Results.Measurement(pattern, contender, round: firstRound + round, session: session, moved))
                } catch let failure as BenchmarkFailure {
                    try note(failure, pattern, contender, in: &results)
                    able.removeAll { $0.name == contender.name }
                    budget.drop(rounds - round)
                }
            }
        }
        for contender in able where countsCalls {
            progress.step("counting system calls, \(contender.name)")
            // Who moves messages and cannot be counted has its other figures still.
            let calls = try? budget.spend(Self.countingMilliseconds) { try callsPerMessage(pattern, contender) }
            if let calls { results.setCalls(pattern, contender, calls) }
            if bench_caught_signal() != 0 { throw BenchmarkFailure.interrupted(bench_caught_signal()) }
        }
    }

    /// A failure of one contender; throws again what is not.
    private mutating func note(
        _ failure: BenchmarkFailure, _ pattern: PeerPattern, _ contender: Contender, in results: inout Results
    ) throws {
        switch failure {
        case .interrupted, .noMemory: throw failure
        case .tookTooLong: slow[contender.name, default: 0] += 1
        default: break
        }
        progress.note("\(pattern.title): \(failure)")
        results.add(Results.Absence(pattern: pattern.id, contender: contender.name, why: "\(failure)", failed: true))
    }

    private func once(_ pattern: PeerPattern, _ contender: Contender, _ milliseconds: UInt64) throws -> Run.Moved {
        var load = pattern.load(milliseconds: milliseconds)
        load.stallNanoseconds = stallNanoseconds
        let (first, second) = contender.sides(for: pattern)
        return contender.pointer == nil
            ? try run.measure(contender.name, nil, load, polls: true, bench_memcpy_one_way, nil)
            : try run.measure(contender.name, contender.pointer(for: pattern), load, polls: pattern.polls, first, second)
    }

    /// Blocking, of the pattern itself. Polling, of a message that is there at the first poll: how often one polls for it is a question
    /// of time, and the counting takes time. nil: where that time would change what is counted.
    private func callsPerMessage(_ pattern: PeerPattern, _ contender: Contender) throws -> Double? {
        guard let peer = contender.pointer(for: pattern), pattern.writers == 1, pattern.messagesASecond <= 10_000 else { return nil }
        if pattern.polls {
            let load = Run.Load(messageBytes: pattern.bytes, warmUp: 10, messages: 100, secondsMax: PeerPattern.secondsMax)
            return try run.callsPerMessage(contender.name, peer, load, polls: true, bench_peer_in_turn, nil)
        }
        let load = pattern.load(milliseconds: Self.countingMilliseconds)
        let (first, second) = contender.sides(for: pattern)
        return try run.callsPerMessage(contender.name, peer, load, polls: false, first, second)
    }
}

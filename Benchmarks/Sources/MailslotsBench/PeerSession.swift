import CBenchmarks

/// What is done with every peer.
struct PeerPattern {
    enum Kind {
        case roundTrip
        case oneWay
        case wake
    }

    var kind: Kind
    var bytes: UInt32
    var polls: Bool

    static let all: [PeerPattern] =
        [(Kind.roundTrip, true), (.roundTrip, false), (.oneWay, true), (.oneWay, false)].flatMap { kind, polls in
            [32, 424].map { PeerPattern(kind: kind, bytes: $0, polls: polls) }
        } + [PeerPattern(kind: .wake, bytes: 32, polls: false)]

    var name: String {
        switch kind {
        case .roundTrip: "round trip"
        case .oneWay: "one way"
        case .wake: "waking"
        }
    }

    var title: String { "\(name), \(bytes) B, \(polls ? "polling" : "blocking")" }

    var timed: String {
        switch kind {
        case .roundTrip: "from before a message is sent until its answer is received, in the process that began"
        case .oneWay: "in the reader, for each \(BENCH_PEER_CHUNK) messages, here divided by that number"
        case .wake: "from just before a message is sent until the reader, asleep for 1.2 ms, has it"
        }
    }

    /// How many messages a sample is the time of.
    var messagesASample: Double { kind == .roundTrip ? 2 : kind == .oneWay ? Double(BENCH_PEER_CHUNK) : 1 }

    var sides: (first: Side, second: Side) {
        switch kind {
        case .roundTrip: (bench_peer_round_trip_first, bench_peer_round_trip_second)
        case .oneWay: (bench_peer_one_way_first, bench_peer_one_way_second)
        case .wake: (bench_peer_wake_first, bench_peer_wake_second)
        }
    }
}

/// One measurement of one peer.
struct PeerMeasurement {
    var samples: Samples
    /// The part of the messages that was lost, 0 to 1.
    var lost: Double

    /// In the sample that is neither among the fast nor the slow.
    func messagesASecond(_ pattern: PeerPattern) -> Double {
        pattern.messagesASample * 1e9 / Double(samples.valueAtPercentile(50))
    }
}

/// A peer and our mailslot, measured in turn.
struct PeerContest {
    var pattern: PeerPattern
    var peer: Peer
    var ours: [PeerMeasurement]
    var theirs: [PeerMeasurement]
    /// How many times as fast ours is.
    var advantage: Spread
    /// Theirs.
    var callsPerMessage: Double
}

struct PeerSession {
    let run: Run
    let rounds: Int
    /// What a measurement takes after its warm-up.
    let milliseconds: UInt64

    func measure(_ pattern: PeerPattern, _ peer: Peer) throws -> PeerContest {
        var ours: [PeerMeasurement] = []
        var theirs: [PeerMeasurement] = []
        let contest = Contest(
            title: pattern.title, timed: pattern.timed, unit: .nanoseconds, names: (Peer.mailslot.name, peer.name), bound: .none,
            a: {
                let measured = try once(pattern, .mailslot)
                ours.append(measured)
                return .p50(of: measured.samples)
            },
            b: {
                let measured = try once(pattern, peer)
                theirs.append(measured)
                return .p50(of: measured.samples)
            })
        let result = try contest.run(rounds: rounds)
        let advantage = Spread(zip(result.a, result.b).map { $1.figure / $0.figure })
        return PeerContest(
            pattern: pattern, peer: peer, ours: ours, theirs: theirs, advantage: advantage,
            callsPerMessage: try callsPerMessage(pattern, peer))
    }

    private func once(_ pattern: PeerPattern, _ peer: Peer) throws -> PeerMeasurement {
        let load = Run.Load(
            messageBytes: pattern.bytes, asleepNanoseconds: 1_200_000, durationNanoseconds: milliseconds * 1_000_000)
        let (samples, lost) = try run.samples(peer, load, polls: pattern.polls, pattern.sides.first, pattern.sides.second)
        return PeerMeasurement(samples: samples, lost: lost)
    }

    /// Blocking, of the pattern itself. Polling, of a message that is there at the first poll: how often one polls for it is a
    /// question of time, and the counting takes time.
    func callsPerMessage(_ pattern: PeerPattern, _ peer: Peer) throws -> Double {
        if pattern.polls {
            let load = Run.Load(messageBytes: pattern.bytes, warmUp: 10, messages: 100)
            return try run.callsPerMessage(peer, load, polls: true, bench_peer_in_turn, nil)
        }
        let load = Run.Load(messageBytes: pattern.bytes, asleepNanoseconds: 1_200_000, durationNanoseconds: 20_000_000)
        return try run.callsPerMessage(peer, load, polls: false, pattern.sides.first, pattern.sides.second)
    }
}

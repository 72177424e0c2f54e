import CBenchmarks

/// What is done with every contender, and what of it is the figure.
struct PeerPattern {
    enum Kind: String {
        case roundTrip, oneWay, burst, slowReader, paced, open, writes
    }

    /// Which figure a contender wins by.
    enum Figure: String, Codable {
        /// Nanoseconds; the least wins.
        case latency
        /// Messages a second; the most wins.
        case rate
    }

    var id: String
    var title: String
    /// What is timed, from where to where.
    var timed: String
    var kind: Kind
    var bytes: UInt32 = 32
    var polls = false
    var writers: UInt32 = 1
    /// How long the reader has nothing to do, so that it falls asleep.
    var asleepNanoseconds: UInt64 = 0
    var burst: UInt32 = 0
    var messagesASecond: Double = 0
    /// Also with --quick.
    var isQuick = false

    static let workNanoseconds: UInt64 = 2000
    /// What is slower than this in all is given up.
    static let secondsMax: UInt32 = 10

    var figure: Figure { kind == .oneWay || kind == .slowReader ? .rate : .latency }
    /// Whose CPU time belongs to the messages.
    enum Charged: String, Codable {
        case all
        /// The writer's is mostly waiting for when to send, or until the message has arrived.
        case reader
    }

    var charged: Charged { [.paced, .burst, .open, .writes].contains(kind) || asleepNanoseconds > 0 ? .reader : .all }
    /// Messages that a sample is the time of: what it is divided by.
    var messagesASample: Double { kind == .oneWay ? Double(BENCH_PEER_CHUNK) : kind == .writes ? Double(burst) : 1 }
    /// It is about contenders that sleep where there is nothing to do.
    var sleeps: Bool { kind == .roundTrip && !polls || kind == .burst && burst == 1 }

    var sides: (first: Side, second: Side) {
        switch kind {
        case .roundTrip: (bench_peer_round_trip_first, bench_peer_round_trip_second)
        case .oneWay: (bench_peer_one_way_first, bench_peer_one_way_second)
        case .burst: (bench_peer_burst_first, bench_peer_burst_second)
        case .slowReader: (bench_peer_slow_reader_first, bench_peer_slow_reader_second)
        case .paced: (bench_peer_paced_first, bench_peer_paced_second)
        case .open: (bench_peer_open_first, bench_peer_open_second)
        case .writes: (bench_peer_writes_first, bench_peer_slow_reader_second)
        }
    }

    func load(milliseconds: UInt64) -> Run.Load {
        Run.Load(
            messageBytes: bytes, asleepNanoseconds: asleepNanoseconds, durationNanoseconds: milliseconds * 1_000_000,
            writers: writers, secondsMax: Self.secondsMax, burst: burst,
            workNanoseconds: kind == .slowReader ? Self.workNanoseconds : 0, messagesASecond: messagesASecond)
    }

    // MARK: the list

    static let all = roundTrips + oneWays + bursts + others + paced

    private static let sizes: [UInt32] = [0, 8, 32, 128, 424]
    private static let asleep: UInt64 = 500_000

    private static var roundTrips: [PeerPattern] {
        let timed = "from before a message is sent until its answer is received, in the process that began"
        return sizes.map { bytes in
            PeerPattern(
                id: "round-trip-spinning-\(bytes)", title: "Round trip, \(bytes) B, spinning",
                timed: timed + "; no call sleeps", kind: .roundTrip, bytes: bytes, polls: true, isQuick: bytes == 32)
        } + [
            PeerPattern(
                id: "round-trip-parked", title: "Round trip, 32 B, parked",
                timed: timed + "; blocking calls, and the other side has had nothing to do for 0.5 ms",
                kind: .roundTrip, asleepNanoseconds: asleep, isQuick: true),
            PeerPattern(
                id: "round-trip-mixed", title: "Round trip, 32 B, blocking calls as they come",
                timed: timed + "; one after the other", kind: .roundTrip, isQuick: true),
        ]
    }

    private static var oneWays: [PeerPattern] {
        let timed = "in the reader, each \(BENCH_PEER_CHUNK) messages, divided by that number"
        return [
            PeerPattern(
                id: "one-way-spinning", title: "One way, 32 B, one writer, spinning", timed: timed + "; no call sleeps",
                kind: .oneWay, polls: true)
        ]
            + sizes.map { bytes in
                PeerPattern(
                    id: "one-way-\(bytes)", title: "One way, \(bytes) B, one writer", timed: timed, kind: .oneWay, bytes: bytes,
                    isQuick: bytes == 32 || bytes == 424)
            }
            + [2, 4, 8, 32].map { writers in
                PeerPattern(
                    id: "writers-\(writers)", title: "One way, 32 B, \(writers) writers",
                    timed: timed + "; the writers share the CPUs that the reader does not have", kind: .oneWay, writers: writers,
                    isQuick: writers == 8)
            }
    }

    private static var bursts: [PeerPattern] {
        [
            PeerPattern(
                id: "waking", title: "Waking, 32 B",
                timed: "from just before a message is sent until the reader, asleep for 0.5 ms, has it",
                kind: .burst, asleepNanoseconds: asleep, burst: 1, isQuick: true),
            PeerPattern(
                id: "burst", title: "Burst of 256, then idle, 32 B",
                timed: "from before a burst's first message is sent until the reader, idle for 0.5 ms before, has each message of it",
                kind: .burst, asleepNanoseconds: asleep, burst: 256, isQuick: true),
        ]
    }

    private static var others: [PeerPattern] {
        [
            PeerPattern(
                id: "open", title: "Open, write, close for each message, 32 B",
                timed: "from before the writer's end is opened until it is closed; the message has to arrive", kind: .open, isQuick: true),
            PeerPattern(
                id: "slow-reader", title: "A slow reader, 32 B",
                timed: "in the writer, each send; the reader works for 2 µs a message", kind: .slowReader, isQuick: true),
        ]
    }

    private static var paced: [PeerPattern] {
        [(10_000, "10,000"), (100_000, "100,000"), (1_000_000, "1,000,000")].map { rate, text in
            PeerPattern(
                id: "paced-\(rate)", title: "Paced, \(text) messages a second, 32 B",
                timed: "from when a message was due, sent or not, until the reader has it", kind: .paced,
                messagesASecond: Double(rate), isQuick: rate == 100_000)
        }
    }

    // MARK: the bridge

    /// Of `mailslots-bench bridge`.
    static let bridge =
        all.filter { ["one-way-32", "one-way-424", "round-trip-mixed", "writers-8", "paced-100000"].contains($0.id) } + [
            PeerPattern(
                id: "writes", title: "Writing, 32 B, where there is room",
                timed: "in the writer, a burst of 256 after 0.5 ms without anything, divided by that number; it wakes the reader once",
                kind: .writes, asleepNanoseconds: asleep, burst: 256, isQuick: true)
        ]
}

import CBenchmarks
import Histogram

/// One side of a measurement: a function that runs in a pinned process of its own.
typealias Side = @convention(c) (UnsafeMutablePointer<bench_run>?) -> Void

/// Every sample of a measurement, in nanoseconds.
typealias Samples = Histogram<UInt64>

enum BenchmarkFailure: Error, CustomStringConvertible {
    case noMemory
    case sideFailed(String, line: UInt32)
    case notMade(String)
    case tooSlow(String)

    var description: String {
        switch self {
        case .noMemory: "There is no memory for a measurement: 64 MB are needed."
        case .sideFailed(let what, let line) where line != 0: "\(what): a side gave up, at line \(line) of its C file."
        case .notMade(let what): "\(what): the system refuses to make a channel."
        case .tooSlow(let what): "\(what): too few messages came through in the time that a measurement takes."
        case .sideFailed(let what, _): "\(what): a side ended, or took longer than \(BENCH_SIDE_SECONDS_MAX) s."
        }
    }
}

/// The memory that the sides share, used for one measurement after another.
final class Run {
    private let run: UnsafeMutablePointer<bench_run>
    private let nanosecondsPerTick: Double

    init(cpus: (UInt32, UInt32)) throws {
        guard let run = bench_run_make() else { throw BenchmarkFailure.noMemory }
        self.run = run
        run.pointee.cpus = cpus
        nanosecondsPerTick = 1e9 / bench_ticks_per_second()
    }

    deinit { bench_run_free(run) }

    struct Load {
        var messageBytes: UInt32 = 32
        var warmUp: UInt64 = 0
        var messages: UInt64 = 0
        var asleepNanoseconds: UInt64 = 0
        var lanesTaken: UInt32 = 0
        var durationNanoseconds: UInt64 = 0
    }

    private func prepare(_ load: Load) throws {
        guard bench_run_reset(run) else { throw BenchmarkFailure.noMemory }
        run.pointee.message_bytes = load.messageBytes
        run.pointee.warm_up = load.warmUp
        run.pointee.messages = load.messages
        run.pointee.asleep_ns = load.asleepNanoseconds
        run.pointee.lanes_taken = load.lanesTaken
        run.pointee.duration_ns = load.durationNanoseconds
    }

    private func runSides(_ what: String, _ load: Load, _ first: Side, _ second: Side?) throws {
        try prepare(load)
        guard bench_run_sides(run, first, second) else {
            throw BenchmarkFailure.sideFailed(what, line: run.pointee.failed_line)
        }
    }

    private func takeSamples() -> Samples {
        var samples = Samples(highestTrackableValue: 60_000_000_000)
        for i in 0..<Int(run.pointee.sample_count) {
            samples.record(UInt64(Double(run.pointee.samples[i]) * nanosecondsPerTick))
        }
        return samples
    }

    /// The time of each message, or one way of each chunk.
    func samples(_ what: String, _ load: Load, _ first: Side, _ second: Side?) throws -> Samples {
        try runSides(what, load, first, second)
        return takeSamples()
    }

    /// System calls and allocations between the two marks of a side.
    func count(_ what: String, _ load: Load, _ side: Side) throws -> (systemCalls: UInt64, allocations: UInt64) {
        try prepare(load)
        guard bench_run_counting(run, side, nil) else {
            throw BenchmarkFailure.sideFailed(what, line: run.pointee.failed_line)
        }
        return (run.pointee.system_calls, run.pointee.allocations)
    }

    // MARK: peers

    private func withChannels(_ peer: Peer, _ load: Load, polls: Bool, _ body: () -> Bool) throws {
        try prepare(load)
        guard bench_peer_make(run, peer.pointer, polls) else { throw BenchmarkFailure.notMade(peer.name) }
        defer { bench_peer_remove(run) }
        guard body() else { throw BenchmarkFailure.sideFailed(peer.name, line: run.pointee.failed_line) }
    }

    /// Throws unless all messages arrive once, whole and in order.
    func check(_ peer: Peer, messageBytes: UInt32, polls: Bool) throws {
        try withChannels(peer, Load(messageBytes: messageBytes), polls: polls) {
            bench_run_sides(run, bench_peer_check_first, bench_peer_check_second)
        }
    }

    /// As `samples`, through a peer's channels; and which part of the messages was lost, 0 to 1.
    func samples(_ peer: Peer, _ load: Load, polls: Bool, _ first: Side, _ second: Side) throws -> (samples: Samples, lost: Double) {
        try withChannels(peer, load, polls: polls) { bench_run_sides(run, first, second) }
        guard run.pointee.sample_count > 0 else { throw BenchmarkFailure.tooSlow(peer.name) }
        return (takeSamples(), Double(run.pointee.lost) / Double(run.pointee.lost + run.pointee.messages_moved))
    }

    /// System calls a message, of both sides and the peer's own threads. `second` nil: one side sends and receives in turn.
    func callsPerMessage(_ peer: Peer, _ load: Load, polls: Bool, _ first: Side, _ second: Side?) throws -> Double {
        try withChannels(peer, load, polls: polls) { bench_run_counting(run, first, second) }
        guard run.pointee.messages_moved > 0 else { throw BenchmarkFailure.tooSlow(peer.name) }
        return Double(run.pointee.system_calls) / Double(run.pointee.messages_moved)
    }
}

import CBenchmarks
import FoundationEssentials
import Glibc
import Histogram

/// One side of a measurement: a function that runs in a pinned process of its own.
typealias Side = @convention(c) (UnsafeMutablePointer<bench_run>?) -> Void

/// Every sample of a measurement, in nanoseconds.
typealias Samples = Histogram<UInt64>

enum BenchmarkFailure: Error, CustomStringConvertible {
    case noMemory
    /// At a line of its C file.
    case gaveUp(String, line: UInt32, condition: String)
    case killed(String, signal: Int32)
    case tookTooLong(String, seconds: UInt32)
    case notMade(String)
    case noSamples(String)
    case interrupted(Int32)

    var description: String {
        switch self {
        case .noMemory: "There is no memory for a measurement: 64 MB are needed."
        case .gaveUp(let what, let line, let condition): "\(what): a side gave up, at line \(line) of its file\(condition)."
        case .killed(let what, let signal): "\(what): a side was killed by signal \(signal)."
        case .tookTooLong(let what, let seconds): "\(what): a side was not done after \(seconds) s."
        case .notMade(let what): "\(what): the system refuses to make a channel."
        case .noSamples(let what): "\(what): too few messages came through in the time that a measurement takes."
        case .interrupted(let signal): "Interrupted by signal \(signal)."
        }
    }
}

/// The memory that the sides share, used for one measurement after another.
final class Run {
    private let run: UnsafeMutablePointer<bench_run>
    private let nanosecondsPerTick: Double

    init(cpus: [UInt32]) throws {
        guard let run = bench_run_make() else { throw BenchmarkFailure.noMemory }
        self.run = run
        withUnsafeMutableBytes(of: &run.pointee.cpus) { places in
            cpus.withUnsafeBytes { places.copyMemory(from: $0) }
        }
        run.pointee.cpu_count = UInt32(cpus.count)
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
        var writers: UInt32 = 1
        var secondsMax: UInt32 = UInt32(BENCH_SIDE_SECONDS_MAX)
        var burst: UInt32 = 0
        var workNanoseconds: UInt64 = 0
        var messagesASecond: Double = 0
        var stallNanoseconds: UInt64 = 0
    }

    private func prepare(_ load: Load) throws {
        guard bench_run_reset(run) else { throw BenchmarkFailure.noMemory }
        run.pointee.message_bytes = load.messageBytes
        run.pointee.warm_up = load.warmUp
        run.pointee.messages = load.messages
        run.pointee.asleep_ns = load.asleepNanoseconds
        run.pointee.lanes_taken = load.lanesTaken
        run.pointee.duration_ns = load.durationNanoseconds
        run.pointee.writers = load.writers
        run.pointee.seconds_max = load.secondsMax
        run.pointee.burst = load.burst
        run.pointee.work_ns = load.workNanoseconds
        run.pointee.rate = load.messagesASecond
        run.pointee.stall_ns = load.stallNanoseconds
    }

    private func runSides(_ what: String, _ load: Load, _ first: Side, _ second: Side?) throws {
        try prepare(load)
        guard bench_run_sides(run, first, second) else { throw sideFailure(what) }
    }

    private func sideFailure(_ what: String) -> BenchmarkFailure {
        if bench_caught_signal() != 0 { return .interrupted(bench_caught_signal()) }
        if run.pointee.killed_by == SIGALRM { return .tookTooLong(what, seconds: run.pointee.seconds_max) }
        if run.pointee.killed_by != 0 { return .killed(what, signal: run.pointee.killed_by) }
        let condition = run.pointee.failed_condition.map { ", for want of `\(String(cString: $0))`" } ?? ""
        return .gaveUp(what, line: run.pointee.failed_line, condition: condition)
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
        guard bench_run_counting(run, side, nil) else { throw sideFailure(what) }
        return (run.pointee.system_calls, run.pointee.allocations)
    }

    /// Instructions between the two marks of a side, a message.
    func instructionsPerMessage(_ what: String, _ load: Load, _ side: Side) throws -> Double {
        try prepare(load)
        guard bench_run_stepping(run, side) else { throw sideFailure(what) }
        return Double(run.pointee.instructions) / Double(load.messages)
    }

    // MARK: peers

    /// What a measurement through a peer's channels brought.
    struct Moved {
        var samples: Samples
        var messages: Double
        /// 0 to 1, of what was sent, and of what was due.
        var lost: Double
        var unsent: Double
        /// CPU time of the writers, the reader, the first channel's server, and the second's if that is another.
        var cpuNanoseconds: [Double]
    }

    /// Throws unless all messages arrive once, whole and in order.
    func check(
        _ name: String, _ peer: UnsafePointer<bench_peer>, messageBytes: UInt32, polls: Bool, _ sides: (first: Side, second: Side)
    ) throws {
        try withChannels(name, peer, Load(messageBytes: messageBytes), polls: polls) {
            bench_run_sides(run, sides.first, sides.second)
        }
    }

    /// `peer` nil: the sides need no channel.
    func measure(
        _ name: String, _ peer: UnsafePointer<bench_peer>?, _ load: Load, polls: Bool, _ first: Side, _ second: Side?
    ) throws -> Moved {
        try withChannels(name, peer, load, polls: polls) { bench_run_sides(run, first, second) }
        guard run.pointee.sample_count > 0 else { throw BenchmarkFailure.noSamples(name) }
        let (moved, lost, unsent) = (Double(run.pointee.messages_moved), Double(run.pointee.lost), Double(run.pointee.unsent))
        let cpu = run.pointee.cpu_ns
        return Moved(
            samples: takeSamples(), messages: moved, lost: lost / (lost + moved), unsent: unsent / (unsent + lost + moved),
            cpuNanoseconds: [cpu.0, cpu.1, cpu.2, cpu.3].map { Double($0) })
    }

    /// System calls a message, of both sides and the peer's own threads. `second` nil: one side sends and receives in turn.
    func callsPerMessage(
        _ name: String, _ peer: UnsafePointer<bench_peer>, _ load: Load, polls: Bool, _ first: Side, _ second: Side?
    ) throws -> Double {
        try withChannels(name, peer, load, polls: polls) { bench_run_counting(run, first, second) }
        guard run.pointee.messages_moved > 0 else { throw BenchmarkFailure.noSamples(name) }
        return Double(run.pointee.system_calls) / Double(run.pointee.messages_moved)
    }

    private func withChannels(
        _ name: String, _ peer: UnsafePointer<bench_peer>?, _ load: Load, polls: Bool, _ body: () -> Bool
    ) throws {
        try prepare(load)
        guard let peer else {
            guard body() else { throw sideFailure(name) }
            return
        }
        guard bench_peer_make(run, peer, polls) else { throw BenchmarkFailure.notMade(name) }
        defer { bench_peer_remove(run) }
        guard body() else { throw sideFailure(name) }
    }
}

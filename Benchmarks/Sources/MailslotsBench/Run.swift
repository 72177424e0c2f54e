import CBenchmarks
import Histogram

/// One side of a measurement: a function that runs in a pinned process of its own.
typealias Side = @convention(c) (UnsafeMutablePointer<bench_run>?) -> Void

/// Every sample of a measurement, in nanoseconds.
typealias Samples = Histogram<UInt64>

enum BenchmarkFailure: Error, CustomStringConvertible {
    case noMemory
    case sideFailed(String, line: UInt32)

    var description: String {
        switch self {
        case .noMemory: "There is no memory for a measurement: 64 MB are needed."
        case .sideFailed(let what, let line) where line != 0: "\(what): a side gave up, at line \(line) of its C file."
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
        var warmUp: UInt64
        var messages: UInt64
        var asleepNanoseconds: UInt64 = 0
        var lanesTaken: UInt32 = 0
    }

    private func prepare(_ load: Load) throws {
        guard bench_run_reset(run) else { throw BenchmarkFailure.noMemory }
        run.pointee.message_bytes = load.messageBytes
        run.pointee.warm_up = load.warmUp
        run.pointee.messages = load.messages
        run.pointee.asleep_ns = load.asleepNanoseconds
        run.pointee.lanes_taken = load.lanesTaken
    }

    private func runSides(_ what: String, _ load: Load, _ first: Side, _ second: Side?) throws {
        try prepare(load)
        guard bench_run_sides(run, first, second) else {
            throw BenchmarkFailure.sideFailed(what, line: run.pointee.failed_line)
        }
    }

    /// The time of each message, or one way of each chunk.
    func samples(_ what: String, _ load: Load, _ first: Side, _ second: Side?) throws -> Samples {
        try runSides(what, load, first, second)
        var samples = Samples(highestTrackableValue: 60_000_000_000)
        for i in 0..<Int(run.pointee.sample_count) {
            samples.record(UInt64(Double(run.pointee.samples[i]) * nanosecondsPerTick))
        }
        return samples
    }

    /// System calls and allocations between the two marks of a side.
    func count(_ what: String, _ load: Load, _ side: Side) throws -> (systemCalls: UInt64, allocations: UInt64) {
        try prepare(load)
        guard bench_run_counting(run, side) else {
            throw BenchmarkFailure.sideFailed(what, line: run.pointee.failed_line)
        }
        return (run.pointee.system_calls, run.pointee.allocations)
    }
}

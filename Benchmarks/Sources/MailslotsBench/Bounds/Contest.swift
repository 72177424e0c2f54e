import CBenchmarks
import Histogram

/// What the ratio of a contest must keep to.
enum Bound: CustomStringConvertible {
    case none
    case atMost(Double)
    case atLeast(Double)

    func allows(_ value: Double) -> Bool {
        switch self {
        case .none: true
        case .atMost(let limit): value <= limit
        case .atLeast(let limit): value >= limit
        }
    }

    var description: String {
        switch self {
        case .none: "no bound"
        case .atMost(let limit): "at most \(limit)"
        case .atLeast(let limit): "at least \(limit)"
        }
    }
}

/// What one measurement says: its figure, and every sample where there are samples.
struct Outcome {
    var figure: Double
    var samples: Samples?

    static func p50(of samples: Samples) -> Outcome {
        Outcome(figure: Double(samples.valueAtPercentile(50)), samples: samples)
    }

    /// Messages in a second, in the chunk that is neither among the fast nor the slow.
    static func rate(ofChunks samples: Samples) -> Outcome {
        Outcome(figure: Double(BENCH_CHUNK) * 1e9 / Double(samples.valueAtPercentile(50)), samples: samples)
    }
}

/// Two rivals that are measured in turn, A B B A: each pair meets the same moods of the machine, so the ratio pair by pair
/// holds where the figures themselves do not.
struct Contest {
    enum Unit {
        case nanoseconds
        case perSecond
        case bytesPerSecond
    }

    var title: String
    /// What is timed, from where to where.
    var timed: String
    var unit: Unit
    var names: (a: String, b: String)
    var bound: Bound
    var a: () throws -> Outcome
    var b: () throws -> Outcome

    struct Result {
        var a: [Outcome] = []
        var b: [Outcome] = []

        var ratios: Spread { Spread(zip(a, b).map { $0.figure / $1.figure }) }
    }

    func run(rounds: Int) throws -> Result {
        var result = Result()
        for round in 0..<rounds {
            // Who comes second finds the memory and the caches as the first left them, so they take turns at that too.
            if round % 2 == 0 {
                result.a.append(try a())
                result.b.append(try b())
            } else {
                result.b.append(try b())
                result.a.append(try a())
            }
        }
        return result
    }
}

/// The least, the middle and the greatest of some figures.
struct Spread {
    var least: Double
    var median: Double
    var greatest: Double

    init(_ figures: [Double]) {
        let sorted = figures.sorted()
        precondition(!sorted.isEmpty, "A spread is of at least one figure.")
        least = sorted[0]
        median = sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
        greatest = sorted[sorted.count - 1]
    }
}

extension [Outcome] {
    var spread: Spread { Spread(map(\.figure)) }

    /// The samples of all rounds together.
    var samples: Samples? {
        var all: Samples?
        for samples in compactMap(\.samples) {
            if all == nil { all = samples } else { all?.add(samples) }
        }
        return all
    }
}

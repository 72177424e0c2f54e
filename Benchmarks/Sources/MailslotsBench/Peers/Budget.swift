/// How long a measurement may take, so that all of them together take no longer than was promised.
final class Budget {
    private let clock = ContinuousClock()
    private let end: ContinuousClock.Instant
    private let start: ContinuousClock.Instant
    private(set) var left: Int
    /// What measurements took beyond what they were given, on the average.
    private var overhead = Duration.milliseconds(15)

    static let milliseconds: ClosedRange<Double> = 15...300
    /// A measurement warms up for a fifth of its time.
    private static let warmUp = 1.2

    init(minutes: Double, measurements: Int) {
        start = clock.now
        end = start + .seconds(minutes * 60)
        left = measurements
    }

    /// For the next measurements, until it is asked again.
    func milliseconds() -> UInt64 {
        let share = (clock.now.duration(to: end)) / Swift.max(1, left) - overhead
        let milliseconds = share / .milliseconds(1) / Self.warmUp
        return UInt64(Swift.min(Swift.max(milliseconds, Self.milliseconds.lowerBound), Self.milliseconds.upperBound))
    }

    func spend<Result>(_ milliseconds: UInt64, _ body: () throws -> Result) rethrows -> Result {
        let before = clock.now
        defer {
            let beyond = before.duration(to: clock.now) - .milliseconds(Double(milliseconds) * Self.warmUp)
            overhead = overhead * 0.95 + Swift.max(beyond, .zero) * 0.05
            left -= 1
        }
        return try body()
    }

    /// Measurements that are not made after all.
    func drop(_ count: Int) { left -= count }

    func secondsLeft(_ milliseconds: UInt64) -> Int {
        Int((.milliseconds(Double(milliseconds) * Self.warmUp) + overhead) * left / .seconds(1))
    }
}

/// At most so many a second on average, in bursts of at most a second's worth (a token bucket).
struct RateLimit {
    private let nanosecondsEach: Int64
    private static let burst: Int64 = 1_000_000_000
    /// The time up to which everything is used. Never further back than the burst.
    private var used: Int64

    init(perSecond: Int, now: Int64) {
        nanosecondsEach = max(1, Self.burst / Int64(max(1, perSecond)))
        used = now - Self.burst
    }

    mutating func allows(now: Int64) -> Bool {
        used = max(used, now - Self.burst)
        guard used + nanosecondsEach <= now else { return false }
        used += nanosecondsEach
        return true
    }
}

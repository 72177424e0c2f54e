/// How long a bridge may wait for a mailslot that is full: at most a quarter of its time, and a millisecond at once.
///
/// A reader that waits for a CPU while the bridge has it would lose what it has not had the time to read. A reader that is stopped must
/// not hold up the others' messages: so all together wait no longer than this.
struct WaitBudget {
    private static let nanosecondsMax: Int64 = 1_000_000
    private static let share: Int64 = 4
    /// Less is not worth a sleep.
    private static let nanosecondsMin: Int64 = 50_000

    private var left = nanosecondsMax
    private var asOf = BridgeClock.monotonic

    /// `nil`, and nothing is done, if there is none left.
    mutating func spend<Result>(_ body: (_ nanoseconds: Int64) -> Result) -> Result? {
        let before = BridgeClock.monotonic
        left = min(Self.nanosecondsMax, left + (before - asOf) / Self.share)
        asOf = before
        guard left >= Self.nanosecondsMin else { return nil }
        let result = body(left)
        asOf = BridgeClock.monotonic
        left -= asOf - before
        return result
    }
}

/// What is to happen at a time of one of the system's two clocks.
struct Alarms {
    /// An alarm, to cancel it.
    struct ID: Sendable {
        fileprivate let number: UInt64
        fileprivate let time: Time
    }

    /// A deadline. The clocks are not converted into one another: one of them goes on while the machine is suspended.
    enum Time {
        case continuous(ContinuousClock.Instant)
        case suspending(SuspendingClock.Instant)

        /// `nil`: of another clock, which only itself can wait for.
        init?<C: Clock>(_ instant: C.Instant, of clock: C) {
            switch (clock, instant) {
            case (is ContinuousClock, let instant as ContinuousClock.Instant): self = .continuous(instant)
            case (is SuspendingClock, let instant as SuspendingClock.Instant): self = .suspending(instant)
            default: return nil
            }
        }
    }

    /// The alarms of one clock, the latest first: the next to ring is at the end.
    private struct Line<C: Clock> {
        var alarms: [(deadline: C.Instant, number: UInt64, ring: @Sendable () -> Void)] = []

        /// Where the first lies that rings before this one.
        func index(_ deadline: C.Instant, _ number: UInt64) -> Int {
            var low = 0
            var high = alarms.count
            while low < high {
                let middle = (low + high) / 2
                let isLater = (alarms[middle].deadline, alarms[middle].number) > (deadline, number)
                if isLater { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func add(_ deadline: C.Instant, _ number: UInt64, _ ring: @escaping @Sendable () -> Void) {
            alarms.insert((deadline, number, ring), at: index(deadline, number))
        }

        mutating func cancel(_ deadline: C.Instant, _ number: UInt64) {
            let index = index(deadline, number)
            if index < alarms.count, alarms[index].number == number { alarms.remove(at: index) }
        }

        mutating func popDue(_ now: C.Instant) -> (@Sendable () -> Void)? {
            guard let next = alarms.last, next.deadline <= now else { return nil }
            return alarms.removeLast().ring
        }
    }

    private var continuous = Line<ContinuousClock>()
    private var suspending = Line<SuspendingClock>()
    private var nextNumber: UInt64 = 0

    mutating func add(_ time: Time, _ ring: @escaping @Sendable () -> Void) -> ID {
        nextNumber += 1
        switch time {
        case .continuous(let deadline): continuous.add(deadline, nextNumber, ring)
        case .suspending(let deadline): suspending.add(deadline, nextNumber, ring)
        }
        return ID(number: nextNumber, time: time)
    }

    /// Nothing, if it has rung.
    mutating func cancel(_ alarm: ID) {
        switch alarm.time {
        case .continuous(let deadline): continuous.cancel(deadline, alarm.number)
        case .suspending(let deadline): suspending.cancel(deadline, alarm.number)
        }
    }

    /// What was to happen by now, one at a time.
    mutating func popDue() -> (@Sendable () -> Void)? {
        if !continuous.alarms.isEmpty, let ring = continuous.popDue(.now) { return ring }
        return suspending.alarms.isEmpty ? nil : suspending.popDue(.now)
    }

    /// What was to happen first of all that is left, whatever the time is.
    mutating func popNext() -> (@Sendable () -> Void)? { (continuous.alarms.popLast()?.ring) ?? (suspending.alarms.popLast()?.ring) }

    /// How long until the next; `nil`: there is none.
    var timeLeft: Duration? {
        let ofContinuous = continuous.alarms.last.map { ContinuousClock.now.duration(to: $0.deadline) }
        let ofSuspending = suspending.alarms.last.map { SuspendingClock.now.duration(to: $0.deadline) }
        guard let ofContinuous, let ofSuspending else { return ofContinuous ?? ofSuspending }
        return min(ofContinuous, ofSuspending)
    }
}

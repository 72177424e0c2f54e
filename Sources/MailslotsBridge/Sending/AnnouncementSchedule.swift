/// When a bridge says that it is there: see Announcement.swift.
struct AnnouncementSchedule {
    private let interval: Int64
    private(set) var next: Int64
    /// The next one answers somebody.
    private var isAnswering = false

    init(every interval: Duration, now: Int64) {
        self.interval = interval.nanoseconds
        next = now
    }

    func isDue(_ now: Int64) -> Bool { now >= next }

    mutating func done(_ now: Int64) {
        next = now + interval - interval / 10 + Int64.random(in: 0...interval / 5)
        isAnswering = false
    }

    /// One announcement answers all that are new; the more hosts there are, the more spread out their answers. While an answer is due no
    /// other is drawn: the earliest of many would be so early that a thousand hosts that start together would answer 25 times each.
    mutating func answerSoon(now: Int64, hostCount: Int) {
        guard !isAnswering else { return }
        isAnswering = true
        next = min(next, now + .random(in: 0...min(interval, 1_000_000 * Int64(hostCount))))
    }
}

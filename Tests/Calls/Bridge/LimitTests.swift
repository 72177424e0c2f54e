import Foundation
import Testing

@testable import MailslotsBridge

/// How much, how long and when: limits of messages, the wait for full mailslots, times of announcements.
@Suite struct LimitTests {
    private static let second: Int64 = 1_000_000_000

    // MARK: messages a second

    @Test func `a burst is a second's worth, and the rest comes evenly`() {
        var limit = RateLimit(perSecond: 10, now: 0)
        func passed(at now: Int64) -> Int { (0..<50).count { _ in limit.allows(now: now) } }
        #expect(passed(at: 0) == 10)
        #expect(passed(at: Self.second / 10 - 1) == 0)
        #expect(passed(at: Self.second / 10) == 1)
        #expect(passed(at: Self.second / 2) == 4)
        #expect(passed(at: 3600 * Self.second) == 10, "an hour saves no more than a second's worth")
    }

    // MARK: the wait budget

    @Test func `the budget is a millisecond at most, however long it was not needed`() {
        var budget = WaitBudget()
        usleep(20_000)
        #expect(budget.spend { $0 } == 1_000_000)
    }

    @Test func `a budget that was used up comes back in four times the time`() throws {
        var budget = WaitBudget()
        var (began, ended): (Int64, Int64) = (0, 0)
        let given = budget.spend { nanoseconds in
            began = BridgeClock.monotonic
            usleep(20_000)
            ended = BridgeClock.monotonic
            return nanoseconds
        }
        #expect(given == 1_000_000)
        var next: Int64?
        let watchdog = ended + 30 * Self.second
        while next == nil, BridgeClock.monotonic < watchdog { next = budget.spend { $0 } }
        // What was used above the millisecond, and the least that is given, are to come back.
        #expect(BridgeClock.monotonic - ended >= 4 * (ended - began - 1_000_000 + 50_000))
        #expect(next != nil)
    }

    @Test func `a budget that is not worth a sleep is none`() {
        for _ in 0..<50 {
            var budget = WaitBudget()
            // In small pieces, until there is none: who loses the CPU meanwhile comes to the end at once.
            for _ in 0..<100 {
                let given = budget.spend { nanoseconds in
                    let end = BridgeClock.monotonic + 30_000
                    while BridgeClock.monotonic < end {}
                    return nanoseconds
                }
                guard let given else { break }
                #expect(50_000...1_000_000 ~= given)
            }
        }
    }

    // MARK: announcements

    private static let interval: Int64 = 10_000_000_000

    private static func schedule(now: Int64 = 0) -> AnnouncementSchedule { AnnouncementSchedule(every: .seconds(10), now: now) }

    @Test func `the first announcement is due at once, the others an interval later, a tenth more or less`() {
        var schedule = Self.schedule(now: 5)
        #expect(!schedule.isDue(4) && schedule.isDue(5))
        var times: Set<Int64> = []
        for _ in 0..<200 {
            schedule.done(1000)
            #expect(1000 + Self.interval / 10 * 9...1000 + Self.interval / 10 * 11 ~= schedule.next)
            times.insert(schedule.next)
        }
        #expect(times.count > 100, "by chance")
    }

    @Test func `newcomers are answered soon, the later the more hosts there are, and together`() {
        func answers(hostCount: Int) -> [Int64] {
            (0..<200).map { _ in
                var schedule = Self.schedule()
                schedule.done(0)
                schedule.answerSoon(now: 100, hostCount: hostCount)
                return schedule.next - 100
            }
        }
        #expect(answers(hostCount: 5).allSatisfy { 0...5_000_000 ~= $0 })
        let many = answers(hostCount: 1000)
        #expect(many.allSatisfy { 0...Self.second ~= $0 } && many.contains { $0 > Self.second / 10 })
        #expect(answers(hostCount: 1_000_000).allSatisfy { 0...Self.interval ~= $0 })

        var schedule = Self.schedule()
        schedule.done(0)
        schedule.answerSoon(now: 100, hostCount: 1000)
        let drawn = schedule.next
        for _ in 0..<200 { schedule.answerSoon(now: 100, hostCount: 1000) }
        #expect(schedule.next == drawn, "one answer is for all of them")
        schedule.done(drawn)
        schedule.answerSoon(now: drawn, hostCount: 1)
        #expect(drawn...drawn + 1_000_000 ~= schedule.next, "who comes after it gets another")
    }

    @Test func `an answer does not put off what is due`() {
        var schedule = Self.schedule()
        schedule.answerSoon(now: 100, hostCount: 1000)
        #expect(schedule.next == 0)
    }
}

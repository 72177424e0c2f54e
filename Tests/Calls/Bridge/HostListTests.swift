import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// Who is there, by what announcements say.
@Suite struct HostListTests {
    static let far = name("far")
    static func name(_ host: String, domain: String = "studio") -> HostList.Name { HostList.Name(domain: domain, host: host) }
    static func session(_ number: UInt64) -> SessionID { SessionID(high: 1, low: number) }

    enum Outcome { case nothingNew, newcomer, conflict, tooMany }

    static func outcome(_ heard: HostList.Heard) -> Outcome {
        switch heard {
        case .nothingNew: .nothingNew
        case .newcomer: .newcomer
        case .conflict: .conflict
        case .tooMany: .tooMany
        }
    }

    func hear(_ hosts: HostList, _ name: HostList.Name = far, session: UInt64, isAuthenticated: Bool = true, now: Int64 = 0) -> Outcome {
        Self.outcome(
            hosts.heard(name, session: Self.session(session), isAuthenticated: isAuthenticated, now: now, realTime: UInt64(now) + 7))
    }

    @Test func `who is heard again is no newcomer, who has started anew is`() {
        let hosts = HostList()
        #expect(hear(hosts, session: 1) == .newcomer)
        let first = hosts.changes
        #expect(hear(hosts, session: 1, isAuthenticated: false, now: 5) == .nothingNew)
        #expect(hosts.changes == first)
        #expect(hosts[Self.far]?.lastHeard == 5 && hosts[Self.far]?.lastHeardReal == 12)
        #expect(hosts[Self.far]?.isAuthenticated == false, "as its last announcement was")

        #expect(hear(hosts, session: 2) == .newcomer)
        #expect(hosts.changes.newcomers == first.newcomers + 1)
        #expect(hosts.changes.comingsAndGoings == first.comingsAndGoings, "it was there all the time")
        #expect(hosts.presentCount == 1)
    }

    @Test func `two that announce themselves by one name in turn are a conflict`() {
        let hosts = HostList()
        #expect(
            [1, 2, 1, 2, 2, 1].map { hear(hosts, session: $0) } == [.newcomer, .newcomer, .conflict, .conflict, .nothingNew, .conflict])
        #expect(hear(hosts, session: 3) == .newcomer)
        #expect(hear(hosts, Self.name("far", domain: "lab"), session: 1) == .newcomer, "in another domain it is another host")
    }

    @Test func `a goodbye counts if it is of the latest session, and once`() {
        let hosts = HostList()
        #expect(!hosts.left(Self.far, session: Self.session(1)))
        _ = hear(hosts, session: 1)
        _ = hear(hosts, session: 2)
        let before = hosts.changes
        #expect(!hosts.left(Self.far, session: Self.session(1)))
        #expect(hosts.isPresent(Self.far) && hosts.changes == before)
        #expect(hosts.left(Self.far, session: Self.session(2)))
        #expect(!hosts.isPresent(Self.far) && hosts.presentCount == 0)
        #expect(hosts.changes.comingsAndGoings == before.comingsAndGoings + 1)
        #expect(!hosts.left(Self.far, session: Self.session(2)))

        #expect(hear(hosts, session: 2) == .newcomer, "it is back, and does not know that we were here all the time")
        #expect(hosts.changes.comingsAndGoings == before.comingsAndGoings + 2)
        #expect(hosts.changes.newcomers == before.newcomers + 1)
    }

    @Test func `who is not heard of is gone, once`() {
        let hosts = HostList()
        _ = hear(hosts, session: 1, now: 10)
        _ = hear(hosts, Self.name("near"), session: 2, now: 11)
        #expect(hosts.expire(before: 10) == [])
        let before = hosts.changes
        #expect(hosts.expire(before: 11) == [Self.far])
        #expect(!hosts.isPresent(Self.far) && hosts.isPresent(Self.name("near")))
        #expect(hosts.changes.comingsAndGoings == before.comingsAndGoings + 1)
        #expect(hosts.expire(before: 11) == [])
        #expect(hosts.changes.comingsAndGoings == before.comingsAndGoings + 1)

        _ = hear(hosts, Self.name("near"), session: 2, now: 20)
        #expect(hosts.expire(before: 20) == [], "what was heard last counts")
    }

    @Test func `an index is a host's for good, and no other's`() {
        let hosts = HostList()
        hosts.restore([(2, Self.name("b")), (4, Self.name("d")), (5, Self.name("b")), (HostList.countMax + 1, Self.name("x"))])
        #expect(hosts.presentCount == 0 && hosts.expire(before: .max) == [])
        #expect(hosts.name(of: 2) == Self.name("b") && hosts[Self.name("b")]?.index == 2, "the first counts")
        #expect(hosts.name(of: 5) == nil && hosts.name(of: HostList.countMax + 1) == nil && hosts[Self.name("x")] == nil)

        for host in ["p", "q", "d", "r", "b", "p"] { _ = hear(hosts, Self.name(host), session: 1) }
        #expect(["p", "q", "d", "r", "b"].map { hosts[Self.name($0)]?.index } == [1, 3, 4, 5, 2])
        #expect(hosts.name(of: 5) == Self.name("r"))
        _ = hosts.left(Self.name("q"), session: Self.session(1))
        _ = hear(hosts, Self.name("s"), session: 1)
        #expect(hosts[Self.name("s")]?.index == 6, "who is gone keeps its own")
    }

    @Test func `there are as many hosts as indices, and those that are known go on`() {
        let hosts = HostList()
        let isNew = (1...Int(HostList.countMax)).allSatisfy { hear(hosts, Self.name("host\($0)"), session: 1) == .newcomer }
        #expect(isNew)
        #expect(hosts[Self.name("host\(HostList.countMax)")]?.index == HostList.countMax)
        #expect(hear(hosts, session: 1) == .tooMany)
        #expect(hosts[Self.far] == nil && hosts.presentCount == Int(HostList.countMax))
        #expect(hear(hosts, Self.name("host7"), session: 1) == .nothingNew)
    }
}

import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

@Suite struct UDPWaysTests {
    private static let group4 = way("239.255.77.83"), group6 = way("ff02::4d53", socket: 1, byteCountMax: 1452)
    private static let host4 = way("192.0.2.7"), host6 = way("2001:db8::7", socket: 1, byteCountMax: 1452)

    private static func way(_ address: String, socket: UInt32 = 0, byteCountMax: Int = 1472) -> UDPWay {
        UDPWay(socket: socket, address: UDPAddress(address, port: 4240)!, byteCountMax: byteCountMax)
    }

    private static func ways(groups: [UDPWay] = [group4, group6], peers: [UDPWays.Peer] = []) -> UDPWays {
        UDPWays([UDPWays.Domain(name: "studio", groups: groups, peers: peers)])
    }

    private let toAll = Route(domain: 0, destination: .everyHost)
    private func to(_ host: String) -> Route { Route(domain: 0, destination: .host(host)) }

    @Test func `what is for every host goes by one family`() {
        var ways = Self.ways()
        #expect(ways.ways(to: toAll) == [Self.group4])
        #expect(ways.byteCountMax(to: toAll) == 1472)

        _ = ways.learn("render7", inDomain: 0, Self.host4)
        #expect(ways.ways(to: toAll) == [Self.group4])
    }

    @Test func `it goes by both as long as a host is heard by the other family only`() {
        var ways = Self.ways()
        _ = ways.learn("render7", inDomain: 0, Self.host6)
        #expect(ways.ways(to: toAll) == [Self.group4, Self.group6])
        #expect(ways.byteCountMax(to: toAll) == 1452)
        #expect(ways.ways(to: to("render7")) == [Self.host6])

        _ = ways.learn("render7", inDomain: 0, Self.host4)
        #expect(ways.ways(to: toAll) == [Self.group4])
        #expect(ways.ways(to: to("render7")) == [Self.host4])
    }

    @Test func `a host of both families keeps its way when an announcement comes by the other one first`() {
        var ways = Self.ways()
        _ = ways.learn("render7", inDomain: 0, Self.host4)
        for _ in 0..<UDPWays.mainSilenceMax - 1 { _ = ways.learn("render7", inDomain: 0, Self.host6) }
        #expect(ways.ways(to: to("render7")) == [Self.host4])
        #expect(ways.ways(to: toAll) == [Self.group4])

        _ = ways.learn("render7", inDomain: 0, Self.host6)
        #expect(ways.ways(to: to("render7")) == [Self.host6])
        #expect(ways.ways(to: toAll) == [Self.group4, Self.group6])

        ways.forget("render7", inDomain: 0)
        #expect(ways.ways(to: to("render7")) == [])
        #expect(ways.ways(to: toAll) == [Self.group4])
    }

    @Test func `without IPv4 the other family is the main one`() {
        var ways = Self.ways(groups: [Self.group6])
        _ = ways.learn("render7", inDomain: 0, Self.host6)
        #expect(ways.ways(to: toAll) == [Self.group6])
    }

    @Test func `a peer gets by itself what is for every host, where it was heard last`() {
        let peer = Self.way("10.0.0.9")
        var ways = Self.ways(peers: [UDPWays.Peer(host: "far", way: peer)])
        #expect(ways.ways(to: to("far")) == [peer])
        #expect(ways.ways(to: toAll) == [Self.group4, peer])

        _ = ways.learn("far", inDomain: 0, Self.host4)
        #expect(ways.ways(to: to("far")) == [Self.host4])
        #expect(ways.ways(to: toAll) == [Self.group4, Self.host4])

        ways.forget("far", inDomain: 0)
        #expect(ways.ways(to: to("far")) == [peer])
    }

    @Test func `a peer of the other family is no reason to use its groups`() {
        var ways = Self.ways(peers: [UDPWays.Peer(host: nil, way: Self.host6)])
        _ = ways.learn("far", inDomain: 0, Self.host6)
        #expect(ways.ways(to: toAll) == [Self.group4, Self.host6])
    }

    @Test func `a peer that is heard by the other family is sent to there, and is no reason to use its groups`() {
        let peer = Self.way("10.0.0.9")
        var ways = Self.ways(peers: [UDPWays.Peer(host: "far", way: peer)])
        _ = ways.learn("far", inDomain: 0, Self.host6)
        #expect(ways.ways(to: toAll) == [Self.group4, Self.host6])
    }

    @Test func `peers of one address get what is for every host once`() {
        let peer = Self.way("10.0.0.9")
        let ways = Self.ways(peers: [UDPWays.Peer(host: nil, way: peer), UDPWays.Peer(host: "far", way: peer)])
        #expect(ways.ways(to: toAll) == [Self.group4, peer])
    }

    @Test func `another configuration keeps the hosts of each domain, wherever it stands`() {
        func domain(_ name: String) -> UDPWays.Domain {
            UDPWays.Domain(name: name, groups: [Self.group4, Self.group6], peers: [])
        }
        var ways = UDPWays([domain("studio"), domain("lab")])
        _ = ways.learn("render7", inDomain: 0, Self.host6)
        ways.replace(by: [domain("stage"), domain("studio")])
        #expect(ways.hostCount == 1)
        #expect(ways.ways(to: to("render7")) == [] && ways.ways(to: toAll) == [Self.group4])
        let host = Route(domain: 1, destination: .host("render7"))
        let all = Route(domain: 1, destination: .everyHost)
        #expect(ways.ways(to: host) == [Self.host6])
        #expect(ways.ways(to: all) == [Self.group4, Self.group6], "it is still heard by the other family only")

        _ = ways.learn("render7", inDomain: 1, Self.host4)
        #expect(ways.ways(to: all) == [Self.group4])
    }

    @Test func `a domain that there is not is no error`() {
        var ways = Self.ways()
        let isLearned = ways.learn("render7", inDomain: 1, Self.host4)
        #expect(isLearned && ways.hostCount == 0)
        ways.forget("render7", inDomain: 1)
        #expect(ways.ways(to: Route(domain: 1, destination: .everyHost)) == [])
        #expect(ways.byteCountMax(to: Route(domain: 1, destination: .everyHost)) == nil)
    }

    @Test func `without groups every host that was heard gets what is for every host, once`() {
        let peer = Self.way("10.0.0.9")
        var ways = Self.ways(groups: [], peers: [UDPWays.Peer(host: nil, way: peer)])
        _ = ways.learn("far", inDomain: 0, peer)
        _ = ways.learn("render7", inDomain: 0, Self.host6)
        #expect(ways.ways(to: toAll) == [peer, Self.host6])
    }

    @Test func `there is a bound to what is learned, and known hosts can still move`() {
        var ways = Self.ways()
        func isLearned(_ host: String, _ way: UDPWay = Self.host4) -> Bool { ways.learn(host, inDomain: 0, way) }
        #expect((0..<UDPWays.hostsMax).allSatisfy { isLearned("host\($0)") })
        #expect(!isLearned("one more"))
        #expect(ways.ways(to: to("one more")) == [])

        let other = Self.way("192.0.2.8")
        #expect(isLearned("host5", other))
        #expect(ways.ways(to: to("host5")) == [other])
        ways.forget("host6", inDomain: 0)
        #expect(isLearned("one more"))
    }
}

import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

@Suite struct UDPPathsTests {
    private static let group4 = path("239.255.77.83"), group6 = path("ff02::4d53", socket: 1, byteCountMax: 1452)
    private static let host4 = path("192.0.2.7"), host6 = path("2001:db8::7", socket: 1, byteCountMax: 1452)

    private static func path(_ address: String, socket: UInt32 = 0, byteCountMax: Int = 1472) -> UDPPath {
        UDPPath(socket: socket, address: UDPAddress(address, port: 4240)!, byteCountMax: byteCountMax)
    }

    private static func paths(groups: [UDPPath] = [group4, group6], peers: [UDPPaths.Peer] = []) -> UDPPaths {
        UDPPaths([UDPPaths.Domain(name: "studio", groups: groups, peers: peers)])
    }

    private let toAll = Route(domain: 0, destination: .everyHost)
    private func to(_ host: String) -> Route { Route(domain: 0, destination: .host(host)) }

    @Test func `what is for every host goes by one family`() {
        var paths = Self.paths()
        #expect(paths.paths(to: toAll) == [Self.group4])
        #expect(paths.byteCountMax(to: toAll) == 1472)

        _ = paths.learn("render7", inDomain: 0, Self.host4)
        #expect(paths.paths(to: toAll) == [Self.group4])
    }

    @Test func `it goes by both as long as a host is heard by the other family only`() {
        var paths = Self.paths()
        _ = paths.learn("render7", inDomain: 0, Self.host6)
        #expect(paths.paths(to: toAll) == [Self.group4, Self.group6])
        #expect(paths.byteCountMax(to: toAll) == 1452)
        #expect(paths.paths(to: to("render7")) == [Self.host6])

        _ = paths.learn("render7", inDomain: 0, Self.host4)
        #expect(paths.paths(to: toAll) == [Self.group4])
        #expect(paths.paths(to: to("render7")) == [Self.host4])
    }

    @Test func `a host of both families keeps its path when an announcement comes by the other one first`() {
        var paths = Self.paths()
        _ = paths.learn("render7", inDomain: 0, Self.host4)
        for _ in 0..<UDPPaths.mainSilenceMax - 1 { _ = paths.learn("render7", inDomain: 0, Self.host6) }
        #expect(paths.paths(to: to("render7")) == [Self.host4])
        #expect(paths.paths(to: toAll) == [Self.group4])

        _ = paths.learn("render7", inDomain: 0, Self.host6)
        #expect(paths.paths(to: to("render7")) == [Self.host6])
        #expect(paths.paths(to: toAll) == [Self.group4, Self.group6])

        paths.forget("render7", inDomain: 0)
        #expect(paths.paths(to: to("render7")) == [])
        #expect(paths.paths(to: toAll) == [Self.group4])
    }

    @Test func `without IPv4 the other family is the main one`() {
        var paths = Self.paths(groups: [Self.group6])
        _ = paths.learn("render7", inDomain: 0, Self.host6)
        #expect(paths.paths(to: toAll) == [Self.group6])
    }

    @Test func `a peer gets by itself what is for every host, where it was heard last`() {
        let peer = Self.path("10.0.0.9")
        var paths = Self.paths(peers: [UDPPaths.Peer(host: "far", path: peer)])
        #expect(paths.paths(to: to("far")) == [peer])
        #expect(paths.paths(to: toAll) == [Self.group4, peer])

        _ = paths.learn("far", inDomain: 0, Self.host4)
        #expect(paths.paths(to: to("far")) == [Self.host4])
        #expect(paths.paths(to: toAll) == [Self.group4, Self.host4])

        paths.forget("far", inDomain: 0)
        #expect(paths.paths(to: to("far")) == [peer])
    }

    @Test func `a peer of the other family is no reason to use its groups`() {
        var paths = Self.paths(peers: [UDPPaths.Peer(host: nil, path: Self.host6)])
        _ = paths.learn("far", inDomain: 0, Self.host6)
        #expect(paths.paths(to: toAll) == [Self.group4, Self.host6])
    }

    @Test func `a peer that is heard by the other family is sent to there, and is no reason to use its groups`() {
        let peer = Self.path("10.0.0.9")
        var paths = Self.paths(peers: [UDPPaths.Peer(host: "far", path: peer)])
        _ = paths.learn("far", inDomain: 0, Self.host6)
        #expect(paths.paths(to: toAll) == [Self.group4, Self.host6])
    }

    @Test func `peers of one address get what is for every host once`() {
        let peer = Self.path("10.0.0.9")
        let paths = Self.paths(peers: [UDPPaths.Peer(host: nil, path: peer), UDPPaths.Peer(host: "far", path: peer)])
        #expect(paths.paths(to: toAll) == [Self.group4, peer])
    }

    @Test func `another configuration keeps the hosts of each domain, wherever it stands`() {
        func domain(_ name: String) -> UDPPaths.Domain {
            UDPPaths.Domain(name: name, groups: [Self.group4, Self.group6], peers: [])
        }
        var paths = UDPPaths([domain("studio"), domain("lab")])
        _ = paths.learn("render7", inDomain: 0, Self.host6)
        paths.replace(by: [domain("stage"), domain("studio")])
        #expect(paths.hostCount == 1)
        #expect(paths.paths(to: to("render7")) == [] && paths.paths(to: toAll) == [Self.group4])
        let host = Route(domain: 1, destination: .host("render7"))
        let all = Route(domain: 1, destination: .everyHost)
        #expect(paths.paths(to: host) == [Self.host6])
        #expect(paths.paths(to: all) == [Self.group4, Self.group6], "it is still heard by the other family only")

        _ = paths.learn("render7", inDomain: 1, Self.host4)
        #expect(paths.paths(to: all) == [Self.group4])
    }

    @Test func `a domain that there is not is no error`() {
        var paths = Self.paths()
        let isLearned = paths.learn("render7", inDomain: 1, Self.host4)
        #expect(isLearned && paths.hostCount == 0)
        paths.forget("render7", inDomain: 1)
        #expect(paths.paths(to: Route(domain: 1, destination: .everyHost)) == [])
        #expect(paths.byteCountMax(to: Route(domain: 1, destination: .everyHost)) == nil)
    }

    @Test func `without groups every host that was heard gets what is for every host, once`() {
        let peer = Self.path("10.0.0.9")
        var paths = Self.paths(groups: [], peers: [UDPPaths.Peer(host: nil, path: peer)])
        _ = paths.learn("far", inDomain: 0, peer)
        _ = paths.learn("render7", inDomain: 0, Self.host6)
        #expect(paths.paths(to: toAll) == [peer, Self.host6])
    }

    @Test func `there is a bound to what is learned, and known hosts can still move`() {
        var paths = Self.paths()
        func isLearned(_ host: String, _ path: UDPPath = Self.host4) -> Bool { paths.learn(host, inDomain: 0, path) }
        #expect((0..<UDPPaths.hostsMax).allSatisfy { isLearned("host\($0)") })
        #expect(!isLearned("one more"))
        #expect(paths.paths(to: to("one more")) == [])

        let other = Self.path("192.0.2.8")
        #expect(isLearned("host5", other))
        #expect(paths.paths(to: to("host5")) == [other])
        paths.forget("host6", inDomain: 0)
        #expect(isLearned("one more"))
    }
}

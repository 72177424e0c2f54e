import CMailslotsDatagram
import Foundation
import Mailslots
import TestSupport
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// The kinds of networks that a UDP transport may be in, all of them on loopback.
enum UDPKinds {
    private typealias Engine = UDPSettings.Engine

    static let all = [Engine.mmsg, .ioURing].flatMap { engine in
        [4, 6].flatMap { family in [peers(engine, family), multicast(engine, family)] }
    }

    /// Each has all others as peers. They have ports that the kernel chose, so each learns of the others when all are there.
    private static func peers(_ engine: Engine, _ family: Int) -> TransportKind {
        TransportKind(name: "\(engine.rawValue), IPv\(family) peers", obstacle: { obstacle(engine, family) }) { configurations in
            var configurations = configurations
            for index in configurations.indices {
                configurations[index].network = network(engine, family)
                for domain in configurations[index].domains.indices { configurations[index].domains[domain].groups = [] }
            }
            let transports = try configurations.map { try UDPTransport($0) }
            for here in configurations.indices {
                let peers = transports.indices.filter { $0 != here }.map {
                    BridgePeer(address: transports[$0].addresses[0])
                }
                for domain in configurations[here].domains.indices { configurations[here].domains[domain].peers = peers }
                try transports[here].reconfigure(configurations[here])
            }
            return zip(transports, configurations).map { ($0, $1) }
        }
    }

    /// They share a group, of a port that no other test has.
    private static func multicast(_ engine: Engine, _ family: Int) -> TransportKind {
        TransportKind(
            name: "\(engine.rawValue), IPv\(family) multicast",
            obstacle: { obstacle(engine, family) ?? noMulticast(family) }
        ) { configurations in
            let group = newGroup(family)
            return try configurations.map { configuration in
                var configuration = configuration
                configuration.network = network(engine, family)
                for domain in configuration.domains.indices { configuration.domains[domain].groups = [group] }
                return (try UDPTransport(configuration), configuration)
            }
        }
    }

    static func network(_ engine: UDPSettings.Engine, _ family: Int) -> UDPSettings {
        var network = UDPSettings()
        network.port = 0
        network.addresses = [family == 4 ? "127.0.0.1" : "::1"]
        network.engine = engine
        return network
    }

    private static let groupCount = Locked(0)
    private static let firstPort = Int.random(in: 15_000...25_000)

    static func newGroup(_ family: Int) -> String {
        let number = groupCount.withLock {
            $0 += 1
            return $0
        }
        let port = firstPort + number % 5000
        return family == 4 ? "239.255.\(port % 251).\(number % 251):\(port)" : "[ff02::4d53:\(number)]:\(port)"
    }

    static func obstacle(_ engine: UDPSettings.Engine, _ family: Int) -> String? {
        if family == 6, UDPAddress("::1", port: 0)!.interface == 0 { return "this machine has no IPv6" }
        guard engine == .ioURing else { return nil }
        let probed = mslot_datagram_probe(.MSLOT_DATAGRAM_IO_URING)
        return probed.is_usable
            ? nil : unsafe withUnsafeBytes(of: probed.text) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    static func noMulticast(_ family: Int) -> String? {
        let group = UDPAddress(family == 4 ? "239.255.77.83" : "ff02::4d53", port: 4240)!
        let path = group.by(interface: interfaceIndex("lo") ?? 1).path
        return path.system_error == 0 ? nil : "lo has no IPv\(family) multicast: \(cause(path.system_error))"
    }
}

@Suite(.blocking, .serialized) struct UDPTransportTests {
    /// Beside a sanitizer, which makes it several times slower, two kinds that differ in everything.
    private static let kinds = isSanitized ? [UDPKinds.all.first!, UDPKinds.all.last!] : UDPKinds.all

    @Test(arguments: kinds, TransportClaim.all)
    func conforms(kind: TransportKind, claim: TransportClaim) throws { try claim.check(kind) }
}

import CMailslotsDatagram
import Foundation
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// What a bridge says when its network cannot be had: the cause and the cure.
@Suite(.serialized) struct UDPErrorTests {
    private static func configuration(_ change: (inout BridgeConfiguration) -> Void = { _ in }) -> BridgeConfiguration {
        var configuration = BridgeConfiguration(host: "here", domain: "studio", key: nil)
        configuration.network = UDPKinds.network(.mmsg, 4)
        configuration.domains[0].groups = []
        change(&configuration)
        return configuration
    }

    private static func message(of configuration: BridgeConfiguration) -> String {
        do throws(BridgeError) {
            let transport = try UDPTransport(configuration)
            transport.close()
            return "no error: \(transport.summary)"
        } catch {
            return error.code == .network ? error.description : "another code: \(error)"
        }
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let cause: String
        let cure: String
        let change: @Sendable (inout BridgeConfiguration) -> Void

        init(_ name: String, cause: String, cure: String, _ change: @escaping @Sendable (inout BridgeConfiguration) -> Void) {
            testDescription = name
            self.cause = cause
            self.cure = cure
            self.change = change
        }
    }

    static let mistakes = [
        Mistake("an address of another machine", cause: "no interface of this machine has the address", cure: "ip address") {
            $0.network.addresses = ["192.0.2.77"]
        },
        Mistake("an address that is none", cause: "no address that can be bound", cure: "numeric") {
            $0.network.addresses = ["render7"]
        },
        Mistake("an address with a port", cause: "no address that can be bound", cure: "without a port") {
            $0.network.addresses = ["127.0.0.1:4240"]
        },
        Mistake("an interface that is not there", cause: "no interface nosuch0", cure: "ip link") {
            $0.network.interfaces = ["nosuch0"]
            $0.domains[0].groups = ["239.255.77.83"]
        },
        Mistake("a group that is none", cause: "192.0.2.1 is no multicast group", cure: "239.255.77.83") {
            $0.domains[0].groups = ["192.0.2.1"]
        },
        Mistake("only groups of a family that is not bound", cause: "no IPv6 address", cure: "configure peers") {
            $0.domains[0].groups = ["ff02::4d53"]
        },
        Mistake("a peer that is not found", cause: "nosuchhost.invalid is not found", cure: "numeric") {
            $0.domains[0].peers = [.init(address: "nosuchhost.invalid")]
        },
        Mistake("a peer of a family that is not bound", cause: "IPv6", cure: "configure one") {
            $0.domains[0].peers = [.init(address: "2001:db8::7", port: 1)]
        },
        Mistake("a group as a peer", cause: "no address of a host", cure: "192.0.2.7") {
            $0.domains[0].peers = [.init(address: "239.255.77.83", port: 1)]
        },
        Mistake("a peer with port 0", cause: "no address of a host", cure: "192.0.2.7") {
            $0.domains[0].peers = [.init(address: "127.0.0.9", port: 0)]
        },
        Mistake("every address as a peer", cause: "no address of a host", cure: "192.0.2.7") {
            $0.domains[0].peers = [.init(address: "0.0.0.0", port: 1)]
        },
        Mistake("datagrams too short", cause: "575 bytes cannot be", cure: "576 to 1472") { $0.network.maximumDatagramSize = 575 },
        Mistake("datagrams too long", cause: "1473 bytes cannot be", cure: "576 to 1472") { $0.network.maximumDatagramSize = 1473 },
        Mistake("more sockets than an endpoint has", cause: "too many addresses", cure: "16 sockets") {
            $0.network.addresses = (1...17).map { "127.0.0.\($0)" }
        },
    ]

    @Test(arguments: mistakes)
    func `the error says what is wrong and what to do`(mistake: Mistake) {
        let message = Self.message(of: Self.configuration(mistake.change))
        #expect(message.contains(mistake.cause) && message.contains(mistake.cure), "\(message)")
    }

    @Test func `a port in use is said to be, with the way to find who has it`() throws {
        let first = try UDPTransport(Self.configuration())
        defer { first.close() }
        let port = UDPAddress(first.addresses[0], defaultPort: 0)!.port
        let message = Self.message(of: Self.configuration { $0.network.port = port })
        #expect(message.contains("127.0.0.1:\(port)") && message.contains("in use") && message.contains("ss -ulpn"), "\(message)")
        // Another address of the same machine is another bridge's.
        #expect(
            Self.message(of: Self.configuration { ($0.network.port, $0.network.addresses) = (port, ["127.0.0.2"]) }).hasPrefix(
                "no error"))
    }

    @Test func `a group's port that a bridge has for itself is said to be`() throws {
        let first = try UDPTransport(Self.configuration { $0.network.addresses = ["0.0.0.0"] })
        defer { first.close() }
        let port = UDPAddress(first.addresses[0], defaultPort: 0)!.port
        let message = Self.message(of: Self.configuration { $0.domains[0].groups = ["239.255.77.83:\(port)"] })
        #expect(message.contains("239.255.77.83:\(port)") && message.contains("an address of its own"), "\(message)")
    }

    @Test func `multicast that does not work is a warning where there are peers`() throws {
        let transport = try UDPTransport(
            Self.configuration {
                $0.domains[0].groups = ["ff02::4d53"]
                $0.domains[0].peers = [.init(address: "127.0.0.9", port: 9)]
            })
        defer { transport.close() }
        #expect(transport.summary.contains("no multicast to ff02::4d53"), "\(transport.summary)")
    }

    @Test(.enabled(if: UDPKinds.obstacle(.ioURing, 4) == nil, "io_uring is not usable here"), arguments: ["mmsg", "io_uring"])
    func `the summary says where it listens and which engine runs`(engine: String) throws {
        let transport = try UDPTransport(Self.configuration { $0.network.engine = .init(rawValue: engine)! })
        defer { transport.close() }
        #expect(transport.summary.hasPrefix("UDP on \(transport.addresses[0]); \(engine)"), "\(transport.summary)")
    }

    @Test func `what needs a new start is refused, and what was there goes on`() throws {
        let configuration = Self.configuration { $0.domains[0].peers = [.init(address: "127.0.0.9", port: 9, host: "far")] }
        let transport = try UDPTransport(configuration)
        defer { transport.close() }
        let changes: [(inout UDPSettings) -> Void] = [
            { $0.port = 4242 }, { $0.addresses = ["127.0.0.2"] }, { $0.engine = .automatic }, { $0.sendBufferSize = 5 },
        ]
        for change in changes {
            var changed = configuration
            change(&changed.network)
            #expect(throws: BridgeError.self) { try transport.reconfigure(changed) }
        }
        var wrong = configuration
        wrong.domains[0].peers = []
        wrong.domains[0].groups = ["239.255.77.83", "192.0.2.1"]
        #expect(throws: BridgeError.self) { try transport.reconfigure(wrong) }
        #expect(transport.byteCountMax(to: Route(domain: 0, destination: .host("far"))) == 1472)
    }

    @Test func `a configured bound holds, and a peer's name is looked up`() throws {
        let transport = try UDPTransport(
            Self.configuration {
                $0.network.maximumDatagramSize = 700
                $0.domains[0].peers = [.init(address: "localhost", port: 9, host: "far")]
            })
        defer { transport.close() }
        #expect(transport.byteCountMax(to: Route(domain: 0, destination: .host("far"))) == 700)
    }

    @Test func `a list of peers may be the same on all hosts: one's own address is left out`() throws {
        let transport = try UDPTransport(Self.configuration())
        defer { transport.close() }
        var configuration = Self.configuration()
        configuration.domains[0].peers = [.init(address: transport.addresses[0]), .init(address: "127.0.0.9", port: 9)]
        try transport.reconfigure(configuration)
        #expect(transport.summary.hasSuffix("1 peer"), "\(transport.summary)")
    }

    @Test func `who listens on all addresses knows which are its own`() throws {
        let transport = try UDPTransport(Self.configuration { $0.network.addresses = ["0.0.0.0"] })
        defer { transport.close() }
        let port = UDPAddress(transport.addresses[0], defaultPort: 0)!.port
        var configuration = Self.configuration { $0.network.addresses = ["0.0.0.0"] }
        // Its own; its own with another's port; another's.
        configuration.domains[0].peers = [
            .init(address: "127.0.0.1", port: port), .init(address: "127.0.0.1", port: port ^ 1),
            .init(address: "192.0.2.9", port: port),
        ]
        try transport.reconfigure(configuration)
        #expect(transport.summary.contains("; 2 peers"), "\(transport.summary)")
    }

    @Test func `a peer that cannot be reached now is a warning`() throws {
        // To all hosts of a network nothing is sent.
        let transport = try UDPTransport(Self.configuration { $0.domains[0].peers = [.init(address: "255.255.255.255", port: 9)] })
        defer { transport.close() }
        #expect(transport.summary.contains("; 1 peer; the peer 255.255.255.255:9 cannot be reached now: "), "\(transport.summary)")
    }

    @Test(.enabled(if: UDPKinds.noMulticast(4) == nil, "no multicast on loopback"))
    func `what two addresses and two domains share is one group, of the bridge's port`() throws {
        // That nobody else has.
        let port = UInt16.random(in: 20_000...30_000)
        let network = "127.\(UInt8.random(in: 1...250)).\(UInt8.random(in: 1...250))"
        let transport = try UDPTransport(
            Self.configuration {
                $0.network.port = port
                $0.network.addresses = ["\(network).2", "\(network).3"]
                $0.domains.append($0.domains[0])
                $0.domains[1].name = "lab"
                for domain in 0...1 { $0.domains[domain].groups = ["239.255.77.83"] }
            })
        defer { transport.close() }
        #expect(transport.summary.hasSuffix("; multicast 239.255.77.83:\(port) by lo"), "\(transport.summary)")
    }

    @Test func `of several addresses the one is sent from that the kernel would take`() throws {
        let there = try UDPTransport(Self.configuration { $0.network.addresses = ["127.0.0.9"] })
        defer { there.close() }
        let here = try UDPTransport(
            Self.configuration {
                $0.network.addresses = ["127.0.0.2", "127.0.0.1"]
                $0.domains[0].peers = [.init(address: there.addresses[0], host: "there")]
            })
        defer { here.close() }
        var batch = DatagramBatch()
        batch.append(to: Route(domain: 0, destination: .host("there")), [UInt8](repeating: 1, count: 100))
        here.send(batch)
        var source = ""
        let end = BridgeClock.monotonic + Watchdog.nanoseconds
        while source.isEmpty, BridgeClock.monotonic < end {
            there.wait(upTo: 1_000_000_000)
            _ = there.receive { _, from in source = there.describe(from) }
        }
        #expect(source == here.addresses[1])
    }
}

import CMailslotsNATS
import Foundation
import Logging
import TestSupport
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

@Suite(.blocking, .serialized, .enabled(if: NATSServer.obstacle == nil, "\(NATSServer.obstacle ?? "")")) struct NATSTransportTests {
    // MARK: conformance

    @Test(arguments: TransportClaim.all)
    func conforms(claim: TransportClaim) throws {
        let server = try NATSServer()
        defer { server.stop() }
        try claim.check(.nats("one server", [server]))
    }

    @Test(.disabled(if: isSanitized, "it takes minutes beside a sanitizer"), arguments: TransportClaim.all)
    func `conforms where each host is at another server of a cluster`(claim: TransportClaim) throws {
        let servers = try NATSServer.cluster(of: 3)
        defer { for server in servers { server.stop() } }
        try claim.check(.nats("cluster of three", servers))
    }

    // MARK: the connection

    @Test func `a server that is away at the start is found when it comes, and what was sent meanwhile arrives`() throws {
        let server = try NATSServer()
        server.stop()
        let network = try TransportNetwork(.nats("away", [server]), hosts: 2, domains: 1)
        defer { network.close() }
        #expect(network[0].summary.contains("not connected: No server available for connection"))

        let datagrams = (0..<10).map { TestDatagram(sender: 0, number: UInt64($0), byteCount: 1000) }
        network.send(datagrams.map { ($0, .everyHost) })
        #expect(network[0].counter("nats.backlogged") == 10)
        #expect(network[0].counter("datagrams.sent") == 0)

        try server.start()
        // The other may be connected later than the first: then it misses what that one kept. So what is asked of is what was sent.
        try waitUntil("both are connected") { (0...1).allSatisfy { network[$0].summary.contains("connected to nats://127.0.0.1") } }
        #expect(network[0].counter("datagrams.sent") == 10)
        try network.introduce()
        let more = TestDatagram(sender: 0, number: 100, byteCount: 100)
        network.send([(more, .host("host1"))])
        let received = try network.receive(at: 1, including: [more])
        #expect(received == datagrams.suffix(received.count - 1) + [more])
        server.stop()
    }

    @Test func `what does not fit the backlog is dropped and counted`() throws {
        let server = try NATSServer()
        server.stop()
        let network = try TransportNetwork(.nats("away", [server]) { $0.backlogSize = 20_000 }, hosts: 1, domains: 1)
        defer { network.close() }

        let datagrams = (0..<100).map { TestDatagram(sender: 0, number: UInt64($0), byteCount: 1000) }
        network.send(datagrams.map { ($0, .everyHost) })

        let kept = network[0].counter("nats.backlogged")
        #expect((15...20).contains(kept))
        #expect(network[0].counter("drops.send.backlog_full") == 100 - kept)
        try server.start()
        try waitUntil("the backlog is sent") { network[0].counter("datagrams.sent") == kept }
        server.stop()
    }

    @Test func `a server that is killed and restarted is found again`() throws {
        let server = try NATSServer()
        let network = try TransportNetwork(.nats("killed", [server]), hosts: 2, domains: 1)
        defer { network.close() }
        try network.introduce()
        for round in 1...3 {
            server.kill()
            try waitUntil("the loss is seen") { (0...1).allSatisfy { network[$0].counter("nats.disconnects") == UInt64(round) } }
            try server.start()
            try waitUntil("all are back") { (0...1).allSatisfy { network[$0].counter("nats.connects") == UInt64(round) + 1 } }
            // That it is connected says nothing yet of the subscriptions at the other: so it is asked until it answers.
            try network.drain()
            network.forgetWhatWasSeen()
            let datagram = TestDatagram(sender: 0, number: UInt64(round), byteCount: 100)
            network.send([(datagram, .host("host1"))])
            try #expect(network.receive(at: 1, including: [datagram]).contains(datagram))
        }
        server.stop()
    }

    @Test func `the other servers of a cluster are found through the one that is named`() throws {
        let servers = try NATSServer.cluster(of: 3)
        let ports = servers.dropFirst().map { "127.0.0.1:\($0.port)" }
        // A server tells whoever connects of the others, once it knows them.
        try waitUntil("the first server knows the others") {
            let raw = TCPSocket()
            let information = raw.reach(servers[0].port) ? raw.readLine() : ""
            return ports.allSatisfy(information.contains)
        }
        let transport = try TransportKind.nats("one of three", [servers[0]]).one()
        #expect(transport.summary.contains(servers[0].address))

        servers[0].kill()

        try waitUntil("another one is found") { ports.contains { transport.summary.contains("connected to nats://\($0)") } }
        transport.close()
        for server in servers { server.stop() }
    }

    @Test func `a server that hangs costs datagrams, and nobody hangs with it`() throws {
        let server = try NATSServer()
        let network = try TransportNetwork(.nats("hung", [server]), hosts: 2, domains: 1)
        defer { network.close() }
        try network.introduce()

        server.pause()
        var number: UInt64 = 0
        // The sockets' buffers hold some megabytes. Where it takes long to fill them, the connection is given up before.
        let losses = ["no_room", "backlog_full", "connection_lost", "client"].map { "drops.send.\($0)" }
        while losses.allSatisfy({ network[0].counter($0) == 0 }) {
            network.send(
                (0..<64).map { _ in
                    number += 1
                    return (TestDatagram(sender: 0, number: number, byteCount: 1472), .host("host1"))
                })
        }
        server.resume()

        let last = TestDatagram(sender: 0, number: .max, byteCount: 64)
        while !network.taken(at: 1).contains(last) {
            network.send([(last, .host("host1"))])
            network.take(at: 1, waiting: 10_000_000)
        }
        let received = network.taken(at: 1)
        #expect(received == received.sorted { $0.number < $1.number })
        server.stop()
    }

    @Test func `who receives too slowly loses datagrams, and not the connection`() throws {
        let server = try NATSServer()
        let network = try TransportNetwork(.nats("slow", [server]) { $0.receiveBufferSize = 100_000 }, hosts: 2, domains: 1)
        defer { network.close() }
        try network.introduce()

        var sent: UInt64 = 0
        while network[1].counter("drops.receive.full") == 0 {
            network.send(
                (0..<64).map { _ in
                    sent += 1
                    return (TestDatagram(sender: 0, number: sent, byteCount: 1000), .host("host1"))
                })
        }
        try network.drain()

        #expect(network[1].counter("nats.slow") >= 1)
        #expect(network[1].counter("nats.disconnects") == 0)
        let received = network.taken(at: 1)
        #expect(received == received.sorted { $0.number < $1.number })
        #expect(UInt64(received.count) < sent)
        server.stop()
    }

    @Test func `a message that no bridge can have sent is dropped and counted`() throws {
        let server = try NATSServer()
        let network = try TransportNetwork(.nats("raw", [server]), hosts: 2, domains: 1)
        defer { network.close() }
        try network.introduce()

        let raw = TCPSocket()
        #expect(raw.reach(server.port) && raw.read(until: "INFO"))
        let long = String(repeating: "x", count: 1473)
        let message = "CONNECT {}\r\nPUB mailslot.domain0.host1 1473\r\n\(long)\r\nPING\r\n"
        #expect(raw.write([UInt8](message.utf8)) && raw.read(until: "PONG"))

        try waitUntil("it is counted") { network[1].counter("drops.receive.too_long") == 1 }
        server.stop()
    }

    @Test func `where a datagram says it is from is believed only for a host of its domain`() throws {
        let server = try NATSServer()
        let network = try TransportNetwork(.nats("raw", [server]), hosts: 2, domains: 2)
        defer { network.close() }
        let raw = TCPSocket()
        #expect(raw.reach(server.port) && raw.read(until: "INFO"))

        for reply in ["mailslot.domain1.host1", "mailslot.domain0.>", "mailslot.domain0.@", "mailslot.domain0.a.b", "_INBOX.x", ""] {
            let bytes = TestDatagram(sender: 1, number: 1, byteCount: 64).bytes
            #expect(raw.write([UInt8]("CONNECT {}\r\nPUB mailslot.domain0.host0 \(reply) 64\r\n".utf8) + bytes + [13, 10]))
            try network.receive(at: 0, count: 1) { source in
                network[0].learn("host1", inDomain: 0, from: source)
                #expect(!network[0].describe(source).contains("\n"))
            }
            network.forgetWhatWasSeen()
            let datagram = TestDatagram(sender: 0, number: 2, byteCount: 64)
            network.send([(datagram, .host("host1"))])
            try #expect(network.receive(at: 1, count: 1) == [datagram], "\(reply)")
            network.forgetWhatWasSeen()
        }
        server.stop()
    }

    // MARK: getting in

    @Test func `a wrong password is an error that says so, and no password is told`() throws {
        let server = try NATSServer("authorization { user: bridge, password: right }")
        try withExtendedLifetime(server) {
            let error = try #require(throws: BridgeError.self) {
                try TransportKind.nats("wrong", [server]) { $0.credentials = .password(user: "bridge", password: "wr0ng") }.one()
            }
            #expect(error.code == .network)
            #expect(error.description.contains("refuses") && error.description.contains(server.address))
            #expect(!error.description.contains("wr0ng"))

            let transport = try TransportKind.nats("right", [server]) { $0.credentials = .password(user: "bridge", password: "right") }
                .one()
            #expect(transport.summary.contains("connected to"))
            transport.close()
        }
    }

    @Test func `a token is accepted, and a wrong one is not`() throws {
        let server = try NATSServer("authorization { token: s3cret }")
        try withExtendedLifetime(server) {
            try TransportKind.nats("right", [server]) { $0.credentials = .token("s3cret") }.one().close()
            #expect(throws: BridgeError.self) { try TransportKind.nats("wrong", [server]) { $0.credentials = .token("other") }.one() }
            #expect(throws: BridgeError.self) { try TransportKind.nats("none", [server]).one() }
        }
    }

    @Test func `what is configured wrongly is said at once`() throws {
        func message(_ change: (inout NATSSettings) -> Void) -> String {
            var configuration = BridgeConfiguration(host: "h", domain: "d", key: nil)
            configuration.nats = NATSSettings(servers: ["nats://127.0.0.1:1"])
            change(&configuration.nats!)
            do {
                _ = try NATSTransport(configuration, logger: Logger(label: "test"))
                return "none"
            } catch {
                return error.code == .badConfiguration ? error.description : "\(error.code): \(error)"
            }
        }
        #expect(message { $0.servers = [] }.contains("nats.servers: there is none"))
        #expect(message { $0.servers = ["127.0.0.1:4222"] }.contains("127.0.0.1:4222\" is no NATS server's address"))
        #expect(message { $0.subjectPrefix = "a b" }.contains("\"a b\" is no prefix"))
        #expect(message { $0.credentials = .file("/no/such.creds") }.contains("/no/such.creds cannot be read"))
        #expect(message { $0.tls = .init(authoritiesFile: "/no/ca.pem") }.contains("/no/ca.pem cannot be read"))
        #expect(message { $0.tls = .init(authoritiesFile: "/proc/self/status") }.contains("Error loading trusted certificates"))
        #expect(
            message {
                $0.tls = .init()
                $0.tls!.keyFile = "/etc/hostname"
            }.contains("a certificate and its key go together"))
    }

    @Test func `the servers cannot be changed while it runs`() throws {
        let server = try NATSServer()
        let made = try TransportKind.nats("one", [server]).make([BridgeConfiguration(host: "h", domain: "d", key: nil)])
        let (transport, configuration) = made[0]
        var changed = configuration
        changed.nats!.servers = ["nats://127.0.0.1:1"]
        #expect(throws: BridgeError.self) { try transport.reconfigure(changed) }
        try transport.reconfigure(configuration)
        transport.close()
        server.stop()
    }

    // MARK: subjects

    @Test(arguments: [
        ("studio", "render7", "mailslot.studio.render7"), ("STUDIO", "Render7", "mailslot.studio.render7"),
        ("studio", nil, "mailslot.studio.@"), ("st. ives", "büro 1", "mailslot.st%2e%20ives.b%c3%bcro%201"),
        ("*", ">", "mailslot.%2a.%3e"), ("a%b", "a_-9", "mailslot.a%25b.a_-9"),
    ])
    func `subjects are these`(domain: String, host: String?, subject: String) throws {
        let subjects = try NATSSubjects(prefix: "mailslot")
        #expect(subjects.subject(of: host.map { .host($0) } ?? .everyHost, inDomain: domain) == subject)
        #expect(subjects.isHost(subject, inDomain: domain) == (host != nil))
        #expect(!subjects.isHost(subject, inDomain: domain + "x"))
    }

    @Test func `the longest names make a subject that is carried`() throws {
        let server = try NATSServer()
        let (domain, host) = (String(repeating: "é", count: 31) + "x", String(repeating: "ü", count: 31) + "y")
        let configurations = [host, "other"].map { BridgeConfiguration(host: $0, domain: domain, key: nil) }
        let transports = try TransportKind.nats("long", [server]).make(configurations).map(\.transport)
        transports[1].learn(host, inDomain: 0, from: TransportSource(0))
        var batch = DatagramBatch()
        batch.append(to: Route(domain: 0, destination: .host(host)), [UInt8](repeating: 7, count: 100))
        transports[1].send(batch)
        var count = 0
        while count == 0 {
            transports[0].wait(upTo: Watchdog.nanoseconds)
            _ = transports[0].receive { bytes, _ in count = bytes.byteCount }
        }
        #expect(count == 100)
        for transport in transports { transport.close() }
        server.stop()
    }
}

extension TransportKind {
    /// Each host is connected to one of the servers, and then to the next; it may learn of the others from these.
    static func nats(
        _ name: String, _ servers: [NATSServer], _ change: @escaping @Sendable (inout NATSSettings) -> Void = { _ in }
    ) -> TransportKind {
        TransportKind(name: "NATS, \(name)") { configurations in
            try configurations.enumerated().map { index, configuration in
                var configuration = configuration
                configuration.nats = NATSSettings(servers: [servers[index % servers.count].address])
                configuration.nats!.maximumReconnectWait = .milliseconds(200)
                change(&configuration.nats!)
                return (try NATSTransport(configuration, logger: Logger(label: "nats.\(configuration.host)")), configuration)
            }
        }
    }

    func one() throws -> any Transport { try make([BridgeConfiguration(host: "host", domain: "domain", key: nil)])[0].transport }
}

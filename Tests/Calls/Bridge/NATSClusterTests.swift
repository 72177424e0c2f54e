import Foundation
import Logging
import Mailslots
import TestRandomness
import TestSupport
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// Sealed datagrams with numbers, through a cluster whose servers are killed and restarted: as two bridges send and receive them.
@Suite(.blocking, .serialized, .enabled(if: NATSServer.obstacle == nil, "\(NATSServer.obstacle ?? "")")) struct NATSClusterTests {
    static let key = DomainKey(unsafe [UInt8](0..<32).span.bytes)
    static let domain = Domain(name: "studio", used: key)

    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seals and sends numbers from 1 on, to one host and to every host in turn, until told to end.
    final class NumberSender: Sendable {
        private let transport: any Transport
        private let isOver = Flag()
        private let last = Locked<UInt64>(0)
        private let number: UInt32
        private let hasEnded = Flag()

        init(_ transport: any Transport, sender: UInt32) {
            self.transport = transport
            number = sender
        }

        var count: UInt64 { last.withLock { $0 } }

        func start() {
            Thread {
                self.run()
                self.hasEnded.isSet = true
            }.start()
        }

        func end() throws {
            isOver.isSet = true
            try waitUntil("the thread has ended") { hasEnded.isSet }
        }

        private func run() {
            var generator = SystemRandomNumberGenerator()
            var sealer = Sealer(domain: NATSClusterTests.domain, session: SessionID(using: &generator))
            var batch = DatagramBatch()
            while !isOver.isSet {
                for _ in 0..<8 {
                    let number = last.withLock {
                        $0 += 1
                        return $0
                    }
                    let payload = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
                    let destination = number.isMultiple(of: 2) ? Destination.everyHost : .host("receiver")
                    let record = PlainRecord.message("numbers", payload + [UInt8](repeating: 1, count: 400), sender: self.number)
                    let sealed = sealer.sealed([record], to: destination, time: NATSClusterTests.now())
                    batch.append(to: Route(domain: 0, destination: destination), sealed)
                }
                transport.send(batch)
                batch.removeAll()
                // A bound on the rate, so that a loaded machine keeps up with it for the most part.
                Thread.sleep(forTimeInterval: 0.002)
            }
        }
    }

    /// What came of each sender: by destination, for the order is that of one destination.
    final class NumberReceiver: Sendable {
        struct Arrivals {
            var last: [UInt64] = [0, 0]
            var count = 0
        }

        private let transport: any Transport
        private let isOver = Flag()
        private let hasEnded = Flag()
        private let arrivals = Locked<[UInt32: Arrivals]>([:])
        private let wrong = Locked<[String]>([])

        init(_ transport: any Transport) { self.transport = transport }

        /// What has arrived of both destinations.
        func last(of sender: UInt32) -> UInt64 { arrivals.withLock { $0[sender]?.last.min() ?? 0 } }
        func count(of sender: UInt32) -> Int { arrivals.withLock { $0[sender]?.count ?? 0 } }
        var mistakes: [String] { wrong.withLock { $0 } }

        func start() {
            Thread {
                self.run()
                self.hasEnded.isSet = true
            }.start()
        }

        func end() throws {
            isOver.isSet = true
            transport.wake()
            try waitUntil("the thread has ended") { hasEnded.isSet }
        }

        private func run() {
            let minute: UInt64 = 60_000_000_000
            var opener = Opener(
                host: "receiver", domains: [NATSClusterTests.domain], start: NATSClusterTests.now() - minute, clockBound: minute)
            while !isOver.isSet {
                transport.wait(upTo: 1_000_000_000)
                _ = transport.receive { bytes, _ in
                    switch opener.opened([UInt8](copying: bytes), now: NATSClusterTests.now()) {
                    case .success(let opened): for record in opened.records { note(record) }
                    case .failure(let rejection): wrong.withLock { $0.append("\(rejection)") }
                    }
                }
            }
        }

        private func note(_ record: PlainRecord) {
            let number = (0..<8).reduce(UInt64(0)) { $0 | UInt64(record.payload[$1]) << (8 * UInt64($1)) }
            let which = Int(number % 2)
            arrivals.withLock { arrivals in
                var arrived = arrivals[record.sender] ?? Arrivals()
                let before = arrived.last[which]
                if number <= before { wrong.withLock { $0.append("\(number) of \(record.sender) after \(before)") } }
                arrived.last[which] = number
                arrived.count += 1
                arrivals[record.sender] = arrived
            }
        }
    }

    static func transport(_ host: String, _ servers: [NATSServer]) throws -> NATSTransport {
        var configuration = BridgeConfiguration(host: host, domain: "studio", key: nil)
        configuration.nats = NATSSettings(servers: servers.map(\.address))
        configuration.nats!.maximumReconnectWait = .milliseconds(200)
        return try NATSTransport(configuration, logger: Logger(label: host))
    }

    @Test(.disabled(if: isSanitized, "a cluster that is formed anew again and again takes minutes beside a sanitizer"))
    func `servers are killed and restarted, and nothing comes twice or out of order`() throws {
        var generator = SeededGenerator.forTest("servers killed")
        let servers = try NATSServer.cluster(of: 3)
        defer { for server in servers { server.stop() } }
        let senders = try (0..<2).map { try Self.transport("sender\($0)", servers) }
        let receiver = try Self.transport("receiver", servers)
        for sender in senders { sender.learn("receiver", inDomain: 0, from: TransportSource(0)) }
        let receiving = NumberReceiver(receiver)
        receiving.start()
        let sending = senders.enumerated().map { NumberSender($1, sender: UInt32($0)) }
        for thread in sending { thread.start() }

        /// Until something that was sent from now on has arrived, of each sender.
        func progress(_ when: String) throws {
            let counts = sending.map(\.count)
            try waitUntil("numbers arrive \(when)") {
                counts.enumerated().allSatisfy { receiving.last(of: UInt32($0)) > $1 }
            }
        }
        try progress("at first")
        for round in 0..<4 {
            let server = servers[Int.random(in: 0..<3, using: &generator)]
            if Bool.random(using: &generator) { server.kill() } else { server.stop() }
            try progress("without a server, round \(round)")
            try server.start()
            try progress("with it again, round \(round)")
        }
        // And all at once.
        for server in servers { server.kill() }
        for server in servers { try server.start() }
        try progress("after all were killed")

        for thread in sending { try thread.end() }
        try receiving.end()
        #expect(receiving.mistakes.isEmpty, "\(receiving.mistakes.prefix(5))")
        for (number, transport) in senders.enumerated() {
            let (sent, arrived) = (sending[number].count, UInt64(receiving.count(of: UInt32(number))))
            let dropped = transport.dropsOfSending
            // What is neither dropped here nor received was in a server or a socket that ended.
            #expect(arrived + dropped <= sent)
            #expect(transport.counter("datagrams.sent") + dropped - transport.counter("drops.send.connection_lost") == sent)
            print("sender \(number): \(sent) sent, \(arrived) arrived, \(dropped) dropped, \(sent - arrived - dropped) lost on the way")
        }
        for transport in senders + [receiver] {
            #expect(transport.counter("nats.disconnects") >= 1)
            transport.close()
        }
    }
}

import Foundation
import Logging
import Mailslots
import TestRandomness
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// A datagram whose bytes show which it is.
struct TestDatagram: Hashable, Sendable, CustomStringConvertible {
    enum Kind: UInt8 { case hello = 0xd1, data = 0xd2 }

    var kind = Kind.data
    /// Index of the host.
    let sender: Int
    let number: UInt64
    let byteCount: Int

    /// 0: kind, 1: sender, 2: length, 8: number, 16: the rest, made of these.
    var bytes: [UInt8] {
        var bytes = [kind.rawValue, UInt8(sender), UInt8(byteCount & 255), UInt8(byteCount >> 8), 0, 0, 0, 0]
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        var generator = SeededGenerator(seed: number << 16 ^ UInt64(sender << 8 + byteCount))
        let words = (0..<(byteCount - bytes.count + 7) / 8).map { _ in generator.next().littleEndian }
        // In words: beside the thread sanitizer bytes one by one cost minutes. Sound: copied at once.
        unsafe words.withUnsafeBytes { unsafe bytes.append(contentsOf: $0.prefix(byteCount - bytes.count)) }
        return bytes
    }

    init(kind: Kind = .data, sender: Int, number: UInt64, byteCount: Int) {
        precondition(byteCount >= 64)
        self.kind = kind
        self.sender = sender
        self.number = number
        self.byteCount = byteCount
    }

    /// `nil` unless every byte is as it was sent.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 64, let kind = Kind(rawValue: bytes[0]), Int(bytes[2]) | Int(bytes[3]) << 8 == bytes.count else {
            return nil
        }
        let number = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[8 + $1]) << (8 * $1) }
        self.init(kind: kind, sender: Int(bytes[1]), number: number, byteCount: bytes.count)
        guard self.bytes == bytes else { return nil }
    }

    var description: String { "\(kind) \(number) of \(sender), \(byteCount) bytes" }
}

/// A limit for what must not hang; nothing is decided by it.
enum Watchdog {
    static let nanoseconds: Int64 = 60_000_000_000

    struct Bite: Error, CustomStringConvertible {
        let description: String
    }
}

/// A thread whose end ThreadSanitizer sees, too: that of Foundation's is told by a library that is not instrumented.
final class TestThread: Sendable {
    private let ended = Flag()
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        Thread { [self] in
            body()
            ended.isSet = true
        }.start()
    }

    var isFinished: Bool { ended.isSet }

    /// Waits until it has ended.
    func join() { while !isFinished { Thread.sleep(forTimeInterval: 0.0005) } }
}

/// A truth that threads share.
final class Flag: Sendable {
    private let value = Locked(false)
    var isSet: Bool {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// Transports that are connected, and what each has received. Each host is used by one receiving thread at a time.
final class TransportNetwork: @unchecked Sendable {
    let hosts: [String]
    let configurations: [BridgeConfiguration]
    private let transports: [any Transport]
    // Sound: by one thread a host, as their protocol wants it.
    private let inboxes: [Inbox]
    private var drains: UInt64 = 0

    private final class Inbox {
        var seen: Set<TestDatagram> = []
        var datagrams: [TestDatagram] = []
        var helloes: Set<Int> = []
    }

    init(_ kind: TransportKind, hosts count: Int, domains: Int) throws {
        hosts = (0..<count).map { "host\($0)" }
        let made = try kind.make(
            hosts.map { host in
                var configuration = BridgeConfiguration(host: host, domain: "domain0", key: nil)
                configuration.domains = (0..<domains).map { BridgeConfiguration.Domain(name: "domain\($0)", key: nil) }
                return configuration
            })
        transports = made.map(\.transport)
        configurations = made.map(\.configuration)
        inboxes = hosts.map { _ in Inbox() }
    }

    subscript(host: Int) -> any Transport { transports[host] }

    func close() { for transport in transports { transport.close() } }

    /// Each announces itself to all others, until each knows each.
    func introduce(inDomain domain: Int = 0) throws {
        let start = ContinuousClock.now
        var number: UInt64 = 0
        func missing() -> String? {
            for (here, transport) in transports.enumerated() {
                for (there, host) in hosts.enumerated() where here != there {
                    if transport.byteCountMax(to: Route(domain: domain, destination: .host(host))) == nil {
                        return "\(here) misses \(there)"
                    }
                }
            }
            return nil
        }
        while let missing = missing() {
            for host in hosts.indices {
                send([(TestDatagram(kind: .hello, sender: host, number: number, byteCount: 64), .everyHost)], inDomain: domain)
            }
            for host in hosts.indices { take(at: host, waiting: 1_000_000, learningIn: domain) }
            number += 1
            if ContinuousClock.now - start > .nanoseconds(Watchdog.nanoseconds) { throw Watchdog.Bite(description: missing) }
        }
        // Late ones are announcements too.
        for host in hosts.indices { take(at: host, waiting: 0, learningIn: domain) }
    }

    // MARK: sending

    /// All have the same sender.
    func send(_ datagrams: [(datagram: TestDatagram, to: Destination)], inDomain domain: Int = 0) {
        var batch = DatagramBatch()
        for (datagram, destination) in datagrams {
            if batch.isFull {
                transports[datagram.sender].send(batch)
                batch.removeAll()
            }
            batch.append(to: Route(domain: domain, destination: destination), datagram.bytes)
        }
        if let sender = datagrams.first?.datagram.sender { transports[sender].send(batch) }
    }

    func send(bytes: [UInt8], from sender: Int, to destination: Destination) {
        var batch = DatagramBatch()
        batch.append(to: Route(domain: 0, destination: destination), bytes)
        transports[sender].send(batch)
    }

    // MARK: receiving

    /// Takes over what is there, each datagram once, as a bridge's replay window does; own ones that came back are none.
    @discardableResult
    func take(
        at host: Int, waiting nanoseconds: Int64, learningIn domain: Int? = nil, from source: ((TransportSource) -> Void)? = nil
    ) -> Int {
        transports[host].wait(upTo: nanoseconds)
        return transports[host].receive { bytes, of in
            guard let datagram = TestDatagram([UInt8](copying: bytes)) else {
                Issue.record("bytes that nobody sent: \(bytes.byteCount)")
                return
            }
            guard datagram.sender != host else { return }
            switch datagram.kind {
            case .hello:
                if let domain { transports[host].learn(hosts[datagram.sender], inDomain: domain, from: of) }
            case .data:
                guard inboxes[host].seen.insert(datagram).inserted else { return }
                inboxes[host].datagrams.append(datagram)
                source?(of)
            }
        }
    }

    func taken(at host: Int) -> [TestDatagram] { inboxes[host].datagrams }

    func forgetWhatWasSeen() {
        for inbox in inboxes {
            inbox.seen = []
            inbox.datagrams = []
        }
    }

    /// The next `count` datagrams, as they come; there are no more.
    @discardableResult
    func receive(at host: Int, count: Int, from source: ((TransportSource) -> Void)? = nil) throws -> [TestDatagram] {
        try wait(at: host, "\(count) datagrams", from: source) { $0.count >= count }
    }

    /// All that come until these are among them.
    func receive(at host: Int, including expected: [TestDatagram]) throws -> [TestDatagram] {
        try wait(at: host, "\(expected.count) datagrams", from: nil) { Set(expected).isSubset(of: $0) }
    }

    private func wait(
        at host: Int, _ what: String, from source: ((TransportSource) -> Void)?, until isDone: ([TestDatagram]) -> Bool
    ) throws -> [TestDatagram] {
        let start = ContinuousClock.now
        while !isDone(inboxes[host].datagrams) {
            take(at: host, waiting: Watchdog.nanoseconds, from: source)
            if ContinuousClock.now - start > .nanoseconds(Watchdog.nanoseconds) {
                throw Watchdog.Bite(description: "\(host) waits for \(what), and has \(inboxes[host].datagrams)")
            }
        }
        defer { inboxes[host].datagrams = [] }
        return inboxes[host].datagrams
    }

    /// Waits for a datagram that is like this, whatever else comes.
    func receiveBytes(at host: Int, like isWanted: ([UInt8]) -> Bool) throws -> Bool {
        let start = ContinuousClock.now
        var isThere = false
        while !isThere {
            transports[host].wait(upTo: Watchdog.nanoseconds)
            _ = transports[host].receive { bytes, _ in if isWanted([UInt8](copying: bytes)) { isThere = true } }
            if ContinuousClock.now - start > .nanoseconds(Watchdog.nanoseconds) { return false }
        }
        return true
    }

    /// Takes what is on its way at every host: all that was sent before by another has arrived when one that is sent now has.
    func drain() throws {
        for sender in hosts.indices {
            for receiver in hosts.indices where receiver != sender {
                drains += 1
                let last = TestDatagram(sender: sender, number: .max - drains, byteCount: 64)
                while !inboxes[receiver].datagrams.contains(last) {
                    send([(last, .host(hosts[receiver]))])
                    take(at: receiver, waiting: 1_000_000_000)
                }
                inboxes[receiver].datagrams.removeAll { $0 == last }
            }
        }
    }
}

extension DatagramBatch {
    mutating func append(to route: Route, _ bytes: [UInt8]) {
        append(to: route) { span in
            // Sound: it is checked that they fit.
            unsafe span.withUnsafeMutableBytes { unsafe $0.copyBytes(from: bytes) }
            return bytes.count
        }
    }
}

extension Transport {
    func reconfigure(_ configuration: BridgeConfiguration) throws(BridgeError) { try reconfigure(configuration.transport) }
}

extension UDPTransport {
    convenience init(_ configuration: BridgeConfiguration) throws(BridgeError) { try self.init(configuration.transport) }
}

extension NATSTransport {
    convenience init(_ configuration: BridgeConfiguration, logger: Logger) throws(BridgeError) {
        try self.init(configuration.transport, logger: logger)
    }
}

extension UDPTransport {
    /// One that logs nothing.
    convenience init(_ configuration: TransportConfiguration) throws(BridgeError) {
        try self.init(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

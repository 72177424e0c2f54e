import CMailslots
import Foundation
import Logging
import Mailslots
import TestProcesses
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// For the body of an exit test, which is a process: a directory of mailslots of its own, and in it a bridge whose network is the test.
///
/// `MAILSLOT_DIRECTORY` is a process's, and so is the bridge of a directory: tests in one process would be in each other's way.
func withBridge(
    _ configuration: BridgeConfiguration = .forTests, logTo log: LogRecord = LogRecord(), clock: BridgeClock = BridgeClock(),
    _ body: (_ bridge: Bridge, _ network: MemoryNetwork) async throws -> Void
) async throws {
    try await withOwnDirectory {
        let network = MemoryNetwork()
        let bridge = try Bridge(configuration, logger: log.logger, clock: clock) { _ in network }
        let task = Task { try await bridge.run() }
        try await network.hasStarted()
        try await body(bridge, network)
        task.cancel()
        _ = await task.result
    }
}

/// Whether a sanitizer is in this process.
let isSanitized = ["__asan_init", "__tsan_init"].contains { (symbol: String) in unsafe dlsym(nil, symbol) != nil }

/// For the body of an exit test.
func withOwnDirectory(_ body: () async throws -> Void) async throws {
    endIfItHangs()
    let folder = URL(filePath: "/dev/shm/mailslots-bridge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    unsafe setenv("MAILSLOT_DIRECTORY", folder.path, 1)
    defer { try? FileManager.default.removeItem(at: folder) }
    do {
        try await body()
    } catch {
        // What is thrown in a process of its own is not shown otherwise.
        print("thrown: \(error)")
        throw error
    }
}

extension BridgeConfiguration {
    /// The host "here" in the domains "studio" and "lab".
    static var forTests: BridgeConfiguration {
        var configuration = BridgeConfiguration(host: "here", domain: "studio", key: .studio)
        configuration.domains.append(Domain(name: "lab", key: .lab))
        // Nothing happens because time passes, unless a test wants it to.
        configuration.announceEvery = .seconds(3600)
        return configuration
    }
}

extension BridgeKey {
    static let studio = BridgeKey([UInt8](repeating: 7, count: 32))!
    static let lab = BridgeKey([UInt8](repeating: 8, count: 32))!
}

/// What was logged.
final class LogRecord: Sendable {
    let lines = Locked<[String]>([])
    var logger: Logger { Logger(label: "test") { _ in Handler(record: self) } }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let line = "\(event.level) \(event.message) \(event.metadata ?? [:])"
            record.lines.withLock { $0.append(line) }
        }
    }

    func contains(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }
}

/// The network of one bridge, in memory: the test sees what it sends, and sends it what it likes.
final class MemoryNetwork: Transport {
    struct Sent: Sendable {
        let route: Route
        let bytes: [UInt8]
    }

    private struct State {
        var sent: [Sent] = []
        var arriving: [[UInt8]] = []
        var known: Set<Route> = []
    }

    /// What a test does while the bridge calls: it may hold it up, or refuse.
    struct Hooks: Sendable {
        var send: @Sendable () -> Void = {}
        var lookUp: @Sendable () -> Void = {}
        var reconfigure: @Sendable () throws(BridgeError) -> Void = { () throws(BridgeError) in }
    }

    let hooks = Locked(Hooks())
    /// How often the bridge has asked for the path to a host.
    let pathsAskedFor = Locked(0)

    private let state = Locked(State())
    private let wakeup = DispatchSemaphore(value: 0)

    var summary: String { "memory" }
    func byteCountMax(to destination: Route) -> Int? {
        if destination.destination == .everyHost { return 1472 }
        pathsAskedFor.withLock { $0 += 1 }
        return state.withLock { $0.known.contains(destination) } ? 1472 : nil
    }
    func send(_ batch: borrowing DatagramBatch) {
        hooks.withLock { $0.send }()
        for run in batch.runs {
            let sent = run.range.map { Sent(route: run.route, bytes: unsafe [UInt8](batch.bytes(of: $0))) }
            state.withLock { $0.sent += sent }
        }
    }
    func receive(_ body: (_ datagram: RawSpan, _ source: TransportSource) -> Void) -> Int {
        let arrived = state.withLock { state in
            defer { state.arriving = [] }
            return state.arriving
        }
        for datagram in arrived { body(unsafe datagram.span.bytes, TransportSource(1)) }
        return arrived.count
    }
    func wait(upTo nanoseconds: Int64) { _ = wakeup.wait(timeout: .now() + .nanoseconds(Int(nanoseconds))) }
    func wake() { wakeup.signal() }
    func learn(_ host: String, inDomain domain: Int, from source: TransportSource) {
        state.withLock { _ = $0.known.insert(Route(domain: domain, destination: .host(host))) }
    }
    func forget(_ host: String, inDomain domain: Int) {
        state.withLock { _ = $0.known.remove(Route(domain: domain, destination: .host(host))) }
    }
    func describe(_ source: TransportSource) -> String { "memory:\(source.number)" }
    func lookedUp(_ configuration: TransportConfiguration) throws(BridgeError) -> TransportConfiguration {
        hooks.withLock { $0.lookUp }()
        return configuration
    }
    func reconfigure(_ configuration: TransportConfiguration) throws(BridgeError) { try hooks.withLock { $0.reconfigure }() }
    var counters: [TransportCounter] { [] }
    func close() {}

    // The test's side.

    /// The bridge has announced itself: datagrams sealed from now on are ones that it takes.
    func hasStarted() async throws { _ = try await eventually("a start") { takeSent().isEmpty ? nil : true } }

    func deliver(_ datagrams: [UInt8]...) { deliver(all: datagrams) }

    func deliver(all datagrams: [[UInt8]]) {
        state.withLock { $0.arriving += datagrams }
        wakeup.signal()
    }
    /// Takes what was sent, of one domain.
    func takeSent(domain: Int = 0) -> [Sent] {
        state.withLock { state in
            let taken = state.sent.filter { $0.route.domain == domain }
            state.sent.removeAll { $0.route.domain == domain }
            return taken
        }
    }
}

/// Holds up whoever passes it until it is opened.
final class Gate: Sendable {
    private let opened = DispatchSemaphore(value: 0)
    private let waiting = Locked(0)

    func pass() {
        waiting.withLock { $0 += 1 }
        opened.wait()
        opened.signal()
    }
    func somebodyWaits() async throws { _ = try await eventually("somebody at the gate") { waiting.withLock { $0 > 0 ? true : nil } } }
    func open() { opened.signal() }
}

/// Another host, played by the test.
struct FarHost: ~Copyable {
    let name: String
    var sealer: Sealer
    var opener: Opener
    let clock: BridgeClock

    init(_ name: String = "far", domain: String = "studio", key: BridgeKey = .studio, clock: BridgeClock = BridgeClock()) {
        var generator = SystemRandomNumberGenerator()
        self.name = name
        self.clock = clock
        let domain = Domain(name: domain, used: key.domainKey)
        sealer = Sealer(domain: domain, session: SessionID(using: &generator))
        opener = Opener(host: name, domains: [domain], start: 0, clockBound: .max / 4)
    }

    mutating func datagram(_ records: [PlainRecord], to destination: Destination = .host("here")) -> [UInt8] {
        sealer.sealed(records, to: destination, time: clock.real())
    }

    mutating func announcement(_ kind: Announcement.Kind = .present) -> [UInt8] {
        datagram([.announcement(Announcement(kind: kind, host: name).bytes)], to: .everyHost)
    }

    /// The records of what the bridge sent, of those datagrams that are for us.
    mutating func opened(_ sent: [MemoryNetwork.Sent]) throws -> [PlainRecord] {
        var records: [PlainRecord] = []
        for one in sent { records += try opener.opened(one.bytes, now: clock.real()).get().records }
        return records
    }
}

extension MemoryNetwork {
    /// What is sent to a host, until it has that many messages. (A message counts as sent when it is packed, before its batch goes out.)
    func messages(to far: inout FarHost, count: Int) async throws -> (records: [PlainRecord], datagrams: [Sent]) {
        let route = Route(domain: 0, destination: .host(far.name))
        var records: [PlainRecord] = []
        var datagrams: [Sent] = []
        let end = ContinuousClock.now + .seconds(600)
        while records.count < count, ContinuousClock.now < end {
            let sent = takeSent().filter { $0.route == route }
            datagrams += sent
            records += try far.opened(sent).filter { $0.kind == .message }
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(records.count == count)
        return (records, datagrams)
    }
}

/// What `body` gives, as soon as it gives something; a test that waits in vain fails after a long time.
func eventually<Value: ~Copyable>(_ what: String = "", _ body: () throws -> Value?) async throws -> Value {
    let end = ContinuousClock.now + .seconds(600)
    while ContinuousClock.now < end {
        if let value = try body() { return value }
        try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record("It did not happen: \(what)")
    throw CancellationError()
}

/// Asks the bridge for an outbox, byte by byte as mailslots/outbox_protocol.h says, and returns the answer's result and its words.
func ask(for destination: String, _ mailslot: String, number: UInt8 = 0) async throws -> (result: OutboxProtocol.Result, text: String) {
    var answers = try await eventually("a bridge") { try? Mailslot.observe("bridge/answers") as MailslotObserver? }
    let id = (0..<8).map { _ in UInt8.random(in: 0...255) }
    let header = [1, 1, number, UInt8(destination.utf8.count), UInt8(mailslot.utf8.count), 0, 0, 0] + id
    var requests = try Mailslot.open("bridge/requests")
    try await requests.write(header + [UInt8](destination.utf8) + [UInt8](mailslot.utf8))
    for _ in 0..<100_000 {
        while let answer = try answers.next() {
            let bytes = [UInt8](answer)
            guard bytes.count >= 16, [UInt8](bytes[8..<16]) == id else { continue }
            #expect(bytes[0] == 1 && bytes[1] == 1 && bytes[3] == 0 && bytes[6] == 0 && bytes[7] == 0)
            #expect(bytes.count == 16 + Int(bytes[4]) + Int(bytes[5]) << 8)
            return (try #require(OutboxProtocol.Result(rawValue: UInt32(bytes[2]))), String(decoding: bytes[16...], as: UTF8.self))
        }
        try await Task.sleep(for: .milliseconds(1))
    }
    throw CancellationError()
}

/// A writer to a destination, through an outbox.
func outbox(for destination: String, _ mailslot: String, number: UInt8 = 0) async throws -> MailslotWriter {
    let answer = try await ask(for: destination, mailslot, number: number)
    try #require(answer.result == .ready, "\(answer.text)")
    return try Mailslot.open("bridge/out/\(number)/\(destination)/\(mailslot)")
}

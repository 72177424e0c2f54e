import CMailslots
import Foundation
import Mailslots
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// What a bridge does with what local processes ask of it and write. Each test is a process, see `withBridge`.
@Suite struct SendingTests {
    static let far = Route(domain: 0, destination: .host("far"))

    static func isMessage(_ record: PlainRecord) -> Bool { record.kind == .message }

    /// Somewhere "far" is, so that it can be written to, but nothing was heard of it.
    static var withPeer: BridgeConfiguration {
        var configuration = BridgeConfiguration.forTests
        configuration.domains[0].peers = [.init(address: "192.0.2.7", host: "far")]
        return configuration
    }

    // MARK: requests for outboxes

    @Test func `answers never fill up, whoever does not read them`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, _ in
                var requests = try Mailslot.open("bridge/requests")
                for _ in 0..<300 {
                    try await requests.write([1, 1, 0, 4, 1] + [UInt8](repeating: 0, count: 11) + [UInt8]("herea".utf8))
                }
                #expect(try await ask(for: "here", "a").result == .ready)
                #expect(bridge.counters[.outboxesMade] == 1 && bridge.counters[.requestsMalformed] == 0)
            }
        }
    }

    @Test func `an answer's words are at most 400 bytes, and whole characters`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            for number in 0..<8 { configuration.domains.append(.init(name: "\(number)" + String(repeating: "ä", count: 31), key: nil)) }
            try await withBridge(configuration) { _, _ in
                // One byte more, so that the end is once between two characters and once within one.
                for name in ["nobody", "nobody2"] {
                    let text = try await ask(for: name, "orders").text
                    #expect(399...400 ~= text.utf8.count && !text.contains("\u{FFFD}"), "\(text)")
                }
            }
        }
    }

    // MARK: memory

    @Test func `an outbox that nobody has open goes a minute after its last message, and no other`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let outboxes = Outboxes(wakeup: Wakeup())
                let configuration = BridgeConfiguration.Outboxes()
                func open(_ mailslot: String) throws -> Outbox {
                    let name = try #require(OutboxName(number: 0, destination: [UInt8]("far".utf8), mailslot: [UInt8](mailslot.utf8)))
                    return try outboxes.open(name, configuration, now: 0)
                }
                let names = try ["idle", "used", "unread"].map { try open($0).name.local }
                var writer = try Mailslot.open(names[1])
                do {
                    var unread = try Mailslot.open(names[2])
                    #expect(try unread.tryWrite([1]) == .written)
                }
                outboxes.closeIdle(now: 60_000_000_000)
                #expect(outboxes.count == 3)
                outboxes.closeIdle(now: 60_000_000_001)
                #expect(try outboxes.count == 2 && Set(Mailslot.names()) == Set(names[1...]))
                #expect(outboxes.byteCount == outboxes.outboxes.map(\.byteCount).reduce(0, +) && outboxes.byteCount > 0)
                #expect(try writer.tryWrite([2]) == .written)
                outboxes.closeAll()
                #expect(outboxes.byteCount == 0)
            }
        }
    }

    @Test func `outboxes have no more memory than their budget, and get smaller before there are none`() async {
        await #expect(processExitsWith: .success) {
            var configuration = Self.withPeer
            configuration.outboxes.maximumByteCount = 4 << 20
            try await withBridge(configuration) { _, _ in
                // Open: those that nobody has open make room after a second, which this may take.
                var writers: [MailslotSharedWriter] = []
                var refusal = ""
                while refusal.isEmpty, writers.count < 1000 {
                    let answer = try await ask(for: "far", "m\(writers.count)")
                    if answer.result == .ready {
                        writers.append(MailslotSharedWriter(try Mailslot.open("bridge/out/0/far/m\(writers.count)")))
                    } else {
                        refusal = answer.text
                    }
                }
                #expect(writers.count >= 16 && refusal.contains("outboxes.bytesMax"), "\(writers.count): \(refusal)")
                let sizes = try Mailslot.names().filter { $0.hasPrefix(OutboxName.prefix) }.map { try Mailslot.info(of: $0).segmentSize }
                #expect(sizes.count == writers.count && sizes.reduce(0, +) < 5 << 20, "\(sizes)")
                for writer in writers { await writer.close() }
                // Nobody has them open: after a second they make room.
                let end = ContinuousClock.now + .seconds(600)
                while try await ask(for: "far", "again").result != .ready, ContinuousClock.now < end {}
                #expect(ContinuousClock.now < end, "there is room again")
            }
        }
    }

    @Test func `a domain wins over a host of its name`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, network in
                var host = FarHost("lab")
                try await BridgeTests.introduce(&host, to: network)
                var domain = FarHost(domain: "lab", key: .lab)
                var writer = try await outbox(for: "lab", "orders")
                _ = network.takeSent(domain: 1)
                try await writer.write([1])
                let records = try await eventually("a broadcast") {
                    let records = try domain.opened(network.takeSent(domain: 1)).filter(SendingTests.isMessage)
                    return records.isEmpty ? nil : records
                }
                #expect(records.map(\.payload) == [[1]])
                #expect(network.takeSent().allSatisfy { $0.route.destination == .everyHost })
            }
        }
    }

    // MARK: outboxes

    @Test func `those of a killed bridge are adopted, however it was configured, and hosts keep their numbers`() async throws {
        let folder = "/dev/shm/mailslots-bridge-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
            unsafe setenv("MAILSLOT_DIRECTORY", folder, 1)
            var configuration = SendingTests.withPeer
            configuration.outboxes.capacity = 16
            let network = MemoryNetwork()
            let bridge = try Bridge(configuration, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
            _ = Task { try await bridge.run() }
            try await network.hasStarted()
            for name in ["first", "second"] {
                var host = FarHost(name)
                try await BridgeTests.introduce(&host, to: network)
            }
            var writer = try await outbox(for: "far", "orders")
            for number: UInt8 in 1...3 { try await writer.write([number]) }
            #expect(try await ask(for: "far", "unused").result == .ready)
            kill(getpid(), SIGKILL)
        }
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            unsafe setenv("MAILSLOT_DIRECTORY", folder, 1)
            let network = MemoryNetwork()
            // Of another capacity, and without the peer.
            let bridge = try Bridge(.forTests, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
            let task = Task { try await bridge.run() }
            try await network.hasStarted()
            #expect(bridge.counters[.outboxesMade] == 2 && bridge.hosts.presentCount == 0, "\(bridge.counters[.outboxesMade]) adopted")
            let names = try Mailslot.names().filter { $0.hasPrefix(OutboxName.prefix) }
            #expect(names == ["bridge/out/0/far/orders"], "nobody needs the other: \(names)")
            var second = FarHost("second")
            try await BridgeTests.introduce(&second, to: network)
            let name = HostList.Name(domain: "studio", host: "second")
            // Who is there was heard by this bridge, not by the one before.
            _ = try await eventually("it is recorded") { try Mailslot.hosts().map(\.isPresent) == [false, true] ? true : nil }
            #expect(bridge.hosts[name]?.index == 2 && bridge.hosts.name(of: 1)?.host == "first")
            var far = FarHost()
            network.deliver(far.announcement())
            #expect(try await network.messages(to: &far, count: 3).records.map(\.payload) == [[1], [2], [3]])
            task.cancel()
            _ = await task.result
        }
    }

    @Test func `a message that somebody has written over is dropped, and its outbox goes on`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge(SendingTests.withPeer) { bridge, network in
                var writer = try await outbox(for: "far", "orders")
                // No path to it is known: they stay there, the first of them lent to the bridge or not.
                for number: UInt8 in 1...3 { try await writer.write([number]) }
                try Segment(of: "bridge/out/0/far/orders").overwriteLengths()
                try await writer.write([4])
                var far = FarHost()
                network.deliver(far.announcement())
                _ = try await eventually("the last") { try far.opened(network.takeSent()).contains { $0.payload == [4] } ? true : nil }
                let (sent, dropped) = (bridge.counters[.messagesSent], bridge.counters[.droppedDamagedOutbox])
                #expect(sent + dropped == 4 && sent <= 2, "\(sent) sent, \(dropped) dropped: each counts once")
                try await writer.write([5])
                #expect(try await network.messages(to: &far, count: 1).records.map(\.payload) == [[5]])
            }
        }
    }

    @Test func `an outbox that is destroyed is closed, and who asks gets a new one`() async {
        await #expect(processExitsWith: .success) {
            let log = LogRecord()
            var configuration = SendingTests.withPeer
            configuration.outboxes.capacity = 16
            try await withBridge(configuration, logTo: log) { bridge, network in
                let writer = try await outbox(for: "far", "orders")
                try Segment(of: "bridge/out/0/far/orders").overwriteCells()
                _ = try await ask(for: "here", "other")
                _ = try await eventually("it is closed") { log.contains("An outbox is destroyed, and closed") ? true : nil }
                #expect(bridge.counters[.droppedDamagedOutbox] == 17)
                _ = consume writer

                var anew = try await outbox(for: "far", "orders")
                #expect(bridge.counters[.outboxesMade] == 3)
                try await anew.write([1])
                var far = FarHost()
                network.deliver(far.announcement())
                #expect(try await network.messages(to: &far, count: 1).records.map(\.payload) == [[1]])
            }
        }
    }

    @Test func `outboxes of one destination take turns`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge(SendingTests.withPeer) { _, network in
                var orders = try await outbox(for: "far", "orders")
                var prices = try await outbox(for: "far", "prices")
                for _ in 0..<100 {
                    try await orders.write([UInt8](repeating: 1, count: 424))
                    try await prices.write([UInt8](repeating: 2, count: 424))
                }
                var far = FarHost()
                network.deliver(far.announcement())
                let records = try await network.messages(to: &far, count: 200).records
                // Three fill a datagram.
                let changes = zip(records, records.dropFirst()).count { $0.name != $1.name }
                #expect(changes > 50)
            }
        }
    }

    // MARK: hosts that are away

    @Test func `a peer that was not heard of can be written to, and gets it when it is`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge(SendingTests.withPeer) { bridge, network in
                var writer = try await outbox(for: "far", "orders")
                try await writer.write([1])
                try await writer.write([2])
                // What waits costs nothing: the bridge turns when it is asked for something, and not otherwise.
                let before = network.pathsAskedFor.withLock { $0 }
                for _ in 0..<50 { _ = try await ask(for: "far", "orders") }
                #expect(network.pathsAskedFor.withLock { $0 } - before < 1000)
                #expect(bridge.counters[.messagesSent] == 0)
                var far = FarHost()
                network.deliver(far.announcement())
                #expect(try await network.messages(to: &far, count: 2).records.map(\.payload) == [[1], [2]])
            }
        }
    }

    @Test(arguments: [true, false])
    func `what is unread waits for three announcements' time, and is dropped then`(wasThere: Bool) async {
        await #expect(processExitsWith: .success) { [wasThere = wasThere as Bool] in
            var configuration = SendingTests.withPeer
            configuration.announceEvery = .milliseconds(100)
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                var lastKnown = BridgeClock.monotonic
                var writer = try await outbox(for: "far", "orders")
                if wasThere {
                    // Longer than it would wait, so that this alone is no reason to drop.
                    let end = lastKnown + 400_000_000
                    var written: UInt64 = 0
                    while BridgeClock.monotonic < end || bridge.counters[.messagesSent] == 0 {
                        let sent = bridge.counters[.messagesSent]
                        let begin = BridgeClock.monotonic
                        network.deliver(far.announcement())
                        try await writer.write([0])
                        written += 1
                        _ = try await eventually("it goes, or is dropped") {
                            bridge.counters[.messagesSent] + bridge.counters[.droppedNoPath] == written ? true : nil
                        }
                        if bridge.counters[.messagesSent] > sent { lastKnown = begin }
                    }
                    network.deliver(far.announcement(.goodbye))
                    _ = try await eventually("it has left") { bridge.hosts.presentCount == 0 ? true : nil }
                }
                let before = bridge.counters[.droppedNoPath]
                for number: UInt8 in 1...3 { try await writer.write([number]) }
                _ = try await eventually("they are dropped") { bridge.counters[.droppedNoPath] == before + 3 ? true : nil }
                #expect(BridgeClock.monotonic - lastKnown >= 300_000_000)
            }
        }
    }

    // MARK: announcements

    @Test func `the first datagram to a host says whose it is, the next do not, and a newcomer is told again`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var writer = try await outbox(for: "far", "orders")
                func tells() async throws -> Bool {
                    try await writer.write([1])
                    let sent = try await eventually("a datagram") {
                        let sent = network.takeSent().filter { $0.route == SendingTests.far }
                        return sent.isEmpty ? nil : sent
                    }
                    return try far.opened(sent).contains { $0.kind == .announcement }
                }
                #expect(try await tells())
                #expect(try await !tells())
                var near = FarHost("near")
                try await BridgeTests.introduce(&near, to: network)
                #expect(try await tells())
                #expect(try await !tells())
            }
        }
    }
}

/// A mailslot's file, to be written over as somebody would who may write to it: see segment.h.
struct Segment {
    private let file: FileHandle
    private let header: [UInt8]

    init(of name: String) throws {
        file = try #require(FileHandle(forUpdatingAtPath: try Mailslot.path(of: name)))
        header = [UInt8](try #require(try file.read(upToCount: 128)))
    }

    private func number(at offset: Int, bytes: Int) -> UInt64 {
        header[offset..<offset + bytes].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    private var cellCount: UInt64 { number(at: 24, bytes: 4) }
    private var slotCount: UInt64 { cellCount + number(at: 28, bytes: 4) }

    /// No message may be so long.
    func overwriteLengths() throws {
        for slot in 0..<slotCount {
            try file.seek(toOffset: number(at: 80, bytes: 8) + slot * number(at: 32, bytes: 4))
            try file.write(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF])
        }
        // Of a message in its cell's own line, in the second byte of its label.
        for cell in 0..<cellCount {
            try file.seek(toOffset: number(at: 64, bytes: 8) + cell * 64 + 9)
            try file.write(contentsOf: [0xFF])
        }
    }

    /// None says which message is next.
    func overwriteCells() throws {
        try file.seek(toOffset: number(at: 64, bytes: 8))
        try file.write(contentsOf: [UInt8](repeating: 0xFF, count: 64 * Int(cellCount)))
    }
}

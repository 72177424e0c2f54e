import CMailslots
import Foundation
import Mailslots
import ServiceLifecycle
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// One whole bridge, with the test as its network and its local processes. Each test is a process, see `withBridge`.
@Suite struct BridgeTests {
    /// Lets the far host announce itself, and waits until the bridge has answered.
    static func introduce(_ far: inout FarHost, to network: MemoryNetwork) async throws {
        _ = network.takeSent()
        network.deliver(far.announcement())
        _ = try await eventually("an answer to a newcomer") {
            network.takeSent().contains { $0.route.destination == .everyHost } ? true : nil
        }
    }

    @Test func `a message to a host goes out sealed for it`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var writer = try await outbox(for: "far", "orders")
                try await writer.write("hello")

                let sent = try await eventually("a datagram for far") {
                    let sent = network.takeSent().filter { $0.route == Route(domain: 0, destination: .host("far")) }
                    return sent.isEmpty ? nil : sent
                }
                let records = try far.opened(sent)
                #expect(records.first == .announcement(Announcement(kind: .present, host: "here").bytes))
                #expect(records.dropFirst() == [.message("orders", [UInt8]("hello".utf8), sender: UInt32(getpid()))])
            }
        }
    }

    @Test func `a message is given back to its outbox before it is sent, so that nobody who is killed sends it twice`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var writer = try await outbox(for: "far", "orders")
                let waiting = Locked<[UInt64]>([])
                network.hooks.withLock { hooks in
                    hooks.send = {
                        let outbox = unsafe mslot_inspect("bridge/out/0/far/orders")
                        waiting.withLock { $0.append(UInt64(outbox.info.message_count)) }
                    }
                }
                try await writer.write("hello")
                _ = try await network.messages(to: &far, count: 1)
                #expect(waiting.withLock { $0 } == [0])
            }
        }
    }

    @Test func `what waits for one destination is packed`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var orders = try await outbox(for: "far", "orders")
                var prices = try await outbox(for: "far", "prices")
                for number in 0..<300 { try await orders.write([UInt8](repeating: UInt8(number % 256), count: 8)) }
                for number in 0..<300 { try await prices.write([UInt8](repeating: UInt8(number % 256), count: 424)) }
                let (records, sent) = try await network.messages(to: &far, count: 600)
                #expect(bridge.counters[.messagesSent] == 600)
                for name in ["orders", "prices"] {
                    let numbers = records.filter { $0.name == [UInt8](name.utf8) }.map { $0.payload[0] }
                    #expect(numbers == (0..<300).map { UInt8($0 % 256) }, "\(name) is whole and in order")
                }
                #expect(sent.allSatisfy { $0.bytes.count <= 1472 })
            }
        }
    }

    @Test func `what arrives is delivered with its sender and origin`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                try await BridgeTests.introduce(&far, to: network)
                network.deliver(far.datagram([.message("orders", [1, 2, 3], sender: 77)]))

                let message = try #require(try await reader.read(timeout: .seconds(600)))
                #expect([UInt8](message) == [1, 2, 3])
                #expect(message.info.senderProcessID == 77)
                #expect(message.info.origin.isAuthenticated)
                #expect(message.info.origin.hostNumber.flatMap { bridge.hosts.name(of: $0) }?.host == "far")
            }
        }
    }

    @Test func `only mailslots that accept remote messages and are allowed get any`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.delivery.allowedMailslots = ["open*", "closed"]
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                var open = try Mailslot.create("open", acceptsRemoteMessages: true)
                var closed = try Mailslot.create("closed")
                var secret = try Mailslot.create("secret", acceptsRemoteMessages: true)
                network.deliver(
                    far.datagram(
                        [
                            .message("closed"), .message("secret"), .message("nowhere"), .message("bridge/requests"),
                            .message("open", [9]),
                        ]))

                #expect(try await open.read(timeout: .seconds(600)).map { [UInt8]($0) } == [9])
                #expect(try await closed.read(timeout: .now) == nil)
                #expect(try await secret.read(timeout: .now) == nil)
                #expect(bridge.counters[.droppedNotRemote] == 1)
                #expect(bridge.counters[.droppedNotAllowed] == 3)
                _ = try await eventually("it is counted") { bridge.counters[.messagesDelivered] == 1 ? true : nil }
            }
        }
    }

    @Test func `a name that is another one than it looks is dropped`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                for name in ["ORDERS", #"\\.\mailslot\orders"#, #"\\far\mailslot\x"#, "/orders", "a//b", "a*", "\u{0}", "orders/"] {
                    network.deliver(far.datagram([.message(name)]))
                }
                network.deliver(far.datagram([.message("orders", [1])]))

                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [1])
                #expect(bridge.counters[.droppedBadName] == 8)
            }
        }
    }

    @Test func `a datagram that comes again is delivered once`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                let datagrams = (0..<200).map { number in far.datagram([.message("orders", [UInt8(number)])]) }
                for datagram in datagrams + datagrams.reversed() { network.deliver(datagram) }
                for number in 0..<200 { #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [UInt8(number)]) }
                _ = try await eventually("all were seen") { bridge.counters[DatagramRejection.seen] == 200 ? true : nil }
                #expect(try await reader.read(timeout: .now) == nil)
            }
        }
    }

    @Test func `wrong keys, other hosts' datagrams, wrong clocks and garbage are dropped and counted`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                var stranger = FarHost(key: BridgeKey([UInt8](repeating: 99, count: 32))!)
                network.deliver(stranger.datagram([.message("orders")]))
                var late = FarHost(clock: BridgeClock { BridgeClock().real() + 3_600_000_000_000 })
                network.deliver(late.datagram([.message("orders")]))
                var far = FarHost()
                network.deliver(far.datagram([.message("orders")], to: .host("elsewhere")))
                var damaged = far.datagram([.message("orders")])
                damaged[50] ^= 1
                network.deliver(damaged)
                network.deliver([1, 2, 3])
                network.deliver([])
                var foreign = far.datagram([.message("orders")])
                foreign[0] = 0
                network.deliver(foreign)
                network.deliver(far.datagram([.message("orders", [7])]))

                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [7])
                #expect(try await reader.read(timeout: .now) == nil)
                #expect(bridge.counters[DatagramRejection.unknownKey] == 1)
                #expect(bridge.counters[DatagramRejection.badTime] == 1)
                #expect(bridge.counters[DatagramRejection.badTag] == 2)
                #expect(bridge.counters[DatagramRejection.tooShort] == 2)
                #expect(bridge.counters[DatagramRejection.badMagic] == 1)
                #expect(DatagramRejection.allCases.map { bridge.counters[$0] }.reduce(0, +) == 7)
                #expect(bridge.counters[.datagramsAccepted] == 1)
            }
        }
    }

    @Test func `a broadcast goes to every host of the domain and to ourselves`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, network in
                var here = try Mailslot.create("news", acceptsRemoteMessages: true)
                for (index, destination) in ["@", "studio", "lab"].enumerated() {
                    let domain = destination == "lab" ? 1 : 0
                    var far = FarHost(domain: domain == 1 ? "lab" : "studio", key: domain == 1 ? .lab : .studio)
                    var writer = try await outbox(for: destination, "news")
                    try await writer.write([UInt8(index)])

                    #expect(try await here.read(timeout: .seconds(600)).map { [UInt8]($0) } == [UInt8(index)])
                    let message = try await eventually("a broadcast") {
                        try far.opened(network.takeSent(domain: domain)).first { $0.kind == .message }
                    }
                    #expect(message.payload == [UInt8(index)])
                    #expect(message.name == [UInt8]("news".utf8))
                }
            }
        }
    }

    @Test func `what we sent ourselves and comes back is not delivered again`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var here = try Mailslot.create("news", acceptsRemoteMessages: true)
                var writer = try await outbox(for: "@", "news")
                try await writer.write([5])
                #expect(try await here.read(timeout: .seconds(600)) != nil)
                let sent = try await eventually("a broadcast") {
                    let sent = network.takeSent()
                    return sent.isEmpty ? nil : sent
                }
                for one in sent { network.deliver(one.bytes) }
                _ = try await eventually("it came back") { bridge.counters[.datagramsOwn] >= UInt64(sent.count) ? true : nil }
                #expect(try await here.read(timeout: .now) == nil)
            }
        }
    }

    @Test func `who creates a mailslot gets what comes from then on`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var broadcasts = try await outbox(for: "@", "late")
                let records = [PlainRecord.message("late", [1]), .message("other", [2]), .message("late", [3])]
                // Of another host, and our own.
                network.deliver(far.datagram(records))
                _ = try await eventually("there is none") { bridge.counters[.droppedNoMailslot] == 3 ? true : nil }
                try await broadcasts.write([4])
                _ = try await eventually("there is none") { bridge.counters[.droppedNoMailslot] == 4 ? true : nil }

                var late = try Mailslot.create("late", acceptsRemoteMessages: true)
                network.deliver(far.datagram(records))
                try await broadcasts.write([4])
                var payloads: Set<[UInt8]> = []
                while payloads.count < 3, let message = try await late.read(timeout: .seconds(600)) { payloads.insert([UInt8](message)) }
                #expect(payloads == [[1], [3], [4]])
            }
        }
    }

    @Test func `our own name leads to ourselves`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var here = try Mailslot.create("news", acceptsRemoteMessages: true)
                var writer = try await outbox(for: "here", "news")
                try await writer.write([5])
                #expect(try await here.read(timeout: .seconds(600)).map { [UInt8]($0) } == [5])
                #expect(network.takeSent().allSatisfy { $0.route.destination == .everyHost })
            }
        }
    }

    @Test func `requests are refused with cause and cure`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.outboxes.allowed = ["studio/news", "here/*"]
            configuration.outboxes.maximumCount = 2
            try await withBridge(configuration) { bridge, _ in
                let unknown = try await ask(for: "nobody", "orders")
                #expect(unknown.result == .noSuchHost && unknown.text.contains("mailslot hosts"))
                let forbidden = try await ask(for: "studio", "orders")
                #expect(forbidden.result == .notAllowed && forbidden.text.contains("outboxes.allowed"))
                #expect(try await ask(for: "STUDIO", "news").result == .badName)
                #expect(try await ask(for: "studio", String(repeating: "n", count: 41)).result == .badName)
                #expect(try await ask(for: "studio", "news", number: 64).result == .badName)
                #expect(try await ask(for: "studio", "news").result == .ready)
                #expect(try await ask(for: "studio", "news").result == .ready, "it is there")
                #expect(try await ask(for: "here", "a").result == .ready)
                #expect(try await ask(for: "here", "b").result == .tooManyOutboxes)
                #expect(bridge.counters[.requestsRefused] == 6)
                #expect(bridge.counters[.outboxesMade] == 2)
                var requests = try Mailslot.open("bridge/requests")
                for length in 0..<40 { try await requests.write([UInt8](repeating: 1, count: length)) }
                #expect(try await ask(for: "studio", "news").result == .ready)
                #expect(bridge.counters[.requestsMalformed] == 40)
            }
        }
    }

    @Test func `messages for a host that is away wait for it`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var writer = try await outbox(for: "far", "orders")
                network.deliver(far.announcement(.goodbye))
                _ = try await eventually("it has left") { bridge.hosts.presentCount == 0 ? true : nil }
                try await writer.write([1])
                try await writer.write([2])
                #expect(try await ask(for: "far", "others").result == .noSuchHost)
                #expect(network.takeSent().allSatisfy { $0.route.destination == .everyHost })

                let records = try await eventually("what waited") {
                    // Again and again, as hosts do: on a busy machine one may be too old when it is looked at.
                    if bridge.hosts.presentCount == 0 { network.deliver(far.announcement()) }
                    let sent = network.takeSent().filter { $0.route.destination == .host("far") }
                    return sent.isEmpty ? nil : try far.opened(sent)
                }
                #expect(records.filter { $0.kind == .message }.map(\.payload) == [[1], [2]])
            }
        }
    }

    @Test func `messages for a host that does not come back are dropped and their writers go on`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.outboxes.capacity = 4
            configuration.announceEvery = .milliseconds(50)
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                // On a slow machine it is gone before we ask.
                var answer = OutboxProtocol.Result.noSuchHost
                while answer == .noSuchHost {
                    network.deliver(far.announcement())
                    answer = try await ask(for: "far", "orders").result
                }
                try #require(answer == .ready)
                var writer = try Mailslot.open("bridge/out/0/far/orders")
                // It is silent, and so gone after three announcements of its that did not come.
                for number in 0..<100 { try await writer.write([UInt8(number)]) }
                _ = try await eventually("all went or were dropped") {
                    bridge.counters[.messagesSent] + bridge.counters[.droppedNoPath] == 100 ? true : nil
                }
            }
        }
    }

    @Test func `limits of a host and of a mailslot hold`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.delivery.messagesPerSecondOfHost = 50
            configuration.delivery.messagesPerSecondOfMailslot = 20
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                let a = try Mailslot.create("a", acceptsRemoteMessages: true)
                let b = try Mailslot.create("b", acceptsRemoteMessages: true)
                // Together, so that they are looked at in the same moment.
                network.deliver(
                    far.datagram((0..<40).map { _ in .message("a") }), far.datagram((0..<40).map { _ in .message("b") }))
                _ = try await eventually("the last was looked at") { bridge.counters[.droppedHostLimit] == 30 ? true : nil }
                _ = try await eventually("all are delivered") { bridge.counters[.messagesDelivered] == 30 ? true : nil }
                #expect(bridge.counters[.droppedMailslotLimit] == 20)
                #expect(a.info.messageCount + b.info.messageCount == Int(bridge.counters[.messagesDelivered]))
            }
        }
    }

    @Test func `a hundred outboxes are all served, awake or asleep`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                let writers = try await Writers(to: "far", count: 100)
                try await writers.writeRounds(5, bridge)
                let (records, _) = try await network.messages(to: &far, count: 500)
                let byMailslot = Dictionary(grouping: records, by: \.name).mapValues { $0.map(\.payload) }
                #expect(byMailslot.count == 100)
                #expect(byMailslot.values.allSatisfy { $0 == [[0], [1], [2], [3], [4]] })
            }
        }
    }

    @Test func `graceful shutdown sends what is there, says goodbye and tells the writers`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let network = MemoryNetwork()
                let bridge = try Bridge(.forTests, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
                let group = ServiceGroup(services: [bridge], logger: LogRecord().logger)
                let running = Task { try await group.run() }
                try await network.hasStarted()
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                var writer = try await outbox(for: "far", "orders")
                for number in 0..<500 { try await writer.write([UInt8(number % 256)]) }
                await group.triggerGracefulShutdown()
                try await running.value

                let sent = network.takeSent()
                let records = try far.opened(sent)
                #expect(records.filter { $0.kind == .message }.count == 500)
                #expect(records.last == .announcement(Announcement(kind: .goodbye, host: "here").bytes))
                await #expect(throws: MailslotError.self) { try await writer.write([1]) }
            }
        }
    }

    @Test func `a reload takes over keys and limits and keeps sessions`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                let early = far.datagram([.message("orders", [1])])
                network.deliver(early)
                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [1])

                var new = BridgeConfiguration.forTests
                new.domains.reverse()
                new.domains[1].alsoAccepted = [.studio]
                new.domains[1].key = BridgeKey([UInt8](repeating: 5, count: 32))!
                try await bridge.reload(new)

                network.deliver(early)
                network.deliver(far.datagram([.message("orders", [2])]))
                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [2], "the old key is accepted")
                #expect(bridge.counters[DatagramRejection.seen] == 1, "the session's window was kept")

                new.host = "another"
                await #expect(throws: BridgeError.self) { try await bridge.reload(new) }
            }
        }
    }

    @Test func `of sessions that are new at one moment a thousand are looked at`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                // Together, so that they are looked at in the same moment.
                network.deliver(
                    all: (0..<1100).map { _ in
                        var far = FarHost()
                        return far.datagram([.message("nowhere")])
                    })
                _ = try await eventually("the others are dropped") { bridge.counters[.datagramsOverSessionLimit] == 100 ? true : nil }
                _ = try await eventually("a thousand are opened") { bridge.counters[.droppedNoMailslot] == 1000 ? true : nil }
            }
        }
    }

    @Test func `what is counted can be read by others`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                let reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                network.deliver(far.announcement())
                network.deliver(far.datagram([.message("orders"), .message("nowhere")]))

                let file = try #require(BridgeStatus.folder) + "/" + BridgeStatus.fileName
                let text = try await eventually("a status") {
                    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                    return text.contains("\nmailslot_bridge_dropped_no_mailslot_total 1\n") ? text : nil
                }
                #expect(text.contains("\nmailslot_bridge_messages_delivered_total 1\n"))
                #expect(text.contains("\nmailslot_bridge_hosts 1\n"))
                #expect(text.contains("\nmailslot_bridge_datagrams_refused_bad_tag_total 0\n"))
                #expect(reader.info.messageCount == 1)
            }
        }
    }

    @Test func `a second bridge in the directory is refused`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, _ in
                _ = try await ask(for: "here", "a")
                let second = try Bridge(.forTests, logger: LogRecord().logger, clock: BridgeClock()) { _ in MemoryNetwork() }
                let error = await #expect(throws: BridgeError.self) { try await second.run() }
                #expect(error?.code == .alreadyRunning)
                #expect(error?.description.contains("MAILSLOT_DIRECTORY") == true)
            }
        }
    }
}

/// Writers, to write the same to.
final class Writers {
    private final class One {
        var writer: MailslotWriter
        init(_ writer: consuming MailslotWriter) { self.writer = writer }
    }

    private var all: [One] = []

    /// To the mailslots "m0", "m1" and so on of a destination.
    init(to destination: String, count: Int) async throws {
        for number in 0..<count { all.append(One(try await outbox(for: destination, "m\(number)"))) }
    }

    /// The number of the round, to each; the next when the bridge has sent all.
    func writeRounds(_ count: Int, _ bridge: Bridge) async throws {
        for round in 0..<count {
            write([UInt8(round)])
            let expected = UInt64(all.count * (round + 1))
            _ = try await eventually("round \(round)") { bridge.counters[.messagesSent] == expected ? true : nil }
        }
    }

    private func write(_ bytes: [UInt8]) {
        for one in all { #expect(throws: Never.self) { try one.writer.write(bytes) } }
    }
}

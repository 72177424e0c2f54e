import CMailslots
import Foundation
import Mailslots
import ServiceLifecycle
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// What a bridge takes over while it runs, and how it ends. Each test is a process, see `withBridge`.
@Suite struct ReloadTests {
    static let newKey = BridgeKey([UInt8](repeating: 5, count: 32))!

    // MARK: another configuration

    @Test func `what is reloaded before the start counts`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let network = MemoryNetwork()
                let bridge = try Bridge(.forTests, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
                var new = BridgeConfiguration.forTests
                new.domains[1].name = "stage"
                try await bridge.reload(new)
                let task = Task { try await bridge.run() }
                try await network.hasStarted()
                #expect(try await ask(for: "stage", "news").result == .ready)
                #expect(try await ask(for: "lab", "news").result == .noSuchHost)
                task.cancel()
                _ = await task.result
            }
        }
    }

    @Test func `a reload changes how far others' clocks may differ`() async {
        await #expect(processExitsWith: .success) {
            let right = BridgeClock()
            try await withBridge { bridge, network in
                var fast = FarHost(clock: BridgeClock { right.real() + 100_000_000_000 })
                network.deliver(fast.announcement())
                _ = try await eventually("it is refused") { bridge.counters[.badTime] == 1 ? true : nil }
                var new = BridgeConfiguration.forTests
                new.clockBound = .seconds(200)
                try await bridge.reload(new)
                network.deliver(fast.announcement())
                _ = try await eventually("it is there") { bridge.hosts.presentCount == 1 ? true : nil }
                try await bridge.reload(.forTests)
                network.deliver(fast.announcement())
                _ = try await eventually("it is refused again") { bridge.counters[.badTime] == 2 ? true : nil }
            }
        }
    }

    @Test func `a key that was taken away and comes back lets nothing in that was captured before`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                let reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                let captured = far.datagram([.message("orders")])
                network.deliver(captured)
                _ = try await eventually("it is delivered") { reader.info.messageCount == 1 ? true : nil }
                var without = BridgeConfiguration.forTests
                without.domains[0].key = ReloadTests.newKey
                try await bridge.reload(without)
                network.deliver(captured)
                _ = try await eventually("its key is not known") { bridge.counters[.unknownKey] == 1 ? true : nil }
                try await bridge.reload(.forTests)
                network.deliver(captured)
                _ = try await eventually("it is from before") { bridge.counters[.beforeStart] == 1 ? true : nil }
                network.deliver(far.datagram([.message("orders")]))
                _ = try await eventually("what is new is delivered") { reader.info.messageCount == 2 ? true : nil }
            }
        }
    }

    @Test func `names are folded as they are compared`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.host = "HERE"
            configuration.domains[0].name = "Studio"
            configuration.domains[0].peers = [.init(address: "192.0.2.7", host: "Far")]
            try await withBridge(configuration) { bridge, _ in
                for name in ["here", "studio", "far"] { #expect(try await ask(for: name, "news").result == .ready, "\(name)") }
                configuration.host = "Here"
                try await bridge.reload(configuration)
            }
        }
    }

    @Test func `a reload changes what may be asked for, and where names lead`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.outboxes.allowed = ["lab/news"]
            try await withBridge(configuration) { bridge, network in
                var writer = try await outbox(for: "lab", "news")
                #expect(try await ask(for: "studio", "news").result == .notAllowed)
                configuration.outboxes.allowed = ["studio/*"]
                configuration.domains.reverse()
                configuration.domains[0].key = ReloadTests.newKey
                _ = (network.takeSent(), network.takeSent(domain: 1))
                try await bridge.reload(configuration)

                var far = FarHost(domain: "lab", key: ReloadTests.newKey)
                let announced = try await eventually("it announces itself anew") {
                    let sent = network.takeSent(domain: 0)
                    return sent.isEmpty ? nil : sent
                }
                #expect(try far.opened(announced) == [.announcement(Announcement(kind: .present, host: "here").bytes)])
                try await writer.write([1])
                let sent = try await eventually("a broadcast, of the domain that is the first now") {
                    let sent = network.takeSent(domain: 0)
                    return sent.isEmpty ? nil : sent
                }
                #expect(try far.opened(sent).filter { $0.kind == .message }.map(\.payload) == [[1]])
                #expect(try await ask(for: "studio", "news").result == .ready)
                #expect(try await ask(for: "lab", "other").result == .notAllowed)
                #expect(try await ask(for: "lab", "news").result == .ready, "it is there")

                // What is sent by the new session comes back as what was sent by the old one.
                let own = bridge.counters[.datagramsOwn]
                network.deliver(all: (announced + sent).map(\.bytes))
                _ = try await eventually("they came back") {
                    bridge.counters[.datagramsOwn] == own + UInt64(announced.count + sent.count) ? true : nil
                }
            }
        }
    }

    @Test func `a reload changes which mailslots get what, from here and from afar`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                var open = try Mailslot.create("open", acceptsRemoteMessages: true)
                var news = try Mailslot.create("news", acceptsRemoteMessages: true)
                var writer = try await outbox(for: "studio", "news")
                try await writer.write([1])
                #expect(try await news.read(timeout: .seconds(600)) != nil)
                network.deliver(far.datagram([.message("news", [2])]))
                #expect(try await news.read(timeout: .seconds(600)) != nil)

                configuration.delivery.allowedMailslots = ["open"]
                try await bridge.reload(configuration)
                try await writer.write([3])
                network.deliver(far.datagram([.message("news", [4]), .message("open", [5])]))
                #expect(try await open.read(timeout: .seconds(600)).map { [UInt8]($0) } == [5])
                _ = try await eventually("both are dropped") { bridge.counters[.droppedNotAllowed] == 2 ? true : nil }
                #expect(try await news.read(timeout: .now) == nil)
            }
        }
    }

    @Test func `a reload changes how often the bridge says that it is there`() async {
        await #expect(processExitsWith: .success) {
            var configuration = SendingTests.withPeer
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                configuration.announceEvery = .milliseconds(10)
                try await bridge.reload(configuration)
                var writer = try await outbox(for: "far", "orders")
                // To everybody, and with what is for a host.
                var (announced, told) = (0, 0)
                let end = ContinuousClock.now + .seconds(600)
                while announced < 3 || told < 3, ContinuousClock.now < end {
                    // It is gone after three announcements that do not come.
                    network.deliver(far.announcement())
                    try await writer.write([1])
                    try await Task.sleep(for: .milliseconds(1))
                    let sent = network.takeSent()
                    announced += sent.count { $0.route.destination == .everyHost }
                    told += try far.opened(sent.filter { $0.route == SendingTests.far }).count { $0.kind == .announcement }
                }
                #expect(announced >= 3 && told >= 3)
            }
        }
    }

    @Sendable private static func refuse() throws(BridgeError) { throw BridgeError(.network, "the network says no") }

    @Test func `a reload that cannot be changes nothing`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.outboxes.allowed = ["lab/*"]
            try await withBridge(configuration) { bridge, network in
                network.hooks.withLock { $0.reconfigure = ReloadTests.refuse }
                var new = configuration
                new.outboxes.allowed = ["*"]
                let refused = await #expect(throws: BridgeError.self) { try await bridge.reload(new) }
                #expect(refused?.description == "the network says no")
                new.nats = .init(servers: ["nats://127.0.0.1:4222"])
                let other = await #expect(throws: BridgeError.self) { try await bridge.reload(new) }
                #expect(other?.code == .badConfiguration && other?.description.contains("between UDP and NATS") == true)
                let answer = try await ask(for: "studio", "news")
                #expect(answer.result == .notAllowed)
            }
        }
    }

    // MARK: the end

    /// Runs a bridge whose first datagram to "far" is held up by `gate`, in a `Service` of a group.
    private struct Held: Service {
        let bridge: Bridge
        let network: MemoryNetwork
        let gate: Gate
        let isRunning = Locked(false)
        /// Shut down, and the bridge knows.
        let isDraining = Locked(false)

        init(_ configuration: BridgeConfiguration, _ gate: Gate) throws {
            let network = MemoryNetwork()
            bridge = try Bridge(configuration, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
            self.network = network
            self.gate = gate
        }

        func run() async throws {
            try await withThrowingTaskGroup { group in
                group.addTask { try await bridge.run() }
                try await network.hasStarted()
                isRunning.withLock { $0 = true }
                // The bridge has a handler by now, and it is called before ours.
                try await withGracefulShutdownHandler {
                    try await group.waitForAll()
                } onGracefulShutdown: {
                    isDraining.withLock { $0 = true }
                }
            }
        }

        /// Introduces the host, and writes what is more than two turns send.
        func begin(_ far: inout FarHost) async throws -> MailslotWriter {
            _ = try await eventually("it runs") { isRunning.withLock { $0 } ? true : nil }
            try await BridgeTests.introduce(&far, to: network)
            var writer = try await outbox(for: "far", "orders")
            network.hooks.withLock { $0.send = { [gate] in gate.pass() } }
            try await writer.write([0])
            try await gate.somebodyWaits()
            for number in 1..<ReloadTests.messages { try await writer.write([UInt8](repeating: UInt8(number % 256), count: 424)) }
            return writer
        }
    }

    /// Three fill a datagram.
    private static let messages = 3 * 3 * DatagramBatch.countMax

    private static func configuration(drainTimeout: Duration) -> BridgeConfiguration {
        var configuration = BridgeConfiguration.forTests
        configuration.drainTimeout = drainTimeout
        return configuration
    }

    /// How many messages got out, and whether a goodbye was the last.
    private static func sent(_ network: MemoryNetwork, _ far: inout FarHost) throws -> (messages: Int, saysGoodbye: Bool) {
        let records = try far.opened(network.takeSent())
        return (records.count { $0.kind == .message }, records.last == .announcement(Announcement(kind: .goodbye, host: "here").bytes))
    }

    @Test(arguments: [0, 3600])
    func `graceful shutdown takes the time that it may, and no outbox is made meanwhile`(drainSeconds: Int) async {
        await #expect(processExitsWith: .success) { [drainSeconds = drainSeconds as Int] in
            try await withOwnDirectory {
                let gate = Gate()
                let held = try Held(ReloadTests.configuration(drainTimeout: .seconds(drainSeconds)), gate)
                let group = ServiceGroup(services: [held], logger: LogRecord().logger)
                let ended = Locked(false)
                let running = Task {
                    try await group.run()
                    ended.withLock { $0 = true }
                }
                defer { gate.open() }
                var far = FarHost()
                var writer = try await held.begin(&far)
                await group.triggerGracefulShutdown()
                _ = try await eventually("it is to end") { held.isDraining.withLock { $0 } ? true : nil }
                async let late = ask(for: "studio", "news")
                async let known = ask(for: "far", "orders")
                _ = try await eventually("it is asked") { try Mailslot.info(of: "bridge/requests").messageCount == 2 ? true : nil }
                gate.open()
                _ = try await eventually("it ends") { ended.withLock { $0 } ? true : nil }
                try await running.value

                let answer = try await late
                #expect(answer.result == .ending && answer.text.contains("mailslot bridge"), "\(answer)")
                #expect(try await known.result == .ready)
                let sent = try ReloadTests.sent(held.network, &far)
                #expect(drainSeconds == 0 ? sent.messages < ReloadTests.messages : sent.messages == ReloadTests.messages)
                #expect(sent.saysGoodbye)
                #expect(throws: MailslotError.self) { try writer.write([1]) }
            }
        }
    }

    @Test func `a bridge that is cancelled sends nothing more but goodbye`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let gate = Gate()
                let held = try Held(.forTests, gate)
                let running = Task { try await held.run() }
                defer { gate.open() }
                var far = FarHost()
                var writer = try await held.begin(&far)
                running.cancel()
                gate.open()
                await #expect(throws: CancellationError.self) { try await running.value }
                let sent = try ReloadTests.sent(held.network, &far)
                #expect(sent.messages == 1 && sent.saysGoodbye)
                #expect(throws: MailslotError.self) { try writer.write([1]) }
            }
        }
    }

    @Test func `a reload whose names are found only when the bridge has ended returns`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let network = MemoryNetwork()
                let bridge = try Bridge(.forTests, logger: LogRecord().logger, clock: BridgeClock()) { _ in network }
                let running = Task { try await bridge.run() }
                try await network.hasStarted()
                let gate = Gate()
                network.hooks.withLock { $0.lookUp = { gate.pass() } }
                let hasReturned = Locked(false)
                let reload = Task {
                    try await bridge.reload(.forTests)
                    hasReturned.withLock { $0 = true }
                }
                try await gate.somebodyWaits()
                running.cancel()
                _ = await running.result
                gate.open()
                _ = try await eventually("the reload returns") { hasReturned.withLock { $0 } ? true : nil }
                try await reload.value
            }
        }
    }
}

import Foundation
import InMemoryLogging
import Logging
import MailslotsService
import MetricsTestKit
import ServiceLifecycle
import ServiceLifecycleTestKit
import TestSupport
import Testing

@testable import Mailslots

private func uniqueName() -> String { "service/\(UUID().uuidString)" }

/// What a handler was given.
private final class Received: Sendable {
    private let texts = Locked<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    func wait(for count: Int) async throws { try await eventually("it is handled") { all.count >= count } }
}

private func recordingLogger() -> (Logger, InMemoryLogHandler) {
    var handler = InMemoryLogHandler()
    handler.logLevel = .debug
    return (Logger(label: "test", factory: { [handler] _ in handler }), handler)
}

@Suite struct ServiceTests {
    struct Refusal: Error {}

    @Test func `a service handles messages until graceful shutdown, then what is left, and leaves`() async throws {
        let name = uniqueName()
        let (logger, log) = recordingLogger()
        let received = Received()
        let gate = Locked<CheckedContinuation<Void, Never>?>(nil)
        let service = MailslotService(try Mailslot.create(name), logger: logger, metricsFactory: TestMetrics()) { message in
            received.add(message.text)
            if message.text == "hold" { await withCheckedContinuation { held in gate.withLock { $0 = held } } }
        }
        var writer = try Mailslot.open(name)
        try await testGracefulShutdown { trigger in
            async let running: Void = service.run()
            for index in 0..<50 { try await writer.write("\(index)") }
            try await writer.write("hold")
            try await received.wait(for: 51)
            for index in 0..<20 { try await writer.write("left \(index)") }
            trigger.triggerGracefulShutdown()
            try await eventually("the handler holds") { gate.withLock { $0 != nil } }
            // The service has been told while its handler is at work.
            gate.withLock { $0?.resume() }
            try await running
        }
        #expect(received.all == (0..<50).map { "\($0)" } + ["hold"] + (0..<20).map { "left \($0)" })
        #expect(try Mailslot.info(of: name).hasReader == false)
        try await writer.write("late")
        var next = try Mailslot.create(name, unread: .adopt)
        #expect(try await next.read(timeout: .now)?.text == "late")
        let entry = log.entries.first { "\($0.message)" == "Handling what is left" }
        #expect(entry?.metadata["mailslot.unread"] == "20")
        #expect(entry?.metadata["mailslot.name"] == "\(name)")
    }

    @Test func `an idle service ends at once on graceful shutdown, also in a group`() async throws {
        let name = uniqueName()
        let (logger, log) = recordingLogger()
        let service = MailslotService(
            try Mailslot.create(name), drainTimeout: .seconds(3600), logger: logger, metricsFactory: TestMetrics()
        ) { _ in }
        let group = ServiceGroup(services: [service], logger: logger)
        async let running: Void = group.run()
        try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
        await group.triggerGracefulShutdown()
        try await running
        #expect(log.entries.contains { "\($0.message)" == "Left the mailslot to the next reader" })
        try Mailslot.remove(name)
    }

    @Test(arguments: [MailslotReader.UnreadMessages.keep, .discard])
    func `what is not handled in time is kept or discarded, and the handler is cancelled`(unread: MailslotReader.UnreadMessages)
        async throws
    {
        let name = uniqueName()
        let (logger, log) = recordingLogger()
        let received = Received()
        let service = MailslotService(
            try Mailslot.create(name), unread: unread, drainTimeout: .milliseconds(20), logger: logger, metricsFactory: TestMetrics()
        ) { message in
            received.add(message.text)
            try await Task.sleep(for: .seconds(3600))
        }
        var writer = try Mailslot.open(name)
        try await testGracefulShutdown { trigger in
            async let running: Void = service.run()
            for index in 0..<5 { try await writer.write("\(index)") }
            try await received.wait(for: 1)
            trigger.triggerGracefulShutdown()
            try await running
        }
        #expect(received.all == ["0"])
        let left = log.entries.last { $0.metadata["mailslot.unread"] != nil }
        #expect(left?.metadata["mailslot.unread"] == "4")
        switch unread {
        case .keep:
            #expect("\(left!.message)" == "Left the mailslot to the next reader")
            var next = try Mailslot.create(name, unread: .adopt)
            for index in 1..<5 { #expect(try await next.read(timeout: .now)?.text == "\(index)") }
        case .discard:
            #expect("\(left!.message)" == "Discarded what was unread")
            #expect(throws: MailslotError.self) { _ = try Mailslot.info(of: name) }
        }
    }

    @Test func `services that follow each other handle every message once`() async throws {
        let name = uniqueName()
        let (logger, _) = recordingLogger()
        let received = Received()
        let count = 600
        // There is a mailslot to write to.
        try Mailslot.create(name, capacity: 16).close(unread: .keep)
        let adopted = try Mailslot.create(name, unread: .adopt)
        let writing = Task {
            var writer = try Mailslot.open(name, onReaderDeath: .wait)
            for index in 0..<count { try await writer.write("\(index)") }
        }
        var next: MailslotReader? = consume adopted
        var services = 0
        while received.all.count < count {
            let service = MailslotService(
                try next.take() ?? Mailslot.create(name, unread: .adopt), logger: logger, metricsFactory: TestMetrics()
            ) {
                received.add($0.text)
            }
            services += 1
            let until = min(count, services * 150)
            try await testGracefulShutdown { trigger in
                async let running: Void = service.run()
                try await received.wait(for: until)
                trigger.triggerGracefulShutdown()
                try await running
            }
        }
        try await writing.value
        #expect(received.all == (0..<count).map { "\($0)" })
        #expect(services > 1)
        try Mailslot.remove(name)
    }

    @Test func `a service that never runs keeps what it was given`() async throws {
        let name = uniqueName()
        let (logger, _) = recordingLogger()
        do {
            let reader = try Mailslot.create(name)
            var writer = try Mailslot.open(name)
            try await writer.write("unread")
            _ = MailslotService(reader, logger: logger, metricsFactory: TestMetrics()) { _ in }
        }
        let unread = try Mailslot.create(name, unread: .adopt).close()
        #expect(unread == 1)
    }

    @Test func `an error of the handler is logged and counted, and the next message is handled`() async throws {
        let name = uniqueName()
        let (logger, log) = recordingLogger()
        let metrics = TestMetrics()
        let received = Received()
        let service = MailslotService(try Mailslot.create(name), logger: logger, metricsFactory: metrics) { message in
            received.add(message.text)
            if message.text == "bad" { throw Refusal() }
        }
        var writer = try Mailslot.open(name)
        try await testGracefulShutdown { trigger in
            async let running: Void = service.run()
            for text in ["good", "bad", "good again"] { try await writer.write(text) }
            try await received.wait(for: 3)
            trigger.triggerGracefulShutdown()
            try await running
        }
        let failure = log.entries.first { $0.level == .error }
        #expect(failure?.metadata["error"] == "Refusal()")
        #expect(failure?.metadata["mailslot.senderProcessID"] == "\(getpid())")
        #expect(failure?.metadata["mailslot.position"] != nil)
        let dimensions = [("mailslot", name)]
        #expect(try metrics.expectCounter("mailslot_handled", dimensions).totalValue == 3)
        #expect(try metrics.expectCounter("mailslot_handler_failures", dimensions).totalValue == 1)
    }

    @Test func `a cancelled service leaves, and throws`() async throws {
        let name = uniqueName()
        let (logger, _) = recordingLogger()
        let service = MailslotService(try Mailslot.create(name), logger: logger, metricsFactory: TestMetrics()) { _ in }
        let running = Task { try await service.run() }
        try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        #expect(try Mailslot.info(of: name).hasReader == false)
        try Mailslot.remove(name)
    }
}

/// As the article *Services* has it, with a handler that can be held up.
private struct ServerService: Service {
    let server: MailslotServer
    let handler: @Sendable (MailslotRequest) async throws -> String

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run(atMost: 1, handler)
        } onGracefulShutdown: {
            server.stop()
        }
    }
}

@Suite struct ServerServiceTests {
    @Test func `a server as a service answers what it has taken, and leaves the rest to the next`() async throws {
        let name = uniqueName()
        let client = try MailslotClient()
        // The service is told to stop while it is at work on the first call, and the second waits.
        let calls = try await testGracefulShutdown { trigger in
            let held = Locked<CheckedContinuation<Void, Never>?>(nil)
            let service = ServerService(server: try MailslotServer(name, unreadAtEnd: .keep)) { request in
                await withCheckedContinuation { continuation in held.withLock { $0 = continuation } }
                return "first"
            }
            let caller = try client.open(name, onServerDeath: .wait)
            async let running: Void = service.run()
            let first = Task { try await caller.call("1", timeout: .seconds(600)).text }
            try await eventually("the handler holds") { held.withLock { $0 != nil } }
            let second = Task { try await caller.call("2", timeout: .seconds(600)).text }
            try await eventually("the second is sent") { try Mailslot.info(of: name).messagesWritten == 2 }
            trigger.triggerGracefulShutdown()
            held.withLock { $0?.resume() }
            try await running
            return [first, second]
        }
        #expect(try await calls[0].value == "first")
        try await eventually("the service has let go of the server") { try !Mailslot.info(of: name).hasReader }
        let next = try MailslotServer(name, unread: .adopt)
        let serving = Task { try await next.run { _ in "next" } }
        #expect(try await calls[1].value == "next")
        next.stop()
        try await serving.value
    }
}

@Suite struct SamplerTests {
    @Test func `samples say what is in a mailslot, and count what happened between them`() async throws {
        let name = uniqueName()
        let dimensions = [("mailslot", name)]
        let metrics = TestMetrics()
        let (logger, log) = recordingLogger()
        let sampler = MailslotSampler([name, "nobody/\(UUID().uuidString)"], logger: logger, metricsFactory: metrics)
        var reader = try Mailslot.create(name, capacity: 4)
        var writer = try Mailslot.open(name)
        try await writer.write("before the first sample")
        sampler.sample()
        #expect(try metrics.expectMeter("mailslot_messages_waiting", dimensions).lastValue == 1)
        #expect(try metrics.expectMeter("mailslot_messages_capacity", dimensions).lastValue == 4)
        #expect(try metrics.expectMeter("mailslot_writers", dimensions).lastValue == 1)
        #expect(try metrics.expectMeter("mailslot_reader_present", dimensions).lastValue == 1)
        #expect(try metrics.expectCounter("mailslot_messages_written", dimensions).totalValue == 0)

        while try writer.tryWrite("more") == .written {}
        _ = try await reader.read()
        sampler.sample()
        #expect(try metrics.expectMeter("mailslot_messages_waiting", dimensions).lastValue == 3)
        #expect(try metrics.expectCounter("mailslot_messages_written", dimensions).totalValue == 3)
        #expect(try metrics.expectCounter("mailslot_messages_read", dimensions).totalValue == 1)
        #expect(try metrics.expectCounter("mailslot_full_writes", dimensions).totalValue == 1)

        // Another mailslot of the name counts from its beginning.
        reader.close()
        reader = try Mailslot.create(name, capacity: 4)
        var another = try Mailslot.open(name)
        try await another.write("new")
        sampler.sample()
        #expect(try metrics.expectCounter("mailslot_messages_written", dimensions).totalValue == 4)
        #expect(log.entries.contains { "\($0.message)" == "No sample" })
        #expect(reader.info.messageCount == 1)
    }

    @Test func `a sampler takes samples in a group, and a last one on graceful shutdown`() async throws {
        let name = uniqueName()
        let metrics = TestMetrics()
        let (logger, _) = recordingLogger()
        let reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        let sampler = MailslotSampler([name], every: .milliseconds(1), logger: logger, metricsFactory: metrics)
        let rare = MailslotSampler([name], every: .seconds(3600), logger: logger, metricsFactory: metrics)
        let depth = { try metrics.expectMeter("mailslot_messages_waiting", [("mailslot", name)]).values.count }
        try await testGracefulShutdown { trigger in
            async let running: Void = sampler.run()
            try await eventually("samples are taken") { try depth() >= 5 }
            trigger.triggerGracefulShutdown()
            try await running
        }
        try await writer.write("one")
        try await testGracefulShutdown { trigger in
            let before = try depth()
            async let running: Void = rare.run()
            try await eventually("the first sample is taken") { try depth() > before }
            trigger.triggerGracefulShutdown()
            try await running
            #expect(try depth() >= before + 2)
        }
        #expect(reader.info.messageCount == 1)
    }
}

@Suite struct CodableTests {
    struct Order: Codable, Equatable, Sendable {
        var id: Int
        var items: [String]
    }

    @Test func `a value comes as it was written; too long a one and what is no value are errors`() async throws {
        let name = uniqueName()
        let reader = MailslotCodableReader<Order>(try Mailslot.create(name))
        let writer = MailslotCodableWriter<Order>(try Mailslot.open(name))
        var other = try Mailslot.open(name)
        let order = Order(id: 4711, items: ["tea", "wörld"])
        try await writer.write(order)
        #expect(try await reader.read() == order)
        let error = await #expect(throws: MailslotError.self) {
            try await writer.write(Order(id: 1, items: [String(repeating: "x", count: 424)]))
        }
        #expect(error?.code == .tooLong)
        try await other.write(Data("{\"id\":".utf8))
        await #expect(throws: DecodingError.self) { try await reader.read() }
        #expect(try await reader.read(timeout: .milliseconds(1)) == nil)
    }
}

import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// A reader that many tasks share, and where both shared ends can be held.
@Suite struct SharedReaderTests {
    actor Orders {
        let reader: MailslotSharedReader
        private(set) var texts: [String] = []

        init(_ reader: MailslotSharedReader) { self.reader = reader }

        func run() async throws(MailslotError) {
            while let message = try await reader.read(), message.text != "end" { texts.append(message.text) }
        }
    }

    @Test func `an actor reads, and answers other calls while it waits`() async throws {
        let name = uniqueName()
        let orders = Orders(MailslotSharedReader(try Mailslot.create(name)))
        let running = Task { try await orders.run() }
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        for index in 0..<100 {
            try await writer.write("\(index)")
            try await eventually("it is read") { await orders.texts.count > index }
        }
        try await writer.write("end")
        try await running.value
        #expect(await orders.texts == (0..<100).map { "\($0)" })
    }

    @Test func `arrays, dictionaries, tuples and classes hold both ends`() async throws {
        final class Holder {
            var readers: [MailslotSharedReader] = []
            var ends: [String: (MailslotSharedReader, MailslotSharedWriter)] = [:]
        }
        let holder = Holder()
        for _ in 0..<5 {
            let name = uniqueName()
            let reader = MailslotSharedReader(try Mailslot.create(name))
            holder.readers.append(reader)
            holder.ends[name] = (reader, MailslotSharedWriter(try Mailslot.open(name)))
        }
        for (name, (_, writer)) in holder.ends { try await writer.write(name) }
        for reader in holder.readers { #expect(try await reader.read()?.text == reader.name) }
        let names = holder.readers.map(\.name)
        holder.readers = []
        holder.ends = [:]
        for name in names { #expect(errorOf { _ = try Mailslot.info(of: name) }?.code == .notFound) }
    }

    @Test func `each message goes to one of the tasks that read, in every way of reading`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 8))
        let count = 4000
        let writing = Task { [writer = MailslotSharedWriter(try Mailslot.open(name))] in
            for index in 0..<count { try await writer.write(capacity: 8) { unsafe $0.append(UInt64(index), as: UInt64.self) } }
        }
        let seen = Locked<[UInt64]>([])
        @Sendable func number(_ bytes: RawSpan) -> UInt64 { unsafe bytes.unsafeLoadUnaligned(as: UInt64.self) }
        @Sendable func note(_ number: UInt64) -> Int {
            seen.withLock { seen in
                seen.append(number)
                return seen.count
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<12 {
                group.addTask {
                    var total = 0
                    while total < count {
                        // A time-out, for nobody tells the others of the last.
                        switch task % 4 {
                        case 0:
                            guard let message = try await reader.read(timeout: .milliseconds(20)) else { break }
                            total = message.withBytes { note(number($0)) }
                        case 1:
                            total = try await reader.withMessage(timeout: .milliseconds(20)) { bytes, _ in note(number(bytes)) } ?? 0
                        case 2:
                            _ = try await reader.withMessages(atMost: 3, timeout: .milliseconds(20)) { bytes, _ in
                                total = note(number(bytes))
                            }
                        default:
                            guard let message = try await reader.read(until: .now + .milliseconds(20), clock: .continuous) else { break }
                            total = message.withBytes { note(number($0)) }
                        }
                        if seen.withLock({ $0.count }) == count { break }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await writing.value
        #expect(seen.withLock { $0.sorted() } == (0..<UInt64(count)).map { $0 })
        #expect(try reader.tryRead() == nil)
    }

    @Test func `tasks that wait their turn are served in order, and leave the queue when cancelled or late`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        var tasks: [Task<String?, any Error>] = []
        for index in 0..<20 {
            tasks.append(Task { try await reader.read(timeout: .forever)?.text })
            try await eventually("the first sleeps, the others are queued") {
                try index == 0 ? Mailslot.info(of: name).readerSleeps > 0 : reader.queueLength == index
            }
        }
        #expect(try reader.tryRead() == nil)
        #expect(try await reader.read(timeout: .now) == nil)
        #expect(try await reader.read(timeout: .milliseconds(2)) == nil)
        for index in stride(from: 0, to: 20, by: 2) { tasks[index].cancel() }
        for index in stride(from: 0, to: 20, by: 2) { #expect(await codeOf { _ = try await tasks[index].value } == .cancelled) }
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        for index in stride(from: 1, to: 20, by: 2) { try await writer.write("\(index)") }
        for index in stride(from: 1, to: 20, by: 2) { #expect(try await tasks[index].value == "\(index)") }
    }

    @Test func `a body that throws releases its message`() async throws {
        struct Refusal: Error {}
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        var writer = try Mailslot.open(name)
        for text in ["refused", "taken"] { _ = try writer.tryWrite(text) }
        await #expect(throws: Refusal.self) { try await reader.withMessage { _, _ in throw Refusal() } }
        #expect(try await reader.read()?.text == "taken")
        #expect(reader.info?.messagesRead == 2)
    }

    @Test(arguments: [MailslotReader.UnreadMessages.discard, .keep])
    func `a close ends the wait, the waits for a turn, the loops and every later call`(unread: MailslotReader.UnreadMessages) async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let tasks = (0..<10).map { _ in Task { try await reader.read() } }
        let loop = Task {
            for try await _ in reader.messages() {}
            return true
        }
        try await eventually("all but one are queued") { reader.queueLength == 10 }
        #expect(await reader.close(unread: unread) == 0)
        for task in tasks { #expect(await codeOf { _ = try await task.value } == .notOpen) }
        #expect(try await loop.value)
        #expect(await codeOf { _ = try await reader.read() } == .notOpen)
        #expect(await codeOf { _ = try reader.tryRead() } == .notOpen)
        #expect(await codeOf { try await reader.setReadTimeout(.now) } == .notOpen)
        #expect(reader.info == nil)
        #expect(await reader.close() == 0)
        reader.interrupter.interrupt()
        let next = try Mailslot.create(name, unread: .adopt)
        let hasAdopted = next.hasAdoptedMessages
        #expect(hasAdopted == (unread == .keep))
    }

    @Test func `an interrupt ends one wait, and the turn is the next one's`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let first = Task { try await reader.read() }
        try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
        let second = Task { try await reader.read()?.text }
        try await eventually("the second is queued") { reader.queueLength == 1 }
        reader.interrupter.interrupt()
        #expect(await codeOf { _ = try await first.value } == .interrupted)
        var writer = try Mailslot.open(name)
        _ = try writer.tryWrite("for the second")
        #expect(try await second.value == "for the second")
    }

    @Test func `the mailslot's own time-out holds for a turn, too`() async throws {
        let reader = MailslotSharedReader(try Mailslot.create(uniqueName(), readTimeout: .milliseconds(300)))
        async let first = reader.read()
        try await eventually("the first sleeps") { reader.info?.readerSleeps != 0 }
        // Without it this would wait for ever.
        try #require(try await reader.read(timeout: .ofMailslot) == nil)
        #expect(try await first == nil)
        try await reader.setReadTimeout(.now)
        #expect(try await reader.read() == nil)
    }
}

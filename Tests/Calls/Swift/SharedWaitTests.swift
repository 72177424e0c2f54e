import Foundation
import Testing

@testable import Mailslots

/// One task that reads many mailslots.
@Suite struct GroupTests {
    @Test func `a group reads whichever mailslot has a message, and says whose it is`() async throws {
        let names = (0..<200).map { _ in uniqueName("group") }
        var group = MailslotGroup()
        var members: [MailslotGroup.Member] = []
        for name in names { members.append(group.add(try Mailslot.create(name, capacity: 2, writers: 1))) }
        #expect(group.count == 200)
        #expect(try await group.read(timeout: .now) == nil)
        let writing = Task {
            for name in names.shuffled() {
                var writer = try Mailslot.open(name)
                try await writer.write(name)
                if Bool.random() { try await Task.sleep(for: .microseconds(50)) }
            }
        }
        var seen: Set<String> = []
        for _ in names {
            let delivery = try #require(try await group.read(timeout: .seconds(60)))
            #expect(delivery.message.text == delivery.member.name)
            #expect(members.contains(delivery.member))
            seen.insert(delivery.message.text)
        }
        #expect(seen == Set(names))
        try await writing.value
        #expect(try await group.read(timeout: .milliseconds(2)) == nil)
        #expect(try await group.read(until: .now + .milliseconds(2), clock: .suspending) == nil)
    }

    @Test func `busy mailslots of a group take turns`() async throws {
        var group = MailslotGroup()
        var writers: [Moved<MailslotWriter>] = []
        for _ in 0..<5 {
            let name = uniqueName()
            group.add(try Mailslot.create(name, capacity: 64))
            writers.append(Moved(try Mailslot.open(name)))
        }
        // They fell silent once, and wait with the C core's thread; then all are full.
        #expect(try await group.read(timeout: .now) == nil)
        for writer in writers { while try writer.value!.tryWrite("x") == .written {} }
        var counts: [String: Int] = [:]
        for turn in 1...(5 * 64) {
            let delivery = try #require(try await group.read(timeout: .seconds(30)))
            counts[delivery.member.name, default: 0] += 1
            // At no time is one ahead of another by more than the first round can bring.
            if turn > 5 { #expect((counts.values.max() ?? 0) - (counts.values.min() ?? 0) <= 6) }
        }
        #expect(counts.count == 5 && counts.values.allSatisfy { $0 == 64 })
    }

    @Test func `a cancelled group loses nothing, and works on`() async throws {
        let name = uniqueName()
        var group = MailslotGroup()
        group.add(try Mailslot.create(name))
        let box = Moved(group)
        var writer = try Mailslot.open(name)
        for index in 0..<200 {
            let reading = Task { try await box.value!.read() }
            if index % 2 == 0 { await Task.yield() }
            reading.cancel()
            _ = await reading.result
            try await writer.write("\(index)")
            let next = try await box.value!.read(timeout: .seconds(30))
            #expect(next?.message.text == "\(index)")
        }
    }

    @Test func `a reader that is given back has its messages, awaited or not`() async throws {
        let name = uniqueName()
        var group = MailslotGroup()
        let member = group.add(try Mailslot.create(name))
        let other = group.add(try Mailslot.create(uniqueName()))
        #expect(try await group.read(timeout: .now) == nil)
        var writer = try Mailslot.open(name)
        try await writer.write("stays")
        guard var reader = group.remove(member) else {
            Issue.record("it was there")
            return
        }
        #expect(group.count == 1)
        let isGone = group.remove(member) == nil
        #expect(isGone)
        #expect(try await reader.read(timeout: .now)?.text == "stays")
        #expect(try await group.read(timeout: .milliseconds(1)) == nil)
        _ = group.remove(other)
        reader.close()
        #expect(errorOf { try writer.write("closed") }?.code == .closed)
    }

    @Test func `a group closes its readers`() async throws {
        let names = (0..<150).map { _ in uniqueName("closing") }
        do {
            var group = MailslotGroup()
            for name in names { group.add(try Mailslot.create(name, capacity: 1, writers: 1)) }
            #expect(try await group.read(timeout: .now) == nil)
        }
        for name in names { #expect(errorOf { _ = try Mailslot.info(name) }?.code == .notFound) }
    }
}

/// A writer that many tasks share.
@Suite struct SharedWriterTests {
    @Test func `every task's messages arrive once and in its order, through a mailslot that is mostly full`() async throws {
        let name = uniqueName()
        let box = Moved(try Mailslot.create(name, capacity: 4))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let (tasks, count) = (20, 200)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask { for index in 0..<count { try await writer.write("\(task) \(index)") } }
            }
            group.addTask {
                var next = [Int](repeating: 0, count: tasks)
                for _ in 0..<(tasks * count) {
                    let numbers = try await box.read()!.text.split(separator: " ").compactMap { Int($0) }
                    try #require(numbers[1] == next[numbers[0]])
                    next[numbers[0]] += 1
                }
            }
            try await group.waitForAll()
        }
        #expect(writer.info?.messageCount == 0)
        #expect(writer.info?.written == UInt64(tasks * count))
        #expect(try Mailslot.info(name).writerCount == 1)
    }

    @Test func `tasks that wait their turn are served in order, and leave the queue when cancelled or late`() async throws {
        let name = uniqueName()
        let box = Moved(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        #expect(try writer.tryWrite("no room") == .full)
        let first = Task { try await writer.write("1") }
        while writer.info != nil { await Task.yield() }  // it is its turn
        var queued: [Task<Void, any Error>] = []
        for index in 2...40 {
            queued.append(Task { try await writer.write("\(index)") })
            while writer.queueLength < index - 1 { await Task.yield() }
        }
        #expect(try await writer.write("late", timeout: .milliseconds(5)) == .full)
        for (index, task) in queued.enumerated() where index % 2 == 0 { task.cancel() }  // the even ones
        for (index, task) in queued.enumerated() where index % 2 == 0 {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(writer.queueLength == 19)
        var texts: [String] = []
        for _ in 0..<21 { texts.append(try await box.read()!.text) }
        #expect(texts == ["0", "1"] + stride(from: 3, through: 39, by: 2).map { "\($0)" })
        try await first.value
        for (index, task) in queued.enumerated() where index % 2 == 1 { try await task.value }
        #expect(try await box.read(timeout: .now) == nil)
    }

    @Test func `when the task whose turn it is is cancelled, the next has it`() async throws {
        let name = uniqueName()
        let box = Moved(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        let first = Task { try await writer.write("1") }
        while writer.info != nil { await Task.yield() }
        let second = Task { try await writer.write("2") }
        while writer.queueLength == 0 { await Task.yield() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(try await box.read()?.text == "0")
        #expect(try await box.read()?.text == "2")
        try await second.value
    }

    @Test func `all who wait hear that the mailslot was closed`() async throws {
        let name = uniqueName()
        let box = Moved(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        let tasks = (0..<10).map { _ in Task { try await writer.write("more") } }
        while writer.queueLength < 9 { await Task.yield() }
        box.take().close()
        for task in tasks {
            let error = await #expect(throws: MailslotError.self) { try await task.value }
            #expect(error?.code == .closed)
        }
    }
}

/// A descriptor for event loops.
@Suite struct EventReaderTests {
    private static func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&polled, 1, milliseconds) == 1
    }

    @Test func `the descriptor is readable when there is something, and not when all was read`() throws {
        let name = uniqueName()
        var reader = try MailslotEventReader(try Mailslot.create(name))
        var writer = try Mailslot.open(name)
        #expect(try reader.read() == nil)
        #expect(try reader.read() == nil)
        #expect(!Self.isReadable(reader.fileDescriptor))
        for index in 0..<100 {
            try writer.write("\(index)")
            try writer.write("more")
            #expect(Self.isReadable(reader.fileDescriptor, within: 20_000))
            #expect(try reader.read()?.text == "\(index)")
            #expect(try reader.read()?.text == "more")
            #expect(try reader.read() == nil)
            #expect(!Self.isReadable(reader.fileDescriptor))
        }
    }

    @Test func `the descriptor is readable from the beginning if messages are there already`() throws {
        let name = uniqueName()
        let plain = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        try writer.write("first")
        var reader = try MailslotEventReader(plain)
        #expect(Self.isReadable(reader.fileDescriptor, within: 20_000))
        #expect(try reader.read()?.text == "first")
        #expect(try reader.read() == nil)
    }

    @Test func `thousands of event readers leave no descriptor and no wait behind`() throws {
        _ = try MailslotEventReader(try Mailslot.create(uniqueName(), capacity: 1, writers: 1))
        let before = Belongings()
        for index in 0..<1000 {
            let name = uniqueName()
            var reader = try MailslotEventReader(try Mailslot.create(name, capacity: 1, writers: 1))
            if index % 3 != 0 { #expect(try reader.read() == nil) }
            if index % 2 == 0 {
                var writer = try Mailslot.open(name)
                try writer.write("wakes it")
            }
        }
        // Other tests open and close some beside this one.
        #expect(Belongings().descriptors < before.descriptors + 500)
    }

    @Test func `a process's messages come through a dispatch source`() async throws {
        let name = uniqueName()
        let reader = try MailslotEventReader(try Mailslot.create(name, capacity: 16))
        let descriptor = reader.fileDescriptor
        let box = Moved(reader)
        let count = 2000
        let writer = try startMailslot("write", name, input: Data((0..<count).map { "\($0)\n" }.joined().utf8))
        let queue = DispatchQueue(label: "loop")
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        let texts = await withCheckedContinuation { (continuation: CheckedContinuation<[String], Never>) in
            nonisolated(unsafe) var texts: [String] = []
            // Sound: all on the queue.
            source.setEventHandler {
                while let message = try! box.value!.read() { unsafe texts.append(message.text) }
                if unsafe texts.count >= count { source.cancel() }
            }
            source.setCancelHandler { continuation.resume(returning: unsafe texts) }
            source.activate()
        }
        #expect(texts == (0..<count).map { "\($0)" })
        #expect(try writer.wait().status == 0)
        _ = box.take()
    }
}

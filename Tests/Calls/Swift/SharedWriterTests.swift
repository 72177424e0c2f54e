import TestSupport
import Testing

@testable import Mailslots

/// A writer that many tasks share.
@Suite struct SharedWriterTests {
    @Test func `every task's messages arrive once and in its order, through a mailslot that is mostly full`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 4))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let (tasks, count) = (20, 200)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask { for index in 0..<count { try await writer.write("\(task) \(index)") } }
            }
            group.addTask {
                var next = [Int](repeating: 0, count: tasks)
                for _ in 0..<(tasks * count) {
                    let numbers = try await reader.read()!.text.split(separator: " ").compactMap { Int($0) }
                    try #require(numbers[1] == next[numbers[0]])
                    next[numbers[0]] += 1
                }
            }
            try await group.waitForAll()
        }
        #expect(writer.info?.messageCount == 0)
        #expect(writer.info?.messagesWritten == UInt64(tasks * count))
        #expect(try Mailslot.info(of: name).writerCount == 1)
    }

    @Test func `tasks that wait their turn are served in order, and leave the queue when cancelled or late`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        #expect(try writer.tryWrite("no room") == .full)
        let first = Task { try await writer.write("1.0".prefix(1)) }
        try await eventually("the writer waits") { try Mailslot.info(of: name).writerWaits > 0 }  // it is its turn
        var queued: [Task<Void, any Error>] = []
        for index in 2...40 {
            queued.append(Task { try await writer.write("\(index)") })
            try await eventually("it is queued") { writer.queueLength == index - 1 }
        }
        #expect(try await writer.write("late", timeout: .milliseconds(5)) == .full)
        for (index, task) in queued.enumerated() where index % 2 == 0 { task.cancel() }  // the even ones
        for (index, task) in queued.enumerated() where index % 2 == 0 {
            #expect(await codeOf { try await task.value } == .cancelled)
        }
        #expect(writer.queueLength == 19)
        var texts: [String] = []
        for _ in 0..<21 { texts.append(try await reader.read()!.text) }
        #expect(texts == ["0", "1"] + stride(from: 3, through: 39, by: 2).map { "\($0)" })
        try await first.value
        for (index, task) in queued.enumerated() where index % 2 == 1 { try await task.value }
        #expect(try await reader.read(timeout: .now) == nil)
    }

    @Test func `when the task whose turn it is is cancelled, the next has it`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        let first = Task { try await writer.write("1") }
        try await eventually("the writer waits") { try Mailslot.info(of: name).writerWaits > 0 }
        let second = Task { try await writer.write("2") }
        try await eventually("the second is queued") { writer.queueLength == 1 }
        first.cancel()
        #expect(await codeOf { try await first.value } == .cancelled)
        #expect(try await reader.read()?.text == "0")
        #expect(try await reader.read()?.text == "2")
        try await second.value
    }

    @Test func `all who wait hear that the mailslot was closed`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        let tasks = (0..<10).map { _ in Task { try await writer.write("more") } }
        try await eventually("all but one are queued") { writer.queueLength == 9 }
        await reader.close()
        for task in tasks { #expect(await codeOf { try await task.value } == .closed) }
    }

    @Test func `a close ends the wait for room, the waits for a turn and every later call, and gives the lane back`() async throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, capacity: 1)
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("0")
        let tasks = (0..<10).map { _ in Task { try await writer.write("more") } }
        try await eventually("all but one are queued") { writer.queueLength == 9 }
        let closing = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            await writer.close()
        }
        for task in tasks { #expect(await codeOf { try await task.value } == .notOpen) }
        await closing.value
        #expect(await codeOf { try await writer.write("late") } == .notOpen)
        #expect(await codeOf { _ = try writer.tryWrite("late") } == .notOpen)
        #expect(writer.info == nil)
        #expect(try Mailslot.info(of: name).writerCount == 0)
        await writer.close()
        #expect(reader.info.messagesWritten == 1)
    }
}

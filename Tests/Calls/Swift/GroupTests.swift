import TestSupport
import Testing

@testable import Mailslots

/// One task that reads many mailslots.
@Suite(.blocking) struct GroupTests {
    @Test func `a group reads whichever mailslot has a message, and says whose it is`() async throws {
        let names = (0..<200).map { _ in uniqueName("group") }
        let group = MailslotGroup()
        var members: [MailslotGroup.Member] = []
        for name in names { members.append(group.add(try Mailslot.create(name, capacity: 2, maximumWriters: 1))) }
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
            let delivery = try #require(try await group.read(timeout: .seconds(600)))
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
        let group = MailslotGroup()
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
            let delivery = try #require(try await group.read(timeout: .seconds(600)))
            counts[delivery.member.name, default: 0] += 1
            // At no time is one ahead of another by more than the first round can bring.
            if turn > 5 { #expect((counts.values.max() ?? 0) - (counts.values.min() ?? 0) <= 6) }
        }
        #expect(counts.count == 5 && counts.values.allSatisfy { $0 == 64 })
    }

    @Test func `a cancelled group loses nothing, and works on`() async throws {
        let name = uniqueName()
        let group = MailslotGroup()
        group.add(try Mailslot.create(name))
        var writer = try Mailslot.open(name)
        for index in 0..<200 {
            let reading = Task { try await group.read() }
            if index % 2 == 0 { await Task.yield() }
            reading.cancel()
            _ = await reading.result
            try await writer.write("\(index)")
            let next = try await group.read(timeout: .seconds(600))
            #expect(next?.message.text == "\(index)")
        }
    }

    @Test func `a reader that is given back has its messages, awaited or not`() async throws {
        let name = uniqueName()
        let group = MailslotGroup()
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
            let group = MailslotGroup()
            for name in names { group.add(try Mailslot.create(name, capacity: 1, maximumWriters: 1)) }
            #expect(try await group.read(timeout: .now) == nil)
        }
        for name in names { #expect(errorOf { _ = try Mailslot.info(of: name) }?.code == .notFound) }
    }

    actor Desk {
        let group = MailslotGroup()
        private(set) var texts: [String] = []
        func run(until count: Int) async throws {
            for try await delivery in group {
                texts.append(delivery.message.text)
                if texts.count == count { return }
            }
        }
        func take(_ reader: consuming MailslotReader) { group.add(reader) }
    }

    @Test func `an actor holds a group, loops over it, and takes mailslots in meanwhile`() async throws {
        let desk = Desk()
        let running = Task { try await desk.run(until: 50) }
        for index in 0..<50 {
            let name = uniqueName()
            await desk.take(try Mailslot.create(name))
            try await MailslotSharedWriter(try Mailslot.open(name)).write("\(index)")
        }
        try await running.value
        #expect(await Set(desk.texts) == Set((0..<50).map { "\($0)" }))
    }

    @Test func `a group reads in place and in batches, one mailslot after the other`() async throws {
        let group = MailslotGroup()
        let names = (0..<3).map { _ in uniqueName() }
        for name in names {
            group.add(try Mailslot.create(name))
            try await MailslotSharedWriter(try Mailslot.open(name)).write(contentsOf: (0..<5).map { "\($0)" })
        }
        var batches: [[String]] = []
        for _ in 0..<6 {
            var batch: [String] = []
            let count = try await group.withMessages(atMost: 3, timeout: .seconds(600)) { member, bytes, _ in
                batch.append("\(member.name) \(bytes.byteCount)")
            }
            #expect(count == batch.count && Set(batch).count == 1)
            batches.append(batch)
        }
        #expect(batches.map(\.count) == [3, 3, 3, 2, 2, 2])
        #expect(try await group.withMessages(atMost: 3, timeout: .milliseconds(1)) { _, _, _ in } == 0)
    }

    @Test func `tasks share a group: each message goes to one of them, and who waits is cancelled or late`() async throws {
        let group = MailslotGroup()
        let name = uniqueName()
        group.add(try Mailslot.create(name, capacity: 8))
        let reading = (0..<6).map { _ in
            Task {
                var texts: [String] = []
                while let text = try await group.read()?.message.text, text != "end" { texts.append(text) }
                return texts
            }
        }
        let cancelled = Task { _ = try await group.read() }
        #expect(try await group.read(timeout: .milliseconds(2)) == nil)
        cancelled.cancel()
        _ = await cancelled.result
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let count = 1000
        for index in 0..<count { try await writer.write("\(index)") }
        for _ in reading { try await writer.write("end") }
        var all: [String] = []
        for task in reading { all += try await task.value }
        #expect(all.count == count && Set(all).count == count)
        // Each had an end of its own: the one that was late or cancelled ended nobody else's wait.
        #expect(try await group.read(timeout: .now) == nil)
    }
}

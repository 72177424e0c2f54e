import Testing

@testable import Mailslots

/// One task that reads many mailslots.
@Suite struct GroupTests {
    @Test func `a group reads whichever mailslot has a message, and says whose it is`() async throws {
        let names = (0..<200).map { _ in uniqueName("group") }
        var group = MailslotGroup()
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
            for name in names { group.add(try Mailslot.create(name, capacity: 1, maximumWriters: 1)) }
            #expect(try await group.read(timeout: .now) == nil)
        }
        for name in names { #expect(errorOf { _ = try Mailslot.info(of: name) }?.code == .notFound) }
    }
}

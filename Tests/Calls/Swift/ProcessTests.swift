import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// Real processes: the program `mailslot` on the other side.
@Suite(.blocking) struct ProcessTests {
    @Test func `every message of many writing processes arrives once, in each writer's order`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 64)
        let count = 5000
        let lines = { (writer: Int) in Data((0..<count).map { "\(writer) \($0)\n" }.joined().utf8) }
        let writers = try (0..<4).map { try startMailslot("write", name, input: lines($0)) }

        var next = [0, 0, 0, 0]
        for _ in 0..<(4 * count) {
            let message = try #require(try reader.read(timeout: .seconds(600)))
            let numbers = message.text.split(separator: " ").compactMap { Int($0) }
            try #require(numbers.count == 2, "torn: \(message.text)")
            try #require(numbers[1] == next[numbers[0]])
            next[numbers[0]] += 1
        }
        for writer in writers { #expect(try writer.wait().status == 0) }
        #expect(try reader.read(timeout: .now) == nil)
    }

    @Test func `a killed reader's messages wait for the one that adopts them`() throws {
        let name = uniqueName()
        let first = try startMailslot("read", name, "--count", "1000000")
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600), onReaderDeath: .wait)
        try writer.write("read")
        try blockUntil("the first message is printed") { first.outputSoFar == "read\n" }
        first.kill()
        for index in 0..<5 { try writer.write("unread \(index)") }

        #expect(try Mailslot.info(of: name).hasReader == false)
        #expect(errorOf { _ = try Mailslot.open(name) }?.code == .noReader)
        var reader = try Mailslot.create(name, unread: .adopt)
        let adopted = reader.hasAdoptedMessages
        #expect(adopted)
        try writer.write("new")
        var texts: [String] = []
        while let message = try reader.read(timeout: .now) { texts.append(message.text) }
        #expect(texts.filter { $0 != "read" } == (0..<5).map { "unread \($0)" } + ["new"])
        #expect(reader.info.adoptions == 1)
    }

    @Test func `without adopting, a killed reader's messages are discarded and its writers are told`() throws {
        let name = uniqueName()
        let first = try startMailslot("read", name)
        var old = try Mailslot.open(name, waitingUpTo: .seconds(600))
        first.kill()
        try old.write("unread")

        var reader = try Mailslot.create(name)
        #expect(errorOf { try old.write("late") }?.code == .closed)
        #expect(try reader.read(timeout: .now) == nil)
        var new = try Mailslot.open(name)
        try new.write("new")
        #expect(try reader.read(timeout: .now)?.text == "new")
    }

    @Test func `what cannot be adopted is refused, and stays`() throws {
        let name = uniqueName()
        let first = try startMailslot("read", name, "--capacity", "8")
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        first.kill()
        try writer.write("unread")

        #expect(errorOf { _ = try Mailslot.create(name, capacity: 16, unread: .adopt) }?.code == .mismatch)
        var reader = try Mailslot.create(name, capacity: 8, unread: .adopt)
        #expect(try reader.read(timeout: .now)?.text == "unread")
    }

    @Test func `a writer that waits for room learns within a second or so that the reader was killed`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--capacity", "2")
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        _ = kill(reader.id, SIGSTOP)
        while try writer.tryWrite("x") == .written {}
        let killer = Thread { reader.kill() }
        killer.start()
        #expect(errorOf { try writer.write("no room") }?.code == .noReader)
        try Mailslot.remove(name)
    }

    @Test func `a writer that waits for room learns at once that the reader closed`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, capacity: 1)
        let writer = try startMailslot("write", name, "1", "2")
        try blockUntil("the writer waits for room") { reader.info.writerWaits > 0 }
        reader.close()
        let result = try writer.wait()
        #expect(result.status == 3)
        #expect(result.errors.contains("closed"))
    }

    @Test func `a killed writer loses what it had not published and holds up nobody`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let victim = try RunningProgram(buildFolder.appending(path: "mailslot"), ["demo-part", "hold", name])
        try blockUntil("the victim holds a loan") { victim.outputSoFar == "holding\n" }
        victim.kill()

        var other = try Mailslot.open(name)
        try other.write("goes on")
        #expect(try reader.read(timeout: .now)?.text == "goes on")
        #expect(try reader.read(timeout: .now) == nil)
        #expect(try Mailslot.info(of: name).writerCount == 1)
    }

    @Test func `a stopped writer holds up nobody`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let stopped = try RunningProgram(buildFolder.appending(path: "mailslot"), ["demo-part", "hold", name])
        try blockUntil("it holds a loan") { stopped.outputSoFar == "holding\n" }
        _ = kill(stopped.id, SIGSTOP)

        var other = try Mailslot.open(name)
        for index in 0..<10_000 {
            try other.write("\(index)")
            #expect(try reader.read(timeout: .now)?.text == "\(index)")
        }
        _ = kill(stopped.id, SIGCONT)
        stopped.closeInput()
        #expect(try reader.read(timeout: .seconds(600))?.text == String(repeating: "?", count: 50))
        #expect(try stopped.wait().status == 0)
    }
}

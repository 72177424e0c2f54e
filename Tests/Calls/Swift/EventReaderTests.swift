import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// A descriptor for event loops.
@Suite(.blocking) struct EventReaderTests {
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
        _ = try MailslotEventReader(try Mailslot.create(uniqueName(), capacity: 1, maximumWriters: 1))
        let before = Belongings()
        for index in 0..<1000 {
            let name = uniqueName()
            var reader = try MailslotEventReader(try Mailslot.create(name, capacity: 1, maximumWriters: 1))
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

import CMailslots
import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import Mailslots

/// The Swift API in one process.
@Suite(.blocking) struct MailslotTests {
    // MARK: messages

    @Test func `a message arrives as it was written`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)

        try writer.write("hello")
        try writer.write([1, 2, 3])
        try writer.write(RawSpan())
        try writer.write([UInt8](repeating: 9, count: 424))

        let first = try #require(try reader.read(timeout: .now))
        #expect(first.text == "hello")
        #expect(first.info.senderProcessID == getpid())
        #expect(try reader.read(timeout: .now).map([UInt8].init) == [1, 2, 3])
        #expect(try reader.read(timeout: .now).map([UInt8].init) == [])
        let last = try #require(try reader.read(timeout: .now))
        #expect(last.withBytes { $0.byteCount } == 424)
        #expect(last.info.position == first.info.position + 3)
        #expect(try reader.read(timeout: .now) == nil)
    }

    // MARK: polling

    @Test func `a wait sleeps as it was told to`() throws {
        let name = uniqueName()
        for polling in [Mailslot.Polling.always, .upTo(.seconds(3600))] {
            var reader = try Mailslot.create(name, capacity: 1, polling: polling)
            #expect(try reader.read(timeout: .milliseconds(1)) == nil)
            #expect(reader.info.readerSleeps == 0)
            var writer = try Mailslot.open(name, polling: polling)
            try writer.write("fills it")
            #expect(try writer.write("no room", timeout: .milliseconds(1)) == .full)
            #expect(reader.info.writerWaits == 0)
        }
        for polling in [Mailslot.Polling.never, .adaptive, .upTo(.nanoseconds(1))] {
            var reader = try Mailslot.create(name, capacity: 1, polling: polling)
            // Again and again: a busy machine may let the time be up before there is a sleep.
            while reader.info.readerSleeps == 0 { #expect(try reader.read(timeout: .milliseconds(1)) == nil) }
            var writer = try Mailslot.open(name, polling: polling)
            try writer.write("fills it")
            while reader.info.writerWaits == 0 { #expect(try writer.write("no room", timeout: .milliseconds(1)) == .full) }
        }
    }

    @Test(arguments: [
        (Mailslot.Polling.adaptive, 0), (.never, -1), (.always, Int.max), (.upTo(.microseconds(5)), 5000), (.upTo(.zero), -1),
        (.upTo(.seconds(-1)), -1), (.upTo(.seconds(Int64.max)), Int.max),
    ]) func `a time for polling is what the core takes for it`(polling: Mailslot.Polling, nanoseconds: Int) {
        #expect(polling.nanoseconds == Int64(nanoseconds))
    }

    @Test func `who leaves the express lane to others has another`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, maximumWriters: 2)
        let modest = try Mailslot.open(name, leavesExpressLane: true)
        let other = try Mailslot.open(name)
        #expect(unsafe modest.handle.pointee.lane_index == 1)
        #expect(unsafe other.handle.pointee.lane_index == 0)
        reader.close()
    }

    @Test(.disabled(if: isSanitized, "a sanitizer lets nobody lock pages"))
    func `who asks for it has a mailslot's pages locked in memory`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, capacity: 8, maximumWriters: 2, locksPages: true)
        // Whole pages; nothing else of this process is locked.
        let ofReader = try lockedMemory()
        #expect(ofReader >= reader.info.segmentSize)
        let writer = try Mailslot.open(name, locksPages: true)
        #expect(try lockedMemory() >= 2 * ofReader)
        writer.close()
        reader.close()
    }

    /// In bytes, of this process.
    private func lockedMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let kilobytes = try #require(status.firstMatch(of: /VmLck:\s+(\d+) kB/))
        return try #require(Int(kilobytes.1)) * 1024
    }

    @Test func `whatever has bytes can be written, and arrives the same`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        let staticText: StaticString = "static"
        let inlined: InlineArray<3, UInt8> = [7, 8, 9]

        try writer.write(staticText)
        try writer.write("a line\n".dropLast())
        try writer.write([1, 2, 3, 4].dropFirst() as ArraySlice<UInt8>)
        try writer.write(ContiguousArray<UInt8>([5, 6]))
        try writer.write(inlined)
        try writer.write(inlined.span)
        try writer.write(contentsOf: ["of", "a batch"])
        try writer.write(contentsOf: "two words".split(separator: " "))

        let first = try #require(try reader.read(timeout: .now))
        try writer.write(first)
        #expect(first.text == "static")
        #expect(try reader.read(timeout: .now)?.text == "a line")
        for bytes: [UInt8] in [[2, 3, 4], [5, 6], [7, 8, 9], [7, 8, 9]] {
            #expect(try reader.read(timeout: .now).map([UInt8].init) == bytes)
        }
        for text in ["of", "a batch", "two", "words", "static"] { #expect(try reader.read(timeout: .now)?.text == text) }
        #expect(try reader.read(timeout: .now) == nil)
    }

    @Test func `a message of 425 bytes is refused and nothing is written`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        let long = [UInt8](repeating: 1, count: 425)

        let error = try #require(throws: MailslotError.self) { try writer.write(long) }
        #expect(error.code == .tooLong)
        #expect(error.description.contains("424"))
        let loanError = errorOf { try writer.write(capacity: 425) { _ in } }
        #expect(loanError?.code == .tooLong)
        #expect(reader.info.messageCount == 0)
        #expect(reader.info.messagesWritten == 0)
    }

    @Test func `a mailslot for long messages takes them beside short ones`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, maximumMessageSize: 65536)
        var writer = try Mailslot.open(name)
        let lengths = [0, 424, 425, 65536]
        for length in lengths { try writer.write([UInt8](repeating: UInt8(length % 251), count: length)) }
        #expect(errorOf { try writer.write([UInt8](repeating: 0, count: 65537)) }?.code == .tooLong)
        for length in lengths.dropLast() {
            let message = try #require(try reader.read(timeout: .now))
            #expect(message.count == length)
            #expect(message.allSatisfy { $0 == UInt8(length % 251) })
            #expect(message.withBytes { $0.byteCount } == length)
        }
        let inPlace = try reader.withMessage(timeout: .now) { bytes, _ in bytes.byteCount }
        #expect(inPlace == 65536)
    }

    @Test func `a mailslot's own maximum holds`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, maximumMessageSize: 10)
        var writer = try Mailslot.open(name)

        try writer.write([UInt8](repeating: 1, count: 10))
        #expect(errorOf { try writer.write([UInt8](repeating: 1, count: 11)) }?.code == .tooLong)
        #expect(reader.info.maximumMessageSize == 10)
        #expect(reader.info.messageCount == 1)
    }

    @Test func `a full mailslot refuses the next message and keeps the others`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 4)
        var writer = try Mailslot.open(name)

        for index in 0..<4 as Range<UInt8> {
            let outcome = try writer.tryWrite([index])
            #expect(outcome == .written)
        }
        let refused = try writer.tryWrite([99])
        #expect(refused == .full)
        let late = try writer.write([99], timeout: .milliseconds(5))
        #expect(late == .full)
        #expect(reader.info.messageCount == 4)

        for index in 0..<4 as Range<UInt8> { #expect(try reader.read(timeout: .now).map([UInt8].init) == [index]) }
        #expect(try reader.read(timeout: .now) == nil)
    }

    @Test func `messages are read in place, one by one and in batches`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 16)
        var writer = try Mailslot.open(name)

        try writer.write(contentsOf: (0..<10).map { [UInt8($0)] })
        let first = try reader.withMessage(timeout: .now) { bytes, _ in unsafe bytes.unsafeLoad(as: UInt8.self) }
        #expect(first == 0)
        var seen: [UInt8] = []
        var waitingBeforeRelease = -1
        let probe = name
        let count = try reader.withMessages(atMost: 5, timeout: .now) { bytes, _ in
            seen.append(unsafe bytes.unsafeLoad(as: UInt8.self))
        } beforeRelease: {
            waitingBeforeRelease = (try? Mailslot.info(of: probe).messageCount) ?? -2
        }
        #expect(count == 5)
        #expect(seen == [1, 2, 3, 4, 5])
        #expect(waitingBeforeRelease == 9, "all of a batch is held until the end")
        #expect(reader.info.messageCount == 4)
        #expect(try reader.withMessages(atMost: 100, timeout: .now) { _, _ in } == 4)
        #expect(try reader.withMessages(atMost: 100, timeout: .now) { _, _ in } == 0)
    }

    @Test func `a body that throws has had its message`() throws {
        struct Refusal: Error {}
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        try writer.write("bad")
        try writer.write("good")

        do {
            _ = try reader.withMessage(timeout: .now) { _, _ in throw Refusal() }
            Issue.record("nothing was thrown")
        } catch {
            #expect(error is Refusal)
        }
        #expect(try reader.read(timeout: .now)?.text == "good")
    }

    @Test func `a loan is published as far as it was filled, or not at all`() throws {
        struct Refusal: Error {}
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)

        try writer.write(capacity: 96) { slot in
            slot.append(UInt8(ascii: "h"))
            slot.append(UInt8(ascii: "i"))
        }
        #expect(errorOf { try writer.write(capacity: 8) { _ in throw Refusal() } } == nil)
        func fillOnlyAfterLooking(_ writer: inout MailslotWriter) throws(MailslotError) {
            try writer.write(capacity: 8) { slot throws(MailslotError) in slot.append(UInt8(try Mailslot.info(of: "not/there").capacity)) }
        }
        do {
            try fillOnlyAfterLooking(&writer)
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.code == .notFound)  // its type is known
        }
        try writer.write("next")

        #expect(try reader.read(timeout: .now)?.text == "hi")
        #expect(try reader.read(timeout: .now)?.text == "next")
        #expect(try reader.read(timeout: .now) == nil)
    }

    // MARK: time

    @Test func `a read waits as long as it is told, or as the mailslot says`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, readTimeout: .milliseconds(20))
        let clock = ContinuousClock()

        let start = clock.now
        #expect(try reader.read() == nil)
        #expect(clock.now - start >= .milliseconds(20))
        let again = clock.now
        #expect(try reader.read(timeout: .milliseconds(40)) == nil)
        #expect(clock.now - again >= .milliseconds(40))
        try reader.setReadTimeout(.now)
        #expect(try reader.read() == nil)
        #expect(reader.info.readTimeout.duration == .zero)
    }

    @Test func `a message is copied out at once, short or long`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, maximumMessageSize: 2000)
        var writer = try Mailslot.open(name)
        for count in [0, 1, 424, 425, 2000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            try writer.write(bytes)
            let message = try #require(try reader.tryRead())
            #expect([UInt8](message) == bytes && Data(message) == Data(bytes))
            let contiguous = unsafe message.withContiguousStorageIfAvailable { unsafe [UInt8]($0) }
            #expect(contiguous == bytes)
        }
    }

    @Test func `information is encoded and decoded, and what is out of range is refused`() throws {
        let name = uniqueName("codable")
        var reader = try Mailslot.create(name, capacity: 8, readTimeout: .seconds(2), acceptsRemoteMessages: true)
        var writer = try Mailslot.open(name)
        for _ in 0..<9 { _ = try writer.tryWrite("12345") }
        _ = try reader.read()
        for info in [reader.info, try Mailslot.info(of: name)] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let json = try encoder.encode(info)
            let again = try JSONDecoder().decode(MailslotInfo.self, from: json)
            #expect(try encoder.encode(again) == json)
            #expect(again.name == info.name && again.readTimeout == .seconds(2) && again.permissions == .owner && again.isSound)
            #expect(again.nextMessageSize == 5 && again.messageCount == 7 && again.fullWrites == 1 && again.acceptsRemoteMessages)
            #expect(again.counters == info.counters && again.createdNanoseconds == info.createdNanoseconds)
        }
        let printed = try mailslot("info", "--json", name)
        let decoded = try JSONDecoder().decode(MailslotInfo.self, from: printed.output)
        #expect(decoded.name == reader.info.name && decoded.counters == reader.info.counters && decoded.writerCount == 1)

        let sorted = JSONEncoder()
        sorted.outputFormatting = .sortedKeys
        let text = String(decoding: try sorted.encode(reader.info), as: UTF8.self)
        for (good, bad) in [
            ("\"capacity\":8", "\"capacity\":-8"), ("\"capacity\":8", "\"capacity\":8000000000"), ("\"capacity\":8,", ""),
            ("\"nextMessageSize\":5", "\"nextMessageSize\":-5"), ("codable", String(repeating: "c", count: 3000)),
            ("\"readTimeoutNanoseconds\":2", "\"readTimeoutNanoseconds\":-2"), ("\"segmentSize\":", "\"segmentSize\":-"),
        ] {
            let damaged = text.replacing(good, with: bad)
            #expect(damaged != text, "\(good)")
            #expect(throws: DecodingError.self) { try JSONDecoder().decode(MailslotInfo.self, from: Data(damaged.utf8)) }
        }
    }

    @Test func `a time-out is a duration, cut to what the kernel can wait`() {
        #expect(MailslotTimeout.seconds(1).duration == .seconds(1))
        #expect(MailslotTimeout(.seconds(-5)) == .now)
        #expect(MailslotTimeout(.seconds(Int64.max / 2)) == .forever)
        #expect(MailslotTimeout.milliseconds(3) == MailslotTimeout(.milliseconds(3)))
        #expect(MailslotTimeout.forever.duration == nil)
    }

    @Test func `every call that takes a time-out takes a duration`() async throws {
        let name = uniqueName()
        let (short, long) = (Duration.milliseconds(1), Duration.seconds(30))
        var reader = try Mailslot.create(name, capacity: 1, readTimeout: short)
        #expect(reader.info.readTimeout == .milliseconds(1))
        try reader.setReadTimeout(long)
        #expect(reader.info.readTimeout.duration == long)
        func blocking() throws {
            var writer = try Mailslot.open(name, waitingUpTo: short)
            #expect(try reader.read(timeout: short) == nil)
            #expect(try writer.write("x", timeout: long) == .written)
            #expect(try writer.write("x", timeout: short) == .full)
            #expect(try writer.write(capacity: 1, timeout: short) { $0.append(UInt8(1)) } == .full)
            #expect(try reader.withMessages(atMost: 2, timeout: long) { _, _ in } == 1)
        }
        try blocking()
    }

    @Test func `an interrupt ends a wait, before or during it, and only one`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let interrupter = reader.interrupter

        interrupter.interrupt()
        #expect(errorOf { _ = try reader.read(timeout: .forever) }?.code == .interrupted)
        #expect(try reader.read(timeout: .milliseconds(1)) == nil)

        let thread = Thread { interrupter.interrupt() }
        thread.start()
        #expect(errorOf { _ = try reader.read(timeout: .forever) }?.code == .interrupted)

        reader.close()
        interrupter.interrupt()
    }

    @Test func `an interrupt ends a wait for room`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, capacity: 1)
        var writer = try Mailslot.open(name)
        try writer.write("full now")
        let interrupter = writer.interrupter
        interrupter.interrupt()
        #expect(errorOf { try writer.write("more") }?.code == .interrupted)
        #expect(reader.info.messageCount == 1)
    }

    // MARK: names, ends and errors

    @Test(arguments: ["", "a:b", String(repeating: "x", count: 256), "a//b", #"\\.\mailslot\"#, #"\\host\mailslot\a*"#, "tab\tname"])
    func `a bad name is refused with the reason`(name: String) throws {
        let created = try #require(errorOf { _ = try Mailslot.create(name) })
        let opened = try #require(errorOf { _ = try Mailslot.open(name) })
        #expect(created.code == .badName)
        #expect(opened.code == .badName)
        #expect(created.description.contains("is not a mailslot's name: "))
    }

    @Test func `a name has many spellings`() throws {
        let name = uniqueName("Spelling")
        let reader = try Mailslot.create(name)
        for spelling in [name.uppercased(), name.replacing("/", with: "\\"), #"\\.\mailslot\"# + name, "//./MAILSLOT/" + name.lowercased()]
        {
            var writer = try Mailslot.open(spelling)
            try writer.write(spelling)
        }
        #expect(reader.info.messageCount == 4)
        #expect(reader.info.name == name.lowercased())
        #expect(try Mailslot.names().contains(name.lowercased()))
        #expect(FileManager.default.fileExists(atPath: try Mailslot.path(of: name)))
    }

    @Test func `a second reader is told who has the name`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name)
        let error = try #require(errorOf { _ = try Mailslot.create(name) })
        #expect(error.code == .alreadyExists)
        #expect(error.holder == .init(processID: getpid(), userID: geteuid()))
        #expect(error.description.contains("process \(getpid())"))
        #expect(errorOf { try Mailslot.remove(name) }?.code == .alreadyExists)
        reader.close()
        _ = try Mailslot.create(name)
    }

    @Test func `a closed mailslot is gone, and its writers are told`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        let path = try Mailslot.path(of: name)
        reader.close()

        #expect(errorOf { try writer.write("too late") }?.code == .closed)
        #expect(errorOf { _ = try Mailslot.open(name) }?.code == .notFound)
        #expect(errorOf { _ = try Mailslot.info(of: name) }?.code == .notFound)
        #expect(!FileManager.default.fileExists(atPath: path))

        let again = try Mailslot.create(name)
        #expect(errorOf { try writer.write("still too late") }?.code == .closed)
        #expect(again.info.messageCount == 0)
    }

    @Test func `a reader that goes out of scope closes its mailslot`() throws {
        let name = uniqueName()
        do { _ = try Mailslot.create(name) }
        #expect(errorOf { _ = try Mailslot.open(name) }?.code == .notFound)
    }

    @Test func `a reader that keeps what is unread leaves it to the next, and its writers go on`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 4)
        var writer = try Mailslot.open(name)
        for text in ["read", "unread", "unread, too"] { try writer.write(text) }
        let position = try #require(try reader.read(timeout: .now)).info.position
        let kept = reader.close(unread: .keep)
        #expect(kept == 2)

        #expect(try Mailslot.info(of: name).hasReader == false)
        #expect(errorOf { _ = try Mailslot.open(name) }?.code == .noReader)
        try writer.write("meanwhile")
        var next = try Mailslot.create(name, unread: .adopt)
        let (hasAdopted, predecessorUnread) = (next.hasAdoptedMessages, next.predecessorUnreadCount)
        #expect(hasAdopted && predecessorUnread == 3)
        #expect(try next.read(timeout: .now)?.info.position == position + 1)
        #expect(try next.read(timeout: .now)?.text == "unread, too")
        #expect(try next.read(timeout: .now)?.text == "meanwhile")
        try writer.write("more")
        #expect(try next.read(timeout: .now)?.text == "more")
    }

    @Test func `a reader says how much it discarded, and the next how much the one before had left`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, capacity: 4)
        var writer = try Mailslot.open(name)
        let none = reader.predecessorUnreadCount
        while try writer.tryWrite("x") == .written {}
        let discarded = [reader.close(), try Mailslot.create(name).close()]
        #expect(none == 0 && discarded == [4, 0])

        let left = try Mailslot.create(name)
        writer = try Mailslot.open(name)
        for text in ["one", "two"] { try writer.write(text) }
        left.close(unread: .keep)
        let next = try Mailslot.create(name)
        let (hasAdopted, predecessorUnread) = (next.hasAdoptedMessages, next.predecessorUnreadCount)
        #expect(!hasAdopted && predecessorUnread == 2)
        #expect(errorOf { try writer.write("late") }?.code == .closed)
    }

    /// Each makes its reader go out of scope inside something that owns it.
    static let owners: [(String, @Sendable (consuming MailslotReader) throws -> Void)] = [
        ("nothing", { _ in }),
        ("a sequence", { _ = $0.messages() }),
        (
            "a group",
            {
                let group = MailslotGroup(); group.add($0)
            }
        ),
        ("an event reader", { _ = try MailslotEventReader($0) }),
        (
            "an event reader that waits",
            {
                var reader = try MailslotEventReader($0); while try reader.read() != nil {}
            }
        ),
        ("a value reader", { _ = try MailslotValueReader<UInt64>($0) }),
    ]

    @Test(arguments: owners.indices) func `a reader out of scope keeps what is unread if it was told to`(index: Int) throws {
        let (owner, drop) = Self.owners[index]
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        try writer.write("unread")
        reader.unreadAtEndOfScope = .keep
        try drop(reader)
        #expect(try writer.tryWrite("more") == .written, "\(owner)")
        let next = try Mailslot.create(name, unread: .adopt)
        let (hasAdopted, predecessorUnread) = (next.hasAdoptedMessages, next.predecessorUnreadCount)
        #expect(hasAdopted && predecessorUnread >= 1, "\(owner)")
    }

    @Test(arguments: [3, -1, 65536, 1 << 40])
    func `a capacity that cannot be is refused`(capacity: Int) {
        #expect(errorOf { _ = try Mailslot.create(uniqueName(), capacity: capacity) }?.code == .badArgument)
    }

    @Test func `a capacity of nothing, too many writers and too long messages are refused`() {
        #expect(errorOf { _ = try Mailslot.create(uniqueName(), capacity: 0) }?.code == .badArgument)
        #expect(errorOf { _ = try Mailslot.create(uniqueName(), maximumWriters: 65_000) }?.code == .badArgument)
        let tooLong = Mailslot.maximumLongMessageSize + 1
        #expect(errorOf { _ = try Mailslot.create(uniqueName(), maximumMessageSize: tooLong) }?.code == .badArgument)
        #expect(errorOf { _ = try Mailslot.create(uniqueName(), permissions: .init(rawValue: 0o777)) }?.code == .badArgument)
    }

    @Test(arguments: [0o644, 0o640, 0o664, 0o620] as [UInt32])
    func `permissions that let somebody read who may not write are refused in words`(mode: UInt32) {
        let error = errorOf { _ = try Mailslot.create(uniqueName(), permissions: .init(rawValue: mode)) }
        #expect(error?.code == .badArgument)
        #expect(error?.description.contains("0\(String(mode, radix: 8)): its user may read and write it") == true)
    }

    @Test func `there are as many writers as lanes, and a closed one makes room`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, maximumWriters: 2)
        let first = try Mailslot.open(name)
        var second = try Mailslot.open(name)
        #expect(errorOf { _ = try Mailslot.open(name) }?.code == .tooManyWriters)
        #expect(try Mailslot.info(of: name).writerCount == 2)
        first.close()
        var third = try Mailslot.open(name)
        try second.write("2")
        try third.write("3")
        #expect(reader.info.messageCount == 2)
    }

    @Test(arguments: [Mailslot.Permissions.owner, .group, .everyone])
    func `the file has the permissions that were asked for, whatever the umask`(permissions: Mailslot.Permissions) throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name, permissions: permissions)
        let attributes = try FileManager.default.attributesOfItem(atPath: try Mailslot.path(of: name))
        #expect((attributes[.posixPermissions] as? NSNumber)?.uint32Value == permissions.rawValue)
        #expect(reader.info.permissions == permissions)
    }

    @Test func `a default mailslot takes less than a megabyte, and one for a few messages less than 64 KiB`() throws {
        let reader = try Mailslot.create(uniqueName())
        #expect(reader.info.segmentSize > 600_000 && reader.info.segmentSize < 1_000_000)
        #expect(reader.info.capacity == 1024)
        #expect(reader.info.maximumWriters == 256)
        let small = try Mailslot.create(uniqueName(), capacity: 64, maximumWriters: 8)
        #expect(small.info.segmentSize < 64 * 1024)
    }

    @Test func `every code has its own words`() {
        let codes: [MailslotError.Code] = [
            .closed, .noReader, .interrupted, .damaged, .tooLong, .busy, .forked, .badArgument, .badName, .notFound, .timedOut,
            .alreadyExists, .tooManyWriters, .noPermission, .untrusted, .notAMailslot, .otherLayout, .mismatch, .noSpace, .systemError,
            .notOpen,
        ]
        #expect(Set(codes.map(\.description)).count == codes.count)
    }

    // MARK: threads

    @Test func `a writer moves to another thread, and a reader that sleeps is woken`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let writer = try Mailslot.open(name)
        let box = Moved(writer)
        let thread = Thread {
            var writer = box.take()
            for index in 0..<1000 { try! writer.write("\(index)") }
        }
        thread.start()
        for index in 0..<1000 { #expect(try reader.read(timeout: .seconds(600))?.text == "\(index)") }
    }

    // MARK: the guard

    @Test(.disabled(if: isSanitized, "a sanitizer has a handler of its own, and locks that it holds"))
    func `with the guard a mailslot whose file is cut short is damaged and can be closed`() async {
        await #expect(processExitsWith: .success) {
            endIfItHangs()
            try Mailslot.guardAgainstTruncation()
            let name = uniqueName()
            var reader = try Mailslot.create(name)
            var writer = try Mailslot.open(name)
            _ = try writer.tryWrite("hello")
            unsafe truncate(try Mailslot.path(of: name), 0)

            let readError = errorOf { _ = try reader.read(timeout: .forever) }
            #expect(readError?.code == .damaged)
            let writeError = errorOf { try writer.write("hello") }
            #expect(writeError?.code == .damaged)
            reader.close()
            let openError = errorOf { _ = try Mailslot.open(name) }
            #expect(openError?.code == .notFound)
        }
    }
}

/// Carries a noncopyable value into a closure that runs once, or from task to task.
final class Moved<Value: ~Copyable>: @unchecked Sendable {
    // Sound: set before the thread starts, taken by it alone; used by one task at a time.
    var value: Value?
    init(_ value: consuming Value) { self.value = consume value }
    func take() -> Value { value.take()! }
}

extension Moved where Value == MailslotReader {
    func read(timeout: MailslotTimeout = .forever) async throws -> MailslotMessage? { try await value!.read(timeout: timeout) }
}

extension Moved where Value == MailslotWriter {
    func write(_ text: String) async throws { try await value!.write(text) }
}

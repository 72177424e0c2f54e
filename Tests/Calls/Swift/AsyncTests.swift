import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import Mailslots

/// What tasks do with mailslots. No test needs a thread of the cooperative pool to wait.
@Suite struct AsyncTests {
    // MARK: reading

    @Test func `a suspended reader is resumed by a message, and takes what is there without suspending`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        for index in 0..<200 {
            let task = Task { try await Task.sleep(for: .microseconds(index % 3 * 300)) }
            try await task.value
            try await writer.write("\(index)")
            #expect(try await reader.read()?.text == "\(index)")
        }
        #expect(try await reader.read(timeout: .now) == nil)
        #expect(reader.info!.readerSleeps == 0)

        let late = Task { [writer] in
            try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
            try await writer.write("late")
        }
        #expect(try await reader.read()?.text == "late")
        #expect(reader.info!.readerSleeps == 1)
        try await late.value
    }

    @Test func `a process's messages come in order through the sequence`() async throws {
        let name = uniqueName()
        let messages = try Mailslot.create(name, capacity: 64).messages()
        let count = 3000
        let writer = try startMailslot("write", name, input: Data((0..<count).map { "\($0)\n" }.joined().utf8))
        var next = 0
        for try await message in messages {
            try #require(message.text == "\(next)")
            next += 1
            if next == count { break }
        }
        #expect(messages.reader.info!.messageCount == 0)
        #expect(try writer.wait().status == 0)
    }

    @Test func `a read ends when its time is up, by time-out, by clock, or as the mailslot says`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, readTimeout: .milliseconds(20)))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let clock = ContinuousClock()

        var start = clock.now
        #expect(try await reader.read() == nil)
        #expect(clock.now - start >= .milliseconds(20))
        start = clock.now
        #expect(try await reader.read(timeout: .milliseconds(30)) == nil)
        #expect(clock.now - start >= .milliseconds(30))
        start = clock.now
        #expect(try await reader.read(until: start + .milliseconds(30), clock: clock) == nil)
        #expect(clock.now - start >= .milliseconds(30))
        #expect(try await reader.read(until: .now + .milliseconds(5), clock: .suspending) == nil)

        try await writer.write("there")
        #expect(try await reader.read(until: .now - .seconds(1), clock: .continuous)?.text == "there")
        let untouched = try await reader.withMessage(timeout: .milliseconds(1)) { bytes, _ in bytes.byteCount }
        #expect(untouched == nil)
        #expect(try await reader.withMessages(atMost: 3, timeout: .milliseconds(1)) { _, _ in } == 0)
    }

    @Test func `a clock that is moved by hand decides when the time is up`() async throws {
        let clock = HandClock()
        let reading = Task { [reader = MailslotSharedReader(try Mailslot.create(uniqueName()))] in
            try await reader.read(until: clock.now.advanced(by: .seconds(3600)), clock: clock)
        }
        try await eventually("the clock is awaited") { clock.isAwaited }
        clock.advance(by: .seconds(3599))
        #expect(clock.isAwaited)
        clock.advance(by: .seconds(1))
        #expect(try await reading.value == nil)
    }

    @Test func `messages are read in place`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write(contentsOf: ["a", "bc", "def"])
        let first = try await reader.withMessage { bytes, info in (bytes.byteCount, info.senderProcessID) }
        #expect(first?.0 == 1 && first?.1 == getpid())
        var sizes: [Int] = []
        #expect(try await reader.withMessages(atMost: 10) { bytes, _ in sizes.append(bytes.byteCount) } == 2)
        #expect(sizes == [2, 3])
    }

    @Test func `an interrupt ends a task's wait`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let interrupter = reader.interrupter
        let interrupting = Task {
            try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
            interrupter.interrupt()
        }
        let error = await #expect(throws: MailslotError.self) { try await reader.read() }
        #expect(error?.code == .interrupted)
        try await interrupting.value
    }

    // MARK: cancellation

    @Test func `a cancelled task's read throws, and its message stays`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let reading = Task { try await reader.read() }
        try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
        reading.cancel()
        #expect(await codeOf { _ = try await reading.value } == .cancelled)

        try await writer.write("stays")
        let cancelled = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return try await reader.read()
        }
        #expect(await codeOf { _ = try await cancelled.value } == .cancelled)
        #expect(try await reader.read()?.text == "stays")
    }

    @Test func `a storm of cancellations loses no message`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 16))
        let count = 3000
        let writing = Task { [writer = MailslotSharedWriter(try Mailslot.open(name))] in
            for index in 0..<count {
                try await writer.write("\(index)")
                if index % 5 == 0 { try await Task.sleep(for: .microseconds(Int.random(in: 0...300))) }
            }
        }
        var next = 0
        var cancelled = 0
        while next < count {
            let reading = Task { try await reader.read() }
            if Bool.random() { try await Task.sleep(for: .microseconds(Int.random(in: 0...200))) }
            reading.cancel()
            switch await reading.result {
            case .success(let message):
                try #require(message?.text == "\(next)")
                next += 1
            case .failure(let error):
                try #require((error as? MailslotError)?.code == .cancelled)
                cancelled += 1
                // The task may be cancelled before it begins for ever.
                if cancelled % 3 == 0, let message = try await reader.read(timeout: .milliseconds(1)) {
                    try #require(message.text == "\(next)")
                    next += 1
                }
            }
        }
        #expect(cancelled > 0)
        try await writing.value
        #expect(try await reader.read(timeout: .now) == nil)
        let info = try #require(reader.info)
        #expect(info.messagesWritten == UInt64(count) && info.messagesRead == UInt64(count))
    }

    @Test func `thousands of mailslots made, awaited and cancelled leave nothing behind`() async throws {
        // What is lazily set up is set up.
        try await Self.makeAwaitAndCancel(20)
        let before = Belongings()
        try await Self.makeAwaitAndCancel(2000)
        let after = Belongings()
        #expect(after.mailslots.isEmpty)
        #expect(after.segments.isEmpty)
        // Other tests run beside this one, and have some too. A leak would be of 2000, or of a thread for every 127.
        #expect(after.descriptors < before.descriptors + 500)
        #expect(after.waiters < before.waiters + 8)
    }

    static let cycleNames = "cycles/\(UUID().uuidString)"

    static func makeAwaitAndCancel(_ count: Int) async throws {
        for index in 0..<count {
            let name = "\(cycleNames)/\(index)"
            let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1, maximumWriters: 1))
            let writer = MailslotSharedWriter(try Mailslot.open(name))
            let reading = Task { try await reader.read() }
            if index % 2 == 0 { try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 } }
            reading.cancel()
            #expect(await codeOf { _ = try await reading.value } == .cancelled)
            await reader.close()
            #expect(await codeOf { try await writer.write("its reader is gone") } == .closed)
        }
    }

    // MARK: the cooperative pool

    @Test func `tasks that wait take no thread of the cooperative pool`() async throws {
        let names = (0..<50).map { _ in uniqueName("pool") }
        let readers = try names.map { MailslotSharedReader(try Mailslot.create($0, capacity: 1, maximumWriters: 1)) }
        try await withThrowingTaskGroup(of: String?.self) { group in
            for reader in readers { group.addTask { try await reader.read()?.text } }
            for name in names { try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 } }
            // All fifty are suspended, and this task runs: more than there are threads in the pool.
            #expect(ProcessInfo.processInfo.activeProcessorCount < 50)
            for name in names {
                let writer = MailslotSharedWriter(try Mailslot.open(name))
                try await writer.write(name)
            }
            var texts: Set<String> = []
            for try await text in group { texts.insert(text ?? "") }
            #expect(texts == Set(names))
        }
    }

    @Test(.disabled(if: isSanitized, "a child of the exit test has to block all of its threads"))
    func `with a saturated pool threads read as ever, and tasks find their messages when they run again`() async {
        await #expect(processExitsWith: .success) {
            endIfItHangs()
            let name = uniqueName()
            let (asynchronous, synchronous) = (name + "/a", name + "/s")
            let other = Moved(try Mailslot.create(synchronous))
            let reading = Task { [reader = MailslotSharedReader(try Mailslot.create(asynchronous))] in
                try await reader.read()?.text
            }
            try await eventually("the reader sleeps") { try Mailslot.info(of: asynchronous).readerSleeps > 0 }

            // Threads of their own decide; this task gives its thread of the pool up, too.
            let release = DispatchSemaphore(value: 0)
            let blocked = DispatchSemaphore(value: 0)
            let width = ProcessInfo.processInfo.activeProcessorCount
            for _ in 0..<width {
                Task {
                    blocked.signal()
                    block(on: release)
                }
            }
            let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                Thread.detachNewThread {
                    for _ in 0..<width { blocked.wait() }
                    var writer = try! Mailslot.open(asynchronous)
                    try! writer.write("while nobody could run")
                    // The C core's thread took note of it though no task ran: the reader is not parked any more.
                    let wakes = try! Mailslot.info(of: asynchronous).readerWakes
                    var beside = try! Mailslot.open(synchronous)
                    try! beside.write("beside")
                    let read = try! other.value!.read(timeout: .seconds(600))?.text == "beside"
                    try! writer.write("again")
                    let stays = try! Mailslot.info(of: asynchronous).messageCount == 2
                    for _ in 0..<width { release.signal() }
                    continuation.resume(returning: read && stays && wakes == 1)
                }
            }
            let text = try await reading.value
            exit(outcome && text == "while nobody could run" ? 0 : 1)
        }
    }

    @Test func `a process whose tasks wait can end`() async {
        await #expect(processExitsWith: .exitCode(7)) {
            endIfItHangs()
            let name = uniqueName()
            let reader = MailslotSharedReader(try Mailslot.create(name))
            Task {
                _ = try await reader.read()
            }
            try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
            exit(7)
        }
    }

    // MARK: many

    @Test func `more mailslots than one thread can sleep on are awaited by few threads`() async throws {
        // In a process of its own, for other tests have waits, too.
        await #expect(processExitsWith: .success) {
            let count = 300
            let names = (0..<count).map { _ in uniqueName("many") }
            let readers = try names.map { MailslotSharedReader(try Mailslot.create($0, capacity: 1, maximumWriters: 1)) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (name, reader) in zip(names, readers) {
                    group.addTask {
                        let text = try await reader.read()?.text
                        #expect(text == name)
                    }
                }
                for name in names { try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 } }
                #expect((3...4).contains(Belongings().waiters))
                for name in names.shuffled() {
                    let writer = MailslotSharedWriter(try Mailslot.open(name))
                    try await writer.write(name)
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: processes that die

    static let manyLines = Data(String(repeating: "message\n", count: 1_000_000).utf8)

    @Test func `a killed writer wakes a reading task for what it has published, and holds up nobody`() async throws {
        for _ in 0..<5 {
            let name = uniqueName()
            let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 64))
            let victim = try startMailslot("write", name, "--wait", "30", input: Self.manyLines)
            for _ in 0..<100 { #expect(try await reader.read(timeout: .seconds(600))?.text == "message") }
            victim.kill()
            // What it has published is whole; what it had not is not there.
            while let message = try await reader.read(timeout: .now) { #expect(message.text == "message") }
            let other = MailslotSharedWriter(try Mailslot.open(name))
            try await other.write("goes on")
            #expect(try await reader.read()?.text == "goes on")
        }
    }

    @Test func `a task that waits for room learns within a second or so that the reader was killed`() async throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--capacity", "2")
        let writer = MailslotSharedWriter(try await Mailslot.open(name, waitingUpTo: .seconds(600)))
        _ = kill(reader.id, SIGSTOP)
        while try writer.tryWrite("x") == .written {}
        let killing = Task {
            try await eventually("the writer waits") { try Mailslot.info(of: name).writerWaits > 0 }
            _ = kill(reader.id, SIGKILL)
        }
        let error = await #expect(throws: MailslotError.self) { try await writer.write("no room") }
        #expect(error?.code == .noReader)
        try await killing.value
        reader.kill()
        try Mailslot.remove(name)
    }

    @Test func `a task that waits for room is resumed by room and by a close, and its time ends`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write("first")
        #expect(try await writer.write("second", timeout: .milliseconds(5)) == .full)
        #expect(try await writer.write(capacity: 8, timeout: .milliseconds(5)) { $0.append(UInt8(1)) } == .full)
        #expect(try await writer.write(capacity: 8, timeout: .now) { $0.append(UInt8(1)) } == .full)

        let reading = Task {
            var texts: [String] = []
            for waits in [2, 3, 4] as [UInt64] {
                try await eventually("the writer waits again") { reader.info!.writerWaits > waits }
                texts.append(try await reader.read()?.text ?? "")
            }
            try await eventually("the writer waits again") { reader.info!.writerWaits > 4 }
            await reader.close()
            return texts
        }
        try await writer.write("third time".prefix(5))
        try await writer.write(capacity: 8) { slot in "4th".utf8.forEach { slot.append($0) } }
        let error = await #expect(throws: MailslotError.self) {
            try await writer.write("fifth")
            try await writer.write("sixth")
        }
        #expect(error?.code == .closed)
        #expect(try await reading.value == ["first", "third", "4th"])
    }

    @Test func `a cancelled task's write throws, and nothing was written`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 1))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        let writing = Task {
            try await writer.write("first")
            try await writer.write("second")
        }
        try await eventually("the writer waits") { reader.info!.writerWaits > 0 }
        writing.cancel()
        #expect(await codeOf { _ = try await writing.value } == .cancelled)
        #expect(try await reader.read()?.text == "first")
        #expect(try await reader.read(timeout: .now) == nil)
        try await writer.write("third")
        #expect(try await reader.read()?.text == "third")
    }

    @Test func `a task waits for a mailslot to appear`() async throws {
        let name = uniqueName()
        let opening = Task {
            let writer = MailslotSharedWriter(try await Mailslot.open(name, waitingUpTo: .seconds(600)))
            try await writer.write("hello")
        }
        try await Task.sleep(for: .milliseconds(3))
        let reader = MailslotSharedReader(try Mailslot.create(name))
        #expect(try await reader.read()?.text == "hello")
        try await opening.value
        let missing = await #expect(throws: MailslotError.self) {
            _ = try await Mailslot.open(uniqueName(), waitingUpTo: .milliseconds(2))
        }
        #expect(missing?.code == .timedOut)
        let cancelled = Task { _ = try await Mailslot.open(uniqueName(), waitingUpTo: .forever) }
        cancelled.cancel()
        #expect(await codeOf { _ = try await cancelled.value } == .cancelled)
    }
}

/// Blocks the thread, as no task should.
private func block(on semaphore: DispatchSemaphore) { semaphore.wait() }

/// A clock that stands until it is moved.
final class HandClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleepers: [(id: Int, until: Instant, continuation: CheckedContinuation<Void, any Error>)] = []
        var nextID = 0
    }
    private let state = Locked(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .zero }
    var isAwaited: Bool { state.withLock { !$0.sleepers.isEmpty } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.now >= deadline { return .success(()) }
                    state.sleepers.append((id, deadline, continuation))
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}

/// What this process has of what waiting might leak.
struct Belongings {
    let descriptors: Int
    /// Files and mappings of the mailslots of `AsyncTests.cycleNames`.
    let mailslots: [String]
    let segments: [String]
    /// Threads of the C core.
    let waiters: Int

    init() {
        descriptors = Self.names("/proc/self/fd").count
        mailslots = ((try? Mailslot.names()) ?? []).filter { $0.hasPrefix(AsyncTests.cycleNames.lowercased()) }
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let file = (try? Mailslot.path(of: AsyncTests.cycleNames)) ?? "?"
        segments = maps.split(separator: "\n").filter { $0.contains(file) }.map(String.init)
        waiters =
            Self.names("/proc/self/task").filter {
                (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == "mailslots\n"
            }.count
    }

    private static func names(_ folder: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
}

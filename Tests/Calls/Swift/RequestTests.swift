import Foundation
import TestRandomness
import TestSupport
import Testing

@testable import Mailslots

private struct Sum: MailslotTypedRequest, MailslotValue {
    typealias Answer = Int64
    static let requestType = MailslotRequestType("test.sum")
    var a: Int64
    var b: Int64
}

/// The same type, a version later.
private struct LaterSum: MailslotTypedRequest, MailslotValue {
    typealias Answer = Int64
    static let requestType = MailslotRequestType("test.sum", version: 2)
    var a: Int64
}

private struct Wrong: Error, CustomStringConvertible {
    var description: String { "it went wrong" }
}

/// A request as it is today, of any length.
private struct Order: MailslotTypedRequest, Codable, Equatable {
    struct Receipt: Codable, Equatable {
        var items: [String]
        var note: String?
    }
    typealias Answer = Receipt
    static let requestType = MailslotRequestType("test.order", version: 3)
    var items: [String]
    var count: Int
    var note: String?
}

/// As an older program knows it: without the note.
private struct OlderOrder: MailslotTypedRequest, Codable {
    typealias Answer = Order.Receipt
    static let requestType = Order.requestType
    var items: [String]
    var count: Int
}

/// Of the same name, and with another type of field.
private struct OtherOrder: MailslotTypedRequest, Codable {
    typealias Answer = [Int]
    static let requestType = Order.requestType
    var items: [String]
    var count: String
}

private struct NextOrder: MailslotTypedRequest, Codable {
    typealias Answer = Order.Receipt
    static let requestType = MailslotRequestType("test.order", version: 4)
    var items: [String]
}

/// Both ways are open to it.
private struct Both: MailslotTypedRequest, MailslotValue, Codable {
    typealias Answer = UInt64
    static let requestType = MailslotRequestType("test.both")
    var number: UInt64
}

/// Its answer is less than a message.
private struct CountOfOrders: MailslotTypedRequest, Codable {
    typealias Answer = Int
    static let requestType = MailslotRequestType("test.count")
}

/// What cannot be encoded.
private struct Refusing: MailslotTypedRequest, Codable {
    typealias Answer = Int
    static let requestType = MailslotRequestType("test.refusing")
    func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(self, EncodingError.Context(codingPath: [], debugDescription: "not today"))
    }
}

/// Runs a server's call on a thread, and ends it with the test.
private func withThread(_ server: MailslotServer, _ serve: @escaping @Sendable () throws -> Void, _ body: () throws -> Void) throws {
    let ended = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        try? serve()
        ended.signal()
    }
    defer {
        server.stop()
        ended.wait()
    }
    try body()
}

/// Runs a server's call in a task, and ends it with the test.
private func withTask(
    _ server: MailslotServer, _ serve: @escaping @Sendable () async throws -> Void, _ body: () async throws -> Void
) async throws {
    let task = Task { try await serve() }
    do {
        try await body()
    } catch {
        // Also where handlers are at work for long.
        task.cancel()
        _ = try? await task.value
        throw error
    }
    server.stop()
    try await task.value
}

/// Why a call was not sent.
func causeOf(_ body: () throws -> Void) -> MailslotError? {
    do {
        try body()
        return nil
    } catch {
        guard let error = error as? MailslotCallError, error.code == .notSent else { return nil }
        return error.cause
    }
}

private func callError(_ body: () async throws -> Void) async -> MailslotCallError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? MailslotCallError
    }
}

/// Calls and their answers.
@Suite struct RequestTests {
    // MARK: answers

    @Test func `a thread's call is answered in place by a thread`() throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try withThread(
            server,
            {
                try server.run { request, info, answer in
                    for index in (0..<request.byteCount).reversed() {
                        // Sound: a byte.
                        unsafe answer.append(request.unsafeLoad(fromByteOffset: index, as: UInt8.self))
                    }
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                #expect(try caller.call("abc").text == "cba")
                #expect(try caller.call("").count == 0)
                for count in [31, 32, 33, 391, 392] {
                    let bytes = (0..<count).map { UInt8($0 & 255) }
                    #expect(try [UInt8](caller.call(bytes)) == bytes.reversed())
                }
                #expect(causeOf { _ = try caller.call([UInt8](repeating: 0, count: 409)) }?.code == .tooLong)
                #expect(server.counters.requests == 7)
                // Counted behind the answer, which we may have first.
                try blockUntil("the last is counted") { server.counters.answers == 7 }
                #expect(client.counters.answers == 7)
            })
    }

    @Test func `a task's calls are answered by tasks, many at a time, each by its own answer`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            {
                try await server.run { request in
                    if request.message.count % 3 == 0 { await Task.yield() }
                    if request.message.count % 7 == 0 { try await Task.sleep(for: .microseconds(50)) }
                    return request.message.text + "!"
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<50 {
                        group.addTask {
                            for index in 0..<100 {
                                let answer = try await caller.call("\(task) \(index)")
                                #expect(answer.text == "\(task) \(index)!")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(client.counters.answers == 5000)
                #expect(client.counters.strayAnswers == 0)
                #expect(server.counters.droppedAnswers == 0)
            })
    }

    @Test func `threads and tasks share a client, with deadlines and without`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server, { try await server.run { request in request.message } },
            {
                let caller = try MailslotClient().open(name)
                let threads = DispatchGroup()
                let wrong = Locked(0)
                for thread in 0..<4 {
                    threads.enter()
                    Thread.detachNewThread {
                        for index in 0..<500 {
                            let text = "thread \(thread) \(index)"
                            let timeout = index % 2 == 0 ? nil : MailslotTimeout.seconds(300)
                            if (try? caller.call(text, timeout: timeout).text) != text { wrong.withLock { $0 += 1 } }
                        }
                        threads.leave()
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<8 {
                        group.addTask {
                            for index in 0..<250 {
                                let timeout = index % 2 == 0 ? nil : MailslotTimeout.seconds(300)
                                let answer = try await caller.call("task \(task) \(index)", timeout: timeout)
                                #expect(answer.text == "task \(task) \(index)")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                await withCheckedContinuation { done in threads.notify(queue: .global()) { done.resume() } }
                #expect(wrong.withLock { $0 } == 0)
            })
    }

    @Test func `values are called with and answered by values`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            {
                try await server.run(answering: Sum.self) { sum in
                    let (result, overflows) = sum.a.addingReportingOverflow(sum.b)
                    if overflows { throw Wrong() }
                    return result
                }
            },
            {
                let caller = try MailslotClient().open(name)
                #expect(try await caller.call(Sum(a: 2, b: 3)) == 5)
                let failed = await callError { _ = try await caller.call(Sum(a: .max, b: 1)) }
                #expect(failed?.code == .failed)
                #expect(failed?.reason == "it went wrong")
                #expect(await callError { _ = try await caller.call(LaterSum(a: 1)) }?.code == .otherVersion)
                #expect(await callError { _ = try await caller.call("text") }?.code == .unknownType)
                #expect(server.counters.undecodableRequests == 2)
            })
    }

    @Test func `long requests and answers go as far as both mailslots allow`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name, capacity: 4, maximumWriters: 2, maximumRequestSize: 100_000)
        try await withTask(
            server, { try await server.run { request in request.message } },
            {
                let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                let wide = try MailslotClient(capacity: 4, maximumServers: 1, maximumAnswerSize: 100_000).open(name)
                #expect(try await [UInt8](wide.call(bytes)) == bytes)
                let narrow = try MailslotClient().open(name)
                #expect(await callError { _ = try await narrow.call(bytes) }?.code == .answerTooLong)
                #expect(try await narrow.call("short").text == "short")
            })
    }

    @Test func `requests are answered by hand, once, and an abandoned one says so`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            {
                for try await request in server.requests() {
                    switch request.message.text {
                    case "drop": break
                    case "fail": try request.fail("no")
                    default:
                        try request.answer("yes")
                        #expect(throws: MailslotCallError.self) { try request.answer("again") }
                    }
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                // Outside of `#expect`: Swift 6.3.1 calls a closure in a macro's argument where a like one behind it is meant.
                let dropped = await callError { _ = try await caller.call("drop") }
                #expect(dropped?.code == .unanswered)
                let failed = await callError { _ = try await caller.call("fail") }
                #expect(failed?.code == .failed)
                #expect(failed?.reason == "no")
                #expect(try await caller.call("").text == "yes")
                #expect(client.counters.strayAnswers == 0)
            })
    }

    @Test func `one client calls many servers with one mailslot, and no more than it has room for`() async throws {
        let names = (0..<5).map { _ in uniqueName() }
        let servers = try names.map { try MailslotServer($0) }
        let tasks = servers.map { server in Task { try await server.run { request in "\(server.name) \(request.message.text)" } } }
        let client = try MailslotClient(maximumServers: 4)
        let callers = try names.prefix(4).map { try client.open($0) }
        #expect(errorOf { _ = try client.open(names[4]) }?.code == .tooManyWriters)
        for (name, caller) in zip(names, callers) { #expect(try await caller.call("hello").text == "\(name) hello") }
        #expect(try Mailslot.info(of: client.name).writerCount == 4)
        for server in servers { server.stop() }
        for task in tasks { try await task.value }
    }

    // MARK: time, and giving up

    @Test func `a call whose time is up says so, and its server hears of it`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let cancelled = Locked(0)
        try await withTask(
            server,
            {
                try await server.run { request in
                    do {
                        try await Task.sleep(for: .seconds(600))
                    } catch {
                        cancelled.withLock { $0 += 1 }
                        throw error
                    }
                    return ""
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                let begun = ContinuousClock.now
                let error = await callError { _ = try await caller.call("slow", timeout: .milliseconds(50)) }
                #expect(error?.code == .timedOut)
                #expect(ContinuousClock.now - begun >= .milliseconds(50))
                // On a busy machine its time may be up before the server takes it.
                func given() -> Int { cancelled.withLock { $0 } + Int(server.counters.expiredRequests) }
                try await eventually("the handler is cancelled") { given() == 1 }

                // Both at once: one leads, the other's time is up first.
                async let long = callError { _ = try await caller.call("slow", timeout: .milliseconds(300)) }
                async let short = callError { _ = try await caller.call("slow", timeout: .milliseconds(20)) }
                #expect(await short?.code == .timedOut)
                #expect(await long?.code == .timedOut)
                #expect(client.counters.timeouts == 3)
                try await eventually("the handlers are cancelled") { given() == 3 && server.counters.cancellations == 3 }
            })
    }

    @Test func `a cancelled task's call ends at once, and its handler is cancelled, though all others are at work`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let (begun, cancelled) = (Locked(0), Locked(0))
        try await withTask(
            server,
            {
                try await server.run(atMost: 2) { request in
                    begun.withLock { $0 += 1 }
                    do {
                        try await Task.sleep(for: .seconds(600))
                    } catch {
                        cancelled.withLock { $0 += 1 }
                    }
                    return ""
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                let calls = (0..<5).map { _ in Task { try await caller.call("wait") } }
                try await eventually("two are at work") { begun.withLock { $0 } == 2 }
                for call in calls { call.cancel() }
                for call in calls {
                    let error = await #expect(throws: MailslotCallError.self) { try await call.value }
                    #expect(error?.code == .cancelled && error?.cause == nil)
                }
                try await eventually("both are cancelled") { cancelled.withLock { $0 } == 2 }
                try await eventually("the others never began") { server.counters.cancellations == 5 }
                #expect(begun.withLock { $0 } == 2)
                #expect(client.counters.cancellations == 5)
            })
    }

    @Test func `a server whose mailslot was full hears of calls that were given up, though no other follows`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name, capacity: 4)
        let client = try MailslotClient()
        let caller = try client.open(name)
        // Nobody serves yet.
        let calls = (0..<4).map { _ in Task { try await caller.call("wait") } }
        try await eventually("it is full") { server.info.messageCount == 4 }
        for call in calls { call.cancel() }
        for call in calls { await #expect(throws: MailslotCallError.self) { try await call.value } }
        let cancelled = Locked(0)
        try await withTask(
            server,
            {
                try await server.run { request in
                    do { try await Task.sleep(for: .seconds(600)) } catch { cancelled.withLock { $0 += 1 } }
                    return ""
                }
            },
            {
                try await eventually("it hears of all") { server.counters.cancellations == 4 }
                try await eventually("they end") { server.outstandingRequestCount == 0 }
            })
        // One that the watch tells of before it is taken is not carried out.
        #expect(cancelled.withLock { $0 } <= 4)
        withExtendedLifetime(client) {}
    }

    @Test func `requests that nobody waits for any more are not carried out`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let caller = try MailslotClient().open(name)
        // Nobody serves yet.
        #expect(await callError { _ = try await caller.call("late", timeout: .milliseconds(10)) }?.code == .timedOut)
        let texts = Locked<[String]>([])
        try await withTask(
            server,
            {
                try await server.run { request in
                    texts.withLock { $0.append(request.message.text) }
                    return ""
                }
            },
            { _ = try await caller.call("in time") })
        #expect(texts.withLock { $0 } == ["in time"])
        #expect(server.counters.expiredRequests == 1)
    }

    @Test func `a hundred thousand cancelled calls leave nothing behind`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            {
                try await server.run { request in
                    if request.message.text == "wait" { try await Task.sleep(for: .seconds(600)) }
                    return ""
                }
            },
            {
                let client = try MailslotClient()
                let caller = try client.open(name)
                for _ in 0..<1000 {
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<100 { group.addTask { _ = try? await caller.call("wait") } }
                        group.cancelAll()
                    }
                }
                #expect(try await caller.call("now").text == "")
                #expect(client.waitingCallCount == 0)
                try await eventually("the server has forgotten them") { server.outstandingRequestCount == 0 }
            })
    }

    // MARK: ends of servers and clients

    @Test func `a server that closes ends its calls at once, and a new one is found by the next`() async throws {
        let name = uniqueName()
        var server: MailslotServer? = try MailslotServer(name)
        let client = try MailslotClient()
        let caller = try client.open(name)
        async let lost = callError { _ = try await caller.call("never served") }
        try await eventually("it waits") { client.waitingCallCount == 1 }
        server = nil
        #expect(await lost?.code == .closed)
        #expect(causeOf { _ = try caller.call("nobody") }?.code == .notFound)
        server = try MailslotServer(name)
        let another = server!
        try await withTask(
            another, { try await another.run { request in request.message } },
            {
                let answer = try await caller.call("new")
                #expect(answer.text == "new")
            })
    }

    @Test func `a stopped server lets its handlers finish`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let caller = try MailslotClient().open(name)
        let task = Task {
            try await server.run { request in
                server.stop()
                try await Task.sleep(for: .milliseconds(20))
                return "done"
            }
        }
        #expect(try await caller.call("").text == "done")
        try await task.value
    }

    @Test func `a server whose task is cancelled tells its callers`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let caller = try MailslotClient().open(name)
        let begun = Locked(false)
        let task = Task {
            try await server.run { request in
                begun.withLock { $0 = true }
                try await Task.sleep(for: .seconds(600))
                return ""
            }
        }
        async let error = callError { _ = try await caller.call("") }
        try await eventually("it is at work") { begun.withLock { $0 } }
        task.cancel()
        #expect(await error?.code == .serverStopped)
        let ended = await #expect(throws: MailslotError.self) { try await task.value }
        #expect(ended?.code == .cancelled)
    }

    // MARK: Codable types

    @Test func `Codable requests and answers go whole, up to the longest message`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name, maximumRequestSize: 100_000)
        try await withTask(
            server,
            {
                try await server.run(answering: Order.self) { order in
                    await Task.yield()
                    return Order.Receipt(items: order.items, note: order.note.map { "\($0), \(order.count)" })
                }
            },
            {
                let caller = try MailslotClient(maximumAnswerSize: 100_000).open(name)
                for length in [0, 1, 300, 5_000, 90_000] {
                    let order = Order(items: ["", String(repeating: "ä", count: length / 2)], count: length, note: "soon")
                    #expect(try await caller.call(order) == Order.Receipt(items: order.items, note: "soon, \(length)"))
                }
                #expect(try await caller.call(OlderOrder(items: ["x"], count: 1)) == Order.Receipt(items: ["x"], note: nil))
                let long = await callError { _ = try await caller.call(Order(items: [String(repeating: "x", count: 100_001)], count: 1)) }
                #expect(long?.code == .notSent && long?.cause?.code == .tooLong)
                #expect(server.counters.undecodableRequests == 0)
            })
    }

    @Test func `a Codable request of another type or version is refused with cause and cure, and counted`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            { try await server.run(answering: Order.self) { order in Order.Receipt(items: order.items) } },
            {
                let caller = try MailslotClient().open(name)
                let version = await callError { _ = try await caller.call(NextOrder(items: [])) }
                #expect(version?.code == .otherVersion)
                #expect(version?.description.contains("version 4; the server has version 3") == true)
                let field = await callError { _ = try await caller.call(OtherOrder(items: [], count: "many")) }
                #expect(field?.code == .undecodableRequest && field?.reason.contains("count") == true, "\(field?.reason ?? "")")
                let type = await callError { _ = try await caller.call(Both(number: 1)) }
                #expect(type?.code == .unknownType)
                let raw = await callError { _ = try await caller.call("raw") }
                #expect(raw?.code == .unknownType)
                let refusing = await callError { _ = try await caller.call(Refusing()) }
                #expect(refusing?.code == .unencodableRequest && refusing?.reason == "not today")
                #expect(server.counters.undecodableRequests == 4)
                #expect(try await caller.call(Order(items: ["y"], count: 1)).items == ["y"])
            })
    }

    @Test func `an answer that does not decode is an error of its call alone`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            { try await server.run { request in request.message.count > 100 ? [UInt8](repeating: 0xff, count: 9) : [0x01, 0x02] } },
            {
                let caller = try MailslotClient().open(name)
                for items in [[], [String(repeating: "x", count: 200)]] {
                    let error = await callError { _ = try await caller.call(Order(items: items, count: 1)) }
                    #expect(error?.code == .undecodableAnswer && error?.reason.isEmpty == false)
                }
                let more = await callError { _ = try await caller.call(CountOfOrders()) }
                #expect(more?.code == .undecodableAnswer && more?.reason.contains("1 bytes are left over") == true)
            })
    }

    @Test func `a thread's Codable call has its answer, too`() throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try withThread(
            server,
            {
                try server.run { request, _, answer in
                    // A map without entries is answered by a number.
                    let number: [UInt8] = [UInt8](copying: request) == [0xa0] ? [0x18, 0x2a] : []
                    for byte in number { unsafe answer.append(byte, as: UInt8.self) }
                }
            },
            { () throws in
                let count = try MailslotClient().open(name).call(CountOfOrders())
                #expect(count == 42)
            })
    }

    @Test func `a value that is Codable, too, goes as its bytes`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server, { try await server.run { request in request.message } },
            {
                let caller = try MailslotClient().open(name)
                // As CBOR it would be a byte string, and that no number.
                #expect(try await caller.call(Both(number: 41)) == 41)
            })
    }

    @Test func `a call of a task that is cancelled already is not sent, and says so`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let client = try MailslotClient()
        let caller = try client.open(name)
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return await callError { _ = try await caller.call("") }
        }
        let error = await task.value
        #expect(error?.code == .cancelled && error?.cause?.code == .cancelled)
        #expect(server.info.messagesWritten == 0 && client.counters.requests == 0)
        #expect(client.waitingCallCount == 0)
    }

    @Test func `a second call that serves is refused`() async throws {
        let server = try MailslotServer(uniqueName())
        let task = Task { try await server.run { request in request.message } }
        try await eventually("it serves") { server.isServing }
        #expect(errorOf { try server.run { _, _, _ in } }?.code == .busy)
        server.stop()
        try await task.value
    }

    @Test func `a client's mailslot goes with it`() throws {
        let server = try MailslotServer(uniqueName())
        var name = ""
        do {
            let client = try MailslotClient()
            let caller = try client.open(server.name)
            name = client.name
            #expect(try Mailslot.info(of: name).hasReader)
            withExtendedLifetime(caller) {}
        }
        #expect(errorOf { _ = try Mailslot.info(of: name) }?.code == .notFound)
    }

    // MARK: hostile

    @Test func `answers to nobody, twice, of the wrong server, and no answers are dropped and counted`() async throws {
        let name = uniqueName()
        var requests = try Mailslot.create(name)
        let client = try MailslotClient()
        let caller = try client.open(name)
        var answers = try Mailslot.open(client.name)
        let call = Task { try await caller.call("request") }
        let request = try #require(try await requests.read(timeout: .seconds(300)))
        let header = try #require(request.withBytes { RequestHeader($0) })
        #expect(header.kind == .request)

        func write(_ header: RequestHeader, _ text: String) throws {
            // Sound: a UInt8 has no padding.
            try header.withMessage(unsafe text.utf8.span.bytes) { message in _ = try answers.tryWrite(message) }
        }
        _ = try answers.tryWrite("")
        _ = try answers.tryWrite("no header of an answer at all")
        try write(RequestHeader(.request, answers: 1, call: header.call), "a request")
        try write(RequestHeader(.answer, call: header.call &+ 1), "to nobody")
        try write(RequestHeader(.answer, call: header.call ^ 1 << 63), "of the wrong server")
        try write(RequestHeader(.failure, code: 999, call: header.call ^ 1 << 63), "of the wrong server, too")
        try write(RequestHeader(.answer, call: header.call), "right")
        try write(RequestHeader(.answer, call: header.call), "twice")
        #expect(try await call.value.text == "right")

        let second = Task { try await caller.call("another") }
        let another = try #require(try await requests.read(timeout: .seconds(300)))
        let number = try #require(another.withBytes { RequestHeader($0) }).call
        try write(RequestHeader(.failure, code: 0xfff0, call: number), "of a code that only a client may say")
        let error = await callError { _ = try await second.value }
        #expect(error?.code == .failed)
        #expect(client.counters.malformedAnswers == 3)
        #expect(client.counters.strayAnswers == 2)
        #expect(client.counters.answersOfWrongServer == 2)
        #expect(client.counters.answers == 2)
    }

    @Test func `what is no request, and requests of nobody, are dropped and counted, and the server lives`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server, { try await server.run { request in request.message } },
            {
                var writer = try Mailslot.open(name)
                var generator = SeededGenerator(seed: 20_261_130)
                for count in 0..<400 {
                    _ = try await writer.write((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
                }
                for bits in UInt8.min...UInt8.max {
                    try await writer.write([0xA1, bits] + [UInt8](repeating: 0xff, count: Int.random(in: 0...40, using: &generator)))
                }
                let caller = try MailslotClient().open(name)
                #expect(try await caller.call("still there").text == "still there")
                let counters = server.counters
                #expect(counters.requests == 1)
                #expect(counters.malformedRequests > 400)
                #expect(counters.unreachableClients > 0)
            })
    }

    @Test func `a client that reads no answer costs the server a bounded number of them`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server, { try await server.run { _ in [UInt8](repeating: 1, count: 400) } },
            {
                // Writes requests as a client would, and never reads.
                let answers = try Mailslot.create(Mailslot.nameForAnswers(processID: UInt32(getpid()), number: 7), capacity: 2)
                var writer = try Mailslot.open(name)
                for call in 0..<6000 {
                    let header = RequestHeader(.request, answers: 7, call: UInt64(call))
                    // Sound: copied, at once.
                    let bytes = header.withMessage(RawSpan()) { message in unsafe message.withUnsafeBytes { unsafe [UInt8]($0) } }
                    try await writer.write(bytes)
                }
                try await eventually("all were answered") { server.counters.requests == 6000 }
                try await eventually("some were dropped") { server.counters.droppedAnswers > 1000 }
                #expect(server.counters.delayedAnswers <= 4096)
                let caller = try MailslotClient().open(name)
                #expect(try await caller.call("others do not wait").count == 400)
                #expect(answers.info.messageCount == 2)
            })
    }

    @Test func `answers that find the client's mailslot full come when there is room`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        try await withTask(
            server,
            {
                var held: [MailslotRequest] = []
                for try await request in server.requests() {
                    held.append(request)
                    guard held.count == 100 else { continue }
                    for request in held { try request.answer(request.message) }
                    held = []
                }
            },
            {
                let client = try MailslotClient(capacity: 1)
                let caller = try client.open(name)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<100 {
                        group.addTask {
                            let answer = try await caller.call("\(index)")
                            #expect(answer.text == "\(index)")
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(server.counters.droppedAnswers == 0)
            })
        #expect(server.counters.delayedAnswers > 0)
    }

    @Test func `a full server is waited for, up to the deadline, and then nothing was sent`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name, capacity: 1)
        let caller = try MailslotClient().open(name)
        let waiting = Task { try await caller.call("first") }
        try await eventually("it is full") { server.info.messageCount == 1 }
        #expect(causeOf { _ = try caller.call("no room", timeout: .milliseconds(30)) }?.code == .timedOut)
        #expect(server.info.messagesWritten == 1)
        try await withTask(
            server, { try await server.run { request in request.message } },
            {
                let answer = try await waiting.value
                #expect(answer.text == "first")
            })
    }

    // MARK: the format

    @Test func `a header is read as it was written, and never beyond its bytes`() {
        var header = RequestHeader(.request, answers: 0x1234_5678, call: 0xfedc_ba98_7654_3210)
        header.deadline = 77
        header.type = RequestHeader.TypeTag(type: 5, version: 6, coding: 1)
        // Sound: a UInt8 has no padding.
        header.withMessage(unsafe "text".utf8.span.bytes) { message in
            #expect(message.byteCount == 36)
            let read = RequestHeader(message)
            #expect(read?.kind == .request)
            #expect(read?.answers == 0x1234_5678)
            #expect(read?.call == 0xfedc_ba98_7654_3210)
            #expect(read?.deadline == 77)
            #expect(read?.type == header.type)
            for count in 0..<32 {
                let isRead = RequestHeader(message.extracting(first: count)) != nil
                #expect(!isRead)
            }
        }
    }
}

import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// Calls to servers that are processes, and are killed.
@Suite(.blocking) struct RequestProcessTests {
    /// Answers what it is asked, with its name behind; what begins with "hold" never.
    private func startServer(_ name: String) throws -> RunningProgram {
        let server = try RunningProgram(buildFolder.appending(path: "mailslots-requests"), ["server", name, "--holds"])
        try blockUntil("it serves") { server.outputSoFar == "ready\n" }
        return server
    }

    /// Tries it until it is over sooner than who looks by himself, once a second, would find out. On a busy machine most are not.
    private func expectAtOnce(_ attempt: () async throws -> Duration) async throws {
        var shortest = Duration.seconds(300)
        for _ in 0..<10 where shortest > .milliseconds(200) { shortest = min(shortest, try await attempt()) }
        #expect(shortest <= .milliseconds(200))
    }

    private func codeOf(_ call: () throws -> Void) -> MailslotCallError.Code? {
        do {
            try call()
            return nil
        } catch {
            return (error as? MailslotCallError)?.code
        }
    }

    @Test func `a thread's call fails at once when its server is killed, and the next was not sent`() async throws {
        try await expectAtOnce {
            let name = uniqueName()
            let server = try startServer(name)
            let caller = try MailslotClient().open(name)
            #expect(try callInThread(caller, [200])?.hasSuffix(name) == true)
            let killed = Locked<ContinuousClock.Instant?>(nil)
            Thread.detachNewThread {
                usleep(50_000)
                killed.withLock { $0 = .now }
                server.kill()
            }
            #expect(codeOf { _ = try callInThread(caller, Array("hold".utf8)) } == .noReader)
            let late = try #require(killed.withLock { $0 }).duration(to: .now)
            // A process that dies has its lock for a moment still.
            try await eventually("it is known to be gone") { causeOf { _ = try callInThread(caller, [0]) }?.code == .noReader }

            let next = try startServer(name)
            #expect(try callInThread(caller, [200])?.hasSuffix(name) == true)
            next.kill()
            return late
        }
    }

    /// A blocking call.
    private func callInThread(_ caller: MailslotCaller, _ request: [UInt8]) throws -> String? { try caller.call(request).text }

    @Test func `all calls of tasks fail at once when their server is killed`() async throws {
        try await expectAtOnce {
            let name = uniqueName()
            let server = try startServer(name)
            let client = try MailslotClient()
            let caller = try client.open(name)
            let calls = (0..<10).map { _ in Task { try await caller.call("hold") } }
            try await eventually("all have begun") { client.waitingCallCount == 10 }
            _ = try await caller.call([200])
            // Seen by a thread: those of the pool may all be at work.
            let late = await withCheckedContinuation { (seen: CheckedContinuation<Duration, Never>) in
                Thread.detachNewThread {
                    let killed = ContinuousClock.now
                    server.kill()
                    while client.counters.lostServers < 10, killed.duration(to: .now) < .seconds(300) { usleep(100) }
                    seen.resume(returning: killed.duration(to: .now))
                }
            }
            for call in calls {
                let error = await #expect(throws: MailslotCallError.self) { try await call.value }
                #expect(error?.code == .noReader)
            }
            #expect(client.counters.lostServers == 10)
            #expect(client.waitingCallCount == 0)
            return late
        }
    }

    @Test func `what a killed server had not taken is answered by the next, and what it had taken fails at once`() async throws {
        let name = uniqueName()
        let server = try startServer(name)
        let client = try MailslotClient()
        let caller = try client.open(name, onServerDeath: .wait)
        // Sixteen are at work; the others wait in the mailslot.
        let taken = (0..<16).map { _ in Task { try await caller.call("hold") } }
        try await eventually("sixteen are at work") { try Mailslot.info(of: name).messagesRead == 16 }
        let waiting = (0..<5).map { index in Task { try await caller.call([200, UInt8(index)]) } }
        try await eventually("five wait") { try Mailslot.info(of: name).messagesWritten == 21 }
        server.kill()
        for call in taken {
            let error = await #expect(throws: MailslotCallError.self) { try await call.value }
            #expect(error?.code == .noReader)
        }
        #expect(client.waitingCallCount == 5)
        let next = try startServer(name)
        for (index, call) in waiting.enumerated() {
            let answer = try await call.value
            #expect([UInt8](answer) == [200, UInt8(index)] + Array(name.utf8))
        }
        next.kill()
    }

    @Test func `what waits in a mailslot that is only called like a client's is nobody's to take away`() throws {
        let name = uniqueName("answers")
        let reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        try writer.write("waits")
        reader.close(unread: .keep)
        _ = try MailslotServer(uniqueName())
        #expect(try Mailslot.create(name, unread: .adopt).predecessorUnreadCount == 1)
    }

    @Test func `a client that is killed costs its server nothing, and leaves no mailslot`() async throws {
        let name = uniqueName()
        let server = try MailslotServer(name)
        let task = Task { try await server.run { request in [UInt8](request.message) + Array(name.utf8) } }
        for seed in 0..<3 {
            let client = try RunningProgram(buildFolder.appending(path: "mailslots-requests"), ["client", name, "\(seed)"])
            let before = server.counters.requests
            try await eventually("it is at work") { server.counters.requests >= before + 1000 }
            #expect(try Mailslot.names().contains { $0.hasPrefix("answers/\(client.id)-") })
            client.kill()
            let own = try MailslotClient().open(name)
            let answer = try await own.call("x", timeout: .seconds(300))
            #expect(answer.text == "x" + name)
            #expect(try !Mailslot.names().contains { $0.hasPrefix("answers/\(client.id)-") })
        }
        server.stop()
        try await task.value
    }
}

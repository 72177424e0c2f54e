import Dispatch
import Foundation
import Mailslots
import TestRandomness

/// A server, until it is killed: what is asked comes back with its name.
func serve(_ name: String, holds: Bool, remotely: Bool) async throws {
    let server = try MailslotServer(name, capacity: 64, unread: .adopt, unreadAtEnd: .keep, acceptsRemoteRequests: remotely)
    FileHandle.standardOutput.write(Data("ready\n".utf8))
    try await server.run(atMost: 16) { request in
        let bytes = [UInt8](request.message)
        if holds, request.message.text.hasPrefix("hold") { await waitForCancellation() }
        switch bytes.last ?? 0 {
        case 0..<64: try await Task.sleep(for: .milliseconds(Int(bytes.last ?? 0) / 8))
        case 64..<128: await Task.yield()
        default: break
        }
        return bytes + Array(name.utf8)
    }
}

/// Not a long sleep: Swift keeps the timer of one that is cancelled until its time is up, 700 bytes for each.
private func waitForCancellation() async {
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    for await _ in stream {}
    withExtendedLifetime(continuation) {}
}

/// One call of a server of another machine: prints the answer, or the error.
func callRemotely(_ name: String, timeout: MailslotTimeout, _ question: String) async throws {
    let client = try MailslotClient(acceptsRemoteAnswers: true)
    let caller = try await client.open(name, waitingUpTo: .seconds(60))
    do {
        print(try await caller.call(question, timeout: timeout).text)
    } catch {
        print("\(error.code == .timedOut ? "timed out" : "another error"): \(error)")
    }
}

/// A client, until its standard input ends.
final class Client: Sendable {
    private let client: MailslotClient
    private let callers: [(name: String, caller: MailslotCaller)]
    private let isEnding = Flag()
    private let tally = Tally()

    /// What came of its calls.
    final class Tally: @unchecked Sendable {
        // Sound: with the lock.
        private let lock = NSLock()
        private var counts: [String: Int] = [:]
        func add(_ what: String) { lock.withLock { counts[what, default: 0] += 1 } }
        var text: String {
            lock.withLock { counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }
        }
    }

    final class Flag: @unchecked Sendable {
        // Sound: with the lock.
        private let lock = NSLock()
        private var isSet = false
        func set() { lock.withLock { isSet = true } }
        var value: Bool { lock.withLock { isSet } }
    }

    init(_ servers: [String]) async throws {
        client = try MailslotClient(capacity: 16)
        var callers: [(String, MailslotCaller)] = []
        for server in servers {
            for death in [Mailslot.ReaderDeath.fail, .wait] {
                callers.append((server, try await client.open(server, waitingUpTo: .seconds(60), onServerDeath: death)))
            }
        }
        self.callers = callers
    }

    func run(seed: UInt64) async throws {
        let threads = DispatchGroup()
        for index in 0..<2 {
            threads.enter()
            Thread.detachNewThread { [self] in
                var generator = SeededGenerator(seed: seed &+ UInt64(index))
                while !isEnding.value { callOfThread(&generator) }
                threads.leave()
            }
        }
        Thread.detachNewThread { [self] in
            while readLine() != nil {}
            isEnding.set()
        }
        await withTaskGroup(of: Void.self) { group in
            for index in 2..<10 {
                group.addTask { [self] in
                    var generator = SeededGenerator(seed: seed &+ UInt64(index))
                    while !isEnding.value { await callOfTask(&generator) }
                }
            }
        }
        await withCheckedContinuation { ended in threads.notify(queue: .global()) { ended.resume() } }
        let counters = client.counters
        if counters.answersOfWrongServer + counters.malformedAnswers > 0 { fail("answers that nobody sent: \(counters)") }
        FileHandle.standardOutput.write(Data("ended: \(tally.text)\n".utf8))
    }

    /// What is asked: no two are alike.
    private struct Question {
        let name: String
        let caller: MailslotCaller
        let bytes: [UInt8]
        let timeout: MailslotTimeout?
        /// When it must have ended, whatever happens.
        let limit = ContinuousClock.now + .seconds(10)

        var answer: [UInt8] { bytes + Array(name.utf8) }
    }

    private func question(_ generator: inout SeededGenerator) -> Question {
        let (name, caller) = callers.randomElement(using: &generator)!
        let count = Int.random(in: 16...300, using: &generator)
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        // Through a caller that waits for the next server a call may wait for it: a deadline ends that.
        let milliseconds = Int.random(in: 1...400, using: &generator)
        return Question(name: name, caller: caller, bytes: bytes, timeout: .milliseconds(milliseconds))
    }

    private func callOfThread(_ generator: inout SeededGenerator) {
        let question = question(&generator)
        do throws(MailslotCallError) {
            judge(question, .success(try question.caller.call(question.bytes, timeout: question.timeout)))
        } catch {
            judge(question, .failure(error))
        }
    }

    private func callOfTask(_ generator: inout SeededGenerator) async {
        let question = question(&generator)
        guard Int.random(in: 0..<8, using: &generator) == 0 else { return judge(question, await call(question)) }
        let task = Task { await call(question) }
        try? await Task.sleep(for: .microseconds(Int.random(in: 0...2000, using: &generator)))
        task.cancel()
        judge(question, await task.value)
    }

    private func call(_ question: Question) async -> Result<MailslotMessage, MailslotCallError> {
        do throws(MailslotCallError) {
            return .success(try await question.caller.call(question.bytes, timeout: question.timeout))
        } catch {
            return .failure(error)
        }
    }

    private func judge(_ question: Question, _ result: Result<MailslotMessage, MailslotCallError>) {
        if ContinuousClock.now > question.limit { fail("a call took more than ten seconds: \(result)") }
        switch result {
        case .success(let answer):
            if [UInt8](answer) != question.answer { fail("a call got another's answer") }
            tally.add("answers")
        case .failure(let error):
            switch error.code {
            case .cancelled: tally.add("cancelled")
            case .notSent:
                switch error.cause?.code {
                case .noReader?, .timedOut?, .notFound?: tally.add("not sent")
                default: fail("an error that has no cause here: \(error)")
                }
            case .timedOut: tally.add("timed out")
            case .noReader: tally.add("server died")
            case .closed: tally.add("server closed")
            case .unanswered: tally.add("unanswered")
            default: fail("an error that has no cause here: \(error)")
            }
        }
    }
}

func fail(_ what: String) -> Never {
    FileHandle.standardError.write(Data("VIOLATION: \(what)\n".utf8))
    exit(1)
}

import ArgumentParser
import CBenchmarks
import Foundation
import Mailslots

/// Calls beside bare round trips: what a correlated answer, a deadline and a watch over the server cost.
struct Requests: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures calls and their answers beside bare round trips, by threads and by tasks.")

    @Flag(help: "Fewer calls and rounds.")
    var quick = false

    func run() throws {
        let (rounds, trips) = quick ? (3, 5_000) : (9, 30_000)
        bench_pin_process(0)
        let session = try RequestSession()
        let result = Result<Void, any Error>.Waiter()
        Task {
            do {
                try await session.measure(rounds: rounds, trips: trips)
                result.set(.success(()))
            } catch {
                result.set(.failure(error))
            }
        }
        try result.get()
        session.end()
    }
}

/// A request and an answer of as many bytes as the bare round trip has.
private struct Number: MailslotTypedRequest, MailslotValue {
    typealias Answer = UInt64
    static let requestType = MailslotRequestType("bench.number")
    var value: UInt64
}

/// The other process: answers bare messages and calls, each by a thread that blocks but for the calls of `tasks`.
struct RequestsEcho: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "requests-echo", shouldDisplay: false)
    @Argument var name: String
    @Argument var kind: String

    func run() throws {
        bench_pin_process(1)
        switch kind {
        case "bare", "bare-tasks":
            var requests = try Mailslot.create("\(name)/\(kind)")
            var answers = try Mailslot.open("\(name)/\(kind)/answers", waitingUpTo: .seconds(10))
            while let count = try requests.withMessage(
                timeout: .seconds(60),
                { bytes, _ in
                    _ = try answers.tryWrite(bytes)
                    return bytes.byteCount
                }), count > 0
            {}
        case "raw":
            try MailslotServer("\(name)/raw").run { request, _, answer in
                for index in 0..<request.byteCount { answer.append(request.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
            }
        case "typed": try MailslotServer("\(name)/typed").run(answering: Number.self) { $0.value }
        default:
            let server = try MailslotServer("\(name)/tasks")
            let result = Result<Void, any Error>.Waiter()
            Task {
                do {
                    try await server.run { request in request.message }
                    result.set(.success(()))
                } catch {
                    result.set(.failure(error))
                }
            }
            try result.get()
        }
    }
}

private final class RequestSession: @unchecked Sendable {  // Sound: used by one task.
    private let name = "bench/requests/\(getpid())"
    private var echoes: [Process] = []
    private let client: MailslotClient
    private var answers: MailslotReader
    private var bare: MailslotWriter
    private let taskAnswers: MailslotSharedReader
    private let taskBare: MailslotSharedWriter
    private let raw: MailslotCaller
    private let typed: MailslotCaller
    private let tasks: MailslotCaller
    private let bytes = [UInt8](repeating: 7, count: 24)

    init() throws {
        let name = name
        client = try MailslotClient()
        answers = try Mailslot.create("\(name)/bare/answers")
        taskAnswers = MailslotSharedReader(try Mailslot.create("\(name)/bare-tasks/answers"))
        for kind in ["bare", "bare-tasks", "raw", "typed", "tasks"] {
            let echo = Process()
            echo.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            echo.arguments = ["requests-echo", name, kind]
            try echo.run()
            echoes.append(echo)
        }
        bare = try Mailslot.open("\(name)/bare", waitingUpTo: .seconds(10))
        taskBare = MailslotSharedWriter(try Mailslot.open("\(name)/bare-tasks", waitingUpTo: .seconds(10)))
        raw = try client.open("\(name)/raw", waitingUpTo: .seconds(10))
        typed = try client.open("\(name)/typed", waitingUpTo: .seconds(10))
        tasks = try client.open("\(name)/tasks", waitingUpTo: .seconds(10))
    }

    func end() { for echo in echoes { echo.terminate() } }

    func measure(rounds: Int, trips: Int) async throws {
        var figures: [String: [(figure: Double, ratio: Double)]] = [:]
        for _ in 0..<rounds {
            let threads = try ofThreads(trips)
            let tasks = try await ofTasks(trips)
            for (way, samples) in threads { figures[way, default: []].append((samples, samples / threads[0].figure)) }
            for (way, samples) in tasks { figures[way, default: []].append((samples, samples / tasks[0].figure)) }
        }
        print("there and back, \(bytes.count) bytes (typed: 8); medians of \(rounds) rounds, and times the bare round trip of its kind")
        for way in try await ways() { show(way, figures[way]!) }
    }

    private func ways() async throws -> [String] { try ofThreads(1).map(\.way) + (try await ofTasks(1).map(\.way)) }

    private func show(_ way: String, _ figures: [(figure: Double, ratio: Double)]) {
        let ratios = figures.map(\.ratio).sorted()
        let figure = median(figures.map(\.figure))
        let line = String(format: "%7.0f ns  %.2f (%.2f to %.2f)", figure, median(ratios), ratios.first!, ratios.last!)
        print("  \(way.padding(toLength: 52, withPad: " ", startingAt: 0))\(line)")
    }

    private func ofThreads(_ trips: Int) throws -> [(way: String, figure: Double)] {
        [
            ("a thread: bare round trip", try time(trips) { try bareTrip() }),
            ("a thread: call", try time(trips) { _ = try raw.call(bytes) { bytes, _ in bytes.byteCount } }),
            ("a thread: call, copied", try time(trips) { _ = try raw.call(bytes) }),
            (
                "a thread: call with a deadline",
                try time(trips) { _ = try raw.call(bytes, timeout: .seconds(10)) { bytes, _ in bytes.byteCount } }
            ),
            ("a thread: typed call", try time(trips) { _ = try typed.call(Number(value: 7)) }),
            ("a thread: call to handlers that are tasks", try time(trips) { _ = try tasks.call(bytes) { bytes, _ in bytes.byteCount } }),
        ]
    }

    private func ofTasks(_ trips: Int) async throws -> [(way: String, figure: Double)] {
        [
            ("a task: bare round trip", try await time(trips) { try await self.bareTripOfTask() }),
            ("a task: call", try await time(trips) { _ = try await self.raw.call(self.bytes) { bytes, _ in bytes.byteCount } }),
            ("a task: call, copied", try await time(trips) { _ = try await self.raw.call(self.bytes) }),
            ("a task: typed call", try await time(trips) { _ = try await self.typed.call(Number(value: 7)) }),
            (
                "a task: call to handlers that are tasks",
                try await time(trips) { _ = try await self.tasks.call(self.bytes) { bytes, _ in bytes.byteCount } }
            ),
        ]
    }

    private func bareTrip() throws {
        _ = try bare.tryWrite(bytes)
        _ = try answers.withMessage { bytes, _ in bytes.byteCount }
    }

    private func bareTripOfTask() async throws {
        try await taskBare.write(bytes)
        _ = try await taskAnswers.withMessage { bytes, _ in bytes.byteCount }
    }

    private func time(_ trips: Int, _ trip: () throws -> Void) rethrows -> Double {
        var samples: [Double] = []
        samples.reserveCapacity(trips)
        for _ in 0..<(trips / 10) { try trip() }
        for _ in 0..<trips {
            let begin = nanoseconds()
            try trip()
            samples.append(Double(nanoseconds() - begin))
        }
        return median(samples)
    }

    private func time(_ trips: Int, _ trip: () async throws -> Void) async rethrows -> Double {
        var samples: [Double] = []
        samples.reserveCapacity(trips)
        for _ in 0..<(trips / 10) { try await trip() }
        for _ in 0..<trips {
            let begin = nanoseconds()
            try await trip()
            samples.append(Double(nanoseconds() - begin))
        }
        return median(samples)
    }
}

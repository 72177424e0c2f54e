import ArgumentParser
import CBenchmarks
import Foundation
import Mailslots

/// Tasks beside threads: the same round trips and wakes, by a blocked thread, by a suspended task of the pool and by one of an executor, in
/// the same run.
struct Async: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures tasks that await mailslots beside threads that block on them.")

    @Flag(help: "Fewer messages and rounds.")
    var quick = false

    @Flag(help: "Exit 1 if an executor misses a goal.")
    var check = false

    @Option(help: "The CPUs, as in 0,1: the one of this process, and the one of the process that answers.")
    var cpus = "0,1"

    func run() throws {
        let rounds = quick ? 3 : 9
        let cpus = cpus.split(separator: ",").compactMap { UInt32($0) }
        guard cpus.count == 2, cpus.allSatisfy(bench_may_use_cpu), cpus[0] != cpus[1] else {
            throw ValidationError("--cpus wants two different numbers, of CPUs that this process may use.")
        }
        let session = try AsyncSession(mailslots: 100, cpus: cpus)
        let besideNIO = BesideNIO(rounds: rounds, trips: quick ? 1_000 : 3_000, messages: quick ? 100_000 : 200_000, cpus: cpus)
        // Tasks need the pool's threads, so the main thread only waits.
        let result = Result<[ExecutorGoal], any Error>.Waiter()
        Task {
            do {
                let goals = try await session.measure(rounds: rounds, trips: quick ? 5_000 : 30_000, wakes: quick ? 60 : 200)
                result.set(.success(goals + (try await besideNIO.measure())))
            } catch {
                result.set(.failure(error))
            }
        }
        let goals = try result.get()
        print("goals")
        for goal in goals { print("  \(goal.isReached ? "reached" : "missed "): \(goal.words), \(String(format: "%.2f", goal.ratio))") }
        if check, !goals.allSatisfy(\.isReached) { throw ExitCode.failure }
    }
}

/// What a task of an executor is to cost, or to do, beside something else in the same run.
struct ExecutorGoal {
    let words: String
    let ratio: Double
    let isReached: Bool

    init(_ words: String, _ ratios: [Double], atMost limit: Double) {
        ratio = ratios.sorted()[ratios.count / 2]
        isReached = ratio <= limit
        self.words = "\(words): at most \(limit) times"
    }

    init(_ words: String, _ ratios: [Double], atLeast limit: Double) {
        ratio = ratios.sorted()[ratios.count / 2]
        isReached = ratio >= limit
        self.words = "\(words): at least \(limit) times"
    }
}

extension Result where Failure == any Error {
    /// Hands a result from a task to a thread that waits.
    final class Waiter: @unchecked Sendable {
        // Sound: set before the signal, read after it.
        private var result: Result?
        private let ready = DispatchSemaphore(value: 0)
        func set(_ result: Result) {
            self.result = result
            ready.signal()
        }
        func get() throws -> Success {
            ready.wait()
            return try result!.get()
        }
    }
}

/// What the other process is asked to do: wait, then answer.
private struct Request: MailslotValue {
    var delayNanoseconds: UInt64
    /// To which mailslot; `UInt64.max`: end.
    var mailslot: UInt64
}

/// When the answer was written.
private struct Answer: MailslotValue {
    var nanoseconds: UInt64
}

/// The other process, which blocks and answers.
struct AsyncEcho: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "async-echo", shouldDisplay: false)
    @Argument var name: String
    @Argument var mailslots: Int
    @Argument var cpu: UInt32

    func run() throws {
        bench_pin_process(cpu)
        var requests = try MailslotValueReader<Request>(try Mailslot.create("\(name)/requests"))
        let writers = try (0..<mailslots).map {
            Held(try MailslotValueWriter<Answer>(try Mailslot.open("\(name)/\($0)", waitingUpTo: .seconds(10))))
        }
        while let request = try requests.read(timeout: .seconds(60)), request.mailslot != .max {
            if request.delayNanoseconds > 0 { usleep(UInt32(request.delayNanoseconds / 1000)) }
            try writers[Int(request.mailslot)].value.write(Answer(nanoseconds: nanoseconds()))
        }
    }
}

/// An element of an array, which noncopyable values cannot be.
private final class Held<Value: ~Copyable> {
    private var held: Value?
    init(_ value: consuming Value) { held = consume value }
    var value: Value {
        _read { yield held! }
        _modify { yield &held! }
    }
    func take() -> Value { held.take()! }
}

private final class AsyncSession: @unchecked Sendable {  // Sound: used by one task.
    private let name = "bench/async/\(getpid())"
    private let echo = Process()
    private var readers: [Held<MailslotReader>] = []
    /// Of the mailslot behind theirs.
    private let taskReader: MailslotSharedReader
    private let requests: Held<MailslotValueWriter<Request>>

    private let executor = MailslotExecutor("bench")

    init(mailslots: Int, cpus: [UInt32]) throws {
        let name = name
        readers = try (0..<mailslots).map { Held(try Mailslot.create("\(name)/\($0)", capacity: 16, maximumWriters: 1)) }
        taskReader = MailslotSharedReader(try Mailslot.create("\(name)/\(mailslots)", capacity: 16, maximumWriters: 1))
        echo.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        echo.arguments = ["async-echo", name, "\(mailslots + 1)", "\(cpus[1])"]
        try echo.run()
        bench_pin_process(cpus[0])
        requests = Held(try MailslotValueWriter<Request>(try Mailslot.open("\(name)/requests", waitingUpTo: .seconds(10))))
    }

    func measure(rounds: Int, trips: Int, wakes: Int) async throws -> [ExecutorGoal] {
        var roundTrips: [(thread: Double, pool: Double, executor: Double)] = []
        var wakings: [(thread: Double, pool: Double, executor: Double, poolGroup: Double, executorGroup: Double)] = []
        for _ in 0..<rounds {
            let thread = median(try roundTripsOfThread(trips))
            let pool = median(try await roundTripsOfTask(trips))
            roundTrips.append((thread, pool, try await onExecutor { try await self.roundTripsOfTask(trips) }))
        }
        for _ in 0..<rounds {
            let thread = median(try wakesOfThread(wakes))
            let pool = median(try await wakesOfTask(wakes))
            let executor = try await onExecutor { try await self.wakesOfTask(wakes) }
            let poolGroup = median(try await wakesOfGroup(wakes))
            wakings.append((thread, pool, executor, poolGroup, try await onExecutor { try await self.wakesOfGroup(wakes) }))
        }
        _ = try requests.value.tryWrite(Request(delayNanoseconds: 0, mailslot: .max))
        echo.waitUntilExit()
        print("round trip of 16 and 8 bytes, the other process blocks; medians of \(rounds) rounds")
        show("a thread that blocks", roundTrips.map(\.thread))
        show("a task of the pool", roundTrips.map(\.pool), roundTrips.map { $0.pool / $0.thread })
        show("a task of an executor", roundTrips.map(\.executor), roundTrips.map { $0.executor / $0.thread })
        print("from just before the write of the other process until the reader has it, asleep for 1.2 ms")
        show("a thread that blocks", wakings.map(\.thread))
        show("a task of the pool", wakings.map(\.pool), wakings.map { $0.pool / $0.thread })
        show("a task of an executor", wakings.map(\.executor), wakings.map { $0.executor / $0.thread })
        show("a group of 100 in a task of the pool", wakings.map(\.poolGroup), wakings.map { $0.poolGroup / $0.thread })
        show("a group of 100 in a task of an executor", wakings.map(\.executorGroup), wakings.map { $0.executorGroup / $0.thread })
        return [
            ExecutorGoal("a round trip, as a thread's", roundTrips.map { $0.executor / $0.thread }, atMost: 1.3),
            ExecutorGoal("woken, as a thread", wakings.map { $0.executor / $0.thread }, atMost: 1.2),
            ExecutorGoal("woken by one of 100, as a thread by one", wakings.map { $0.executorGroup / $0.thread }, atMost: 1.5),
        ]
    }

    /// The median of what `body` measures in a task of the executor.
    private func onExecutor(_ body: @escaping @Sendable () async throws -> [Double]) async throws -> Double {
        median(try await Task(executorPreference: executor) { try await body() }.value)
    }

    private func show(_ what: String, _ figures: [Double], _ ratios: [Double]? = nil) {
        let beside = ratios.map { ", \(text(median($0))) times the thread's (\(text($0.min()!)) to \(text($0.max()!)))" } ?? ""
        print("  \(what): \(text(median(figures) / 1000)) µs\(beside)")
    }
    private func text(_ figure: Double) -> String { String(format: "%.2f", figure) }

    private func ask(_ mailslot: Int = 0, after delay: UInt64 = 0) throws {
        _ = try requests.value.tryWrite(Request(delayNanoseconds: delay, mailslot: UInt64(mailslot)))
    }
    private static let asleep: UInt64 = 1_200_000

    private func roundTripsOfThread(_ count: Int) throws -> [Double] {
        try (0..<count).map { _ in
            let begin = nanoseconds()
            try ask()
            _ = try readers[0].value.read()
            return Double(nanoseconds() - begin)
        }
    }

    private func roundTripsOfTask(_ count: Int) async throws -> [Double] {
        var samples: [Double] = []
        for _ in 0..<count {
            let begin = nanoseconds()
            try ask(readers.count)
            _ = try await taskReader.read()
            samples.append(Double(nanoseconds() - begin))
        }
        return samples
    }

    private func age(_ message: MailslotMessage) -> Double {
        let written = message.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
        return Double(nanoseconds()) - Double(written)
    }

    private func wakesOfThread(_ count: Int) throws -> [Double] {
        try (0..<count).map { _ in
            try ask(after: Self.asleep)
            return age(try readers[0].value.read()!)
        }
    }

    private func wakesOfTask(_ count: Int) async throws -> [Double] {
        var samples: [Double] = []
        for _ in 0..<count {
            try ask(readers.count, after: Self.asleep)
            samples.append(age(try await taskReader.read()!))
        }
        return samples
    }

    private func wakesOfGroup(_ count: Int) async throws -> [Double] {
        // The readers go into a group and come back.
        let group = MailslotGroup()
        var members: [MailslotGroup.Member] = []
        for _ in readers.indices { members.append(group.add(readers.removeFirst().take())) }
        var samples: [Double] = []
        for _ in 0..<count {
            try ask(Int.random(in: members.indices), after: Self.asleep)
            samples.append(age(try await group.read()!.message))
        }
        for member in members { readers.append(Held(group.remove(member)!)) }
        return samples
    }
}

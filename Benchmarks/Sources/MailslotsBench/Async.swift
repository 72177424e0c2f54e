import ArgumentParser
import CBenchmarks
import Foundation
import Mailslots

/// Tasks beside threads: the same round trips and wakes, by a blocked thread and by a suspended task, in the same run.
struct Async: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures tasks that await mailslots beside threads that block on them.")

    @Flag(help: "Fewer messages and rounds.")
    var quick = false

    func run() throws {
        let rounds = quick ? 3 : 9
        let session = try AsyncSession(mailslots: 100)
        // Tasks need the pool's threads, so the main thread only waits.
        let result = Result<Void, any Error>.Waiter()
        Task {
            do {
                try await session.measure(rounds: rounds, trips: quick ? 5_000 : 30_000, wakes: quick ? 60 : 200)
                result.set(.success(()))
            } catch {
                result.set(.failure(error))
            }
        }
        try result.get()
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

private func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// The other process, which blocks and answers.
struct AsyncEcho: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "async-echo", shouldDisplay: false)
    @Argument var name: String
    @Argument var mailslots: Int

    func run() throws {
        var requests = try MailslotValueReader<Request>(try Mailslot.create("\(name)/requests"))
        let writers = try (0..<mailslots).map {
            Held(try MailslotValueWriter<Answer>(try Mailslot.open("\(name)/\($0)", waitingUpTo: .seconds(10))))
        }
        while let request = try requests.read(timeout: .seconds(60)), request.mailslot != .max {
            if request.delayNanoseconds > 0 { usleep(UInt32(request.delayNanoseconds / 1000)) }
            try writers[Int(request.mailslot)].value.write(Answer(nanoseconds: now()))
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

    init(mailslots: Int) throws {
        let name = name
        readers = try (0..<mailslots).map { Held(try Mailslot.create("\(name)/\($0)", capacity: 16, maximumWriters: 1)) }
        taskReader = MailslotSharedReader(try Mailslot.create("\(name)/\(mailslots)", capacity: 16, maximumWriters: 1))
        echo.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        echo.arguments = ["async-echo", name, "\(mailslots + 1)"]
        try echo.run()
        requests = Held(try MailslotValueWriter<Request>(try Mailslot.open("\(name)/requests", waitingUpTo: .seconds(10))))
    }

    func measure(rounds: Int, trips: Int, wakes: Int) async throws {
        var roundTrips: [(sync: Double, async: Double)] = []
        var wakings: [(sync: Double, one: Double, hundred: Double)] = []
        for _ in 0..<rounds {
            roundTrips.append((median(try roundTripsOfThread(trips)), median(try await roundTripsOfTask(trips))))
            wakings.append(
                (median(try wakesOfThread(wakes)), median(try await wakesOfTask(wakes)), median(try await wakesOfGroup(wakes))))
        }
        _ = try requests.value.tryWrite(Request(delayNanoseconds: 0, mailslot: .max))
        echo.waitUntilExit()
        print("round trip of 16 and 8 bytes, the other process blocks; medians of \(rounds) rounds")
        show("a thread that blocks", roundTrips.map(\.sync))
        show("a task that awaits", roundTrips.map(\.async), roundTrips.map { $0.async / $0.sync })
        print("from just before the write of the other process until the reader has it, asleep for 1.2 ms")
        show("a thread that blocks", wakings.map(\.sync))
        show("a task that awaits 1 mailslot", wakings.map(\.one), wakings.map { $0.one / $0.sync })
        show("a group that awaits 100 mailslots", wakings.map(\.hundred), wakings.map { $0.hundred / $0.sync })
    }

    private func show(_ what: String, _ figures: [Double], _ ratios: [Double]? = nil) {
        let beside = ratios.map { ", \(text(median($0))) times the thread's (\(text($0.min()!)) to \(text($0.max()!)))" } ?? ""
        print("  \(what): \(text(median(figures) / 1000)) µs\(beside)")
    }
    private func text(_ figure: Double) -> String { String(format: "%.2f", figure) }
    private func median(_ figures: [Double]) -> Double { figures.sorted()[figures.count / 2] }

    private func ask(_ mailslot: Int = 0, after delay: UInt64 = 0) throws {
        _ = try requests.value.tryWrite(Request(delayNanoseconds: delay, mailslot: UInt64(mailslot)))
    }
    private static let asleep: UInt64 = 1_200_000

    private func roundTripsOfThread(_ count: Int) throws -> [Double] {
        try (0..<count).map { _ in
            let begin = now()
            try ask()
            _ = try readers[0].value.read()
            return Double(now() - begin)
        }
    }

    private func roundTripsOfTask(_ count: Int) async throws -> [Double] {
        var samples: [Double] = []
        for _ in 0..<count {
            let begin = now()
            try ask(readers.count)
            _ = try await taskReader.read()
            samples.append(Double(now() - begin))
        }
        return samples
    }

    private func age(_ message: MailslotMessage) -> Double {
        let written = message.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
        return Double(now()) - Double(written)
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

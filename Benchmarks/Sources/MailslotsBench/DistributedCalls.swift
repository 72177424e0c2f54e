import ArgumentParser
import CBenchmarks
import Distributed
import Foundation
import Mailslots
import MailslotsDistributed

/// Calls of distributed actors: one Int there, one Int back, within a process and between two.
struct DistributedCalls: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distributed", abstract: "Measures calls of distributed actors between two processes, beside calls within one.")

    @Flag(help: "Fewer calls and rounds.")
    var quick = false

    func run() throws {
        let (rounds, calls) = quick ? (3, 20_000) : (9, 50_000)
        let result = Result<Void, any Error>.Waiter()
        Task {
            do {
                try await DistributedSession().measure(rounds: rounds, calls: calls)
                result.set(.success(()))
            } catch {
                result.set(.failure(error))
            }
        }
        try result.get()
    }
}

/// The other process, which has the actor.
struct DistributedEcho: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "distributed-echo", shouldDisplay: false)
    @Argument var node: String
    @Flag var executor = false

    func run() throws {
        let system = try MailslotActorSystem(node: node, executor: executor ? MailslotExecutor("doubler") : nil)
        let doubler = try system.named("doubler") { Doubler(actorSystem: system) }
        withExtendedLifetime(doubler) { while true { pause() } }
    }
}

distributed actor Doubler {
    typealias ActorSystem = MailslotActorSystem
    distributed func double(_ number: Int) -> Int { number * 2 }
}

distributed actor DirectDoubler {
    typealias ActorSystem = DirectSystem
    distributed func double(_ number: Int) -> Int { number * 2 }
}

private final class DistributedSession: @unchecked Sendable {  // Sound: used by one task.
    /// A process with an actor.
    private struct Other {
        let node: String
        let process = Process()
        let actor: Doubler

        init(_ what: String, _ system: MailslotActorSystem, _ arguments: [String] = []) throws {
            node = "bench-\(what)-\(getpid())"
            actor = try Doubler.resolve(id: MailslotActorID("doubler@\(node)"), using: system)
            process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = ["distributed-echo", node] + arguments
            try process.run()
        }

        func begin() async throws {
            let limit = ContinuousClock.now + .seconds(10)
            while (try? await actor.double(1)) == nil {
                guard ContinuousClock.now < limit else { throw ValidationError("The other process did not begin.") }
                try await Task.sleep(for: .milliseconds(1))
            }
        }

        func end() {
            kill(process.processIdentifier, SIGKILL)  // a thread of the pool has started it, with its mask of signals
            process.waitUntilExit()
            try? Mailslot.remove("actors/\(node)")
        }
    }

    private let direct = DirectSystem()
    private let held: DirectDoubler
    private let within: DirectDoubler
    private let pool: Other
    private let executor: Other

    init() throws {
        held = DirectDoubler(actorSystem: direct)
        within = try DirectDoubler.resolve(id: held.id, using: direct)
        let system = try MailslotActorSystem()
        pool = try Other("pool", system)
        executor = try Other("executor", system, ["--executor"])
    }

    deinit {
        pool.end()
        executor.end()
    }

    func measure(rounds: Int, calls: Int) async throws {
        for other in [pool, executor] { try await other.begin() }
        var figures: [(within: Double, pool: Double, executor: Double)] = []
        for _ in 0..<rounds {
            let within = try await medianMicroseconds(calls) { try await self.within.double($0) }
            let pool = try await medianMicroseconds(calls) { try await self.pool.actor.double($0) }
            figures.append((within, pool, try await medianMicroseconds(calls) { try await self.executor.actor.double($0) }))
        }
        print("a call of one Int with an Int back; the median of the medians of \(rounds) rounds of \(calls) calls, in microseconds")
        show("encoded and executed within the process", figures.map(\.within))
        show("of another process, on Swift's pool", figures.map(\.pool), figures.map { $0.pool / $0.within })
        show("of another process, on an executor", figures.map(\.executor), figures.map { $0.executor / $0.within })
    }

    private func medianMicroseconds(_ count: Int, _ call: (Int) async throws -> Int) async throws -> Double {
        var times: [UInt64] = []
        times.reserveCapacity(count)
        for number in 0..<count {
            let begin = nanoseconds()
            guard try await call(number) == number * 2 else { throw ValidationError("A call had a wrong answer.") }
            times.append(nanoseconds() - begin)
        }
        return Double(median(times)) / 1000
    }

    private func show(_ what: String, _ figures: [Double], _ ratios: [Double] = []) {
        let sorted = figures.sorted()
        let ratio = ratios.isEmpty ? "" : String(format: "  %.2f ×", ratios.sorted()[ratios.count / 2])
        let range = String(format: "%6.2f (%.2f to %.2f)", sorted[sorted.count / 2], sorted[0], sorted[sorted.count - 1])
        print("  " + what.padding(toLength: 42, withPad: " ", startingAt: 0) + range + ratio)
    }
}

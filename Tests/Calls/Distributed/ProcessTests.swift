import Distributed
import Foundation
import Mailslots
import MailslotsDistributed
import TestActors
import TestProcesses
import TestSupport
import Testing

/// Calls between real processes.
@Suite(.blocking) struct ProcessTests {
    let node = "test-\(UInt32.random(in: 0...UInt32.max))"

    /// Runs `body` beside a process that has a servant.
    private func withServant(_ body: (Servant, MailslotActorSystem) async throws -> Void) async throws {
        let host = try startHost(node)
        defer {
            host.killWithGroup()
            try? Mailslot.remove("actors/\(node)")
        }
        let system = try MailslotActorSystem(limits: .init(answerSize: 100_000))
        let servant = try Servant.resolve(id: MailslotActorID("servant@\(node)"), using: system)
        try await eventually("the actor is there") {
            do {
                _ = try await servant.processID()
                return true
            } catch let error as MailslotActorError where error.code == .noSuchNode || error.code == .noSuchActor {
                return false
            }
        }
        try await body(servant, system)
    }

    @Test func `an actor of another process answers, and calls back`() async throws {
        try await withServant { servant, system in
            #expect(try await servant.processID() != getpid())
            for number in 0..<1000 { #expect(try await servant.double(number) == number * 2) }
            let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try await servant.reverse(bytes) == bytes.reversed())
            let greeter = Greeter("hello", actorSystem: system)
            #expect(try await servant.callBack(greeter) == "hello from elsewhere")
            // The other takes 65,536 bytes, this one 100,000.
            await expect(.tooLong) { _ = try await servant.reverse([UInt8](repeating: 0, count: 70_000)) }
            #expect(try await servant.bytes(90_000).count == 90_000)
            await expect(.tooLong) { _ = try await servant.bytes(110_000) }
            #expect(try await servant.double(4) == 8)

            let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<200 { group.addTask { try await servant.double(number) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(numbers == Set((0..<200).map { $0 * 2 }))
        }
    }

    @Test func `the next node takes away what a killed one without a name has left, and nothing else`() async throws {
        let hosts = [try startHost(nil), try startHost(node)]
        defer {
            for host in hosts { host.killWithGroup() }
            try? Mailslot.remove("actors/\(node)")
        }
        func names(of host: Process) throws -> [String] {
            try Mailslot.names().filter {
                $0.hasPrefix("actors/") && (try? Mailslot.info(of: $0).readerProcessID) == host.processIdentifier
            }
        }
        var left: [String] = []
        try await eventually("both have left their mailslots") {
            left = try hosts.flatMap { try names(of: $0) }
            return left.count == 2
        }
        #expect(left[0].hasPrefix("actors/~"))
        for host in hosts { host.killWithGroup() }
        _ = try MailslotActorSystem()
        let names = try Mailslot.names()
        #expect(!names.contains(left[0]))
        #expect(names.contains(left[1]))
        await expect(.badName) { _ = try MailslotActorSystem(node: "~mine") }
    }

    @Test func `a node that dies during a call fails it, and calls after that do not find it`() async throws {
        try await withServant { servant, _ in
            async let waiting = code { try await servant.wait() }
            try await eventually("it is in a call") { try await servant.isInCall() }
            await expect(.nodeEnded) { try await servant.die() }
            #expect(await waiting == .nodeEnded)
            // The kernel tells of its death before it closes its files: until then the mailslot can still be opened.
            try await eventually("the node is gone") { await code { _ = try await servant.double(1) } == .noSuchNode }
        }
    }

    @Test func `a node that exits in order fails its calls, too`() async throws {
        try await withServant { servant, _ in
            await expect(.nodeEnded) { try await servant.leave() }
            // While it ends it may take a call, and leave that behind.
            try await eventually("the node is gone") { await code { _ = try await servant.double(1) } == .noSuchNode }
        }
    }

    @Test func `a deadline ends a call, and the actor knows it`() async throws {
        try await withServant { servant, _ in
            #expect(try await servant.millisecondsLeft() == nil)
            let left = try await MailslotActorSystem.$deadline.withValue(.now + .seconds(100)) { try await servant.millisecondsLeft() }
            #expect(left.map { 1...100_000 ~= $0 } == true)
            await expect(.deadlineExceeded) {
                try await MailslotActorSystem.$deadline.withValue(.now + .milliseconds(20)) { try await servant.wait() }
            }
            await expect(.deadlineExceeded) {
                try await MailslotActorSystem.$deadline.withValue(.now) { try await servant.wait() }
            }
            // What is stopped is not dead: only a deadline ends the call.
            let id = try await servant.processID()
            kill(id, SIGSTOP)
            try await eventually("it is stopped") { isStopped(id) }
            await expect(.deadlineExceeded) {
                _ = try await MailslotActorSystem.$deadline.withValue(.now + .milliseconds(20)) { try await servant.double(1) }
            }
            kill(id, SIGCONT)
            #expect(try await servant.double(1) == 2)
        }
    }

    @Test func `cancelling a call cancels the actor's task`() async throws {
        try await withServant { servant, _ in
            let call = Task { try await servant.wait() }
            try await eventually("it is in a call") { try await servant.isInCall() }
            call.cancel()
            await #expect(throws: CancellationError.self) { try await call.value }
            try await eventually("it has heard of it") { try await servant.heardOfCancellation() }
        }
    }

    @Test func `an id that names no actor of the node is told so, and the node lives`() async throws {
        try await withServant { servant, system in
            await expect(.noSuchActor) {
                _ = try await Servant.resolve(id: MailslotActorID("nobody", on: servant.id.node), using: system).double(1)
            }
            await expect(.wrongType) { _ = try await Exchange.resolve(id: servant.id, using: system).double(1) }
            let doubled = try await servant.double(1)
            #expect(doubled == 2)
        }
    }

    @Test func `a node has its name alone, and gives it back`() async throws {
        let first = try MailslotActorSystem(node: node)
        #expect(throws: MailslotError.self) { _ = try MailslotActorSystem(node: node) }
        await first.shutDown()
        let second = try MailslotActorSystem(node: node)
        await expect(.shutDown) { _ = try await Servant.resolve(id: MailslotActorID("servant@\(node)x"), using: first).double(1) }
        await second.shutDown()
        #expect(throws: MailslotActorError.self) { _ = try MailslotActorSystem(node: "no name") }
    }
}

import Foundation
import Mailslots
import TestRandomness

/// Calls whose tasks are cancelled, at once or after a while: what either side keeps of each must go with it.
struct Cancellations {
    private static let name = "soak-requests/\(getpid())/held"
    /// So few that neither mailslot is ever full, for word of a cancellation needs room.
    private static let atATime = 8
    /// What allocators, pools and counters may grow by, whatever the number of calls. A hundred bytes kept of each
    /// would be five times it after a million calls; after CI's hundred thousand, two hundred bytes are found.
    private static let growthMax = 16 << 20

    let count: Int
    let folder: URL

    func run(seed: UInt64) async throws {
        guard count > 0 else { return }
        let server = try Side(["server", Self.name, "--holds"], output: folder.appending(path: "held"))
        defer {
            server.end()
            try? Mailslot.remove(Self.name)
        }
        let client = try MailslotClient()
        let caller = try await client.open(Self.name, waitingUpTo: .seconds(30))
        var generator = SeededGenerator(seed: seed)
        var cancelled = 0
        var before: (client: Int, server: Int)?
        while cancelled < count {
            try await cancelSome(caller, &generator)
            cancelled += Self.atATime
            // After a tenth all is allocated that a few calls need.
            if before == nil, cancelled >= count / 10 { before = (try memory(of: getpid()), try memory(of: server.id)) }
        }
        let growth = (try memory(of: getpid()) - before!.client, try memory(of: server.id) - before!.server)
        print("\(cancelled) calls cancelled: the client has grown by \(growth.0 >> 10) KiB, the server by \(growth.1 >> 10) KiB")
        if max(growth.0, growth.1) > Self.growthMax { fail("memory grows with the calls that were cancelled") }
        if client.counters.cancellations != cancelled { fail("\(cancelled) calls were cancelled: \(client.counters)") }
    }

    private func cancelSome(_ caller: MailslotCaller, _ generator: inout SeededGenerator) async throws {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.atATime {
                let yields = Int.random(in: 0...20, using: &generator)
                group.addTask {
                    let call = Task { try await caller.call("hold") }
                    for _ in 0..<yields { await Task.yield() }
                    call.cancel()
                    do {
                        _ = try await call.value
                        fail("a call that nobody answers has an answer")
                    } catch {
                        if (error as? MailslotCallError)?.code != .cancelled { fail("a cancelled call ended otherwise: \(error)") }
                    }
                }
            }
        }
        // It is behind the cancellations: when it is answered the server has heard of them all, and has room for handlers.
        let answer = try await caller.call([200], timeout: .seconds(30))
        if [UInt8](answer) != [200] + Array(Self.name.utf8) { fail("the server answers wrongly after cancellations") }
    }

    /// Bytes of a process that are in memory.
    private func memory(of id: Int32) throws -> Int {
        let fields = try String(contentsOfFile: "/proc/\(id)/statm", encoding: .utf8).split(separator: " ")
        return Int(fields[1])! * Int(getpagesize())
    }
}

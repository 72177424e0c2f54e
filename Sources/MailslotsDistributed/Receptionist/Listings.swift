internal import Distributed
internal import Mailslots

/// What all nodes of this machine have, for those who want to hear of changes. It follows nodes from when the first one wants to.
///
/// Each node is asked for what comes after the version that is known, and answers when there is a change. A node that dies fails the call,
/// and one that is new greets this one's directory: so nothing is asked again and again, and nothing is missed.
final class Listings: Sendable {
    private struct Listener {
        let key: String
        let changed: @Sendable ([MailslotActorID]) -> Void
        let ended: @Sendable () -> Void
        var last: Set<MailslotActorID>?
    }

    private struct State {
        var isFollowing = false
        var hasEnded = false
        var known: [MailslotNode: NodeDirectory.Entries] = [:]
        /// By node: the task that asks it, with a number, which is another one each time.
        var tasks: [MailslotNode: (number: UInt64, task: Task<Void, Never>)] = [:]
        var listeners: [UInt64: Listener] = [:]
        var next: UInt64 = 0

        mutating func nextNumber() -> UInt64 {
            next += 1
            return next
        }
    }

    // The system lives as long as the receptionist, and its tasks hold it while they wait.
    private let system: MailslotActorSystem
    private let state = Locked(State())

    init(_ system: MailslotActorSystem) { self.system = system }

    func add(_ key: String, changed: @escaping @Sendable ([MailslotActorID]) -> Void, end: @escaping @Sendable () -> Void) -> UInt64 {
        let (number, begins) = state.withLock { state in
            let number = state.nextNumber()
            guard !state.hasEnded else { return (number, false) }
            state.listeners[number] = Listener(key: key, changed: changed, ended: end)
            defer { state.isFollowing = true }
            return (number, !state.isFollowing)
        }
        if begins { for node in (try? system.nodes()) ?? [] { follow(node, again: false) } }
        tell()
        return number
    }

    func remove(_ number: UInt64) { state.withLock { _ = $0.listeners.removeValue(forKey: number) } }

    func end() {
        let listeners = state.withLock { state in
            state.hasEnded = true
            for entry in state.tasks.values { entry.task.cancel() }
            state.tasks = [:]
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.ended() }
    }

    /// Asks a node from now on.
    ///
    /// - Parameter again: It is another process than was asked before, or may be.
    func follow(_ node: MailslotNode, again: Bool) {
        state.withLock { state in
            guard state.isFollowing, !state.hasEnded, again || state.tasks[node] == nil else { return }
            let number = state.nextNumber()
            state.tasks[node]?.task.cancel()
            state.tasks[node] = (number, Task { [weak self, system] in await Self.ask(node, system, number) { self } })
        }
    }

    private static func ask(_ node: MailslotNode, _ system: MailslotActorSystem, _ number: UInt64, _ listings: () -> Listings?) async {
        var version: UInt64 = 0
        while !Task.isCancelled {
            do {
                let directory = try NodeDirectory.resolve(id: NodeDirectory.id(on: node), using: system)
                let snapshot = try await directory.snapshot(after: version)
                version = snapshot.version
                listings()?.set(node, snapshot.entries, number)
            } catch {
                break
            }
        }
        // It is gone, or has no receptionist yet: then it greets when it has.
        listings()?.set(node, nil, number)
    }

    private func set(_ node: MailslotNode, _ entries: NodeDirectory.Entries?, _ number: UInt64) {
        state.withLock { state in
            guard state.tasks[node]?.number == number else { return }
            // An actor of another node is none of its business.
            state.known[node] = entries?.mapValues { $0.filter { $0.node == node } }
            if entries == nil { state.tasks[node] = nil }
        }
        tell()
    }

    /// Tells those for whom something has changed. In the lock, so that each hears of changes in their order.
    private func tell() {
        state.withLock { state in
            for (number, listener) in state.listeners {
                let present = state.known.values.flatMap { $0[listener.key] ?? [] }
                guard listener.last != Set(present) else { continue }
                state.listeners[number]?.last = Set(present)
                listener.changed(present)
            }
        }
    }
}

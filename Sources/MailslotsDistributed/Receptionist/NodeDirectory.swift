internal import Distributed

/// Which actors of a node are to be found, for all who ask: an actor that each node with a receptionist has under one name.
distributed actor NodeDirectory {
    typealias ActorSystem = MailslotActorSystem

    static let name = "receptionist"

    /// What a node has, by key.
    typealias Entries = [String: [MailslotActorID]]

    struct Snapshot: Codable {
        let version: UInt64
        let entries: Entries
    }

    private var entries: Entries = [:]
    private var version: UInt64 = 1
    /// Those who asked for what comes after the present version, by a number each.
    private var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiting: UInt64 = 0
    private let greeted: @Sendable (MailslotNode) -> Void

    /// - Parameter greeted: Told of each node that says that it is there.
    init(actorSystem: ActorSystem, greeted: @escaping @Sendable (MailslotNode) -> Void) {
        self.actorSystem = actorSystem
        self.greeted = greeted
    }

    // MARK: for other nodes

    distributed func actors(of key: String) -> [MailslotActorID] { entries[key] ?? [] }

    /// All that there is, as soon as that is another version.
    distributed func snapshot(after known: UInt64) async throws -> Snapshot {
        while known >= version {
            try Task.checkCancellation()
            await change()
        }
        return Snapshot(version: version, entries: entries)
    }

    /// Says that a node is there, or again.
    distributed func greet(_ node: MailslotNode) { greeted(node) }

    // MARK: for this node

    func add(_ id: MailslotActorID, _ key: String) {
        guard entries[key]?.contains(id) != true else { return }
        entries[key, default: []].append(id)
        hasChanged()
    }

    func remove(_ id: MailslotActorID, _ key: String) {
        guard let index = entries[key]?.firstIndex(of: id) else { return }
        entries[key]?.remove(at: index)
        if entries[key]?.isEmpty == true { entries[key] = nil }
        hasChanged()
    }

    func remove(_ id: MailslotActorID) {
        for key in entries.keys { remove(id, key) }
    }

    private func hasChanged() {
        version += 1
        let all = waiting.values
        waiting = [:]
        for continuation in all { continuation.resume() }
    }

    /// Suspends until there is a change, or the caller gives up.
    private func change() async {
        let number = nextWaiting
        nextWaiting += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { continuation.resume() } else { waiting[number] = continuation }
            }
        } onCancel: {
            Task { await self.whenLocal { $0.giveUp(number) } }
        }
    }

    private func giveUp(_ number: UInt64) { waiting.removeValue(forKey: number)?.resume() }
}

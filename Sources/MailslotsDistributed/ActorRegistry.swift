internal import Distributed
internal import Mailslots

/// The actors of one node, by name. It keeps none of them alive.
final class ActorRegistry: Sendable {
    private struct Entry {
        /// nil: it is being made, or is gone.
        weak var actor: (any DistributedActor)?
        /// How the names of its methods begin.
        var context: String?
    }

    /// An actor that can be called.
    struct Found {
        let actor: any DistributedActor
        let context: String?
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var next: UInt64 = 0
    }

    private let state = Locked(State())
    /// In the names that nobody chose, so that the name of an actor that was never means another one, of a process after this.
    private let mark = String(UInt64.random(in: 0...UInt64.max), radix: 36)

    /// Keeps a name for an actor that is about to be made. False: it is taken.
    func reserve(_ name: String) -> Bool {
        state.withLock { state in
            guard state.entries[name] == nil else { return false }
            state.entries[name] = Entry()
            return true
        }
    }

    /// A name that was never used, and will not be.
    func reserveAny() -> String {
        state.withLock { state in
            state.next += 1
            let name = "\(state.next).\(mark)"
            state.entries[name] = Entry()
            return name
        }
    }

    func set(_ actor: some DistributedActor, for name: String) {
        let context = MangledName.context(of: type(of: actor))
        state.withLock { $0.entries[name] = Entry(actor: actor, context: context) }
    }

    func remove(_ name: String) {
        state.withLock { _ = $0.entries.removeValue(forKey: name) }
    }

    func find(_ name: String) -> Found? {
        state.withLock { state in
            guard let entry = state.entries[name], let actor = entry.actor else { return nil }
            return Found(actor: actor, context: entry.context)
        }
    }
}

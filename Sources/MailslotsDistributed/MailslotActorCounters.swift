internal import Synchronization

/// What a system has done so far.
public struct MailslotActorCounters: Sendable, Hashable {
    /// Calls of other nodes' actors that were begun.
    public let callsMade: Int
    /// Calls of others that an actor has answered, with a result or an error.
    public let callsServed: Int
    /// Calls of others that were refused: they were not understood, or name an actor, a method or types that the node does not have.
    public let callsRefused: Int
}

final class ActorCounts: Sendable {
    let made = Atomic(0)
    let served = Atomic(0)
    let refused = Atomic(0)

    var now: MailslotActorCounters {
        // Numbers alone: nothing is handed over with them.
        MailslotActorCounters(
            callsMade: made.load(ordering: .relaxed), callsServed: served.load(ordering: .relaxed),
            callsRefused: refused.load(ordering: .relaxed))
    }
}

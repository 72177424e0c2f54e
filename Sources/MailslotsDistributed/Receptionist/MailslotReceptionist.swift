internal import Distributed
internal import Mailslots

/// Lists which actors are there, of all processes of this machine, by a key.
///
/// ```swift
/// let exchanges = MailslotActorKey<Exchange>("exchanges")
///
/// // Who has one:
/// let receptionist = try MailslotReceptionist(system)
/// await receptionist.checkIn(exchange, as: exchanges)
///
/// // Who wants one:
/// let found = try await receptionist.lookup(exchanges)
/// for await present in receptionist.listing(of: exchanges) { print(present.count) }
/// ```
///
/// There is no daemon and no register that could be wrong: each node is asked what it has, and nodes are the mailslots below `actors/`. A
/// node that is killed is off the list at once, for a call to it fails. A node is asked if it has a receptionist, of which it has one,
/// as long as somebody holds it. Actors are not held, and off the list when they are gone.
///
/// Nodes of other machines are not looked for; one that is known is asked by `lookup(_:on:)`. It may be used by any thread and task.
public final class MailslotReceptionist: Sendable {
    /// The node's system.
    public let system: MailslotActorSystem
    private let directory: NodeDirectory
    private let listings: Listings

    /// Opens a node to those who look for its actors.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/nameTaken``: the system has a receptionist.
    public init(_ system: MailslotActorSystem) throws {
        self.system = system
        let listings = Listings(system)
        self.listings = listings
        let directory = try system.named(NodeDirectory.name) {
            NodeDirectory(actorSystem: system) { [weak listings] node in listings?.follow(node, again: true) }
        }
        self.directory = directory
        system.onResign { [weak directory] id in
            guard let directory else { return }
            Task { await directory.whenLocal { $0.remove(id) } }
        }
        // Who follows hears of this node; who comes later finds it by its mailslot.
        for node in system.otherNodes {
            Task { try? await NodeDirectory.resolve(id: NodeDirectory.id(on: node), using: system).greet(system.node) }
        }
    }

    deinit {
        system.onResign(nil)
        listings.end()
    }

    // MARK: who is here

    /// Puts an actor of this node on the list. Twice is not an error; an actor may have several keys.
    public func checkIn<Act>(_ actor: Act, as key: MailslotActorKey<Act>) async {
        let id = actor.id
        precondition(id.node == system.node, "\(id) is checked in at its own node, which is not \(system.node).")
        await directory.whenLocal { $0.add(id, key.name) }
    }

    /// Takes an actor of this node off the list of a key. That it is not there is not an error.
    public func checkOut<Act>(_ actor: Act, as key: MailslotActorKey<Act>) async {
        let id = actor.id
        await directory.whenLocal { $0.remove(id, key.name) }
    }

    // MARK: who is there

    /// The actors that all nodes of this machine have under a key, in the order of their ids.
    ///
    /// - Parameter limit: How long to wait for a node that is stopped. It is left out then; one that died is left out at once.
    /// - Throws: A `MailslotError` if the mailslots of this machine cannot be listed, or `CancellationError`.
    public func lookup<Act>(_ key: MailslotActorKey<Act>, within limit: Duration = .seconds(1)) async throws -> [Act] {
        let system = system
        let nodes = try system.nodes()
        let deadline = min(MailslotActorSystem.deadline ?? .now + limit, .now + limit)
        let ids = await withTaskGroup(of: [MailslotActorID].self) { group in
            for node in nodes {
                group.addTask {
                    await MailslotActorSystem.$deadline.withValue(deadline) {
                        // A node that does not answer, or has no receptionist, has nobody to be found.
                        (try? await NodeDirectory.resolve(id: NodeDirectory.id(on: node), using: system).actors(of: key.name)) ?? []
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        try Task.checkCancellation()
        return ids.resolved(by: system)
    }

    /// The actors that one node has under a key: also one of another machine.
    ///
    /// - Throws: A ``MailslotActorError``: ``MailslotActorError/Code/noSuchNode``, ``MailslotActorError/Code/noSuchActor`` if it has no
    ///   receptionist, and the others of a call.
    public func lookup<Act>(_ key: MailslotActorKey<Act>, on node: MailslotNode) async throws -> [Act] {
        try await NodeDirectory.resolve(id: NodeDirectory.id(on: node), using: system).actors(of: key.name).resolved(by: system)
    }

    /// The actors that all nodes of this machine have under a key, now and whenever that changes, in the order of their ids.
    ///
    /// A loop that is slow gets the latest list, not each. It ends when the receptionist is gone. A node that is stopped keeps its
    /// actors on the list, for it may go on.
    public func listing<Act>(of key: MailslotActorKey<Act>) -> AsyncStream<[Act]> {
        let system = system
        return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let number = listings.add(key.name) {
                continuation.yield($0.resolved(by: system))
            } end: {
                continuation.finish()
            }
            continuation.onTermination = { [weak listings] _ in listings?.remove(number) }
        }
    }
}

extension NodeDirectory {
    static func id(on node: MailslotNode) -> MailslotActorID { MailslotActorID(unchecked: name, node) }
}

extension [MailslotActorID] {
    fileprivate func resolved<Act: DistributedActor>(by system: MailslotActorSystem) -> [Act] where Act.ActorSystem == MailslotActorSystem {
        // Of this node, it may be gone by now.
        Set(self).sorted { $0.description < $1.description }.compactMap { try? Act.resolve(id: $0, using: system) }
    }
}

extension MailslotActorSystem {
    /// The nodes of this machine, with this one.
    ///
    /// - Throws: A `MailslotError` if the mailslots cannot be listed.
    public func nodes() throws -> [MailslotNode] { try Mailslot.names().compactMap { MailslotNode(mailslotName: $0) } }

    fileprivate var otherNodes: [MailslotNode] { ((try? nodes()) ?? []).filter { $0 != node } }
}

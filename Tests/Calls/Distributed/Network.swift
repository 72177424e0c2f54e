import Distributed
import Mailslots

@testable import MailslotsDistributed

/// Nodes of one process, which reach each other without mailslots: what is tested here is all above them.
final class Network: Sendable {
    typealias Serve = @Sendable (IncomingCall) async -> [UInt8]
    private let nodes = Locked<[MailslotNode: Serve]>([:])

    func node(_ name: String) throws -> MailslotActorSystem {
        let node = try MailslotNode(name)
        return try MailslotActorSystem(node: node, transport: Transport(network: self, node: node))
    }

    /// Hands a node any bytes, as a hostile process does.
    func send(_ bytes: [UInt8], to node: MailslotNode, host: String? = nil) async throws -> [UInt8] {
        guard let serve = nodes.withLock({ $0[node] }) else { throw MailslotActorError(.noSuchNode, "There is no \(node).", cure: "") }
        return await serve(IncomingCall(bytes: bytes, host: host))
    }

    private struct Transport: NodeTransport {
        let network: Network
        let node: MailslotNode

        func serve(_ answer: @escaping Serve) { network.nodes.withLock { $0[node] = answer } }
        func call(_ node: MailslotNode, _ call: [UInt8], deadline: ContinuousClock.Instant?) async throws -> [UInt8] {
            try await network.send(call, to: node)
        }
        func shutDown() async { stop() }
        func stop() { network.nodes.withLock { _ = $0.removeValue(forKey: node) } }
    }
}

extension MailslotActorSystem {
    /// The actor of a name of this system's node, as another system sees it.
    func reference<Act: DistributedActor>(_ actor: Act) throws -> Act where Act.ActorSystem == MailslotActorSystem {
        try Act.resolve(id: actor.id, using: self)
    }
}

public import Distributed

/// Under what actors of one type are found: `MailslotActorKey<Exchange>("exchanges")`.
///
/// Keys are equal if their texts and their types are. The type counts by its name: build the processes from one source.
public struct MailslotActorKey<Act: DistributedActor>: Hashable, Sendable where Act.ActorSystem == MailslotActorSystem {
    /// The key, as it was given.
    public let text: String
    /// The key, as it is between nodes.
    let name: String

    /// A key.
    ///
    /// - Parameter text: Any text of at most 128 bytes; a longer one ends the program.
    public init(_ text: String) {
        precondition(text.utf8.count <= 128, "A key has at most 128 bytes.")
        self.text = text
        name = "\(text):\(_mangledTypeName(Act.self) ?? "\(Act.self)")"
    }
}

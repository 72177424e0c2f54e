internal import Distributed

/// Which distributed actor: its name, and the node that has it.
///
/// In text it is `exchange@market`, or `exchange@\\render7\market` on the host render7. An id is no proof that such an actor exists: a call
/// finds that out.
///
/// An id, and so a distributed actor, can be an argument or a result of a call. It means the same actor wherever it arrives: one of a node
/// of the sender's machine gets that machine's host when it arrives from another one.
public struct MailslotActorID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Its name within the node: 1 to 128 bytes of UTF-8 without `@` and without control characters.
    public let name: String
    /// Where it lives.
    public let node: MailslotNode

    static let longestName = 128

    /// The id of an actor that has a name.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badName``.
    public init(_ name: String, on node: MailslotNode) throws(MailslotActorError) {
        guard Self.isName(name) else {
            throw MailslotActorError(
                .badName, "\(name.shortened) is no name of an actor.",
                cure: "A name has 1 to \(Self.longestName) bytes, and neither @ nor control characters.")
        }
        self.init(unchecked: name, node)
    }

    init(unchecked name: String, _ node: MailslotNode) {
        self.name = name
        self.node = node
    }

    /// The id that a text such as `exchange@market` means.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badName``.
    public init(_ text: String) throws(MailslotActorError) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw MailslotActorError(
                .badName, "\(text.shortened) is no id of an actor.", cure: "An id is a name and a node, as exchange@market.")
        }
        try self.init(String(parts[0]), on: MailslotNode(String(parts[1])))
    }

    /// `exchange@market`, or `exchange@\\render7\market`.
    public var description: String { "\(name)@\(node)" }

    static func isName(_ name: String) -> Bool {
        (1...longestName).contains(name.utf8.count) && name.utf8.allSatisfy { $0 >= 32 && $0 != 127 && $0 != UInt8(ascii: "@") }
    }

    /// Reads a text such as `exchange@market`.
    ///
    /// - Throws: `DecodingError` if it means no actor.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = try? Self(text) else { throw DecodingError.isNone(text, "actor of a mailslot actor system", decoder) }
        let system = decoder.userInfo[.actorSystemKey] as? MailslotActorSystem
        self.init(unchecked: id.name, system?.asSeenHere(id.node, from: decoder.userInfo[.senderHost] as? String) ?? id.node)
    }

    /// Writes the id as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

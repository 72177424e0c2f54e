internal import Mailslots

/// A process that has distributed actors, by its name and, if it is on another machine, its host.
///
/// In text it is `market`, or `\\render7\market` on the host render7. The mailslot in which it takes calls is `actors/market`.
public struct MailslotNode: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Its name: 1 to 32 ASCII letters, digits and `.`, `_`, `-`, `~`, in lower case.
    public let name: String
    /// The name of its machine in the bridge's domain, in lower case; `nil`: this machine.
    public let host: String?

    /// The most bytes of a name: so many that a bridge carries it, with the folder of all nodes.
    static let longestName = 32
    static let folder = Mailslot.nodeFolder

    /// The node that a text such as `market` or `\\render7\market` means.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badName``. Upper case is not an error: it is made lower case.
    public init(_ text: String) throws(MailslotActorError) {
        guard text.hasPrefix(#"\\"#) else {
            try self.init(name: text, host: nil)
            return
        }
        let parts = text.dropFirst(2).split(separator: #"\"#, maxSplits: 1, omittingEmptySubsequences: false)
        try self.init(name: parts.count == 2 ? String(parts[1]) : "", host: String(parts[0]))
    }

    /// A node of a host, or of this machine.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badName``, if a name is empty, too long or has other characters.
    public init(name: String, host: String?) throws(MailslotActorError) {
        guard Self.isName(name, upTo: Self.longestName) else {
            throw MailslotActorError(
                .badName, "\(name.shortened) is no name of a node.",
                cure: "A name has 1 to \(Self.longestName) letters, digits and . _ - ~.")
        }
        if let host, !Self.isName(host, upTo: 63) {
            throw MailslotActorError(
                .badName, "\(host.shortened) is no name of a host.", cure: "Use a name that `mailslot hosts` shows.")
        }
        self.name = name.lowercased()
        self.host = host?.lowercased()
    }

    /// `market`, or `\\render7\market`.
    public var description: String { host.map { #"\\\#($0)\\#(name)"# } ?? name }

    /// The mailslot in which the node takes calls.
    public var mailslotName: String { host.map { #"\\\#($0)\mailslot\actors\\#(name)"# } ?? Self.folder + name }

    /// The node of this machine that has a mailslot; `nil`: the mailslot is none of a node's.
    init?(mailslotName: String) {
        guard mailslotName.hasPrefix(Self.folder) else { return nil }
        try? self.init(name: String(mailslotName.dropFirst(Self.folder.count)), host: nil)
    }

    /// A node that a program names. Names that begin with `~` are for nodes that were given none: the next node takes away what such a one
    /// leaves.
    init(ofProgram name: String) throws(MailslotActorError) {
        try self.init(name: name, host: nil)
        guard !name.hasPrefix(Mailslot.beginningOfOwnNodes) else {
            throw MailslotActorError(
                .badName, "\(name.shortened) is no name to give a node: those with ~ first are for nodes that were given none.",
                cure: "Begin it with another character.")
        }
    }

    /// A node with a name that no other has.
    static func withoutName() -> MailslotNode { MailslotNode(mailslotName: Mailslot.nameForNode())! }

    private static func isName(_ name: String, upTo limit: Int) -> Bool {
        (1...limit).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "~"):
                    true
                default: false
                }
            }
    }

    /// Reads a text such as `market`.
    ///
    /// - Throws: `DecodingError` if it means no node.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let node = try? Self(text) else { throw DecodingError.isNone(text, "node", decoder) }
        self = node
    }

    /// Writes the node as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension DecodingError {
    static func isNone(_ text: String, _ what: String, _ decoder: any Decoder) -> DecodingError {
        .dataCorrupted(Context(codingPath: decoder.codingPath, debugDescription: "\(text.shortened) means no \(what)"))
    }
}

extension String {
    /// In quotes, and no longer than a line: what another process wrote is not to fill a log.
    var shortened: String { "\"" + prefix(80).map { $0.isASCII && $0 < " " ? "?" : String($0) }.joined() + (count > 80 ? "…\"" : "\"") }
}

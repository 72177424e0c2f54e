internal import Mailslots

/// A mailslot that local processes write to, and the bridge reads: what they write goes to one mailslot of one host or domain.
///
/// Its name is `bridge/out/K/DESTINATION/MAILSLOT`; the next K when the lanes of the one before are all taken. `@` is our own first domain.
package struct OutboxName: Hashable, Sendable {
    package static let prefix = OutboxProtocol.outboxPrefix
    package static let ownDomain = OutboxProtocol.ownDomain
    /// Outboxes of one destination and mailslot.
    package static let numberMax = OutboxProtocol.outboxesMax - 1

    package let number: Int
    /// Canonical: a host's or a domain's name, or `@`.
    package let destination: String
    /// Canonical, 1 to 40 bytes.
    package let mailslot: String

    package init?(number: Int, destination: [UInt8], mailslot: [UInt8]) {
        guard 0...Self.numberMax ~= number, let mailslot = MailslotName.canonical(mailslot) else { return nil }
        let isOwnDomain = destination == [UInt8](Self.ownDomain.utf8)
        guard let destination = isOwnDomain ? Self.ownDomain : HostName.canonical(destination, folding: false) else { return nil }
        self.number = number
        self.destination = destination
        self.mailslot = mailslot
    }

    /// Of the name of a mailslot that is there; `nil` if it is no outbox.
    package init?(local name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let parts = name.dropFirst(Self.prefix.count).split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let number = Int(parts[0]), String(number) == parts[0] else { return nil }
        self.init(number: number, destination: [UInt8](parts[1].utf8), mailslot: [UInt8](parts[2].utf8))
    }

    package var local: String { "\(Self.prefix)\(number)/\(destination)/\(mailslot)" }
}

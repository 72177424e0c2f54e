// Which NATS subject is whose. A datagram is for one host, or for every host, of a domain, and holds messages for any mailslots there,
// whose names are sealed: so a subject says domain and host, and no mailslot.
//
//     subject            prefix.domain.host
//     every host         prefix.domain.@          for no host's name has an @
//
// Names have ASCII letters in lower case. All their bytes but a to z, 0 to 9, - and _ are escaped, % and two hexadecimal digits, as in the
// files of mailslots: a dot would begin another token, a space end the subject, and * and > stand for other tokens.
//
//     domain     host         subject
//     studio     render7      mailslot.studio.render7
//     studio     (every)      mailslot.studio.@
//     st. ives   büro 1       mailslot.st%2e%20ives.b%c3%bcro%201
//
// A host subscribes to its own subject and to that of every host, for each of its domains. What a server has to permit it:
//
//     publish    mailslot.studio.>
//     subscribe  mailslot.studio.render7, mailslot.studio.@
package import MailslotsWire

package struct NATSSubjects: Sendable, Hashable {
    private let prefix: String

    /// Throws unless it is one token or more, with dots between them, of characters that need no escape.
    package init(prefix: String) throws(BridgeError) {
        let tokens = prefix.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard prefix.utf8.count <= 100, tokens.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isPlain) }) else {
            throw .wrong(
                "nats.subjectPrefix", "\"\(prefix)\" is no prefix of NATS subjects",
                "Write it like mailslot or acme.mailslot: lower-case letters, digits, - and _, with dots between them, 100 bytes at most."
            )
        }
        self.prefix = prefix
    }

    package func subject(of destination: Destination, inDomain domain: String) -> String {
        switch destination {
        case .everyHost: "\(prefix).\(Self.escaped(domain)).@"
        case .host(let host): "\(prefix).\(Self.escaped(domain)).\(Self.escaped(host))"
        }
    }

    /// Whether this is a host's subject, whichever host's.
    package func isHost(_ subject: String, inDomain domain: String) -> Bool {
        let start = "\(prefix).\(Self.escaped(domain))."
        let token = subject.utf8.dropFirst(start.utf8.count)
        return subject.hasPrefix(start) && 1...189 ~= token.count && token.allSatisfy { Self.isPlain($0) || $0 == UInt8(ascii: "%") }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func escaped(_ name: String) -> String {
        name.utf8.reduce(into: "") { token, byte in
            let lower = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
            if isPlain(lower) {
                token.unicodeScalars.append(Unicode.Scalar(lower))
            } else {
                token += (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
            }
        }
    }
}

// What bridges tell each other of themselves: the payload of an announcement's record.
//
//     offset  bytes  field
//          0      1  version     1
//          1      1  kind        1: here I am. 2: goodbye
//          2      1  host bytes, h: 1 to 63
//          3      1  0
//          4      h  host        the sender's name, canonical
//
// It is valid if and only if it is that, to its last byte. Who it came from and that it is no replay the datagram's seal says.
//
// WHEN. A bridge announces itself to every host of each domain when it starts, and then every `announceEvery`, a tenth of it more or less
// by chance. When it hears of a session that it did not know it announces itself once more, a while later that is random and grows with the
// number of hosts: one announcement answers all that came up meanwhile. And the first datagram in each `announceEvery` to any one
// destination begins with an announcement, so that whoever gets it knows whose it is, on paths that nothing else takes.
internal import MailslotsWire

/// A bridge says that it is there, or that it ends.
package struct Announcement: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        case present = 1
        case goodbye = 2
    }

    package static let byteCountMax = 4 + HostName.byteCountMax

    package let kind: Kind
    package let host: String

    package init(kind: Kind, host: String) {
        self.kind = kind
        self.host = host
    }

    package var bytes: [UInt8] { [1, kind.rawValue, UInt8(host.utf8.count), 0] + [UInt8](host.utf8) }

    /// `nil` if it is not valid.
    package init?(_ payload: RawSpan) {
        guard payload.byteCount >= 4, payload.load8(at: 0) == 1, payload.load8(at: 3) == 0,
            let kind = Kind(rawValue: payload.load8(at: 1)), payload.byteCount == 4 + Int(payload.load8(at: 2))
        else { return nil }
        let text = payload.extracting(droppingFirst: 4)
        guard let host = HostName.canonical(text.byteOffsets.map { text.load8(at: $0) }, folding: false) else { return nil }
        self.init(kind: kind, host: host)
    }
}

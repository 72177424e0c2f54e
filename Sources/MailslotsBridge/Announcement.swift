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
// destination begins with an announcement, so that whoever gets it knows whose it is, on ways that nothing else takes.
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

/// What hosts and domains may be called.
package enum HostName {
    package static let byteCountMax = 63
    private static let forbidden = Set(#"\/:*?<>"|@"#.utf8)

    /// In lower case; `nil` if it is no name: empty, longer than 63 bytes, not UTF-8, with separators, control characters or one of
    /// `: * ? < > " | @`. `folding` false: an upper-case letter is an error, too.
    package static func canonical(_ bytes: [UInt8], folding: Bool = true) -> String? {
        guard 1...byteCountMax ~= bytes.count, bytes != [UInt8(ascii: ".")], bytes != [UInt8](repeating: UInt8(ascii: "."), count: 2),
            let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let isUpper: (UInt8) -> Bool = { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && !forbidden.contains($0) && (folding || !isUpper($0)) }) else { return nil }
        guard !text.unicodeScalars.contains(where: { 0x80..<0xA0 ~= $0.value }) else { return nil }
        return String(decoding: bytes.map { isUpper($0) ? $0 + 32 : $0 }, as: UTF8.self)
    }

    package static func canonical(_ text: String) -> String? { canonical([UInt8](text.utf8)) }
}

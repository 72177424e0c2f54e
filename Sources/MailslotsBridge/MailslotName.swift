internal import MailslotsWire

/// Names of mailslots as they go over the network.
package enum MailslotName {
    private static let forbidden = Set(#"\:*?<>"|"#.utf8)

    /// `nil` unless these are 1 to 40 bytes, and may be the canonical form of a local name: what is opened is then what was checked.
    /// Other mistakes in it are found by opening it.
    package static func canonical(_ bytes: [UInt8]) -> String? {
        guard 1...DatagramFormat.nameBytesMax ~= bytes.count, let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let isUpper: (UInt8) -> Bool = { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && !forbidden.contains($0) && !isUpper($0) }) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty } ? text : nil
    }
}

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

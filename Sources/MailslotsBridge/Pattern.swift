/// Texts with `*` for any part, as the configuration has them: "*", "studio/*", "render*".
package struct Patterns: Sendable {
    private let patterns: [[UInt8]]
    private let allowsAll: Bool

    package init(_ patterns: [String]) {
        self.patterns = patterns.map { [UInt8]($0.lowercased().utf8) }
        allowsAll = patterns.contains("*")
    }

    package func match(_ text: String) -> Bool { allowsAll || match([UInt8](text.utf8)) }

    package func match(_ text: [UInt8]) -> Bool { allowsAll || patterns.contains { Self.match(text, $0) } }

    /// One `*` is gone back to at a time, so it takes at most the product of both lengths.
    private static func match(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
        let star = UInt8(ascii: "*")
        var at = 0
        var next = 0
        var retry: (pattern: Int, text: Int)?
        while at < text.count {
            if next < pattern.count, pattern[next] == star {
                retry = (next + 1, at)
                next += 1
            } else if next < pattern.count, pattern[next] == text[at] {
                next += 1
                at += 1
            } else if let last = retry {
                retry = (last.pattern, last.text + 1)
                next = last.pattern
                at = last.text + 1
            } else {
                return false
            }
        }
        return pattern[next...].allSatisfy { $0 == star }
    }
}

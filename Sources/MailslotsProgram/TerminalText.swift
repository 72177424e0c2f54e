// What others wrote, on a terminal. It takes some characters for commands, which may rename its window, type for its user or hide what
// follows; and some turn the order of letters round. None of them reaches a terminal.

extension Unicode.Scalar {
    /// Control characters, what ends lines, and format characters. Two of these only join letters and emoji, and do no harm.
    fileprivate var deceivesTerminals: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: self != "\u{200c}" && self != "\u{200d}"
        default: false
        }
    }
}

/// Names, and what is said to people: such characters become U+FFFD. Names have no control characters, but the file of another may lie.
package func printable(_ text: String, besides allowed: Set<Unicode.Scalar> = []) -> String {
    String(
        String.UnicodeScalarView(text.unicodeScalars.map { $0.deceivesTerminals && !allowed.contains($0) ? "\u{fffd}" : $0 }))
}

/// How such characters of a message are written out, so that one can tell what the message is.
package enum TerminalNotation {
    /// `\\x1b` for a byte, also one that is no UTF-8; `\\u{202e}` for a character; `\\n`, `\\r`; `\\\\` for a backslash. A tab stays.
    case line
    /// The same, but newlines stay: the message is a piece of a stream.
    case stream
    /// `\\u202e`, as JSON has it. What is written out is JSON already.
    case json

    package func escaped(_ bytes: RawSpan) -> [UInt8] {
        var result: [UInt8] = []
        var rest = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }[...]
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = rest.makeIterator()
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .emptyInput:
                return result
            case .error(let count):
                for byte in rest.prefix(count) { result += Self.hexadecimal(byte) }
                rest = rest.dropFirst(count)
            case .valid(let encoded):
                append(Unicode.UTF8.decode(encoded), encoded, to: &result)
                rest = rest.dropFirst(encoded.count)
            }
        }
    }

    private func append(_ scalar: Unicode.Scalar, _ encoded: Unicode.UTF8.EncodedScalar, to result: inout [UInt8]) {
        switch (self, scalar) {
        case (.json, _) where scalar.deceivesTerminals:
            for unit in String(scalar).utf16 { result += "\\u\(Self.hexadecimal(unit, digits: 4))".utf8 }
        case (.line, "\n"): result += #"\n"#.utf8
        case (.line, "\r"), (.stream, "\r"): result += #"\r"#.utf8
        case (.line, "\\"), (.stream, "\\"): result += #"\\"#.utf8
        case (.line, "\t"), (.stream, "\t"), (.stream, "\n"): result += encoded
        case _ where !scalar.deceivesTerminals: result += encoded
        case _ where scalar.isASCII: result += Self.hexadecimal(UInt8(ascii: scalar))
        default: result += "\\u{\(Self.hexadecimal(scalar.value, digits: 1))}".utf8
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String.UTF8View { "\\x\(hexadecimal(byte, digits: 2))".utf8 }

    private static func hexadecimal(_ number: some BinaryInteger, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

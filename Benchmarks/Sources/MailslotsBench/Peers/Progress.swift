import Foundation

/// What is going on, on standard error: in one line that changes, if that is a terminal, and else a line for each pattern.
struct Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var current = ""

    mutating func pattern(_ text: String) {
        current = text
        if !isTerminal { write(text + "\n") }
    }

    func step(_ text: String) {
        if isTerminal { write("\r\u{1B}[K\(current): \(text)") }
    }

    func note(_ text: String) { write(isTerminal ? "\r\u{1B}[K\(text)\n" : "  \(text)\n") }

    func end() {
        if isTerminal { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

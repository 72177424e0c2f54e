import ArgumentParser
import Foundation
import MailslotsProgram

/// Standard input as a window of bytes that the caller consumes from the front.
struct StandardInput: ~Copyable {
    private(set) var isAtEnd = false
    private(set) var storage: [UInt8]
    /// What is there and not consumed, as a range of `storage`.
    private(set) var window = 0..<0

    /// `longest`: the most bytes that the caller wants to see at once.
    init(longest: Int) { storage = [UInt8](repeating: 0, count: max(1 << 18, 2 * longest)) }

    mutating func consume(_ count: Int) { window = (window.lowerBound + count)..<window.upperBound }

    /// Reads until the window has `count` bytes, or the input is at its end. `count` is at most the longest.
    mutating func fill(atLeast count: Int) throws {
        while window.count < count && !isAtEnd { try fillMore() }
    }

    /// Reads once: what is there, as much as there is room for.
    mutating func fillMore() throws {
        if window.lowerBound > 0 {
            let count = window.count
            unsafe storage.withUnsafeMutableBytes { _ = unsafe memmove($0.baseAddress!, $0.baseAddress! + window.lowerBound, count) }
            window = 0..<count
        }
        let used = window.upperBound
        precondition(used < storage.count, "The window is full; consume some of it first.")
        let count = unsafe storage.withUnsafeMutableBytes {
            unsafe Foundation.read(STDIN_FILENO, $0.baseAddress! + used, $0.count - used)
        }
        if count > 0 {
            window = 0..<(used + count)
        } else if count == 0 {
            isAtEnd = true
        } else if errno == EAGAIN {
            var poll = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            _ = unsafe Foundation.poll(&poll, 1, -1)
        } else if errno != EINTR {
            complain("cannot read standard input: \(unsafe String(cString: strerror(errno)))")
            throw ExitStatus.failure
        }
    }
}

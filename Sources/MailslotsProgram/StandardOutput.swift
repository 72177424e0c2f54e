internal import Foundation

/// Standard output with a buffer, written out when it is full or when it is told to. What `print` does costs an allocation
/// and a lock a message.
package struct StandardOutput: ~Copyable {
    /// An errno. Nobody reads the other end any more (EPIPE), or the disk is full: nothing is written from then on.
    package private(set) var failure: Int32?

    private var storage = [UInt8](repeating: 0, count: 1 << 18)
    private var used = 0

    package init() {
        _ = signal(SIGPIPE, SIG_IGN)  // EPIPE says the same, and lets us end in order
    }

    package mutating func append(_ bytes: RawSpan) {
        let count = bytes.byteCount
        if count > storage.count - used { flush() }
        if count > storage.count { storage = [UInt8](repeating: 0, count: count) }
        let start = used
        unsafe storage.withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: target[start...]).copyMemory(from: $0) }
        }
        used += count
    }

    package mutating func append(_ byte: UInt8) {
        if used == storage.count { flush() }
        storage[used] = byte
        used += 1
    }

    package mutating func append(_ text: String) {
        for byte in text.utf8 { append(byte) }
    }

    package mutating func flush() {
        var written = 0
        while written < used, failure == nil {
            let rest = written..<used
            let count = unsafe storage.withUnsafeBytes {
                unsafe Foundation.write(STDOUT_FILENO, $0.baseAddress! + rest.lowerBound, rest.count)
            }
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                var poll = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = unsafe Foundation.poll(&poll, 1, -1)
            } else if errno != EINTR {
                failure = errno
            }
        }
        used = 0
    }

    /// In words.
    package static func says(of failure: Int32) -> String {
        failure == EPIPE
            ? "nobody reads standard output any more" : "cannot write to standard output: \(unsafe String(cString: strerror(failure)))"
    }
}

/// As the shell called it.
private let programName = URL(filePath: CommandLine.arguments[0]).lastPathComponent

/// Prints to standard error, where messages for people go. If nobody can be told there, nobody is.
package func complain(_ text: String) {
    // Texts quote names, and what others sent.
    let line = printable("\(programName): \(text)", besides: ["\n", "\t"]) + "\n"
    try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
}

/// Prints a line or several. Whoever does not read them is not told; anything else that prevents writing is an error.
package func emit(_ lines: [String]) throws {
    var output = StandardOutput()
    for line in lines {
        output.append(line)
        output.append(UInt8(ascii: "\n"))
    }
    output.flush()
    guard let failure = output.failure, failure != EPIPE else { return }
    complain(StandardOutput.says(of: failure))
    throw ExitStatus.failure
}
package func emit(_ line: String) throws { try emit([line]) }

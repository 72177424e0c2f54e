#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A regular file that is read whole: its status and its bytes are of the same file, whatever becomes of its name meanwhile.
package struct SmallFile {
    package static let byteCountMax = 1 << 20

    package let bytes: [UInt8]
    package let owner: UInt32
    /// Permission bits.
    package let mode: UInt32

    /// Never waits, not even for the writer of a FIFO.
    package init(path: String, followsLinks: Bool = true) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW))
        if descriptor < 0 { throw Failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
        owner = status.st_uid
        mode = status.st_mode & 0o7777

        var content = [UInt8](repeating: 0, count: Self.byteCountMax + 1)
        var used = 0
        while used < content.count {
            let start = used
            let count = unsafe content.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress! + start, $0.count - start) }
            if count == 0 { break }
            if count > 0 { used += count } else if errno != EINTR { throw Failure(errno) }
        }
        guard used <= Self.byteCountMax else { throw .tooLong }
        bytes = Array(content[..<used])
    }

    /// Puts a file of this mode in place of what has the name, whole or not at all, and through no link: whoever else may write the
    /// directory can have prepared neither what is written nor what gets the mode.
    package static func replace(_ path: String, by bytes: [UInt8], mode: UInt32) throws(Failure) {
        let temporary = "\(path).\(getpid())"
        // Of a process that had our number, or of somebody who is in our way.
        _ = unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw Failure(errno) }
        // The umask does not apply to fchmod.
        let isDone = writeAll(bytes, to: descriptor) && fchmod(descriptor, mode) == 0 && (unsafe rename(temporary, path)) == 0
        let error = errno
        close(descriptor)
        guard isDone else {
            _ = unsafe unlink(temporary)
            throw Failure(error)
        }
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    package enum Failure: Error, Hashable, CustomStringConvertible {
        case system(Int32)
        case notRegular
        case tooLong

        init(_ error: Int32) { self = .system(error) }

        package var isMissing: Bool { self == .system(ENOENT) || self == .system(ENOTDIR) }
        package var isForbidden: Bool { self == .system(EACCES) || self == .system(EPERM) }

        package var description: String {
            switch self {
            case .system(let error): errorText(error)
            case .notRegular: "it is not a regular file"
            case .tooLong: "it is longer than 1 MiB"
            }
        }
    }
}

/// What strerror says, from any thread.
package func errorText(_ error: Int32) -> String {
    var text = [CChar](repeating: 0, count: 256)
    // Sound: the text ends with a zero within the buffer, whatever the error.
    _ = unsafe strerror_r(error, &text, text.count - 1)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

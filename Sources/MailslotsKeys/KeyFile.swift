// A key file: text, of which lines that begin with `#` say nothing, and one has the key's 32 bytes as 64 hexadecimal digits.
//
//     # A key of Mailslots: key 1f2e3d4c. Who has it can read and send all messages of its domain.
//     8f1c...
//
// It is its owner's alone, mode 0600 or 0400, and the owner is who reads it, or root: what others can read is no secret.
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Why a key file cannot be read or made, with cause and cure.
package struct KeyFileError: Error, Hashable, CustomStringConvertible {
    package let description: String
    fileprivate init(_ description: String) { self.description = description }
}

/// The bytes of a key file. Its description does not tell them.
package struct KeyFile: CustomStringConvertible {
    package static let byteCount = 32

    package let bytes: [UInt8]

    /// `nil` unless there are 32 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 32 bytes of the system's secure random number generator.
    package static func random() -> KeyFile {
        var generator = SystemRandomNumberGenerator()
        return KeyFile((0..<byteCount).map { _ in generator.next() as UInt8 })!
    }

    package var description: String { "a key" }

    /// Reads a key file.
    /// - Throws: A ``KeyFileError`` if it cannot be read, is another's, others may read or write it, or it is no key; with the cure.
    package init(contentsOfFile path: String) throws(KeyFileError) {
        let file: SmallFile
        do {
            file = try SmallFile(path: path)
        } catch {
            throw KeyFileError("The key file \(path) cannot be read: \(error). \(Self.cure(of: error, path: path))")
        }
        guard file.owner == geteuid() || file.owner == 0 else {
            throw KeyFileError(
                "The key file \(path) belongs to user \(file.owner), who can replace it, not to root or user \(geteuid()), as whom"
                    + " this runs. Give it to who uses it: chown \(geteuid()) \(path)")
        }
        guard file.mode & 0o077 == 0 else {
            throw KeyFileError(
                "The key file \(path) has mode 0\(String(file.mode, radix: 8)): others than its owner may read or write it."
                    + " Make it private, chmod 600 \(path); if somebody else may have read it, make a new key and change over to it.")
        }
        self = try Self(text: file.bytes, path: path)
    }

    /// Writes a new key file of mode 0600, whose comment tells the key's id if it is known. The file must not be there.
    /// - Throws: A ``KeyFileError`` if it cannot be made, also because it is there; nothing is left then.
    package func write(toFile path: String, id: String?) throws(KeyFileError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let error = errno
            throw error == EEXIST
                ? KeyFileError(
                    "\(path) is there already, and a key is never overwritten: without it nobody can be reached who has it."
                        + " Name another file, or remove this one first.")
                : KeyFileError("The key file \(path) cannot be made: \(errorText(error)). Name a file in a directory that you may write.")
        }
        let failure = writeAll(text(id: id), to: descriptor)
        close(descriptor)
        if let failure {
            _ = unsafe unlink(path)
            throw KeyFileError("The key file \(path) cannot be written: \(errorText(failure)). Make room, or name a file elsewhere.")
        }
    }

    private static func cure(of failure: SmallFile.Failure, path: String) -> String {
        if failure.isMissing { return "Copy it from another host of the domain, or make the first one: mailslot keygen \(path)" }
        if failure.isForbidden { return "Give it to who uses it: chown \(geteuid()) \(path)" }
        return "Name the file that mailslot keygen made."
    }

    private init(text: [UInt8], path: String) throws(KeyFileError) {
        let lines = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        let cure = "Copy the whole file that mailslot keygen made."
        guard let line = lines.first, lines.count == 1 else {
            throw KeyFileError("The key file \(path) has \(lines.count) keys, and must have one. \(cure)")
        }
        guard line.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else {
            throw KeyFileError("The key file \(path) is no key file: a key is 64 hexadecimal digits. \(cure)")
        }
        guard line.utf8.count == 2 * Self.byteCount else {
            throw KeyFileError("The key file \(path) has a key of \(line.utf8.count) hexadecimal digits, and a key has 64. \(cure)")
        }
        let digits = line.map { UInt8($0.hexDigitValue!) }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        guard let key = KeyFile(bytes), bytes.contains(where: { $0 != 0 }) else {
            throw KeyFileError("The key file \(path) has only zeros, a key that everyone knows. Make one: mailslot keygen")
        }
        self = key
    }

    private func text(id: String?) -> String {
        let name = id.map { "A key of Mailslots: \($0)" } ?? "A key of Mailslots"
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "# \(name). Who has it can read and send all messages of its domain.\n\(digits)\n"
    }
}

/// Returns the error, or `nil`.
private func writeAll(_ text: String, to descriptor: Int32) -> Int32? {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress!, $0.count) }
        if count >= 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return errno }
    }
    // The mode that was asked for, whatever the umask; and the file outlives a loss of power.
    return fchmod(descriptor, 0o600) == 0 && fsync(descriptor) == 0 ? nil : errno
}

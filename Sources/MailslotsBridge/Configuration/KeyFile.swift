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

extension BridgeKey {
    /// Reads a key file.
    /// - Throws: `badKey` if it cannot be read, is another's, others may read or write it, or it is no key; with the cure.
    public init(contentsOfFile path: String) throws(BridgeError) {
        let file: SmallFile
        do {
            file = try SmallFile(path: path)
        } catch {
            throw BridgeError(.badKey, "The key file \(path) cannot be read: \(error). \(Self.cure(of: error, path: path))")
        }
        guard file.owner == geteuid() || file.owner == 0 else {
            throw BridgeError(
                .badKey,
                "The key file \(path) belongs to user \(file.owner), who can replace it, not to root or user \(geteuid()), as whom"
                    + " this runs. Give it to who uses it: chown \(geteuid()) \(path)")
        }
        guard file.mode & 0o077 == 0 else {
            throw BridgeError(
                .badKey,
                "The key file \(path) has mode 0\(String(file.mode, radix: 8)): others than its owner may read or write it."
                    + " Make it private, chmod 600 \(path); if somebody else may have read it, make a new key and change over to it.")
        }
        self = try Self(text: file.bytes, path: path)
    }

    /// Writes a new key file of mode 0600. The file must not be there.
    /// - Throws: `badKey` if it cannot be made, also because it is there; nothing is left then.
    public func write(toFile path: String) throws(BridgeError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let error = errno
            throw error == EEXIST
                ? BridgeError(
                    .badKey,
                    "\(path) is there already, and a key is never overwritten: without it nobody can be reached who has it."
                        + " Name another file, or remove this one first.")
                : BridgeError(
                    .badKey, "The key file \(path) cannot be made: \(errorText(error)). Name a file in a directory that you may write.")
        }
        let failure = writeAll(fileText, to: descriptor)
        close(descriptor)
        if let failure {
            _ = unsafe unlink(path)
            throw BridgeError(
                .badKey, "The key file \(path) cannot be written: \(errorText(failure)). Make room, or name a file elsewhere.")
        }
    }

    private static func cure(of failure: SmallFile.Failure, path: String) -> String {
        if failure.isMissing { return "Copy it from another host of the domain, or make the first one: mailslot keygen \(path)" }
        if failure.isForbidden { return "Give it to who uses it: chown \(geteuid()) \(path)" }
        return "Name the file that mailslot keygen made."
    }

    private init(text: [UInt8], path: String) throws(BridgeError) {
        let lines = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        let cure = "Copy the whole file that mailslot keygen made."
        guard let line = lines.first, lines.count == 1 else {
            throw BridgeError(.badKey, "The key file \(path) has \(lines.count) keys, and must have one. \(cure)")
        }
        guard line.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else {
            throw BridgeError(.badKey, "The key file \(path) is no key file: a key is 64 hexadecimal digits. \(cure)")
        }
        guard line.utf8.count == 2 * DomainKey.byteCount else {
            throw BridgeError(
                .badKey, "The key file \(path) has a key of \(line.utf8.count) hexadecimal digits, and a key has 64. \(cure)")
        }
        let digits = line.map { UInt8($0.hexDigitValue!) }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        guard let key = BridgeKey(bytes), !key.isPublic else {
            throw BridgeError(.badKey, "The key file \(path) has only zeros, a key that everyone knows. Make one: mailslot keygen")
        }
        self = key
    }

    private var fileText: String {
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "# A key of Mailslots: \(self). Who has it can read and send all messages of its domain.\n\(digits)\n"
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

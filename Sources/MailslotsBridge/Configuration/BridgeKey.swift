import Crypto
import FoundationEssentials
internal import MailslotsKeys
package import MailslotsWire

/// The secret that the hosts of a domain share: 32 random bytes.
///
/// Two are equal if their bytes are. Its description does not tell them.
public struct BridgeKey: Sendable, Hashable, CustomStringConvertible {
    package let domainKey: DomainKey
    package let bytes: [UInt8]

    /// `nil` unless there are 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == DomainKey.byteCount else { return nil }
        self.bytes = bytes
        domainKey = unsafe DomainKey(bytes.span.bytes)  // sound: the bytes are copied
    }

    /// 32 bytes of the system's secure random number generator.
    public static func random() -> BridgeKey { BridgeKey(KeyFile.random().bytes)! }  // a key file has 32 bytes

    /// Reads a key file, as `mailslot keygen` makes it.
    /// - Throws: `badKey` if it cannot be read, is another's, others may read or write it, or it is no key; with the cure.
    public init(contentsOfFile path: String) throws(BridgeError) {
        do throws(KeyFileError) {
            self.init(try KeyFile(contentsOfFile: path).bytes)!
        } catch {
            throw BridgeError(.badKey, error.description)
        }
    }

    /// Writes a new key file of mode 0600. The file must not be there.
    /// - Throws: `badKey` if it cannot be made, also because it is there; nothing is left then.
    public func write(toFile path: String) throws(BridgeError) {
        do throws(KeyFileError) {
            try KeyFile(bytes)!.write(toFile: path, id: description)
        } catch {
            throw BridgeError(.badKey, error.description)
        }
    }

    public static func == (a: BridgeKey, b: BridgeKey) -> Bool { a.bytes == b.bytes }
    public func hash(into hasher: inout Hasher) { hasher.combine(domainKey.id) }

    /// "key 1f2e3d4c": the id that datagrams carry. The bytes stay secret.
    public var description: String { "key " + hexadecimal(domainKey.id) }

    /// Everyone knows it: it is the one of domains without a key.
    var isPublic: Bool { bytes.allSatisfy { $0 == 0 } }
}

package func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}

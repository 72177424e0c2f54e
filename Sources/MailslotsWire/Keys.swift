// A domain's keys, and what is derived from them. All derivations are HKDF-SHA256 (RFC 5869), from the key's 32 bytes.
//
//     what is derived     salt              info                                          bytes
//     key id              none              "mailslots 1 key"                             4, as in the header
//     domain hint         none              "mailslots 1 domain " and the domain's name   4, as in the header
//     session key         the session, 12   "mailslots 1 session " and the domain's name  32, for AES-256-GCM
//
// So neither the hint nor the id tells anything to who does not have the key; one key in two domains makes two worlds; and since each
// session has a key of its own and never uses a counter twice, no nonce is used twice under one key. Two sessions would have to draw the
// same 96 random bits: with a million sessions under one key the odds are 1 in 10^17.
import Crypto
import FoundationEssentials

/// 32 secret bytes that the hosts of a domain share.
public struct DomainKey: Sendable {
    public static let byteCount = 32

    package let id: UInt32
    /// Everyone knows this key: what it seals is protected against accidents, and against nobody.
    package let isPublic: Bool
    fileprivate let secret: SymmetricKey

    /// `bytes` has 32 bytes, else this traps. They should come from a secure random number generator.
    public init(_ bytes: RawSpan) {
        // Sound: the bytes are copied.
        self.init(unsafe bytes.withUnsafeBytes { unsafe SymmetricKey(data: $0) }, isPublic: false)
    }

    /// For domains without a key, `--insecure`: 32 zero bytes.
    package static let `public` = DomainKey(SymmetricKey(data: Data(count: byteCount)), isPublic: true)

    /// In constant time.
    package func isSame(as other: DomainKey) -> Bool { secret == other.secret && isPublic == other.isPublic }

    private init(_ secret: SymmetricKey, isPublic: Bool) {
        precondition(secret.bitCount == DomainKey.byteCount * 8, "A key has 32 bytes.")
        self.secret = secret
        self.isPublic = isPublic
        id = derive(from: secret, info: "mailslots 1 key", byteCount: 4).number
    }
}

/// A domain that a bridge is in: its name, the key that it seals with, and the keys that it accepts. To rotate a key: let every host
/// accept the new one, then let every host use it, then let no host accept the old one.
public struct Domain: Sendable {
    /// Canonical: ASCII letters in lower case.
    package let name: String
    package let used: DomainKey
    /// `used` is among them.
    package let accepted: [DomainKey]

    public init(name: String, used: DomainKey, alsoAccepted: [DomainKey] = []) {
        self.name = name
        self.used = used
        accepted = [used] + alsoAccepted.filter { $0.id != used.id }
    }

    func hint(for key: DomainKey) -> UInt32 {
        derive(from: key.secret, info: "mailslots 1 domain " + name, byteCount: 4).number
    }

    func sessionKey(for session: SessionID, of key: DomainKey) -> SymmetricKey {
        var salt = Data(capacity: 12)
        // Sound: integers have no padding, and the bytes are copied.
        unsafe withUnsafeBytes(of: session.high.littleEndian) { unsafe salt.append(contentsOf: $0) }
        unsafe withUnsafeBytes(of: session.low.littleEndian) { unsafe salt.append(contentsOf: $0) }
        return derive(from: key.secret, salt: salt, info: "mailslots 1 session " + name, byteCount: DomainKey.byteCount)
    }
}

private func derive(from secret: SymmetricKey, salt: Data = Data(), info: String, byteCount: Int) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(inputKeyMaterial: secret, salt: salt, info: Data(info.utf8), outputByteCount: byteCount)
}

extension SymmetricKey {
    /// Of four bytes, the number that they are.
    fileprivate var number: UInt32 {
        // Sound: four bytes were derived.
        unsafe withUnsafeBytes { unsafe UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
    }
}

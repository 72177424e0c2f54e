internal import CMailslots

/// Another machine, as this one's bridge knows it.
public struct MailslotHost: Sendable, Hashable {
    /// Its number in the ``MailslotOrigin`` of its messages, 1 to 32766.
    public let number: UInt16
    /// What it is called, folded: the `host` of `\\host\mailslot\name`.
    public let name: String
    /// The domain by which it is known here, folded.
    public let domain: String
    /// Its address as text, for people; may be empty.
    public let address: String
    /// Whether it is there, as far as the bridge knows; false: it said goodbye, or was silent for long.
    public let isPresent: Bool
    /// Whether it has its domain's key; of the host of a message: whether who sent that message had it.
    public let isAuthenticated: Bool
    /// When it was last heard of, in nanoseconds since 1970.
    public let heardNanoseconds: UInt64

    init(_ host: mslot_host) {
        number = host.number
        name = text(host.host)
        domain = text(host.domain)
        address = text(host.address)
        isPresent = host.is_present
        isAuthenticated = host.is_authenticated
        heardNanoseconds = host.heard_ns
    }
}

extension Mailslot {
    /// The hosts that this machine's bridge has heard of, in the order of their numbers. Reads one file.
    ///
    /// - Parameter trust: Whose table is believed.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/notFound`` if no bridge ever ran here, ``MailslotError/Code/untrusted``, and
    ///   what its codes say, of the table.
    ///
    /// The corresponding C function is `mslot_hosts_list`.
    public static func hosts(trusting trust: Trust = .sameUser) throws(MailslotError) -> [MailslotHost] {
        final class Hosts { var hosts: [MailslotHost] = [] }
        let found = Hosts()
        let failure = unsafe mslot_hosts_list(
            { host, context in
                // Sound: the context is `found`, which outlives the call.
                guard let host = unsafe host, let context = unsafe context else { return }
                unsafe Unmanaged<Hosts>.fromOpaque(context).takeUnretainedValue().hosts.append(MailslotHost(host.pointee))
            }, Unmanaged.passUnretained(found).toOpaque(), trust.user)
        guard failure.outcome == .done else { throw MailslotError(hosts: failure) }
        return found.hosts
    }
}

/// The text up to the zero byte.
private func text<Characters: BitwiseCopyable>(_ characters: Characters) -> String {
    // Sound: bytes of the caller's copy.
    unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

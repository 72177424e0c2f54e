internal import CMailslots

/// Which machine a message came from. A number; who that is is asked only when it is wanted.
///
/// ```swift
/// if let message = try orders.read(), let host = try message.info.origin.host() {
///     print("\(host.name) in \(host.domain), \(message.info.origin.isAuthenticated ? "with" : "without") the key")
/// }
/// ```
///
/// The numbers are those of this machine's bridge. One means the same host for as long as the bridge's table of hosts is there: until
/// this machine is restarted, where mailslots are in `/dev/shm`. Who may write a mailslot of this machine may put any number there.
public struct MailslotOrigin: RawRepresentable, Sendable, Hashable {
    /// 0: this machine. Else bits 0 to 14 are a host's number, 0 if it is not known, and bit 15 says whether the message was authenticated.
    public let rawValue: UInt16

    /// The origin that a message carries as this number.
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// This machine.
    public static let thisMachine = MailslotOrigin(rawValue: 0)

    /// Whether the message came from another machine.
    @inlinable public var isRemote: Bool { rawValue != 0 }

    /// Whether the bridge knows by a key that the message came from its domain. False on this machine, where the file's permissions decide.
    public var isAuthenticated: Bool { rawValue & UInt16(MSLOT_ORIGIN_AUTHENTICATED) != 0 }

    /// The number of the host in the bridge's table, ``MailslotHost/number``; `nil`: this machine, or a host that is not known.
    public var hostNumber: UInt16? {
        let number = rawValue & UInt16(MSLOT_ORIGIN_HOST)
        return number == 0 || number == UInt16(MSLOT_ORIGIN_UNKNOWN) ? nil : number
    }

    /// Asks the bridge's table which host this is. It opens and closes a file: some microseconds. From any thread.
    ///
    /// - Parameter trust: Whose table is believed.
    /// - Returns: `nil`: this machine, or a host that is not known.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/untrusted``, ``MailslotError/Code/noPermission`` and what its codes say, of the
    ///   table.
    ///
    /// The corresponding C function is `mslot_origin_host`.
    public func host(trusting trust: Mailslot.Trust = .sameUser) throws(MailslotError) -> MailslotHost? {
        if hostNumber == nil { return nil }
        let found = mslot_origin_host(rawValue, trust.user)
        switch found.failure.outcome {
        case .done: return MailslotHost(found.host)
        case .notFound: return nil
        default: throw MailslotError(hosts: found.failure)
        }
    }
}

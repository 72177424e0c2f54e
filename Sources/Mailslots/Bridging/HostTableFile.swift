internal import CMailslots

/// The bridge's table of hosts, to be written: what ``Mailslot/hosts(trusting:)`` reads. For one thread at a time, in one process at a
/// time.
@safe
package struct HostTableFile: ~Copyable {
    // Sound: every call is of its one owner.
    private let handle: OpaquePointer

    /// Opens the table that is there, or a new one if there is none that can be used.
    package init(permissions: Mailslot.Permissions) throws(MailslotError) {
        let opened = unsafe mslot_hosts_open(permissions.rawValue)
        guard let hosts = unsafe opened.hosts else { throw unsafe MailslotError(hosts: opened.failure) }
        unsafe handle = hosts
    }

    deinit { unsafe mslot_hosts_close(handle) }

    /// False: it could not be written, and says what it said before. What is too long of its texts is cut off.
    package func set(_ host: MailslotHost) -> Bool {
        var record = mslot_host()
        record.number = host.number
        record.is_present = host.isPresent
        record.is_authenticated = host.isAuthenticated
        record.heard_ns = host.heardNanoseconds
        copy(host.name, to: &record.host)
        copy(host.domain, to: &record.domain)
        copy(host.address, to: &record.address)
        return unsafe mslot_hosts_set(handle, &record).outcome == .done
    }
}

extension MailslotHost {
    package init(
        number: UInt16, name: String, domain: String, address: String, isPresent: Bool, isAuthenticated: Bool, heardNanoseconds: UInt64
    ) {
        self.number = number
        self.name = name
        self.domain = domain
        self.address = address
        self.isPresent = isPresent
        self.isAuthenticated = isAuthenticated
        self.heardNanoseconds = heardNanoseconds
    }
}

extension MailslotOrigin {
    /// The highest number of a host.
    package static let hostNumberMax = UInt16(MSLOT_HOSTS_MAX)
    /// Of a machine that has not yet said what it is called.
    package static let unknownHostNumber = UInt16(MSLOT_ORIGIN_UNKNOWN)

    package init(hostNumber: UInt16, isAuthenticated: Bool) {
        self.init(rawValue: hostNumber | (isAuthenticated ? UInt16(MSLOT_ORIGIN_AUTHENTICATED) : 0))
    }
}

/// As much of it as there is room for, and the rest zeros.
private func copy<Characters: BitwiseCopyable>(_ text: String, to characters: inout Characters) {
    // Sound: within the bytes.
    unsafe withUnsafeMutableBytes(of: &characters) { bytes in
        for (index, byte) in text.utf8.prefix(bytes.count - 1).enumerated() { unsafe bytes[index] = byte }
    }
}

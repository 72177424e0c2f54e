internal import CMailslots

/// The hosts that were heard of, in the file that `mailslot hosts` and whoever asks where a message came from read. For one thread.
///
/// A bridge that follows another one in a directory goes on with its table: an index means the same host for as long as the file is there,
/// for messages that carry it may still be unread.
@safe
final class HostTable {
    private let table: OpaquePointer

    init(mode: UInt32) throws(BridgeError) {
        // Who may read a message may know where it came from.
        let opened = unsafe mslot_hosts_open(mode & 0o666 | 0o400)
        guard let table = unsafe opened.hosts else { throw unsafe BridgeError(opened.failure, of: nil) }
        unsafe self.table = unsafe table
        forgetPresence()
    }

    deinit { unsafe mslot_hosts_close(table) }

    /// What is in it, in the order of their indices.
    func hosts() -> [(index: UInt16, name: HostList.Name)] {
        records().map { ($0.number, HostList.Name(domain: text($0.domain), host: text($0.host))) }
    }

    private func records() -> [mslot_host] {
        final class Found { var hosts: [mslot_host] = [] }
        let found = Found()
        _ = unsafe mslot_hosts_list(
            { host, context in
                // Sound: the context is `found`, which outlives the call.
                guard let host = unsafe host, let context = unsafe context else { return }
                unsafe Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().hosts.append(host.pointee)
            }, Unmanaged.passUnretained(found).toOpaque(), MSLOT_TRUST_NOBODY_ELSE)
        return found.hosts
    }

    /// Who was there for an earlier bridge was not heard by this one, and may have gone meanwhile.
    private func forgetPresence() {
        for host in records() where host.is_present {
            _ = set(
                host.number, HostList.Name(domain: text(host.domain), host: text(host.host)), isPresent: false,
                isAuthenticated: host.is_authenticated, address: "", heard: host.heard_ns)
        }
    }

    /// False: it could not be written, and says what it said before.
    func set(_ index: UInt16, _ name: HostList.Name, isPresent: Bool, isAuthenticated: Bool, address: String, heard: UInt64) -> Bool {
        var host = mslot_host()
        host.number = index
        host.is_present = isPresent
        host.is_authenticated = isAuthenticated
        host.heard_ns = heard
        copy(name.host, to: &host.host)
        copy(name.domain, to: &host.domain)
        copy(address, to: &host.address)
        return unsafe mslot_hosts_set(table, &host).outcome == .done
    }
}

/// The text up to the zero byte.
private func text<Characters>(_ characters: Characters) -> String {
    // Sound: bytes of the caller's copy.
    unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// As much of it as there is room for, and the rest zeros.
private func copy<Characters>(_ text: String, to characters: inout Characters) {
    // Sound: within the bytes.
    unsafe withUnsafeMutableBytes(of: &characters) { bytes in
        for (index, byte) in text.utf8.prefix(bytes.count - 1).enumerated() { unsafe bytes[index] = byte }
    }
}

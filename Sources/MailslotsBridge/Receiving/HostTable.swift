internal import Mailslots

/// The hosts that were heard of, in the file that `mailslot hosts` and whoever asks where a message came from read. For one thread.
///
/// A bridge that follows another one in a directory goes on with its table: an index means the same host for as long as the file is there,
/// for messages that carry it may still be unread.
struct HostTable: ~Copyable {
    private let file: HostTableFile

    init(permissions: Mailslot.Permissions) throws(BridgeError) {
        do throws(MailslotError) {
            // Who may read a message may know where it came from, and only we say so.
            file = try HostTableFile(permissions: Mailslot.Permissions(rawValue: permissions.rawValue & 0o644))
        } catch {
            throw BridgeError(error)
        }
        forgetPresence()
    }

    /// What is in it, in the order of their indices.
    func hosts() -> [(index: UInt16, name: HostList.Name)] {
        records().map { ($0.number, HostList.Name(domain: $0.domain, host: $0.name)) }
    }

    private func records() -> [MailslotHost] { (try? Mailslot.hosts()) ?? [] }

    /// Who was there for an earlier bridge was not heard by this one, and may have gone meanwhile.
    private func forgetPresence() {
        for host in records() where host.isPresent {
            _ = file.set(
                MailslotHost(
                    number: host.number, name: host.name, domain: host.domain, address: "", isPresent: false,
                    isAuthenticated: host.isAuthenticated, heardNanoseconds: host.heardNanoseconds))
        }
    }

    /// False: it could not be written, and says what it said before.
    func set(_ host: HostList.Host, _ name: HostList.Name, address: String) -> Bool {
        file.set(
            MailslotHost(
                number: host.index, name: name.host, domain: name.domain, address: address, isPresent: host.isPresent,
                isAuthenticated: host.isAuthenticated, heardNanoseconds: host.lastHeardReal))
    }
}

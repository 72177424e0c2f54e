internal import CMailslotsDatagram

/// What happens to the machine's interfaces, addresses and routes. For one thread at a time.
final class NetworkWatch {
    private var watch = mslot_network_watch_begin()

    /// Why nothing is seen; `nil`: it is.
    var obstacle: String? { watch.system_error == 0 ? nil : cause(watch.system_error) }

    struct Changes {
        fileprivate let raw: mslot_network_changes

        /// Whether an interface of this index is gone, or may be.
        func mayHaveRemoved(_ interface: UInt32) -> Bool {
            if raw.is_incomplete { return true }
            let count = Int(raw.removed_count)
            // Sound: the array's first `removed_count` elements are initialized, and not kept.
            return unsafe withUnsafeBytes(of: raw.removed) { unsafe $0.bindMemory(to: UInt32.self).prefix(count).contains(interface) }
        }
    }

    /// What has happened since this was asked last; `nil`: nothing. Never waits.
    func takeChanges() -> Changes? {
        let changes = unsafe mslot_network_watch_take(&watch)
        return changes.is_changed ? Changes(raw: changes) : nil
    }

    deinit { unsafe mslot_network_watch_end(&watch) }
}

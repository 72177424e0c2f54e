internal import Mailslots
internal import MailslotsKeys
internal import Metrics

/// Shows what a bridge counts: to swift-metrics, and to whoever reads the file `mailslot-bridge` in the directory of the mailslots, as
/// `mailslot bridge --status` does. The file is Prometheus' text, so that an exporter of text files can show it, too.
package final class BridgeStatus: Sendable {
    package static let fileName = "mailslot-bridge"
    package static let prefix = "mailslot_bridge_"
    /// For exporters a comment.
    private static let noticePrefix = "# NOTICE "

    private let counters: BridgeCounters
    private let hosts: HostList
    private let transport: any Transport
    private let notices: Notices
    private let mode: UInt32
    private let instruments = Locked<[String: (counter: Counter, last: UInt64)]>([:])
    private let presentHosts = Meter(label: prefix + "hosts")

    init(counters: BridgeCounters, hosts: HostList, transport: any Transport, notices: Notices, mode: UInt32) {
        self.counters = counters
        self.hosts = hosts
        self.transport = transport
        self.notices = notices
        self.mode = mode
    }

    /// All counts, under the names they have everywhere.
    var counts: [(name: String, value: UInt64)] {
        counters.all + transport.counters.map { ("transport_" + $0.name.replacing(".", with: "_"), $0.value) }
    }

    /// Until the task is cancelled, and once more then.
    func showUntilCancelled(every interval: Duration) async {
        while !Task.isCancelled {
            show()
            try? await Task.sleep(for: interval)
        }
        show()
    }

    func show() {
        let counts = counts
        presentHosts.set(Int64(hosts.presentCount))
        instruments.withLock { instruments in
            for (name, value) in counts {
                let known = instruments[name] ?? (Counter(label: Self.prefix + name), 0)
                known.counter.increment(by: Int64(clamping: value &- known.last))
                instruments[name] = (known.counter, value)
            }
        }
        write(text(of: counts))
    }

    private func text(of counts: [(name: String, value: UInt64)]) -> String {
        var text = "# TYPE \(Self.prefix)hosts gauge\n\(Self.prefix)hosts \(hosts.presentCount)\n"
        for (name, value) in counts { text += "# TYPE \(Self.prefix)\(name)_total counter\n\(Self.prefix)\(name)_total \(value)\n" }
        for notice in notices.latest { text += "\(Self.noticePrefix)\(notice.time) \(notice.text)\n" }
        return text
    }

    /// Whole, or not at all. That it cannot be written is no reason to end: the counts are in the metrics, too.
    private func write(_ text: String) {
        guard let folder = Self.folder else { return }
        // Who may read a message may know these; nobody else writes them.
        try? SmallFile.replace(folder + "/" + Self.fileName, by: [UInt8](text.utf8), mode: mode & 0o644)
    }

    /// What the bridge that runs in this directory has last shown, in its order: names without the prefix and `_total`; and what went
    /// wrong, the latest last.
    /// - Throws: A ``BridgeError`` of code `notRunning`; or `system`, if the file cannot be read or is not that bridge's.
    package static func read() throws(BridgeError) -> (counts: [(name: String, value: UInt64)], notices: [Notices.Notice]) {
        guard let bridge = try? Mailslot.info(of: OutboxProtocol.requestsName), bridge.hasReader, let folder else {
            throw BridgeError(
                .notRunning, "No bridge runs here. Start one: mailslot bridge; or see that MAILSLOT_DIRECTORY is the same.")
        }
        let path = folder + "/" + fileName
        let file: SmallFile
        do throws(SmallFile.Failure) {
            file = try SmallFile(path: path, followsLinks: false)
        } catch {
            throw BridgeError(.system, "The bridge's counts, \(path), cannot be read: \(error).")
        }
        guard file.owner == bridge.ownerUserID, file.mode & 0o022 == 0 else {
            throw BridgeError(
                .system,
                "The file \(path) belongs to user \(file.owner) and has mode 0\(String(file.mode, radix: 8)): it is not what the bridge "
                    + "of user \(bridge.ownerUserID) writes. Remove it; the bridge writes it anew within a second.")
        }
        let text = String(decoding: file.bytes, as: UTF8.self)
        return (counts(in: text), notices(in: text))
    }

    private static func notices(in text: String) -> [Notices.Notice] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix(noticePrefix) else { return nil }
            let parts = line.dropFirst(noticePrefix.count).split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let time = UInt64(parts[0]) else { return nil }
            return Notices.Notice(time: time, text: String(parts[1]))
        }
    }

    private static func counts(in text: String) -> [(name: String, value: UInt64)] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ")
            guard parts.count == 2, parts[0].hasPrefix(prefix), let value = UInt64(parts[1]) else { return nil }
            let name = parts[0].dropFirst(prefix.count)
            return (String(name.hasSuffix("_total") ? name.dropLast(6) : name), value)
        }
    }

    /// The directory of the mailslots.
    package static var folder: String? {
        guard let path = try? Mailslot.path(of: OutboxProtocol.requestsName) else { return nil }
        return path.lastIndex(of: "/").map { String(path[..<$0]) }
    }
}

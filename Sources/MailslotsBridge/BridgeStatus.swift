internal import FoundationEssentials
internal import Mailslots
internal import MailslotsKeys
internal import Metrics

/// Shows what a bridge counts: to swift-metrics, and to whoever reads the file `mailslot-bridge` in the directory of the mailslots, as
/// `mailslot bridge --status` does. The file is Prometheus' text, so that an exporter of text files can show it, too.
package final class BridgeStatus: Sendable {
    package static let fileName = "mailslot-bridge"
    package static let prefix = "mailslot_bridge_"

    private let counters: BridgeCounters
    private let hosts: HostList
    private let transport: any Transport
    private let mode: UInt32
    private let instruments = Locked<[String: (counter: Counter, last: UInt64)]>([:])
    private let presentHosts = Meter(label: prefix + "hosts")

    init(counters: BridgeCounters, hosts: HostList, transport: any Transport, mode: UInt32) {
        self.counters = counters
        self.hosts = hosts
        self.transport = transport
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
        return text
    }

    /// Whole, or not at all. That it cannot be written is no reason to end: the counts are in the metrics, too.
    private func write(_ text: String) {
        guard let folder = Self.folder else { return }
        let path = folder + "/" + Self.fileName
        let url = URL(filePath: path)
        try? Data(text.utf8).write(to: url, options: .atomic)
        try? FileManager.default.setAttributes([.posixPermissions: Int(mode & 0o644)], ofItemAtPath: path)
    }

    /// What the bridge that runs in this directory has last shown, in its order: names without the prefix and `_total`.
    /// - Throws: A ``BridgeError`` of code `notRunning`; or `system`, if the file cannot be read.
    package static func read() throws(BridgeError) -> [(name: String, value: UInt64)] {
        guard (try? Mailslot.info(of: OutboxProtocol.requestsName))?.hasReader == true, let folder else {
            throw BridgeError(
                .notRunning, "No bridge runs here. Start one: mailslot bridge; or see that MAILSLOT_DIRECTORY is the same.")
        }
        do throws(SmallFile.Failure) {
            return counts(in: String(decoding: try SmallFile(path: folder + "/" + fileName).bytes, as: UTF8.self))
        } catch {
            throw BridgeError(.system, "The bridge's counts, \(folder)/\(fileName), cannot be read: \(error).")
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

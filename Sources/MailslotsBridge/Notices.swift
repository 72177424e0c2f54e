internal import Logging
internal import Mailslots
internal import MailslotsWire

/// What goes wrong and makes no error, said to people: what it is, where it comes from, and the cure. One line a cause and minute, for who
/// sends decides how often it happens; the next line says how often it was.
///
/// A cause is in the log, and in the status until the bridge ends.
package final class Notices: Sendable {
    package static let interval: Int64 = 60_000_000_000

    /// One of each cause: what was said last.
    package struct Notice: Sendable, Hashable {
        /// Since 1970, in seconds.
        package let time: UInt64
        package let text: String
    }

    private struct Cause {
        var last: Notice
        var lastLogged: Int64
        var unsaid = 0
    }

    private let logger: Logger
    private let causes = Locked<[String: Cause]>([:])

    init(logger: Logger) { self.logger = logger }

    /// In the order of their times.
    package var latest: [Notice] { causes.withLock { $0.values.map(\.last) }.sorted { ($0.time, $0.text) < ($1.time, $1.text) } }

    /// - Parameters:
    ///   - cause: Of a fixed set; no part of it is a sender's.
    ///   - text: Is made only if it is said.
    package func say(_ cause: String, count: Int = 1, now: Int64, realTime: UInt64, _ text: () -> String) {
        let said = causes.withLock { causes -> String? in
            if let known = causes[cause], now - known.lastLogged < Self.interval {
                causes[cause]!.unsaid += count
                return nil
            }
            let total = count + (causes[cause]?.unsaid ?? 0)
            let line = total == 1 ? text() : "\(text()) (\(total) times)"
            causes[cause] = Cause(last: Notice(time: realTime / 1_000_000_000, text: line), lastLogged: now)
            return line
        }
        if let said { logger.warning("\(said)") }
    }
}

extension DatagramRejection {
    /// Whether somebody can do something about it. Of the others networks make some, and so does each start.
    var isNoticed: Bool { self != .beforeStart && self != .seen && self != .tooOld }

    /// What a datagram that was refused means. What it says of itself nobody has vouched for.
    func explained(_ header: DatagramHeader?, from source: String, now: UInt64) -> String {
        let key = header.map { "key \(hexadecimal($0.key))" } ?? "no key"
        switch self {
        case .tooShort, .tooLong, .badMagic, .badFlags:
            return "A datagram from \(source) is none of a bridge: something else sends to this port. Choose another by --port, or end it."
        case .badVersion:
            return "A datagram from \(source) is of another version of bridges. Install one release on all machines."
        case .unknownKey:
            return "A datagram from \(source) is sealed by \(key), which no domain here accepts under its name. "
                + "Compare keys and domains: mailslot bridge --check, on both machines."
        case .badTime:
            let time = header?.time ?? now
            let isFast = time > now
            let seconds = (isFast ? time - now : now - time) / 1_000_000_000
            return "A datagram from \(source), \(key), was sealed \(seconds) s \(isFast ? "from now" : "ago") by its sender's clock. "
                + "Set the clocks, timedatectl on both machines, or raise clockBoundSeconds; or somebody repeats what was captured."
        case .badTag:
            return "A datagram from \(source), \(key), is not what was sealed, or is for another host: somebody alters or redirects "
                + "datagrams, or two hosts have one address."
        case .tooManySessions:
            return "A datagram from \(source), \(key), begins a session, and there are as many as a bridge remembers. "
                + "See which machine starts its bridge again and again."
        case .cutRecord, .badKind, .badName, .badPayload, .badSender:
            return "A datagram from \(source), \(key), is sealed and makes no sense: another version's, or a broken bridge's. "
                + "Install one release on all machines."
        case .beforeStart, .seen, .tooOld:
            return "A datagram from \(source), \(key), came again, or too late."
        }
    }
}

/// Which of a transport's counters tell of a loss, and what helps.
enum TransportLoss {
    static func explained(_ counter: String) -> String? {
        let cures = [
            "drops.send.unreachable": "No route or no host there: ip route, ip link.",
            "drops.send.forbidden": "A firewall of this machine forbids it: nft list ruleset; a bridge sends and receives UDP, port 4240.",
            "drops.send.mtu": "The path takes no datagrams so long: set datagramBytesMax.",
            "drops.send.no_buffers": "The network card cannot follow: send less, or ip link set txqueuelen.",
            "drops.send.blocked": "The send buffer stayed full: raise sendBufferBytes and net.core.wmem_max.",
            "drops.receive.overflow":
                "The receive buffer was full: sysctl -w net.core.rmem_max=4194304, raise receiveBufferBytes, and start the bridge anew.",
        ]
        guard counter.hasPrefix("drops.") || counter.hasPrefix("errors.") else { return nil }
        return "The transport loses datagrams: \(counter). " + (cures[counter] ?? "mailslot bridge --status shows what it counts.")
    }
}

public import Mailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Everything that a bridge is told: who it is, which domains it is in, by which paths, and who may do what.
///
/// The least is a key:
///
/// ```swift
/// var configuration = BridgeConfiguration(domain: "studio", key: try BridgeKey(contentsOfFile: "/etc/mailslots/studio.key"))
/// ```
public struct BridgeConfiguration: Sendable, Hashable {
    /// Our name, by which other hosts write to us: 1 to 63 bytes, without separators, and unlike any domain's. ASCII letters are folded.
    /// By default the machine's host name up to its first dot.
    public var host: String
    /// The domains that we are in, the first being the one of `\\*\mailslot\name`. At least one; their names differ.
    public var domains: [Domain]
    /// Of each kind of transport: ``network`` and ``nats``.
    package var transports = TransportSettingsSet()
    /// What local writers get.
    public var outboxes = Outboxes()
    /// What other hosts may do here.
    public var delivery = Delivery()
    /// How often we say that we are there. A host that was silent for three times as long is shown as gone.
    public var announceEvery: Duration = .seconds(10)
    /// By how much another host's clock may differ from ours.
    public var clockBound: Duration = .seconds(30)
    /// How long a graceful shutdown may take to send what is in the outboxes.
    public var drainTimeout: Duration = .seconds(10)

    /// Hosts that share a key.
    public struct Domain: Sendable, Hashable {
        /// 1 to 63 bytes, without separators. ASCII letters are folded.
        public var name: String
        /// What is sent is sealed with it. `nil`: there is none, and everybody can read and forge what is sent: `--insecure`.
        public var key: BridgeKey?
        /// Others that are accepted, too, while a key is replaced.
        public var alsoAccepted: [BridgeKey] = []
        /// Hosts that multicast does not reach: each gets by itself what is for every host.
        public var peers: [BridgePeer] = []
        /// Multicast groups: numeric addresses. Empty: no multicast, only peers.
        public var groups: [String] = UDPSettings.defaultGroups

        public init(name: String, key: BridgeKey?) {
            self.name = name
            self.key = key
        }
    }

    /// The mailslots that local processes write to when they write to a remote name.
    public struct Outboxes: Sendable, Hashable {
        /// Messages that fit one: a power of two, 1 to 32768.
        public var capacity = 1024
        /// Processes and threads that write to one destination at one time. When these run out, another outbox is made.
        public var maximumWriters = 64
        /// Of outboxes and of the bridge's own mailslots: who may send.
        public var permissions = Mailslot.Permissions.owner
        /// How many there may be.
        public var maximumCount = 4096
        /// Bytes of shared memory that all together may have, at most a quarter of the file system of the mailslots. When less than eight
        /// times an outbox's memory is left, new ones are made for fewer messages.
        public var maximumByteCount = 256 << 20
        /// Destinations that may be sent to: patterns `host-or-domain/mailslot` with `*` for any part of a text; `*` alone is all.
        public var allowed = ["*"]

        public init() {}
    }

    /// What arrives, and where it may go. A mailslot must accept remote messages in any case: its creator says so.
    public struct Delivery: Sendable, Hashable {
        /// Mailslots that may be delivered into, with `*` for any part of a text.
        public var allowedMailslots = ["*"]
        /// Hosts whose messages are accepted, with `*` for any part of a text.
        public var allowedHosts = ["*"]
        /// Messages of a host, or for a mailslot, a second, on average; bursts of a second's worth. `nil`: no limit.
        public var messagesPerSecondOfHost: Int?
        public var messagesPerSecondOfMailslot: Int?
        /// Mailslots of other users may be delivered into, where their mode lets us: for a bridge that serves many.
        public var trustsAnyone = false

        public init() {}
    }

    /// The machine's host name up to its first dot, in lower case.
    public static var machineName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let bytes = name.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: ".")) }
        return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }

    public init(host: String = BridgeConfiguration.machineName, domain: String, key: BridgeKey?) {
        self.host = host
        domains = [Domain(name: domain, key: key)]
    }
}

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
    /// Paths to other hosts.
    public var network = Network()
    /// Not by `network`, but through NATS servers: past one network, where multicast does not reach. `peers` and `groups` of the domains
    /// mean nothing then.
    public var nats: NATS?
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
        public var peers: [Peer] = []
        /// Multicast groups: numeric addresses. Empty: no multicast, only peers.
        public var groups: [String] = Network.defaultGroups

        public init(name: String, key: BridgeKey?) {
            self.name = name
            self.key = key
        }
    }

    /// A host whose address is configured.
    public struct Peer: Sendable, Hashable {
        /// A numeric address, "192.0.2.7" or "2001:db8::7", or a host name that is looked up at the start and at each reload.
        public var address: String
        /// UDP port. `nil`: ours.
        public var port: UInt16?
        /// The host's name, if it is to be known before it has announced itself.
        public var host: String?

        public init(address: String, port: UInt16? = nil, host: String? = nil) {
            self.address = address
            self.port = port
            self.host = host
        }
    }

    /// Sockets and interfaces.
    public struct Network: Sendable, Hashable {
        public static let defaultPort: UInt16 = 4240
        /// One for each family, administratively scoped (RFC 2365) and link-local (RFC 4291).
        public static let defaultGroups = ["239.255.77.83", "ff02::4d53"]

        /// UDP port of the bridge, and of groups and peers that name none. 0, for tests: the kernel chooses.
        public var port = defaultPort
        /// Numeric addresses to bind. Empty: all, of each family that the machine has.
        public var addresses: [String] = []
        /// Interfaces by which multicast goes, by name. Empty: the kernel chooses by its routes.
        public var interfaces: [String] = []
        /// How many routers multicast may pass, plus one.
        public var multicastHops: UInt8 = 1
        public var engine = Engine.automatic
        /// What the kernel is asked for, in bytes; it may give less.
        public var receiveBufferBytes = 4 << 20
        public var sendBufferBytes = 1 << 20
        /// The longest datagram, 576 to 1472 bytes: less where the path is narrower than Ethernet.
        public var datagramBytesMax = 1472

        public enum Engine: String, Sendable, Hashable, CaseIterable {
            /// io_uring where it can be used, else sendmmsg and recvmmsg.
            case automatic
            case mmsg
            case ioURing = "io_uring"
        }

        public init() {}
    }

    /// NATS servers, and how we get in. They carry what is sealed and can neither read nor forge it, but see which host sends to which
    /// how much, and can lose it.
    public struct NATS: Sendable, Hashable {
        /// "nats://10.0.0.5:4222" or "tls://nats.example.com:4222"; those of one cluster, of which any one does. Other servers that
        /// one of them tells of are used, too.
        public var servers: [String]
        /// Where subjects begin: one or more tokens with dots between them. The same for all hosts of a domain.
        public var subjectPrefix = "mailslot"
        public var credentials: Credentials?
        /// `nil`: only if a server's address begins with `tls://`, and then with the system's authorities.
        public var tls: TLS?
        /// How many bytes of datagrams are kept while there is no connection, to be sent afterwards. What does not fit is dropped, and
        /// what is older than `clockBound` when it arrives is refused by whom it is for.
        public var backlogBytes = 1 << 20
        /// How many bytes that arrived are kept until they are delivered.
        public var receiveBufferBytes = 4 << 20
        /// How long one attempt to connect to one server may take.
        public var connectTimeout: Duration = .seconds(2)
        /// The longest time between two attempts; the first is soon, and each further one takes twice as long.
        public var reconnectWaitMax: Duration = .seconds(5)

        public enum Credentials: Sendable, Hashable {
            case password(user: String, password: String)
            case token(String)
            /// A file with a user's JWT and seed, as `nsc` makes it.
            case file(String)
            /// A user's public key, "U…", and the file with its seed.
            case nkey(String, seedFile: String)
        }

        /// Files in PEM. A server's certificate is always checked.
        public struct TLS: Sendable, Hashable {
            /// Certificates that are trusted. `nil`: the system's.
            public var authoritiesFile: String?
            /// Ours, for servers that ask for one; both or none.
            public var certificateFile: String?
            public var keyFile: String?
            /// What the server's certificate must be for, if that is not the name in its address.
            public var serverName: String?

            public init(authoritiesFile: String? = nil) { self.authoritiesFile = authoritiesFile }
        }

        public init(servers: [String]) { self.servers = servers }
    }

    /// The mailslots that local processes write to when they write to a remote name.
    public struct Outboxes: Sendable, Hashable {
        /// Messages that fit one: a power of two, 1 to 32768.
        public var capacity = 1024
        /// Processes and threads that write to one destination at one time. When these run out, another outbox is made.
        public var writers = 64
        /// Permission bits, of outboxes and of the bridge's own mailslots: who may send.
        public var permissions: UInt32 = 0o600
        /// How many there may be: a bound on memory.
        public var countMax = 4096
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

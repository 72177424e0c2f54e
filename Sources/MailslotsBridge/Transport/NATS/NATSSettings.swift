// What a bridge is told of NATS. In the file, all optional but `servers`:
//
//     "nats": {
//         "servers": ["nats://10.0.0.5:4222", "tls://nats.example.com:4222"],
//         "subjectPrefix": "mailslot",
//         "credentialsFile": "bridge.creds",         or one of these:
//         "user": "bridge", "password": "secret",
//         "token": "secret",
//         "nkey": "U...", "nkeySeedFile": "bridge.nk",
//         "tls": {"authoritiesFile": "ca.pem", "certificateFile": "client.pem", "keyFile": "client.key", "serverName": "nats"},
//         "backlogBytes": 1048576, "receiveBufferBytes": 4194304, "connectTimeoutSeconds": 2, "reconnectWaitMaxSeconds": 5
//     }
//
// Files are relative to the configuration file's directory. Who does not want a secret in a file that others can read gives it as
// MAILSLOT_BRIDGE_NATS_PASSWORD, or as a file of its own.
internal import Foundation
internal import Logging

/// NATS servers, and how we get in. They carry what is sealed and can neither read nor forge it, but see which host sends to which
/// how much, and can lose it.
public struct NATSSettings: Sendable, Hashable {
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
    public var backlogSize = 1 << 20
    /// How many bytes that arrived are kept until they are delivered.
    public var receiveBufferSize = 4 << 20
    /// How long one attempt to connect to one server may take.
    public var connectTimeout: Duration = .seconds(2)
    /// The longest time between two attempts; the first is soon, and each further one takes twice as long.
    public var maximumReconnectWait: Duration = .seconds(5)

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

extension NATSSettings: TransportSettings {
    static var name: String { "nats" }
    static var title: String { "NATS" }
    static var initial: Self? { nil }

    static func read(_ settings: Settings, folder: URL?) throws(BridgeError) -> Self? { try Self(settings, folder: folder) }

    func checkIsUsable() throws(BridgeError) { _ = try NATSEndpoint.usableClient() }

    func makeTransport(_ configuration: TransportConfiguration, logger: Logger) throws(BridgeError) -> any Transport {
        try NATSTransport(configuration, logger: logger)
    }

    var facts: [(name: String, says: String)] {
        let who =
            switch credentials {
            case .password(let user, _): ", as \(user) with a password"
            case .token: ", with a token"
            case .file(let path): ", with the credentials of \(path)"
            case .nkey(let key, _): ", as \(key)"
            case nil: ""
            }
        return [("network", "NATS through \(addresses)\(who); subjects \(subjectPrefix).*")]
    }

    func says(of domain: TransportConfiguration.Domain) -> String? { nil }

    /// `nil`: nobody says anything of NATS.
    private init?(_ settings: Settings, folder: URL?) throws(BridgeError) {
        let servers = try settings.strings("nats", "servers")
        let file = { (path: String) in URL(filePath: path, relativeTo: folder).path }
        let credentials = try Self.credentials(settings, file)
        let tls = try TLS(settings, file)
        let prefix = try settings.string("nats", "subjectPrefix")
        let backlog: Int? = try settings.integer("nats", "backlogBytes")
        let buffer: Int? = try settings.integer("nats", "receiveBufferBytes")
        let connecting = try settings.seconds("nats", "connectTimeoutSeconds")
        let waiting = try settings.seconds("nats", "reconnectWaitMaxSeconds")
        guard let servers else {
            let others: [Any?] = [credentials, tls, prefix, backlog, buffer, connecting, waiting]
            if others.allSatisfy({ $0 == nil }) { return nil }
            throw .wrong("nats.servers", "there is none, and other settings of NATS are there", "Name one: --nats nats://10.0.0.5:4222")
        }
        self.init(servers: servers)
        self.credentials = credentials
        self.tls = tls
        if let prefix { subjectPrefix = prefix }
        if let backlog { backlogSize = backlog }
        if let buffer { receiveBufferSize = buffer }
        if let connecting { connectTimeout = connecting }
        if let waiting { maximumReconnectWait = waiting }
    }

    private static func credentials(_ settings: Settings, _ file: (String) -> String) throws(BridgeError) -> Credentials? {
        var all: [Credentials] = []
        if let path = try settings.string("nats", "credentialsFile") { all.append(.file(file(path))) }
        switch (try settings.string("nats", "user"), try settings.string("nats", "password")) {
        case (let user?, let password?): all.append(.password(user: user, password: password))
        case (nil, nil): break
        default: throw .wrong("nats.user", "a user and a password go together", "Give both, or neither.")
        }
        if let token = try settings.string("nats", "token") { all.append(.token(token)) }
        switch (try settings.string("nats", "nkey"), try settings.string("nats", "nkeySeedFile")) {
        case (let key?, let seed?): all.append(.nkey(key, seedFile: file(seed)))
        case (nil, nil): break
        default: throw .wrong("nats.nkey", "a public key and its seed's file go together", "Give both, or neither.")
        }
        if all.count > 1 {
            throw .wrong("nats", "there are credentials of \(all.count) kinds", "Give one: credentialsFile, user, token or nkey.")
        }
        return all.first
    }

    /// Checks every value. Looks at no file and no socket.
    func validate() throws(BridgeError) {
        guard !servers.isEmpty else { throw .wrong("nats.servers", "there is none", "Name one: --nats nats://10.0.0.5:4222") }
        guard servers.count <= 64 else { throw .wrong("nats.servers", "there are more than 64", "Name some of them.") }
        for server in servers {
            let rest = ["nats://", "tls://"].lazy.filter(server.hasPrefix).map { server.dropFirst($0.count) }.first
            guard let rest, !rest.isEmpty, !rest.contains(where: { $0.isWhitespace || $0 == "/" || $0 == "," }) else {
                throw .wrong(
                    "nats.servers", "\"\(server)\" is no NATS server's address",
                    "Write nats://10.0.0.5:4222 or tls://nats.example.com:4222.")
            }
        }
        _ = try NATSSubjects(prefix: subjectPrefix)
        if let tls, (tls.certificateFile == nil) != (tls.keyFile == nil) {
            throw .wrong("nats.tls", "a certificate and its key go together", "Name both files, or neither.")
        }
        for (name, count, least) in [("backlogBytes", backlogSize, 0), ("receiveBufferBytes", receiveBufferSize, 65_536)] {
            guard (least...1 << 30).contains(count) else {
                throw .wrong("nats.\(name)", "it is \(count)", "Choose \(least) to \(1 << 30).")
            }
        }
        for (name, time) in [("connectTimeoutSeconds", connectTimeout), ("reconnectWaitMaxSeconds", maximumReconnectWait)] {
            guard time >= .milliseconds(50), time <= .seconds(3600) else {
                throw .wrong("nats.\(name)", "it is \(time)", "Choose 0.05 to 3600.")
            }
        }
    }
}

extension NATSSettings.TLS {
    fileprivate init?(_ settings: Settings, _ file: (String) -> String) throws(BridgeError) {
        authoritiesFile = try settings.string("nats", "tls", "authoritiesFile").map(file)
        certificateFile = try settings.string("nats", "tls", "certificateFile").map(file)
        keyFile = try settings.string("nats", "tls", "keyFile").map(file)
        serverName = try settings.string("nats", "tls", "serverName")
        if authoritiesFile == nil, certificateFile == nil, keyFile == nil, serverName == nil { return nil }
    }
}

/// What the options of `mailslot-bridge` say of NATS.
package struct NATSFlags: TransportFlags {
    package var servers: [String] = []
    package var credentialsFile: String?
    package var user: String?
    package var authoritiesFile: String?

    package init() {}

    package var settings: [(path: [String], value: FlagValue)] {
        // The shell's directory, and not the configuration file's.
        let file = { (path: String) in URL(filePath: path).path }
        return [
            (["servers"], .texts(servers)), (["credentialsFile"], .text(credentialsFile.map(file))), (["user"], .text(user)),
            (["tls", "authoritiesFile"], .text(authoritiesFile.map(file))),
        ]
    }
}

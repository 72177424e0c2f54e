import Crypto
import Foundation
import Logging
import TestProcesses
import TestSupport
import Testing

@testable import MailslotsBridge

/// Certificates and keys, made for the test.
@Suite(.blocking, .serialized, .enabled(if: NATSServer.obstacle == nil, "\(NATSServer.obstacle ?? "")")) struct NATSCredentialTests {
    // MARK: TLS

    static let openssl = findProgram("openssl")

    /// An authority, and a certificate that it signed, as files of a folder.
    struct Certificates: ~Copyable {
        let folder = FileManager.default.temporaryDirectory.appending(path: "mailslots-tls-\(UUID().uuidString)")

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            try Self.run(["req", "-x509", "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=test authority"] + key)
            try Self.run(["req", "-x509", "-keyout", path("other.key"), "-out", path("other.pem"), "-subj", "/CN=another"] + key)
            for (name, subject) in [("server", "DNS:localhost"), ("client", "DNS:client")] {
                try Data("subjectAltName=\(subject)".utf8).write(to: folder.appending(path: "extensions"))
                try Self.run(
                    ["req", "-keyout", path("\(name).key"), "-out", path("request"), "-subj", "/CN=\(name)"] + key.dropLast(2))
                try Self.run([
                    "x509", "-req", "-in", path("request"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
                    "-out", path("\(name).pem"), "-days", "2", "-extfile", path("extensions"),
                ])
            }
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        func path(_ name: String) -> String { folder.appending(path: name).path }

        private static func run(_ arguments: [String]) throws {
            let process = Process()
            process.executableURL = openssl
            process.arguments = arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            try process.waitUntilExit(upTo: .nanoseconds(Watchdog.nanoseconds))
            #expect(process.terminationStatus == 0, "openssl \(arguments)")
        }

        /// With `verify` the server wants a certificate of the client's.
        func server(verify: Bool = false) throws -> NATSServer {
            try NATSServer(
                """
                tls {
                    cert_file: "\(path("server.pem"))", key_file: "\(path("server.key"))", ca_file: "\(path("ca.pem"))", verify: \(verify)
                }
                """)
        }
    }

    static func open(_ server: NATSServer, _ change: (inout NATSSettings) -> Void) throws(BridgeError) -> NATSTransport {
        var configuration = BridgeConfiguration(host: "host", domain: "domain", key: nil)
        configuration.nats = NATSSettings(servers: ["tls://localhost:\(server.port)"])
        change(&configuration.nats!)
        return try NATSTransport(configuration, logger: Logger(label: "test"))
    }

    /// Nil: it opened.
    static func complaint(_ server: NATSServer, _ change: (inout NATSSettings) -> Void) -> String? {
        do throws(BridgeError) {
            try open(server, change).close()
            return nil
        } catch {
            return error.description
        }
    }

    @Test(.enabled(if: openssl != nil, "there is no openssl"))
    func `a server's certificate has to be of a trusted authority, and for its name`() throws {
        let certificates = try Certificates()
        let server = try certificates.server()
        let authority = certificates.path("ca.pem")

        #expect(Self.complaint(server) { $0.tls = .init(authoritiesFile: authority) } == nil)
        let unknown = Self.complaint(server) { $0.tls = .init(authoritiesFile: certificates.path("other.pem")) }
        #expect(unknown?.contains("TLS with the NATS server was not agreed on") == true, "\(unknown ?? "accepted")")
        #expect(Self.complaint(server) { _ in }?.contains("was not agreed on") == true)
        let elsewhere = Self.complaint(server) {
            $0.servers = ["tls://127.0.0.1:\(server.port)"]
            $0.tls = .init(authoritiesFile: authority)
        }
        #expect(elsewhere?.contains("mismatch") == true, "\(elsewhere ?? "accepted")")
        let named = Self.complaint(server) {
            $0.servers = ["tls://127.0.0.1:\(server.port)"]
            $0.tls = .init(authoritiesFile: authority)
            $0.tls!.serverName = "localhost"
        }
        #expect(named == nil)
        // Who asks for TLS does not go without it.
        let plain = try NATSServer()
        let without = Self.complaint(plain) { $0.tls = .init(authoritiesFile: authority) }
        #expect(without?.contains("both sides must want TLS") == true, "\(without ?? "accepted")")
    }

    @Test(.enabled(if: openssl != nil, "there is no openssl"))
    func `a server that wants a certificate of ours gets it`() throws {
        let certificates = try Certificates()
        let server = try certificates.server(verify: true)
        var tls = NATSSettings.TLS(authoritiesFile: certificates.path("ca.pem"))
        // It is told after the handshake, as any end of a connection: so it is tried again.
        let transport = try Self.open(server) { [tls] in $0.tls = tls }
        #expect(transport.summary.contains("not connected") && transport.summary.contains("may want a certificate of ours"))
        transport.close()
        (tls.certificateFile, tls.keyFile) = (certificates.path("client.pem"), certificates.path("client.key"))
        let with = Self.complaint(server) { [tls] in $0.tls = tls }
        #expect(with == nil)
    }

    @Test(.enabled(if: openssl != nil, "there is no openssl"))
    func `conforms with TLS`() throws {
        let certificates = try Certificates()
        let server = try certificates.server()
        defer { server.stop() }
        let authority = certificates.path("ca.pem")
        let kind = TransportKind.nats("TLS", [server]) {
            $0.servers = ["tls://localhost:\(server.port)"]
            $0.tls = .init(authoritiesFile: authority)
        }
        for claim in TransportClaim.all {
            do { try claim.check(kind) } catch { Issue.record("\(claim.name): \(error)") }
        }
    }

    // MARK: nkeys and JWTs

    /// A key of NATS, an Ed25519 key with a text form of its own: base 32 of a kind, the bytes, and a CRC-16.
    struct NKey {
        enum Kind: UInt8 {
            case operatorKey = 0x70
            case account = 0
            case user = 0xa0
        }

        let kind: Kind
        let key = Curve25519.Signing.PrivateKey()

        var publicText: String { Self.text([kind.rawValue] + key.publicKey.rawRepresentation) }
        var seedText: String {
            Self.text([0x90 | kind.rawValue >> 5, kind.rawValue << 3] + key.rawRepresentation)
        }

        private static func text(_ bytes: [UInt8]) -> String {
            var crc: UInt16 = 0
            for byte in bytes {
                crc ^= UInt16(byte) << 8
                for _ in 0..<8 { crc = crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
            }
            let alphabet = [Character]("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
            let bits = (bytes + [UInt8(crc & 255), UInt8(crc >> 8)]).flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
            return String(
                stride(from: 0, to: bits.count, by: 5).map { start in
                    alphabet[(0..<5).reduce(0) { $0 << 1 | Int(start + $1 < bits.count ? bits[start + $1] : 0) }]
                })
        }

        /// A JWT about `subject`, signed by this key.
        func token(about subject: String, _ claims: String) throws -> String {
            func base64(_ bytes: some DataProtocol) -> String {
                Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            }
            let header = base64(Data(#"{"typ":"JWT","alg":"ed25519-nkey"}"#.utf8))
            let body = base64(
                Data(
                    #"{"jti":"x","iat":1700000000,"iss":"\#(publicText)","name":"n","sub":"\#(subject)","nats":{\#(claims),"version":2}}"#
                        .utf8))
            return try "\(header).\(body)." + base64(key.signature(for: Data("\(header).\(body)".utf8)))
        }
    }

    @Test func `an nkey is accepted, and another one is not`() throws {
        let (known, other) = (NKey(kind: .user), NKey(kind: .user))
        let server = try NATSServer("authorization { users: [ { nkey: \(known.publicText) } ] }")
        let seed = server.folder.appending(path: "seed")
        for (key, isRight) in [(known, true), (other, false)] {
            try Data(key.seedText.utf8).write(to: seed)
            let complaint = Self.complaint(server) {
                $0.servers = [server.address]
                $0.credentials = .nkey(key.publicText, seedFile: seed.path)
            }
            #expect((complaint == nil) == isRight, "\(complaint ?? "accepted")")
        }
    }

    @Test func `a credentials file is accepted, and one of another account is not`() throws {
        let (operatorKey, account, stranger, user) = (
            NKey(kind: .operatorKey), NKey(kind: .account), NKey(kind: .account), NKey(kind: .user)
        )
        let operatorToken = try operatorKey.token(about: operatorKey.publicText, #""type":"operator""#)
        let limits = #""limits":{"subs":-1,"conn":-1,"leaf":-1,"imports":-1,"exports":-1,"data":-1,"payload":-1,"wildcards":true}"#
        let accountToken = try operatorKey.token(about: account.publicText, #""type":"account",\#(limits)"#)
        let server = try NATSServer(
            "operator: \(operatorToken)\nresolver: MEMORY\nresolver_preload: { \(account.publicText): \(accountToken) }")
        let file = server.folder.appending(path: "user.creds")
        for (issuer, isRight) in [(account, true), (stranger, false)] {
            let userToken = try issuer.token(
                about: user.publicText, #""type":"user","pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1"#)
            try Data(
                """
                -----BEGIN NATS USER JWT-----
                \(userToken)
                ------END NATS USER JWT------

                -----BEGIN USER NKEY SEED-----
                \(user.seedText)
                ------END USER NKEY SEED------

                """.utf8
            ).write(to: file)
            let complaint = Self.complaint(server) {
                $0.servers = [server.address]
                $0.credentials = .file(file.path)
            }
            #expect((complaint == nil) == isRight, "\(complaint ?? "accepted")")
        }
    }

    // MARK: permissions

    @Test func `what the server does not permit is counted`() throws {
        let server = try NATSServer(
            """
            authorization { users: [ { user: deaf, password: x, permissions: { publish: "mailslot.domain.>", subscribe: "nothing" } } ] }
            """)
        let transport = try Self.open(server) {
            $0.servers = [server.address]
            $0.credentials = .password(user: "deaf", password: "x")
        }
        try waitUntil("both subscriptions are refused") { transport.counter("nats.errors") == 2 }
        transport.close()
    }

    @Test func `the permissions of the subjects' description suffice`() throws {
        let server = try NATSServer(
            """
            authorization { default_permissions: { publish: "mailslot.domain0.>", subscribe: "mailslot.domain0.*" }
                users: [ { user: bridge, password: x } ] }
            """)
        let network = try TransportNetwork(
            .nats("permissions", [server]) { $0.credentials = .password(user: "bridge", password: "x") }, hosts: 2, domains: 1)
        try network.introduce()
        #expect(network[0].counter("nats.errors") == 0)
        network.close()
    }
}

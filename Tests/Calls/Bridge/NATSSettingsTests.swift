import Foundation
import Testing

@testable import MailslotsBridge

/// What a bridge is told of NATS.
@Suite struct NATSSettingsTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    func read(
        _ nats: String, environment: [String: String] = [:], _ set: (inout NATSFlags) -> Void = { _ in }
    ) throws -> NATSSettings? {
        let more = nats.isEmpty ? "" : ", \"nats\": " + nats
        let text = #"{"domains": ["studio"], "domain": {"studio": {"insecure": true}}\#(more)}"#
        var flags = BridgeFlags()
        set(&flags.nats)
        return try BridgeConfiguration(file: folder.write(text, to: "bridge.json"), environment: environment, flags: flags).nats
    }

    @Test func `without a word of it there is none, and servers alone do`() throws {
        try #expect(read("") == nil)
        try #expect(read(#"{"servers": ["nats://10.0.0.5:4222"]}"#) == NATSSettings(servers: ["nats://10.0.0.5:4222"]))
    }

    @Test func `every setting can be set in a file`() throws {
        let nats = try read(
            """
            {
                "servers": ["nats://10.0.0.5:4222", "tls://nats.example.com:4222"], "subjectPrefix": "acme.mailslot",
                "nkey": "UABC", "nkeySeedFile": "bridge.nk",
                "tls": {"authoritiesFile": "ca.pem", "certificateFile": "/etc/client.pem", "keyFile": "client.key", "serverName": "nats"},
                "backlogBytes": 5, "receiveBufferBytes": 70000, "connectTimeoutSeconds": 1.5, "reconnectWaitMaxSeconds": 60
            }
            """)
        var expected = NATSSettings(servers: ["nats://10.0.0.5:4222", "tls://nats.example.com:4222"])
        expected.subjectPrefix = "acme.mailslot"
        expected.credentials = .nkey("UABC", seedFile: folder.path("bridge.nk"))
        expected.tls = .init(authoritiesFile: folder.path("ca.pem"))
        expected.tls!.certificateFile = "/etc/client.pem"
        expected.tls!.keyFile = folder.path("client.key")
        expected.tls!.serverName = "nats"
        (expected.backlogSize, expected.receiveBufferSize) = (5, 70_000)
        (expected.connectTimeout, expected.maximumReconnectWait) = (.milliseconds(1500), .seconds(60))
        #expect(nats == expected)
    }

    @Test func `credentials are of one kind`() throws {
        let server = #""servers": ["nats://a"]"#
        try #expect(read("{\(server), \"credentialsFile\": \"b.creds\"}")?.credentials == .file(folder.path("b.creds")))
        try #expect(read("{\(server), \"token\": \"t\"}")?.credentials == .token("t"))
        let variable = ["MAILSLOT_BRIDGE_NATS_PASSWORD": "p"]
        try #expect(read("{\(server), \"user\": \"u\"}", environment: variable)?.credentials == .password(user: "u", password: "p"))
    }

    @Test func `flags go before the file`() throws {
        let nats = try read(#"{"servers": ["nats://a"], "token": "t"}"#) {
            $0.servers = ["nats://b", "nats://c"]
            $0.authoritiesFile = "/ca.pem"
        }
        #expect(nats?.servers == ["nats://b", "nats://c"])
        #expect(nats?.credentials == .token("t"))
        #expect(nats?.tls?.authoritiesFile == "/ca.pem")
    }

    @Test(arguments: [
        (#"{"servers": []}"#, "nats.servers: there is none", "--nats nats://"),
        (#"{"token": "t"}"#, "nats.servers: there is none, and other settings", "--nats nats://"),
        (#"{"servers": ["10.0.0.5:4222"]}"#, "nats.servers: \"10.0.0.5:4222\" is no NATS server's address", "Write nats://"),
        (#"{"servers": ["nats://a b"]}"#, "is no NATS server's address", "Write nats://"),
        (#"{"servers": ["nats://"]}"#, "is no NATS server's address", "Write nats://"),
        (#"{"servers": ["nats://a"], "user": "u"}"#, "nats.user: a user and a password go together", "Give both"),
        (#"{"servers": ["nats://a"], "nkey": "u"}"#, "nats.nkey: a public key and its seed", "Give both"),
        (#"{"servers": ["nats://a"], "token": "t", "credentialsFile": "f"}"#, "nats: there are credentials of 2 kinds", "Give one"),
        (#"{"servers": ["nats://a"], "subjectPrefix": "A.b"}"#, "nats.subjectPrefix: \"A.b\" is no prefix", "Write it like"),
        (#"{"servers": ["nats://a"], "subjectPrefix": "a..b"}"#, "nats.subjectPrefix: \"a..b\" is no prefix", "Write it like"),
        (#"{"servers": ["nats://a"], "tls": {"keyFile": "k"}}"#, "nats.tls: a certificate and its key go together", "both files"),
        (#"{"servers": ["nats://a"], "backlogBytes": -1}"#, "nats.backlogBytes: it is -1", "Choose 0 to"),
        (#"{"servers": ["nats://a"], "receiveBufferBytes": 1}"#, "nats.receiveBufferBytes: it is 1", "Choose 65536 to"),
        (#"{"servers": ["nats://a"], "connectTimeoutSeconds": 0}"#, "nats.connectTimeoutSeconds: it is 0.0 seconds", "Choose 0.05"),
        (#"{"servers": ["nats://a"], "sever": 1}"#, "nats.sever: there is no such setting", "nats.servers"),
    ])
    func `a setting that cannot be is refused with cause and cure`(nats: String, cause: String, cure: String) throws {
        let says = bridgeError { _ = try read(nats) }?.description ?? "nothing refused"
        #expect(says.contains(cause) && says.contains(cure), "\(says)")
    }
}

import Foundation
import Mailslots
import Testing

@testable import MailslotsBridge

/// What a bridge is told: by whom, in which order, and what cannot be.
@Suite struct ConfigurationTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    static let key = BridgeKey([UInt8](1...32))!

    func read(_ text: String, environment: [String: String] = [:], flags: BridgeFlags = BridgeFlags()) throws -> BridgeConfiguration {
        try BridgeConfiguration(file: folder.write(text, to: "bridge.json"), environment: environment, flags: flags)
    }

    func flags(_ set: (inout BridgeFlags) -> Void) -> BridgeFlags {
        var flags = BridgeFlags()
        set(&flags)
        return flags
    }

    // MARK: what is read

    @Test func `the least is a domain and its key`() throws {
        try Self.key.write(toFile: folder.path("studio.key"))
        let configuration = try read(#"{"domains": ["studio"], "domain": {"studio": {"key": "studio.key"}}}"#)
        #expect(configuration == BridgeConfiguration(domain: "studio", key: Self.key))
    }

    @Test func `every setting can be set in a file`() throws {
        try Self.key.write(toFile: folder.path("studio.key"))
        let old = BridgeKey.random()
        try old.write(toFile: folder.path("old.key"))
        let text = """
            {
                "host": "Render7",
                "domains": ["studio", "stage.example"],
                "domain": {
                    "studio": {
                        "key": "\(folder.path("studio.key"))",
                        "alsoAccepted": ["old.key"],
                        "insecure": false,
                        "peers": ["render8=192.0.2.8:4241", "[2001:db8::9]:4240", "2001:db8::a", "render9.example.com", "192.0.2.7"],
                        "groups": ["239.255.1.1"]
                    },
                    "stage.example": {"insecure": true, "groups": []}
                },
                "network": {
                    "port": 4241, "addresses": ["127.0.0.1"], "interfaces": ["lo"], "multicastHops": 3, "engine": "mmsg",
                    "receiveBufferBytes": 100000, "sendBufferBytes": 200000, "datagramBytesMax": 1000
                },
                "outboxes": {"capacity": 64, "writers": 8, "permissions": "0660", "countMax": 10, "bytesMax": 1048576,
                    "allowed": ["studio/*"]},
                "delivery": {
                    "allowedMailslots": ["jobs"], "allowedHosts": ["render*"], "trustsAnyone": true,
                    "messagesPerSecondOfHost": 100, "messagesPerSecondOfMailslot": 10
                },
                "announceEverySeconds": 0.5, "clockBoundSeconds": 3600, "drainTimeoutSeconds": 0
            }
            """
        var expected = BridgeConfiguration(host: "Render7", domain: "studio", key: Self.key)
        expected.domains[0].alsoAccepted = [old]
        expected.domains[0].peers = [
            .init(address: "192.0.2.8", port: 4241, host: "render8"), .init(address: "2001:db8::9", port: 4240),
            .init(address: "2001:db8::a"), .init(address: "render9.example.com"), .init(address: "192.0.2.7"),
        ]
        expected.domains[0].groups = ["239.255.1.1"]
        expected.domains.append(.init(name: "stage.example", key: nil))
        expected.domains[1].groups = []
        expected.network.port = 4241
        expected.network.addresses = ["127.0.0.1"]
        expected.network.interfaces = ["lo"]
        expected.network.multicastHops = 3
        expected.network.engine = .mmsg
        expected.network.receiveBufferSize = 100_000
        expected.network.sendBufferSize = 200_000
        expected.network.maximumDatagramSize = 1000
        expected.outboxes.capacity = 64
        expected.outboxes.maximumWriters = 8
        expected.outboxes.permissions = .group
        expected.outboxes.maximumCount = 10
        expected.outboxes.maximumByteCount = 1 << 20
        expected.outboxes.allowed = ["studio/*"]
        expected.delivery.allowedMailslots = ["jobs"]
        expected.delivery.allowedHosts = ["render*"]
        expected.delivery.trustsAnyone = true
        expected.delivery.messagesPerSecondOfHost = 100
        expected.delivery.messagesPerSecondOfMailslot = 10
        expected.announceEvery = .milliseconds(500)
        expected.clockBound = .seconds(3600)
        expected.drainTimeout = .zero
        #expect(try read(text) == expected)
    }

    /// What stands at the top of the file that reads configurations, without its remarks, is what there is by default.
    @Test func `the file that is documented says the defaults`() throws {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../Sources/MailslotsBridge/Configuration/ConfigurationFile.swift")
        let lines = try String(contentsOf: source, encoding: .utf8).split(separator: "\n").prefix { $0.hasPrefix("//") }
        let object = lines.drop { $0 != "//     {" }.prefix { $0.hasPrefix("//     ") }
        let text = object.map { $0.dropFirst(7).replacing(#/   [a-z][^"]*$/#, with: "") }.joined(separator: "\n")
        try Self.key.write(toFile: folder.path("studio.key"))
        var configuration = try read(text)
        #expect(configuration.host == "render7" && configuration.domains[0].peers.count == 3)
        configuration.domains[0].peers = []
        #expect(configuration == BridgeConfiguration(host: "render7", domain: "studio", key: Self.key))
    }

    @Test func `flags go before the environment, the environment before the file, the file before defaults`() throws {
        let file = """
            {"host": "of-file", "domains": ["studio"], "domain": {"studio": {"insecure": true, "peers": ["192.0.2.1"]}},
             "network": {"port": 1, "multicastHops": 2}, "announceEverySeconds": 1}
            """
        let environment = [
            "MAILSLOT_BRIDGE_HOST": "of-environment", "MAILSLOT_BRIDGE_NETWORK_PORT": "2",
            "MAILSLOT_BRIDGE_DOMAIN_STUDIO_PEERS": "192.0.2.2,b=192.0.2.3", "MAILSLOT_BRIDGE_NETWORK_DATAGRAM_BYTES_MAX": "1000",
            "MAILSLOT_BRIDGES": "is another's",
        ]
        let all = try read(file, environment: environment, flags: flags { $0.udp.port = 3 })
        #expect(all.host == "of-environment" && all.network.port == 3 && all.network.multicastHops == 2)
        #expect(all.domains[0].peers == [.init(address: "192.0.2.2"), .init(address: "192.0.2.3", host: "b")])
        #expect(all.network.maximumDatagramSize == 1000 && all.announceEvery == .seconds(1) && all.clockBound == .seconds(30))
        let flagged = try read(
            file, environment: environment,
            flags: flags {
                $0.host = "of-flags"
                $0.peers = ["192.0.2.4"]
                $0.groups = ["239.1.1.1"]
                $0.udp.addresses = ["127.0.0.2"]
                $0.udp.interfaces = ["lo"]
                $0.udp.engine = "io_uring"
                $0.permissions = "0666"
            })
        #expect(flagged.host == "of-flags" && flagged.network.port == 2 && flagged.domains[0].peers == [.init(address: "192.0.2.4")])
        #expect(flagged.domains[0].groups == ["239.1.1.1"] && flagged.network.engine == .ioURing)
        #expect(flagged.outboxes.permissions == .everyone)
        #expect(flagged.network.addresses == ["127.0.0.2"] && flagged.network.interfaces == ["lo"])
    }

    @Test func `flags alone do`() throws {
        try Self.key.write(toFile: folder.path("k"))
        let flags = flags {
            $0.domain = "studio"
            $0.key = folder.path("k")
        }
        let configuration = try BridgeConfiguration(file: nil, environment: [:], flags: flags)
        #expect(configuration == BridgeConfiguration(domain: "studio", key: Self.key))
    }

    // MARK: what is refused

    func refusal(_ body: () throws -> Void) -> String { bridgeError(body)?.description ?? "nothing refused" }

    /// In a file with a domain, these settings say the text, and a cure.
    @Test(arguments: [
        (#""netwrok": {"port": 1}"#, "netwrok.port: there is no such setting", "announceEverySeconds, clockBoundSeconds"),
        (#""network": {"prot": 1}"#, "network.prot: there is no such setting", "network.port"),
        (#""network": 5"#, "network: there is no such setting", "host"),
        (#""netwrok": {}"#, "netwrok: there is no such setting", "host"),
        (#""network": {"port": 65536}"#, "network.port: it is 65536", "Choose 0 to 65535."),
        (#""network": {"port": -1}"#, "network.port: it is -1", "Choose 0 to 65535."),
        (#""network": {"port": "4240"}"#, "network.port: what", "is not a whole number. Write one"),
        (#""network": {"port": 1.5}"#, "network.port: what", "is not a whole number. Write one"),
        (#""network": {"multicastHops": 256}"#, "network.multicastHops: it is 256", "Choose 0 to 255."),
        (#""network": {"engine": "fast"}"#, "network.engine: there is none called \"fast\"", "one of automatic, mmsg, io_uring."),
        (#""network": {"addresses": ["render7"]}"#, "network.addresses: \"render7\" is not a numeric address", "Write an address"),
        (#""network": {"addresses": "127.0.0.1"}"#, "network.addresses: what", "is not a list of texts. Write one"),
        (#""network": {"interfaces": ["much-too-long-name"]}"#, "network.interfaces: \"much-too-long-name\" cannot be", "ip link"),
        (#""network": {"interfaces": ["exactly-16-bytes"]}"#, "network.interfaces: \"exactly-16-bytes\" cannot be", "ip link"),
        (#""network": {"interfaces": [""]}"#, "network.interfaces: \"\" cannot be", "ip link"),
        (#""network": {"interfaces": ["a/b"]}"#, "network.interfaces: \"a/b\" cannot be", "ip link"),
        (#""network": {"datagramBytesMax": 575}"#, "network.datagramBytesMax: it is 575", "Choose 576 to 1472."),
        (#""network": {"datagramBytesMax": 1473}"#, "network.datagramBytesMax: it is 1473", "Choose 576 to 1472."),
        (#""network": {"receiveBufferBytes": 1}"#, "network.receiveBufferBytes: it is 1", "Choose 4096 to 1073741824."),
        (#""network": {"sendBufferBytes": 1}"#, "network.sendBufferBytes: it is 1", "Choose 4096 to 1073741824."),
        (#""outboxes": {"capacity": 1000}"#, "outboxes.capacity: it is 1000", "Choose a power of two, 1 to 32768."),
        (#""outboxes": {"capacity": 65536}"#, "outboxes.capacity: it is 65536", "Choose a power of two, 1 to 32768."),
        (#""outboxes": {"writers": 0}"#, "outboxes.writers: it is 0", "Choose 1 to 64511."),
        (#""outboxes": {"permissions": "rw"}"#, "outboxes.permissions: \"rw\" is not an octal number", "Write 0600, 0660 or 0666"),
        (#""outboxes": {"permissions": "0777"}"#, "outboxes.permissions: it is 0777", "Choose 0600"),
        (#""outboxes": {"permissions": "0060"}"#, "outboxes.permissions: it is 060", "Choose 0600"),
        (#""outboxes": {"permissions": "0400"}"#, "outboxes.permissions: it is 0400", "Choose 0600"),
        (#""outboxes": {"permissions": "0644"}"#, "outboxes.permissions: it is 0644, and who may only read", "Choose 0600, 0660 or 0666"),
        (#""outboxes": {"permissions": "0640"}"#, "outboxes.permissions: it is 0640, and who may only read", "Choose 0600, 0660 or 0666"),
        (#""outboxes": {"bytesMax": 1048575}"#, "outboxes.bytesMax: it is 1048575", "Choose 1048576 to"),
        (#""outboxes": {"countMax": 0}"#, "outboxes.countMax: it is 0", "Choose 1 to 65536."),
        (#""outboxes": {"allowed": ["jobs"]}"#, "outboxes.allowed: \"jobs\" is not HOST-OR-DOMAIN/MAILSLOT", "Write patterns as"),
        (#""outboxes": {"allowed": ["studio/"]}"#, "outboxes.allowed: \"studio/\" is not HOST-OR-DOMAIN/MAILSLOT", "Write patterns as"),
        (#""outboxes": {"allowed": ["/jobs"]}"#, "outboxes.allowed: \"/jobs\" is not HOST-OR-DOMAIN/MAILSLOT", "Write patterns as"),
        (#""delivery": {"allowedMailslots": [""]}"#, "delivery.allowedMailslots: a pattern is empty", "Write patterns as"),
        (#""delivery": {"allowedHosts": [""]}"#, "delivery.allowedHosts: a pattern is empty", "Write patterns as"),
        (#""delivery": {"messagesPerSecondOfHost": 0}"#, "delivery.messagesPerSecondOfHost: it is 0", "Choose 1 to"),
        (#""delivery": {"messagesPerSecondOfHost": 1000000001}"#, "delivery.messagesPerSecondOfHost: it is 1000000001", "Choose 1 to"),
        (#""delivery": {"messagesPerSecondOfMailslot": 0}"#, "delivery.messagesPerSecondOfMailslot: it is 0", "Choose 1 to"),
        (#""delivery": {"trustsAnyone": "maybe"}"#, "delivery.trustsAnyone: what", "is not true or false. Write one"),
        (#""announceEverySeconds": 0"#, "announceEverySeconds: it is 0.0 seconds", "Choose 0.01 to 3600."),
        (#""announceEverySeconds": 0.009"#, "announceEverySeconds: it is 0.009 seconds", "Choose 0.01 to 3600."),
        (#""announceEverySeconds": 7200"#, "announceEverySeconds: it is 7200.0 seconds", "Choose 0.01 to 3600."),
        (#""clockBoundSeconds": 0.09"#, "clockBoundSeconds: it is 0.09 seconds", "Choose 0.1 to 86400."),
        (#""clockBoundSeconds": 86401"#, "clockBoundSeconds: it is 86401.0 seconds", "Choose 0.1 to 86400."),
        (#""drainTimeoutSeconds": -1"#, "drainTimeoutSeconds: it is -1.0 seconds", "Choose 0 to 3600."),
        (#""drainTimeoutSeconds": 7200"#, "drainTimeoutSeconds: it is 7200.0 seconds", "Choose 0 to 3600."),
        (#""drainTimeoutSeconds": 1e30"#, "drainTimeoutSeconds: it is 1e+30", "up to a billion"),
        (#""host": "a/b""#, "host: \"a/b\" cannot be a name", "Choose 1 to 63 bytes"),
        (#""host": "a,b""#, "host: \"a,b\" cannot be a name", "Choose 1 to 63 bytes"),
        (#""host": """#, "host: a name is empty", "Choose 1 to 63 bytes"),
        (#""host": ".""#, "host: \".\" means this machine", "Choose 1 to 63 bytes"),
        (#""host": "a\u0000b""#, "cannot be a name", "Choose 1 to 63 bytes"),
        (#""host": "0123456789012345678901234567890123456789012345678901234567890123""#, "has 64 bytes", "Choose 1 to 63 bytes"),
        (#""host": "STUDIO""#, "host: \"STUDIO\" is also a domain's name", "--host NAME"),
        (#""host": ["a"]"#, "host: what", "is not a text. Write one"),
    ])
    func `a setting that cannot be is refused with cause and cure`(setting: String, cause: String, cure: String) throws {
        let says = refusal { _ = try read(#"{"domains": ["studio"], "domain": {"studio": {"insecure": true}}, \#(setting)}"#) }
        #expect(says.contains(cause) && says.contains(cure), "\(says)")
    }

    @Test(arguments: [
        #""announceEverySeconds": 0.01, "clockBoundSeconds": 0.1, "drainTimeoutSeconds": 0"#,
        #""announceEverySeconds": 3600, "clockBoundSeconds": 86400, "drainTimeoutSeconds": 3600"#,
        #""outboxes": {"capacity": 1, "writers": 65534, "permissions": "0600", "countMax": 1, "allowed": []}"#,
        #""outboxes": {"capacity": 32768, "writers": 32767, "permissions": "0660", "countMax": 65536, "allowed": ["*", "*/*"]}"#,
        #""network": {"datagramBytesMax": 576, "receiveBufferBytes": 4096, "sendBufferBytes": 4096, "interfaces": ["of-15-bytes-now"]}"#,
        #""network": {"datagramBytesMax": 1472, "receiveBufferBytes": 1073741824, "sendBufferBytes": 1073741824}"#,
        #""delivery": {"messagesPerSecondOfHost": 1, "messagesPerSecondOfMailslot": 1000000000, "allowedHosts": []}"#,
        #""host": "\#(String(repeating: "a", count: 63))""#,
    ])
    func `a setting that just can be is taken`(setting: String) throws {
        _ = try read(
            #"{"domains": ["studio"], "domain": {"studio": {"insecure": true, "groups": ["224.0.0.1", "ff02::1"]}}, \#(setting)}"#)
    }

    /// Of a file whose only domain is "a", with these settings.
    @Test(arguments: [
        ("", "domain.a.key: there is none, and without a key everybody can read and forge messages", "mailslot keygen a.key"),
        (#""insecure": false"#, "domain.a.key: there is none", "--insecure"),
        (#""insecure": true, "key": "k""#, "domain.a: it has a key, and is to be insecure", "Take away one of the two"),
        (#""key": "none.key""#, "none.key cannot be read: No such file", "mailslot keygen"),
        (#""insecure": true, "alsoAccepted": ["none.key"]"#, "none.key cannot be read: No such file", "mailslot keygen"),
        (#""insecure": true, "peers": ["1.2.3.4:99999"]"#, "\"1.2.3.4:99999\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (#""insecure": true, "peers": ["[::1]4240"]"#, "\"[::1]4240\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (#""insecure": true, "peers": ["[::1]:99999"]"#, "\"[::1]:99999\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (#""insecure": true, "peers": ["[1.2.3.4"]"#, "\"[1.2.3.4\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (
            #""insecure": true, "peers": ["192.0.2.0/24"]"#, "\"192.0.2.0/24\" is neither an address nor a host's name",
            "Write 192.0.2.7"
        ),
        (
            #""insecure": true, "peers": ["\#(String(repeating: "a", count: 254))"]"#, "is neither an address nor a host's name",
            "Write 192.0.2.7"
        ),
        (#""insecure": true, "peers": ["a="]"#, "\"a=\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (#""insecure": true, "peers": ["1.2.3.4:0"]"#, "domain.a.peers: 1.2.3.4 has port 0", "Ports are 1 to 65535"),
        (#""insecure": true, "peers": ["a b"]"#, "\"a b\" is neither an address nor a host's name", "Write 192.0.2.7"),
        (#""insecure": true, "peers": ["=1.2.3.4"]"#, "domain.a.peers: a name is empty", "Choose 1 to 63 bytes"),
        (#""insecure": true, "groups": ["192.0.2.1"]"#, "\"192.0.2.1\" is not a multicast address", "239.255.0.0"),
        (#""insecure": true, "groups": ["fe80::1"]"#, "\"fe80::1\" is not a multicast address", "ff02"),
        (#""insecure": true, "groups": ["240.0.0.1"]"#, "\"240.0.0.1\" is not a multicast address", "239.255.0.0"),
        (#""insecure": true, "group": []"#, "domain.a.group: there is no such setting", "domain.a.groups"),
    ])
    func `a domain that cannot be is refused with cause and cure`(settings: String, cause: String, cure: String) throws {
        let says = refusal { _ = try read(#"{"domains": ["a"], "domain": {"a": {\#(settings)}}}"#) }
        #expect(says.contains(cause) && says.contains(cure), "\(says)")
    }

    @Test(arguments: [
        ("{}", "domains: there is none", "--domain NAME"),
        (#"{"domains": []}"#, "domains: there is none", "--domain NAME"),
        (#"{"domains": ["a"], "domain": {"a": {"insecure": true}, "b": {"insecure": true}}}"#, "domain.b.insecure: there is", "domain.a.*"),
        (#"{"domains": ["a", "A"], "domain": {"a": {"insecure": true}, "A": {"insecure": true}}}"#, "\"A\" is there twice", "once"),
        (#"{"domains": ["a\\b"], "domain": {"a\\b": {"insecure": true}}}"#, #"domains: "a\b" cannot be a name"#, "Choose 1 to 63"),
        (#"{"domains": [{"name": "a"}]}"#, "cannot be understood", "Write a JSON object"),
        (
            #"{"domains": ["a"], "domain": {"a": {"insecure": true}}, "netwrok": {"port": 1}}"#, "netwrok.port: there is no such setting",
            "network.*, outboxes.*"
        ),
        (
            #"{"domains": ["a"], "domain": {"a": {"insecure": true}}, "outboxes": {"sections": {"a": 1}}}"#,
            "outboxes.sections.a: there is no such setting", "outboxes.allowed, outboxes.bytesMax, outboxes.capacity"
        ),
        (#"["domains"]"#, "cannot be understood: The top-level value of the JSON file must be an object.", "Write a JSON object"),
        (#"{"domains": ["a"]"#, "cannot be understood", "Write a JSON object"),
        ("{\n\"domains\": [\"a\"],\n\"host\": \"b\"\n\"q\": 1\n}", "cannot be understood, line 4:", "Write a JSON object"),
        ("", "cannot be understood", "Write a JSON object"),
    ])
    func `a file that cannot be is refused with cause and cure`(text: String, cause: String, cure: String) throws {
        let says = refusal { _ = try read(text) }
        #expect(says.contains(cause) && says.contains(cure), "\(says)")
    }

    @Test func `a file that is not there or no file says so`() throws {
        func says(_ path: String) -> String { bridgeError { _ = try BridgeConfiguration(contentsOfFile: path) }?.description ?? "" }
        #expect(says(folder.path("none")).hasSuffix("cannot be read: No such file or directory. Name a JSON file: --config FILE"))
        #expect(says(folder.url.path).contains("it is not a regular file"))
    }

    @Test func `a variable that cannot be is refused with cause and cure`() throws {
        let file = #"{"domains": ["a"], "domain": {"a": {"insecure": true}}}"#
        func says(_ name: String, _ value: String) -> String {
            bridgeError { _ = try read(file, environment: [name: value]) }?.description ?? ""
        }
        #expect(says("MAILSLOT_BRIDGE_NETWORK_PROT", "1").hasPrefix("MAILSLOT_BRIDGE_NETWORK_PROT: there is no such setting"))
        let notANumber = "network.port: what the environment says is not a whole number. Write one, or leave it out."
        #expect(says("MAILSLOT_BRIDGE_NETWORK_PORT", "x") == notANumber)
        #expect(says("MAILSLOT_BRIDGE_NETWORK_PORT", "70000").hasPrefix("network.port: it is 70000."))
    }

    @Test func `flags that cannot be are refused with cause and cure`() throws {
        func says(_ file: String?, _ set: (inout BridgeFlags) -> Void) -> String {
            bridgeError {
                _ = try BridgeConfiguration(
                    file: file.map { try folder.write($0, to: "bridge.json") }, environment: [:], flags: flags(set))
            }?.description ?? ""
        }
        #expect(says(nil) { $0.isInsecure = true }.contains("and there is none. Name it: --domain NAME"))
        #expect(says(nil) { $0.domain = "a" }.hasPrefix("domain.a.key: there is none"))
        let two = #"{"domains": ["a", "b"], "domain": {"a": {"insecure": true}, "b": {"insecure": true}}}"#
        #expect(says(two) { $0.peers = ["192.0.2.1"] }.contains("and there are 2. Write them into the configuration file"))
        try Self.key.write(toFile: folder.path("k"))
        let keyed = #"{"domains": ["a"], "domain": {"a": {"key": "k"}}}"#
        #expect(says(keyed) { $0.isInsecure = true }.contains("Take away one of the two"))
        #expect(says(keyed) { $0.domain = "b" }.contains("domain.b.key: there is none"))
        #expect(says(keyed) { $0.udp.port = 70_000 }.hasPrefix("network.port: it is 70000."))
    }

    @Test func `a key by flag is used in place of what the file says`() throws {
        try Self.key.write(toFile: folder.path("k"))
        let file = #"{"domains": ["a"], "domain": {"a": {"insecure": true}}}"#
        #expect(try read(file, flags: flags { $0.key = folder.path("k") }).domains[0].key == Self.key)
    }

    @Test func `a key by flag is looked for in the shell's directory, one of the file beside it`() throws {
        try Self.key.write(toFile: folder.path("k"))
        let toRoot = String(repeating: "../", count: URL(filePath: FileManager.default.currentDirectoryPath).pathComponents.count - 1)
        // So deep that the same steps lead elsewhere.
        let deep = folder.url.appending(path: toRoot.replacing("..", with: "deep"))
        try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
        let file = deep.appending(path: "bridge.json").path
        try #"{"domains": ["a"]}"#.write(toFile: file, atomically: false, encoding: .utf8)
        let relative = toRoot + folder.path("k").dropFirst()
        let configuration = try BridgeConfiguration(file: file, environment: [:], flags: flags { $0.key = relative })
        #expect(configuration.domains[0].key == Self.key)
    }

    // MARK: what a program says

    @Test func `what a program says is checked too`() {
        func says(_ set: (inout BridgeConfiguration) -> Void) -> String {
            var configuration = BridgeConfiguration(host: "me", domain: "studio", key: Self.key)
            set(&configuration)
            return bridgeError { try configuration.validate() }?.description ?? "valid"
        }
        #expect(says { _ in } == "valid")
        #expect(says { $0.domains = [] }.hasPrefix("domains: there is none."))
        #expect(says { $0.domains[0].key = BridgeKey([UInt8](repeating: 0, count: 32)) }.contains("it has only zeros"))
        #expect(says { $0.domains[0].alsoAccepted = [BridgeKey([UInt8](repeating: 0, count: 32))!] }.contains("it has only zeros"))
        #expect(says { $0.announceEvery = .zero - .seconds(1) }.contains("announceEverySeconds: it is -1.0 seconds. Choose"))
        #expect(says { $0.outboxes.capacity = .min }.contains("outboxes.capacity"))
        #expect(says { $0.outboxes.maximumWriters = 70_000 }.contains("outboxes.writers: it is 70000. Choose 1 to 64511."))
        #expect(BridgeKey([UInt8](repeating: 1, count: 31)) == nil)
    }

    @Test func `the machine's own name can be a host's`() throws {
        try BridgeConfiguration(domain: "a-domain-of-another-name", key: Self.key).validate()
    }
}

// What a bridge is told in a file, by environment variables and by flags: flags go before variables, variables before the file, and what
// nobody says has its default. The file is a JSON object; every setting is optional but `domains`, and each domain's key:
//
//     {
//         "host": "render7",
//         "domains": ["studio"],
//         "domain": {
//             "studio": {
//                 "key": "studio.key",               relative to the file's directory
//                 "alsoAccepted": [],                more key files, while a key is replaced
//                 "insecure": false,                 true in place of a key: everybody can read and forge
//                 "peers": ["render8=192.0.2.8:4240", "[2001:db8::9]:4240", "render9.example.com"],
//                 "groups": ["239.255.77.83", "ff02::4d53"]
//             }
//         },
//         "network": {
//             "port": 4240, "addresses": [], "interfaces": [], "multicastHops": 1, "engine": "automatic",
//             "receiveBufferBytes": 4194304, "sendBufferBytes": 1048576, "datagramBytesMax": 1472
//         },
//         "outboxes": {"capacity": 1024, "writers": 64, "permissions": "0600", "countMax": 4096, "bytesMax": 268435456,
//             "allowed": ["*"]},
//         "delivery": {
//             "allowedMailslots": ["*"], "allowedHosts": ["*"], "trustsAnyone": false,
//             "messagesPerSecondOfHost": null, "messagesPerSecondOfMailslot": null
//         },
//         "announceEverySeconds": 10, "clockBoundSeconds": 30, "drainTimeoutSeconds": 10
//     }
//
// "network" is UDP's, see UDPSettings.swift. Through NATS servers in its place: "nats", see NATSSettings.swift.
//
// A setting's variable is its path in capitals behind MAILSLOT_BRIDGE_, MAILSLOT_BRIDGE_NETWORK_PORT, lists with commas. Settings that
// are not there are refused wherever they come from: a misspelt one must not be taken for its default.
internal import Configuration
internal import Foundation
internal import Mailslots

extension BridgeConfiguration {
    /// Reads a JSON file, and the key files that it names; what it may say is shown in the article Bridge.
    /// - Parameter environment: Variables that begin with `MAILSLOT_BRIDGE_` go before the file.
    /// - Throws: `badConfiguration` or `badKey`: what cannot be, why, and the cure.
    public init(contentsOfFile path: String, environment: [String: String] = [:]) throws(BridgeError) {
        self = try Self(file: path, environment: environment, flags: BridgeFlags())
    }

    package init(file path: String?, environment: [String: String], flags: BridgeFlags) throws(BridgeError) {
        var sources: [SettingsSource] = []
        if let environment = SettingsSource(environment: environment) { sources.append(environment) }
        if let path { sources.append(try SettingsSource(file: path)) }
        if let source = try flags.source(before: Settings(sources), beside: path) { sources.insert(source, at: 0) }

        let settings = Settings(sources)
        self = try Self(settings, file: path)
        try settings.refuseUnknown()
        try validate()
    }

    private init(_ settings: Settings, file: String?) throws(BridgeError) {
        host = try settings.string("host") ?? Self.machineName
        domains = []
        for name in try settings.strings("domains") ?? [] { domains.append(try Domain(name, settings, file: file)) }
        try transports.read(settings, folder: file.map { URL(filePath: $0) })
        try outboxes.read(settings)
        try delivery.read(settings)
        if let seconds = try settings.seconds("announceEverySeconds") { announceEvery = seconds }
        if let seconds = try settings.seconds("clockBoundSeconds") { clockBound = seconds }
        if let seconds = try settings.seconds("drainTimeoutSeconds") { drainTimeout = seconds }
    }
}

extension BridgeConfiguration.Domain {
    fileprivate init(_ name: String, _ settings: Settings, file: String?) throws(BridgeError) {
        let key = try settings.string("domain", name, "key")
        let isInsecure = try settings.bool("domain", name, "insecure") ?? false
        // Relative to the configuration file, if there is one.
        let beside = { (path: String) in file.map { URL(filePath: path, relativeTo: URL(filePath: $0)).path } ?? path }
        switch (key, isInsecure) {
        case (let key?, false): self.init(name: name, key: try BridgeKey(contentsOfFile: beside(key)))
        case (nil, true): self.init(name: name, key: nil)
        case (_?, true):
            throw .wrong(
                "domain.\(name)", "it has a key, and is to be insecure",
                "Take away one of the two: --insecure is for domains without a key.")
        case (nil, false):
            throw .wrong(
                "domain.\(name).key", "there is none, and without a key everybody can read and forge messages",
                "Make one, mailslot keygen \(name).key, and name it, --key \(name).key; or accept that: --insecure")
        }
        for path in try settings.strings("domain", name, "alsoAccepted") ?? [] {
            alsoAccepted.append(try BridgeKey(contentsOfFile: beside(path)))
        }
        for text in try settings.strings("domain", name, "peers") ?? [] {
            guard let peer = BridgePeer(text) else {
                throw .wrong(
                    "domain.\(name).peers", "\"\(text)\" is not [HOST=]ADDRESS[:PORT]",
                    "Write 192.0.2.7, render7=192.0.2.7:4240, [2001:db8::7]:4240 or render7.example.com.")
            }
            peers.append(peer)
        }
        if let groups = try settings.strings("domain", name, "groups") { self.groups = groups }
    }
}

extension BridgePeer {
    /// `[HOST=]ADDRESS[:PORT]`; an IPv6 address with a port is in brackets.
    package init?(_ text: String) {
        var rest = text[...]
        if let equals = rest.firstIndex(of: "=") {
            host = String(rest[..<equals])
            rest = rest[equals...].dropFirst()
        }
        let colons = rest.count { $0 == ":" }
        if let match = rest.wholeMatch(of: /\[([^\[\]]+)\](?::([0-9]+))?/) {
            address = String(match.1)
            if let digits = match.2 {
                guard let port = UInt16(digits) else { return nil }
                self.port = port
            }
        } else if colons == 1, let colon = rest.firstIndex(of: ":") {
            guard let port = UInt16(rest[colon...].dropFirst()) else { return nil }
            address = String(rest[..<colon])
            self.port = port
        } else {
            if rest.contains("[") || rest.contains("]") { return nil }
            address = String(rest)
        }
        if address.isEmpty { return nil }
    }
}

extension BridgeConfiguration.Outboxes {
    fileprivate mutating func read(_ settings: Settings) throws(BridgeError) {
        if let value: Int = try settings.integer("outboxes", "capacity") { capacity = value }
        if let value: Int = try settings.integer("outboxes", "writers") { maximumWriters = value }
        if let text = try settings.string("outboxes", "permissions") {
            guard let value = UInt32(text, radix: 8) else {
                throw .wrong("outboxes.permissions", "\"\(text)\" is not an octal number", "Write 0600, 0660 or 0666, in quotes.")
            }
            permissions = Mailslot.Permissions(rawValue: value)
        }
        if let value: Int = try settings.integer("outboxes", "countMax") { maximumCount = value }
        if let value: Int = try settings.integer("outboxes", "bytesMax") { maximumByteCount = value }
        if let value = try settings.strings("outboxes", "allowed") { allowed = value }
    }
}

extension BridgeConfiguration.Delivery {
    fileprivate mutating func read(_ settings: Settings) throws(BridgeError) {
        if let value = try settings.strings("delivery", "allowedMailslots") { allowedMailslots = value }
        if let value = try settings.strings("delivery", "allowedHosts") { allowedHosts = value }
        messagesPerSecondOfHost = try settings.integer("delivery", "messagesPerSecondOfHost")
        messagesPerSecondOfMailslot = try settings.integer("delivery", "messagesPerSecondOfMailslot")
        if let value = try settings.bool("delivery", "trustsAnyone") { trustsAnyone = value }
    }
}

/// What the options of `mailslot bridge` say; those that are `nil` or empty say nothing.
package struct BridgeFlags: Sendable {
    package var host: String?
    package var domain: String?
    package var key: String?
    package var isInsecure = false
    package var peers: [String] = []
    package var groups: [String] = []
    package var permissions: String?
    /// By the name of their transport.
    package var transports: [String: any TransportFlags] = [:]

    package init() {}

    /// `others` say which domain is meant, where no flag does.
    fileprivate func source(before others: Settings, beside file: String?) throws(BridgeError) -> SettingsSource? {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        func set(_ path: [String], _ content: ConfigContent) { values[AbsoluteConfigKey(path)] = ConfigValue(content, isSecret: false) }
        func set(_ path: [String], _ text: String?) { if let text { set(path, .string(text)) } }
        func set(_ path: [String], _ texts: [String]) { if !texts.isEmpty { set(path, .stringArray(texts)) } }

        set(["host"], host)
        set(["domains"], domain.map { [$0] } ?? [])
        if key != nil || isInsecure || !peers.isEmpty || !groups.isEmpty {
            let domain = try domainMeant(others)
            // Relative to the shell's directory, and not to the configuration file.
            set(["domain", domain, "key"], key.map { file == nil ? $0 : URL(filePath: $0).path })
            if key != nil || isInsecure { set(["domain", domain, "insecure"], .bool(isInsecure)) }
            set(["domain", domain, "peers"], peers)
            set(["domain", domain, "groups"], groups)
        }
        set(["outboxes", "permissions"], permissions)
        for (name, flags) in transports {
            for (path, value) in flags.settings {
                switch value {
                case .text(let text): set([name] + path, text)
                case .texts(let texts): set([name] + path, texts)
                case .integer(let number): if let number { set([name] + path, .int(number)) }
                }
            }
        }
        return values.isEmpty ? nil : SettingsSource(flags: values)
    }

    private func domainMeant(_ others: Settings) throws(BridgeError) -> String {
        if let domain { return domain }
        let domains = try others.strings("domains") ?? []
        guard domains.count == 1 else {
            throw BridgeError(
                .badConfiguration,
                "--key, --insecure, --peer and --group are of one domain, and there "
                    + (domains.isEmpty ? "is none." : "are \(domains.count).")
                    + (domains.isEmpty ? " Name it: --domain NAME" : " Write them into the configuration file, below each domain."))
        }
        return domains[0]
    }
}

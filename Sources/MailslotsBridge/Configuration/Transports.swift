internal import Foundation

/// The kinds of transport that there are. To add one, make its folder beside the others', with a type of settings, and name it in this
/// file. Options of `mailslot-bridge` for it are a group of their own, named in BridgeOptions.swift.
enum Transports {
    /// The last that is configured is used; the first always is.
    static let all: [any TransportSettings.Type] = [UDPSettings.self, NATSSettings.self]
}

extension BridgeConfiguration {
    /// By which addresses and interfaces we reach other hosts.
    public var network: UDPSettings {
        get { transports[UDPSettings.self] ?? UDPSettings() }
        set { transports[UDPSettings.self] = newValue }
    }

    /// Not by `network`, but through NATS servers: past one network, where multicast does not reach. `peers` and `groups` of the domains
    /// mean nothing then.
    public var nats: NATSSettings? {
        get { transports[NATSSettings.self] }
        set { transports[NATSSettings.self] = newValue }
    }
}

extension BridgeFlags {
    package var udp: UDPFlags {
        get { transports[UDPSettings.name] as? UDPFlags ?? UDPFlags() }
        set { transports[UDPSettings.name] = newValue }
    }

    package var nats: NATSFlags {
        get { transports[NATSSettings.name] as? NATSFlags ?? NATSFlags() }
        set { transports[NATSSettings.name] = newValue }
    }
}

extension BridgeConfiguration {
    /// - Throws: What the transport that is used would say at the start of a bridge: its engine or client is not there.
    package func checkTransportIsUsable() throws(BridgeError) { try transports.used.checkIsUsable() }

    /// For the transport that is used.
    package var transport: TransportConfiguration {
        TransportConfiguration(
            host: host, domains: domains.map(\.forTransport),
            settings: transports.used)
    }
}

extension BridgeConfiguration.Domain {
    var forTransport: TransportConfiguration.Domain { TransportConfiguration.Domain(name: name, peers: peers, groups: groups) }
}

/// Settings of transports, at most one of a kind.
package struct TransportSettingsSet: Sendable, Hashable {
    private var settings: [String: any TransportSettings] = [:]

    init() {
        func begin<Kind: TransportSettings>(_ kind: Kind.Type) { self[kind] = Kind.initial }
        for kind in Transports.all { begin(kind) }
    }

    mutating func read(_ source: Settings, folder: URL?) throws(BridgeError) {
        func read<Kind: TransportSettings>(_ kind: Kind.Type) throws(BridgeError) { self[kind] = try Kind.read(source, folder: folder) }
        for kind in Transports.all { try read(kind) }
    }

    /// Those that there are, as they are ordered in ``Transports``.
    var all: [any TransportSettings] { Transports.all.compactMap { settings[$0.name] } }

    var used: any TransportSettings { all[all.count - 1] }

    subscript<Kind: TransportSettings>(kind: Kind.Type) -> Kind? {
        get { settings[kind.name] as? Kind }
        set { settings[kind.name] = newValue }
    }

    private var comparable: [AnyHashable] { all.map { AnyHashable($0) } }
    package static func == (a: TransportSettingsSet, b: TransportSettingsSet) -> Bool { a.comparable == b.comparable }
    package func hash(into hasher: inout Hasher) { hasher.combine(comparable) }
}

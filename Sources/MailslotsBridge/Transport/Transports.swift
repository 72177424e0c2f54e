internal import Foundation
internal import Logging

/// The kinds of transport that there are. To add one: make its folder beside the others', with a type of settings and its accessor in
/// `BridgeConfiguration`, and name it here. Options of `mailslot-bridge` for it are a group of their own, named in BridgeOptions.swift.
enum Transports {
    /// The last that is configured is used; the first always is.
    static let all: [any TransportSettings.Type] = [BridgeConfiguration.Network.self, BridgeConfiguration.NATS.self]
}

/// What a transport is told by its user: all that a configuration, its file, its check and the bridge need to know of a kind of transport.
protocol TransportSettings: Sendable, Hashable {
    /// Below which its settings are in a configuration file.
    static var name: String { get }
    /// For people.
    static var title: String { get }
    /// Where nothing is said. `nil`: it is not used then.
    static var initial: Self? { get }
    /// `nil`: nobody says anything of it. Files are relative to the configuration file, if there is one.
    static func read(_ settings: Settings, folder: URL?) throws(BridgeError) -> Self?
    /// Checks every value. Looks at no file and no socket.
    func validate() throws(BridgeError)

    /// For people, who ask what a configuration means.
    var facts: [(name: String, says: String)] { get }
    /// How the hosts of a domain are reached; `nil`: as all are.
    func says(of domain: BridgeConfiguration.Domain) -> String?

    /// - Parameter configuration: Has these settings.
    func makeTransport(_ configuration: TransportConfiguration, logger: Logger) throws(BridgeError) -> any Transport
}

/// What options say of a transport, below its name.
package protocol TransportFlags: Sendable {
    var settings: [(path: [String], value: FlagValue)] { get }
}

/// `nil` or empty: nothing is said.
package enum FlagValue: Sendable {
    case text(String?)
    case texts([String])
    case integer(Int?)
}

/// What a transport is told: its own settings, and who the bridge is. No key, and nothing of mailslots.
package struct TransportConfiguration: Sendable {
    package struct Domain: Sendable {
        package let name: String
        package var peers: [BridgeConfiguration.Peer]
        package let groups: [String]
    }

    package let host: String
    package var domains: [Domain]
    let settings: any TransportSettings
}

extension BridgeConfiguration {
    /// For the transport that is used.
    package var transport: TransportConfiguration {
        TransportConfiguration(
            host: host, domains: domains.map { TransportConfiguration.Domain(name: $0.name, peers: $0.peers, groups: $0.groups) },
            settings: transports.used)
    }
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

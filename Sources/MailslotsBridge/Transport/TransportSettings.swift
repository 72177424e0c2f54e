internal import Foundation
internal import Logging

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
    /// Finds out whether this program, on this machine, has what the transport needs. Looks at no network.
    func checkIsUsable() throws(BridgeError)

    /// For people, who ask what a configuration means.
    var facts: [(name: String, says: String)] { get }
    /// How the hosts of a domain are reached; `nil`: as all are.
    func says(of domain: TransportConfiguration.Domain) -> String?

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
        package var peers: [BridgePeer]
        package let groups: [String]
    }

    package let host: String
    package var domains: [Domain]
    let settings: any TransportSettings
}

// What a bridge is told of UDP, of whose sockets and interfaces it is. In the file, all optional: "network", see ConfigurationFile.swift.
internal import CMailslotsDatagram
internal import Foundation
internal import Logging

/// Sockets and interfaces.
public struct UDPSettings: Sendable, Hashable {
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
    public var receiveBufferSize = 4 << 20
    public var sendBufferSize = 1 << 20
    /// The longest datagram, 576 to 1472 bytes: less where the path is narrower than Ethernet.
    public var maximumDatagramSize = 1472

    public enum Engine: String, Sendable, Hashable, CaseIterable {
        /// io_uring where it can be used, else sendmmsg and recvmmsg.
        case automatic
        case mmsg
        case ioURing = "io_uring"
    }

    public init() {}
}

extension UDPSettings: TransportSettings {
    static var name: String { "network" }
    static var title: String { "UDP" }
    static var initial: Self? { Self() }

    static func read(_ settings: Settings, folder: URL?) throws(BridgeError) -> Self? {
        var network = Self()
        try network.read(settings)
        return network
    }

    private mutating func read(_ settings: Settings) throws(BridgeError) {
        if let value: UInt16 = try settings.integer("network", "port") { port = value }
        if let value = try settings.strings("network", "addresses") { addresses = value }
        if let value = try settings.strings("network", "interfaces") { interfaces = value }
        if let value: UInt8 = try settings.integer("network", "multicastHops") { multicastHops = value }
        if let name = try settings.string("network", "engine") {
            guard let value = Engine(rawValue: name) else {
                let names = Engine.allCases.map(\.rawValue).joined(separator: ", ")
                throw .wrong("network.engine", "there is none called \"\(name)\"", "Choose one of \(names).")
            }
            engine = value
        }
        if let value: Int = try settings.integer("network", "receiveBufferBytes") { receiveBufferSize = value }
        if let value: Int = try settings.integer("network", "sendBufferBytes") { sendBufferSize = value }
        if let value: Int = try settings.integer("network", "datagramBytesMax") { maximumDatagramSize = value }
    }

    func validate() throws(BridgeError) {
        for address in addresses where UDPAddress(address, port: 0) == nil {
            throw .wrong(
                "network.addresses", "\"\(address)\" is not a numeric address",
                "Write an address of this machine, as ip address shows it; or leave it out, to listen on all.")
        }
        // "#define IFNAMSIZ 16", the end included.
        for interface in interfaces
        where interface.isEmpty || interface.utf8.count > 15 || interface.contains(where: { $0.isWhitespace || $0 == "/" }) {
            throw .wrong(
                "network.interfaces", "\"\(interface)\" cannot be an interface's name", "Name one that ip link shows, as eth0.")
        }
        try Check.range(maximumDatagramSize, 576...1472, "network.datagramBytesMax")
        try Check.range(receiveBufferSize, 4096...1 << 30, "network.receiveBufferBytes")
        try Check.range(sendBufferSize, 4096...1 << 30, "network.sendBufferBytes")
    }

    func checkIsUsable() throws(BridgeError) { try UDPEndpoint(engine: engine).close() }

    func makeTransport(_ configuration: TransportConfiguration, logger: Logger) throws(BridgeError) -> any Transport {
        try UDPTransport(configuration, logger: logger)
    }

    // MARK: for people

    var facts: [(name: String, says: String)] {
        [
            (
                "network",
                "UDP port \(port) of \(list(addresses, "all addresses")); multicast by \(list(interfaces, "the kernel's routes"))"
            ),
            ("engine", engine.says),
        ]
    }

    func says(of domain: TransportConfiguration.Domain) -> String? {
        let hosts = domain.peers.map { "\($0.host.map { "\($0)=" } ?? "")\($0.address) port \($0.port ?? port)" }
        let paths =
            (domain.groups.isEmpty ? [] : ["multicast to \(list(domain.groups))"])
            + (domain.peers.isEmpty ? [] : ["peers \(list(hosts))"])
        return paths.isEmpty ? "no paths but to hosts that announce themselves" : paths.joined(separator: "; ")
    }
}

extension UDPSettings.Engine {
    fileprivate var says: String {
        let ring = UDPEndpoint.probe(.ioURing)
        switch self {
        case .mmsg: return "mmsg"
        case .automatic where !ring.isUsable: return "mmsg, because io_uring cannot be used: \(ring.says)"
        case .automatic, .ioURing: return ring.says
        }
    }
}

/// What the options of `mailslot-bridge` say of UDP.
package struct UDPFlags: TransportFlags {
    package var port: Int?
    package var addresses: [String] = []
    package var interfaces: [String] = []
    package var engine: String?

    package init() {}

    package var settings: [(path: [String], value: FlagValue)] {
        [
            (["port"], .integer(port)), (["addresses"], .texts(addresses)), (["interfaces"], .texts(interfaces)),
            (["engine"], .text(engine)),
        ]
    }
}

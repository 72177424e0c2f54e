internal import CMailslotsDatagram
internal import MailslotsWire

/// What a configuration means on this machine, at this moment: sockets, memberships, and paths to groups and peers.
///
/// **Sockets.** What is sent to one host is received by *host sockets*, one for each configured address, or one for all of each family.
/// They are exclusive: no other program can take the port. All that is sent goes out by them, so that who hears us knows where we are.
///
/// A host socket for all addresses also receives its groups, where they have its port. Nobody else on this machine can receive them
/// then, so what is sent need not come back here. Otherwise each group has a *group socket*, bound to the group's address and
/// shared: that is how several bridges on one machine, with an address or a port each, hear each other.
struct UDPPlan {
    var domains: [UDPPaths.Domain] = []
    var memberships: Set<UDPMembership> = []
    /// What is missing, for the summary.
    var warnings: [String] = []
    /// "239.255.77.83:4240 by eth0".
    var groupNames: [String] = []

    private let endpoint: UDPEndpoint
    private let hosts: [UDPEndpoint.Socket]
    private let groupSockets: UDPGroupSockets
    private let network: UDPSettings
    /// By the text of the configuration: several domains may have the same.
    private var found: [String: FoundGroup] = [:]

    private struct FoundGroup {
        var paths: [UDPPath] = []
        var failures: [String] = []
    }

    /// Binds the sockets for groups that are missing, and joins nothing yet. Peers must have been looked up.
    init(
        _ configuration: TransportConfiguration, _ endpoint: UDPEndpoint, hosts: [UDPEndpoint.Socket], groupSockets: UDPGroupSockets
    ) throws(BridgeError) {
        self.endpoint = endpoint
        self.hosts = hosts
        self.groupSockets = groupSockets
        network = configuration.network
        guard 576...DatagramFormat.bytesMax ~= network.maximumDatagramSize else {
            throw BridgeError(
                .network,
                "Datagrams of at most \(network.maximumDatagramSize) bytes cannot be: the bound is 576 to \(DatagramFormat.bytesMax). "
                    + "If the network takes no 576 bytes, it cannot carry a bridge.")
        }
        for domain in configuration.domains {
            var peers: [UDPPaths.Peer] = []
            for peer in domain.peers {
                if let path = try path(to: peer) { peers.append(UDPPaths.Peer(host: peer.host.map(canonical), path: path)) }
            }
            domains.append(
                UDPPaths.Domain(name: canonical(domain.name), groups: try groups(of: domain), peers: peers))
        }
    }

    // MARK: peers

    /// `nil`: that is us.
    private mutating func path(to peer: BridgePeer) throws(BridgeError) -> UDPPath? {
        let port = peer.port ?? hosts[0].address.port
        guard let address = UDPAddress(peer.address, defaultPort: port), address.port != 0, !address.isMulticast, !address.isWildcard
        else {
            throw BridgeError(
                .network, "The peer \(peer.address) has no address of a host. Give a numeric address, as 192.0.2.7, or a host name.")
        }
        if hosts.contains(where: { $0.address == address || $0.isWildcard && $0.address.port == address.port && address.interface != 0 }
        ) {
            return nil
        }
        let path = address.path
        guard let socket = hosts.best(for: address, path) else {
            throw BridgeError(
                .network,
                "The peer \(peer.address) is IPv\(address.family), and this bridge has no such address: configure one, or the peer's other."
            )
        }
        if path.system_error != 0 { warnings.append("the peer \(address) cannot be reached now: \(cause(path.system_error))") }
        return UDPPath(socket: socket.number, address: address, byteCountMax: try byteCountMax(of: address, path))
    }

    /// The least of what is configured and what the kernel knows.
    private func byteCountMax(of address: UDPAddress, _ path: mslot_datagram_path) throws(BridgeError) -> Int {
        guard path.system_error == 0 else { return min(network.maximumDatagramSize, address.byteCountMax) }
        guard path.byte_count_max >= 576 else {
            throw BridgeError(
                .network,
                "The path to \(address) takes datagrams of \(path.byte_count_max) bytes, and 576 are needed: "
                    + "its MTU is too small. Raise the interface's MTU to \(address.family == 4 ? 604 : 1280) at least.")
        }
        return min(network.maximumDatagramSize, Int(path.byte_count_max))
    }

    // MARK: groups

    private mutating func groups(of domain: TransportConfiguration.Domain) throws(BridgeError) -> [UDPPath] {
        var all = FoundGroup()
        for text in domain.groups {
            guard let group = UDPAddress(text, defaultPort: groupPort), group.isMulticast else {
                throw BridgeError(
                    .network,
                    "\(text) is no multicast group. Take one of 239.0.0.0/8, or of ff02::/16 for one network, as 239.255.77.83.")
            }
            if found[text] == nil { found[text] = try find(group) }
            all.paths += found[text]!.paths
            all.failures += found[text]!.failures
        }
        if all.paths.isEmpty, !domain.groups.isEmpty, domain.peers.isEmpty {
            throw BridgeError(
                .network,
                "Multicast does not work, and the domain \(domain.name) has no peers: \(all.failures.joined(separator: "; ")). "
                    + "Configure an interface for multicast, add a route, as in `ip route add 224.0.0.0/4 dev eth0`, or configure peers."
            )
        }
        for failure in all.failures where !warnings.contains(failure) { warnings.append(failure) }
        return all.paths
    }

    private var groupPort: UInt16 {
        network.port == 0 ? UDPSettings.defaultPort : network.port
    }

    /// A path by each interface, or by none, and why not.
    private mutating func find(_ group: UDPAddress) throws(BridgeError) -> FoundGroup {
        var found = FoundGroup()
        for (interface, host) in try interfaces(for: group, &found.failures) {
            let address = group.by(interface: interface)
            let path = address.path
            guard path.system_error == 0 else {
                found.failures.append("no multicast to \(group.host) by \(interfaceName(interface)): \(cause(path.system_error))")
                continue
            }
            let socket = try receiver(of: group, by: interface)
            memberships.insert(UDPMembership(socket: socket.number, group: group.with(port: 0).by(interface: 0), interface: interface))
            found.paths.append(UDPPath(socket: host.number, address: address, byteCountMax: try byteCountMax(of: address, path)))
            groupNames.append("\(group) by \(interfaceName(interface))")
        }
        return found
    }

    /// By which interfaces, and from which of our sockets.
    private func interfaces(
        for group: UDPAddress, _ failures: inout [String]
    ) throws(BridgeError) -> [(interface: UInt32, host: UDPEndpoint.Socket)] {
        let hosts = hosts.filter { $0.address.family == group.family }
        guard let first = hosts.first else {
            failures.append("no multicast to \(group.host): this bridge has no IPv\(group.family) address")
            return []
        }
        var chosen: [(interface: UInt32, host: UDPEndpoint.Socket)] = []
        if group.raw.interface_index != 0 {
            chosen = [(group.raw.interface_index, first)]
        } else if !network.interfaces.isEmpty {
            for name in network.interfaces {
                guard let index = interfaceIndex(name) else {
                    throw BridgeError(
                        .network, "This machine has no interface \(name); `ip link` shows those that there are.")
                }
                chosen.append((index, hosts.first { $0.address.interface == index } ?? first))
            }
        } else {
            for host in hosts {
                let index = host.isWildcard ? chosenByKernel(for: group) : host.address.interface
                if index == 0 { failures.append("no multicast to \(group.host): there is no route to it") }
                if index != 0, !chosen.contains(where: { $0.interface == index }) { chosen.append((index, host)) }
            }
        }
        return chosen
    }

    /// The interface by which the kernel's routes send to the group; 0: none.
    private func chosenByKernel(for group: UDPAddress) -> UInt32 {
        var wider = group
        // Of a link-local group the kernel is not asked without an interface. Its routes are those of all groups.
        if group.isLinkLocalMulticast { wider.raw.bytes.1 = group.raw.bytes.1 & 0xf0 | 5 }
        let path = wider.path
        return path.system_error == 0 ? UDPAddress(path.source).interface : 0
    }

    private mutating func receiver(of group: UDPAddress, by interface: UInt32) throws(BridgeError) -> UDPEndpoint.Socket {
        let wildcard = UDPAddress.wildcard(family: group.family, port: group.port)
        if let host = hosts.first(where: { $0.address == wildcard }) { return host }
        let address = group.isLinkLocalMulticast ? group.by(interface: interface) : group.by(interface: 0)
        if let bound = groupSockets.bound.first(where: { $0.address == address }) { return bound }
        let socket = try endpoint.bindGroup(address, network)
        groupSockets.bound.append(socket)
        return socket
    }
}

/// The sockets that were bound for groups, by any plan: an endpoint keeps its sockets.
final class UDPGroupSockets {
    fileprivate(set) var bound: [UDPEndpoint.Socket] = []
}

extension UDPAddress {
    /// Over a network with Ethernet's MTU.
    var byteCountMax: Int { family == 4 ? DatagramFormat.bytesMax : DatagramFormat.bytesMaxIPv6 }
}

extension [UDPEndpoint.Socket] {
    /// The socket by which to send there: bound to the address that the kernel would choose, or else the first of the family.
    func best(for address: UDPAddress, _ path: mslot_datagram_path) -> UDPEndpoint.Socket? {
        let family = filter { $0.address.family == address.family }
        return family.count < 2
            ? family.first : family.first { $0.address == UDPAddress(path.source).with(port: $0.address.port) } ?? family[0]
    }
}

/// ASCII letters in lower case.
private func canonical(_ name: String) -> String {
    String(decoding: name.utf8.map { 65...90 ~= $0 ? $0 | 32 : $0 }, as: UTF8.self)
}

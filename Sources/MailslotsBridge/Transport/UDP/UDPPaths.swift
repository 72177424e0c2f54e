internal import MailslotsWire

/// One of the paths to a destination: from a socket of ours to an address.
struct UDPPath: Hashable, Sendable {
    let socket: UInt32
    let address: UDPAddress
    /// How long a datagram may be.
    let byteCountMax: Int

    func leadsTo(the other: UDPPath) -> Bool { address == other.address }
}

/// By which paths datagrams get to their destinations.
///
/// **One host** has one path: where its last announcement came from, or else the configured address of its peer.
///
/// **Every host** of a domain is reached by
///   - the groups of one family, the first that is configured and works (the main family), by each of the interfaces. Every host that
///     can joins the groups of both families, so by the groups of both everybody would get everything twice. The groups of the
///     other family are used too as long as there is a host that is heard by the other family only: it has no main family of its own;
///   - each configured peer;
///   - where there are no groups, also each host that has announced itself: a host that is nobody's peer but has peers is reached so.
struct UDPPaths: Sendable {
    /// Hosts of all domains together that are learned, as many as a list of hosts holds.
    static let hostsMax = 32_767
    /// After so many announcements of a host by the other family, one behind the other, it is no more heard by the main one. By chance
    /// an announcement that comes by both is heard by the other one first, but not eight times.
    static let mainSilenceMax = 8

    struct Peer: Sendable {
        let host: String?
        let path: UDPPath
    }

    private struct Host {
        var paths: [UDPPath]
        /// Announcements since the last one by the main family.
        var mainSilence: Int

        var isOnlyOther: Bool { mainSilence >= UDPPaths.mainSilenceMax }
    }

    struct Domain: Sendable {
        let name: String
        let groups: [UDPPath]
        let peers: [Peer]
        private let peerHosts: [String: [UDPPath]]
        private var hosts: [String: Host] = [:]
        private var needingOther = 0
        fileprivate private(set) var everyHost: [UDPPath] = []

        init(name: String, groups: [UDPPath], peers: [Peer]) {
            self.name = name
            self.groups = groups
            self.peers = peers
            peerHosts = Dictionary(peers.compactMap { peer in peer.host.map { ($0, [peer.path]) } }) { first, _ in first }
            findEveryHost()
        }

        private var mainFamily: UInt16? { groups.first?.address.family }
        fileprivate var hostCount: Int { hosts.count }

        /// As a host is now heard: from there.
        fileprivate mutating func learn(_ name: String, _ path: UDPPath) {
            let before = hosts[name]
            var host = before ?? Host(paths: [], mainSilence: UDPPaths.mainSilenceMax)
            let isMain = mainFamily == nil || path.address.family == mainFamily
            host.mainSilence = isMain ? 0 : min(host.mainSilence + 1, UDPPaths.mainSilenceMax)
            if isMain || host.isOnlyOther { host.paths = [path] }
            hosts[name] = host
            change(name, from: before, to: host)
        }

        fileprivate mutating func forget(_ name: String) {
            guard let before = hosts.removeValue(forKey: name) else { return }
            change(name, from: before, to: nil)
        }

        private mutating func change(_ name: String, from before: Host?, to host: Host?) {
            let neededOther = needingOther > 0
            if let before, needsOther(name, before) { needingOther -= 1 }
            if let host, needsOther(name, host) { needingOther += 1 }
            guard before?.paths != host?.paths || neededOther != (needingOther > 0) else { return }
            if groups.isEmpty || neededOther != (needingOther > 0) || peerHosts[name] != nil { findEveryHost() }
        }

        /// The hosts that another configuration's domain of this name knew.
        fileprivate mutating func adopt(_ former: Domain) {
            hosts = former.hosts
            needingOther = hosts.count { needsOther($0, $1) }
            findEveryHost()
        }

        fileprivate func paths(to destination: Destination) -> [UDPPath] {
            switch destination {
            case .everyHost: everyHost
            case .host(let name): hosts[name]?.paths ?? peerHosts[name] ?? []
            }
        }

        /// Whether what is for every host must go by the other family's groups for this one: not if it gets it as a peer.
        private func needsOther(_ name: String, _ host: Host) -> Bool {
            host.isOnlyOther && peerHosts[name] == nil && !peers.contains { peer in host.paths.contains(where: peer.path.leadsTo) }
        }

        private mutating func findEveryHost() {
            everyHost = groups.filter { $0.address.family == mainFamily || needingOther > 0 }
            for peer in peers {
                let paths = peer.host.flatMap { hosts[$0]?.paths } ?? [peer.path]
                for path in paths where !everyHost.contains(where: path.leadsTo) { everyHost.append(path) }
            }
            guard groups.isEmpty else { return }
            var known = Set(everyHost.map(\.address))
            for host in hosts.values {
                for path in host.paths where known.insert(path.address).inserted { everyHost.append(path) }
            }
        }
    }

    private(set) var domains: [Domain]

    init(_ domains: [Domain] = []) { self.domains = domains }

    var hostCount: Int { domains.reduce(0) { $0 + $1.hostCount } }

    func paths(to route: Route) -> [UDPPath] {
        domains.indices.contains(route.domain) ? domains[route.domain].paths(to: route.destination) : []
    }

    func byteCountMax(to route: Route) -> Int? { paths(to: route).lazy.map(\.byteCountMax).min() }

    /// False if there are too many hosts.
    mutating func learn(_ host: String, inDomain domain: Int, _ path: UDPPath) -> Bool {
        guard domains.indices.contains(domain) else { return true }
        guard hostCount < UDPPaths.hostsMax || !domains[domain].paths(to: .host(host)).isEmpty else { return false }
        domains[domain].learn(host, path)
        return true
    }

    mutating func forget(_ host: String, inDomain domain: Int) {
        if domains.indices.contains(domain) { domains[domain].forget(host) }
    }

    /// Those of a new configuration, with the hosts that are known.
    mutating func replace(by new: [Domain]) {
        let former = Dictionary(domains.map { ($0.name, $0) }) { first, _ in first }
        domains = new
        for index in domains.indices { if let known = former[domains[index].name] { domains[index].adopt(known) } }
    }
}

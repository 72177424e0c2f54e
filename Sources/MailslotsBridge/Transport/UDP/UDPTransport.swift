internal import CMailslotsDatagram
package import Logging
internal import Mailslots
internal import Synchronization

/// Datagrams over UDP: by multicast, and to configured peers. How its sockets are divided: UDPPlan; how it finds a host: UDPPaths.
@safe
package final class UDPTransport: Transport, @unchecked Sendable {
    // Sound: what is not behind a lock or atomic is constant, or belongs to the one thread that sends or to the one that receives.

    private static let viewsMax = 256
    /// Datagrams that are handed to the engine at once. Chosen: a batch to 16 peers.
    private static let outgoingMax = 1024

    private let endpoint: UDPEndpoint
    /// The sockets that we send by, numbered from 0: they are bound first.
    private let hosts: [UDPEndpoint.Socket]
    /// As it was at the start: most of it stays.
    private let network: UDPSettings
    private let drops = UDPDrops()
    private let paths = Locked(UDPPaths())
    /// False once the endpoint is closed: then it must not be used any more. Its counters are kept.
    private let isOpen = Locked(true)
    private let lastCounters = Locked<[TransportCounter]>([])
    private let summaryText = Locked("")
    private let logger: Logger

    // The sending side's. By socket.
    private let outgoing: UnsafeMutablePointer<mslot_datagram>
    private var outgoingCounts: [Int]

    // The receiving side's.
    private let views: UnsafeMutablePointer<mslot_datagram_view>
    private var memberships: Set<UDPMembership> = []
    private let groupSockets = UDPGroupSockets()
    private var bytesMax: Int
    private let watch = NetworkWatch()
    /// The latest, with its peers looked up.
    private var configuration: TransportConfiguration
    /// What was wrong when the network was followed last.
    private var problem: String?

    /// Binds, joins and looks up the peers' names, which may take seconds.
    /// - Throws: Code `network`: a port in use, no such address or interface, no multicast route and no peers, an MTU too small.
    package init(_ configuration: TransportConfiguration, logger: Logger) throws(BridgeError) {
        self.logger = logger
        self.configuration = configuration
        network = configuration.network
        endpoint = try UDPEndpoint(engine: network.engine)
        do throws(BridgeError) {
            hosts = try Self.bindHosts(endpoint, network)
        } catch {
            endpoint.close()
            throw error
        }
        unsafe views = .allocate(capacity: Self.viewsMax)
        unsafe outgoing = .allocate(capacity: hosts.count * Self.outgoingMax)
        outgoingCounts = Array(repeating: 0, count: hosts.count)
        bytesMax = network.maximumDatagramSize
        try reconfigure(configuration)
        if let obstacle = watch.obstacle {
            logger.warning("Interfaces that come and go are not noticed", metadata: ["bridge.cause": "\(obstacle)"])
        }
    }

    deinit {
        unsafe views.deallocate()
        unsafe outgoing.deallocate()
        close()
    }

    private static func bindHosts(
        _ endpoint: UDPEndpoint, _ network: UDPSettings
    ) throws(BridgeError) -> [UDPEndpoint.Socket] {
        var hosts: [UDPEndpoint.Socket] = []
        var addresses: [UDPAddress] = []
        for text in network.addresses {
            guard let address = UDPAddress(text, port: network.port), !address.isMulticast else {
                throw BridgeError(
                    .network, "\(text) is no address that can be bound. Give a numeric one without a port, as 192.0.2.7 or 2001:db8::7."
                )
            }
            addresses.append(address)
        }
        if addresses.isEmpty { addresses = [4, 6].map { .wildcard(family: $0, port: network.port) } }
        for address in addresses {
            if let socket = try endpoint.bindHost(address, network) { hosts.append(socket) }
        }
        guard !hosts.isEmpty else {
            throw BridgeError(.network, "The machine speaks neither IPv4 nor IPv6: there is nothing to bind. Bring its network up.")
        }
        return hosts
    }

    // MARK: configuration

    package func reconfigure(_ configuration: TransportConfiguration) throws(BridgeError) {
        var same = configuration.network
        same.interfaces = network.interfaces
        same.maximumDatagramSize = network.maximumDatagramSize
        guard same == network else {
            throw BridgeError(
                .network, "Port, addresses, engine, buffers and hops of a bridge that runs cannot be changed. Start it again.")
        }
        let configuration = try Self.lookUpPeers(of: configuration)
        try carryOut(configuration)
        self.configuration = configuration
    }

    private func carryOut(_ configuration: TransportConfiguration) throws(BridgeError) {
        var plan = try UDPPlan(configuration, endpoint, hosts: hosts, groupSockets: groupSockets)
        try join(&plan)
        for former in memberships.subtracting(plan.memberships) { endpoint.leave(former) }
        memberships = plan.memberships
        bytesMax = configuration.network.maximumDatagramSize
        for host in hosts {
            endpoint.loopMulticast(host, groupSockets.bound.contains { $0.address.family == host.address.family })
        }
        let domains = plan.domains
        paths.withLock { $0.replace(by: domains) }
        let text = describe(plan)
        summaryText.withLock { $0 = text }
    }

    /// Memberships end with their interface, also if one of the same name, or even of the same index, follows.
    package func followNetwork() -> Bool {
        guard let changes = watch.takeChanges() else { return false }
        let ended = memberships.filter { changes.mayHaveRemoved($0.interface) }
        for membership in ended { endpoint.leave(membership) }
        memberships.subtract(ended)
        let (formerMemberships, formerSummary) = (memberships, summary)
        do throws(BridgeError) {
            try carryOut(configuration)
            problem = nil
        } catch {
            // The next change may be the cure.
            if problem != error.description {
                logger.warning("The network has changed, and it cannot be used as configured", metadata: ["error": "\(error)"])
            }
            problem = error.description
            return false
        }
        guard memberships != formerMemberships || summary != formerSummary else { return false }
        logger.info("The network has changed", metadata: ["bridge.transport": "\(summary)"])
        return true
    }

    /// Joins what is new; if that cannot be, leaves it again.
    private func join(_ plan: inout UDPPlan) throws(BridgeError) {
        var joined: [UDPMembership] = []
        for membership in plan.memberships {
            switch endpoint.join(membership) {
            case .MSLOT_DATAGRAM_DONE: joined.append(membership)
            case .MSLOT_DATAGRAM_ALREADY_SO: break
            case let outcome:
                for membership in joined where !memberships.contains(membership) { endpoint.leave(membership) }
                throw BridgeError(
                    .network,
                    "The group \(membership.group.host) cannot be joined by \(interfaceName(membership.interface)): \(cause(outcome, 0)). "
                        + (outcome == .MSLOT_DATAGRAM_NO_RESOURCES
                            ? "Raise net.ipv4.igmp_max_memberships." : "Choose another interface."))
            }
        }
    }

    /// The configuration with numeric addresses in the place of peers' host names: the first that the system prefers and of whose family
    /// we have an address. May take seconds and be called by any thread; then `reconfigure` need not ask the network.
    package static func lookUpPeers(of configuration: TransportConfiguration) throws(BridgeError) -> TransportConfiguration {
        let families = Set(configuration.network.addresses.compactMap { UDPAddress($0, port: 0)?.family })
        var numeric = configuration
        for domain in numeric.domains.indices {
            for peer in numeric.domains[domain].peers.indices {
                let name = numeric.domains[domain].peers[peer].address
                guard UDPAddress(name, defaultPort: 0) == nil else { continue }
                let found = try lookUp(name, port: 0)
                guard let address = found.first(where: { families.isEmpty || families.contains($0.family) }) else {
                    throw BridgeError(
                        .network, "The peer \(name) has no address of a family that this bridge has. Configure one more of its own.")
                }
                numeric.domains[domain].peers[peer].address = address.host
            }
        }
        return numeric
    }

    package func lookedUp(_ configuration: TransportConfiguration) throws(BridgeError) -> TransportConfiguration {
        try Self.lookUpPeers(of: configuration)
    }

    package var summary: String { summaryText.withLock { $0 } }

    private func describe(_ plan: borrowing UDPPlan) -> String {
        var parts = ["UDP on " + hosts.map(\.address.description).joined(separator: ", "), endpoint.description]
        if !plan.groupNames.isEmpty { parts.append("multicast " + plan.groupNames.joined(separator: ", ")) }
        let peers = plan.domains.reduce(0) { $0 + $1.peers.count }
        if peers > 0 { parts.append(peers == 1 ? "1 peer" : "\(peers) peers") }
        return (parts + plan.warnings).joined(separator: "; ")
    }

    /// Where hosts reach us: as bound, with the ports that the kernel chose.
    package var addresses: [String] { hosts.map(\.address.description) }

    // MARK: sending

    package func byteCountMax(to destination: Route) -> Int? { paths.withLock { $0.byteCountMax(to: destination) } }

    package func send(_ batch: borrowing DatagramBatch) {
        let deadline = BridgeClock.monotonic + DatagramBatch.roomTimeout
        for run in batch.runs {
            let paths = paths.withLock { $0.paths(to: run.route) }
            if paths.isEmpty { drops.noPath.add(UInt64(run.range.count), ordering: .relaxed) }
            for path in paths { append(batch, run.range, path, deadline) }
        }
        for host in hosts.indices { hand(over: host, deadline) }
    }

    /// Datagrams of one destination, one behind the other: so they go out as one packet.
    private func append(_ batch: borrowing DatagramBatch, _ range: Range<Int>, _ path: UDPPath, _ deadline: Int64) {
        let host = Int(path.socket)
        if outgoingCounts[host] + range.count > Self.outgoingMax { hand(over: host, deadline) }
        let first = unsafe outgoing + host * Self.outgoingMax + outgoingCounts[host]
        let destination = path.address.raw
        for (offset, index) in range.enumerated() {
            // Sound: the bytes stay where they are as long as the batch is not changed, and we end before that.
            let bytes = unsafe batch.bytes(of: index)
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe (first + offset).initialize(
                to: mslot_datagram(bytes: start, byte_count: UInt32(bytes.count), destination: destination))
        }
        outgoingCounts[host] += range.count
    }

    /// Gives the engine what is collected for a socket.
    private func hand(over host: Int, _ deadline: Int64) {
        let count = outgoingCounts[host]
        guard count > 0 else { return }
        outgoingCounts[host] = 0
        let sent = unsafe mslot_datagram_send(
            endpoint.handle, UInt32(host), outgoing + host * Self.outgoingMax, count, deadline - BridgeClock.monotonic)
        if sent.count < count { drops.blocked.add(UInt64(count - sent.count), ordering: .relaxed) }
    }

    // MARK: receiving

    package func receive(_ body: (_ datagram: RawSpan, _ source: TransportSource) -> Void) -> Int {
        let received = unsafe mslot_datagram_receive(endpoint.handle, views, Self.viewsMax)
        var count = 0
        for index in 0..<received.count {
            let view = unsafe views[index]
            guard unsafe !view.is_truncated else {
                drops.truncated.add(1, ordering: .relaxed)
                continue
            }
            // Sound: the endpoint keeps the bytes until the next receive or wait.
            body(unsafe RawSpan(_unsafeStart: view.bytes, byteCount: Int(view.byte_count)), TransportSource(UInt32(index)))
            count += 1
        }
        return received.count
    }

    package func wait(upTo nanoseconds: Int64) { _ = unsafe mslot_datagram_wait(endpoint.handle, nanoseconds) }

    package func wake() { isOpen.withLock { if $0 { unsafe mslot_datagram_wake(endpoint.handle) } } }

    // MARK: hosts

    private func address(of source: TransportSource) -> UDPAddress { unsafe UDPAddress(views[Int(source.number)].source) }

    package func learn(_ host: String, inDomain domain: Int, from source: TransportSource) {
        let address = address(of: source)
        let path = address.path
        guard let socket = hosts.best(for: address, path) else { return }
        let known = path.system_error == 0 ? Int(path.byte_count_max) : address.byteCountMax
        // Less than the least makes no sense: what is too long for it the kernel refuses, which is counted.
        let learned = UDPPath(socket: socket.number, address: address, byteCountMax: max(576, min(bytesMax, known)))
        if !paths.withLock({ $0.learn(host, inDomain: domain, learned) }) { drops.hosts.add(1, ordering: .relaxed) }
    }

    package func forget(_ host: String, inDomain domain: Int) { paths.withLock { $0.forget(host, inDomain: domain) } }

    package func describe(_ source: TransportSource) -> String { address(of: source).description }

    // MARK: the end

    package var counters: [TransportCounter] {
        let now = isOpen.withLock { $0 ? endpoint.counters(drops) : nil }
        return now ?? lastCounters.withLock { $0 }
    }

    package func close() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            let last = endpoint.counters(drops)
            let outcome = unsafe mslot_datagram_close(endpoint.handle)
            precondition(outcome == .MSLOT_DATAGRAM_DONE, "A transport is closed after both of its sides have ended.")
            lastCounters.withLock { $0 = last }
            isOpen = false
        }
    }
}

extension TransportConfiguration {
    /// Of a transport over UDP.
    var network: UDPSettings {
        guard let network = settings as? UDPSettings else { preconditionFailure("This is another transport's.") }
        return network
    }
}

internal import CMailslotsNATS
package import Logging
internal import Mailslots
internal import MailslotsWire
internal import Synchronization

/// Carries datagrams through NATS servers: each is one NATS message, whose subject is the path to its destination.
///
/// There is no multicast to set up, and no address to know: each says by which subject it can be reached, and is known once it has
/// announced itself. A lost connection is made again by itself; meanwhile what is sent is kept, up to a bound.
package final class NATSTransport: Transport {
    private let endpoint: NATSEndpoint
    private let client: String
    private let host: String
    private let settings: NATSSettings
    private let subjects: NATSSubjects
    private let logger: Logger
    private let shared = Locked(Shared())
    private let isClosed = Locked(false)
    private let unreachable = Atomic<UInt64>(0)
    private let outgoing = NATSEndpoint.Outgoing()
    private let incoming = NATSEndpoint.Incoming()

    /// What both sides use.
    private struct Shared {
        /// By their index in the configuration.
        var domains: [Subscribed] = []
        /// To every host of each domain, and to each host that is known.
        var paths: [Route: CText] = [:]
    }

    /// A domain that we are in.
    private struct Subscribed {
        let name: String
        /// By which others reach us.
        let own: CText
        let numbers: [UInt32]
    }

    /// Connects, or begins to try. Throws if the configuration is wrong, if this was built without the NATS client, or if a server
    /// refuses us; not if none can be reached, for it may come later.
    package init(_ configuration: TransportConfiguration, logger: Logger) throws(BridgeError) {
        guard let settings = configuration.settings as? NATSSettings else {
            preconditionFailure("This is another transport's.")
        }
        self.settings = settings
        self.logger = logger
        host = configuration.host
        subjects = try NATSSubjects(prefix: settings.subjectPrefix)
        client = try NATSEndpoint.usableClient()
        endpoint = try NATSEndpoint(settings, name: "mailslots bridge \(configuration.host)")
        try enter(configuration.domains.map(\.name))
        // So that whatever is sent from now on reaches us.
        if endpoint.isConnected { endpoint.flush(upTo: 2_000_000_000) }
        logEvents()
    }

    deinit {
        close()
        endpoint.free()
    }

    package func close() {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        if wasClosed { return }
        endpoint.close()
    }

    package var summary: String {
        let (isConnected, says) = endpoint.state
        let state = (isConnected ? "connected to " : "not connected: ") + says
        let listening = shared.withLock { $0.domains.map { subjects.subject(of: .host(host), inDomain: $0.name) } }
        return "NATS by \(client), \(state); subjects \(listening.joined(separator: ", "))"
    }

    // MARK: domains

    /// Makes the domains those of these names, in this order. What is known of hosts of a domain that stays is kept.
    private func enter(_ names: [String]) throws(BridgeError) {
        let before = shared.withLock { $0 }
        var domains: [Subscribed] = []
        for name in names {
            if let same = before.domains.first(where: { $0.name == name }) {
                domains.append(same)
                continue
            }
            do throws(BridgeError) {
                domains.append(try subscribe(name))
            } catch {
                leave(domains, except: before.domains)
                throw error
            }
        }
        var paths: [Route: CText] = [:]
        for (index, domain) in domains.enumerated() {
            paths[Route(domain: index, destination: .everyHost)] = path(to: .everyHost, inDomain: domain.name)
            guard let earlier = before.domains.firstIndex(where: { $0.name == domain.name }) else { continue }
            for (route, path) in before.paths where route.domain == earlier {
                paths[Route(domain: index, destination: route.destination)] = path
            }
        }
        shared.withLock { $0 = Shared(domains: domains, paths: paths) }
        leave(before.domains, except: domains)
    }

    private func subscribe(_ domain: String) throws(BridgeError) -> Subscribed {
        var numbers: [UInt32] = []
        for destination in [Destination.host(host), .everyHost] {
            let subject = subjects.subject(of: destination, inDomain: domain)
            do throws(BridgeError) {
                numbers.append(try endpoint.subscribe(subject))
            } catch {
                for number in numbers { endpoint.unsubscribe(number) }
                throw error
            }
        }
        return Subscribed(name: domain, own: path(to: .host(host), inDomain: domain), numbers: numbers)
    }

    private func leave(_ domains: [Subscribed], except stays: [Subscribed]) {
        for domain in domains where !stays.contains(where: { $0.numbers == domain.numbers }) {
            for number in domain.numbers { endpoint.unsubscribe(number) }
        }
    }

    private func path(to destination: Destination, inDomain domain: String) -> CText {
        CText(subjects.subject(of: destination, inDomain: domain))
    }

    package func learn(_ host: String, inDomain domain: Int, from source: TransportSource) {
        shared.withLock { shared in
            guard shared.domains.indices.contains(domain) else { return }
            let reply = reply(of: source)
            // Whoever carries a datagram can change what is beside it: then it goes to another host of the domain at worst.
            let isOurs = subjects.isHost(reply, inDomain: shared.domains[domain].name)
            let subject = isOurs ? reply : subjects.subject(of: .host(host), inDomain: shared.domains[domain].name)
            let route = Route(domain: domain, destination: .host(host))
            if shared.paths[route]?.string != subject { shared.paths[route] = CText(subject) }
        }
    }

    package func forget(_ host: String, inDomain domain: Int) {
        shared.withLock { $0.paths[Route(domain: domain, destination: .host(host))] = nil }
    }

    package func describe(_ source: TransportSource) -> String {
        let printable = reply(of: source).unicodeScalars.prefix(200).filter { !$0.properties.isWhitespace && $0.value >= 32 }
        return "NATS " + String(String.UnicodeScalarView(printable))
    }

    private func reply(of source: TransportSource) -> String { incoming.reply(of: Int(source.number)) }

    package func reconfigure(_ configuration: TransportConfiguration) throws(BridgeError) {
        guard configuration.settings as? NATSSettings == settings, configuration.host == host else {
            throw BridgeError(
                .badConfiguration,
                "The host's name, the NATS servers and how we get in cannot be changed while the bridge runs. Start it again.")
        }
        try enter(configuration.domains.map(\.name))
    }

    // MARK: sending

    package func byteCountMax(to destination: Route) -> Int? {
        shared.withLock { $0.paths[destination] == nil ? nil : DatagramFormat.bytesMax }
    }

    package func send(_ batch: borrowing DatagramBatch) {
        shared.withLock { shared in
            for run in batch.runs {
                guard let path = shared.paths[run.route] else {
                    unreachable.add(UInt64(run.range.count), ordering: .relaxed)
                    continue
                }
                let own = shared.domains[run.route.domain].own
                for index in run.range { outgoing.append(index, of: batch, to: path, from: own) }
            }
        }
        endpoint.send(outgoing, waitingUpTo: DatagramBatch.roomTimeout)
    }

    // MARK: receiving

    package func receive(_ body: (_ datagram: RawSpan, _ source: TransportSource) -> Void) -> Int {
        logEvents()
        endpoint.receive(incoming)
        for index in 0..<incoming.count { incoming.withDatagram(index) { body($0, TransportSource(UInt32(index))) } }
        return incoming.count
    }

    package func wait(upTo nanoseconds: Int64) {
        endpoint.wait(upTo: nanoseconds)
        logEvents()
    }

    package func wake() { endpoint.wake() }

    // MARK: what happened

    private func logEvents() {
        while true {
            let (kind, what) = endpoint.nextEvent
            switch kind {
            case .MSLOT_NATS_NO_EVENT: return
            case .MSLOT_NATS_CONNECTED: logger.info("NATS: connected to \(what).")
            case .MSLOT_NATS_LOST: logger.warning("NATS: the connection is lost (\(what)). It is tried again until a server answers.")
            case .MSLOT_NATS_UNREACHABLE:
                logger.warning(
                    """
                    NATS: no server answers (\(what)): \(settings.addresses). It is tried again until one does; up to \
                    \(settings.backlogSize) bytes are kept meanwhile.
                    """)
            case .MSLOT_NATS_ERROR: logger.error("NATS: \(what).")
            }
        }
    }

    package var counters: [TransportCounter] {
        let counted = endpoint.counted
        let dropped = counted.dropped
        return [
            TransportCounter("datagrams.sent", counted.sent),
            TransportCounter("bytes.sent", counted.sent_bytes),
            TransportCounter("datagrams.received", counted.received),
            TransportCounter("bytes.received", counted.received_bytes),
            TransportCounter("drops.send.unreachable", unreachable.load(ordering: .relaxed)),
            TransportCounter("drops.send.too_long", dropped.0),
            TransportCounter("drops.send.no_room", dropped.1),
            TransportCounter("drops.send.backlog_full", dropped.2),
            TransportCounter("drops.send.connection_lost", dropped.3),
            TransportCounter("drops.send.client", dropped.4),
            TransportCounter("drops.receive.too_long", dropped.5),
            TransportCounter("drops.receive.full", dropped.6),
            TransportCounter("nats.connects", counted.connects),
            TransportCounter("nats.disconnects", counted.disconnects),
            TransportCounter("nats.connects.failed", counted.failed_connects),
            TransportCounter("nats.errors", counted.errors),
            TransportCounter("nats.slow", counted.slow),
            TransportCounter("nats.blocked", counted.blocked),
            TransportCounter("nats.backlogged", counted.backlogged),
        ]
    }
}

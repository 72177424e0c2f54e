internal import CMailslotsNATS
package import Logging
internal import Mailslots
internal import MailslotsWire
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Carries datagrams through NATS servers: each is one NATS message, whose subject is the path to its destination.
///
/// There is no multicast to set up, and no address to know: each says by which subject it can be reached, and is known once it has
/// announced itself. A lost connection is made again by itself; meanwhile what is sent is kept, up to a bound.
@safe
package final class NATSTransport: Transport {
    /// Sound: the C functions are for the threads that the protocol `Transport` says.
    nonisolated(unsafe) private let endpoint: OpaquePointer
    private let client: String
    private let host: String
    private let settings: NATSSettings
    private let subjects: NATSSubjects
    private let logger: Logger
    private let shared = Locked(Shared())
    private let isClosed = Locked(false)
    private let unreachable = Atomic<UInt64>(0)
    private let outgoing = Outgoing()
    private let incoming = Incoming()

    /// What both sides use.
    private struct Shared {
        /// By their index in the configuration.
        var domains: [Subscribed] = []
        /// To every host of each domain, and to each host that is known.
        var paths: [Route: Subject] = [:]
    }

    /// A domain that we are in.
    private struct Subscribed {
        let name: String
        /// By which others reach us.
        let own: Subject
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
        let probed = mslot_nats_probe()
        client = textOf(probed.text)
        guard probed.is_usable else { throw BridgeError(.system, "NATS cannot be used: \(client).") }
        let opened = try unsafe settings.open(name: "mailslots bridge \(configuration.host)")
        unsafe endpoint = opened.endpoint
        try enter(configuration.domains.map(\.name))
        // So that whatever is sent from now on reaches us.
        if unsafe opened.is_connected { unsafe _ = mslot_nats_flush(endpoint, 2_000_000_000) }
        logEvents()
    }

    deinit {
        close()
        unsafe mslot_nats_free(endpoint)
    }

    package func close() {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        if wasClosed { return }
        let outcome = unsafe mslot_nats_close(endpoint)
        precondition(outcome == .MSLOT_NATS_DONE, "The transport is closed while it is used.")
    }

    package var summary: String {
        let info = unsafe mslot_nats_describe(endpoint)
        let state = (info.is_connected ? "connected to " : "not connected: ") + textOf(info.text)
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
        var paths: [Route: Subject] = [:]
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
            let subscribed = unsafe mslot_nats_subscribe(endpoint, subject)
            guard subscribed.outcome == .MSLOT_NATS_DONE else {
                for number in numbers { unsafe _ = mslot_nats_unsubscribe(endpoint, number) }
                let reason = unsafe String(cString: mslot_nats_outcome_text(subscribed.outcome))
                throw BridgeError(.network, "NATS: cannot subscribe to \(subject): \(reason).")
            }
            numbers.append(subscribed.subscription)
        }
        return Subscribed(name: domain, own: path(to: .host(host), inDomain: domain), numbers: numbers)
    }

    private func leave(_ domains: [Subscribed], except stays: [Subscribed]) {
        for domain in domains where !stays.contains(where: { $0.numbers == domain.numbers }) {
            for number in domain.numbers { unsafe _ = mslot_nats_unsubscribe(endpoint, number) }
        }
    }

    private func path(to destination: Destination, inDomain domain: String) -> Subject {
        Subject(subjects.subject(of: destination, inDomain: domain))
    }

    package func learn(_ host: String, inDomain domain: Int, from source: TransportSource) {
        shared.withLock { shared in
            guard shared.domains.indices.contains(domain) else { return }
            let reply = reply(of: source)
            // Whoever carries a datagram can change what is beside it: then it goes to another host of the domain at worst.
            let isOurs = subjects.isHost(reply, inDomain: shared.domains[domain].name)
            let subject = isOurs ? reply : subjects.subject(of: .host(host), inDomain: shared.domains[domain].name)
            let route = Route(domain: domain, destination: .host(host))
            if shared.paths[route]?.string != subject { shared.paths[route] = Subject(subject) }
        }
    }

    package func forget(_ host: String, inDomain domain: Int) {
        shared.withLock { $0.paths[Route(domain: domain, destination: .host(host))] = nil }
    }

    package func describe(_ source: TransportSource) -> String {
        let printable = reply(of: source).unicodeScalars.prefix(200).filter { !$0.properties.isWhitespace && $0.value >= 32 }
        return "NATS " + String(String.UnicodeScalarView(printable))
    }

    /// What its sender says; empty if nothing.
    private func reply(of source: TransportSource) -> String {
        let index = Int(source.number)
        guard index < incoming.count else { return "" }
        return unsafe String(cString: incoming.views[index].reply)
    }

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
        outgoing.removeAll()
        shared.withLock { shared in
            for run in batch.runs {
                guard let path = shared.paths[run.route] else {
                    unreachable.add(UInt64(run.range.count), ordering: .relaxed)
                    continue
                }
                let own = shared.domains[run.route.domain].own
                // Sound: the bytes stay where they are as long as the batch is borrowed, and `outgoing` keeps the subjects.
                for index in run.range { unsafe outgoing.append(batch.bytes(of: index), to: path, from: own) }
            }
        }
        unsafe _ = mslot_nats_send(endpoint, outgoing.datagrams, outgoing.count, Self.roomTimeout)
    }

    private static let roomTimeout: Int64 = 10_000_000

    /// Of the sending side: a batch as the C function takes it.
    @safe
    private final class Outgoing: @unchecked Sendable {
        // Sound: one thread at a time sends.
        let datagrams = UnsafeMutablePointer<mslot_nats_datagram>.allocate(capacity: DatagramBatch.countMax)
        private(set) var count = 0
        private var kept: [Subject] = []

        deinit { unsafe datagrams.deallocate() }

        func removeAll() {
            count = 0
            kept.removeAll(keepingCapacity: true)
        }

        func append(_ bytes: UnsafeRawBufferPointer, to subject: Subject, from own: Subject) {
            if kept.last !== subject { kept += [own, subject] }
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe (datagrams + count).initialize(
                to: mslot_nats_datagram(subject: subject.text, reply: own.text, bytes: start, byte_count: UInt32(bytes.count)))
            count += 1
        }
    }

    /// A subject as a C string.
    @safe
    private final class Subject: Sendable {
        let string: String
        /// Sound: nobody writes it.
        nonisolated(unsafe) let text: UnsafePointer<CChar>

        init(_ subject: String) {
            string = subject
            unsafe text = UnsafePointer(copied(subject))
        }
        deinit { unsafe free(UnsafeMutablePointer(mutating: text)) }
    }

    // MARK: receiving

    package func receive(_ body: (_ datagram: RawSpan, _ source: TransportSource) -> Void) -> Int {
        logEvents()
        incoming.count = unsafe mslot_nats_receive(endpoint, incoming.views, Incoming.countMax).count
        for index in 0..<incoming.count {
            let view = unsafe incoming.views[index]
            // Sound: the view's bytes are there until the next receive.
            let datagram = unsafe RawSpan(_unsafeStart: view.bytes, byteCount: Int(view.byte_count))
            body(datagram, TransportSource(UInt32(index)))
        }
        return incoming.count
    }

    package func wait(upTo nanoseconds: Int64) {
        unsafe _ = mslot_nats_wait(endpoint, nanoseconds)
        logEvents()
    }

    package func wake() { unsafe mslot_nats_wake(endpoint) }

    /// Of the receiving side.
    @safe
    private final class Incoming: @unchecked Sendable {
        static let countMax = 256
        // Sound: one thread at a time receives.
        let views = UnsafeMutablePointer<mslot_nats_view>.allocate(capacity: countMax)
        /// How many of them are what was received last. Sources count them.
        var count = 0

        deinit { unsafe views.deallocate() }
    }

    // MARK: what happened

    private func logEvents() {
        while true {
            let event = unsafe mslot_nats_next_event(endpoint)
            let what = textOf(event.text)
            switch event.kind {
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
        let counted = unsafe mslot_nats_count(endpoint)
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

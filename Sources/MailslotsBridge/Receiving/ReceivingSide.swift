internal import Logging
internal import Mailslots
internal import MailslotsWire

/// From the network to this machine's mailslots: opens each datagram, and delivers its messages. For one thread at a time.
struct ReceivingSide: ~Copyable {
    /// To derive a session's key costs some microseconds, whoever asks for it.
    private static let newSessionsPerSecond = 1000
    /// Some fifty datagrams: what can be opened in the time in which a reader wakes up.
    private static let memoryBytes = 1 << 16
    private static let housekeepingNanoseconds: Int64 = 1_000_000_000
    private static let conflictLogNanoseconds: Int64 = 60_000_000_000

    private let clock: BridgeClock
    private let counters: BridgeCounters
    private let logger: Logger
    private let notices: Notices
    private let hosts: HostList
    private let transport: any Transport
    private let delivery: Delivery
    private var opener: Opener
    /// Messages of datagrams that were opened, where they were opened to, until they are written into their mailslots, all together.
    ///
    /// Opening takes longer than writing. If each message were written as soon as it is opened, a reader would have read it before the
    /// next one is there, and fall asleep each time; to wake it takes longer than both.
    private var messages: RemoteMessages
    private let memory = MessageMemory(byteCount: ReceivingSide.memoryBytes)
    private let wakeup: Wakeup
    private let table: HostTable

    private var configuration: BridgeConfiguration
    private var ownSessions: Set<SessionID>
    private var allowedHosts: Patterns
    private var newSessions: RateLimit
    private var nextHousekeeping: Int64 = 0
    private var lastConflictLog = Int64.min / 2
    private var lossesSeen: [String: UInt64] = [:]

    /// Whose session it is.
    private final class Peer {
        let index: UInt16
        let isAllowed: Bool
        var limit: RateLimit?

        init(index: UInt16, isAllowed: Bool, limit: RateLimit?) {
            self.index = index
            self.isAllowed = isAllowed
            self.limit = limit
        }
    }

    private var peers: [UInt16: Peer] = [:]
    private var peersOfSessions: [SessionID: Peer] = [:]
    private var last: (session: SessionID, peer: Peer)?

    init(
        _ configuration: BridgeConfiguration, domains: [Domain], ownSessions: [SessionID], transport: any Transport, hosts: HostList,
        counters: BridgeCounters, clock: BridgeClock, logger: Logger, notices: Notices, wakeup: Wakeup
    ) throws(BridgeError) {
        messages = RemoteMessages(in: memory, capacity: Self.memoryBytes / DatagramFormat.recordHeaderBytes)
        table = try HostTable(permissions: configuration.outboxes.permissions)
        hosts.restore(table.hosts())
        self.configuration = configuration
        self.ownSessions = Set(ownSessions)
        self.transport = transport
        self.hosts = hosts
        self.counters = counters
        self.clock = clock
        self.logger = logger
        self.notices = notices
        self.wakeup = wakeup
        allowedHosts = Patterns(configuration.delivery.allowedHosts)
        delivery = Delivery(configuration.delivery, counters: counters, waitBudget: WaitBudget())
        newSessions = RateLimit(perSecond: Self.newSessionsPerSecond, now: BridgeClock.monotonic)
        opener = Opener(
            host: configuration.host, domains: domains, start: clock.real(),
            clockBound: UInt64(configuration.clockBound.nanoseconds))
    }

    /// Takes what is there. False: there was nothing.
    mutating func turn() -> Bool {
        let time = (now: BridgeClock.monotonic, real: clock.real())
        let now = time.now
        let transport = transport
        let count = transport.receive { datagram, source in
            if memory.freeCount < DatagramFormat.bytesMax { deliverAll(now) }
            take(datagram, from: source, time)
        }
        deliverAll(now)
        if now >= nextHousekeeping { keepHouse(now) }
        return count > 0
    }

    func waitNanoseconds() -> Int64 { max(0, nextHousekeeping - BridgeClock.monotonic) }

    private mutating func keepHouse(_ now: Int64) {
        nextHousekeeping = now + Self.housekeepingNanoseconds
        if transport.followNetwork() {
            hosts.reconnected()
            wakeup.signal()
        }
        delivery.closeIdle(now: now)
        let gone = hosts.expire(before: now - 3 * configuration.announceEvery.nanoseconds)
        for name in gone {
            forget(name)
            record(name, address: "")
            logger.info("A host is gone", metadata: ["bridge.host": "\(name.host)", "bridge.domain": "\(name.domain)"])
        }
        if !gone.isEmpty { wakeup.signal() }
        if peersOfSessions.count > Opener.sessionsMax { peersOfSessions.removeAll() }
        noticeLosses(now)
    }

    /// What the transport has lost since the last time.
    private mutating func noticeLosses(_ now: Int64) {
        for counter in transport.counters {
            let before = lossesSeen.updateValue(counter.value, forKey: counter.name) ?? 0
            guard counter.value > before, let text = TransportLoss.explained(counter.name) else { continue }
            notices.say(counter.name, count: Int(clamping: counter.value - before), now: now, realTime: clock.real()) { text }
        }
    }

    private func forget(_ name: HostList.Name) {
        guard let domain = configuration.domains.firstIndex(where: { $0.name == name.domain }) else { return }
        transport.forget(name.host, inDomain: domain)
    }

    // MARK: datagrams

    private mutating func take(_ datagram: RawSpan, from source: TransportSource, _ time: (now: Int64, real: UInt64)) {
        var header: DatagramHeader?
        do throws(DatagramRejection) {
            let known = try DatagramHeader(datagram: datagram)
            header = known
            if let refusal = refusal(of: known.session, time.now) { return counters.add(refusal) }
            let memory = memory
            let opened = try memory.append { output throws(DatagramRejection) in
                try opener.open(datagram, known, now: time.real, to: &output)
            }
            try memory.withBytes(opened.bytes) { records throws(DatagramRejection) in
                try read(records, opened.result, source, time.now)
            }
            counters.add(.datagramsAccepted)
        } catch {
            counters.add(error)
            notice(error, header, source, time)
        }
    }

    private func notice(
        _ rejection: DatagramRejection, _ header: DatagramHeader?, _ source: TransportSource, _ time: (now: Int64, real: UInt64)
    ) {
        guard rejection.isNoticed else { return }
        notices.say("refused.\(rejection)", now: time.now, realTime: time.real) {
            rejection.explained(header, from: transport.describe(source), now: time.real)
        }
    }

    private mutating func refusal(of session: SessionID, _ now: Int64) -> BridgeCount? {
        if last?.session == session { return nil }
        // Multicast comes back to us; and whoever sends us our own datagrams again achieves nothing.
        if ownSessions.contains(session) { return .datagramsOwn }
        return opener.knows(session) || newSessions.allows(now: now) ? nil : .datagramsOverSessionLimit
    }

    private mutating func read(
        _ records: RawSpan, _ origin: DatagramOrigin, _ source: TransportSource, _ now: Int64
    ) throws(DatagramRejection) {
        var peer = peer(of: origin.header.session, now)
        try Records.read(records) { record, name, payload in
            switch record.kind {
            case .announcement:
                hear(payload, origin, source, now)
                peer = self.peer(of: origin.header.session, now)
            case .message:
                guard peer.isAllowed else { return counters.add(.droppedHostNotAllowed) }
                if peer.limit?.allows(now: now) == false { return counters.add(.droppedHostLimit) }
                let from = MailslotOrigin(hostNumber: peer.index, isAuthenticated: origin.isAuthenticated)
                messages.append(payload, to: name, sender: record.sender, origin: from.rawValue)
            }
        }
    }

    private mutating func deliverAll(_ now: Int64) {
        let delivery = delivery
        delivery.beginBatch()
        messages.removeAll { batch, name in delivery.deliver(&batch, to: name, now: now) }
    }

    private mutating func peer(of session: SessionID, _ now: Int64) -> Peer {
        if let last, last.session == session { return last.peer }
        let peer = peersOfSessions[session] ?? peer(MailslotOrigin.unknownHostNumber, called: "", now)
        last = (session, peer)
        return peer
    }

    private mutating func peer(_ index: UInt16, called host: String, _ now: Int64) -> Peer {
        if let known = peers[index] { return known }
        let limit = configuration.delivery.messagesPerSecondOfHost.map { RateLimit(perSecond: $0, now: now) }
        let peer = Peer(index: index, isAllowed: allowedHosts.match(host), limit: limit)
        peers[index] = peer
        return peer
    }

    // MARK: announcements

    private mutating func hear(_ payload: RawSpan, _ origin: DatagramOrigin, _ source: TransportSource, _ now: Int64) {
        guard let announcement = Announcement(payload) else { return counters.add(.announcementsMalformed) }
        counters.add(.announcementsReceived)
        let session = origin.header.session
        let name = HostList.Name(domain: configuration.domains[origin.domain].name, host: announcement.host)
        guard name.host != configuration.host else {
            logConflict("Another host has our name: one of the two must have another", name, source, now)
            return
        }
        switch announcement.kind {
        case .goodbye:
            guard hosts.left(name, session: session) else { return }
            forget(name)
            record(name, address: "")
            logger.info("A host said goodbye", metadata: metadata(name, source))
            wakeup.signal()
        case .present:
            let heard = hosts.heard(name, session: session, isAuthenticated: origin.isAuthenticated, now: now, realTime: clock.real())
            guard let index = heard.index else {
                return logConflict("There are more hosts than this bridge can tell apart", name, source, now)
            }
            transport.learn(name.host, inDomain: origin.domain, from: source)
            record(name, address: transport.describe(source))
            peersOfSessions[session] = peer(index, called: name.host, now)
            last = nil
            switch heard {
            case .newcomer:
                logger.info("A host is there", metadata: metadata(name, source))
                wakeup.signal()
            case .conflict: logConflict("Two hosts have the same name: messages go to the one that was heard last", name, source, now)
            case .nothingNew, .tooMany: break
            }
        }
    }

    /// For `mailslot hosts`, and for who asks where a message came from.
    private func record(_ name: HostList.Name, address: String) {
        guard let host = hosts[name] else { return }
        if !table.set(host, name, address: address) { counters.add(.hostsNotRecorded) }
    }

    private func metadata(_ name: HostList.Name, _ source: TransportSource) -> Logger.Metadata {
        ["bridge.host": "\(name.host)", "bridge.domain": "\(name.domain)", "bridge.address": "\(transport.describe(source))"]
    }

    /// At most once a minute: who sends decides how often it happens.
    private mutating func logConflict(_ text: Logger.Message, _ name: HostList.Name, _ source: TransportSource, _ now: Int64) {
        guard now - lastConflictLog >= Self.conflictLogNanoseconds else { return }
        lastConflictLog = now
        logger.warning(text, metadata: metadata(name, source))
    }

    // MARK: changes

    mutating func reconfigure(_ new: BridgeConfiguration, domains: [Domain], ownSessions: [SessionID]) {
        configuration = new
        self.ownSessions.formUnion(ownSessions)
        allowedHosts = Patterns(new.delivery.allowedHosts)
        delivery.reconfigure(new.delivery)
        opener.reconfigure(domains: domains, clockBound: UInt64(new.clockBound.nanoseconds), now: clock.real())
        // With their limits and permissions; who they are was told by their announcements.
        let sessions = peersOfSessions.mapValues(\.index)
        peers = [:]
        let now = BridgeClock.monotonic
        for (session, index) in sessions { peersOfSessions[session] = peer(index, called: hosts.name(of: index)?.host ?? "", now) }
        last = nil
    }
}

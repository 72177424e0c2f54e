internal import CMailslots
internal import Logging
internal import Mailslots
internal import MailslotsWire

/// From the outboxes to the network: makes outboxes for those who ask, drains them, and has what is for one destination packed into as few
/// datagrams as hold it. Nothing waits for more to come: what is there, goes.
///
/// It goes in turns. A turn sends at most one batch; a destination gets at most its share of it, so that none starves the others. For one
/// thread at a time.
final class SendingSide {
    private let counters: BridgeCounters
    private let logger: Logger
    private let hosts: HostList
    private let transport: any Transport
    private let requests: OutboxRequests
    private let outboxes: Outboxes
    private var packer: Packer

    private var configuration: BridgeConfiguration
    private var allowed: Patterns
    private var destinations: [DestinationQueue] = []
    private var seen: HostList.Changes?
    private var turns = 0
    private var announcements: AnnouncementSchedule
    private var isEnding = false
    private var nextSweep: Int64 = 0
    private static let sweepNanoseconds: Int64 = 10_000_000_000

    /// What there is to wait for when a turn found nothing to do.
    struct Idle: Sendable {
        let wait: ReaderWait
        let deadline: Int64
    }

    init(
        _ configuration: BridgeConfiguration, domains: [Domain], transport: any Transport, hosts: HostList, counters: BridgeCounters,
        clock: BridgeClock, logger: Logger, wakeup: Wakeup
    ) throws(BridgeError) {
        self.configuration = configuration
        self.transport = transport
        self.hosts = hosts
        self.counters = counters
        self.logger = logger
        allowed = Patterns(configuration.outboxes.allowed)
        packer = Packer(configuration, domains: domains, transport: transport, counters: counters, clock: clock)
        requests = try OutboxRequests(configuration.outboxes)
        outboxes = Outboxes(wakeup: wakeup)
        announcements = AnnouncementSchedule(every: configuration.announceEvery, now: BridgeClock.monotonic)
        wakeup.setInterrupter(requests.interrupter())
        adoptOutboxes()
    }

    var sessions: [SessionID] { packer.sessions }

    // MARK: turns

    /// Does what there is to do. `nil`: there may be more.
    func turn() -> Idle? {
        let now = BridgeClock.monotonic
        var isBusy = serveRequests(now)
        if outboxes.wakeSignalled() { isBusy = true }
        lookAtHosts(now)
        announceIfDue(now)
        closeDestroyed()
        sweepIfDue(now)
        if outboxes.takeAwakeChanged() { regroup() }
        turns += 1
        for offset in destinations.indices {
            guard !packer.isFull else { break }
            let queue = destinations[(turns + offset) % destinations.count]
            if send(queue, now) { isBusy = true }
        }
        packer.send(now: now)
        if !isBusy, let idle = idle(now) { return idle }
        return nil
    }

    private func idle(_ now: Int64) -> Idle? {
        var wait = ReaderWait()
        requests.join(&wait)
        guard outboxes.join(&wait) else { return nil }
        let blocked = destinations.filter(\.isBlocked).map { $0.lastKnown + absenceNanoseconds }.min() ?? .max
        return Idle(wait: wait, deadline: min(announcements.next, blocked, outboxes.isEmpty ? .max : nextSweep))
    }

    /// Waits until there may be something to do. Without the lock on the sending side: another thread may change the configuration.
    /// Returns for how many nanoseconds.
    static func wait(_ idle: Idle) -> Int64 {
        let before = BridgeClock.monotonic
        guard before < idle.deadline else { return 0 }
        idle.wait.wait(upTo: idle.deadline - before)
        return BridgeClock.monotonic - before
    }

    // MARK: destinations

    /// What is unread in outboxes whose host is away waits so long for it to come back.
    private var absenceNanoseconds: Int64 { 3 * configuration.announceEvery.nanoseconds }

    /// The outboxes that are awake, by destination.
    private func regroup() {
        var groups: [OutboxDestination?: DestinationQueue] = [:]
        let known = Dictionary(destinations.map { ($0.destination, $0) }) { first, _ in first }
        for outbox in outboxes.awake {
            let queue = groups[outbox.destination] ?? known[outbox.destination] ?? DestinationQueue(outbox.destination)
            if groups[outbox.destination] == nil {
                queue.outboxes.removeAll(keepingCapacity: true)
                groups[outbox.destination] = queue
            }
            queue.outboxes.append(outbox)
        }
        destinations = [DestinationQueue](groups.values)
    }

    private func lookAtHosts(_ now: Int64) {
        let changes = hosts.changes
        guard changes != seen else { return }
        if changes.newcomers != seen?.newcomers || changes.reconnections != seen?.reconnections { answerNewcomer(now) }
        if changes.comingsAndGoings != seen?.comingsAndGoings { resolveAll() }
        seen = changes
    }

    private func resolveAll() {
        for outbox in outboxes.outboxes {
            outbox.destination = resolve(outbox.name.destination)
            outbox.isBlocked = false
        }
        regroup()
    }

    /// Where a name leads. A domain of ours wins over a host that is called the same.
    private func resolve(_ name: String) -> OutboxDestination? {
        if name == OutboxName.ownDomain { return .route(Route(domain: 0, destination: .everyHost)) }
        if let index = configuration.domains.firstIndex(where: { $0.name == name }) {
            return .route(Route(domain: index, destination: .everyHost))
        }
        if name == configuration.host { return .ourselves }
        let index = configuration.domains.firstIndex { domain in
            hosts.isPresent(HostList.Name(domain: domain.name, host: name)) || domain.peers.contains { $0.host == name }
        }
        return index.map { .route(Route(domain: $0, destination: .host(name))) }
    }

    // MARK: requests for outboxes

    private func serveRequests(_ now: Int64) -> Bool {
        var served = 0
        while served < 64 {
            switch requests.next() {
            case .nothing: return served > 0
            case .malformed: counters.add(.requestsMalformed)
            case .request(let request): serve(request, now)
            }
            served += 1
        }
        return true
    }

    private func serve(_ request: OutboxRequest, _ now: Int64) {
        guard let name = request.outbox else {
            return refuse(
                request, .badName, "A host or domain has 1 to 63 bytes, and a mailslot to write to from afar a name of 1 to 40 bytes.")
        }
        if outboxes[name] != nil { return requests.answer(request, .ready) }
        guard !isEnding else { return refuse(request, .ending, "Wait for the next bridge, or start it: mailslot bridge.") }
        guard let destination = resolve(name.destination) else {
            return refuse(
                request, .noSuchHost,
                """
                No host and no domain is called \(name.destination). `mailslot hosts` lists the hosts that were heard of; this one is \
                \(configuration.host), in \(configuration.domains.map(\.name).joined(separator: ", ")).
                """)
        }
        guard allowed.match(name.destination + "/" + name.mailslot) else {
            return refuse(
                request, .notAllowed,
                "Its configuration, outboxes.allowed, does not let \(name.destination)/\(name.mailslot) be sent to.")
        }
        guard outboxes.hasRoom(configuration.outboxes, now: now) else {
            return refuse(
                request, .tooManyOutboxes,
                """
                There are \(outboxes.count) outboxes of \(outboxes.byteCount >> 20) MiB, as many as its configuration allows. Raise \
                outboxes.countMax or outboxes.bytesMax, or make the file system of the mailslots larger.
                """)
        }
        do throws(BridgeError) {
            try open(name, destination, now)
            requests.answer(request, .ready)
        } catch {
            refuse(request, .noResources, error.description)
        }
    }

    private func refuse(_ request: OutboxRequest, _ result: OutboxProtocol.Result, _ text: String) {
        counters.add(.requestsRefused)
        requests.answer(request, result, text)
        logger.debug("Refused an outbox", metadata: ["bridge.outbox": "\(request.outbox?.local ?? "")", "bridge.cause": "\(text)"])
    }

    @discardableResult
    private func open(_ name: OutboxName, _ destination: OutboxDestination?, _ now: Int64) throws(BridgeError) -> Outbox {
        let outbox = try outboxes.open(name, configuration.outboxes, now: now)
        outbox.destination = destination
        counters.add(.outboxesMade)
        return outbox
    }

    /// Memory that nobody uses is given back.
    private func sweepIfDue(_ now: Int64) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepNanoseconds
        outboxes.closeIdle(now: now)
    }

    /// Those of a bridge that was killed, with what is unread in them. Those that nobody has open and that are empty go.
    private func adoptOutboxes() {
        let now = BridgeClock.monotonic
        for name in Outboxes.leftBehind() {
            do throws(BridgeError) {
                outboxes.closeIfUnused(try open(name, resolve(name.destination), now))
            } catch {
                logger.warning(
                    "An outbox of an earlier bridge cannot be adopted",
                    metadata: ["bridge.outbox": "\(name.local)", "error": "\(error)"])
            }
        }
    }

    /// Somebody has written over it. Who asks for it gets a new one.
    private func closeDestroyed() {
        guard let outbox = outboxes.awake.first(where: \.isDestroyed) else { return }
        logger.error("An outbox is destroyed, and closed", metadata: ["bridge.outbox": "\(outbox.name.local)"])
        outboxes.close(outbox)
    }

    // MARK: messages

    /// Moves messages of one destination into the batch. False: there were none.
    private func send(_ queue: DestinationQueue, _ now: Int64) -> Bool {
        switch queue.destination {
        case nil: return isHopeless(queue, now)
        case .ourselves: return packer.deliverToOurselves(queue, now: now)
        case .route(let route):
            guard let byteCountMax = transport.byteCountMax(to: route) else { return isHopeless(queue, now) }
            queue.lastKnown = now
            queue.isBlocked = false
            let share = max(8, DatagramBatch.countMax / destinations.count)
            return packer.pack(queue, for: route, byteCountMax, share: share, now: now)
        }
    }

    /// No path is known to it. Its messages wait for a while, and then they are dropped.
    private func isHopeless(_ queue: DestinationQueue, _ now: Int64) -> Bool {
        guard now - queue.lastKnown >= absenceNanoseconds else {
            queue.isBlocked = queue.hasMessage(now, counters)
            return false
        }
        var dropped = 0
        while dropped < 256, queue.hasMessage(now, counters) {
            queue.current.takeNext()
            queue.release()
            dropped += 1
        }
        queue.isBlocked = false
        counters.add(.droppedNoPath, dropped)
        return dropped > 0
    }

    // MARK: announcements

    /// A host is new, or all are on a network that is: they have not heard of us, and we have not told them on the paths that lead to one
    /// alone.
    private func answerNewcomer(_ now: Int64) {
        for queue in destinations { queue.lastTold = .min / 2 }
        announcements.answerSoon(now: now, hostCount: hosts.presentCount)
    }

    private func announceIfDue(_ now: Int64) {
        guard announcements.isDue(now) else { return }
        packer.announce(.present, now: now)
        announcements.done(now)
    }

    // MARK: changes and the end

    /// Other domains, keys, limits.
    func reconfigure(_ new: BridgeConfiguration, domains: [Domain]) {
        packer.reconfigure(new, domains: domains)
        configuration = new
        allowed = Patterns(new.outboxes.allowed)
        announcements = AnnouncementSchedule(every: new.announceEvery, now: BridgeClock.monotonic)
        seen = nil
    }

    /// From now on no outbox is made.
    func beginEnd() { isEnding = true }

    /// Says goodbye, and closes everything: writers are told, what is unread is discarded.
    func end(wakeup: Wakeup) {
        packer.announce(.goodbye, now: BridgeClock.monotonic)
        outboxes.closeAll()
        wakeup.setInterrupter(nil)
    }
}

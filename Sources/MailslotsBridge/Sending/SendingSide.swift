#if Bridge
    internal import CMailslots
    internal import Logging

    /// From the outboxes to the network: drains them, packs what is for one destination into as few datagrams as hold it, seals these, and
    /// hands them on in one batch. Nothing waits for more to come: what is there, goes.
    ///
    /// It goes in turns. A turn sends at most one batch; a destination gets at most its share of it, so that none starves the others. For one
    /// thread at a time.
    @safe
    final class SendingSide {
        private let clock: BridgeClock
        private let counters: BridgeCounters
        private let logger: Logger
        private let hosts: HostList
        private let transport: any Transport
        private let desk: BridgeDesk
        private let outboxes: Outboxes
        private let looped: Delivery

        private var configuration: BridgeConfiguration
        private var allowed: Patterns
        private var sealers: [SealerBox]
        private var destinations: [DestinationQueue] = []
        private var seen: HostList.Changes?
        private var turns = 0
        private var batch = DatagramBatch()
        private var announcements: AnnouncementSchedule
        private var isEnding = false

        /// Noncopyable values do not go into arrays.
        private final class SealerBox {
            var sealer: Sealer
            let key: DomainKey
            init(_ domain: Domain) {
                var generator = SystemRandomNumberGenerator()
                sealer = Sealer(domain: domain, session: SessionID(using: &generator))
                key = domain.used
            }
        }

        /// What there is to wait for when a turn found nothing to do.
        @safe
        struct Idle: @unchecked Sendable {
            // Sound: readers are closed by the thread that waits.
            let readers: [UnsafeMutablePointer<mslot_reader>?]
            let deadline: Int64
        }

        init(
            _ configuration: BridgeConfiguration, domains: [Domain], transport: any Transport, hosts: HostList, counters: BridgeCounters,
            clock: BridgeClock, logger: Logger, bell: Doorbell
        ) throws(BridgeError) {
            self.configuration = configuration
            self.transport = transport
            self.hosts = hosts
            self.counters = counters
            self.clock = clock
            self.logger = logger
            allowed = Patterns(configuration.outboxes.allowed)
            sealers = domains.map { SealerBox($0) }
            desk = try BridgeDesk(configuration.outboxes)
            outboxes = Outboxes(bell: bell)
            looped = Delivery(configuration.delivery, counters: counters)
            announcements = AnnouncementSchedule(every: configuration.announceEvery, now: BridgeClock.monotonic)
            unsafe bell.setListener(desk.requests)
            adoptOutboxes()
        }

        var sessions: [SessionID] { sealers.map { $0.sealer.session } }

        // MARK: turns

        /// Does what there is to do. `nil`: there may be more.
        func turn() -> Idle? {
            let now = BridgeClock.monotonic
            var isBusy = serveDesk(now)
            if outboxes.wakeRung() {
                regroup()
                isBusy = true
            }
            lookAtHosts(now)
            announceIfDue(now)
            closeDestroyed()
            batch.removeAll()
            turns += 1
            for offset in destinations.indices {
                guard !batch.isFull else { break }
                let queue = destinations[(turns + offset) % destinations.count]
                if send(queue, now) { isBusy = true }
            }
            if !batch.isEmpty { transport.send(batch) }
            if !isBusy, let idle = idle(now) { return idle }
            return nil
        }

        private func idle(_ now: Int64) -> Idle? {
            guard let readers = unsafe outboxes.readersToWaitFor() else { return nil }
            regroup()
            let blocked = destinations.filter(\.isBlocked).map { $0.lastKnown + patience }.min() ?? .max
            return unsafe Idle(readers: [desk.requests] + readers, deadline: min(announcements.next, blocked))
        }

        /// Waits until there may be something to do. Without the lock on the sending side: another thread may change the configuration.
        static func wait(_ idle: Idle) {
            let left = idle.deadline - BridgeClock.monotonic
            guard left > 0 else { return }
            _ = unsafe mslot_wait_any(idle.readers, idle.readers.count, left)
        }

        // MARK: destinations

        /// What is unread in outboxes whose host is away waits so long for it to come back.
        private var patience: Int64 { 3 * configuration.announceEvery.nanoseconds }

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
            if changes.newcomers != seen?.newcomers { answerNewcomer(now) }
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

        // MARK: the desk

        private func serveDesk(_ now: Int64) -> Bool {
            var served = 0
            while served < 64 {
                switch desk.next() {
                case .nothing: return served > 0
                case .malformed: counters.add(.requestsMalformed)
                case .request(let request): serve(request, now)
                }
                served += 1
            }
            return true
        }

        private func serve(_ request: DeskRequest, _ now: Int64) {
            guard let name = request.outbox else {
                return refuse(request, .badName, "a host or domain has 1 to 63 bytes, and a mailslot to write to from afar a name of 1 to 40 bytes")
            }
            if outboxes[name] != nil { return desk.answer(request, .ready) }
            guard !isEnding else { return refuse(request, .ending, "wait for the next bridge, or start it: mailslot bridge") }
            guard let destination = resolve(name.destination) else {
                return refuse(
                    request, .noSuchHost,
                    """
                    `mailslot hosts` lists the hosts that were heard of; this one is \(configuration.host), in \
                    \(configuration.domains.map(\.name).joined(separator: ", "))
                    """)
            }
            guard allowed.match(name.destination + "/" + name.mailslot) else {
                return refuse(request, .notAllowed, "its configuration, outboxes.allowed, does not name \(name.destination)/\(name.mailslot)")
            }
            guard outboxes.count < configuration.outboxes.countMax || outboxes.closeIdle(now: now) else {
                return refuse(
                    request, .tooManyOutboxes,
                    "there are \(outboxes.count) outboxes, as many as its configuration allows: raise outboxes.countMax")
            }
            do throws(BridgeError) {
                try open(name, destination, now)
                desk.answer(request, .ready)
            } catch {
                refuse(request, .noResources, error.description)
            }
        }

        private func refuse(_ request: DeskRequest, _ result: DeskResult, _ text: String) {
            counters.add(.requestsRefused)
            desk.answer(request, result, text)
            logger.debug("Refused an outbox", metadata: ["bridge.outbox": "\(request.outbox?.local ?? "")", "bridge.cause": "\(text)"])
        }

        private func open(_ name: OutboxName, _ destination: OutboxDestination?, _ now: Int64) throws(BridgeError) {
            let outbox = try outboxes.open(name, configuration.outboxes, now: now)
            outbox.destination = destination
            counters.add(.outboxesMade)
            regroup()
        }

        /// Those of a bridge that was killed, with what is unread in them.
        private func adoptOutboxes() {
            let now = BridgeClock.monotonic
            for name in Outboxes.leftBehind() {
                do throws(BridgeError) {
                    try open(name, resolve(name.destination), now)
                } catch {
                    logger.warning("An outbox of an earlier bridge cannot be adopted", metadata: ["bridge.outbox": "\(name.local)", "error": "\(error)"])
                }
            }
        }

        /// Somebody has written over it. Who asks for it gets a new one.
        private func closeDestroyed() {
            guard let outbox = outboxes.awake.first(where: \.isDestroyed) else { return }
            logger.error("An outbox is destroyed, and closed", metadata: ["bridge.outbox": "\(outbox.name.local)"])
            outboxes.close(outbox)
            regroup()
        }

        // MARK: messages

        /// Moves messages of one destination into the batch. False: there were none.
        private func send(_ queue: DestinationQueue, _ now: Int64) -> Bool {
            switch queue.destination {
            case nil: return isHopeless(queue, now)
            case .ourselves: return deliverToOurselves(queue, now)
            case .route(let route):
                guard let byteCountMax = transport.byteCountMax(to: route) else { return isHopeless(queue, now) }
                queue.lastKnown = now
                queue.isBlocked = false
                return pack(queue, route, byteCountMax, now)
            }
        }

        private func pack(_ queue: DestinationQueue, _ route: Route, _ byteCountMax: Int, _ now: Int64) -> Bool {
            var share = max(8, DatagramBatch.countMax / max(1, destinations.count))
            var isBusy = false
            let announceEvery = configuration.announceEvery.nanoseconds
            while share > 0, !batch.isFull, queue.hasMessage(now, counters) {
                let time = clock.real()
                let tells = now - queue.lastTold >= announceEvery
                let sealer = sealers[route.domain]
                batch.append(to: route) { span in
                    let recordBytes = appendRecords(to: &span, byteCountMax, queue, tells: tells, now)
                    // Before it is sent or delivered: who is killed between the two loses messages, and none comes twice.
                    queue.release()
                    if route.destination == .everyHost { deliverToOurselves(recordsOf: span, recordBytes, now) }
                    return sealer.sealer.seal(&span, recordBytes: recordBytes, to: route.destination, time: time)
                }
                queue.goOn()
                if tells { queue.lastTold = now }
                counters.add(.datagramsSealed)
                share -= 1
                isBusy = true
            }
            return isBusy
        }

        /// Fills a datagram with what there is, up to its length. Returns the bytes of its records.
        private func appendRecords(
            to span: inout MutableRawSpan, _ byteCountMax: Int, _ queue: DestinationQueue, tells: Bool, _ now: Int64
        ) -> Int {
            var messages = 0
            // Sound: the range is inside of the buffer, and the output does not leave the call.
            let count = unsafe span.withUnsafeMutableBytes { all in
                let room = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: all[DatagramFormat.headerBytes..<min(all.count, byteCountMax) - DatagramFormat.tagBytes])
                var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
                if tells { append(.present, to: &output) }
                var isFull = false
                while !isFull, queue.hasMessage(now, counters) {
                    let moved = queue.current.moveAll(to: &output)
                    messages += moved.count
                    isFull = !moved.isAll
                }
                return unsafe output.finalize(for: room)
            }
            counters.add(.messagesSent, messages)
            return count
        }

        /// What is for every host is for us too: the messages of a datagram that is not sealed yet.
        private func deliverToOurselves(recordsOf span: borrowing MutableRawSpan, _ recordBytes: Int, _ now: Int64) {
            let records = span.bytes.extracting(DatagramFormat.headerBytes..<DatagramFormat.headerBytes + recordBytes)
            do throws(DatagramRejection) {
                try Records.read(records) { header, name, payload in
                    guard header.kind == .message else { return }
                    looped.deliver(payload, to: name, sender: header.sender, origin: 0, now: now)
                }
            } catch {
                assertionFailure("We have made these records: \(error)")
            }
        }

        private func deliverToOurselves(_ queue: DestinationQueue, _ now: Int64) -> Bool {
            var share = 256
            while share > 0, queue.hasMessage(now, counters) {
                let mailslot = queue.current.mailslotBytes
                unsafe withUnsafeTemporaryAllocation(byteCount: DatagramFormat.payloadBytesMax, alignment: 1) { copy in
                    var byteCount = 0
                    var writer: UInt32 = 0
                    queue.current.withNext { payload, sender in
                        unsafe payload.withUnsafeBytes { unsafe copy.copyMemory(from: $0) }
                        (byteCount, writer) = (payload.byteCount, sender)
                        return true
                    }
                    // As above: given back before it is delivered.
                    queue.release()
                    // Sound: so many bytes were copied; bytes have no padding.
                    let payload = unsafe RawSpan(_unsafeStart: copy.baseAddress!, byteCount: byteCount)
                    unsafe looped.deliver(payload, to: mailslot.span.bytes, sender: writer, origin: 0, now: now)
                }
                counters.add(.messagesLooped)
                share -= 1
            }
            return share < 256
        }

        /// No way is known to it. Its messages wait for a while, and then they are dropped.
        private func isHopeless(_ queue: DestinationQueue, _ now: Int64) -> Bool {
            guard now - queue.lastKnown >= patience else {
                queue.isBlocked = queue.hasMessage(now, counters)
                return false
            }
            var dropped = 0
            while dropped < 256, queue.hasMessage(now, counters) {
                queue.current.withNext { _, _ in true }
                queue.release()
                dropped += 1
            }
            queue.isBlocked = false
            counters.add(.droppedNoWay, dropped)
            return dropped > 0
        }

        // MARK: announcements

        private func append(_ kind: Announcement.Kind, to output: inout OutputRawSpan) {
            let payload = Announcement(kind: kind, host: configuration.host).bytes
            // Sound: bytes have no padding.
            let fits = output.append(announcement: unsafe payload.span.bytes)
            assert(fits, "An announcement fits the shortest datagram.")
        }

        /// A host is new: it has not heard of us, and we have not told it on the ways that lead to it alone.
        private func answerNewcomer(_ now: Int64) {
            for queue in destinations { queue.lastTold = .min / 2 }
            announcements.answerSoon(now: now, hostCount: hosts.presentCount)
        }

        private func announceIfDue(_ now: Int64) {
            guard announcements.isDue(now) else { return }
            announce(.present)
            announcements.done(now)
        }

        private func announce(_ kind: Announcement.Kind) {
            batch.removeAll()
            for domain in configuration.domains.indices {
                let route = Route(domain: domain, destination: .everyHost)
                guard transport.byteCountMax(to: route) != nil else { continue }
                let time = clock.real()
                let sealer = sealers[domain]
                batch.append(to: route) { span in
                    // Sound: as in `appendRecords`.
                    let count = unsafe span.withUnsafeMutableBytes { all in
                        let room = unsafe UnsafeMutableRawBufferPointer(
                            rebasing: all[DatagramFormat.headerBytes..<all.count - DatagramFormat.tagBytes])
                        var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
                        append(kind, to: &output)
                        return unsafe output.finalize(for: room)
                    }
                    return sealer.sealer.seal(&span, recordBytes: count, to: .everyHost, time: time)
                }
                counters.add(.announcementsSent)
                if batch.isFull {
                    transport.send(batch)
                    batch.removeAll()
                }
            }
            if !batch.isEmpty { transport.send(batch) }
            batch.removeAll()
        }

        // MARK: changes and the end

        /// Other domains, keys, limits. A domain whose key stays keeps its session.
        func reconfigure(_ new: BridgeConfiguration, domains: [Domain]) {
            var before: [String: SealerBox] = [:]
            for (domain, sealer) in zip(configuration.domains, sealers) { before[domain.name] = sealer }
            sealers = domains.map { domain in
                guard let box = before[domain.name], box.key.isSame(as: domain.used) else { return SealerBox(domain) }
                return box
            }
            configuration = new
            allowed = Patterns(new.outboxes.allowed)
            looped.reconfigure(new.delivery)
            announcements = AnnouncementSchedule(every: new.announceEvery, now: BridgeClock.monotonic)
            seen = nil
        }

        /// From now on no outbox is made.
        func beginEnd() { isEnding = true }

        /// Nothing is unread. Of destinations that nothing can be sent to nothing is expected.
        var isDrained: Bool {
            let now = BridgeClock.monotonic
            return destinations.allSatisfy { $0.isBlocked || !$0.hasMessage(now, counters) }
        }

        /// Says goodbye, and closes everything: writers are told, what is unread is discarded.
        func end(bell: Doorbell) {
            announce(.goodbye)
            outboxes.closeAll()
            unsafe bell.setListener(nil)
        }
    }

    /// The outboxes of one destination that are awake.
    final class DestinationQueue {
        let destination: OutboxDestination?
        var outboxes: [Outbox] = []
        private var index = 0
        /// When a datagram last told this destination who we are. Monotonic.
        var lastTold = Int64.min / 2

        init(_ destination: OutboxDestination?) { self.destination = destination }

        var lastKnown: Int64 {
            get { outboxes.map(\.lastKnown).max() ?? 0 }
            set { for outbox in outboxes { outbox.lastKnown = newValue } }
        }

        var isBlocked: Bool {
            get { outboxes.contains { $0.isBlocked } }
            set { for outbox in outboxes { outbox.isBlocked = newValue } }
        }

        /// The one whose message is next, after `hasMessage`.
        var current: Outbox { outboxes[index] }

        /// Looks for an outbox with a message, from the last one on.
        func hasMessage(_ now: Int64, _ counters: BridgeCounters) -> Bool {
            for _ in outboxes.indices {
                if index >= outboxes.count { index = 0 }
                switch outboxes[index].peek() {
                case .message:
                    outboxes[index].lastActive = now
                    return true
                case .damaged: counters.add(.droppedDamagedOutbox)
                case .nothing: break
                }
                index += 1
            }
            if index >= outboxes.count { index = 0 }
            return false
        }

        /// To the next outbox, so that none has to wait until another one is empty.
        func goOn() { index += 1 }

        func release() {
            for outbox in outboxes { outbox.release() }
        }
    }

    /// When a bridge says that it is there: see Announcement.swift.
    struct AnnouncementSchedule {
        private let interval: Int64
        private(set) var next: Int64
        /// The next one answers somebody.
        private var isAnswering = false

        init(every interval: Duration, now: Int64) {
            self.interval = interval.nanoseconds
            next = now
        }

        func isDue(_ now: Int64) -> Bool { now >= next }

        mutating func done(_ now: Int64) {
            next = now + interval - interval / 10 + Int64.random(in: 0...interval / 5)
            isAnswering = false
        }

        /// One announcement answers all that are new; the more hosts there are, the more spread out their answers. While an answer is due no
        /// other is drawn: the earliest of many would be so early that a thousand hosts that start together would answer 25 times each.
        mutating func answerSoon(now: Int64, hostCount: Int) {
            guard !isAnswering else { return }
            isAnswering = true
            next = min(next, now + .random(in: 0...min(interval, 1_000_000 * Int64(hostCount))))
        }
    }
#endif

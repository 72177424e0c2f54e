internal import MailslotsWire

/// Packs messages into datagrams, seals them, and gives them to the transport, a batch at a time. For one thread at a time.
///
/// A batch is filled; then its messages are given back to their outboxes, all at once, so that their writers are woken once; then it is
/// sealed and sent. Who is killed in between loses messages, and none comes twice.
@safe
struct Packer: ~Copyable {
    private let clock: BridgeClock
    private let counters: BridgeCounters
    private let transport: any Transport
    /// Into mailslots of this machine, of what is for every host or for ourselves.
    private let looped: Delivery
    private let host: String

    private var sealers: [SealerBox]
    private var announceEvery: Int64
    /// Datagrams whose records are not sealed yet.
    private var batch = DatagramBatch()
    /// Whose messages are in the batch, and still lent.
    private var lenders: [DestinationQueue] = []

    /// Noncopyable values do not go into arrays.
    private final class SealerBox {
        var sealer: Sealer
        let domain: Domain
        init(_ domain: Domain) {
            self.domain = domain
            var generator = SystemRandomNumberGenerator()
            sealer = Sealer(domain: domain, session: SessionID(using: &generator))
        }
    }

    init(
        _ configuration: BridgeConfiguration, domains: [Domain], transport: any Transport, counters: BridgeCounters, clock: BridgeClock
    ) {
        self.transport = transport
        self.counters = counters
        self.clock = clock
        host = configuration.host
        announceEvery = configuration.announceEvery.nanoseconds
        sealers = domains.map { SealerBox($0) }
        looped = Delivery(configuration.delivery, counters: counters)
    }

    var sessions: [SessionID] { sealers.map { $0.sealer.session } }

    /// A domain whose key stays keeps its session.
    mutating func reconfigure(_ configuration: BridgeConfiguration, domains: [Domain]) {
        let before = sealers
        sealers = domains.map { domain in
            before.first { $0.domain.name == domain.name && $0.domain.used.isSame(as: domain.used) } ?? SealerBox(domain)
        }
        announceEvery = configuration.announceEvery.nanoseconds
        looped.reconfigure(configuration.delivery)
    }

    // MARK: messages

    var isFull: Bool { batch.isFull }

    /// Moves messages of a destination into at most `share` datagrams of at most `byteCountMax` bytes. False: there were none.
    mutating func pack(_ queue: DestinationQueue, for route: Route, _ byteCountMax: Int, share: Int, now: Int64) -> Bool {
        guard queue.hasMessage(now, counters) else { return false }
        lenders.append(queue)
        var (share, messages) = (share, 0)
        repeat {
            let tells = now - queue.lastTold >= announceEvery
            if tells { queue.lastTold = now }
            appendDatagram(to: route, byteCountMax) { [counters, host] output in
                if tells { output.append(.present, of: host) }
                messages += queue.moveAll(to: &output, now, counters)
            }
            queue.goOn()
            share -= 1
        } while share > 0 && !batch.isFull && queue.hasMessage(now, counters)
        counters.add(.messagesSent, messages)
        return true
    }

    /// A datagram of at most `byteCountMax` bytes, whose records `body` appends.
    private mutating func appendDatagram(to route: Route, _ byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) {
        batch.append(to: route) { Records.write(into: &$0, byteCountMax: byteCountMax, body) }
    }

    /// Sends what was packed.
    mutating func send(now: Int64) {
        guard !batch.isEmpty else { return }
        for queue in lenders { queue.release() }
        lenders.removeAll(keepingCapacity: true)
        seal(now)
        transport.send(batch)
        batch.removeAll()
    }

    private mutating func seal(_ now: Int64) {
        let time = clock.real()
        let (sealers, looped) = (sealers, looped)
        looped.beginBatch()
        batch.changeAll { route, span, recordBytes in
            if route.destination == .everyHost { deliver(recordsOf: span, recordBytes, into: looped, now) }
            return sealers[route.domain].sealer.seal(&span, recordBytes: recordBytes, to: route.destination, time: time)
        }
        counters.add(.datagramsSealed, batch.count)
    }

    /// Moves messages that are for ourselves to where they are for. False: there were none.
    func deliverToOurselves(_ queue: DestinationQueue, now: Int64) -> Bool {
        var share = 256
        var copy = InlineArray<424, UInt8>(repeating: 0)
        while share > 0, queue.hasMessage(now, counters) {
            let mailslot = queue.current.mailslotBytes
            var span = copy.mutableSpan
            // Sound, here and below: bytes have no padding.
            var bytes = unsafe span.mutableBytes
            let message = queue.current.takeNext(copyingInto: &bytes)
            // As above: given back before it is delivered.
            queue.release()
            looped.beginBatch()
            let payload = bytes.bytes.extracting(first: message.byteCount)
            looped.deliver(payload, to: unsafe mailslot.span.bytes, sender: message.sender, origin: 0, now: now)
            counters.add(.messagesLooped)
            share -= 1
        }
        return share < 256
    }

    // MARK: announcements

    /// Tells every host of every domain, at once.
    mutating func announce(_ kind: Announcement.Kind, now: Int64) {
        send(now: now)
        for domain in sealers.indices {
            let route = Route(domain: domain, destination: .everyHost)
            guard let byteCountMax = transport.byteCountMax(to: route) else { continue }
            appendDatagram(to: route, byteCountMax) { [host] in $0.append(kind, of: host) }
            counters.add(.announcementsSent)
            if batch.isFull { send(now: now) }
        }
        send(now: now)
    }
}

/// What is for every host is for us too: the messages of a datagram that is not sealed yet.
private func deliver(recordsOf span: borrowing MutableRawSpan, _ recordBytes: Int, into looped: Delivery, _ now: Int64) {
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

extension OutputRawSpan {
    fileprivate mutating func append(_ kind: Announcement.Kind, of host: String) {
        let payload = Announcement(kind: kind, host: host).bytes
        // Sound: bytes have no padding.
        let fits = append(announcement: unsafe payload.span.bytes)
        assert(fits, "An announcement fits the shortest datagram.")
    }
}

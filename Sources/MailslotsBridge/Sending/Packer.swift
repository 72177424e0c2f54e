#if Bridge

    /// Packs messages into datagrams, seals them, and gives them to the transport, a batch at a time. For one thread at a time.
    @safe
    final class Packer {
        private let clock: BridgeClock
        private let counters: BridgeCounters
        private let transport: any Transport
        /// Into mailslots of this machine, of what is for every host or for ourselves.
        private let looped: Delivery
        private let host: String

        private var sealers: [SealerBox]
        private var announceEvery: Int64
        private var batch = DatagramBatch()

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
        func reconfigure(_ configuration: BridgeConfiguration, domains: [Domain]) {
            let before = sealers
            sealers = domains.map { domain in
                before.first { $0.domain.name == domain.name && $0.domain.used.isSame(as: domain.used) } ?? SealerBox(domain)
            }
            announceEvery = configuration.announceEvery.nanoseconds
            looped.reconfigure(configuration.delivery)
        }

        // MARK: messages

        var isFull: Bool { batch.isFull }

        /// Sends what was packed.
        func send() {
            if !batch.isEmpty { transport.send(batch) }
            batch.removeAll()
        }

        /// Moves messages of a destination into at most `share` datagrams of at most `byteCountMax` bytes. False: there were none.
        func pack(_ queue: DestinationQueue, for route: Route, _ byteCountMax: Int, share: Int, now: Int64) -> Bool {
            var share = share
            var isBusy = false
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
            let count = fillRecords(of: &span, byteCountMax) { output in
                if tells { append(.present, to: &output) }
                var isFull = false
                while !isFull, queue.hasMessage(now, counters) {
                    let moved = queue.current.moveAll(to: &output)
                    messages += moved.count
                    isFull = !moved.isAll
                }
            }
            counters.add(.messagesSent, messages)
            return count
        }

        /// Between the header and the tag of a datagram of at most `byteCountMax` bytes. Returns how many bytes `body` has appended.
        private func fillRecords(
            of span: inout MutableRawSpan, _ byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void
        ) -> Int {
            // Sound: the range is inside of the buffer, and the output does not leave the call.
            unsafe span.withUnsafeMutableBytes { all in
                let room = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: all[DatagramFormat.headerBytes..<min(all.count, byteCountMax) - DatagramFormat.tagBytes])
                var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
                body(&output)
                return unsafe output.finalize(for: room)
            }
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

        /// Moves messages that are for ourselves to where they are for. False: there were none.
        func deliverToOurselves(_ queue: DestinationQueue, now: Int64) -> Bool {
            var share = 256
            while share > 0, queue.hasMessage(now, counters) {
                let mailslot = queue.current.mailslotBytes
                unsafe withUnsafeTemporaryAllocation(byteCount: DatagramFormat.payloadBytesMax, alignment: 1) { copy in
                    var byteCount = 0
                    var writer: UInt32 = 0
                    queue.current.takeNext { payload, sender in
                        unsafe payload.withUnsafeBytes { unsafe copy.copyMemory(from: $0) }
                        (byteCount, writer) = (payload.byteCount, sender)
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

        // MARK: announcements

        /// Tells every host of every domain, at once.
        func announce(_ kind: Announcement.Kind) {
            send()
            for domain in sealers.indices {
                let route = Route(domain: domain, destination: .everyHost)
                guard let byteCountMax = transport.byteCountMax(to: route) else { continue }
                let time = clock.real()
                let sealer = sealers[domain]
                batch.append(to: route) { span in
                    let count = fillRecords(of: &span, byteCountMax) { append(kind, to: &$0) }
                    return sealer.sealer.seal(&span, recordBytes: count, to: .everyHost, time: time)
                }
                counters.add(.announcementsSent)
                if batch.isFull { send() }
            }
            send()
        }

        private func append(_ kind: Announcement.Kind, to output: inout OutputRawSpan) {
            let payload = Announcement(kind: kind, host: host).bytes
            // Sound: bytes have no padding.
            let fits = output.append(announcement: unsafe payload.span.bytes)
            assert(fits, "An announcement fits the shortest datagram.")
        }
    }
#endif

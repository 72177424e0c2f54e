internal import CMailslots
internal import Synchronization

/// A request as it came in.
struct IncomingRequest {
    let header: RequestHeader
    let key: RequestRegistry.Key
    let senderProcessID: Int32
    let client: AnswerWriter
    /// Nanoseconds of this machine's monotonic clock.
    let deadline: Int64?
}

/// A server's mailslot: reads requests, and sorts out what is none, or what nobody waits for.
///
/// A request is copied and released before anybody carries it out. So a server that dies over it does not leave it to the next one: a
/// request is carried out at most once. What was not released waits for a server that adopts.
@safe
final class RequestReader: Sendable {
    private let reader: MailslotReader
    // Sound: it is used by whoever serves, and there is one at a time; an interrupt is for any thread.
    nonisolated(unsafe) let handle: UnsafeMutablePointer<mslot_reader>
    let name: String
    let tally = ServerTally()
    let registry = RequestRegistry()
    private let acceptsRemoteRequests: Bool
    private let serves = Atomic(false)
    private let stops = Atomic(false)
    // Sound, both: as the handle. So their accesses need no check either.
    @exclusivity(unchecked) nonisolated(unsafe) private var clients: AnswerWriters
    @exclusivity(unchecked) nonisolated(unsafe) private var ahead = ReadAhead()

    /// Messages that were looked at before their turn, for the cancellations among them. They stay lent, so that they wait for the next
    /// server if this one dies.
    @safe
    private struct ReadAhead {
        // Sound: what is lent stays until it is released.
        var views = unsafe Queue<mslot_view>()
        /// Requests among them whose callers have given up.
        var cancelled: Set<RequestRegistry.Key> = []
    }

    init(_ reader: consuming MailslotReader, maximumClients: Int, acceptsRemoteRequests: Bool, trusting trust: Mailslot.Trust) {
        name = reader.name
        unsafe handle = reader.handle
        self.reader = reader
        self.acceptsRemoteRequests = acceptsRemoteRequests
        unsafe clients = AnswerWriters(maximumClients: maximumClients, server: name, trusting: trust, tally)
    }

    var info: MailslotInfo { reader.info }
    var hasAdoptedMessages: Bool { reader.hasAdoptedMessages }

    // MARK: who serves

    /// - Throws: ``MailslotError/Code/busy`` if somebody serves already.
    func beginServing() throws(MailslotError) {
        // Acquires what the one that served before left behind.
        guard !serves.exchange(true, ordering: .acquiring) else { throw MailslotError(outcome: .busy, name: name) }
    }

    /// Releases what it leaves for the next to serve.
    func endServing() { serves.store(false, ordering: .releasing) }

    func stop() {
        // Relaxed: mslot__interrupt_set releases it, and mslot__interrupt_take, in the wait that it ends, acquires it.
        stops.store(true, ordering: .relaxed)
        interrupt()
    }

    // Relaxed: a number for those who look.
    var isServing: Bool { serves.load(ordering: .relaxed) }
    // Relaxed: whoever has taken the interrupt has acquired it; for others the interrupt still ends the next wait.
    var isStopping: Bool { stops.load(ordering: .relaxed) }

    /// - Throws: ``MailslotError/Code/cancelled`` if the task that serves was cancelled.
    func checkCancellation() throws(MailslotError) {
        if Task.isCancelled { throw MailslotError(cancelled: name) }
    }

    /// Ends the wait that is on, or the next.
    func interrupt() { unsafe mslot_reader_interrupt(handle) }

    // MARK: messages

    /// What became of a wait for a message.
    @safe
    enum Next {
        /// It is lent until it is released: ``release()``.
        case message(mslot_view)
        /// Look whether it is time to stop.
        case nothing
    }

    /// Blocks until there is a message, or an interrupt.
    func next() throws(MailslotError) -> Next {
        if let view = unsafe ahead.views.popFirst() { return unsafe .message(view) }
        return try unsafe sorted(mslot_reader_peek(handle, MSLOT_FOREVER))
    }

    /// Suspends until there is a message, an interrupt, or the task is cancelled.
    ///
    /// - Parameter turns: So often others run before it polls.
    func next(yieldingFirst turns: Int = 0) async throws(MailslotError) -> Next {
        if let view = unsafe ahead.views.popFirst() { return unsafe .message(view) }
        return try await peek(yieldingFirst: turns)
    }

    /// Looks at a further message while those before it have to wait, so that a caller that gives up is heard. Suspends as `next()`.
    func readAhead() async throws(MailslotError) {
        guard case .message(let view) = try await peek() else { return }
        unsafe ahead.views.append(view)
        // Sound: what is lent stays.
        guard let header = unsafe RequestHeader(RawSpan(_unsafeBytes: MailslotReader.bytes(view))), header.kind == .cancellation else {
            return
        }
        let key = unsafe key(of: header, MailslotReader.info(view))
        unsafe ahead.cancelled.insert(key)
        registry.find(key)?.cancel()
    }

    /// Whether a further message could be looked at.
    var canReadAhead: Bool { unsafe ahead.views.count < info.capacity }

    private func peek(yieldingFirst turns: Int = 0) async throws(MailslotError) -> Next {
        var view = unsafe mslot_reader_peek(handle, 0)
        for _ in 0..<turns {
            guard unsafe view.outcome == .empty else { break }
            await Task.yield()
            unsafe view = mslot_reader_peek(handle, 0)
        }
        guard unsafe view.outcome == .empty else { return try unsafe sorted(view) }
        let wait = TaskWait(.forever)
        while true {
            unsafe view.outcome = mslot_reader_begin_wait(handle, wait.begin())
            guard unsafe view.outcome == .empty else { break }
            await wait.ending()
            guard Task.isCancelled else { continue }
            _ = unsafe mslot_reader_end_wait(handle)
            return .nothing
        }
        if unsafe view.outcome == .done { unsafe view = mslot_reader_peek(handle, 0) }
        return try unsafe sorted(view)
    }

    @unsafe
    private func sorted(_ view: mslot_view) throws(MailslotError) -> Next {
        switch unsafe view.outcome {
        case .done: return unsafe .message(view)
        case .empty, .timedOut, .interrupted: return .nothing
        // One message was skipped; or the mailslot is destroyed.
        case .damaged where info.isSound: return .nothing
        default: throw MailslotError(outcome: unsafe view.outcome, name: name)
        }
    }

    /// Gives back the oldest message that is lent.
    func release() { _ = unsafe mslot_reader_release(handle, 1) }

    // MARK: requests

    /// The request in a message, if it is one that somebody waits for.
    func request(in message: RawSpan, _ info: MailslotMessage.Info) -> IncomingRequest? {
        guard let header = RequestHeader(message), header.kind == .request || header.kind == .cancellation,
            !info.origin.isRemote || acceptsRemoteRequests
        else {
            tally.malformedRequests.add(1)
            return nil
        }
        let key = key(of: header, info)
        if header.kind == .cancellation {
            tally.cancellations.add(1)
            if unsafe ahead.cancelled.remove(key) == nil { registry.find(key)?.cancel() }
            return nil
        }
        if unsafe ahead.cancelled.contains(key) { return nil }
        let deadline = header.deadline.map { localDeadline($0, info.origin) }
        if let deadline, deadline <= MonotonicClock.now {
            tally.expiredRequests.add(1)
            return nil
        }
        guard let client = unsafe clients.find(AnswerWriters.Address(client: key.id.client, origin: info.origin.rawValue)) else {
            tally.unreachableClients.add(1)
            return nil
        }
        tally.requests.add(1)
        return IncomingRequest(header: header, key: key, senderProcessID: info.senderProcessID, client: client, deadline: deadline)
    }

    /// Takes a message out: copies the request in it, if it is one that somebody waits for.
    @unsafe
    func take(_ view: mslot_view) -> MailslotRequest? {
        defer { release() }
        // Sound: what is lent stays until it is released, and is copied before.
        let bytes = unsafe RawSpan(_unsafeBytes: MailslotReader.bytes(view))
        let info = unsafe MailslotReader.info(view)
        guard let incoming = request(in: bytes, info) else { return nil }
        let message = MailslotMessage(copying: bytes.extracting(droppingFirst: incoming.header.byteCount), info)
        return MailslotRequest(incoming, message, registry)
    }

    private func key(of header: RequestHeader, _ info: MailslotMessage.Info) -> RequestRegistry.Key {
        let client = UInt64(UInt32(bitPattern: info.senderProcessID)) << 32 | UInt64(header.answers)
        return RequestRegistry.Key(id: MailslotCallID(client: client, call: header.call), origin: info.origin)
    }

    private func localDeadline(_ deadline: UInt64, _ origin: MailslotOrigin) -> Int64 {
        let nanoseconds = Int64(clamping: deadline)
        guard origin.isRemote else { return nanoseconds }
        let (sum, overflows) = MonotonicClock.now.addingReportingOverflow(nanoseconds)
        return overflows ? MonotonicClock.never : sum
    }
}

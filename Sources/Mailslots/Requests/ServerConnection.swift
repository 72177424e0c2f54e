internal import CMailslots

/// A server's mailslot, open to write requests, with a watch over the server: when it is gone, calls to it end at once.
///
/// One connection is to one mailslot. When that was closed a ``MailslotCaller`` makes another.
@safe
final class ServerConnection: Sendable {
    enum Life {
        case alive
        /// The server was killed, or left. Another may adopt the mailslot.
        case dead
        /// There will never be a server here again.
        case closed
    }

    /// Why a request was not sent.
    enum Unsent: Error {
        /// There will be no server in this mailslot again.
        case closed
        case failed(MailslotError)
    }

    fileprivate struct State: ~Copyable {
        var writer: MailslotWriter
        var life = Life.alive
        var isEnding = false
        /// What the server has not been told yet, for there was no room.
        var cancellations = Queue<RequestHeader>()

        /// Tells the server of calls that were given up, as far as there is room.
        mutating func sendCancellations() {
            while let cancellation = cancellations.first {
                switch cancellation.withMessage(RawSpan(), { message in try? writer.tryWrite(message) }) {
                case .written: _ = cancellations.popFirst()
                case .full: return
                // Who would have to hear of them is gone.
                case nil: cancellations.removeAll()
                }
            }
        }
    }

    /// How many the server may have to be told yet. As many as the largest mailslot has messages.
    private static let cancellationsMax = 32768

    private let state: Locked<State>
    private let server: String
    private let waitsThroughRestarts: Bool
    let maximumMessageSize: Int
    /// `nil`: the server is on another machine, and nobody here knows of its death.
    private let watch: ServerWatch?

    init(_ answers: AnswerReader, _ writer: consuming MailslotWriter, onServerDeath: Mailslot.ReaderDeath) {
        server = writer.name
        maximumMessageSize = writer.info.maximumMessageSize
        waitsThroughRestarts = onServerDeath == .wait
        let isRemote = Mailslot.isRemote(writer.name)
        let state = Locked(State(writer: writer))
        self.state = state
        watch = isRemote ? nil : ServerWatch(state, answers, waitsThroughRestarts: waitsThroughRestarts)
        watch?.begin(ObjectIdentifier(self))
    }

    deinit {
        state.withLock { $0.isEnding = true }
        watch?.stop()
    }

    /// Writes a request if there is room. Never waits.
    ///
    /// - Throws: The request was not sent.
    func send(
        _ header: RequestHeader, _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ call: PendingCall
    ) throws(Unsent) -> MailslotWriteOutcome {
        try request.withMessageBytes { bytes throws(Unsent) in
            try header.withMessage(bytes) { message throws(Unsent) in
                try state.withLock { state throws(Unsent) in
                    if state.life != .alive { try lookAgain(&state) }
                    if !state.cancellations.isEmpty { state.sendCancellations() }
                    do throws(MailslotError) {
                        let outcome = try state.writer.tryWrite(message)
                        if waitsThroughRestarts, outcome == .written {
                            call.position = unsafe mslot_writer_last_position(state.writer.handle)
                        }
                        return outcome
                    } catch {
                        throw error.code == .closed ? Unsent.closed : .failed(error)
                    }
                }
            }
        }
    }

    /// Tells the server that nobody waits for an answer any more: now or, if there is no room, with the next call, or when the watch looks.
    func cancel(_ request: RequestHeader) {
        state.withLock { state in
            // It hears of the latest, at least.
            if state.cancellations.count == Self.cancellationsMax { _ = state.cancellations.popFirst() }
            state.cancellations.append(RequestHeader(.cancellation, answers: request.answers, call: request.call))
            state.sendCancellations()
        }
    }

    /// Whether there is a server again.
    private func lookAgain(_ state: inout State) throws(Unsent) {
        guard state.life == .dead, let watch else { throw .closed }
        switch watch.look(&state) {
        case .alive: return
        case .dead: throw .failed(MailslotError(outcome: .noReader, name: server))
        case .closed: throw .closed
        }
    }
}

/// Hears of a server's death, by a thread of the C core.
///
/// It outlives no connection: who has that one stops it. It holds no connection either, for the last to let go of one must not be the
/// thread that calls it.
@safe
private final class ServerWatch: @unchecked Sendable {
    private let state: Locked<ServerConnection.State>
    private let answers: AnswerReader
    private let waitsThroughRestarts: Bool
    /// Set once, before it begins.
    private var connection: ObjectIdentifier?
    // Sound: what the C core's thread shares in it the C core locks; it is freed when that thread has let go of it.
    private let wait: UnsafeMutablePointer<mslot_wait>
    /// What the reader says of itself while it lives. With the lock of the state.
    private var reader: UInt32 = 0

    init(_ state: Locked<ServerConnection.State>, _ answers: AnswerReader, waitsThroughRestarts: Bool) {
        self.state = state
        self.answers = answers
        self.waitsThroughRestarts = waitsThroughRestarts
        unsafe wait = .allocate(capacity: 1)
        unsafe wait.initialize(to: mslot_wait())
        unsafe wait.pointee.context = Unmanaged.passUnretained(self).toOpaque()
        unsafe wait.pointee.ended = { wait in
            // Sound: the connection holds the object until it has stopped the wait.
            guard let context = unsafe wait?.pointee.context else { return }
            let watch = unsafe Unmanaged<ServerWatch>.fromOpaque(context).takeUnretainedValue()
            watch.state.withLock { state in
                guard !state.isEnding else { return }
                _ = watch.look(&state)
                state.sendCancellations()
            }
        }
    }

    deinit { unsafe wait.deallocate() }

    func begin(_ connection: ObjectIdentifier) {
        self.connection = connection
        state.withLock { _ = look(&$0) }
    }

    /// Not with the lock of the state, for which `ended` may be waiting.
    func stop() {
        // Twice: it may have begun again, just before.
        unsafe mslot_wait_stop(wait)
        unsafe mslot_wait_stop(wait)
    }

    /// Looks whether the server lives, ends the calls that are lost, and watches on. With the lock of the state.
    func look(_ state: inout ServerConnection.State) -> ServerConnection.Life {
        let handle = unsafe state.writer.handle
        let outcome = unsafe mslot_writer_begin_watch(handle, wait)
        let before = reader
        reader = outcome == .done ? unsafe wait.pointee.value : 0
        switch outcome {
        case .noReader:
            unsafe end(.noReader, handle)
            // Who waits for another server goes on writing.
            state.life = waitsThroughRestarts ? .alive : .dead
        case .closed, .notFound:
            unsafe end(.closed, handle)
            state.life = .closed
        default:
            // Another one, so quickly.
            if before != 0, reader != before { unsafe end(.noReader, handle) }
            state.life = .alive
        }
        return state.life
    }

    @unsafe
    private func end(_ code: MailslotCallError.Code, _ handle: UnsafeMutablePointer<mslot_writer>) {
        guard let connection else { return }
        let keepsUnread = waitsThroughRestarts && code == .noReader
        answers.end(callsOf: connection, code) { call in
            guard keepsUnread else { return true }
            guard let position = call.position else { return false }
            return unsafe mslot_writer_sees_released(handle, position)
        }
    }
}

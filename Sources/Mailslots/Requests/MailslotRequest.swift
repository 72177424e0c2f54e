internal import Synchronization

/// A request that a server has taken, to be answered once: at any time, on any thread or task.
///
/// What is let go of without an answer is answered by an error, ``MailslotCallError/Code/unanswered``, so no caller waits in vain.
public final class MailslotRequest: Sendable {
    /// What is known of a request beside its bytes.
    public struct Info: Sendable, Hashable {
        /// Which call it is, as the caller knows it: ``MailslotCallID`` says how to carry a request out exactly once.
        public let id: MailslotCallID
        /// The caller's process id, as it says, on the machine that ``origin`` tells.
        public let senderProcessID: Int32
        /// Which machine it came from.
        public let origin: MailslotOrigin
        let deadlineNanoseconds: Int64?

        /// When the caller gives up; `nil`: never. A moment of the past for a time that is up.
        public var deadline: ContinuousClock.Instant? {
            deadlineNanoseconds.map { .now + .nanoseconds($0 - MonotonicClock.now) }
        }

        init(_ incoming: IncomingRequest) {
            id = incoming.key.id
            senderProcessID = incoming.senderProcessID
            origin = incoming.key.origin
            deadlineNanoseconds = incoming.deadline
        }
    }

    /// Which call it is, whose, and until when.
    public let info: Info
    /// What the caller sent. Its position is that in the server's mailslot.
    public let message: MailslotMessage
    let type: RequestHeader.TypeTag?
    private let client: AnswerWriter
    private let registry: RequestRegistry
    private let state = Locked(State())

    private struct State {
        var isAnswered = false
        var isCancelled = false
        var task: Task<Void, Never>?
    }

    init(_ incoming: IncomingRequest, _ message: MailslotMessage, _ registry: RequestRegistry) {
        info = Info(incoming)
        self.message = message
        type = incoming.header.type
        client = incoming.client
        self.registry = registry
        registry.add(self, incoming.key)
    }

    /// Which call it is: ``Info/id``.
    public var id: MailslotCallID { info.id }
    private var key: RequestRegistry.Key { RequestRegistry.Key(id: info.id, origin: info.origin) }

    deinit {
        // Nobody else has it any more.
        registry.remove(key)
        if state.withLock({ $0.isAnswered || $0.isCancelled }) { return }
        client.fail(id, .unanswered)
    }

    /// Whether the caller gave up: its time is up, or its task was cancelled. An answer is of no use then, and none is sent.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Answers. Never waits: where the client's mailslot is full, the answer is kept until there is room.
    ///
    /// - Throws: A ``MailslotCallError``: ``MailslotCallError/Code/alreadyAnswered``; ``MailslotCallError/Code/answerTooLong``, and the
    ///   caller gets the same error; ``MailslotCallError/Code/clientGone``. That the caller has given up is not an error.
    public func answer(_ bytes: borrowing some MailslotBytes & ~Copyable & ~Escapable) throws(MailslotCallError) {
        try beginAnswer()
        try client.answer(id, bytes)
    }

    /// Answers with an error: the caller gets ``MailslotCallError/Code/failed``.
    ///
    /// - Parameter reason: The caller's ``MailslotCallError/reason``; what exceeds the client's longest answer is cut off.
    /// - Throws: As ``answer(_:)``.
    public func fail(_ reason: String) throws(MailslotCallError) { try refuse(.failed, reason) }

    func refuse(_ code: MailslotCallError.Code, _ reason: String = "") throws(MailslotCallError) {
        try beginAnswer()
        client.fail(id, code, reason)
    }

    private func beginAnswer() throws(MailslotCallError) {
        let wasAnswered = state.withLock { state in
            defer { state.isAnswered = true }
            return state.isAnswered
        }
        if wasAnswered { throw MailslotCallError(.alreadyAnswered, server: client.server, id: id) }
    }

    // MARK: giving up

    /// The caller gave up.
    func cancel() {
        let task = state.withLock { state in
            state.isCancelled = true
            return state.task
        }
        task?.cancel()
    }

    /// The server ends.
    func stop() { state.withLock { $0.task }?.cancel() }

    /// Which task to cancel when the caller gives up.
    func attach(_ task: Task<Void, Never>) {
        let isCancelled = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }
}

/// The requests that were taken and not let go of: to find the one whose caller gives up.
final class RequestRegistry: Sendable {
    struct Key: Hashable {
        let id: MailslotCallID
        let origin: MailslotOrigin
    }

    private struct Entry {
        weak var request: MailslotRequest?
    }

    private let entries = Locked<[Key: Entry]>([:])

    func add(_ request: MailslotRequest, _ key: Key) { entries.withLock { $0[key] = Entry(request: request) } }

    /// By the request's own end.
    func remove(_ key: Key) {
        entries.withLock { entries in
            // Not another try of the same call.
            if let entry = entries[key], entry.request == nil { entries[key] = nil }
        }
    }

    var count: Int { entries.withLock { $0.count } }

    func find(_ key: Key) -> MailslotRequest? { entries.withLock { $0[key]?.request } }

    /// Cancels the tasks of all.
    func stopAll() {
        let requests = entries.withLock { $0.values.compactMap(\.request) }
        for request in requests { request.stop() }
    }
}

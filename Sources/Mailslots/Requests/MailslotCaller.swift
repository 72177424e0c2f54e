internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Calls one server: ``MailslotClient`` has `open`.
///
/// It is for any number of threads and tasks at the same time. It takes one lane of the server's mailslot.
///
/// In asynchronous code the calls suspend the task; elsewhere they block the thread. Both throw a ``MailslotCallError``, whose code says
/// whether the request was sent.
public final class MailslotCaller: Sendable {
    /// The server's name, as it was given.
    public let server: String
    private let answers: AnswerReader
    private let connection: Locked<ServerConnection>
    private let trust: Mailslot.Trust
    private let onServerDeath: Mailslot.ReaderDeath
    let isRemote: Bool
    /// The upper bits of its calls' numbers, for its server alone to know.
    private let token: UInt64

    init(
        _ answers: AnswerReader, _ writer: consuming MailslotWriter, trusting trust: Mailslot.Trust, onServerDeath: Mailslot.ReaderDeath
    ) throws(MailslotError) {
        server = writer.name
        isRemote = Mailslot.isRemote(writer.name)
        self.answers = answers
        self.trust = trust
        self.onServerDeath = onServerDeath
        var random = SystemRandomNumberGenerator()
        token = random.next() >> 40
        if isRemote, !answers.acceptsRemoteAnswers { throw MailslotError(outcome: .notAllowed, name: answers.name) }
        try answers.addServer()
        connection = Locked(ServerConnection(answers, writer, onServerDeath: onServerDeath))
    }

    deinit { answers.removeServer() }

    /// The longest request in bytes, for a call without a time-out. One with a time-out takes 8 less, a typed one 8 less.
    public var maximumRequestSize: Int { connection.withLock { $0.maximumMessageSize } - RequestHeader.byteCountMin }

    // MARK: from a thread

    /// Sends a request, and waits for its answer. Blocks the thread.
    ///
    /// - Parameters:
    ///   - request: Text or bytes.
    ///   - timeout: How long to wait, for room for the request and for the answer. `nil`: for ever; for a server of another machine, where
    ///     messages may be lost, 10 seconds.
    ///   - id: The id of a call of this client that ended without an answer, if this one repeats it. The server sees the same id.
    /// - Returns: The answer's bytes.
    /// - Throws: A ``MailslotCallError``. With ``MailslotCallError/Code/notSent`` its cause is ``MailslotError/Code/tooLong``,
    ///   ``MailslotError/Code/noReader``, ``MailslotError/Code/notFound``, ``MailslotError/Code/timedOut`` (there was no room for it in
    ///   time), ``MailslotError/Code/forked``, or what opening says.
    public func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: MailslotTimeout? = nil,
        retrying id: MailslotCallID? = nil
    ) throws(MailslotCallError) -> MailslotMessage {
        var answer: MailslotMessage?
        try call(request, Terms(timeout, isRemote, id)) { bytes, info in answer = MailslotMessage(copying: bytes, info) }
        return answer!
    }

    /// Sends a request, and calls `body` with its answer in place, without a copy where it lies in the mailslot. Blocks the thread.
    ///
    /// The bytes may be shared memory: a server that breaks the rules may change them while `body` looks. Copy what you decide on. `body`
    /// must be short, and make no call: the client's other calls may wait for it.
    ///
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or as the call that copies.
    @inlinable
    public func call<Answer>(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: MailslotTimeout? = nil,
        retrying id: MailslotCallID? = nil, _ body: (RawSpan, MailslotMessage.Info) throws -> Answer
    ) throws -> Answer {
        var answer: Result<Answer, any Error>?
        try call(request, timeout, id) { bytes, info in answer = Result { try body(bytes, info) } }
        return try answer!.get()
    }

    /// What is behind the call whose answer has a type of the user's: that one is compiled where it is used, and this one once.
    @usableFromInline
    func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout?, _ id: MailslotCallID?,
        _ take: (RawSpan, MailslotMessage.Info) -> Void
    ) throws(MailslotCallError) {
        try call(request, Terms(timeout, isRemote, id), take)
    }

    /// - Parameter take: Is called once with the answer, if there is one.
    func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ terms: Terms,
        _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) throws(MailslotCallError) {
        let connection = connection.withLock { $0 }
        if try attempt(connection, request, terms, take) { return }
        if try attempt(try reopen(connection), request, terms, take) { return }
        throw notSent(MailslotError(outcome: .closed, name: server))
    }

    private func attempt(
        _ connection: ServerConnection, _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ terms: Terms,
        _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) throws(MailslotCallError) -> Bool {
        let call = answers.begin(token: token, deadline: terms.deadline, connection: connection, repeating: terms.id)
        let header = terms.header(of: call, answers)
        do throws(ServerConnection.Unsent) {
            var pause = Pause()
            while try connection.send(header, request, call) == .full {
                try answers.checkUnsent(call, server)
                usleep(UInt32(pause.next().components.attoseconds / 1_000_000_000_000))
            }
        } catch {
            try giveUp(call, error)
            return false
        }
        let end: PendingCall.End?
        do throws(Refusal) {
            end = try answers.wait(call, take)
        } catch {
            throw failure(error.code, of: call, reason: error.reason)
        }
        if let end { try finish(call, connection, header, end, take) }
        return true
    }

    /// Another connection in place of one that is closed; another call may have made it already.
    private func reopen(_ closed: ServerConnection) throws(MailslotCallError) -> ServerConnection {
        if let connection = openedMeanwhile(closed) { return connection }
        do throws(MailslotError) {
            return replace(closed, try Mailslot.open(server, trusting: trust, onReaderDeath: onServerDeath))
        } catch {
            throw notSent(error)
        }
    }

    // MARK: from a task

    /// Sends a request, and waits for its answer. Suspends the task.
    ///
    /// - Parameters: As of the call that blocks.
    /// - Throws: As the call that blocks; ``MailslotCallError/Code/cancelled`` if the task is cancelled, and the server is told to give up.
    public func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: MailslotTimeout? = nil,
        retrying id: MailslotCallID? = nil
    ) async throws(MailslotCallError) -> MailslotMessage {
        var answer: MailslotMessage?
        try await call(request, Terms(timeout, isRemote, id)) { bytes, info in answer = MailslotMessage(copying: bytes, info) }
        return answer!
    }

    /// Sends a request, and calls `body` with its answer in place, as the call that blocks does. Suspends the task.
    ///
    /// - Throws: What `body` throws, or as the call that copies.
    @inlinable
    public func call<Answer>(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: MailslotTimeout? = nil,
        retrying id: MailslotCallID? = nil, _ body: (RawSpan, MailslotMessage.Info) throws -> Answer
    ) async throws -> Answer {
        var answer: Result<Answer, any Error>?
        try await call(request, timeout, id) { bytes, info in answer = Result { try body(bytes, info) } }
        return try answer!.get()
    }

    /// As the one that blocks.
    @usableFromInline
    func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout?, _ id: MailslotCallID?,
        _ take: (RawSpan, MailslotMessage.Info) -> Void
    ) async throws(MailslotCallError) {
        try await call(request, Terms(timeout, isRemote, id), take)
    }

    func call(
        _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ terms: Terms,
        _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) async throws(MailslotCallError) {
        let connection = connection.withLock { $0 }
        if try await attempt(connection, request, terms, take) { return }
        if try await attempt(try await reopen(connection), request, terms, take) { return }
        throw notSent(MailslotError(outcome: .closed, name: server))
    }

    private func attempt(
        _ connection: ServerConnection, _ request: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ terms: Terms,
        _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) async throws(MailslotCallError) -> Bool {
        let call = answers.begin(token: token, deadline: terms.deadline, connection: connection, repeating: terms.id)
        let header = terms.header(of: call, answers)
        do throws(ServerConnection.Unsent) {
            var pause = Pause()
            while true {
                if Task.isCancelled { throw .failed(MailslotError(cancelled: server)) }
                if try connection.send(header, request, call) == .written { break }
                try answers.checkUnsent(call, server)
                // Cut short by a cancellation, which is looked for next.
                try? await Task.sleep(for: pause.next())
            }
        } catch {
            try giveUp(call, error)
            return false
        }
        let end: PendingCall.End?
        do throws(Refusal) {
            end = try await answers.wait(call, take)
        } catch {
            throw failure(error.code, of: call, reason: error.reason)
        }
        if let end { try finish(call, connection, header, end, take) }
        return true
    }

    private func reopen(_ closed: ServerConnection) async throws(MailslotCallError) -> ServerConnection {
        if let connection = openedMeanwhile(closed) { return connection }
        do throws(MailslotError) {
            return replace(closed, try await Mailslot.open(server, waitingUpTo: .now, trusting: trust, onReaderDeath: onServerDeath))
        } catch {
            throw notSent(error)
        }
    }

    // MARK: from both

    private func failure(
        _ code: MailslotCallError.Code, of call: PendingCall, reason: String = "", cause: MailslotError? = nil
    ) -> MailslotCallError {
        MailslotCallError(code, server: server, id: answers.id(of: call), reason: reason, cause: cause)
    }

    /// - Parameter call: `nil`: the request has no number.
    private func notSent(_ cause: MailslotError, _ call: PendingCall? = nil) -> MailslotCallError {
        MailslotCallError(notSent: cause, server: server, id: call.map { answers.id(of: $0) } ?? idOfNoCall)
    }

    /// Of a request that was not sent, and has no number.
    var idOfNoCall: MailslotCallID { answers.idOfNoCall }

    private func openedMeanwhile(_ closed: ServerConnection) -> ServerConnection? {
        connection.withLock { $0 === closed ? nil : $0 }
    }

    private func replace(_ closed: ServerConnection, _ writer: consuming MailslotWriter) -> ServerConnection {
        let made = ServerConnection(answers, writer, onServerDeath: onServerDeath)
        return connection.withLock { current in
            if current === closed { current = made }
            return current
        }
    }

    /// Ends a call whose request was not sent. Returns if that is because the server closed its mailslot.
    private func giveUp(_ call: PendingCall, _ unsent: ServerConnection.Unsent) throws(MailslotCallError) {
        answers.finish(call) { counters in
            counters.requests -= 1
            if case .failed(let error) = unsent, error.code == .cancelled { counters.cancellations += 1 }
        }
        guard case .failed(let cause) = unsent else { return }
        throw notSent(cause, call)
    }

    private func finish(
        _ call: PendingCall, _ connection: ServerConnection, _ header: RequestHeader, _ end: PendingCall.End,
        _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) throws(MailslotCallError) {
        answers.finish(call) { counters in
            switch end {
            case .timedOut: counters.timeouts += 1
            case .cancelled: counters.cancellations += 1
            default: break
            }
        }
        switch end {
        case .answer(let bytes, let info):
            // Sound: a UInt8 has no padding.
            do throws(Refusal) {
                try take(unsafe bytes.span.bytes, info)
            } catch {
                throw failure(error.code, of: call, reason: error.reason)
            }
        case .failure(let code, let reason): throw failure(code, of: call, reason: reason)
        case .timedOut:
            connection.cancel(header)
            throw failure(.timedOut, of: call)
        case .cancelled:
            connection.cancel(header)
            throw failure(.cancelled, of: call)
        case .broken(let cause): throw failure(.answersUnreadable, of: call, cause: cause)
        }
    }
}

/// What a call was asked for with.
struct Terms {
    /// Where a server of another machine is called, and nobody says how long to wait.
    private static let remoteTimeout = MailslotTimeout.seconds(10)

    let deadline: Int64
    let id: MailslotCallID?
    private let isRemote: Bool
    private let type: RequestHeader.TypeTag?

    init(_ timeout: MailslotTimeout?, _ isRemote: Bool, _ id: MailslotCallID?, type: RequestHeader.TypeTag? = nil) {
        deadline = MonotonicClock.deadline(timeout ?? (isRemote ? Self.remoteTimeout : .forever))
        self.id = id
        self.isRemote = isRemote
        self.type = type
    }

    func header(of call: PendingCall, _ answers: AnswerReader) -> RequestHeader {
        var header = RequestHeader(.request, answers: answers.number, call: call.number)
        header.type = type
        // Another machine has another clock.
        if deadline != MonotonicClock.never { header.deadline = UInt64(isRemote ? max(deadline - MonotonicClock.now, 0) : deadline) }
        return header
    }
}

/// How long to wait before looking again whether a full mailslot has room. A millisecond at most: a server that has as many requests
/// waiting as there is room for is not kept waiting by it.
struct Pause {
    private var length = Duration.microseconds(20)

    mutating func next() -> Duration {
        defer { length = min(length * 2, .milliseconds(1)) }
        return length
    }
}

extension MailslotMessage {
    /// What is left of a message behind a header.
    init(copying bytes: RawSpan, _ info: Info) {
        self = unsafe bytes.withUnsafeBytes { bytes in
            // Sound: the view is copied before the bytes go.
            unsafe MailslotMessage(
                copying: mslot_view(
                    outcome: .done, byte_count: UInt32(bytes.count), bytes: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    position: info.position,
                    sender: UInt32(bitPattern: info.senderProcessID), origin: info.origin.rawValue))
        }
    }
}

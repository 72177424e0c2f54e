internal import Synchronization

/// A writer that many tasks share. Their messages keep the order in which they asked.
///
/// ```swift
/// let log = MailslotSharedWriter(try Mailslot.open("log"))
/// async let first: Void = log.write("from one task")
/// async let second: Void = log.write("from another")
/// ```
///
/// It takes one lane of the mailslot, however many tasks write; a writer for each task is faster where many write at the same time. While
/// there is room nobody suspends. When there is none, one task waits for room and the others for their turn, first come first served.
/// The writer closes when nobody holds it any more.
public final class MailslotSharedWriter: Sendable {
    private struct State: ~Copyable {
        /// nil: the task whose turn it is has it.
        var writer: MailslotWriter?
        /// Whether it is some task's turn. Only then are there others in the queue.
        var isTaken = false
        var queue = TurnQueue()
    }

    private let state: Locked<State>
    /// The mailslot's name, as it was given.
    public let name: String

    /// Shares `writer`, and owns it from now on.
    public init(_ writer: consuming MailslotWriter) {
        name = writer.name
        state = Locked(State(writer: writer))
    }

    /// Writes one message, suspending the task until it is its turn and there is room.
    ///
    /// - Throws: `CancellationError` or a ``MailslotError``, as a task's write on a ``MailslotWriter``. Nothing was written then.
    @inlinable
    public func write(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) async throws {
        _ = try await write(message, timeout: .forever)
    }

    /// Writes one message, suspending the task until it is its turn and there is room, up to `timeout`.
    ///
    /// - Returns: `.full` if its turn or room did not come in time; nothing was written then.
    /// - Throws: As the call without a time-out.
    @inlinable
    public func write(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: some MailslotTimeoutConvertible
    ) async throws -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now { try Task.checkCancellation() }
        guard try tryWrite(message) == .full else { return .written }
        return timeout == .now ? .full : try await writeLater(message, timeout)
    }

    /// Writes one message if there is room, and no task waits for it. Never waits.
    ///
    /// - Returns: `.full` if there was no room, or others waited for it; nothing was written then.
    /// - Throws: A ``MailslotError`` as a write on a ``MailslotWriter``.
    @inlinable
    public func tryWrite(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) throws(MailslotError) -> MailslotWriteOutcome {
        try message.withMessageBytes { bytes throws(MailslotError) in try tryWrite(bytes: bytes) }
    }

    @usableFromInline
    func tryWrite(bytes: RawSpan) throws(MailslotError) -> MailslotWriteOutcome {
        try state.withLock { state throws(MailslotError) in
            if state.isTaken { return .full }
            return try state.writer?.tryWrite(bytes) ?? .full
        }
    }

    /// What found no room, or others waiting for it, at first.
    @usableFromInline
    func writeLater(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout
    ) async throws -> MailslotWriteOutcome {
        guard let duration = timeout.duration else {
            guard await takeTurn(Turn()) else { throw CancellationError() }
            return try await writeInTurn(message, .forever)
        }
        let deadline = ContinuousClock.now + duration
        let turn = Turn()
        let isMine = try await withDeadline(deadline, .continuous, expire: { self.giveUp(turn) }) { await takeTurn(turn) }
        if isMine { return try await writeInTurn(message, MailslotTimeout(deadline - ContinuousClock.now)) }
        try Task.checkCancellation()
        return .full
    }

    /// The mailslot at this moment; `nil` while a task waits for room.
    public var info: MailslotInfo? { state.withLock { $0.writer?.info } }

    /// How many tasks wait for their turn.
    var queueLength: Int { state.withLock { $0.queue.count } }

    // MARK: turns

    /// Suspends until it is the caller's turn. False: it was cancelled or gave up, and it is not.
    private func takeTurn(_ turn: Turn) async -> Bool {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                let isMine: Bool? = state.withLock { state in
                    // Whoever cancels or gives up before this finds nothing in the queue, and is found here.
                    if Task.isCancelled || turn.wasGivenUp { return false }
                    if state.isTaken {
                        unsafe state.queue.append(turn, continuation)
                        return nil
                    }
                    state.isTaken = true
                    return true
                }
                if let isMine { unsafe continuation.resume(returning: isMine) }
            }
        } onCancel: {
            giveUp(turn)
        }
    }

    private func giveUp(_ turn: Turn) {
        turn.giveUp()
        let waiting = unsafe state.withLock { unsafe $0.queue.remove(turn) }
        if let waiting = unsafe waiting { unsafe waiting.resume(returning: false) }
    }

    private func writeInTurn(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout
    ) async throws -> MailslotWriteOutcome {
        guard var writer = state.withLock({ $0.writer.take() }) else { preconditionFailure("The turn was another task's.") }
        let result: Result<MailslotWriteOutcome, any Error>
        do {
            result = .success(try await writer.write(message, timeout: timeout))
        } catch {
            result = .failure(error)
        }
        endTurn(writer)
        return try result.get()
    }

    private func endTurn(_ writer: consuming MailslotWriter) {
        var writer: MailslotWriter? = writer
        let next = unsafe state.withLock { state in
            state.writer = writer.take()
            let next = unsafe state.queue.popFirst()
            state.isTaken = unsafe next != nil
            return unsafe next
        }
        if let next = unsafe next { unsafe next.resume(returning: true) }
    }
}

/// A task's place in a queue.
private final class Turn: Sendable {
    private let givenUp = Atomic(false)
    var wasGivenUp: Bool { givenUp.load(ordering: .acquiring) }
    func giveUp() { givenUp.store(true, ordering: .releasing) }
}

/// Suspended tasks, first come first served. Each operation takes the same time however many they are.
@safe
private struct TurnQueue: ~Copyable {
    private var first: UInt64 = 0
    private var next: UInt64 = 0
    // Sound: whoever takes a continuation out resumes it.
    private var waiting: [UInt64: (turn: Turn, continuation: UnsafeContinuation<Bool, Never>)] = unsafe [:]
    private var numbers: [ObjectIdentifier: UInt64] = [:]

    var count: Int { numbers.count }

    @unsafe
    mutating func append(_ turn: Turn, _ continuation: UnsafeContinuation<Bool, Never>) {
        unsafe waiting[next] = unsafe (turn, continuation)
        numbers[ObjectIdentifier(turn)] = next
        next += 1
    }

    @unsafe
    mutating func remove(_ turn: Turn) -> UnsafeContinuation<Bool, Never>? {
        guard let number = numbers.removeValue(forKey: ObjectIdentifier(turn)) else { return nil }
        return unsafe waiting.removeValue(forKey: number)?.continuation
    }

    @unsafe
    mutating func popFirst() -> UnsafeContinuation<Bool, Never>? {
        // Each number is passed once, whether its task is still there or not.
        while first < next {
            defer { first += 1 }
            guard let found = unsafe waiting.removeValue(forKey: first) else { continue }
            unsafe numbers.removeValue(forKey: ObjectIdentifier(found.turn))
            return unsafe found.continuation
        }
        return nil
    }
}

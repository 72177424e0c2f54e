internal import CMailslots

// The calls of a task. In asynchronous code the compiler takes these, and asks for `await`: none of them blocks a thread.
//
// Each looks first and polls for some microseconds where that has helped lately, so a busy mailslot's reader never suspends. Then the
// task suspends, and the process's one waiter thread sleeps on its mailslot and all others that tasks wait for.
extension MailslotReader {
    /// Copies the next message out, suspending the task until there is one.
    ///
    /// - Parameter timeout: How long to wait; by default as long as the mailslot says.
    /// - Returns: `nil` when the time is up.
    /// - Throws: `CancellationError` if the task is cancelled, before or while it waits; the message stays in the mailslot. With
    ///   `.now` it waits for nothing, and so does not ask. Otherwise a ``MailslotError`` as the call that blocks.
    ///
    /// The corresponding C function is `mslot_reader_begin_wait`.
    public mutating func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot) async throws -> MailslotMessage? {
        let timeout = timeout.mailslotTimeout
        if timeout != .now { try Task.checkCancellation() }
        if let message = try readNow() { return message }
        return timeout == .now ? nil : try await readLater(TaskWait(timeout))
    }

    /// Copies the next message out, suspending the task until there is one or `clock` says that it is `deadline`.
    ///
    /// ```swift
    /// let message = try await orders.read(until: .now + .seconds(1), clock: .continuous)
    /// ```
    ///
    /// The clock's `sleep` is what decides, so a clock that a test moves by hand works too. A time-out is cheaper: it needs no task of its
    /// own.
    public mutating func read<C: Clock>(until deadline: C.Instant, clock: C) async throws -> MailslotMessage? {
        try Task.checkCancellation()
        if let message = try readNow() { return message }
        let wait = TaskWait(.forever)
        return try await withDeadline(deadline, clock, expire: { wait.expire() }) { try await readLater(wait) }
    }

    /// Calls `body` with the next message in place, as the call that blocks does, suspending the task until there is one.
    ///
    /// - Throws: What `body` throws, or as ``read(timeout:)-9y9k2``.
    public mutating func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, _ body: (RawSpan, MailslotMessage.Info) throws -> Result
    ) async throws -> Result? {
        guard try await canRead(timeout.mailslotTimeout) else { return nil }
        return try withMessageNow(body)
    }

    /// Calls `body` with each message that is there, at most `limit`, in place, as the call that blocks does; suspends the task until
    /// there is a first.
    public mutating func withMessages(
        atMost limit: Int, timeout: MailslotTimeout = .ofMailslot,
        _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void = {}
    ) async throws -> Int {
        guard try await canRead(timeout.mailslotTimeout) else { return 0 }
        return try withMessagesNow(atMost: limit, body, beforeRelease: beforeRelease)
    }

    // MARK: without waiting. In an asynchronous function their synchronous counterparts cannot be named.

    mutating func readNow() throws(MailslotError) -> MailslotMessage? { try read(timeout: .now) }

    private mutating func withMessageNow<Result: ~Copyable>(
        _ body: (RawSpan, MailslotMessage.Info) throws -> Result
    ) throws -> Result? {
        try withMessage(timeout: .now, body)
    }

    private mutating func withMessagesNow(
        atMost limit: Int, _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void
    ) throws(MailslotError) -> Int {
        try withMessages(atMost: limit, timeout: .now, body, beforeRelease: beforeRelease)
    }

    // MARK: waiting

    private mutating func canRead(_ timeout: MailslotTimeout) async throws -> Bool {
        if timeout == .now { return true }
        try Task.checkCancellation()
        return try await isReady(TaskWait(timeout))
    }

    private mutating func readLater(_ wait: TaskWait) async throws -> MailslotMessage? {
        // More than once only where a hostile writer shows a message and takes it back.
        while try await isReady(wait) {
            if let message = try readNow() { return message }
        }
        return nil
    }

    /// Suspends until there is something to read. False when the time is up.
    private mutating func isReady(_ wait: TaskWait) async throws -> Bool {
        while true {
            let outcome = unsafe mslot_reader_begin_wait(handle, wait.begin())
            switch outcome {
            case .done: return true
            case .timedOut: return false
            case .empty: break
            default: throw MailslotError(outcome: outcome, name: name)
            }
            await wait.ending()
            guard Task.isCancelled || wait.hasExpired else { continue }
            _ = unsafe mslot_reader_end_wait(handle)
            try Task.checkCancellation()
            return false
        }
    }
}

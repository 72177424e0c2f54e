internal import CMailslots

// A task's calls on an end that is the task's alone: what MailslotSharedReader is made of. Not public: to a task, ours would be the only
// ones that the compiler lets it call, and an actor could not call them, for they are mutating. See Architecture.
extension MailslotReader {
    /// As ``MailslotSharedReader/read(timeout:)``.
    package mutating func read(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot
    ) async throws(MailslotError) -> MailslotMessage? {
        let timeout = timeout.mailslotTimeout
        if timeout != .now, Task.isCancelled { throw MailslotError(cancelled: name) }
        if let message = try tryRead() { return message }
        return timeout == .now ? nil : try await readLater(TaskWait(timeout))
    }

    /// As ``MailslotSharedReader/read(until:clock:)``.
    package mutating func read<C: Clock>(until deadline: C.Instant, clock: C) async throws(MailslotError) -> MailslotMessage? {
        if Task.isCancelled { throw MailslotError(cancelled: name) }
        if let message = try tryRead() { return message }
        let wait = TaskWait(.forever)
        return try await withDeadline(deadline, clock, expire: { wait.expire() }) { () async throws(MailslotError) in
            try await readLater(wait)
        }
    }

    /// As ``MailslotSharedReader/withMessage(timeout:_:)``.
    package mutating func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, _ body: (RawSpan, MailslotMessage.Info) -> Result
    ) async throws(MailslotError) -> Result? {
        guard try await canRead(timeout.mailslotTimeout) else { return nil }
        return try withMessageNow(body)
    }

    /// As ``MailslotSharedReader/withMessages(atMost:timeout:_:beforeRelease:)``.
    package mutating func withMessages(
        atMost limit: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot,
        _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void = {}
    ) async throws(MailslotError) -> Int {
        guard try await canRead(timeout.mailslotTimeout) else { return 0 }
        return try withMessagesNow(atMost: limit, body, beforeRelease: beforeRelease)
    }

    // MARK: without waiting. In an asynchronous function their synchronous counterparts cannot be named.

    mutating func withMessageNow<Result: ~Copyable>(
        _ body: (RawSpan, MailslotMessage.Info) throws -> Result
    ) throws -> Result? {
        try withMessage(timeout: .now, body)
    }

    private mutating func withMessageNow<Result: ~Copyable>(
        _ body: (RawSpan, MailslotMessage.Info) -> Result
    ) throws(MailslotError) -> Result? {
        try withMessage(timeout: .now, body)
    }

    private mutating func withMessagesNow(
        atMost limit: Int, _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void
    ) throws(MailslotError) -> Int {
        try withMessages(atMost: limit, timeout: .now, body, beforeRelease: beforeRelease)
    }

    // MARK: waiting

    /// Suspends until there is something to read. False when the time is up.
    mutating func canRead(_ timeout: MailslotTimeout) async throws(MailslotError) -> Bool {
        if timeout == .now { return true }
        if Task.isCancelled { throw MailslotError(cancelled: name) }
        if hasSomething { return true }
        return try await isReady(TaskWait(timeout))
    }

    /// Whether there is something to read at this moment: then no wait has to be made.
    private var hasSomething: Bool {
        var handle: UnsafeMutablePointer<mslot_reader>? = unsafe handle
        return unsafe mslot_reader_wait_any(&handle, 1, 0).outcome == .done
    }

    private mutating func readLater(_ wait: TaskWait) async throws(MailslotError) -> MailslotMessage? {
        // More than once only where a hostile writer shows a message and takes it back.
        while try await isReady(wait) {
            if let message = try tryRead() { return message }
        }
        return nil
    }

    private mutating func isReady(_ wait: TaskWait) async throws(MailslotError) -> Bool {
        while true {
            let outcome = unsafe mslot_reader_begin_wait(handle, wait.begin())
            switch outcome {
            case .done: return true
            case .timedOut: return false
            case .empty: break
            default: throw MailslotError(outcome: outcome, name: name)
            }
            await wait.ending()
            let isCancelled = Task.isCancelled
            guard isCancelled || wait.hasExpired else { continue }
            _ = unsafe mslot_reader_end_wait(handle)
            if isCancelled { throw MailslotError(cancelled: name) }
            return false
        }
    }
}

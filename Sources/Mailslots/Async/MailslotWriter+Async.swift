internal import CMailslots

// As the calls of a reading task. A write that finds room does not suspend.
extension MailslotWriter {
    /// Writes one message, suspending the task until there is room.
    ///
    /// - Throws: `CancellationError` if the task is cancelled, before or while it waits. Otherwise a ``MailslotError`` as the call that
    ///   blocks: ``MailslotError/Code/closed`` at once when the reader closes, ``MailslotError/Code/noReader`` within a second when it was
    ///   killed. Whenever it throws, nothing was written.
    ///
    /// The corresponding C function is `mslot_writer_write_or_begin_wait`.
    @inlinable
    public mutating func write(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) async throws {
        _ = try await write(message, timeout: .forever)
    }

    /// Writes one message, suspending the task until there is room, up to `timeout`.
    ///
    /// - Returns: `.full` if there was no room in time; nothing was written then.
    /// - Throws: As the call without a time-out. With `.now` it waits for nothing, and so does not ask whether the task is cancelled.
    @inlinable
    public mutating func write(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: some MailslotTimeoutConvertible
    ) async throws -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now { try Task.checkCancellation() }
        guard try tryWrite(message) == .full else { return .written }
        return timeout == .now ? .full : try await writeLater(message, timeout)
    }

    /// What found no room at first.
    @usableFromInline
    mutating func writeLater(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout
    ) async throws -> MailslotWriteOutcome {
        let wait = TaskWait(timeout, wasFull: true)
        while true {
            let outcome = message.withMessageBytes { bytes in
                // Sound: the call copies the bytes or leaves them alone, and keeps no pointer.
                unsafe bytes.withUnsafeBytes {
                    unsafe mslot_writer_write_or_begin_wait(handle, $0.baseAddress, $0.count, wait.begin())
                }
            }
            guard outcome == .full else { return try result(outcome) }
            await wait.ending()
            guard Task.isCancelled else { continue }
            _ = unsafe mslot_writer_end_wait(handle)
            throw CancellationError()
        }
    }

    /// Writes messages in order, suspending the task while there is no room.
    ///
    /// - Throws: As `write(_:)`; the messages before the one that failed are written.
    @inlinable
    public mutating func write(contentsOf messages: some Sequence<some MailslotBytes>) async throws {
        for message in messages { try await write(message) }
    }

    /// Lends the writer's own slot to `initializer`, as the call that blocks does. If there is no room the task suspends; what
    /// `initializer` appended is then copied once.
    ///
    /// - Throws: What `initializer` throws, or as `write(_:)`.
    @discardableResult
    public mutating func write(
        capacity: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        initializingWith initializer: (inout OutputRawSpan) throws -> Void
    ) async throws -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now { try Task.checkCancellation() }
        var kept: [UInt8]?
        let outcome = try result(try lend(capacity: capacity, timeout: .now, initializer) { kept = $0 })
        guard outcome == .full, timeout != .now, let kept else { return outcome }
        return try await writeLater(kept, timeout)
    }
}

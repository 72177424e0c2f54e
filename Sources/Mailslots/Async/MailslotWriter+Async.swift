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
    public mutating func write(_ bytes: RawSpan) async throws {
        _ = try await write(bytes, timeout: .forever)
    }

    /// Writes one message, suspending the task until there is room, up to `timeout`.
    public mutating func write(_ bytes: RawSpan, timeout: MailslotTimeout) async throws -> MailslotWriteOutcome {
        if timeout != .now { try Task.checkCancellation() }
        guard try tryWrite(bytes) == .full else { return .written }
        return timeout == .now ? .full : try await writeLater(bytes, timeout)
    }

    /// What found no room at first.
    private mutating func writeLater(_ bytes: RawSpan, _ timeout: MailslotTimeout) async throws -> MailslotWriteOutcome {
        let wait = TaskWait(timeout, wasFull: true)
        while true {
            // Sound: the call copies the bytes or leaves them alone, and keeps no pointer.
            let outcome = unsafe bytes.withUnsafeBytes {
                unsafe mslot_writer_write_or_begin_wait(handle, $0.baseAddress, $0.count, wait.begin())
            }
            guard outcome == .full else { return try result(outcome) }
            await wait.ending()
            guard Task.isCancelled else { continue }
            _ = unsafe mslot_writer_end_wait(handle)
            throw CancellationError()
        }
    }

    // `unsafe` below: as in the calls that block.

    /// Writes the UTF-8 of `text` as one message, suspending the task until there is room.
    public mutating func write(_ text: String) async throws { try await write(unsafe text.utf8.span.bytes) }
    /// Writes the UTF-8 of `text` as one message, suspending the task until there is room, up to `timeout`.
    public mutating func write(_ text: String, timeout: MailslotTimeout) async throws -> MailslotWriteOutcome {
        try await write(unsafe text.utf8.span.bytes, timeout: timeout)
    }
    /// Writes one message, suspending the task until there is room.
    public mutating func write(_ bytes: [UInt8]) async throws { try await write(unsafe bytes.span.bytes) }
    /// Writes one message, suspending the task until there is room, up to `timeout`.
    public mutating func write(_ bytes: [UInt8], timeout: MailslotTimeout) async throws -> MailslotWriteOutcome {
        try await write(unsafe bytes.span.bytes, timeout: timeout)
    }

    /// Writes messages in order, suspending the task while there is no room.
    ///
    /// - Throws: As `write(_:)`; the messages before the one that failed are written.
    public mutating func write(contentsOf messages: some Sequence<[UInt8]>) async throws {
        for message in messages { try await write(message) }
    }
    /// Writes messages in order, suspending the task while there is no room.
    public mutating func write(contentsOf messages: some Sequence<String>) async throws {
        for message in messages { try await write(message) }
    }

    /// Lends the writer's own slot to `body`, as the call that blocks does. If there is no room the task suspends; what `body` appended is
    /// then copied once.
    @discardableResult
    public mutating func write(
        byteCount: Int, timeout: MailslotTimeout = .forever, _ body: (inout OutputRawSpan) throws -> Void
    ) async throws -> MailslotWriteOutcome {
        if timeout != .now { try Task.checkCancellation() }
        switch try fill(byteCount, body) {
        case nil: return .written
        case _ where timeout == .now: return .full
        case .some(let kept): return try await writeLater(unsafe kept.span.bytes, timeout)
        }
    }

    /// Lends the slot and publishes it. What was appended comes back if there is no room.
    private mutating func fill(_ byteCount: Int, _ body: (inout OutputRawSpan) throws -> Void) throws -> [UInt8]? {
        var kept: [UInt8]?
        let outcome = try lend(byteCount: byteCount, timeout: .now, body) { kept = $0 }
        return outcome == .written ? nil : kept
    }
}

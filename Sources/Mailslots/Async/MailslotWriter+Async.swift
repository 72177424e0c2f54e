internal import CMailslots

// A task's calls on an end that is the task's alone, as those of a reader. A write that finds room does not suspend.
extension MailslotWriter {
    /// As ``MailslotSharedWriter/write(_:)``.
    package mutating func write(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) async throws(MailslotError) {
        _ = try await write(message, timeout: .forever)
    }

    /// As ``MailslotSharedWriter/write(_:timeout:)``.
    package mutating func write(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: some MailslotTimeoutConvertible
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now, Task.isCancelled { throw MailslotError(cancelled: name) }
        guard try tryWrite(message) == .full else { return .written }
        return timeout == .now ? .full : try await writeLater(message, timeout)
    }

    /// What found no room at first.
    private mutating func writeLater(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout
    ) async throws(MailslotError) -> MailslotWriteOutcome {
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
            throw MailslotError(cancelled: name)
        }
    }

    /// As ``MailslotSharedWriter/write(contentsOf:)``.
    package mutating func write(contentsOf messages: some Sequence<some MailslotBytes>) async throws(MailslotError) {
        for message in messages { try await write(message) }
    }

    /// As ``MailslotSharedWriter/write(capacity:timeout:initializingWith:)``.
    @discardableResult
    package mutating func write(
        capacity: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        initializingWith initializer: (inout OutputRawSpan) throws(MailslotError) -> Void
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now, Task.isCancelled { throw MailslotError(cancelled: name) }
        var kept: [UInt8]?
        let outcome = try result(try lend(capacity: capacity, timeout: .now, initializer) { kept = $0 })
        guard outcome == .full, timeout != .now, let kept else { return outcome }
        return try await writeLater(kept, timeout)
    }
}

public import CMailslots

/// How a write that may find no room ended.
@frozen
public enum MailslotWriteOutcome: Sendable, Hashable {
    /// The message is in the mailslot.
    case written
    /// There was no room, now or in the time given. Nothing was written.
    case full
}

/// A writing end of a mailslot: ``Mailslot`` has `open`.
///
/// Each writer has a lane of its own, so writers never wait for one another; a mailslot has 256 lanes unless its creator said otherwise.
/// A writer is owned by one place at a time, which the compiler checks (every write is `mutating`); it may move to another thread.
/// It ends with ``close()`` or when it goes out of scope.
///
/// Nothing is acknowledged: a message that was written is read, or discarded when the reader closes the mailslot.
///
/// - Important: After `fork`, a child's calls on its parent's writer throw ``MailslotError/Code/forked`` and touch nothing.
@safe
public struct MailslotWriter: ~Copyable, Sendable {
    // Sound: every call on the handle is a mutating or consuming method of its one owner. Only the interrupter shares it.
    @usableFromInline nonisolated(unsafe) let handle: UnsafeMutablePointer<mslot_writer>
    /// The mailslot's name, as it was given.
    public let name: String
    private var interruption: MailslotInterrupter?

    init(handle: UnsafeMutablePointer<mslot_writer>, name: String) {
        unsafe self.handle = unsafe handle
        self.name = name
    }

    // MARK: writing

    /// Writes one message, and waits for room as long as it takes.
    ///
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/tooLong``, ``MailslotError/Code/closed``,
    ///   ``MailslotError/Code/noReader`` and ``MailslotError/Code/notFound`` (while it waits: the reader was killed, the file was deleted),
    ///   ``MailslotError/Code/interrupted``, ``MailslotError/Code/forked``,
    ///   ``MailslotError/Code/damaged``. Whenever it throws, nothing was written.
    ///
    /// The corresponding C function is `mslot_writer_write`, the Windows call `WriteFile`.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    @inlinable
    @inline(__always)
    public mutating func write(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) throws(MailslotError) {
        let outcome = try write(message, timeout: .forever)
        assert(outcome == .written, "For ever never ends in .full.")
    }

    /// Writes one message, and waits for room up to `timeout`.
    ///
    /// - Returns: `.full` if there was no room in time; nothing was written then.
    /// - Throws: A ``MailslotError`` as the call without a time-out.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    @inlinable
    @inline(__always)
    public mutating func write(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: some MailslotTimeoutConvertible
    ) throws(MailslotError) -> MailslotWriteOutcome {
        let nanoseconds = timeout.mailslotTimeout.nanoseconds
        let outcome = message.withMessageBytes { bytes in
            // Sound: the call copies the bytes and keeps no pointer.
            unsafe bytes.withUnsafeBytes { unsafe mslot_writer_write(handle, $0.baseAddress, $0.count, nanoseconds) }
        }
        return try result(outcome)
    }

    /// Writes one message if there is room. Never waits, never makes a system call unless the reader sleeps.
    ///
    /// - Returns: `.full` if there was no room; nothing was written then.
    /// - Throws: A ``MailslotError`` as `write(_:)`.
    ///
    /// The corresponding C function is `mslot_writer_try_write`.
    @inlinable
    @inline(__always)
    public mutating func tryWrite(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable
    ) throws(MailslotError) -> MailslotWriteOutcome {
        try write(message, timeout: .now)
    }

    /// Writes messages in order, waiting for room, and wakes a sleeping reader once for all.
    ///
    /// - Throws: A ``MailslotError`` as `write(_:)`; the messages before the one that failed are written.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    @inlinable
    public mutating func write(contentsOf messages: some Sequence<some MailslotBytes>) throws(MailslotError) {
        // A loop is a batch: a writer remembers whom it has woken, so the messages after the first wake nobody.
        for message in messages { try write(message) }
    }

    // MARK: a loan

    /// Lends the writer's own slot to `initializer`, which fills it in place for as long as it likes, and publishes what it appended.
    ///
    /// ```swift
    /// try out.write(capacity: 16) { slot in
    ///     slot.append(order.id, as: UInt64.self)
    ///     slot.append(order.price, as: UInt64.self)
    /// }
    /// ```
    ///
    /// Nobody waits for a loan: other writers go on, and if the process dies the slot is recovered. If `initializer` throws, nothing is
    /// written and the loan is given back.
    ///
    /// - Parameters:
    ///   - capacity: How many bytes `initializer` may append, at most 424, however long the mailslot's messages may be. The message has
    ///     as many as it did append.
    ///   - timeout: How long to wait for room.
    ///   - initializer: Fills the slot.
    /// - Returns: `.full` if there was no room in time; nothing was written then.
    /// - Throws: What `initializer` throws, or a ``MailslotError`` as `write(_:)`.
    ///
    /// The corresponding C functions are `mslot_writer_loan`, `mslot_writer_publish` and `mslot_writer_abandon`.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    @inlinable
    @discardableResult
    public mutating func write(
        capacity: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        initializingWith initializer: (inout OutputRawSpan) throws -> Void
    ) throws -> MailslotWriteOutcome {
        try result(try lend(capacity: capacity, timeout: timeout.mailslotTimeout, initializer))
    }

    /// As the other call of this name, for an `initializer` that throws a ``MailslotError`` or nothing: only a ``MailslotError`` is thrown.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    @inlinable
    @discardableResult
    public mutating func write(
        capacity: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        initializingWith initializer: (inout OutputRawSpan) throws(MailslotError) -> Void
    ) throws(MailslotError) -> MailslotWriteOutcome {
        try result(try lend(capacity: capacity, timeout: timeout.mailslotTimeout, initializer))
    }

    /// Lends the slot and publishes it.
    ///
    /// - Parameter full: Gets what was appended if there was no room in time.
    @inlinable
    @inline(__always)
    mutating func lend<Failure: Error>(
        capacity: Int, timeout: MailslotTimeout, _ initializer: (inout OutputRawSpan) throws(Failure) -> Void,
        full: (([UInt8]) -> Void)? = nil
    ) throws(Failure) -> mslot_outcome {
        precondition(capacity >= 0, "A message has no negative size.")
        guard capacity <= Mailslot.maximumMessageSize else { return .tooLong }
        let loan = unsafe mslot_writer_loan(handle)
        guard unsafe loan.outcome == .done else { return unsafe loan.outcome }
        let filled: Int
        do throws(Failure) {
            // Sound: the loan has 424 bytes, which are this writer's until it publishes.
            var slot = unsafe OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(start: loan.bytes, count: capacity), initializedCount: 0)
            try initializer(&slot)
            filled = slot.byteCount
        } catch {
            _ = unsafe mslot_writer_abandon(handle)
            throw error
        }
        let outcome = unsafe mslot_writer_publish(handle, filled, timeout.nanoseconds)
        if outcome != .done {
            // Sound: the loan is ours until it is abandoned, and `filled` bytes of it are initialised.
            if let full { full(unsafe [UInt8](UnsafeRawBufferPointer(start: loan.bytes, count: filled))) }
            _ = unsafe mslot_writer_abandon(handle)
        }
        return outcome
    }

    // MARK: the rest

    @inlinable
    @inline(__always)
    func result(_ outcome: mslot_outcome) throws(MailslotError) -> MailslotWriteOutcome {
        if outcome == .done { return .written }
        if outcome == .full || outcome == .timedOut { return .full }
        throw .make(outcome.rawValue, name)
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo { unsafe MailslotInfo(mslot_writer_info(handle)) }

    /// Ends this writer's waits for room from another thread. Take it before the wait begins.
    public var interrupter: MailslotInterrupter {
        mutating get {
            if let interruption { return interruption }
            let made = unsafe MailslotInterrupter(.writer(handle))
            interruption = made
            return made
        }
    }

    /// Gives the lane back. What was written stays.
    ///
    /// The corresponding C function is `mslot_writer_close`.
    public consuming func close() {
        // The end of the scope does it: `deinit`.
    }

    deinit {
        interruption?.forget()
        _ = unsafe mslot_writer_close(handle)
    }
}

public import CMailslots

/// The reading end of a mailslot: ``Mailslot`` has `create`.
///
/// It is owned by one place at a time, which the compiler checks; it may move to another thread. It ends with ``close(unread:)`` or when
/// it goes out of scope: unread messages are then discarded, and writers are told, unless it is told to keep them for a reader that adopts
/// them. A process that is killed keeps them, too.
///
/// - Important: After `fork`, a child's calls on its parent's reader throw ``MailslotError/Code/forked`` and touch nothing.
@safe
public struct MailslotReader: ~Copyable, Sendable {
    // Sound: every call on the handle is a mutating or consuming method of its one owner. Only the interrupter shares it.
    @usableFromInline nonisolated(unsafe) let handle: UnsafeMutablePointer<mslot_reader>
    /// The mailslot's name, as it was given.
    public let name: String
    /// Whether it adopted the mailslot of a reader that was killed or had left, with what was unread: ``Mailslot/UnreadMessages/adopt``.
    public let hasAdoptedMessages: Bool
    /// How many messages such a reader had left unread: they were adopted, or discarded by ``Mailslot/UnreadMessages/discard``.
    public let predecessorUnreadCount: Int
    /// What becomes of unread messages where this reader ends without ``close(unread:)``: where it goes out of scope, or what owns it does.
    public var unreadAtEndOfScope = UnreadMessages.discard
    private var interruption: MailslotInterrupter?
    private var isOpen = true

    /// What becomes of a reader's unread messages when it ends.
    public enum UnreadMessages: Sendable, Hashable {
        /// They are discarded. The name is free, and writers are told at once: ``MailslotError/Code/closed``.
        case discard
        /// The mailslot stays, and they wait for a reader that adopts it: ``Mailslot/UnreadMessages/adopt``. What was not released comes
        /// again, with the same position. Writers go on while there is room; one that waits for it is told within a second that there is no
        /// reader, or waits for the next one: ``Mailslot/ReaderDeath``.
        case keep
    }

    init(handle: UnsafeMutablePointer<mslot_reader>, name: String, hasAdoptedMessages: Bool, predecessorUnreadCount: Int) {
        unsafe self.handle = unsafe handle
        self.name = name
        self.hasAdoptedMessages = hasAdoptedMessages
        self.predecessorUnreadCount = predecessorUnreadCount
    }

    // MARK: reading

    /// Copies the next message out, waiting for it.
    ///
    /// - Parameter timeout: How long to wait; by default as long as the mailslot says, which is for ever unless
    ///   ``setReadTimeout(_:)`` or `create` said otherwise.
    /// - Returns: `nil` when the time is up.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/interrupted``, ``MailslotError/Code/damaged``,
    ///   ``MailslotError/Code/forked``. A time that is up is not thrown, and a signal ends nothing.
    ///
    /// The corresponding C function is `mslot_reader_read`, the Windows call `ReadFile`.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    @inlinable
    public mutating func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot) throws(MailslotError)
        -> MailslotMessage?
    {
        guard let view = unsafe try lend(timeout.mailslotTimeout) else { return nil }
        let message = unsafe MailslotMessage(copying: view)
        release(1)
        return message
    }

    /// Copies the next message out if there is one. Never waits.
    ///
    /// - Returns: `nil`: there is none.
    /// - Throws: As ``read(timeout:)``.
    @inlinable
    public mutating func tryRead() throws(MailslotError) -> MailslotMessage? { try read(timeout: .now) }

    /// Calls `body` with the next message in place, without a copy, and then releases it, also when `body` throws.
    ///
    /// The bytes are shared memory: a writer that breaks the rules may change them while `body` looks. Copy what you decide on.
    ///
    /// - Returns: What `body` returns; `nil` when the time is up.
    /// - Throws: What `body` throws, or a ``MailslotError`` as ``read(timeout:)``.
    ///
    /// The corresponding C functions are `mslot_reader_peek` and `mslot_reader_release`.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    @inlinable
    public mutating func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, _ body: (RawSpan, MailslotMessage.Info) throws -> Result
    ) throws -> Result? {
        guard let view = unsafe try lend(timeout.mailslotTimeout) else { return nil }
        defer { release(1) }
        // Sound: the view's bytes stay until they are released, after `body`, which cannot keep the span.
        return try body(unsafe RawSpan(_unsafeBytes: Self.bytes(view)), unsafe Self.info(view))
    }

    /// As the other ``withMessage(timeout:_:)``, for a `body` that does not throw: only a ``MailslotError`` is thrown.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    @inlinable
    public mutating func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, _ body: (RawSpan, MailslotMessage.Info) -> Result
    ) throws(MailslotError) -> Result? {
        guard let view = unsafe try lend(timeout.mailslotTimeout) else { return nil }
        defer { release(1) }
        // Sound: as above.
        return body(unsafe RawSpan(_unsafeBytes: Self.bytes(view)), unsafe Self.info(view))
    }

    /// Calls `body` with each message that is there, at most `limit`, in place; waits only for the first. Releases them together,
    /// with one wake for all writers that wait for room.
    ///
    /// If the process dies meanwhile, the whole batch comes again to a reader that adopts the mailslot. So finish in `beforeRelease`
    /// what must not be lost: flush what `body` has collected.
    ///
    /// - Parameters:
    ///   - limit: The most messages of one batch, at least 1.
    ///   - timeout: How long to wait for the first.
    ///   - body: Called with each message.
    ///   - beforeRelease: Called once after the last message, while all are still lent.
    /// - Returns: How many messages there were; 0 when the time is up.
    /// - Throws: A ``MailslotError`` as ``read(timeout:)``; if damage is met after the first message, the next call throws it.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    @inlinable
    public mutating func withMessages(
        atMost limit: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot,
        _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void = {}
    ) throws(MailslotError) -> Int {
        precondition(limit > 0, "A batch has room for at least one message.")
        guard let first = unsafe try lend(timeout.mailslotTimeout) else { return 0 }
        // Sound: as above; and a slot's bytes stay while later ones are lent.
        body(unsafe RawSpan(_unsafeBytes: Self.bytes(first)), unsafe Self.info(first))
        var count = 1
        while count < limit {
            let next = unsafe mslot_reader_peek(handle, 0)
            guard unsafe next.outcome == .done else { break }
            body(unsafe RawSpan(_unsafeBytes: Self.bytes(next)), unsafe Self.info(next))
            count += 1
        }
        beforeRelease()
        release(count)
        return count
    }

    /// The next message, lent; `nil` when the time is up.
    @inlinable
    @inline(__always)
    @unsafe
    mutating func lend(_ timeout: MailslotTimeout) throws(MailslotError) -> mslot_view? {
        let view = unsafe mslot_reader_peek(handle, timeout.nanoseconds)
        let outcome = unsafe view.outcome
        if outcome == .done { return unsafe view }
        if outcome == .empty || outcome == .timedOut { return nil }
        throw .make(outcome.rawValue, name)
    }

    @inlinable
    @inline(__always)
    static func bytes(_ view: mslot_view) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: view.bytes, count: Int(view.byte_count))
    }

    @inlinable
    @inline(__always)
    static func info(_ view: mslot_view) -> MailslotMessage.Info {
        unsafe MailslotMessage.Info(position: view.position, senderProcessID: view.sender, origin: view.origin)
    }

    /// What was lent goes back. Only damage can refuse it, which the next look at the ring then says.
    @inlinable
    @inline(__always)
    mutating func release(_ count: Int) { _ = unsafe mslot_reader_release(handle, count) }

    // MARK: the rest

    /// Sets the mailslot's own time-out for reading. The Windows call is `SetMailslotInfo`.
    public mutating func setReadTimeout(_ timeout: some MailslotTimeoutConvertible) throws(MailslotError) {
        let outcome = unsafe mslot_reader_set_timeout(handle, timeout.mailslotTimeout.nanoseconds)
        guard outcome == .done else { throw MailslotError(outcome: outcome, name: name) }
    }

    /// The mailslot at this moment: next size, message count, counters. The Windows call is `GetMailslotInfo`.
    public var info: MailslotInfo { unsafe MailslotInfo(mslot_reader_info(handle)) }

    /// Ends this reader's waits from another thread. Take it before the wait begins.
    public var interrupter: MailslotInterrupter {
        mutating get {
            if let interruption { return interruption }
            let made = unsafe MailslotInterrupter(.reader(handle))
            interruption = made
            return made
        }
    }

    /// Closes the mailslot: discards unread messages, tells every waiting writer, frees the name. Every write that succeeded came before.
    /// Or leaves it, with what is unread, to a reader that adopts it.
    /// The name stays if the process may no longer change the directory, having dropped its privileges; the next reader that may takes it
    /// over.
    ///
    /// - Parameter unread: What becomes of unread messages.
    /// - Returns: How many they were. Discarded: exactly. Kept: at that moment; writers may go on.
    ///
    /// The corresponding C functions are `mslot_reader_close_counting` and `mslot_reader_leave`.
    @discardableResult
    public consuming func close(unread: UnreadMessages = .discard) -> Int {
        isOpen = false
        return end(unread)
    }

    private func end(_ unread: UnreadMessages) -> Int {
        interruption?.forget()
        // Nothing can go wrong that a caller could mend: the one owner is not in another call.
        switch unread {
        case .discard:
            var discarded: UInt32 = 0
            _ = unsafe mslot_reader_close_counting(handle, &discarded)
            return Int(discarded)
        case .keep:
            let kept = info.messageCount
            _ = unsafe mslot_reader_leave(handle)
            return kept
        }
    }

    deinit {
        if isOpen { _ = end(unreadAtEndOfScope) }
    }
}

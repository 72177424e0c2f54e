/// A writer for tasks: it suspends, where a ``MailslotWriter`` blocks its thread.
///
/// An actor, a class, an array, a dictionary or a tuple can hold it, and any number of tasks may use it. Their messages keep the order in
/// which they asked.
///
/// ```swift
/// let log = MailslotSharedWriter(try Mailslot.open("log"))
/// async let first: Void = log.write("from one task")
/// async let second: Void = log.write("from another")
/// ```
///
/// It takes one lane of the mailslot, however many tasks write; a writer for each task is faster where many write at the same time. While
/// there is room nobody suspends. When there is none, one task waits for room and the others for their turn, first come first served.
/// The writer closes with ``close()``, or when nobody holds it any more.
///
/// - Important: After `fork`, a child's calls throw ``MailslotError/Code/forked`` and touch nothing.
public final class MailslotSharedWriter: Sendable {
    private let shared: SharedEnd<MailslotWriter>
    /// The mailslot's name, as it was given.
    public var name: String { shared.name }

    /// Owns `writer` from now on.
    public init(_ writer: consuming MailslotWriter) { shared = SharedEnd(writer) }

    // MARK: writing

    /// Writes one message, suspending the task until it is its turn and there is room.
    ///
    /// - Throws: ``MailslotError/Code/cancelled`` if the task is cancelled, before or while it waits; ``MailslotError/Code/notOpen`` after
    ///   ``close()``; and what ``MailslotWriter/write(_:)`` throws: ``MailslotError/Code/closed`` at once when the reader closes,
    ///   ``MailslotError/Code/noReader`` within a second when it was killed. Nothing was written then.
    ///
    /// The corresponding C function is `mslot_writer_write_or_begin_wait`.
    @inlinable
    public func write(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) async throws(MailslotError) {
        _ = try await write(message, timeout: .forever)
    }

    /// Writes one message, suspending the task until it is its turn and there is room, up to `timeout`.
    ///
    /// - Returns: `.full` if its turn or room did not come in time; nothing was written then.
    /// - Throws: As the call without a time-out. With `.now` it waits for nothing, and so does not ask whether the task is cancelled.
    @inlinable
    public func write(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, timeout: some MailslotTimeoutConvertible
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        let timeout = timeout.mailslotTimeout
        if timeout != .now, Task.isCancelled { throw .makeCancelled(name) }
        guard try tryWrite(message) == .full else { return .written }
        return timeout == .now ? .full : try await writeLater(message, timeout)
    }

    /// Writes one message if there is room, and no task waits for it. Never waits, and may be called without `await`.
    ///
    /// - Returns: `.full` if there was no room, or others waited for it; nothing was written then.
    /// - Throws: As `write(_:)`, but for the cancellation.
    @inlinable
    public func tryWrite(_ message: borrowing some MailslotBytes & ~Copyable & ~Escapable) throws(MailslotError) -> MailslotWriteOutcome {
        try message.withMessageBytes { bytes throws(MailslotError) in try tryWrite(bytes: bytes) }
    }

    @usableFromInline
    func tryWrite(bytes: RawSpan) throws(MailslotError) -> MailslotWriteOutcome {
        guard try shared.tryBegin() else { return .full }
        defer { shared.finish() }
        return try shared.end.tryWrite(bytes)
    }

    /// What found no room, or others waiting for it, at first.
    @usableFromInline
    func writeLater(
        _ message: borrowing some MailslotBytes & ~Copyable & ~Escapable, _ timeout: MailslotTimeout
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        guard let left = try await shared.begin(timeout) else { return .full }
        defer { shared.finish() }
        do { return try await shared.end.write(message, timeout: left) } catch { throw shared.meaning(of: error) }
    }

    /// Writes messages in order and together, suspending the task while there is no room. Others wait for their turn until the last.
    ///
    /// - Throws: As `write(_:)`; the messages before the one that failed are written.
    public func write(contentsOf messages: some Sequence<some MailslotBytes>) async throws(MailslotError) {
        _ = try await shared.begin(.forever)
        defer { shared.finish() }
        do { try await shared.end.write(contentsOf: messages) } catch { throw shared.meaning(of: error) }
    }

    /// Lends the writer's own slot to `initializer`, which fills it in place, and publishes what it appended. If there is no room the task
    /// suspends, and what was appended is then copied once.
    ///
    /// - Parameters:
    ///   - capacity: How many bytes `initializer` may append, at most 424, however long the mailslot's messages may be. The message has
    ///     as many as it did append.
    ///   - timeout: How long to wait for a turn and for room.
    ///   - initializer: Fills the slot. It is not called if the turn did not come in time.
    /// - Returns: `.full` if there was no room in time; nothing was written then.
    /// - Throws: As `write(_:)`.
    @discardableResult
    public func write(
        capacity: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        initializingWith initializer: (inout OutputRawSpan) throws(MailslotError) -> Void
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        guard let left = try await shared.begin(timeout.mailslotTimeout) else { return .full }
        defer { shared.finish() }
        do {
            return try await shared.end.write(capacity: capacity, timeout: left, initializingWith: initializer)
        } catch {
            throw shared.meaning(of: error)
        }
    }

    // MARK: the rest

    /// The mailslot at this moment; `nil` after ``close()``. From any thread.
    public var info: MailslotInfo? { shared.info }

    /// Ends a wait for room from any thread, with ``MailslotError/Code/interrupted``.
    public var interrupter: MailslotInterrupter { shared.interrupter }

    /// Gives the lane back. What was written stays; a task that waits, and every call from now on, throws ``MailslotError/Code/notOpen``.
    /// It closes also when the task is cancelled.
    public func close() async { _ = await shared.take() }

    /// How many tasks wait for their turn.
    var queueLength: Int { shared.turns.queueLength }
}

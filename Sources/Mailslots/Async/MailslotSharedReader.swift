/// A reader for tasks: it suspends, where a ``MailslotReader`` blocks its thread.
///
/// An actor, a class, an array, a dictionary or a tuple can hold it, and any number of tasks may use it: each message goes to one of them.
///
/// ```swift
/// actor Orders {
///     let reader: MailslotSharedReader
///     init() throws { reader = MailslotSharedReader(try Mailslot.create("orders")) }
///
///     func run() async throws {
///         while let message = try await reader.read() { handle(message) }
///     }
/// }
/// ```
///
/// None of its calls blocks a thread. Each looks first and polls for some microseconds where that has helped lately, so a busy mailslot's
/// task never suspends. Then the task suspends, and the process's one waiter thread sleeps on its mailslot and all others that tasks wait
/// for. While one task waits for a message the others wait for their turn, first come first served.
///
/// The mailslot closes with ``close(unread:)``, or when nobody holds the reader any more: then what is unread is discarded or kept as
/// ``MailslotReader/unreadAtEndOfScope`` said when it was taken.
///
/// - Important: After `fork`, a child's calls throw ``MailslotError/Code/forked`` and touch nothing.
public final class MailslotSharedReader: Sendable {
    private let shared: SharedEnd<MailslotReader>
    /// The mailslot's name, as it was given.
    public var name: String { shared.name }
    /// Whether it adopted the mailslot of a reader that was killed or had left: ``MailslotReader/hasAdoptedMessages``.
    public let hasAdoptedMessages: Bool
    /// How many messages such a reader had left unread: ``MailslotReader/predecessorUnreadCount``.
    public let predecessorUnreadCount: Int

    /// Owns `reader` from now on.
    public init(_ reader: consuming MailslotReader) {
        hasAdoptedMessages = reader.hasAdoptedMessages
        predecessorUnreadCount = reader.predecessorUnreadCount
        shared = SharedEnd(reader)
    }

    // MARK: reading

    /// Copies the next message out, suspending the task until there is one.
    ///
    /// - Parameter timeout: How long to wait; by default as long as the mailslot says, which is for ever unless `create` or
    ///   ``setReadTimeout(_:)`` said otherwise.
    /// - Returns: `nil` when the time is up; with `.now` also while another task waits for a message.
    /// - Throws: ``MailslotError/Code/cancelled`` if the task is cancelled, before or while it waits: the message stays in the mailslot.
    ///   With `.now` it waits for nothing, and so does not ask. ``MailslotError/Code/notOpen`` after a close, and what
    ///   ``MailslotReader/read(timeout:)`` throws. A time that is up is not thrown.
    ///
    /// The corresponding C function is `mslot_reader_begin_wait`.
    public func read(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot
    ) async throws(MailslotError) -> MailslotMessage? {
        guard let left = try await shared.begin(timeout.mailslotTimeout) else { return nil }
        defer { shared.finish() }
        do { return try await shared.end.read(timeout: left) } catch { throw shared.meaning(of: error) }
    }

    /// Copies the next message out, suspending the task until there is one or `clock` says that it is `deadline`.
    ///
    /// ```swift
    /// let message = try await orders.read(until: .now + .seconds(1), clock: .continuous)
    /// ```
    ///
    /// The clock's `sleep` is what decides, so a clock that a test moves by hand works too. A time-out is cheaper: it needs no task of its
    /// own.
    ///
    /// - Returns: `nil` at the deadline.
    /// - Throws: As ``read(timeout:)``.
    public func read<C: Clock>(until deadline: C.Instant, clock: C) async throws(MailslotError) -> MailslotMessage? {
        guard try await shared.begin(until: deadline, clock: clock) else { return nil }
        defer { shared.finish() }
        do { return try await shared.end.read(until: deadline, clock: clock) } catch { throw shared.meaning(of: error) }
    }

    /// Copies the next message out if there is one. Never waits, and may be called without `await`.
    ///
    /// - Returns: `nil`: there is none, or another task waits for one.
    /// - Throws: As ``read(timeout:)``, but for the cancellation.
    public func tryRead() throws(MailslotError) -> MailslotMessage? {
        guard try shared.tryBegin() else { return nil }
        defer { shared.finish() }
        return try shared.end.tryRead()
    }

    /// Calls `body` with the next message in place, without a copy, and then releases it; suspends the task until there is one.
    ///
    /// The bytes are shared memory: a writer that breaks the rules may change them while `body` looks. Copy what you decide on.
    ///
    /// - Returns: What `body` returns; `nil` when the time is up.
    /// - Throws: As ``read(timeout:)``.
    public func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, _ body: (RawSpan, MailslotMessage.Info) -> Result
    ) async throws(MailslotError) -> Result? {
        guard let left = try await shared.begin(timeout.mailslotTimeout) else { return nil }
        defer { shared.finish() }
        do { return try await shared.end.withMessage(timeout: left, body) } catch { throw shared.meaning(of: error) }
    }

    /// As the other ``withMessage(timeout:_:)``, for a `body` that throws: the message is released then, too.
    ///
    /// - Throws: What `body` throws, or a ``MailslotError`` as ``read(timeout:)``.
    // The actor as a parameter, in place of `nonisolated(nonsending)`: see Architecture on the optimiser.
    public func withMessage<Result: ~Copyable>(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot, isolation: isolated (any Actor)? = #isolation,
        _ body: (RawSpan, MailslotMessage.Info) throws -> Result
    ) async throws -> Result? {
        guard let left = try await shared.begin(timeout.mailslotTimeout) else { return nil }
        defer { shared.finish() }
        do {
            guard try await shared.end.canRead(left) else { return nil }
        } catch {
            throw shared.meaning(of: error)
        }
        return try shared.end.withMessageNow(body)
    }

    /// Calls `body` with each message that is there, at most `limit`, in place; suspends the task only for the first. Releases them
    /// together, with one wake for all writers that wait for room.
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
    /// - Throws: As ``read(timeout:)``; if damage is met after the first message, the next call throws it.
    public func withMessages(
        atMost limit: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot,
        _ body: (RawSpan, MailslotMessage.Info) -> Void, beforeRelease: () -> Void = {}
    ) async throws(MailslotError) -> Int {
        guard let left = try await shared.begin(timeout.mailslotTimeout) else { return 0 }
        defer { shared.finish() }
        do {
            return try await shared.end.withMessages(atMost: limit, timeout: left, body, beforeRelease: beforeRelease)
        } catch {
            throw shared.meaning(of: error)
        }
    }

    /// The messages, as they come, for a loop. Loops and other calls share them.
    public func messages() -> MailslotMessages { MailslotMessages(self) }

    // MARK: the rest

    /// Sets the mailslot's own time-out for reading, of the waits that begin from now on. Suspends while another task waits for a message.
    ///
    /// - Throws: As ``read(timeout:)``.
    public func setReadTimeout(_ timeout: some MailslotTimeoutConvertible) async throws(MailslotError) {
        _ = try await shared.begin(.forever)
        defer { shared.finish() }
        try shared.end.setReadTimeout(timeout)
    }

    /// The mailslot at this moment: next size, message count, counters; `nil` after a close. From any thread.
    public var info: MailslotInfo? { shared.info }

    /// Ends a wait for a message from any thread, with ``MailslotError/Code/interrupted``.
    public var interrupter: MailslotInterrupter { shared.interrupter }

    /// Closes the mailslot, or leaves it to a reader that adopts it, as ``MailslotReader/close(unread:)``.
    ///
    /// A task that waits for a message, and every call from now on, throws ``MailslotError/Code/notOpen``; a loop over ``messages()`` ends.
    /// It closes also when the task is cancelled.
    ///
    /// - Parameter unread: What becomes of unread messages.
    /// - Returns: How many they were. Discarded: exactly. Kept: at that moment; writers may go on. 0: it was closed before.
    @discardableResult
    public func close(unread: MailslotReader.UnreadMessages = .discard) async -> Int {
        guard let reader = await shared.take() else { return 0 }
        return reader.close(unread: unread)
    }

    /// How many tasks wait for their turn.
    var queueLength: Int { shared.turns.queueLength }
}

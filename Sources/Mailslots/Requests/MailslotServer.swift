internal import CMailslots

/// Answers requests, which come to one mailslot, each to the client that sent it.
///
/// ```swift
/// let server = try MailslotServer("prices")
/// try await server.run { request in
///     request.message.text == "gold" ? "2,345.60" : "unknown"
/// }
/// ```
///
/// One of its calls serves at a time: one of the `run`, or the iterator of ``requests()``. ``stop()`` ends it from any thread.
///
/// A request is carried out at most once: it is taken out of the mailslot first. What a server that was killed had not taken waits for one
/// that adopts the mailslot; what it had taken fails at its caller at once. No client can hold a server up, whatever becomes of it: answers
/// that find no room are kept for a while, and then dropped and counted.
///
/// The mailslot goes when nobody holds the server any more.
///
/// - Important: After `fork`, a child's calls on its parent's server throw ``MailslotError/Code/forked``.
public final class MailslotServer: Sendable {
    let reader: RequestReader

    /// Creates the mailslot for requests.
    ///
    /// - Parameters:
    ///   - name: The mailslot's name.
    ///   - capacity: How many requests can wait: a power of two from 1 to 32768.
    ///   - maximumWriters: How many callers may have it open at one time.
    ///   - maximumRequestSize: The longest request in bytes, up to ``Mailslot/maximumLongMessageSize`` less 32. `nil`: 392, or what is
    ///     there to adopt.
    ///   - maximumClients: How many clients' mailslots for answers it keeps open, the last that it heard of. Others are opened again when
    ///     they send a request, which takes some 20 µs.
    ///   - permissions: Who may call.
    ///   - unread: What happens to the requests that a server left which was killed, or ended with `unreadAtEnd`.
    ///   - unreadAtEnd: What becomes of those that this server leaves.
    ///   - trust: Whose clients are answered. For clients of other users, have ``Mailslot/guardAgainstTruncation()``.
    ///   - acceptsRemoteRequests: Whether clients of other machines are answered, by the bridge.
    ///   - polling: How long it polls for a request before it sleeps.
    /// - Throws: A ``MailslotError``, as creating a mailslot; ``MailslotError/Code/alreadyExists``: there is a server of this name.
    public init(
        _ name: String,
        capacity: Int? = nil,
        maximumWriters: Int? = nil,
        maximumRequestSize: Int? = nil,
        maximumClients: Int = 256,
        permissions: Mailslot.Permissions? = nil,
        unread: Mailslot.UnreadMessages = .discard,
        unreadAtEnd: MailslotReader.UnreadMessages = .discard,
        trusting trust: Mailslot.Trust = .sameUser,
        acceptsRemoteRequests: Bool = false,
        polling: Mailslot.Polling = .adaptive
    ) throws(MailslotError) {
        var mailslot = try Mailslot.create(
            name, capacity: capacity, maximumWriters: maximumWriters,
            maximumMessageSize: maximumRequestSize.map { max($0 + RequestHeader.byteCountMax, Mailslot.maximumMessageSize) },
            permissions: permissions, unread: unread, acceptsRemoteMessages: acceptsRemoteRequests, polling: polling,
            announcesDeath: true)
        mailslot.unreadAtEndOfScope = unreadAtEnd
        Mailslot.removeOwnOfTheDead()
        reader = RequestReader(
            mailslot, maximumClients: maximumClients, acceptsRemoteRequests: acceptsRemoteRequests, trusting: trust)
    }

    /// The mailslot's name, as it was given.
    public var name: String { reader.name }
    /// What came to it so far.
    public var counters: MailslotServerCounters { reader.tally.counters }
    /// The mailslot at this moment: how many requests wait, and more.
    public var info: MailslotInfo { reader.info }
    /// Whether it adopted the mailslot of a server that was killed, or had left.
    public var hasAdoptedRequests: Bool { reader.hasAdoptedMessages }

    var isServing: Bool { reader.isServing }
    /// How many requests were taken and not let go of.
    var outstandingRequestCount: Int { reader.registry.count }

    /// Ends serving, from any thread, now or as soon as it begins: a `run` returns when its handlers have, an iterator ends.
    public func stop() { reader.stop() }

    // MARK: with tasks

    /// Answers requests by `handler`, several at a time, until ``stop()`` or until the task is cancelled.
    ///
    /// A handler begins at once, on the task that reads, and becomes a task of its own when it first suspends: one that does not suspend
    /// costs no hop. On a ``MailslotExecutor`` it stays there. When `limit` handlers are at work, further requests stay in the mailslot.
    ///
    /// When a caller gives up the handler's task is cancelled, and what it returns is dropped. What a handler throws its caller gets as
    /// ``MailslotCallError/Code/failed``, with the error's description as the reason.
    ///
    /// - Parameters:
    ///   - limit: The most handlers at work, at least 1.
    ///   - handler: Returns the answer. On the executor that serves, if it is a ``MailslotExecutor``; else on any thread of the pool.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/cancelled`` if the task was cancelled, and with it all handlers;
    ///   ``MailslotError/Code/busy`` if another call serves; ``MailslotError/Code/damaged``, ``MailslotError/Code/forked``.
    public func run<Answer: MailslotBytes & Sendable>(
        atMost limit: Int = 64, _ handler: @escaping @Sendable (MailslotRequest) async throws -> Answer
    ) async throws(MailslotError) {
        try await HandlerLoop(reader, atMost: limit).run { request in
            try request.answer(try await handler(request))
        }
    }

    /// The requests as they come, to be answered at any time. One loop at a time.
    ///
    /// ```swift
    /// for try await request in server.requests() {
    ///     try request.answer("as you like")
    /// }
    /// ```
    ///
    /// Nothing bounds how many are taken and not answered; but while the loop takes no further one it does not hear of callers that give
    /// up either. It ends with ``stop()``.
    public func requests() -> MailslotRequests { MailslotRequests(reader) }
}

/// What has come to a server, counted up from its beginning.
public struct MailslotServerCounters: Sendable, Hashable {
    /// Requests that were taken, for a handler or out of ``MailslotServer/requests()``.
    public internal(set) var requests: UInt64 = 0
    /// Answers that were written, errors among them.
    public internal(set) var answers: UInt64 = 0
    /// Answers that say that there is none: the handler threw, or let go of the request.
    public internal(set) var failures: UInt64 = 0
    /// Requests whose client gave up while they were worked on, or before.
    public internal(set) var cancellations: UInt64 = 0
    /// Requests whose deadline had passed before they were taken. No handler has seen them.
    public internal(set) var expiredRequests: UInt64 = 0
    /// Typed requests that no handler could take: of another type or version, or not to be decoded. Their callers were told.
    public internal(set) var undecodableRequests: UInt64 = 0
    /// Messages that are no requests. They were dropped.
    public internal(set) var malformedRequests: UInt64 = 0
    /// Requests of clients whose mailslot for answers could not be opened. No handler has seen them.
    public internal(set) var unreachableClients: UInt64 = 0
    /// Answers that found the client's mailslot full, and were kept until there was room.
    public internal(set) var delayedAnswers: UInt64 = 0
    /// Answers that were dropped: the client was gone, or its mailslot stayed full and too many were kept for it already.
    public internal(set) var droppedAnswers: UInt64 = 0
}

/// What has come to a client, counted up from its beginning.
public struct MailslotClientCounters: Sendable, Hashable {
    /// Requests that were sent.
    public internal(set) var requests: UInt64 = 0
    /// Answers that their calls got, errors of servers among them.
    public internal(set) var answers: UInt64 = 0
    /// Calls whose time was up.
    public internal(set) var timeouts: UInt64 = 0
    /// Calls whose task was cancelled.
    public internal(set) var cancellations: UInt64 = 0
    /// Calls that ended because their server was killed, left, or closed.
    public internal(set) var lostServers: UInt64 = 0
    /// Answers that no call waited for: late, repeated, or made up. They were dropped.
    public internal(set) var strayAnswers: UInt64 = 0
    /// Answers to a call that was made to another server. They were dropped, and the call waits on.
    public internal(set) var answersOfWrongServer: UInt64 = 0
    /// Messages in the mailslot for answers that are none. They were dropped.
    public internal(set) var malformedAnswers: UInt64 = 0
}

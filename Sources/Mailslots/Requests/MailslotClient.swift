internal import CMailslots

/// Calls servers: sends requests, and gets an answer to each, or an error.
///
/// ```swift
/// let client = try MailslotClient()
/// let prices = try client.open("prices")
/// let answer = try await prices.call("gold", timeout: .seconds(1))
/// print(answer.text)
/// ```
///
/// A client has one mailslot for its answers, whatever the number of servers and calls; a process needs one client. It is for any number of
/// threads and tasks. None of them is in charge of the answers: whoever waits reads for all, so an answer to the only caller is read by the
/// caller itself, and costs no thread and no hop.
///
/// A call is carried out at most once: <doc:RequestAndReply> says what that means. The mailslot for answers goes with the client, when
/// nobody holds it or a ``MailslotCaller`` of it any more. It is called `answers/`, then the process id and a number.
///
/// - Important: After `fork`, a child's calls with its parent's client are not sent; their cause is ``MailslotError/Code/forked``. Make one
///   in the child.
public final class MailslotClient: Sendable {
    let answers: AnswerReader

    /// Creates the mailslot for answers.
    ///
    /// - Parameters:
    ///   - capacity: How many answers fit that nobody has read yet: a power of two from 1 to 32768. Not a limit of calls: where more come
    ///     at once the servers keep them until there is room.
    ///   - maximumServers: How many servers it can have open at the same time, each of which takes a lane of the mailslot.
    ///   - maximumAnswerSize: The longest answer in bytes, up to ``Mailslot/maximumLongMessageSize`` less 16. Of up to 408 bytes, the
    ///     default, none costs memory beyond the mailslot's own: see <doc:Rules>.
    ///   - permissions: Which users' servers may answer.
    ///   - acceptsRemoteAnswers: Whether servers of other machines may be called, whose answers come by the bridge.
    ///   - polling: How long a call polls for its answer before it sleeps.
    /// - Throws: A ``MailslotError``, as creating a mailslot.
    public init(
        capacity: Int = 64,
        maximumServers: Int = 64,
        maximumAnswerSize: Int = 408,
        permissions: Mailslot.Permissions = .owner,
        acceptsRemoteAnswers: Bool = false,
        polling: Mailslot.Polling = .adaptive
    ) throws(MailslotError) {
        answers = try AnswerReader(
            capacity: capacity, maximumServers: maximumServers, maximumAnswerSize: maximumAnswerSize, permissions: permissions,
            acceptsRemoteAnswers: acceptsRemoteAnswers, polling: polling)
    }

    /// The name of its mailslot for answers.
    public var name: String { answers.name }

    /// What came to it so far.
    public var counters: MailslotClientCounters { answers.counters }

    /// How many calls have begun and not ended.
    var waitingCallCount: Int { answers.callCount }

    /// Opens a server's mailslot, to call it.
    ///
    /// The caller opens it anew by itself when the server that it was of has closed it, and another has the name.
    ///
    /// - Parameters:
    ///   - server: The mailslot's name; with a bridge on both machines also `\\host\mailslot\name`.
    ///   - wait: How long to wait for a server to appear; by default not at all.
    ///   - trust: Whose servers are trusted.
    ///   - onServerDeath: What becomes of calls when the server is killed, or leaves. Those whose request it had taken fail at once with
    ///     ``MailslotCallError/Code/noReader`` in any case. The others fail, too; or wait for a server that adopts the mailslot.
    /// - Throws: A ``MailslotError``, as opening a mailslot; ``MailslotError/Code/tooManyWriters`` also for more servers than this client
    ///   has room for, ``MailslotError/Code/notAllowed`` also for a server of another machine, if this client accepts no remote answers.
    public func open(
        _ server: String,
        waitingUpTo wait: MailslotTimeout = .now,
        trusting trust: Mailslot.Trust = .sameUser,
        onServerDeath: Mailslot.ReaderDeath = .fail
    ) throws(MailslotError) -> MailslotCaller {
        let writer = try Mailslot.open(server, waitingUpTo: wait, trusting: trust, onReaderDeath: onServerDeath)
        return try MailslotCaller(answers, writer, trusting: trust, onServerDeath: onServerDeath)
    }

    /// Opens a server's mailslot, suspending the task until it appears, up to `wait`.
    ///
    /// - Throws: As the call that blocks, and ``MailslotError/Code/cancelled``.
    public func open(
        _ server: String,
        waitingUpTo wait: MailslotTimeout,
        trusting trust: Mailslot.Trust = .sameUser,
        onServerDeath: Mailslot.ReaderDeath = .fail
    ) async throws(MailslotError) -> MailslotCaller {
        let writer = try await Mailslot.open(server, waitingUpTo: wait, trusting: trust, onReaderDeath: onServerDeath)
        return try MailslotCaller(answers, writer, trusting: trust, onServerDeath: onServerDeath)
    }
}

internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Out of the reach of a property of the same name.
private var errnoOfThread: Int32 { errno }

/// What went wrong, with the cause and the cure in its description.
///
/// Normal business is not an error: a full mailslot is an outcome of ``MailslotWriter/tryWrite(_:)``, and a read whose time
/// is up returns `nil`.
public struct MailslotError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is. Later versions may add codes, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// An outcome of the C core, or one of the numbers below, which none has.
        private let number: UInt32

        init(_ outcome: mslot_outcome) { number = outcome.rawValue }
        private init(number: UInt32) { self.number = number }

        /// The reader closed the mailslot, or a new one took its name over: open again.
        public static let closed = Code(.closed)
        /// The mailslot is there, but its reader was killed, or left.
        public static let noReader = Code(.noReader)
        /// ``MailslotReader/interrupter`` or ``MailslotWriter/interrupter`` ended the wait.
        public static let interrupted = Code(.interrupted)
        /// The task was cancelled, before or while its call waited. No message was read or written.
        public static let cancelled = Code(number: 1000)
        /// The message has another size than the type of values that was to be read. It was skipped.
        public static let wrongSize = Code(number: 1001)
        /// A process that may write the mailslot broke its rules. One message was skipped, or the mailslot is destroyed.
        public static let damaged = Code(.damaged)
        /// The message is longer than the mailslot takes.
        public static let tooLong = Code(.tooLong)
        /// The handle is in the middle of another call.
        public static let busy = Code(.busy)
        /// The handle belongs to the process that this one was forked from: open your own.
        public static let forked = Code(.forked)
        /// It was closed before: ``MailslotSharedReader/close(unread:)``, ``MailslotSharedWriter/close()``.
        public static let notOpen = Code(.notOpen)
        /// An argument is out of range.
        public static let badArgument = Code(.badArgument)
        /// The name is not a mailslot's name.
        public static let badName = Code(.badName)
        /// No mailslot has this name.
        public static let notFound = Code(.notFound)
        /// No reader appeared in time; or the bridge does not answer.
        public static let timedOut = Code(.timedOut)
        /// Another reader has this name: ``MailslotError/holder``.
        public static let alreadyExists = Code(.alreadyExists)
        /// Every writer lane is taken.
        public static let tooManyWriters = Code(.tooManyWriters)
        /// The file system refuses.
        public static let noPermission = Code(.noPermission)
        /// The mailslot belongs to a user who is not trusted.
        public static let untrusted = Code(.untrusted)
        /// A file has the name, but is no mailslot, or has other names (hard links) too.
        public static let notAMailslot = Code(.notAMailslot)
        /// The mailslot has another layout version.
        public static let otherLayout = Code(.otherLayout)
        /// The mailslot to adopt has other properties than was asked for.
        public static let mismatch = Code(.mismatch)
        /// The shared-memory file system is full, or the bridge can make no more outboxes.
        public static let noSpace = Code(.noSpace)
        /// The name is of another machine, and no bridge runs on this one.
        public static let noBridge = Code(.noBridge)
        /// The bridge knows no host and no domain of this name.
        public static let noSuchHost = Code(.noSuchHost)
        /// The bridge's configuration does not allow to write there.
        public static let notAllowed = Code(.notAllowed)
        /// A system call failed: ``MailslotError/errno``.
        public static let systemError = Code(.systemError)
        /// The task was to wait on a ``MailslotExecutor`` that was shut down, or it waited when that happened.
        public static let executorShutDown = Code(number: 1002)

        /// The code in a few words, without the name and the cure.
        public var description: String {
            if self == .cancelled { return "the task was cancelled" }
            if self == .wrongSize { return "the message is no value of the type" }
            if self == .executorShutDown { return "the task's executor was shut down" }
            guard let outcome = mslot_outcome(rawValue: number) else { return "unknown outcome" }
            return unsafe String(cString: mslot_outcome_text(outcome))
        }
    }

    /// The reader that has the name, as it sees itself. Information: in another pid namespace the number means another process.
    public struct Holder: Sendable, Hashable {
        /// Its process id, in its own namespace.
        public let processID: Int32
        /// Its effective user id, in its own namespace.
        public let userID: UInt32
    }

    /// What kind of error it is, for a decision.
    public let code: Code
    /// The mailslot's name, as it was given.
    public let name: String
    /// The `errno` of the system call that failed, or 0.
    public let errno: Int32
    /// With ``Code/alreadyExists``: who has the name.
    public let holder: Holder?
    /// With ``Code/untrusted``: whose the mailslot is.
    package let ownerUserID: UInt32?
    /// What is wrong, why, and the cure.
    public let description: String

    /// Without a name: of a call about the table of hosts.
    private init(_ failure: mslot_failure, nameOrHosts: String?) {
        // No outcome of the C core, in which a loop is the caller's: there it is a system error, with this errno.
        let isOfExecutor = failure.outcome == .systemError && failure.system_error == ESHUTDOWN
        self.code = isOfExecutor ? .executorShutDown : Code(failure.outcome)
        self.name = nameOrHosts ?? "*"
        self.errno = failure.system_error
        self.holder = failure.outcome == .alreadyExists ? Holder(processID: failure.holder_pid, userID: failure.holder_uid) : nil
        self.ownerUserID = failure.outcome == .untrusted ? failure.holder_uid : nil
        var failure = failure
        var text = [CChar](repeating: 0, count: 2048)
        let length = unsafe mslot_failure_describe(&failure, nameOrHosts, &text, text.count)
        self.description = String(decoding: text.prefix(min(length, text.count - 1)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    init(_ failure: mslot_failure, name: String) { self.init(failure, nameOrHosts: name) }

    init(hosts failure: mslot_failure) { self.init(failure, nameOrHosts: nil) }

    init(outcome: mslot_outcome, name: String) {
        var failure = mslot_failure()
        failure.outcome = outcome
        failure.system_error = outcome == .systemError ? errnoOfThread : 0
        self.init(failure, name: name)
    }

    private init(code: Code, name: String, description: String) {
        self.code = code
        self.name = name
        errno = 0
        holder = nil
        ownerUserID = nil
        self.description = description
    }

    init(cancelled name: String) {
        self.init(
            code: .cancelled, name: name,
            description: "The task that used mailslot \"\(name)\" was cancelled: no message was read or written. Those in it stay there.")
    }

    /// A message that is no value of a type.
    init(size: Int, expected: Int, name: String) {
        self.init(
            code: .wrongSize, name: name,
            description: "A message of mailslot \"\(name)\" has \(size) bytes, and a value of the type that was to be read has "
                + "\(expected). Its writer uses another type; the message was skipped.")
    }

    @usableFromInline
    @inline(never)
    static func makeCancelled(_ name: String) -> MailslotError { MailslotError(cancelled: name) }

    /// For the inlined calls: out of their way.
    @usableFromInline
    @inline(never)
    static func make(_ outcome: UInt32, _ name: String) -> MailslotError {
        MailslotError(outcome: mslot_outcome(rawValue: outcome) ?? .damaged, name: name)
    }
}

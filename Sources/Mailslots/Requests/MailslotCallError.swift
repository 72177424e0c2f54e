/// Why a call has no answer, with the cause and the cure in its description.
///
/// With ``Code/notSent`` the server has not seen the request, and never will: ``cause`` says why. So it is with
/// ``Code/unencodableRequest``, and with ``Code/cancelled`` if there is a `cause`. With ``Code/unknownType``, ``Code/otherVersion`` and
/// ``Code/undecodableRequest`` the server has refused it, and carried nothing out. After any other the server may have carried it out, or
/// not, or be about to; ``id`` is what the server knows it by (``MailslotCallID``).
public struct MailslotCallError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is. Later versions may add codes, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable {
        let rawValue: UInt16

        // What a server says.

        /// The server's handler threw: ``MailslotCallError/reason``.
        public static let failed = Code(rawValue: 1)
        /// The server let the request go without an answer.
        public static let unanswered = Code(rawValue: 2)
        /// The server has no handler for requests of this type.
        public static let unknownType = Code(rawValue: 3)
        /// The server's handler is for another version of this type.
        public static let otherVersion = Code(rawValue: 4)
        /// The server cannot make a request of these bytes.
        public static let undecodableRequest = Code(rawValue: 5)
        /// The answer is longer than the client's mailslot for answers takes.
        public static let answerTooLong = Code(rawValue: 6)
        /// The client's mailslot for answers was full, and the server could keep no more answers for it.
        public static let answersFull = Code(rawValue: 7)
        /// The server ended before it had an answer.
        public static let serverStopped = Code(rawValue: 8)

        // What a client finds out.

        /// The request was not sent: ``MailslotCallError/cause``.
        public static let notSent = Code(rawValue: 0x8007)
        /// The task was cancelled. If the request was sent, the server was told to give up.
        public static let cancelled = Code(rawValue: 0x8008)
        /// The client's mailslot for answers cannot be read any more: ``MailslotCallError/cause``.
        public static let answersUnreadable = Code(rawValue: 0x8009)
        /// No answer came in time. The server was told to give up.
        public static let timedOut = Code(rawValue: 0x8001)
        /// The server was killed, or left its mailslot, after it had taken the request; or it may have.
        public static let noReader = Code(rawValue: 0x8002)
        /// The server closed its mailslot, or another took its name over and discarded what was unread.
        public static let closed = Code(rawValue: 0x8003)
        /// The answer is not a value of the type that the caller expects.
        public static let undecodableAnswer = Code(rawValue: 0x8004)

        /// The request could not be encoded. It was not sent.
        public static let unencodableRequest = Code(rawValue: 0x800A)

        // What a server's own calls throw.

        /// The request was answered before.
        public static let alreadyAnswered = Code(rawValue: 0x8005)
        /// The client is gone, or its mailslot for answers cannot be opened.
        public static let clientGone = Code(rawValue: 0x8006)

        var isOfServer: Bool { rawValue & 0x8000 == 0 }
    }

    /// What kind of error it is, for a decision.
    public let code: Code
    /// The server's name, as it was given.
    public let server: String
    /// The call, as the server knows it. Of no use if the request was not sent.
    public let id: MailslotCallID
    /// What went wrong on this side: why the request was not sent, or why no answer can be read. `nil`: nothing did.
    public let cause: MailslotError?
    /// The server's own words, if it has any: what its handler threw. Written by another process; at most some 400 bytes. With
    /// ``Code/unencodableRequest`` and ``Code/undecodableAnswer``: what is wrong with the request or the answer.
    public let reason: String
    /// What is wrong, why, and the cure.
    public var description: String {
        let call = "The call \(id) to the mailslot \"\(server)\""
        return switch code {
        case .notSent: "\(call) was not sent. \(causeDescription)"
        case .cancelled where cause != nil: "\(call) was not sent: its task was cancelled."
        case .cancelled: "\(call) was given up: its task was cancelled. It may have been carried out."
        case .answersUnreadable: "\(call) has no answer that can be read: make another MailslotClient. \(causeDescription)"
        case .failed: "\(call) failed at the server: \(reason)"
        case .unanswered: "\(call) has no answer: the server let go of the request without one. Answer each request, or throw."
        case .unknownType: "\(call) has no answer: the server has no handler for requests of its type. \(reason)"
        case .otherVersion: "\(call) has no answer: the server knows another version of its type. \(reason) Use the same on both sides."
        case .undecodableRequest: "\(call) has no answer: the server could not decode the request. \(reason)"
        case .unencodableRequest: "\(call) was not sent: its request cannot be encoded. \(reason)"
        case .answerTooLong:
            "\(call) has no answer: it would be longer than this client takes. Give its MailslotClient a larger maximumAnswerSize."
        case .answersFull:
            """
            \(call) has no answer: this client's mailslot for answers was full, and the server keeps no more for it. Make fewer calls at a \
            time, or give its MailslotClient a larger capacity.
            """
        case .serverStopped: "\(call) has no answer: the server ended meanwhile. It may have been carried out in part."
        case .timedOut: timedOutDescription(call)
        case .noReader:
            """
            \(call) has no answer: the server was killed, or left. It may have been carried out. Call again when there is a server, with \
            the same id if it must be carried out only once; or open with onServerDeath: .wait.
            """
        case .closed:
            "\(call) has no answer: the server closed its mailslot. It may have been carried out. Call again if there is a new one."
        case .undecodableAnswer: "\(call) has an answer of another type than is expected. \(reason) Use the same types on both sides."
        case .alreadyAnswered: "\(call) was answered before. A request has one answer."
        case .clientGone: "\(call) cannot be answered: the client is gone. \(reason)"
        default: "\(call) has no answer: code \(code.rawValue). \(reason)"
        }
    }

    private var causeDescription: String { cause?.description ?? "" }

    private func timedOutDescription(_ call: String) -> String {
        let cause =
            Mailslot.isRemote(server)
            ? "The server is on another machine: the request or the answer may have been lost, or the server is gone, slow or stopped."
            : "The server is slow or stopped."
        return "\(call) had no answer in time. \(cause) It may have been carried out. Wait longer; call again with the same id."
    }

    init(_ code: Code, server: String, id: MailslotCallID, reason: String = "", cause: MailslotError? = nil) {
        self.code = code
        self.server = server
        self.id = id
        self.reason = reason
        self.cause = cause
    }
}

extension MailslotCallError {
    /// Of a request that was not sent.
    init(notSent cause: MailslotError, server: String, id: MailslotCallID) {
        self.init(cause.code == .cancelled ? .cancelled : .notSent, server: server, id: id, cause: cause)
    }
}

extension Mailslot {
    /// Whether a name is of another machine.
    static func isRemote(_ name: String) -> Bool {
        guard name.hasPrefix(#"\\"#) || name.hasPrefix("//") else { return false }
        let host = name.dropFirst(2).prefix { $0 != "\\" && $0 != "/" }
        return host != "."
    }
}

public import Distributed

/// Why a call was not answered by its actor, with the cause and the cure in its description.
///
/// What the actor itself throws is not such an error: an error that is `Codable` comes as itself, another one as
/// ``Code/thrown`` with its description.
public struct MailslotActorError: DistributedActorSystemError, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is. Later versions may add codes, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        let number: UInt8
        /// The code in a few words.
        public let description: String

        private init(_ number: UInt8, _ description: String) {
            self.number = number
            self.description = description
        }

        /// No process has the node's name, or none that this one may write to. The actor was not called.
        public static let noSuchNode = Code(1, "no such node")
        /// The node ended before it answered. Whether the actor was called, nobody knows.
        public static let nodeEnded = Code(2, "the node ended")
        /// The node has no actor of this name: it is gone, or was never there. Nothing was called.
        public static let noSuchActor = Code(3, "no such actor")
        /// The actor is of another type than the one that was called. Nothing was called.
        public static let wrongType = Code(4, "wrong type")
        /// The node knows no such method of the actor: its program is of another version. Nothing was called.
        public static let noSuchMethod = Code(5, "no such method")
        /// The arguments do not encode, or are not what the node's program takes. The actor was not called.
        public static let badArguments = Code(6, "bad arguments")
        /// The result does not encode or decode. The actor was called.
        public static let badResult = Code(7, "bad result")
        /// Call or answer is longer than the mailslot that it goes to takes.
        public static let tooLong = Code(8, "too long")
        /// The deadline came before the answer. Whether the actor was called, nobody knows.
        public static let deadlineExceeded = Code(9, "deadline exceeded")
        /// The actor threw an error that is not `Codable`; the description has its own.
        public static let thrown = Code(10, "thrown")
        /// Another actor of this node has the name.
        public static let nameTaken = Code(11, "name taken")
        /// A text is no name of an actor, a node or a host.
        public static let badName = Code(12, "bad name")
        /// The system was shut down: the caller's or the actor's.
        public static let shutDown = Code(13, "shut down")
        /// The node does not understand the call, or its answer is not understood: another version, or damage.
        public static let notUnderstood = Code(14, "not understood")
        /// A mailslot could not be used; the description has its error.
        public static let mailslot = Code(15, "mailslot error")

        fileprivate static let all = [
            noSuchNode, nodeEnded, noSuchActor, wrongType, noSuchMethod, badArguments, badResult, tooLong, deadlineExceeded, thrown,
            nameTaken, badName, shutDown, notUnderstood, mailslot,
        ]

        init?(number: UInt8) {
            guard let code = Self.all.first(where: { $0.number == number }) else { return nil }
            self = code
        }

        /// Codes are equal whatever they are called.
        public static func == (left: Code, right: Code) -> Bool { left.number == right.number }
        /// Hashes the number.
        public func hash(into hasher: inout Hasher) { hasher.combine(number) }
    }

    /// What kind of error it is, for a decision.
    public let code: Code
    /// What is wrong, why, and the cure.
    public let description: String

    init(_ code: Code, _ cause: String, cure: String) {
        self.init(code, description: "\(cause) \(cure)")
    }

    /// As another node said it.
    init(_ code: Code, description: String) {
        self.code = code
        self.description = description
    }
}

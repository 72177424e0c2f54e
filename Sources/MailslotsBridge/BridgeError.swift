internal import Mailslots

/// Why a bridge does not start or go on, with cause and cure in its description.
public struct BridgeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is. Later versions may add codes, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable {
        private let name: String

        /// The configuration, or the file that it is read from, says what cannot be.
        public static let badConfiguration = Code(name: "badConfiguration")
        /// The key file cannot be read, others can read it, or it is no key.
        public static let badKey = Code(name: "badKey")
        /// Another bridge serves this directory of mailslots.
        public static let alreadyRunning = Code(name: "alreadyRunning")
        /// No bridge runs in this directory of mailslots.
        public static let notRunning = Code(name: "notRunning")
        /// A socket cannot be had: the port is in use, there is no such address or interface, no multicast route.
        public static let network = Code(name: "network")
        /// Shared memory, descriptors, permissions.
        public static let system = Code(name: "system")
    }

    public let code: Code
    /// What is wrong, why, and the cure.
    public let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

extension BridgeError {
    /// A mailslot of the bridge's own, or its table of hosts, cannot be had.
    init(_ error: MailslotError) {
        guard let holder = error.holder else {
            self.init(.system, error.description)
            return
        }
        self.init(
            .alreadyRunning,
            """
            Another bridge serves this directory of mailslots: process \(holder.processID) of user \(holder.userID). Use it, end it, or \
            give this one a directory of its own by the environment variable MAILSLOT_DIRECTORY.
            """)
    }
}

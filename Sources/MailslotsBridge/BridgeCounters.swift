package import MailslotsWire
internal import Synchronization

/// What a bridge counts, from its start on. Each message and each datagram that is dropped is counted by its cause, once.
package enum BridgeCount: Int, CaseIterable, Sendable {
    // Messages, on their way out.
    case messagesSent
    case messagesLooped
    case droppedNoPath
    case droppedDamagedOutbox
    case datagramsSealed
    case announcementsSent
    case outboxesMade
    case requestsRefused
    case requestsMalformed

    // Datagrams, on their way in. Those that are refused have one counter for each cause, beside these.
    case datagramsAccepted
    case datagramsOwn
    case datagramsOverSessionLimit
    case announcementsReceived
    case announcementsMalformed
    case hostsNotRecorded

    // Messages, on their way in.
    case messagesDelivered
    case droppedNoMailslot
    case droppedNotRemote
    case droppedNotAllowed
    case droppedHostNotAllowed
    case droppedFull
    case droppedTooLong
    case droppedHostLimit
    case droppedMailslotLimit
    case droppedBadName
    case droppedUnusable
}

/// The counts of one bridge. From any thread.
package final class BridgeCounters: Sendable {
    /// One number by itself, so that an atomic can be in an array.
    private final class Number: Sendable {
        let value = Atomic<UInt64>(0)
    }

    private let numbers = BridgeCount.allCases.map { _ in Number() }
    private let rejections = DatagramRejection.allCases.map { _ in Number() }

    package init() {}

    /// Relaxed: a count orders nothing.
    package func add(_ count: BridgeCount, _ amount: Int = 1) {
        numbers[count.rawValue].value.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }
    package func add(_ rejection: DatagramRejection) {
        rejections[Int(rejection.rawValue)].value.wrappingAdd(1, ordering: .relaxed)
    }

    package subscript(_ count: BridgeCount) -> UInt64 { numbers[count.rawValue].value.load(ordering: .relaxed) }
    package subscript(_ rejection: DatagramRejection) -> UInt64 {
        rejections[Int(rejection.rawValue)].value.load(ordering: .relaxed)
    }

    /// All of them, by the names they have everywhere.
    package var all: [(name: String, value: UInt64)] {
        BridgeCount.allCases.map { (snakeCase("\($0)"), self[$0]) }
            + DatagramRejection.allCases.map { (snakeCase("datagramsRefused_\($0)"), self[$0]) }
    }
}

/// "messagesSent" as "messages_sent".
private func snakeCase(_ name: String) -> String {
    String(name.flatMap { $0.isUppercase ? ["_", Character($0.lowercased())] : [$0] })
}

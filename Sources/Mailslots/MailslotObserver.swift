internal import CMailslots

/// Sees the messages of a mailslot without taking them: ``Mailslot/observe(_:includingLast:)``.
///
/// It only reads the mailslot's file: it takes no writer's place, nobody waits for it, and nobody wakes it. So look again after some
/// time. A message is there to be seen, whether the reader has taken it or not, until as many others as the capacity have come after it;
/// one of more than 424 bytes only until the reader takes it. What is shown is whole: it was the same before and after it was copied.
///
/// ```swift
/// var watched = try Mailslot.observe("orders", includingLast: 10)
/// while let message = try watched.next() { print(message.text) }
/// print("gone before they were seen: \(watched.messagesMissed)")
/// ```
///
/// It is owned by one place at a time and may move between threads. After `fork`, a child's calls on it throw
/// ``MailslotError/Code/forked`` and touch nothing.
@safe
public struct MailslotObserver: ~Copyable, Sendable {
    // Sound: every call on the handle is a mutating method of its one owner.
    private nonisolated(unsafe) let handle: OpaquePointer
    /// The mailslot's name, as it was given.
    public let name: String
    /// How many messages were gone before they were seen, in all. Those published before it was opened do not count.
    public private(set) var messagesMissed: UInt64 = 0
    /// As long as the longest message so far.
    private var buffer = [UInt8](repeating: 0, count: Mailslot.maximumMessageSize)

    init(handle: OpaquePointer, name: String) {
        unsafe self.handle = unsafe handle
        self.name = name
    }

    /// Copies the next message; never waits.
    ///
    /// - Returns: `nil` if there is none yet.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/closed`` when there will be no more, because the mailslot was closed or taken
    ///   over; ``MailslotError/Code/damaged``, ``MailslotError/Code/forked``.
    ///
    /// The corresponding C function is `mslot_observer_next`.
    public mutating func next() throws(MailslotError) -> MailslotMessage? {
        while true {
            let observed = unsafe buffer.withUnsafeMutableBytes { unsafe mslot_observer_next(handle, $0.baseAddress, $0.count) }
            switch observed.outcome {
            case .done:
                messagesMissed += observed.missed
                return unsafe buffer.withUnsafeBytes { bytes in
                    unsafe MailslotMessage(
                        copying: mslot_view(
                            outcome: .done, byte_count: observed.byte_count, bytes: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                            position: observed.position, sender: observed.sender, origin: observed.origin))
                }
            case .empty:
                return nil
            case .tooLong:
                buffer = [UInt8](repeating: 0, count: Int(observed.byte_count))
            default:
                messagesMissed += observed.missed
                throw MailslotError(outcome: observed.outcome, name: name)
            }
        }
    }

    deinit { _ = unsafe mslot_observer_close(handle) }
}

extension Mailslot {
    /// Opens a mailslot to see its messages without taking them. Needs permission to read its file.
    ///
    /// - Parameters:
    ///   - name: The mailslot's name.
    ///   - count: Begins with so many of the messages that are there already, read or not; at most as many as the capacity.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/notFound``, ``MailslotError/Code/noPermission``, and what its codes say.
    ///
    /// The corresponding C function is `mslot_observer_open`.
    public static func observe(_ name: String, includingLast count: Int = 0) throws(MailslotError) -> MailslotObserver {
        precondition(count >= 0, "A number of messages is not negative.")
        let observing = unsafe mslot_observer_open(name, UInt32(clamping: count))
        guard let handle = unsafe observing.observer else { throw unsafe MailslotError(observing.failure, name: name) }
        return unsafe MailslotObserver(handle: handle, name: name)
    }
}

internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A reader for event loops: a descriptor that becomes readable when messages come, for SwiftNIO, epoll, GLib or `DispatchSource`.
///
/// ```swift
/// var orders = try MailslotEventReader(try Mailslot.create("orders"))
/// // Whenever the loop finds orders.fileDescriptor readable, and once at the beginning:
/// while let message = try orders.read() { handle(message) }
/// ```
///
/// In an edge-triggered loop read until `nil`; in a level-triggered one, such as SwiftNIO's, as much as you like. The descriptor is an
/// eventfd, which this type reads and closes itself. It is for one thread at a time, as a reader is.
@safe
public struct MailslotEventReader: ~Copyable, Sendable {
    private var reader: MailslotReader
    /// Readable when there may be messages.
    public let fileDescriptor: Int32
    // Sound: as a reader's handle. What the C core's thread shares in it the C core locks.
    nonisolated(unsafe) private let wait: UnsafeMutablePointer<mslot_wait>
    private var isAwaited = false

    /// Takes the reader. The descriptor is readable at once if there are messages.
    ///
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/systemError`` if there is no descriptor left.
    public init(_ reader: consuming MailslotReader) throws(MailslotError) {
        let descriptor = mslot_eventfd_create()
        guard descriptor >= 0 else { throw MailslotError(outcome: .systemError, name: reader.name) }
        fileDescriptor = descriptor
        self.reader = consume reader
        unsafe wait = .allocate(capacity: 1)
        unsafe wait.initialize(to: mslot_wait())
        unsafe wait.pointee.timeout_ns = MSLOT_FOREVER
        unsafe wait.pointee.never_polls = true
        unsafe wait.pointee.ended = mslot_wait_signal_eventfd
        unsafe wait.pointee.context = UnsafeMutableRawPointer(bitPattern: Int(descriptor))
        isAwaited = unsafe mslot_reader_begin_wait(self.reader.handle, wait) == .empty
        // Messages are there; or a wait cannot begin, and the first read says why.
        if !isAwaited { unsafe mslot_wait_signal_eventfd(wait) }
    }

    /// Copies the next message out; `nil`: there is none, and the descriptor will be readable when one comes. Never waits.
    ///
    /// - Throws: A ``MailslotError``, as a reader's.
    public mutating func read() throws(MailslotError) -> MailslotMessage? {
        if isAwaited, !isOver() {
            // A signal may be older than the wait. What ends the wait from now on is seen here, or signals later.
            drain(fileDescriptor)
            guard isOver() else { return nil }
        }
        isAwaited = false
        repeat {
            if let message = try reader.tryRead() { return message }
            drain(fileDescriptor)
        } while try isReadyOrBegins()
        return nil
    }

    private func isOver() -> Bool { unsafe mslot_reader_end_wait(reader.handle) == .done }

    /// True: something is there. Else the descriptor will be readable when something is.
    private mutating func isReadyOrBegins() throws(MailslotError) -> Bool {
        let outcome = unsafe mslot_reader_begin_wait(reader.handle, wait)
        switch outcome {
        case .done: return true
        case .empty: isAwaited = true
        default: throw MailslotError(outcome: outcome, name: reader.name)
        }
        return false
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo { reader.info }

    deinit {
        if isAwaited {
            unsafe mslot_wait_stop(wait)
            _ = unsafe mslot_reader_end_wait(reader.handle)
        }
        unsafe wait.deallocate()
        close(fileDescriptor)
    }
}

/// Makes the eventfd unreadable. It does not block: one that nobody signalled is left as it is.
private func drain(_ descriptor: Int32) {
    var count: UInt64 = 0
    _ = unsafe read(descriptor, &count, MemoryLayout.size(ofValue: count))
}

internal import CMailslots

/// A wait for a message in any of several readers, at most ``countMax`` of them.
@safe
package struct ReaderWait: @unchecked Sendable {
    package static let countMax = Int(MSLOT_WAIT_MAX)

    // Sound: who waits closes the readers.
    private var readers: [UnsafeMutablePointer<mslot_reader>?] = unsafe []

    package init() {}

    package mutating func append(_ reader: borrowing LendingReader) { unsafe readers.append(reader.handle) }

    /// Until one has a message, or is interrupted, or the time is up. The readers must be open.
    package func wait(upTo nanoseconds: Int64) { _ = unsafe mslot_reader_wait_any(readers, readers.count, nanoseconds) }
}

/// A wait for a message that a thread of the core sleeps through, without polling: for the many readers that one ``ReaderWait`` has no
/// room for. While it is on, its reader can do nothing else.
@safe
package final class BackgroundWait {
    // Sound: both live until the wait was stopped.
    private let wait = UnsafeMutablePointer<mslot_wait>.allocate(capacity: 1)
    private let context: Unmanaged<Context>
    package private(set) var isOn = false

    private final class Context: Sendable {
        let ended: @Sendable () -> Void
        init(_ ended: @escaping @Sendable () -> Void) { self.ended = ended }
    }

    /// `ended`: called by a thread of the core when there may be a message.
    package init(ended: @escaping @Sendable () -> Void) {
        unsafe context = Unmanaged.passRetained(Context(ended))
        unsafe wait.initialize(to: mslot_wait())
        unsafe wait.pointee.timeout_ns = MSLOT_FOREVER
        unsafe wait.pointee.never_polls = true
        unsafe wait.pointee.context = context.toOpaque()
        unsafe wait.pointee.ended = { wait in
            unsafe Unmanaged<Context>.fromOpaque(wait!.pointee.context!).takeUnretainedValue().ended()
        }
    }

    deinit {
        // A wait that was left on may still end: what it needs stays.
        if isOn { return }
        unsafe wait.deallocate()
        unsafe context.release()
    }

    /// True: it sleeps, and `ended` will be called. False: there is something to read. Also after it was called.
    package func begin(_ reader: borrowing LendingReader) -> Bool {
        isOn = unsafe mslot_reader_begin_wait(reader.handle, wait) == .empty
        return isOn
    }

    package func stop(_ reader: borrowing LendingReader) {
        guard isOn else { return }
        unsafe mslot_wait_stop(wait)
        _ = unsafe mslot_reader_end_wait(reader.handle)
        isOn = false
    }
}

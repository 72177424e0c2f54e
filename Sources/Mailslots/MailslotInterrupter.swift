internal import CMailslots

/// Ends the waits of one reader or writer, from any thread.
///
/// ```swift
/// let interrupter = reader.interrupter
/// Thread.detachNewThread { waitForShutdown(); interrupter.interrupt() }
/// let message = try reader.read(timeout: .forever)  // throws .interrupted
/// ```
///
/// In a signal handler, where Swift code must not run, C's `mslot_reader_interrupt` does the same.
public final class MailslotInterrupter: Sendable {
    /// Sound: the C calls made with it may be made from any thread while the handle is open, and the lock sees to that.
    @safe
    enum Target: @unchecked Sendable {
        case reader(UnsafeMutablePointer<mslot_reader>)
        case writer(UnsafeMutablePointer<mslot_writer>)
    }

    // The lock keeps the handle from being closed during an interrupt. nil: it was closed.
    private let target: Locked<Target?>

    init(_ target: Target) {
        self.target = Locked(target)
    }

    /// Ends the wait that is on, or else the next one, with ``MailslotError/Code/interrupted``: one wait for any number of calls.
    /// A call that need not wait does not notice. After the reader or writer was closed it does nothing.
    public func interrupt() {
        target.withLock { open in
            switch open {
            case nil: break
            case .reader(let handle): unsafe mslot_reader_interrupt(handle)
            case .writer(let handle): unsafe mslot_writer_interrupt(handle)
            }
        }
    }

    /// The mailslot at this moment; `nil`: the reader or writer was closed.
    var info: MailslotInfo? {
        target.withLock { open in
            switch open {
            case nil: nil
            case .reader(let handle): unsafe MailslotInfo(mslot_reader_info(handle))
            case .writer(let handle): unsafe MailslotInfo(mslot_writer_info(handle))
            }
        }
    }

    func forget() {
        target.withLock { $0 = nil }
    }
}

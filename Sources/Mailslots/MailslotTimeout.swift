public import CMailslots

/// How long a call may wait: a `Duration`, or a ``MailslotTimeout``.
///
/// ```swift
/// try orders.read(timeout: .milliseconds(50))
/// try orders.read(timeout: .forever)
/// try orders.read(timeout: deadline - .now)
/// ```
public protocol MailslotTimeoutConvertible: Sendable {
    /// The same, as the calls need it.
    var mailslotTimeout: MailslotTimeout { get }
}

extension Duration: MailslotTimeoutConvertible {
    /// Waits so long; what is negative does not wait, what exceeds 292 years waits for ever.
    public var mailslotTimeout: MailslotTimeout { MailslotTimeout(self) }
}

/// How long a call may wait: not at all, for a time, for ever, or as long as the mailslot says.
public struct MailslotTimeout: Sendable, Hashable, MailslotTimeoutConvertible {
    @usableFromInline let nanoseconds: Int64

    @inlinable init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Waits for `duration`; what is negative does not wait, what exceeds 292 years waits for ever.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (whole, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowedAgain) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        let isTooLong = overflowed || overflowedAgain
        self.nanoseconds = seconds < 0 ? 0 : isTooLong ? MSLOT_FOREVER : max(sum, 0)
    }

    /// Itself.
    @inlinable public var mailslotTimeout: MailslotTimeout { self }

    /// The wait as a duration; `nil`: for ever, or the mailslot's own.
    public var duration: Duration? {
        nanoseconds == MSLOT_FOREVER || nanoseconds == MSLOT_DEFAULT_TIMEOUT ? nil : .nanoseconds(nanoseconds)
    }
}

// Of the protocol, so that a call that takes either finds them behind a dot.
extension MailslotTimeoutConvertible where Self == MailslotTimeout {
    /// Does not wait.
    @inlinable public static var now: MailslotTimeout { MailslotTimeout(nanoseconds: 0) }
    /// Waits until there is an outcome.
    @inlinable public static var forever: MailslotTimeout { MailslotTimeout(nanoseconds: MSLOT_FOREVER) }
    /// For reading: the mailslot's own time-out, ``MailslotReader/setReadTimeout(_:)``.
    @inlinable public static var ofMailslot: MailslotTimeout { MailslotTimeout(nanoseconds: MSLOT_DEFAULT_TIMEOUT) }

    /// Waits for whole seconds; what is negative does not wait.
    public static func seconds(_ seconds: some BinaryInteger) -> MailslotTimeout { MailslotTimeout(.seconds(seconds)) }
    /// Waits for seconds and parts of them, such as 0.5; what is negative does not wait.
    public static func seconds(_ seconds: Double) -> MailslotTimeout { MailslotTimeout(.seconds(seconds)) }
    /// Waits for milliseconds; what is negative does not wait.
    public static func milliseconds(_ milliseconds: some BinaryInteger) -> MailslotTimeout { MailslotTimeout(.milliseconds(milliseconds)) }
    /// Waits for microseconds; what is negative does not wait. A sleep takes some 10 µs to end, so short waits poll.
    public static func microseconds(_ microseconds: some BinaryInteger) -> MailslotTimeout { MailslotTimeout(.microseconds(microseconds)) }
}

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A call that waits for its answer.
///
/// What changes in it changes with the lock of its ``AnswerReader``, but for `position`.
final class PendingCall: @unchecked Sendable {
    /// How a call ended.
    enum End {
        case answer([UInt8], MailslotMessage.Info)
        case failure(MailslotCallError.Code, reason: String)
        case timedOut
        case cancelled
        /// The mailslot for answers cannot be read any more.
        case broken(MailslotError)
    }

    /// Who is to be woken when there is something to do. Sound: whoever takes it out, with the lock, wakes it.
    @safe
    enum Waiter {
        /// Nobody: it has not begun to wait, or is at work.
        case none
        case thread(WakeUp)
        case task(UnsafeContinuation<Void, Never>)
    }

    /// The lower bits of a call's number.
    static let generationMask: UInt64 = 0xff_ffff_ffff

    /// The whole number of the call: the caller's token and a generation.
    let number: UInt64
    /// Nanoseconds of the monotonic clock; `Int64.max`: none.
    let deadline: Int64
    /// Which server it is made to.
    let connection: ObjectIdentifier
    /// Where its request is in the server's mailslot; `nil`: it was not sent yet. With the lock of the connection.
    var position: UInt64?

    /// `nil`: it waits.
    var end: End?
    /// It reads the answers, for itself and the others.
    var leads = false
    /// If it leads from the beginning: when to look first whose time is up.
    var firstDeadline = MonotonicClock.never
    var waiter = Waiter.none

    init(number: UInt64, deadline: Int64, connection: ObjectIdentifier) {
        self.number = number
        self.deadline = deadline
        self.connection = connection
    }

    var generation: UInt64 { number & Self.generationMask }

    var isWaiting: Bool {
        if case .none = waiter { false } else { true }
    }

    /// Whom to wake, once: without the lock.
    func takeWaiter() -> Waiter {
        defer { waiter = .none }
        return waiter
    }
}

extension PendingCall.Waiter {
    func wake() {
        switch self {
        case .none: break
        case .thread(let wakeUp): wakeUp.signal()
        case .task(let continuation): unsafe continuation.resume()
        }
    }
}

/// Ends a thread's sleep.
@safe
final class WakeUp: @unchecked Sendable {
    // Sound: a semaphore is for any number of threads.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func signal() { unsafe sem_post(semaphore) }

    func wait() {
        while unsafe sem_wait(semaphore) != 0 {}  // a signal handler ran
    }
}

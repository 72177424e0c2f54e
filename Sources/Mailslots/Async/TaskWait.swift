internal import CMailslots
internal import Synchronization

/// A task's wait for a message or for room, through which a thread of the C core sleeps.
///
/// The task begins it with a call of the C core, and then suspends in ``ending()`` until it is over. A cancellation or an expiry only asks
/// the C core to end it, which costs the same however many tasks wait; the task goes on when nobody sleeps on its mailslot any more.
@safe
final class TaskWait: Sendable {
    /// What is in `state`, beside the bits of a continuation.
    private static let begun: UInt = 0
    private static let over: UInt = 1

    // Sound: what the calls of the C core share in it they lock; it is freed with this object, which its task holds until it is over.
    nonisolated(unsafe) private let wait: UnsafeMutablePointer<mslot_wait>
    private let state = Atomic(over)
    private let expired = Atomic(false)

    /// - Parameter wasFull: A write without a time-out found no room.
    init(_ timeout: MailslotTimeout, wasFull: Bool = false) {
        unsafe wait = .allocate(capacity: 1)
        unsafe wait.initialize(to: mslot_wait())
        unsafe wait.pointee.timeout_ns = timeout.nanoseconds
        unsafe wait.pointee.was_full = wasFull
        unsafe wait.pointee.context = Unmanaged.passUnretained(self).toOpaque()
        unsafe wait.pointee.ended = { wait in
            // Sound: the task holds the object until it has heard of the end, and from here on the callback does.
            guard let context = unsafe wait?.pointee.context else { return }
            unsafe Unmanaged<TaskWait>.fromOpaque(context).takeUnretainedValue().end()
        }
    }

    deinit {
        unsafe wait.deallocate()
    }

    /// For the call that may begin the wait.
    @unsafe
    func begin() -> UnsafeMutablePointer<mslot_wait> {
        state.store(Self.begun, ordering: .relaxed)  // the C core's lock is between this and the end
        return unsafe wait
    }

    /// Suspends until the wait that was begun is over. A cancelled task's ends at once.
    func ending() async {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                // Sound: a continuation is one pointer, and comes back once.
                let bits = unsafe unsafeBitCast(continuation, to: UInt.self)
                let (suspended, _) = state.compareExchange(expected: Self.begun, desired: bits, ordering: .acquiringAndReleasing)
                if !suspended { unsafe continuation.resume() }
            }
        } onCancel: {
            unsafe mslot_wait_cancel(wait)
        }
    }

    /// On a thread of the C core.
    private func end() {
        let before = state.exchange(Self.over, ordering: .acquiringAndReleasing)
        guard before != Self.begun else { return }
        unsafe unsafeBitCast(before, to: UnsafeContinuation<Void, Never>.self).resume()
    }

    /// Ends it, from any thread, because the time is up.
    func expire() {
        expired.store(true, ordering: .releasing)
        unsafe mslot_wait_cancel(wait)
    }

    var hasExpired: Bool { expired.load(ordering: .acquiring) }

    /// The executor whose thread sleeps through the waits that begin here. `nil`: a thread of the C core does.
    static var executor: (any TaskExecutor)? { ExecutorThread.currentExecutor }
}

/// Calls `body`, and `expire` if it is still at work at the deadline.
func withDeadline<C: Clock, Success>(
    _ deadline: C.Instant, _ clock: C, expire: @escaping @Sendable () -> Void, _ body: () async throws(MailslotError) -> Success
) async throws(MailslotError) -> Success {
    // An executor's own sleep ends at the deadline, too: no other task is needed, nor another thread.
    if let thread = ExecutorThread.current, let alarm = Alarms.Time(deadline, of: clock).flatMap({ thread.setAlarm($0, expire) }) {
        defer { thread.cancel(alarm) }
        return try await body()
    }
    let result: Result<Success, MailslotError> = await withTaskGroup(of: Void.self) { group in
        group.addTask {
            // Cancelled when the body is ready, or with all.
            guard (try? await clock.sleep(until: deadline, tolerance: nil)) != nil else { return }
            expire()
        }
        defer { group.cancelAll() }
        do throws(MailslotError) { return .success(try await body()) } catch { return .failure(error) }
    }
    return try result.get()
}

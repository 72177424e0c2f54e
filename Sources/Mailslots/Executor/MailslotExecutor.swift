internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A thread for tasks and actors, which sleeps on the mailslots that they wait for.
///
/// ```swift
/// let executor = MailslotExecutor("orders")
/// let server = Task(executorPreference: executor) {
///     let orders = MailslotSharedReader(try Mailslot.create("orders"))
///     while let order = try await orders.read() { print(order.text) }
/// }
/// ```
///
/// A task of Swift's pool that waits for a message is woken in two steps: a thread of this library wakes, and then one of the pool. Here
/// the thread that wakes is the one that goes on with the task. All calls of the two ends find the executor by themselves.
///
/// **Tasks** get it by `Task(executorPreference:)`, `withTaskExecutorPreference` or `addTask(executorPreference:)`, and with them all that
/// they call, their child tasks and the actors that name no executor. **An actor** names it, and has to keep it alive:
///
/// ```swift
/// actor Orders {
///     let executor: MailslotExecutor
///     nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
/// }
/// ```
///
/// A task that calls such an actor should prefer the executor, too: else what in it is not isolated to the actor runs on the pool, and each
/// way there and back costs some microseconds.
///
/// **Order.** Jobs of higher priority run first, those of one priority in the order in which they came. A priority that is raised later
/// moves no job that is in the queue. Messages, deadlines and jobs from other threads are looked for between jobs, after at most 16.
/// One executor has one thread: use several for several processors.
///
/// **What blocks it** holds up all of its tasks: a call that blocks, a lock, a long computation. A debug build prints such a ``Stall``.
///
/// **Mailslots.** It sleeps on up to 127 at a time. More are left to threads of this library, and cost the second step again. Where the
/// kernel has no `futex_waitv` (before Linux 5.16) it looks every millisecond while anything waits.
///
/// **The end.** Tasks keep their executor alive. When nobody holds it any more its thread ends by itself; ``shutdown()`` ends it sooner,
/// and waits for that.
///
/// - Important: After `fork` a child has none of its parent's threads, so nothing runs there on an executor of the parent's. Make one in
///   the child, or let it exec.
public final class MailslotExecutor: TaskExecutor, SerialExecutor {
    /// Its name, which is also the thread's, cut off after 15 bytes.
    public var name: String { thread.name }

    private let thread: ExecutorThread

    /// An executor whose thread starts with the first job.
    ///
    /// - Parameters:
    ///   - name: For debuggers, `top` and reports.
    ///   - onStall: Called on the executor's thread for each job that keeps it from the others; `nil`: nobody is. By default a debug build
    ///     prints the first of each kind to the standard error, and a release build does not look.
    public init(_ name: String = "executor", onStall: (@Sendable (Stall) -> Void)? = Stall.printsFirst()) {
        thread = ExecutorThread(name: name, onStall: onStall)
        thread.serve(self)
    }

    deinit { thread.shutDown() }

    /// Takes a job. Any thread may call it; the Swift runtime does.
    public func enqueue(_ job: consuming ExecutorJob) { thread.enqueue(UnownedJob(job)) }

    /// Ends it: tasks that wait for a mailslot get ``MailslotError/Code/executorShutDown``, all that is enqueued runs, and then the thread
    /// ends. Returns after that. A second call waits, too.
    ///
    /// Cancel or end the tasks before. A job that comes afterwards, for a task that was not, or for an actor that is still called, runs all
    /// the same, in order and isolated as ever: the thread comes back for it. But no call can wait for a mailslot there any more; it throws
    /// ``MailslotError/Code/executorShutDown``.
    public func shutdown() async {
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            thread.shutDown { unsafe continuation.resume() }
        }
    }

    /// Whether ``shutdown()`` was called.
    public var isShutDown: Bool { thread.isShutDown }

    // MARK: isolation

    /// Whether the caller is on its thread: for `assumeIsolated` and `assertIsolated` of its actors, also outside of a task.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent }

    /// Ends the process if the caller is not on its thread.
    public func checkIsolated() { precondition(thread.isCurrent, "This is not on the thread of the executor \"\(name)\".") }
}

extension MailslotExecutor {
    /// A job that kept an executor from all others.
    public struct Stall: Sendable, CustomStringConvertible {
        /// What it did.
        public enum Cause: Sendable, Hashable {
            /// It is about to sleep in a call of this library that blocks. Reported before it does.
            case blockingCall
            /// It ran for so long, 100 ms or more. Reported when it is over.
            case longJob(Duration)
        }

        /// The executor's name.
        public let executor: String
        /// What the job did.
        public let cause: Cause

        /// What is wrong, and the cure, in a line.
        public var description: String {
            switch cause {
            case .blockingCall:
                "The executor \"\(executor)\" is blocked by a mailslot call that waits without `await`, and its other tasks with it. "
                    + "Call it with `await`, in an asynchronous function, or on a thread of your own."
            case .longJob(let duration):
                "A job held up the executor \"\(executor)\" for \(duration). Let it await, yield now and then, or run elsewhere what "
                    + "blocks or computes for long: Task(executorPreference: globalConcurrentExecutor)."
            }
        }

        /// The default: in debug builds prints the first of each kind.
        public static func printsFirst() -> (@Sendable (Stall) -> Void)? {
            #if DEBUG
                let printed = Locked<(call: Bool, job: Bool)>((false, false))
                return { stall in
                    let isFirst = printed.withLock { printed in
                        switch stall.cause {
                        case .blockingCall:
                            defer { printed.call = true }
                            return !printed.call
                        case .longJob:
                            defer { printed.job = true }
                            return !printed.job
                        }
                    }
                    if isFirst { writeToStandardError("mailslots: \(stall)\n") }
                }
            #else
                return nil
            #endif
        }
    }
}

private func writeToStandardError(_ text: String) {
    var text = text
    _ = text.withUTF8 { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

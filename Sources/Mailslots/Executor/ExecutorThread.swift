internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// The thread of an executor, which runs jobs, and when there is none sleeps on the mailslots that they wait for.
///
/// It starts with the first job and ends after a shutdown, when there is nothing left to run. A job that comes later starts it again: a
/// job that ran nowhere would be a task that never ends, and anywhere else it would break the isolation of its actor.
@safe
final class ExecutorThread: @unchecked Sendable {
    /// What other threads hand over.
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isRunning = false
        var isShutDown = false
        /// Called when the thread has ended.
        var ended: [@Sendable () -> Void] = []
    }

    private enum Timing {
        /// So many jobs may run before the thread looks at its mailslots and alarms. Chosen: a look costs about as much as a small job.
        static let jobsBetweenLooks = 16
        /// A job that takes longer is a stall. asyncio's figure.
        static let stall = Duration.milliseconds(100)
    }

    let name: String
    private let onStall: (@Sendable (MailslotExecutor.Stall) -> Void)?
    // Sound: the calls that any thread may make lock what they share; the others are made by the thread alone.
    private let loop: OpaquePointer
    private let inbox = Locked(Inbox())
    private let alarms = Locked(Alarms())

    // Sound: the executor's, which outlives its jobs: a task holds its executor, and an actor has to. Set before the first job.
    private unowned(unsafe) var executor: MailslotExecutor!
    private var serial: UnownedSerialExecutor!
    private var task: UnownedTaskExecutor!
    // Sound: touched by the thread alone.
    private var ready = JobQueue()
    private var isEnding = false

    init(name: String, onStall: (@Sendable (MailslotExecutor.Stall) -> Void)?) {
        self.name = name
        self.onStall = onStall
        guard let loop = unsafe mslot__loop_create() else { fatalError("There is no memory for the executor \"\(name)\".") }
        unsafe self.loop = unsafe loop
    }

    deinit { unsafe mslot__loop_free(loop) }

    func serve(_ executor: MailslotExecutor) {
        unsafe self.executor = executor
        unsafe serial = executor.asUnownedSerialExecutor()
        unsafe task = executor.asUnownedTaskExecutor()
    }

    /// The executor that runs the caller's job.
    static var currentExecutor: MailslotExecutor? { unsafe current?.executor }

    /// The one that the caller is on.
    static var current: ExecutorThread? {
        // Sound: the thread holds the object while it runs.
        unsafe mslot__loop_context().map { unsafe Unmanaged<ExecutorThread>.fromOpaque($0).takeUnretainedValue() }
    }

    var isCurrent: Bool { unsafe mslot__loop_context() == Unmanaged.passUnretained(self).toOpaque() }

    // MARK: from any thread

    func enqueue(_ job: UnownedJob) {
        if isCurrent {
            append(job)
            unsafe mslot__loop_set_busy(loop, true)
            return
        }
        let isRunning = inbox.withLock { inbox in
            inbox.jobs.append(job)
            defer { inbox.isRunning = true }
            return inbox.isRunning
        }
        if isRunning { unsafe mslot__loop_wake(loop) } else { start() }
    }

    /// Ends what waits, and the thread when all jobs have run. `ended` is called then.
    func shutDown(_ ended: @escaping @Sendable () -> Void = {}) {
        let isRunning = inbox.withLock { inbox in
            inbox.isShutDown = true
            if inbox.isRunning { inbox.ended.append(ended) }
            return inbox.isRunning
        }
        unsafe mslot__loop_close(loop)
        if !isRunning { ended() }
    }

    var isShutDown: Bool { inbox.withLock { $0.isShutDown } }

    private func start() {
        // Sound: the thread takes over what is retained here.
        let argument = unsafe Unmanaged.passRetained(self).toOpaque()
        let error = unsafe mslot__loop_start(
            name,
            { argument in
                unsafe Unmanaged<ExecutorThread>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument)
        guard error == 0 else {
            let words = unsafe String(cString: strerror(error))
            fatalError("The thread of the executor \"\(name)\" cannot be started: \(words). Raise the limit of threads (ulimit -u).")
        }
    }

    // MARK: on the thread

    private func run() {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe mslot__loop_enter(loop, context, onStall == nil ? nil : { _ in ExecutorThread.current?.reportBlockingCall() })
        takeInbox()
        var jobsSinceLook = 0
        repeat {
            while let job = nextJob() {
                run(job)
                jobsSinceLook += 1
                if jobsSinceLook == Timing.jobsBetweenLooks {
                    ringAlarms()
                    unsafe mslot__loop_look(loop)
                    jobsSinceLook = 0
                }
            }
            ringAlarms()
            if ready.isEmpty { unsafe mslot__loop_sleep(loop) }
        } while !isOver()
    }

    private func nextJob() -> UnownedJob? {
        if unsafe mslot__loop_hear(loop) { takeInbox() }
        guard let job = ready.popFirst() else { return nil }
        unsafe mslot__loop_set_busy(loop, !ready.isEmpty)
        return job
    }

    private func append(_ job: UnownedJob) { ready.append(job, priority: job.priority.rawValue) }

    private func takeInbox() {
        let jobs = inbox.withLock { inbox in
            isEnding = inbox.isShutDown
            // The empty array keeps its room.
            defer { inbox.jobs.removeAll(keepingCapacity: true) }
            return inbox.jobs
        }
        for job in jobs { append(job) }
    }

    private func run(_ job: UnownedJob) {
        guard let onStall else {
            unsafe job.runSynchronously(isolatedTo: serial, taskExecutor: task)
            return
        }
        let begun = ContinuousClock.now
        unsafe job.runSynchronously(isolatedTo: serial, taskExecutor: task)
        let duration = ContinuousClock.now - begun
        if duration >= Timing.stall { onStall(MailslotExecutor.Stall(executor: name, cause: .longJob(duration))) }
    }

    private func reportBlockingCall() { onStall?(MailslotExecutor.Stall(executor: name, cause: .blockingCall)) }

    /// Whether it was shut down, and nothing is left to do.
    private func isOver() -> Bool {
        guard isEnding, ready.isEmpty else { return false }
        // What waited ends first, and then what waits for a time and for no mailslot: nobody will be here to end it later.
        unsafe mslot__loop_look(loop)
        guard ready.isEmpty else { return false }
        if let ring = alarms.withLock({ $0.popNext() }) {
            ring()
            return false
        }
        let ended: [@Sendable () -> Void]? = inbox.withLock { inbox in
            guard inbox.jobs.isEmpty else { return nil }
            mslot__loop_leave()
            inbox.isRunning = false
            defer { inbox.ended = [] }
            return inbox.ended
        }
        guard let ended else { return false }
        for end in ended { end() }
        return true
    }

    // MARK: alarms

    /// Calls `ring` on this thread at `time`; `nil`: it is ending. Only from this thread.
    func setAlarm(_ time: Alarms.Time, _ ring: @escaping @Sendable () -> Void) -> Alarms.ID? {
        if isEnding { return nil }
        return alarms.withLock { alarms in
            defer { setAlarm(of: alarms) }
            return alarms.add(time, ring)
        }
    }

    /// From any thread. The thread may wake once for nothing.
    func cancel(_ alarm: Alarms.ID) { alarms.withLock { $0.cancel(alarm) } }

    private func ringAlarms() {
        while let ring = alarms.withLock({ $0.popDue() }) { ring() }
        alarms.withLock { setAlarm(of: $0) }
    }

    private func setAlarm(of alarms: borrowing Alarms) {
        unsafe mslot__loop_set_alarm(loop, alarms.timeLeft.map { MailslotTimeout($0).nanoseconds } ?? MSLOT_FOREVER)
    }
}

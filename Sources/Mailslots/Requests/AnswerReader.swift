internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A client's mailslot for answers, and the calls that wait for them.
///
/// One of the waiting calls *leads*: its own thread or task reads the mailslot, hands the others their answers, and ends those whose time
/// is up. When it has its own answer it hands the lead to another that waits. So a single caller reads its answer itself, as if it had the
/// mailslot alone.
@safe
final class AnswerReader: Sendable {
    private struct State {
        /// It is not among the others: so a call that is alone costs no look-up.
        var leader: PendingCall?
        /// By generation.
        var others: [UInt64: PendingCall] = [:]
        var generation: UInt64 = 0
        /// No call's time is up before this. Who leads wakes then.
        var nextDeadline = MonotonicClock.never
        var openServers = 0
        var damages = 0
        var counters = MailslotClientCounters()

        subscript(_ generation: UInt64) -> PendingCall? {
            if let leader, leader.generation == generation { return leader }
            return others[generation]
        }

        /// Those that are not over.
        var waiting: [PendingCall] { (Array(others.values) + (leader.map { [$0] } ?? [])).filter { $0.end == nil } }

        mutating func lead(_ call: PendingCall) {
            others[call.generation] = nil
            leader = call
            call.leads = true
        }
    }

    /// More damaged messages than there can be in a mailslot are a mailslot that is destroyed.
    private static let damagesMax = 32768

    let name: String
    /// The number by which servers find the mailslot, beside the process id.
    let number: UInt32
    let processID: UInt32
    let maximumServers: Int
    let acceptsRemoteAnswers: Bool
    private let reader: MailslotReader
    // Sound: it is used by the call that leads, and there is one at a time; an interrupt is for any thread.
    nonisolated(unsafe) private let handle: UnsafeMutablePointer<mslot_reader>
    private let state = Locked(State())

    init(
        capacity: Int, maximumServers: Int, maximumAnswerSize: Int, permissions: Mailslot.Permissions, acceptsRemoteAnswers: Bool,
        polling: Mailslot.Polling
    ) throws(MailslotError) {
        processID = UInt32(bitPattern: getpid())
        self.maximumServers = maximumServers
        self.acceptsRemoteAnswers = acceptsRemoteAnswers
        var random = SystemRandomNumberGenerator()
        while true {
            let number = UInt32(truncatingIfNeeded: random.next())
            let name = Mailslot.nameForAnswers(processID: processID, number: number)
            do {
                reader = try Mailslot.create(
                    name, capacity: capacity, maximumWriters: maximumServers,
                    maximumMessageSize: max(maximumAnswerSize + RequestHeader.byteCountMin, Mailslot.maximumMessageSize),
                    permissions: permissions, acceptsRemoteMessages: acceptsRemoteAnswers, polling: polling)
                self.name = name
                self.number = number
                break
            } catch {
                // Of a process with our number in another pid namespace.
                guard error.code == .alreadyExists else { throw error }
            }
        }
        unsafe handle = reader.handle
    }

    /// What ids of its calls say of it.
    private var client: UInt64 { UInt64(processID) << 32 | UInt64(number) }
    func id(of call: PendingCall) -> MailslotCallID { MailslotCallID(client: client, call: call.number) }
    /// Of a call that has no number yet.
    var idOfNoCall: MailslotCallID { MailslotCallID(client: client, call: 0) }

    var counters: MailslotClientCounters { state.withLock { $0.counters } }

    var callCount: Int { state.withLock { $0.others.count + ($0.leader == nil ? 0 : 1) } }

    // MARK: servers

    func addServer() throws(MailslotError) {
        let hasRoom = state.withLock { state in
            guard state.openServers < maximumServers else { return false }
            state.openServers += 1
            return true
        }
        guard hasRoom else { throw MailslotError(outcome: .tooManyWriters, name: name) }
    }

    func removeServer() { state.withLock { $0.openServers -= 1 } }

    /// Ends calls to a server that is gone.
    func end(callsOf connection: ObjectIdentifier, _ code: MailslotCallError.Code, where isLost: (PendingCall) -> Bool) {
        let waiters = state.withLock { state in
            var waiters: [PendingCall.Waiter] = []
            for call in state.waiting where call.connection == connection && isLost(call) {
                call.end = .failure(code, reason: "")
                state.counters.lostServers += 1
                waiters.append(call.takeWaiter())
                if call.leads { interruptLeader() }
            }
            return waiters
        }
        for waiter in waiters { waiter.wake() }
    }

    // MARK: calls

    /// Registers a call before its request is sent. It leads if no other does.
    ///
    /// - Parameters:
    ///   - token: The upper bits of the call's number.
    ///   - repeated: The call that it repeats, which has its number already. While that one waits, this is another call.
    func begin(token: UInt64, deadline: Int64, connection: ServerConnection, repeating repeated: MailslotCallID?) -> PendingCall {
        state.withLock { state in
            var number = repeated?.call ?? 0
            if repeated?.client != client || state[number & PendingCall.generationMask] != nil {
                repeat {
                    state.generation = (state.generation + 1) & PendingCall.generationMask
                } while state[state.generation] != nil
                number = token << 40 | state.generation
            }
            let call = PendingCall(number: number, deadline: deadline, connection: ObjectIdentifier(connection))
            state.counters.requests += 1
            if deadline < state.nextDeadline {
                state.nextDeadline = deadline
                if state.leader != nil { interruptLeader() }
            }
            if state.leader == nil {
                state.leader = call
                call.leads = true
                call.firstDeadline = state.nextDeadline
            } else {
                state.others[call.generation] = call
            }
            return call
        }
    }

    /// Takes a call out, which got its answer or never will, and hands the lead on.
    func finish(_ call: PendingCall, _ count: (inout MailslotClientCounters) -> Void = { _ in }) {
        let next = state.withLock { state in
            count(&state.counters)
            guard call.leads else {
                state.others[call.generation] = nil
                return PendingCall.Waiter.none
            }
            return passLead(of: call, &state)
        }
        next.wake()
    }

    private func stopLeading(_ call: PendingCall) {
        let next = state.withLock { state in
            guard call.leads else { return PendingCall.Waiter.none }
            state.others[call.generation] = call
            return passLead(of: call, &state)
        }
        next.wake()
    }

    /// Before the next look whether there is room for its request. Does not lead meanwhile.
    ///
    /// - Throws: What the call has come to. It was not sent.
    func checkUnsent(_ call: PendingCall, _ server: String) throws(ServerConnection.Unsent) {
        stopLeading(call)
        switch state.withLock({ _ in call.end }) {
        case nil:
            if call.deadline <= MonotonicClock.now { throw .failed(MailslotError(outcome: .timedOut, name: server)) }
        case .timedOut: throw .failed(MailslotError(outcome: .timedOut, name: server))
        case .cancelled: throw .failed(MailslotError(cancelled: server))
        case .broken(let error): throw .failed(error)
        case .failure(.closed, _): throw .closed
        case .failure, .answer: throw .failed(MailslotError(outcome: .noReader, name: server))
        }
    }

    /// Lets another call lead in place of this one, if one waits.
    private func passLead(of call: PendingCall, _ state: inout sending State) -> PendingCall.Waiter {
        call.leads = false
        state.leader = nil
        if state.others.isEmpty {
            state.nextDeadline = MonotonicClock.never
            return .none
        }
        // One that does not wait yet leads when it begins to.
        guard let next = state.others.values.first(where: { $0.end == nil && $0.isWaiting }) else { return .none }
        state.lead(next)
        return next.takeWaiter()
    }

    private func interruptLeader() { unsafe mslot_reader_interrupt(handle) }

    // MARK: waiting

    /// What a call that waits does next.
    private enum Turn {
        case over(PendingCall.End)
        /// It reads until the deadline that is next.
        case leads(until: Int64)
        case waits
    }

    /// With `waiter` it waits, unless it is over or leads.
    private func turn(_ call: PendingCall, waiter: PendingCall.Waiter) -> Turn {
        state.withLock { state in
            if let end = call.end { return .over(end) }
            if state.leader == nil { state.lead(call) }
            if call.leads { return .leads(until: state.nextDeadline) }
            call.waiter = waiter
            return .waits
        }
    }

    /// What a call does first. That nothing has ended one that leads yet needs no look: what does so interrupts it.
    private func firstTurn(_ call: PendingCall) -> Turn {
        // Without the lock: until it waits nobody else makes it lead, or not.
        call.leads ? .leads(until: call.firstDeadline) : turn(call, waiter: .none)
    }

    /// Blocks until the call is over.
    ///
    /// - Parameter take: Is shown the call's own answer where it lies, if the call leads.
    /// - Returns: How it ended; `nil`: `take` has had the answer, and the call is finished.
    func wait(
        _ call: PendingCall, _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) throws(Refusal) -> PendingCall.End? {
        var wakeUp: WakeUp?
        var turn = firstTurn(call)
        while true {
            switch turn {
            case .over(let end): return end
            case .waits:
                if let wakeUp { wakeUp.wait() } else { wakeUp = WakeUp() }
            case .leads(let deadline):
                // Also where messages come without end.
                let timeout = MonotonicClock.left(until: deadline)
                if timeout == .now {
                    endThoseWhoseTimeIsUp()
                } else {
                    let view = unsafe mslot_reader_peek(handle, timeout.nanoseconds)
                    if try unsafe deal(view, for: call, take) { return nil }
                }
            }
            turn = self.turn(call, waiter: wakeUp.map { .thread($0) } ?? .none)
        }
    }

    /// As the call that blocks, suspending the task.
    func wait(
        _ call: PendingCall, _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) async throws(Refusal) -> PendingCall.End? {
        var turn = firstTurn(call)
        while true {
            switch turn {
            case .over(let end): return end
            case .waits: await suspend(call)
            case .leads(let deadline):
                var view = unsafe mslot_reader_peek(handle, 0)
                if unsafe view.outcome == .empty {
                    unsafe view.outcome = await waitForMessage(deadline)
                    if unsafe view.outcome == .done { unsafe view = mslot_reader_peek(handle, 0) }
                }
                if try unsafe deal(view, for: call, take) { return nil }
                // Also where messages come without end.
                if Task.isCancelled { cancel(call) }
                if deadline != MonotonicClock.never, MonotonicClock.now >= deadline { endThoseWhoseTimeIsUp() }
            }
            turn = self.turn(call, waiter: .none)
        }
    }

    /// Suspends a call that does not lead, until it is over or leads.
    private func suspend(_ call: PendingCall) async {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                switch unsafe turn(call, waiter: .task(continuation)) {
                case .waits: break
                case .over, .leads: unsafe continuation.resume()
                }
            }
        } onCancel: {
            cancel(call)
        }
    }

    private func cancel(_ call: PendingCall) {
        let waiter = state.withLock { state in
            guard call.end == nil else { return PendingCall.Waiter.none }
            call.end = .cancelled
            return call.takeWaiter()
        }
        waiter.wake()
    }

    /// DONE, INTERRUPTED, TIMED_OUT, or what is wrong.
    private func waitForMessage(_ deadline: Int64) async -> mslot_outcome {
        let wait = TaskWait(MonotonicClock.left(until: deadline))
        while true {
            let outcome = unsafe mslot_reader_begin_wait(handle, wait.begin())
            guard outcome == .empty else { return outcome }
            await wait.ending()
            guard Task.isCancelled else { continue }
            _ = unsafe mslot_reader_end_wait(handle)
            return .interrupted
        }
    }

    // MARK: what comes

    /// Deals with what the leader has read. True: it was the leader's own answer, and the call is finished.
    @unsafe
    private func deal(
        _ view: mslot_view, for call: PendingCall, _ take: (RawSpan, MailslotMessage.Info) throws(Refusal) -> Void
    ) throws(Refusal) -> Bool {
        switch unsafe view.outcome {
        case .done: break
        case .timedOut, .empty:
            endThoseWhoseTimeIsUp()
            return false
        case .interrupted: return false
        case .damaged:
            // One message was skipped; or the mailslot is destroyed, and says so for ever.
            let isDestroyed = state.withLock { state in
                state.damages += 1
                return state.damages > Self.damagesMax
            }
            if isDestroyed { endAll(.broken(MailslotError(outcome: .damaged, name: name))) }
            return false
        default:
            endAll(.broken(MailslotError(outcome: unsafe view.outcome, name: name)))
            return false
        }
        // Sound: what is lent stays until it is released, below.
        let message = unsafe RawSpan(_unsafeBytes: MailslotReader.bytes(view))
        let info = unsafe MailslotReader.info(view)
        if let header = RequestHeader(message), header.kind == .answer, header.call == call.number {
            defer {
                _ = unsafe mslot_reader_release(handle, 1)
                finish(call) { $0.answers += 1 }
            }
            try take(message.extracting(droppingFirst: header.byteCount), info)
            return true
        }
        deliver(message, info)
        _ = unsafe mslot_reader_release(handle, 1)
        return false
    }

    private func deliver(_ message: RawSpan, _ info: MailslotMessage.Info) {
        guard let header = RequestHeader(message), header.kind == .answer || header.kind == .failure else {
            return state.withLock { $0.counters.malformedAnswers += 1 }
        }
        let bytes = message.extracting(droppingFirst: header.byteCount)
        let payload = [UInt8](copying: bytes)
        let waiter = state.withLock { state in
            guard let call = state[header.call & PendingCall.generationMask], call.end == nil else {
                state.counters.strayAnswers += 1
                return PendingCall.Waiter.none
            }
            guard call.number == header.call else {
                state.counters.answersOfWrongServer += 1
                return PendingCall.Waiter.none
            }
            state.counters.answers += 1
            let code = MailslotCallError.Code(rawValue: header.code)
            call.end =
                header.kind == .answer
                ? .answer(payload, info)
                : .failure(code.isOfServer ? code : .failed, reason: String(decoding: payload, as: UTF8.self))
            return call.takeWaiter()
        }
        waiter.wake()
    }

    private func endThoseWhoseTimeIsUp() {
        let waiters = state.withLock { state in
            let now = MonotonicClock.now
            var waiters: [PendingCall.Waiter] = []
            state.nextDeadline = MonotonicClock.never
            for call in state.waiting {
                if call.deadline <= now {
                    call.end = .timedOut
                    waiters.append(call.takeWaiter())
                } else {
                    state.nextDeadline = min(state.nextDeadline, call.deadline)
                }
            }
            return waiters
        }
        for waiter in waiters { waiter.wake() }
    }

    private func endAll(_ end: PendingCall.End) {
        let waiters = state.withLock { state in
            state.waiting.map { call in
                call.end = end
                return call.takeWaiter()
            }
        }
        for waiter in waiters { waiter.wake() }
    }
}

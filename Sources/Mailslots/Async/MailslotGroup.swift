internal import CMailslots
internal import Synchronization

/// Many mailslots that tasks read together.
///
/// ```swift
/// let group = MailslotGroup()
/// let orders = group.add(try Mailslot.create("orders"))
/// group.add(try Mailslot.create("prices"))
/// for try await delivery in group {
///     if delivery.member == orders { print("order:", delivery.message.text) }
/// }
/// ```
///
/// The mailslots that have messages take turns, one message each, so a busy one does not keep the others waiting. Those that have none cost
/// nothing, however many they are: a message tells the group whose it is.
///
/// An actor can hold it, and tasks can share it: each message goes to one of them. Mailslots come and go while a task waits. It closes its
/// readers when nobody holds it any more.
public final class MailslotGroup: AsyncSequence, Sendable {
    /// A mailslot of a group.
    public struct Member: Hashable, Sendable {
        fileprivate let index: Int
        /// The mailslot's name, as it was given.
        public let name: String
    }

    /// A message, and whose it is.
    public struct Delivery: Sendable {
        /// The mailslot that it came from.
        public let member: Member
        /// The message, taken out of the mailslot.
        public let message: MailslotMessage
    }

    /// A message, and whose it is.
    public typealias Element = Delivery
    /// What reading throws.
    public typealias Failure = MailslotError

    private struct Members {
        var awaited: [Int: Awaited] = [:]
        var nextIndex = 0
    }

    private let ready = ReadyQueue()
    private let members = Locked(Members())
    /// Of the tasks that read: one waits for a message, the others for their turn.
    private let turns = Turns()

    /// A group of no mailslots.
    public init() {}

    /// How many mailslots it has.
    public var count: Int { members.withLock { $0.awaited.count } }

    /// Takes a reader in. A task that waits hears of its messages, too.
    @discardableResult
    public func add(_ reader: consuming MailslotReader) -> Member {
        let name = reader.name
        var taken: MailslotReader? = consume reader
        let member = members.withLock { members in
            let member = Member(index: members.nextIndex, name: name)
            members.nextIndex += 1
            members.awaited[member.index] = Awaited(taken.take()!, member, ready)
            return member
        }
        ready.append(member.index)
        return member
    }

    /// Gives a reader back; `nil` if it was given back before. Its messages stay in the mailslot.
    public func remove(_ member: Member) -> MailslotReader? {
        members.withLock { members in members.awaited.removeValue(forKey: member.index)?.giveBack() }
    }

    // MARK: reading

    /// Copies the next message of any mailslot out, suspending the task until there is one.
    ///
    /// - Returns: `nil` when the time is up; with `.now` also while another task waits for a message. The mailslots' own time-outs are not
    ///   asked for: `.ofMailslot` is for ever.
    /// - Throws: ``MailslotError/Code/cancelled`` if the task is cancelled, before or while it waits: no message is taken. A
    ///   ``MailslotError`` whose `name` says whose it is, as a reader's; the group works on.
    public func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever) async throws(MailslotError) -> Delivery? {
        try await next(timeout.mailslotTimeout) { () throws(MailslotError) in
            try self.readNow { awaited throws(MailslotError) in
                try awaited.read().map { Delivery(member: awaited.member, message: $0) }
            }
        }
    }

    /// Copies the next message of any mailslot out, suspending the task until there is one or `clock` says that it is `deadline`.
    public func read<C: Clock>(until deadline: C.Instant, clock: C) async throws(MailslotError) -> Delivery? {
        try await next(until: deadline, clock) { () throws(MailslotError) in
            try self.readNow { awaited throws(MailslotError) in
                try awaited.read().map { Delivery(member: awaited.member, message: $0) }
            }
        }
    }

    /// Calls `body` with messages of one mailslot in place, at most `limit`, suspending the task until a mailslot has some. Releases them
    /// together, with one wake for all its writers that wait for room. The next batch is of the next mailslot that has messages.
    ///
    /// The bytes are shared memory: copy what you decide on. `body` runs while the group is locked, and must not call it.
    ///
    /// - Parameters:
    ///   - limit: The most messages of one batch, at least 1.
    ///   - timeout: How long to wait for the first.
    ///   - body: Called with each message.
    /// - Returns: How many messages there were; 0 when the time is up.
    /// - Throws: As ``read(timeout:)``.
    public func withMessages(
        atMost limit: Int, timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        _ body: (Member, RawSpan, MailslotMessage.Info) -> Void
    ) async throws(MailslotError) -> Int {
        try await next(timeout.mailslotTimeout) { () throws(MailslotError) in
            try self.readNow { awaited throws(MailslotError) in
                try awaited.withMessages(atMost: limit, body)
            }
        } ?? 0
    }

    /// For a loop, which never ends by itself. Loops and other calls share the messages.
    public func makeAsyncIterator() -> Iterator { Iterator(group: self) }

    /// Takes messages, one after the other.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let group: MailslotGroup

        /// The next message, suspending the task until there is one. Never `nil`.
        public func next() async throws(MailslotError) -> Delivery? { try await group.read(timeout: .forever) }

        /// As ``next()``, on the actor of the caller.
        public func next(isolation actor: isolated (any Actor)?) async throws(MailslotError) -> Delivery? { try await next() }
    }

    // MARK: waiting

    /// What `look` finds, now or when there is something to look for; `nil` when the time is up.
    private func next<Found>(
        _ timeout: MailslotTimeout, _ look: () throws(MailslotError) -> Found?
    ) async throws(MailslotError) -> Found? {
        if timeout == .now {
            guard turns.tryTake() else { return nil }
            defer { turns.end() }
            return try look()
        }
        if let duration = timeout.duration { return try await next(until: .now + duration, ContinuousClock(), look) }
        try checkCancellation()
        if !turns.tryTake() {
            guard await turns.take(Turns.Place()) else { throw MailslotError(cancelled: "*") }
        }
        defer { turns.end() }
        if let found = try look() { return found }
        return try await nextLater(Expiry(), look)
    }

    private func next<C: Clock, Found>(
        until deadline: C.Instant, _ clock: C, _ look: () throws(MailslotError) -> Found?
    ) async throws(MailslotError) -> Found? {
        try checkCancellation()
        if turns.tryTake() {
            defer { turns.end() }
            if let found = try look() { return found }
        }
        let (expiry, place) = (Expiry(), Turns.Place())
        let expire: @Sendable () -> Void = {
            self.ready.expire(expiry)
            self.turns.giveUp(place)
        }
        return try await withDeadline(deadline, clock, expire: expire) { () async throws(MailslotError) in
            guard await turns.take(place) else {
                try checkCancellation()
                return nil
            }
            defer { turns.end() }
            return try await nextLater(expiry, look)
        }
    }

    private func nextLater<Found>(_ expiry: Expiry, _ look: () throws(MailslotError) -> Found?) async throws(MailslotError) -> Found? {
        while await ready.wait(expiry) {
            if let found = try look() { return found }
        }
        try checkCancellation()
        return nil
    }

    private func checkCancellation() throws(MailslotError) {
        if Task.isCancelled { throw MailslotError(cancelled: "*") }
    }

    /// What `take` takes of the next in turn that has something. Those that have nothing leave the queue until they do.
    private func readNow<Taken>(_ take: (Awaited) throws(MailslotError) -> Taken?) throws(MailslotError) -> Taken? {
        try members.withLock { members throws(MailslotError) in
            while let index = ready.popFirst() {
                guard let awaited = members.awaited[index] else { continue }  // given back meanwhile
                do throws(MailslotError) {
                    if let taken = try take(awaited) {
                        ready.append(index)
                        return taken
                    }
                    if try awaited.isReadyOrBegins(polling: ready.isEmpty) { ready.append(index) }
                } catch {
                    ready.append(index)
                    throw error
                }
            }
            return nil
        }
    }

    deinit {
        // All at once, so that the C core's thread lets go of them together.
        members.withLock { members in
            for awaited in members.awaited.values { awaited.cancel() }
        }
    }
}

/// A reader of a group: either in the queue of those that may have something, or awaited by the C core's thread.
@safe
private final class Awaited: @unchecked Sendable {
    // Sound: touched only with the group's lock; of it the C core's thread knows what never changes.
    let member: MailslotGroup.Member
    /// nil: it was given back.
    private var reader: MailslotReader?
    private let handle: UnsafeMutablePointer<mslot_reader>
    private let ready: ReadyQueue
    // Sound: what the C core's thread shares in it the C core locks; it is freed when that thread has let go of it.
    private let wait: UnsafeMutablePointer<mslot_wait>
    private var isAwaited = false

    init(_ reader: consuming MailslotReader, _ member: MailslotGroup.Member, _ ready: ReadyQueue) {
        self.member = member
        unsafe handle = unsafe reader.handle
        self.reader = consume reader
        self.ready = ready
        unsafe wait = .allocate(capacity: 1)
        unsafe wait.initialize(to: mslot_wait())
    }

    deinit {
        leave()
        unsafe wait.deallocate()
    }

    /// The next message, if there is one.
    func read() throws(MailslotError) -> MailslotMessage? {
        endWait()
        return try reader!.tryRead()
    }

    /// Calls `body` with each message that there is, at most `limit`; `nil`: there is none.
    func withMessages(
        atMost limit: Int, _ body: (MailslotGroup.Member, RawSpan, MailslotMessage.Info) -> Void
    ) throws(MailslotError) -> Int? {
        endWait()
        let count = try reader!.withMessages(atMost: limit, timeout: .now) { bytes, info in body(member, bytes, info) }
        return count == 0 ? nil : count
    }

    private func endWait() {
        guard isAwaited else { return }
        isAwaited = false
        _ = unsafe mslot_reader_end_wait(handle)
    }

    /// True: something is there. Else it will be in the queue again when something is.
    func isReadyOrBegins(polling: Bool) throws(MailslotError) -> Bool {
        unsafe wait.pointee = mslot_wait()
        unsafe wait.pointee.timeout_ns = MSLOT_FOREVER
        unsafe wait.pointee.never_polls = !polling
        unsafe wait.pointee.context = Unmanaged.passUnretained(self).toOpaque()
        unsafe wait.pointee.ended = { wait in
            // Sound: the object leaves the wait before it goes. Of it only what never changes is touched here.
            guard let context = unsafe wait?.pointee.context else { return }
            let awaited = unsafe Unmanaged<Awaited>.fromOpaque(context).takeUnretainedValue()
            awaited.ready.append(awaited.member.index)
        }
        let outcome = unsafe mslot_reader_begin_wait(handle, wait)
        switch outcome {
        case .empty: isAwaited = true
        case .done: return true
        default: throw MailslotError(outcome: outcome, name: member.name)
        }
        return false
    }

    func cancel() { if isAwaited { unsafe mslot_wait_cancel(wait) } }

    private func leave() {
        guard isAwaited else { return }
        isAwaited = false
        unsafe mslot_wait_stop(wait)
        _ = unsafe mslot_reader_end_wait(handle)
    }

    func giveBack() -> MailslotReader? {
        leave()
        return reader.take()
    }
}

/// Ends one wait of a group when its time is up.
private final class Expiry: Sendable {
    private let reached = Atomic(false)
    var isReached: Bool { reached.load(ordering: .acquiring) }
    func reach() { reached.store(true, ordering: .releasing) }
}

/// Which members may have something, in turn, and the task that waits for one.
private final class ReadyQueue: Sendable {
    @safe
    private struct State {
        var indices = Queue<Int>()
        // Sound: whoever takes it out, under the lock, resumes it.
        var task: UnsafeContinuation<Bool, Never>?
        /// The wait that the task is in.
        var wait: Expiry?
    }

    private let state = Locked(State())

    var isEmpty: Bool { state.withLock { $0.indices.isEmpty } }

    func append(_ index: Int) {
        let task = unsafe state.withLock { state in
            state.indices.append(index)
            defer { unsafe state.task = nil }
            return unsafe state.task
        }
        if let task = unsafe task { unsafe task.resume(returning: true) }
    }

    func popFirst() -> Int? { state.withLock { $0.indices.popFirst() } }

    /// Suspends until there is one. False: the task was cancelled, or the time is up.
    func wait(_ expiry: Expiry) async -> Bool {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                let result: Bool? = state.withLock { state in
                    if Task.isCancelled || expiry.isReached { return false }
                    if !state.indices.isEmpty { return true }
                    unsafe state.task = unsafe continuation
                    state.wait = expiry
                    return nil
                }
                if let result { unsafe continuation.resume(returning: result) }
            }
        } onCancel: {
            end(expiry)
        }
    }

    func expire(_ expiry: Expiry) {
        expiry.reach()
        end(expiry)
    }

    /// Ends this wait, and not that of another task whose turn it is meanwhile.
    private func end(_ wait: Expiry) {
        let task = unsafe state.withLock { state in
            let isOn = state.wait === wait
            defer { if isOn { unsafe state.task = nil } }
            return unsafe isOn ? state.task : nil
        }
        if let task = unsafe task { unsafe task.resume(returning: false) }
    }
}

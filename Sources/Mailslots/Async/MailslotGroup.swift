internal import CMailslots
internal import Synchronization

/// Many mailslots that one task reads.
///
/// ```swift
/// var group = MailslotGroup()
/// let orders = group.add(try Mailslot.create("orders"))
/// group.add(try Mailslot.create("prices"))
/// while let delivery = try await group.read(timeout: .seconds(60)) {
///     if delivery.member == orders { print("order:", delivery.message.text) }
/// }
/// ```
///
/// The mailslots that have messages take turns, one message each, so a busy one does not keep the others waiting. Those that have none cost
/// nothing, however many they are: a message tells the group whose it is.
///
/// It is owned by one task at a time, as a reader is. It closes its readers when it goes out of scope.
public struct MailslotGroup: ~Copyable, Sendable {
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

    private let ready = ReadyQueue()
    // Sound: reached only by mutating methods of the one owner; the C core's thread knows no more of it than `ready`.
    nonisolated(unsafe) private var members: [Int: Awaited] = [:]
    private var nextIndex = 0

    /// A group of no mailslots.
    public init() {}

    /// How many mailslots it has.
    public var count: Int { unsafe members.count }

    /// Takes a reader in.
    @discardableResult
    public mutating func add(_ reader: consuming MailslotReader) -> Member {
        let member = Member(index: nextIndex, name: reader.name)
        nextIndex += 1
        unsafe members[member.index] = Awaited(reader, member, ready)
        ready.append(member.index)
        return member
    }

    /// Gives a reader back; `nil` if it was given back before. Its messages stay in the mailslot.
    public mutating func remove(_ member: Member) -> MailslotReader? {
        unsafe members.removeValue(forKey: member.index)?.giveBack()
    }

    /// Copies the next message of any mailslot out, suspending the task until there is one.
    ///
    /// - Returns: `nil` when the time is up. The mailslots' own time-outs are not asked for: `.ofMailslot` is for ever.
    /// - Throws: ``MailslotError/Code/cancelled`` if the task is cancelled, before or while it waits: no message is taken. A
    ///   ``MailslotError`` whose `name` says whose it is, as a reader's; the group works on.
    public mutating func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.forever) async throws(MailslotError) -> Delivery? {
        let timeout = timeout.mailslotTimeout
        if timeout != .now, Task.isCancelled { throw MailslotError(cancelled: "*") }
        if let delivery = try readNow() { return delivery }
        if timeout == .now { return nil }
        guard let duration = timeout.duration else { return try await readLater(Expiry()) }
        return try await read(until: .now + duration, clock: .continuous)
    }

    /// Copies the next message of any mailslot out, suspending the task until there is one or `clock` says that it is `deadline`.
    public mutating func read<C: Clock>(until deadline: C.Instant, clock: C) async throws(MailslotError) -> Delivery? {
        if Task.isCancelled { throw MailslotError(cancelled: "*") }
        if let delivery = try readNow() { return delivery }
        let ready = ready
        let expiry = Expiry()
        return try await withDeadline(deadline, clock, expire: { ready.expire(expiry) }) {
            () async throws(MailslotError) in try await readLater(expiry)
        }
    }

    private mutating func readLater(_ expiry: Expiry) async throws(MailslotError) -> Delivery? {
        while await ready.wait(expiry) {
            if let delivery = try readNow() { return delivery }
        }
        if Task.isCancelled { throw MailslotError(cancelled: "*") }
        return nil
    }

    /// The next in turn that has a message. Those that have none leave the queue until they do.
    private mutating func readNow() throws(MailslotError) -> Delivery? {
        while let index = ready.popFirst() {
            guard let awaited = unsafe members[index] else { continue }  // given back meanwhile
            do {
                if let message = try awaited.read() {
                    ready.append(index)
                    return Delivery(member: awaited.member, message: message)
                }
                if try awaited.isReadyOrBegins(polling: ready.isEmpty) { ready.append(index) }
            } catch {
                ready.append(index)
                throw error
            }
        }
        return nil
    }

    deinit {
        // All at once, so that the C core's thread lets go of them together.
        for awaited in unsafe members.values { awaited.cancel() }
    }
}

/// A reader of a group: either in the queue of those that may have something, or awaited by the C core's thread.
@safe
private final class Awaited {
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
        if isAwaited {
            isAwaited = false
            _ = unsafe mslot_reader_end_wait(handle)
        }
        return try reader!.tryRead()
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
        var indices: [Int] = []
        /// Those before have been taken.
        var first = 0
        // Sound: whoever takes it out, under the lock, resumes it.
        var task: UnsafeContinuation<Bool, Never>?

        var isEmpty: Bool { first == indices.count }
    }

    private let state = Locked(State())

    var isEmpty: Bool { state.withLock { $0.isEmpty } }

    func append(_ index: Int) {
        let task = unsafe state.withLock { state in
            state.indices.append(index)
            defer { unsafe state.task = nil }
            return unsafe state.task
        }
        if let task = unsafe task { unsafe task.resume(returning: true) }
    }

    func popFirst() -> Int? {
        state.withLock { state in
            guard !state.isEmpty else { return nil }
            let index = state.indices[state.first]
            state.first += 1
            if state.first * 2 > state.indices.count {
                state.indices.removeFirst(state.first)
                state.first = 0
            }
            return index
        }
    }

    /// Suspends until there is one. False: the task was cancelled, or the time is up.
    func wait(_ expiry: Expiry) async -> Bool {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                let result: Bool? = state.withLock { state in
                    if Task.isCancelled || expiry.isReached { return false }
                    if !state.isEmpty { return true }
                    unsafe state.task = unsafe continuation
                    return nil
                }
                if let result { unsafe continuation.resume(returning: result) }
            }
        } onCancel: {
            end()
        }
    }

    func expire(_ expiry: Expiry) {
        expiry.reach()
        end()
    }

    private func end() {
        let task = unsafe state.withLock { state in
            defer { unsafe state.task = nil }
            return unsafe state.task
        }
        if let task = unsafe task { unsafe task.resume(returning: false) }
    }
}

internal import CMailslots
internal import Synchronization

/// What a reader and a writer have in common.
protocol MailslotEnd: ~Copyable, Sendable {
    var name: String { get }
    var interrupter: MailslotInterrupter { mutating get }
}

extension MailslotReader: MailslotEnd {}
extension MailslotWriter: MailslotEnd {}

/// One end of a mailslot that tasks share: it is one task's at a time.
///
/// Whoever uses it begins a turn, has ``end`` to itself, and finishes.
final class SharedEnd<End: MailslotEnd & ~Copyable>: Sendable {
    let name: String
    let interrupter: MailslotInterrupter
    let turns = Turns()
    private let isTaken = Atomic(false)
    // Sound, both: touched only by whoever's turn it is. nil: it was closed.
    @exclusivity(unchecked) nonisolated(unsafe) private var stored: End?

    init(_ end: consuming End) {
        name = end.name
        interrupter = end.interrupter
        unsafe stored = consume end
    }

    /// The mailslot at this moment, whoever's turn it is; `nil`: the end was closed.
    var info: MailslotInfo? { interrupter.info }

    /// In the caller's turn: the end.
    var end: End {
        _read { yield unsafe stored! }
        _modify { yield unsafe &stored! }
    }

    /// Begins a turn if it is nobody's. False: it is another task's.
    ///
    /// - Throws: ``MailslotError/Code/notOpen``.
    @inline(__always)
    func tryBegin() throws(MailslotError) -> Bool {
        guard turns.tryTake() else { return false }
        try checkOpen()
        return true
    }

    /// Suspends until it is the caller's turn.
    ///
    /// - Returns: What is left of `timeout`; `nil` when the time is up, and it is not.
    /// - Throws: ``MailslotError/Code/cancelled``, ``MailslotError/Code/notOpen``.
    @inline(__always)
    func begin(_ timeout: MailslotTimeout) async throws(MailslotError) -> MailslotTimeout? {
        if timeout != .now, Task.isCancelled { throw MailslotError(cancelled: name) }
        if try tryBegin() { return timeout }
        return timeout == .now ? nil : try await beginLater(timeout)
    }

    private func beginLater(_ timeout: MailslotTimeout) async throws(MailslotError) -> MailslotTimeout? {
        let left: MailslotTimeout
        if let duration = (timeout == .ofMailslot ? info?.readTimeout ?? .now : timeout).duration {
            let deadline = ContinuousClock.now + duration
            guard try await begin(until: deadline, clock: .continuous) else { return nil }
            left = MailslotTimeout(deadline - .now)
        } else {
            guard await turns.take(Turns.Place()) else { throw MailslotError(cancelled: name) }
            try checkOpen()
            left = .forever
        }
        return left
    }

    /// Suspends until it is the caller's turn. False: `clock` says that it is `deadline`, and it is not.
    func begin<C: Clock>(until deadline: C.Instant, clock: C) async throws(MailslotError) -> Bool {
        if Task.isCancelled { throw MailslotError(cancelled: name) }
        if try tryBegin() { return true }
        let place = Turns.Place()
        let isMine = try await withDeadline(deadline, clock, expire: { self.turns.giveUp(place) }) { () async throws(MailslotError) in
            await self.turns.take(place)
        }
        if isMine {
            try checkOpen()
        } else if Task.isCancelled {
            throw MailslotError(cancelled: name)
        }
        return isMine
    }

    /// Finishes the caller's turn.
    @inline(__always)
    func finish() { turns.end() }

    private func checkOpen() throws(MailslotError) {
        // Those before `take` in the queue must not begin another wait. Acquiring: see there.
        if unsafe stored != nil, !isTaken.load(ordering: .acquiring) { return }
        turns.end()
        throw MailslotError(outcome: .notOpen, name: name)
    }

    /// What an error of the end means to whoever shares it: a close interrupts the one that waits.
    func meaning(of error: MailslotError) -> MailslotError {
        guard error.code == .interrupted, isTaken.load(ordering: .acquiring) else { return error }
        return MailslotError(outcome: .notOpen, name: name)
    }

    /// Ends the wait that is on, and takes the end out in a turn of its own; cancelled or not. `nil`: it was taken before.
    func take() async -> End? {
        // Releasing: whoever is interrupted by what follows sees it.
        isTaken.store(true, ordering: .releasing)
        interrupter.interrupt()
        if !turns.tryTake() { await turns.takeWhateverHappens() }
        defer { turns.end() }
        return unsafe stored.take()
    }
}

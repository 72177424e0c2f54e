internal import Synchronization

/// Whose turn it is, of many tasks: one's at a time, first come first served. While nobody is in another's way a turn costs two atomic
/// operations.
final class Turns: Sendable {
    private static let free = 0
    private static let taken = 1
    /// Taken, and there may be others in the queue: whoever's turn ends looks.
    private static let awaited = 2

    private let state = Atomic(free)
    private let queue = Locked(TurnQueue())

    /// A task's place in the queue.
    final class Place: Sendable {
        private let givenUp = Atomic(false)
        fileprivate var wasGivenUp: Bool { givenUp.load(ordering: .acquiring) }
        fileprivate func giveUp() { givenUp.store(true, ordering: .releasing) }
    }

    /// How many tasks wait for their turn.
    var queueLength: Int { queue.withLock { $0.count } }

    /// Takes the turn if it is nobody's.
    @inline(__always)
    func tryTake() -> Bool {
        // Acquiring: what was done in the turn before, which `end` releases.
        state.compareExchange(expected: Self.free, desired: Self.taken, ordering: .acquiring).exchanged
    }

    /// Suspends until it is the caller's turn. False: the task was cancelled or gave its place up, and it is not.
    func take(_ place: Place) async -> Bool {
        await withTaskCancellationHandler {
            await wait(place) { Task.isCancelled }
        } onCancel: {
            giveUp(place)
        }
    }

    /// Suspends until it is the caller's turn, cancelled or not.
    func takeWhateverHappens() async { _ = await wait(Place()) { false } }

    private func wait(_ place: Place, _ isCancelled: () -> Bool) async -> Bool {
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
            let isMine: Bool? = queue.withLock { queue in
                // Whoever cancels or gives up before this finds nothing in the queue, and is found here.
                if isCancelled() || place.wasGivenUp { return false }
                // Acquiring: as in `tryTake`. The lock keeps `end` from missing what is appended.
                guard state.exchange(Self.awaited, ordering: .acquiring) != Self.free else { return true }
                unsafe queue.append(place, continuation)
                return nil
            }
            if let isMine { unsafe continuation.resume(returning: isMine) }
        }
    }

    /// Leaves the queue: the wait for this place ends, or will not begin.
    func giveUp(_ place: Place) {
        place.giveUp()
        let waiting = unsafe queue.withLock { unsafe $0.remove(place) }
        if let waiting = unsafe waiting { unsafe waiting.resume(returning: false) }
    }

    /// The turn is the next one's.
    @inline(__always)
    func end() {
        // Releasing: for whoever takes it.
        if state.compareExchange(expected: Self.taken, desired: Self.free, ordering: .releasing).exchanged { return }
        handOver()
    }

    private func handOver() {
        let next = unsafe queue.withLock { queue in
            let next = unsafe queue.popFirst()
            // The lock is what the next one acquires.
            if unsafe next == nil { state.store(Self.free, ordering: .releasing) }
            return unsafe next
        }
        if let next = unsafe next { unsafe next.resume(returning: true) }
    }
}

/// Suspended tasks, first come first served. Each operation takes the same time however many they are.
@safe
private struct TurnQueue: ~Copyable {
    private var first: UInt64 = 0
    private var next: UInt64 = 0
    // Sound: whoever takes a continuation out resumes it.
    private var waiting: [UInt64: (place: Turns.Place, continuation: UnsafeContinuation<Bool, Never>)] = unsafe [:]
    private var numbers: [ObjectIdentifier: UInt64] = [:]

    var count: Int { numbers.count }

    @unsafe
    mutating func append(_ place: Turns.Place, _ continuation: UnsafeContinuation<Bool, Never>) {
        unsafe waiting[next] = unsafe (place, continuation)
        numbers[ObjectIdentifier(place)] = next
        next += 1
    }

    @unsafe
    mutating func remove(_ place: Turns.Place) -> UnsafeContinuation<Bool, Never>? {
        guard let number = numbers.removeValue(forKey: ObjectIdentifier(place)) else { return nil }
        return unsafe waiting.removeValue(forKey: number)?.continuation
    }

    @unsafe
    mutating func popFirst() -> UnsafeContinuation<Bool, Never>? {
        // Each number is passed once, whether its task is still there or not.
        while first < next {
            defer { first += 1 }
            guard let found = unsafe waiting.removeValue(forKey: first) else { continue }
            unsafe numbers.removeValue(forKey: ObjectIdentifier(found.place))
            return unsafe found.continuation
        }
        return nil
    }
}

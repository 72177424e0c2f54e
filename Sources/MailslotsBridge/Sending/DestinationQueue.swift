internal import Mailslots

/// The outboxes of one destination that are awake.
final class DestinationQueue {
    let destination: OutboxDestination?
    var outboxes: [Outbox] = []
    private var index = 0
    /// When a datagram last told this destination who we are. Monotonic.
    var lastTold = Int64.min / 2

    init(_ destination: OutboxDestination?) { self.destination = destination }

    var lastKnown: Int64 {
        get { outboxes.map(\.lastKnown).max() ?? 0 }
        set { for outbox in outboxes { outbox.lastKnown = newValue } }
    }

    var isBlocked: Bool {
        get { outboxes.contains { $0.isBlocked } }
        set { for outbox in outboxes { outbox.isBlocked = newValue } }
    }

    /// The one whose message is next, after `hasMessage`.
    var current: Outbox { outboxes[index] }

    /// Looks for an outbox with a message, from the last one on.
    func hasMessage(_ now: Int64, _ counters: BridgeCounters) -> Bool {
        for _ in outboxes.indices {
            if index >= outboxes.count { index = 0 }
            switch outboxes[index].peek() {
            case .message:
                outboxes[index].lastActive = now
                return true
            case .damaged: counters.add(.droppedDamagedOutbox)
            case .nothing: break
            }
            index += 1
        }
        if index >= outboxes.count { index = 0 }
        return false
    }

    /// Moves messages, each into a record, until one does not fit or there are no more. Returns how many.
    func moveAll(to output: inout OutputRawSpan, _ now: Int64, _ counters: BridgeCounters) -> Int {
        var messages = 0
        while hasMessage(now, counters) {
            let moved = current.moveAll(to: &output)
            messages += moved.count
            if !moved.isAll { break }
        }
        return messages
    }

    /// To the next outbox, so that none has to wait until another one is empty.
    func goOn() { index += 1 }

    func release() {
        for outbox in outboxes { outbox.release() }
    }
}

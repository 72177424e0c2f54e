internal import Mailslots

/// Ends the sending side's wait, from any thread, and says which outboxes have something.
final class Wakeup: Sendable {
    private struct State {
        var signalled: [Int] = []
        var interrupter: MailslotInterrupter?
    }

    private let state = Locked(State())

    /// What ends the wait; `nil` before its reader is closed.
    func setInterrupter(_ interrupter: MailslotInterrupter?) { state.withLock { $0.interrupter = interrupter } }

    /// `id`: of an outbox. `nil`: nothing but to wake up.
    func signal(_ id: Int? = nil) {
        state.withLock { state in
            if let id { state.signalled.append(id) }
            state.interrupter?.interrupt()
        }
    }

    func takeSignalled() -> [Int] {
        state.withLock { state in
            defer { state.signalled.removeAll(keepingCapacity: true) }
            return state.signalled
        }
    }
}

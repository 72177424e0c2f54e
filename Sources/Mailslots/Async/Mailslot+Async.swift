internal import CMailslots

extension Mailslot {
    /// Opens a mailslot, suspending the task until a reader appears, up to `wait`.
    ///
    /// Nothing can tell that a file will appear, so it looks: after 1 ms, then less and less often, every 64 ms at last.
    ///
    /// - Throws: `CancellationError` if the task is cancelled. Otherwise as the call that blocks.
    public static func open(
        _ name: String,
        waitingUpTo wait: MailslotTimeout,
        trusting trust: Trust = .sameUser,
        onReaderDeath: ReaderDeath = .fail,
        prefaulting: Bool = false
    ) async throws -> MailslotWriter {
        let deadline = wait.duration.map { ContinuousClock.now + $0 }
        var step = Duration.milliseconds(1)
        while true {
            do {
                return try open(name, trusting: trust, onReaderDeath: onReaderDeath, prefaulting: prefaulting)
            } catch {
                guard error.code == .notFound || error.code == .noReader, wait != .now else { throw error }
            }
            if let deadline, ContinuousClock.now >= deadline { throw MailslotError(outcome: .timedOut, name: name) }
            let next = ContinuousClock.now + step
            try await Task.sleep(until: min(next, deadline ?? next), clock: .continuous)
            if step < .milliseconds(64) { step *= 2 }
        }
    }
}

internal import CMailslots

extension Mailslot {
    /// Opens a mailslot, suspending the task until a reader appears, up to `wait`.
    ///
    /// Nothing can tell that a file will appear, so it looks: after 1 ms, then less and less often, every 64 ms at last. A bridge that is
    /// asked for the way to another machine is waited for with the thread blocked for some 100 µs; only if that is not enough, by looks.
    ///
    /// - Throws: ``MailslotError/Code/cancelled`` if the task is cancelled. Otherwise as the call that blocks.
    public static func open(
        _ name: String,
        waitingUpTo wait: some MailslotTimeoutConvertible,
        trusting trust: Trust = .sameUser,
        onReaderDeath: ReaderDeath = .fail,
        prefaulting: Bool = false,
        locksPages: Bool = false,
        leavesExpressLane: Bool = false,
        polling: Polling = .adaptive
    ) async throws(MailslotError) -> MailslotWriter {
        var options = unsafe openOptions(trust, onReaderDeath, prefaulting, locksPages, leavesExpressLane, polling)
        unsafe options.answer_ns = 2_000_000
        let wait = wait.mailslotTimeout
        let begun = ContinuousClock.now
        let deadline = wait.duration.map { begun + $0 }
        // As the call that blocks: a bridge has ten seconds to answer.
        let answerDeadline = deadline.map { max($0, begun + .seconds(10)) }
        var step = Duration.milliseconds(1)
        while true {
            let until: ContinuousClock.Instant?
            do {
                return try unsafe open(name, options)
            } catch {
                switch error.code {
                case .notFound, .noReader, .noBridge, .noSuchHost: until = deadline
                case .timedOut: until = answerDeadline
                default: throw error
                }
                if let until, ContinuousClock.now >= until {
                    // Who did not want to wait, and who waited for a bridge, hears what is missing.
                    let isLocal = error.code == .notFound || error.code == .noReader
                    throw isLocal && wait != .now ? MailslotError(outcome: .timedOut, name: name) : error
                }
            }
            let next = ContinuousClock.now + step
            do {
                try await Task.sleep(until: min(next, until ?? next), clock: .continuous)
            } catch {
                throw MailslotError(cancelled: name)
            }
            if step < .milliseconds(64) { step *= 2 }
        }
    }
}

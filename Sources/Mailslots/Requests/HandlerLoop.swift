/// Reads requests for handlers, several of which are at work at the same time.
final class HandlerLoop: Sendable {
    private let reader: RequestReader
    private let limit: Int
    /// Into an actor, out of it, and one to spare. Chosen.
    private static let turnsOfHandlers = 3
    /// Where the loop runs, so handlers do. `nil`: the pool's, or another's, whose tasks say so themselves.
    private let executor = TaskWait.executor
    private let state = Locked(State())

    private struct State {
        var running = 0
        /// Told once when a handler ends.
        var waiter = Waiter.none
    }

    @safe
    private enum Waiter {
        case none
        /// The loop waits for messages, too.
        case reader
        /// The loop waits for handlers alone. Sound: whoever takes it out, with the lock, resumes it.
        case task(UnsafeContinuation<Void, Never>)
    }

    init(_ reader: RequestReader, atMost limit: Int) {
        self.reader = reader
        self.limit = limit
    }

    /// Until the server is stopped or the task is cancelled, and then until all handlers have ended.
    ///
    /// - Parameter handler: Answers the request.
    func run(_ handler: @escaping @Sendable (MailslotRequest) async throws -> Void) async throws(MailslotError) {
        precondition(limit > 0, "Somebody has to do the work.")
        try reader.beginServing()
        defer { reader.endServing() }
        let result = await withTaskCancellationHandler {
            await read(handler)
        } onCancel: {
            // A handler that holds the loop up must not do so for ever.
            reader.registry.stopAll()
        }
        if Task.isCancelled { reader.registry.stopAll() }
        while await hasHandlers() {}
        try result.get()
    }

    private func read(_ handler: @escaping @Sendable (MailslotRequest) async throws -> Void) async -> Result<Void, MailslotError> {
        do throws(MailslotError) {
            while !reader.isStopping {
                try reader.checkCancellation()
                guard hasRoom() else {
                    if reader.canReadAhead { try await reader.readAhead() } else { _ = await hasHandlers() }
                    continue
                }
                // Polling keeps this thread from a handler that is about to go on, and another one would have to be woken for it.
                let turns = isIdle ? 0 : Self.turnsOfHandlers
                guard case .message(let view) = try await reader.next(yieldingFirst: turns) else { continue }
                if let request = unsafe reader.take(view) { begin(request, handler) }
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private func begin(_ request: MailslotRequest, _ handler: @escaping @Sendable (MailslotRequest) async throws -> Void) {
        state.withLock { $0.running += 1 }
        let task = Task.immediate(executorPreference: executor) {
            do {
                try await handler(request)
            } catch let refusal as Refusal {
                self.reader.tally.undecodableRequests.add(1)
                try? request.refuse(refusal.code, refusal.reason)
            } catch {
                if request.isCancelled {
                    // Nobody waits for word of it.
                } else if Self.isCancellation(error) {
                    try? request.refuse(.serverStopped)
                } else {
                    try? request.fail(error.codingReason)
                }
            }
            self.end()
        }
        request.attach(task)
    }

    private var isIdle: Bool { state.withLock { $0.running == 0 } }

    /// Whether a handler's task was cancelled, as whatever it waited in says so.
    private static func isCancellation(_ error: any Error) -> Bool {
        switch error {
        case is CancellationError: true
        case let error as MailslotError: error.code == .cancelled
        case let error as MailslotCallError: error.code == .cancelled
        default: false
        }
    }

    /// A handler has ended.
    private func end() {
        let waiter = state.withLock { state in
            state.running -= 1
            defer { state.waiter = .none }
            return state.waiter
        }
        switch waiter {
        case .none: break
        case .reader: reader.interrupt()
        case .task(let continuation): unsafe continuation.resume()
        }
    }

    /// False: the next handler that ends interrupts the reader.
    private func hasRoom() -> Bool {
        state.withLock { state in
            if state.running < limit { return true }
            state.waiter = .reader
            return false
        }
    }

    /// Waits for the end of one, if there is one.
    private func hasHandlers() async -> Bool {
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isWaiting = state.withLock { state in
                guard state.running > 0 else { return false }
                state.waiter = unsafe .task(continuation)
                return true
            }
            if !isWaiting { unsafe continuation.resume() }
        }
        return state.withLock { $0.running > 0 }
    }
}

/// Why a handler cannot take a request, for its caller.
struct Refusal: Error {
    let code: MailslotCallError.Code
    let reason: String
}

internal import Mailslots

/// Calls as requests: a node is a server, and has one client for the calls that it makes.
final class RequestTransport: NodeTransport {
    private let client: MailslotClient
    private let trust: Mailslot.Trust
    private let limits: MailslotActorSystem.Limits
    private let executor: MailslotExecutor?
    private let state: Locked<State>

    private struct State {
        /// nil: it was shut down.
        var server: MailslotServer?
        var serving: Task<Void, Never>?
        var callers: [MailslotNode: MailslotCaller] = [:]
    }

    init(
        _ node: MailslotNode, limits: MailslotActorSystem.Limits, permissions: Mailslot.Permissions, trusting trust: Mailslot.Trust,
        acceptsRemoteCalls: Bool, executor: MailslotExecutor?, polling: Mailslot.Polling
    ) throws(MailslotError) {
        self.limits = limits
        self.executor = executor
        self.trust = trust
        let server = try MailslotServer(
            node.mailslotName, maximumRequestSize: limits.callSize, permissions: permissions, trusting: trust,
            acceptsRemoteRequests: acceptsRemoteCalls, polling: polling)
        client = try MailslotClient(
            maximumServers: limits.nodes, maximumAnswerSize: limits.answerSize, permissions: permissions,
            acceptsRemoteAnswers: acceptsRemoteCalls, polling: polling)
        state = Locked(State(server: server))
    }

    // MARK: calls of others

    func serve(_ answer: @escaping @Sendable (IncomingCall) async -> [UInt8]) {
        let (limit, executor) = (limits.callsAtATime, executor)
        state.withLock { state in
            guard let server = state.server else { return }
            state.serving = Task(executorPreference: executor) {
                // It ends by `stop`. If the mailslot is destroyed, callers are told by it.
                do {
                    try await server.run(atMost: limit) { request in await answer(IncomingCall(request)) }
                } catch {}
            }
        }
    }

    func stop() {
        let (server, serving) = state.withLock { ($0.server, $0.serving) }
        server?.stop()
        serving?.cancel()
    }

    func shutDown() async {
        stop()
        await state.withLock { $0.serving }?.value
        state.withLock { $0 = State() }
    }

    // MARK: calls to others

    func call(_ node: MailslotNode, _ call: [UInt8], deadline: ContinuousClock.Instant?) async throws -> [UInt8] {
        let timeout = deadline.map { MailslotTimeout($0 - .now) }
        if timeout == .now { throw late(node) }
        do {
            let caller = try caller(node)
            // Sound: copied at once.
            return try await caller.call(call, timeout: timeout) { answer, _ in [UInt8](copying: answer) }
        } catch let error as MailslotError {
            throw failure(error, node)
        } catch let error as MailslotCallError {
            if error.code == .cancelled { throw CancellationError() }
            if error.code == .notSent, let cause = error.cause { throw failure(cause, node) }
            throw failure(error, node)
        }
    }

    private func caller(_ node: MailslotNode) throws -> MailslotCaller {
        let (isShutDown, caller) = state.withLock { ($0.server == nil, $0.callers[node]) }
        if let caller { return caller }
        if isShutDown {
            throw MailslotActorError(.shutDown, "The system was shut down, and calls nobody any more.", cure: "Make another one.")
        }
        let opened = try client.open(node.mailslotName, trusting: trust)
        return state.withLock { state in
            if let other = state.callers[node] { return other }
            // Any one: each is opened again when it is called.
            if state.callers.count >= limits.nodes - 1, let victim = state.callers.keys.first { state.callers[victim] = nil }
            state.callers[node] = opened
            return opened
        }
    }

    /// The next call opens the node's mailslot again, which may be another process's by then.
    private func forget(_ node: MailslotNode) { state.withLock { _ = $0.callers.removeValue(forKey: node) } }

    // MARK: what goes wrong

    private func late(_ node: MailslotNode) -> MailslotActorError {
        MailslotActorError(
            .deadlineExceeded, "The call to the node \(node) had no answer in time.",
            cure: "The actor may have been called: it is slow or stopped, or the deadline is short.")
    }

    /// Of a call that was not sent.
    private func failure(_ error: MailslotError, _ node: MailslotNode) -> MailslotActorError {
        switch error.code {
        case .timedOut: return late(node)
        case .tooLong:
            return MailslotActorError(
                .tooLong, "The call to the node \(node) is longer than it takes.", cure: "Send less, or give the node larger limits.")
        case .noReader, .notFound, .closed, .noBridge, .noSuchHost:
            forget(node)
            return MailslotActorError(
                .noSuchNode, "There is no node \(node), or no more.", cure: "Start its process, and call again. (\(error))")
        default:
            return MailslotActorError(.mailslot, "The node \(node) cannot be called.", cure: "\(error)")
        }
    }

    /// Of a call that was sent.
    private func failure(_ error: MailslotCallError, _ node: MailslotNode) -> MailslotActorError {
        switch error.code {
        case .timedOut: return late(node)
        case .noReader, .closed, .serverStopped:
            forget(node)
            return MailslotActorError(
                .nodeEnded, "The node \(node) ended before it answered.",
                cure: "The actor may have been called. Call again when the node is there, if the call may be carried out twice.")
        case .answerTooLong:
            return MailslotActorError(
                .tooLong, "The result from the node \(node) is longer than this one takes.",
                cure: "The actor was called. Ask for less, or give this node larger limits.")
        default:
            return MailslotActorError(.mailslot, "The node \(node) gave no answer.", cure: "\(error)")
        }
    }
}

extension IncomingCall {
    init(_ request: MailslotRequest) {
        // A host that the bridge does not know has no actors that could be called back.
        let host = request.info.origin.isRemote ? (try? request.info.origin.host()?.name) ?? "unknown" : nil
        self.init(bytes: [UInt8](request.message), host: host, deadline: request.info.deadline)
    }
}

internal import CMailslots
public import Logging
internal import Mailslots
internal import MailslotsWire
public import ServiceLifecycle
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Carries messages between the mailslots of this machine and those of others, as a `Service` of swift-service-lifecycle.
///
/// ```swift
/// let bridge = try Bridge(configuration, logger: logger)
/// try await ServiceGroup(services: [bridge], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// While it runs, this machine's programs open `\\host\mailslot\name`, `\\domain\mailslot\name` and `\\*\mailslot\name`; and what other
/// hosts of its domains send is written into the mailslots here whose creators accept remote messages. There is one bridge for a directory
/// of mailslots.
///
/// Nothing is acknowledged: a message arrives once, or not at all. Those that are in the outboxes when the bridge is killed wait for the
/// next one; it adopts them.
///
/// It has two threads of its own, one that sends and one that receives, which sleep when there is nothing to do.
public final class Bridge: Service {
    private let state: Locked<State>
    private let logger: Logger
    private let clock: BridgeClock
    private let makeTransport: @Sendable (TransportConfiguration) throws(BridgeError) -> any Transport
    package let counters = BridgeCounters()
    package let hosts = HostList()

    private struct State {
        var configuration: BridgeConfiguration
        var hasRun = false
        var running: Running?
    }

    /// - Throws: What is wrong with the configuration. Nothing is opened yet.
    public convenience init(_ configuration: BridgeConfiguration, logger: Logger) throws(BridgeError) {
        try self.init(configuration, logger: logger, clock: BridgeClock()) { configuration throws(BridgeError) in
            try configuration.settings.makeTransport(configuration, logger: logger)
        }
    }

    package init(
        _ configuration: BridgeConfiguration, logger: Logger, clock: BridgeClock,
        makeTransport: @escaping @Sendable (TransportConfiguration) throws(BridgeError) -> any Transport
    ) throws(BridgeError) {
        state = Locked(State(configuration: try configuration.validated()))
        self.logger = logger
        self.clock = clock
        self.makeTransport = makeTransport
    }

    /// Serves until graceful shutdown, which sends first what is in the outboxes, or cancellation, which does not. Once.
    /// - Throws: A ``BridgeError`` if it cannot start: another bridge is here, a port is in use.
    public func run() async throws {
        let configuration = state.withLock { state in
            precondition(!state.hasRun, "A bridge runs once.")
            state.hasRun = true
            return state.configuration
        }
        let transport = try makeTransport(configuration.transport)
        defer { transport.close() }
        let notices = Notices(logger: logger)
        let running = try Running(
            configuration, transport: transport, hosts: hosts, counters: counters, clock: clock, logger: logger, notices: notices)
        state.withLock { $0.running = running }
        defer { state.withLock { $0.running = nil } }
        logStart(configuration, transport)
        let status = BridgeStatus(
            counters: counters, hosts: hosts, transport: transport, notices: notices,
            mode: configuration.outboxes.permissions.rawValue)
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await withThrowingTaskGroup { group in
                    group.addTask { await status.showUntilCancelled(every: min(.seconds(1), configuration.announceEvery)) }
                    defer { group.cancelAll() }
                    try await running.run()
                }
            } onGracefulShutdown: {
                running.drain()
            }
        } onCancel: {
            running.stop()
        }
        logger.info("The bridge has ended", metadata: metadata(of: status))
        try Task.checkCancellation()
    }

    /// What happened at least once.
    private func metadata(of status: BridgeStatus) -> Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        for (name, value) in status.counts where value != 0 { metadata["bridge.\(name)"] = "\(value)" }
        return metadata
    }

    /// Goes on with another configuration: keys, peers, groups, limits and permissions of what is made from now on. Sessions go on, and no
    /// message is lost.
    /// - Throws: And changes nothing if the new one is wrong, or has another host name, port or address: these need a new start.
    public func reload(_ configuration: BridgeConfiguration) async throws(BridgeError) {
        let new = try configuration.validated()
        let running = try state.withLock { state throws(BridgeError) in
            guard new.host == state.configuration.host else {
                throw BridgeError(
                    .badConfiguration,
                    "A bridge cannot change the host's name, \(state.configuration.host), while it runs. Start it anew.")
            }
            let (former, next) = (type(of: state.configuration.transports.used), type(of: new.transports.used))
            guard former == next else {
                throw BridgeError(
                    .badConfiguration, "A bridge cannot change between \(former.title) and \(next.title) while it runs. Start it anew.")
            }
            if state.running == nil { state.configuration = new }
            return state.running
        }
        try await running?.reconfigure(new)
        state.withLock { $0.configuration = new }
        logger.info("The configuration was loaded anew")
    }

    private func logStart(_ configuration: BridgeConfiguration, _ transport: any Transport) {
        logger.info(
            "The bridge is running",
            metadata: [
                "bridge.host": "\(configuration.host)",
                "bridge.domains":
                    "\(configuration.domains.map { "\($0.name) (\($0.key?.description ?? "no key: insecure"))" }.joined(separator: ", "))",
                "bridge.transport": "\(transport.summary)",
            ])
    }
}

/// A bridge that runs: its two sides and their threads.
private final class Running: Sendable {
    private let transport: any Transport
    private let sending: Locked<SendingSide>
    private let receiving: Locked<ReceivingSide>
    private let wakeup = Wakeup()
    private let drainTimeout: Duration
    /// Less than a process that is woken on another processor needs to write the next message. Chosen.
    private static let briefNanoseconds: Int64 = 10_000
    /// 0: it serves. 1: it sends what is there, and ends. 2: it ends.
    private let phase = Atomic<Int>(0)
    private let sendingEnded = Atomic<Bool>(false)
    /// `nil`: it has ended, and takes over nothing more.
    private let changes = Locked<[Change]?>([])

    private struct Change: Sendable {
        let configuration: BridgeConfiguration
        let transport: TransportConfiguration
        let done: CheckedContinuation<BridgeError?, Never>
    }

    init(
        _ configuration: BridgeConfiguration, transport: any Transport, hosts: HostList, counters: BridgeCounters, clock: BridgeClock,
        logger: Logger, notices: Notices
    ) throws(BridgeError) {
        self.transport = transport
        drainTimeout = configuration.drainTimeout
        let domains = configuration.sealedDomains
        let sender = try SendingSide(
            configuration, domains: domains, transport: transport, hosts: hosts, counters: counters, clock: clock, logger: logger,
            wakeup: wakeup)
        receiving = Locked(
            try ReceivingSide(
                configuration, domains: domains, ownSessions: sender.sessions, transport: transport, hosts: hosts, counters: counters,
                clock: clock, logger: logger, notices: notices, wakeup: wakeup))
        sending = Locked(sender)
    }

    func drain() {
        _ = phase.compareExchange(expected: 0, desired: 1, ordering: .relaxed)
        wakeup.signal()
    }

    func stop() {
        phase.store(2, ordering: .relaxed)
        wakeup.signal()
    }

    func run() async throws(BridgeError) {
        async let received: Void = onThread { self.receive() }
        do throws(BridgeError) {
            try await onThread { self.send() }
        } catch {
            endReceiving()
            try? await received
            throw error
        }
        do {
            try await received
        } catch let error as BridgeError {
            throw error
        } catch {
            preconditionFailure("onThread throws nothing else")
        }
    }

    private func send() {
        var drainedBy = Int64.max
        var sleptBriefly = false
        while phase.load(ordering: .relaxed) != 2, BridgeClock.monotonic < drainedBy {
            let isDraining = phase.load(ordering: .relaxed) == 1
            if isDraining, drainedBy == .max { drainedBy = BridgeClock.monotonic + drainTimeout.nanoseconds }
            let idle = sending.withLock { side in
                if isDraining { side.beginEnd() }
                return side.turn()
            }
            guard let idle else { continue }
            if isDraining { break }
            if sleptBriefly {
                // Who woke us is in the middle of a burst, and may share our processor: let it write on, and look once more.
                sleptBriefly = false
                sched_yield()
            } else {
                sleptBriefly = SendingSide.wait(idle) < Self.briefNanoseconds
            }
        }
        sending.withLock { $0.end(wakeup: wakeup) }
        endReceiving()
    }

    private func endReceiving() {
        sendingEnded.store(true, ordering: .relaxed)
        transport.wake()
    }

    private func receive() {
        while !sendingEnded.load(ordering: .relaxed) {
            let (isBusy, wait) = receiving.withLock { side in (side.turn(), side.waitNanoseconds()) }
            applyChanges()
            if !isBusy { transport.wait(upTo: wait) }
        }
        applyChanges(areLast: true)
    }

    // MARK: changes

    /// Does nothing if it has ended meanwhile.
    func reconfigure(_ configuration: BridgeConfiguration) async throws(BridgeError) {
        let transportConfiguration = try await lookedUp(configuration.transport)
        let failure: BridgeError? = await withCheckedContinuation { done in
            changes.withLock { changes in
                guard changes != nil else { return done.resume(returning: nil) }
                changes!.append(Change(configuration: configuration, transport: transportConfiguration, done: done))
                // Within the lock: the transport is closed only after the last ones were taken.
                transport.wake()
            }
        }
        if let failure { throw failure }
    }

    /// Names are looked up where it holds up nobody.
    private func lookedUp(_ configuration: TransportConfiguration) async throws(BridgeError) -> TransportConfiguration {
        let result = Locked<Result<TransportConfiguration, BridgeError>>(.success(configuration))
        try await onThread {
            let found = Result { () throws(BridgeError) in try self.transport.lookedUp(configuration) }
            result.withLock { $0 = found }
        }
        return try result.withLock { $0 }.get()
    }

    /// On the receiving thread, with both sides at rest.
    private func applyChanges(areLast: Bool = false) {
        let due = changes.withLock { changes in
            defer { changes = areLast ? nil : [] }
            return changes ?? []
        }
        for change in due { change.done.resume(returning: apply(change)) }
    }

    private func apply(_ change: Change) -> BridgeError? {
        let configuration = change.configuration
        let domains = configuration.sealedDomains
        do throws(BridgeError) {
            let sessions = try sending.withLock { side throws(BridgeError) in
                try transport.reconfigure(change.transport)
                side.reconfigure(configuration, domains: domains)
                return side.sessions
            }
            receiving.withLock { $0.reconfigure(configuration, domains: domains, ownSessions: sessions) }
            wakeup.signal()
            return nil
        } catch {
            return error
        }
    }
}

extension BridgeConfiguration {
    /// The domains as datagrams are sealed for them.
    fileprivate var sealedDomains: [MailslotsWire.Domain] {
        domains.map { domain in
            MailslotsWire.Domain(
                name: domain.name, used: domain.key?.domainKey ?? .public, alsoAccepted: domain.alsoAccepted.map(\.domainKey))
        }
    }
}

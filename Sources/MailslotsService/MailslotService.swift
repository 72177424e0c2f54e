public import Logging
public import Mailslots
public import Metrics
public import ServiceLifecycle
internal import Synchronization

/// Serves a mailslot with a handler, as a `Service` of swift-service-lifecycle.
///
/// ```swift
/// let service = MailslotService(try Mailslot.create("orders", unread: .adopt), logger: logger) { message in
///     try await store(message)
/// }
/// try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// Messages are handled one after another, in their order. Each leaves the mailslot before the handler gets it: if the process dies in the
/// handler, that one message is lost. While the handler is slow the mailslot fills and its writers wait; nothing is buffered here.
///
/// On graceful shutdown the messages that are in the mailslot at that moment are handled, and then the service leaves: messages that came
/// meanwhile wait for the next service, which creates with `unread: .adopt`. So does what is not handled within `drainTimeout`, when the
/// handler is cancelled. Writers go on. With `unread: .discard` the mailslot closes instead: writers are told, and what is unread is
/// discarded.
///
/// A cancelled service handles nothing more, and ends in the same way. An error of the handler is logged and counted, and the next message
/// is handled; so is a message that a writer damaged. A mailslot that is destroyed is closed.
///
/// ## Metadata of log messages
///
/// | key | what |
/// |---|---|
/// | `mailslot.name` | the mailslot's name, as it was given |
/// | `mailslot.position` | a message's position |
/// | `mailslot.senderProcessID` | a message's writer, as it says |
/// | `mailslot.unread` | messages in the mailslot |
/// | `error` | what went wrong |
public struct MailslotService: Service {
    /// What the service does with a message.
    public typealias Handler = @Sendable (MailslotMessage) async throws -> Void

    private let reader: MailslotSharedReader
    private let hasRun = Flag()
    private let logger: Logger
    private let unread: MailslotReader.UnreadMessages
    private let drainTimeout: Duration
    private let sampler: MailslotSampler
    private let handler: Handler

    /// - Parameters:
    ///   - reader: The mailslot. It ends with the service, also with one that never runs.
    ///   - unread: What becomes of messages that are not handled: by default they wait for the next service.
    ///   - drainTimeout: How long a graceful shutdown may take to handle what is there.
    ///   - samplingEvery: How often metrics are taken: see ``MailslotSampler``.
    ///   - metricsFactory: Where metrics go; by default where `MetricsSystem` says.
    ///   - handler: What is done with a message.
    public init(
        _ reader: consuming MailslotReader,
        unread: MailslotReader.UnreadMessages = .keep,
        drainTimeout: Duration = .seconds(10),
        samplingEvery interval: Duration = .seconds(10),
        logger: Logger,
        metricsFactory: any MetricsFactory = MetricsSystem.factory,
        handler: @escaping Handler
    ) {
        var logger = logger
        logger[metadataKey: "mailslot.name"] = "\(reader.name)"
        self.logger = logger
        self.unread = unread
        self.drainTimeout = drainTimeout
        self.handler = handler
        sampler = MailslotSampler([reader.name], every: interval, logger: logger, metricsFactory: metricsFactory)
        reader.unreadAtEndOfScope = unread
        self.reader = MailslotSharedReader(reader)
    }

    private enum Ended { case serving, sampling, draining }

    /// Serves until graceful shutdown or cancellation. Once: the reader ends then.
    public func run() async throws {
        precondition(!hasRun.set(), "A MailslotService runs once.")
        let isDraining = Flag()
        try await withGracefulShutdownHandler {
            try await serveUntilEnd(isDraining)
        } onGracefulShutdown: {
            isDraining.set()
            reader.interrupter.interrupt()
        }
    }

    private func serveUntilEnd(_ isDraining: Flag) async throws {
        try await withThrowingTaskGroup(of: Ended.self) { group in
            group.addTask {
                try await serveAndEnd(isDraining)
                return .serving
            }
            group.addTask {
                try await sampler.sampleUntilCancelled()
                return .sampling
            }
            group.addTask {
                try await gracefulShutdown()
                try await Task.sleep(for: drainTimeout)
                return .draining
            }
            defer { group.cancelAll() }
            var isLate = false
            do {
                while let ended = try await group.next(), ended != .serving {
                    isLate = ended == .draining
                    if isLate { group.cancelAll() }
                }
            } catch {
                guard isLate, error is CancellationError else { throw error }
            }
        }
    }

    private func serveAndEnd(_ isDraining: Flag) async throws {
        logger.debug("Serving the mailslot")
        do {
            try await serve(isDraining)
        } catch {
            // Nothing in a destroyed one can be read, and it would refuse the next service.
            await end((error as? MailslotError)?.code == .damaged ? .discard : unread)
            throw error
        }
        await end(unread)
    }

    private func end(_ unread: MailslotReader.UnreadMessages) async {
        let count = await reader.close(unread: unread)
        switch unread {
        case .keep: logger.info("Left the mailslot to the next reader", metadata: ["mailslot.unread": "\(count)"])
        case .discard where count > 0: logger.warning("Discarded what was unread", metadata: ["mailslot.unread": "\(count)"])
        case .discard: logger.debug("Closed the mailslot")
        }
    }

    private func serve(_ isDraining: Flag) async throws {
        var left: Int?
        while left != 0 {
            if left == nil, isDraining.isSet {
                let unread = reader.info?.messageCount ?? 0
                logger.info("Handling what is left", metadata: ["mailslot.unread": "\(unread)"])
                left = unread
                continue
            }
            try Task.checkCancellation()
            guard let message = try await next(timeout: left == nil ? .forever : .now) else {
                if left == nil { continue }
                break
            }
            left? -= 1
            try await handle(message)
        }
        if let info = reader.info { sampler.record(info) }
    }

    /// nil: there is none, or something else is to be looked at first.
    private func next(timeout: MailslotTimeout) async throws -> MailslotMessage? {
        let read = reader.info?.messagesRead ?? 0
        do {
            return try await reader.read(timeout: timeout)
        } catch {
            switch error.code {
            case .interrupted: return nil
            case .cancelled: throw CancellationError()
            case .damaged where (reader.info?.messagesRead ?? 0) > read:  // it was skipped
                logger.warning("A message is damaged", metadata: ["error": "\(error)"])
                return nil
            default:
                logger.error("The mailslot cannot be read", metadata: ["error": "\(error)"])
                throw error
            }
        }
    }

    private func handle(_ message: MailslotMessage) async throws {
        do {
            try await handler(message)
            sampler.handled(failed: false)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            sampler.handled(failed: true)
            logger.error(
                "The handler failed",
                metadata: [
                    "error": "\(error)", "mailslot.position": "\(message.info.position)",
                    "mailslot.senderProcessID": "\(message.info.senderProcessID)",
                ])
        }
    }
}

private final class Flag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    /// True: it was set before.
    @discardableResult
    func set() -> Bool { flag.exchange(true, ordering: .acquiringAndReleasing) }
}

public import Logging
internal import Mailslots
public import Metrics
public import ServiceLifecycle

/// Takes the metrics of mailslots from time to time, as a third party that disturbs nobody: a `Service` of swift-service-lifecycle.
///
/// ```swift
/// let sampler = MailslotSampler(["orders", "prices"], every: .seconds(5), logger: logger)
/// ```
///
/// The counters are kept in the mailslot by those who read and write it, each in words that only it writes. To take a sample opens the
/// mailslot's file and reads them: some 50 µs, nothing that a reader or writer notices. It may run in any process that may read the file.
///
/// Each metric has the dimension `mailslot`, the name. A counter counts from the sampler's first sample on; a mailslot that was made
/// anew counts from its beginning.
///
/// The metrics are those of `mailslot info --prometheus`, each counter without `_total`; the article *Services, logs and metrics* lists
/// them. A ``MailslotService`` has two counters more: `mailslot_handled`, messages handled, and `mailslot_handler_failures`, those that
/// its handler failed at.
public struct MailslotSampler: Service {
    private let names: [String]
    private let interval: Duration
    private let logger: Logger
    private let instruments: [Instruments]

    /// - Parameters:
    ///   - names: The mailslots. One that is not there is left out of a sample.
    ///   - interval: How often a sample is taken.
    ///   - metricsFactory: Where metrics go; by default where `MetricsSystem` says.
    public init(
        _ names: [String], every interval: Duration = .seconds(10), logger: Logger,
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.names = names
        self.interval = interval
        self.logger = logger
        instruments = names.map { Instruments($0, metricsFactory) }
    }

    /// Takes samples until graceful shutdown or cancellation, and one more on graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown { try? await sampleUntilCancelled() }
        try Task.checkCancellation()
        sample()
    }

    func sampleUntilCancelled() async throws {
        while true {
            sample()
            try await Task.sleep(for: interval)
        }
    }

    /// Takes one sample now.
    public func sample() {
        for (name, instruments) in zip(names, instruments) {
            do {
                instruments.record(try Mailslot.info(of: name))
            } catch {
                logger.debug("No sample", metadata: ["mailslot.name": "\(name)", "error": "\(error)"])
            }
        }
    }

    func record(_ info: MailslotInfo) { instruments.first?.record(info) }
    func handled(failed: Bool) { instruments.first?.handled(failed: failed) }
}

/// Where one mailslot's metrics go.
private final class Instruments: Sendable {
    private static let gauges = MailslotMetric.all.filter { $0.kind == .gauge }
    private static let counts = MailslotMetric.all.filter { $0.kind == .counter }

    private let meters: [Meter]
    private let counters: [Counter]
    private let handledCounter: Counter
    private let failureCounter: Counter
    private let last = Locked<MailslotInfo?>(nil)

    init(_ name: String, _ factory: any MetricsFactory) {
        let dimensions = [("mailslot", name)]
        meters = Self.gauges.map { Meter(label: $0.name, dimensions: dimensions, factory: factory) }
        counters = Self.counts.map { Counter(label: $0.name, dimensions: dimensions, factory: factory) }
        handledCounter = Counter(label: "mailslot_handled", dimensions: dimensions, factory: factory)
        failureCounter = Counter(label: "mailslot_handler_failures", dimensions: dimensions, factory: factory)
    }

    func record(_ info: MailslotInfo) {
        for (meter, metric) in zip(meters, Self.gauges) { meter.set(Int64(clamping: metric.value(info))) }
        let before = last.withLock { last in
            defer { last = info }
            return last
        }
        guard let before else { return }
        let isAnother = before.createdNanoseconds != info.createdNanoseconds
        for (counter, metric) in zip(counters, Self.counts) {
            let base = isAnother ? 0 : metric.value(before)
            // Words in shared memory: what goes backwards or jumps absurdly was written over.
            guard metric.value(info) > base, let increment = Int64(exactly: metric.value(info) - base) else { continue }
            counter.increment(by: increment)
        }
    }

    func handled(failed: Bool) {
        handledCounter.increment()
        if failed { failureCounter.increment() }
    }
}

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
/// | metric | kind | what | |---|---|---| | `mailslot_messages_waiting`, `mailslot_messages_high_water`, `mailslot_messages_capacity` |
/// meter | how full it is, was at most, can be | | `mailslot_writers`, `mailslot_writers_capacity` | meter | writers that have it open, and
/// may | | `mailslot_reader_present` | meter | 1: it has a reader; 0: its reader was killed | | `mailslot_sound` | meter | 0: its ring is
/// destroyed | | `mailslot_segment_bytes`, `mailslot_created_seconds` | meter | bytes of shared memory; since when, in seconds since 1970 |
/// | `mailslot_messages_written`, `mailslot_messages_read` | counter | messages published, and released by readers | | `mailslot_full` |
/// counter | writes that met a full mailslot | | `mailslot_writer_waits`, `mailslot_writer_wakes` | counter | times that writers slept for
/// room, and that the reader woke them | | `mailslot_reader_sleeps`, `mailslot_reader_wakes` | counter | times that the reader slept, and
/// that writers woke it | | `mailslot_late_wakes` | counter | see ``MailslotInfo/lateWakes`` | | `mailslot_retries`, `mailslot_recoveries`
/// | counter | see ``MailslotInfo/retries``, ``MailslotInfo/recoveries`` | | `mailslot_adoptions` | counter | times that a reader adopted
/// it | | `mailslot_damaged` | counter | things found damaged and refused | | `mailslot_handled` | counter | of a ``MailslotService``:
/// messages handled | | `mailslot_handler_failures` | counter | of a ``MailslotService``: of these, those that its handler failed at |
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
                instruments.record(try Mailslot.info(name))
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

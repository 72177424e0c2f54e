#if Bridge
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
    /// | metric | kind | what |
    /// |---|---|---|
    /// | `mailslot_depth` | meter | messages that wait |
    /// | `mailslot_capacity` | meter | messages that fit |
    /// | `mailslot_writers` | meter | writers that have it open |
    /// | `mailslot_reader` | meter | 1: it has a reader; 0: its reader was killed |
    /// | `mailslot_segment_bytes` | meter | bytes of shared memory |
    /// | `mailslot_written` | counter | messages published |
    /// | `mailslot_read` | counter | messages that readers released |
    /// | `mailslot_full` | counter | writes that met a full mailslot |
    /// | `mailslot_writer_waits` | counter | times that writers slept for room |
    /// | `mailslot_writer_wakes` | counter | times that the reader woke writers |
    /// | `mailslot_reader_sleeps` | counter | times that the reader slept |
    /// | `mailslot_reader_wakes` | counter | times that writers woke the reader |
    /// | `mailslot_damaged` | counter | things found damaged and refused |
    /// | `mailslot_adoptions` | counter | times that a reader adopted it |
    /// | `mailslot_handled` | counter | of a ``MailslotService``: messages handled |
    /// | `mailslot_handler_failures` | counter | of a ``MailslotService``: of these, those that its handler failed at |
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
        private static var meterValues: [(label: String, value: @Sendable (MailslotInfo) -> Int)] {
            [
                ("mailslot_depth", { $0.messageCount }),
                ("mailslot_capacity", { $0.capacity }),
                ("mailslot_writers", { $0.writerCount }),
                ("mailslot_reader", { $0.hasReader ? 1 : 0 }),
                ("mailslot_segment_bytes", { $0.segmentSize }),
            ]
        }
        private static var counterValues: [(label: String, value: @Sendable (MailslotInfo) -> UInt64)] {
            [
                ("mailslot_written", { $0.written }),
                ("mailslot_read", { $0.read }),
                ("mailslot_full", { $0.fulls }),
                ("mailslot_writer_waits", { $0.writerWaits }),
                ("mailslot_writer_wakes", { $0.writerWakes }),
                ("mailslot_reader_sleeps", { $0.readerSleeps }),
                ("mailslot_reader_wakes", { $0.readerWakes }),
                ("mailslot_damaged", { $0.damaged }),
                ("mailslot_adoptions", { $0.adoptions }),
            ]
        }

        private let meters: [Meter]
        private let counters: [Counter]
        private let handledCounter: Counter
        private let failureCounter: Counter
        private let last = Locked<MailslotInfo?>(nil)

        init(_ name: String, _ factory: any MetricsFactory) {
            let dimensions = [("mailslot", name)]
            meters = Self.meterValues.map { Meter(label: $0.label, dimensions: dimensions, factory: factory) }
            counters = Self.counterValues.map { Counter(label: $0.label, dimensions: dimensions, factory: factory) }
            handledCounter = Counter(label: "mailslot_handled", dimensions: dimensions, factory: factory)
            failureCounter = Counter(label: "mailslot_handler_failures", dimensions: dimensions, factory: factory)
        }

        func record(_ info: MailslotInfo) {
            for (meter, (_, value)) in zip(meters, Self.meterValues) { meter.set(value(info)) }
            let before = last.withLock { last in
                defer { last = info }
                return last
            }
            guard let before else { return }
            let isAnother = before.createdNanoseconds != info.createdNanoseconds
            for (counter, (_, value)) in zip(counters, Self.counterValues) {
                let base = isAnother ? 0 : value(before)
                // Words in shared memory: what goes backwards or jumps absurdly was written over.
                guard value(info) > base, let increment = Int64(exactly: value(info) - base) else { continue }
                counter.increment(by: increment)
            }
        }

        func handled(failed: Bool) {
            handledCounter.increment()
            if failed { failureCounter.increment() }
        }
    }
#endif

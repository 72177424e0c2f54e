#if Bridge
    import Mailslots

    /// The text format of Prometheus, version 0.0.4, as lines: https://prometheus.io/docs/instrumenting/exposition_formats
    func prometheusText(_ infos: [MailslotInfo]) -> [String] {
        metrics.flatMap { metric in
            ["# HELP \(metric.name) \(metric.help)", "# TYPE \(metric.name) \(metric.kind.rawValue)"]
                + infos.map { "\(metric.name){mailslot=\"\(escapedLabel($0.name))\"} \(metric.value($0))" }
        }
    }

    /// "Label value can be any sequence of UTF-8 characters, but the backslash, double-quote, and line feed have to be escaped."
    func escapedLabel(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private struct Metric: Sendable {
        enum Kind: String { case gauge, counter }
        let name: String
        let kind: Kind
        let help: String
        let value: @Sendable (MailslotInfo) -> String

        static func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (MailslotInfo) -> Int) -> Metric {
            Metric(name: "mailslot_\(name)", kind: .gauge, help: help) { "\(value($0))" }
        }
        static func counter(_ name: String, _ help: String, _ value: @escaping @Sendable (MailslotInfo) -> UInt64) -> Metric {
            Metric(name: "mailslot_\(name)_total", kind: .counter, help: help) { "\(value($0))" }
        }
    }

    // These names are promised.
    private let metrics: [Metric] = [
        .gauge("messages_waiting", "Messages that wait to be read.") { $0.messageCount },
        .gauge("messages_high_water", "The most messages that were seen to wait.") { $0.highWater },
        .gauge("messages_capacity", "Messages that fit.") { $0.capacity },
        .gauge("writers", "Writers that have it open.") { $0.writerCount },
        .gauge("writers_capacity", "Writers that may have it open at one time.") { $0.maximumWriters },
        .gauge("reader_present", "1: a reader has it; 0: its reader ended without closing.") { $0.hasReader ? 1 : 0 },
        .gauge("sound", "0: its ring is destroyed.") { $0.isSound ? 1 : 0 },
        .gauge("segment_bytes", "Bytes of its file.") { $0.segmentSize },
        .gauge("created_seconds", "When it was created, seconds since 1970.") { Int($0.createdNanoseconds / 1_000_000_000) },
        .counter("messages_written", "Messages published.") { $0.written },
        .counter("messages_read", "Messages released by readers.") { $0.read },
        .counter("full", "Writes that met a full mailslot.") { $0.fulls },
        .counter("writer_waits", "Times that writers slept for room.") { $0.writerWaits },
        .counter("writer_wakes", "Times that the reader woke writers.") { $0.writerWakes },
        .counter("reader_sleeps", "Times that the reader slept.") { $0.readerSleeps },
        .counter("reader_wakes", "Times that writers woke the reader.") { $0.readerWakes },
        .counter("late_wakes", "Messages that a sleeping reader found by itself, because nobody had woken it.") { $0.lateWakes },
        .counter("retries", "Times that a writer met a position that another had just taken.") { $0.retries },
        .counter("recoveries", "Places of writers that had ended without closing, taken by others.") { $0.recoveries },
        .counter("adoptions", "Times that a reader adopted it.") { $0.adoptions },
        .counter("damaged", "Things found damaged and refused.") { $0.damaged },
    ]
#endif

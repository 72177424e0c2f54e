/// One number of a mailslot for monitoring. The table serves whoever shows them, so that each has one name everywhere.
package struct MailslotMetric: Sendable {
    package enum Kind: String, Sendable {
        /// What is now.
        case gauge
        /// Counts up from the mailslot's creation.
        case counter
    }

    /// Promised. In Prometheus' text a counter's has `_total` behind it.
    package let name: String
    package let kind: Kind
    package let help: String
    package let value: @Sendable (MailslotInfo) -> UInt64

    private static func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (MailslotInfo) -> Int) -> MailslotMetric {
        MailslotMetric(name: "mailslot_\(name)", kind: .gauge, help: help) { UInt64(clamping: value($0)) }
    }
    private static func counter(_ name: String, _ help: String, _ value: @escaping @Sendable (MailslotInfo) -> UInt64) -> MailslotMetric {
        MailslotMetric(name: "mailslot_\(name)", kind: .counter, help: help, value: value)
    }

    package static let all: [MailslotMetric] = [
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
}

/// One number of a mailslot for monitoring. The table serves whoever shows them, so that each has one name everywhere.
package struct MailslotMetric: Sendable {
    /// Promised. In Prometheus' text a counter's has `_total` behind it.
    package let name: String
    package let kind: MailslotCounter.Kind
    package let help: String
    package let value: @Sendable (MailslotInfo) -> UInt64

    private static func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (MailslotInfo) -> Int) -> MailslotMetric {
        MailslotMetric(name: "mailslot_\(name)", kind: .gauge, help: help) { UInt64(clamping: value($0)) }
    }

    private init(name: String, kind: MailslotCounter.Kind, help: String, value: @escaping @Sendable (MailslotInfo) -> UInt64) {
        self.name = name
        self.kind = kind
        self.help = help
        self.value = value
    }

    /// Each counter of the C core is a metric by itself.
    private init(_ counter: MailslotCounter.Description) {
        self.init(name: "mailslot_\(counter.name)", kind: counter.kind, help: counter.help) { $0.value(of: counter) }
    }

    package static let all: [MailslotMetric] =
        [
            .gauge("messages_waiting", "Messages that wait to be read.") { $0.messageCount },
            .gauge("messages_capacity", "Messages that fit.") { $0.capacity },
            .gauge("writers", "Writers that have it open.") { $0.writerCount },
            .gauge("writers_capacity", "Writers that may have it open at one time.") { $0.maximumWriters },
            .gauge("reader_present", "1: a reader has it; 0: its reader ended without closing.") { $0.hasReader ? 1 : 0 },
            .gauge("sound", "0: its ring is destroyed.") { $0.isSound ? 1 : 0 },
            .gauge("segment_bytes", "Bytes of its file.") { $0.segmentSize },
            .gauge("created_seconds", "When it was created, seconds since 1970.") { Int($0.createdNanoseconds / 1_000_000_000) },
        ] + MailslotCounter.descriptions.map { MailslotMetric($0) }
}

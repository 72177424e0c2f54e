internal import CMailslots

/// A mailslot at some moment: what waits in it, what it is, and its counters.
///
/// Counters count up from the mailslot's creation, over all its readers and writers. To read them disturbs nobody.
public struct MailslotInfo: Sendable {
    let info: mslot_info

    init(_ info: mslot_info) { self.info = info }

    /// The mailslot's name in canonical form: folded to lower case, `/` between parts.
    public var name: String {
        unsafe withUnsafeBytes(of: info.name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    /// The next message's size in bytes; `nil`: there is none.
    public var nextMessageSize: Int? { info.next_byte_count < 0 ? nil : Int(info.next_byte_count) }
    /// How many messages wait, 0 to ``capacity``.
    public var messageCount: Int { Int(info.message_count) }
    /// How many messages fit.
    public var capacity: Int { Int(info.capacity) }
    /// The longest message in bytes.
    public var maximumMessageSize: Int { Int(info.message_bytes_max) }
    /// How many writers there may be at one time.
    public var maximumWriters: Int { Int(info.writers_max) }
    /// The mailslot's own time-out for reading.
    public var readTimeout: MailslotTimeout { MailslotTimeout(nanoseconds: info.read_timeout_ns) }
    /// The permission bits it was created with; from ``Mailslot/info(of:)``: those that its file has now.
    public var permissions: Mailslot.Permissions { Mailslot.Permissions(rawValue: info.mode) }
    /// Whether messages from other machines may be delivered here.
    public var acceptsRemoteMessages: Bool { info.allows_remote }
    /// Bytes of shared memory.
    public var segmentSize: Int { Int(info.segment_bytes) }
    /// Whether its words obey its rules.
    public var isSound: Bool { info.outcome == .done }

    /// Messages published.
    public var messagesWritten: UInt64 { info.messages_written }
    /// Messages released by readers.
    public var messagesRead: UInt64 { info.messages_read }
    /// Writes that met a full mailslot; once each, however long they waited.
    public var fullWrites: UInt64 { info.full_writes }
    /// Times that writers slept for room.
    public var writerWaits: UInt64 { info.writer_waits }
    /// Times that writers woke the reader.
    public var readerWakes: UInt64 { info.reader_wakes }
    /// Times that the reader slept.
    public var readerSleeps: UInt64 { info.reader_sleeps }
    /// Times that the reader woke writers.
    public var writerWakes: UInt64 { info.writer_wakes }
    /// The most messages that were seen to wait, 0 to ``capacity``.
    ///
    /// The reader looks at every 256th message at most, so the mark may be up to 255 too low. It is exact if the mailslot was ever full.
    public var highWater: Int { Int(info.high_water) }
    /// Times that a writer met a position that another writer had just taken, and went on to the next: how much writers are in each
    /// other's way.
    public var retries: UInt64 { info.retries }
    /// Writers that ended without closing, killed or by `exit`, and whose place another has taken since.
    public var laneRecoveries: UInt64 { info.lane_recoveries }
    /// Sleeps of the reader after which a message was there for which nobody had woken it: it looked, as it does every second.
    ///
    /// A writer was stopped or killed between publishing and waking, where the kernel offers no robust list. If this counts up steadily,
    /// `mailslot doctor` says why.
    public var lateWakes: UInt64 { info.late_wakes }
    /// Things the reader found damaged and refused.
    public var damaged: UInt64 { info.damaged }
    /// Times that a reader adopted the mailslot.
    public var adoptions: UInt64 { info.adoptions }

    /// When the mailslot was created, in nanoseconds since 1970.
    public var createdNanoseconds: UInt64 { info.created_ns }
    /// When its reader took it, in nanoseconds since 1970.
    public var readerSinceNanoseconds: UInt64 { info.reader_since_ns }
    /// The user who owns its file: who created it.
    public var ownerUserID: UInt32 { info.owner_uid }
    /// The reader's process id as it sees it itself. Information: in another pid namespace the number means another process.
    public var readerProcessID: Int32 { Int32(bitPattern: info.reader_pid) }
    /// The reader's effective user id as it sees it itself. Information.
    public var readerUserID: UInt32 { info.reader_uid }
    /// Whether a reader has it. Only ``Mailslot/info(of:)`` asks; elsewhere true.
    public var hasReader: Bool { info.reader_present }
    /// How many writers have it open. Only ``Mailslot/info(of:)`` asks; elsewhere 0. Of thousands, some that were killed may be counted.
    public var writerCount: Int { Int(info.writer_count) }

    /// All counters, in an order that stays, for programs that show what there is. A later version may have more.
    public var counters: [MailslotCounter] { MailslotCounter.descriptions.map { MailslotCounter($0, in: info) } }

    /// One counter, without the others.
    func value(of counter: MailslotCounter.Description) -> UInt64 { counter.value(in: info) }
}

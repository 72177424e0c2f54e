internal import CMailslots

/// A mailslot at some moment: what waits in it, what it is, and its counters.
///
/// Counters count up from the mailslot's creation, over all its readers and writers. To read them disturbs nobody.
public struct MailslotInfo: Sendable, Hashable {
    /// The mailslot's name in canonical form: folded to lower case, `/` between parts.
    public let name: String
    /// The next message's size in bytes; `nil`: there is none.
    public let nextMessageSize: Int?
    /// How many messages wait, 0 to ``capacity``.
    public let messageCount: Int
    /// How many messages fit.
    public let capacity: Int
    /// The longest message in bytes.
    public let maximumMessageSize: Int
    /// How many writers there may be at one time.
    public let maximumWriters: Int
    /// The mailslot's own time-out for reading.
    public let readTimeout: MailslotTimeout
    /// The permission bits it was created with.
    public let permissions: Mailslot.Permissions
    /// Whether messages from other machines may be delivered here.
    public let acceptsRemoteMessages: Bool
    /// Bytes of shared memory.
    public let segmentSize: Int
    /// Whether its words obey its rules.
    public let isSound: Bool

    /// Messages published.
    public let written: UInt64
    /// Messages released by readers.
    public let read: UInt64
    /// Writes that met a full mailslot; once each, however long they waited.
    public let fulls: UInt64
    /// Times that writers slept for room.
    public let writerWaits: UInt64
    /// Times that writers woke the reader.
    public let readerWakes: UInt64
    /// Times that the reader slept.
    public let readerSleeps: UInt64
    /// Times that the reader woke writers.
    public let writerWakes: UInt64
    /// The most messages that were seen to wait, 0 to ``capacity``.
    ///
    /// The reader looks at every 256th message at most, so the mark may be up to 255 too low. It is exact if the mailslot was ever full.
    public let highWater: Int
    /// Times that a writer met a position that another writer had just taken, and went on to the next: how much writers are in each
    /// other's way.
    public let retries: UInt64
    /// Writers that ended without closing, killed or by `exit`, and whose place another has taken since.
    public let recoveries: UInt64
    /// Sleeps of the reader after which a message was there for which nobody had woken it: it looked, as it does every second.
    ///
    /// A writer was stopped or killed between publishing and waking, where the kernel offers no robust list. If this counts up steadily,
    /// `mailslot doctor` says why.
    public let lateWakes: UInt64
    /// Things the reader found damaged and refused.
    public let damaged: UInt64
    /// Times that a reader adopted the mailslot.
    public let adoptions: UInt64

    /// When the mailslot was created, in nanoseconds since 1970.
    public let createdNanoseconds: UInt64
    /// When its reader took it, in nanoseconds since 1970.
    public let readerSinceNanoseconds: UInt64
    /// The user who owns its file: who created it.
    public let ownerUserID: UInt32
    /// The reader's process id as it sees it itself. Information: in another pid namespace the number means another process.
    public let readerProcessID: Int32
    /// The reader's effective user id as it sees it itself. Information.
    public let readerUserID: UInt32
    /// Whether a reader has it. Only ``Mailslot/info(of:)`` asks; elsewhere true.
    public let hasReader: Bool
    /// How many writers have it open. Only ``Mailslot/info(of:)`` asks; elsewhere 0.
    public let writerCount: Int

    init(_ info: mslot_info) {
        var name = info.name
        self.name = unsafe withUnsafeBytes(of: &name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        nextMessageSize = info.next_byte_count < 0 ? nil : Int(info.next_byte_count)
        messageCount = Int(info.message_count)
        capacity = Int(info.capacity)
        maximumMessageSize = Int(info.message_bytes_max)
        maximumWriters = Int(info.writers_max)
        readTimeout = MailslotTimeout(nanoseconds: info.read_timeout_ns)
        permissions = Mailslot.Permissions(rawValue: info.mode)
        acceptsRemoteMessages = info.allows_remote
        segmentSize = Int(info.segment_bytes)
        isSound = info.outcome == .done
        written = info.messages_written
        read = info.messages_read
        fulls = info.full_writes
        writerWaits = info.writer_waits
        readerWakes = info.reader_wakes
        readerSleeps = info.reader_sleeps
        writerWakes = info.writer_wakes
        highWater = Int(info.high_water)
        retries = info.retries
        recoveries = info.lane_recoveries
        lateWakes = info.late_wakes
        damaged = info.damaged
        adoptions = info.adoptions
        createdNanoseconds = info.created_ns
        readerSinceNanoseconds = info.reader_since_ns
        ownerUserID = info.owner_uid
        readerProcessID = Int32(bitPattern: info.reader_pid)
        readerUserID = info.reader_uid
        hasReader = info.reader_present
        writerCount = Int(info.writer_count)
    }
}

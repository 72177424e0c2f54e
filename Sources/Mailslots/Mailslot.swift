internal import CMailslots

/// A named place for small messages between processes, of one machine or of several: one process creates it and reads, any number of
/// processes open it and write.
///
/// ```swift
/// // One process:
/// var orders = try Mailslot.create("orders")
/// if let message = try orders.read(timeout: .seconds(60)) {
///     print(message.text)  // "hello"
/// }
///
/// // Any other:
/// var out = try Mailslot.open("orders")
/// try out.write("hello")
/// ```
///
/// A message has 0 to 424 bytes, or more if the creator says so, and is not acknowledged. Names are `"orders"`, `"app/orders"`, or in full
/// `\\.\mailslot\app\orders`; the case of ASCII letters does not matter. With a bridge on both machines, `\\host\mailslot\orders` writes
/// to another one, `\\domain\mailslot\orders` to every machine of a domain, `\\*\mailslot\orders` to those of the own domain.
///
/// This type is a namespace; the two ends are ``MailslotReader`` and ``MailslotWriter``.
public enum Mailslot {
    /// The longest message of a mailslot whose creator allows no longer ones: 424 bytes.
    public static let maximumMessageSize = Int(MSLOT_MESSAGE_BYTES_MAX)
    /// The longest message that a creator can allow: 16 MiB.
    public static let maximumLongMessageSize = Int(MSLOT_LONG_BYTES_MAX)

    /// What happens to the unread messages of a reader that was killed, or that left them (``MailslotReader/UnreadMessages/keep``).
    public enum UnreadMessages: Sendable, Hashable {
        /// They are discarded, and what its writers write next fails with ``MailslotError/Code/closed``.
        case discard
        /// The new reader reads them; its writers go on and notice nothing. A message that the one before had not released comes
        /// again, with the same position.
        case adopt
    }

    /// Who may open a mailslot: the permission bits of its file. The umask does not apply.
    ///
    /// Who may write a mailslot may also read it and damage it. Who may read it may also write it: by locks and by sleeping on its words,
    /// somebody who may only read could hold it up. So modes such as 0644 are refused.
    public struct Permissions: RawRepresentable, Sendable, Hashable {
        /// The bits, such as `0o600`.
        public var rawValue: UInt32
        /// Permission bits: reading and writing for the owner, and both or neither for the group and for others. A creation with any other
        /// throws ``MailslotError/Code/badArgument``.
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Mode 0600, the default: processes of the same user.
        public static let owner = Permissions(rawValue: 0o600)
        /// Mode 0660: also processes of the file's group.
        public static let group = Permissions(rawValue: 0o660)
        /// Mode 0666: everybody on this machine.
        public static let everyone = Permissions(rawValue: 0o666)
    }

    /// Whose mailslots a writer trusts. The owner of a mailslot can read and change what is written to it.
    public struct Trust: Sendable, Hashable {
        let user: UInt32

        /// The process's own user and root.
        public static let sameUser = Trust(user: MSLOT_TRUST_NOBODY_ELSE)
        /// Also this user.
        public static func user(_ id: UInt32) -> Trust { Trust(user: id) }
        /// Everybody.
        public static let anyone = Trust(user: MSLOT_TRUST_ANYONE)
    }

    /// What a writer that waits for room does when the reader was killed, or left.
    public enum ReaderDeath: Sendable, Hashable {
        /// It fails with ``MailslotError/Code/noReader``, within a second.
        case fail
        /// It goes on waiting for a reader that adopts the mailslot.
        case wait
    }

    /// How long a wait polls before it sleeps: what it takes of a processor against how soon it hears. <doc:Sizing> has the figures.
    ///
    /// Time-outs and ``MailslotInterrupter`` end a wait all the same. A task that waits polls 20 µs at most, rarely 100, whatever was
    /// chosen here, and then suspends.
    public struct Polling: Sendable, Hashable {
        let nanoseconds: Int64

        /// What is not there at the first look is slept for: for processors that others need, batteries, thousands of mailslots.
        public static let never = Polling(nanoseconds: Int64(MSLOT_POLLING_NEVER))
        /// The default: as long as it has paid lately, 20 µs at most; now and then up to 100 µs, to see whether the other end comes to
        /// poll, too. A writer that would poll for each message behind a slow reader sleeps instead until an eighth of the mailslot is
        /// free, 256 µs at most.
        public static let adaptive = Polling(nanoseconds: Int64(MSLOT_POLLING_ADAPTIVE))
        /// A wait never sleeps, and takes all of a processor while it lasts: for a thread with a core of its own.
        public static let always = Polling(nanoseconds: MSLOT_FOREVER)
        /// Each wait polls for so long, then sleeps. What is not longer than 0 is ``never``, what exceeds 292 years is ``always``.
        public static func upTo(_ duration: Duration) -> Polling {
            let nanoseconds = MailslotTimeout(duration).nanoseconds
            return nanoseconds > 0 ? Polling(nanoseconds: nanoseconds) : .never
        }
    }

    /// Creates a mailslot, to read from it. A name has one reader at a time.
    ///
    /// A name whose reader was killed, or left, is taken over. Not for a signal handler; a `fork` in another thread waits for it.
    ///
    /// - Parameters:
    ///   - name: The mailslot's name.
    ///   - capacity: How many messages fit: a power of two from 1 to 32768. `nil`: 1024, or what is there to adopt.
    ///   - maximumWriters: How many writers there may be at one time. `nil`: 256, or what is there to adopt.
    ///   - maximumMessageSize: The longest message in bytes, 1 to ``maximumLongMessageSize``. `nil`: 424, or what is there to adopt.
    ///     Messages of more than 424 bytes cost their writers memory in the mailslot: see <doc:Rules>.
    ///   - permissions: Who may open it. `nil`: ``Permissions/owner``, or what is there to adopt.
    ///   - unread: What happens to the messages of a reader that was killed, or left.
    ///   - readTimeout: The mailslot's own time-out for reading.
    ///   - acceptsRemoteMessages: Whether messages from other machines may be delivered here; ``MailslotMessage/Info/origin`` tells them.
    ///   - locksPages: Keeps the mailslot in memory, so that no page of it is ever waited for: all at once, and the memory of long messages
    ///     as writers first need it. All of it counts against `RLIMIT_MEMLOCK`: see <doc:Rules>.
    ///   - polling: How long a read polls before it sleeps.
    ///   - announcesDeath: Lets those who wait for what the reader does hear at once when it is killed. Takes a thread, which sleeps. A
    ///     ``MailslotServer`` has it.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/alreadyExists`` if another reader has the name, ``MailslotError/Code/noSpace``
    ///   if the shared-memory file system is full (never later), and what its codes say. A dead reader's leftovers are not an error.
    ///
    /// The corresponding C function is `mslot_create`, the Windows call `CreateMailslot`.
    public static func create(
        _ name: String,
        capacity: Int? = nil,
        maximumWriters: Int? = nil,
        maximumMessageSize: Int? = nil,
        permissions: Permissions? = nil,
        unread: UnreadMessages = .discard,
        readTimeout: some MailslotTimeoutConvertible = MailslotTimeout.forever,
        acceptsRemoteMessages: Bool = false,
        locksPages: Bool = false,
        polling: Polling = .adaptive,
        announcesDeath: Bool = false
    ) throws(MailslotError) -> MailslotReader {
        var options = mslot_create_options_default()
        options.capacity = try checked(capacity, name)
        options.writers = try checked(maximumWriters, name)
        options.message_bytes_max = try checked(maximumMessageSize, name)
        options.mode = permissions?.rawValue ?? 0
        options.adopt = unread == .adopt
        options.read_timeout_ns = readTimeout.mailslotTimeout.nanoseconds
        options.allow_remote = acceptsRemoteMessages
        options.lock_pages = locksPages
        options.polling_ns = polling.nanoseconds
        options.announces_death = announcesDeath
        let created = unsafe mslot_create(name, &options)
        guard let handle = unsafe created.reader else { throw unsafe MailslotError(created.failure, name: name) }
        return unsafe MailslotReader(
            handle: handle, name: name, hasAdoptedMessages: created.adopted, predecessorUnreadCount: Int(created.unread_count))
    }

    /// Opens a mailslot, to write to it.
    ///
    /// A name of another machine, `\\host\mailslot\name`, is opened by way of this machine's bridge. The first writer to a host and a name
    /// waits for the bridge to answer: some 100 µs, and ten seconds at most if the bridge is stopped. What is written then costs what a
    /// write to this machine costs. ``MailslotWriter/info`` and a full mailslot are about the way to the bridge. A message of at most 424
    /// bytes arrives once, or not at all, and nobody says which.
    ///
    /// - Parameters:
    ///   - name: The mailslot's name. Of another machine: a host or domain of at most 63 bytes, a name of at most 40.
    ///   - wait: How long to wait for a reader to appear; by default not at all. Of another machine: for a bridge here, and for it to hear
    ///     of the host.
    ///   - trust: Whose mailslots are trusted, and whose bridge.
    ///   - onReaderDeath: What waiting for room does when the reader is killed, or leaves.
    ///   - prefaulting: Maps every page now: the first writes are faster, opening is slower.
    ///   - locksPages: Keeps what this process has of the mailslot in memory, as for a reader.
    ///   - leavesExpressLane: Leaves the express lane to others, unless no other lane is free. The first writer that takes it has it until
    ///     it closes or dies, and alone publishes messages of up to 48 bytes in one cache line instead of two: say `true` for one that
    ///     writes seldom.
    ///   - polling: How long a write that waits for room polls before it sleeps.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/notFound``, ``MailslotError/Code/noReader``,
    ///   ``MailslotError/Code/tooManyWriters``, ``MailslotError/Code/untrusted``, and what its codes say. Of another machine also
    ///   ``MailslotError/Code/noBridge``, ``MailslotError/Code/noSuchHost``, ``MailslotError/Code/notAllowed``; the description has the
    ///   bridge's own words.
    ///
    /// The corresponding C function is `mslot_open`, the Windows call `CreateFile`.
    public static func open(
        _ name: String,
        waitingUpTo wait: some MailslotTimeoutConvertible = MailslotTimeout.now,
        trusting trust: Trust = .sameUser,
        onReaderDeath: ReaderDeath = .fail,
        prefaulting: Bool = false,
        locksPages: Bool = false,
        leavesExpressLane: Bool = false,
        polling: Polling = .adaptive
    ) throws(MailslotError) -> MailslotWriter {
        var options = unsafe openOptions(trust, onReaderDeath, prefaulting, locksPages, leavesExpressLane, polling)
        unsafe options.wait_ns = wait.mailslotTimeout.nanoseconds
        return try unsafe open(name, options)
    }

    static func openOptions(
        _ trust: Trust, _ onReaderDeath: ReaderDeath, _ prefaulting: Bool, _ locksPages: Bool, _ leavesExpressLane: Bool,
        _ polling: Polling
    ) -> mslot_open_options {
        var options = unsafe mslot_open_options_default()
        unsafe options.trust_user = trust.user
        unsafe options.wait_through_restarts = onReaderDeath == .wait
        unsafe options.populate = prefaulting
        unsafe options.lock_pages = locksPages
        unsafe options.leaves_express_lane = leavesExpressLane
        unsafe options.polling_ns = polling.nanoseconds
        return unsafe options
    }

    static func open(_ name: String, _ options: mslot_open_options) throws(MailslotError) -> MailslotWriter {
        var options = unsafe options
        let opened = unsafe mslot_open(name, &options)
        guard let handle = unsafe opened.writer else { throw unsafe MailslotError(opened.failure, name: name) }
        return unsafe MailslotWriter(handle: handle, name: name)
    }

    /// Looks at a mailslot without disturbing anyone: reads its file, and maps nothing. Needs permission to read it.
    ///
    /// The corresponding C function is `mslot_inspect`.
    public static func info(of name: String) throws(MailslotError) -> MailslotInfo {
        let inspected = unsafe mslot_inspect(name)
        guard inspected.failure.outcome == .done else { throw MailslotError(inspected.failure, name: name) }
        return MailslotInfo(inspected.info)
    }

    /// The names of the mailslots that the caller may read, sorted.
    ///
    /// - Parameter skipped: Told of each that cannot be opened although the caller may read it, and why. Its owner may do that to you: by a
    ///   lease on the file (`fcntl`, `F_SETLEASE`).
    /// - Throws: A ``MailslotError`` if the directory cannot be read, or descriptors or memory are lacking.
    ///
    /// The corresponding C function is `mslot_list_with_skipped`.
    public static func names(skipped: (MailslotError) -> Void = { _ in }) throws(MailslotError) -> [String] {
        final class Found {
            var names: [String] = []
            var skipped: [MailslotError] = []
        }
        let found = Found()
        // Sound, both: the context is `found`, which outlives the call.
        let failure = unsafe mslot_list_with_skipped(
            { name, context in
                guard let name = unsafe name, let context = unsafe context else { return }
                unsafe Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().names.append(String(cString: name))
            },
            { name, why, context in
                guard let name = unsafe name, let why = unsafe why, let context = unsafe context else { return }
                let error = unsafe MailslotError(why.pointee, name: String(cString: name))
                unsafe Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().skipped.append(error)
            }, Unmanaged.passUnretained(found).toOpaque())
        guard failure.outcome == .done else { throw MailslotError(failure, name: "*") }
        for error in found.skipped { skipped(error) }
        return found.names.sorted()
    }

    /// Removes a mailslot whose reader is gone, with its unread messages.
    ///
    /// - Throws: ``MailslotError/Code/alreadyExists`` if a reader has it; nothing is removed then.
    ///
    /// The corresponding C function is `mslot_remove`.
    public static func remove(_ name: String) throws(MailslotError) {
        let failure = unsafe mslot_remove(name)
        guard failure.outcome == .done else { throw MailslotError(failure, name: name) }
    }

    /// Makes a mailslot whose file another process cuts short an error, where it would kill this process by SIGBUS.
    ///
    /// A process that may write a mailslot's file may also truncate it; who touches what is gone then dies. Nobody does so by accident,
    /// so this is for mailslots that are shared with those whom you do not trust. Call it once, at the start of the program, after
    /// installing any other handler of SIGBUS: all mailslots of the process are guarded then. Every call that meets the damage,
    /// and every later one on that mailslot, throws ``MailslotError/Code/damaged``; bytes lent in place read as zeros.
    ///
    /// It installs a signal handler. A SIGBUS that has nothing to do with mailslots goes to the handler that was there before, or
    /// kills as ever. A thread that has SIGBUS blocked is not guarded; a forked child is. It costs nothing until a page is missing.
    ///
    /// - Throws: ``MailslotError/Code/systemError`` if the handler cannot be installed. That it is installed already is not an error.
    ///
    /// The corresponding C function is `mslot_guard_install`.
    public static func guardAgainstTruncation() throws(MailslotError) {
        let failure = mslot_guard_install()
        guard failure.outcome == .done else { throw MailslotError(failure, name: "*") }
    }

    /// The path of the file that a mailslot of this name has, or would have.
    ///
    /// The corresponding C function is `mslot_path`.
    public static func path(of name: String) throws(MailslotError) -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let failure = unsafe mslot_path(name, &path, path.count)
        guard failure.outcome == .done else { throw MailslotError(failure, name: name) }
        return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A count for the C options, in which 0 means "not said".
    private static func checked(_ count: Int?, _ name: String) throws(MailslotError) -> UInt32 {
        guard let count else { return 0 }
        guard count > 0, let exact = UInt32(exactly: count) else { throw MailslotError(outcome: .badArgument, name: name) }
        return exact
    }
}

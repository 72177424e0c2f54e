internal import CMailslots
internal import MailslotsWire

/// Writes messages into this machine's mailslots: those that are there, that accept remote messages, and that the configuration allows.
/// A mailslot that is full, and stays so for as long as there is patience, drops the message. For one thread.
///
/// A mailslot is opened at its first message, and kept open; it closes when it had none for a minute.
@safe
final class Delivery {
    private static let idleNanoseconds: Int64 = 60_000_000_000
    /// How long a refusal is remembered: opening costs some microseconds, and who sends decides how often.
    private static let refusalNanoseconds: Int64 = 1_000_000_000
    private static let targetsMax = 16384

    @safe
    private final class Target {
        let name: MailslotKey
        // Sound: closed once, by `close`.
        let writer: UnsafeMutablePointer<mslot_writer>?
        let refusal: BridgeCount
        var lastUsed: Int64
        let end: Int64
        var limit: RateLimit?

        init(
            _ name: MailslotKey, writer: UnsafeMutablePointer<mslot_writer>?, refusal: BridgeCount, now: Int64, limit: RateLimit?
        ) {
            self.name = name
            unsafe self.writer = unsafe writer
            self.refusal = refusal
            self.limit = limit
            lastUsed = now
            end = unsafe writer == nil ? now + Delivery.refusalNanoseconds : .max
        }
    }

    private let counters: BridgeCounters
    private var allowed: Patterns
    private var perSecond: Int?
    private var trustsAnyone: Bool
    private var targets: [MailslotKey: Target] = [:]
    private var last: Target?
    /// Names that were looked for in vain, for the messages of one batch.
    private var missing: Set<MailslotKey> = []

    /// `nil`: a full mailslot is not waited for.
    private var patience: Patience?

    init(_ configuration: BridgeConfiguration.Delivery, counters: BridgeCounters, patience: Patience? = nil) {
        self.counters = counters
        self.patience = patience
        allowed = Patterns(configuration.allowedMailslots)
        perSecond = configuration.messagesPerSecondOfMailslot
        trustsAnyone = configuration.trustsAnyone
    }

    deinit { closeAll() }

    func reconfigure(_ configuration: BridgeConfiguration.Delivery) {
        allowed = Patterns(configuration.allowedMailslots)
        perSecond = configuration.messagesPerSecondOfMailslot
        trustsAnyone = configuration.trustsAnyone
        closeAll()
    }

    /// All messages that are delivered from now on, until this is called again, were written before. Who creates a mailslot gets messages
    /// from then on; but one that is not there when the first of these messages is delivered gets none of them, and is looked for once.
    func beginBatch() { missing.removeAll(keepingCapacity: true) }

    /// Writes it, or counts why not. `origin`: as the core has it, 0 for this machine.
    func deliver(_ payload: RawSpan, to name: RawSpan, sender: UInt32, origin: UInt16, now: Int64) {
        guard let key = MailslotKey(name) else { return counters.add(.droppedBadName) }
        // A second time if its reader closed it: there may be a new one.
        for _ in 0..<2 {
            guard let target = target(key, now, count: 1) else { return }
            guard let writer = unsafe target.writer else { return counters.add(target.refusal) }
            target.lastUsed = now
            if target.limit?.allows(now: now) == false { return counters.add(.droppedMailslotLimit) }
            // Sound: the call copies the bytes.
            let outcome = unsafe payload.withUnsafeBytes { bytes in
                unsafe mslot_writer_write_from(writer, bytes.baseAddress, bytes.count, 0, sender, origin)
            }
            switch outcome {
            case .done: return counters.add(.messagesDelivered)
            case .full: return counters.add(.droppedFull)
            case .tooLong: return counters.add(.droppedTooLong)
            default: close(target)
            }
        }
        counters.add(.droppedNoMailslot)
    }

    /// The same for several, in order. Their reader is woken once.
    func deliver(_ messages: UnsafeBufferPointer<mslot_remote_message>, to name: RawSpan, now: Int64) {
        guard let key = MailslotKey(name) else { return counters.add(.droppedBadName, messages.count) }
        var rest = unsafe messages[...]
        // A second time if its reader closed it: there may be a new one.
        for _ in 0..<2 {
            guard let target = unsafe target(key, now, count: rest.count) else { return }
            guard let writer = unsafe target.writer else { return unsafe counters.add(target.refusal, rest.count) }
            target.lastUsed = now
            if unsafe write(&rest, writer, target, now) { return }
            close(target)
        }
        unsafe counters.add(.droppedNoMailslot, rest.count)
    }

    /// False: it cannot be written to any more, and these are left.
    private func write(
        _ rest: inout Slice<UnsafeBufferPointer<mslot_remote_message>>, _ writer: UnsafeMutablePointer<mslot_writer>, _ target: Target,
        _ now: Int64
    ) -> Bool {
        while let first = unsafe rest.first {
            if target.limit?.allows(now: now) == false {
                counters.add(.droppedMailslotLimit)
                unsafe rest.removeFirst()
                continue
            }
            // With a limit one by one, for each is asked for.
            let count = unsafe target.limit == nil ? rest.count : 1
            // Sound: the call copies the bytes.
            let written = unsafe mslot_writer_write_batch_from(writer, UnsafeBufferPointer(rebasing: rest).baseAddress, count)
            counters.add(.messagesDelivered, written.count)
            unsafe rest.removeFirst(written.count)
            switch written.outcome {
            case .done: break
            case .full:
                let outcome = patience?.spend { nanoseconds in
                    let next = unsafe rest.first ?? first
                    return unsafe mslot_writer_write_from(writer, next.bytes, Int(next.byte_count), nanoseconds, next.sender, next.origin)
                }
                guard outcome == .done else {
                    unsafe counters.add(.droppedFull, rest.count)
                    return true
                }
                counters.add(.messagesDelivered)
                unsafe rest.removeFirst()
            case .tooLong:
                counters.add(.droppedTooLong)
                unsafe rest.removeFirst()
            default: return false
            }
        }
        return true
    }

    /// Closes what had no message for long: its reader may be gone, and its memory would stay.
    func closeIdle(now: Int64) {
        for target in targets.values where now - target.lastUsed > Self.idleNanoseconds || target.end < now { close(target) }
    }

    /// `nil`: there is none, for which `count` messages were dropped.
    private func target(_ key: MailslotKey, _ now: Int64, count: Int) -> Target? {
        if let last, last.name == key, now < last.end { return last }
        if let known = targets[key] {
            if now < known.end {
                last = known
                return known
            }
            close(known)
        }
        guard !missing.contains(key) else {
            counters.add(.droppedNoMailslot, count)
            return nil
        }
        return open(key, now, count: count)
    }

    private func open(_ key: MailslotKey, _ now: Int64, count: Int) -> Target? {
        guard let name = MailslotName.canonical(key.bytes) else {
            counters.add(.droppedBadName, count)
            return nil
        }
        guard allowed.match(name) else { return unsafe remember(key, nil, refusal: .droppedNotAllowed, now) }
        var options = mslot_open_options_default()
        options.trust_user = trustsAnyone ? MSLOT_TRUST_ANYONE : MSLOT_TRUST_NOBODY_ELSE
        let opened = unsafe mslot_open(name, &options)
        guard let writer = unsafe opened.writer else {
            let outcome = unsafe opened.failure.outcome
            let isMissing = outcome == .notFound || outcome == .noReader
            guard isMissing else { return unsafe remember(key, nil, refusal: .droppedUnusable, now) }
            missing.insert(key)
            counters.add(.droppedNoMailslot, count)
            return nil
        }
        guard unsafe mslot_writer_info(writer).allows_remote else {
            _ = unsafe mslot_writer_close(writer)
            return unsafe remember(key, nil, refusal: .droppedNotRemote, now)
        }
        return unsafe remember(key, writer, refusal: .droppedUnusable, now)
    }

    private func remember(
        _ key: MailslotKey, _ writer: UnsafeMutablePointer<mslot_writer>?, refusal: BridgeCount, _ now: Int64
    ) -> Target {
        if targets.count >= Self.targetsMax, let some = targets.values.min(by: { $0.lastUsed < $1.lastUsed }) { close(some) }
        let limit = perSecond.map { RateLimit(perSecond: $0, now: now) }
        let target = unsafe Target(key, writer: writer, refusal: refusal, now: now, limit: limit)
        targets[key] = target
        last = target
        return target
    }

    private func close(_ target: Target) {
        if let writer = unsafe target.writer { _ = unsafe mslot_writer_close(writer) }
        targets[target.name] = nil
        if last === target { last = nil }
    }

    private func closeAll() {
        for target in targets.values { close(target) }
    }
}

/// A mailslot's name as it came over the network, without an allocation.
struct MailslotKey: Hashable {
    private var words = InlineArray<5, UInt64>(repeating: 0)
    private let count: Int

    /// `nil` unless it has 1 to 40 bytes.
    init?(_ name: RawSpan) {
        guard 1...40 ~= name.byteCount else { return nil }
        count = name.byteCount
        for index in 0..<count / 8 { words[index] = name.load64(at: index * 8) }
        for index in count / 8 * 8..<count { words[index / 8] |= UInt64(name.load8(at: index)) << UInt64(index % 8 * 8) }
    }

    var bytes: [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64($0 % 8 * 8)) } }

    static func == (a: MailslotKey, b: MailslotKey) -> Bool {
        guard a.count == b.count else { return false }
        for index in 0..<(a.count + 7) / 8 where a.words[index] != b.words[index] { return false }
        return true
    }
    func hash(into hasher: inout Hasher) {
        for index in words.indices { hasher.combine(words[index]) }
    }
}

internal import Mailslots
internal import MailslotsWire

/// Writes messages into this machine's mailslots: those that are there, that accept remote messages, and that the configuration allows.
/// A mailslot that is full, and stays so for as long as the budget lets us wait, drops the message. For one thread.
///
/// A mailslot is opened at its first message, and kept open; it closes when it had none for a minute.
final class Delivery {
    private static let idleNanoseconds: Int64 = 60_000_000_000
    /// How long a refusal is remembered: opening costs some microseconds, and who sends decides how often.
    private static let refusalNanoseconds: Int64 = 1_000_000_000
    private static let targetsMax = 16384

    private final class Target {
        let name: MailslotKey
        let access: Access
        var lastUsed: Int64
        let end: Int64
        var limit: RateLimit?

        enum Access: ~Copyable {
            /// Until nobody has the target any more.
            case open(RemoteWriter)
            case refused(BridgeCount)
        }

        init(_ name: MailslotKey, _ access: consuming Access, now: Int64, limit: RateLimit?) {
            switch access {
            case .open: end = .max
            case .refused: end = now + Delivery.refusalNanoseconds
            }
            self.name = name
            self.access = access
            self.limit = limit
            lastUsed = now
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
    private var waitBudget: WaitBudget?

    init(_ configuration: BridgeConfiguration.Delivery, counters: BridgeCounters, waitBudget: WaitBudget? = nil) {
        self.counters = counters
        self.waitBudget = waitBudget
        allowed = Patterns(configuration.allowedMailslots)
        perSecond = configuration.messagesPerSecondOfMailslot
        trustsAnyone = configuration.trustsAnyone
    }

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
            switch target.access {
            case .refused(let cause): return counters.add(cause)
            case .open(let writer):
                target.lastUsed = now
                if target.limit?.allows(now: now) == false { return counters.add(.droppedMailslotLimit) }
                switch writer.write(payload, sender: sender, origin: origin) {
                case .done: return counters.add(.messagesDelivered)
                case .full: return counters.add(.droppedFull)
                case .tooLong: return counters.add(.droppedTooLong)
                case .unusable: close(target)
                }
            }
        }
        counters.add(.droppedNoMailslot)
    }

    /// The same for several, in order. Their reader is woken once.
    func deliver(_ batch: inout RemoteMessages.Batch, to name: RawSpan, now: Int64) {
        guard let key = MailslotKey(name) else { return counters.add(.droppedBadName, batch.count) }
        // A second time if its reader closed it: there may be a new one.
        for _ in 0..<2 {
            guard let target = target(key, now, count: batch.count) else { return }
            switch target.access {
            case .refused(let cause): return counters.add(cause, batch.count)
            case .open(let writer):
                target.lastUsed = now
                if write(&batch, writer, target, now) { return }
                close(target)
            }
        }
        counters.add(.droppedNoMailslot, batch.count)
    }

    /// False: it cannot be written to any more, and these are left.
    private func write(
        _ batch: inout RemoteMessages.Batch, _ writer: borrowing RemoteWriter, _ target: Target, _ now: Int64
    ) -> Bool {
        while !batch.isEmpty {
            if target.limit?.allows(now: now) == false {
                counters.add(.droppedMailslotLimit)
                batch.removeFirst(1)
                continue
            }
            let before = batch.count
            // With a limit one by one, for each is asked for.
            let outcome = writer.write(&batch, atMost: target.limit == nil ? before : 1)
            counters.add(.messagesDelivered, before - batch.count)
            switch outcome {
            case .done: break
            case .full:
                let outcome = waitBudget?.spend { writer.writeFirst(of: &batch, waitingUpTo: $0) }
                guard outcome == .done else {
                    counters.add(.droppedFull, batch.count)
                    return true
                }
                counters.add(.messagesDelivered)
            case .tooLong:
                counters.add(.droppedTooLong)
                batch.removeFirst(1)
            case .unusable: return false
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
        guard allowed.match(name) else { return remember(key, .refused(.droppedNotAllowed), now) }
        do throws(RemoteWriter.Refusal) {
            let writer = try RemoteWriter(opening: name, trusting: trustsAnyone ? .anyone : .sameUser)
            guard writer.acceptsRemoteMessages else { return remember(key, .refused(.droppedNotRemote), now) }
            return remember(key, .open(writer), now)
        } catch {
            switch error {
            case .unusable: return remember(key, .refused(.droppedUnusable), now)
            case .missing:
                missing.insert(key)
                counters.add(.droppedNoMailslot, count)
                return nil
            }
        }
    }

    private func remember(_ key: MailslotKey, _ access: consuming Target.Access, _ now: Int64) -> Target {
        if targets.count >= Self.targetsMax, let some = targets.values.min(by: { $0.lastUsed < $1.lastUsed }) { close(some) }
        let limit = perSecond.map { RateLimit(perSecond: $0, now: now) }
        let target = Target(key, access, now: now, limit: limit)
        targets[key] = target
        last = target
        return target
    }

    private func close(_ target: Target) {
        targets[target.name] = nil
        if last === target { last = nil }
    }

    private func closeAll() {
        targets.removeAll()
        last = nil
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

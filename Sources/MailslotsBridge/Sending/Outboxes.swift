internal import Mailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// All outboxes: those that are looked at in each turn, and those that sleep until a message comes. For the sending side's thread.
final class Outboxes {
    /// One wait of the core takes 64 readers, of which the requests are one.
    private static let awakeMax = ReaderWait.countMax - 1

    private static let idleNanoseconds: Int64 = 60_000_000_000
    /// When there is no room for others. Long enough for whoever asked for one to open it.
    private static let idleNanosecondsInNeed: Int64 = 1_000_000_000
    /// To look at one takes some 10 µs.
    private static let inspectionsMax = 256
    private static let capacityMin = 16
    /// Of a message's place, about.
    private static let cellBytes = 640

    private let wakeup: Wakeup
    private var all: [Int: Outbox] = [:]
    private var byName: [OutboxName: Outbox] = [:]
    private var nextID = 0
    /// In no order. Changes rarely: a turn goes through it.
    private(set) var awake: [Outbox] = [] { didSet { awakeChanged = true } }
    private var awakeChanged = false
    private(set) var byteCount = 0

    init(wakeup: Wakeup) { self.wakeup = wakeup }

    var count: Int { all.count }
    var isEmpty: Bool { all.isEmpty }
    var outboxes: some Collection<Outbox> { all.values }
    subscript(name: OutboxName) -> Outbox? { byName[name] }

    /// Makes one, or adopts the one that a killed bridge has left, with its messages.
    func open(_ name: OutboxName, _ configuration: BridgeConfiguration.Outboxes, now: Int64) throws(BridgeError) -> Outbox {
        let reader = try Self.reader(name.local, configuration, capacity: capacity(for: configuration))
        let bytes = (try? Mailslot.info(of: name.local).segmentSize) ?? reader.capacity * Self.cellBytes
        let outbox = Outbox(name, id: nextID, byteCount: bytes, reader: reader, now: now, wakeup: wakeup)
        nextID += 1
        byteCount += bytes
        all[outbox.id] = outbox
        byName[name] = outbox
        wake(outbox)
        return outbox
    }

    /// What all may have: of a small file system, as a container has, others need some, too.
    private static func budget(of configuration: BridgeConfiguration.Outboxes) -> Int {
        var status = statvfs()
        guard let ours = try? Mailslot.path(of: OutboxProtocol.requestsName), unsafe statvfs(ours, &status) == 0 else {
            return configuration.maximumByteCount
        }
        let (bytes, overflows) = Int(clamping: status.f_blocks).multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
        return overflows ? configuration.maximumByteCount : min(configuration.maximumByteCount, bytes / 4)
    }

    /// As configured, or less, so that one outbox has at most an eighth of what is left: they get smaller before there are none.
    private func capacity(for configuration: BridgeConfiguration.Outboxes) -> Int {
        let share = max(0, Self.budget(of: configuration) - byteCount) / 8
        var capacity = configuration.capacity
        while capacity > Self.capacityMin, capacity * Self.cellBytes > share { capacity /= 2 }
        return capacity
    }

    /// Whether there may be one more, after those are closed that nobody needs.
    func hasRoom(_ configuration: BridgeConfiguration.Outboxes, now: Int64) -> Bool {
        func isWithin() -> Bool { count < configuration.maximumCount && byteCount < Self.budget(of: configuration) }
        if isWithin() { return true }
        closeIdle(now: now, after: Self.idleNanosecondsInNeed)
        return isWithin()
    }

    private static func reader(
        _ name: String, _ configuration: BridgeConfiguration.Outboxes, capacity: Int
    ) throws(BridgeError) -> LendingReader {
        do throws(MailslotError) {
            do throws(MailslotError) {
                return try LendingReader(
                    creating: name, capacity: capacity, writers: configuration.maximumWriters,
                    permissions: configuration.permissions, unread: .adopt)
            } catch  where error.code == .mismatch {
                // One that was made under another configuration: as it is.
                return try LendingReader(creating: name, capacity: nil, writers: nil, permissions: nil, unread: .adopt)
            }
        } catch {
            throw BridgeError(error)
        }
    }

    func close(_ outbox: Outbox) {
        awake.removeAll { $0 === outbox }
        all[outbox.id] = nil
        byName[outbox.name] = nil
        byteCount -= outbox.byteCount
        outbox.close()
    }

    /// Closes those that nobody has open, that are empty, and that had no message for a minute, a share of them in each call.
    func closeIdle(now: Int64) { closeIdle(now: now, after: Self.idleNanoseconds) }

    /// Who opens one at just this moment is told at the first write that it is closed, and opens anew.
    private func closeIdle(now: Int64, after nanoseconds: Int64) {
        let quiet = all.values.filter { now - max($0.lastActive, $0.lastInspected) > nanoseconds }.sorted { $0.lastActive < $1.lastActive }
        for outbox in quiet.prefix(Self.inspectionsMax) {
            outbox.lastInspected = now
            closeIfUnused(outbox)
        }
    }

    func closeIfUnused(_ outbox: Outbox) {
        guard let info = try? Mailslot.info(of: outbox.name.local), info.writerCount == 0, info.messageCount == 0 else { return }
        close(outbox)
    }

    func closeAll() {
        for outbox in all.values { close(outbox) }
    }

    /// Wakes those whose wait ended; false: there were none.
    func wakeSignalled() -> Bool {
        let signalled = wakeup.takeSignalled()
        for id in signalled {
            guard let outbox = all[id], outbox.isAsleep else { continue }
            // The wait is over, or begins again.
            if outbox.fallAsleep() { continue }
            wake(outbox)
        }
        return !signalled.isEmpty
    }

    private func wake(_ outbox: Outbox) { awake.append(outbox) }

    /// Whether others are awake than when this was asked last.
    func takeAwakeChanged() -> Bool {
        defer { awakeChanged = false }
        return awakeChanged
    }

    /// Has the wait that follows when all turns were in vain be for those that were active last. The others fall asleep, and signal.
    /// False: one of them has a message.
    func join(_ wait: inout ReaderWait) -> Bool {
        var waiting = awake.filter { !$0.isBlocked }
        if waiting.count > Self.awakeMax {
            waiting.sort { $0.lastActive > $1.lastActive }
            var asleep: Set<Int> = []
            defer { awake.removeAll { asleep.contains($0.id) } }
            for quiet in waiting[Self.awakeMax...] {
                guard quiet.fallAsleep() else { return false }
                asleep.insert(quiet.id)
            }
        }
        for outbox in waiting.prefix(Self.awakeMax) { outbox.join(&wait) }
        return true
    }

    /// The names of outboxes that are there, of a bridge that was killed.
    static func leftBehind() -> [OutboxName] { ((try? Mailslot.names()) ?? []).compactMap { OutboxName(local: $0) } }
}

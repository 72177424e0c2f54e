internal import Mailslots

/// All outboxes: those that are looked at in each turn, and those that sleep until a message comes. For the sending side's thread.
final class Outboxes {
    /// One wait of the core takes 64 readers, of which the requests are one.
    private static let awakeMax = ReaderWait.countMax - 1

    private static let idleNanoseconds: Int64 = 60_000_000_000

    private let wakeup: Wakeup
    private var all: [Int: Outbox] = [:]
    private var byName: [OutboxName: Outbox] = [:]
    private var nextID = 0
    /// In no order. Changes rarely: a turn goes through it.
    private(set) var awake: [Outbox] = [] { didSet { awakeChanged = true } }
    private var awakeChanged = false

    init(wakeup: Wakeup) { self.wakeup = wakeup }

    var count: Int { all.count }
    var isEmpty: Bool { all.isEmpty }
    var outboxes: some Collection<Outbox> { all.values }
    subscript(name: OutboxName) -> Outbox? { byName[name] }

    /// Makes one, or adopts the one that a killed bridge has left, with its messages.
    func open(_ name: OutboxName, _ configuration: BridgeConfiguration.Outboxes, now: Int64) throws(BridgeError) -> Outbox {
        let outbox = Outbox(name, id: nextID, reader: try Self.reader(name.local, configuration), now: now, wakeup: wakeup)
        nextID += 1
        all[outbox.id] = outbox
        byName[name] = outbox
        wake(outbox)
        return outbox
    }

    private static func reader(_ name: String, _ configuration: BridgeConfiguration.Outboxes) throws(BridgeError) -> LendingReader {
        do throws(MailslotError) {
            do throws(MailslotError) {
                return try LendingReader(
                    creating: name, capacity: configuration.capacity, writers: configuration.maximumWriters,
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
        outbox.close()
    }

    /// Closes one that nobody has open, that is empty, and that had no message for a minute; the one that had none for longest. False:
    /// there is none. Who opens it at just this moment is told at the first write that it is closed, and opens anew.
    func closeIdle(now: Int64) -> Bool {
        let quiet = all.values.filter { now - $0.lastActive > Self.idleNanoseconds }.sorted { $0.lastActive < $1.lastActive }
        for outbox in quiet {
            guard let info = try? Mailslot.info(of: outbox.name.local), info.writerCount == 0, info.messageCount == 0 else { continue }
            close(outbox)
            return true
        }
        return false
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

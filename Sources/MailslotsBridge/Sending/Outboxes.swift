internal import CMailslots

/// All outboxes: those that are looked at in each turn, and those that sleep until a message comes. For the sending side's thread.
@safe
final class Outboxes {
    /// One wait of the core takes 64 readers, of which the requests are one.
    private static let awakeMax = Int(MSLOT_WAIT_MAX) - 1

    private static let idleNanoseconds: Int64 = 60_000_000_000

    private let bell: Doorbell
    private var all: [Int: Outbox] = [:]
    private var byName: [OutboxName: Outbox] = [:]
    private var nextID = 0
    /// In no order. Changes rarely: a turn goes through it.
    private(set) var awake: [Outbox] = [] { didSet { awakeChanged = true } }
    private var awakeChanged = false

    init(bell: Doorbell) { self.bell = bell }

    var count: Int { all.count }
    var isEmpty: Bool { all.isEmpty }
    var outboxes: some Collection<Outbox> { all.values }
    subscript(name: OutboxName) -> Outbox? { byName[name] }

    /// Makes one, or adopts the one that a killed bridge has left, with its messages.
    func open(_ name: OutboxName, _ configuration: BridgeConfiguration.Outboxes, now: Int64) throws(BridgeError) -> Outbox {
        var options = mslot_create_options_default()
        options.capacity = UInt32(configuration.capacity)
        options.writers = UInt32(configuration.writers)
        options.mode = configuration.permissions
        options.adopt = true
        var created = unsafe mslot_create(name.local, &options)
        if unsafe created.reader == nil, unsafe created.failure.outcome == .mismatch {
            // One that was made under another configuration: as it is.
            options.capacity = 0
            options.writers = 0
            options.mode = 0
            unsafe created = unsafe mslot_create(name.local, &options)
        }
        guard let reader = unsafe created.reader else { throw unsafe BridgeError(created.failure, of: name.local) }
        let outbox = unsafe Outbox(name, id: nextID, reader: reader, now: now, bell: bell)
        nextID += 1
        all[outbox.id] = outbox
        byName[name] = outbox
        wake(outbox)
        return outbox
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
            let inspected = unsafe mslot_inspect(outbox.name.local)
            guard inspected.failure.outcome == .done, inspected.info.writer_count == 0, inspected.info.message_count == 0 else {
                continue
            }
            close(outbox)
            return true
        }
        return false
    }

    func closeAll() {
        for outbox in all.values { close(outbox) }
    }

    /// Wakes those whose wait ended; false: there were none.
    func wakeRung() -> Bool {
        let rung = bell.takeRung()
        for id in rung {
            guard let outbox = all[id], outbox.sleep.isOn else { continue }
            // The wait is over, or begins again.
            if unsafe outbox.sleep.begin(outbox.reader) { continue }
            wake(outbox)
        }
        return !rung.isEmpty
    }

    private func wake(_ outbox: Outbox) { awake.append(outbox) }

    /// Whether others are awake than when this was asked last.
    func takeAwakeChanged() -> Bool {
        defer { awakeChanged = false }
        return awakeChanged
    }

    /// The readers to wait for when all turns were in vain: those that were active last. The others go to sleep, and ring. `nil`: one of
    /// them has a message.
    func readersToWaitFor() -> [UnsafeMutablePointer<mslot_reader>]? {
        var waiting = awake.filter { !$0.isBlocked }
        if waiting.count > Self.awakeMax {
            waiting.sort { $0.lastActive > $1.lastActive }
            var asleep: Set<Int> = []
            defer { awake.removeAll { asleep.contains($0.id) } }
            for quiet in waiting[Self.awakeMax...] {
                guard unsafe quiet.sleep.begin(quiet.reader) else { return nil }
                asleep.insert(quiet.id)
            }
        }
        return unsafe waiting.prefix(Self.awakeMax).map { unsafe $0.reader }
    }

    /// The names of outboxes that are there, of a bridge that was killed.
    static func leftBehind() -> [OutboxName] {
        final class Names { var names: [OutboxName] = [] }
        let found = Names()
        _ = unsafe mslot_list(
            { name, context in
                // Sound: the context is `found`, which outlives the call.
                guard let name = unsafe name, let outbox = unsafe OutboxName(local: String(cString: name)) else { return }
                unsafe Unmanaged<Names>.fromOpaque(context!).takeUnretainedValue().names.append(outbox)
            }, Unmanaged.passUnretained(found).toOpaque())
        return found.names
    }
}

internal import CMailslots
internal import Mailslots

/// Ends the sending side's wait, from any thread, and says which outboxes have something.
final class Doorbell: Sendable {
    private struct State {
        var rung: [Int] = []
        /// The reader's address: a pointer is not Sendable, though interrupting is for any thread. 0: none.
        var listener: UInt = 0
    }

    private let state = Locked(State())

    /// Whose wait is interrupted; `nil` before it is closed.
    func setListener(_ reader: UnsafeMutablePointer<mslot_reader>?) {
        let address = UInt(bitPattern: reader)
        state.withLock { $0.listener = address }
    }

    /// `id`: of an outbox. `nil`: nothing but to wake up.
    func ring(_ id: Int? = nil) {
        state.withLock { state in
            if let id { state.rung.append(id) }
            // Sound: it is open until `setListener` takes it back.
            if let reader = unsafe UnsafeMutablePointer<mslot_reader>(bitPattern: state.listener) { unsafe mslot_reader_interrupt(reader) }
        }
    }

    func takeRung() -> [Int] {
        state.withLock { state in
            defer { state.rung.removeAll(keepingCapacity: true) }
            return state.rung
        }
    }
}

/// A wait of one outbox that a thread of the core sleeps through: for the many that the sending side's own wait has no room for.
@safe
final class SleepThroughWait {
    private let wait = UnsafeMutablePointer<mslot_wait>.allocate(capacity: 1)
    private let context: Unmanaged<Context>
    /// Its reader can do nothing else meanwhile.
    private(set) var isOn = false

    private final class Context: Sendable {
        let id: Int
        let bell: Doorbell
        init(_ id: Int, _ bell: Doorbell) {
            self.id = id
            self.bell = bell
        }
    }

    init(of id: Int, _ bell: Doorbell) {
        unsafe context = Unmanaged.passRetained(Context(id, bell))
        unsafe wait.initialize(to: mslot_wait())
        unsafe wait.pointee.timeout_ns = MSLOT_FOREVER
        unsafe wait.pointee.never_polls = true
        unsafe wait.pointee.context = context.toOpaque()
        unsafe wait.pointee.ended = { wait in
            // Sound: the context lives until the wait was stopped.
            let context = unsafe Unmanaged<Context>.fromOpaque(wait!.pointee.context!).takeUnretainedValue()
            context.bell.ring(context.id)
        }
    }

    deinit {
        unsafe wait.deallocate()
        unsafe context.release()
    }

    /// True: it sleeps, and will ring. False: there is something to read. Also after it rang.
    func begin(_ reader: UnsafeMutablePointer<mslot_reader>) -> Bool {
        isOn = unsafe mslot_reader_begin_wait(reader, wait) == .empty
        return isOn
    }

    func stop(_ reader: UnsafeMutablePointer<mslot_reader>) {
        guard isOn else { return }
        unsafe mslot_wait_stop(wait)
        _ = unsafe mslot_reader_end_wait(reader)
        isOn = false
    }
}

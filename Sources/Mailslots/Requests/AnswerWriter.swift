internal import CMailslots

/// One client's mailslot for answers, open to write them. Never waits: what finds it full is kept until there is room, up to a bound.
///
/// An honest client that runs reads its answers at once. One that is stopped, or writes many requests and reads no answer, costs the server
/// what is kept here and nothing else.
@safe
final class AnswerWriter: Sendable {
    /// Chosen: some thousand calls of a client that is stopped lose nothing.
    private static let keptBytesMax = 256 * 1024
    private static let keptMessagesMax = 4096

    private struct State: ~Copyable {
        var writer: MailslotWriter
        /// Messages that found no room.
        var kept = Queue<[UInt8]>()
        var keptBytes = 0
        var isGone = false
    }

    /// The server's name.
    let server: String
    private let name: String
    private let maximumMessageSize: Int
    private let tally: ServerTally
    private let state: Locked<State>

    init(_ writer: consuming MailslotWriter, server: String, _ tally: ServerTally) {
        self.server = server
        self.tally = tally
        name = writer.name
        maximumMessageSize = writer.info.maximumMessageSize
        state = Locked(State(writer: writer))
    }

    func answer(_ id: MailslotCallID, _ bytes: borrowing some MailslotBytes & ~Copyable & ~Escapable) throws(MailslotCallError) {
        try bytes.withMessageBytes { bytes throws(MailslotCallError) in
            try RequestHeader(.answer, call: id.call).withMessage(bytes) { message throws(MailslotCallError) in
                try answer(id, message: message)
            }
        }
    }

    /// An answer of at most `capacity` bytes, which `initializer` appends.
    ///
    /// - Throws: What `initializer` throws; nothing was written then. Or as the others.
    func answer(_ id: MailslotCallID, capacity: Int, _ initializer: (inout OutputRawSpan) throws -> Void) throws {
        let header = RequestHeader(.answer, call: id.call)
        // Sound: the memory is ours until the end, and neither span leaves it.
        try unsafe withUnsafeTemporaryAllocation(byteCount: header.byteCount + capacity, alignment: 8) { memory in
            var message = unsafe OutputRawSpan(buffer: memory, initializedCount: 0)
            header.append(to: &message)
            try initializer(&message)
            let count = unsafe message.finalize(for: memory)
            try answer(id, message: unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<count])))
        }
    }

    /// A message that has its header.
    func answer(_ id: MailslotCallID, message: RawSpan) throws(MailslotCallError) {
        guard message.byteCount <= maximumMessageSize else {
            fail(id, .answerTooLong)
            throw MailslotCallError(.answerTooLong, server: server, id: id)
        }
        guard write(message, for: id) else { throw MailslotCallError(.clientGone, server: server, id: id) }
        tally.answers.add(1)
    }

    /// Says that there is no answer.
    func fail(_ id: MailslotCallID, _ code: MailslotCallError.Code, _ reason: String = "") {
        tally.failures.add(1)
        let header = RequestHeader(.failure, code: code.rawValue, call: id.call)
        let text = reason.utf8.prefix(Mailslot.maximumMessageSize - header.byteCount)
        // Sound: a UInt8 has no padding.
        let isWritten = header.withMessage(unsafe [UInt8](text).span.bytes) { message in write(message, for: id) }
        if isWritten { tally.answers.add(1) }
    }

    /// False: the client is gone.
    private func write(_ message: RawSpan, for id: MailslotCallID) -> Bool {
        let (isWritten, beginsToKeep) = state.withLock { state in
            guard !state.isGone else { return (false, false) }
            if state.kept.isEmpty {
                switch tryWrite(message, &state) {
                case .written: return (true, false)
                case .full: break
                case nil: return (false, false)
                }
            }
            let beginsToKeep = state.kept.isEmpty
            return (keep(message, for: id, &state), beginsToKeep)
        }
        if !isWritten { tally.droppedAnswers.add(1) }
        if beginsToKeep { Task { await writeKept() } }
        return isWritten
    }

    /// `nil`: the client is gone.
    private func tryWrite(_ message: RawSpan, _ state: inout State) -> MailslotWriteOutcome? {
        do {
            return try state.writer.tryWrite(message)
        } catch {
            state.isGone = true
            state.kept.removeAll()
            return nil
        }
    }

    private func keep(_ message: RawSpan, for id: MailslotCallID, _ state: inout State) -> Bool {
        guard state.kept.count < Self.keptMessagesMax else { return false }
        tally.delayedAnswers.add(1)
        // Sound, both: copied, at once.
        var bytes = [UInt8](copying: message)
        if state.keptBytes + bytes.count > Self.keptBytesMax {
            // There is no room for the answer, but for word of it.
            let header = RequestHeader(.failure, code: MailslotCallError.Code.answersFull.rawValue, call: id.call)
            bytes = header.withMessage(RawSpan()) { [UInt8](copying: $0) }
        }
        state.keptBytes += bytes.count
        state.kept.append(bytes)
        return true
    }

    /// Writes what is kept as there is room, until there is nothing left or the client is gone.
    private func writeKept() async {
        var pause = Duration.microseconds(50)
        while true {
            let (isOver, wrote) = state.withLock { state in
                var wrote = false
                while let message = state.kept.first, !state.isGone {
                    // Sound: a UInt8 has no padding.
                    guard tryWrite(unsafe message.span.bytes, &state) == .written else { break }
                    wrote = true
                    _ = state.kept.popFirst()
                    state.keptBytes -= message.count
                }
                return (state.kept.isEmpty || state.isGone, wrote)
            }
            if isOver { return }
            if !wrote, isClientGone { return discardKept() }
            pause = wrote ? .microseconds(50) : min(pause * 2, .milliseconds(50))
            try? await Task.sleep(for: pause)
        }
    }

    private func discardKept() {
        let count = state.withLock { state in
            defer {
                state.isGone = true
                state.kept.removeAll()
            }
            return state.kept.count
        }
        tally.droppedAnswers.add(UInt64(count))
    }

    /// Asks whether the client is gone: half a microsecond.
    var isClientGone: Bool {
        state.withLock { state in
            let handle = unsafe state.writer.handle
            return unsafe state.isGone || mslot_writer_sees_close(handle) || mslot_writer_check_reader(handle) == .noReader
        }
    }

    /// Takes a dead client's mailslot away, which nobody else will.
    func removeMailslot() { if !Mailslot.isRemote(name) { try? Mailslot.remove(name) } }
}

internal import Mailslots
internal import MailslotsWire

/// Where an outbox's messages go.
package enum OutboxDestination: Hashable, Sendable {
    /// To this machine's own mailslots: it is our own name.
    case ourselves
    /// To a host, or to every host of a domain and our own mailslots.
    case route(Route)
}

/// An outbox that is open. For the sending side's thread.
///
/// One that is not closed leaves what is unread to the next bridge.
final class Outbox: Identifiable {
    let id: Int
    let name: OutboxName
    let mailslotBytes: [UInt8]
    /// `nil`: no host or domain of this name is known, now.
    var destination: OutboxDestination?
    /// When there was a path to the destination, or the outbox opened: what is unread waits a while for it to come back. Monotonic.
    var lastKnown: Int64
    /// It has messages that cannot go anywhere, so that waiting for a message would not wait.
    var isBlocked = false
    /// When it last had a message.
    var lastActive: Int64

    private var reader: LendingReader
    private let sleep: BackgroundWait
    /// Calls in a row that said so.
    private var damages = 0
    /// Every slot was skipped, and still nothing is sound.
    var isDestroyed: Bool { damages > capacity }
    private let capacity: Int
    /// Shared memory.
    let byteCount: Int
    /// When it was last looked at whether anybody needs it.
    var lastInspected = Int64.min / 2

    init(_ name: OutboxName, id: Int, byteCount: Int, reader: consuming LendingReader, now: Int64, wakeup: Wakeup) {
        self.id = id
        self.name = name
        mailslotBytes = [UInt8](name.mailslot.utf8)
        lastKnown = now
        lastActive = now
        capacity = reader.capacity
        self.byteCount = byteCount
        reader.discardsUnreadAtEnd = false
        self.reader = reader
        sleep = BackgroundWait { wakeup.signal(id) }
    }

    /// What is unread is discarded, and its writers are told.
    func close() {
        sleep.stop(reader)
        reader.release()
        reader.close()
    }

    // MARK: waiting

    var isAsleep: Bool { sleep.isOn }

    /// True: it sleeps, and will signal. False: there is something to read.
    func fallAsleep() -> Bool { sleep.begin(reader) }

    func join(_ wait: inout ReaderWait) { wait.append(reader) }

    // MARK: messages

    func peek() -> LendingReader.Look {
        let look = reader.peek()
        switch look {
        case .message: damages = 0
        case .damaged: damages += 1
        case .nothing: break
        }
        return look
    }

    /// Takes the message that `peek` found, and drops it.
    func takeNext() { reader.take() }

    /// The same, copying it into 424 bytes. Returns how many it has, and who wrote it.
    func takeNext(copyingInto bytes: inout MutableRawSpan) -> (byteCount: Int, sender: UInt32) { reader.take(copyingInto: &bytes) }

    /// Takes messages, each into a record of its own, until there are no more, or one does not fit: then these are not all.
    func moveAll(to output: inout OutputRawSpan) -> (count: Int, isAll: Bool) {
        let mailslot = mailslotBytes
        // Sound: bytes have no padding.
        let name = unsafe mailslot.span.bytes
        var count = 0
        while peek() == .message {
            let fits = reader.withNext { payload, sender in
                output.append(messageFor: name, payload: payload.extracting(first: DatagramFormat.payloadBytesMax), sender: sender)
            }
            guard fits else { return (count, false) }
            reader.take()
            count += 1
        }
        return (count, true)
    }

    /// Gives back what was taken. Before it is sent: who is killed between the two loses it, and a message is never sent twice.
    func release() { reader.release() }
}

internal import CMailslots
internal import MailslotsWire

/// Where an outbox's messages go.
package enum OutboxDestination: Hashable, Sendable {
    /// To this machine's own mailslots: it is our own name.
    case ourselves
    /// To a host, or to every host of a domain and our own mailslots.
    case route(Route)
}

/// A mailslot that local processes write to, and the bridge reads: what they write goes to one mailslot of one host or domain.
///
/// Its name is `bridge/out/K/DESTINATION/MAILSLOT`; the next K when the lanes of the one before are all taken. `@` is our own first domain.
package struct OutboxName: Hashable, Sendable {
    package static let prefix = "bridge/out/"
    package static let ownDomain = "@"
    /// Outboxes of one destination and mailslot.
    package static let numberMax = 63

    package let number: Int
    /// Canonical: a host's or a domain's name, or `@`.
    package let destination: String
    /// Canonical, 1 to 40 bytes.
    package let mailslot: String

    package init?(number: Int, destination: [UInt8], mailslot: [UInt8]) {
        guard 0...Self.numberMax ~= number, let mailslot = MailslotName.canonical(mailslot) else { return nil }
        let isOwnDomain = destination == [UInt8](Self.ownDomain.utf8)
        guard let destination = isOwnDomain ? Self.ownDomain : HostName.canonical(destination, folding: false) else { return nil }
        self.number = number
        self.destination = destination
        self.mailslot = mailslot
    }

    /// Of the name of a mailslot that is there; `nil` if it is no outbox.
    package init?(local name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let parts = name.dropFirst(Self.prefix.count).split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let number = Int(parts[0]), String(number) == parts[0] else { return nil }
        self.init(number: number, destination: [UInt8](parts[1].utf8), mailslot: [UInt8](parts[2].utf8))
    }

    package var local: String { "\(Self.prefix)\(number)/\(destination)/\(mailslot)" }
}

/// Names of mailslots as they go over the network.
package enum MailslotName {
    private static let forbidden = Set(#"\:*?<>"|"#.utf8)

    /// `nil` unless these are 1 to 40 bytes, and may be the canonical form of a local name: what is opened is then what was checked.
    /// Other mistakes in it are found by opening it.
    package static func canonical(_ bytes: [UInt8]) -> String? {
        guard 1...DatagramFormat.nameBytesMax ~= bytes.count, let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let isUpper: (UInt8) -> Bool = { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && !forbidden.contains($0) && !isUpper($0) }) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty } ? text : nil
    }
}

/// An outbox that is open. For the sending side's thread.
@safe
final class Outbox: Identifiable {
    let id: Int
    let name: OutboxName
    let reader: UnsafeMutablePointer<mslot_reader>
    let mailslotBytes: [UInt8]
    /// `nil`: no host or domain of this name is known, now.
    var destination: OutboxDestination?
    /// When there was a way to the destination, or the outbox opened: what is unread waits a while for it to come back. Monotonic.
    var lastKnown: Int64
    /// It has messages that cannot go anywhere, so that waiting for a message would not wait.
    var isBlocked = false
    /// When it last had a message.
    var lastActive: Int64
    let sleep: SleepThroughWait

    /// The next message, lent from the reader and not yet taken.
    private var next: mslot_view?
    /// Messages that were taken, and are still lent.
    private var takenCount = 0
    /// Calls in a row that said so.
    private var damages = 0
    /// Every slot was skipped, and still nothing is sound.
    var isDestroyed: Bool { damages > capacity }
    private let capacity: Int

    init(_ name: OutboxName, id: Int, reader: UnsafeMutablePointer<mslot_reader>, now: Int64, bell: Doorbell) {
        self.id = id
        self.name = name
        unsafe self.reader = unsafe reader
        mailslotBytes = [UInt8](name.mailslot.utf8)
        lastKnown = now
        lastActive = now
        capacity = Int(unsafe mslot_reader_info(reader).capacity)
        sleep = SleepThroughWait(of: id, bell)
    }

    /// What is unread is discarded, and its writers are told.
    func close() {
        unsafe sleep.stop(reader)
        release()
        _ = unsafe mslot_reader_close(reader)
    }

    enum Peeked {
        case message
        case nothing
        /// One was skipped; or the outbox is destroyed, if this comes again and again.
        case damaged
    }

    func peek() -> Peeked {
        if unsafe next != nil { return .message }
        let view = unsafe mslot_reader_peek(reader, 0)
        switch unsafe view.outcome {
        case .done:
            unsafe next = view
            damages = 0
            return .message
        // It is skipped, and counted, when nothing before it is lent.
        case .damaged where takenCount > 0: return .nothing
        case .damaged:
            damages += 1
            return .damaged
        default: return .nothing
        }
    }

    /// Takes the message that `peek` found, and calls `body` with it. The bytes are shared memory: they may change.
    func takeNext(_ body: (_ payload: RawSpan, _ sender: UInt32) -> Void) {
        guard let view = unsafe next else { preconditionFailure("peek first") }
        let count = unsafe min(Int(view.byte_count), DatagramFormat.payloadBytesMax)
        // Sound: lent bytes stay until they are released; the span does not leave the call.
        unsafe body(RawSpan(_unsafeStart: UnsafeRawPointer(view.bytes!), byteCount: count), view.sender)
        unsafe next = nil
        takenCount += 1
    }

    /// Takes messages, each into a record of its own, until there are no more, or one does not fit: then these are not all.
    func moveAll(to output: inout OutputRawSpan) -> (count: Int, isAll: Bool) {
        let mailslot = mailslotBytes
        // Sound: bytes have no padding.
        let name = unsafe mailslot.span.bytes
        var count = 0
        defer { takenCount += count }
        while peek() == .message, let view = unsafe next {
            // Sound: lent bytes stay until they are released.
            let payload = unsafe RawSpan(
                _unsafeStart: UnsafeRawPointer(view.bytes!), byteCount: min(Int(view.byte_count), DatagramFormat.payloadBytesMax))
            guard unsafe output.append(messageFor: name, payload: payload, sender: view.sender) else { return (count, false) }
            unsafe next = nil
            count += 1
        }
        return (count, true)
    }

    /// Gives back what was taken. Before it is sent: who is killed between the two loses it, and a message is never sent twice.
    func release() {
        guard takenCount > 0 else { return }
        _ = unsafe mslot_reader_release(reader, takenCount)
        takenCount = 0
    }
}

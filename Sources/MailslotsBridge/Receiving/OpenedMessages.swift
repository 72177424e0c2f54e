internal import CMailslots
internal import MailslotsWire

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Messages of datagrams that were opened, where they were opened to, until they are written into their mailslots, all together.
///
/// Opening takes longer than writing. If each message were written as soon as it is opened, a reader would have read it before the next one
/// is there, and fall asleep each time; to wake it takes longer than both. For one thread.
@safe
struct OpenedMessages: ~Copyable {
    /// Some fifty datagrams: what can be opened in the time in which a reader wakes up.
    private static let bytesMax = 1 << 16

    /// Consecutive messages for one mailslot. The name is in the memory.
    @safe
    private struct Run {
        let name: UnsafeRawBufferPointer
        let first: Int
        var count: Int
    }

    private var messages: [mslot_remote_message] = unsafe []
    private var runs: [Run] = []
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax, alignment: 64)
    private var usedBytes = 0

    init() { unsafe messages.reserveCapacity(Self.bytesMax / DatagramFormat.recordHeaderBytes) }

    deinit { unsafe memory.deallocate() }

    /// There is room for the records of any datagram.
    var hasRoom: Bool { usedBytes + DatagramFormat.bytesMax <= Self.bytesMax }

    /// Where the records of the next datagram go.
    var room: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(rebasing: memory[usedBytes...]) }

    /// So many bytes of the room are taken by records, and stay until all messages are removed.
    mutating func keep(_ byteCount: Int) { usedBytes += byteCount }

    /// Both are in what is kept.
    mutating func append(_ payload: RawSpan, to name: RawSpan, sender: UInt32, origin: UInt16) {
        // Sound: what is kept stays, and a payload has at most 424 bytes.
        let name = unsafe name.withUnsafeBytes { unsafe $0 }
        let bytes = unsafe payload.withUnsafeBytes { $0.baseAddress }
        if unsafe !isOfLastRun(name) { unsafe runs.append(Run(name: name, first: messages.count, count: 0)) }
        runs[runs.count - 1].count += 1
        unsafe messages.append(
            mslot_remote_message(bytes: bytes, byte_count: UInt32(payload.byteCount), sender: sender, origin: origin))
    }

    private func isOfLastRun(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let run = runs.last, unsafe run.name.count == name.count, let start = name.baseAddress else { return false }
        // Sound: both have so many bytes.
        return unsafe memcmp(start, run.name.baseAddress!, name.count) == 0
    }

    /// Calls `body` with those for one mailslot after the other, in order, and forgets them.
    mutating func removeAll(_ body: (_ messages: UnsafeBufferPointer<mslot_remote_message>, _ name: RawSpan) -> Void) {
        unsafe messages.withUnsafeBufferPointer { all in
            for run in runs {
                // Sound: these bytes are in the memory, and neither leaves the call.
                let name = unsafe RawSpan(_unsafeBytes: run.name)
                unsafe body(UnsafeBufferPointer(rebasing: all[run.first..<run.first + run.count]), name)
            }
        }
        unsafe messages.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        usedBytes = 0
    }
}

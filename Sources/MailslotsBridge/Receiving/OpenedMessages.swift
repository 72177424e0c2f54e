#if Bridge
    internal import CMailslots
    #if canImport(Glibc)
        internal import Glibc
    #else
        internal import Musl
    #endif

    /// Messages of datagrams that were opened, until they are written into their mailslots, all together.
    ///
    /// Opening takes longer than writing. If each message were written as soon as it is opened, a reader would have read it before the next one
    /// is there, and fall asleep each time; to wake it takes longer than both. For one thread.
    @safe
    struct OpenedMessages: ~Copyable {
        /// Some fifty datagrams: what can be opened in the time in which a reader wakes up.
        private static let bytesMax = 1 << 16

        /// Consecutive messages for one mailslot.
        private struct Run {
            let nameOffset: Int
            let nameBytes: Int
            let first: Int
            var count: Int
        }

        private var messages: [mslot_remote_message] = unsafe []
        private var runs: [Run] = []
        private let memory = UnsafeMutableRawPointer.allocate(byteCount: bytesMax, alignment: 64)
        private var usedBytes = 0

        init() { unsafe messages.reserveCapacity(Self.bytesMax / 16) }

        deinit { unsafe memory.deallocate() }

        /// There is room for all that one datagram can bring.
        var hasRoom: Bool { usedBytes + DatagramFormat.bytesMax <= Self.bytesMax }

        /// There must be room.
        mutating func append(_ payload: RawSpan, to name: RawSpan, sender: UInt32, origin: UInt16) {
            precondition(usedBytes + name.byteCount + payload.byteCount <= Self.bytesMax, "There is no room.")
            if !isOfLastRun(name) {
                unsafe runs.append(Run(nameOffset: usedBytes, nameBytes: name.byteCount, first: messages.count, count: 0))
                copy(name)
            }
            runs[runs.count - 1].count += 1
            unsafe messages.append(
                mslot_remote_message(bytes: memory + usedBytes, byte_count: UInt32(payload.byteCount), sender: sender, origin: origin))
            copy(payload)
        }

        private func isOfLastRun(_ name: RawSpan) -> Bool {
            guard let run = runs.last, run.nameBytes == name.byteCount else { return false }
            // Sound: the run's name is there, and as long.
            return unsafe name.withUnsafeBytes { unsafe memcmp($0.baseAddress!, memory + run.nameOffset, run.nameBytes) } == 0
        }

        private mutating func copy(_ part: RawSpan) {
            // Sound: there is room, and the memory is ours.
            unsafe part.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { unsafe (memory + usedBytes).copyMemory(from: start, byteCount: bytes.count) }
            }
            usedBytes += part.byteCount
        }

        /// Calls `body` with those for one mailslot after the other, in order, and forgets them.
        mutating func removeAll(_ body: (_ messages: UnsafeBufferPointer<mslot_remote_message>, _ name: RawSpan) -> Void) {
            unsafe messages.withUnsafeBufferPointer { all in
                for run in runs {
                    // Sound: these bytes were copied here, and neither leaves the call.
                    let name = unsafe RawSpan(_unsafeStart: memory + run.nameOffset, byteCount: run.nameBytes)
                    unsafe body(UnsafeBufferPointer(rebasing: all[run.first..<run.first + run.count]), name)
                }
            }
            unsafe messages.removeAll(keepingCapacity: true)
            runs.removeAll(keepingCapacity: true)
            usedBytes = 0
        }
    }
#endif

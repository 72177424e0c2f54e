#if Bridge

    /// Messages of datagrams that were opened, until they are written into their mailslots, all together.
    ///
    /// Opening takes longer than writing. If each message were written as soon as it is opened, a reader would have read it before the next one
    /// is there, and fall asleep each time; to wake it takes longer than both. For one thread.
    @safe
    struct OpenedMessages: ~Copyable {
        /// Some fifty datagrams: what can be opened in the time in which a reader wakes up.
        private static let bytesMax = 1 << 16

        private struct Entry {
            let offset: Int
            let nameBytes: Int
            let payloadBytes: Int
            let sender: UInt32
            let origin: UInt16
        }

        private var entries: [Entry] = []
        private let memory = UnsafeMutableRawPointer.allocate(byteCount: bytesMax, alignment: 64)
        private var usedBytes = 0

        init() { entries.reserveCapacity(Self.bytesMax / 32) }

        deinit { unsafe memory.deallocate() }

        /// There is room for all that one datagram can bring.
        var hasRoom: Bool { usedBytes + DatagramFormat.bytesMax <= Self.bytesMax }

        /// There must be room.
        mutating func append(_ payload: RawSpan, to name: RawSpan, sender: UInt32, origin: UInt16) {
            precondition(usedBytes + name.byteCount + payload.byteCount <= Self.bytesMax, "There is no room.")
            entries.append(
                Entry(offset: usedBytes, nameBytes: name.byteCount, payloadBytes: payload.byteCount, sender: sender, origin: origin))
            copy(name)
            copy(payload)
        }

        private mutating func copy(_ part: RawSpan) {
            // Sound: there is room, and the memory is ours.
            unsafe part.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { unsafe (memory + usedBytes).copyMemory(from: start, byteCount: bytes.count) }
            }
            usedBytes += part.byteCount
        }

        /// Calls `body` with each, in order, and forgets them.
        mutating func removeAll(_ body: (_ payload: RawSpan, _ name: RawSpan, _ sender: UInt32, _ origin: UInt16) -> Void) {
            for entry in entries {
                // Sound: these bytes were copied here, and the spans do not leave the call.
                let name = unsafe RawSpan(_unsafeStart: memory + entry.offset, byteCount: entry.nameBytes)
                let payload = unsafe RawSpan(_unsafeStart: memory + entry.offset + entry.nameBytes, byteCount: entry.payloadBytes)
                body(payload, name, entry.sender, entry.origin)
            }
            entries.removeAll(keepingCapacity: true)
            usedBytes = 0
        }
    }
#endif

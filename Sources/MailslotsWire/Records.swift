/// What the sealed part of a datagram is made of.
public enum RecordKind: UInt8, Sendable, CaseIterable {
    /// For the mailslot of this name.
    case message = 1
    /// A bridge says that it is there, and what it is called. Bridges make and read the payload.
    case announcement = 2
}

/// What a record is beside its name and its payload.
public struct RecordHeader: Hashable, Sendable {
    public let kind: RecordKind
    /// The writer's process id, as that process says; of an announcement 0.
    public let sender: UInt32
    @usableFromInline let nameBytes: Int
    @usableFromInline let payloadBytes: Int

    @inlinable var byteCount: Int { DatagramFormat.recordHeaderBytes + nameBytes + payloadBytes }

    /// Of the record at the front of `bytes`. Checks rule 6 of the format for it.
    @inlinable init(_ bytes: RawSpan) throws(DatagramRejection) {
        guard bytes.byteCount >= DatagramFormat.recordHeaderBytes else { throw .cutRecord }
        guard let kind = RecordKind(rawValue: bytes.load8(at: 0)) else { throw .badKind }
        self.kind = kind
        nameBytes = Int(bytes.load8(at: 1))
        payloadBytes = Int(bytes.load16(at: 2))
        sender = bytes.load32(at: 4)
        switch kind {
        case .message:
            guard 1...DatagramFormat.nameBytesMax ~= nameBytes else { throw .badName }
        case .announcement:
            guard nameBytes == 0 else { throw .badName }
            guard sender == 0 else { throw .badSender }
        }
        guard payloadBytes <= DatagramFormat.payloadBytesMax else { throw .badPayload }
        guard byteCount <= bytes.byteCount else { throw .cutRecord }
    }
}

/// The records of a datagram's opened part.
public enum Records {
    /// Calls `body` with each record's header, name and payload, in order, after all of them were checked: of a datagram that is not
    /// valid none is given. Returns how many there are, at least 1.
    ///
    /// The name has 1 to 40 bytes (0 of an announcement), the payload 0 to 424, and nothing else is known of either. `opened` must be
    /// memory that nobody else writes.
    @discardableResult
    @inlinable
    public static func read(
        _ opened: RawSpan, _ body: (_ header: RecordHeader, _ name: RawSpan, _ payload: RawSpan) -> Void
    ) throws(DatagramRejection) -> Int {
        var count = 0
        var unchecked = opened
        repeat {
            unchecked = unchecked.extracting(droppingFirst: try RecordHeader(unchecked).byteCount)
            count += 1
        } while !unchecked.isEmpty

        var rest = opened
        for _ in 0..<count {
            let header = try RecordHeader(rest)
            let name = rest.extracting(droppingFirst: DatagramFormat.recordHeaderBytes).extracting(first: header.nameBytes)
            let record = rest.extracting(first: header.byteCount)
            body(header, name, record.extracting(last: header.payloadBytes))
            rest = rest.extracting(droppingFirst: header.byteCount)
        }
        return count
    }

    /// Has `body` append records where they are to be sealed: behind the room for the header, with room for the tag behind them if the
    /// datagram has at most `byteCountMax` bytes. Returns how many bytes they have.
    package static func write(into datagram: inout MutableRawSpan, byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) -> Int {
        // Sound: the range is checked, and the output does not leave the call.
        unsafe datagram.withUnsafeMutableBytes { all in
            let room = unsafe UnsafeMutableRawBufferPointer(
                rebasing: all[DatagramFormat.headerBytes..<min(all.count, byteCountMax) - DatagramFormat.tagBytes])
            var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
            body(&output)
            return unsafe output.finalize(for: room)
        }
    }
}

extension OutputRawSpan {
    /// Appends a message's record, or does nothing and says false if there is no room for it.
    /// A name of 1 to 40 bytes and a payload of 0 to 424, else this traps: check them where they come from.
    public mutating func append(messageFor name: RawSpan, payload: RawSpan, sender: UInt32) -> Bool {
        precondition(1...DatagramFormat.nameBytesMax ~= name.byteCount, "A name has 1 to 40 bytes.")
        return append(.message, name: name, payload: payload, sender: sender)
    }

    /// Appends an announcement's record, or does nothing and says false if there is no room for it. A payload of at most 424 bytes.
    package mutating func append(announcement payload: RawSpan) -> Bool {
        append(.announcement, name: payload.extracting(first: 0), payload: payload, sender: 0)
    }

    private mutating func append(_ kind: RecordKind, name: RawSpan, payload: RawSpan, sender: UInt32) -> Bool {
        precondition(payload.byteCount <= DatagramFormat.payloadBytesMax, "A payload has at most 424 bytes.")
        guard DatagramFormat.recordHeaderBytes + name.byteCount + payload.byteCount <= freeCapacity else { return false }
        append(kind.rawValue)
        append(UInt8(name.byteCount))
        append(littleEndian: UInt16(payload.byteCount))
        append(littleEndian: sender)
        append(contentsOf: name)
        append(contentsOf: payload)
        return true
    }
}

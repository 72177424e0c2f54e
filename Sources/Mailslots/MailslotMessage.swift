public import CMailslots

/// A message copied out of the mailslot: up to 424 bytes inline, without an allocation; a longer one in memory of its own.
///
/// It is a collection of its bytes:
///
/// ```swift
/// let bytes = [UInt8](message)
/// let text = String(decoding: message, as: UTF8.self)
/// message.withBytes { (bytes: RawSpan) in decode(bytes) }
/// ```
public struct MailslotMessage: Sendable {
    /// What is known of a message beside its bytes.
    public struct Info: Sendable, Hashable {
        /// The message's place in the order of all messages of the mailslot. Consecutive; a message that comes again after its reader
        /// was killed has the position it had.
        public let position: UInt64
        /// The writer's process id, as the writer says, on the machine that ``origin`` tells. Information: a writer can lie, and pid
        /// namespaces differ.
        public let senderProcessID: Int32
        /// Which machine it came from.
        public let origin: MailslotOrigin

        @inlinable init(position: UInt64, senderProcessID: UInt32, origin: UInt16) {
            self.position = position
            self.senderProcessID = Int32(bitPattern: senderProcessID)
            self.origin = MailslotOrigin(rawValue: origin)
        }
    }

    /// Its position, and who wrote it.
    public let info: Info
    /// How many bytes it has, 0 to 424; up to the mailslot's maximum, if that is greater.
    public let count: Int
    @usableFromInline var storage: InlineArray<424, UInt8>
    /// The bytes of a message that is longer than `storage`.
    @usableFromInline let long: [UInt8]?

    @inlinable
    init(copying view: mslot_view) {
        info = unsafe Info(position: view.position, senderProcessID: view.sender, origin: view.origin)
        let count = unsafe Int(view.byte_count)
        self.count = count
        let isLong = count > 424
        // Sound: the view has `byte_count` bytes.
        long = isLong ? unsafe [UInt8](UnsafeRawBufferPointer(start: view.bytes, count: count)) : nil
        let copied = isLong ? 0 : count
        // Sound: as above, and they fit. What is behind them is nobody's, and `withBytes` and the subscript stop before it: it need not be
        // cleared, which would take longer than all else.
        storage = InlineArray(initializingWith: { span in
            unsafe span.withUnsafeMutableBufferPointer { bytes, initializedCount in
                unsafe UnsafeMutableRawBufferPointer(bytes).copyMemory(from: UnsafeRawBufferPointer(start: view.bytes, count: copied))
                initializedCount = 424
            }
        })
    }

    /// Calls `body` with the bytes, in place.
    @inlinable
    public func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Sound: a UInt8 has no padding.
        if let long { return try body(unsafe long.span.bytes) }
        return try body(unsafe storage.span.bytes.extracting(first: count))
    }

    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    public var text: String { String(decoding: self, as: UTF8.self) }
}

extension MailslotMessage: RandomAccessCollection {
    /// The index of the first byte: 0.
    @inlinable public var startIndex: Int { 0 }
    /// The index behind the last byte: ``count``.
    @inlinable public var endIndex: Int { count }

    /// Calls `body` with all bytes at once: so `[UInt8]`, `Data` and `ByteBuffer` are made of a message by one copy.
    @inlinable
    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        // Sound: the bytes are there while `body` runs.
        try withBytes { bytes in try unsafe bytes.withUnsafeBytes { try unsafe $0.withMemoryRebound(to: UInt8.self, body) } }
    }

    /// The byte at an index from 0 to ``count`` - 1; another one ends the program.
    @inlinable
    public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "The index is beyond the message's bytes.")
        if let long { return long[index] }
        return storage[index]
    }
}

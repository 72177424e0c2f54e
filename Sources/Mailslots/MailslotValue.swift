internal import CMailslots

/// A type that is sent as its bytes.
///
/// ```swift
/// struct Order: MailslotValue {
///     var id: UInt64
///     var price: Int64
/// }
/// ```
///
/// Adopt it only for a type of which this holds. The compiler checks the first; the second and third nobody can check but you:
///
/// - It is `BitwiseCopyable`: no references, no strings, no arrays.
/// - **Every pattern of bits is a value.** What is read was written by another process, which may be hostile. So: integers and
///   floating-point numbers, and structures and inline arrays of such. No `Bool`, enumeration, optional, pointer or `Character`: some of
///   their bytes are no value, and to have such a value is undefined behaviour. Send a `UInt8`, and make an enumeration of it with
///   `init(rawValue:)`.
/// - It has no padding: order the fields by size, the largest first, and fill up. The bytes of padding are what was in memory there, and
///   go to the reader.
///
/// Both sides must have the same type; its size is compared, its fields are not. The bytes are those of the machine, little-endian.
public protocol MailslotValue: BitwiseCopyable, Sendable {}

extension UInt8: MailslotValue {}
extension UInt16: MailslotValue {}
extension UInt32: MailslotValue {}
extension UInt64: MailslotValue {}
extension Int8: MailslotValue {}
extension Int16: MailslotValue {}
extension Int32: MailslotValue {}
extension Int64: MailslotValue {}
extension Float: MailslotValue {}
extension Double: MailslotValue {}

/// A message that is not a value of the reader's type.
public struct MailslotValueError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Bytes of the type.
    public let expectedSize: Int
    /// Bytes of the message.
    public let size: Int

    /// Both sizes, with cause and what became of the message.
    public var description: String {
        "A message has \(size) bytes, and the type to read has \(expectedSize). Its writer uses another type; the message was skipped."
    }
}

/// Reads values of a type of fixed layout, one a message.
///
/// ```swift
/// var orders = try MailslotValueReader<Order>(try Mailslot.create("orders", maximumMessageSize: 16))
/// let order = try orders.read(timeout: .seconds(1))
/// ```
public struct MailslotValueReader<Value: MailslotValue>: ~Copyable, Sendable {
    private var reader: MailslotReader

    /// - Throws: A ``MailslotError``, ``MailslotError/Code/tooLong``, if a value is longer than the mailslot's messages may be. The reader
    ///   closes then.
    public init(_ reader: consuming MailslotReader) throws(MailslotError) {
        let error = sizeError(of: Value.self, in: reader.info, reader.name)
        self.reader = reader
        if let error { throw error }
    }

    /// The next value; `nil` when the time is up. Blocks as ``MailslotReader/read(timeout:)``.
    ///
    /// - Throws: A ``MailslotError``, or a ``MailslotValueError`` if the next message has another size; the message is gone.
    public mutating func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot) throws -> Value? {
        try reader.withMessage(timeout: timeout) { bytes, _ in try value(of: bytes) }
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo { reader.info }
}

/// Writes values of a type of fixed layout, one a message.
public struct MailslotValueWriter<Value: MailslotValue>: ~Copyable, Sendable {
    private var writer: MailslotWriter

    /// - Throws: A ``MailslotError``, ``MailslotError/Code/tooLong``, if a value is longer than the mailslot's messages may be. The writer
    ///   closes then.
    public init(_ writer: consuming MailslotWriter) throws(MailslotError) {
        let error = sizeError(of: Value.self, in: writer.info, writer.name)
        self.writer = writer
        if let error { throw error }
    }

    /// Writes a value, and waits for room as long as it takes.
    public mutating func write(_ value: Value) throws(MailslotError) {
        _ = try write(value, timeout: .forever)
    }
    /// Writes a value, and waits for room up to `timeout`.
    public mutating func write(_ value: Value, timeout: some MailslotTimeoutConvertible) throws(MailslotError) -> MailslotWriteOutcome {
        try writer.write(unsafe CollectionOfOne(value).span.bytes, timeout: timeout)
    }
    /// Writes a value if there is room.
    public mutating func tryWrite(_ value: Value) throws(MailslotError) -> MailslotWriteOutcome { try write(value, timeout: .now) }

    /// The mailslot at this moment.
    public var info: MailslotInfo { writer.info }
}

private func sizeError<Value>(of: Value.Type, in info: MailslotInfo, _ name: String) -> MailslotError? {
    MemoryLayout<Value>.size > info.maximumMessageSize ? MailslotError(outcome: .tooLong, name: name) : nil
}

private func value<Value: MailslotValue>(of bytes: RawSpan) throws -> Value {
    guard bytes.byteCount == MemoryLayout<Value>.size else {
        throw MailslotValueError(expectedSize: MemoryLayout<Value>.size, size: bytes.byteCount)
    }
    // Sound: the size is right, and every pattern of bits is a value, as whoever adopted the protocol says. It is copied once.
    return unsafe bytes.unsafeLoadUnaligned(as: Value.self)
}

internal import CMailslots

/// A value, and what is known of the message that it came in.
public struct MailslotValueMessage<Value: MailslotValue>: Sendable {
    /// The value.
    public let value: Value
    /// The message's position, and who wrote it.
    public let info: MailslotMessage.Info
}

extension MailslotMessage {
    /// The value that the message is.
    ///
    /// - Throws: ``MailslotError/Code/wrongSize`` if it has another size than the type. The error's name is `*`, for a message does not
    ///   know its mailslot.
    public func value<Value: MailslotValue>(as type: Value.Type = Value.self) throws(MailslotError) -> Value {
        try value(named: "*")
    }

    func value<Value: MailslotValue>(named name: String) throws(MailslotError) -> Value {
        try withBytes { bytes throws(MailslotError) in try Mailslots.value(of: bytes, name) }
    }
}

/// Reads values of a type of fixed layout, one a message, for a thread. In tasks a shared reader reads them: <doc:WaitingAsynchronously>.
///
/// ```swift
/// var orders = try MailslotValueReader<Order>(try Mailslot.create("orders", maximumMessageSize: 16))
/// let order = try orders.read(timeout: .seconds(1))
/// ```
///
/// It owns its reader, and ends as that does.
public struct MailslotValueReader<Value: MailslotValue>: ~Copyable, Sendable {
    var reader: MailslotReader

    /// Takes the reader. A type that cannot be sent as its bytes ends the program: ``MailslotValue``.
    ///
    /// - Throws: A ``MailslotError``, ``MailslotError/Code/tooLong``, if a value is longer than the mailslot's messages may be. The reader
    ///   closes then.
    public init(_ reader: consuming MailslotReader) throws(MailslotError) {
        Value.check()
        let error = tooLong(Value.self, reader.info, reader.name)
        self.reader = reader
        if let error { throw error }
    }

    // MARK: reading

    /// The next value; `nil` when the time is up. Blocks as ``MailslotReader/read(timeout:)``.
    ///
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/wrongSize`` if the next message has another size, which is then gone; otherwise
    ///   as ``MailslotReader/read(timeout:)``.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    public mutating func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot) throws(MailslotError) -> Value? {
        let name = reader.name
        return try reader.withMessage(timeout: timeout) { bytes, _ in result(of: bytes, name) }?.get()
    }

    /// The next value with its position, its sender and its origin; `nil` when the time is up. Blocks, and throws, as ``read(timeout:)``.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedReader.")
    public mutating func readMessage(
        timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot
    ) throws(MailslotError) -> MailslotValueMessage<Value>? {
        let name = reader.name
        return try reader.withMessage(timeout: timeout) { bytes, info in message(of: bytes, info, name) }?.get()
    }

    /// The next value if there is one. Never waits; throws as ``read(timeout:)``.
    public mutating func tryRead() throws(MailslotError) -> Value? { try read(timeout: .now) }

    // MARK: the rest

    /// The mailslot's name, as it was given.
    public var name: String { reader.name }

    /// The mailslot at this moment.
    public var info: MailslotInfo { reader.info }

    /// Ends this reader's waits from another thread: ``MailslotReader/interrupter``.
    public var interrupter: MailslotInterrupter { mutating get { reader.interrupter } }

    /// Closes the mailslot, or leaves it to a reader that adopts it: ``MailslotReader/close(unread:)``.
    ///
    /// - Returns: How many messages were unread.
    @discardableResult
    public consuming func close(unread: MailslotReader.UnreadMessages = .discard) -> Int { reader.close(unread: unread) }
}

/// What of a type is longer than the mailslot's messages.
func tooLong<Value>(_: Value.Type, _ info: MailslotInfo, _ name: String) -> MailslotError? {
    MemoryLayout<Value>.size > info.maximumMessageSize ? MailslotError(outcome: .tooLong, name: name) : nil
}

func value<Value: MailslotValue>(of bytes: RawSpan, _ name: String) throws(MailslotError) -> Value {
    Value.check()
    guard bytes.byteCount == MemoryLayout<Value>.size else {
        throw MailslotError(size: bytes.byteCount, expected: MemoryLayout<Value>.size, name: name)
    }
    // Sound: the size is right, and every pattern of bits is a value, which was checked. It is copied once.
    return unsafe bytes.unsafeLoadUnaligned(as: Value.self)
}

func result<Value: MailslotValue>(of bytes: RawSpan, _ name: String) -> Result<Value, MailslotError> {
    do throws(MailslotError) { return .success(try value(of: bytes, name)) } catch { return .failure(error) }
}

func message<Value: MailslotValue>(
    of bytes: RawSpan, _ info: MailslotMessage.Info, _ name: String
) -> Result<MailslotValueMessage<Value>, MailslotError> {
    result(of: bytes, name).map { MailslotValueMessage(value: $0, info: info) }
}

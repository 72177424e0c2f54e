internal import CMailslots

/// Writes values of a type of fixed layout, one a message, for a thread. Tasks: ``MailslotSharedWriter``.
///
/// It owns its writer, and ends as that does.
public struct MailslotValueWriter<Value: MailslotValue>: ~Copyable, Sendable {
    private var writer: MailslotWriter

    /// Takes the writer. A type that cannot be sent as its bytes ends the program: ``MailslotValue``.
    ///
    /// - Throws: A ``MailslotError``, ``MailslotError/Code/tooLong``, if a value is longer than the mailslot's messages may be. The writer
    ///   closes then.
    public init(_ writer: consuming MailslotWriter) throws(MailslotError) {
        Value.check()
        let error = tooLong(Value.self, writer.info, writer.name)
        self.writer = writer
        if let error { throw error }
    }

    // `unsafe` below: a span's bytes could show padding; the type was checked to have none.

    /// Writes a value, and waits for room as long as it takes. Blocks, and throws, as ``MailslotWriter/write(_:)``.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    public mutating func write(_ value: Value) throws(MailslotError) {
        try writer.write(unsafe CollectionOfOne(value).span.bytes)
    }
    /// Writes a value, and waits for room up to `timeout`.
    @available(*, noasync, message: "It would block a thread of the cooperative pool. In a task, use a MailslotSharedWriter.")
    public mutating func write(_ value: Value, timeout: some MailslotTimeoutConvertible) throws(MailslotError) -> MailslotWriteOutcome {
        try writer.write(unsafe CollectionOfOne(value).span.bytes, timeout: timeout)
    }
    /// Writes a value if there is room.
    public mutating func tryWrite(_ value: Value) throws(MailslotError) -> MailslotWriteOutcome {
        try writer.tryWrite(unsafe CollectionOfOne(value).span.bytes)
    }

    /// The mailslot's name, as it was given.
    public var name: String { writer.name }

    /// The mailslot at this moment.
    public var info: MailslotInfo { writer.info }

    /// Ends this writer's waits for room from another thread: ``MailslotWriter/interrupter``.
    public var interrupter: MailslotInterrupter { mutating get { writer.interrupter } }

    /// Gives the lane back. What was written stays.
    public consuming func close() {
        // The end of the scope does it.
    }
}

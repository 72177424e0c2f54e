/// The values of a mailslot, as they come: ``MailslotValueReader/messages()``, ``MailslotSharedReader/messages(as:)``.
///
/// It ends, and throws, as ``MailslotMessages``. A message of another size ends a loop with ``MailslotError/Code/wrongSize``, but not the
/// sequence: begin another loop to go on behind it.
public struct MailslotValueMessages<Value: MailslotValue>: AsyncSequence, Sendable {
    /// A value, with its position, its sender and its origin.
    public typealias Element = MailslotValueMessage<Value>
    /// What reading throws.
    public typealias Failure = MailslotError

    /// The reader whose messages they are.
    public let reader: MailslotSharedReader

    /// For one loop. It shares the reader with the other iterators: a message goes to one of them.
    public func makeAsyncIterator() -> Iterator { Iterator(messages: MailslotMessages(reader).makeAsyncIterator()) }

    /// Takes values, one after the other.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let messages: MailslotMessages.Iterator

        /// The next value, suspending the task until there is one; `nil`: the reader was closed.
        public func next() async throws(MailslotError) -> MailslotValueMessage<Value>? {
            guard let message = try await messages.next() else { return nil }
            return MailslotValueMessage(value: try message.value(named: messages.name), info: message.info)
        }

        /// As ``next()``, on the actor of the caller.
        public func next(isolation actor: isolated (any Actor)?) async throws(MailslotError) -> MailslotValueMessage<Value>? {
            try await next()
        }
    }
}

extension MailslotValueReader {
    /// The values, as they come, for a task. The sequence owns the reader.
    public consuming func messages() -> MailslotValueMessages<Value> { MailslotSharedReader(reader).messages(as: Value.self) }
}

extension MailslotSharedReader {
    /// The next value of a type of fixed layout, suspending the task until there is one; `nil` when the time is up.
    ///
    /// ```swift
    /// if let order = try await orders.read(as: Order.self) { handle(order.value, from: order.info.senderProcessID) }
    /// ```
    ///
    /// - Throws: ``MailslotError/Code/wrongSize`` if the next message has another size; it is gone then. Otherwise as ``read(timeout:)``.
    public func read<Value: MailslotValue>(
        as type: Value.Type, timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot
    ) async throws(MailslotError) -> MailslotValueMessage<Value>? {
        let name = name
        return try await withMessage(timeout: timeout) { bytes, info in message(of: bytes, info, name) }?.get()
    }

    /// The values, as they come, for a loop. Loops and other calls share them.
    public func messages<Value: MailslotValue>(as type: Value.Type) -> MailslotValueMessages<Value> {
        Value.check()
        return MailslotValueMessages(reader: self)
    }
}

// `unsafe` below: a span's bytes could show padding; the type is checked to have none.
extension MailslotSharedWriter {
    /// Writes a value, suspending the task until it is its turn and there is room. Throws as a message's write.
    public func write(_ value: some MailslotValue) async throws(MailslotError) {
        _ = try await write(value, timeout: .forever)
    }

    /// Writes a value, suspending the task until it is its turn and there is room, up to `timeout`.
    ///
    /// - Returns: `.full` if its turn or room did not come in time; nothing was written then.
    public func write<Value: MailslotValue>(
        _ value: Value, timeout: some MailslotTimeoutConvertible
    ) async throws(MailslotError) -> MailslotWriteOutcome {
        Value.check()
        return try await write(unsafe CollectionOfOne(value).span.bytes, timeout: timeout)
    }

    /// Writes a value if there is room, and no task waits for it. Never waits.
    public func tryWrite<Value: MailslotValue>(_ value: Value) throws(MailslotError) -> MailslotWriteOutcome {
        Value.check()
        return try tryWrite(unsafe CollectionOfOne(value).span.bytes)
    }
}

extension MailslotGroup {
    /// Takes a reader of values in: ``MailslotMessage/value(as:)`` makes values of its messages.
    @discardableResult
    public func add<Value: MailslotValue>(_ values: consuming MailslotValueReader<Value>) -> Member { add(values.reader) }
}

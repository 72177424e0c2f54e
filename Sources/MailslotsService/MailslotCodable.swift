public import Mailslots

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Reads a `Codable` type for tasks, one JSON value a message. A fixed layout is faster: `MailslotValueReader`.
public struct MailslotCodableReader<Value: Decodable>: Sendable {
    private let reader: MailslotSharedReader

    /// Owns `reader` from now on.
    public init(_ reader: consuming MailslotReader) { self.reader = MailslotSharedReader(reader) }

    /// The next value, suspending the task until there is one; `nil` when the time is up.
    ///
    /// - Throws: `DecodingError` if the next message is not such a value; the message is gone. Otherwise as the reader's own call.
    public func read(timeout: some MailslotTimeoutConvertible = MailslotTimeout.ofMailslot) async throws -> Value? {
        guard let message = try await reader.read(timeout: timeout) else { return nil }
        return try JSONDecoder().decode(Value.self, from: Data(message))
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo? { reader.info }
}

/// Writes a `Codable` type for tasks, one JSON value a message.
public struct MailslotCodableWriter<Value: Encodable>: Sendable {
    private let writer: MailslotSharedWriter

    /// Owns `writer` from now on.
    public init(_ writer: consuming MailslotWriter) { self.writer = MailslotSharedWriter(writer) }

    /// Writes a value, suspending the task until there is room.
    ///
    /// - Throws: `EncodingError`; or as the writer's own call: `MailslotError.Code.tooLong` if its JSON is longer than the mailslot
    ///   takes, which is 424 bytes unless its reader said otherwise.
    public func write(_ value: Value) async throws { try await writer.write(try JSONEncoder().encode(value)) }

    /// Writes a value, suspending the task until there is room, up to `timeout`.
    public func write(_ value: Value, timeout: some MailslotTimeoutConvertible) async throws -> MailslotWriteOutcome {
        try await writer.write(try JSONEncoder().encode(value), timeout: timeout)
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo? { writer.info }
}

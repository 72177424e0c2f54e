/// The messages of a mailslot, as they come: ``MailslotReader/messages()``.
///
/// ```swift
/// for try await message in try Mailslot.create("orders").messages() {
///     print(message.text)
/// }
/// ```
///
/// It owns the reader, which ends when the sequence and its iterators are gone (``MailslotReader/unreadAtEndOfScope``). Messages stay in
/// the mailslot until they are taken, so a slow loop makes the mailslot full and its writers wait; nothing is buffered in the process.
///
/// It never ends by itself. A cancelled task gets `CancellationError`, and has taken no message more. Damage that a writer did, a
/// ``MailslotError``, ends an iterator but not the sequence: begin another loop to go on behind it.
public struct MailslotMessages: AsyncSequence {
    /// A message, taken out of the mailslot.
    public typealias Element = MailslotMessage
    /// A ``MailslotError``, or `CancellationError`.
    public typealias Failure = any Error

    /// Not Sendable, and so for one task at a time; it may be sent on to another.
    fileprivate final class Owner {
        var reader: MailslotReader
        init(_ reader: consuming MailslotReader) { self.reader = reader }
    }

    private let owner: Owner

    init(_ reader: consuming MailslotReader) { owner = Owner(reader) }

    /// For one loop. It shares the reader with the other iterators: a message goes to one of them.
    public func makeAsyncIterator() -> Iterator { Iterator(owner: owner) }

    /// Takes messages, one after the other.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let owner: Owner

        /// The next message, suspending the task until there is one. Never `nil`.
        ///
        /// - Throws: A ``MailslotError``, or `CancellationError`; no message is taken then.
        public mutating func next() async throws -> MailslotMessage? {
            // For ever: a mailslot's own time-out is for reads that can say that it is up.
            try await owner.reader.read(timeout: .forever)
        }

        /// As ``next()``, on the actor of the caller.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> MailslotMessage? {
            try await owner.reader.read(timeout: .forever)
        }
    }

    /// The mailslot at this moment.
    public var info: MailslotInfo { owner.reader.info }
}

extension MailslotReader {
    /// The mailslot's messages, as they come. The sequence owns the reader.
    public consuming func messages() -> MailslotMessages { MailslotMessages(self) }
}

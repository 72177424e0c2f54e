/// The messages of a mailslot, as they come: ``MailslotReader/messages()``, ``MailslotSharedReader/messages()``.
///
/// ```swift
/// for try await message in try Mailslot.create("orders").messages() {
///     print(message.text)
/// }
/// ```
///
/// The mailslot closes when the sequence, its iterators and whoever else holds the reader are gone
/// (``MailslotReader/unreadAtEndOfScope``). Messages stay in the mailslot until they are taken, so a slow loop makes the mailslot full and
/// its writers wait; nothing is buffered in the process.
///
/// It ends when the reader is closed: ``MailslotSharedReader/close(unread:)``. A cancelled task gets ``MailslotError/Code/cancelled``, and
/// has taken no message more. Damage that a writer did ends a loop but not the sequence: begin another loop to go on behind it.
public struct MailslotMessages: AsyncSequence, Sendable {
    /// A message, taken out of the mailslot.
    public typealias Element = MailslotMessage
    /// What reading throws.
    public typealias Failure = MailslotError

    /// The reader whose messages they are.
    public let reader: MailslotSharedReader

    init(_ reader: MailslotSharedReader) { self.reader = reader }

    /// For one loop. It shares the reader with the other iterators: a message goes to one of them.
    public func makeAsyncIterator() -> Iterator { Iterator(reader: reader) }

    /// Takes messages, one after the other.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let reader: MailslotSharedReader
        var name: String { reader.name }

        /// The next message, suspending the task until there is one; `nil`: the reader was closed.
        ///
        /// - Throws: A ``MailslotError``; no message is taken then.
        public func next() async throws(MailslotError) -> MailslotMessage? {
            do {
                // For ever: a mailslot's own time-out is for reads that can say that it is up.
                return try await reader.read(timeout: .forever)
            } catch {
                if error.code == .notOpen { return nil }
                throw error
            }
        }

        /// As ``next()``, on the actor of the caller.
        public func next(isolation actor: isolated (any Actor)?) async throws(MailslotError) -> MailslotMessage? { try await next() }
    }
}

extension MailslotReader {
    /// The mailslot's messages, as they come, for a task. The sequence owns the reader.
    public consuming func messages() -> MailslotMessages { MailslotSharedReader(self).messages() }
}

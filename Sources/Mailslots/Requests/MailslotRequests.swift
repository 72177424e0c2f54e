/// The requests that come to a server: ``MailslotServer/requests()``.
public struct MailslotRequests: AsyncSequence, Sendable {
    /// A request, to be answered.
    public typealias Element = MailslotRequest
    /// What taking requests throws.
    public typealias Failure = MailslotError

    private let reader: RequestReader

    init(_ reader: RequestReader) { self.reader = reader }

    /// For one loop at a time.
    public func makeAsyncIterator() -> Iterator { Iterator(reader) }

    /// Takes requests, one after the other.
    public struct Iterator: AsyncIteratorProtocol {
        private let reader: RequestReader

        init(_ reader: RequestReader) { self.reader = reader }

        /// The next request, suspending the task until there is one; `nil` after ``MailslotServer/stop()``.
        ///
        /// - Throws: A ``MailslotError``: ``MailslotError/Code/busy`` if something else serves, ``MailslotError/Code/cancelled``. No
        ///   request is taken then.
        public mutating func next() async throws(MailslotError) -> MailslotRequest? {
            try reader.beginServing()
            defer { reader.endServing() }
            while !reader.isStopping {
                try reader.checkCancellation()
                guard case .message(let view) = try await reader.next() else { continue }
                if let request = unsafe reader.take(view) { return request }
            }
            return nil
        }

        /// As ``next()``, on the actor of the caller.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MailslotError) -> MailslotRequest? {
            try await next()
        }
    }
}

/// How calls reach other nodes, and this one. Requests in mailslots are the transport; the tests have one within a process.
protocol NodeTransport: Sendable {
    /// Begins to take calls.
    ///
    /// - Parameter answer: What a call is answered; `host` is where it comes from, `nil` if from this machine. It runs for many calls at
    ///   the same time.
    func serve(_ answer: @escaping @Sendable (_ call: [UInt8], _ host: String?) async -> [UInt8]) throws

    /// Calls a node, and waits for its answer.
    ///
    /// - Throws: `CancellationError`, or a ``MailslotActorError``.
    func call(_ node: MailslotNode, _ call: [UInt8], deadline: ContinuousClock.Instant?) async throws -> [UInt8]

    /// Ends all calls, of others and to others, and takes no more.
    func shutDown()
}

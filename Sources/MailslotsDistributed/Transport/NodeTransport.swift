/// How calls reach other nodes, and this one: by requests in mailslots, and in some tests within one process.
protocol NodeTransport: Sendable {
    /// Begins to take calls.
    ///
    /// - Parameter answer: What a call is answered. It runs for many calls at the same time.
    func serve(_ answer: @escaping @Sendable (IncomingCall) async -> [UInt8]) throws

    /// Calls a node, and waits for its answer.
    ///
    /// - Throws: `CancellationError`, or a ``MailslotActorError``.
    func call(_ node: MailslotNode, _ call: [UInt8], deadline: ContinuousClock.Instant?) async throws -> [UInt8]

    /// Takes no more calls, cancels those that are being answered, and returns when they have ended.
    func shutDown() async

    /// Begins to shut down, and waits for nothing.
    func stop()
}

/// A call as it arrives at a node.
struct IncomingCall: Sendable {
    let bytes: [UInt8]
    /// The host that it comes from; `nil`: this machine.
    var host: String?
    /// When the caller gives up; `nil`: never.
    var deadline: ContinuousClock.Instant?
}

public import Distributed
public import Mailslots
internal import Synchronization

/// Distributed actors whose calls are requests in mailslots.
///
/// ```swift
/// distributed actor Exchange {
///     typealias ActorSystem = MailslotActorSystem
///     distributed func price(of share: String) throws -> Int { … }
/// }
///
/// // The process that has it:
/// let system = try MailslotActorSystem(node: "market")
/// let exchange = try system.named("exchange") { Exchange(actorSystem: system) }
///
/// // Any other:
/// let system = try MailslotActorSystem()
/// let exchange = try Exchange.resolve(id: MailslotActorID("exchange@market"), using: system)
/// let price = try await exchange.price(of: "ACME")
/// ```
///
/// A system is one node: it has a mailslot, `actors/market`, in which it takes calls. Its actors can be called while somebody in their
/// process holds them, as the language says; the system holds none. Calls of an actor of the same system are the language's own, and
/// nothing is encoded.
///
/// A call arrives at most once. It ends with the result, with what the actor threw, with a ``MailslotActorError`` that says why there is
/// neither, or with `CancellationError`. A node that dies fails its calls at once; one that is stopped holds them up until their
/// ``deadline``. Many calls of a node run at the same time, and each actor takes one after the other.
///
/// It may be used by any thread and task. After `fork` a child makes a system of its own.
public final class MailslotActorSystem: DistributedActorSystem {
    /// An actor's name and node.
    public typealias ActorID = MailslotActorID
    /// Records calls.
    public typealias InvocationEncoder = MailslotInvocationEncoder
    /// Takes calls apart.
    public typealias InvocationDecoder = MailslotInvocationDecoder
    /// Takes results.
    public typealias ResultHandler = MailslotResultHandler
    /// Arguments and results are `Codable`.
    public typealias SerializationRequirement = any Codable

    /// When the calls of this task end without an answer, by ``MailslotActorError/Code/deadlineExceeded``. `nil`, the default: never.
    ///
    /// ```swift
    /// let price = try await MailslotActorSystem.$deadline.withValue(.now + .milliseconds(50)) {
    ///     try await exchange.price(of: "ACME")
    /// }
    /// ```
    @TaskLocal public static var deadline: ContinuousClock.Instant?

    /// The name that the next actor of the task gets.
    @TaskLocal private static var chosenName: ChosenName?

    /// This system's own node.
    public let node: MailslotNode

    private let registry = ActorRegistry()
    private let transport: any NodeTransport
    private let counts = ActorCounts()
    private let resigned = Locked<(@Sendable (MailslotActorID) -> Void)?>(nil)

    init(node: MailslotNode, transport: any NodeTransport) throws {
        self.node = node
        self.transport = transport
        try transport.serve { [weak self] call in
            guard let self else {
                return CBOROutput.refusal(MailslotActorError(.shutDown, "The node is shutting down.", cure: "Call another one."))
            }
            return await answer(call)
        }
    }

    /// A system with a node of its own.
    ///
    /// - Parameters:
    ///   - node: The node's name, by which other processes find it: 1 to 32 letters, digits, `.`, `_`, `-`, `~`, not `~` first. `nil`: one
    ///     that no other has, for a process that only calls, or sends its actors to those who call them back.
    ///   - limits: How much it takes.
    ///   - permissions: Who may call, and answer.
    ///   - trust: Whose nodes are called and answered.
    ///   - acceptsRemoteCalls: Whether nodes of other machines may call its actors and be called, by the bridge.
    ///   - executor: The thread that takes calls, and on which the actors run that name no executor of their own. `nil`: Swift's pool.
    ///   - polling: How long it polls for calls and answers before it sleeps. A call takes some 15 µs, and where both ends sleep through it
    ///     that becomes 100 µs and more: so it polls for 20 µs, the longest that a task does, each time.
    /// - Throws: A `MailslotError`: `alreadyExists` if another process has the node, and what creating a mailslot throws. A
    ///   ``MailslotActorError``, ``MailslotActorError/Code/badName``.
    public convenience init(
        node: String? = nil, limits: Limits = Limits(), permissions: Mailslot.Permissions = .owner,
        trusting trust: Mailslot.Trust = .sameUser,
        acceptsRemoteCalls: Bool = false, executor: MailslotExecutor? = nil, polling: Mailslot.Polling = .upTo(.microseconds(20))
    ) throws {
        let node = try node.map { name throws(MailslotActorError) in try MailslotNode(ofProgram: name) } ?? .withoutName()
        let transport = try RequestTransport(
            node, limits: limits, permissions: permissions, trusting: trust, acceptsRemoteCalls: acceptsRemoteCalls, executor: executor,
            polling: polling)
        try self.init(node: node, transport: transport)
    }

    deinit { transport.stop() }

    /// Ends the node: its name is free when this returns. The tasks of calls that its actors are answering are cancelled, and waited for;
    /// their callers get ``MailslotActorError/Code/nodeEnded``. Without it the node ends when nobody holds the system any more.
    public func shutDown() async { await transport.shutDown() }

    /// What it has done so far.
    public var counters: MailslotActorCounters { counts.now }

    // MARK: actors of this node

    /// Makes an actor that has a name, by which other processes find it.
    ///
    /// The name is the actor's until it is gone. An actor that is made otherwise gets a name that no other ever has; it is called by those
    /// to whom it was sent.
    ///
    /// - Throws: What `make` throws; a ``MailslotActorError``, ``MailslotActorError/Code/nameTaken`` or
    ///   ``MailslotActorError/Code/badName``.
    public func named<Act: DistributedActor>(_ name: String, _ make: () throws -> Act) throws -> Act
    where Act.ActorSystem == MailslotActorSystem {
        let chosen = try choose(name)
        defer { discard(chosen) }
        return try Self.$chosenName.withValue(chosen, operation: make)
    }

    /// As the other ``named(_:_:)``, for an actor whose initializer is asynchronous.
    public func named<Act: DistributedActor>(_ name: String, _ make: () async throws -> Act) async throws -> Act
    where Act.ActorSystem == MailslotActorSystem {
        let chosen = try choose(name)
        defer { discard(chosen) }
        return try await Self.$chosenName.withValue(chosen, operation: make)
    }

    private func choose(_ name: String) throws(MailslotActorError) -> ChosenName {
        _ = try MailslotActorID(name, on: node)
        guard registry.reserve(name) else {
            throw MailslotActorError(
                .nameTaken, "The node \(node) has an actor of the name \(name.shortened).", cure: "End that one, or choose another name.")
        }
        return ChosenName(name, self)
    }

    private func discard(_ chosen: ChosenName) {
        if let unused = chosen.take(by: self) { registry.remove(unused) }
    }

    /// Gives an actor its id. The compiler calls it.
    public func assignID<Act: DistributedActor>(_ actorType: Act.Type) -> MailslotActorID where Act.ID == MailslotActorID {
        MailslotActorID(unchecked: Self.chosenName?.take(by: self) ?? registry.reserveAny(), node)
    }

    /// Takes an actor that can be called from now on. The compiler calls it.
    public func actorReady<Act: DistributedActor>(_ actor: Act) where Act.ID == MailslotActorID {
        registry.set(actor, for: actor.id.name)
    }

    /// Forgets an actor that is gone. The compiler calls it.
    public func resignID(_ id: MailslotActorID) {
        registry.remove(id.name)
        resigned.withLock { $0 }?(id)
    }

    /// Has the receptionist told of actors that are gone.
    func onResign(_ body: (@Sendable (MailslotActorID) -> Void)?) { resigned.withLock { $0 = body } }

    /// The actor, if it is of this node; `nil`, which makes a reference to it, if it is of another one. The compiler calls it, for
    /// `Exchange.resolve(id:using:)`, which asks nobody: whether another node has the actor, a call tells.
    ///
    /// - Throws: A ``MailslotActorError``: ``MailslotActorError/Code/noSuchActor`` or ``MailslotActorError/Code/wrongType``, of an actor of
    ///   this node.
    public func resolve<Act: DistributedActor>(id: MailslotActorID, as actorType: Act.Type) throws -> Act? where Act.ID == MailslotActorID {
        guard id.node == node else { return nil }
        let actor = try find(id.name).actor
        guard let typed = actor as? Act else { throw wrongType(id.name) }
        return typed
    }

    private func find(_ name: String) throws(MailslotActorError) -> ActorRegistry.Found {
        if let found = registry.find(name) { return found }
        throw MailslotActorError(
            .noSuchActor, "The node \(node) has no actor of the name \(name.shortened): it is gone, or was never there.",
            cure: "Look it up again; the node must hold the actors that it serves.")
    }

    private func wrongType(_ name: String) -> MailslotActorError {
        MailslotActorError(
            .wrongType, "The actor \(name.shortened) of the node \(node) is of another type.", cure: "Resolve it as the type that it has.")
    }

    /// A node that a message from a host names, as it is named here.
    func asSeenHere(_ node: MailslotNode, from host: String?) -> MailslotNode {
        guard let host, node.host == nil else { return node }
        return (try? MailslotNode(name: node.name, host: host)) ?? node
    }

    // MARK: calls to others

    /// Makes what records a call. The compiler calls it.
    public func makeInvocationEncoder() -> MailslotInvocationEncoder {
        MailslotInvocationEncoder(context: ActorCodingContext(system: self))
    }

    /// Calls an actor of another node. The compiler calls it.
    public func remoteCall<Act: DistributedActor, Err: Error, Res: Codable>(
        on actor: Act, target: RemoteCallTarget, invocation: inout MailslotInvocationEncoder, throwing: Err.Type, returning: Res.Type
    ) async throws -> Res where Act.ID == MailslotActorID {
        var answer = try await answer(of: actor.id, target, invocation)
        return try answer.result(Res.self)
    }

    /// Calls an actor of another node that returns nothing. The compiler calls it.
    public func remoteCallVoid<Act: DistributedActor, Err: Error>(
        on actor: Act, target: RemoteCallTarget, invocation: inout MailslotInvocationEncoder, throwing: Err.Type
    ) async throws where Act.ID == MailslotActorID {
        var answer = try await answer(of: actor.id, target, invocation)
        try answer.nothing()
    }

    private func answer(of id: MailslotActorID, _ target: RemoteCallTarget, _ invocation: MailslotInvocationEncoder) async throws -> Answer
    {
        counts.made.add(1, ordering: .relaxed)  // a number alone
        let bytes = try await transport.call(id.node, invocation.call(id.name, target), deadline: Self.deadline)
        return Answer(bytes, context: ActorCodingContext(system: self, senderHost: id.node.host))
    }

    // MARK: calls of others

    private func answer(_ call: IncomingCall) async -> [UInt8] {
        do {
            let answer = try await execute(call)
            counts.served.add(1, ordering: .relaxed)
            return answer
        } catch {
            counts.refused.add(1, ordering: .relaxed)
            return CBOROutput.refusal(error)
        }
    }

    private func execute(_ call: IncomingCall) async throws(MailslotActorError) -> [UInt8] {
        let context = ActorCodingContext(system: self, senderHost: call.host)
        let input = CBORInput(call.bytes, context: context)
        var position = 0
        let header: CallHeader
        do { header = try CallHeader(from: input, at: &position) } catch {
            throw MailslotActorError(
                .notUnderstood, "The call is not understood: \(error.codingReason).",
                cure: "Build caller and node with one version of Mailslots."
            )
        }
        let found = try find(header.actorName)
        guard let typeContext = found.context else {
            throw MailslotActorError(
                .noSuchMethod, "The type \(type(of: found.actor)) cannot be called from elsewhere: its methods have no name that tells.",
                cure: "Make it internal or public, outside of functions.")
        }
        guard MangledName.isMember(header.target, of: typeContext) else { throw wrongType(header.actorName) }
        var decoder = MailslotInvocationDecoder(input, at: position, substitutions: header.substitutions)
        let handler = MailslotResultHandler(context: context)
        do {
            let target = RemoteCallTarget(header.target)
            if let deadline = call.deadline {
                // What the actor calls in turn is of no use later.
                try await Self.$deadline.withValue(deadline) {
                    try await executeDistributedTarget(on: found.actor, target: target, invocationDecoder: &decoder, handler: handler)
                }
            } else {
                try await executeDistributedTarget(on: found.actor, target: target, invocationDecoder: &decoder, handler: handler)
            }
        } catch let error as MailslotActorError {
            throw error
        } catch {
            throw MailslotActorError(
                .noSuchMethod, "The node's program cannot call the method: \(error).", cure: "Build caller and node from one source.")
        }
        if let refusal = decoder.refusal { throw refusal }
        guard let answer = handler.answer else {
            throw MailslotActorError(.badResult, "The method ended without a result.", cure: "Build the node anew.")
        }
        return answer
    }
}

extension MailslotActorSystem {
    /// How much a node takes.
    public struct Limits: Sendable, Hashable {
        /// The longest call in bytes: the arguments, and some 100 bytes for whom and what it calls.
        public var callSize: Int
        /// The longest result in bytes.
        public var answerSize: Int
        /// How many calls it answers at the same time, at least 1. Further ones wait in its mailslot.
        public var callsAtATime: Int
        /// How many other nodes it has open at the same time, at least 2.
        public var nodes: Int

        /// By default calls and results of 64 KiB. What is longer than 392 bytes costs memory in the mailslot when it is first sent.
        public init(callSize: Int = 65_536, answerSize: Int = 65_536, callsAtATime: Int = 1024, nodes: Int = 256) {
            self.callSize = callSize
            self.answerSize = answerSize
            self.callsAtATime = callsAtATime
            self.nodes = nodes
        }
    }
}

/// A name for the next actor, which takes it once.
private final class ChosenName: Sendable {
    private let name: String
    private let system: ObjectIdentifier
    private let isTaken = Atomic(false)

    init(_ name: String, _ system: MailslotActorSystem) {
        self.name = name
        self.system = ObjectIdentifier(system)
    }

    /// The name, for the first that asks; an actor of another system does not get it.
    func take(by system: MailslotActorSystem) -> String? {
        guard ObjectIdentifier(system) == self.system else { return nil }
        // Nothing else is handed over with it.
        return isTaken.exchange(true, ordering: .relaxed) ? nil : name
    }
}

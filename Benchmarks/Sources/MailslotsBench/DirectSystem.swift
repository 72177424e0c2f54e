import Distributed
import Synchronization

/// A distributed actor system that goes nowhere: a call is encoded, decoded and executed in the same task. What is left is what the
/// language itself takes of a call.
final class DirectSystem: DistributedActorSystem {
    typealias ActorID = Int
    typealias InvocationEncoder = Call
    typealias InvocationDecoder = Call
    typealias SerializationRequirement = any Codable

    /// One argument and one result, both an Int.
    struct Call: DistributedTargetInvocationEncoder, DistributedTargetInvocationDecoder {
        typealias SerializationRequirement = any Codable
        private var argument: [UInt8] = []

        mutating func recordGenericSubstitution<T>(_ type: T.Type) throws {}
        mutating func recordArgument<Value: Codable>(_ argument: RemoteCallArgument<Value>) throws {
            withUnsafeBytes(of: argument.value) { self.argument = [UInt8]($0) }
        }
        mutating func recordErrorType<E: Error>(_ type: E.Type) throws {}
        mutating func recordReturnType<R: Codable>(_ type: R.Type) throws {}
        mutating func doneRecording() throws {}
        mutating func decodeGenericSubstitutions() throws -> [any Any.Type] { [] }
        mutating func decodeNextArgument<Argument: Codable>() throws -> Argument {
            argument.withUnsafeBytes { $0.loadUnaligned(as: Int.self) } as! Argument
        }
        mutating func decodeErrorType() throws -> (any Any.Type)? { nil }
        mutating func decodeReturnType() throws -> (any Any.Type)? { nil }
    }

    final class ResultHandler: DistributedTargetInvocationResultHandler, @unchecked Sendable {
        typealias SerializationRequirement = any Codable
        // Sound: set before the execution returns, read after it.
        private(set) var result: Any?
        func onReturn<Success: Codable>(value: Success) async throws { result = value }
        func onReturnVoid() async throws {}
        func onThrow<Err: Error>(error: Err) async throws { fatalError("\(error)") }
    }

    private let actors = Mutex<[Int: any DistributedActor]>([:])

    func resolve<Act: DistributedActor>(id: Int, as actorType: Act.Type) -> Act? where Act.ID == Int { nil }
    func assignID<Act: DistributedActor>(_ actorType: Act.Type) -> Int where Act.ID == Int { 1 }
    func actorReady<Act: DistributedActor>(_ actor: Act) where Act.ID == Int { actors.withLock { $0[actor.id] = actor } }
    func resignID(_ id: Int) {}
    func makeInvocationEncoder() -> Call { Call() }

    func remoteCall<Act: DistributedActor, Err: Error, Res: Codable>(
        on actor: Act, target: RemoteCallTarget, invocation: inout Call, throwing: Err.Type, returning: Res.Type
    ) async throws -> Res where Act.ID == Int {
        let handler = ResultHandler()
        let local = actors.withLock { $0[actor.id]! }
        try await executeDistributedTarget(on: local, target: target, invocationDecoder: &invocation, handler: handler)
        return handler.result as! Res
    }

    func remoteCallVoid<Act: DistributedActor, Err: Error>(
        on actor: Act, target: RemoteCallTarget, invocation: inout Call, throwing: Err.Type
    ) async throws where Act.ID == Int {
        fatalError("nothing here returns nothing")
    }
}

public import Distributed
internal import Mailslots

/// What a call takes along: the compiler records it, one argument after the other. Not for use by hand.
public struct MailslotInvocationEncoder: DistributedTargetInvocationEncoder {
    /// Arguments and results are `Codable`.
    public typealias SerializationRequirement = any Codable

    private let arguments = CBOROutput(reserving: 128)
    private var substitutions: [String] = []
    private let context: ActorCodingContext

    init(context: ActorCodingContext) { self.context = context }

    /// Records what a generic parameter stands for.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badArguments``, if the type has no name that another process finds.
    public mutating func recordGenericSubstitution<T>(_ type: T.Type) throws {
        guard let name = _mangledTypeName(type), !name.utf8.contains(UInt8(ascii: "$")) else {
            throw MailslotActorError(
                .badArguments, "No other process finds the type \(type).", cure: "Make it internal or public, outside of functions.")
        }
        substitutions.append(name)
    }

    /// Records an argument.
    ///
    /// - Throws: What its type throws, or `EncodingError`.
    public mutating func recordArgument<Value: Codable>(_ argument: RemoteCallArgument<Value>) throws {
        try ValueEncoder.encode(argument.value, to: arguments, context: context)
    }

    /// Records nothing: an error says its type itself.
    public mutating func recordErrorType<Failure: Error>(_ type: Failure.Type) throws {}
    /// Records nothing: the caller knows what it expects.
    public mutating func recordReturnType<Result: Codable>(_ type: Result.Type) throws {}
    /// Does nothing.
    public mutating func doneRecording() throws {}

    /// The whole call.
    func call(_ actorName: String, _ target: RemoteCallTarget) -> [UInt8] {
        let call = CBOROutput(reserving: 32 + actorName.utf8.count + target.identifier.utf8.count + arguments.bytes.count)
        CallHeader(actorName: actorName, target: target.identifier, substitutions: substitutions).write(to: call)
        call.append(arguments)
        return call.bytes
    }
}

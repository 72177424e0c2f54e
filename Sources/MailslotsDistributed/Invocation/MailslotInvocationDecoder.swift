public import Distributed
internal import Mailslots

/// What a call brought, which the runtime asks for, one argument after the other. Not for use by hand.
public final class MailslotInvocationDecoder: DistributedTargetInvocationDecoder {
    /// Arguments and results are `Codable`.
    public typealias SerializationRequirement = any Codable

    private let input: CBORInput
    private var position: Int
    private let substitutions: [String]
    /// Why the call did not come to the actor. The runtime hands such an error to the result handler, as if the actor had thrown it.
    private(set) var refusal: MailslotActorError?

    init(_ input: CBORInput, at position: Int, substitutions: [String]) {
        self.input = input
        self.position = position
        self.substitutions = substitutions
    }

    /// The types that generic parameters stand for.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badArguments``, if this program has no such type.
    public func decodeGenericSubstitutions() throws -> [any Any.Type] {
        try substitutions.map { name in
            if let type = _typeByName(name) { return type }
            throw refuse("The node's program has no type \(name.shortened).", cure: "Build caller and node from one source.")
        }
    }

    /// The next argument.
    ///
    /// - Throws: A ``MailslotActorError``, ``MailslotActorError/Code/badArguments``.
    public func decodeNextArgument<Argument: Codable>() throws -> Argument {
        do {
            return try ValueDecoder.decode(Argument.self, from: input, at: &position)
        } catch {
            throw refuse(
                "An argument is no \(Argument.self): \(error.codingReason).",
                cure: "Caller and node have different versions of the type: add fields as optionals, or build both anew.")
        }
    }

    private func refuse(_ cause: String, cure: String) -> MailslotActorError {
        let error = MailslotActorError(.badArguments, cause, cure: cure)
        refusal = error
        return error
    }

    /// `nil`: nothing is recorded.
    public func decodeErrorType() throws -> (any Any.Type)? { nil }
    /// `nil`: nothing is recorded.
    public func decodeReturnType() throws -> (any Any.Type)? { nil }
}

internal import Mailslots

/// What came back.
struct Answer {
    private let input: CBORInput
    private var position = 0

    init(_ bytes: [UInt8], context: ActorCodingContext) {
        input = CBORInput(bytes, context: context)
    }

    /// The result, or the error that was thrown.
    mutating func result<Result: Codable>(_ type: Result.Type) throws -> Result {
        guard try kind() == .result else { throw notUnderstood("there is no result, where one was expected") }
        do {
            return try ValueDecoder.decode(type, from: input, at: &position)
        } catch {
            throw MailslotActorError(
                .badResult, "The result is no \(type): \(error.codingReason).",
                cure: "Caller and node have different versions of the type: add fields as optionals, or build both anew.")
        }
    }

    /// That there is no result, or the error that was thrown.
    mutating func nothing() throws {
        guard try kind() == .nothing else { throw notUnderstood("there is a result, where none was expected") }
    }

    /// Throws the error, if there is one.
    private mutating func kind() throws -> AnswerKind {
        let error: any Error
        do {
            let version: UInt64 = try input.integer(at: &position)
            let number: UInt64 = try input.integer(at: &position)
            guard version == CallFormat.version, let kind = AnswerKind(rawValue: number) else {
                throw CBORInput.Malformed(reason: "its version is \(version), its kind \(number)")
            }
            switch kind {
            case .result, .nothing: return kind
            case .codableError: error = try codableError()
            case .describedError:
                error = MailslotActorError(
                    .thrown, "The actor threw an error: \(try input.text(at: &position)).",
                    cure: "Make its type Codable, and it comes as itself.")
            case .refusal:
                let number: UInt8 = try input.integer(at: &position)
                let text = try input.text(at: &position)
                error = MailslotActorError(MailslotActorError.Code(number: number) ?? .notUnderstood, description: text)
            }
        } catch {
            throw notUnderstood(error.codingReason)
        }
        throw error
    }

    private mutating func codableError() throws(CBORInput.Malformed) -> any Error {
        let name = try input.text(at: &position)
        guard name.utf8.count <= CallFormat.longestMangledName else { throw CBORInput.Malformed(reason: "a mangled name is too long") }
        func decode<Failure: Error & Codable>(_ type: Failure.Type) -> (any Error)? {
            try? ValueDecoder.decode(type, from: input, at: &position)
        }
        if let type = _typeByName(name) as? any (Error & Codable).Type, let error = decode(type) { return error }
        return MailslotActorError(
            .thrown, "The actor threw an error of the type \(name.shortened), which this program lacks or has otherwise.",
            cure: "Build caller and node from one source.")
    }

    private func notUnderstood(_ reason: String) -> MailslotActorError {
        MailslotActorError(
            .notUnderstood, "The node's answer is not understood: \(reason).", cure: "Build caller and node with one version of Mailslots.")
    }
}

public import Distributed
internal import Mailslots

/// Takes what a call returned or threw, for the answer. Not for use by hand.
public final class MailslotResultHandler: DistributedTargetInvocationResultHandler {
    /// Arguments and results are `Codable`.
    public typealias SerializationRequirement = any Codable

    private let context: ActorCodingContext
    /// The answer; `nil` until there is one.
    private(set) var answer: [UInt8]?

    init(context: ActorCodingContext) { self.context = context }

    private func answer(_ kind: AnswerKind, _ write: (CBOROutput) throws -> Void) rethrows {
        let output = CBOROutput(answer: kind)
        try write(output)
        answer = output.bytes
    }

    /// Takes a result.
    public func onReturn<Success: Codable>(value: Success) async throws {
        do {
            try answer(.result) { output throws in try ValueEncoder.encode(value, to: output, context: context) }
        } catch {
            throw MailslotActorError(
                .badResult, "The result does not encode: \(error.codingReason).", cure: "Mend the type \(Success.self).")
        }
    }

    /// Takes that there is no result.
    public func onReturnVoid() async throws { answer(.nothing) { _ in } }

    /// Takes an error: a `Codable` one whole, of another one its description.
    public func onThrow<Failure: Error>(error: Failure) async throws {
        if let codable = error as? any Error & Codable, let name = _mangledTypeName(type(of: codable)),
            (try? answer(
                .codableError,
                {
                    $0.write(name)
                    try ValueEncoder.encode(codable, to: $0, context: context)
                })) != nil
        {
            return
        }
        answer(.describedError) { $0.write("\(error)".cut(to: CallFormat.longestDescription)) }
    }
}

extension CBOROutput {
    convenience init(answer kind: AnswerKind) {
        self.init(reserving: 64)
        write(.unsigned, CallFormat.version)
        write(.unsigned, kind.rawValue)
    }

    /// The answer that nothing was called, or that its result cannot be sent.
    static func refusal(_ error: MailslotActorError) -> [UInt8] {
        let output = CBOROutput(answer: .refusal)
        output.write(.unsigned, UInt64(error.code.number))
        output.write(error.description.cut(to: CallFormat.longestDescription))
        return output.bytes
    }
}

extension String {
    /// Its beginning, of so many bytes at most.
    func cut(to size: Int) -> String {
        guard utf8.count > size else { return self }
        return String(decoding: utf8.prefix(size - 3), as: UTF8.self).trimmingReplacement + "…"
    }

    /// Without the half of a character at its end.
    private var trimmingReplacement: String { last == "\u{FFFD}" ? String(dropLast()) : self }
}

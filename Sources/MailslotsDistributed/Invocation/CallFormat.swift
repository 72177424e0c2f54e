internal import Mailslots

// A call and its answer, each a sequence of CBOR values (RFC 8742).
//
//     call      version, actor's name, target, number of generic substitutions, their mangled names, the arguments
//     answer    version, kind, and by kind: 0 the result; 1 nothing; 2 an error's mangled type name and the error;
//               3 the description of an error that is not Codable; 4 the number of a code and a description: nothing was called
//
// The target is the mangled name of the method, as the compiler gives it.

enum CallFormat {
    static let version: UInt64 = 1
    /// The longest mangled name that is looked up.
    static let longestMangledName = 4096
    /// The most generic substitutions of a call.
    static let maximumSubstitutions = 32
    /// Of the description of an error, so that it fits into most messages: bytes.
    static let longestDescription = 256
}

enum AnswerKind: UInt64 {
    case result, nothing, codableError, describedError, refusal
}

/// What a call says before its arguments.
struct CallHeader {
    let actorName: String
    let target: String
    let substitutions: [String]

    func write(to output: CBOROutput) {
        output.write(.unsigned, CallFormat.version)
        output.write(actorName)
        output.write(target)
        output.write(.unsigned, UInt64(substitutions.count))
        for substitution in substitutions { output.write(substitution) }
    }

    init(actorName: String, target: String, substitutions: [String]) {
        self.actorName = actorName
        self.target = target
        self.substitutions = substitutions
    }

    /// Reads it, and goes on behind it, where the arguments are.
    init(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) {
        let version: UInt64 = try input.integer(at: &position)
        guard version == CallFormat.version else {
            throw CBORInput.Malformed(reason: "its version is \(version), and this process speaks \(CallFormat.version)")
        }
        actorName = try input.text(at: &position)
        target = try input.text(at: &position)
        let count: Int = try input.integer(at: &position)
        guard (0...CallFormat.maximumSubstitutions).contains(count) else {
            throw CBORInput.Malformed(reason: "it has \(count) generic substitutions")
        }
        var substitutions: [String] = []
        for _ in 0..<count { substitutions.append(try input.text(at: &position)) }
        self.substitutions = substitutions
        guard ([target] + substitutions).allSatisfy({ $0.utf8.count <= CallFormat.longestMangledName }) else {
            throw CBORInput.Malformed(reason: "a mangled name has more than \(CallFormat.longestMangledName) bytes")
        }
    }
}

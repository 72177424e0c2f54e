extension Error {
    /// What is wrong, in one line: of an error of Codable without the value, which may be long and is nobody else's.
    package var codingReason: String {
        if case .invalidValue(_, let context)? = self as? EncodingError { return context.debugDescription }
        switch self as? DecodingError {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context), .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return context.debugDescription + (path.isEmpty ? "" : ", in \(path)")
        default: return (self as? CBORInput.Malformed)?.reason ?? "\(self)"
        }
    }
}

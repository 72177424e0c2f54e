extension Error {
    /// Of an error of Codable, in one line.
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

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Of an array of characters that ends with a zero.
func text<Characters: BitwiseCopyable>(of characters: Characters) -> String {
    // Sound: the bytes are characters, and are copied.
    unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// A text for C, which stays where it is.
@safe
final class CText: Sendable {
    let string: String
    /// Sound: nobody writes it.
    nonisolated(unsafe) let pointer: UnsafePointer<CChar>

    init(_ string: String) {
        self.string = string
        guard let copy = unsafe strdup(string) else { fatalError("There is no memory for a text of \(string.utf8.count) bytes.") }
        unsafe pointer = UnsafePointer(copy)
    }

    deinit { unsafe free(UnsafeMutablePointer(mutating: pointer)) }
}

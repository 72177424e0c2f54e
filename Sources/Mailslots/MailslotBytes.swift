/// What can be written as a message: text, of which the UTF-8 is written, or bytes.
///
/// ```swift
/// try out.write("hello")
/// try out.write([1, 2, 3])
/// try out.write(line.dropFirst())
/// try out.write(data.bytes)  // of Foundation's Data; with MailslotsService also the Data itself
/// ```
///
/// Texts and arrays of the standard library are such, their slices and spans, and a ``MailslotMessage``, to hand it on. The bytes are
/// copied once, into the mailslot, and nothing is allocated. A type of your own needs one method; of SwiftNIO's `ByteBuffer`, say:
///
/// ```swift
/// extension ByteBuffer: @retroactive MailslotBytes {
///     public func withMessageBytes<Result: ~Copyable, Failure: Error>(
///         _ body: (RawSpan) throws(Failure) -> Result
///     ) throws(Failure) -> Result {
///         try body(readableBytesSpan)
///     }
/// }
/// ```
///
/// The other way, `[UInt8](message)`, `Data(message)` and `ByteBuffer(bytes: message)` copy once.
public protocol MailslotBytes: ~Copyable, ~Escapable {
    /// Calls `body` once with the bytes of the message, in place.
    ///
    /// - Throws: What `body` throws.
    func withMessageBytes<Result: ~Copyable, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result
}

// `unsafe` below: a span's bytes could show padding; a UInt8 has none.

extension String: MailslotBytes {
    /// Calls `body` with the UTF-8 of the text.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe utf8.span.bytes)
    }
}

extension Substring: MailslotBytes {
    /// Calls `body` with the UTF-8 of the text.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe utf8.span.bytes)
    }
}

extension StaticString: MailslotBytes {
    /// Calls `body` with the UTF-8 of the text.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Sound: what is static stays.
        if hasPointerRepresentation { return try body(unsafe RawSpan(_unsafeStart: utf8Start, byteCount: utf8CodeUnitCount)) }
        return try String(unicodeScalar).withMessageBytes(body)
    }
}

extension Array: MailslotBytes where Element == UInt8 {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe span.bytes)
    }
}

extension ContiguousArray: MailslotBytes where Element == UInt8 {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe span.bytes)
    }
}

extension ArraySlice: MailslotBytes where Element == UInt8 {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe span.bytes)
    }
}

extension InlineArray: MailslotBytes where Element == UInt8 {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe span.bytes)
    }
}

extension Span: MailslotBytes where Element == UInt8 {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe bytes)
    }
}

extension RawSpan: MailslotBytes {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(self)
    }
}

extension MailslotMessage: MailslotBytes {
    /// Calls `body` with the bytes.
    @inlinable
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withBytes(body)
    }
}

extension [UInt8] {
    /// A copy of bytes that do not stay, or that another process may change.
    package init(copying bytes: RawSpan) {
        // Sound: copied at once.
        self = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

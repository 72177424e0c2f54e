/// A request of a type of its own, with an answer of a type of its own.
///
/// ```swift
/// struct Quote: MailslotTypedRequest, MailslotValue {
///     typealias Answer = Price
///     static let requestType = MailslotRequestType("quote", version: 1)
///     var instrument: UInt64
/// }
///
/// struct Price: MailslotValue {
///     var cents: Int64
/// }
///
/// let price = try await prices.call(Quote(instrument: 7))
/// ```
///
/// Both are values of fixed layout, ``MailslotValue``, and go as their bytes; or both are `Codable`, and go as CBOR. A server that has no
/// handler for the type, or for another version, says so to the caller.
public protocol MailslotTypedRequest: Sendable {
    /// What answers it.
    associatedtype Answer: Sendable
    /// By which a server knows it. The same on both sides, and another for each type of request that a server answers.
    static var requestType: MailslotRequestType { get }
}

/// The name and version of a type of request.
public struct MailslotRequestType: Sendable, Hashable, CustomStringConvertible {
    /// Its name: any text.
    public let name: String
    /// Counts up when its layout changes, or that of its answer.
    public let version: UInt16
    /// What goes in place of the name: 32 bits of FNV-1a of its UTF-8.
    let number: UInt32

    /// A type of this name. Make it once, in a `static let`.
    public init(_ name: String, version: UInt16 = 1) {
        self.name = name
        self.version = version
        number = name.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }

    /// `quote, version 1`
    public var description: String { "\(name), version \(version)" }

    /// - Parameter coding: How its bytes are made.
    func tag(_ coding: RequestCoding) -> RequestHeader.TypeTag {
        RequestHeader.TypeTag(type: number, version: version, coding: coding.rawValue)
    }
}

/// How the bytes of a typed request and its answer are made.
enum RequestCoding: UInt16 {
    /// A ``MailslotValue``.
    case value = 1
    /// Any `Codable` type, as CBOR.
    case codable = 2
}

extension RequestHeader.TypeTag {
    /// - Throws: A ``Refusal`` of a request that is not of this type.
    func check(_ other: Self?) throws(Refusal) {
        if other == self { return }
        guard let other else { throw Refusal(code: .unknownType, reason: "It says none.") }
        guard other.type == type else { throw Refusal(code: .unknownType, reason: "") }
        guard other.coding == coding else {
            throw Refusal(code: .unknownType, reason: "One side sends it as a MailslotValue, the other as a Codable type.")
        }
        throw Refusal(code: .otherVersion, reason: "It is version \(other.version); the server has version \(version).")
    }
}

extension MailslotCaller {
    /// Sends a value, and waits for the value that answers it. Blocks the thread.
    ///
    /// - Throws: As the call that sends bytes, and ``MailslotCallError/Code/unknownType``, ``MailslotCallError/Code/otherVersion``,
    ///   ``MailslotCallError/Code/undecodableRequest``, ``MailslotCallError/Code/undecodableAnswer``.
    public func call<Request: MailslotTypedRequest & MailslotValue>(
        _ request: Request, timeout: MailslotTimeout? = nil, retrying id: MailslotCallID? = nil
    ) throws(MailslotCallError) -> Request.Answer where Request.Answer: MailslotValue {
        let terms = Terms(timeout, isRemote, id, type: Request.requestType.tag(.value))
        // `unsafe`: the type has no padding, as whoever made it a value says.
        var answer: Request.Answer?
        try call(unsafe CollectionOfOne(request).span.bytes, terms) { bytes, _ throws(Refusal) in answer = try decoded(bytes) }
        return answer!
    }

    /// Sends a value, and waits for the value that answers it. Suspends the task.
    ///
    /// - Throws: As the call that blocks, and ``MailslotCallError/Code/cancelled``.
    public func call<Request: MailslotTypedRequest & MailslotValue>(
        _ request: Request, timeout: MailslotTimeout? = nil, retrying id: MailslotCallID? = nil
    ) async throws(MailslotCallError) -> Request.Answer where Request.Answer: MailslotValue {
        let terms = Terms(timeout, isRemote, id, type: Request.requestType.tag(.value))
        // `unsafe`: as above.
        var answer: Request.Answer?
        try await call(unsafe CollectionOfOne(request).span.bytes, terms) { bytes, _ throws(Refusal) in answer = try decoded(bytes) }
        return answer!
    }
}

extension MailslotServer {
    /// Answers requests of one type, one after the other, until ``stop()``. Blocks the thread.
    ///
    /// - Parameters:
    ///   - type: The type of request. Others are refused, and counted.
    ///   - handler: Returns the answer. What it throws the caller gets as ``MailslotCallError/Code/failed``.
    /// - Throws: As `run(answerCapacity:inPlace:)`.
    public func run<Request: MailslotTypedRequest & MailslotValue>(
        answering type: Request.Type, _ handler: (Request) throws -> Request.Answer
    ) throws(MailslotError) where Request.Answer: MailslotValue {
        try reader.beginServing()
        defer { reader.endServing() }
        let copy = RequestCopy()
        let tag = Request.requestType.tag(.value)
        while !reader.isStopping {
            guard case .message(let view) = try reader.next() else { continue }
            unsafe carryOut(view, copy, MemoryLayout<Request.Answer>.size, tag) { bytes, _, answer in
                try append(handler(try request(bytes)), to: &answer)
            }
        }
    }

    /// As the call that blocks, suspending the task while there is no request.
    ///
    /// - Throws: As the call that blocks, and ``MailslotError/Code/cancelled``.
    public func run<Request: MailslotTypedRequest & MailslotValue>(
        answering type: Request.Type, _ handler: (Request) throws -> Request.Answer
    ) async throws(MailslotError) where Request.Answer: MailslotValue {
        try reader.beginServing()
        defer { reader.endServing() }
        let copy = RequestCopy()
        let tag = Request.requestType.tag(.value)
        while !reader.isStopping {
            try reader.checkCancellation()
            guard case .message(let view) = try await reader.next() else { continue }
            unsafe carryOut(view, copy, MemoryLayout<Request.Answer>.size, tag) { bytes, _, answer in
                try append(handler(try request(bytes)), to: &answer)
            }
        }
    }
}

private func request<Request: MailslotValue>(_ bytes: RawSpan) throws(Refusal) -> Request {
    guard let request = Request(decoding: bytes) else {
        throw Refusal(
            code: .undecodableRequest, reason: "It has \(bytes.byteCount) bytes, and the server's type \(MemoryLayout<Request>.size).")
    }
    return request
}

private func decoded<Answer: MailslotValue>(_ bytes: RawSpan) throws(Refusal) -> Answer {
    guard let answer = Answer(decoding: bytes) else {
        throw Refusal(
            code: .undecodableAnswer, reason: "It has \(bytes.byteCount) bytes, and the caller's type \(MemoryLayout<Answer>.size).")
    }
    return answer
}

private func append<Answer: MailslotValue>(_ answer: Answer, to bytes: inout OutputRawSpan) {
    // `unsafe`: the type has no padding, as whoever made it a value says.
    bytes.append(unsafe CollectionOfOne(answer).span.bytes)
}

extension MailslotValue {
    /// `nil`: another type has as many bytes.
    fileprivate init?(decoding bytes: RawSpan) {
        guard bytes.byteCount == MemoryLayout<Self>.size else { return nil }
        // Sound: the size is right, and every pattern of bits is a value, as whoever adopted the protocol says. It is copied once.
        self = unsafe bytes.unsafeLoadUnaligned(as: Self.self)
    }
}

// Requests and answers of any Codable type, as CBOR: up to the longest message of the mailslots, and with fields that may be added.

extension MailslotCaller {
    /// Sends a request, and waits for its answer, both of any Codable type. Blocks the thread.
    ///
    /// They may be as long as the two mailslots' messages: `maximumRequestSize` of the server, `maximumAnswerSize` of the client. A field
    /// that one side does not know, or has as an optional, may be missing on the other; for any other change count up the version of
    /// ``MailslotTypedRequest/requestType``. A request that is a ``MailslotValue``, too, goes as its bytes.
    ///
    /// - Throws: A ``MailslotCallError`` as the call that sends values, and ``MailslotCallError/Code/unencodableRequest``: nothing was
    ///   sent.
    @_disfavoredOverload
    public func call<Request: MailslotTypedRequest & Encodable>(
        _ request: Request, timeout: MailslotTimeout? = nil, retrying id: MailslotCallID? = nil
    ) throws(MailslotCallError) -> Request.Answer where Request.Answer: Decodable {
        let bytes = try encodedRequest(request)
        var answer: Request.Answer?
        let terms = Terms(timeout, isRemote, id, type: Request.requestType.tag(.codable))
        try call(bytes, terms) { bytes, _ throws(Refusal) in answer = try decoded([UInt8](copying: bytes), .undecodableAnswer) }
        return answer!
    }

    /// Sends a request, and waits for its answer, both of any Codable type. Suspends the task.
    ///
    /// - Throws: As the call that blocks, and ``MailslotCallError/Code/cancelled``.
    @_disfavoredOverload
    public func call<Request: MailslotTypedRequest & Encodable>(
        _ request: Request, timeout: MailslotTimeout? = nil, retrying id: MailslotCallID? = nil
    ) async throws(MailslotCallError) -> Request.Answer where Request.Answer: Decodable {
        let bytes = try encodedRequest(request)
        var answer: Request.Answer?
        let terms = Terms(timeout, isRemote, id, type: Request.requestType.tag(.codable))
        try await call(bytes, terms) { bytes, _ throws(Refusal) in answer = try decoded([UInt8](copying: bytes), .undecodableAnswer) }
        return answer!
    }

    private func encodedRequest(_ request: some Encodable) throws(MailslotCallError) -> [UInt8] {
        do { return try encoded(request) } catch {
            throw MailslotCallError(.unencodableRequest, server: server, id: idOfNoCall, reason: error.codingReason)
        }
    }
}

extension MailslotServer {
    /// Answers requests of one Codable type by `handler`, several at a time, until ``stop()`` or until the task is cancelled.
    ///
    /// Not for a type that is a ``MailslotValue``, too: its requests come as their bytes, and are refused here.
    ///
    /// - Parameters:
    ///   - type: The type of request. Others are refused, and counted.
    ///   - limit: The most handlers at work, at least 1.
    ///   - handler: Returns the answer, as that of ``run(atMost:_:)``.
    /// - Throws: As ``run(atMost:_:)``.
    @_disfavoredOverload
    public func run<Request: MailslotTypedRequest & Decodable>(
        answering type: Request.Type, atMost limit: Int = 64,
        _ handler: @escaping @Sendable (Request) async throws -> Request.Answer
    ) async throws(MailslotError) where Request.Answer: Encodable {
        let tag = Request.requestType.tag(.codable)
        try await HandlerLoop(reader, atMost: limit).run { request in
            try tag.check(request.type)
            let answer = try await handler(try decoded([UInt8](request.message), .undecodableRequest))
            try request.answer(try encoded(answer))
        }
    }
}

private func encoded(_ value: some Encodable) throws -> [UInt8] {
    let output = CBOROutput(reserving: Mailslot.maximumMessageSize)
    try ValueEncoder.encode(value, to: output)
    return output.bytes
}

/// - Throws: A ``Refusal`` of this code, of bytes that are no such value.
private func decoded<Value: Decodable>(_ bytes: [UInt8], _ code: MailslotCallError.Code) throws(Refusal) -> Value {
    let input = CBORInput(bytes)
    var position = 0
    let value: Value
    do {
        value = try ValueDecoder.decode(Value.self, from: input, at: &position)
    } catch {
        throw Refusal(code: code, reason: "It is no \(Value.self): \(error.codingReason).")
    }
    guard position == input.bytes.count else {
        throw Refusal(code: code, reason: "It is no \(Value.self): \(input.bytes.count - position) bytes are left over.")
    }
    return value
}

internal import CMailslots

// One request after the other, answered where they are read: what costs least.
extension MailslotServer {
    /// Answers one request after the other by `handler`, without an allocation, until ``stop()``. Blocks the thread.
    ///
    /// - Parameters:
    ///   - capacity: How many bytes a handler may append; the answer has as many as it did append.
    ///   - handler: Gets the request, a copy of its own, and appends the answer. What it throws the caller gets as
    ///     ``MailslotCallError/Code/failed``. It is not told of a caller that gives up meanwhile: no other message is read while it works.
    /// - Throws: A ``MailslotError``: ``MailslotError/Code/busy`` if another call serves, ``MailslotError/Code/damaged``,
    ///   ``MailslotError/Code/forked``.
    public func run(
        answerCapacity capacity: Int = 408, inPlace handler: (RawSpan, MailslotRequest.Info, inout OutputRawSpan) throws -> Void
    ) throws(MailslotError) {
        try reader.beginServing()
        defer { reader.endServing() }
        let copy = RequestCopy()
        while !reader.isStopping {
            if case .message(let view) = try reader.next() { unsafe carryOut(view, copy, capacity, nil, handler) }
        }
    }

    /// As the call that blocks, suspending the task while there is no request.
    ///
    /// - Throws: As the call that blocks, and ``MailslotError/Code/cancelled``.
    public func run(
        answerCapacity capacity: Int = 408, inPlace handler: (RawSpan, MailslotRequest.Info, inout OutputRawSpan) throws -> Void
    ) async throws(MailslotError) {
        try reader.beginServing()
        defer { reader.endServing() }
        let copy = RequestCopy()
        while !reader.isStopping {
            try reader.checkCancellation()
            if case .message(let view) = try await reader.next() { unsafe carryOut(view, copy, capacity, nil, handler) }
        }
    }

    /// Takes a message out, and answers the request in it. With `type` none of another type.
    @unsafe
    func carryOut(
        _ view: mslot_view, _ copy: RequestCopy, _ capacity: Int, _ type: RequestHeader.TypeTag?,
        _ handler: (RawSpan, MailslotRequest.Info, inout OutputRawSpan) throws -> Void
    ) {
        // Sound: what is lent stays until it is released, and is copied before.
        let bytes = unsafe RawSpan(_unsafeBytes: MailslotReader.bytes(view))
        guard let incoming = reader.request(in: bytes, unsafe MailslotReader.info(view)) else { return reader.release() }
        copy.take(bytes.extracting(droppingFirst: incoming.header.byteCount))
        reader.release()
        let id = incoming.key.id
        do {
            if let type { try type.check(incoming.header.type) }
            try incoming.client.answer(id, capacity: capacity) { answer in
                try copy.withBytes { request in try handler(request, MailslotRequest.Info(incoming), &answer) }
            }
        } catch let refusal as Refusal {
            reader.tally.undecodableRequests.add(1)
            incoming.client.fail(id, refusal.code, refusal.reason)
        } catch let error as MailslotCallError where error.id == id {
            // The answer was too long, of which the caller was told; or the client is gone.
        } catch {
            incoming.client.fail(id, .failed, error.codingReason)
        }
    }
}

/// A copy of one request after the other, in memory that is kept.
@safe
final class RequestCopy {
    // Sound: allocated here and in `take`, freed in `deinit`.
    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Mailslot.maximumMessageSize, alignment: 8)
    private var count = 0

    deinit { unsafe memory.deallocate() }

    func take(_ bytes: RawSpan) {
        count = bytes.byteCount
        if unsafe count > memory.count {
            unsafe memory.deallocate()
            unsafe memory = .allocate(byteCount: count, alignment: 8)
        }
        // Sound: there is room for as many.
        unsafe bytes.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    }

    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        // Sound: so many bytes were copied, and the span does not leave the call.
        try body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<count])))
    }
}

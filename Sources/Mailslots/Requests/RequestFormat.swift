// What requests and answers look like, inside a message.
//
// Little-endian. A message has a header of 16 bytes, so that one with up to 32 bytes behind it fits the express lane:
//
//     offset 0   format   8 bits   0xA1
//            1   kind     4 bits   request, cancellation, answer, failure
//                has deadline, has type: 1 bit each, of a request; the other two are 0
//            2   code    16 bits   of a failure: MailslotCallError.Code; else 0
//            4   answers 32 bits   of a request and a cancellation: which of the sender's mailslots for answers; else 0
//            8   call    64 bits   the call
//
// A request goes on with what its kind says, and then with the bytes of the user:
//
//     deadline   64 bits   of this machine: nanoseconds of CLOCK_MONOTONIC; of another: nanoseconds that were left when it was sent
//     type       32 bits   MailslotRequestType
//     version    16 bits
//     coding     16 bits   1: the bytes of a value; 2: Codable
//
// An answer goes on with the bytes of the user, a failure with text.
//
// Where the answer goes is the sender's process id, which each message has, and `answers`: the mailslot "answers/1234-2a" of the machine
// that the request came from. So nothing needs to be remembered of a client, and a server that adopts can answer what waited.
//
// The number of a call has two parts. The lower 40 bits are its generation: a client counts it up for each call, and gives none twice. The
// upper 24 are drawn at random by each MailslotCaller, and only its server hears of them: so a server cannot answer a call that was made
// to another, but by luck, and such an answer is counted.

/// The first 16 bytes of a message, and what a request has behind them.
struct RequestHeader {
    enum Kind: UInt8 {
        case request = 1
        case cancellation = 2
        case answer = 3
        case failure = 4
    }

    /// The type of a request's bytes.
    struct TypeTag: Hashable {
        var type: UInt32
        var version: UInt16
        var coding: UInt16
    }

    static let byteCountMin = 16
    static let byteCountMax = 32
    private static let format: UInt8 = 0xA1
    private static let deadlineBit: UInt8 = 0x40
    private static let typeBit: UInt8 = 0x80

    var kind: Kind
    var code: UInt16 = 0
    var answers: UInt32 = 0
    var call: UInt64
    var deadline: UInt64?
    var type: TypeTag?

    var byteCount: Int { Self.byteCountMin + (deadline == nil ? 0 : 8) + (type == nil ? 0 : 8) }

    init(_ kind: Kind, code: UInt16 = 0, answers: UInt32 = 0, call: UInt64) {
        self.kind = kind
        self.code = code
        self.answers = answers
        self.call = call
    }

    /// Reads a header; `nil`: the bytes are none. Each is read once, for the memory may be shared with a process that changes it.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= Self.byteCountMin else { return nil }
        let first = bytes.load(0, as: UInt64.self)
        guard UInt8(truncatingIfNeeded: first) == Self.format else { return nil }
        let bits = UInt8(truncatingIfNeeded: first >> 8)
        guard let kind = Kind(rawValue: bits & ~(Self.deadlineBit | Self.typeBit)) else { return nil }
        self.kind = kind
        code = UInt16(truncatingIfNeeded: first >> 16)
        answers = UInt32(truncatingIfNeeded: first >> 32)
        call = bytes.load(8, as: UInt64.self)
        guard bits & (Self.deadlineBit | Self.typeBit) != 0 else { return }
        guard kind == .request else { return nil }
        var offset = Self.byteCountMin
        if bits & Self.deadlineBit != 0 {
            guard bytes.byteCount >= offset + 8 else { return nil }
            deadline = bytes.load(offset, as: UInt64.self)
            offset += 8
        }
        if bits & Self.typeBit != 0 {
            guard bytes.byteCount >= offset + 8 else { return nil }
            let tag = bytes.load(offset, as: UInt64.self)
            type = TypeTag(
                type: UInt32(truncatingIfNeeded: tag), version: UInt16(truncatingIfNeeded: tag >> 32),
                coding: UInt16(truncatingIfNeeded: tag >> 48))
        }
    }

    /// Writes it at the beginning of a message.
    func append(to message: inout OutputRawSpan) {
        var bits = kind.rawValue
        if deadline != nil { bits |= Self.deadlineBit }
        if type != nil { bits |= Self.typeBit }
        // `unsafe`: what is appended could show padding; an integer has none.
        unsafe message.append(UInt64(Self.format) | UInt64(bits) << 8 | UInt64(code) << 16 | UInt64(answers) << 32, as: UInt64.self)
        unsafe message.append(call, as: UInt64.self)
        if let deadline { unsafe message.append(deadline, as: UInt64.self) }
        if let type {
            unsafe message.append(UInt64(type.type) | UInt64(type.version) << 32 | UInt64(type.coding) << 48, as: UInt64.self)
        }
    }
}

extension RequestHeader {
    /// Calls `body` with a message of this header and `payload`.
    func withMessage<Answer, Failure: Error>(
        _ payload: RawSpan, _ body: (RawSpan) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let capacity = byteCount + payload.byteCount
        // Sound: as below.
        return try unsafe withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) { memory -> Result<Answer, Failure> in
            // Sound: the memory is ours until the end, and neither span leaves it.
            var message = unsafe OutputRawSpan(buffer: memory, initializedCount: 0)
            append(to: &message)
            message.append(payload)
            let count = unsafe message.finalize(for: memory)
            do throws(Failure) {
                return .success(try body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<count]))))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}

extension RawSpan {
    /// An integer at an offset that is in range.
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
        // Sound: an integer has no invalid bits, and the span checks that it has the bytes.
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }
}

extension OutputRawSpan {
    /// Appends bytes for which there is room.
    mutating func append(_ bytes: RawSpan) {
        // Sound: it is checked that they fit, and the two do not overlap, for the output is not lent to anybody.
        unsafe bytes.withUnsafeBytes { source in
            unsafe withUnsafeMutableBytes { target, count in
                precondition(target.count - count >= source.count, "There is no room for these bytes.")
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[count...]).copyMemory(from: source)
                count += source.count
            }
        }
    }
}

@testable import MailslotsBridge
@testable import MailslotsWire

/// Bytes of their hexadecimal text.
func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hex(_ bytes: some Collection<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

extension Array where Element == UInt8 {
    init(copying span: RawSpan) { self = span.byteOffsets.map { span.load8(at: $0) } }
}

/// A record as a value.
struct PlainRecord: Equatable, Sendable {
    var kind: RecordKind = .message
    var name: [UInt8] = []
    var payload: [UInt8] = []
    var sender: UInt32 = 0

    static func message(_ name: String, _ payload: [UInt8] = [], sender: UInt32 = 1) -> PlainRecord {
        PlainRecord(kind: .message, name: [UInt8](name.utf8), payload: payload, sender: sender)
    }

    static func announcement(_ payload: [UInt8]) -> PlainRecord { PlainRecord(kind: .announcement, payload: payload) }

    static func random(using generator: inout some RandomNumberGenerator) -> PlainRecord {
        func some(_ range: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: range, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }
        }
        let payload = some(0...(Bool.random(using: &generator) ? 30 : 424))
        if Int.random(in: 0..<8, using: &generator) == 0 { return .announcement(payload) }
        return PlainRecord(kind: .message, name: some(1...40), payload: payload, sender: generator.next())
    }
}

/// What `encode` appends to `capacity` bytes of room.
func appended(capacity: Int = 1472, _ encode: (inout OutputRawSpan) -> Void) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 1)
    defer { unsafe buffer.deallocate() }
    var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
    encode(&output)
    let count = unsafe output.finalize(for: buffer)
    return unsafe [UInt8](buffer.prefix(count))
}

extension OutputRawSpan {
    mutating func append(_ record: PlainRecord) -> Bool {
        switch record.kind {
        case .message:
            append(messageFor: unsafe record.name.span.bytes, payload: unsafe record.payload.span.bytes, sender: record.sender)
        case .announcement: append(announcement: unsafe record.payload.span.bytes)
        }
    }
}

/// The records that these bytes are, or why not.
func decoded(_ opened: [UInt8]) -> Result<[PlainRecord], DatagramRejection> {
    var records: [PlainRecord] = []
    do throws(DatagramRejection) {
        let count = try Records.read(unsafe opened.span.bytes) { header, name, payload in
            records.append(
                PlainRecord(kind: header.kind, name: [UInt8](copying: name), payload: [UInt8](copying: payload), sender: header.sender))
        }
        precondition(count == records.count)
        return .success(records)
    } catch {
        precondition(records.isEmpty, "A record was given before all were checked.")
        return .failure(error)
    }
}

/// What an opener gave.
struct OpenedDatagram {
    var records: [PlainRecord] = []
    var origin: DatagramOrigin?
}

extension OutputRawSpan {
    mutating func mustAppend(_ record: PlainRecord) {
        let fits = append(record)
        precondition(fits, "There is no room for a record of the test.")
    }
}

extension Opener {
    /// As the bridge does it.
    mutating func opened(_ datagram: [UInt8], now: UInt64) -> Result<OpenedDatagram, DatagramRejection> {
        var result = OpenedDatagram()
        var rejection: DatagramRejection?
        let opened = appended { output in
            do throws(DatagramRejection) {
                let datagram = unsafe datagram.span.bytes
                result.origin = try open(datagram, DatagramHeader(datagram: datagram), now: now, to: &output)
            } catch {
                rejection = error
            }
        }
        if let rejection { return .failure(rejection) }
        return decoded(opened).map { records in
            result.records = records
            return result
        }
    }

    mutating func rejection(of datagram: [UInt8], now: UInt64) -> DatagramRejection? {
        switch opened(datagram, now: now) {
        case .success: nil
        case .failure(let rejection): rejection
        }
    }
}

extension Sealer {
    mutating func sealed(_ records: [PlainRecord], to destination: Destination, time: UInt64) -> [UInt8] {
        let plain = appended { output in
            for record in records { output.mustAppend(record) }
        }
        return sealed(plain: plain, to: destination, time: time)
    }

    /// Whatever the plain bytes are.
    mutating func sealed(plain: [UInt8], to destination: Destination, time: UInt64) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 40) + plain + [UInt8](repeating: 0, count: 16)
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        let count = seal(&bytes, recordBytes: plain.count, to: destination, time: time)
        precondition(count == buffer.count)
        return buffer
    }
}

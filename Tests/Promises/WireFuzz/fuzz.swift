// What is called with each input, and what must hold. libFuzzer hands the input over in memory of just its size, and the address
// sanitizer sees who reads beyond it.

/// The first byte says what the rest is: a datagram whose sealed part is already opened, records alone, or what records are made of.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // Sound: libFuzzer says so.
    let input = unsafe RawSpan(_unsafeStart: start, byteCount: count)
    guard count > 0 else { return 0 }
    let rest = input.extracting(droppingFirst: 1)
    switch input.load8(at: 0) % 3 {
    case 0: readDatagram(rest)
    case 1: readRecords(rest)
    default: writeRecords(madeOf: rest)
    }
    return 0
}

struct PlainRecord: Equatable {
    var kind: RecordKind
    var name: [UInt8]
    var payload: [UInt8]
    var sender: UInt32
}

func array(_ span: RawSpan) -> [UInt8] { unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }

func encoded(capacity: Int, _ encode: (inout OutputRawSpan) -> Void) -> [UInt8] {
    // Of just this size, so that a byte too many is seen.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 1)
    defer { unsafe buffer.deallocate() }
    var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
    encode(&output)
    let count = unsafe output.finalize(for: buffer)
    return unsafe [UInt8](buffer.prefix(count))
}

func append(_ record: PlainRecord, to output: inout OutputRawSpan) -> Bool {
    switch record.kind {
    case .message: output.append(messageFor: record.name.span.bytes, payload: record.payload.span.bytes, sender: record.sender)
    case .announcement: output.append(announcement: record.payload.span.bytes)
    }
}

func append(_ records: [PlainRecord], to output: inout OutputRawSpan) {
    for record in records { precondition(append(record, to: &output), "A record does not fit into the bytes that it was decoded from.") }
}

/// All of its records, or nil and none was given.
func decoded(_ bytes: RawSpan) -> [PlainRecord]? {
    var records: [PlainRecord] = []
    do throws(DatagramRejection) {
        let count = try Records.read(bytes) { header, name, payload in
            records.append(PlainRecord(kind: header.kind, name: array(name), payload: array(payload), sender: header.sender))
        }
        precondition(count == records.count && count > 0, "The count of records is wrong.")
        return records
    } catch {
        precondition(records.isEmpty, "A record was given before all were checked.")
        return nil
    }
}

func readDatagram(_ datagram: RawSpan) {
    do throws(DatagramRejection) {
        let header = try DatagramHeader(datagram: datagram)
        precondition(
            encoded(capacity: DatagramFormat.headerBytes) { header.encode(to: &$0) } == array(datagram.extracting(first: 40)),
            "A header that was accepted has another encoding.")
        readRecords(datagram.extracting(droppingFirst: 40).extracting(droppingLast: 16))
    } catch {}
}

func readRecords(_ bytes: RawSpan) {
    guard let records = decoded(bytes) else { return }
    for record in records {
        precondition(record.payload.count <= 424 && record.name.count <= 40)
        precondition(record.name.isEmpty == (record.kind == .announcement))
    }
    precondition(
        encoded(capacity: bytes.byteCount) { append(records, to: &$0) } == array(bytes), "Records that were accepted have another encoding."
    )
}

func writeRecords(madeOf bytes: RawSpan) {
    var records: [PlainRecord] = []
    var rest = array(bytes)[...]
    func take(_ count: Int) -> [UInt8] {
        let taken = [UInt8](rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken + [UInt8](repeating: 0x55, count: count - taken.count)
    }
    let capacity = Int(take(1)[0]) * 6
    let all = encoded(capacity: capacity) { output in
        while !rest.isEmpty {
            let head = take(3)
            var record = PlainRecord(kind: .announcement, name: [], payload: take((Int(head[0]) * 2) % 425), sender: 0)
            if head[1] % 8 != 0 {
                record = PlainRecord(kind: .message, name: take(Int(head[2]) % 40 + 1), payload: record.payload, sender: UInt32(head[1]))
            }
            let before = output.byteCount
            if append(record, to: &output) {
                records.append(record)
            } else {
                precondition(output.byteCount == before, "A record that does not fit was begun.")
            }
        }
    }
    precondition(all.count <= capacity)
    precondition(
        records.isEmpty ? decoded(all.span.bytes) == nil : decoded(all.span.bytes) == records, "What was encoded is not decoded again.")
}

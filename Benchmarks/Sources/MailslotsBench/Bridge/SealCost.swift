import CBenchmarks
import Glibc
import MailslotsWire

/// What sealing and opening cost by themselves: the bridge's own Sealer and Opener, in one thread, on datagrams that are in its cache.
struct SealCost: Codable {
    /// Of the records in a datagram; what is sealed.
    var recordBytes: Int
    /// Nanoseconds a datagram, in each round.
    var seal: [Double] = []
    var open: [Double] = []

    /// Datagrams as the patterns have them: full of long messages, full of short ones, and one short message alone.
    static let recordBytes = [1416, 1400, 54]

    private static let datagrams = 512
    private static let now: UInt64 = 1_000_000_000_000

    init(recordBytes: Int) { self.recordBytes = recordBytes }

    /// One round: every datagram is sealed, then each is opened.
    mutating func measure(nanosecondsPerTick: Double) {
        var generator = SystemRandomNumberGenerator()
        let key = (0..<DomainKey.byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let domain = Domain(name: "bench", used: DomainKey(key.span.bytes))
        var sealer = Sealer(domain: domain, session: SessionID(using: &generator))
        var opener = Opener(host: "b", domains: [domain], start: Self.now, clockBound: 1)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.datagrams * DatagramFormat.bytesMax, alignment: 64)
        defer { memory.deallocate() }
        let opened = UnsafeMutableRawBufferPointer.allocate(byteCount: DatagramFormat.bytesMax, alignment: 64)
        defer { opened.deallocate() }
        for index in 0..<Self.datagrams { fill(UnsafeMutableRawBufferPointer(rebasing: memory[place(of: index)])) }
        var byteCount = 0

        let before = bench_ticks()
        for index in 0..<Self.datagrams {
            // Sound: the memory is this function's, and nobody else's span of it is alive.
            var buffer = MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[place(of: index)]))
            byteCount = sealer.seal(&buffer, recordBytes: recordBytes, to: .host("b"), time: Self.now)
        }
        let between = bench_ticks()
        for index in 0..<Self.datagrams {
            let datagram = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[place(of: index)].prefix(byteCount)))
            precondition((try? open(datagram, &opener, into: opened)) != nil, "What was sealed cannot be opened.")
        }
        let after = bench_ticks()
        seal.append(Double(between - before) * nanosecondsPerTick / Double(Self.datagrams))
        open.append(Double(after - between) * nanosecondsPerTick / Double(Self.datagrams))
    }

    private func open(
        _ datagram: RawSpan, _ opener: inout Opener, into opened: UnsafeMutableRawBufferPointer
    ) throws(DatagramRejection) -> Int {
        var output = OutputRawSpan(buffer: opened, initializedCount: 0)
        _ = try opener.open(datagram, DatagramHeader(datagram: datagram), now: Self.now, to: &output)
        let byteCount = output.finalize(for: opened)
        return try Records.read(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: opened[..<byteCount]))) { _, _, _ in }
    }

    private func place(of index: Int) -> Range<Int> { index * DatagramFormat.bytesMax..<(index + 1) * DatagramFormat.bytesMax }

    /// Records of equal length, the last one with what is left.
    private func fill(_ datagram: UnsafeMutableRawBufferPointer) {
        let records = UnsafeMutableRawBufferPointer(rebasing: datagram[DatagramFormat.headerBytes...].prefix(recordBytes))
        var output = OutputRawSpan(buffer: records, initializedCount: 0)
        let name = Array("bench".utf8)
        let least = DatagramFormat.recordHeaderBytes + name.count
        while output.freeCapacity > 0 {
            let left = output.freeCapacity - least
            // No rest that is too short for a record.
            let payload = left <= DatagramFormat.payloadBytesMax ? left : min(DatagramFormat.payloadBytesMax, left - least)
            let fits = output.append(messageFor: name.span.bytes, payload: [UInt8](repeating: 7, count: payload).span.bytes, sender: 1)
            precondition(fits)
        }
        let filled = output.finalize(for: records)
        precondition(filled == recordBytes)
    }
}

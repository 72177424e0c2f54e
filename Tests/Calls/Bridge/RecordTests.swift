import Foundation
import TestRandomness
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

@Suite struct HeaderTests {
    static let header = DatagramHeader(
        isForEveryHost: true, key: 0x0403_0201, domain: 0x0807_0605, time: 0x100F_0E0D_0C0B_0A09,
        session: SessionID(high: 0x1413_1211, low: 0x1C1B_1A19_1817_1615), counter: 0x2423_2221_201F_1E1D)
    static let encoded = bytes("4d53 01 01 01020304 05060708 1112131415161718191a1b1c 1d1e1f2021222324 090a0b0c0d0e0f10")
    static let datagram = encoded + [UInt8](repeating: 0, count: 24)

    func rejection(of datagram: [UInt8]) -> DatagramRejection? {
        do throws(DatagramRejection) {
            _ = try DatagramHeader(datagram: unsafe datagram.span.bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a header has these bytes`() throws {
        #expect(appended { Self.header.encode(to: &$0) } == Self.encoded)
        let decoded = try DatagramHeader(datagram: unsafe Self.datagram.span.bytes)
        #expect(decoded == Self.header)
    }

    @Test func `the nonce has the whole counter in it`() {
        #expect(DatagramFormat.nonceOffset <= DatagramFormat.counterOffset)
        #expect(DatagramFormat.nonceOffset + DatagramFormat.nonceBytes >= DatagramFormat.counterOffset + 8)
    }

    @Test func `three of the longest messages fill a datagram, and over IPv6 two fit`() {
        let record = DatagramFormat.recordHeaderBytes + DatagramFormat.nameBytesMax + DatagramFormat.payloadBytesMax
        let around = DatagramFormat.headerBytes + DatagramFormat.tagBytes
        #expect(around + 3 * record == DatagramFormat.bytesMax)
        #expect((DatagramFormat.bytesMaxIPv6 - around) / record == 2)
    }

    @Test func `what is wrong with a header is told`() {
        func changed(at offset: Int, to value: UInt8) -> [UInt8] {
            var datagram = Self.datagram
            datagram[offset] = value
            return datagram
        }
        #expect(rejection(of: Self.datagram) == nil)
        for count in 0..<64 { #expect(rejection(of: [UInt8](Self.datagram.prefix(count))) == .tooShort) }
        let longest = Self.datagram + [UInt8](repeating: 0, count: 1472 - 64)
        #expect(rejection(of: longest) == nil)
        #expect(rejection(of: longest + [0]) == .tooLong)
        for offset in 0...1 {
            for bit in 0..<8 { #expect(rejection(of: changed(at: offset, to: Self.datagram[offset] ^ 1 << bit)) == .badMagic) }
        }
        for version in 0...255 where version != 1 { #expect(rejection(of: changed(at: 2, to: UInt8(version))) == .badVersion) }
        for flags in 2...255 { #expect(rejection(of: changed(at: 3, to: UInt8(flags))) == .badFlags) }
    }
}

@Suite struct RecordTests {
    @Test func `records have these bytes`() {
        let records: [PlainRecord] = [.message("jobs", [UInt8]("hello".utf8), sender: 4711), .announcement([UInt8]("here".utf8))]
        let encoded = appended { output in
            for record in records { output.mustAppend(record) }
        }
        #expect(encoded == bytes("01 04 0500 67120000 6a6f6273 68656c6c6f  02 00 0400 00000000 68657265"))
        #expect(decoded(encoded) == .success(records))
    }

    @Test func `what is encoded is decoded again`() {
        var generator = SeededGenerator.forTest("what is encoded is decoded again")
        for _ in 0..<3000 {
            let capacity = Int.random(in: 8...1416, using: &generator)
            var records: [PlainRecord] = []
            let encoded = appended(capacity: capacity) { output in
                while true {
                    let record = PlainRecord.random(using: &generator)
                    let before = output.byteCount
                    guard output.append(record) else {
                        #expect(output.byteCount == before)
                        break
                    }
                    records.append(record)
                }
            }
            #expect(encoded.count <= capacity)
            #expect(decoded(encoded) == (records.isEmpty ? .failure(.cutRecord) : .success(records)))
        }
    }

    @Test func `a record that does not fit is not begun`() {
        let record = PlainRecord.message("jobs", [1, 2, 3])
        for capacity in 0...15 {
            var fits = false
            let encoded = appended(capacity: capacity) { fits = $0.append(record) }
            #expect(fits == (capacity == 15))
            #expect(encoded.count == (fits ? 15 : 0))
        }
    }

    @Test func `what is wrong with a record is told, wherever it is`() {
        let good = bytes("01 04 0500 67120000 6a6f6273 68656c6c6f")
        let bad: [(String, DatagramRejection)] = [
            ("00 01 0000 00000000 61", .badKind),
            ("03 01 0000 00000000 61", .badKind),
            ("ff 01 0000 00000000 61", .badKind),
            ("01 00 0100 00000000 61", .badName),
            ("01 29 0000 00000000" + String(repeating: "61", count: 41), .badName),
            ("01 ff 0000 00000000" + String(repeating: "61", count: 255), .badName),
            ("02 01 0000 00000000 61", .badName),
            ("02 00 0000 01000000", .badSender),
            ("02 00 0000 00000080", .badSender),
            ("01 01 a901 00000000 61" + String(repeating: "00", count: 425), .badPayload),
            ("01 01 ffff 00000000 61", .badPayload),
            ("01 01 0100 00000000 61", .cutRecord),
            ("01 28 0000 00000000 61", .cutRecord),
            ("02 00 a801 00000000 61", .cutRecord),
            ("00", .cutRecord),
            ("01 01 0000 000000", .cutRecord),
        ]
        for (text, rejection) in bad {
            #expect(decoded(bytes(text)) == .failure(rejection), "\(text)")
            #expect(decoded(good + bytes(text)) == .failure(rejection), "after another: \(text)")
        }
        #expect(decoded([]) == .failure(.cutRecord))
        for count in 1..<good.count { #expect(decoded(good + good.prefix(count)) == .failure(.cutRecord)) }
    }

    @Test func `what is accepted has only one encoding`() {
        var generator = SeededGenerator.forTest("what is accepted has only one encoding")
        var accepted = 0
        for _ in 0..<20000 {
            var encoded = appended(capacity: 200) { output in
                while output.append(PlainRecord.message("n", [1, 2, 3], sender: generator.next())) {}
            }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                encoded[encoded.indices.randomElement(using: &generator)!] = .random(in: 0...8, using: &generator)
            }
            guard case .success(let records) = decoded(encoded) else { continue }
            accepted += 1
            let again = appended { output in
                for record in records { output.mustAppend(record) }
            }
            #expect(again == encoded)
        }
        #expect(accepted > 1000)
    }
}

@Suite struct ReplayWindowTests {
    /// What the window should do, with all that was ever marked.
    struct Model {
        var marked: Set<UInt64> = []
        var highest: UInt64 = 0

        func verdicts(on counter: UInt64) -> [ReplayWindow.Verdict] {
            if marked.contains(counter) && counter <= highest && highest - counter <= ReplayWindow.span { return [.seen] }
            if counter > highest || highest - counter <= ReplayWindow.span { return [.new] }
            // Up to the end of its word the window may remember more than its span.
            let remembered: ReplayWindow.Verdict = marked.contains(counter) ? .seen : .new
            return highest - counter < ReplayWindow.span + 64 ? [.tooOld, remembered] : [.tooOld]
        }
    }

    @Test func `the window remembers at least 1024 counters`() { #expect(ReplayWindow.span >= 1024) }

    @Test(arguments: 0..<20)
    func `the window decides as one that forgets nothing`(round: Int) {
        var generator = SeededGenerator.forTest("the window decides as one that forgets nothing, \(round)")
        var window = ReplayWindow()
        var model = Model()
        var next: UInt64 = [1, 0, 64, UInt64.max - 100_000].randomElement(using: &generator)!
        for _ in 0..<20000 {
            let counter: UInt64
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<50:
                next += 1
                counter = next
            case 50..<52:
                next += UInt64.random(in: 1...200, using: &generator)
                counter = next
            case 52:
                next += UInt64.random(in: 1...5000, using: &generator) % (UInt64.max - next == 0 ? 1 : UInt64.max - next)
                counter = next
            case 53..<90: counter = next - min(next, .random(in: 0...100, using: &generator))
            default: counter = next - min(next, .random(in: 1900...2100, using: &generator))
            }
            let verdict = window.verdict(on: counter)
            #expect(model.verdicts(on: counter).contains(verdict), "counter \(counter), highest \(model.highest)")
            if verdict == .new {
                window.mark(counter)
                model.marked.insert(counter)
                model.highest = max(model.highest, counter)
                #expect(window.verdict(on: counter) == .seen)
            }
            if next > UInt64.max - 10_000 { next = 1_000_000 }
        }
    }

    @Test func `counters at the ends are counters like others`() {
        var window = ReplayWindow()
        #expect(window.verdict(on: 0) == .new)
        window.mark(0)
        #expect(window.verdict(on: 0) == .seen)
        #expect(window.verdict(on: .max) == .new)
        window.mark(.max)
        #expect(window.verdict(on: .max) == .seen)
        #expect(window.verdict(on: .max - 1) == .new)
        #expect(window.verdict(on: .max - ReplayWindow.span) == .new)
        #expect(window.verdict(on: 0) == .tooOld)
        #expect(window.verdict(on: .max - ReplayWindow.span - 64) == .tooOld)
    }
}

import Mailslots
import TestActors
import TestRandomness
import Testing

@testable import MailslotsDistributed

/// What arguments and results become.
@Suite struct CodingTests {
    private func encode(_ value: some Encodable) throws -> [UInt8] {
        let output = CBOROutput(reserving: 0)
        try ValueEncoder.encode(value, to: output)
        return output.bytes
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        var position = 0
        let value = try ValueDecoder.decode(type, from: CBORInput(bytes), at: &position)
        try #require(position == bytes.count, "bytes are left over")
        return value
    }

    private func expectSame<Value: Codable & Equatable>(_ value: Value, size: Int? = nil, _ place: SourceLocation = #_sourceLocation) throws
    {
        let bytes = try encode(value)
        #expect(try decode(Value.self, bytes) == value, sourceLocation: place)
        if let size { #expect(bytes.count == size, "\(bytes)", sourceLocation: place) }
    }

    @Test func `values of all kinds come back, small ones in few bytes`() throws {
        try expectSame(0, size: 1)
        try expectSame(23, size: 1)
        try expectSame(-24, size: 1)
        try expectSame(255, size: 2)
        try expectSame(-256, size: 2)
        try expectSame(65_535, size: 3)
        try expectSame(Int.max, size: 9)
        try expectSame(Int.min, size: 9)
        try expectSame(UInt64.max, size: 9)
        try expectSame(UInt32.max, size: 5)
        try expectSame(Int8.min)
        try expectSame(true, size: 1)
        try expectSame(1.5 as Double, size: 9)
        try expectSame(Float.pi, size: 5)
        try expectSame(-Double.infinity)
        try expectSame("", size: 1)
        try expectSame("grün ✓", size: 1 + 9)
        try expectSame(Int?.none, size: 1)
        try expectSame(Int??.some(.some(7)), size: 1)
        try expectSame([Int](), size: 1)
        try expectSame([1, 2, 3], size: 4)
        try expectSame(Array(0..<100))
        try expectSame([[1], [], [2, 3]])
        try expectSame(["a": 1, "007": 2, "7": 3, "": 4])
        try expectSame([1: "a", -5: "b"])
        try expectSame([Order(share: "x", count: 1): [1.0]])
        try expectSame(Set(["a", "b"]))
        try expectSame([UInt8](repeating: 7, count: 300), size: 3 + 300)
        try expectSame([Tick(price: 1, time: 2), Tick(price: 3, time: 4)], size: 2 + 32)
        try expectSame([Tick]())
        try expectSame(Tick(price: 1, time: 2), size: 1 + 16)
        try expectSame([1.0, .pi], size: 1 + 16)
        try expectSame(Refused.tooMany(count: 3))
        try expectSame(Refused.closed)
        try expectSame(Order(share: "ACME", count: 3), size: 1 + (1 + 5) + (1 + 4) + (1 + 5) + 1)
    }

    @Test func `what RFC 8949 has as examples is written so`() throws {
        #expect(try encode(1_000_000) == [0x1A, 0x00, 0x0F, 0x42, 0x40])
        #expect(try encode(-1000) == [0x39, 0x03, 0xE7])
        #expect(try encode(1.1) == [0xFB, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A])
        #expect(try encode("IETF") == [0x64, 0x49, 0x45, 0x54, 0x46])
        #expect(try encode([1, 2, 3]) == [0x83, 0x01, 0x02, 0x03])
        #expect(try encode(["a": "A"]) == [0xA1, 0x61, 0x61, 0x61, 0x41])
        #expect(try encode(Array(1...25)).first == 0x9F)
        #expect(try encode(Array(1...25)).last == 0xFF)
        #expect(try encode(Int?.none) == [0xF6])
        #expect(try encode(true) == [0xF5])
    }

    // MARK: types that change

    private struct Old: Codable, Equatable {
        var id: Int
        var name: String
    }
    private struct New: Codable, Equatable {
        var name: String
        var added: [Order]?
        var id: Int
    }
    private struct Numbered: Codable, Equatable {
        enum CodingKeys: Int, CodingKey {
            case id = 1
            case name = 2
        }
        var id: Int
        var name: String
    }

    @Test func `fields may be added, left out and moved; integer keys take one byte each`() throws {
        let new = New(name: "n", added: [Order(share: "s", count: 1)], id: 7)
        #expect(try decode(Old.self, encode(new)) == Old(id: 7, name: "n"))
        #expect(try decode(New.self, encode(Old(id: 7, name: "n"))) == New(name: "n", added: nil, id: 7))
        try expectSame(Numbered(id: 1, name: "n"), size: 1 + 2 + 3)
        #expect(try decode(Numbered.self, encode(Old(id: 7, name: "n"))) == Numbered(id: 7, name: "n"))  // old messages, new numbers
        #expect(throws: DecodingError.self) { try decode(Order.self, encode(Old(id: 7, name: "n"))) }
        #expect(throws: DecodingError.self) { try decode(UInt8.self, encode(256)) }
        #expect(throws: DecodingError.self) { try decode(Int.self, encode(UInt64.max)) }
        #expect(throws: DecodingError.self) { try decode(Tick.self, encode(UInt64(7))) }
        #expect(throws: DecodingError.self) { try decode([Tick].self, encode([UInt8](repeating: 0, count: 17))) }
        // An integer is read as any integer type that can have it.
        #expect(try decode(UInt8.self, encode(255)) == 255)
    }

    @Test func `an error says the field`() throws {
        let error = #expect(throws: DecodingError.self) {
            try decode([Order].self, encode([["share": "a"], ["share": "b"]]))
        }
        #expect(error.map { "\($0)" }?.contains("count") == true)
    }

    // MARK: encoders of their own

    private class Base: Codable {
        var a = 1
    }
    private final class Derived: Base {
        var b = 2
        enum Keys: CodingKey { case b }
        override init() { super.init() }
        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            b = try container.decode(Int.self, forKey: .b)
            try super.init(from: container.superDecoder())
        }
        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try super.encode(to: container.superEncoder())
            try container.encode(b, forKey: .b)
        }
    }

    private struct Interleaved: Encodable {
        enum Keys: CodingKey { case a, b }
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            var first = container.nestedUnkeyedContainer(forKey: .a)
            try first.encode(1)
            try container.encode(2, forKey: .b)
            try first.encode(3)
        }
    }

    private struct Nothing: Codable, Equatable {
        init() {}
        init(from decoder: any Decoder) throws {}
        func encode(to encoder: any Encoder) throws {}
    }

    /// A list as deep as it is long.
    private final class Chain: Codable {
        let next: Chain?
        init(_ length: Int) { next = length > 0 ? Chain(length - 1) : nil }
    }

    @Test func `classes, nested containers and types that encode nothing work; what cannot be in a stream is an error`() throws {
        let derived = Derived()
        derived.a = 5
        derived.b = 6
        for back in try decode([Derived].self, encode([derived, derived])) { #expect(back.a == 5 && back.b == 6) }
        try expectSame([Nothing(), Nothing()])
        try expectSame(["a": Nothing()])
        #expect(throws: EncodingError.self) { try encode(Interleaved()) }
        #expect(throws: EncodingError.self) { try encode(Chain(200)) }
        #expect(throws: Never.self) { try decode(Chain.self, encode(Chain(50))) }
    }

    // MARK: hostile bytes

    @Test func `depth, lengths and memory are bounded by the message`() throws {
        let deep = [UInt8](repeating: 0x81, count: 100_000) + [0]
        #expect(throws: DecodingError.self) { try decode(Chain.self, [UInt8](repeating: 0xA1, count: 100_000)) }
        #expect(throws: DecodingError.self) { try decode(Nothing.self, deep) }
        // Strings, arrays and maps that say to be longer than the message.
        for bytes: [UInt8] in [
            [0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0], [0xBB, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0], [0x82, 0], [0xA1, 0],
            [0x9F, 0],
            [0xBF, 0x61, 0x61], [0x62, 0x61], [0x19, 0], [], [0xFF], [0xC0, 0], [0x1C], [0xF9, 0, 0], [0x7F, 0x61, 0x61, 0xFF],
        ] {
            #expect(throws: DecodingError.self, "\(bytes)") { try decode([Int].self, bytes) }
            #expect(throws: DecodingError.self, "\(bytes)") { try decode([String: Int].self, bytes) }
            #expect(throws: DecodingError.self, "\(bytes)") { try decode(String.self, bytes) }
            #expect(throws: DecodingError.self, "\(bytes)") { try decode([UInt8].self, bytes) }
            #expect(throws: DecodingError.self, "\(bytes)") { try decode(Nothing.self, bytes) }
        }
        #expect(throws: DecodingError.self) { try decode(String.self, [0x62, 0xC3, 0x28]) }  // not UTF-8
        // A null is a byte, and a value of a kilobyte: a megabyte of them is not a gigabyte.
        let nulls = [0x9F] + [UInt8](repeating: 0xF6, count: 1_000_000) + [0xFF]
        #expect(throws: DecodingError.self) { try decode([InlineBytes?].self, nulls) }
    }

    private struct InlineBytes: Codable {
        var storage = InlineArray<1024, UInt8>(repeating: 0)
        init(from decoder: any Decoder) throws {}
        func encode(to encoder: any Encoder) throws {}
    }

    @Test func `garbage is a value or an error, never a crash`() throws {
        var random = SeededGenerator.forTest("garbage is a value or an error")
        let seed = random.seed
        let types: [any Codable.Type] = [
            Int.self, UInt8.self, String.self, Double.self, Bool.self, Order.self, [Order].self, Tick.self, [Tick].self, [UInt8].self,
            [String: [Order]].self, [Int: String].self, Refused.self, MailslotActorID.self, Numbered.self, [[Int?]].self, Chain.self,
        ]
        let seeds = try [
            encode([Order(share: "ACME", count: 3, limit: 2)]), encode([Tick(price: 1, time: 2)]),
            encode(["a": [Order(share: "b", count: 1)]]),
            encode(Refused.tooMany(count: 1)), encode(Numbered(id: 1, name: "x")), encode(Array(0..<40)), encode(Chain(5)),
        ]
        var values = 0
        var errors = 0
        for _ in 0..<20_000 {
            let bytes = random.bytes(like: seeds)
            for type in types {
                do {
                    func decode<Value: Decodable>(_: Value.Type) throws {
                        var position = 0
                        _ = try ValueDecoder.decode(Value.self, from: CBORInput(bytes), at: &position)
                    }
                    try decode(type)
                    values += 1
                } catch is DecodingError {
                    errors += 1  // hundreds of thousands, so not each by an expectation
                } catch {
                    Issue.record("seed \(seed): \(error)")
                }
            }
        }
        // Both ends are reached, so neither is all that is tested.
        #expect(values > 1000 && errors > 1000, "seed \(seed)")
    }

    @Test func `a node lives on whatever it is sent, and counts it`() async throws {
        var random = SeededGenerator.forTest("a node lives on")
        let seed = random.seed
        let network = Network()
        let system = try network.node("node")
        let exchange = try system.named("exchange") { Exchange(actorSystem: system) }
        let greeter = try system.named("greeter") { Greeter("hello", actorSystem: system) }
        let recorder = Recorder()
        let client = try MailslotActorSystem(node: MailslotNode("client"), transport: recorder)
        let remote = try Exchange.resolve(id: exchange.id, using: client)
        _ = try? await remote.double(21)
        _ = try? await remote.add(Order(share: "ACME", count: 3), urgently: true)
        _ = try? await remote.same([1, 2])
        _ = try? await remote.last([Tick(price: 1, time: 2)])
        _ = try? await remote.caller(greeter)
        _ = try? await Greeter.resolve(id: greeter.id, using: client).greet(["a"])
        let calls = recorder.calls
        #expect(calls.count == 6)
        for call in calls { #expect(try await network.send(call, to: system.node).prefix(2) == [1, 0]) }

        for _ in 0..<20_000 {
            let bytes = random.bytes(like: calls)
            let answer = try await network.send(bytes, to: system.node)
            // What answers is read as an answer: by a caller, to whom it may be anything, too.
            var read = Answer(answer, context: ActorCodingContext(system: client))
            _ = try? read.result(Int.self)
            var garbage = Answer(random.bytes(like: [answer]), context: ActorCodingContext(system: client))
            _ = try? garbage.result([Order].self)
        }
        #expect(system.counters.callsRefused > 1000, "seed \(seed)")
        #expect(system.counters.callsServed > 10, "seed \(seed)")
        #expect(try await network.send(calls[0], to: system.node) == [1, 0, 0x18, 42])
    }
}

/// Keeps the calls that are made.
private final class Recorder: NodeTransport {
    private let recorded = Locked<[[UInt8]]>([])
    var calls: [[UInt8]] { recorded.withLock { $0 } }

    func serve(_ answer: @escaping @Sendable (IncomingCall) async -> [UInt8]) {}
    func call(_ node: MailslotNode, _ call: [UInt8], deadline: ContinuousClock.Instant?) async throws -> [UInt8] {
        recorded.withLock { $0.append(call) }
        throw CancellationError()
    }
    func shutDown() async {}
    func stop() {}
}

extension SeededGenerator {
    /// One of `samples` with some bytes changed, cut, doubled or put in; now and then nothing but garbage.
    mutating func bytes(like samples: [[UInt8]]) -> [UInt8] {
        if Int.random(in: 0..<20, using: &self) == 0 {
            return (0..<Int.random(in: 0...60, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
        }
        var bytes = samples.randomElement(using: &self)!  // never empty
        for _ in 0..<Int.random(in: 0...3, using: &self) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<5, using: &self) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 2: bytes.removeSubrange(place...)
            case 3: bytes.remove(at: place)
            default: bytes.insert(UInt8.random(in: 0...255, using: &self), at: place)
            }
        }
        return bytes
    }
}

/// Decodes one value of any `Decodable` type from what another process wrote.
package final class ValueDecoder: Decoder {
    fileprivate let input: CBORInput
    fileprivate let position: Int
    private let parent: ValueDecoder?
    private let key: (any CodingKey)?
    private let depth: Int

    private init(_ input: CBORInput, at position: Int, parent: ValueDecoder?, key: (any CodingKey)?) {
        self.input = input
        self.position = position
        self.parent = parent
        self.key = key
        depth = (parent?.depth ?? 0) + 1
    }

    package var codingPath: [any CodingKey] { (parent?.codingPath ?? []) + (key.map { [$0] } ?? []) }
    package var userInfo: [CodingUserInfoKey: Any] { input.context?.userInfo ?? [:] }

    /// Reads a value, and goes on behind it.
    package static func decode<Value: Decodable>(_ type: Value.Type, from input: CBORInput, at position: inout Int) throws -> Value {
        try ValueDecoder(input, at: position, parent: nil, key: nil).decodeNested(type, at: &position, nil)
    }

    fileprivate func decodeNested<Value: Decodable>(_ type: Value.Type, at position: inout Int, _ key: (any CodingKey)?) throws -> Value {
        do throws(CBORInput.Malformed) {
            try input.charge(MemoryLayout<Value>.stride)
            if let value = try input.readDirectly(type, at: &position) { return value }
        } catch {
            throw failure(error, key)
        }
        let value = try type.init(from: try nested(at: position, key))
        try skip(at: &position)
        return value
    }

    fileprivate func nested(at position: Int, _ key: (any CodingKey)?) throws -> ValueDecoder {
        guard depth <= maximumCodingDepth else {
            throw failure(CBORInput.Malformed(reason: "values contain values \(maximumCodingDepth) deep"), key)
        }
        return ValueDecoder(input, at: position, parent: self, key: key)
    }

    fileprivate func skip(at position: inout Int) throws {
        do { try input.skip(at: &position) } catch { throw failure(error, nil) }
    }

    fileprivate func failure(_ malformed: CBORInput.Malformed, _ key: (any CodingKey)?) -> DecodingError {
        let path = codingPath + (key.map { [$0] } ?? [])
        return .dataCorrupted(DecodingError.Context(codingPath: path, debugDescription: malformed.reason))
    }

    /// The head of the container that is here.
    fileprivate func begin(_ major: CBORMajor, at position: inout Int) throws -> CBORInput.Head {
        do throws(CBORInput.Malformed) {
            let head = try input.head(at: &position)
            guard head.major == major else {
                throw CBORInput.Malformed(reason: "a value of kind \(head.major) is there, where one of kind \(major) was expected")
            }
            return head
        } catch {
            throw failure(error, nil)
        }
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try KeyedInput(self))
    }
    package func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try UnkeyedInput(self) }
    package func singleValueContainer() -> any SingleValueDecodingContainer { SingleInput(decoder: self) }
}

private struct SingleInput: SingleValueDecodingContainer {
    let decoder: ValueDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.input.isNull(at: decoder.position) }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        var position = decoder.position
        return try decoder.decodeNested(type, at: &position, nil)
    }
}

private struct UnkeyedInput: UnkeyedDecodingContainer {
    private let decoder: ValueDecoder
    private let isIndefinite: Bool
    private let declared: Int
    private var position: Int
    private(set) var currentIndex = 0

    init(_ decoder: ValueDecoder) throws {
        self.decoder = decoder
        position = decoder.position
        let head = try decoder.begin(.array, at: &position)
        isIndefinite = head.isIndefinite
        declared = Int(head.argument)  // fits: no more than there are bytes
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    /// nil: only its end tells.
    var count: Int? { isIndefinite ? nil : declared }
    var isAtEnd: Bool { isIndefinite ? decoder.input.isBreak(at: position) : currentIndex >= declared }

    private func checkEnd(_ type: Any.Type) throws {
        guard isAtEnd else { return }
        let context = DecodingError.Context(codingPath: codingPath, debugDescription: "the array has only \(currentIndex) elements")
        throw DecodingError.valueNotFound(type, context)
    }

    mutating func decodeNil() throws -> Bool {
        try checkEnd(Void.self)
        guard decoder.input.isNull(at: position) else { return false }
        position += 1
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try checkEnd(type)
        let value = try decoder.decodeNested(type, at: &position, PlaceKey(intValue: currentIndex))
        currentIndex += 1
        return value
    }

    mutating func superDecoder() throws -> any Decoder {
        try checkEnd(Void.self)
        let nested = try decoder.nested(at: position, PlaceKey(intValue: currentIndex))
        try decoder.skip(at: &position)
        currentIndex += 1
        return nested
    }
    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try superDecoder().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try superDecoder().unkeyedContainer() }
}

/// Finds fields by looking through the bytes, from where the last one was found: what was encoded in the same order is found at once, and
/// nothing is kept.
private final class KeyedInput<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let decoder: ValueDecoder
    private let isIndefinite: Bool
    private let declared: Int
    private let first: Int
    /// Where to look next: a key's position, and its number.
    private var next: (position: Int, index: Int)

    init(_ decoder: ValueDecoder) throws {
        self.decoder = decoder
        var position = decoder.position
        let head = try decoder.begin(.map, at: &position)
        isIndefinite = head.isIndefinite
        declared = Int(head.argument)  // fits: no more than there are bytes
        first = position
        next = (first, 0)
    }

    var codingPath: [any CodingKey] { decoder.codingPath }

    private func isEnd(_ place: (position: Int, index: Int)) -> Bool {
        isIndefinite ? decoder.input.isBreak(at: place.position) : place.index >= declared
    }

    var allKeys: [Key] {
        var keys: [Key] = []
        var place = (position: first, index: 0)
        while !isEnd(place) {
            // Whoever decodes meets what is malformed again, and then says so.
            guard let key = try? wireKey(at: &place.position), (try? decoder.skip(at: &place.position)) != nil else { break }
            place.index += 1
            switch key {
            case .number(let number): if let key = Key(intValue: number) { keys.append(key) }
            case .text(let range):
                if let key = Key(stringValue: String(decoding: decoder.input.bytes[range], as: UTF8.self)) { keys.append(key) }
            }
        }
        return keys
    }

    private enum WireKey {
        case number(Int)
        case text(Range<Int>)
    }

    private func wireKey(at position: inout Int) throws -> WireKey {
        do throws(CBORInput.Malformed) {
            var start = position
            if try decoder.input.head(at: &start).major == .text { return .text(try decoder.input.range(of: .text, at: &position)) }
            return .number(try decoder.input.integer(at: &position))
        } catch {
            throw decoder.failure(error, nil)
        }
    }

    private func matches(_ wire: WireKey, _ key: some CodingKey) -> Bool {
        switch wire {
        case .number(let number): key.numberOnWire == number
        case .text(let range): decoder.input.bytes[range].elementsEqual(key.stringValue.utf8)
        }
    }

    /// Where a field's value is; nil if there is none.
    private func find(_ key: some CodingKey) throws -> Int? {
        let start = next
        var place = start
        var hasWrapped = false
        while true {
            if isEnd(place) {
                if hasWrapped || start.index == 0 { return nil }
                hasWrapped = true
                place = (first, 0)
            }
            if hasWrapped, place.index >= start.index { return nil }
            let beginning = place
            if matches(try wireKey(at: &place.position), key) {
                next = beginning
                return place.position
            }
            try decoder.skip(at: &place.position)
            place.index += 1
        }
    }

    private func value(_ key: some CodingKey) throws -> Int {
        if let position = try find(key) { return position }
        let context = DecodingError.Context(codingPath: codingPath, debugDescription: "there is no field \(key.stringValue)")
        throw DecodingError.keyNotFound(key, context)
    }

    func contains(_ key: Key) -> Bool { ((try? find(key)) ?? nil) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { decoder.input.isNull(at: try value(key)) }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        var position = try value(key)
        let decoded = try decoder.decodeNested(type, at: &position, key)
        next = (position, next.index + 1)
        return decoded
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder.nested(at: try value(key), key) }
    func superDecoder() throws -> any Decoder { try decoder.nested(at: try value(PlaceKey.super), PlaceKey.super) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> {
        try superDecoder(forKey: key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try superDecoder(forKey: key).unkeyedContainer() }
}

/// Encodes one value of any `Encodable` type.
package final class ValueEncoder: Encoder {
    fileprivate let output: CBOROutput
    private let parent: ValueEncoder?
    private let key: (any CodingKey)?
    private let context: (any CodingContext)?
    private var container: CBOROutput.Token?

    private init(_ output: CBOROutput, _ context: (any CodingContext)?, parent: ValueEncoder?, key: (any CodingKey)?) {
        self.output = output
        self.context = context
        self.parent = parent
        self.key = key
    }

    package var codingPath: [any CodingKey] { (parent?.codingPath ?? []) + (key.map { [$0] } ?? []) }
    package var userInfo: [CodingUserInfoKey: Any] { context?.userInfo ?? [:] }

    /// Writes `value` to the end of `output`.
    package static func encode(_ value: some Encodable, to output: CBOROutput, context: (any CodingContext)? = nil) throws {
        if output.writeDirectly(value) { return }
        try ValueEncoder(output, context, parent: nil, key: nil).encodeWhole(value)
    }

    fileprivate func nested(_ key: (any CodingKey)?) -> ValueEncoder { ValueEncoder(output, context, parent: self, key: key) }

    fileprivate func encodeNested(_ value: some Encodable, _ key: (any CodingKey)?) throws {
        if output.writeDirectly(value) { return }
        try nested(key).encodeWhole(value)
    }

    private func encodeWhole(_ value: some Encodable) throws {
        guard output.depth <= maximumCodingDepth else { throw failure(value, "Values contain values \(maximumCodingDepth) deep.") }
        let depth = output.depth
        let start = output.bytes.count
        try value.encode(to: self)
        output.close(downTo: depth)
        if output.bytes.count == start { output.writeNull() }
    }

    fileprivate func failure(_ value: Any, _ text: String) -> EncodingError {
        EncodingError.invalidValue(value, EncodingError.Context(codingPath: codingPath, debugDescription: text))
    }

    private func begin(map isMap: Bool) -> CBOROutput.Token {
        // A class and its superclass write to the same container.
        if let container { return container }
        let begun = output.begin(map: isMap)
        container = begun
        return begun
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(KeyedOutput(encoder: self, token: begin(map: true)))
    }
    package func unkeyedContainer() -> any UnkeyedEncodingContainer { UnkeyedOutput(encoder: self, token: begin(map: false)) }
    package func singleValueContainer() -> any SingleValueEncodingContainer { SingleOutput(encoder: self) }
}

private struct SingleOutput: SingleValueEncodingContainer {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() throws { encoder.output.writeNull() }
    func encode<Value: Encodable>(_ value: Value) throws { try encoder.encodeNested(value, nil) }
}

private struct UnkeyedOutput: UnkeyedEncodingContainer {
    let encoder: ValueEncoder
    let token: CBOROutput.Token
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.output.count(in: token) }

    private func item(_ value: Any) throws -> PlaceKey {
        let index = PlaceKey(intValue: count)
        guard encoder.output.item(in: token) else { throw encoder.failure(value, "An array goes on after what follows it.") }
        return index
    }

    func encodeNil() throws {
        _ = try item(Void.self)
        encoder.output.writeNull()
    }
    func encode<Value: Encodable>(_ value: Value) throws { try encoder.encodeNested(value, try item(value)) }

    // If it has ended, what is written to the nested container fails: it ends with it.
    func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        superEncoder().container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { superEncoder().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder.nested((try? item(Void.self)) ?? PlaceKey(intValue: count)) }
}

private struct KeyedOutput<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: ValueEncoder
    let token: CBOROutput.Token
    var codingPath: [any CodingKey] { encoder.codingPath }

    private func item(_ key: some CodingKey, _ value: Any) throws {
        let output = encoder.output
        let isOpen = output.item(in: token) {
            if let number = key.numberOnWire { output.write(Int64(number)) } else { output.write(key.stringValue) }
        }
        guard isOpen else { throw encoder.failure(value, "A structure goes on after what follows it.") }
    }

    func encodeNil(forKey key: Key) throws {
        try item(key, Void.self)
        encoder.output.writeNull()
    }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try item(key, value)
        try encoder.encodeNested(value, key)
    }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        superEncoder(forKey: key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { superEncoder(forKey: key).unkeyedContainer() }
    func superEncoder(forKey key: Key) -> any Encoder {
        try? item(key, Void.self)
        return encoder.nested(key)
    }
    func superEncoder() -> any Encoder {
        try? item(PlaceKey.super, Void.self)
        return encoder.nested(PlaceKey.super)
    }
}

/// The place in an array, and the key that Codable has for a superclass.
struct PlaceKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    static let `super` = PlaceKey(stringValue: "super")

    init(intValue: Int) {
        stringValue = "\(intValue)"
        self.intValue = intValue
    }
    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }
}

extension CodingKey {
    /// The number that stands for the key. A dictionary's key "007" has one, too, and is not to become "7".
    var numberOnWire: Int? {
        guard let intValue, Int(stringValue) == nil || stringValue == "\(intValue)" else { return nil }
        return intValue
    }
}

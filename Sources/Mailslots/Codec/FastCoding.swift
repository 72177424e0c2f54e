/// A type that is written and read without an `Encoder`: what most arguments are.
protocol DirectlyCoded {
    func write(to output: CBOROutput)
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Self
}

extension DirectlyCoded where Self: FixedWidthInteger {
    func write(to output: CBOROutput) {
        if let signed = Int64(exactly: self) { output.write(signed) } else { output.write(.unsigned, UInt64(self)) }
    }
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Self {
        try input.integer(at: &position)
    }
}

extension Int: DirectlyCoded {}
extension Int8: DirectlyCoded {}
extension Int16: DirectlyCoded {}
extension Int32: DirectlyCoded {}
extension Int64: DirectlyCoded {}
extension UInt: DirectlyCoded {}
extension UInt8: DirectlyCoded {}
extension UInt16: DirectlyCoded {}
extension UInt32: DirectlyCoded {}
extension UInt64: DirectlyCoded {}

extension Bool: DirectlyCoded {
    func write(to output: CBOROutput) { output.write(self) }
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Bool { try input.boolean(at: &position) }
}

extension Float: DirectlyCoded {
    func write(to output: CBOROutput) { output.write(self) }
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Float { try input.float(at: &position) }
}

extension Double: DirectlyCoded {
    func write(to output: CBOROutput) { output.write(self) }
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Double {
        try input.double(at: &position)
    }
}

extension String: DirectlyCoded {
    func write(to output: CBOROutput) { output.write(self) }
    static func read(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> String { try input.text(at: &position) }
}

/// An array whose elements may have a fixed layout.
private protocol ArrayOfValues {
    /// False: its elements are no such values.
    func writeValues(to output: CBOROutput) -> Bool
    /// nil: its elements are no such values.
    static func readValues(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> Self?
}

extension Array: ArrayOfValues {
    fileprivate func writeValues(to output: CBOROutput) -> Bool {
        guard let type = Element.self as? any MailslotValue.Type else { return false }
        func write<Value: MailslotValue>(_: Value.Type) -> Bool {
            guard let values = self as? [Value], MemoryLayout<Value>.size == MemoryLayout<Value>.stride else { return false }
            // Sound: a value has no padding, and its stride none either.
            output.write(unsafe values.span.bytes)
            return true
        }
        return write(type)
    }

    fileprivate static func readValues(from input: CBORInput, at position: inout Int) throws(CBORInput.Malformed) -> [Element]? {
        guard let type = Element.self as? any MailslotValue.Type else { return nil }
        func read<Value: MailslotValue>(_: Value.Type, at position: inout Int) throws(CBORInput.Malformed) -> [Element]? {
            let size = MemoryLayout<Value>.size
            guard size == MemoryLayout<Value>.stride, size > 0 else { return nil }
            // Who writes an array element by element, as an encoder of its own does, is read so, too.
            var start = position
            guard try input.head(at: &start).major == .bytes else { return nil }
            let range = try input.range(of: .bytes, at: &position)
            guard range.count.isMultiple(of: size) else {
                throw CBORInput.Malformed(reason: "\(range.count) bytes are no whole number of \(Value.self), which has \(size)")
            }
            try input.charge(range.count)
            let whole = input.bytes
            let bytes = unsafe whole.span.bytes.extracting(range)
            let values = unsafe [Value](unsafeUninitializedCapacity: range.count / size) { buffer, count in
                // Sound: so many whole values are there, and every pattern of bits is one.
                unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
                count = range.count / size
            }
            return values as? [Element]
        }
        return try read(type, at: &position)
    }
}

extension CBOROutput {
    /// Writes a value without an encoder. False: its type has its own ideas.
    func writeDirectly<Value>(_ value: Value) -> Bool {
        // The types of most arguments are compared one by one, which is faster than a cast to a protocol.
        if let value = value as? Int, Value.self == Int.self {
            write(Int64(value))
        } else if Value.self == String.self, let value = value as? String {
            write(value)
        } else if let value = value as? any DirectlyCoded {
            value.write(to: self)
        } else if let value = value as? any MailslotValue {
            writeLayout(value)
        } else if let values = value as? any ArrayOfValues {
            return values.writeValues(to: self)
        } else {
            return false
        }
        return true
    }

    private func writeLayout(_ value: some MailslotValue) {
        // Sound: a value has no padding.
        write(unsafe CollectionOfOne(value).span.bytes)
    }
}

extension CBORInput {
    /// Reads a value without a decoder. nil: its type has its own ideas, and `position` is as it was.
    func readDirectly<Value>(_ type: Value.Type, at position: inout Int) throws(Malformed) -> Value? {
        if type == Int.self { return try integer(at: &position) as Int as? Value }
        if let direct = type as? any DirectlyCoded.Type { return try direct.read(from: self, at: &position) as? Value }
        if let value = type as? any MailslotValue.Type { return try layout(value, at: &position) as? Value }
        if let array = type as? any ArrayOfValues.Type { return try array.readValues(from: self, at: &position) as? Value }
        return nil
    }

    private func layout<Value: MailslotValue>(_ type: Value.Type, at position: inout Int) throws(Malformed) -> Value {
        let range = try range(of: .bytes, at: &position)
        guard range.count == MemoryLayout<Value>.size else {
            throw Malformed(
                reason: "\(range.count) bytes are there for \(type), which has \(MemoryLayout<Value>.size): another version of it")
        }
        // Sound: the size is right, and every pattern of bits is a value.
        let whole = bytes
        return unsafe whole.span.bytes.unsafeLoadUnaligned(fromByteOffset: range.lowerBound, as: Value.self)
    }
}

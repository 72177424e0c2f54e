internal import Synchronization

extension MailslotValue {
    /// Ends the program, with cause and cure, unless every pattern of bits is a value of the type and it has no padding. It looks at a
    /// type once; afterwards it costs a load, or a lock where a program has several types.
    static func check() {
        let type = ObjectIdentifier(Self.self).hashValue
        if lastChecked.load(ordering: .relaxed) == type { return }  // Relaxed: nothing but the number itself is read.
        if checked.withLock({ $0.insert(ObjectIdentifier(Self.self)).inserted }), let problem = problem(of: Self.self, "it") {
            preconditionFailure("\(Self.self) cannot be a MailslotValue: \(problem)")
        }
        lastChecked.store(type, ordering: .relaxed)
    }
}

private let lastChecked = Atomic<Int>(0)
private let checked = Locked<Set<ObjectIdentifier>>([])

/// Types of which every pattern of bits is a value.
private let numbers: Set<ObjectIdentifier> = Set(
    ([
        UInt8.self, UInt16.self, UInt32.self, UInt64.self, UInt128.self, UInt.self, Int8.self, Int16.self, Int32.self, Int64.self,
        Int128.self, Int.self, Float16.self, Float.self, Double.self,
    ] as [Any.Type]).map { ObjectIdentifier($0) })

/// What is wrong with a type whose values are to be sent as their bytes, and the cure; `nil`: nothing.
///
/// - Parameter path: The place of the type in the value.
func problem(of type: Any.Type, _ path: String) -> String? {
    func opened<Value>(_ type: Value.Type) -> String? {
        if numbers.contains(ObjectIdentifier(type)) { return nil }
        if let array = type as? any HomogeneousBytes.Type { return problem(ofElements: array.element, path) }
        if let vector = type as? any SIMD.Type { return problem(ofVector: vector, path) }
        return problem(ofParts: type, path)
    }
    return _openExistential(type, do: opened)
}

/// What is an array of one type's values, and nothing else.
private protocol HomogeneousBytes {
    static var element: Any.Type { get }
}

extension InlineArray: HomogeneousBytes {
    fileprivate static var element: Any.Type { Element.self }
}

private func problem(ofElements element: Any.Type, _ path: String) -> String? {
    func padding<Element>(_: Element.Type) -> Int { MemoryLayout<Element>.stride - MemoryLayout<Element>.size }
    return problem(of: element, "an element of \(path)") ?? problem(ofPadding: _openExistential(element, do: padding), path)
}

private func problem(ofVector type: any SIMD.Type, _ path: String) -> String? {
    func opened<Vector: SIMD>(_: Vector.Type) -> String? {
        let used = MemoryLayout<Vector.Scalar>.size * Vector.scalarCount
        return problem(of: Vector.Scalar.self, "a scalar of \(path)") ?? problem(ofPadding: MemoryLayout<Vector>.size - used, path)
    }
    return opened(type)
}

private func problem<Value>(ofParts type: Value.Type, _ path: String) -> String? {
    // Sound: what it is made of is looked at, and no value is used.
    let parts = unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { memory in
        unsafe UnsafeMutableRawBufferPointer(memory).initializeMemory(as: UInt8.self, repeating: 0)
        return unsafe Mirror(reflecting: memory[0])
    }
    switch parts.displayStyle {
    case .struct where !parts.children.isEmpty || MemoryLayout<Value>.size == 0, .tuple: break
    case .enum: return "\(path) is an enumeration, not all of whose bytes are values. Send its raw value, as an integer."
    case .optional: return "\(path) is an optional, not all of whose bytes are values. Send a value that means none."
    default:
        return "\(path) is a \(type), of which not every pattern of bits is known to be a value. Send an integer, of a Bool a UInt8."
    }
    var used = 0
    for (index, part) in parts.children.enumerated() {
        func size<Part>(_: Part) -> Int { MemoryLayout<Part>.size }
        used += _openExistential(part.value, do: size)
        if let problem = problem(of: Swift.type(of: part.value), part.label ?? "\(path), part \(index),") { return problem }
    }
    return problem(ofPadding: MemoryLayout<Value>.size - used, path)
}

private func problem(ofPadding count: Int, _ path: String) -> String? {
    count == 0
        ? nil
        : "\(path) has \(count) bytes of padding, in which what was in memory would go to the reader. Order the fields by size, the "
            + "largest first, and fill up with integers."
}

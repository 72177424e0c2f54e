/// The bytes of a message that another process wrote, which may be anything. Every length is checked before it is believed, and nothing is
/// allocated for what the bytes do not hold.
package final class CBORInput {
    package let bytes: [UInt8]
    /// What the decoded values may still take, in bytes. A null of one byte may stand for a value of a kilobyte: so a message can ask for
    /// so much, and for no more.
    private var budget: Int
    /// What Codable hands on to the types of the message.
    let context: (any CodingContext)?

    package init(_ bytes: [UInt8], context: (any CodingContext)? = nil) {
        self.bytes = bytes
        self.context = context
        budget = 65_536 + 32 * bytes.count
    }

    /// What is wrong with the bytes.
    package struct Malformed: Error {
        package let reason: String

        package init(reason: String) { self.reason = reason }
    }

    /// The beginning of an item.
    struct Head {
        let major: CBORMajor
        /// A number, a length or a count.
        let argument: UInt64
        let isIndefinite: Bool
        /// The first byte, which tells simple values apart.
        let first: UInt8
    }

    func head(at position: inout Int) throws(Malformed) -> Head {
        guard position < bytes.count else { throw Malformed(reason: "the message ends where a value was expected") }
        let first = bytes[position]
        let major = CBORMajor(rawValue: first >> 5)!  // three bits, eight cases
        let information = first & 31
        position += 1
        let argument: UInt64
        switch information {
        case 0..<24: argument = UInt64(information)
        case 24...27: argument = try bigEndian(1 << (information - 24), at: &position)
        case CBORSimple.indefinite where major == .array || major == .map: argument = 0
        default: throw Malformed(reason: "byte \(position - 1) begins no value that is known here")
        }
        let isContainer = major == .array || major == .map
        let isIndefinite = isContainer && information == CBORSimple.indefinite
        if isContainer || major == .bytes || major == .text {
            // An element has a byte at least, a map's two.
            let most = UInt64(bytes.count - position) / (major == .map ? 2 : 1)
            guard argument <= most else {
                throw Malformed(reason: "byte \(position - 1) says a length beyond the end of the message")
            }
        }
        return Head(major: major, argument: argument, isIndefinite: isIndefinite, first: first)
    }

    private func bigEndian(_ count: Int, at position: inout Int) throws(Malformed) -> UInt64 {
        guard count <= bytes.count - position else { throw Malformed(reason: "the message ends within a number") }
        var value: UInt64 = 0
        for byte in bytes[position..<position + count] { value = value << 8 | UInt64(byte) }
        position += count
        return value
    }

    // MARK: items

    package func integer<Integer: FixedWidthInteger>(at position: inout Int) throws(Malformed) -> Integer {
        let head = try head(at: &position)
        let value: Integer?
        switch head.major {
        case .unsigned: value = Integer(exactly: head.argument)
        case .negative: value = head.argument > UInt64(Int64.max) ? nil : Integer(exactly: ~Int64(head.argument))
        default: throw Malformed(reason: "a value of kind \(head.major) is there, where a number was expected")
        }
        guard let value else { throw Malformed(reason: "a number is there that \(Integer.self) cannot have") }
        return value
    }

    package func text(at position: inout Int) throws(Malformed) -> String {
        let range = try range(of: .text, at: &position)
        guard let text = String(validating: bytes[range], as: UTF8.self) else { throw Malformed(reason: "a text is not UTF-8") }
        return text
    }

    /// Where the bytes of a string are.
    func range(of major: CBORMajor, at position: inout Int) throws(Malformed) -> Range<Int> {
        let head = try head(at: &position)
        guard head.major == major else {
            throw Malformed(reason: "a value of kind \(head.major) is there, where one of kind \(major) was expected")
        }
        let start = position
        position += Int(head.argument)  // fits: `head` has compared it with what is there
        return start..<position
    }

    func float(at position: inout Int) throws(Malformed) -> Float {
        try expect(CBORSimple.float, "a Float", at: &position)
        return Float(bitPattern: UInt32(try bigEndian(4, at: &position)))
    }

    func double(at position: inout Int) throws(Malformed) -> Double {
        try expect(CBORSimple.double, "a Double", at: &position)
        return Double(bitPattern: try bigEndian(8, at: &position))
    }

    func boolean(at position: inout Int) throws(Malformed) -> Bool {
        guard position < bytes.count, bytes[position] == CBORSimple.trueByte || bytes[position] == CBORSimple.falseByte else {
            throw Malformed(reason: "there is no true and no false, where one was expected")
        }
        defer { position += 1 }
        return bytes[position] == CBORSimple.trueByte
    }

    func isNull(at position: Int) -> Bool { position < bytes.count && bytes[position] == CBORSimple.null }

    /// Whether an indefinite container ends here.
    func isBreak(at position: Int) -> Bool { position < bytes.count && bytes[position] == CBORSimple.breakByte }

    private func expect(_ first: UInt8, _ what: String, at position: inout Int) throws(Malformed) {
        guard position < bytes.count, bytes[position] == first else {
            throw Malformed(reason: "there is no \(what), where one was expected")
        }
        position += 1
    }

    // MARK: whole values

    /// Passes over a value, whatever it is.
    func skip(at position: inout Int, depth: Int = 0) throws(Malformed) {
        guard depth <= maximumCodingDepth else { throw Malformed(reason: "values contain values \(maximumCodingDepth) deep") }
        let head = try head(at: &position)
        switch head.major {
        case .unsigned, .negative: break
        case .bytes, .text: position += Int(head.argument)
        case .array, .map:
            let items = head.major == .map ? 2 : 1
            var left = head.argument
            while head.isIndefinite ? !isBreak(at: position) : left > 0 {
                for _ in 0..<items { try skip(at: &position, depth: depth + 1) }
                if !head.isIndefinite { left -= 1 }
            }
            if head.isIndefinite { position += 1 }
        case .simple:
            let known = [CBORSimple.falseByte, CBORSimple.trueByte, CBORSimple.null, CBORSimple.float, CBORSimple.double]
            guard known.contains(head.first) else { throw Malformed(reason: "there is a simple value that is not known here") }
        case .tag: throw Malformed(reason: "there is a tag, which is not known here")
        }
    }

    func charge(_ size: Int) throws(Malformed) {
        budget -= size
        guard budget >= 0 else { throw Malformed(reason: "the message asks for far more memory than it has itself") }
    }
}

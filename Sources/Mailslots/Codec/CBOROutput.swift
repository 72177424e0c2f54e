// Arguments, results and errors are CBOR (RFC 8949): small integers take one byte, a value says what it is, so a field may be added to a
// type without breaking those who do not know it, and any tool can show what was sent. Of CBOR this package writes integers, floating-point
// numbers, text, byte strings, arrays, maps, true, false and null; it reads the same, and refuses tags and strings in chunks.
//
// - A structure is a map. Its keys are the names of its fields, or one byte each where its `CodingKeys` are integers.
// - A `MailslotValue` that is no number is a byte string of its fixed layout, and an array of values is one byte string for all.

/// What the first three bits of an item say.
package enum CBORMajor: UInt8 {
    case unsigned, negative, bytes, text, array, map, tag, simple
}

/// The simple values, with their major type.
enum CBORSimple {
    static let falseByte: UInt8 = 0xF4
    static let trueByte: UInt8 = 0xF5
    static let null: UInt8 = 0xF6
    static let float: UInt8 = 0xFA
    static let double: UInt8 = 0xFB
    static let breakByte: UInt8 = 0xFF
    /// The argument of a head that a break byte will end.
    static let indefinite: UInt8 = 31
}

/// How deep values may contain values, for who writes and who reads: the depth of the stack that a hostile message can ask for.
let maximumCodingDepth = 64

/// What was written of one message.
///
/// Codable has no word for the end of a container: it ends when the one around it goes on. So the output keeps the stack of those that are
/// open, and closes what is above the one that is written to.
package final class CBOROutput {
    package private(set) var bytes: [UInt8] = []
    private var open: [Container] = []
    private var nextSerial = 0

    private struct Container {
        let serial: Int
        let head: Int
        let isMap: Bool
        var count = 0
        /// Where the value of the last item begins. If nothing follows, its type has encoded nothing, and it becomes null.
        var value = -1
    }

    /// A container that was opened. It is written to only while it is open.
    struct Token {
        fileprivate let level: Int
        fileprivate let serial: Int
    }

    package init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

    // MARK: items

    package func write(_ major: CBORMajor, _ argument: UInt64) {
        let first = major.rawValue << 5
        switch argument {
        case 0..<24: bytes.append(first | UInt8(argument))
        case 24...0xFF: append(first | 24, UInt8(argument))
        case 0x100...0xFFFF: append(first | 25, UInt16(argument).bigEndian)
        case 0x1_0000...0xFFFF_FFFF: append(first | 26, UInt32(argument).bigEndian)
        default: append(first | 27, argument.bigEndian)
        }
    }

    package func write(_ integer: Int64) {
        // -1 is the first negative number, and its argument 0.
        integer < 0 ? write(.negative, UInt64(bitPattern: ~integer)) : write(.unsigned, UInt64(integer))
    }

    package func write(_ text: String) {
        write(.text, UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    func write(_ raw: RawSpan) {
        write(.bytes, UInt64(raw.byteCount))
        unsafe raw.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    func write(_ value: Float) { append(CBORSimple.float, value.bitPattern.bigEndian) }
    func write(_ value: Double) { append(CBORSimple.double, value.bitPattern.bigEndian) }
    func write(_ value: Bool) { bytes.append(value ? CBORSimple.trueByte : CBORSimple.falseByte) }
    func writeNull() { bytes.append(CBORSimple.null) }

    /// Appends whole items.
    package func append(_ items: CBOROutput) { bytes.append(contentsOf: items.bytes) }

    private func append(_ first: UInt8, _ argument: some BitwiseCopyable) {
        bytes.append(first)
        unsafe withUnsafeBytes(of: argument) { unsafe bytes.append(contentsOf: $0) }
    }

    // MARK: containers

    var depth: Int { open.count }

    func begin(map isMap: Bool) -> Token {
        let token = Token(level: open.count, serial: nextSerial)
        open.append(Container(serial: nextSerial, head: bytes.count, isMap: isMap))
        nextSerial += 1
        bytes.append(0)  // the head, which `close` knows
        return token
    }

    func isOpen(_ token: Token) -> Bool { token.level < open.count && open[token.level].serial == token.serial }

    func count(in token: Token) -> Int { isOpen(token) ? open[token.level].count : 0 }

    /// Begins an item, after closing what is open above; `key` writes a map's key. False: the container has ended, and takes no more.
    func item(in token: Token, key: () -> Void = {}) -> Bool {
        guard isOpen(token) else { return false }
        close(downTo: token.level + 1)
        fillItem(of: token.level)
        key()
        open[token.level].count += 1
        open[token.level].value = bytes.count
        return true
    }

    /// Closes the containers above the first `depth`.
    func close(downTo depth: Int) {
        while open.count > depth {
            fillItem(of: open.count - 1)
            let container = open.removeLast()
            let major = (container.isMap ? CBORMajor.map : .array).rawValue << 5
            if container.count < 24 {
                bytes[container.head] = major | UInt8(container.count)
            } else {
                bytes[container.head] = major | CBORSimple.indefinite
                bytes.append(CBORSimple.breakByte)
            }
        }
    }

    private func fillItem(of level: Int) {
        if open[level].value == bytes.count { writeNull() }
    }
}

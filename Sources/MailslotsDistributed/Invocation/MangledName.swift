/// The mangled name of a type or of a method, as far as it has to be understood here: whose method a target is.
///
/// The runtime finds a method by its name alone, and calls it on whatever actor it is given. A call that names a method of another type
/// would read one actor's memory as another's. So a target is taken only if its context is the actor's type.
struct MangledName {
    private let bytes: [UInt8]
    private var position = 0

    init(_ name: some StringProtocol) { bytes = Array(name.utf8) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Whether `target` is a method or a property of the type whose context is `context`: `$s`, the context, perhaps the module of an
    /// extension, and a name that no nested type has.
    static func isMember(_ target: String, of context: String) -> Bool {
        guard target.hasPrefix("$s"), target.dropFirst(2).hasPrefix(context) else { return false }
        var name = MangledName(target.dropFirst(2 + context.utf8.count))
        guard name.skipIdentifier() else { return false }
        if name.next == UInt8(ascii: "E") {  // that was a module, of an extension
            name.position += 1
            guard name.skipIdentifier() else { return false }
        }
        // The discriminator of what is private to its file.
        var discriminated = name
        if discriminated.skipIdentifier(), discriminated.next == UInt8(ascii: "L") {
            discriminated.position += 2
            name = discriminated
        }
        // A nested type's name is followed by its kind (class, enumeration, structure, protocol, alias), a member's by labels or a type.
        return name.next.map { !"COVPa".utf8.contains($0) } ?? false
    }

    /// A type's name without its generic arguments, which is how its methods' names begin; nil if they cannot be told from it: of a type
    /// that is private to its file, or within a function.
    static func context(of type: Any.Type) -> String? {
        guard let whole = _mangledTypeName(type), !whole.utf8.contains(UInt8(ascii: "$")) else { return nil }
        var name = MangledName(whole)
        while let byte = name.next, byte != UInt8(ascii: "y") {
            if name.skipIdentifier() || name.skipSubstitution() { continue }
            name.position += 1
        }
        let context = String(decoding: name.bytes.prefix(name.position), as: UTF8.self)
        return context.hasSuffix("C") ? context : nil
    }

    /// Passes over an identifier: its length and its letters, among which may be words that came before ("0" and a letter for each).
    private mutating func skipIdentifier() -> Bool {
        guard let first = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        var hasWords = false
        var isPunycode = false
        if first == UInt8(ascii: "0") {
            position += 1
            if next == UInt8(ascii: "0") {
                position += 1
                isPunycode = true
            } else {
                hasWords = true
            }
        }
        repeat {
            while hasWords, let letter = next {
                if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) {
                    position += 1
                } else if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(letter) {
                    position += 1
                    hasWords = false
                } else {
                    break
                }
            }
            if next == UInt8(ascii: "0") {
                position += 1
                return true
            }
            var count = 0
            while let digit = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit), count <= bytes.count {
                count = count * 10 + Int(digit - UInt8(ascii: "0"))
                position += 1
            }
            if isPunycode, next == UInt8(ascii: "_") { position += 1 }
            guard count > 0, count <= bytes.count - position else { return false }
            position += count
        } while hasWords
        return true
    }

    /// Passes over a reference to what came before: "A", small letters, and a large one.
    private mutating func skipSubstitution() -> Bool {
        guard next == UInt8(ascii: "A") else { return false }
        position += 1
        while let byte = next {
            position += 1
            if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_") { break }
        }
        return true
    }
}

internal import CMailslots

/// A counter of a mailslot, for programs that show all of them: ``MailslotInfo/counters``.
///
/// Each has a property of ``MailslotInfo``, too, which says what it counts.
public struct MailslotCounter: Sendable, Hashable {
    /// What a counter's value does as time goes on.
    public enum Kind: Sendable, Hashable {
        /// It counts up from the mailslot's creation, over all its readers and writers.
        case counter
        /// It is what is now.
        case gauge
    }

    /// As the property of ``MailslotInfo``, such as `"fullWrites"`. Promised.
    public let name: String
    /// Whether it only counts up.
    public let kind: Kind
    /// What it counts, in a sentence.
    public let help: String
    /// The count.
    public let value: UInt64

    /// What the C core says of a counter. A counter that is added there is here by itself.
    struct Description: Sendable {
        /// In C's spelling, such as `full_writes`.
        let name: String
        let kind: Kind
        let help: String
        let offset: Int

        func value(in info: mslot_info) -> UInt64 {
            // Sound: the C core says where its 64 bits are.
            unsafe withUnsafeBytes(of: info) { unsafe $0.load(fromByteOffset: offset, as: UInt64.self) }
        }
    }

    static let descriptions: [Description] = (0..<Int(MSLOT_COUNTER_COUNT)).compactMap { number in
        guard let counter = unsafe mslot_counter_describe(number)?.pointee else { return nil }
        // Sound: constants of the library.
        return unsafe Description(
            name: String(cString: counter.name), kind: counter.kind == .gauge ? .gauge : .counter, help: String(cString: counter.help),
            offset: Int(counter.offset))
    }

    init(_ description: Description, in info: mslot_info) {
        name = Self.camelCase(description.name)
        kind = description.kind
        help = description.help
        value = description.value(in: info)
    }

    private static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_")
        return words.dropFirst().reduce(words.first.map(String.init) ?? "") { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }
}

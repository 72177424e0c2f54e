/// Which of a session's counters were seen, so that no datagram counts twice.
///
/// It remembers the counters down to `span` below the highest one. What is older cannot be told from a replay any more, and is refused.
/// Marking is separate from asking, for only a datagram whose tag is right may be marked: else anyone could shut out what is still to
/// come.
///
/// The bitmap is a ring of words; one word is always being cleared ahead, so that nothing is ever shifted (the algorithm of RFC 6479).
package struct ReplayWindow: Sendable {
    package enum Verdict: Sendable, Equatable {
        case new
        case seen
        case tooOld
    }

    private static let words = 32
    private static let bitsPerWord: UInt64 = 64

    /// How far below the highest counter one may lie and still be told from a replay: 1984.
    package static let span = UInt64(words - 1) * bitsPerWord

    private var seen = InlineArray<32, UInt64>(repeating: 0)
    /// The highest counter marked. Before the first is marked 0, and nothing is in the bitmap.
    private var highest: UInt64 = 0

    package init() {}

    package func verdict(on counter: UInt64) -> Verdict {
        if counter > highest { return .new }
        // The whole of the word in which the oldest counter of the span lies is still there.
        if highest / Self.bitsPerWord - counter / Self.bitsPerWord >= UInt64(Self.words) { return .tooOld }
        return seen[Self.word(of: counter)] & Self.bit(of: counter) == 0 ? .new : .seen
    }

    /// Only after `verdict` said that it is new.
    package mutating func mark(_ counter: UInt64) {
        if counter > highest {
            // Every word that the window enters is cleared, all of them if it jumps.
            let entered = min(counter / Self.bitsPerWord - highest / Self.bitsPerWord, UInt64(Self.words))
            for step in 0..<entered { seen[Int((counter / Self.bitsPerWord - step) % UInt64(Self.words))] = 0 }
            highest = counter
        }
        seen[Self.word(of: counter)] |= Self.bit(of: counter)
    }

    private static func word(of counter: UInt64) -> Int { Int(counter / bitsPerWord % UInt64(words)) }
    private static func bit(of counter: UInt64) -> UInt64 { 1 << (counter % bitsPerWord) }
}

import Foundation

/// Repeatable random numbers, splitmix64.
package struct SeededGenerator: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    /// A seed of its own each time, which is printed; `MAILSLOTS_TEST_SEED` repeats one.
    package static func forTest(_ name: String) -> SeededGenerator {
        let repeated = ProcessInfo.processInfo.environment["MAILSLOTS_TEST_SEED"].flatMap(UInt64.init)
        let seed = repeated ?? UInt64.random(in: 1...1_000_000_000)
        print("seed \(seed) for \(name)")
        return SeededGenerator(seed: seed)
    }
}

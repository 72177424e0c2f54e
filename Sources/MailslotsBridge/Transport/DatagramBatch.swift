internal import MailslotsWire

/// Datagrams that go out together, in memory of their own that is used again and again.
///
/// Those of one destination are best one behind the other, all but the last equally long: they go out as one packet then.
@safe
package struct DatagramBatch: ~Copyable {
    /// How many fit.
    package static let countMax = 64
    /// How long a transport waits for room before it drops, in nanoseconds.
    static let roomTimeout: Int64 = 10_000_000

    /// Consecutive datagrams of one destination, by their indices.
    package struct Run: Sendable {
        package let route: Route
        package let range: Range<Int>
    }

    package private(set) var runs: [Run] = []
    private var byteCounts: [Int] = []
    private let memory = UnsafeMutableRawPointer.allocate(
        byteCount: countMax * DatagramFormat.bytesMax, alignment: 64)

    package init() { byteCounts.reserveCapacity(Self.countMax) }

    deinit { unsafe memory.deallocate() }

    package var count: Int { byteCounts.count }
    package var isEmpty: Bool { byteCounts.isEmpty }
    package var isFull: Bool { count == Self.countMax }

    /// Appends a datagram: `fill` writes it to the front of 1472 bytes, and returns how many it has. The batch must not be full.
    package mutating func append(to route: Route, _ fill: (inout MutableRawSpan) -> Int) {
        precondition(!isFull, "The batch is full.")
        let first = runs.last?.route == route ? runs.removeLast().range.lowerBound : count
        runs.append(Run(route: route, range: first..<count + 1))
        byteCounts.append(0)
        change(count - 1) { bytes, _ in fill(&bytes) }
    }

    /// Calls `body` with the 1472 bytes of each datagram and how many of them it has, and takes what it returns for that.
    package mutating func changeAll(_ body: (_ route: Route, _ bytes: inout MutableRawSpan, _ byteCount: Int) -> Int) {
        for run in runs {
            for index in run.range { change(index) { bytes, byteCount in body(run.route, &bytes, byteCount) } }
        }
    }

    private mutating func change(_ index: Int, _ body: (_ bytes: inout MutableRawSpan, _ byteCount: Int) -> Int) {
        // Sound: this part of the memory is ours alone, and `body` does not keep the span.
        var bytes = unsafe MutableRawSpan(_unsafeStart: memory + index * DatagramFormat.bytesMax, byteCount: DatagramFormat.bytesMax)
        byteCounts[index] = body(&bytes, byteCounts[index])
    }

    /// The bytes of a datagram. They stay where they are until the batch is cleared.
    package borrowing func bytes(of index: Int) -> UnsafeRawBufferPointer {
        // Sound: the index is checked by the array, and so many bytes were written.
        unsafe UnsafeRawBufferPointer(start: memory + index * DatagramFormat.bytesMax, count: byteCounts[index])
    }

    package mutating func removeAll() {
        runs.removeAll(keepingCapacity: true)
        byteCounts.removeAll(keepingCapacity: true)
    }
}

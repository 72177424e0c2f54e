#if Bridge

    /// Datagrams that go out together, in memory of their own that is used again and again.
    ///
    /// Those of one destination are best one behind the other, all but the last equally long: they go out as one packet then.
    @safe
    package struct DatagramBatch: ~Copyable {
        /// How many fit.
        package static let countMax = 64

        package struct Entry: Sendable {
            package let route: Route
            package let byteCount: Int
        }

        package private(set) var entries: [Entry] = []
        private let memory = UnsafeMutableRawPointer.allocate(
            byteCount: countMax * DatagramFormat.bytesMax, alignment: 64)

        package init() { entries.reserveCapacity(Self.countMax) }

        deinit { unsafe memory.deallocate() }

        package var isEmpty: Bool { entries.isEmpty }
        package var isFull: Bool { entries.count == Self.countMax }

        /// Appends a datagram: `fill` writes it to the front of 1472 bytes, and returns how many it has. The batch must not be full.
        package mutating func append(to route: Route, _ fill: (inout MutableRawSpan) -> Int) {
            precondition(!isFull, "The batch is full.")
            let start = unsafe memory + entries.count * DatagramFormat.bytesMax
            // Sound: this part of the memory is ours alone, and `fill` does not keep the span.
            var span = unsafe MutableRawSpan(_unsafeStart: start, byteCount: DatagramFormat.bytesMax)
            entries.append(Entry(route: route, byteCount: fill(&span)))
        }

        /// Calls `body` with the bytes of an entry, which stay where they are until the batch is cleared.
        package borrowing func withBytes<Result>(of index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            // Sound: the entry's bytes were written, and the index is checked.
            unsafe body(UnsafeRawBufferPointer(start: memory + index * DatagramFormat.bytesMax, count: entries[index].byteCount))
        }

        package mutating func removeAll() { entries.removeAll(keepingCapacity: true) }
    }
#endif

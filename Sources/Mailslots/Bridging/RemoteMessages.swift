internal import CMailslots

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Memory for the bytes of messages from other machines, which stay where they are until all are removed. For one thread at a time.
@safe
package final class MessageMemory {
    // Sound: allocated by `init`, freed by `deinit`.
    @usableFromInline let bytes: UnsafeMutableRawBufferPointer
    @usableFromInline var used = 0

    package init(byteCount: Int) { unsafe bytes = .allocate(byteCount: byteCount, alignment: 64) }

    deinit { unsafe bytes.deallocate() }

    package var freeCount: Int { unsafe bytes.count - used }

    /// Keeps what `body` appends; nothing if it throws.
    @inlinable
    package func append<Result, Failure: Error>(
        _ body: (inout OutputRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> (bytes: Range<Int>, result: Result) {
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[used...])
        // Sound: nobody else has this part, and the output does not leave the call.
        var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
        let result = try body(&output)
        let count = unsafe output.finalize(for: room)
        used += count
        return (used - count..<used, result)
    }

    /// Calls `body` with bytes that `append` kept.
    @inlinable
    package func withBytes<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.upperBound <= used, "Nothing is there.")
        // Sound: they are initialized, and the span does not leave the call.
        return try body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[range])))
    }

    fileprivate func removeAll() { used = 0 }

    /// Whether the bytes lie in this memory.
    func contains(_ span: UnsafeRawBufferPointer) -> Bool {
        guard let start = span.baseAddress, let first = unsafe UnsafeRawPointer(bytes.baseAddress) else { return unsafe span.isEmpty }
        return unsafe start >= first && start + span.count <= first + bytes.count
    }
}

/// Messages from other machines, until they are written into their mailslots, all together. Their bytes are in a ``MessageMemory``. For one
/// thread at a time.
@safe
package struct RemoteMessages: ~Copyable {
    /// Consecutive messages for one mailslot.
    @safe
    struct Run {
        let name: UnsafeRawBufferPointer
        let first: Int
        var count: Int

        init(name: UnsafeRawBufferPointer, first: Int) {
            unsafe self.name = unsafe name
            self.first = first
            count = 0
        }
    }

    /// Messages for one mailslot that are not yet written.
    @safe
    package struct Batch: ~Copyable {
        // Sound: they and their bytes stay while `removeAll` calls its body, and a batch does not leave that.
        private(set) var messages: UnsafeBufferPointer<mslot_remote_message>

        fileprivate init(_ messages: UnsafeBufferPointer<mslot_remote_message>) { unsafe self.messages = unsafe messages }

        package var count: Int { unsafe messages.count }
        package var isEmpty: Bool { unsafe messages.isEmpty }
        package mutating func removeFirst(_ count: Int) {
            unsafe messages = UnsafeBufferPointer(rebasing: messages.dropFirst(count))
        }
    }

    private let memory: MessageMemory
    var messages: [mslot_remote_message] = unsafe []
    var runs: [Run] = []

    /// `capacity`: for how many there is room without an allocation.
    package init(in memory: MessageMemory, capacity: Int) {
        self.memory = memory
        unsafe messages.reserveCapacity(capacity)
    }

    /// Name and payload lie in the memory, else this traps.
    package mutating func append(_ payload: RawSpan, to name: RawSpan, sender: UInt32, origin: UInt16) {
        let name = unsafe name.withUnsafeBytes { unsafe $0 }
        let bytes = unsafe payload.withUnsafeBytes { unsafe $0 }
        precondition(unsafe memory.contains(name) && memory.contains(bytes), "These bytes may go while the message stays.")
        if unsafe !isOfLastRun(name) { unsafe runs.append(Run(name: name, first: messages.count)) }
        runs[runs.count - 1].count += 1
        unsafe messages.append(
            mslot_remote_message(bytes: bytes.baseAddress, byte_count: UInt32(bytes.count), sender: sender, origin: origin))
    }

    private func isOfLastRun(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let run = runs.last, unsafe run.name.count == name.count, let start = name.baseAddress else { return false }
        // Sound: both have so many bytes.
        return unsafe memcmp(start, run.name.baseAddress!, name.count) == 0
    }

    /// Calls `body` with those for one mailslot after the other, in order, and forgets them; the memory is free again.
    package mutating func removeAll(_ body: (_ batch: inout Batch, _ name: RawSpan) -> Void) {
        unsafe messages.withUnsafeBufferPointer { all in
            for run in runs {
                var batch = unsafe Batch(UnsafeBufferPointer(rebasing: all[run.first..<run.first + run.count]))
                // Sound: the name is in the memory, and does not leave the call.
                body(&batch, unsafe RawSpan(_unsafeBytes: run.name))
            }
        }
        unsafe messages.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        memory.removeAll()
    }
}

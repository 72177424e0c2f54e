import CBenchmarks
import Mailslots

// Our sides once more, through the Swift API: line by line what mailslot.c does.

private func fail(_ run: UnsafeMutablePointer<bench_run>, line: UInt32 = #line) -> Never { bench_fail(run, line, nil) }

private func create(_ run: UnsafeMutablePointer<bench_run>, _ number: UInt32) -> MailslotReader {
    do {
        return try Mailslot.create(
            String(cString: bench_name(run, number)), capacity: Int(BENCH_CAPACITY), maximumWriters: Int(BENCH_LANES))
    } catch {
        fail(run)
    }
}

private func open(_ run: UnsafeMutablePointer<bench_run>, _ number: UInt32) -> MailslotWriter {
    do {
        return try Mailslot.open(String(cString: bench_name(run, number)))
    } catch {
        fail(run)
    }
}

/// A message of the run's size, whose first word is its number.
private struct Scratch: ~Copyable {
    let buffer: UnsafeMutableRawBufferPointer

    init(_ run: UnsafeMutablePointer<bench_run>) {
        buffer = .allocate(byteCount: Int(run.pointee.message_bytes), alignment: 8)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { buffer.deallocate() }

    @inline(__always)
    var number: UInt64 {
        get { buffer.load(as: UInt64.self) }
        nonmutating set { buffer.storeBytes(of: newValue, as: UInt64.self) }
    }

    @inline(__always)
    var constant: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer) }

    /// Copies a message out, as a reader does that keeps it.
    @inline(__always)
    func take(_ message: RawSpan) {
        message.withUnsafeBytes { buffer.copyMemory(from: $0) }
    }
}

private func end(_ run: UnsafeMutablePointer<bench_run>) -> UInt64 { run.pointee.warm_up + run.pointee.messages }

// MARK: round trip

func swiftRoundTripFirst(_ shared: UnsafeMutablePointer<bench_run>?) {
    guard let run = shared else { return }
    var back = create(run, 1)
    bench_meet(run)
    var there = open(run, 0)
    let scratch = Scratch(run)
    bench_meet(run)
    do {
        var before = bench_ticks()
        for i in 0..<end(run) {
            scratch.number = i
            guard try there.tryWrite(RawSpan(_unsafeBytes: scratch.constant)) == .written else { fail(run) }
            let took: Void? = try back.withMessage(timeout: .forever) { bytes, _ in scratch.take(bytes) }
            guard took != nil, scratch.number == i else { fail(run) }
            before = bench_sample(run, i, before)
        }
    } catch {
        fail(run)
    }
    bench_samples_done(run)
    bench_meet(run)
}

func swiftRoundTripSecond(_ shared: UnsafeMutablePointer<bench_run>?) {
    guard let run = shared else { return }
    var there = create(run, 0)
    bench_meet(run)
    var back = open(run, 1)
    let scratch = Scratch(run)
    bench_meet(run)
    do {
        for _ in 0..<end(run) {
            let took: Void? = try there.withMessage(timeout: .forever) { bytes, _ in scratch.take(bytes) }
            guard took != nil, try back.tryWrite(RawSpan(_unsafeBytes: scratch.constant)) == .written else { fail(run) }
        }
    } catch {
        fail(run)
    }
    bench_meet(run)
}

// MARK: one way

func swiftOneWayFirst(_ shared: UnsafeMutablePointer<bench_run>?) {
    guard let run = shared else { return }
    bench_meet(run)
    var writer = open(run, 0)
    let scratch = Scratch(run)
    bench_meet(run)
    do {
        for i in 0..<end(run) {
            scratch.number = i
            try writer.write(RawSpan(_unsafeBytes: scratch.constant))
        }
    } catch {
        fail(run)
    }
    bench_meet(run)
}

func swiftOneWaySecond(_ shared: UnsafeMutablePointer<bench_run>?) {
    guard let run = shared else { return }
    var reader = create(run, 0)
    bench_meet(run)
    let scratch = Scratch(run)
    bench_meet(run)
    do {
        var before: UInt64 = 0
        var total: UInt64 = 0
        let end = end(run)
        while total < end {
            var expected = total
            let count = try reader.withMessages(atMost: Int(BENCH_BATCH), timeout: .forever) { bytes, _ in
                scratch.take(bytes)
                guard scratch.number == expected else { fail(run) }
                expected += 1
            }
            total += UInt64(count)
            bench_sample_chunk(run, total, count, &before)
        }
    } catch {
        fail(run)
    }
    bench_meet(run)
}

// MARK: counting

func swiftCount(_ shared: UnsafeMutablePointer<bench_run>?) {
    guard let run = shared else { return }
    var reader = create(run, 0)
    var writer = open(run, 0)
    let scratch = Scratch(run)
    do {
        for i in 0..<end(run) {
            if i == run.pointee.warm_up { bench_mark(run) }
            scratch.number = i
            try writer.write(RawSpan(_unsafeBytes: scratch.constant))
            let took: Void? = try reader.withMessage(timeout: .forever) { bytes, _ in scratch.take(bytes) }
            guard took != nil, scratch.number == i else { fail(run) }
        }
    } catch {
        fail(run)
    }
    bench_mark(run)
}

// MARK: stepping

/// Both ends of a mailslot that has been used.
private func withUsedEnds(
    _ shared: UnsafeMutablePointer<bench_run>?,
    _ body: (UnsafeMutablePointer<bench_run>, inout MailslotReader, inout MailslotWriter, borrowing Scratch) throws -> Void
) {
    guard let run = shared else { return }
    var reader = create(run, 0)
    var writer = open(run, 0)
    let scratch = Scratch(run)
    do {
        for _ in 0..<run.pointee.warm_up {
            try writer.write(RawSpan(_unsafeBytes: scratch.constant))
            guard try reader.read(timeout: .now) != nil else { fail(run) }
        }
        try body(run, &reader, &writer, scratch)
    } catch {
        fail(run)
    }
}

@inline(never)
private func fill(_ run: UnsafeMutablePointer<bench_run>, _ writer: inout MailslotWriter, _ scratch: borrowing Scratch) throws {
    for _ in 0..<run.pointee.messages { try writer.write(RawSpan(_unsafeBytes: scratch.constant)) }
}

func swiftStepWrite(_ shared: UnsafeMutablePointer<bench_run>?) {
    withUsedEnds(shared) { run, _, writer, scratch in
        bench_mark(run)
        try fill(run, &writer, scratch)
        bench_mark(run)
    }
}

func swiftStepRead(_ shared: UnsafeMutablePointer<bench_run>?) {
    withUsedEnds(shared) { run, reader, writer, scratch in
        try fill(run, &writer, scratch)
        bench_mark(run)
        for _ in 0..<run.pointee.messages {
            guard try reader.read(timeout: .now) != nil else { fail(run) }
        }
        bench_mark(run)
    }
}

func swiftStepWithMessage(_ shared: UnsafeMutablePointer<bench_run>?) {
    withUsedEnds(shared) { run, reader, writer, scratch in
        try fill(run, &writer, scratch)
        bench_mark(run)
        for _ in 0..<run.pointee.messages {
            guard try reader.withMessage(timeout: .now, { bytes, _ in bytes.byteCount }) == Int(run.pointee.message_bytes) else {
                fail(run)
            }
        }
        bench_mark(run)
    }
}

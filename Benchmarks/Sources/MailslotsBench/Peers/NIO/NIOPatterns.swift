import CBenchmarks
import NIOCore

// The patterns as handlers of an event loop. Each is the loop of the same name in CBenchmarks/patterns, which says what it is for.

// MARK: round trip

final class Asker: NIOSide, @unchecked Sendable {
    private lazy var span = bench_begin(run.pointer)
    private lazy var asleep = bench_ticks_of(run.pointer.pointee.asleep_ns)
    private var before: UInt64 = 0
    private var isLast = false

    override func begin(_ channel: any Channel) { ask(channel) }

    override func received(_ message: ByteBuffer, _ channel: any Channel) {
        let now = bench_ticks()
        run.require(word(message) ?? count == count, "the answer is to the question")
        if before >= span.warm, !isLast { bench_keep_sample(run.pointer, now - before) }
        count += 1
        guard isLast else { return ask(channel) }
        run.pointer.pointee.messages_moved = 2 * count
        isDone.succeed()
    }

    private func ask(_ channel: any Channel) {
        if asleep != 0 { bench_wait_until(run.pointer, bench_ticks() + asleep) }
        before = bench_ticks()
        isLast = bench_is_over(span, before, run.pointer.pointee.sample_count)
        if isLast { bench_announce_last(run.pointer, count + 1) }
        send(count, channel, isLast: false)
    }
}

final class Answerer: NIOSide, @unchecked Sendable {
    override func received(_ message: ByteBuffer, _ channel: any Channel) {
        count += 1
        channel.writeAndFlush(message, promise: bench_was_last(run.pointer, count, 0) ? isDone : nil)
    }
}

// MARK: one way

/// A message says who sent it, and which of his it is.
private let writerShift = UInt64(48)

final class Sender: NIOSide, @unchecked Sendable {
    private let writer = UInt64(bench_writer_number()) << writerShift
    private var isLast = false

    override func mayWrite(_ channel: any Channel) {
        while channel.isWritable, !isLast {
            isLast = count % 64 == 0 && bench_has_acknowledged(run.pointer)
            if isLast { bench_announce_last(run.pointer, count + 1) }
            send(writer | count, channel, isLast: isLast)
            count += 1
        }
    }
}

final class ChunkTimer: NIOSide, @unchecked Sendable {
    override var readsOnly: Bool { true }
    private lazy var span = bench_begin(run.pointer)
    private var expected = [UInt64](repeating: 0, count: Int(BENCH_WRITERS_MAX))
    private var before: UInt64 = 0
    private var hasEnough = false

    override func received(_ message: ByteBuffer, _ channel: any Channel) {
        if let word = word(message) {
            let writer = Int(word >> writerShift)
            run.require(writer < Int(run.pointer.pointee.writers), "the writer is one of ours")
            run.require(word & (1 << writerShift - 1) == expected[writer], "messages come in order")
            expected[writer] += 1
        }
        // The span begins with the first message.
        let span = span
        count += 1
        if hasEnough {
            if bench_was_last(run.pointer, count, 0) { isDone.succeed() }
            return
        }
        guard count % UInt64(BENCH_PEER_CHUNK) == 0 else { return }
        let now = bench_ticks()
        if before >= span.warm { bench_keep_sample(run.pointer, now - before) }
        before = now
        hasEnough = bench_is_over(span, now, run.pointer.pointee.sample_count)
        if hasEnough { bench_acknowledge_enough(run.pointer) }
    }
}

// MARK: paced

final class PacedSender: NIOSide, @unchecked Sendable {
    private lazy var span = bench_begin(run.pointer)
    private lazy var start = bench_ticks()
    private lazy var ticksAMessage = bench_ticks_per_second() / run.pointer.pointee.rate
    private lazy var messages = UInt64(Double(span.end - start) / ticksAMessage) + 1
    private var isLast = false

    override func begin(_ channel: any Channel) {
        run.pointer.pointee.warm_ticks = span.warm  // with the message, which publishes it
        mayWrite(channel)
    }

    override func mayWrite(_ channel: any Channel) {
        while channel.isWritable, !isLast {
            let due = start + UInt64(Double(count) * ticksAMessage)
            let now = bench_ticks()
            // The loop goes round until then, for what is still to be written it has to write.
            if now < due { return channel.eventLoop.execute { self.mayWrite(channel) } }
            isLast = count + 1 == messages || now >= span.end && count > messages / 5 + UInt64(BENCH_SAMPLES_MIN)
            if isLast {
                bench_announce_last(run.pointer, count + 1)
                run.pointer.pointee.unsent = messages - count - 1
            }
            send(due, channel, isLast: isLast)
            count += 1
        }
    }
}

final class PacedReader: NIOSide, @unchecked Sendable {
    override var readsOnly: Bool { true }
    private lazy var half = bench_ticks_of(run.pointer.pointee.duration_ns / 2)
    private lazy var stall = bench_ticks_of(run.pointer.pointee.stall_ns)

    override func received(_ message: ByteBuffer, _ channel: any Channel) {
        let now = bench_ticks()
        guard let due = word(message) else { return run.require(false, "a message says when it was due") }
        count += 1
        let isLast = bench_was_last(run.pointer, count, 0)
        if due >= run.pointer.pointee.warm_ticks, !isLast { bench_keep_sample(run.pointer, now - due) }
        if stall != 0, now >= run.pointer.pointee.warm_ticks + half {
            bench_wait_ticks(stall)
            stall = 0
        }
        if isLast { isDone.succeed() }
    }
}

// MARK: check

final class CheckedSender: NIOSide, @unchecked Sendable {
    override func mayWrite(_ channel: any Channel) {
        while channel.isWritable, count < UInt64(BENCH_CHECK_MESSAGES) {
            var message = ByteBuffer()
            message.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(BENCH_PEER_BYTES_MAX)) { bytes in
                bench_check_fill(run.pointer, UInt32(count), bytes.baseAddress)
                return run.messageBytes
            }
            count += 1
            channel.writeAndFlush(message, promise: count == UInt64(BENCH_CHECK_MESSAGES) ? isDone : nil)
        }
    }
}

final class CheckedReader: NIOSide, @unchecked Sendable {
    override func received(_ message: ByteBuffer, _ channel: any Channel) {
        run.require(count < UInt64(BENCH_CHECK_MESSAGES), "no message comes twice")
        var bytes = [UInt8](repeating: UInt8(BENCH_CHECK_UNTOUCHED), count: Int(BENCH_PEER_BYTES_MAX))
        message.withUnsafeReadableBytes { bytes.replaceSubrange(0..<$0.count, with: $0) }
        bench_check_message(run.pointer, UInt32(count), bytes)
        count += 1
        if count == UInt64(BENCH_CHECK_MESSAGES) { isDone.succeed() }
    }
}

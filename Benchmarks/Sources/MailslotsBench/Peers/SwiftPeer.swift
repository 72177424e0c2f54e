import CBenchmarks
import Mailslots

/// Our Swift API behind the interface of the peers. What `channel.end` points to is a reader or a writer.
enum SwiftPeer {
    /// For ever, as the name and the settings of a peer are.
    nonisolated(unsafe) static let pointer: UnsafePointer<bench_peer> = {
        let peer = UnsafeMutablePointer<bench_peer>.allocate(capacity: 1)
        peer.initialize(to: bench_peer())
        peer.pointee.name = text("Mailslots")
        peer.pointee.settings = text("the Swift API: write, withMessage; 1024 slots; blocking: polls as long as it pays, then sleeps")
        peer.pointee.polls = true
        peer.pointee.open = { open($0, $1) }
        peer.pointee.send = { send($0, $1) }
        peer.pointee.receive = { receive($0, $1) }
        peer.pointee.close = { close($0, $1) }
        peer.pointee.remove = bench_peer_ours().pointee.remove
        return UnsafePointer(peer)
    }()

    private static func text(_ string: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    private static func open(_ channel: UnsafeMutablePointer<bench_channel>?, _ end: bench_end) -> Bool {
        guard let channel else { return false }
        let name = String(cString: channel.pointee.name)
        do {
            if end == BENCH_READER {
                let reader = UnsafeMutablePointer<MailslotReader>.allocate(capacity: 1)
                reader.initialize(to: try Mailslot.create(name, capacity: Int(BENCH_PEER_CAPACITY)))
                channel.pointee.end = UnsafeMutableRawPointer(reader)
            } else {
                let writer = UnsafeMutablePointer<MailslotWriter>.allocate(capacity: 1)
                writer.initialize(to: try Mailslot.open(name))
                channel.pointee.end = UnsafeMutableRawPointer(writer)
            }
            return true
        } catch {
            return false
        }
    }

    private static func send(_ channel: UnsafeMutablePointer<bench_channel>?, _ bytes: UnsafeRawPointer?) -> bench_moved {
        guard let channel, let end = channel.pointee.end, let bytes else { return BENCH_FAILED }
        let writer = end.assumingMemoryBound(to: MailslotWriter.self)
        let span = RawSpan(_unsafeStart: bytes, byteCount: Int(channel.pointee.message_bytes))
        do {
            return try writer.pointee.write(span, timeout: channel.pointee.polls ? .now : .forever) == .written
                ? BENCH_MOVED : BENCH_NOTHING
        } catch {
            return BENCH_FAILED
        }
    }

    private static func receive(_ channel: UnsafeMutablePointer<bench_channel>?, _ bytes: UnsafeMutableRawPointer?) -> bench_moved {
        guard let channel, let end = channel.pointee.end, let bytes else { return BENCH_FAILED }
        let reader = end.assumingMemoryBound(to: MailslotReader.self)
        let expected = Int(channel.pointee.message_bytes)
        do {
            let fits: Bool? = try reader.pointee.withMessage(timeout: channel.pointee.polls ? .now : .forever) { message, _ in
                guard message.byteCount == expected else { return false }
                message.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: bytes, count: expected).copyMemory(from: $0) }
                return true
            }
            guard let fits else { return BENCH_NOTHING }
            return fits ? BENCH_MOVED : BENCH_FAILED
        } catch {
            return BENCH_FAILED
        }
    }

    private static func close(_ channel: UnsafeMutablePointer<bench_channel>?, _ end: bench_end) {
        guard let pointer = channel?.pointee.end else { return }
        if end == BENCH_READER {
            let reader = pointer.assumingMemoryBound(to: MailslotReader.self)
            reader.deinitialize(count: 1)
            reader.deallocate()
        } else {
            let writer = pointer.assumingMemoryBound(to: MailslotWriter.self)
            writer.deinitialize(count: 1)
            writer.deallocate()
        }
    }
}

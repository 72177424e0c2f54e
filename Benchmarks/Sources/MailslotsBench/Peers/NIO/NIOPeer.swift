import CBenchmarks
import Foundation
import NIOCore
import NIOPosix

/// SwiftNIO over a Unix domain socket: what a program in Swift would take.
///
/// Each side is a process with an event loop of its own, on the CPU that it is pinned to, and all that it does it does in a handler on that
/// loop, so that no message changes threads. Frames begin with their length. Whoever calls from a task or from another thread pays for
/// two wakes more, one at each end.
///
/// A loop cannot be called: it calls. So the loops of `CBenchmarks/patterns` are here once more, as handlers, and time the same.
enum NIOPeer {
    /// For ever, as the name and the settings of a peer are.
    nonisolated(unsafe) static let pointer: UnsafePointer<bench_peer> = {
        let peer = UnsafeMutablePointer<bench_peer>.allocate(capacity: 1)
        peer.initialize(to: bench_peer())
        peer.pointee.name = text("swift-nio")
        peer.pointee.settings = text(
            "Unix domain socket, frames with a length, writeAndFlush; a loop of its own a side, all in its handlers")
        peer.pointee.version = { UnsafePointer(NIOPeer.version) }
        peer.pointee.remove = { channel in
            if let name = channel?.pointee.name { unlink(NIOPeer.path(String(cString: name))) }
        }
        return UnsafePointer(peer)
    }()

    /// Which one SwiftPM has resolved, for the package itself does not say. nil: it was built elsewhere.
    nonisolated(unsafe) private static let version: UnsafeMutablePointer<CChar>? = {
        struct Resolved: Decodable {
            struct Pin: Decodable {
                struct State: Decodable { var version: String? }

                var identity: String
                var state: State
            }

            var pins: [Pin]
        }
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../../Package.resolved")
        let resolved = try? JSONDecoder().decode(Resolved.self, from: Data(contentsOf: file.standardizedFileURL))
        return resolved?.pins.first { $0.identity == "swift-nio" }?.state.version.map { strdup($0) }
    }()

    /// nil: not written for it.
    static func sides(for kind: PeerPattern.Kind) -> (first: Side, second: Side)? {
        switch kind {
        case .roundTrip: ({ NIOPeer.connect($0, Asker.init) }, { NIOPeer.serve($0, Answerer.init) })
        case .oneWay: ({ NIOPeer.connect($0, Sender.init) }, { NIOPeer.serve($0, ChunkTimer.init) })
        case .paced: ({ NIOPeer.connect($0, PacedSender.init) }, { NIOPeer.serve($0, PacedReader.init) })
        case .burst, .slowReader, .open, .writes: nil
        }
    }

    static let whyNot = "its handlers are written for round trips, one way and paced"
    static let checkSides: (first: Side, second: Side) = (
        { NIOPeer.connect($0, CheckedSender.init) }, { NIOPeer.serve($0, CheckedReader.init) }
    )

    private static func text(_ string: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    /// Of the run's first channel: its connection carries the answers as well.
    private static func path(_ name: String) -> String { "/dev/shm/\(name)" }

    /// The second side.
    private static func serve(_ run: UnsafeMutablePointer<bench_run>?, _ make: (BenchRun, any EventLoop) -> NIOSide) {
        guard let run = run.map(BenchRun.init) else { return }
        do {
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let side = make(run, group.next())
            _ = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .childChannelInitializer { side.join($0) }
                .bind(unixDomainSocketPath: path(run.name)).wait()
            bench_meet(run.pointer)
            bench_meet(run.pointer)
            bench_work_begins(run.pointer, BENCH_READER)
            try side.isDone.futureResult.wait()
            bench_work_ends(run.pointer, BENCH_READER)
            if side.readsOnly { bench_reader_done(run.pointer, side.count) }
            bench_meet(run.pointer)
        } catch {
            run.require(false, "NIO serves")
        }
    }

    /// The first side, and all further ones.
    private static func connect(_ run: UnsafeMutablePointer<bench_run>?, _ make: (BenchRun, any EventLoop) -> NIOSide) {
        guard let run = run.map(BenchRun.init) else { return }
        do {
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let side = make(run, group.next())
            bench_meet(run.pointer)
            let channel = try ClientBootstrap(group: group)
                .channelInitializer { side.join($0) }
                .connect(unixDomainSocketPath: path(run.name)).wait()
            bench_meet(run.pointer)
            bench_work_begins(run.pointer, BENCH_WRITER)
            channel.eventLoop.execute { side.begin(channel) }
            try side.isDone.futureResult.wait()
            bench_work_ends(run.pointer, BENCH_WRITER)
            bench_meet(run.pointer)
        } catch {
            run.require(false, "NIO connects")
        }
    }
}

/// The measurement, for closures that go to the event loop.
/// Sound: it is memory that processes share, and its C functions are made for that.
struct BenchRun: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<bench_run>

    var messageBytes: Int { Int(pointer.pointee.message_bytes) }
    var name: String { String(cString: bench_name(pointer, 0)) }

    /// Ends this side, and with it the run, as failed.
    func require(_ condition: Bool, _ text: StaticString, line: UInt32 = #line) {
        if !condition { bench_fail(pointer, line, UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)) }
    }
}

/// One side's state. Sound: whatever is not constant is touched on the event loop alone, and by who has waited for `isDone`.
class NIOSide: @unchecked Sendable {
    let run: BenchRun
    let isDone: EventLoopPromise<Void>
    /// Messages that this side has received, or sent.
    final var count: UInt64 = 0
    private final var buffer: ByteBuffer
    /// It is the reader of messages that go one way.
    var readsOnly: Bool { false }

    required init(_ run: BenchRun, _ loop: any EventLoop) {
        self.run = run
        isDone = loop.makePromise()
        buffer = ByteBuffer(repeating: 0, count: run.messageBytes)
    }

    /// Into a connection's pipeline.
    final func join(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers(
                ByteToMessageHandler(FrameDecoder()), MessageToByteHandler(FrameEncoder()), MessageHandler(self))
        }
    }

    /// The connection is there, and all sides are.
    func begin(_ channel: any Channel) { mayWrite(channel) }
    func mayWrite(_ channel: any Channel) {}
    func received(_ message: ByteBuffer, _ channel: any Channel) {}

    /// A message that begins with `word`, as far as that fits. If it is the last, this side is done when it is written.
    final func send(_ word: UInt64, _ channel: any Channel, isLast: Bool) {
        if run.messageBytes >= MemoryLayout<UInt64>.size { buffer.setInteger(word, at: 0, endianness: .little) }
        channel.writeAndFlush(buffer, promise: isLast ? isDone : nil)
    }

    /// What `message` begins with; nil: it is too short.
    final func word(_ message: ByteBuffer) -> UInt64? {
        message.getInteger(at: message.readerIndex, endianness: .little)
    }
}

private final class MessageHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let side: NIOSide

    init(_ side: NIOSide) { self.side = side }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let message = unwrapInboundIn(data)
        side.run.require(message.readableBytes == side.run.messageBytes, "a message is whole")
        side.received(message, context.channel)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { side.mayWrite(context.channel) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { side.run.require(false, "no error is caught") }
}

struct FrameEncoder: MessageToByteEncoder {
    func encode(data: ByteBuffer, out: inout ByteBuffer) {
        out.writeInteger(UInt32(data.readableBytes))
        out.writeImmutableBuffer(data)
    }
}

struct FrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) -> DecodingState {
        guard let message = buffer.readLengthPrefixedSlice(as: UInt32.self) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }
}

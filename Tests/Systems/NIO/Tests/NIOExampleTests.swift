import Glibc
import Mailslots
import NIOCore
import NIOPosix
import Testing

/// A mailslot's messages as the reads of a channel. The channel's descriptor, an eventfd, only says that there may be some.
final class MailslotHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = MailslotMessage

    private var reader: MailslotEventReader?

    private init(_ reader: consuming MailslotEventReader) { self.reader = consume reader }

    /// A channel on this event loop that reads the mailslot; `handlers` get its messages. The mailslot closes with the channel.
    static func channel(
        reading reader: consuming MailslotReader, on loop: any EventLoop, handlers: [any ChannelHandler & Sendable]
    ) async throws -> any Channel {
        let events = try MailslotEventReader(reader)
        // The channel closes its descriptor, and the reader its own.
        let descriptor = dup(events.fileDescriptor)
        let handler = Transfer(MailslotHandler(events))
        return try await NIOPipeBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.take())
                    try channel.pipeline.syncOperations.addHandlers(handlers)
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor).get()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        do {
            while let message = try reader!.read() { context.fireChannelRead(wrapInboundOut(message)) }
            context.fireChannelReadComplete()
        } catch {
            context.fireErrorCaught(error)
        }
    }

    // The eventfd's count says nothing.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func handlerRemoved(context: ChannelHandlerContext) { reader = nil }
}

/// Carries a handler into the event loop that it will belong to.
private final class Transfer<Value>: @unchecked Sendable {
    // Sound: taken once, by the one initializer.
    private var value: Value?
    init(_ value: Value) { self.value = value }
    func take() -> Value {
        defer { value = nil }
        return value!
    }
}

/// Collects what comes until there is enough.
private final class Collector: ChannelInboundHandler, @unchecked Sendable {  // Sound: used on the event loop alone.
    typealias InboundIn = MailslotMessage
    private var texts: [String] = []
    private let count: Int
    private let collected: EventLoopPromise<[String]>

    init(_ count: Int, _ collected: EventLoopPromise<[String]>) {
        self.count = count
        self.collected = collected
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        texts.append(unwrapInboundIn(data).text)
        if texts.count == count { collected.succeed(texts) }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { collected.fail(error) }
}

@Test func `an event loop reads many mailslots, each in order, and closes them`() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let names = (0..<20).map { "nio/\(getpid())/\($0)" }
    let count = 500
    var channels: [(channel: any Channel, texts: EventLoopFuture<[String]>)] = []
    for name in names {
        let promise = loop.makePromise(of: [String].self)
        let reader = try Mailslot.create(name, capacity: 16)
        channels.append(
            (try await MailslotHandler.channel(reading: reader, on: loop, handlers: [Collector(count, promise)]), promise.futureResult))
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
        for name in names {
            group.addTask {
                let writer = MailslotSharedWriter(try Mailslot.open(name))
                for index in 0..<count { try await writer.write("\(name) \(index)") }
            }
        }
        try await group.waitForAll()
    }
    for (name, (channel, texts)) in zip(names, channels) {
        #expect(try await texts.get() == (0..<count).map { "\(name) \($0)" })
        try await channel.close()
        // The handler goes a moment after its channel.
        while (try? Mailslot.info(of: name)) != nil { try await Task.sleep(for: .milliseconds(1)) }
    }
}

extension ByteBuffer: @retroactive MailslotBytes {
    public func withMessageBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(readableBytesSpan)
    }
}

@Test func `what is readable of a buffer is written, and a message becomes a buffer`() throws {
    let name = "nio/\(getpid())/buffers"
    var reader = try Mailslot.create(name)
    var writer = try Mailslot.open(name)
    var buffer = ByteBuffer(string: "> hello")
    buffer.moveReaderIndex(forwardBy: 2)
    try writer.write(buffer)
    let message = try #require(try reader.tryRead())
    #expect(ByteBuffer(bytes: message) == ByteBuffer(string: "hello"))
}

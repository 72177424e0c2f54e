import ArgumentParser
import CBenchmarks
import Foundation
import Mailslots
import NIOCore
import NIOPosix

// Tasks of executors at both ends, beside SwiftNIO over a Unix domain socket: with handlers on its event loops, and with `NIOAsyncChannel`
// in actors on them, so that there no message changes threads either. Each end is a process on a CPU of its own.

/// What goes back and forth: 32 bytes.
private struct Ball: MailslotValue {
    static let byteCount = 32
    /// Of the message that ends the connection.
    static let last = UInt64.max

    var number: UInt64
    /// Whether it is to be sent back.
    var wantsAnswer: UInt64
    var rest: (UInt64, UInt64) = (0, 0)

    init(_ number: some BinaryInteger, wantsAnswer: Bool) {
        self.number = UInt64(number)
        self.wantsAnswer = wantsAnswer ? 1 : 0
    }

    init(_ bytes: RawSpan) { self = bytes.unsafeLoadUnaligned(as: Ball.self) }

    init(_ frame: ByteBuffer) { self = frame.withUnsafeReadableBytes { $0.loadUnaligned(as: Ball.self) } }

    var frame: ByteBuffer { withUnsafeBytes(of: self) { ByteBuffer(bytes: $0) } }
}

/// How many are handed over together where a call takes many.
private let batch = 64

/// A connection to the process that answers.
private protocol Connection: Sendable {
    /// How long each took, in nanoseconds.
    func roundTrips(_ count: Int) async throws -> [Double]
    /// Messages a second, until all have been read.
    func oneWay(_ count: Int) async throws -> Double
    func end() async throws
}

private enum Kind: String, CaseIterable, ExpressibleByArgument {
    case executor, handlers, asyncChannel

    var words: String {
        switch self {
        case .executor: "tasks of executors"
        case .handlers: "SwiftNIO, handlers"
        case .asyncChannel: "SwiftNIO, NIOAsyncChannel in actors on its loops"
        }
    }

    /// The mailslots' name, and the socket's path.
    func serve(_ name: String) async throws {
        switch self {
        case .executor: try await MailslotConnection.serve(name)
        case .handlers: try await HandlerConnection.serve(name)
        case .asyncChannel: try await ChannelConnection.serve(name)
        }
    }

    func connect(_ name: String) async throws -> any Connection {
        switch self {
        case .executor: try await MailslotConnection.connect(name)
        case .handlers: try await HandlerConnection.connect(name)
        case .asyncChannel: try await ChannelConnection.connect(name)
        }
    }
}

/// The other process, which answers.
struct AsyncPeer: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "async-peer", shouldDisplay: false)
    @Argument fileprivate var kind: Kind
    @Argument var name: String
    @Argument var cpu: UInt32

    func run() throws {
        bench_pin_process(cpu)
        let (kind, name) = (kind, name)
        let result = Result<Void, any Error>.Waiter()
        Task {
            do {
                try await kind.serve(name)
                result.set(.success(()))
            } catch {
                result.set(.failure(error))
            }
        }
        try result.get()
    }
}

/// The executors' round trips and messages a second beside those of SwiftNIO, in the same rounds.
struct BesideNIO {
    var rounds: Int
    var trips: Int
    var messages: Int
    var cpus: [UInt32]

    func measure() async throws -> [ExecutorGoal] {
        var connections: [(kind: Kind, process: Process, connection: any Connection)] = []
        for kind in Kind.allCases {
            let name = "bench-\(kind.rawValue)-\(getpid())"
            let process = Process()
            process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = ["async-peer", kind.rawValue, name, "\(cpus[1])"]
            try process.run()
            connections.append((kind, process, try await kind.connect(name)))
        }
        var tripTimes: [Kind: [Double]] = [:]
        var rates: [Kind: [Double]] = [:]
        for _ in 0..<rounds {
            for (kind, _, connection) in connections {
                tripTimes[kind, default: []].append(median(try await connection.roundTrips(trips)))
                rates[kind, default: []].append(try await connection.oneWay(messages))
            }
        }
        for (_, process, connection) in connections {
            try await connection.end()
            process.waitUntilExit()
        }
        var goals: [ExecutorGoal] = []
        print("round trip of \(Ball.byteCount) bytes, tasks or handlers at both ends")
        for kind in Kind.allCases {
            let ratios = zip(tripTimes[kind]!, tripTimes[.executor]!).map { $0 / $1 }
            show(kind, "\(text(median(tripTimes[kind]!) / 1000)) µs", ratios)
            if kind != .executor { goals.append(ExecutorGoal("round trips of \(kind.words)", ratios, atLeast: 5)) }
        }
        print("messages of \(Ball.byteCount) bytes one way")
        for kind in Kind.allCases {
            let ratios = zip(rates[.executor]!, rates[kind]!).map { $0 / $1 }
            show(kind, "\(text(median(rates[kind]!) / 1e6)) million a second", ratios)
            if kind != .executor { goals.append(ExecutorGoal("messages a second of \(kind.words)", ratios, atLeast: 5)) }
        }
        return goals
    }

    private func show(_ kind: Kind, _ figure: String, _ ratios: [Double]) {
        let beside =
            kind == .executor
            ? "" : "; executors do \(text(median(ratios))) times as well (\(text(ratios.min()!)) to \(text(ratios.max()!)))"
        print("  \(kind.words): \(figure)\(beside)")
    }
    private func text(_ figure: Double) -> String { String(format: "%.2f", figure) }
}

private func rate(_ count: Int, since begin: UInt64) -> Double { Double(count) / Double(nanoseconds() - begin) * 1e9 }

// MARK: mailslots

private final class MailslotConnection: Connection, @unchecked Sendable {  // Sound: used by one task at a time.
    private let executor = MailslotExecutor("bench")
    private let reader: MailslotSharedReader
    private let writer: MailslotSharedWriter

    private init(_ reader: MailslotSharedReader, _ writer: MailslotSharedWriter) {
        self.reader = reader
        self.writer = writer
    }

    static func connect(_ name: String) async throws -> any Connection {
        let reader = MailslotSharedReader(try Mailslot.create("\(name)/answers", maximumWriters: 4))
        let writer = MailslotSharedWriter(try await Mailslot.open("\(name)/questions", waitingUpTo: .seconds(30)))
        return MailslotConnection(reader, writer)
    }

    static func serve(_ name: String) async throws {
        try await Task(executorPreference: MailslotExecutor("bench")) {
            let reader = MailslotSharedReader(try Mailslot.create("\(name)/questions", maximumWriters: 4))
            let writer = MailslotSharedWriter(try await Mailslot.open("\(name)/answers", waitingUpTo: .seconds(30)))
            var isOver = false
            while !isOver {
                var answer: Ball?
                let count = try await reader.withMessages(atMost: batch, timeout: .seconds(60)) { bytes, _ in
                    let ball = Ball(bytes)
                    if ball.wantsAnswer != 0 { answer = ball }
                    if ball.number == Ball.last { isOver = true }
                }
                if count == 0 { break }  // who asks was killed
                if let answer { try await send(answer, writer) }
            }
        }.value
    }

    func roundTrips(_ count: Int) async throws -> [Double] {
        try await Task(executorPreference: executor) {
            var samples: [Double] = []
            samples.reserveCapacity(count)
            for number in 0..<count {
                let begin = nanoseconds()
                try await Self.send(Ball(number, wantsAnswer: true), self.writer)
                let answer = try await self.reader.withMessage { bytes, _ in Ball(bytes).number }
                samples.append(Double(nanoseconds() - begin))
                precondition(answer == UInt64(number))
            }
            return samples
        }.value
    }

    func oneWay(_ count: Int) async throws -> Double {
        try await Task(executorPreference: executor) {
            let begin = nanoseconds()
            for number in 0..<count { try await Self.send(Ball(number, wantsAnswer: number == count - 1), self.writer) }
            _ = try await self.reader.read()
            return rate(count, since: begin)
        }.value
    }

    func end() async throws { try await Self.send(Ball(Ball.last, wantsAnswer: false), writer) }

    /// Asks to wait only where there is no room.
    private static func send(_ ball: Ball, _ writer: MailslotSharedWriter) async throws {
        let ball = CollectionOfOne(ball)
        if try writer.tryWrite(ball.span.bytes) == .full { try await writer.write(ball.span.bytes) }
    }
}

// MARK: SwiftNIO, handlers

private func socketPath(_ name: String) -> String { "/dev/shm/\(name)" }

/// Tries until the other process listens.
private func connected<Result>(_ connect: () async throws -> Result) async throws -> Result {
    let end = ContinuousClock.now + .seconds(30)
    while true {
        do {
            return try await connect()
        } catch {
            guard ContinuousClock.now < end else { throw error }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

@Sendable
private func addFrames(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(ByteToMessageHandler(FrameDecoder()), MessageToByteHandler(FrameEncoder()))
    }
}

private final class HandlerConnection: Connection {
    private let channel: any Channel
    private let asker: Asker

    private init(_ channel: any Channel, _ asker: Asker) {
        self.channel = channel
        self.asker = asker
    }

    static func connect(_ name: String) async throws -> any Connection {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let asker = Asker()
        let channel = try await connected {
            try await ClientBootstrap(group: group)
                .channelInitializer { channel in addFrames(channel).flatMap { channel.pipeline.addHandler(asker) } }
                .connect(unixDomainSocketPath: socketPath(name)).get()
        }
        return HandlerConnection(channel, asker)
    }

    static func serve(_ name: String) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let isOver = group.next().makePromise(of: Void.self)
        _ = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in addFrames(channel).flatMap { channel.pipeline.addHandler(Answerer(isOver)) } }
            .bind(unixDomainSocketPath: socketPath(name)).get()
        try await isOver.futureResult.get()
        unlink(socketPath(name))
    }

    func roundTrips(_ count: Int) async throws -> [Double] {
        try await channel.eventLoop.flatSubmit { self.asker.roundTrips(count, self.channel) }.get()
    }

    func oneWay(_ count: Int) async throws -> Double {
        try await channel.eventLoop.flatSubmit { self.asker.oneWay(count, self.channel) }.get()
    }

    func end() async throws { try await channel.writeAndFlush(Ball(Ball.last, wantsAnswer: false).frame) }

    private final class Answerer: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let isOver: EventLoopPromise<Void>

        init(_ isOver: EventLoopPromise<Void>) { self.isOver = isOver }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            let ball = Ball(frame)
            if ball.wantsAnswer != 0 { context.channel.writeAndFlush(frame, promise: nil) }
            if ball.number == Ball.last { isOver.succeed() }
        }

        func channelInactive(context: ChannelHandlerContext) { isOver.succeed() }
    }

    private final class Asker: ChannelInboundHandler, @unchecked Sendable {  // Sound: touched on the event loop alone.
        typealias InboundIn = ByteBuffer
        private var samples: [Double] = []
        private var left = 0
        private var begin: UInt64 = 0
        private var trips: EventLoopPromise<[Double]>?
        private var rates: EventLoopPromise<Double>?
        private var count = 0

        func roundTrips(_ count: Int, _ channel: any Channel) -> EventLoopFuture<[Double]> {
            samples = []
            samples.reserveCapacity(count)
            left = count
            let promise = channel.eventLoop.makePromise(of: [Double].self)
            trips = promise
            ask(channel)
            return promise.futureResult
        }

        private func ask(_ channel: any Channel) {
            begin = nanoseconds()
            channel.writeAndFlush(Ball(left, wantsAnswer: true).frame, promise: nil)
        }

        func oneWay(_ count: Int, _ channel: any Channel) -> EventLoopFuture<Double> {
            self.count = count
            left = count
            begin = nanoseconds()
            let promise = channel.eventLoop.makePromise(of: Double.self)
            rates = promise
            write(channel)
            return promise.futureResult
        }

        /// As many as the channel takes, a batch with each flush.
        private func write(_ channel: any Channel) {
            while left > 0, channel.isWritable {
                for _ in 0..<min(batch, left) {
                    left -= 1
                    channel.write(Ball(left, wantsAnswer: left == 0).frame, promise: nil)
                }
                channel.flush()
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if rates != nil { write(context.channel) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if let rates {
                self.rates = nil
                return rates.succeed(rate(count, since: begin))
            }
            samples.append(Double(nanoseconds() - begin))
            left -= 1
            if left > 0 { return ask(context.channel) }
            trips?.succeed(samples)
        }
    }
}

// MARK: SwiftNIO, NIOAsyncChannel

private typealias AsyncChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

/// On the event loop of its connection.
private actor ChannelConnection: Connection {
    private let loop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }
    private let channel: AsyncChannel

    private init(_ channel: AsyncChannel) {
        self.channel = channel
        loop = channel.channel.eventLoop
    }

    private static func wrap(_ channel: any Channel) -> EventLoopFuture<AsyncChannel> {
        addFrames(channel).flatMapThrowing {
            try AsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: false))
        }
    }

    static func connect(_ name: String) async throws -> any Connection {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await connected {
            try await ClientBootstrap(group: group).connect(unixDomainSocketPath: socketPath(name)) { wrap($0) }
        }
        let connection = ChannelConnection(channel)
        Task { try await connection.run() }
        return connection
    }

    static func serve(_ name: String) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group).bind(unixDomainSocketPath: socketPath(name)) { wrap($0) }
        try await server.executeThenClose { connections in
            for try await channel in connections { return try await ChannelConnection(channel).answer() }
        }
        unlink(socketPath(name))
    }

    private func answer() async throws {
        try await channel.executeThenClose { inbound, outbound in
            var messages = inbound.makeAsyncIterator()
            while let frame = try await messages.next(isolation: self) {
                let ball = Ball(frame)
                if ball.wantsAnswer != 0 { try await outbound.write(frame) }
                if ball.number == Ball.last { return }
            }
        }
    }

    // MARK: the asking end. A channel's streams are there within one call, so what is to be measured comes to that.

    private enum Measure {
        case roundTrips(Int, CheckedContinuation<[Double], any Error>)
        case oneWay(Int, CheckedContinuation<Double, any Error>)
        case end
    }

    private let measures = AsyncStream.makeStream(of: Measure.self)

    func roundTrips(_ count: Int) async throws -> [Double] {
        try await withCheckedThrowingContinuation { measures.continuation.yield(.roundTrips(count, $0)) }
    }

    func oneWay(_ count: Int) async throws -> Double {
        try await withCheckedThrowingContinuation { measures.continuation.yield(.oneWay(count, $0)) }
    }

    func end() { measures.continuation.yield(.end) }

    private func run() async throws {
        try await channel.executeThenClose { inbound, outbound in
            var answers = inbound.makeAsyncIterator()
            for await measure in measures.stream {
                switch measure {
                case .roundTrips(let count, let continuation):
                    var samples: [Double] = []
                    samples.reserveCapacity(count)
                    for number in 0..<count {
                        let begin = nanoseconds()
                        try await outbound.write(Ball(number, wantsAnswer: true).frame)
                        _ = try await answers.next(isolation: self)
                        samples.append(Double(nanoseconds() - begin))
                    }
                    continuation.resume(returning: samples)
                case .oneWay(let count, let continuation):
                    let begin = nanoseconds()
                    var left = count
                    while left > 0 {
                        let size = min(batch, left)
                        left -= size
                        let isLast = left == 0
                        try await outbound.write(contentsOf: (1...size).map { Ball($0, wantsAnswer: isLast && $0 == size).frame })
                    }
                    _ = try await answers.next(isolation: self)
                    continuation.resume(returning: rate(count, since: begin))
                case .end:
                    return try await outbound.write(Ball(Ball.last, wantsAnswer: false).frame)
                }
            }
        }
    }
}

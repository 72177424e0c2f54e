import FoundationEssentials
import Logging
import Mailslots
import MailslotsBridge
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A bridge as a process of its own, for tests of whole networks: its configuration is a line of JSON, the argument; it answers commands on
/// standard input, a line each, with a line of JSON: "report" with all counters; "reload " and other settings with "loaded". When standard
/// input ends, it ends gracefully.
@main struct BridgeHost {
    struct Settings: Decodable {
        var host: String
        var domain = "studio"
        /// One byte that the key is made of. `nil`: none.
        var key: UInt8?
        var alsoAccepted: [UInt8] = []
        /// "address:port"
        var peers: [String] = []
        var groups: [String]?
        var port: UInt16 = 4240
        var addresses: [String] = []
        var interfaces: [String] = []
        var engine = "automatic"
        var announceMilliseconds = 1000
        /// By how much our clock is wrong.
        var clockOffsetSeconds = 0
        var outboxCapacity = 1024
        var outboxCountMax = 4096

        enum CodingKeys: String, CodingKey, CaseIterable {
            case host, domain, key, alsoAccepted, peers, groups, port, addresses, interfaces, engine, announceMilliseconds
            case clockOffsetSeconds, outboxCapacity, outboxCountMax
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            host = try values.decode(String.self, forKey: .host)
            domain = try values.decodeIfPresent(String.self, forKey: .domain) ?? domain
            key = try values.decodeIfPresent(UInt8.self, forKey: .key)
            alsoAccepted = try values.decodeIfPresent([UInt8].self, forKey: .alsoAccepted) ?? alsoAccepted
            peers = try values.decodeIfPresent([String].self, forKey: .peers) ?? peers
            groups = try values.decodeIfPresent([String].self, forKey: .groups)
            port = try values.decodeIfPresent(UInt16.self, forKey: .port) ?? port
            addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? addresses
            interfaces = try values.decodeIfPresent([String].self, forKey: .interfaces) ?? interfaces
            engine = try values.decodeIfPresent(String.self, forKey: .engine) ?? engine
            announceMilliseconds = try values.decodeIfPresent(Int.self, forKey: .announceMilliseconds) ?? announceMilliseconds
            clockOffsetSeconds = try values.decodeIfPresent(Int.self, forKey: .clockOffsetSeconds) ?? clockOffsetSeconds
            outboxCapacity = try values.decodeIfPresent(Int.self, forKey: .outboxCapacity) ?? outboxCapacity
            outboxCountMax = try values.decodeIfPresent(Int.self, forKey: .outboxCountMax) ?? outboxCountMax
        }

        var configuration: BridgeConfiguration {
            func made(_ byte: UInt8) -> BridgeKey { BridgeKey([UInt8](repeating: byte, count: 32))! }
            var configuration = BridgeConfiguration(host: host, domain: domain, key: key.map(made))
            configuration.domains[0].alsoAccepted = alsoAccepted.map(made)
            configuration.domains[0].peers = peers.map { BridgePeer(address: $0) }
            if let groups { configuration.domains[0].groups = groups }
            configuration.network.port = port
            configuration.network.addresses = addresses
            configuration.network.interfaces = interfaces
            configuration.network.engine = UDPSettings.Engine(rawValue: engine)!
            configuration.announceEvery = .milliseconds(announceMilliseconds)
            configuration.outboxes.capacity = outboxCapacity
            configuration.outboxes.maximumCount = outboxCountMax
            configuration.outboxes.maximumByteCount = 1 << 40
            return configuration
        }
    }

    static func main() async {
        do {
            try await serve()
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func serve() async throws {
        let settings = try JSONDecoder().decode(Settings.self, from: Data(CommandLine.arguments[1].utf8))
        var logger = Logger(label: settings.host) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .info
        let offset = UInt64(bitPattern: Int64(settings.clockOffsetSeconds)) &* 1_000_000_000
        let transport = Locked<(any Transport)?>(nil)
        let right = BridgeClock()
        let udpLogger = logger
        let bridge = try Bridge(settings.configuration, logger: logger, clock: BridgeClock { right.real() &+ offset }) {
            configuration throws(BridgeError) in
            let udp = try UDPTransport(configuration, logger: udpLogger)
            transport.withLock { $0 = udp }
            say(["listening": udp.addresses.joined(separator: " ")])
            return udp
        }
        let group = ServiceGroup(services: [bridge], logger: logger)
        let commands = Commands { line in
            guard let line else {
                await group.triggerGracefulShutdown()
                return
            }
            if line == "report" {
                var numbers = Dictionary(bridge.counters.all.map { ($0.name, $0.value) }) { first, _ in first }
                for counter in transport.withLock({ $0?.counters ?? [] }) { numbers["transport." + counter.name] = counter.value }
                say(numbers)
            } else if line.hasPrefix("reload ") {
                do {
                    let new = try JSONDecoder().decode(Settings.self, from: Data(line.dropFirst("reload ".count).utf8))
                    try await bridge.reload(new.configuration)
                    say(["loaded": "yes"])
                } catch {
                    say(["loaded": "\(error)"])
                }
            }
        }
        commands.start()
        try await group.run()
    }

    private static func complain(_ text: String) {
        let line = Data("\(text)\n".utf8)
        _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func say(_ value: some Encodable) {
        let line = try! JSONEncoder().encode(value) + Data("\n".utf8)
        // A line is less than a pipe takes at once.
        _ = unsafe line.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}

/// Reads lines of standard input on a thread, for that blocks; `nil` at its end.
final class Commands: Sendable {
    private let handle: @Sendable (String?) async -> Void

    init(_ handle: @escaping @Sendable (String?) async -> Void) { self.handle = handle }

    func start() {
        let (lines, continuation) = AsyncStream<String?>.makeStream()
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(Box(continuation)).toOpaque()
        unsafe pthread_create(
            &thread, nil,
            { context in
                let box = unsafe Unmanaged<Box>.fromOpaque(context!).takeRetainedValue()
                while let line = readLine() { box.continuation.yield(line) }
                box.continuation.yield(nil)
                return nil
            }, context)
        Task { for await line in lines { await handle(line) } }
    }

    private final class Box: Sendable {
        let continuation: AsyncStream<String?>.Continuation
        init(_ continuation: AsyncStream<String?>.Continuation) { self.continuation = continuation }
    }
}

import ArgumentParser
import CBenchmarks
import CMailslotsDatagram
import CMailslotsNATS
import Foundation
import Histogram
import Synchronization

/// What carries datagrams between bridges, alone: UDP and NATS in the same run, and what packing is worth. Nothing is sealed here.
struct TransportsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transports",
        abstract: "Measures what carries datagrams between bridges: UDP and NATS, messages packed and each by itself.",
        discussion: """
            Two threads, one that sends and one that receives, and for NATS a server of its own on the loopback address; so they share \
            the CPUs. A message counts when the receiver has it. At most 1024 datagrams are on their way. Nothing is sealed: `bridge` \
            measures all of it.
            """)

    @Flag(help: "Shorter: some 10 seconds in all.")
    var quick = false

    @Flag(help: "Exit with 1 if packing gains less than 3 times the messages of 32 bytes by NATS.")
    var check = false

    func run() throws {
        guard let server = try TransportServer() else {
            return print("skipped: there is no nats-server, or this was built without its client: apt-get install nats-server libnats-dev")
        }
        defer { server.stop() }
        let seconds = quick ? 0.4 : 2.0
        print("messages a second, received; median of \(rounds) rounds of \(seconds) s     CPU per message, both ends, without the server")
        var rates: [String: Double] = [:]
        for payload in [32, 424] {
            for isPacked in [false, true] {
                for (name, open) in ways(server) {
                    let load = Load(payload: payload, isPacked: isPacked)
                    let results = try (0..<rounds).map { _ in try measure(open, load, seconds) }.sorted { $0.rate < $1.rate }
                    let median = results[results.count / 2]
                    rates["\(name) \(payload) \(isPacked)"] = median.rate
                    let what = "\(name), \(payload) bytes, \(isPacked ? "\(load.messages) a datagram" : "each by itself")"
                    print(
                        what.padding(toLength: 36, withPad: " ", startingAt: 0)
                            + String(format: "%10.0f   %6.0f ns   lost %.2f %%", median.rate, median.cpu, median.lost * 100))
                }
            }
        }
        print("\nthere and back, a datagram of 100 bytes, both ends asleep until it comes")
        for (name, open) in ways(server) {
            let trips = try roundTrips(open, quick ? 2_000 : 10_000)
            print(
                String(
                    format: "%@: p50 %.1f µs, p99 %.1f µs", name as NSString, Double(trips.valueAtPercentile(50)) / 1000,
                    Double(trips.valueAtPercentile(99)) / 1000))
        }
        let gain = rates["NATS 32 true"]! / rates["NATS 32 false"]!
        print(String(format: "\npacking: %.1f times the messages of 32 bytes by NATS", gain))
        if check && gain < 3 { throw ExitCode(1) }
    }

    private var rounds: Int { quick ? 1 : 5 }

    private func ways(_ server: TransportServer) -> [(name: String, open: () throws -> any TransportEnd)] {
        [("UDP", { try DatagramEnd() }), ("NATS", { try NATSEnd(server.address) })]
    }
}

/// What a datagram holds: as many records as fit, or one.
private struct Load {
    let payload: Int
    let isPacked: Bool
    /// The longest datagram, its header and tag, a record's header and a name of four bytes.
    var messages: Int { isPacked ? (1472 - 56) / record : 1 }
    var byteCount: Int { 56 + messages * record }
    private var record: Int { 8 + 4 + payload }
}

/// One end of a way, which can send to another one. One thread may send while another one receives.
private protocol TransportEnd: AnyObject, Sendable {
    func connect(to other: any TransportEnd)
    /// At most 64.
    func send(_ count: Int, of byteCount: Int)
    /// How many came; waits for the first.
    func receive() -> Int
    func close()
}

// Sound: nobody writes it after it was made.
nonisolated(unsafe) private let zeros: UnsafePointer<UInt8> = {
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 1472)
    bytes.initialize(repeating: 0, count: 1472)
    return UnsafePointer(bytes)
}()

private final class NATSEnd: TransportEnd, @unchecked Sendable {
    private let endpoint: OpaquePointer
    private let views = UnsafeMutablePointer<mslot_nats_view>.allocate(capacity: 256)
    private let subject = "bench.\(UInt64.random(in: 0...UInt64.max))"
    private var destination: UnsafeMutablePointer<CChar>?

    init(_ address: String) throws {
        var options = mslot_nats_options_default()
        let text = strdup(address)
        defer { free(text) }
        let opened = withUnsafePointer(to: UnsafePointer(text)) { servers in
            options.servers = servers
            options.server_count = 1
            return mslot_nats_open(&options)
        }
        guard opened.is_connected, let endpoint = opened.endpoint else { throw ValidationError("There is no connection to \(address).") }
        self.endpoint = endpoint
        _ = mslot_nats_subscribe(endpoint, subject)
        _ = mslot_nats_flush(endpoint, 2_000_000_000)
    }

    func connect(to other: any TransportEnd) { destination = strdup((other as! NATSEnd).subject) }

    func send(_ count: Int, of byteCount: Int) {
        let datagram = mslot_nats_datagram(subject: destination, reply: nil, bytes: zeros, byte_count: UInt32(byteCount))
        withUnsafeTemporaryAllocation(of: mslot_nats_datagram.self, capacity: count) { batch in
            batch.initialize(repeating: datagram)
            _ = mslot_nats_send(endpoint, batch.baseAddress, count, 10_000_000)
        }
    }

    func receive() -> Int {
        while true {
            let count = mslot_nats_receive(endpoint, views, 256).count
            if count > 0 { return count }
            _ = mslot_nats_wait(endpoint, 5_000_000)
            if Thread.current.isCancelled { return 0 }
        }
    }

    func close() {
        _ = mslot_nats_close(endpoint)
        mslot_nats_free(endpoint)
        views.deallocate()
        free(destination)
    }
}

private final class DatagramEnd: TransportEnd, @unchecked Sendable {
    private let endpoint: OpaquePointer
    private let views = UnsafeMutablePointer<mslot_datagram_view>.allocate(capacity: 256)
    private let address: mslot_address
    private var destination = mslot_address()

    init() throws {
        let opened = mslot_datagram_open(.MSLOT_DATAGRAM_AUTO)
        guard let endpoint = opened.endpoint else { throw ValidationError("There is no datagram engine.") }
        self.endpoint = endpoint
        var options = mslot_datagram_bind_options_default()
        options.address = mslot_address_parse("127.0.0.1", 0).address
        address = mslot_datagram_bind(endpoint, &options).address
    }

    func connect(to other: any TransportEnd) { destination = (other as! DatagramEnd).address }

    func send(_ count: Int, of byteCount: Int) {
        var datagram = mslot_datagram()
        datagram.bytes = zeros
        datagram.byte_count = UInt32(byteCount)
        datagram.destination = destination
        withUnsafeTemporaryAllocation(of: mslot_datagram.self, capacity: count) { batch in
            batch.initialize(repeating: datagram)
            _ = mslot_datagram_send(endpoint, 0, batch.baseAddress, count, 10_000_000)
        }
    }

    func receive() -> Int {
        while true {
            let count = mslot_datagram_receive(endpoint, views, 256).count
            if count > 0 { return count }
            _ = mslot_datagram_wait(endpoint, 5_000_000)
            if Thread.current.isCancelled { return 0 }
        }
    }

    func close() {
        mslot_datagram_close(endpoint)
        views.deallocate()
    }
}

/// Two ends that know each other, and a thread at the second one.
private final class TransportPair: @unchecked Sendable {
    let first: any TransportEnd
    let second: any TransportEnd
    private var thread: Thread?
    private let hasEnded = DispatchSemaphore(value: 0)

    init(_ open: () throws -> any TransportEnd) throws {
        first = try open()
        second = try open()
        first.connect(to: second)
        second.connect(to: first)
    }

    /// `body` gets how many came, until the pair is closed.
    func serve(_ body: @escaping @Sendable (Int) -> Void) {
        let thread = Thread { [self] in
            while !Thread.current.isCancelled { body(second.receive()) }
            hasEnded.signal()
        }
        self.thread = thread
        thread.start()
    }

    func close() {
        thread?.cancel()
        hasEnded.wait()
        first.close()
        second.close()
    }
}

private func measure(
    _ open: () throws -> any TransportEnd, _ load: Load, _ seconds: Double
) throws -> (rate: Double, cpu: Double, lost: Double) {
    let pair = try TransportPair(open)
    defer { pair.close() }
    let received = Counter()
    pair.serve { received.add($0) }

    var (sent, lost) = (0, 0)
    func run(until end: UInt64) {
        while nanoseconds() < end {
            pair.first.send(64, of: load.byteCount)
            sent += 64
            // So many on their way, that the receive buffers do not overflow. What does not come for a while never will.
            let since = nanoseconds()
            while sent - lost - received.value > 1024 {
                usleep(20)
                if nanoseconds() - since > 50_000_000 { lost = sent - received.value }
            }
        }
    }
    run(until: nanoseconds() + UInt64(seconds / 5 * 1e9))
    let (start, sentBefore, lostBefore, before) = (nanoseconds(), sent, lost, received.value)
    let cpuBefore = nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    run(until: start + UInt64(seconds * 1e9))
    let messages = Double((received.value - before) * load.messages)
    let cpu = Double(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpuBefore)
    return (messages / (Double(nanoseconds() - start) / 1e9), cpu / messages, Double(lost - lostBefore) / Double(sent - sentBefore))
}

private func roundTrips(_ open: () throws -> any TransportEnd, _ count: Int) throws -> Histogram<UInt32> {
    let pair = try TransportPair(open)
    defer { pair.close() }
    pair.serve { [second = pair.second] count in if count > 0 { second.send(count, of: 100) } }
    var times = Histogram<UInt32>(numberOfSignificantValueDigits: .three)
    for trip in 0..<count + count / 10 {
        let start = nanoseconds()
        pair.first.send(1, of: 100)
        _ = pair.first.receive()
        if trip >= count / 10 { times.record(nanoseconds() - start) }
    }
    return times
}

private final class Counter: Sendable {
    private let atomic = Atomic<Int>(0)
    var value: Int { atomic.load(ordering: .relaxed) }
    func add(_ count: Int) { atomic.add(count, ordering: .relaxed) }
}

/// A nats-server on a port that it chose, ended by its process id.
private final class TransportServer {
    let address: String
    private let process = Process()
    private let folder = FileManager.default.temporaryDirectory.appending(path: "mailslots-bench-\(UUID().uuidString)")

    /// `nil`: there is none here.
    init?() throws {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/sbin"]
        let programs = folders.map { URL(filePath: "\($0)/nats-server") }
        guard mslot_nats_probe().is_usable,
            let program = programs.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) })
        else { return nil }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        process.executableURL = program
        process.arguments = ["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder.path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It writes a file with its addresses once it listens.
        for _ in 0..<1000 where process.isRunning {
            usleep(10_000)
            for file in (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [] {
                let ports = try? JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: [String]]
                guard let address = ports?["nats"]?.first else { continue }
                self.address = address
                return
            }
        }
        process.terminate()
        try? FileManager.default.removeItem(at: folder)
        throw ValidationError("nats-server did not start.")
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what messages cost on this machine.",
        discussion: """
            Between two processes: round trips, one message at a time, and messages one way, as many as pass. On a busy machine, or with \
            one processor, this measures the scheduler.
            """)

    @Option(parsing: .upToNextOption, help: "Sizes of the messages in bytes, 1 to 424.")
    var size: [Int] = [32, Mailslot.maximumMessageSize]

    @Option(help: "Round trips to take the percentiles of.")
    var roundTrips = 300_000

    @Option(help: ArgumentHelp("How long to send one way, for each size.", valueName: "seconds"))
    var seconds = Seconds(argument: "1")!

    @Flag(help: "Print JSON: nanoseconds, messages a second.")
    var json = false

    func validate() throws {
        if size.contains(where: { $0 < 1 || $0 > Mailslot.maximumMessageSize }) || size.isEmpty {
            throw ValidationError("--size is 1 to \(Mailslot.maximumMessageSize).")
        }
        if roundTrips < 1 { throw ValidationError("--round-trips is at least 1.") }
    }

    func run() throws {
        try reportingErrors {
            let bench = Measurements(sizes: size, roundTrips: roundTrips, duration: seconds.timeout.duration ?? .seconds(1))
            try emit(json ? jsonText(try bench.results(), pretty: true) : try bench.text())
        }
    }
}

/// Messages between two processes of this machine.
struct Measurements {
    let sizes: [Int]
    let roundTrips: Int
    let duration: Duration

    struct Results: Encodable {
        struct RoundTrip: Encodable { let size: Int, p50: UInt64, p99: UInt64, p999: UInt64, max: UInt64 }
        struct OneWay: Encodable { let size: Int, messagesPerSecond: Double, bytesPerSecond: Double }
        let roundTripNanoseconds: [RoundTrip]
        let oneWay: [OneWay]
    }

    func results() throws -> Results {
        Results(roundTripNanoseconds: [try measureRoundTrip(sizes[0])], oneWay: try sizes.map(measureThroughput))
    }

    func text() throws -> String {
        let results = try results()
        let microseconds = { (nanoseconds: UInt64) in String(format: "%.2f µs", Double(nanoseconds) / 1000) }
        let trips = results.roundTripNanoseconds.map {
            ["round trip, \($0.size) bytes"] + [$0.p50, $0.p99, $0.p999, $0.max].map(microseconds) + ["", ""]
        }
        let floods = results.oneWay.map {
            [
                "one way, \($0.size) bytes", "", "", "", "", String(format: "%.1f million", $0.messagesPerSecond / 1e6),
                String(format: "%.2f GB", $0.bytesPerSecond / 1e9),
            ]
        }
        return table(["", "p50", "p99", "p99.9", "max", "messages/s", "bytes/s"], trips + floods)
    }

    /// Messages that go to an echo and come back.
    private func measureRoundTrip(_ size: Int) throws -> Results.RoundTrip {
        let pings = Demo.name("ping")
        let pongs = Demo.name("pong")
        var reader = try Mailslot.create(pongs)
        let echo = try Part.start("echo", pings, pongs)
        var writer = try Mailslot.open(pings, waitingUpTo: .seconds(10), prefaulting: true)
        var samples: [UInt64] = []
        samples.reserveCapacity(roundTrips)
        let message = [UInt8](repeating: 7, count: size)
        let warmUp = min(20_000, roundTrips)
        let clock = ContinuousClock()
        for round in 0..<(warmUp + roundTrips) {
            let start = clock.now
            try writer.write(message)
            guard try reader.withMessage(timeout: .seconds(10), { bytes, _ in bytes.byteCount }) == size else {
                throw DemoError("the echo was silent for 10 seconds")
            }
            if round >= warmUp { samples.append(UInt64((clock.now - start) / .nanoseconds(1))) }
        }
        try writer.write(RawSpan())
        try echo.waitForSuccess()
        samples.sort()
        // Of all samples, the smallest that this share of them does not exceed: nearest rank.
        let atPercentile = { (percent: Double) in samples[max(0, Int((percent / 100 * Double(samples.count)).rounded(.up)) - 1)] }
        return .init(size: size, p50: atPercentile(50), p99: atPercentile(99), p999: atPercentile(99.9), max: atPercentile(100))
    }

    /// Messages from one writer, until an empty one.
    private func measureThroughput(_ size: Int) throws -> Results.OneWay {
        let name = Demo.name("flood")
        var reader = try Mailslot.create(name)
        let writer = try Part.start("flood", name, "\(size)", "\(duration / .seconds(1))")
        var received = 0
        var ended = false
        var start = ContinuousClock.now
        while !ended {
            let count = try reader.withMessages(atMost: 64, timeout: .seconds(10)) { bytes, _ in
                if bytes.byteCount == 0 { ended = true }
            }
            if count == 0 { throw DemoError("the writer was silent for 10 seconds") }
            if received == 0 { start = .now }
            received += count
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        try writer.waitForSuccess()
        let rate = Double(received) / max(seconds, 1e-9)
        return .init(size: size, messagesPerSecond: rate, bytesPerSecond: rate * Double(size))
    }
}

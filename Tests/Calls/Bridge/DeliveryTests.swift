import CMailslots
import Foundation
import Mailslots
import Testing

@testable import MailslotsBridge

/// Into this machine's mailslots, at times that the test says. Each test is a process, see `withOwnDirectory`.
@Suite struct DeliveryTests {
    static let second: Int64 = 1_000_000_000

    /// One delivery by itself.
    struct Bench {
        let counters = BridgeCounters()
        let delivery: Delivery

        init(_ change: (inout BridgeConfiguration.Delivery) -> Void = { _ in }) {
            delivery = Delivery(Self.configuration(change), counters: counters)
        }

        static func configuration(_ change: (inout BridgeConfiguration.Delivery) -> Void) -> BridgeConfiguration.Delivery {
            var configuration = BridgeConfiguration.Delivery()
            change(&configuration)
            return configuration
        }

        /// One, as it comes of a local process.
        func deliver(_ payload: [UInt8] = [], to name: String, now: Int64 = 0) {
            let name = [UInt8](name.utf8)
            delivery.deliver(unsafe payload.span.bytes, to: unsafe name.span.bytes, sender: 1, origin: 0, now: now)
        }

        /// Several of a byte each, as they come of another host.
        func deliver(all payloads: [UInt8], to name: String, now: Int64 = 0) {
            let memory = MessageMemory(byteCount: 4096)
            var messages = RemoteMessages(in: memory, capacity: payloads.count)
            let kept = memory.append { output in
                for byte in name.utf8 { output.append(byte) }
                for byte in payloads { output.append(byte) }
            }
            memory.withBytes(kept.bytes) { bytes in
                let (name, payloads) = (bytes.extracting(first: name.utf8.count), bytes.extracting(droppingFirst: name.utf8.count))
                for offset in payloads.byteOffsets {
                    messages.append(payloads.extracting(offset..<offset + 1), to: name, sender: 0, origin: 1)
                }
            }
            messages.removeAll { batch, name in delivery.deliver(&batch, to: name, now: now) }
        }
    }

    static func all(_ reader: inout MailslotReader) async throws -> [[UInt8]] {
        var payloads: [[UInt8]] = []
        while let message = try await reader.read(timeout: .now) { payloads.append([UInt8](message)) }
        return payloads
    }

    @Test func `a mailslot that its reader closes and makes anew gets the very next message`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench()
                for round: UInt8 in 0..<3 {
                    var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                    bench.deliver([round], to: "orders")
                    #expect(try await DeliveryTests.all(&reader) == [[round]])
                    reader.close()
                    reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                    bench.deliver(all: [round, 100], to: "orders")
                    #expect(try await DeliveryTests.all(&reader) == [[round], [100]])
                    reader.close()
                }
                #expect(bench.counters[.messagesDelivered] == 9 && bench.counters[.droppedNoMailslot] == 0)
                bench.deliver(to: "orders")
                bench.deliver(all: [1, 2], to: "orders")
                #expect(bench.counters[.droppedNoMailslot] == 3)
            }
        }
    }

    @Test func `a refusal is remembered for a second`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench { $0.allowedMailslots = ["orders"] }
                var reader = try Mailslot.create("orders")
                bench.deliver([1], to: "orders")
                reader.close()
                reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                bench.deliver([2], to: "orders", now: DeliveryTests.second - 1)
                bench.deliver([3], to: "secret", now: DeliveryTests.second - 1)
                bench.deliver([4], to: "orders", now: DeliveryTests.second)
                #expect(try await DeliveryTests.all(&reader) == [[4]])
                #expect(bench.counters[.droppedNotRemote] == 2 && bench.counters[.droppedNotAllowed] == 1)
            }
        }
    }

    @Test func `a mailslot that gets nothing for a minute is closed, and opened again for the next message`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench()
                var one = try Mailslot.create("one", acceptsRemoteMessages: true)
                var several = try Mailslot.create("several", acceptsRemoteMessages: true)
                func writers() throws -> [Int] { [try Mailslot.info(of: "one").writerCount, try Mailslot.info(of: "several").writerCount] }
                for time in [0, 30, 60] {
                    bench.deliver([1], to: "one", now: Int64(time) * DeliveryTests.second)
                    bench.deliver(all: [1], to: "several", now: Int64(time + 10) * DeliveryTests.second)
                }
                bench.delivery.closeIdle(now: 120 * DeliveryTests.second)
                #expect(try writers() == [1, 1])
                bench.delivery.closeIdle(now: 121 * DeliveryTests.second)
                #expect(try writers() == [0, 1])
                bench.delivery.closeIdle(now: 131 * DeliveryTests.second)
                #expect(try writers() == [0, 0])
                bench.deliver([2], to: "one", now: 131 * DeliveryTests.second)
                bench.deliver(all: [2], to: "several", now: 131 * DeliveryTests.second)
                #expect(try await DeliveryTests.all(&one) == [[1], [1], [1], [2]])
                #expect(try await DeliveryTests.all(&several) == [[1], [1], [1], [2]])
            }
        }
    }

    @Test func `what does not fit is counted by its cause`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench()
                var full = try Mailslot.create("full", capacity: 2, acceptsRemoteMessages: true)
                for _ in 0..<3 { bench.deliver([1], to: "full") }
                #expect(bench.counters[.messagesDelivered] == 2 && bench.counters[.droppedFull] == 1)
                bench.deliver(all: [1, 2, 3], to: "full")
                #expect(bench.counters[.droppedFull] == 4)
                #expect(try await DeliveryTests.all(&full).count == 2)
                bench.deliver(all: [4, 5, 6], to: "full")
                #expect(bench.counters[.droppedFull] == 5)
                #expect(try await DeliveryTests.all(&full) == [[4], [5]])

                let short = try Mailslot.create("short", maximumMessageSize: 1, acceptsRemoteMessages: true)
                bench.deliver([1, 2], to: "short")
                bench.deliver([1], to: "short")
                #expect(bench.counters[.droppedTooLong] == 1 && short.info.messageCount == 1)
                #expect(bench.counters[.messagesDelivered] == 5)
            }
        }
    }

    @Test func `each mailslot has a limit of its own, one by one or several at once`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench { $0.messagesPerSecondOfMailslot = 3 }
                var a = try Mailslot.create("a", acceptsRemoteMessages: true)
                var b = try Mailslot.create("b", acceptsRemoteMessages: true)
                for number: UInt8 in 0..<5 { bench.deliver([number], to: "a") }
                bench.deliver(all: [0, 1, 2, 3, 4], to: "b")
                #expect(try await DeliveryTests.all(&a) == [[0], [1], [2]])
                #expect(try await DeliveryTests.all(&b) == [[0], [1], [2]])
                #expect(bench.counters[.droppedMailslotLimit] == 4)
                bench.deliver(all: [5, 6], to: "b", now: DeliveryTests.second / 3)
                #expect(try await DeliveryTests.all(&b) == [[5]])
            }
        }
    }

    @Test func `another configuration counts at once, for mailslots that are open and for those that were refused`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench { $0.allowedMailslots = ["before"] }
                var before = try Mailslot.create("before", acceptsRemoteMessages: true)
                var after = try Mailslot.create("after", acceptsRemoteMessages: true)
                for name in ["before", "after"] { bench.deliver([1], to: name) }
                bench.delivery.reconfigure(
                    Bench.configuration {
                        $0.allowedMailslots = ["after"]
                        $0.messagesPerSecondOfMailslot = 2
                    })
                for _ in 0..<3 { for name in ["before", "after"] { bench.deliver([2], to: name) } }
                #expect(try await DeliveryTests.all(&before) == [[1]])
                #expect(try await DeliveryTests.all(&after) == [[2], [2]])
                #expect(bench.counters[.droppedNotAllowed] == 4 && bench.counters[.droppedMailslotLimit] == 1)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives files away"))
    func `another user's mailslot gets nothing, unless anyone is trusted`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let bench = Bench()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                let given = unsafe chown(try Mailslot.path(of: "orders"), 4711, 4711)
                #expect(given == 0)
                bench.deliver([1], to: "orders")
                #expect(bench.counters[.droppedUnusable] == 1)
                bench.delivery.reconfigure(Bench.configuration { $0.trustsAnyone = true })
                bench.deliver([2], to: "orders")
                #expect(try await DeliveryTests.all(&reader) == [[2]])
                bench.delivery.reconfigure(Bench.configuration { _ in })
                bench.deliver([3], to: "orders")
                #expect(try await DeliveryTests.all(&reader) == [])
                #expect(bench.counters[.droppedUnusable] == 2)
            }
        }
    }
}

import CMailslots
import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import Mailslots

/// Names of other machines, and messages from there. The bridge is played by the test. `MAILSLOT_DIRECTORY` is a process's, so each test
/// that needs one of its own is a process.
@Suite(.blocking) struct RemoteTests {
    static let jobs = #"\\render7\mailslot\jobs"#

    // MARK: where messages come from

    @Test func `an origin says what it is without being looked up`() {
        let here = MailslotOrigin.thisMachine
        #expect(!here.isRemote && !here.isAuthenticated && here.hostNumber == nil)
        let known = MailslotOrigin(rawValue: 0x8007)
        #expect(known.isRemote && known.isAuthenticated && known.hostNumber == 7)
        let forgeable = MailslotOrigin(rawValue: 7)
        #expect(forgeable.isRemote && !forgeable.isAuthenticated && forgeable.hostNumber == 7)
        let unknown = MailslotOrigin(rawValue: 0x8000)
        #expect(unknown.isRemote && unknown.isAuthenticated && unknown.hostNumber == nil)
    }

    @Test func `a reader learns which host a message is from`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                try makeHosts()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                try writeFromAfar("orders", "hello", sender: 77, origin: 0x8002)
                try writeFromAfar("orders", "hello", sender: 77, origin: 1)
                try writeFromAfar("orders", "hello", sender: 77, origin: 3)
                var writer = try Mailslot.open("orders")
                try await writer.write("from here")

                let first = try #require(try await reader.read(timeout: .now)).info
                #expect(first.senderProcessID == 77 && first.origin.isRemote && first.origin.isAuthenticated)
                let host = try #require(try first.origin.host())
                #expect(host.number == 2 && host.name == "render7" && host.domain == "studio" && host.address == "192.0.2.7:4240")
                #expect(host.isPresent && host.isAuthenticated && host.heardNanoseconds == 1_700_000_000_000_000_000)

                let second = try #require(try await reader.read(timeout: .now)).info.origin
                #expect(second.isRemote && !second.isAuthenticated)
                #expect(try second.host()?.name == "gate")
                #expect(try second.host()?.isAuthenticated == false)

                let third = try #require(try await reader.read(timeout: .now)).info.origin
                #expect(third.isRemote && third.hostNumber == 3)
                #expect(try third.host() == nil)

                #expect(try await reader.read(timeout: .now)?.info.origin == .thisMachine)
                #expect(try MailslotOrigin.thisMachine.host() == nil)
                #expect(try Mailslot.hosts().map(\.name) == ["gate", "render7"])
                #expect(try Mailslot.hosts().map(\.isPresent) == [false, true])
            }
        }
    }

    @Test func `without a bridge there are no hosts`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                #expect(try MailslotOrigin(rawValue: 1).host() == nil)
                let error = errorOf { _ = try Mailslot.hosts() }
                #expect(error?.code == .notFound)
                #expect(error?.description.contains("no bridge has run here") == true)
                try Data("no table".utf8).write(to: URL(filePath: hostsFile()))
                #expect(errorOf { _ = try Mailslot.hosts() }?.code == .notAMailslot)
                #expect(errorOf { _ = try MailslotOrigin(rawValue: 1).host() }?.code == .notAMailslot)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file away"))
    func `a table of hosts of somebody who is not trusted is an error`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                try makeHosts()
                let given = unsafe chown(hostsFile(), 4321, 4321)
                #expect(given == 0)
                #expect(errorOf { _ = try Mailslot.hosts() }?.code == .untrusted)
                #expect(errorOf { _ = try MailslotOrigin(rawValue: 1).host() }?.code == .untrusted)
                #expect(try MailslotOrigin(rawValue: 1).host(trusting: .user(4321))?.name == "gate")
                #expect(try Mailslot.hosts(trusting: .anyone).count == 2)
            }
        }
    }

    @Test func `read --json says which host a message is from`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                try makeHosts()
                let program = try startMailslot("read", "orders", "--remote", "--json", "--count", "4")
                try await eventually("it reads") { (try? Mailslot.info(of: "orders")) != nil }
                #expect(try Mailslot.info(of: "orders").acceptsRemoteMessages)
                for origin: UInt16 in [0x8002, 1, 0x8000, 0] { try writeFromAfar("orders", "hello", sender: 77, origin: origin) }
                let lines = try program.wait().text.split(separator: "\n")
                #expect(
                    lines.map { $0.replacing(/"position":[0-9]+,/, with: "") } == [
                        #"{"authenticated":true,"domain":"studio","host":"render7","origin":32770,"senderProcessID":77,"text":"hello"}"#,
                        #"{"authenticated":false,"domain":"studio","host":"gate","origin":1,"senderProcessID":77,"text":"hello"}"#,
                        #"{"authenticated":true,"origin":32768,"senderProcessID":77,"text":"hello"}"#,
                        #"{"origin":0,"senderProcessID":77,"text":"hello"}"#,
                    ])
            }
        }
    }

    // MARK: names

    @Test func `only opening takes a name of another machine`() {
        #expect(errorOf { _ = try Mailslot.create(Self.jobs) }?.code == .badName)
        #expect(errorOf { _ = try Mailslot.info(of: Self.jobs) }?.code == .badName)
        #expect(errorOf { _ = try Mailslot.observe(Self.jobs) }?.code == .badName)
        #expect(errorOf { try Mailslot.remove(Self.jobs) }?.code == .badName)
        #expect(errorOf { _ = try Mailslot.path(of: Self.jobs) }?.description.contains("only be opened to write") == true)
        let tooLong = errorOf { _ = try Mailslot.open(#"\\render7\mailslot\"# + String(repeating: "x", count: 41)) }
        #expect(tooLong?.code == .badName)
        #expect(tooLong?.description.contains("40 bytes") == true)
        #expect(errorOf { _ = try Mailslot.open(#"\\a:b\mailslot\x"#) }?.description.contains("63 bytes") == true)
    }

    @Test func `without a bridge opening says so`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                let error = errorOf { _ = try Mailslot.open(Self.jobs) }
                #expect(error?.code == .noBridge)
                #expect(error?.description.contains("mailslot bridge") == true)
                #expect(errorOf { _ = try Mailslot.open(Self.jobs, waitingUpTo: .milliseconds(5)) }?.code == .noBridge)
                await #expect { _ = try await Mailslot.open(Self.jobs, waitingUpTo: .milliseconds(5)) } throws: {
                    ($0 as? MailslotError)?.code == .noBridge
                }
                await #expect { _ = try await Mailslot.open("orders", waitingUpTo: .milliseconds(5)) } throws: {
                    ($0 as? MailslotError)?.code == .timedOut
                }
                let result = try mailslot("write", Self.jobs, "hello")
                #expect(result.status == 3)
                #expect(result.errors.contains("no bridge is running"))
            }
        }
    }

    @Test func `what the bridge refuses is an error in its own words`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                let bridge = StandIn { _ in (1, "render7 was never heard of") }
                for wait in [MailslotTimeout.now, .milliseconds(20)] {
                    let error = errorOf { _ = try Mailslot.open(Self.jobs, waitingUpTo: wait) }
                    #expect(error?.code == .noSuchHost)
                    #expect(error?.description.contains("render7 was never heard of") == true)
                    await #expect { _ = try await Mailslot.open(Self.jobs, waitingUpTo: wait) } throws: {
                        ($0 as? MailslotError)?.code == .noSuchHost
                    }
                }
                bridge.end()
                let strict = StandIn { _ in (2, "jobs is not for you") }
                let error = errorOf { _ = try Mailslot.open(Self.jobs) }
                #expect(error?.code == .notAllowed)
                #expect(error?.description.contains("jobs is not for you") == true)
                #expect(error?.code.description == "the bridge does not allow it")
                strict.end()
            }
        }
    }

    @Test func `what is written goes to the outbox that the bridge made`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                let bridge = StandIn { _ in (0, "") }
                var writer = try Mailslot.open(Self.jobs)
                try await writer.write("hello")
                #expect(writer.info.name == "bridge/out/0/render7/jobs")
                #expect(writer.info.maximumMessageSize == 424)
                #expect(errorOf { try writer.write([UInt8](repeating: 1, count: 425)) }?.description.contains("at most 424") == true)
                try await eventually("it arrives") { bridge.received.withLock { $0 } == ["hello"] }
                #expect(try mailslot("write", Self.jobs, "from the program").status == 0)
                var late = try await Mailslot.open(#"\\*\mailslot\late"#, waitingUpTo: .forever)
                try await late.write("to all")
                try await eventually("all arrive") { bridge.received.withLock { $0 } == ["hello", "from the program", "to all"] }
                bridge.end()
                #expect(errorOf { try writer.write("late") }?.code == .closed)
            }
        }
    }

    @Test func `a task that waits for a bridge opens when it comes, and can be cancelled`() async {
        await #expect(processExitsWith: .success) {
            try await inOwnDirectory {
                let opening = Task {
                    var writer = try await Mailslot.open(Self.jobs, waitingUpTo: .forever)
                    try await writer.write("at last")
                }
                let cancelled = Task { _ = try await Mailslot.open(#"\\nobody\mailslot\x"#, waitingUpTo: .forever) }
                try await Task.sleep(for: .milliseconds(5))
                let bridge = StandIn { $0 == "nobody" ? nil : (0, "") }
                try await opening.value
                try await eventually("it was asked for nobody") { bridge.asked.withLock { $0.contains("nobody") } }
                cancelled.cancel()
                await #expect { try await cancelled.value } throws: { ($0 as? MailslotError)?.code == .cancelled }
                bridge.end()
            }
        }
    }
}

/// For the body of an exit test, which is a process.
private func inOwnDirectory(_ body: () async throws -> Void) async throws {
    endIfItHangs()
    let folder = URL(filePath: "/dev/shm/mailslots-remote-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    unsafe setenv("MAILSLOT_DIRECTORY", folder.path, 1)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body()
}

private struct NoHandle: Error {}

private func hostsFile() -> String { ProcessInfo.processInfo.environment["MAILSLOT_DIRECTORY"]! + "/" + MSLOT_HOSTS_FILE }

private func copy<Characters: BitwiseCopyable>(_ text: String, to characters: inout Characters) {
    unsafe withUnsafeMutableBytes(of: &characters) { unsafe $0.copyBytes(from: text.utf8) }
}

/// A table of two hosts: 1, gone, and 2, there.
private func makeHosts() throws {
    guard let table = unsafe mslot_hosts_open(0).hosts else { throw NoHandle() }
    for (number, name) in [(UInt16(1), "gate"), (2, "render7")] {
        var host = mslot_host()
        host.number = number
        host.is_present = number == 2
        host.is_authenticated = true
        host.heard_ns = 1_700_000_000_000_000_000
        copy(name, to: &host.host)
        copy("studio", to: &host.domain)
        copy("192.0.2.7:4240", to: &host.address)
        let set = unsafe mslot_hosts_set(table, &host).outcome
        #expect(set == .done)
    }
    unsafe mslot_hosts_close(table)
}

private func writeFromAfar(_ name: String, _ text: String, sender: UInt32, origin: UInt16) throws {
    guard let writer = unsafe mslot_open(name, nil).writer else { throw NoHandle() }
    let bytes = [UInt8](text.utf8)
    let outcome = unsafe mslot_writer_write_from(writer, bytes, bytes.count, 0, sender, origin)
    #expect(outcome == .done)
    _ = unsafe mslot_writer_close(writer)
}

/// What a bridge is to those who open: it answers requests, and reads its outboxes, on a thread of its own.
private final class StandIn: Sendable {
    /// The destinations that it was asked for, and the texts that came.
    let asked = Locked<[String]>([])
    let received = Locked<[String]>([])
    private let isReady = Locked(false)
    private let ends = Locked(false)
    private let hasEnded = Locked(false)

    /// `answer`: the result and the words for a destination; `nil`: none at all.
    init(_ answer: @escaping @Sendable (_ destination: String) -> (UInt8, String)?) {
        Thread.detachNewThread { [self] in
            do { try serve(answer) } catch { Issue.record(error) }
            hasEnded.withLock { $0 = true }
        }
        while !isReady.withLock({ $0 }) { usleep(1000) }
    }

    func end() {
        ends.withLock { $0 = true }
        while !hasEnded.withLock({ $0 }) { usleep(1000) }
    }

    private func serve(_ answer: (String) -> (UInt8, String)?) throws {
        var answers = try Mailslot.create("bridge/answers", capacity: 16, maximumWriters: 1)
        var answering = try Mailslot.open("bridge/answers")
        var requests = try Mailslot.create("bridge/requests", capacity: 16, maximumWriters: 16)
        var outboxes = Outboxes()
        isReady.withLock { $0 = true }
        while !ends.withLock({ $0 }) {
            if let message = try requests.read(timeout: .now) {
                let request = [UInt8](message)
                let nameStart = 16 + Int(request[3])
                let destination = String(decoding: request[16..<nameStart], as: UTF8.self)
                asked.withLock { $0.append(destination) }
                if let (result, words) = answer(destination) {
                    if result == 0 {
                        outboxes.add("bridge/out/\(request[2])/\(destination)/" + String(decoding: request[nameStart...], as: UTF8.self))
                    }
                    try answering.write([1, 1, result, 0, UInt8(words.utf8.count), 0, 0, 0] + request[8..<16] + words.utf8)
                    _ = try answers.read(timeout: .now)
                }
            }
            outboxes.drain { text in received.withLock { $0.append(text) } }
            usleep(1000)
        }
        outboxes.close()
    }

    /// Readers cannot lie in an array, so these are handles of C.
    @safe
    private struct Outboxes {
        private var readers: [UnsafeMutablePointer<mslot_reader>] = unsafe []

        mutating func add(_ name: String) {
            if let reader = unsafe mslot_create(name, nil).reader { unsafe readers.append(reader) }
        }

        func drain(_ each: (String) -> Void) {
            var bytes = [UInt8](repeating: 0, count: 424)
            for index in unsafe readers.indices {
                while true {
                    let received = unsafe mslot_reader_read(readers[index], &bytes, bytes.count, 0)
                    if received.outcome != .done { break }
                    each(String(decoding: bytes.prefix(Int(received.byte_count)), as: UTF8.self))
                }
            }
        }

        func close() { for index in unsafe readers.indices { _ = unsafe mslot_reader_close(readers[index]) } }
    }
}

import Foundation
import Mailslots
import MailslotsKeys
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// What a bridge says of what goes wrong and makes no error.
@Suite struct NoticeTests {
    private static let second: Int64 = 1_000_000_000

    @Test func `a cause is said once a minute, and then how often it was`() {
        let log = LogRecord()
        let notices = Notices(logger: log.logger)
        func happens(_ cause: String, at time: Int64) { notices.say(cause, now: time, realTime: UInt64(time)) { "\(cause) at \(time)" } }
        for time in 0..<60 { happens("a", at: Int64(time) * Self.second) }
        happens("b", at: 1 * Self.second)
        #expect(log.lines.withLock { $0.count } == 2)
        #expect(log.contains("a at 0 ") && log.contains("b at 1000000000 "))
        happens("a", at: 60 * Self.second)
        #expect(log.contains("a at 60000000000 (60 times)"))
        #expect(notices.latest.map(\.time) == [1, 60])
    }

    @Test func `a wrong key, another domain and a wrong clock are said with source, key and cure, in the log and the status`() async {
        await #expect(processExitsWith: .success) {
            let log = LogRecord()
            try await withBridge(logTo: log) { bridge, network in
                var stranger = FarHost(key: BridgeKey([UInt8](repeating: 9, count: 32))!)
                var neighbour = FarHost(domain: "elsewhere")
                let right = BridgeClock()
                var slow = FarHost(clock: BridgeClock { right.real() - 100_000_000_000 })
                network.deliver(stranger.announcement(), stranger.announcement())
                _ = try await eventually("a wrong key is said") { log.contains("sealed by key") ? true : nil }
                #expect(log.contains("from memory:1") && log.contains("mailslot bridge --check"))
                #expect(log.contains(hexadecimal(BridgeKey([UInt8](repeating: 9, count: 32))!.domainKey.id)))
                network.deliver(neighbour.announcement())
                network.deliver(slow.announcement())
                _ = try await eventually("a wrong clock is said") { log.contains("clockBoundSeconds") ? true : nil }
                #expect(log.contains("sealed 100 s ago") && log.contains("timedatectl"))
                #expect(bridge.counters[.unknownKey] == 3)
                #expect(log.lines.withLock { $0.count { $0.hasPrefix("warning") } } == 2, "one line a cause")

                let status = try await eventually("the status says it, too") {
                    let status = try BridgeStatus.read()
                    return status.notices.count == 2 ? status : nil
                }
                #expect(status.notices.contains { $0.text.contains("sealed by key") })
                #expect(status.counts.contains { $0.name == "datagrams_refused_unknown_key" && $0.value == 3 })
            }
        }
    }

    @Test func `what networks do by themselves is not said`() async {
        await #expect(processExitsWith: .success) {
            let log = LogRecord()
            try await withBridge(logTo: log) { bridge, network in
                var far = FarHost()
                let announcement = far.announcement()
                network.deliver(announcement, announcement)
                _ = try await eventually("it was seen") { bridge.counters[.seen] == 1 ? true : nil }
                #expect(!log.contains("warning"))
            }
        }
    }

    @Test func `what a transport loses is said with its cure`() {
        #expect(TransportLoss.explained("drops.send.forbidden")?.contains("nft list ruleset") == true)
        #expect(TransportLoss.explained("drops.hosts")?.contains("--status") == true)
        #expect(TransportLoss.explained("datagrams.sent") == nil)
    }

    // MARK: the file

    @Test func `the status is written through no link`() async {
        await #expect(processExitsWith: .success) {
            try await withOwnDirectory {
                let folder = try #require(BridgeStatus.folder)
                let (file, victim) = (folder + "/" + BridgeStatus.fileName, folder + "/victim")
                try Data("mine".utf8).write(to: URL(filePath: victim))
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: victim)
                // What others may put into a shared directory: in the place of the file, and of what becomes it.
                for link in [file, "\(file).\(getpid())"] {
                    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: victim)
                }
                try SmallFile.replace(file, by: [1, 2, 3], mode: 0o644)
                #expect(try String(contentsOfFile: victim, encoding: .utf8) == "mine")
                let mode = { (path: String) in try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int }
                #expect(try mode(victim) == 0o600 && mode(file) == 0o644)
                #expect(try SmallFile(path: file, followsLinks: false).bytes == [1, 2, 3])
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [BridgeStatus.fileName, "victim"])
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives files away"))
    func `another user's file is not shown as the bridge's`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { _, _ in
                let file = try #require(BridgeStatus.folder) + "/" + BridgeStatus.fileName
                _ = try await eventually("a status") { try? BridgeStatus.read() }
                // The bridge writes it anew each second.
                let error = try await eventually("another's is refused") { () -> BridgeError? in
                    unsafe chown(file, 4321, 4321)
                    do throws(BridgeError) {
                        _ = try BridgeStatus.read()
                        return nil
                    } catch {
                        return error
                    }
                }
                #expect(error.code == .system && error.description.contains("4321"))
            }
        }
    }
}

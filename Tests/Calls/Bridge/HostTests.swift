import CMailslots
import Foundation
import Mailslots
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// What a bridge makes of the hosts that it hears. Each test is a process, see `withBridge`.
@Suite struct HostTests {
    @Test func `messages are a host's from its announcement on`() async {
        await #expect(processExitsWith: .success) {
            try await withBridge { bridge, network in
                var far = FarHost()
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                func origin() async throws -> MailslotOrigin {
                    network.deliver(far.datagram([.message("orders")]))
                    return try #require(try await reader.read(timeout: .seconds(600))).info.origin
                }
                let early = try await origin()
                #expect(early.isRemote && early.isAuthenticated && early.hostNumber == nil)
                network.deliver(far.announcement())
                #expect(try await origin().host()?.name == "far")
                #expect(bridge.hosts.presentCount == 1)
            }
        }
    }

    @Test func `the table of hosts says who is there, since when and where, to who may read messages`() async {
        await #expect(processExitsWith: .success) {
            let clock = BridgeClock { 1_700_000_000_000_000_000 }
            var configuration = BridgeConfiguration.forTests
            configuration.outboxes.permissions = .everyone
            try await withBridge(configuration, clock: clock) { _, network in
                var far = FarHost(clock: clock)
                try await BridgeTests.introduce(&far, to: network)
                let host = try await eventually("it is recorded") { try Mailslot.hosts().first }
                #expect(host.name == "far" && host.domain == "studio" && host.address == "memory:1" && host.number == 1)
                #expect(host.isPresent && host.isAuthenticated && host.heardNanoseconds == 1_700_000_000_000_000_000)
                let path = try #require(ProcessInfo.processInfo.environment["MAILSLOT_DIRECTORY"]) + "/" + MSLOT_HOSTS_FILE
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o644, "who may send reads it, and only the bridge's user writes it")

                let route = Route(domain: 0, destination: .host("far"))
                #expect(network.byteCountMax(to: route) != nil)
                network.deliver(far.announcement(.goodbye))
                _ = try await eventually("it is gone") { try Mailslot.hosts().first?.isPresent == false ? true : nil }
                #expect(network.byteCountMax(to: route) == nil && bridge(sees: 0))
                func bridge(sees count: Int) -> Bool { (try? Mailslot.hosts().count(where: \.isPresent)) == count }
            }
        }
    }

    @Test func `a host that is silent for three announcements' time is gone`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.announceEvery = .milliseconds(400)
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                let begin = BridgeClock.monotonic
                network.deliver(far.announcement())
                _ = try await eventually("it was there") { (try? Mailslot.hosts().first?.name) == "far" ? true : nil }
                _ = try await eventually("it is gone") { bridge.hosts.presentCount == 0 ? true : nil }
                #expect(BridgeClock.monotonic - begin >= 1_200_000_000)
                _ = try await eventually("everybody can know") { try Mailslot.hosts().first?.isPresent == false ? true : nil }
                #expect(network.byteCountMax(to: Route(domain: 0, destination: .host("far"))) == nil)
                #expect(try await ask(for: "far", "orders").result == .noSuchHost)
            }
        }
    }

    @Test func `a host that has our name is none, and is logged once a minute`() async {
        await #expect(processExitsWith: .success) {
            let log = LogRecord()
            try await withBridge(logTo: log) { bridge, network in
                var other = FarHost("here")
                for _ in 0..<3 { network.deliver(other.announcement()) }
                _ = try await eventually("they are heard") { bridge.counters[.announcementsReceived] == 3 ? true : nil }
                var far = FarHost()
                try await BridgeTests.introduce(&far, to: network)
                #expect(bridge.hosts.presentCount == 1)
                #expect(log.lines.withLock { $0.count { $0.contains("warning Another host has our name") } } == 1)
            }
        }
    }

    @Test func `two hosts of one name are logged`() async {
        await #expect(processExitsWith: .success) {
            let log = LogRecord()
            try await withBridge(logTo: log) { _, network in
                var one = FarHost()
                var other = FarHost()
                network.deliver(one.announcement(), other.announcement())
                network.deliver(one.announcement())
                _ = try await eventually("it is logged") { log.contains("warning Two hosts have the same name") ? true : nil }
            }
        }
    }

    @Test func `only hosts that are allowed are listened to, and a reload changes which`() async {
        await #expect(processExitsWith: .success) {
            var configuration = BridgeConfiguration.forTests
            configuration.delivery.allowedHosts = ["far*"]
            try await withBridge(configuration) { bridge, network in
                var far = FarHost()
                var near = FarHost("near")
                var unknown = FarHost("unheard")
                var reader = try Mailslot.create("orders", acceptsRemoteMessages: true)
                network.deliver(far.announcement(), near.announcement())
                func deliver(_ round: UInt8) {
                    network.deliver(
                        unknown.datagram([.message("orders", [round, 0])]), near.datagram([.message("orders", [round, 1])]),
                        far.datagram([.message("orders", [round, 2])]))
                }
                deliver(1)
                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [1, 2])
                configuration.delivery.allowedHosts = ["near"]
                try await bridge.reload(configuration)
                deliver(2)
                #expect(try await reader.read(timeout: .seconds(600)).map { [UInt8]($0) } == [2, 1])
                _ = try await eventually("the others are counted") { bridge.counters[.droppedHostNotAllowed] == 4 ? true : nil }
                #expect(try await reader.read(timeout: .now) == nil)
            }
        }
    }
}

import Distributed
import Foundation
import Mailslots
import MailslotsDistributed
import TestActors
import TestProcesses
import TestSupport
import Testing

/// Who is where, between systems and between processes.
@Suite struct ReceptionistTests {
    /// No other test's.
    private let greeters = MailslotActorKey<Greeter>("greeters \(UInt32.random(in: 0...UInt32.max))")

    @Test func `actors are found by key and type, on all nodes of the machine, until they leave or are gone`() async throws {
        let (here, there) = (try MailslotActorSystem(), try MailslotActorSystem())
        let (receptionist, other) = (try MailslotReceptionist(here), try MailslotReceptionist(there))
        #expect(throws: MailslotActorError.self) { _ = try MailslotReceptionist(here) }
        #expect(try await receptionist.lookup(greeters, within: .seconds(300)).isEmpty)

        let first = Greeter("a", actorSystem: here)
        var second: Greeter? = Greeter("b", actorSystem: there)
        await receptionist.checkIn(first, as: greeters)
        await other.checkIn(try #require(second), as: greeters)
        await other.checkIn(try #require(second), as: greeters)
        let found = try await receptionist.lookup(greeters, within: .seconds(300))
        #expect(Set(found.map(\.id)) == [first.id, second?.id])
        #expect(found.contains { $0 === first })
        for greeter in found { #expect(try await ["a x", "b x"].contains(greeter.greet(["x"]))) }
        #expect(try await other.lookup(greeters, within: .seconds(300)).count == 2)
        #expect(try await receptionist.lookup(greeters, on: there.node).map(\.id) == [second?.id])
        // The same text, another type.
        #expect(try await receptionist.lookup(MailslotActorKey<Exchange>(greeters.text), within: .seconds(300)).isEmpty)

        second = nil
        for await present in receptionist.listing(of: greeters) where present.map(\.id) == [first.id] { break }
        await receptionist.checkOut(first, as: greeters)
        for await present in receptionist.listing(of: greeters) where present.isEmpty { break }
        #expect(try await receptionist.lookup(greeters, within: .seconds(300)).isEmpty)
    }

    @Test func `a listing hears of nodes that come, change, shut down and come again`() async throws {
        let here = try MailslotActorSystem()
        let receptionist = try MailslotReceptionist(here)
        var listing = receptionist.listing(of: greeters).makeAsyncIterator()
        #expect(await listing.next()?.isEmpty == true)
        let name = "again-\(UInt32.random(in: 0...UInt32.max))"
        for round in 0..<3 {
            let there = try MailslotActorSystem(node: name)
            let other = try MailslotReceptionist(there)
            let greeter = Greeter("\(round)", actorSystem: there)
            await other.checkIn(greeter, as: greeters)
            let present = await listing.next()
            #expect(present?.map(\.id) == [greeter.id])
            #expect(try await present?.first?.greet([]) == "\(round)")
            await there.shutDown()
            #expect(await listing.next()?.isEmpty == true)
        }
    }

    @Test func `a listing ends with its receptionist`() async throws {
        var receptionist: MailslotReceptionist? = try MailslotReceptionist(MailslotActorSystem())
        let listing = try #require(receptionist).listing(of: greeters)
        receptionist = nil
        for await present in listing { #expect(present.isEmpty) }
    }

    @Test func `a killed node is off the list at once, and a stopped one holds nobody up`() async throws {
        let node = "host-\(UInt32.random(in: 0...UInt32.max))"
        let system = try MailslotActorSystem()
        let receptionist = try MailslotReceptionist(system)
        let servants = MailslotActorKey<Servant>("servants of \(node)")
        let host = try startHost(node)
        defer {
            host.killWithGroup()
            try? Mailslot.remove("actors/\(node)")
        }
        var listing = receptionist.listing(of: servants).makeAsyncIterator()
        while await listing.next()?.count != 1 {}
        #expect(try await receptionist.lookup(servants, within: .seconds(300)).count == 1)

        kill(host.processIdentifier, SIGSTOP)
        try await eventually("it is stopped") { isStopped(host.processIdentifier) }
        #expect(try await receptionist.lookup(servants, within: .milliseconds(100)).isEmpty)
        kill(host.processIdentifier, SIGKILL)
        #expect(await listing.next()?.isEmpty == true)
    }
}

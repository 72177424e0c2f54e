import Distributed
import Mailslots
import TestActors
import Testing

@testable import MailslotsDistributed

/// Calls between systems of one process, through all but the mailslots.
@Suite struct CallTests {
    let network = Network()
    let here: MailslotActorSystem
    let there: MailslotActorSystem

    init() throws {
        here = try network.node("here")
        there = try network.node("there")
    }

    @Test func `arguments and results of all kinds arrive`() async throws {
        let exchange = Exchange(actorSystem: there)
        let remote = try here.reference(exchange)
        #expect(try await remote.double(-21) == -42)
        #expect(try await remote.double(.max / 2) == .max - 1)
        #expect(try await remote.add(Order(share: "ACME", count: 3, limit: 1.5), urgently: false) == 1)
        #expect(try await remote.add(Order(share: "Übermut", count: 4), urgently: true) == -2)
        #expect(try await remote.all() == [Order(share: "ACME", count: 3, limit: 1.5), Order(share: "Übermut", count: 4)])
        #expect(try await remote.total() == 7)
        #expect(try await remote.count == 2)
        try await remote.clear()
        #expect(try await exchange.all().isEmpty)
        #expect(try await remote.last([]) == nil)
        #expect(try await remote.last([Tick(price: 1, time: 2), Tick(price: .max, time: 4)]) == Tick(price: .max, time: 4))
        #expect(here.counters.callsMade == 10)
        #expect(there.counters.callsServed == 10)
    }

    @Test func `generic methods and generic actors take what the caller gives`() async throws {
        let exchange = Exchange(actorSystem: there)
        let remote = try here.reference(exchange)
        #expect(try await remote.same([1, 2, 3]) == [1, 2, 3])
        #expect(try await remote.same(["a": Order(share: "ACME", count: 1)]) == ["a": Order(share: "ACME", count: 1)])
        #expect(try await remote.same(Tick(price: 5, time: 6)) == Tick(price: 5, time: 6))
        #expect(try await remote.pair(1, "one") == ["1": "one"])

        let box = Box<[String]>(actorSystem: there)
        let remoteBox = try here.reference(box)
        #expect(try await remoteBox.put(["x"]) == nil)
        #expect(try await remoteBox.put([]) == ["x"])
    }

    @Test func `an error comes as itself if it is Codable, and as a description if it is not`() async throws {
        let exchange = Exchange(actorSystem: there)
        let remote = try here.reference(exchange)
        await #expect(throws: Refused.tooMany(count: 101)) { try await remote.add(Order(share: "ACME", count: 101), urgently: false) }
        let error = await #expect(throws: MailslotActorError.self) { try await remote.add(Order(share: "A", count: -1), urgently: false) }
        #expect(error?.code == .thrown)
        #expect(error?.description.contains("less than nothing") == true)
        #expect(there.counters.callsRefused == 0)
    }

    @Test func `actors are arguments and results, and are called back`() async throws {
        let exchange = Exchange(actorSystem: there)
        let greeter = Greeter("hello", actorSystem: here)
        let remote = try here.reference(exchange)
        #expect(try await remote.greet(greeter) == "hello exchange 0")
        let back = try await remote.caller(greeter)
        #expect(back === greeter)  // of this system: the actor itself
        #expect(await back.whenLocal { $0.secret() } == "hello")
        #expect(await remote.whenLocal { _ in true } == nil)
    }

    @Test func `an actor of this system is resolved to itself, and called without encoding`() async throws {
        let greeter = try here.named("greeter") { Greeter("hello", actorSystem: here) }
        let resolved = try Greeter.resolve(id: MailslotActorID("greeter", on: here.node), using: here)
        #expect(resolved === greeter)
        #expect(try await resolved.greet(["you"]) == "hello you")
        #expect(here.counters.callsMade == 0)
        #expect(await code { _ = try Exchange.resolve(id: greeter.id, using: here) } == .wrongType)
        #expect(await code { _ = try Exchange.resolve(id: MailslotActorID("nobody", on: here.node), using: here) } == .noSuchActor)
    }

    @Test func `an actor lives as long as somebody holds it, and then says that it is gone`() async throws {
        var exchange: Exchange? = try there.named("exchange") { Exchange(actorSystem: there) }
        let id = try #require(exchange?.id)
        let remote = try Exchange.resolve(id: id, using: here)
        #expect(try await remote.double(1) == 2)
        exchange = nil
        #expect(await code { _ = try await remote.double(1) } == .noSuchActor)
        #expect(there.counters.callsRefused == 1)

        // The name is free, and the reference means the new one.
        let second = try there.named("exchange") { Exchange(actorSystem: there) }
        #expect(try await remote.double(2) == 4)
        withExtendedLifetime((exchange, second)) {}
    }

    @Test func `a name is one actor's, and an actor without a name has one of its own`() async throws {
        let first = try here.named("greeter") { Greeter("a", actorSystem: here) }
        #expect(await code { _ = try here.named("greeter") { Greeter("b", actorSystem: here) } } == .nameTaken)
        #expect(await code { _ = try here.named("") { Greeter("b", actorSystem: here) } } == .badName)
        let others = (0..<100).map { Greeter("\($0)", actorSystem: here) }
        #expect(Set(others.map(\.id)).count == 100)
        // The second that a closure makes has no claim to the name, nor has one of another system.
        let two = try here.named("two") {
            _ = Greeter("elsewhere", actorSystem: there)
            let named = Greeter("named", actorSystem: here)
            #expect(Greeter("unnamed", actorSystem: here).id.name != "two")
            return named
        }
        #expect(two.id.name == "two")
        // What was not used is free again.
        _ = try here.named("unused") { first }
        #expect(try here.named("unused") { Greeter("used", actorSystem: here) }.id.name == "unused")
    }

    @Test func `a node that is not there, or that ended, is an error`() async throws {
        let remote = try Exchange.resolve(id: MailslotActorID("exchange@nowhere"), using: here)
        #expect(await code { _ = try await remote.double(1) } == .noSuchNode)
    }

    @Test func `a type that other processes cannot name is refused with the cure`() async throws {
        let hidden = HiddenCall(there)
        let error = await #expect(throws: MailslotActorError.self) { try await hidden.call(here) }
        #expect(error?.code == .noSuchMethod)
        #expect(error?.description.contains("internal or public") == true)
    }

    // MARK: ids that lie

    @Test func `an id of an actor of another type is refused, and no memory is read as another type's`() async throws {
        let greeter = try there.named("greeter") { Greeter("hello", actorSystem: there) }
        let liar = try Exchange.resolve(id: greeter.id, using: here)
        #expect(await code { _ = try await liar.double(1) } == .wrongType)
        #expect(await code { _ = try await liar.count } == .wrongType)
        // A type within the type, whose methods' names begin alike; and the other way round.
        let exchange = try there.named("exchange") { Exchange(actorSystem: there) }
        let desk = try Exchange.Desk.resolve(id: exchange.id, using: here)
        #expect(await code { _ = try await desk.double(1) } == .wrongType)
        let realDesk = try there.named("desk") { Exchange.Desk(actorSystem: there) }
        #expect(try await Exchange.Desk.resolve(id: realDesk.id, using: here).double(1) == 2)
        #expect(await code { _ = try await Exchange.resolve(id: realDesk.id, using: here).double(1) } == .wrongType)
        #expect(there.counters.callsRefused == 4)
    }

    @Test func `generic arguments that are not what a method asks for are refused`() async throws {
        let exchange = try there.named("exchange") { Exchange(actorSystem: there) }
        let same = "$s10TestActors8ExchangeC4sameyxxYaKSeRzSERzlFTE"
        func answer(_ substitutions: [String]) async throws -> [UInt8] {
            let call = CBOROutput(reserving: 0)
            CallHeader(actorName: exchange.id.name, target: same, substitutions: substitutions).write(to: call)
            call.write(Int64(7))
            return try await network.send(call.bytes, to: there.node)
        }
        #expect(try await answer(["Si"]) == [1, 0, 7])
        for substitutions in [[], ["yyc"], ["ypXp"], ["SS"], ["s5ErrorP"], ["10TestActors5PlainV"], ["nonsense"], [""]] {
            #expect(try await answer(substitutions).prefix(2) == [1, 4], "\(substitutions)")
        }
    }

    @Test(arguments: ["", "@", "a@", "@b", "a@b@c", "a b@c d", "a@\\\\host", "a@\\\\\\x", "a@\\\\host\\a\\b", "\u{7}@b", "x@ü"])
    func `a text that is no id is refused`(text: String) {
        #expect((try? MailslotActorID(text)) == nil)
    }

    @Test func `ids are text and back, and huge ones are refused`() throws {
        let id = try MailslotActorID("price of 7", on: MailslotNode(name: "Market", host: "Render7"))
        #expect(id.description == #"price of 7@\\render7\market"#)
        #expect(try MailslotActorID(id.description) == id)
        #expect(id.node.mailslotName == #"\\render7\mailslot\actors\market"#)
        #expect(try MailslotActorID("a@b").node.mailslotName == "actors/b")
        let huge = String(repeating: "x", count: 1_000_000)
        #expect((try? MailslotActorID(huge + "@b")) == nil)
        #expect((try? MailslotActorID("a@" + huge)) == nil)
        let error = #expect(throws: MailslotActorError.self) { _ = try MailslotActorID(huge, on: MailslotNode("b")) }
        #expect(error.map { $0.description.count < 400 } == true)
    }

    @Test func `an id from another machine means the actor there`() async throws {
        let id = try MailslotActorID("a@b")
        let output = CBOROutput(reserving: 0)
        try ValueEncoder.encode(id, to: output)
        func decoded(from host: String?) throws -> MailslotActorID {
            var position = 0
            let input = CBORInput(output.bytes, context: ActorCodingContext(system: here, senderHost: host))
            return try ValueDecoder.decode(MailslotActorID.self, from: input, at: &position)
        }
        #expect(try decoded(from: nil) == id)
        #expect(try decoded(from: "render7").description == #"a@\\render7\b"#)
    }
}

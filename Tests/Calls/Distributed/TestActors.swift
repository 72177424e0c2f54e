import Distributed
import Mailslots
import MailslotsDistributed

struct Order: Codable, Hashable, Sendable {
    var share: String
    var count: Int
    var limit: Double?
}

struct Tick: MailslotValue, Codable, Hashable {
    var price: UInt64
    var time: UInt64
}

enum Refused: Error, Codable, Hashable {
    case tooMany(count: Int)
    case closed
}

struct Plain: Error, CustomStringConvertible {
    let description: String
}

distributed actor Exchange {
    typealias ActorSystem = MailslotActorSystem
    private var orders: [Order] = []

    distributed func double(_ number: Int) -> Int { number * 2 }
    distributed func add(_ order: Order, urgently: Bool) throws -> Int {
        if order.count > 100 { throw Refused.tooMany(count: order.count) }
        if order.count < 0 { throw Plain(description: "less than nothing") }
        orders.append(order)
        return urgently ? -orders.count : orders.count
    }
    distributed func all() -> [Order] { orders }
    distributed func clear() { orders = [] }
    distributed func last(_ ticks: [Tick]) -> Tick? { ticks.last }
    distributed func same<Value: Codable & Sendable>(_ value: Value) -> Value { value }
    distributed func pair<A: Codable & Sendable, B: Codable & Sendable>(_ a: A, _ b: B) -> [String: String] { ["\(a)": "\(b)"] }
    distributed var count: Int { orders.count }
    distributed func greet(_ other: Greeter) async throws -> String { try await other.greet(["exchange", "\(orders.count)"]) }
    distributed func caller(_ other: Greeter) -> Greeter { other }

    /// Nested, so that its methods' names begin as this actor's.
    distributed actor Desk {
        typealias ActorSystem = MailslotActorSystem
        distributed func double(_ number: Int) -> Int { number * 2 }
    }
}

extension Exchange {
    distributed func total() -> Int { orders.reduce(0) { $0 + $1.count } }
}

distributed actor Greeter {
    typealias ActorSystem = MailslotActorSystem
    private let greeting: String

    init(_ greeting: String, actorSystem: ActorSystem) {
        self.actorSystem = actorSystem
        self.greeting = greeting
    }

    distributed func greet(_ names: [String]) -> String { ([greeting] + names).joined(separator: " ") }
    distributed func double(_ number: Int) -> Int { number * 3 }
    func secret() -> String { greeting }
}

distributed actor Box<Value: Codable & Sendable> {
    typealias ActorSystem = MailslotActorSystem
    private var value: Value?

    distributed func put(_ value: Value) -> Value? {
        defer { self.value = value }
        return self.value
    }
}

private distributed actor Hidden {
    typealias ActorSystem = MailslotActorSystem
    distributed func answer() -> Int { 42 }
}

/// An actor whose type has no name that another process finds, and who calls it.
struct HiddenCall {
    let made: any DistributedActor
    let call: @Sendable (MailslotActorSystem) async throws -> Int

    init(_ system: MailslotActorSystem) {
        let hidden = Hidden(actorSystem: system)
        made = hidden
        let id = hidden.id
        call = { try await Hidden.resolve(id: id, using: $0).answer() }
    }
}

// Actors that tests call, and the process that tests start has.

package import Distributed
import Glibc
import Mailslots
package import MailslotsDistributed

package struct Order: Codable, Hashable, Sendable {
    package var share: String
    package var count: Int
    package var limit: Double?

    package init(share: String, count: Int, limit: Double? = nil) {
        self.share = share
        self.count = count
        self.limit = limit
    }
}

package struct Tick: MailslotValue, Codable, Hashable {
    package var price: UInt64
    package var time: UInt64

    package init(price: UInt64, time: UInt64) {
        self.price = price
        self.time = time
    }
}

package enum Refused: Error, Codable, Hashable {
    case tooMany(count: Int)
    case closed
}

package struct Plain: Error, CustomStringConvertible {
    package let description: String
}

package distributed actor Exchange {
    package typealias ActorSystem = MailslotActorSystem
    private var orders: [Order] = []

    package init(actorSystem: ActorSystem) { self.actorSystem = actorSystem }

    package distributed func double(_ number: Int) -> Int { number * 2 }
    package distributed func add(_ order: Order, urgently: Bool) throws -> Int {
        if order.count > 100 { throw Refused.tooMany(count: order.count) }
        if order.count < 0 { throw Plain(description: "less than nothing") }
        orders.append(order)
        return urgently ? -orders.count : orders.count
    }
    package distributed func all() -> [Order] { orders }
    package distributed func clear() { orders = [] }
    package distributed func last(_ ticks: [Tick]) -> Tick? { ticks.last }
    package distributed func same<Value: Codable & Sendable>(_ value: Value) -> Value { value }
    package distributed func pair<A: Codable & Sendable, B: Codable & Sendable>(_ a: A, _ b: B) -> [String: String] { ["\(a)": "\(b)"] }
    package distributed var count: Int { orders.count }
    package distributed func greet(_ other: Greeter) async throws -> String { try await other.greet(["exchange", "\(orders.count)"]) }
    package distributed func caller(_ other: Greeter) -> Greeter { other }

    /// Nested, so that its methods' names begin as this actor's.
    package distributed actor Desk {
        package typealias ActorSystem = MailslotActorSystem
        package init(actorSystem: ActorSystem) { self.actorSystem = actorSystem }
        package distributed func double(_ number: Int) -> Int { number * 2 }
    }
}

extension Exchange {
    package distributed func total() -> Int { orders.reduce(0) { $0 + $1.count } }
}

package distributed actor Greeter {
    package typealias ActorSystem = MailslotActorSystem
    private let greeting: String

    package init(_ greeting: String, actorSystem: ActorSystem) {
        self.actorSystem = actorSystem
        self.greeting = greeting
    }

    package distributed func greet(_ names: [String]) -> String { ([greeting] + names).joined(separator: " ") }
    package distributed func double(_ number: Int) -> Int { number * 3 }
    package func secret() -> String { greeting }
}

package distributed actor Box<Value: Codable & Sendable> {
    package typealias ActorSystem = MailslotActorSystem
    private var value: Value?

    package init(actorSystem: ActorSystem) { self.actorSystem = actorSystem }

    package distributed func put(_ value: Value) -> Value? {
        defer { self.value = value }
        return self.value
    }
}

private distributed actor Hidden {
    typealias ActorSystem = MailslotActorSystem
    distributed func answer() -> Int { 42 }
}

/// An actor whose type has no name that another process finds, and who calls it.
package struct HiddenCall {
    package let made: any DistributedActor
    package let call: @Sendable (MailslotActorSystem) async throws -> Int

    package init(_ system: MailslotActorSystem) {
        let hidden = Hidden(actorSystem: system)
        made = hidden
        let id = hidden.id
        call = { try await Hidden.resolve(id: id, using: $0).answer() }
    }
}

/// An actor of another process, which does to that process what it is told.
package distributed actor Servant {
    package typealias ActorSystem = MailslotActorSystem
    private var isWaiting = false
    private var wasCancelled = false

    package init(actorSystem: ActorSystem) { self.actorSystem = actorSystem }

    package distributed func processID() -> Int32 { getpid() }
    package distributed func double(_ number: Int) -> Int { number * 2 }
    package distributed func reverse(_ bytes: [UInt8]) -> [UInt8] { bytes.reversed() }
    package distributed func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }
    package distributed func die() { kill(getpid(), SIGKILL) }
    /// Returns when the caller gives up.
    package distributed func wait() async throws {
        isWaiting = true
        while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(1)) }
        wasCancelled = Task.isCancelled
    }
    package distributed func isInCall() -> Bool { isWaiting }
    package distributed func heardOfCancellation() -> Bool { wasCancelled }
    package distributed func millisecondsLeft() -> Int? {
        MailslotActorSystem.deadline.map { Int(($0 - .now) / .milliseconds(1)) }
    }
    package distributed func callBack(_ greeter: Greeter) async throws -> String { try await greeter.greet(["from", "elsewhere"]) }
    package distributed func leave() { exit(0) }
}

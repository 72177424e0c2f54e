import Distributed
import MailslotsDistributed

extension MailslotActorKey<Exchange> {
    static let exchanges = MailslotActorKey("exchanges")
}

struct Trade: Codable {
    let share: String
    let count: Int
    let price: Int
    let buyer: String
}

enum Refusal: Error, Codable {
    case onlyLeft(Int)
}

/// Sells what it has, each time for one more than before.
distributed actor Exchange {
    typealias ActorSystem = MailslotActorSystem

    private var stock: [String: Int]
    private var price = 99
    private var watchers: [Watcher] = []
    private let ended: @Sendable () -> Void

    init(stock: [String: Int], actorSystem: ActorSystem, ended: @escaping @Sendable () -> Void) {
        self.actorSystem = actorSystem
        self.stock = stock
        self.ended = ended
    }

    distributed func buy(_ share: String, _ count: Int, for buyer: String) async throws -> Trade {
        let left = stock[share, default: 0]
        guard count <= left else { throw Refusal.onlyLeft(left) }
        stock[share] = left - count
        let trade = Trade(share: share, count: count, price: price, buyer: buyer)
        price += 1
        for watcher in watchers {
            do { try await watcher.saw(trade) } catch { watchers.removeAll { $0 == watcher } }  // it is gone
        }
        return trade
    }

    distributed func add(_ watcher: Watcher) { watchers.append(watcher) }
    distributed func watcherCount() -> Int { watchers.count }

    distributed func close() async {
        for watcher in watchers { try? await watcher.sawEnd() }
        ended()
    }
}

/// Hears of trades.
distributed actor Watcher {
    typealias ActorSystem = MailslotActorSystem

    private let seen: AsyncStream<Trade>.Continuation

    init(_ seen: AsyncStream<Trade>.Continuation, actorSystem: ActorSystem) {
        self.actorSystem = actorSystem
        self.seen = seen
    }

    distributed func saw(_ trade: Trade) { seen.yield(trade) }
    distributed func sawEnd() { seen.finish() }
}

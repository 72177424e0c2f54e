// A small market of three processes: an exchange, a trader and a watcher, all of this one program. Start them in any order:
//
//     mailslots-market exchange
//     mailslots-market watcher
//     mailslots-market trader
//
// The trader finds the exchange by the receptionist, and buys; the watcher hears of each trade by a call back. When the trader has closed
// the exchange, all three end.

import Distributed
import MailslotsDistributed

@main struct Market {
    static func main() async throws {
        switch CommandLine.arguments.dropFirst().first {
        case "exchange": try await runExchange()
        case "watcher": try await runWatcher()
        case "trader": try await runTrader()
        default: print("usage: mailslots-market exchange | watcher | trader")
        }
    }
}

/// The process that has the exchange: a node that others find by its name.
func runExchange() async throws {
    let system = try MailslotActorSystem(node: "market")
    let receptionist = try MailslotReceptionist(system)
    let (closing, closed) = AsyncStream.makeStream(of: Void.self)
    let exchange = Exchange(stock: ["ACME": 5], actorSystem: system) { closed.finish() }
    await receptionist.checkIn(exchange, as: .exchanges)
    for await _ in closing {}
    // The answers of the calls that are on go out before it ends.
    await system.shutDown()
}

/// A process that is called back. It has no name, and needs none: it sends its actor.
func runWatcher() async throws {
    let system = try MailslotActorSystem()
    let (trades, seen) = AsyncStream.makeStream(of: Trade.self)
    let watcher = Watcher(seen, actorSystem: system)
    try await findExchange(system).add(watcher)
    for await trade in trades { print("seen: \(trade.count) \(trade.share) for \(trade.buyer) at \(trade.price)") }
    print("closed")
}

func runTrader() async throws {
    let system = try MailslotActorSystem()
    let exchange = try await findExchange(system)
    while try await exchange.watcherCount() == 0 { try await Task.sleep(for: .milliseconds(1)) }
    for count in [3, 1, 2] {
        do {
            let trade = try await exchange.buy("ACME", count, for: "alice")
            print("bought \(trade.count) at \(trade.price)")
        } catch let refusal as Refusal {
            print("refused: \(refusal)")  // a Codable error comes as itself
        }
    }
    try await exchange.close()
}

/// The first exchange of this machine, as soon as there is one.
func findExchange(_ system: MailslotActorSystem) async throws -> Exchange {
    let receptionist = try MailslotReceptionist(system)
    for await exchanges in receptionist.listing(of: .exchanges) {
        if let exchange = exchanges.first { return exchange }
    }
    throw CancellationError()
}

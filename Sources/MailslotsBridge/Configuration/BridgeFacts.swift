internal import Mailslots

extension BridgeConfiguration {
    /// For people: what the bridge is, and whom it serves.
    package var facts: [(name: String, says: String)] {
        let transport = transports.used
        return [("host", host)]
            + domains.map {
                ("domain \($0.name)", ([$0.seal] + [transport.says(of: $0.forTransport)].compactMap(\.self)).joined(separator: "; "))
            }
            + transport.facts
            + [
                ("who may send", "mode 0\(String(outboxes.permissions.rawValue, radix: 8)); to \(list(outboxes.allowed, "nobody"))"),
                ("deliveries", delivery.says),
            ]
    }
}

extension BridgeConfiguration.Domain {
    fileprivate var seal: String {
        let accepted = alsoAccepted.isEmpty ? "" : ", also accepted: \(list(alsoAccepted.map(\.description)))"
        return (key.map { "\($0)" } ?? "NO KEY: everybody can read and forge its messages") + accepted
    }
}

extension BridgeConfiguration.Delivery {
    fileprivate var says: String {
        let limits = [
            messagesPerSecondOfHost.map { "\($0) messages a second of a host" },
            messagesPerSecondOfMailslot.map { "\($0) messages a second for a mailslot" },
        ].compactMap(\.self)
        let owners = trustsAnyone ? "of any user that accept" : "that accept"
        return "from \(list(allowedHosts, "no host")) into \(list(allowedMailslots, "no mailslot")), those \(owners) remote messages;"
            + " \(list(limits, "no limits"))"
    }
}

func list(_ texts: [String], _ none: String = "") -> String { texts.isEmpty ? none : texts.joined(separator: ", ") }

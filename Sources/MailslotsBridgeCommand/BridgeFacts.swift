import MailslotsBridge
import MailslotsProgram

extension BridgeConfiguration {
    /// For people: what the bridge is, and whom it serves.
    var facts: [(name: String, says: String)] {
        let ways = nats.map { [("network", $0.says)] } ?? [("network", network.says), ("engine", network.engine.says)]
        return [("host", host)] + domains.map { ("domain \($0.name)", nats == nil ? $0.says(port: network.port) : $0.seal) } + ways
            + [
                ("who may send", "mode 0\(String(outboxes.permissions, radix: 8)); to \(list(outboxes.allowed, "nobody"))"),
                ("deliveries", delivery.says),
            ]
    }
}

extension BridgeConfiguration.Domain {
    fileprivate var seal: String {
        let accepted = alsoAccepted.isEmpty ? "" : ", also accepted: \(list(alsoAccepted.map(\.description)))"
        return (key.map { "\($0)" } ?? "NO KEY: everybody can read and forge its messages") + accepted
    }

    fileprivate func says(port: UInt16) -> String {
        let hosts = peers.map { "\($0.host.map { "\($0)=" } ?? "")\($0.address) port \($0.port ?? port)" }
        let ways = (groups.isEmpty ? [] : ["multicast to \(list(groups))"]) + (peers.isEmpty ? [] : ["peers \(list(hosts))"])
        return "\(seal); \(ways.isEmpty ? "no ways but to hosts that announce themselves" : ways.joined(separator: "; "))"
    }
}

extension BridgeConfiguration.Network {
    fileprivate var says: String {
        "UDP port \(port) of \(list(addresses, "all addresses")); multicast by \(list(interfaces, "the kernel's routes"))"
    }
}

extension BridgeConfiguration.NATS {
    fileprivate var says: String {
        let who =
            switch credentials {
            case .password(let user, _): ", as \(user) with a password"
            case .token: ", with a token"
            case .file(let path): ", with the credentials of \(path)"
            case .nkey(let key, _): ", as \(key)"
            case nil: ""
            }
        return "NATS through \(addresses)\(who); subjects \(subjectPrefix).*"
    }
}

extension BridgeConfiguration.Network.Engine {
    fileprivate var says: String {
        let ring = DatagramEngine.ioURing
        switch self {
        case .mmsg: return "mmsg"
        case .automatic where !ring.isUsable: return "mmsg, because io_uring cannot be used: \(ring.says)"
        case .automatic, .ioURing: return ring.says
        }
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

private func list(_ texts: [String], _ none: String = "") -> String { texts.isEmpty ? none : texts.joined(separator: ", ") }
